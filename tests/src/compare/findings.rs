//! What may be said about the results, in words. Nothing here is fixed text about who wins: each
//! sentence is made from the figures, and what they cannot decide is called undecided.

use super::figures::{Figure, count, readable};
use super::results::Comparison;
use super::scenario::{Outcome, Scenario, Topic};
use super::statistics::{RUNS_MIN, Spread, can_decide, ranked, rounds_needed};
use crate::conversation::and_list;

/// From here on a design counts as having met its cliff.
const CLIFF: f64 = 10.0;

/// A contestant, and its runs.
type Entry = (usize, Spread);

/// The contestants with one number of clients, those that need least first.
#[derive(Debug)]
pub struct Ranking {
    pub clients: usize,
    /// Within a group no difference was seen.
    pub groups: Vec<Vec<Entry>>,
    /// Of the one with the fewest.
    runs: usize,
    /// Whether so many runs can decide anything.
    pub decides: bool,
}

/// By the scenario's figure, with as many clients as all have mastered, and with as many as two have.
pub fn rankings(comparison: &Comparison, scenario: Scenario) -> Vec<Ranking> {
    let servers = comparison.servers().count();
    let widest = |least: usize| {
        let sizes = || comparison.sizes(scenario).into_iter().rev();
        let with = |clients| (clients, comparison.entries(scenario, clients));
        let often = |(_, entries): &(usize, Vec<Entry>)| {
            let runs = entries.iter().map(|(_, spread)| spread.runs()).min();
            runs > Some(1) && entries.len() >= least
        };
        let once = |(_, entries): &(usize, Vec<Entry>)| entries.len() >= least;
        sizes().map(with).find(often).or_else(|| sizes().map(with).find(once))
    };
    let mut widest: Vec<_> = [servers, servers.min(2)].into_iter().filter_map(widest).collect();
    widest.dedup_by_key(|(clients, _)| *clients);
    let comparisons = comparison.plan.comparisons;
    let ranking = |(clients, entries): (usize, Vec<Entry>)| {
        let runs = entries.iter().map(|(_, spread)| spread.runs()).min().unwrap_or_default();
        let decides = can_decide(runs, runs, comparisons);
        let groups = if decides { ranked(&entries, comparisons) } else { vec![entries] };
        Ranking { clients, groups, runs, decides }
    };
    widest.into_iter().map(ranking).collect()
}

/// What is said of the report as a whole: whether it ranks, and by what.
pub fn trust(comparison: &Comparison) -> Vec<String> {
    let plan = &comparison.plan;
    let needed = rounds_needed(plan.comparisons);
    let mut said = vec![match (unfit(comparison), comparison.control()) {
        (Some(unfit), _) => unfit,
        (None, Some((server, control))) => format!(
            "{} is {} once more, under another name: how far the two lie apart is what the \
             machine does.{}",
            comparison.name(control),
            comparison.name(server),
            if plan.rounds < needed { "" } else { " They were not told apart." }
        ),
        (None, None) => "There was no control.".to_string(),
    }];
    said.push(format!(
        "Of each figure the median is shown, and in parentheses where the true one lies: with 90 % \
         from {RUNS_MIN} rounds on; with fewer it is the lowest and the highest."
    ));
    said.push(format!(
        "Two servers are ranked if their medians lie 5 % apart and the exact rank test of Mann and \
         Whitney says that equal ones would differ so in less than 1 % of reports, all {} \
         comparisons together. That takes {needed} rounds; {} were planned.",
        plan.comparisons, plan.rounds
    ));
    if plan.rounds < RUNS_MIN {
        said.push("--quick never ranks.".to_string());
    }
    if comparison.interrupted {
        said.push("It was interrupted, and shows what was known by then.".to_string());
    }
    said
}

/// Why nothing may be ranked at all: the same server twice came out as two.
pub fn unfit(comparison: &Comparison) -> Option<String> {
    let (server, control) = comparison.control()?;
    let ranked = Scenario::ALL.into_iter().flat_map(|scenario| {
        let rankings = rankings(comparison, scenario).into_iter();
        rankings.filter_map(move |ranking| Some((scenario, ranking.clients, scenario.figure()?)))
    });
    let stalled = [Scenario::AllRead, Scenario::OneStalls].into_iter().flat_map(|scenario| {
        let sizes = comparison.sizes(scenario).into_iter();
        sizes.map(move |clients| (scenario, clients, Figure::P99))
    });
    let (scenario, clients, figure) =
        ranked.chain(stalled).find(|(scenario, clients, figure)| {
            let spread = |one| comparison.spread(one, *scenario, *clients, *figure);
            let both = spread(server).zip(spread(control));
            both.is_some_and(|(one, two)| one.differs_from(&two, comparison.plan.comparisons))
        })?;
    Some(format!(
        "This machine is unfit to compare servers, and nothing is ranked: it tells {} from {}, \
         which is the same server under another name ({}, {} clients, {}).",
        comparison.name(control),
        comparison.name(server),
        scenario.name(),
        count(clients),
        figure.in_words()
    ))
}

