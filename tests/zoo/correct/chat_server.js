// A chat in Node.js: one event loop, many sockets, no thread and no lock.
//
// Speaks S4 (what one says, all others hear), or S3 (`@NAME:TEXT`) with the word
// `route`. A line may arrive in pieces: each client keeps the bytes that have no end yet.
//
//     node chat_server.js HOST PORT [broadcast|route]

'use strict';
const fs = require('node:fs');
const net = require('node:net');

const LINE_MAX = 2048; // L3: bytes of a client's line, its end included
const OWED_MAX = 1024 * 1024; // L13: bytes that one client may leave unread
const FAREWELL_MS = 5000; // L10

const host = process.argv[2] || '127.0.0.1';
const port = Number(process.argv[3] || 8004);
const mode = process.argv[4] || 'broadcast';
if (!Number.isInteger(port) || port < 0 || port > 65535 || !['broadcast', 'route'].includes(mode)) {
  console.error('usage: node chat_server.js HOST PORT [broadcast|route]');
  process.exit(2);
}

const utf8 = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
const unprintable =
  /[\u0000-\u0008\u000a-\u001f\u007f-\u009f\u061c\u200e\u200f\u202a-\u202e\u2066-\u2069\u2028\u2029\u{e0000}-\u{e007f}]/gu;
const people = new Map(); // a name in lower case -> Client

class Client {
  constructor(socket) {
    this.socket = socket;
    this.ip = socket.remoteAddress;
    this.port = socket.remotePort;
    this.name = null;
    this.ended = false;
    this.pieces = []; // the line that has no end yet
    this.size = 0;
    this.skipping = false; // the rest of a line that was too long
  }

  tell(text) {
    if (this.socket.destroyed || this.socket.writableEnded) return;
    if (this.socket.writableLength > OWED_MAX) {
      this.socket.destroy();
      this.end();
      return;
    }
    this.socket.write(text + '\n');
  }

  feed(bytes) {
    let start = 0;
    while (start < bytes.length && !this.ended) {
      const at = bytes.indexOf(10, start);
      const stop = at < 0 ? bytes.length : at;
      if (!this.skipping) {
        this.size += stop - start;
        if (this.size >= LINE_MAX) {
          this.skipping = true;
          this.pieces = [];
          this.refuse(`your line has more than ${LINE_MAX} bytes`);
        } else {
          this.pieces.push(Buffer.from(bytes.subarray(start, stop)));
        }
      }
      if (at < 0) return;
      if (!this.skipping) {
        const line = Buffer.concat(this.pieces);
        this.take(line.at(-1) === 13 ? line.subarray(0, -1) : line);
      }
      this.pieces = [];
      this.size = 0;
      this.skipping = false;
      start = at + 1;
    }
  }

  take(line) {
    let text;
    try {
      text = utf8.decode(line);
    } catch {
      this.refuse('that was no UTF-8');
      return;
    }
    text = text.replace(unprintable, '\ufffd').replace(/^[ \t]+|[ \t]+$/g, '');
    if (text === 'exit') this.end();
    else if (!this.name && /^\S+ \S+ HTTP\//.test(text)) {
      this.refuse('no browser is expected here');
      this.end();
    }
    else if (text !== '') handle(this, text);
  }

  refuse(why) {
    this.tell('! ' + why);
    if (mode === 'broadcast' && !this.name) this.tell('NICK');
  }

  // The end, whoever wanted it. What is owed still leaves; then the socket closes.
  end() {
    if (this.ended) return;
    this.ended = true;
    if (this.name) {
      people.delete(this.name.toLowerCase());
      if (mode === 'broadcast') toAllBut(null, `* ${this.name} left`);
    }
    this.socket.end();
    setTimeout(() => this.socket.destroy(), FAREWELL_MS).unref();
  }
}

function toAllBut(client, text) {
  for (const other of [...people.values()]) if (other !== client) other.tell(text);
}

function takeName(client, name) {
  if (!/^[A-Za-z][A-Za-z0-9_-]{0,19}$/.test(name)) {
    client.refuse('a name has 1 to 20 letters, digits, _ and -, and begins with a letter');
    return false;
  }
  const holder = people.get(name.toLowerCase());
  if (holder && holder !== client) {
    client.refuse(`somebody is called ${name} already`);
    return false;
  }
  if (client.name) people.delete(client.name.toLowerCase());
  client.name = name;
  people.set(name.toLowerCase(), client);
  return true;
}

function welcome(name) {
  const names = [...people.values()].map((person) => person.name);
  let shown = names.length;
  let length = names.join(', ').length;
  while (length > 8000) length -= names[--shown].length + 2;
  const more = shown < names.length ? `, and ${names.length - shown} more` : '';
  return `* welcome ${name}: ${names.length} here (${names.slice(0, shown).join(', ')}${more})`;
}

function broadcast(client, text) {
  if (!client.name) {
    if (!takeName(client, text)) return;
    client.tell(welcome(client.name));
    client.tell('* what you type now, all others hear');
    toAllBut(client, `* ${client.name} joined`);
    return;
  }
  console.log(`[${client.ip}]:${client.port} => ${text}`);
  toAllBut(client, `${client.name}: ${text}`);
}

function route(client, text) {
  if (text.startsWith('#')) {
    if (!takeName(client, text.slice(1))) return;
    client.tell(`Your user detail saved as: ${client.name}`);
    console.log(`User ${client.name} added.`);
    return;
  }
  const parts = /^@([^:]*):(.*)$/u.exec(text);
  if (!parts) return client.refuse('I know #NAME and @USER:TEXT');
  if (!client.name) return client.refuse('who are you? #NAME first');
  const other = people.get(parts[1].toLowerCase());
  const words = parts[2].replace(/^[ \t]+/, '');
  if (!other) return client.refuse(`I know no ${parts[1].slice(0, 20)}`);
  if (words === '') return client.refuse('and what shall I tell?');
  other.tell(`${client.name}: ${words}`);
}

const handle = mode === 'route' ? route : broadcast;

const server = net.createServer({ allowHalfOpen: true, noDelay: true }, (socket) => {
  const client = new Client(socket);
  if (client.ip === undefined) {
    socket.destroy();
    return;
  }
  console.log(`${client.ip}:${client.port} connected`);
  client.tell(mode === 'route' ? `You are connected from: ${client.ip}:${client.port}` : 'NICK');
  if (mode === 'route') client.tell('* say #NAME, then @USER:TEXT');
  socket.on('data', (bytes) => client.feed(bytes));
  socket.on('end', () => client.end());
  socket.on('error', () => {}); // a reset; 'close' follows
  socket.on('close', () => {
    toldOfDrop = false;
    client.end();
  });
});

// Without descriptors Node closes each newcomer and tells nobody. So it is told how many
// clients there may be: then it says at least that somebody was turned away (L14).
let toldOfDrop = false;
const most = descriptors() - 24; // what Node has open itself
if (most > 0) server.maxConnections = most;
server.on('drop', () => {
  if (!toldOfDrop) console.error('no descriptors left: newcomers have to try again later');
  toldOfDrop = true;
});

function descriptors() {
  try {
    return Number(/^Max open files +(\d+)/m.exec(fs.readFileSync('/proc/self/limits', 'utf8'))[1]);
  } catch {
    return 0; // not known on this system
  }
}

server.on('error', (error) => {
  console.error(`cannot listen on ${host}:${port}: ${error.code}; try another port`);
  process.exit(1);
});
server.listen({ host, port, backlog: 4096 }, () => {
  const { address, port: real, family } = server.address();
  console.log(`listening on ${family === 'IPv6' ? `[${address}]` : address}:${real}`);
});
