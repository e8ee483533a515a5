//! Stage 5, async: rooms, commands and roles for any number of clients, on one thread.
//!
//! Read it in layers. The first line of each file names its layer. A minute stands for fifteen lines;
//! twins are the files of stages 3 and 4, and need not be read again.
//!
//! | layer | files | minutes |
//! |---|---|---|
//! | the design | `server` | 16 |
//! | the meaning | `command`, `effects` (twin), `state` | 25 |
//! | the meaning, room by room | `state/`, in the order that `state` names | 48 |
//! | the hand-over | `hub`, `outbox`, `table` (twin) | 25 |
//! | the bytes | `connection`, `line` (twin) | 20 |
//! | the rare faults | `admission`, `pace`, `limits`, `password`, `accept` (twin), `advice` (twin), `console` (twin) | 37 |
//! | the other end | `client`, `terminal` | 25 |
//!
//! `explain!` prints what `-v` shows, and nothing without it: read over it. A rule, such as L8, is one of
//! those in `docs/src/protocol.md`.

mod accept;
mod admission;
mod advice;
mod client;
mod command;
mod connection;
mod console;
mod effects;
mod hub;
mod limits;
mod line;
mod outbox;
mod pace;
mod password;
mod server;
mod state;
mod table;
mod terminal;

use std::path::PathBuf;
use std::process::ExitCode;

use anyhow::Context;
use clap::{Args, Parser, Subcommand};
use tokio::net::TcpListener;
use tokio::runtime::{Builder, LocalOptions};

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
        /// Let who knows the password in the first line of FILE be an operator in every room
        #[arg(long, value_name = "FILE")]
        admin_password_file: Option<PathBuf>,
        #[command(flatten)]
        limits: limits::Limits,
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
    #[arg(default_value = "127.0.0.1", value_parser = advice::host)]
    host: String,
    /// Port of the server; 0 takes a free one
    #[arg(default_value_t = 8005)]
    port: u16,
    /// Explain on stderr what happens and why
    #[arg(short, long)]
    verbose: bool,
}

/// How many tasks may run before the runtime asks the kernel for news, although others are ready
/// to run. More than its usual 61, so that a thousand writers finish a round before the next one
/// begins: 15 % less processor time per delivery with a thousand clients.
const EVENT_INTERVAL: u32 = 1024;

fn main() -> ExitCode {
    let result = match Cli::parse().role {
        Role::Server { at, admin_password_file, limits } => {
            console::set_verbose(at.verbose);
            serve(&at, admin_password_file, limits)
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

// ANCHOR: main
/// Where the server meets the world: its listener, what ends it, and this terminal.
fn serve(at: &Address, password: Option<PathBuf>, limits: limits::Limits) -> anyhow::Result<()> {
    let password = password.map(|file| password::read(&file)).transpose()?;
    // A runtime on this one thread: its tasks may share an `Rc`, and no lock is needed anywhere.
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build_local(LocalOptions::default())
        .context("cannot start the runtime")?;
    runtime.block_on(async {
        let listener = TcpListener::bind((&*at.host, at.port)).await;
        let listener =
            listener.map_err(|error| advice::cannot_listen(&at.host, at.port, &error))?;
        let stop = stop_signal()?;
        console::announce(listener.local_addr()?);
        console::never_wait();
        let end = server::run(listener, limits, password, stop).await;
        console::finish();
        end.context("the hub has ended before the server")
    })
}
// ANCHOR_END: main

/// Completes when somebody asks the process to end.
#[cfg(unix)]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Windows knows Ctrl-C, but no SIGTERM.
#[cfg(not(unix))]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
