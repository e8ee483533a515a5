//! `lab selftest --under-load`: the short form on a machine that is kept busy, once for each seed.

use super::carry_out::{Carried, carry_out};
use super::inspection::{Form, Kind};
use super::load::Load;
use crate::zoo::{self, Animal, Keeper};
use anyhow::Context;
use std::ops::RangeInclusive;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::{Duration, Instant};

/// One run through all programs.
struct Run {
    seed: u64,
    programs: usize,
    skipped: usize,
    /// How often each kind of trouble was there.
    false_alarms: usize,
    missed: usize,
    other_names: usize,
    again: usize,
    unjudged: usize,
    took: Duration,
    /// Of the machine's processor time, what went to the load, where the system tells.
    share: Option<f64>,
}

pub fn run(
    keeper: &Keeper,
    animals: &[&Animal],
    seeds: RangeInclusive<u64>,
    write: bool,
) -> anyhow::Result<ExitCode> {
    let mut runs = Vec::new();
    for seed in seeds {
        runs.push(once(keeper, animals, seed)?);
        anstream::println!("{}", table(&runs));
    }
    if write {
        let path = path();
        std::fs::write(&path, page(&runs))
            .with_context(|| format!("cannot write {}", path.display()))?;
    }
    let good = runs.iter().all(Run::is_good);
    Ok(if good { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

/// Shown on the zoo's page.
fn path() -> PathBuf {
    zoo::folder().join("under-load.md")
}

fn once(keeper: &Keeper, animals: &[&Animal], seed: u64) -> anyhow::Result<Run> {
    let load = Load::start()?;
    anstream::println!("seed {seed}: {}", load.in_words());
    let (started, mut share) = (Instant::now(), None);
    let stop = || {
        let cores = std::thread::available_parallelism().map_or(1, usize::from) as f64;
        let all = cores * started.elapsed().as_secs_f64();
        share = load.processor_seconds().map(|seconds| seconds / all);
        drop(load); // what is tried again is alone
    };
    let carried = carry_out(keeper, animals, Form::Short { seed }, stop)?;
    Ok(Run::new(seed, &carried, started.elapsed(), share))
}

impl Run {
    fn new(seed: u64, carried: &Carried, took: Duration, share: Option<f64>) -> Run {
        let results = &carried.results;
        let troubles = || results.iter().flat_map(|result| &result.troubles);
        let of = |kind| troubles().filter(|trouble| trouble.kind == kind).count();
        Run {
            seed,
            programs: results.len(),
            skipped: results.iter().filter(|result| result.skipped.is_some()).count(),
            false_alarms: of(Kind::FalseAlarm),
            missed: of(Kind::Missed),
            other_names: of(Kind::OtherName),
            again: carried.again,
            unjudged: results.iter().filter(|result| result.is_open()).count(),
            took,
            share,
        }
    }

    fn is_good(&self) -> bool {
        self.false_alarms + self.missed + self.other_names + self.unjudged == 0
    }
}

fn page(runs: &[Run]) -> String {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let good = runs.iter().filter(|run| run.is_good()).count();
    format!(
        "{}\n{} runs on {cores} cores, commit {}: {good} without a fault.\n",
        table(runs),
        runs.len(),
        super::commit()
    )
}

fn table(runs: &[Run]) -> String {
    let mut text = String::from(HEAD);
    for run in runs {
        text += &format!(
            "| {} | {} | {} | {} | {} | {} | {} | {} | {} | {:.1} |\n",
            run.seed,
            run.programs,
            run.skipped,
            run.false_alarms,
            run.missed,
            run.other_names,
            run.again,
            run.unjudged,
            run.share.map_or("?".to_string(), |share| format!("{:.0} %", share * 100.0)),
            run.took.as_secs_f64() / 60.0
        );
    }
    text
}

const HEAD: &str = "\
| seed | programs | skipped | false alarms | missed | other names | again, alone | not judged | load's share | minutes |
|---|---|---|---|---|---|---|---|---|---|
";
