//! The client: also one loop that waits for everything at once. The socket it can ask the kernel
//! about; the keyboard not everywhere (epoll refuses files, Windows refuses terminals), so a
//! second thread reads standard input and wakes the loop.

use crate::console::{self, explain};
use crate::door;
use crate::line::{LineDecoder, SERVER_LINE_BYTES_MAX};
use anyhow::{Context, anyhow};
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token, Waker};
use std::io::{self, ErrorKind, IsTerminal, Read, Write};
use std::net::{Shutdown, SocketAddr, ToSocketAddrs};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel};
use std::thread;
use std::time::Duration;

/// Pieces of input that may wait for the socket. When they are full, the reader of the input
/// waits: a file is not read faster than the server takes it.
const INPUT_PIECES_MAX: usize = 4;

const INPUT_PIECE_BYTES: usize = 8 * 1024;
const READ_BUFFER_BYTES: usize = 64 * 1024;
const EVENTS_PER_WAKE_UP: usize = 8;

const SOCKET: Token = Token(0);
const INPUT: Token = Token(1);

struct Client {
    socket: TcpStream,
    decoder: LineDecoder,
    /// What comes from standard input; `None` when it has ended.
    input: Option<Receiver<Vec<u8>>>,
    /// The piece of input that is being sent, and how much of it the socket has taken.
    piece: Vec<u8>,
    sent: usize,
    /// The socket may have bytes for us: the kernel tells it once.
    may_have_more: bool,
    /// The server takes nothing any more. What it said before is still read.
    write_error: Option<io::Error>,
    prompt: Prompt,
}

/// Returns when the server has ended the conversation; a reset is an error.
pub fn run(host: &str, port: u16) -> anyhow::Result<()> {
    let mut socket = connect(host, port)?;
    let poll = Poll::new().context("cannot ask the kernel for events")?;
    poll.registry()
        .register(&mut socket, SOCKET, Interest::READABLE | Interest::WRITABLE)
        .context("cannot watch the socket")?;
    // The loop keeps its own handle of the waker: a waker that is dropped takes its last
    // wake-up with it, and the end of the input would never be noticed.
    let waker = Arc::new(Waker::new(poll.registry(), INPUT).context("cannot make a waker")?);
    let (sender, input) = sync_channel(INPUT_PIECES_MAX);
    let wake = Arc::clone(&waker);
    // Never joined: it may be waiting for a key that nobody presses. It ends with the process.
    thread::spawn(move || read_input(sender, &wake));
    let client = Client {
        socket,
        decoder: LineDecoder::new(SERVER_LINE_BYTES_MAX),
        input: Some(input),
        piece: Vec::new(),
        sent: 0,
        may_have_more: true,
        write_error: None,
        prompt: Prompt::new(),
    };
    client.talk(poll)
}

impl Client {
    fn talk(mut self, mut poll: Poll) -> anyhow::Result<()> {
        let mut events = Events::with_capacity(EVENTS_PER_WAKE_UP);
        let mut buffer = vec![0; READ_BUFFER_BYTES];
        self.prompt.show();
        loop {
            // One piece each way in turn: a file that is sent and answers that come back do not
            // wait for each other's end.
            let may_send_more = self.send_piece();
            if self.may_have_more && self.read(&mut buffer)? == Conversation::Over {
                self.prompt.hide();
                console::warn("the server has ended the conversation");
                return Ok(());
            }
            let busy = may_send_more || self.may_have_more;
            match poll.poll(&mut events, busy.then_some(Duration::ZERO)) {
                Err(error) if error.kind() != ErrorKind::Interrupted => {
                    return Err(error).context("cannot wait for events");
                }
                _ => {}
            }
            for event in &events {
                self.may_have_more |= event.token() == SOCKET;
            }
        }
    }

