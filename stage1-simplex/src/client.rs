//! Sends the lines of standard input, and notices when the server ends.
//!
//! Two threads, because there are two things to wait for: the user and the server. A read from
//! either blocks, and whoever is blocked in one cannot see the other.

use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::{Context, anyhow};

use crate::console::{self, explain};
use crate::line::{self, CLIENT_LINE_BYTES_MAX, LineReader, Next};

// ANCHOR: run
/// Returns when the server has ended: `Ok` after an orderly end, an error after a reset.
pub fn run(host: &str, port: u16) -> anyhow::Result<()> {
    let socket = Arc::new(connect(host, port)?);
    let sender = Arc::clone(&socket);
    // Nobody joins this thread: it may be blocked in a read that ends only with the next key.
    thread::Builder::new()
        .name("stdin".into())
        .spawn(move || send_lines(&sender))
        .context("cannot start a thread")?;

    watch(&socket).with_context(|| format!("the connection to {host}:{port} broke"))?;
    console::warn("the server has closed the connection");
    Ok(())
}
// ANCHOR_END: run

// ANCHOR: send_lines
/// Sends until the input ends or the user says `exit`, then half-closes: "I am done", told by
/// the kernel with a FIN after the last byte.
fn send_lines(socket: &TcpStream) {
    let mut lines = LineReader::new(io::stdin(), "standard input", CLIENT_LINE_BYTES_MAX);
    loop {
        prompt();
        let sent = match lines.next() {
            Ok(Next::Line(line)) => send(socket, line),
            Ok(Next::TooLong) => {
                let limit = CLIENT_LINE_BYTES_MAX;
                console::warn(format_args!("not sent: line too long (at most {limit} bytes)"));
                Ok(Sent::GoOn)
            }
            Ok(Next::End(rest)) => {
                // A file may end without LF. The server would wait for it in vain.
                let last = [rest, b"\n"].concat();
                send(socket, if rest.is_empty() { rest } else { &last }).map(|_| Sent::Last)
            }
            Err(error) => {
                console::warn(format_args!("cannot read standard input: {error}"));
                Ok(Sent::Last)
            }
        };
        match sent {
            Ok(Sent::GoOn) => {}
            Ok(Sent::Last) => break,
            Err(_) => return, // the other thread sees the same trouble and tells it
        }
    }
    explain!("no more to send: half-closing, the server will read an end of stream");
    let _ = socket.shutdown(Shutdown::Write);
}
// ANCHOR_END: send_lines

enum Sent {
    GoOn,
    Last,
}

/// The server cannot tell us what it refuses, so what it would refuse is not sent.
fn send(mut socket: &TcpStream, line: &[u8]) -> io::Result<Sent> {
    let Ok(text) = line::decode(line) else {
        console::warn("not sent: not UTF-8");
        return Ok(Sent::GoOn);
    };
    socket.write_all(line)?;
    explain!(
        "the kernel has taken {} bytes; that the server has read them, nobody said",
        line.len()
    );
    Ok(if text == "exit" { Sent::Last } else { Sent::GoOn })
}

// ANCHOR: watch
/// Waits for the end of the connection. A server of this stage never says anything else.
fn watch(mut socket: &TcpStream) -> io::Result<()> {
    let mut ignored = [0; 4096];
    let mut surprised = false;
    loop {
        match socket.read(&mut ignored) {
            Ok(0) => return Ok(()),
            Ok(_) if surprised => {}
            Ok(_) => {
                surprised = true;
                console::warn(
                    "the server sends something; this client cannot receive (see stage 2)",
                );
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
        }
    }
}
// ANCHOR_END: watch

fn connect(host: &str, port: u16) -> anyhow::Result<TcpStream> {
    let socket = TcpStream::connect((host, port)).map_err(|error| {
        let why = match error.kind() {
            ErrorKind::ConnectionRefused => {
                "connection refused; is a server running there? start it first".to_string()
            }
            ErrorKind::TimedOut => "no answer; is HOST right, and PORT open there?".to_string(),
            _ => format!("{error}; is HOST right?"),
        };
        anyhow!("cannot connect to {host}:{port}: {why}")
    })?;
    socket.set_nodelay(true).context("cannot set TCP_NODELAY")?; // a line leaves when it is typed
    if let (Ok(own), Ok(server)) = (socket.local_addr(), socket.peer_addr()) {
        explain!("connected to {server} from {own}: a port of our own, which our kernel chose");
    }
    Ok(socket)
}

fn prompt() {
    if io::stdin().is_terminal() && io::stdout().is_terminal() {
        let mut screen = io::stdout();
        let _ = write!(screen, "<You> ").and_then(|()| screen.flush());
    }
}
