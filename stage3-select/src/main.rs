//! Stage 3: many clients, one thread. The kernel says which sockets are ready.
//!
//! Read it in layers; each file says in its first line to which one it belongs. A minute stands for
//! fifteen lines.
//!
//! - The design, 15 minutes: `server.rs`. Who waits for whom.
//! - The meaning, 19 minutes: `command.rs`, `effects.rs`, `users.rs`. What a line means.
//! - The hand-over, 14 minutes: `hub.rs`, `outbox.rs`, `table.rs`. From who speaks to who hears.
//! - The bytes, 25 minutes: `connection.rs`, `line.rs`. What the socket takes and brings.
//! - The rare faults, 21 minutes, to be left out at first: `accept.rs` and `advice.rs`, as in stage 1;
//!   `deadlines.rs`, `console.rs`.
//! - The other end, 8 minutes: `client.rs`.
//!
//! Two things stand everywhere. `explain!` prints what `-v` shows, and nothing without it: read over it.
//! A rule, such as L8, is one of those in `docs/src/protocol.md`.

mod accept;
mod advice;
mod client;
mod command;
mod connection;
mod console;
mod deadlines;
mod effects;
mod hub;
mod line;
mod outbox;
mod server;
mod table;
mod users;

use std::io;
use std::net::{TcpStream, ToSocketAddrs};
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};
use mio::net::TcpListener;

/// Chat with everyone by name: one thread serves all
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  stage3-select server 127.0.0.1 8003\n  stage3-select client 127.0.0.1 8003"
)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Accept clients and pass on what they say
    Server {
        #[command(flatten)]
        at: Address,
        /// Let users write to all others at once: @*:TEXT
        #[arg(long)]
        broadcast: bool,
    },
    /// Join a chat: #NAME to have a name, @USER:TEXT to write to somebody, exit to leave
    Client {
        #[command(flatten)]
        at: Address,
    },
}

#[derive(Args)]
struct Address {
    /// Address or name of the server
    #[arg(default_value = "127.0.0.1", value_parser = advice::host)]
    host: String,
    /// Port of the server; 0 (server only) takes a free one
    #[arg(default_value_t = 8003)]
    port: u16,
    /// Explain on stderr what happens, and why
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let result = match Cli::parse().role {
        Role::Server { at, broadcast } => serve(&at, broadcast),
        Role::Client { at } => chat(&at),
    };
    let status = match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::warn(format_args!("{}: {error:#}", env!("CARGO_PKG_NAME")));
            ExitCode::FAILURE
        }
    };
    console::finish();
    status
}

fn serve(at: &Address, broadcast: bool) -> anyhow::Result<()> {
    console::set_verbose(at.verbose);
    let cannot_listen = |error| advice::cannot_listen(&at.host, at.port, &error);
    let listener = listen(&at.host, at.port).map_err(cannot_listen)?;
    console::announce(listener.local_addr().map_err(cannot_listen)?);
    console::never_wait();
    server::run(listener, users::Users::new(broadcast))
}

/// A name may stand for several addresses: the first that works is taken. mio's `bind` and not that
/// of the standard library, which lets only 128 newcomers wait to be accepted.
fn listen(host: &str, port: u16) -> io::Result<TcpListener> {
    let mut result = Err(io::ErrorKind::AddrNotAvailable.into());
    for address in (host, port).to_socket_addrs()? {
        result = TcpListener::bind(address);
        if result.is_ok() {
            break;
        }
    }
    result
}

fn chat(at: &Address) -> anyhow::Result<()> {
    console::set_verbose(at.verbose);
    let socket = TcpStream::connect((at.host.as_str(), at.port))
        .map_err(|error| advice::cannot_connect(&at.host, at.port, &error))?;
    client::run(&socket)
}
