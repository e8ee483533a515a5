//! Talk with one client, then with the next: as in stage 1, but the server's user speaks too.

use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};

use crate::console::{self, explain};
use crate::line::{CLIENT_LINE_BYTES_MAX, SERVER_LINE_BYTES_MAX};
use crate::prompt;
use crate::talk::{self, Ending, Talk};

/// First and longest pause after `accept` failed (rule L14).
const ACCEPT_PAUSE_MIN: Duration = Duration::from_millis(10);
const ACCEPT_PAUSE_MAX: Duration = Duration::from_secs(1);

// ANCHOR: run
/// Never returns, except when it cannot start.
pub fn run(host: &str, port: u16) -> anyhow::Result<()> {
    let listener = listen(host, port)?;
    console::announce(listener.local_addr().context("cannot ask for the own address")?);
    let talk = Arc::new(Talk::of_a_server());
    talk::start_speaking(&talk, SERVER_LINE_BYTES_MAX).context("cannot start a thread")?;
    loop {
        let (socket, client) = accept(&listener);
        // The client before this one may have ended its side only, and still be spoken to. Or it
        // is gone: the kernel does not tell. Now that somebody waits, it is over.
        talk.end();
        prompt::say(format_args!("{client} connected"));
        converse(&talk, Arc::new(socket), client);
    }
}

/// Returns when the client's direction has ended. Ours may go on: it has its own thread.
fn converse(talk: &Talk, socket: Arc<TcpStream>, client: SocketAddr) {
    if let Err(error) = socket.set_nodelay(true) {
        explain!("{client}: lines may leave late, TCP_NODELAY cannot be set: {error}");
    }
    talk.begin(Arc::clone(&socket));
    match talk::hear(&socket, client, CLIENT_LINE_BYTES_MAX) {
        Ok(Ending::EndOfStream) if talk.is_open() => prompt::warn(format_args!(
            "{client} has ended its side; your lines still go there until somebody else connects"
        )),
        Ok(Ending::EndOfStream) => explain!("{client}: both directions have ended"),
        Ok(Ending::Exit) => {
            explain!("{client} said exit: what it sends now is ignored");
            talk.end();
            talk::ignore_the_rest(&socket);
        }
        Err(error) => {
            prompt::warn(format_args!("{client}: {error}"));
            talk.end();
        }
    }
}
// ANCHOR_END: run

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
                    prompt::warn(format_args!("cannot accept: {error}; trying again"));
                }
                thread::sleep(pause);
                pause = (2 * pause).min(ACCEPT_PAUSE_MAX);
            }
        }
    }
}

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
