//! Layer: the design. One thread, many clients: the kernel says which sockets are ready, and only those
//! are touched.
//!
//! Nothing here waits for a client. The one place that waits is `poll`, and it waits for all.

use std::collections::VecDeque;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

use anyhow::Context;
use mio::net::{TcpListener, TcpStream};
use mio::{Events, Interest, Poll, Token};

use crate::accept::pause_after;
use crate::connection::Side;
use crate::console::{self, count, explain};
use crate::deadlines::Deadlines;
use crate::effects::ClientId;
use crate::hub::Hub;
use crate::users::{Eviction, Users};

/// Events that one `poll` reports. If there are more, the next `poll` has them at once.
const EVENTS_PER_WAKE_UP: usize = 1024;

/// Bytes that one read takes. There is one such buffer for all clients: they are read in turn.
/// Shortcut: with `--broadcast` all lines of one read go to everybody before anybody is written to. A
/// real server would look at the size of what it owes to all, and read less while that is much.
const READ_BUFFER_BYTES: usize = 64 * 1024;

/// Newcomers in one wake-up: a storm of them shall not keep the others waiting.
const ACCEPTS_PER_WAKE_UP: usize = 256;

/// A token is what mio gets with a socket, and gives back with each event of it: for a client its
/// `ClientId`, for the listener a number that no client has.
const LISTENER: Token = Token(usize::MAX);

struct Server {
    /// The kernel's watch over all sockets, and the one place to wait.
    poll: Poll,
    /// Where newcomers come from.
    listener: TcpListener,
    /// Somebody may wait to be accepted. The kernel says so once (*edge-triggered*).
    has_newcomers: bool,
    /// How long accepting rests after its last failure; zero after a success.
    pause: Duration,
    /// Everything else that is known of the clients.
    hub: Hub,
    /// Who may have bytes that have not been read. First come, first served, one read each: who
    /// sends without end waits for its next turn behind all others.
    to_read: VecDeque<ClientId>,
    /// Until when who has to do something; the listener, until when it rests.
    deadlines: Deadlines,
    /// What one read brings.
    buffer: Vec<u8>,
}

// ANCHOR: run
/// Serves for ever: no client can end it.
pub fn run(listener: TcpListener, users: Users) -> anyhow::Result<()> {
    let mut server = Server::new(listener, users)?;
    let mut events = Events::with_capacity(EVENTS_PER_WAKE_UP);
    loop {
        server.wait(&mut events)?;
        server.end_what_takes_too_long();
        server.accept();
        for _ in 0..server.to_read.len() {
            server.read();
        }
        while let Some(client) = server.hub.to_write.pop() {
            server.write(client); // after all reads: everything for a client in one write
        }
    }
}
// ANCHOR_END: run

impl Server {
    fn new(mut listener: TcpListener, users: Users) -> anyhow::Result<Server> {
        let poll = Poll::new().context("cannot ask the kernel for events")?;
        let registry = poll.registry();
        registry
            .register(&mut listener, LISTENER, Interest::READABLE)
            .context("cannot watch the listening socket")?;
        Ok(Server {
            poll,
            listener,
            has_newcomers: false,
            pause: Duration::ZERO,
            hub: Hub::new(users),
            to_read: VecDeque::new(),
            deadlines: Deadlines::default(),
            buffer: vec![0; READ_BUFFER_BYTES],
        })
    }

