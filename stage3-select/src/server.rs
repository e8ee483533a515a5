//! One thread, many clients: the kernel says which sockets are ready, and only those are touched.
//!
//! Nothing here waits for a client. The one place that waits is `poll`, and it waits for all.

use crate::clients::Clients;
use crate::command;
use crate::connection::{Chunk, Connection, Phase};
use crate::console::{self, explain};
use crate::door::Door;
use crate::line::{self, CLIENT_LINE_BYTES_MAX, LineDecoder, LineError};
use crate::outbox::{Framing, Outbox};
use crate::users::{ClientId, Effect, Users};
use anyhow::Context;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use std::borrow::Cow;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Events that one `poll` reports. If there are more, the next `poll` has them at once.
const EVENTS_PER_WAKE_UP: usize = 1024;

/// Bytes that one read takes. There is one such buffer for all clients: they are read in turn.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Newcomers in one wake-up: a storm of them shall not keep the others waiting.
const ACCEPTS_PER_WAKE_UP: usize = 256;

const DOOR: Token = Token(usize::MAX);

struct Server {
    poll: Poll,
    door: Door,
    clients: Clients,
    users: Users,
    buffer: Vec<u8>,
    framing: Framing,
}

// ANCHOR: run
/// Returns only when it cannot begin. No client can end it.
pub fn run(host: &str, port: u16, framing: Framing) -> anyhow::Result<()> {
    let mut server = Server::open(host, port, framing)?;
    let mut events = Events::with_capacity(EVENTS_PER_WAKE_UP);
    loop {
        server.wait(&mut events)?;
        for event in &events {
            match event.token() {
                DOOR => server.door.knock(),
                Token(place) => server.clients.note(ClientId(place), event),
            }
        }
        server.accept_newcomers();
        server.read_those_ready();
        server.flush_pending(); // after all reads: everything for a client in one write
        server.close_expired();
    }
}
// ANCHOR_END: run

impl Server {
    fn open(host: &str, port: u16, framing: Framing) -> anyhow::Result<Server> {
        let poll = Poll::new().context("cannot ask the kernel for events")?;
        let mut door = Door::open(host, port)?;
        door.register(poll.registry(), DOOR).context("cannot watch the listening socket")?;
        console::announce(door.address()?);
        Ok(Server {
            poll,
            door,
            clients: Clients::new(framing),
            users: Users::default(),
            buffer: vec![0; READ_BUFFER_BYTES],
            framing,
        })
    }

