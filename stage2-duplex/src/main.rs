//! Stage 2, duplex: both sides send and receive at once, still one connection at a time.
//!
//! Read `talk.rs` (the two directions), then `server.rs` and `client.rs`, which both use it.

mod client;
mod console;
mod line;
mod prompt;
mod server;
mod talk;

use std::process::ExitCode;

use clap::{Args, Parser, Subcommand};

/// A chat between two: each side sends its lines and shows those of the other.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example, in two terminals:
  stage2-duplex server
  stage2-duplex client"
)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Talks with clients, one after the other
    Server(Address),
    /// Talks with a server
    Client(Address),
}

#[derive(Args)]
struct Address {
    /// IPv4 or IPv6 address, or a name; 0.0.0.0 makes a server listen on every IPv4 address
    #[arg(default_value = "127.0.0.1")]
    host: String,
    /// A server given 0 takes any free port and says which
    #[arg(default_value_t = 8002)]
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
