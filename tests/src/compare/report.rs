//! The report as one HTML page: of each scenario a chart, what may be said, and all figures.

use super::chart::{Chart, Series};
use super::figures::{Figure, count, readable};
use super::findings;
use super::message::LONG_TEXT_BYTES;
use super::predict::{self, Verdict};
use super::results::{Comparison, Results};
use super::scenario::{
    COUNTED_CLIENTS, SPEAKERS_MAX, STALLED_RATE, STEADY_DELIVERIES, Scenario, WINDOW,
};
use super::terminal::columns;
use askama::Template;

#[derive(Template)]
#[template(path = "compare.html")]
struct Page<'a> {
    comparison: &'a Comparison,
    /// As `4:45`.
    minutes: String,
    unfit: Option<String>,
    trust: Vec<String>,
    verdicts: Vec<Verdict>,
    sections: Vec<Section>,
    cliffs: Vec<String>,
}

/// One scenario.
struct Section {
    title: &'static str,
    /// What is done, before what is found.
    what: String,
    caption: &'static str,
    svg: Option<String>,
    paragraph: String,
    header: Vec<&'static str>,
    rows: Vec<Row>,
}

struct Row {
    clients: String,
    server: String,
    style: usize,
    cells: Vec<String>,
    failure: Option<String>,
}

pub fn html(comparison: &Comparison) -> anyhow::Result<String> {
    let seconds = comparison.seconds as u64;
    let measured = |scenario: &Scenario| !comparison.sizes(*scenario).is_empty();
    let page = Page {
        comparison,
        minutes: format!("{}:{:02}", seconds / 60, seconds % 60),
        unfit: findings::unfit(comparison),
        trust: findings::trust(comparison),
        verdicts: predict::verdicts(comparison),
        sections: Scenario::ALL
            .into_iter()
            .filter(measured)
            .map(|scenario| section(comparison, scenario))
            .collect(),
        cliffs: findings::cliffs(comparison),
    };
    Ok(page.render()?)
}

fn section(comparison: &Comparison, scenario: Scenario) -> Section {
    let paragraph = findings::paragraph(comparison, scenario);
    let caption = scenario.figure().map_or("", Figure::name);
    Section {
        title: scenario.name(),
        what: what(scenario),
        caption,
        svg: chart(comparison, scenario, format!("{caption}. {paragraph}")),
        paragraph,
        header: columns(scenario).iter().map(|figure| figure.name()).collect(),
        rows: rows(comparison, scenario),
    }
}

fn what(scenario: Scenario) -> String {
    match scenario {
        Scenario::OneSpeaks => format!(
            "Everyone is in one room. One client speaks and keeps {WINDOW} messages on their way; \
             all others hear each of them."
        ),
        Scenario::AllSpeak => format!(
            "Everyone speaks ({SPEAKERS_MAX} at most) and waits until all have heard it before \
             saying the next thing: people who answer each other."
        ),
        Scenario::Pairs => format!(
            "Clients 0 and 1, 2 and 3, ... write to each other, both ways, {WINDOW} messages on \
             their way each. A server whose protocol speaks only to everyone can do this with two \
             clients."
        ),
        Scenario::Steady => format!(
            "{} deliveries per second, by the clock, whatever the server does. Latency counts from \
             when a message was due to when a receiver has read it.",
            readable(STEADY_DELIVERIES)
        ),
        Scenario::AllRead => format!(
            "Messages of {LONG_TEXT_BYTES} bytes, {} each second, and all clients read them.",
            readable(STALLED_RATE)
        ),
        Scenario::OneStalls => "The same, and one more client never reads. The figures are those \
             of the readers."
            .to_string(),
        Scenario::Idle => "Clients connect and log in, 100 at a time, and then do nothing. Where \
             each arrival is told to everyone, they stay out of it: in stage 4 they give no name, \
             in stage 5 they leave #lobby at once."
            .to_string(),
        Scenario::Counted => format!(
            "A fixed script, its calls counted one by one (never while time is measured): \
             {COUNTED_CLIENTS} clients in one room, messages that come alone, and bursts of \
             {WINDOW} in one segment."
        ),
    }
}

fn chart(comparison: &Comparison, scenario: Scenario, label: String) -> Option<String> {
    let figure = scenario.figure()?;
    let series = |contestant| {
        let point = |clients: usize| {
            Some((clients as f64, comparison.spread(contestant, scenario, clients, figure)?))
        };
        Series {
            name: comparison.name(contestant).to_string(),
            style: contestant,
            points: comparison.sizes(scenario).into_iter().filter_map(point).collect(),
        }
    };
    let all = 0..comparison.contestants.len();
    Chart { label, series: all.map(series).collect() }.svg()
}

fn rows(comparison: &Comparison, scenario: Scenario) -> Vec<Row> {
    let with = |clients| {
        let all = 0..comparison.contestants.len();
        all.filter_map(move |one| comparison.find(one, scenario, clients))
    };
    let results = comparison.sizes(scenario).into_iter().flat_map(with);
    results.map(|results| row(comparison, results)).collect()
}

fn row(comparison: &Comparison, results: &Results) -> Row {
    let cell = |figure: &Figure| match results.spread(*figure) {
        Some(spread) => spread.to_string(),
        None => "not known".to_string(),
    };
    Row {
        clients: count(results.clients),
        server: comparison.name(results.contestant).to_string(),
        style: results.contestant,
        cells: columns(results.scenario).iter().map(cell).collect(),
        failure: results.failure().map(str::to_string),
    }
}
