//! A client made of nothing but a socket: it sends exactly the bytes it is told to, in exactly
//! the segments it is told to, and remembers everything that came.

use crate::patience::{Over, Patience};
use crate::process::PATIENCE;
use crate::resources::queues;
use crate::work::Worker;
use anyhow::{Context, bail};
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::time::{Duration, Instant};

/// Bytes that one peer receives: more than any check sends it. Who sends on sends for ever.
const RECEIVED_BYTES_MAX: usize = 128 << 20;

/// Long enough for a program that has nothing else to do.
const A_MOMENT: Duration = Duration::from_millis(75);

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
    /// The program at the other end, to see whether it works.
    pub worker: Worker,
    /// How the last wait ended in vain.
    pub over: Over,
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
            .connect_timeout(&address.into(), PATIENCE)
            .with_context(|| format!("{name} cannot connect to {address}"))?;
        let socket = TcpStream::from(socket);
        socket.set_nodelay(true)?; // each `send` is a segment of its own
        Ok(Peer::on(name, socket))
    }

    /// The other role: waits for the one client that is to connect to `listener`.
    pub fn accept(name: &str, listener: &TcpListener) -> anyhow::Result<Peer> {
        let mut patience = Patience::new(Worker::default(), PATIENCE);
        listener.set_nonblocking(true)?;
        let socket = loop {
            match listener.accept() {
                Ok((socket, _)) => break socket,
                Err(error) if would_block(error.kind()) && patience.pause() => {}
                Err(error) => return Err(error).context("nobody connects"),
            }
        };
        socket.set_nonblocking(false)?;
        socket.set_nodelay(true)?;
        Ok(Peer::on(name, socket))
    }

    /// A peer on a socket that is connected already.
    pub fn on(name: &str, socket: TcpStream) -> Peer {
        Peer {
            name: name.to_string(),
            socket,
            received: Vec::new(),
            taken: 0,
            end: None,
            worker: Worker::default(),
            over: Over::Unknown,
        }
    }

    /// The address by which the server knows this peer.
    pub fn address(&self) -> anyhow::Result<SocketAddr> {
        Ok(self.socket.local_addr()?)
    }

    /// Sends `bytes` as they are, in one segment if they fit in one.
    pub fn send(&mut self, bytes: &[u8]) -> anyhow::Result<()> {
        let sent = self.send_within(bytes, &mut Patience::new(self.worker, PATIENCE));
        sent.with_context(|| format!("{} cannot send {} bytes", self.name, bytes.len()))
    }

    fn send_within(&self, mut bytes: &[u8], patience: &mut Patience) -> anyhow::Result<()> {
        while !bytes.is_empty() {
            match send_a_part(&self.socket, bytes, patience)? {
                0 => bail!("the other end takes no more"),
                count => bytes = &bytes[count..],
            }
        }
        Ok(())
    }

    /// Sends one line.
    pub fn say(&mut self, line: &str) -> anyhow::Result<()> {
        self.send(format!("{line}\n").as_bytes())
    }

    /// The next line, without its LF. `None`: nothing came for `limit`, or the stream ended.
    pub fn next_line(&mut self, limit: Duration) -> Option<String> {
        self.next_line_within(&mut Patience::new(self.worker, limit))
    }

    pub fn next_line_within(&mut self, patience: &mut Patience) -> Option<String> {
        let mut searched = self.taken;
        loop {
            let end = self.received[searched..].iter().position(|byte| *byte == b'\n');
            if let Some(length) = end {
                let end = searched + length;
                let line = String::from_utf8_lossy(&self.received[self.taken..end]).into_owned();
                self.taken = end + 1;
                return Some(line);
            }
            searched = self.received.len();
            if !self.receives(patience) {
                return None;
            }
        }
    }

    /// Skips lines until one for which `wanted` holds; gives that one and those before it.
    pub fn skip_to(
        &mut self,
        limit: Duration,
        wanted: impl Fn(&str) -> bool,
    ) -> Result<(Vec<String>, String), Vec<String>> {
        let mut patience = Patience::new(self.worker, limit);
        let mut skipped = Vec::new();
        while let Some(line) = self.next_line_within(&mut patience) {
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

    /// Waits for bytes, or the end. Whether it is worth waiting again.
    pub fn receives(&mut self, patience: &mut Patience) -> bool {
        let before = self.received.len();
        while self.end.is_none() && self.received.len() == before {
            let Some(until) = patience.look() else {
                self.over = patience.over();
                return false;
            };
            self.receive_until(until);
        }
        patience.moved();
        let endless = self.received.len() > RECEIVED_BYTES_MAX;
        self.over = if endless { Over::TimeIsUp } else { Over::AtRest }; // after its end nobody speaks
        self.end.is_none() && !endless
    }

    /// One read, which waits until `deadline` at the latest.
    pub fn receive_until(&mut self, deadline: Instant) {
        let left = deadline.saturating_duration_since(Instant::now());
        if self.end.is_some() {
            return;
        }
        let mut buffer = [0; 16 * 1024];
        // What is there already is read even if it is late: zero would mean to wait for ever.
        let _ = self.socket.set_read_timeout(Some(left.max(AT_ONCE)));
        match self.socket.read(&mut buffer) {
            Ok(0) => self.end = Some(End::Closed),
            Ok(count) => self.received.extend_from_slice(&buffer[..count]),
            Err(error) if would_block(error.kind()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(_) => self.end = Some(End::Reset),
        }
    }

    /// Waits until bytes have come, and leaves them where they are: in the kernel. `false`: none
    /// have, or the stream has ended.
    pub fn has_something_to_read(&self, patience: &mut Patience) -> std::io::Result<bool> {
        while let Some(until) = patience.look() {
            let left = until.saturating_duration_since(Instant::now());
            self.socket.set_read_timeout(Some(left.max(AT_ONCE)))?;
            match self.socket.peek(&mut [0]) {
                Ok(count) => return Ok(count > 0),
                Err(error) if would_block(error.kind()) => {}
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(error) => return Err(error),
            }
        }
        Ok(false)
    }

    /// Whether nothing is there that was not read yet.
    pub fn has_nothing_to_read(&self) -> bool {
        let _ = self.socket.set_read_timeout(Some(AT_ONCE));
        self.unread().is_empty()
            && self.socket.peek(&mut [0]).is_err_and(|error| would_block(error.kind()))
    }

    /// Waits until the program at the other end has read everything that was sent, where the system
    /// tells; elsewhere for a moment. So what is sent next comes in a read of its own.
    pub fn until_read(&self) {
        let ports = self.socket.peer_addr().ok().zip(self.socket.local_addr().ok());
        let mut patience = Patience::new(self.worker, A_MOMENT);
        while patience.pause() {
            let queues = ports.and_then(|(other, own)| queues(other.port(), own.port()));
            if queues.is_some_and(|queues| queues.received == 0) {
                return;
            }
        }
    }

    /// Reads until `bytes` were received, or the end, or nothing more for `limit`.
    pub fn receive_up_to(&mut self, bytes: usize, limit: Duration) {
        let mut patience = Patience::new(self.worker, limit);
        while self.received.len() < bytes && self.receives(&mut patience) {}
    }

    /// Reads until the server's end of the stream. `None`: nothing came for `limit`.
    pub fn read_to_end(&mut self, limit: Duration) -> Option<End> {
        let mut patience = Patience::new(self.worker, limit);
        while self.receives(&mut patience) {}
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

/// One write, of as much as the other end takes. 0: it has taken nothing for so long.
pub fn send_a_part(
    mut socket: &TcpStream,
    bytes: &[u8],
    patience: &mut Patience,
) -> std::io::Result<usize> {
    while let Some(until) = patience.look() {
        let left = until.saturating_duration_since(Instant::now());
        socket.set_write_timeout(Some(left.max(AT_ONCE)))?;
        match socket.write(bytes) {
            Ok(count) => {
                patience.moved();
                return Ok(count);
            }
            Err(error) if would_block(error.kind()) => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
    Ok(0)
}

/// The shortest time that a socket can be told to wait.
const AT_ONCE: Duration = Duration::from_millis(1);

fn would_block(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut)
}
