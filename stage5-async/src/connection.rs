//! Layer: the bytes. One client's connection: its socket, what it is owed, and how it ends.

use std::cell::RefCell;
use std::future::Future;
use std::io::{self, ErrorKind};
use std::net::{Shutdown, SocketAddr};
use std::time::Duration;

use socket2::{SockRef, TcpKeepalive};
use tokio::io::Interest;
use tokio::net::TcpStream;
use tokio::time::{sleep, timeout};

use crate::line::LineDecoder;
use crate::outbox::Outbox;

/// Bytes of one read. They lie on the stack while a read runs, not in the task while it waits.
const READ_BYTES: usize = 4096;

/// How long a client may take nothing although something is owed to it (rule L13), and how long it
/// may be silent before the kernel asks whether it is still there.
const PROGRESS_WAIT: Duration = Duration::from_secs(60);

/// From one of the kernel's questions to the next.
const KEEPALIVE_INTERVAL: Duration = Duration::from_secs(10);

/// How long we wait for a client's own end, when it has been sent everything.
const LAST_READS_WAIT: Duration = Duration::from_secs(5);

#[derive(Debug)]
pub struct Connection {
    pub address: SocketAddr,
    pub outbox: Outbox,
    /// Its name, once the hub has told it: for whoever watches the server.
    pub who: RefCell<String>,
    socket: TcpStream,
}

impl Connection {
    /// `bytes_owed`: what may wait in the outbox (0: any number).
    pub fn new(socket: TcpStream, address: SocketAddr, bytes_owed: usize) -> Connection {
        // None of these fails but for a client that has gone already, as its task will find out.
        let _ = socket.set_nodelay(true); // we batch ourselves: Nagle's waiting would only delay
        let _ = SockRef::from(&socket).set_tcp_keepalive(
            &TcpKeepalive::new().with_time(PROGRESS_WAIT).with_interval(KEEPALIVE_INTERVAL),
        );
        let _ = give_up_in_time(&socket);
        Connection { address, outbox: Outbox::new(bytes_owed), who: RefCell::default(), socket }
    }

    /// By name where there is one.
    pub fn who(&self) -> String {
        match self.who.borrow().as_str() {
            "" => self.address.to_string(),
            name => name.to_string(),
        }
    }

    /// Waits for bytes, and gives them to the decoder. 0 bytes are the client's end.
    pub async fn read(&self, lines: &mut LineDecoder) -> io::Result<usize> {
        loop {
            self.socket.readable().await?;
            match self.try_read(lines) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {} // it was not readable after all: again
                result => return result,
            }
        }
    }

    /// Not `async`: what an async function has at hand while it waits is part of every client's task.
    fn try_read(&self, lines: &mut LineDecoder) -> io::Result<usize> {
        let mut bytes = [0; READ_BYTES];
        let count = self.socket.try_read(&mut bytes)?;
        lines.push(&bytes[..count]);
        Ok(count)
    }

    /// Writes all, for as long as the client takes some of it once a minute.
    pub async fn write(&self, mut lines: &[u8]) -> io::Result<()> {
        while !lines.is_empty() {
            match self.socket.try_write(lines) {
                Ok(count) => lines = &lines[count..],
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    // Few ever wait here: a box, made while one does, and not a part of each task.
                    Box::pin(timeout(PROGRESS_WAIT, self.socket.writable())).await??;
                }
                Err(error) => return Err(error),
            }
        }
        Ok(())
    }

    /// Sleeps, unless the client is gone by a reset: its lines wait no longer (rule L9).
    pub async fn sleep(&self, wait: Duration) -> io::Result<()> {
        tokio::select! {
            () = sleep(wait) => Ok(()),
            ready = self.socket.ready(Interest::ERROR) => {
                ready?;
                Err(ErrorKind::ConnectionReset.into())
            }
        }
    }

    /// Ends the connection so that the client can read everything that is on its way.
    ///
    /// If we closed the socket while bytes of the client lie there unread, the kernel would send a
    /// reset, and a reset destroys what the client has not read yet. So we send our end, and read on
    /// until the client sends its own, or our patience ends, or `hurry` completes.
    pub async fn hang_up(&self, hurry: impl Future<Output = ()>) {
        let _ = SockRef::from(&self.socket).shutdown(Shutdown::Write);
        let mut thrown_away = [0; 256];
        let to_the_end = async {
            loop {
                self.socket.readable().await?;
                match self.socket.try_read(&mut thrown_away) {
                    Ok(0) => return io::Result::Ok(()),
                    Err(error) if error.kind() != ErrorKind::WouldBlock => return Err(error),
                    _ => {}
                }
            }
        };
        tokio::select! {
            _ = timeout(LAST_READS_WAIT, to_the_end) => {}
            () = hurry => {}
        }
    }
}

/// A machine that has lost its power acknowledges nothing. While bytes are on their way to it, the
/// kernel sends them again and again, for a quarter of an hour, instead of asking; unless it
/// is told when to give up.
#[cfg(target_os = "linux")]
fn give_up_in_time(socket: &TcpStream) -> io::Result<()> {
    SockRef::from(socket).set_tcp_user_timeout(Some(PROGRESS_WAIT))
}

/// Other systems have no such option, and need longer.
#[cfg(not(target_os = "linux"))]
fn give_up_in_time(_: &TcpStream) -> io::Result<()> {
    Ok(())
}
