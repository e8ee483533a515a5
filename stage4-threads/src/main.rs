//! Stage 4: two threads for each client, and one conversation behind a lock.
//!
//! Read in this order: `room.rs` (who is there, and what a line means), `outbox.rs` (what one
//! client is still owed), `hub.rs` (the lock), `connection.rs` (the two threads of one client),
//! `server.rs` (accepting), `client.rs` (the other end). `line.rs` is stage 3's.

mod client;
mod connection;
mod console;
mod hub;
mod line;
mod outbox;
mod room;
mod server;

use std::process::ExitCode;

use clap::{Parser, Subcommand};

/// Chat with everyone: two threads for each client, one lock.
#[derive(Parser)]
#[command(
    version,
    after_help = "Example:\n  stage4-threads server 127.0.0.1 8004\n  stage4-threads client 127.0.0.1 8004 --name alice"
)]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    /// Accept clients and pass on what they say
    Server {
        /// Address or name to listen on
        #[arg(default_value = "127.0.0.1")]
        host: String,
        /// Port to listen on; 0 takes a free one
        #[arg(default_value_t = 8004)]
        port: u16,
        /// What is one message: a line, or whatever one read brings (for the documents' clients)
        #[arg(long, value_enum, default_value = "lines")]
        framing: connection::Framing,
        /// Explain on stderr which thread does what, and why
        #[arg(short, long)]
        verbose: bool,
    },
    /// Join a chat
    Client {
        /// Address or name of the server
        #[arg(default_value = "127.0.0.1")]
        host: String,
        /// Port of the server
        #[arg(default_value_t = 8004)]
        port: u16,
        /// Answer the server's question for a name with this one
        #[arg(long)]
        name: Option<String>,
        /// Explain on stderr which thread does what, and why
        #[arg(short, long)]
        verbose: bool,
    },
}

fn main() -> ExitCode {
    let result = match Cli::parse().role {
        Role::Server { host, port, framing, verbose } => {
            console::set_verbose(verbose);
            server::run(&host, port, framing)
        }
        Role::Client { host, port, name, verbose } => {
            console::set_verbose(verbose);
            client::run(&host, port, name)
        }
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            console::warn(format_args!("{}: {error:#}", env!("CARGO_PKG_NAME")));
            ExitCode::FAILURE
        }
    }
}
