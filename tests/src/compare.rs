//! `lab compare`: the designs under load, side by side.
//!
//! Reading order: `scenario` (what is done), `run` (how), `generator` (the clients), `ledger` (the check of
//! every delivery), `measure` (the cost), `plan` (in which order), `findings` (what may be said).

pub mod chart;
pub mod counted;
pub mod dialect;
pub mod figures;
pub mod findings;
pub mod generator;
pub mod ledger;
pub mod limits;
pub mod machine;
pub mod measure;
pub mod message;
pub mod plan;
pub mod predict;
pub mod report;
pub mod results;
pub mod run;
pub mod scenario;
pub mod statistics;
pub mod subject;
#[cfg(target_os = "linux")]
pub mod system_calls;
pub mod terminal;

use crate::process::live;
use crate::stage::{Stage, workspace};
use anyhow::{Context, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use plan::{Cell, Plan};
use results::{Comparison, Entrant};
use scenario::Topic;
use std::path::PathBuf;
use std::process::{Command, ExitCode};
use std::time::{Duration, Instant};
use subject::Contestant;

/// The numbers of clients where none are asked for.
const CLIENTS: [usize; 4] = [10, 100, 1000, 10_000];
const CLIENTS_QUICK: [usize; 3] = [10, 100, 1000];

/// More idle clients than this are asked of no design. A connection is told apart by its four
/// numbers, so our one address has one port for each: 28,000 on Linux, and the last are slow to find.
const REACH_MAX: usize = 20_000;

/// Compares the designs under load, side by side.
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo lab compare --quick --html compare.html")]
pub struct Arguments {
    /// Which stages
    #[arg(long, value_delimiter = ',', num_args = 0.., value_name = "N,...", default_value = "3,4,5")]
    stages: Vec<u8>,
    /// Numbers of clients [default: 10,100,1000,10000]
    #[arg(long, value_delimiter = ',', value_name = "N,...")]
    clients: Vec<usize>,
    /// Only some of the scenarios
    #[arg(long, value_delimiter = ',', value_name = "SCENARIO,...")]
    only: Vec<Topic>,
    /// Another server, yours for example: {port} in COMMAND is replaced; may be given again
    #[arg(long, value_name = "NAME=COMMAND ...")]
    also: Vec<String>,
    /// Under a minute: shorter runs, no 10,000 clients, two rounds; never ranks
    #[arg(long)]
    quick: bool,
    /// How often each measurement is made [default: as often as a ranking needs]
    #[arg(long, value_name = "N", conflicts_with = "quick",
          value_parser = clap::value_parser!(u16).range(1..=100))]
    rounds: Option<u16>,
    /// Ask what you expect first, and set it beside the results
    #[arg(long)]
    predict: bool,
    /// Write the report as one HTML page
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Write all figures of all runs
    #[arg(long, value_name = "FILE")]
    json: Option<PathBuf>,
    /// Chooses the speakers; the same seed chooses the same
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let descriptors = limits::raise_descriptor_limit();
    let plan = make_plan(arguments, descriptors)?;
    if cfg!(debug_assertions) {
        return in_release_mode();
    }
    eprintln!(
        "{} rounds, about {} minutes at most",
        plan.rounds,
        plan.budget.as_secs().div_ceil(60)
    );
    let contestants = enter(arguments)?;
    let mut comparison = begin(plan, &contestants, arguments.seed);
    if arguments.predict {
        let names: Vec<String> =
            comparison.servers().map(|one| comparison.name(one).to_string()).collect();
        comparison.predictions = predict::ask(&names, std::io::stdin().lock());
    }
    live::report_when_interrupted();
    compare(&mut comparison, &contestants);
    print!("{}", terminal::report(&comparison));
    write_files(arguments, &comparison)?;
    Ok(match comparison.interrupted {
        true => ExitCode::from(130), // 128 + SIGINT, as shells report it
        false => ExitCode::SUCCESS,
    })
}

/// A generator that is not optimised would measure itself. So the same command is carried out by a
/// lab that is, in the place of this one.
fn in_release_mode() -> anyhow::Result<ExitCode> {
    eprintln!(
        "building the lab in release mode, so that the servers are what is measured: some minutes \
         the first time, seconds from then on"
    );
    let began = Instant::now();
    cargo("build").status().context("cannot start cargo build")?;
    eprintln!("built in {} s", began.elapsed().as_secs());
    let mut command = cargo("run"); // if it could not be built, this one says why and fails
    command.arg("--").args(std::env::args_os().skip(1));
    become_this(command).context("cannot start cargo run")
}

