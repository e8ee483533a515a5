// %task%
//
// Run it:    cargo run -p stage4-threads -- server 127.0.0.1 8004
//            and in another terminal: node client.js 127.0.0.1 8004
// Check it:  %check%
// Read:      %page% (the task, its rules, hints)

const net = require("node:net");

const [host, port] = process.argv.slice(2);
const server = net.connect({ host, port: Number(port) });

// BEGIN HERE.
%steps%
server.on("data", (data) => {
  // data is some bytes: half a line perhaps, or three lines
  console.log(data);
});
process.stdin.once("data", (line) => server.write(line));
