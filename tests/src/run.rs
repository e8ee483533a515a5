//! `lab run`: starts a stage by its number, so that nobody has to know where its program lies.

use crate::stage::{Stage, workspace};
use anyhow::Context;
use clap::Args;
use std::ffi::OsString;
use std::process::{Command, ExitCode};

/// Starts a stage: `lab run 4 server` and, in other terminals, `lab run 4 client`
#[derive(Debug, Args)]
#[command(after_help = "Examples, each in a terminal of its own:
  cargo lab run 4 server -v
  cargo lab run 4 client
  cargo lab run 4 --help")]
pub struct Arguments {
    /// The number of the stage, 1 to 5
    #[arg(value_parser = clap::value_parser!(u8).range(1..=5))]
    stage: u8,
    /// What the stage is told: server or client, host, port, options
    #[arg(trailing_var_arg = true, allow_hyphen_values = true)]
    arguments: Vec<OsString>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut command = program(Stage::by_number(arguments.stage)?)?;
    command.args(&arguments.arguments);
    become_program(command)
}

/// Where there is a Cargo, it builds what is not up to date and says so: the first time takes
/// long, and a terminal that is silent for a minute looks broken.
fn program(stage: &Stage) -> anyhow::Result<Command> {
    let built_already = std::env::var_os(format!("LAB_STAGE{}", stage.number)).is_some();
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    if built_already || Command::new(&cargo).arg("--version").output().is_err() {
        return Ok(Command::new(stage.program()?));
    }
    let mut command = Command::new(cargo);
    command.arg("run").arg("--manifest-path").arg(workspace().join("Cargo.toml"));
    command.args(["--package", stage.package, "--"]);
    Ok(command)
}

/// The stage takes our place and our process number: Ctrl-C, and `lab look`, meet it and not us.
#[cfg(unix)]
fn become_program(mut command: Command) -> anyhow::Result<ExitCode> {
    use std::os::unix::process::CommandExt;
    let error = command.exec();
    Err(error).with_context(|| format!("cannot start {}", command.get_program().display()))
}

#[cfg(not(unix))]
fn become_program(mut command: Command) -> anyhow::Result<ExitCode> {
    let status = command
        .status()
        .with_context(|| format!("cannot start {}", command.get_program().display()))?;
    Ok(status
        .code()
        .and_then(|code| u8::try_from(code).ok())
        .map_or(ExitCode::FAILURE, ExitCode::from))
}