    /// Sleeps until a socket is ready or a time has come. A client that may have more to say
    /// does not let us sleep, only look who else is ready.
    fn wait(&mut self, events: &mut Events) -> anyhow::Result<()> {
        let timeout = self.timeout(Instant::now());
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                return Err(error).context("cannot wait for events");
            }
            _ => {}
        }
        if console::is_verbose() {
            let ready = many(events.iter().count(), "socket");
            match self.clients.ready.len() {
                0 => explain!("woke up: {ready} ready"),
                more => explain!("{} may have more; {ready} ready besides", many(more, "client")),
            }
        }
        Ok(())
    }

    fn timeout(&self, now: Instant) -> Option<Duration> {
        if !self.clients.ready.is_empty() {
            return Some(Duration::ZERO);
        }
        let times = [self.clients.next_deadline(), self.door.opens_at(now)];
        let next = times.into_iter().flatten().min()?;
        Some(next.saturating_duration_since(now))
    }

    fn accept_newcomers(&mut self) {
        let now = Instant::now();
        for _ in 0..ACCEPTS_PER_WAKE_UP {
            let Some((socket, peer)) = self.door.accept(now) else {
                return;
            };
            self.admit(socket, peer);
        }
    }

    fn admit(&mut self, socket: TcpStream, peer: SocketAddr) {
        // We collect lines ourselves; the kernel would hold small ones back (Nagle's algorithm).
        // It fails only for a client that has gone already, which the first read will show.
        let _ = socket.set_nodelay(true);
        let mut connection = Connection::new(socket, peer);
        let token = Token(self.clients.next_id().0);
        let interest = Interest::READABLE | Interest::WRITABLE;
        let registry = self.poll.registry();
        if let Err(error) = registry.register(&mut connection.socket, token, interest) {
            return console::warn(format_args!("cannot watch {peer}: {error}: closed"));
        }
        let client = self.clients.insert(connection);
        explain!("client {}: {peer} has come; {} connected", client.0, self.clients.count());
        let peer = peer.to_string();
        self.clients.send(client, &["You are connected from: ", &peer]);
    }

    /// One read for each: first those who waited longest.
    fn read_those_ready(&mut self) {
        for _ in 0..self.clients.ready.len() {
            let Some(client) = self.clients.ready.pop_front() else {
                return;
            };
            self.take_turn(client);
        }
    }

    // ANCHOR: take_turn
    fn take_turn(&mut self, client: ClientId) {
        let Some(connection) = self.clients.get_mut(client) else {
            return;
        };
        let chunk = connection.read(&mut self.buffer);
        if connection.may_have_more {
            self.clients.ready.push_back(client);
        }
        match chunk {
            Chunk::Bytes(count) => self.hear(client, count),
            Chunk::NotReady => {}
            Chunk::End => self.end_of_stream(client),
            Chunk::Lost(error) => self.close(client, &format!("lost: {error}")),
        }
    }
    // ANCHOR_END: take_turn

    fn hear(&mut self, from: ClientId, count: usize) {
        let Some(connection) = self.clients.get_mut(from) else {
            return;
        };
        if connection.phase != Phase::Talking {
            return; // what comes after `exit` is read, so that it ends, and thrown away
        }
        match self.framing {
            Framing::Line => {
                // The lines are borrowed from the decoder while they go into the outboxes of
                // others, or of the sender: so it leaves the table for as long.
                let empty = LineDecoder::new(CLIENT_LINE_BYTES_MAX);
                let mut decoder = std::mem::replace(&mut connection.decoder, empty);
                decoder.push(&self.buffer[..count]);
                self.obey_lines(from, &mut decoder);
                if let Some(connection) = self.clients.get_mut(from) {
                    connection.decoder = decoder;
                }
            }
            Framing::Recv => {
                let message = self.buffer[..count].to_vec();
                self.obey_message(from, &message);
            }
        }
    }

    fn obey_lines(&mut self, from: ClientId, decoder: &mut LineDecoder) {
        let (bytes, mut lines) = (decoder.bytes_left(), 0);
        while let Some(line) = decoder.next_line() {
            lines += 1;
            self.obey(from, line);
            if !self.clients.is_talking(from) {
                return; // it said `exit`, or is owed too much: what follows is not obeyed
            }
        }
        if console::is_verbose() {
            let (who, lines, left) = (self.who(from), many(lines, "line"), decoder.bytes_left());
            explain!("{who}: {bytes} bytes made {lines}, {left} bytes wait for their end");
        }
    }

    /// For programs that think that one read is one message (rule F1).
    fn obey_message(&mut self, from: ClientId, message: &[u8]) {
        let line = if message.len() > CLIENT_LINE_BYTES_MAX {
            Err(LineError::TooLong(CLIENT_LINE_BYTES_MAX))
        } else {
            line::decode(message)
        };
        if !matches!(&line, Ok(text) if text.is_empty()) {
            self.obey(from, line);
        }
    }

    // ANCHOR: obey
    fn obey(&mut self, from: ClientId, line: Result<Cow<str>, LineError>) {
        let refuse = |why: String| Effect::Refuse { to: from, why };
        let effect = match &line {
            Ok(line) => match command::parse(line) {
                Ok(command) => self.users.apply(from, command),
                Err(error) => refuse(error.to_string()),
            },
            Err(error) => refuse(error.to_string()),
        };
        if let Some(client) = carry_out(effect, &mut self.clients) {
            self.users.leave(client);
            self.clients.start_leaving(client, false);
        }
    }
    // ANCHOR_END: obey

    fn who(&self, client: ClientId) -> String {
        let name = self.users.name(client);
        name.map_or_else(|| format!("client {}", client.0), str::to_string)
    }

    /// The client says no more, but it may still listen: it gets what it is owed (rule L10).
    fn end_of_stream(&mut self, client: ClientId) {
        let Some(connection) = self.clients.get_mut(client) else {
            return;
        };
        self.users.leave(client);
        match &mut connection.phase {
            Phase::Leaving { end_seen, .. } => *end_seen = true,
            Phase::Talking if connection.outbox.is_empty() => {
                return self.close(client, "has left");
            }
            Phase::Talking => self.clients.start_leaving(client, true),
        }
        self.close_if_finished(client);
    }

    fn flush_pending(&mut self) {
        while let Some(client) = self.clients.pending.pop() {
            self.flush(client);
        }
    }

    fn flush(&mut self, client: ClientId) {
        let Some(connection) = self.clients.get_mut(client) else {
            return;
        };
        let owed = connection.outbox.bytes_owed();
        let lines = if console::is_verbose() { connection.outbox.lines_owed() } else { 0 };
        if let Err(error) = connection.flush(self.framing) {
            return self.give_up_writing(client, &error);
        }
        let left = connection.outbox.bytes_owed();
        if lines > 0 {
            let (lines, who) = (many(lines, "line"), self.who(client));
            explain!(
                "{lines} ({owed} bytes) for {who} given to the kernel, {left} bytes must wait"
            );
        }
        self.close_if_finished(client);
    }

    /// Nobody takes what we send. What the client said before may still wait to be read: its
    /// last lines count, and its end comes behind them.
    fn give_up_writing(&mut self, client: ClientId, error: &io::Error) {
        explain!("{} takes nothing any more: {error}", self.who(client));
        if let Some(connection) = self.clients.get_mut(client) {
            connection.outbox = Outbox::default();
            connection.end_is_near = true;
            self.clients.make_ready(client);
        }
    }

    fn close_if_finished(&mut self, client: ClientId) {
        if self.clients.is_finished(client) {
            self.close(client, "has left");
        }
    }

    fn close_expired(&mut self) {
        let now = Instant::now();
        while let Some(client) = self.clients.next_expired(now) {
            self.close(client, "did not leave in time");
        }
    }

    /// Nothing of the client stays: neither its name nor its descriptor.
    fn close(&mut self, client: ClientId, why: &str) {
        self.users.leave(client);
        let Some(mut connection) = self.clients.remove(client) else {
            return;
        };
        let (peer, count) = (connection.peer, self.clients.count());
        explain!("client {}: {peer} {why}; {count} connected", client.0);
        // It can only fail for a socket that is not registered, and then there is nothing to do.
        let _ = self.poll.registry().deregister(&mut connection.socket);
        self.door.make_room();
    }
}

// ANCHOR: carry_out
/// The one place where a decision becomes something to send. Returns the client whose
/// connection ends because of it.
fn carry_out(effect: Effect, clients: &mut Clients) -> Option<ClientId> {
    match effect {
        Effect::Relay { to, sender, text } => clients.send(to, &[sender, ": ", text]),
        Effect::Saved { to, name } => {
            console::say(format_args!("User {name} added."));
            clients.send(to, &["Your user detail saved as: ", name])
        }
        Effect::Refuse { to, why } => clients.send(to, &["! ", &why]),
        Effect::End { client } => Some(client),
    }
}
// ANCHOR_END: carry_out

/// `1 line`, `2 lines`.
fn many(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}
