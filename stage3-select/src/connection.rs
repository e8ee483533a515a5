//! Layer: the bytes. One client: its socket, the line that it has not finished, what it is owed,
//! and how it ends.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr};
use std::time::{Duration, Instant};

use mio::event::Event;
use mio::net::TcpStream;

use crate::line::{CLIENT_LINE_BYTES_MAX, LineDecoder, LineError};
use crate::outbox::{Full, Outbox};

/// How long a client whose connection ends may take to receive what it is owed (rule L10).
const GOODBYE_MAX: Duration = Duration::from_secs(5);

/// How long a client may take nothing at all of what it is owed (rule L13).
const NO_PROGRESS_MAX: Duration = Duration::from_secs(60);

/// There is one for each client, so it is small: no buffer belongs to it while it is idle.
#[derive(Debug)]
pub struct Connection {
    /// Never waits: what it cannot do at once is `WouldBlock`.
    pub socket: TcpStream,
    /// Where it comes from; asked once, for a socket that has been reset does not know it any more.
    pub address: SocketAddr,
    /// Who still talks.
    phase: Phase,
    /// What the kernel has told about the socket, until a read has found that it is no longer so.
    readable: Readable,
    /// The beginning of a line whose end has not come.
    lines: LineDecoder,
    /// What it has been promised and the socket has not taken.
    pub outbox: Outbox,
    /// When it must have taken something, or have gone. None while nothing is owed.
    pub deadline: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Phase {
    /// Its lines are obeyed.
    Open,
    /// The server ends it. It still receives what it is owed; what it says is read and thrown away.
    Closing,
    /// It has ended its side. It still receives what it is owed, and then the socket is closed.
    SaidAll,
}

/// The kernel reports each arrival once (it is asked to be *edge-triggered*), so it is kept in mind.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
enum Readable {
    No,
    Bytes,
    /// The peer's end, or its reset, is among what has come: nothing will be reported behind it.
    End,
}

/// What one read has shown of the client's side.
#[derive(Debug)]
pub enum Side {
    /// There may be lines to be obeyed.
    Open,
    /// The client says no more.
    Ended,
}

/// A read that brings less than it could take has emptied the socket: epoll(7) and kqueue(2)
/// promise it, which saves every second read. On Windows mio tells of new bytes only after a read
/// that found nothing.
const SHORT_READ_EMPTIES: bool = cfg!(any(target_os = "linux", target_os = "macos"));

impl Connection {
    pub fn new(socket: TcpStream, address: SocketAddr) -> Connection {
        // All that waits leaves in one write; the kernel would hold it back to collect more (Nagle's
        // algorithm). It fails only for a client that has gone, which the first read will show.
        let _ = socket.set_nodelay(true);
        Connection {
            socket,
            address,
            phase: Phase::Open,
            readable: Readable::No,
            lines: LineDecoder::new(CLIENT_LINE_BYTES_MAX),
            outbox: Outbox::default(),
            deadline: None,
        }
    }

    /// Keeps in mind what the kernel says. True when it said nothing of the kind before.
    pub fn note_readable(&mut self, event: &Event) -> bool {
        let was_readable = self.is_readable();
        self.readable = self.readable.max(match event {
            event if event.is_read_closed() || event.is_error() => Readable::End,
            event if event.is_readable() => Readable::Bytes,
            _ => Readable::No,
        });
        self.is_readable() && !was_readable
    }

    pub fn is_readable(&self) -> bool {
        self.readable != Readable::No
    }

    // ANCHOR: read
    /// Reads once, into a buffer that all clients share. An error means that both directions are over.
    pub fn read(&mut self, buffer: &mut [u8]) -> io::Result<Side> {
        match self.socket.read(buffer) {
            Ok(0) => {
                self.readable = Readable::No;
                Ok(Side::Ended)
            }
            Ok(count) => {
                let emptied = SHORT_READ_EMPTIES && count < buffer.len();
                if emptied && self.readable != Readable::End {
                    self.readable = Readable::No;
                }
                if self.phase == Phase::Open {
                    self.lines.push(&buffer[..count]);
                }
                Ok(Side::Open)
            }
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.readable = Readable::No;
                Ok(Side::Open)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Side::Open), // next time
            Err(error) => {
                self.readable = Readable::No;
                self.outbox = Outbox::default(); // nobody takes it any more
                Err(error)
            }
        }
    }
    // ANCHOR_END: read

