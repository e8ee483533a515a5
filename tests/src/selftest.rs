//! `lab selftest`: the proof that the checks are right. Every broken program of the zoo must be
//! seen by a check that names its mistake, every correct one must pass everything, and there must
//! be no check that nothing fails.

mod exercises;
mod inspection;
mod page;

pub use exercises::{Claim, claims};
pub use inspection::{Form, Inspection, inspect};
pub use page::page;

use crate::zoo::{self, Animal, Keeper};
use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::BTreeSet;
use std::io::Write;
use std::process::ExitCode;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Programs that are checked at the same time, each with checks of its own that mostly wait.
const AT_A_TIME: usize = 2;

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
    /// Writes docs/src/zoo.md
    #[arg(long)]
    write_page: bool,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let animals = zoo::all()?;
    if arguments.write_page {
        let path = crate::stage::workspace().join("docs/src/zoo.md");
        std::fs::write(&path, page(&animals))
            .with_context(|| format!("cannot write {}", path.display()))?;
        return Ok(ExitCode::SUCCESS);
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
    let chosen: Vec<&Animal> = animals
        .iter()
        .filter(|animal| arguments.only.is_empty() || arguments.only.contains(&animal.name))
        .collect();
    let results = inspect_all(&keeper, &chosen, arguments)?;
    let never_failed = match arguments.only.is_empty() {
        true => never_failed(&results),
        false => BTreeSet::new(), // of a part, nothing can be said
    };
    let mut out = anstream::stdout();
    let _ = out.write_all(page::summary(&results, &never_failed).as_bytes()); // a closed pipe is no fault
    let good = never_failed.is_empty() && !results.iter().any(Inspection::is_bad);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
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

fn inspect_all<'a>(
    keeper: &Keeper,
    animals: &[&'a Animal],
    arguments: &Arguments,
) -> anyhow::Result<Vec<Inspection<'a>>> {
    let style = ProgressStyle::with_template("{bar:24} {pos:>3} of {len}, {eta} left  {wide_msg}")?;
    let bar = ProgressBar::new(animals.len() as u64).with_style(style);
    let next = AtomicUsize::new(0);
    let form = if arguments.short { Form::Short } else { Form::Long { rounds: arguments.rounds } };
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(animal) = animals.get(next.fetch_add(1, Ordering::SeqCst)) {
                    bar.set_message(animal.name.clone());
                    let result = inspect(keeper, animal, form);
                    if let Ok(result) = &result {
                        bar.suspend(|| tell(result));
                    }
                    let mut results = results.lock().expect("no code panics while it holds it");
                    results.push(result);
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let results = results.into_inner().expect("as above");
    let mut results = results.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    results.sort_by_key(|result| animals.iter().position(|a| a.name == result.animal.name));
    Ok(results)
}

/// As soon as it is known: the whole takes long.
fn tell(result: &Inspection) {
    let mut out = anstream::stdout();
    let _ = out.write_all(page::entry(result).as_bytes()); // as above
    let _ = out.flush();
}