    /// Sends one piece of input, or as much of it as the socket takes. The next piece stays in
    /// the channel until this one is sent. Returns whether there may be more to send at once.
    fn send_piece(&mut self) -> bool {
        if self.sent == self.piece.len() {
            let Some(input) = &self.input else {
                return false;
            };
            match input.try_recv() {
                Ok(piece) => (self.piece, self.sent) = (piece, 0),
                Err(TryRecvError::Empty) => return false,
                Err(TryRecvError::Disconnected) => {
                    explain!("the input has ended: half-close, and listen on");
                    self.input = None;
                    // It can only fail when the connection is lost, which the next read shows.
                    let _ = self.socket.shutdown(Shutdown::Write);
                    return false;
                }
            }
            self.prompt.show();
        }
        match self.socket.write(&self.piece[self.sent..]) {
            Ok(count) => {
                explain!("{count} bytes of input sent");
                self.sent += count;
                true
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => true, // try again
            Err(error) if error.kind() == ErrorKind::WouldBlock => false,
            Err(error) => {
                self.write_error = Some(error);
                self.may_have_more = true;
                (self.input, self.piece, self.sent) = (None, Vec::new(), 0);
                false
            }
        }
    }

    /// One read, and the lines that are complete with it. A line without its end is no line
    /// (rule L2).
    fn read(&mut self, buffer: &mut [u8]) -> anyhow::Result<Conversation> {
        match self.socket.read(buffer) {
            Ok(0) => match self.write_error.take() {
                Some(error) => Err(lost(&error)),
                None => Ok(Conversation::Over),
            },
            Ok(count) => {
                self.decoder.push(&buffer[..count]);
                self.show_lines();
                Ok(Conversation::GoesOn)
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => Ok(Conversation::GoesOn),
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                self.may_have_more = false;
                match self.write_error.take() {
                    Some(error) => Err(lost(&error)),
                    None => Ok(Conversation::GoesOn),
                }
            }
            Err(error) => Err(lost(&error)),
        }
    }

    fn show_lines(&mut self) {
        self.prompt.hide();
        while let Some(line) = self.decoder.next_line() {
            match line {
                Ok(line) => console::say(line),
                Err(error) => console::warn(format_args!("the server sent a bad line: {error}")),
            }
        }
        self.prompt.show();
    }
}

#[derive(PartialEq, Eq)]
enum Conversation {
    GoesOn,
    Over,
}

fn lost(error: &io::Error) -> anyhow::Error {
    anyhow!("the connection to the server is lost: {error}")
}

/// Runs in its own thread, where it may wait for the keyboard, and for the socket to take what
/// is in the channel. A last line without its LF gets one.
fn read_input(pieces: SyncSender<Vec<u8>>, waker: &Waker) {
    let mut buffer = [0; INPUT_PIECE_BYTES];
    let mut last = b'\n';
    loop {
        match io::stdin().read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => {
                last = buffer[count - 1];
                if pieces.send(buffer[..count].to_vec()).is_err() {
                    return; // the conversation is over
                }
                let _ = waker.wake(); // fails only when nobody waits any more
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {} // try again
            Err(error) => {
                console::warn(format_args!("cannot read standard input: {error}"));
                break;
            }
        }
    }
    if last != b'\n' {
        let _ = pieces.send(b"\n".to_vec());
    }
    drop(pieces); // this is how the loop learns that the input has ended
    let _ = waker.wake();
}

/// A name may stand for several addresses: std tries one after the other.
fn connect(host: &str, port: u16) -> anyhow::Result<TcpStream> {
    let what = || format!("cannot connect to {}", door::show(host, port));
    let addresses = (host, port).to_socket_addrs().map_err(door::unknown_host);
    let addresses: Vec<SocketAddr> = addresses.with_context(what)?.collect();
    let socket = std::net::TcpStream::connect(&addresses[..]).map_err(advice).with_context(what)?;
    explain!("connected to {:?}", socket.peer_addr());
    socket.set_nodelay(true).and_then(|()| socket.set_nonblocking(true)).with_context(what)?;
    Ok(TcpStream::from_std(socket))
}

fn advice(error: io::Error) -> anyhow::Error {
    match error.kind() {
        ErrorKind::ConnectionRefused => anyhow!(
            "connection refused; is the server running, and on this PORT? \
             it says `listening on HOST:PORT`"
        ),
        ErrorKind::TimedOut | ErrorKind::HostUnreachable | ErrorKind::NetworkUnreachable => {
            anyhow!("{error}; is HOST right, and does a firewall let the PORT through?")
        }
        _ => anyhow!("{error}"),
    }
}

/// `<You>`, when a person sits at a terminal. In a pipe it would be part of the chat.
struct Prompt {
    is_wanted: bool,
    is_shown: bool,
}

impl Prompt {
    fn new() -> Prompt {
        let is_wanted = io::stdin().is_terminal() && io::stdout().is_terminal();
        Prompt { is_wanted, is_shown: false }
    }

    fn show(&mut self) {
        if self.is_wanted {
            self.write("<You> ");
            self.is_shown = true;
        }
    }

    /// Makes room for a line that arrives: back to the first column, clear the line.
    fn hide(&mut self) {
        if std::mem::take(&mut self.is_shown) {
            self.write("\r\x1b[K");
        }
    }

    /// Errors are for whoever closed our stdout: there is nobody to prompt.
    fn write(&self, text: &str) {
        let mut out = io::stdout();
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush());
    }
}