    // ANCHOR: wait
    /// Sleeps until a socket is ready or a time has come, and keeps in mind what the kernel says. If
    /// somebody has been left over from before, it does not sleep, and only looks who else is ready.
    fn wait(&mut self, events: &mut Events) -> anyhow::Result<()> {
        let timeout = match self.deadlines.next() {
            _ if self.has_newcomers || !self.to_read.is_empty() => Some(Duration::ZERO),
            Some(time) => Some(time.saturating_duration_since(Instant::now())),
            None => None,
        };
        match self.poll.poll(events, timeout) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {} // by a signal: nobody is ready
            result => result.context("cannot wait for events")?,
        }
        for event in &*events {
            let client = ClientId(event.token().0);
            if event.token() == LISTENER {
                self.has_newcomers = self.pause.is_zero(); // else it rests until its deadline
            } else if let Some(connection) = self.hub.connection(client) {
                if connection.note_readable(event) {
                    // Who was known to be readable before is in the list already.
                    self.to_read.push_back(client);
                }
                if event.is_writable() && !connection.outbox.is_empty() {
                    self.hub.to_write.push(client);
                }
            }
        }
        explain!("woke up: {} ready", count(events.iter().count(), "socket"));
        Ok(())
    }
    // ANCHOR_END: wait

    /// What counts is the deadline in the connection. The one in the list may be older: the hub
    /// writes too, when an outbox is full, and what a client takes then gives it more time.
    fn end_what_takes_too_long(&mut self) {
        let now = Instant::now();
        while let Some(socket) = self.deadlines.take_expired(now) {
            let client = ClientId(socket.0);
            if socket == LISTENER {
                self.has_newcomers = true;
            } else if let Some(connection) = self.hub.connection(client) {
                match connection.deadline {
                    Some(time) if time <= now && connection.is_open() => {
                        self.hub.evict(client, Eviction::ReadsTooSlowly);
                    }
                    Some(time) if time <= now => self.forget(client, "did not leave in time"),
                    later => self.deadlines.set(socket, later),
                }
            }
        }
    }

    // ANCHOR: accept
    /// Lets in those who wait. Those for whom there is no room wait on, in the kernel's queue.
    fn accept(&mut self) {
        for _ in 0..ACCEPTS_PER_WAKE_UP {
            if !self.has_newcomers {
                return;
            }
            match self.listener.accept() {
                Ok((socket, address)) => {
                    self.pause = Duration::ZERO;
                    self.admit(socket, address);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    (self.has_newcomers, self.pause) = (false, Duration::ZERO);
                }
                Err(error) => self.rest(&error),
            }
        }
    }
    // ANCHOR_END: accept

    fn admit(&mut self, socket: TcpStream, address: SocketAddr) {
        let client = self.hub.arrive(socket, address);
        let Some(connection) = self.hub.connection(client) else { return };
        let (token, interest) = (Token(client.0), Interest::READABLE | Interest::WRITABLE);
        match self.poll.registry().register(&mut connection.socket, token, interest) {
            Ok(()) => explain!("{address} has come"),
            Err(error) => {
                console::warn(format_args!("cannot watch {address}: {error}: closed"));
                self.hub.leave(client);
                self.hub.forget(client);
            }
        }
    }

    /// Without a pause the next `accept` would fail at once, and the next, and nobody be served.
    fn rest(&mut self, error: &io::Error) {
        let pause = pause_after(error, self.pause);
        if pause.is_zero() {
            return; // it was the trouble of one newcomer
        }
        if self.pause.is_zero() {
            console::warn(format_args!(
                "cannot accept now ({error}): newcomers wait until somebody leaves; \
                 the number of descriptors is limited, see ulimit -n"
            ));
        }
        self.pause = pause;
        self.has_newcomers = false;
        self.deadlines.set(LISTENER, Some(Instant::now() + pause));
    }

    // ANCHOR: read
    /// One read, for who has waited longest.
    fn read(&mut self) {
        let Some(client) = self.to_read.pop_front() else { return };
        let Some(connection) = self.hub.connection(client) else { return };
        let result = connection.read(&mut self.buffer);
        if connection.is_readable() {
            self.to_read.push_back(client);
        }
        match result {
            Ok(Side::Open) => self.hub.obey(client),
            Ok(Side::Ended) => self.hub.leave(client),
            Err(error) => {
                explain!("{} is lost: {error}", self.hub.who(client));
                self.hub.leave(client);
            }
        }
    }
    // ANCHOR_END: read

    // ANCHOR: write
    /// Hands over what one client is owed. Here a client is forgotten, too: when it has said all, and
    /// nothing is owed to it any more.
    fn write(&mut self, client: ClientId) {
        let Some(connection) = self.hub.connection(client) else { return };
        let owed = connection.outbox.len();
        let result = connection.write();
        let (left, deadline) = (connection.outbox.len(), connection.deadline);
        if connection.is_over() {
            return self.forget(client, "has left");
        }
        self.deadlines.set(Token(client.0), deadline);
        match result {
            Ok(()) => {
                explain!("{}: {owed} bytes owed, {left} of them must wait", self.hub.who(client))
            }
            Err(error) => {
                explain!("{} takes nothing any more: {error}", self.hub.who(client));
                // What it said before still counts. Reading on finds that, and then its end.
                self.to_read.push_back(client);
            }
        }
    }
    // ANCHOR_END: write

    fn forget(&mut self, client: ClientId, why: &str) {
        explain!("{} {why}", self.hub.who(client));
        self.deadlines.set(Token(client.0), None);
        self.hub.forget(client);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};
    use std::net::{Shutdown, TcpStream as StdStream};

    /// The most that any test waits for the server.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A listener, and a client that waits to be accepted.
    fn listener() -> (TcpListener, BufReader<StdStream>) {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let client = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        client.set_read_timeout(Some(PATIENCE)).unwrap();
        (listener, BufReader::new(client))
    }

    fn hears(client: &mut BufReader<StdStream>) -> String {
        let mut line = String::new();
        client.read_line(&mut line).unwrap();
        line
    }

    #[test]
    fn who_takes_nothing_until_its_deadline_is_told_so_and_closed() {
        let (listener, mut client) = listener();
        let mut server = Server::new(listener, Users::new(false)).unwrap();
        let mut events = Events::with_capacity(EVENTS_PER_WAKE_UP);
        let only = ClientId(0);
        while server.hub.connection(only).is_none() {
            server.wait(&mut events).unwrap();
            server.accept();
        }
        let now = Instant::now();
        server.hub.connection(only).unwrap().deadline = Some(now);
        server.deadlines.set(Token(only.0), Some(now));
        server.end_what_takes_too_long();
        server.write(only);
        assert_eq!(hears(&mut client), "! you read too slowly\n");
        assert_eq!(hears(&mut client), "");
        server.deadlines.set(Token(only.0), Some(now));
        server.hub.connection(only).unwrap().deadline = Some(now);
        server.end_what_takes_too_long();
        assert!(server.hub.connection(only).is_none());
    }

    #[test]
    fn a_shortage_that_ends_when_nobody_waits_is_over() {
        let listener = TcpListener::bind("127.0.0.1:0".parse().unwrap()).unwrap();
        let mut server = Server::new(listener, Users::new(false)).unwrap();
        server.rest(&io::Error::other("too many open files"));
        let mut events = Events::with_capacity(EVENTS_PER_WAKE_UP);
        while server.deadlines.next().is_some() {
            server.wait(&mut events).unwrap();
            server.end_what_takes_too_long();
        }
        server.accept();
        assert!(server.pause.is_zero() && !server.has_newcomers); // the next event counts again
    }

    #[test]
    fn what_was_said_before_the_end_is_obeyed_and_answered() {
        let (listener, mut client) = listener();
        client.get_mut().write_all(b"#ali\n@ali:one\n@ali:two\n@ali:hal").unwrap();
        client.get_mut().shutdown(Shutdown::Write).unwrap();
        std::thread::spawn(move || run(listener, Users::new(false)));
        let heard: Vec<String> = client.lines().map(Result::unwrap).collect();
        assert_eq!(heard[1..], ["Your user detail saved as: ali", "ali: one", "ali: two"]);
    }
}
