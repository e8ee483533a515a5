//! A script that is always the same, so many lines in so many segments: what a server does for it
//! can be counted, and the count hardly depends on the clock, the machine or its other work.

use super::dialect::Entry;
use super::figures::Figure;
use super::run::Run;
use super::scenario::{COUNTED_CLIENTS, Outcome, Scenario, WINDOW};
use super::subject::{Contestant, Subject};

/// Messages that are said alone, each after all have heard the one before.
const ALONE: usize = 100;

/// Bursts of `WINDOW` messages, each burst in one piece.
const BURSTS: usize = 20;

/// One part of the script, with what a counter showed before and after.
#[derive(Debug)]
pub struct Part<C> {
    pub figure: Figure,
    pub deliveries: f64,
    pub before: C,
    pub after: C,
}

/// Plays the script to a fresh server. `attach` is called when all clients are in; what it
/// returns is asked for the count before and after each part.
pub fn play<C, R: Fn() -> anyhow::Result<C>>(
    contestant: &Contestant,
    attach: impl FnOnce(&Subject) -> anyhow::Result<R>,
) -> anyhow::Result<Vec<Part<C>>> {
    let subject = contestant.start()?;
    let mut run = Run::new(Scenario::Counted, COUNTED_CLIENTS, contestant, &subject, 1)?;
    play_to(&mut run, attach)
}

fn play_to<C, R: Fn() -> anyhow::Result<C>>(
    run: &mut Run,
    attach: impl FnOnce(&Subject) -> anyhow::Result<R>,
) -> anyhow::Result<Vec<Part<C>>> {
    run.enter_and_be_heard(Entry::Room)?;
    let count = attach(run.subject)?;
    let script = [(Figure::SystemCalls, ALONE, 1), (Figure::SystemCallsInBursts, BURSTS, WINDOW)];
    let mut parts = Vec::new();
    for (figure, times, lines) in script {
        let before = count()?;
        for _ in 0..times {
            run.say_and_wait(lines)?;
        }
        parts.push(Part {
            figure,
            deliveries: (times * lines) as f64 * run.ledger.receivers() as f64,
            before,
            after: count()?,
        });
    }
    run.check()?;
    Ok(parts)
}

#[cfg(target_os = "linux")]
pub use linux::{count_calls, system_calls};

#[cfg(not(target_os = "linux"))]
pub fn count_calls(_: &mut Run, _: &mut Outcome) -> anyhow::Result<()> {
    anyhow::bail!("system calls can be counted on Linux only")
}

#[cfg(target_os = "linux")]
mod linux {
    use super::*;
    use crate::compare::system_calls::{Counter, Counts, name};
    use std::collections::BTreeMap;

    /// System calls for each delivery, by name and the most frequent first: for messages that
    /// are said alone, and for those in bursts.
    pub fn system_calls(contestant: &Contestant) -> anyhow::Result<Vec<Vec<(String, f64)>>> {
        let parts = play(contestant, watch)?;
        Ok(parts.iter().map(by_name).collect())
    }

    pub fn count_calls(run: &mut Run, outcome: &mut Outcome) -> anyhow::Result<()> {
        for part in play_to(run, watch)? {
            let calls = by_name(&part);
            let total = calls.iter().map(|(_, each)| each).sum();
            outcome.figures.set(part.figure, total);
            outcome.calls.insert(part.figure, calls);
        }
        Ok(())
    }

    fn watch(subject: &Subject) -> anyhow::Result<impl Fn() -> anyhow::Result<Counts> + use<>> {
        let counter = Counter::attach(subject.id())?;
        Ok(move || Ok(counter.counts()))
    }

    fn by_name(part: &Part<Counts>) -> Vec<(String, f64)> {
        let mut named: BTreeMap<&str, f64> = BTreeMap::new();
        for (call, count) in &part.after {
            let more = count - part.before.get(call).copied().unwrap_or_default();
            let each = more as f64 / part.deliveries;
            *named.entry(name(*call).unwrap_or("others")).or_default() += each;
        }
        let mut named: Vec<_> = named.into_iter().filter(|(_, each)| *each > 0.0).collect();
        named.sort_by(|(_, a), (_, b)| b.total_cmp(a));
        let owned = named.into_iter().map(|(name, each)| (name.to_string(), each));
        owned.collect()
    }
}
