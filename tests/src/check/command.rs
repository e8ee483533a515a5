//! `lab check` and `lab exercises`.

use super::run::{Event, Options, run};
use super::{Exercise, Target, text};
use crate::formats::{Format, Setting};
use crate::process::{PATIENCE, live};
use crate::report::Report;
use crate::submission::Submission;
use anyhow::{Context, bail};
use clap::{Args, ValueEnum};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::net::{SocketAddr, TcpStream, ToSocketAddrs};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::sync::{Mutex, PoisonError};
use std::time::Duration;

/// Checks a program against an exercise
#[derive(Debug, Args)]
#[command(
    after_help = "Example: cargo lab check ten-clients -- python3 my_server.py {host} {port}"
)]
pub struct CheckArguments {
    /// The exercise: see `lab exercises`
    pub exercise: String,
    #[command(flatten)]
    pub target: TargetArguments,
    /// Repeats the random choices of an earlier run
    #[arg(long, default_value_t = 1)]
    pub seed: u64,
    /// Carries out this check alone; may be given several times
    #[arg(long, value_name = "CHECK")]
    pub only: Vec<String>,
    /// Seconds after which what is not finished is left, and what is known is reported
    #[arg(long, value_name = "SECONDS")]
    pub time_limit: Option<u64>,
    /// The points that everything together is worth, instead of the exercise's own
    #[arg(long, value_name = "POINTS")]
    pub out_of: Option<f64>,
    /// How the result is written on stdout
    #[arg(long, value_enum, default_value_t = Format::Text)]
    pub format: Format,
    /// Writes the same result into a file as well, as in junit=result.xml; may be given several times
    #[arg(long, value_name = "FORMAT=FILE", value_parser = format_and_file)]
    pub save: Vec<(Format, PathBuf)>,
}

fn format_and_file(text: &str) -> Result<(Format, PathBuf), String> {
    let (format, file) = text.split_once('=').ok_or("write FORMAT=FILE")?;
    Ok((Format::from_str(format, false)?, PathBuf::from(file)))
}

#[derive(Debug, Args)]
pub struct TargetArguments {
    /// A folder to run in; without a COMMAND its lab.toml says how to build and start the program
    #[arg(long, value_name = "DIR", conflicts_with_all = ["stage", "address"])]
    pub folder: Option<PathBuf>,
    /// A server that runs already
    #[arg(long, value_name = "HOST:PORT", conflicts_with_all = ["stage", "command"])]
    pub address: Option<String>,
    /// The kit's own stage
    #[arg(long, value_name = "N", conflicts_with = "command", value_parser = clap::value_parser!(u8).range(1..=5))]
    pub stage: Option<u8>,
    /// The command that starts the program; {host}, {port} and (stage 5) {flags} are replaced, HOST and PORT are set
    #[arg(last = true, value_name = "COMMAND")]
    pub command: Vec<String>,
}

impl TargetArguments {
    pub fn target(&self) -> anyhow::Result<Target> {
        if let Some(stage) = self.stage {
            return Ok(Target::Stage(stage));
        }
        if let Some(address) = &self.address {
            return Ok(Target::Address(resolve(address)?));
        }
        if let Some(folder) = &self.folder {
            return self.in_folder(folder);
        }
        if self.command.is_empty() {
            bail!("say what to check: -- COMMAND, --folder DIR, --address HOST:PORT or --stage N");
        }
        Ok(Target::Command(self.command.clone()))
    }

    /// Everything that is started later runs in the folder, as it does for its author.
    fn in_folder(&self, folder: &Path) -> anyhow::Result<Target> {
        let mut command = self.command.clone();
        if command.is_empty() {
            let submission = Submission::read(folder)?;
            submission.build()?;
            command = submission.command;
        }
        std::env::set_current_dir(folder)
            .with_context(|| format!("cannot go to {}", folder.display()))?;
        Ok(Target::Command(command))
    }

    /// In a report, what is to be typed from the folder where the lab was started.
    pub fn name_folder(&self, report: &mut Report, target: &Target) {
        let Some(folder) = &self.folder else { return };
        let folder = folder.display().to_string();
        let folder = shlex::try_quote(&folder).unwrap_or(folder.as_str().into());
        let mut words = format!("--folder {folder}");
        if !self.command.is_empty() {
            words = format!("{words} {}", target.arguments());
        }
        for check in &mut report.checks {
            check.repeat = check.repeat.replace(&target.arguments(), &words);
        }
        report.command = words;
    }
}

