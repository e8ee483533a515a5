//! Layer: the bytes. One client's connection: its socket, what it is owed, and how it ends. Its two
//! threads share it: one reads, the other one writes. The loops in which they do so are in
//! `server.rs`.

use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::mpsc::Receiver;
use std::time::{Duration, Instant};

use crate::outbox::Outbox;

/// How long a client may take nothing although something is owed to it (rule L13).
const STUCK_WAIT: Duration = Duration::from_secs(60);

/// How long a client that has ended may take to receive what it is owed (rule L10).
const LAST_LINES_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Connection {
    /// What the client has not been sent yet.
    pub outbox: Outbox,
    /// Where the client is.
    pub address: SocketAddr,
    /// One descriptor for both threads: the kernel lets one read while the other one writes.
    socket: TcpStream,
}

impl Connection {
    /// What is set here fails only for a client that has gone, which its reader will find out.
    pub fn new(socket: TcpStream, address: SocketAddr) -> Connection {
        // Each batch leaves at once, instead of waiting for the acknowledgement of the one before.
        let _ = socket.set_nodelay(true);
        // A `write` that has waited so long and got rid of nothing fails. Shortcut: the kernel lets
        // it go on when a third of its buffer is free again, so that whoever takes less than that in
        // this time counts as stuck. A server that must know better asks for TCP_INFO (tcp(7)).
        let _ = socket.set_write_timeout(Some(STUCK_WAIT));
        Connection { outbox: Outbox::default(), address, socket }
    }

    /// Waits for what the client says next; 0 bytes are its end. An error that [`is_timeout`] when
    /// nothing has come until `until`.
    pub fn read(&self, bytes: &mut [u8], until: Option<Instant>) -> io::Result<usize> {
        loop {
            if let Some(until) = until {
                let left = until.saturating_duration_since(Instant::now());
                // A timeout of zero would be an error: at the deadline, one more short look.
                self.socket.set_read_timeout(Some(left.max(Duration::from_millis(1))))?;
            }
            match (&self.socket).read(bytes) {
                Err(error) if error.kind() == ErrorKind::Interrupted => {} // by a signal: again
                result => return result,
            }
        }
    }

    /// From here on the client may be silent as long as it likes.
    pub fn read_without_limit(&self) {
        let _ = self.socket.set_read_timeout(None); // fails as in `new`
    }

    /// Returns when the kernel has taken all of it: it waits for a client that does not read.
    pub fn write(&self, lines: &[u8]) -> io::Result<()> {
        (&self.socket).write_all(lines)
    }

    /// "That was all": the client sees the end of the stream.
    pub fn end_writing(&self) {
        let _ = self.socket.shutdown(Shutdown::Write);
    }

    /// Wakes the reader: it sees an end of stream, and does what it does for everyone who leaves.
    pub fn end_reading(&self) {
        let _ = self.socket.shutdown(Shutdown::Read);
    }

    // ANCHOR: end
    /// Waits until the writer has sent what is owed, for a limited time, and closes. `writer_ends`
    /// has lost its sender when the writer has ended.
    ///
    /// Reads on meanwhile and throws away: closing a socket whose input has not been read makes the
    /// kernel send a reset, and a reset destroys what is still on its way to the client.
    pub fn end(&self, writer_ends: &Receiver<()>) {
        let deadline = Instant::now() + LAST_LINES_WAIT;
        // Until the client's own end, an error, or the deadline.
        let mut says_more = true;
        while says_more && Instant::now() < deadline {
            says_more = self.read(&mut [0; 512], Some(deadline)).is_ok_and(|count| count > 0);
        }
        let _ = writer_ends.recv_timeout(deadline.saturating_duration_since(Instant::now()));
        let _ = self.socket.shutdown(Shutdown::Both); // frees a writer that is stuck in a `write`
    }
    // ANCHOR_END: end
}

/// Windows has another name for it than the other systems.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
