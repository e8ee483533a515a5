//! Stage 5, async: rooms, commands and roles for any number of clients, on one thread.
//!
//! Reading order: `server` (the door), `connection` (one task per client), `hub` (the one task
//! that owns the rooms) and `outbox` (what is owed to one client). Then what is decided, without
//! any network: `command`, `rooms`, `room`, `moderation`, `names`, `limits`. At last `client` and `terminal`.

mod client;
mod command;
mod connection;
mod console;
mod hub;
mod limits;
mod line;
mod moderation;
mod names;
mod outbox;
mod room;
mod rooms;
mod server;
mod terminal;

use clap::{Args, Parser, Subcommand};
use std::process::ExitCode;

/// Chat with rooms, commands and roles: one task per client, and one that owns the rooms
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:
  stage5-async server 127.0.0.1 8005
  stage5-async client 127.0.0.1 8005 --name alice"
)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Wait for clients and let them chat
    Server {
        #[command(flatten)]
        at: Address,
        #[command(flatten)]
        options: server::Options,
    },
    /// Chat: lines of standard input go out, what others say is printed
    Client {
        #[command(flatten)]
        at: Address,
        /// Answer the server's question for a name with NAME
        #[arg(long, value_name = "NAME")]
        name: Option<String>,
    },
}

#[derive(Args)]
struct Address {
    /// Address or name of the server
    #[arg(default_value = "127.0.0.1")]
    host: String,
    /// Port of the server; 0 takes a free one
    #[arg(default_value_t = 8005)]
    port: u16,
    /// Explain on stderr what happens and why
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let result = match Cli::parse().role {
        Role::Server { at, options } => {
            console::set_verbose(at.verbose);
            server::run(&at.host, at.port, options)
        }
        Role::Client { at, name } => {
            console::set_verbose(at.verbose);
            client::run(&at.host, at.port, name)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::warn(format_args!("stage5-async: {error:#}"));
            ExitCode::FAILURE
        }
    }
}
