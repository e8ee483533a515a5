//! `lab selftest`: the proof that the checks are right. Every broken program of the zoo must be
//! seen by a check that names its mistake, and every correct one must pass everything.

use crate::check::Exercise;
use crate::check::run::{self, Options};
use crate::report::{CheckResult, Report, Verdict};
use crate::zoo::{self, Animal, Keeper};
use anyhow::Context;
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::collections::{BTreeMap, BTreeSet};
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
    let keeper = Keeper::new(zoo::build()?)?;
    let chosen: Vec<&Animal> = animals
        .iter()
        .filter(|animal| arguments.only.is_empty() || arguments.only.contains(&animal.name))
        .collect();
    anyhow::ensure!(!chosen.is_empty(), "the zoo has no such program: see tests/zoo/zoo.toml");
    let results = inspect_all(&keeper, &chosen, arguments)?;
    let mut out = anstream::stdout();
    let _ = out.write_all(table(&results).as_bytes()); // a closed pipe is no fault
    let bad = results.iter().filter(|result| result.is_bad()).count();
    Ok(ExitCode::from(u8::from(bad > 0)))
}

/// What the checks said of one program.
#[derive(Debug)]
pub struct Inspection<'a> {
    pub animal: &'a Animal,
    /// Which checks named which misconception.
    pub named: BTreeMap<String, BTreeSet<String>>,
    pub troubles: Vec<String>,
    /// What this machine lacks.
    pub skipped: Option<&'static str>,
}

impl Inspection<'_> {
    pub fn is_bad(&self) -> bool {
        !self.troubles.is_empty()
    }
}

fn inspect_all<'a>(
    keeper: &Keeper,
    animals: &[&'a Animal],
    arguments: &Arguments,
) -> anyhow::Result<Vec<Inspection<'a>>> {
    let style = ProgressStyle::with_template("{bar:24} {pos:>3} of {len}, {eta} left  {wide_msg}")?;
    let bar = ProgressBar::new(animals.len() as u64).with_style(style);
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(animal) = animals.get(next.fetch_add(1, Ordering::SeqCst)) {
                    bar.set_message(animal.name.clone());
                    let rounds = if animal.is_correct() { arguments.rounds } else { 1 };
                    let result = inspect(keeper, animal, arguments.short, rounds);
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

/// Checks one program against all its exercises, with another seed in each round.
pub fn inspect<'a>(
    keeper: &Keeper,
    animal: &'a Animal,
    short: bool,
    rounds: u64,
) -> anyhow::Result<Inspection<'a>> {
    let mut result =
        Inspection { animal, named: BTreeMap::new(), troubles: Vec::new(), skipped: None };
    let target = match keeper.target(animal)? {
        Ok(target) => target,
        Err(lack) => {
            result.skipped = Some(lack);
            return Ok(result);
        }
    };
    for seed in 1..=rounds {
        // The short form of a correct one is its last exercise: the whole stage.
        let left_out = if short { animal.exercises.len() - 1 } else { 0 };
        for name in &animal.exercises[left_out..] {
            let exercise = Exercise::by_name(name).with_context(|| animal.name.clone())?;
            let mut options = Options { seed, ..Options::default() };
            options.only = animal.checks.clone();
            if short && !animal.is_correct() {
                options.only = animal.killers.clone();
                options.second_attempts = false; // that it fails is what we wait for
            }
            let report = run::run(&exercise, &target, &options, &|_| {})?;
            result.judge(&report, short);
        }
    }
    result.missing();
    Ok(result)
}

impl Inspection<'_> {
    /// Where other tests keep the machine busy (the short form), a check that could not be carried
    /// out is no false alarm.
    fn judge(&mut self, report: &Report, short: bool) {
        // What a report says first is what a student repairs first, so it must be the right name.
        // Whatever else fails may be a consequence.
        let mut first = true;
        for check in &report.checks {
            match check.verdict {
                Verdict::Failed if self.animal.is_correct() => self.trouble("false alarm", check),
                Verdict::Inconclusive if self.animal.is_correct() && !short => {
                    self.trouble("inconclusive", check);
                }
                Verdict::Failed => {
                    let named = check.misconception.as_deref().unwrap_or("nothing");
                    if first && !self.animal.names.iter().any(|name| name == named) {
                        self.trouble("wrong name first", check);
                    }
                    first = false;
                    let checks = self.named.entry(named.to_string()).or_default();
                    checks.insert(check.name.clone());
                }
                _ => {}
            }
        }
    }

    fn trouble(&mut self, what: &str, check: &CheckResult) {
        let named = check.misconception.as_deref().unwrap_or("nothing");
        self.troubles.push(format!(
            "{what}: {} named {named}: {}\n{}",
            check.name, check.message, check.repeat
        ));
    }

    /// What should have been named and was not.
    fn missing(&mut self) {
        for name in &self.animal.names {
            if !self.named.contains_key(name) {
                self.troubles.push(format!("survived: nothing named {name}"));
            }
        }
    }
}

