//! A network between a client and a server that does on purpose what every network may do: it
//! splits what was sent in one piece, and joins what was sent in several.

use anyhow::Context;
use clap::Args;
use std::io::{Read, Write};
use std::net::{Shutdown, SocketAddr, TcpListener, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::thread;
use std::time::Duration;

/// Bytes that one read takes.
const READ_BYTES: usize = 16 * 1024;

/// Stand between a client and a server, and split or join what the client sends.
///
/// Example: cargo lab proxy 127.0.0.1:8003 --join 18
#[derive(Args, Debug)]
pub struct Arguments {
    /// The server's address, HOST:PORT
    server: String,
    /// Where clients connect, HOST:PORT; port 0 takes a free one
    #[arg(long, default_value = "127.0.0.1:0")]
    listen: String,
    /// Send on what the client sends in pieces of this many bytes
    #[arg(long, value_name = "BYTES", conflicts_with = "join")]
    split: Option<std::num::NonZeroUsize>,
    /// Hold back what the client sends until this many bytes have come
    #[arg(long, value_name = "BYTES")]
    join: Option<std::num::NonZeroUsize>,
    /// Milliseconds between two pieces, so that the server reads in between
    #[arg(long, value_name = "MS", default_value_t = 50)]
    pause: u64,
}

/// What happens to the bytes of one direction.
#[derive(Debug, Clone, Copy)]
pub enum Network {
    /// As they come.
    Plain,
    Split {
        bytes: usize,
        pause: Duration,
    },
    Join {
        bytes: usize,
    },
}

pub fn run(arguments: Arguments) -> anyhow::Result<ExitCode> {
    let server = arguments
        .server
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .with_context(|| format!("`{}` is no HOST:PORT", arguments.server))?;
    let listener = TcpListener::bind(&arguments.listen)
        .with_context(|| format!("cannot listen on {}: try another port", arguments.listen))?;
    println!("listening on {}", listener.local_addr()?);
    serve(&listener, server, arguments.network());
    Ok(ExitCode::SUCCESS)
}

impl Arguments {
    fn network(&self) -> Network {
        match (self.split, self.join) {
            (Some(bytes), _) => {
                Network::Split { bytes: bytes.get(), pause: Duration::from_millis(self.pause) }
            }
            (None, Some(bytes)) => Network::Join { bytes: bytes.get() },
            (None, None) => Network::Plain,
        }
    }
}

/// Connects every client that comes to the server, for ever.
pub fn serve(listener: &TcpListener, server: SocketAddr, network: Network) {
    for client in listener.incoming().filter_map(Result::ok) {
        match TcpStream::connect(server) {
            Ok(server) => connect(client, server, network),
            Err(error) => eprintln!("cannot connect to {server}: {error}"),
        }
    }
}

fn connect(client: TcpStream, server: TcpStream, network: Network) {
    // Without this the kernel would join the pieces again.
    let _ = server.set_nodelay(true);
    let _ = client.set_nodelay(true);
    let (Ok(client_too), Ok(server_too)) = (client.try_clone(), server.try_clone()) else {
        return;
    };
    thread::spawn(move || carry("client -> server", client, server, network));
    thread::spawn(move || carry("server -> client", server_too, client_too, Network::Plain));
}

/// One direction, until its end; the end is carried over as well.
fn carry(direction: &str, mut from: TcpStream, mut to: TcpStream, network: Network) {
    let mut buffer = [0; READ_BYTES];
    let mut held = Vec::new();
    while let Ok(count @ 1..) = from.read(&mut buffer) {
        held.extend_from_slice(&buffer[..count]);
        if !matches!(network, Network::Join { bytes } if held.len() < bytes) {
            send(direction, &mut to, &held, network);
            held.clear();
        }
    }
    send(direction, &mut to, &held, network);
    let _ = to.shutdown(Shutdown::Write); // fails only if the other side has ended as well
}

fn send(direction: &str, to: &mut TcpStream, bytes: &[u8], network: Network) {
    let (size, pause) = match network {
        Network::Split { bytes, pause } => (bytes, pause),
        Network::Plain | Network::Join { .. } => (READ_BYTES, Duration::ZERO),
    };
    for piece in bytes.chunks(size) {
        eprintln!("{direction}: {} bytes, {:?}", piece.len(), String::from_utf8_lossy(piece));
        if to.write_all(piece).is_err() {
            return; // whoever reads has gone; the next read of the other side says so
        }
        thread::sleep(pause);
    }
}
