//! Layer: the design. Accept one connection, show its lines until it ends, accept the next.
//!
//! One thread, and every call waits: while this server reads, nobody else is served.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::thread;
use std::time::Duration;

use crate::accept::pause_after;
use crate::console::{self, explain};
use crate::farewell;
use crate::line::{self, CLIENT_LINE_BYTES_MAX, LineReader, Next};

// ANCHOR: run
/// Serves one client after the other, for ever: waits for one, then for its end.
///
/// Since `listener` was bound, the kernel completes connections by itself and queues them. They
/// wait, and even send, before they are accepted.
///
/// Shortcut: a client that says nothing keeps all others waiting as long as it likes. A real
/// server serves many at once (stage 3), or gives each a limited time (stage 4).
pub fn run(listener: &TcpListener) -> ! {
    loop {
        let (socket, client) = accept(listener);
        console::say(format_args!("{client} connected"));
        // One client's trouble ends that client's connection, never the server.
        if let Err(error) = receive(&socket, client) {
            console::warn(format_args!("{client}: {error}"));
        }
        explain!("{client} has ended; this closes the socket, and the next one's turn has come");
    }
}
// ANCHOR_END: run

// ANCHOR: receive
/// Waits for the lines of one client and shows them, until it ends its side, says `exit`, or
/// breaks the connection. Nothing is sent back, not even errors: this direction does not exist
/// here (rule S1.1).
fn receive(socket: &TcpStream, client: SocketAddr) -> io::Result<()> {
    // A server that listens on `::` knows 127.0.0.1 as ::ffff:127.0.0.1.
    let (ip, port) = (client.ip().to_canonical(), client.port());
    let mut lines = LineReader::new(socket, client, CLIENT_LINE_BYTES_MAX);
    loop {
        match lines.next()? {
            Next::Line(line) => match line::printable(&line).as_str() {
                "" => {}
                "exit" => break,
                text => console::say(format_args!("[{ip}]:{port} => {text}")),
            },
            Next::Refused(why) => console::warn(format_args!("{client}: {why}")),
            Next::Half(_) | Next::End => return Ok(()),
        }
    }
    explain!("{client} said exit: what it sends now is ignored");
    farewell::close_in_order(socket);
    Ok(())
}
// ANCHOR_END: receive

// ANCHOR: accept
/// Waits for the next client. No trouble here ends the server (rule L14).
fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut pause = Duration::ZERO;
    loop {
        explain!("blocked in accept until somebody connects (or has done so already)");
        let error = match listener.accept() {
            Ok(newcomer) => return newcomer,
            Err(error) => error,
        };
        let last = pause;
        pause = pause_after(&error, last);
        if last.is_zero() && !pause.is_zero() {
            console::warn(format_args!("cannot accept clients for now: {error}"));
        }
        thread::sleep(pause);
    }
}
// ANCHOR_END: accept
