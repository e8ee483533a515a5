//! Stage 1, simplex: one sends, the other receives, one connection at a time.
//!
//! Read it in layers; each file says in its first line to which one it belongs.
//!
//! 1. The design (5 minutes): `server.rs`.
//! 2. The bytes (8 minutes): `line.rs`.
//! 3. The other end (6 minutes): `client.rs`.
//! 4. The rare faults (11 minutes): `farewell.rs`, `accept.rs`, `advice.rs`. On a good day they
//!    could chat without them.
//!
//! This file and `console.rs` lie beside the path: the command line, and the screen.

mod accept;
mod advice;
mod client;
mod console;
mod farewell;
mod line;
mod server;

use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;

use clap::{Parser, ValueEnum};

/// A chat in one direction: clients send lines, the server shows them.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example, in two terminals:
  stage1-simplex server
  stage1-simplex client"
)]
struct Cli {
    role: Role,
    /// IPv4 or IPv6 address, or a name; 0.0.0.0 makes a server listen on every IPv4 address
    #[arg(default_value = "127.0.0.1", value_parser = advice::host)]
    host: String,
    /// A server given 0 takes any free port and says which
    #[arg(default_value_t = 8001)]
    port: u16,
    /// Explain on stderr what happens and why
    #[arg(short, long)]
    verbose: bool,
}

#[derive(Clone, ValueEnum)]
enum Role {
    /// Shows what clients send, one client after the other
    Server,
    /// Sends the lines of its standard input
    Client,
}

fn main() -> ExitCode {
    let Cli { role, host, port, verbose } = Cli::parse();
    console::set_verbose(verbose);
    let result = match role {
        Role::Server => serve(&host, port),
        Role::Client => join(&host, port),
    };
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    console::warn(format_args!("{}: {error:#}", env!("CARGO_PKG_NAME")));
    ExitCode::FAILURE
}

fn serve(host: &str, port: u16) -> anyhow::Result<()> {
    let listener = TcpListener::bind((host, port));
    let listener = listener.map_err(|error| advice::cannot_listen(host, port, &error))?;
    console::say(format_args!("listening on {}", listener.local_addr()?));
    server::run(&listener)
}

fn join(host: &str, port: u16) -> anyhow::Result<()> {
    let socket = TcpStream::connect((host, port));
    client::run(socket.map_err(|error| advice::cannot_connect(host, port, &error))?)
}
