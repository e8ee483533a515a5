//! What may be said about the results, in words. Nothing here is fixed text about who wins: each
//! sentence is made from the figures, and each cause is named only where a figure shows it.

use super::figures::{Figure, count, readable};
use super::results::{Comparison, Results};
use super::scenario::{Outcome, Scenario, Topic};
use super::statistics::{Spread, ranked};

/// From here on a design counts as having met its cliff.
const CLIFF: f64 = 10.0;

/// A figure explains a difference if it differs at least this many times.
const TELLING: f64 = 3.0;

/// The ranking by `figure` with as many clients as all have mastered, and with as many as two
/// have; what explains it; how the figure grows.
pub fn paragraph(comparison: &Comparison, scenario: Scenario, figure: Figure) -> String {
    let all = comparison.contestants.len();
    let mut widest = vec![widest(comparison, scenario, figure, all)];
    widest.push(self::widest(comparison, scenario, figure, all.min(2)));
    widest.dedup_by_key(|entries| entries.as_ref().map(|(clients, _)| *clients));
    let mut text: String = widest
        .iter()
        .flatten()
        .map(|entries| ranking(comparison, scenario, figure, entries))
        .collect();
    if text.is_empty() {
        return "Too few runs succeeded to compare anything here.".to_string();
    }
    text.push_str(&growth(comparison, scenario, figure));
    let last = widest.iter().flatten().last();
    text.push_str(
        &last.map_or(String::new(), |(clients, _)| doubts(comparison, scenario, *clients)),
    );
    text
}

/// With how many clients, and the contestants' figures.
type Entries = (usize, Vec<(usize, Spread)>);

/// The most clients that so many contestants have mastered, in several runs if there are such.
fn widest(
    comparison: &Comparison,
    scenario: Scenario,
    figure: Figure,
    contestants: usize,
) -> Option<Entries> {
    let with = |runs| {
        let sizes = comparison.sizes(scenario).into_iter().rev();
        let mut entries = sizes.map(|clients| {
            let mut entries = comparison.figures(scenario, clients, figure);
            entries.retain(|(_, spread)| spread.runs >= runs);
            (clients, entries)
        });
        entries.find(|(_, entries)| entries.len() >= contestants)
    };
    with(2).or_else(|| with(1))
}

fn ranking(
    comparison: &Comparison,
    scenario: Scenario,
    figure: Figure,
    (clients, entries): &Entries,
) -> String {
    let high_is_good = matches!(figure, Figure::DeliveriesPerSecond | Figure::Logins);
    let groups = ranked(entries, high_is_good);
    let mut text = format!(
        "With {} clients, {}: {}.",
        count(*clients),
        figure.in_words(),
        listing(comparison, &groups)
    );
    if entries.iter().any(|(_, spread)| spread.runs == 1) {
        text.push_str(" Somebody was measured only once, so nothing is ranked. ");
    } else if groups.len() == 1 {
        text.push_str(" The spreads overlap: no difference seen. ");
    } else {
        text.push_str(&causes(comparison, scenario, *clients, &groups));
        text.push(' ');
    }
    text
}

fn listing(comparison: &Comparison, groups: &[Vec<(usize, Spread)>]) -> String {
    let group = |group: &Vec<(usize, Spread)>| {
        let entry = |(contestant, spread): &(usize, Spread)| {
            format!("{} {}", comparison.name(*contestant), readable(spread.median))
        };
        let entries: Vec<String> = group.iter().map(entry).collect();
        entries.join(" and ")
    };
    let groups: Vec<String> = groups.iter().map(group).collect();
    groups.join(", then ")
}

