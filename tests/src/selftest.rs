//! `lab selftest`: the proof that the checks are right. Every broken program of the zoo must be
//! seen by a check that names its mistake, every correct one must pass everything, and there must
//! be no check that nothing fails.

mod carry_out;
pub mod costs;
pub mod cover;
mod exercises;
mod inspection;
pub mod load;
mod matrix;
mod page;
mod sample;
mod under_load;

pub use exercises::{Claim, claims};
pub use inspection::{Form, Inspection, Kind, Trouble, inspect};
pub use page::page;

use crate::stage::workspace;
use crate::zoo::{self, Animal, Keeper};
use anyhow::Context;
use carry_out::{Carried, carry_out};
use clap::Args;
use std::collections::BTreeSet;
use std::io::Write;
use std::ops::RangeInclusive;
use std::process::{Command, ExitCode};

/// Shows that every check finds what it should find, and nothing else
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo lab selftest --only recv-is-not-a-message")]
pub struct Arguments {
    /// Checks these programs of the zoo alone
    #[arg(long, value_name = "PROGRAM")]
    only: Vec<String>,
    /// Checks every broken program with the checks alone that are known to find its mistake
    #[arg(long)]
    short: bool,
    /// How often each correct program must pass everything
    #[arg(long, default_value_t = 10, value_name = "N")]
    rounds: u64,
    /// Shows that each exercise judges the rules that its page lists, and no others
    #[arg(long)]
    exercises: bool,
    /// With --exercises, this exercise alone
    #[arg(long, value_name = "EXERCISE", requires = "exercises")]
    exercise: Option<String>,
    /// Checks what cargo test checks: the part of the zoo that fails every check
    #[arg(long, conflicts_with_all = ["only", "short"])]
    cover: bool,
    /// Checks what cargo test leaves out, or a part of it that this text chooses (a commit's name)
    #[arg(long, value_name = "TEXT", conflicts_with_all = ["only", "cover"])]
    sample: Option<String>,
    /// Checks what cargo test checks while every core is kept busy, once for each of the seeds
    #[arg(long, conflicts_with_all = ["short", "cover", "sample"])]
    under_load: bool,
    /// The seeds, FIRST..LAST
    #[arg(long, value_parser = seeds, default_value = "1..3", requires = "under_load")]
    seeds: RangeInclusive<u64>,
    /// Writes what was seen to the table of the book: tests/zoo/under-load.md or tests/zoo/matrix.md
    #[arg(long)]
    write: bool,
    /// Measures what cargo test chooses by: writes tests/zoo/costs.csv
    #[arg(long, conflicts_with_all = ["cover", "sample", "under_load"])]
    costs: bool,
    /// Writes docs/src/zoo.md
    #[arg(long)]
    write_page: bool,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let animals = zoo::all()?;
    if arguments.write_page {
        return write_page(&animals);
    }
    let is_there = |name: &&String| animals.iter().any(|animal| animal.name == **name);
    if let Some(name) = arguments.only.iter().find(|name| !is_there(name)) {
        eprintln!("lab: the zoo has no {name}: see tests/zoo/zoo.toml");
        return Ok(ExitCode::from(2));
    }
    let keeper = Keeper::new(zoo::build()?)?;
    if arguments.exercises {
        return all_claims(&keeper, &animals, arguments);
    }
    let covered = match arguments.costs {
        true => Vec::new(), // the table may not be there yet
        false => cover::cover(&animals, &costs::read()?),
    };
    let only =
        |animal: &&Animal| arguments.only.is_empty() || arguments.only.contains(&animal.name);
    if arguments.under_load {
        let chosen: Vec<&Animal> = covered.iter().filter(only).collect();
        let seeds = arguments.seeds.clone();
        return under_load::run(&keeper, &chosen, seeds, arguments.write);
    }
    let all: Vec<&Animal> = animals.iter().filter(only).collect();
    let chosen = match &arguments.sample {
        Some(text) => left_out(&all, &covered, text)?,
        None if arguments.cover => covered.iter().collect(),
        None => all,
    };
    let carried = carry_out(&keeper, &chosen, arguments.form(), || ())?;
    arguments.conclude(&carried, chosen.len() == animals.len())
}

