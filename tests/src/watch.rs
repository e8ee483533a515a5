//! `lab watch`: checks again whenever a file below the folder changes.

use crate::check::command::{Progress, TargetArguments};
use crate::check::run::{self, Options};
use crate::check::{Exercise, Target};
use crate::formats::{Format, Setting};
use crate::report::{CheckResult, Report, Verdict};
use anstyle::{AnsiColor, Style};
use clap::Args;
use std::collections::BTreeMap;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::thread;
use std::time::{Duration, SystemTime};
use walkdir::{DirEntry, WalkDir};

/// How often the folder is looked at. Looking works everywhere, in containers and on drives of
/// other machines as well, where the system does not report changes.
const LOOK_AGAIN: Duration = Duration::from_millis(400);

/// Files that programs and builds write themselves.
const IGNORED: &[&str] = &["target", "node_modules", "__pycache__"];

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();

/// Checks a program again whenever a file below the folder changes
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo lab watch ten-clients --folder my-chat")]
pub struct Arguments {
    /// The exercise: see `lab exercises`
    exercise: String,
    #[command(flatten)]
    target: TargetArguments,
    /// Repeats the random choices of an earlier run
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Carries out this check alone; may be given several times
    #[arg(long, value_name = "CHECK")]
    only: Vec<String>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let exercise = Exercise::by_name(&arguments.exercise)?;
    // Building changes the folder in which we are; what was typed is meant from where we were.
    let home = std::env::current_dir()?;
    let folder = arguments.target.folder.clone().unwrap_or(PathBuf::from("."));
    let folder = std::path::absolute(folder)?;
    let mut before = None;
    loop {
        std::env::set_current_dir(&home)?;
        match arguments.target.target() {
            Ok(target) => {
                let mut report = check(arguments, &exercise, &target)?;
                arguments.target.name_folder(&mut report, &target);
                show(&report, before.as_ref())?;
                before = Some(report);
            }
            Err(error) => eprintln!("lab: {error:#}"), // a build that fails is part of the work
        }
        eprintln!("waiting for a change below {} (Ctrl-C ends)", folder.display());
        wait_for_change(&folder);
    }
}

fn check(arguments: &Arguments, exercise: &Exercise, target: &Target) -> anyhow::Result<Report> {
    let options =
        Options { only: arguments.only.clone(), seed: arguments.seed, ..Options::default() };
    let bar = Progress::new(exercise.checks()?.len());
    let report = run::run(exercise, target, &options, &|event| bar.show(&event));
    bar.finish();
    report
}

fn show(report: &Report, before: Option<&Report>) -> anyhow::Result<()> {
    let mut text = String::new();
    if std::io::stdout().is_terminal() {
        text += "\u{1b}[2J\u{1b}[3J\u{1b}[H"; // an empty screen: the newest result alone
    }
    text += &Format::Text.render(report, &Setting::current(&report.command))?;
    if let Some(before) = before {
        text += &news(before, report);
    }
    let _ = anstream::stdout().write_all(text.as_bytes()); // a closed pipe is no fault
    Ok(())
}

/// What is new since the last time.
fn news(before: &Report, now: &Report) -> String {
    let then: BTreeMap<&str, &CheckResult> =
        before.checks.iter().map(|check| (check.name.as_str(), check)).collect();
    let mut text = String::from("\nSince the last time:\n");
    let mut nothing = true;
    for check in &now.checks {
        let was = then.get(check.name.as_str()).map(|check| check.verdict);
        let said = then.get(check.name.as_str()).map(|check| check.message.as_str());
        let line = match check.verdict {
            Verdict::Failed if was == Some(Verdict::Failed) && said != Some(&check.message) => {
                format!("{BAD}✗ {} fails in another way now: {}{BAD:#}", check.name, check.message)
            }
            verdict if was == Some(verdict) => continue,
            Verdict::Passed => format!("{GOOD}✓ {} passes now{GOOD:#}", check.name),
            Verdict::Failed if was == Some(Verdict::Skipped) => {
                format!("{BAD}✗ {} is reached now, and fails{BAD:#}", check.name)
            }
            Verdict::Failed => format!("{BAD}✗ {} fails now{BAD:#}", check.name),
            Verdict::Inconclusive => format!("? {} is inconclusive now", check.name),
            Verdict::Skipped => format!("– {} is skipped now", check.name),
        };
        nothing = false;
        text += &format!("{line}\n");
    }
    if nothing {
        text += "nothing has changed\n";
    }
    text
}

fn wait_for_change(folder: &Path) {
    let then = snapshot(folder);
    while snapshot(folder) == then {
        thread::sleep(LOOK_AGAIN);
    }
}

/// Every file, with what changes when somebody saves it.
fn snapshot(folder: &Path) -> BTreeMap<PathBuf, (Option<SystemTime>, u64)> {
    let walk = WalkDir::new(folder).into_iter().filter_entry(is_of_interest);
    let files = walk.filter_map(Result::ok).filter(|entry| entry.file_type().is_file());
    files
        .map(|entry| {
            let facts = entry.metadata().ok();
            let time = facts.as_ref().and_then(|facts| facts.modified().ok());
            (entry.into_path(), (time, facts.map_or(0, |facts| facts.len())))
        })
        .collect()
}

fn is_of_interest(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let hidden = name.starts_with('.') && entry.depth() > 0;
    !hidden && !IGNORED.contains(&name.as_ref()) && !name.ends_with('~')
}