    /// The next line that is to be obeyed.
    pub fn next_line(&mut self) -> Option<Result<Cow<'_, str>, LineError>> {
        match self.phase {
            Phase::Open => self.lines.next_line(),
            Phase::Closing | Phase::SaidAll => None,
        }
    }

    /// Bytes that wait for the end of their line.
    pub fn bytes_left(&self) -> usize {
        self.lines.bytes_left()
    }

    /// Promises a line. Much may have come for it since its last write, so when there is no room it is
    /// asked first: only the socket knows whether the client reads.
    pub fn put(&mut self, line: &str) -> Result<(), Full> {
        self.outbox.put(line).or_else(|Full| {
            let _ = self.write(); // an error is seen again, by the write that follows all reads
            self.outbox.put(line)
        })
    }

    // ANCHOR: write
    /// Hands over as much as the socket takes. That it takes no more is no error: the kernel will say
    /// when there is room, and the next call goes on at the same byte.
    pub fn write(&mut self) -> io::Result<()> {
        let owed = self.outbox.len();
        while !self.outbox.is_empty() {
            match self.socket.write(self.outbox.owed()) {
                Ok(count @ 1..) => self.outbox.sent(count),
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) if error.kind() == ErrorKind::Interrupted => {} // by a signal: again
                result => return Err(self.give_up(result)), // an error, or no byte taken
            }
        }
        self.note_progress(self.outbox.len() < owed);
        Ok(())
    }
    // ANCHOR_END: write

    fn note_progress(&mut self, has_taken: bool) {
        match self.phase {
            Phase::Open if self.outbox.is_empty() => self.deadline = None,
            Phase::Open if has_taken || self.deadline.is_none() => {
                self.deadline = Some(Instant::now() + NO_PROGRESS_MAX);
            }
            // The client sees the end of our stream after its last line, and ends its own. To close
            // the socket now would be too early: one that is closed with unread bytes in it is
            // reset, and a reset destroys what is still on its way to the client.
            Phase::Closing if self.outbox.is_empty() => {
                let _ = self.socket.shutdown(Shutdown::Write); // fails when the client has gone
            }
            Phase::Open | Phase::Closing | Phase::SaidAll => {}
        }
    }

    /// Nobody takes what is sent. What the client said before may still wait to be read, and its
    /// last lines count; its end comes behind them.
    fn give_up(&mut self, result: io::Result<usize>) -> io::Error {
        self.outbox = Outbox::default();
        self.deadline = None;
        self.readable = Readable::End;
        result.err().unwrap_or_else(|| ErrorKind::WriteZero.into())
    }

    /// The server ends it: with what it is owed, or with a last line in its place.
    pub fn close(&mut self, last: Option<&str>) {
        self.outbox.close(last);
        self.say_goodbye(Phase::Closing);
    }

    /// The client has ended its side.
    pub fn note_its_end(&mut self) {
        self.say_goodbye(Phase::SaidAll);
    }

    fn say_goodbye(&mut self, phase: Phase) {
        if self.phase == Phase::Open {
            self.deadline = Some(Instant::now() + GOODBYE_MAX);
        }
        self.phase = phase;
    }

    /// Nothing is left to read or to write: the socket can be closed, and nothing is lost.
    pub fn is_over(&self) -> bool {
        self.phase == Phase::SaidAll && self.outbox.is_empty()
    }

    pub fn is_open(&self) -> bool {
        self.phase == Phase::Open
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::BufReader;
    use std::io::prelude::*;
    use std::net::{TcpListener, TcpStream as StdStream};

    /// A connection, and its client's end.
    fn pair() -> (Connection, StdStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = StdStream::connect(listener.local_addr().unwrap()).unwrap();
        let (socket, address) = listener.accept().unwrap();
        socket.set_nonblocking(true).unwrap();
        (Connection::new(TcpStream::from_std(socket), address), client)
    }

    /// Puts and writes until the socket takes no more.
    fn fill(connection: &mut Connection) {
        let line = "x".repeat(8000) + "\n";
        while connection.outbox.is_empty() {
            connection.put(&line).unwrap();
            connection.write().unwrap();
        }
    }

    #[test]
    fn who_takes_nothing_gets_no_more_time_and_who_takes_something_does() {
        let (mut connection, mut client) = pair();
        assert_eq!(connection.deadline, None);
        fill(&mut connection);
        let deadline = connection.deadline.unwrap();
        connection.put("one more\n").unwrap();
        connection.write().unwrap();
        assert_eq!(connection.deadline, Some(deadline));
        let mut bytes = [0; 64 * 1024];
        while connection.deadline == Some(deadline) {
            client.read_exact(&mut bytes).unwrap();
            connection.write().unwrap();
        }
        assert!(connection.deadline.is_none_or(|later| later > deadline));
    }

    #[test]
    fn who_has_taken_all_has_no_deadline() {
        let (mut connection, _client) = pair();
        connection.put("hello\n").unwrap();
        connection.write().unwrap();
        assert_eq!(connection.deadline, None);
    }

    #[test]
    fn whom_the_server_closes_hears_the_last_line_and_then_the_end() {
        let (mut connection, client) = pair();
        connection.put("hello\n").unwrap();
        connection.close(Some("! bye\n"));
        connection.write().unwrap();
        let heard: Vec<String> = BufReader::new(client).lines().map(Result::unwrap).collect();
        assert_eq!(heard, ["! bye"]);
        assert!(!connection.is_over()); // until the client has ended its side too
        connection.note_its_end();
        assert!(connection.is_over());
    }
}
