//! Accept one connection, show its lines until it ends, accept the next. One thread, and every
//! call waits: while this server reads, nobody else is served.

use std::io::{self, ErrorKind, Read};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

use anyhow::{Context, anyhow};

use crate::console::{self, explain};
use crate::line::{self, CLIENT_LINE_BYTES_MAX, LineReader, Next};

/// First and longest pause after `accept` failed (rule L14).
const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(10);
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long a client that said `exit` may take to close its side.
const EXIT_GRACE: Duration = Duration::from_secs(2);

// ANCHOR: run
/// Never returns, except when it cannot start.
pub fn run(host: &str, port: u16) -> anyhow::Result<()> {
    // From here on the kernel completes connections by itself and queues them. They wait, and
    // even send, before we have accepted them.
    let listener = listen(host, port)?;
    console::announce(listener.local_addr().context("cannot ask for the own address")?);
    loop {
        let (socket, client) = accept(&listener);
        console::say(format_args!("{client} connected"));
        if let Err(error) = receive(&socket, client) {
            console::warn(format_args!("{client}: {error}"));
        }
        explain!("{client} has ended; this closes the socket, and the next one's turn has come");
    }
}
// ANCHOR_END: run

// ANCHOR: receive
/// Shows the lines of one client until it ends. Nothing is sent back, not even errors: this
/// direction does not exist here (rule S1.1).
fn receive(socket: &TcpStream, client: SocketAddr) -> io::Result<()> {
    let mut lines = LineReader::new(socket, client, CLIENT_LINE_BYTES_MAX);
    loop {
        let line = match lines.next()? {
            Next::Line(line) => line,
            Next::TooLong => {
                let limit = CLIENT_LINE_BYTES_MAX;
                console::warn(format_args!("{client}: line too long (at most {limit} bytes)"));
                continue;
            }
            Next::End(_) => return Ok(()),
        };
        match line::decode(line) {
            Ok(text) if text.is_empty() => {}
            Ok(text) if text == "exit" => return close_after_exit(socket, client),
            Ok(text) => {
                let ip = client.ip().to_canonical();
                console::say(format_args!("[{ip}]:{} => {text}", client.port()));
            }
            Err(error) => console::warn(format_args!("{client}: {error}")),
        }
    }
}
// ANCHOR_END: receive

/// A socket that is closed while bytes wait in it answers with a reset, and the client would
/// report a failure. So: say that we are done, then read what still comes without looking at it.
fn close_after_exit(mut socket: &TcpStream, client: SocketAddr) -> io::Result<()> {
    explain!("{client} said exit: what it sends now is ignored");
    socket.shutdown(Shutdown::Write)?;
    let deadline = Instant::now() + EXIT_GRACE;
    let mut ignored = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Ok(()); // it had its time
        }
        socket.set_read_timeout(Some(left))?;
        match socket.read(&mut ignored) {
            Ok(0) | Err(_) => return Ok(()), // it has closed too, or reset, or kept silent
            Ok(_) => {}
        }
    }
}

// ANCHOR: accept
/// Waits for the next client. Failing (most often: no file descriptor is free) is a pause and
/// not an end (rule L14). Trying again at once would fail again at once, with the processor busy.
fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut pause = ACCEPT_PAUSE_MIN;
    loop {
        explain!("blocked in accept until somebody connects (or has done so already)");
        match listener.accept() {
            Ok((socket, client)) => {
                explain!(
                    "accept gave a new socket for {client}; port {} is one that the client's kernel chose",
                    client.port()
                );
                return (socket, client);
            }
            Err(error) => {
                if pause == ACCEPT_PAUSE_MIN {
                    console::warn(format_args!("cannot accept: {error}; trying again"));
                }
                thread::sleep(pause);
                pause = (2 * pause).min(ACCEPT_PAUSE_MAX);
            }
        }
    }
}
// ANCHOR_END: accept

fn listen(host: &str, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((host, port)).map_err(|error| {
        let why = match error.kind() {
            ErrorKind::AddrInUse => "address already in use; is another server running? \
                try another PORT, or 0 for any free one"
                .to_string(),
            ErrorKind::AddrNotAvailable => {
                "not an address of this machine; try 127.0.0.1, or 0.0.0.0 for all".to_string()
            }
            ErrorKind::PermissionDenied => {
                "permission denied; ports below 1024 are reserved, try a higher PORT".to_string()
            }
            _ => format!("{error}; is HOST an address or a name of this machine?"),
        };
        anyhow!("cannot listen on {host}:{port}: {why}")
    })
}