/// The rankings of a scenario in words.
pub fn paragraph(comparison: &Comparison, scenario: Scenario) -> String {
    match scenario {
        Scenario::AllRead => return String::new(), // the next one is compared with it
        Scenario::OneStalls => return stalled(comparison),
        Scenario::Counted => return calls(comparison),
        _ => {}
    }
    if unfit(comparison).is_some() {
        return "Nothing is ranked: the machine is unfit.".to_string();
    }
    let rankings = rankings(comparison, scenario);
    let mut sentences: Vec<String> =
        rankings.iter().map(|ranking| sentence(comparison, scenario, ranking)).collect();
    match rankings.last() {
        Some(last) => sentences.extend(doubt(comparison, scenario, last.clients)),
        None => sentences.push("Too few runs succeeded to compare anything here.".to_string()),
    }
    sentences.join(" ")
}

fn sentence(comparison: &Comparison, scenario: Scenario, ranking: &Ranking) -> String {
    let name = |entry: &Entry| comparison.name(entry.0).to_string();
    let names = |group: &[Entry]| and_list(&group.iter().map(name).collect::<Vec<_>>());
    let with = format!("With {} clients", count(ranking.clients));
    let all = ranking.groups.concat();
    let what = scenario.figure().map_or("", Figure::in_words);
    if all.len() < 2 {
        return format!("{with} there is nothing to compare {} with.", names(&all));
    }
    if !ranking.decides {
        let needed = rounds_needed(comparison.plan.comparisons);
        let runs = ranking.runs;
        return format!(
            "{with} nothing is ranked: so few rounds ({runs}) cannot decide, {needed} would."
        );
    }
    let [best, others @ ..] = &ranking.groups[..] else { return with };
    if others.is_empty() {
        return format!("{with}, {what}: no difference seen between {}.", names(best));
    }
    let least = best[0].1.median();
    let listed = |group: &Vec<Entry>| {
        let entry = |entry: &Entry| {
            format!("{} ({} times as much)", name(entry), readable(entry.1.median() / least))
        };
        format!(", then {}", and_list(&group.iter().map(entry).collect::<Vec<_>>()))
    };
    let others: String = others.iter().map(listed).collect();
    format!("{with}, {what}, the least first: {}{others}.", names(best))
}

/// Where the generator itself was late, in ms: that is part of the latency that it measures.
fn doubt(comparison: &Comparison, scenario: Scenario, clients: usize) -> Option<String> {
    let is_late = |contestant: &usize| {
        let results = comparison.find(*contestant, scenario, clients);
        let of = |figure| results.and_then(|results| results.median(figure)).unwrap_or_default();
        let lateness = of(Figure::Lateness);
        lateness > 0.5 && lateness > of(Figure::P99) / 4.0
    };
    let late: Vec<&str> =
        comparison.servers().filter(is_late).map(|one| comparison.name(one)).collect();
    (!late.is_empty()).then(|| {
        format!(
            "The generator itself was late against {}: the machine was busy with other things, \
             and those latencies are too high.",
            and_list(&late)
        )
    })
}

/// Which system calls a delivery takes, and what they tell of the design.
pub fn calls(comparison: &Comparison) -> String {
    let all = comparison.servers();
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
    let listed = |figure| {
        let calls = run.calls.get(&figure).into_iter().flatten();
        let calls = calls.filter(|(_, each)| *each >= 0.001);
        calls.map(|(call, each)| format!("{call} {}", readable(*each))).collect::<Vec<_>>()
    };
    format!(
        "{name}: {} for a message that comes alone, {} for one that comes in a burst.",
        listed(Figure::SystemCalls).join(", "),
        listed(Figure::SystemCallsInBursts).join(", ")
    )
}