fn resolve(address: &str) -> anyhow::Result<SocketAddr> {
    let Some(found) = address.to_socket_addrs().ok().and_then(|mut all| all.next()) else {
        bail!("cannot find {address}: write HOST:PORT, as in 127.0.0.1:8003");
    };
    Ok(found)
}

pub fn check(arguments: &CheckArguments) -> anyhow::Result<ExitCode> {
    let usage = |error: anyhow::Error| {
        eprintln!("lab: {error:#}");
        ExitCode::from(2)
    };
    let home = std::env::current_dir().context("cannot see the current folder")?;
    let exercise = match Exercise::by_name(&arguments.exercise) {
        Ok(exercise) => exercise,
        Err(error) => return Ok(usage(error)),
    };
    if let Err(error) = exercise.has(&arguments.only) {
        return Ok(usage(error));
    }
    let target = match arguments.target.target() {
        Ok(target) => target,
        Err(error) => return Ok(usage(error)),
    };
    if let Target::Address(address) = &target {
        TcpStream::connect_timeout(address, PATIENCE)
            .with_context(|| format!("cannot connect to {address}; start your server first"))?;
    }
    say_if_flags_are_missing(&exercise, &target)?;
    let options = Options {
        only: arguments.only.clone(),
        seed: arguments.seed,
        time_limit: arguments.time_limit.map(Duration::from_secs),
        ..Options::default()
    };
    live::report_when_interrupted();
    let bar = Progress::new(exercise.checks()?.len());
    let mut report = run(&exercise, &target, &options, &|event| bar.show(&event))?;
    bar.finish();
    arguments.target.name_folder(&mut report, &target);
    if let Some(points) = arguments.out_of {
        report.scale_to(points);
    }
    let setting = Setting::current(&report.command);
    for (format, file) in &arguments.save {
        let text = format.render(&report, &setting)?;
        let text = anstream::adapter::strip_str(&text).to_string();
        std::fs::write(home.join(file), text)
            .with_context(|| format!("cannot write {}", file.display()))?;
    }
    let text = arguments.format.render(&report, &setting)?;
    // A reader that has seen enough (`| head`) is no fault.
    let _ = anstream::stdout().write_all(text.as_bytes());
    Ok(ExitCode::from(arguments.format.exit_status(report.verdict)))
}

/// Said at once, and not when everything that needs them has been left out.
fn say_if_flags_are_missing(exercise: &Exercise, target: &Target) -> anyhow::Result<()> {
    let rules = exercise.rules()?;
    let needs_flags =
        !exercise.arguments.is_empty() || ["S5.8", "S5.9"].iter().any(|rule| rules.contains(rule));
    if needs_flags && target.has_process() && !target.takes_flags() {
        eprintln!(
            "lab: {} starts the server with flags (S5.8, S5.9): write {{flags}} where your command \
             takes them; without it, what needs them earns nothing",
            exercise.name
        );
    }
    Ok(())
}

/// What is being checked right now, on stderr, if that is a terminal.
#[derive(Debug)]
pub struct Progress {
    bar: ProgressBar,
    running: Mutex<Vec<&'static str>>,
}

impl Progress {
    pub fn new(checks: usize) -> Progress {
        let style = ProgressStyle::with_template("{bar:24} {pos:>2} of {len}  {wide_msg}");
        let style = style.expect("the template is right");
        Progress {
            bar: ProgressBar::new(checks as u64).with_style(style),
            running: Mutex::default(),
        }
    }

    pub fn show(&self, event: &Event) {
        let mut running = self.running.lock().unwrap_or_else(PoisonError::into_inner);
        match event {
            Event::Started(check) => running.push(check.name),
            Event::Done(result) => {
                running.retain(|name| *name != result.name);
                self.bar.inc(1);
            }
        }
        self.bar.set_message(running.join(", "));
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}

/// Lists the exercises
#[derive(Debug, Args)]
pub struct ExercisesArguments {
    /// The checks of each as well
    #[arg(long)]
    pub checks: bool,
    /// Writes points and checks into the exercises' pages of the book
    #[arg(long)]
    pub write_pages: bool,
}

pub fn exercises(arguments: &ExercisesArguments) -> anyhow::Result<ExitCode> {
    if arguments.write_pages {
        crate::exercise_pages::write_all()?;
        return Ok(ExitCode::SUCCESS);
    }
    print!("{}", text::exercises(&Exercise::all()?, arguments.checks)?);
    Ok(ExitCode::SUCCESS)
}
