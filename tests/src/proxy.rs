//! A network between a client and a server that does on purpose what every network may do: it
//! splits what was sent in one piece, and joins what was sent in several. And an interpreter for the
//! documents' clients, who know no lines (rules F1 and F2).

use crate::capture::{Capture, Direction, Stream};
use crate::proxy::cut::Cut;
use crate::proxy::document::{Document, Interpreter};
use anyhow::{Context, ensure};
use clap::Args;
use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::num::NonZeroUsize;
use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

mod cut;
mod document;

/// Bytes that one read takes.
const READ_BYTES: usize = 16 * 1024;

/// Stand between a client and a server, and split, join or translate what they send.
///
/// Example: cargo lab proxy --to 127.0.0.1:8003 --join 18
#[derive(Args, Debug)]
pub struct Arguments {
    /// The server's address
    #[arg(long, value_name = "HOST:PORT")]
    to: String,
    /// Where clients connect; port 0 takes a free one
    #[arg(long, value_name = "[HOST:]PORT", default_value = "127.0.0.1:0")]
    listen: String,
    /// Let the clients of a document chat with stage 3 (002) or stage 4 (003): what one read brings from
    /// them is one line, and what the server says comes to them without its line end
    #[arg(long, value_enum)]
    document: Option<Document>,
    /// Send on what the client sends in pieces of this many bytes
    #[arg(long, value_name = "BYTES", conflicts_with = "join")]
    split: Option<NonZeroUsize>,
    /// Hold back what the client sends until this many bytes have come
    #[arg(long, value_name = "BYTES")]
    join: Option<NonZeroUsize>,
    /// Milliseconds between two pieces, so that the server reads in between
    #[arg(long, value_name = "MS", default_value_t = 50)]
    pause: u64,
    /// Write what is sent on into this file, as a capture (.pcapng) that Wireshark opens
    #[arg(long, value_name = "FILE")]
    capture: Option<PathBuf>,
}

/// What the proxy does to those who connect.
#[derive(Debug)]
pub struct Proxy {
    /// How the client's bytes are cut into pieces.
    cut: Cut,
    /// Between two pieces of one read.
    pause: Duration,
    document: Option<Document>,
    capture: Option<Capture>,
}

pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let servers: Vec<SocketAddr> = arguments
        .to
        .to_socket_addrs()
        .with_context(|| format!("`{}` is no HOST:PORT of a server", arguments.to))?
        .collect();
    ensure!(!servers.is_empty(), "`{}` has no address", arguments.to);
    let listener = listen(&arguments.listen)
        .with_context(|| format!("cannot listen on {}: try another port", arguments.listen))?;
    let proxy = arguments.proxy()?;
    let address = listener.local_addr()?;
    writeln!(io::stdout(), "listening on {address}").context("cannot say where to connect")?;
    proxy.serve(&listener, &servers);
    Ok(ExitCode::SUCCESS)
}

fn listen(address: &str) -> io::Result<TcpListener> {
    match address.parse::<u16>() {
        Ok(port) => TcpListener::bind(("127.0.0.1", port)),
        Err(_) => TcpListener::bind(address),
    }
}

impl Arguments {
    fn proxy(&self) -> anyhow::Result<Proxy> {
        let (cut, pause) = match (self.split, self.join) {
            (Some(bytes), _) => (Cut::Split(bytes.get()), self.pause),
            (None, Some(bytes)) => (Cut::Join(bytes.get()), 0),
            (None, None) => (Cut::Reads, 0),
        };
        let capture = self.capture.as_deref().map(|file| {
            let what = || format!("cannot write the capture {}", file.display());
            Capture::create(file).with_context(what)
        });
        Ok(Proxy {
            cut,
            pause: Duration::from_millis(pause),
            document: self.document,
            capture: capture.transpose()?,
        })
    }
}

