//! Layer: the design. Both directions of a connection, the same for server and client.
//!
//! Three threads, each of which waits for one thing:
//!
//! | thread  | waits for                 | and then                                         |
//! |---------|---------------------------|--------------------------------------------------|
//! | stdin   | a line of the user        | hands it over: `read_input`                      |
//! | network | bytes of the peer         | shows its lines, and tells how it ended: `hear`  |
//! | main    | an event of the other two | writes to the socket: `Voice`                    |
//!
//! Main's loop over the events stands in `server.rs` and `client.rs`. It alone knows who is
//! spoken to: nothing is changed by two threads, so nothing needs a lock.
//!
//! `hear` prints by itself and not by an event: a peer that does not read keeps main in its
//! write, and what that same peer says must be shown meanwhile (rule S2.1).

use std::io::{self, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender, SyncSender};
use std::thread::{self, JoinHandle};

use anyhow::Context;

use crate::console::{self, explain};
use crate::farewell::{self, ENDING_GRACE};
use crate::line::{self, LineReader, Next};

/// Events that may wait until main has left its write: one of stdin, three of network. A thread
/// with one more would wait until there is room.
const EVENTS_MAX: usize = 4;

// ANCHOR: event
/// What stdin and network tell main.
pub enum Event {
    /// Somebody is there, and our lines go to this socket from now on.
    Connected(Arc<TcpStream>),
    /// The user has typed a line.
    Typed(String, Done),
    /// The user's input has ended.
    InputEnded,
    /// The peer sends no more. It may still read (a half-close) or be gone: that looks the same.
    PeerEnded,
    /// The connection is over, in both directions.
    Over(Done),
}

/// Dropped when an event has been dealt with. Nothing is ever sent through it: whoever waits at
/// its other end is told by the end itself.
pub type Done = Sender<()>;
// ANCHOR_END: event

// ANCHOR: start
/// Where the other two threads send their events.
pub type Main = SyncSender<Event>;

/// Starts the other two threads. Nobody joins `stdin`: it may be blocked in a read that ends only
/// with the next key.
pub fn start<T: Send + 'static>(
    line_bytes_max: usize,
    network: impl FnOnce(&Main) -> T + Send + 'static,
) -> anyhow::Result<(Receiver<Event>, JoinHandle<T>)> {
    let (main, events) = mpsc::sync_channel(EVENTS_MAX);
    let also_main = main.clone();
    let thread = |name: &str| thread::Builder::new().name(name.to_string());
    let failed = "cannot start a thread";
    thread("stdin").spawn(move || read_input(line_bytes_max, &also_main)).context(failed)?;
    let network = thread("network").spawn(move || network(&main)).context(failed)?;
    Ok((events, network))
}
// ANCHOR_END: start

// ANCHOR: read_input
/// The thread `stdin`, for the life of the program: a read from standard input cannot be called
/// off when a peer goes, and the line it brings belongs to whoever is there then.
///
/// It waits for a line, and then until the line has been dealt with. So one line at most is under
/// way, and the rest stays in the terminal or pipe that it comes from, which has its own bound.
fn read_input(line_bytes_max: usize, main: &Main) {
    let mut lines = LineReader::new(io::stdin(), "standard input", line_bytes_max);
    loop {
        console::ask();
        match lines.next() {
            Ok(Next::Line(line) | Next::Half(line)) => {
                let (done, dealt_with) = mpsc::channel();
                let _ = main.send(Event::Typed(line, done)); // fails when the program ends
                let _ = dealt_with.recv(); // always an error: see `Done`
            }
            Ok(Next::Refused(why)) => console::warn(format_args!("not sent: {why}")),
            Ok(Next::End) => break,
            Err(error) => {
                console::warn(format_args!("cannot read standard input: {error}"));
                break;
            }
        }
    }
    console::ask_no_more();
    let _ = main.send(Event::InputEnded); // fails when the program ends
}
// ANCHOR_END: read_input

// ANCHOR: hear
/// The thread `network`, for the life of one connection: waits for lines of the peer and shows
/// them, until it ends its side, says `exit`, or breaks the connection.
///
/// A line that breaks a rule is told here, to our user. Nothing is sent: on the other screen it
/// would look like our user's words.
pub fn hear(socket: &TcpStream, peer: SocketAddr, limit: usize, main: &Main) -> io::Result<()> {
    // A server that listens on `::` knows 127.0.0.1 as ::ffff:127.0.0.1.
    let (ip, port) = (peer.ip().to_canonical(), peer.port());
    let mut lines = LineReader::new(socket, peer, limit);
    let ending = loop {
        match lines.next() {
            Ok(Next::Line(line)) => match line::printable(&line).as_str() {
                "" => {}
                "exit" => break Ok(()),
                text => console::say(format_args!("[{ip}]:{port} => {text}")),
            },
            Ok(Next::Refused(why)) => console::warn(format_args!("{peer}: {why}")),
            Ok(Next::Half(_) | Next::End) => {
                let _ = main.send(Event::PeerEnded); // fails when the program ends
                return Ok(());
            }
            Err(error) => break Err(error),
        }
    };
    end(socket, main);
    farewell::close_in_order(socket);
    ending
}
// ANCHOR_END: hear

// ANCHOR: end
/// Ends our side of a connection, from the thread `network`. Main may be in the middle of a line:
/// that one still goes out, if the peer takes it within the grace. Then the write ends with an
/// error, because the socket is shut under it.
pub fn end(socket: &TcpStream, main: &Main) {
    let (done, dealt_with) = mpsc::channel();
    let _ = main.send(Event::Over(done)); // fails only if the program is about to end
    let _ = dealt_with.recv_timeout(ENDING_GRACE); // an error: dealt with, or too late
    let _ = socket.shutdown(Shutdown::Write);
}
// ANCHOR_END: end

// ANCHOR: voice
/// Our side of a connection. The thread `main` alone has it, so it alone writes.
#[derive(Default)]
pub struct Voice {
    /// Where our lines go; nowhere when nobody is there, or all has been said.
    pub socket: Option<Arc<TcpStream>>,
    /// Why a line could not be sent.
    pub failure: Option<io::Error>,
}

impl Voice {
    /// Waits until the kernel has taken the line: until there is room in its buffers, and that is
    /// when the peer reads.
    pub fn say(&mut self, line: &str) {
        let Some(mut socket) = self.socket.as_deref() else { return };
        if let Err(error) = socket.write_all(line.as_bytes()) {
            console::warn(format_args!("not sent: {error}"));
            *self = Voice { socket: None, failure: Some(error) };
            return;
        }
        let count = line.len();
        explain!("the kernel has taken {count} bytes; whether anybody reads them it does not say");
        if line::printable(line) == "exit" {
            self.half_close(); // our last word to this peer (rule L11)
        }
    }

    /// The kernel sends a FIN behind the last byte: the other side reads an end of stream, while
    /// we still read what it sends.
    pub fn half_close(&mut self) {
        if let Some(socket) = self.socket.take() {
            explain!("all is said: half-closing; the other direction goes on until its own end");
            let _ = socket.shutdown(Shutdown::Write); // fails only if the peer is gone already
        }
    }
}
// ANCHOR_END: voice