fn table(results: &[Inspection]) -> String {
    use anstyle::{AnsiColor, Style};
    const GOOD: Style = AnsiColor::Green.on_default();
    const BAD: Style = AnsiColor::Red.on_default().bold();
    const FAINT: Style = Style::new().dimmed();
    let mut text = String::new();
    for result in results {
        let name = &result.animal.name;
        match (result.skipped, result.is_bad()) {
            (Some(lack), _) => text += &format!("{FAINT}– {name}: skipped: {lack}{FAINT:#}\n"),
            (None, true) => text += &format!("{BAD}✗ {name}{BAD:#}\n"),
            (None, false) => text += &format!("{GOOD}✓{GOOD:#} {name}\n"),
        }
        let is_meant = |name: &String| result.animal.names.contains(name);
        for (misconception, checks) in &result.named {
            let checks = checks.iter().cloned().collect::<Vec<_>>().join(", ");
            let also = if is_meant(misconception) { "" } else { "and " };
            text += &format!("    {also}{misconception} {FAINT}by {checks}{FAINT:#}\n");
        }
        for trouble in &result.troubles {
            text += &format!("    {BAD}{}{BAD:#}\n", trouble.replace('\n', "\n    "));
        }
    }
    let count = |wanted: fn(&&Inspection) -> bool| results.iter().filter(wanted).count();
    let bad = count(|result| result.is_bad());
    text + &format!(
        "\n{} broken programs, {} correct ones, {} skipped: {}\n",
        count(|result| !result.animal.is_correct()),
        count(|result| result.animal.is_correct()),
        count(|result| result.skipped.is_some()),
        if bad == 0 { "all as it must be".to_string() } else { format!("{bad} not as it must be") }
    )
}

/// The matrix as a page of the book.
pub fn page(animals: &[Animal]) -> String {
    let broken = animals.iter().filter(|animal| !animal.is_correct());
    let correct = animals.iter().filter(|animal| animal.is_correct());
    let mut text = String::from(PAGE_HEAD);
    text += "## Broken programs\n\n| program | in | exercise | what is named | by |\n|---|---|---|---|---|\n";
    for animal in broken {
        text += &format!(
            "| {} | {} | [{2}](exercises/{2}.md) | {3} | {4} |\n",
            animal.name,
            animal.language(),
            animal.exercises.join(", "),
            animal.names.join(", "),
            animal.killers.join(", "),
        );
    }
    text += "\n## Correct programs\n\n| program | in | must pass |\n|---|---|---|\n";
    for animal in correct {
        text += &format!(
            "| {} | {} | {} |\n",
            animal.name,
            animal.language(),
            animal.exercises.join(", ")
        );
    }
    text
}

const PAGE_HEAD: &str = "# The zoo

<!-- Written by `cargo lab selftest --write-page`. -->

How do you know that a checker is right? This one is checked itself. `tests/zoo/` holds programs
that are broken in exactly one way, and programs that are correct. `cargo lab selftest` runs the
checks against all of them and fails

- if a broken program survives: no check names its mistake,
- if a report begins with the wrong name: what it says first is what a student repairs first,
- if a correct program fails anything, in any of ten rounds with ten seeds.

`cargo test` runs the short form: each broken program against the checks of this table alone, each
correct program once. Programs in Python or C are skipped, and said to be, where the machine has no
`python3` or no C compiler.

Most of the broken programs are one small program, `tests/zoo/main.rs`, with one defect switched on:
`zoo defects` lists them. The files in `tests/zoo/beginners/` were written separately, the way
beginners write them. Those in `tests/zoo/documents/` are the programs of the course's source
documents, in Python 3. The client of document 002 ends no line and fails at the first one; `mended`
ends them, so that the next mistake shows.

";
