//! What goes wrong before anybody chats: one line that says what to do, and the exit status
//! (rule L15).

use crate::test;
use anyhow::{Context, ensure};
use chat_lab::process::{PATIENCE, Process, free_port};
use chat_lab::stage::{STAGES, Stage};
use libtest_mimic::Trial;
use std::net::TcpListener;
use std::process::{Command, Stdio};

type Check = fn(&'static Stage) -> anyhow::Result<()>;

const CHECKS: &[(&str, Check)] = &[
    ("a_port_in_use_is_named_in_one_line", port_in_use),
    ("a_refused_connection_is_explained_in_one_line", refused),
    ("an_unknown_host_is_named_in_one_line", unknown_host),
    ("a_wrong_command_line_gives_status_2", wrong_usage),
    ("the_help_ends_with_an_example", help),
];

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for stage in &STAGES {
        for (name, check) in CHECKS {
            let name = format!("start_up::{}_{name}", stage.package);
            tests.push(test(name, move || check(stage)));
        }
    }
    tests
}

/// Runs the stage's program to its end: its exit status and the lines of stderr, or of stdout
/// where it said nothing else.
fn run(stage: &Stage, arguments: &[&str]) -> anyhow::Result<(Option<i32>, Vec<String>)> {
    let mut command = Command::new(stage.program()?);
    command.args(arguments);
    let mut process = Process::start_with_input(stage.package, command, Stdio::null())?;
    let status = process.wait(PATIENCE).context("it does not end")?;
    process.stderr.wait(PATIENCE, |_| None::<()>); // until its end
    process.stdout.wait(PATIENCE, |_| None::<()>);
    let lines = process.stderr.lock().lines.clone();
    let said = if lines.is_empty() { process.stdout.lock().lines.clone() } else { lines };
    Ok((status.code(), said))
}

/// One line that has all of `parts` in it, and status 1.
fn fails(stage: &Stage, arguments: &[&str], parts: &[&str]) -> anyhow::Result<()> {
    let (status, said) = run(stage, arguments)?;
    ensure!(status == Some(1), "status {status:?}: {said:?}");
    ensure!(said.len() == 1, "not one line: {said:?}");
    for part in parts.iter().chain([&stage.package]) {
        ensure!(said[0].contains(part), "no `{part}` in `{}`", said[0]);
    }
    Ok(())
}

fn port_in_use(stage: &'static Stage) -> anyhow::Result<()> {
    let taken = TcpListener::bind("127.0.0.1:0")?;
    let port = taken.local_addr()?.port().to_string();
    fails(stage, &["server", "127.0.0.1", &port], &[&port, "in use", "another PORT"])
}

fn refused(stage: &'static Stage) -> anyhow::Result<()> {
    let port = free_port()?.to_string();
    fails(stage, &["client", "127.0.0.1", &port], &[&port, "refused", "server"])
}

fn unknown_host(stage: &'static Stage) -> anyhow::Result<()> {
    let host = "no-such-host.invalid"; // RFC 6761: never exists
    fails(stage, &["client", host, "8000"], &[host, "; "])?;
    fails(stage, &["server", host, "0"], &[host, "; "])
}

fn wrong_usage(stage: &'static Stage) -> anyhow::Result<()> {
    for arguments in [&["dance"][..], &["server", "127.0.0.1", "99999"], &["client", "--loud"]] {
        let (status, said) = run(stage, arguments)?;
        ensure!(status == Some(2), "{arguments:?} gives status {status:?}: {said:?}");
        ensure!(said[0].starts_with("error: "), "{said:?}");
    }
    Ok(())
}

fn help(stage: &'static Stage) -> anyhow::Result<()> {
    let (status, said) = run(stage, &["--help"])?;
    ensure!(status == Some(0), "status {status:?}");
    let example = said.iter().position(|line| line.starts_with("Example"));
    let example = said[example.context("no example")?..].join(" ");
    ensure!(example.contains(stage.package), "whose example? {example}");
    Ok(())
}
