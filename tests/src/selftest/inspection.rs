//! What the checks say of one program, and whether that is right.

use crate::check::run::{self, Options};
use crate::check::{Check, Exercise};
use crate::report::{CheckResult, Report, Verdict};
use crate::zoo::{Animal, Keeper};
use anyhow::Context;
use std::collections::{BTreeMap, BTreeSet};

/// How much is checked.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Form {
    /// A broken program with the checks alone that are known to find its mistake; a correct one
    /// with the last of its exercises, once.
    Short,
    /// Everything; a correct program so often.
    Long { rounds: u64 },
}

/// What the checks said of one program.
#[derive(Debug)]
pub struct Inspection<'a> {
    pub animal: &'a Animal,
    /// Which checks named which misconception.
    pub named: BTreeMap<String, BTreeSet<String>>,
    /// The checks that a broken program failed.
    pub failed: BTreeSet<String>,
    pub troubles: Vec<String>,
    /// What this machine lacks.
    pub skipped: Option<&'static str>,
}

/// Checks one program against its exercises, with another seed in each round.
pub fn inspect<'a>(
    keeper: &Keeper,
    animal: &'a Animal,
    form: Form,
) -> anyhow::Result<Inspection<'a>> {
    let mut result = Inspection {
        animal,
        named: BTreeMap::new(),
        failed: BTreeSet::new(),
        troubles: Vec::new(),
        skipped: None,
    };
    let target = match keeper.target(animal)? {
        Ok(target) => target,
        Err(lack) => {
            result.skipped = Some(lack);
            return Ok(result);
        }
    };
    let rounds = match form {
        Form::Long { rounds } if animal.is_correct() => rounds,
        _ => 1,
    };
    let exercises = match form {
        Form::Short => &animal.exercises[animal.exercises.len() - 1..],
        Form::Long { .. } => &animal.exercises,
    };
    let exercises = exercises.iter().map(|name| Exercise::by_name(name));
    let exercises: Vec<_> =
        exercises.collect::<Result<_, _>>().with_context(|| animal.name.clone())?;
    for seed in 1..=rounds {
        for exercise in &exercises {
            // The later rounds need no exercise that is a part of another one.
            if seed == 1 || !exercises.iter().any(|other| exercise.is_part_of(other)) {
                let options = options(animal, form, seed);
                result.judge(&run::run(exercise, &target, &options, &|_| {})?);
            }
        }
    }
    result.missing();
    Ok(result)
}

fn options(animal: &Animal, form: Form, seed: u64) -> Options {
    let options = Options { seed, only: animal.checks.clone(), ..Options::default() };
    if form == Form::Short && !animal.is_correct() {
        // That it fails is what we wait for: once is enough.
        return Options { only: animal.killers.clone(), second_attempts: false, ..options };
    }
    options
}

impl Inspection<'_> {
    pub fn is_bad(&self) -> bool {
        !self.troubles.is_empty()
    }

    fn judge(&mut self, report: &Report) {
        // What a report says first is what a student repairs first, so it must be the right name.
        // Whatever else fails may be a consequence.
        let mut first = true;
        for check in &report.checks {
            match check.verdict {
                Verdict::Failed if self.animal.is_correct() => self.trouble("false alarm", check),
                Verdict::Inconclusive if self.animal.is_correct() => {
                    self.trouble("inconclusive", check);
                }
                Verdict::Failed => {
                    if first && !is_rightly_named(self.animal, check) {
                        self.trouble("wrong name first", check);
                    }
                    first = false;
                    self.undeclared(check);
                    let checks = self.named.entry(called(check).to_string()).or_default();
                    checks.insert(check.name.clone());
                    self.failed.insert(check.name.clone());
                }
                _ => {}
            }
        }
    }

    /// The page of an exercise says of each check what it can name: that must be true.
    fn undeclared(&mut self, result: &CheckResult) {
        let check = Check::by_name(&result.name);
        if let (Some(check), Some(name)) = (check, &result.misconception)
            && !run::is_declared(check, name)
        {
            self.trouble("not among what it declares", result);
        }
    }

    fn trouble(&mut self, what: &str, check: &CheckResult) {
        self.troubles.push(format!(
            "{what}: {} named {}: {}\n{}",
            check.name,
            called(check),
            check.message,
            check.repeat
        ));
    }

    /// What should have been found and was not.
    fn missing(&mut self) {
        let names = self.animal.names.iter().filter(|name| !self.named.contains_key(*name));
        self.troubles.extend(names.map(|name| format!("survived: nothing named {name}")));
        let killers = self.animal.killers.iter().filter(|name| !self.failed.contains(*name));
        self.troubles.extend(killers.map(|name| format!("survived: it did not fail {name}")));
    }
}

/// What is in no catalogue must be called nothing.
pub fn is_rightly_named(animal: &Animal, check: &CheckResult) -> bool {
    match &check.misconception {
        Some(name) => animal.names.contains(name),
        None => animal.names.is_empty(),
    }
}

fn called(check: &CheckResult) -> &str {
    check.misconception.as_deref().unwrap_or("nothing")
}
