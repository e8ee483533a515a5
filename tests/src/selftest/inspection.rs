//! What the checks say of one program, and whether that is right.

use super::costs::{NO_NAME, Row, SKIPPED};
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
    Short { seed: u64 },
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
    /// What each check said, and how long it took.
    pub rows: Vec<Row>,
    pub troubles: Vec<Trouble>,
    /// What could not be judged: neither right nor wrong.
    pub unjudged: Vec<String>,
    /// What this machine lacks.
    pub skipped: Option<&'static str>,
}

/// What is not as it must be.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Trouble {
    pub kind: Kind,
    pub words: String,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Kind {
    /// A correct program is blamed.
    FalseAlarm,
    /// A broken one is not, or not by a check that must.
    Missed,
    /// What is said first of a broken one is not its mistake.
    OtherName,
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
        rows: Vec::new(),
        troubles: Vec::new(),
        unjudged: Vec::new(),
        skipped: None,
    };
    let target = match keeper.target(animal)? {
        Ok(target) => target,
        Err(lack) => {
            result.skipped = Some(lack);
            return Ok(result);
        }
    };
    let seeds = match form {
        Form::Long { rounds } if animal.is_correct() => 1..=rounds,
        Form::Long { .. } => 1..=1,
        Form::Short { seed } => seed..=seed,
    };
    let exercises = match form {
        Form::Short { .. } => &animal.exercises[animal.exercises.len() - 1..],
        Form::Long { .. } => &animal.exercises,
    };
    let exercises = exercises.iter().map(|name| Exercise::by_name(name));
    let exercises: Vec<_> =
        exercises.collect::<Result<_, _>>().with_context(|| animal.name.clone())?;
    let first = *seeds.start();
    for seed in seeds {
        for exercise in &exercises {
            // The later rounds need no exercise that is a part of another one.
            if seed == first || !exercises.iter().any(|other| exercise.is_part_of(other)) {
                let options = options(animal, form, seed);
                result.judge(&run::run(exercise, &target, &options, &|_| {})?);
            }
        }
    }
    result.conclude(form);
    Ok(result)
}

fn options(animal: &Animal, form: Form, seed: u64) -> Options {
    let options = Options { seed, only: animal.checks.clone(), ..Options::default() };
    if matches!(form, Form::Short { .. }) && !animal.is_correct() {
        // That it fails is what we wait for: once is enough.
        return Options { only: animal.killers.clone(), second_attempts: false, ..options };
    }
    options
}

impl Inspection<'_> {
    pub fn is_bad(&self) -> bool {
        !self.troubles.is_empty()
    }

    /// Whether only another attempt can tell.
    pub fn is_open(&self) -> bool {
        !self.is_bad() && !self.unjudged.is_empty()
    }

    fn judge(&mut self, report: &Report) {
        // What a report says first is what a student repairs first, so it must be the right name.
        // Whatever else fails may be a consequence.
        let mut first = true;
        for check in &report.checks {
            self.rows.push(self.row(check));
            match check.verdict {
                Verdict::Failed if self.animal.is_correct() => {
                    self.trouble(Kind::FalseAlarm, "false alarm", check);
                }
                Verdict::Inconclusive if self.has_to_be_judged(check) => {
                    self.unjudged.push(told("could not be judged", check));
                }
                Verdict::Failed => {
                    if first && !is_rightly_named(self.animal, check) {
                        self.trouble(Kind::OtherName, "wrong name first", check);
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
            self.trouble(Kind::OtherName, "not among what it declares", result);
        }
    }

    fn row(&self, check: &CheckResult) -> Row {
        let said = match (check.verdict, &check.misconception) {
            (Verdict::Failed, Some(name)) => name.clone(),
            (Verdict::Failed, None) => NO_NAME.to_string(),
            (verdict, _) => format!("{verdict:?}").to_lowercase(),
        };
        Row {
            program: self.animal.name.clone(),
            check: check.name.clone(),
            said,
            seconds: (check.seconds * 10.0).round() / 10.0,
        }
    }

    /// Of a broken program, what its killers say; of a correct one, what all say.
    fn has_to_be_judged(&self, check: &CheckResult) -> bool {
        self.animal.is_correct() || self.animal.killers.contains(&check.name)
    }

    fn trouble(&mut self, kind: Kind, what: &str, check: &CheckResult) {
        self.troubles.push(Trouble { kind, words: told(what, check) });
    }

    /// Adds what should have been seen and was not. As long as a killer is not judged, nobody knows
    /// whether that is missed, and what is said first may be a consequence.
    fn conclude(&mut self, form: Form) {
        let names = self.animal.names.iter().filter(|name| !self.named.contains_key(*name));
        let names = names.map(|name| format!("survived: nothing named {name}"));
        let killers = self.animal.killers.iter().filter(|name| !self.failed.contains(*name));
        let killers = killers.map(|name| format!("survived: it did not fail {name}"));
        let asked =
            |name: &&String| self.rows.iter().any(|row| row.check == **name && row.said != SKIPPED);
        let correct = self.animal.is_correct() && matches!(form, Form::Short { .. });
        let chosen = self.animal.checks.iter().filter(|name| correct && !asked(name));
        let chosen = chosen.map(|name| format!("not carried out: {name}"));
        let missed = names.chain(killers).chain(chosen);
        let missed: Vec<Trouble> =
            missed.map(|words| Trouble { kind: Kind::Missed, words }).collect();
        self.troubles.extend(missed);
        if !self.unjudged.is_empty() {
            self.troubles.retain(|trouble| trouble.kind == Kind::FalseAlarm);
        }
    }
}

/// What is in no catalogue must be called nothing.
pub fn is_rightly_named(animal: &Animal, check: &CheckResult) -> bool {
    match &check.misconception {
        Some(name) => animal.names.contains(name),
        None => animal.names.is_empty(),
    }
}

fn told(what: &str, check: &CheckResult) -> String {
    format!("{what}: {} named {}: {}\n{}", check.name, called(check), check.message, check.repeat)
}

fn called(check: &CheckResult) -> &str {
    check.misconception.as_deref().unwrap_or("nothing")
}
