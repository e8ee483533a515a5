//! Stage 4: two threads for each client, and one conversation behind a lock.
//!
//! Read it in layers; each file says in its first line to which one it belongs. A minute stands for
//! fifteen lines. Twins are the files of stage 3: whoever has read them there needs an hour for
//! the rest.
//!
//! 1. The design, 10 minutes: `server.rs`. Who waits for what.
//! 2. The meaning, 20 minutes: `command.rs`, `effects.rs` (twin), `room.rs`. What a line means.
//! 3. The hand-over, 19 minutes: `hub.rs`, which has the lock; `outbox.rs`; `table.rs` (twin).
//! 4. The bytes, 17 minutes: `connection.rs`, `line.rs` (twin).
//! 5. The rare faults, 22 minutes, to be left out at first: `threads.rs`, `accept.rs` (twin),
//!    `console.rs` (twin), `advice.rs` (twin).
//! 6. The other end, 11 minutes: `client.rs`.
//!
//! `explain!` prints what `-v` shows, and nothing without it: read over it. A rule, such as L8, is one of
//! those in `docs/src/protocol.md`.

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

use std::net::{TcpListener, TcpStream};
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand};

/// Chat with everyone: two threads for each client, one lock
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
        #[command(flatten)]
        at: Address,
        /// Seconds from connecting to an accepted name; 0: no limit
        #[arg(long, value_name = "SECONDS", default_value_t = 60)]
        seconds_to_register: u64,
    },
    /// Join a chat: the first line is the name, exit leaves
    Client {
        #[command(flatten)]
        at: Address,
        /// Answer the server's question for a name with NAME
        #[arg(long)]
        name: Option<String>,
    },
}

#[derive(Args)]
struct Address {
    /// Address or name of the server
    #[arg(default_value = "127.0.0.1", value_parser = advice::host)]
    host: String,
    /// Port of the server; 0 (server only) takes a free one
    #[arg(default_value_t = 8004)]
    port: u16,
    /// Explain on stderr what happens, and why
    #[arg(short, long)]
    verbose: bool,
}

fn main() -> ExitCode {
    let result = match Cli::parse().role {
        Role::Server { at, seconds_to_register } => serve(&at, seconds_to_register),
        Role::Client { at, name } => chat(&at, name),
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

/// Only what goes wrong at the start is an error.
fn serve(at: &Address, seconds_to_register: u64) -> anyhow::Result<()> {
    console::set_verbose(at.verbose);
    let cannot_listen = |error| advice::cannot_listen(&at.host, at.port, &error);
    let listener = TcpListener::bind((&*at.host, at.port)).map_err(cannot_listen)?;
    console::announce(listener.local_addr().map_err(cannot_listen)?);
    console::never_wait();
    let limit = (seconds_to_register > 0).then(|| Duration::from_secs(seconds_to_register));
    server::run(&listener, limit);
    Ok(())
}

fn chat(at: &Address, name: Option<String>) -> anyhow::Result<()> {
    console::set_verbose(at.verbose);
    let socket = TcpStream::connect((&*at.host, at.port))
        .map_err(|error| advice::cannot_connect(&at.host, at.port, &error))?;
    client::run(socket, name)
}
