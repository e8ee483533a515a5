//! One client: its socket, the line that it has not finished, and what it is owed.

use crate::line::{CLIENT_LINE_BYTES_MAX, LineDecoder};
use crate::outbox::{Framing, Outbox};
use mio::net::TcpStream;
use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr};
use std::time::Instant;

/// There is one for each client, so it is kept small: no buffer belongs to it while it is idle.
pub struct Connection {
    pub socket: TcpStream,
    pub peer: SocketAddr,
    pub decoder: LineDecoder,
    pub outbox: Outbox,
    pub phase: Phase,
    /// The socket may have bytes for us. The kernel tells this once, when they come
    /// (edge-triggered), so we have to remember it until a read finds nothing.
    pub may_have_more: bool,
    /// The kernel has said that the peer's end of stream, or its reset, is among what comes.
    pub end_is_near: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Phase {
    Talking,
    /// Nothing that it says is obeyed any more; what it is owed is sent until the deadline.
    Leaving {
        deadline: Instant,
        /// It has ended its own stream (or else it said `exit`, or reads too slowly).
        end_seen: bool,
    },
}

/// What one read told us.
pub enum Chunk {
    Bytes(usize),
    NotReady,
    End,
    Lost(io::Error),
}

/// A read that brings less than it could take has emptied the socket: epoll(7) and kqueue(2)
/// promise it, which saves every second read. On Windows mio tells us of new bytes only after a
/// read that found nothing.
const SHORT_READ_EMPTIES: bool = cfg!(any(target_os = "linux", target_os = "macos"));

impl Connection {
    pub fn new(socket: TcpStream, peer: SocketAddr) -> Connection {
        Connection {
            socket,
            peer,
            decoder: LineDecoder::new(CLIENT_LINE_BYTES_MAX),
            outbox: Outbox::default(),
            phase: Phase::Talking,
            may_have_more: false,
            end_is_near: false,
        }
    }

    pub fn read(&mut self, buffer: &mut [u8]) -> Chunk {
        let result = self.socket.read(buffer);
        self.may_have_more = match &result {
            Ok(0) => false,
            Ok(count) => *count == buffer.len() || self.end_is_near || !SHORT_READ_EMPTIES,
            Err(error) => error.kind() == ErrorKind::Interrupted,
        };
        match result {
            Ok(0) => Chunk::End,
            Ok(count) => Chunk::Bytes(count),
            Err(error) if error.kind() == ErrorKind::WouldBlock => Chunk::NotReady,
            Err(error) if error.kind() == ErrorKind::Interrupted => Chunk::NotReady,
            Err(error) => Chunk::Lost(error),
        }
    }

    // ANCHOR: flush
    /// Sends what is owed. When nothing is left for a client that leaves, ends our stream: it
    /// sees the end after the last line.
    ///
    /// Not by closing the socket: a socket that is closed with unread bytes in it is reset, and a
    /// reset destroys what is still on its way to the peer. So the client's own end is awaited.
    pub fn flush(&mut self, framing: Framing) -> io::Result<()> {
        self.outbox.flush_into(&mut self.socket, framing)?;
        if let Phase::Leaving { end_seen: false, .. } = self.phase
            && self.outbox.is_empty()
        {
            // It fails only when the connection is over, which the next read shows.
            let _ = self.socket.shutdown(Shutdown::Write);
        }
        Ok(())
    }
    // ANCHOR_END: flush

    /// Both streams have ended: nothing is lost when the socket is closed.
    pub fn is_finished(&self) -> bool {
        matches!(self.phase, Phase::Leaving { end_seen: true, .. }) && self.outbox.is_empty()
    }
}
