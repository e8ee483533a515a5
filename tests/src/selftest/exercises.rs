//! Whether an exercise judges what its page lists, and nothing else: for each rule of its protocol
//! a program that breaks that rule alone. It fails, and is named, where the page lists the rule; it
//! passes in full where the page does not.

use super::inspection::is_rightly_named;
use crate::check::run::{self, Options};
use crate::check::{Check, Exercise};
use crate::report::Verdict;
use crate::zoo::{Animal, Keeper};
use std::collections::BTreeSet;

/// What must be seen of one program in one exercise.
#[derive(Debug)]
pub struct Claim<'a> {
    pub animal: &'a Animal,
    pub exercise: Exercise,
    /// The one rule that the program breaks.
    pub rule: &'static str,
    /// The exercise does not ask for that rule.
    pub passes: bool,
}

impl Claim<'_> {
    /// `broadcast without L5: relays-terminal-escapes passes`.
    pub fn in_words(&self) -> String {
        let (with, does) = match self.passes {
            true => ("without", "passes"),
            false => ("with", "fails"),
        };
        format!("{} {with} {}: {} {does}", self.exercise.name, self.rule, self.animal.name)
    }

    /// What speaks against it.
    pub fn troubles(&self, keeper: &Keeper) -> anyhow::Result<Vec<String>> {
        let Ok(target) = keeper.target(self.animal)? else {
            return Ok(Vec::new()); // this machine lacks the language
        };
        let report = run::run(&self.exercise, &target, &Options::default(), &|_| {})?;
        let first = report.checks.iter().find(|check| check.verdict == Verdict::Failed);
        Ok(match first {
            Some(check) if self.passes => vec![format!("{}: {}", check.name, check.message)],
            Some(check) if !is_rightly_named(self.animal, check) => {
                let name = check.misconception.as_deref().unwrap_or("nothing");
                vec![format!("{} named {name} first: {}", check.name, check.message)]
            }
            None if !self.passes => vec!["it passed".to_string()],
            None if report.score < report.max_score => vec!["it has not all points".to_string()],
            _ => Vec::new(),
        })
    }
}

/// For each exercise and each rule, the first program of the zoo that can show it. Whole stages ask
/// for everything; what a program must fail there is in the zoo's list.
pub fn claims(animals: &[Animal]) -> anyhow::Result<Vec<Claim<'_>>> {
    let mut claims = Vec::new();
    for exercise in Exercise::all()? {
        if exercise.checks == ["all"] {
            continue;
        }
        let listed = exercise.rules()?;
        let mut shown = BTreeSet::new();
        for animal in animals {
            let Some(rule) = only_rule(animal, &exercise)? else { continue };
            let passes = !listed.contains(&rule);
            let is_seen = animal.killers.iter().any(|name| exercise.checks.contains(name));
            if passes != is_seen && shown.insert(rule) {
                claims.push(Claim { animal, exercise: exercise.clone(), rule, passes });
            }
        }
    }
    Ok(claims)
}

/// The rule that the program breaks, if it is one alone and it speaks the exercise's protocol.
fn only_rule(animal: &Animal, exercise: &Exercise) -> anyhow::Result<Option<&'static str>> {
    let Some(last) = animal.exercises.last() else { return Ok(None) };
    let is_client = |name: &str| name == "client";
    if Exercise::by_name(last)?.protocol != exercise.protocol
        || is_client(last) != is_client(&exercise.name)
    {
        return Ok(None);
    }
    let checks = animal.killers.iter().filter_map(|name| Check::by_name(name));
    let rules: BTreeSet<&str> = checks.map(|check| check.rule).collect();
    Ok((rules.len() == 1).then(|| rules.into_iter().next()).flatten())
}
