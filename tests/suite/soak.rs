//! The short form of `lab soak`, and that it can fail.

use anyhow::{Context, bail, ensure};
use chat_lab::check::context::PATIENCE;
use chat_lab::check::{Protocol, Target};
use chat_lab::resources::allow_many_descriptors;
use chat_lab::soak::run::{Limit, Options, run};
use chat_lab::soak::tally::Fault;
use chat_lab::soak::verdict::{Soaked, Verdict};
use libtest_mimic::Trial;
use std::time::Duration;

/// Visitors who connect and reset, in one go.
const STORM: usize = 5000;

/// By how much memory may have grown after them.
const MORE_MEMORY_BYTES_MAX: u64 = 16 << 20;

/// Broken programs do not get more time for what never comes.
const LITTLE_PATIENCE: Duration = Duration::from_secs(5);

/// What the zoo's program does wrong, what it speaks, and what must be said of it: one of these.
const BROKEN: [(&str, Protocol, &[&str]); 4] = [
    // What it drops may be an answer as well: the welcome of a visitor.
    ("loses-under-load", Protocol::Threads, &["never received", "was not accepted"]),
    ("drops-output-at-eof", Protocol::Rooms, &["before a half-close must be answered"]),
    ("half-message-delivered", Protocol::Threads, &["half a line that has no end"]),
    ("leaks-descriptors", Protocol::Threads, &["gone, and not forgotten"]),
];

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for stage in 3..=5 {
        tests.push(crate::test(
            format!("soak::stage{stage}_loses_doubles_and_reorders_nothing_in_two_rounds"),
            move || holds(stage),
        ));
        tests.push(crate::test(
            format!("soak::stage{stage}_forgets_five_thousand_visitors_who_reset"),
            move || forgets(stage),
        ));
        tests.push(crate::test(
            format!("soak::it_blames_no_correct_server_of_s{stage}"),
            move || blames_nobody(Protocol::of_stage(stage)),
        ));
    }
    for (defect, protocol, words) in BROKEN {
        let name = format!("soak::it_finds_what_{}", defect.replace('-', "_"));
        tests.push(crate::test(name, move || finds(defect, protocol, words)));
    }
    tests
}

fn holds(stage: u8) -> anyhow::Result<()> {
    let options = Options { limit: Limit::Rounds(2), seed: 1, storm: None, patience: PATIENCE[1] };
    let soaked = soak_stage(stage, &options)?;
    ensure!(soaked.tally.rounds == 2, "{:?}", soaked.tally);
    ensure!(soaked.tally.missing().is_empty(), "never happened: {:?}", soaked.tally.missing());
    Ok(())
}

fn forgets(stage: u8) -> anyhow::Result<()> {
    let options =
        Options { limit: Limit::Rounds(1), seed: 1, storm: Some(STORM), patience: PATIENCE[1] };
    // The round itself looks whether descriptors and threads are what they were.
    let Soaked { tally, looks, .. } = soak_stage(stage, &options)?;
    let resets = tally.times(Fault::ResetAtOnce);
    ensure!(resets >= STORM as u64, "{resets} resets");
    if let (Some(before), Some(last)) = (looks.before, looks.last) {
        let more = last.resident_bytes.saturating_sub(before.resident_bytes);
        ensure!(more <= MORE_MEMORY_BYTES_MAX, "{more} bytes more after {resets} resets");
    }
    Ok(())
}

fn soak_stage(stage: u8, options: &Options) -> anyhow::Result<Soaked> {
    allow_many_descriptors();
    let soaked = run(&Target::Stage(stage), Protocol::of_stage(stage), options, &|_| ())?;
    match &soaked.verdict {
        Verdict::Held => Ok(soaked),
        Verdict::Broken(broken) => bail!("{}", broken.told()),
        other => bail!("{other:?}"),
    }
}

fn finds(defect: &str, protocol: Protocol, words: &[&str]) -> anyhow::Result<()> {
    let soaked = soak_zoo(&["--defect", defect], protocol, LITTLE_PATIENCE)?;
    let Verdict::Broken(broken) = soaked.verdict else {
        bail!("{defect} was not found: {:?}", soaked.verdict);
    };
    let told = broken.told();
    let first = told.lines().next().context("nothing was said")?;
    ensure!(words.iter().any(|words| first.contains(words)), "it should say {words:?}:\n{told}");
    Ok(())
}

fn blames_nobody(protocol: Protocol) -> anyhow::Result<()> {
    match soak_zoo(&[], protocol, PATIENCE[1])?.verdict {
        Verdict::Held => Ok(()),
        Verdict::Broken(broken) => bail!("{}", broken.told()),
        other => bail!("{other:?}"),
    }
}

fn soak_zoo(flags: &[&str], protocol: Protocol, patience: Duration) -> anyhow::Result<Soaked> {
    let spoken = ["select", "threads", "rooms"][usize::from(protocol.stage()) - 3];
    let command = [&[env!("CARGO_BIN_EXE_zoo"), "server"], flags, &[spoken, "{host}", "{port}"]];
    let target = Target::Command(command.concat().into_iter().map(String::from).collect());
    let options = Options { limit: Limit::Rounds(2), seed: 1, storm: None, patience };
    run(&target, protocol, &options, &|_| ())
}
