//! Exercises judge what their pages list, and nothing else: a sample of `lab selftest --exercises`,
//! of the rules on which a check would rest most easily without being asked to.

use anyhow::{Context, ensure};
use chat_lab::selftest::claims;
use chat_lab::zoo::{self, Keeper};
use libtest_mimic::Trial;
use std::path::PathBuf;

/// An exercise, and a rule that its page does not list.
const SAMPLE: &[(&str, &str)] = &[
    ("receiver", "L3"),
    ("receiver", "L4"),
    ("framing", "S3.4"),
    ("ten-clients", "L5"),
    ("broadcast", "L3"),
    ("broadcast", "L5"),
    ("broadcast", "S4.5"),
    ("comings-and-goings", "L3"),
    ("comings-and-goings", "S4.2"),
    ("rooms", "S5.7"),
];

pub fn tests() -> Vec<Trial> {
    let trial = |(exercise, rule): &(&'static str, &'static str)| {
        let (exercise, rule) = (*exercise, *rule);
        let name = format!("exercises::{exercise}_does_not_judge_{rule}");
        crate::test(name.replace(['-', '.'], "_"), move || does_not_judge(exercise, rule))
    };
    SAMPLE.iter().map(trial).collect()
}

fn does_not_judge(exercise: &str, rule: &str) -> anyhow::Result<()> {
    let animals = zoo::all()?;
    let claims = claims(&animals)?;
    let claim = claims.iter().find(|one| one.exercise.name == exercise && one.rule == rule);
    let claim = claim.with_context(|| format!("no program of the zoo breaks {rule} alone"))?;
    ensure!(claim.passes, "{exercise} judges {rule}");
    let troubles = claim.troubles(&Keeper::new(PathBuf::from(env!("CARGO_BIN_EXE_zoo")))?)?;
    ensure!(troubles.is_empty(), "{}: {}", claim.in_words(), troubles.join("\n"));
    Ok(())
}