/// What one client that never reads does to the others.
fn stalled(comparison: &Comparison) -> String {
    let sentence = |contestant| {
        let name = comparison.name(contestant);
        let clients = *comparison.sizes(Scenario::OneStalls).first()?;
        let results = comparison.find(contestant, Scenario::OneStalls, clients)?;
        let ending = results.runs.iter().find_map(|run| run.ending.as_deref());
        let it = ending.map_or(String::new(), |ending| format!("; the server {ending}"));
        Some(match effect(comparison, contestant)? {
            Effect::Stops => format!(
                "In {name} one client that does not read stops the others: {}.",
                results.failure().unwrap_or("it failed")
            ),
            Effect::Slows(times) => format!(
                "In {name} the others wait longer, {} times as long at p99{it}.",
                readable(times)
            ),
            Effect::Nothing => format!("In {name} no difference was seen for the others{it}."),
            Effect::Unknown => format!(
                "What it does to the others in {name} is undecided{it}. {}",
                match unfit(comparison) {
                    Some(_) => "The machine is unfit.".to_string(),
                    None =>
                        format!("It takes {} rounds.", rounds_needed(comparison.plan.comparisons)),
                }
            ),
        })
    };
    comparison.servers().filter_map(sentence).collect::<Vec<_>>().join(" ")
}

/// What the one who does not read does to those who do.
#[derive(Debug, PartialEq)]
pub enum Effect {
    /// No difference was seen.
    Nothing,
    /// So many times the p99 without it.
    Slows(f64),
    Stops,
    Unknown,
}

pub fn effect(comparison: &Comparison, contestant: usize) -> Option<Effect> {
    let clients = *comparison.sizes(Scenario::OneStalls).first()?;
    let p99 = |scenario| comparison.spread(contestant, scenario, clients, Figure::P99);
    let comparisons = comparison.plan.comparisons;
    if comparison.find(contestant, Scenario::OneStalls, clients)?.failure().is_some() {
        return Some(Effect::Stops);
    }
    let Some((with, without)) = p99(Scenario::OneStalls).zip(p99(Scenario::AllRead)) else {
        return Some(Effect::Unknown);
    };
    let decides = can_decide(with.runs(), without.runs(), comparisons);
    Some(match with.median() / without.median() {
        _ if !decides || unfit(comparison).is_some() => Effect::Unknown,
        times if times > 1.0 && with.differs_from(&without, comparisons) => Effect::Slows(times),
        _ => Effect::Nothing,
    })
}

/// Where a server fails, or needs ten times as much of what the chart shows as it did with
/// fewer clients.
pub fn cliffs(comparison: &Comparison) -> Vec<String> {
    let of = |contestant| {
        let cliff = |scenario: &Scenario| cliff(comparison, contestant, *scenario);
        let found: Vec<String> = Scenario::ALL.iter().filter_map(cliff).collect();
        let mine = comparison.results.iter().filter(|results| results.contestant == contestant);
        let most = mine.map(|results| results.clients).max().unwrap_or_default();
        match found.is_empty() {
            true => {
                let name = comparison.name(contestant);
                vec![format!("{name}: no cliff up to {} clients.", count(most))]
            }
            false => found,
        }
    };
    comparison.servers().flat_map(of).collect()
}