fn cargo(command: &str) -> Command {
    let mut cargo = Command::new(std::env::var_os("CARGO").unwrap_or("cargo".into()));
    cargo.args([command, "--quiet", "--release", "--package", "chat-lab", "--bin", "lab"]);
    cargo.arg("--manifest-path").arg(workspace().join("Cargo.toml"));
    cargo
}

#[cfg(unix)]
fn become_this(mut command: Command) -> std::io::Result<ExitCode> {
    Err(std::os::unix::process::CommandExt::exec(&mut command)) // returns only if it failed
}

#[cfg(not(unix))]
fn become_this(mut command: Command) -> std::io::Result<ExitCode> {
    let code = command.status()?.code().unwrap_or(1);
    Ok(ExitCode::from(u8::try_from(code).unwrap_or(1)))
}

/// Whoever works for long calls this often. The error ends the run, and the report follows.
pub fn check_interrupt() -> anyhow::Result<()> {
    ensure!(!live::interrupted(), "interrupted");
    Ok(())
}

fn make_plan(arguments: &Arguments, descriptors: Option<u64>) -> anyhow::Result<Plan> {
    let allowed = limits::clients_within(descriptors).min(REACH_MAX);
    let asked = !arguments.clients.is_empty();
    let mut sizes = match (asked, arguments.quick) {
        (true, _) => arguments.clients.clone(),
        (false, true) => CLIENTS_QUICK.to_vec(),
        (false, false) => CLIENTS.to_vec(),
    };
    sizes.sort_unstable();
    sizes.dedup();
    let odd = sizes.iter().find(|size| !size.is_multiple_of(2) || **size == 0);
    if let Some(odd) = odd {
        anyhow::bail!("cannot compare with {odd} clients: pairs need an even number");
    }
    let largest = *sizes.last().context("no number of clients was given")?;
    if asked {
        ensure!(
            largest <= REACH_MAX,
            "{largest} clients are too many for the ports of one address: ask for at most {REACH_MAX}"
        );
        ensure!(largest <= allowed, limits::too_many(largest, descriptors));
    }
    sizes.retain(|size| *size <= allowed);
    let reach = allowed / 2 * 2;
    let reach = (!asked && !arguments.quick && reach > largest).then_some(reach);
    let mut plan = Plan::new(&sizes, reach, arguments.quick, &arguments.only);
    let servers = arguments.stages.len() + arguments.also.len();
    plan.repeat(servers, arguments.quick, arguments.rounds.map(usize::from));
    Ok(plan)
}

fn enter(arguments: &Arguments) -> anyhow::Result<Vec<Contestant>> {
    let mut contestants = Vec::new();
    eprintln!("building the servers in release mode, if anything in them has changed");
    let began = Instant::now();
    for number in &arguments.stages {
        let stage = Stage::by_number(*number)?;
        contestants.push(Contestant::stage(stage, &stage.release_program()?)?);
    }
    eprintln!("built in {} s", began.elapsed().as_secs());
    for text in &arguments.also {
        contestants.push(Contestant::also(text)?);
    }
    let first: Option<&Contestant> = contestants.first();
    let control = first.context("nothing to compare: name --stages or --also")?.control(0);
    contestants.push(control);
    Ok(contestants)
}

/// Makes the runs, as many as there is time for, and adds what they gave.
fn compare(comparison: &mut Comparison, contestants: &[Contestant]) {
    let bar = progress_bar();
    let began = Instant::now();
    let mut left_out = 0;
    'rounds: for round in 0..comparison.plan.rounds {
        if bar.is_hidden() {
            eprintln!("round {} of {}", round + 1, comparison.plan.rounds); // nothing that moves
        }
        for cell in comparison.plan.cells_of(round) {
            if began.elapsed() > comparison.plan.budget {
                left_out += 1;
                continue;
            }
            for contestant in able(comparison, contestants, round, &cell) {
                let server = &contestants[contestant];
                show(&bar, &comparison.plan, began.elapsed(), round, &cell, &server.name);
                let seed = comparison.seed + round as u64;
                let outcome = run::run(&cell, server, &comparison.plan.times, seed);
                if live::interrupted() {
                    break 'rounds;
                }
                comparison.note(cell, contestant, outcome);
            }
        }
    }
    bar.finish_and_clear();
    comparison.interrupted = live::interrupted();
    comparison.seconds = began.elapsed().as_secs_f64();
    comparison.notes = notes(comparison, left_out);
}

