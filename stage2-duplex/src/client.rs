//! Connects, and then does what the server does: `talk.rs` knows no difference.

use std::io::ErrorKind;
use std::net::TcpStream;
use std::sync::Arc;

use anyhow::{Context, anyhow};

use crate::console::explain;
use crate::line::{CLIENT_LINE_BYTES_MAX, SERVER_LINE_BYTES_MAX};
use crate::prompt;
use crate::talk::{self, Ending, Talk};

// ANCHOR: run
/// Returns when both directions have ended: `Ok` after an orderly end, an error after a reset.
pub fn run(host: &str, port: u16) -> anyhow::Result<()> {
    let socket = Arc::new(connect(host, port)?);
    let talk = Arc::new(Talk::of_a_client(Arc::clone(&socket)));
    talk::start_speaking(&talk, CLIENT_LINE_BYTES_MAX).context("cannot start a thread")?;

    let end = converse(&talk, &socket);
    prompt::close();
    end.with_context(|| format!("the connection to {host}:{port} broke"))?;
    prompt::warn("the connection to the server has ended");
    Ok(())
}

fn converse(talk: &Talk, socket: &TcpStream) -> std::io::Result<()> {
    match talk::hear(socket, socket.peer_addr()?, SERVER_LINE_BYTES_MAX)? {
        Ending::Exit => {
            talk.end();
            talk::ignore_the_rest(socket);
        }
        Ending::EndOfStream if talk.is_open() && !talk.peer_is_gone() => {
            prompt::warn("the server has ended its side; your lines still go there");
            talk.wait_for_our_end()?;
        }
        Ending::EndOfStream => {}
    }
    Ok(())
}
// ANCHOR_END: run

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
