//! The zoo: one small program that is a correct server or client of each protocol, and that can
//! be given one defect by its name. `lab selftest` shows with it that the checks see each defect
//! and nothing else.
//!
//! Read `defects.rs` first: it lists what can be broken. Then look for the names in the other
//! files; each is a condition around the line that a beginner writes differently.

mod chat;
mod client;
mod defects;
mod lines;
mod outbox;
mod pace;
mod pair;
mod rooms;
mod server;
mod world;

use clap::{Parser, Subcommand, ValueEnum};
use defects::Defect;
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "zoo", about = "Correct chat programs, and broken ones")]
struct Cli {
    #[command(subcommand)]
    role: Role,
}

#[derive(Subcommand)]
enum Role {
    Server(ServerArguments),
    Client(ClientArguments),
    /// Lists what can be broken
    Defects,
}

#[derive(clap::Args)]
struct ServerArguments {
    protocol: Protocol,
    host: String,
    port: u16,
    #[arg(long, default_value = "none")]
    defect: Defect,
    /// Flags of stage 5's server, most of which the zoo ignores
    #[arg(trailing_var_arg = true, allow_hyphen_values = true, hide = true)]
    flags: Vec<String>,
}

#[derive(clap::Args)]
struct ClientArguments {
    host: String,
    port: u16,
    #[arg(long, default_value = "none")]
    defect: Defect,
}

/// The chapters of `protocol.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protocol {
    Simplex,
    Duplex,
    Select,
    Threads,
    Rooms,
}

fn main() -> ExitCode {
    let (defect, result) = match Cli::parse().role {
        Role::Defects => (Defect::NONE, defects::print()),
        Role::Client(ours) => (ours.defect, client::run(&ours.host, ours.port, ours.defect)),
        Role::Server(ours) => (ours.defect, serve(&ours)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        // What an exception that nobody catches looks like.
        Err(error) if defect.is("traceback-to-the-user") => {
            eprintln!("Traceback (most recent call last):\n  File \"zoo\", line 1, in <module>");
            eprintln!("    main()\n{error:?}");
            ExitCode::FAILURE
        }
        Err(error) => {
            eprintln!("zoo: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn serve(ours: &ServerArguments) -> anyhow::Result<()> {
    match ours.protocol {
        Protocol::Simplex | Protocol::Duplex => {
            pair::run(ours.protocol, &ours.host, ours.port, ours.defect)
        }
        _ => {
            let flags = pace::Flags(ours.flags.clone());
            server::run(ours.protocol, &ours.host, ours.port, ours.defect, flags)
        }
    }
}