/// Why the last group is behind the first, as far as the figures show it.
fn causes(
    comparison: &Comparison,
    scenario: Scenario,
    clients: usize,
    groups: &[Vec<(usize, Spread)>],
) -> String {
    let (Some(best), Some(worst)) = (groups.first(), groups.last()) else {
        return String::new();
    };
    let (best, worst) = (best[0].0, worst[worst.len() - 1].0);
    let of = |contestant, figure| {
        let spread = comparison.spread(contestant, scenario, clients, figure)?;
        Some(spread.median)
    };
    let mut causes = Vec::new();
    let in_a_room = !matches!(scenario, Scenario::Pairs | Scenario::Idle);
    if in_a_room && comparison.contestants[worst].line_for_each_receiver {
        causes.push(format!(
            "it knows no line to everyone, so the speaker sends {} lines for one message, and \
             each has to be read, checked and routed",
            count(clients - 1)
        ));
    }
    let telling = |figure, least: f64| {
        let (mine, other) = (of(worst, figure)?, of(best, figure)?);
        (mine >= least && mine >= other * TELLING).then_some((mine, other))
    };
    if let Some((mine, other)) = telling(Figure::Switches, 0.01) {
        causes.push(format!(
            "its threads change {} times for each unit of work, those of {} {} times: whoever \
             has something for a client wakes that client's thread",
            readable(mine),
            comparison.name(best),
            readable(other)
        ));
    }
    if let Some((mine, other)) = telling(Figure::Threads, 8.0) {
        causes.push(format!(
            "it has {} threads, {} has {}: each has a stack, and an entry in the scheduler",
            readable(mine),
            comparison.name(best),
            readable(other)
        ));
    }
    if let Some(share) = of(worst, Figure::KernelShare).filter(|share| *share >= 0.8) {
        causes.push(format!(
            "{} % of its time goes into the kernel: into its calls, not its own code",
            readable((share * 100.0).round())
        ));
    }
    let name = comparison.name(worst);
    match causes.is_empty() {
        true => format!(" No other figure here differs enough to say why {name} is behind."),
        false => format!(" Why {name} is behind: {}.", causes.join("; ")),
    }
}

/// How the figure changes from the fewest clients to the most, for each contestant.
fn growth(comparison: &Comparison, scenario: Scenario, figure: Figure) -> String {
    let sizes = comparison.sizes(scenario);
    let growth = |contestant: usize| {
        let at = |clients: &usize| {
            let spread = comparison.spread(contestant, scenario, *clients, figure)?;
            Some((*clients, spread.median))
        };
        let (few, first) = sizes.iter().find_map(at)?;
        let (many, last) = sizes.iter().rev().find_map(at)?;
        (many > few && first > 0.0).then(|| {
            let factor = readable(last / first);
            format!("{factor} for {}", comparison.name(contestant))
        })
    };
    let growths: Vec<String> = (0..comparison.contestants.len()).filter_map(growth).collect();
    match growths.is_empty() {
        true => String::new(),
        false => format!(
            "From the fewest clients to the most it changes by a factor of {}.",
            growths.join(", ")
        ),
    }
}

/// Where the generator, and not the server, may have been measured.
fn doubts(comparison: &Comparison, scenario: Scenario, clients: usize) -> String {
    let (mut bottleneck, mut late) = (Vec::new(), Vec::new());
    for contestant in 0..comparison.contestants.len() {
        let of = |figure| {
            let spread = comparison.spread(contestant, scenario, clients, figure);
            spread.map_or(0.0, |spread| spread.median)
        };
        let (generator, server) = (of(Figure::GeneratorBusy), of(Figure::ServerBusy));
        if scenario != Scenario::Steady && is_bottleneck(generator, server) {
            bottleneck.push(comparison.name(contestant)); // by the clock it spins, and is busy
        }
        if is_late(of(Figure::Lateness), of(Figure::P99)) {
            late.push(comparison.name(contestant));
        }
    }
    let (bottleneck, late) = (bottleneck.join(", "), late.join(", "));
    let mut doubts = String::new();
    if !bottleneck.is_empty() {
        doubts.push_str(&format!(
            " The generator was the bottleneck against {bottleneck}: those deliveries per second \
             are a lower bound; the CPU per delivery holds."
        ));
    }
    if !late.is_empty() {
        doubts.push_str(&format!(
            " The generator itself was late against {late}: the machine was busy with other \
             things, and those latencies are too high."
        ));
    }
    doubts
}

/// Both in ms. What the generator is late by is part of the latency.
fn is_late(lateness: f64, latency: f64) -> bool {
    lateness > 0.5 && lateness > latency / 4.0
}

/// The generator had all it could do, and the server had not.
pub fn is_bottleneck(generator_busy: f64, server_busy: f64) -> bool {
    generator_busy > 0.9 && server_busy < generator_busy
}