fn cliff(comparison: &Comparison, contestant: usize, scenario: Scenario) -> Option<String> {
    let name = comparison.name(contestant);
    // Of latencies it is the clock's, and what else the machine does must make no cliff.
    let figure = scenario.figure().filter(|figure| *figure != Figure::P99);
    let mut best: Option<f64> = None;
    let mut before = 0;
    for clients in comparison.sizes(scenario) {
        let Some(results) = comparison.find(contestant, scenario, clients) else { continue };
        let with = format!("with {} clients ({})", count(clients), scenario.name());
        if let Some(outcome) = results.runs.iter().find(|run| run.failure.is_some()) {
            let worked = match before {
                0 => String::new(),
                before => format!("; with {} it still worked", count(before)),
            };
            let culprit = culprit(outcome, scenario, clients);
            return Some(format!("{name} fails {with}{worked}: {culprit}."));
        }
        before = clients;
        let Some(now) = figure.and_then(|figure| results.median(figure)) else { continue };
        if let Some(best) = best.filter(|best| now >= best * CLIFF) {
            let (times, what) = (readable(now / best), figure.map_or("", Figure::in_words));
            return Some(format!("{name} {with} needs {times} times the {what}."));
        }
        best = Some(best.map_or(now, |best| best.min(now)));
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
            "by what its protocol asks for: each newcomer is told to everybody, which makes {} \
             notices ({failure})",
            count(clients * clients / 2)
        ),
        None => failure.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::plan::{Cell, Plan};
    use crate::compare::results::Entrant;

    /// A whole report on three servers and the control, whose figures are `true_figures` of the
    /// four times what a busy machine makes of it: a factor for each run, and one for the round.
    fn simulated(seed: u64, quick: bool, true_figures: [f64; 4]) -> Comparison {
        let mut plan = Plan::new(&[10, 100], None, quick, &[]);
        plan.repeat(3, quick, None);
        let entrant = |index: usize| Entrant {
            name: ["a", "b", "c", "control"][index].to_string(),
            control_of: (index == 3).then_some(0),
            ..Entrant::default()
        };
        let mut comparison = Comparison {
            contestants: (0..4).map(entrant).collect(),
            plan: plan.clone(),
            ..Comparison::default()
        };
        let mut random = fastrand::Rng::with_seed(seed);
        let mut noise = |size: f64| (size * (0..12).map(|_| random.f64() - 0.5).sum::<f64>()).exp();
        for round in 0..plan.rounds {
            for cell in plan.cells_of(round) {
                let in_this_round = noise(0.1);
                for (contestant, figure) in true_figures.into_iter().enumerate() {
                    let value = figure * in_this_round * noise(0.1);
                    let mut outcome = Outcome::default();
                    for figure in [Figure::Cpu, Figure::P99, Figure::Memory] {
                        outcome.figures.set(figure, value);
                    }
                    comparison.note(cell, contestant, outcome);
                }
            }
        }
        comparison
    }

    fn ranks_anything(comparison: &Comparison) -> bool {
        let all = Scenario::ALL.into_iter();
        all.flat_map(|scenario| rankings(comparison, scenario)).any(|r| r.groups.len() > 1)
            || comparison
                .servers()
                .any(|one| matches!(effect(comparison, one), Some(Effect::Slows(_))))
    }

    #[test]
    fn twenty_reports_on_equal_servers_rank_nothing() {
        for seed in 0..20 {
            let comparison = simulated(seed, false, [1.0; 4]);
            assert!(!ranks_anything(&comparison), "seed {seed}");
            assert_eq!(unfit(&comparison), None, "seed {seed}");
        }
    }

    #[test]
    fn what_differs_is_ranked_but_never_by_a_quick_run() {
        let said = |quick| {
            let comparison = simulated(1, quick, [2.0, 8.0, 1.0, 2.0]);
            paragraph(&comparison, Scenario::AllSpeak)
        };
        assert!(said(false).contains("the least first: c, then a ("), "{}", said(false));
        assert!(
            said(true).ends_with("so few rounds (2) cannot decide, 8 would."),
            "{}",
            said(true)
        );
    }

    #[test]
    fn where_the_control_is_told_from_its_twin_nothing_is_ranked() {
        let comparison = simulated(1, false, [2.0, 8.0, 1.0, 4.0]);
        assert!(unfit(&comparison).unwrap().contains("tells control from a"));
        assert_eq!(
            paragraph(&comparison, Scenario::Pairs),
            "Nothing is ranked: the machine is unfit."
        );
        assert_eq!(effect(&comparison, 1), Some(Effect::Unknown));
    }

    #[test]
    fn a_cliff_is_ten_times_the_figure_of_the_chart() {
        let mut comparison = simulated(1, false, [1.0; 4]);
        let mut outcome = Outcome::default();
        outcome.figures.set(Figure::Cpu, 30.0);
        let cell = Cell { scenario: Scenario::OneSpeaks, clients: 1000, once: true };
        comparison.note(cell, 1, outcome);
        let cliffs = cliffs(&comparison);
        assert_eq!(cliffs[0], "a: no cliff up to 100 clients.");
        assert!(
            cliffs[1].starts_with("b with 1,000 clients (room, one speaks) needs"),
            "{cliffs:?}"
        );
    }

    #[test]
    fn a_cliff_is_named_by_what_the_server_said() {
        let outcome = Outcome {
            failure: Some("only 16000 of 19500 clients got in".to_string()),
            last_words: "cannot start a thread: Resource temporarily unavailable".to_string(),
            ..Outcome::default()
        };
        assert!(culprit(&outcome, Scenario::Idle, 19_500).starts_with("by threads"));
    }
}