impl Arguments {
    fn form(&self) -> Form {
        match self.short || self.cover || self.costs || self.sample.is_some() {
            true => Form::Short { seed: 1 },
            false => Form::Long { rounds: self.rounds },
        }
    }

    fn conclude(&self, carried: &Carried, whole: bool) -> anyhow::Result<ExitCode> {
        let never_failed = match whole || self.cover {
            true => never_failed(&carried.results),
            false => BTreeSet::new(), // of a part, nothing can be said
        };
        let mut out = anstream::stdout();
        // A closed pipe is no fault.
        let _ = out.write_all(page::summary(carried, &never_failed).as_bytes());
        if self.costs {
            costs::write(&carried.results)?;
        }
        if self.write {
            matrix::write(carried, self.form())?;
        }
        let bad = |result: &Inspection| result.is_bad() || result.is_open();
        let good = never_failed.is_empty() && !carried.results.iter().any(bad);
        Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
    }
}

fn write_page(animals: &[Animal]) -> anyhow::Result<ExitCode> {
    let path = workspace().join("docs/src/zoo.md");
    std::fs::write(&path, page(animals))
        .with_context(|| format!("cannot write {}", path.display()))?;
    Ok(ExitCode::SUCCESS)
}

/// A part of what `cargo test` does not carry out.
fn left_out<'a>(
    all: &[&'a Animal],
    covered: &[Animal],
    text: &str,
) -> anyhow::Result<Vec<&'a Animal>> {
    let whole = |animal: &&Animal| {
        let same = |other: &&Animal| other.name == animal.name && other.killers == animal.killers;
        animal.is_correct() || !covered.iter().any(|other| same(&other))
    };
    let rest: Vec<&Animal> = all.iter().copied().filter(whole).collect();
    let chosen = sample::sample(&rest, &costs::read()?, text);
    let names: Vec<&str> = chosen.iter().map(|animal| animal.name.as_str()).collect();
    println!("{} of {} programs, by {text}: {}\n", chosen.len(), rest.len(), names.join(", "));
    Ok(chosen)
}

fn all_claims(
    keeper: &Keeper,
    animals: &[Animal],
    arguments: &Arguments,
) -> anyhow::Result<ExitCode> {
    let mut broken = 0;
    for claim in claims(animals)? {
        let other = |name: &String| *name != claim.exercise.name;
        let unwanted = !arguments.only.is_empty() && !arguments.only.contains(&claim.animal.name);
        if unwanted || arguments.exercise.as_ref().is_some_and(other) {
            continue;
        }
        let troubles = claim.troubles(keeper)?;
        broken += usize::from(!troubles.is_empty());
        let sign = if troubles.is_empty() { "✓" } else { "✗" };
        let mut out = anstream::stdout();
        let lines = troubles.iter().map(|trouble| format!("  {trouble}\n")).collect::<String>();
        let _ = write!(out, "{sign} {}\n{lines}", claim.in_words()); // a closed pipe is no fault
    }
    Ok(if broken == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// A check that no broken program fails proves nothing. Of the checks of all exercises: those.
fn never_failed(results: &[Inspection]) -> BTreeSet<&'static str> {
    let failed = |name: &str| results.iter().any(|result| result.failed.contains(name));
    let all = crate::check::checks::all().map(|check| check.name);
    all.filter(|name| !failed(name)).collect()
}

/// What a table was measured on.
fn commit() -> String {
    let mut command = Command::new("git");
    command.current_dir(workspace()).args(["describe", "--always", "--dirty"]);
    let output = command.output().ok().filter(|output| output.status.success());
    let said = output.map(|output| String::from_utf8_lossy(&output.stdout).trim().to_string());
    said.unwrap_or_else(|| "unknown".to_string())
}

fn seeds(text: &str) -> Result<RangeInclusive<u64>, String> {
    let (first, last) = text.split_once("..").unwrap_or((text, text));
    let number = |text: &str| text.parse().map_err(|_| format!("{text} is no number: write 1..20"));
    let (first, last) = (number(first)?, number(last)?);
    match first <= last {
        true => Ok(first..=last),
        false => Err(format!("{first} comes after {last}: write 1..20")),
    }
}
