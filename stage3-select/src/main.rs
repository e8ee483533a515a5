//! Stage 3: many clients, one thread. The kernel says which sockets are ready.
//!
//! Read in this order: `line.rs` (bytes to lines), `command.rs` (lines to commands), `users.rs`
//! (what a command does), `outbox.rs` (what a client is owed), `connection.rs` and `clients.rs`
//! (one client, all clients), `server.rs` (the loop), `door.rs` (accepting), `client.rs`.

mod client;
mod clients;
mod command;
mod connection;
mod console;
mod door;
mod line;
mod outbox;
mod server;
mod users;

use clap::{Args, Parser, Subcommand};
use std::process::ExitCode;

/// A chat server for many named users in one thread, and its client.
#[derive(Parser)]
#[command(version, after_help = "Example: stage3-select server 127.0.0.1 8003")]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Passes @USER:TEXT lines on to the users they name
    #[command(after_help = "Example: stage3-select server 0.0.0.0 8003 -v")]
    Server {
        #[command(flatten)]
        at: Address,
        /// What one message is: a line, or whatever one read brings (for clients that send no LF)
        #[arg(long, value_enum, default_value_t = outbox::Framing::Line)]
        framing: outbox::Framing,
    },
    /// Sends what you type, shows what arrives
    #[command(after_help = "Example: stage3-select client 127.0.0.1 8003\n\
        Then type #ali to have a name, @bob:hello to write to bob, exit to leave.")]
    Client {
        #[command(flatten)]
        at: Address,
    },
}

#[derive(Args)]
struct Address {
    /// An IPv4 or IPv6 address, or a name
    #[arg(default_value = "127.0.0.1")]
    host: String,
    /// 0 (server only): any free port
    #[arg(default_value_t = 8003)]
    port: u16,
    /// Explain on stderr what happens, and why
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let result = match Cli::parse().role {
        Role::Server { at, framing } => {
            console::set_verbose(at.verbose);
            server::run(&at.host, at.port, framing)
        }
        Role::Client { at } => {
            console::set_verbose(at.verbose);
            client::run(&at.host, at.port)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::warn(format_args!("stage3-select: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
