//! Stage 1, simplex: one sends, the other receives, one connection at a time.
//!
//! Read `server.rs`, then `client.rs`, then `line.rs` (bytes to lines).

mod client;
mod console;
mod line;
mod server;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// A chat in one direction: clients send lines, the server shows them.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example, in two terminals:
  stage1-simplex server
  stage1-simplex client"
)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Shows what clients send, one client after the other
    Server(Address),
    /// Sends the lines of its standard input
    Client(Address),
}

#[derive(Args)]
struct Address {
    /// IPv4 or IPv6 address, or a name; 0.0.0.0 makes a server listen on every IPv4 address
    #[arg(default_value = "127.0.0.1")]
    host: String,
    /// A server given 0 takes any free port and says which
    #[arg(default_value_t = 8001)]
    port: u16,
    /// Explain on stderr what happens and why
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let result = match Cli::parse().role {
        Role::Server(Address { host, port, verbose }) => {
            console::set_verbose(verbose);
            server::run(&host, port)
        }
        Role::Client(Address { host, port, verbose }) => {
            console::set_verbose(verbose);
            client::run(&host, port)
        }
    };
    let Err(error) = result else {
        return ExitCode::SUCCESS;
    };
    console::warn(format_args!("{}: {error:#}", env!("CARGO_PKG_NAME")));
    ExitCode::FAILURE
}