/// Which system calls a delivery takes, and what they tell of the design.
pub fn calls(comparison: &Comparison) -> String {
    let all = 0..comparison.contestants.len();
    let sentences: Vec<String> = all
        .filter_map(|contestant| {
            let clients = *comparison.sizes(Scenario::Counted).first()?;
            let results = comparison.find(contestant, Scenario::Counted, clients)?;
            Some(calls_of(comparison.name(contestant), results.runs.first()?))
        })
        .collect();
    sentences.join(" ")
}

fn calls_of(name: &str, run: &Outcome) -> String {
    let shares = |figure| run.calls.get(&figure).map_or(&[][..], Vec::as_slice);
    let alone = shares(Figure::SystemCalls);
    let bursts = shares(Figure::SystemCallsInBursts);
    let listed = |shares: &[(String, f64)]| {
        let listed = shares.iter().filter(|(_, each)| *each >= 0.001);
        let listed = listed.map(|(call, each)| format!("{call} {}", readable(*each)));
        listed.collect::<Vec<_>>().join(", ")
    };
    let sum = |shares: &[(String, f64)], calls: &[&str]| {
        let mine = shares.iter().filter(|(call, _)| calls.contains(&call.as_str()));
        mine.map(|(_, each)| each).sum::<f64>()
    };
    let mut text = format!(
        "{name}: {} for a message that comes alone, {} for one that comes in a burst.",
        listed(alone),
        listed(bursts)
    );
    let sends = sum(bursts, &["send", "sendmsg", "write", "writev"]);
    text.push_str(match sends {
        0.5.. => " Each line of a burst is a write of its own: the dearest thing a server can do.",
        _ => " What a burst brings for one client leaves in few writes.",
    });
    if sum(alone, &["futex"]) >= 0.5 {
        text.push_str(" The futex calls are threads that wake each other, and fall asleep.");
    }
    text
}

/// What one client that never reads does to the others.
pub fn stalled(comparison: &Comparison) -> String {
    let Some(&clients) = comparison.sizes(Scenario::OneStalls).first() else {
        return String::new();
    };
    let all = 0..comparison.contestants.len();
    let sentences: Vec<String> =
        all.filter_map(|contestant| stalled_one(comparison, contestant, clients)).collect();
    sentences.join(" ")
}

fn stalled_one(comparison: &Comparison, contestant: usize, clients: usize) -> Option<String> {
    let name = comparison.name(contestant);
    let stalled = comparison.find(contestant, Scenario::OneStalls, clients)?;
    let ending = ending(stalled).unwrap_or("nothing is known of how it ended");
    Some(match effect(comparison, contestant)? {
        Effect::Stops => format!(
            "In {name} one client that does not read stops the others: {}.",
            stalled.failure().unwrap_or("it failed")
        ),
        Effect::Slows(with, without) => format!(
            "In {name} the others wait longer: p99 {} ms instead of {} ms; it {ending}.",
            readable(with.median),
            readable(without.median)
        ),
        Effect::Nothing(with, without) => format!(
            "In {name} the others notice nothing (no difference seen: p99 {with} ms with it, \
             {without} ms without); it {ending}."
        ),
        Effect::Unknown => {
            format!("About {name} nothing can be said: too few of its runs succeeded. It {ending}.")
        }
    })
}

fn ending(results: &Results) -> Option<&str> {
    results.runs.iter().find_map(|run| run.ending.as_deref())
}

/// What the one who does not read does to those who do.
#[derive(Debug)]
pub enum Effect {
    Nothing(Spread, Spread),
    /// p99 with it and without, in ms.
    Slows(Spread, Spread),
    Stops,
    Unknown,
}

pub fn effect(comparison: &Comparison, contestant: usize) -> Option<Effect> {
    let clients = *comparison.sizes(Scenario::OneStalls).first()?;
    let p99 = |scenario| comparison.spread(contestant, scenario, clients, Figure::P99);
    let with = comparison.find(contestant, Scenario::OneStalls, clients)?;
    let Some(without) = p99(Scenario::AllRead) else {
        return Some(Effect::Unknown);
    };
    Some(match with.spread(Figure::P99) {
        _ if with.failure().is_some() => Effect::Stops,
        Some(with) if with.runs < 2 || without.runs < 2 => Effect::Unknown,
        Some(with) if with.differs_from(&without) && with.median > without.median => {
            Effect::Slows(with, without)
        }
        Some(with) => Effect::Nothing(with, without),
        None => Effect::Stops,
    })
}

