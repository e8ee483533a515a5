//! Stage 4: two threads for each client, and one conversation behind a lock.
//!
//! Read it in layers; each file says in its first line to which one it belongs.
//!
//! 1. The design (15 minutes): `server.rs`, `connection.rs`.
//! 2. The meaning (15 minutes): `command.rs`, `room.rs`, `effects.rs`.
//! 3. The hand-over (20 minutes): `hub.rs`, which has the lock; `outbox.rs`; `table.rs`.
//! 4. The bytes (10 minutes): `line.rs`.
//! 5. The rare faults (15 minutes): `accept.rs`, `threads.rs`, `console.rs`, `advice.rs`. A server
//!    that nobody attacks would chat without them.
//! 6. The other end (10 minutes): `client.rs`.

mod accept;
mod advice;
mod client;
mod command;
mod connection;
mod console;
mod effects;
mod hub;
mod line;
mod outbox;
mod room;
mod server;
mod table;
mod threads;

use std::net::TcpListener;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
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
        #[arg(default_value = "127.0.0.1", value_parser = advice::host)]
        host: String,
        /// Port to listen on; 0 takes a free one
        #[arg(default_value_t = 8004)]
        port: u16,
        /// Seconds from connecting to an accepted name; 0: no limit
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        seconds_to_register: u64,
        /// Explain on stderr which thread does what, and why
        #[arg(short, long)]
        verbose: bool,
    },
    /// Join a chat
    Client {
        /// Address or name of the server
        #[arg(default_value = "127.0.0.1", value_parser = advice::host)]
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
        Role::Server { host, port, seconds_to_register, verbose } => {
            console::set_verbose(verbose);
            serve(&host, port, seconds_to_register)
        }
        Role::Client { host, port, name, verbose } => {
            console::set_verbose(verbose);
            client::run(&host, port, name)
        }
    };
    if let Err(error) = &result {
        console::warn(format_args!("{}: {error:#}", env!("CARGO_PKG_NAME")));
    }
    console::finish();
    if result.is_ok() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// Only what goes wrong at the start is an error.
fn serve(host: &str, port: u16, seconds_to_register: u64) -> anyhow::Result<()> {
    let listener = TcpListener::bind((host, port))
        .map_err(|error| advice::cannot_listen(host, port, &error))?;
    console::announce(listener.local_addr().context("cannot ask for the address")?);
    console::never_wait();
    let limit = (seconds_to_register > 0).then(|| Duration::from_secs(seconds_to_register));
    server::run(&listener, limit);
    Ok(())
}
