//! A client made of nothing but a socket: it sends exactly the bytes it is told to, in exactly
//! the segments it is told to, and remembers everything that came.

use anyhow::Context;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// How often a condition is looked at that nobody can tell us about.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// One raw connection to a server.
#[derive(Debug)]
pub struct Peer {
    pub name: String,
    pub socket: TcpStream,
    /// Everything that was received.
    pub received: Vec<u8>,
    /// How much of it `next_line` and its kin have given out.
    taken: usize,
    pub end: Option<End>,
}

/// How the server's side of the stream ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum End {
    Closed,
    Reset,
}

impl Peer {
    pub fn connect(name: &str, address: SocketAddr) -> anyhow::Result<Peer> {
        Peer::connect_with(name, address, None)
    }

    /// With a receive buffer of about `receive_buffer` bytes: a reader whom the kernel cannot
    /// help for long. It must be set before connecting, or the window is already promised.
    pub fn connect_with(
        name: &str,
        address: SocketAddr,
        receive_buffer: Option<usize>,
    ) -> anyhow::Result<Peer> {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if let Some(bytes) = receive_buffer {
            socket.set_recv_buffer_size(bytes)?;
        }
        socket
            .connect_timeout(&address.into(), crate::process::PATIENCE)
            .with_context(|| format!("{name} cannot connect to {address}"))?;
        let socket = TcpStream::from(socket);
        socket.set_nodelay(true)?; // each `send` is a segment of its own
        Ok(Peer::on(name, socket))
    }

    /// The other role: waits for the one client that is to connect to `listener`.
    pub fn accept(name: &str, listener: &TcpListener) -> anyhow::Result<Peer> {
        let deadline = Instant::now() + crate::process::PATIENCE;
        listener.set_nonblocking(true)?;
        let socket = loop {
            match listener.accept() {
                Ok((socket, _)) => break socket,
                Err(error) if would_block(error.kind()) && Instant::now() < deadline => {
                    std::thread::sleep(LOOK_AGAIN);
                }
                Err(error) => return Err(error).context("nobody connects"),
            }
        };
        socket.set_nonblocking(false)?;
        socket.set_nodelay(true)?;
        socket.set_write_timeout(Some(crate::process::PATIENCE))?;
        Ok(Peer::on(name, socket))
    }

    /// A peer on a socket that is connected already.
    pub fn on(name: &str, socket: TcpStream) -> Peer {
        Peer { name: name.to_string(), socket, received: Vec::new(), taken: 0, end: None }
    }

    /// The address by which the server knows this peer.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Sends `bytes` as they are, in one segment if they fit in one.
    pub fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let sent = self.socket.write_all(bytes);
        sent.with_context(|| format!("{} cannot send {} bytes", self.name, bytes.len()))
    }

    /// Sends one line.
    pub fn say(&mut self, line: &str) -> anyhow::Result<()> {
        self.send(format!("{line}\n").as_bytes())
    }

    /// The next line, without its LF. `None`: none came within `patience`, or the stream ended.
    pub fn next_line(&mut self, patience: Duration) -> Option<String> {
        let deadline = Instant::now() + patience;
        loop {
            let rest = &self.received[self.taken..];
            if let Some(length) = rest.iter().position(|byte| *byte == b'\n') {
                let line = String::from_utf8_lossy(&rest[..length]).into_owned();
                self.taken += length + 1;
                return Some(line);
            }
            if !self.receive_until(deadline) {
                return None;
            }
        }
    }

    /// Skips lines until one for which `wanted` holds; gives that one and those before it.
    pub fn skip_to(
        &mut self,
        patience: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(Vec<String>, String), Vec<String>> {
        let deadline = Instant::now() + patience;
        let mut skipped = Vec::new();
        while let Some(line) = self.next_line(deadline.saturating_duration_since(Instant::now())) {
            if wanted(&line) {
                return Ok((skipped, line));
            }
            skipped.push(line);
        }
        Err(skipped)
    }

    /// What came and was not given out as a line yet.
    pub fn unread(&self) -> &[u8] {
        &self.received[self.taken..]
    }

    /// Gives out everything that came, line or not.
    pub fn take_unread(&mut self) -> Vec<u8> {
        let bytes = self.received[self.taken..].to_vec();
        self.taken = self.received.len();
        bytes
    }

    /// One read, until `deadline` at the latest. Whether it is worth reading again.
    pub fn receive_until(&mut self, deadline: Instant) -> bool {
        let left = deadline.saturating_duration_since(Instant::now());
        if self.end.is_some() || left.is_zero() {
            return false;
        }
        let mut buffer = [0; 16 * 1024];
        let _ = self.socket.set_read_timeout(Some(left));
        match self.socket.read(&mut buffer) {
            Ok(0) => self.end = Some(End::Closed),
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) if would_block(error.kind()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.end = Some(End::Reset),
        }
        self.end.is_none()
    }

    /// Reads until `bytes` were received, or the end, or nothing more for `patience`.
    pub fn receive_up_to(&mut self, bytes: usize, patience: Duration) {
        let mut before = None;
        while self.received.len() < bytes && before != Some(self.received.len()) {
            before = Some(self.received.len());
            if !self.receive_until(Instant::now() + patience) {
                return;
            }
        }
    }

    /// Reads until the server's end of the stream. `None`: it did not come within `patience`.
    pub fn read_to_end(&mut self, patience: Duration) -> Option<End> {
        let deadline = Instant::now() + patience;
        while self.end.is_none() && Instant::now() < deadline {
            self.receive_until(deadline);
        }
        self.end
    }

    /// Says that nothing more will come, and goes on reading.
    pub fn half_close(&self) {
        let _ = self.socket.shutdown(Shutdown::Write); // fails only if the stream has ended
    }

    /// Ends the connection with a RST: whatever is on its way is lost.
    pub fn reset(self) {
        let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
    }
}

fn would_block(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
