//! `cargo lab`: play the conversation, check a program, compare the designs.
//! Each command is a module of the library with its arguments and a `run`.

use clap::{Parser, Subcommand};
use std::process::ExitCode;

#[derive(Parser)]
#[command(name = "lab", bin_name = "cargo lab", version, about)]
struct Cli {
    #[command(subcommand)]
    command: Command,
}

#[derive(Subcommand)]
enum Command {
    Autograder(chat_lab::autograder::Arguments),
    Check(chat_lab::check::command::CheckArguments),
    Exercises(chat_lab::check::command::ExercisesArguments),
    Play(chat_lab::play::Arguments),
    Proxy(chat_lab::proxy::Arguments),
    #[command(hide = true)]
    Load(chat_lab::selftest::load::Arguments),
    Grade(chat_lab::grade::Arguments),
    New(chat_lab::starter::Arguments),
    Selftest(chat_lab::selftest::Arguments),
    Show(chat_lab::show::Arguments),
    Soak(chat_lab::soak::Arguments),
    Watch(chat_lab::watch::Arguments),
    Run(chat_lab::run::Arguments),
    Say(chat_lab::say::Arguments),
    Look(chat_lab::look::Arguments),
    Book(chat_lab::book::Arguments),
    Slides(chat_lab::slides::Arguments),
    Compare(chat_lab::compare::Arguments),
}

fn main() -> ExitCode {
    chat_lab::process::live::end_with_us();
    let result: anyhow::Result<ExitCode> = match Cli::parse().command {
        Command::Autograder(arguments) => chat_lab::autograder::run(&arguments),
        Command::Check(arguments) => chat_lab::check::command::check(&arguments),
        Command::Exercises(arguments) => chat_lab::check::command::exercises(&arguments),
        Command::Play(arguments) => chat_lab::play::run(&arguments),
        Command::Proxy(arguments) => chat_lab::proxy::run(arguments),
        Command::Load(arguments) => chat_lab::selftest::load::run(&arguments),
        Command::Grade(arguments) => chat_lab::grade::run(&arguments),
        Command::New(arguments) => chat_lab::starter::run(&arguments),
        Command::Selftest(arguments) => chat_lab::selftest::run(&arguments),
        Command::Show(arguments) => chat_lab::show::run(&arguments),
        Command::Soak(arguments) => chat_lab::soak::run(&arguments),
        Command::Watch(arguments) => chat_lab::watch::run(&arguments),
        Command::Run(arguments) => chat_lab::run::run(&arguments),
        Command::Say(arguments) => chat_lab::say::run(&arguments),
        Command::Look(arguments) => chat_lab::look::run(&arguments),
        Command::Book(arguments) => chat_lab::book::run(&arguments),
        Command::Slides(arguments) => chat_lab::slides::run(&arguments),
        Command::Compare(arguments) => chat_lab::compare::run(&arguments),
    };
    result.unwrap_or_else(|error| {
        eprintln!("lab: {error:#}");
        ExitCode::from(3) // the harness itself failed
    })
}