impl Proxy {
    /// Connects every client that comes to the server (to the first of its addresses that answers),
    /// for ever.
    fn serve(&self, listener: &TcpListener, servers: &[SocketAddr]) {
        for client in listener.incoming().filter_map(Result::ok) {
            match TcpStream::connect(servers) {
                Ok(server) => self.connect(client, server),
                Err(error) => tell(format_args!("cannot connect to {servers:?}: {error}")),
            }
        }
    }

    fn connect(&self, client: TcpStream, server: TcpStream) {
        // Without this the kernel would join the pieces again.
        let _ = server.set_nodelay(true);
        let _ = client.set_nodelay(true);
        let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else {
            return;
        };
        let interpreter = Arc::new(self.document.map(Interpreter::new));
        let too = Arc::clone(&interpreter);
        let packets = self.packets(&client, &server);
        let way = Way {
            direction: Direction::ToServer,
            cut: self.cut,
            pause: self.pause,
            packets: packets.clone(),
        };
        thread::spawn(move || {
            way.carry(client, server, |piece| {
                too.as_ref().as_ref().map_or(piece.to_vec(), |it| it.line(piece))
            });
        });
        let cut = if self.document.is_some() { Cut::Lines } else { Cut::Reads };
        let way = Way { direction: Direction::ToClient, cut, pause: Duration::ZERO, packets };
        thread::spawn(move || {
            way.carry(server_too, client_too, |piece| {
                interpreter.as_ref().as_ref().map_or(piece.to_vec(), |it| it.message(piece))
            });
        });
    }

    /// The connection as one stream: from the client's address to the server's, as if nobody stood
    /// between them.
    fn packets(&self, client: &TcpStream, server: &TcpStream) -> Option<Stream> {
        let (client, server) = (client.peer_addr().ok()?, server.peer_addr().ok()?);
        let comment = format!("{client} connects through the proxy");
        Some(self.capture.as_ref()?.stream(client, server, &comment))
    }
}

/// One direction of one connection.
struct Way {
    direction: Direction,
    cut: Cut,
    pause: Duration,
    /// Where what is sent on is written down.
    packets: Option<Stream>,
}

impl Way {
    /// Until the end of this direction; the end is carried over as well.
    fn carry(&self, mut from: TcpStream, mut to: TcpStream, translate: impl Fn(&[u8]) -> Vec<u8>) {
        let mut buffer = [0; READ_BYTES];
        let mut held = Vec::new();
        let end = loop {
            match from.read(&mut buffer) {
                Ok(0) => break Ok(()),
                Ok(count) => held.extend_from_slice(&buffer[..count]),
                Err(error) if error.kind() == io::ErrorKind::Interrupted => {}
                Err(error) => break Err(error),
            }
            while let Some(piece) = self.cut.next_piece(&mut held) {
                self.send(&mut to, &piece, translate(&piece));
            }
        };
        if !held.is_empty() {
            self.send(&mut to, &held, translate(&held));
        }
        match (&self.packets, end) {
            (Some(packets), Ok(())) => packets.fin(self.direction),
            (Some(packets), Err(_)) => packets.reset(self.direction),
            (None, _) => {}
        }
        let _ = to.shutdown(Shutdown::Write); // fails only if the other side has ended as well
    }

    fn send(&self, to: &mut TcpStream, piece: &[u8], translated: Vec<u8>) {
        let direction = match self.direction {
            Direction::ToServer => "client -> server",
            Direction::ToClient => "server -> client",
        };
        let (count, text) = (piece.len(), String::from_utf8_lossy(piece));
        tell(format_args!("{direction}: {count} bytes, {text:?}"));
        if let Some(packets) = &self.packets {
            packets.data(self.direction, &translated, None);
        }
        let _ = to.write_all(&translated); // who reads has gone: the other direction says so
        thread::sleep(self.pause);
    }
}

/// `eprintln!` would end the program when nobody reads its output any more.
fn tell(line: std::fmt::Arguments) {
    let _ = writeln!(io::stderr(), "{line}");
}