/// Where a design fails, or becomes ten times slower, and by what.
pub fn cliffs(comparison: &Comparison) -> Vec<String> {
    let mut cliffs = Vec::new();
    for contestant in 0..comparison.contestants.len() {
        let found: Vec<String> = Scenario::ALL
            .iter()
            .filter_map(|scenario| cliff(comparison, contestant, *scenario))
            .collect();
        match found.is_empty() {
            true => cliffs.push(format!(
                "{}: no cliff up to {} clients.",
                comparison.name(contestant),
                count(most_clients(comparison, contestant))
            )),
            false => cliffs.extend(found),
        }
    }
    cliffs
}

fn most_clients(comparison: &Comparison, contestant: usize) -> usize {
    let mine = comparison.results.iter().filter(|r| r.contestant == contestant);
    mine.map(|results| results.clients).max().unwrap_or_default()
}

fn cliff(comparison: &Comparison, contestant: usize, scenario: Scenario) -> Option<String> {
    let name = comparison.name(contestant);
    if matches!(scenario, Scenario::AllRead | Scenario::OneStalls | Scenario::Counted) {
        return None; // these have one size
    }
    let mut best: Option<f64> = None;
    let mut before = 0;
    for clients in comparison.sizes(scenario) {
        let Some(results) = comparison.find(contestant, scenario, clients) else {
            continue;
        };
        if let Some(outcome) = results.runs.iter().find(|run| run.failure.is_some()) {
            let worked = match before {
                0 => String::new(),
                before => format!("; with {} it still worked", count(before)),
            };
            return Some(format!(
                "{name} fails with {} clients ({}{worked}): {}.",
                count(clients),
                scenario.name(),
                culprit(outcome, scenario, clients)
            ));
        }
        // Of the processor, not of the clock: what else the machine does must make no cliff.
        let now = results.spread(Figure::Cpu)?.median;
        if let Some(best) = best.filter(|best| now >= best * CLIFF) {
            let routed = comparison.contestants[contestant].line_for_each_receiver;
            let why = match scenario.topic() {
                Topic::Room if routed => " Its speaker sends one line for each receiver.",
                _ => "",
            };
            return Some(format!(
                "{name} needs {} times the processor time with {} clients ({}: {} was {}, is {}).{why}",
                readable(now / best),
                count(clients),
                scenario.name(),
                Figure::Cpu.name(),
                readable(best),
                readable(now)
            ));
        }
        best = Some(best.map_or(now, |best| best.min(now)));
        before = clients;
    }
    None
}

/// By what a run failed, in the terms of the machine where its words tell.
fn culprit(outcome: &Outcome, scenario: Scenario, clients: usize) -> String {
    let failure = outcome.failure.as_deref().unwrap_or_default();
    let words = format!("{failure}\n{}", outcome.last_words).to_lowercase();
    let known = [
        ("too many open files", "descriptors"),
        ("os error 24", "descriptors"),
        ("resource temporarily unavailable", "threads: the system starts no more"),
        ("os error 11", "threads: the system starts no more"),
        ("memory maps", "memory maps: each thread's stack takes two"),
        ("cannot allocate memory", "memory"),
        ("read too slowly", "the bound of what it owes a client"),
    ];
    let found = known.iter().find(|(words_of, _)| words.contains(words_of));
    match found {
        Some((_, culprit)) => format!("by {culprit} ({failure})"),
        None if scenario.topic() == Topic::Room && failure.contains("got in") => format!(
            "by its notices: each newcomer is told to everybody, which makes {} of them ({failure})",
            count(clients * clients / 2)
        ),
        None => failure.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cliff_is_named_by_what_the_server_said() {
        let outcome = Outcome {
            failure: Some("only 16000 of 19500 clients got in".to_string()),
            last_words: "cannot start a thread: Resource temporarily unavailable".to_string(),
            ..Outcome::default()
        };
        assert!(culprit(&outcome, Scenario::Idle, 19_500).starts_with("by threads"));
    }

    #[test]
    fn the_generator_is_the_bottleneck_only_if_the_server_waits() {
        assert!(is_bottleneck(0.98, 0.4));
        assert!(!is_bottleneck(0.5, 0.98));
    }
}
