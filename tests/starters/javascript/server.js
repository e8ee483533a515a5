// %task%
//
// Run it:    node server.js 127.0.0.1 8000     and in another terminal: nc 127.0.0.1 8000
// Check it:  %check%
// Read:      %page% (the task, its rules, hints)

const net = require("node:net");

const [host, port] = process.argv.slice(2);

// allowHalfOpen: that a client has ended its sending does not end our answers to it (L10).
const server = net.createServer({ allowHalfOpen: true }, (client) => {
  console.log(`${client.remoteAddress}:${client.remotePort} connected`);
  // BEGIN HERE.
  %steps%
  client.on("data", (data) => {
    // data is some bytes: half a line perhaps, or three lines
    console.log("received", JSON.stringify(data.toString()));
  });
  client.on("end", () => client.end());
  client.on("error", (error) => console.error(error.message)); // a reset is no reason to end
});

server.listen({ host, port: Number(port) }, () => {
  // The lab waits for this line.
  console.log(`listening on ${host}:${server.address().port}`);
});