/// Who can do it, in the order of their turns. Each round begins with another one, so that
/// whatever else the machine does hits all of them alike.
fn able(
    comparison: &Comparison,
    contestants: &[Contestant],
    round: usize,
    cell: &Cell,
) -> Vec<usize> {
    let turns = (0..contestants.len()).map(|turn| (turn + round) % contestants.len());
    let fits = |contestant: &usize| {
        let dialect = contestants[*contestant].dialect;
        cell.scenario.fits(dialect, cell.clients) && !has_failed(comparison, *contestant, cell)
    };
    turns.filter(fits).collect()
}

fn begin(plan: Plan, contestants: &[Contestant], seed: u64) -> Comparison {
    let entrant = |contestant: &Contestant| Entrant {
        name: contestant.name.clone(),
        idea: contestant.idea.clone(),
        command: contestant.command_line(),
        to_one_only: !contestant.dialect.reaches_everyone(),
        control_of: contestant.control_of,
    };
    Comparison {
        date: machine::today(),
        command: std::env::args().skip(1).collect::<Vec<_>>().join(" "),
        machine: machine::facts(),
        seed,
        plan,
        contestants: contestants.iter().map(entrant).collect(),
        ..Comparison::default()
    }
}

/// What a reader of the figures has to know.
fn notes(comparison: &Comparison, left_out: usize) -> Vec<String> {
    let mut notes = vec![
        "The generator is one thread on a core of its own where there are two; the servers have \
         the others. Every receiver is checked for loss, repetition and order: a run with a \
         fault counts as failed, and its figures are left out."
            .to_string(),
        "CPU is that of the server alone, user and kernel, all threads. On loopback the kernel \
         charges the receiving of a segment to its sender, so it includes that."
            .to_string(),
        "Memory is what the server's resident memory grew by; what the kernel keeps for each \
         socket comes on top."
            .to_string(),
    ];
    if measure::usage(std::process::id()).is_none() {
        let os = std::env::consts::OS;
        notes.push(format!(
            "CPU, memory, threads, descriptors and context switches are read from /proc, which \
             {os} does not have: those figures are missing."
        ));
    }
    if left_out > 0 {
        notes.push(format!(
            "For lack of time {left_out} measurements were left out, or repeated less often than \
             the others: the whole may take {} s.",
            comparison.plan.budget.as_secs()
        ));
    }
    for one in comparison.contestants.iter().filter(|one| one.to_one_only) {
        notes.push(format!(
            "{} has no line to everyone. That is its protocol, so it takes part only in pairs and \
             with clients who are silent.",
            one.name
        ));
    }
    notes
}

/// Who has failed with so many clients is not asked again, nor with more of them.
fn has_failed(comparison: &Comparison, contestant: usize, cell: &Cell) -> bool {
    comparison.results.iter().any(|results| {
        results.contestant == contestant
            && results.scenario == cell.scenario
            && results.clients <= cell.clients
            && results.failure().is_some()
    })
}

fn progress_bar() -> ProgressBar {
    let style = ProgressStyle::with_template("{bar:24} {msg}").expect("the template is right");
    ProgressBar::new(1000).with_style(style)
}

fn show(bar: &ProgressBar, plan: &Plan, spent: Duration, round: usize, cell: &Cell, name: &str) {
    let left = plan.budget.saturating_sub(spent).as_secs();
    bar.set_position((spent.as_secs_f64() / plan.budget.as_secs_f64() * 1000.0) as u64);
    bar.set_message(format!(
        "{}:{:02} left, round {} of {}: {name}, {}, {} clients",
        left / 60,
        left % 60,
        round + 1,
        plan.rounds,
        cell.scenario.name(),
        cell.clients
    ));
}

fn write_files(arguments: &Arguments, comparison: &Comparison) -> anyhow::Result<()> {
    if let Some(path) = &arguments.json {
        let text = serde_json::to_string_pretty(comparison)?;
        std::fs::write(path, text + "\n").with_context(|| cannot_write(path))?;
    }
    if let Some(path) = &arguments.html {
        std::fs::write(path, report::html(comparison)?).with_context(|| cannot_write(path))?;
    }
    Ok(())
}

fn cannot_write(path: &std::path::Path) -> String {
    format!("cannot write {}", path.display())
}
