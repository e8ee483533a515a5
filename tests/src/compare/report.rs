//! The report as one HTML page: charts, the table under each, and what may be said about it.

use super::chart::{Axis, Chart, Series};
use super::figures::{Figure, readable};
use super::findings;
use super::message::LONG_TEXT_BYTES;
use super::predict::{self, Verdict};
use super::results::{Comparison, Results};
use super::scenario::{SPEAKERS_MAX, STALLED_RATE, STEADY_DELIVERIES, Scenario, WINDOW};
use super::terminal::columns;
use askama::Template;

#[derive(Template)]
#[template(path = "compare.html")]
struct Page<'a> {
    comparison: &'a Comparison,
    minutes: String,
    verdicts: Vec<Verdict>,
    sections: Vec<Section>,
    cliffs: Vec<String>,
}

/// One scenario.
struct Section {
    title: &'static str,
    /// What is done, before what is found.
    what: String,
    charts: Vec<Figured>,
    tables: Vec<Table>,
}

/// A chart with its paragraph. Without a chart there was nothing to draw.
struct Figured {
    caption: String,
    svg: Option<String>,
    paragraph: String,
}

struct Table {
    caption: String,
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
    let page = Page {
        comparison,
        minutes: readable(comparison.seconds / 60.0),
        verdicts: predict::verdicts(comparison),
        sections: sections(comparison),
        cliffs: findings::cliffs(comparison),
    };
    Ok(page.render()?)
}

fn sections(comparison: &Comparison) -> Vec<Section> {
    let of = |title, what, scenarios: &[Scenario], charts| Section {
        title,
        what,
        charts,
        tables: scenarios
            .iter()
            .filter_map(|scenario| table(comparison, *scenario))
            .collect(),
    };
    let drawn = |caption: &str, scenario, figure| drawn(comparison, caption, scenario, figure);
    let sections = vec![
        of(
            "One room, one speaks",
            format!("Everyone is in one room. One client speaks and keeps {WINDOW} messages on their way; all others hear each of them. {}", line_for_each(comparison)),
            &[Scenario::OneSpeaks],
            vec![
                drawn("Deliveries per second", Scenario::OneSpeaks, Figure::DeliveriesPerSecond),
                drawn("Server CPU per delivery, µs", Scenario::OneSpeaks, Figure::Cpu),
            ],
        ),
        of(
            "One room, all speak",
            format!("Everyone speaks ({SPEAKERS_MAX} at most) and waits until all have heard it before saying the next thing: people who answer each other."),
            &[Scenario::AllSpeak],
            vec![
                drawn("Deliveries per second", Scenario::AllSpeak, Figure::DeliveriesPerSecond),
                drawn("Server CPU per delivery, µs", Scenario::AllSpeak, Figure::Cpu),
            ],
        ),
        of(
            "Pairs",
            format!("Clients 0 and 1, 2 and 3, ... write to each other, both ways, {WINDOW} messages on their way each. One line in, one line out: the same work for all. A server that speaks only to everyone can do this with two clients only."),
            &[Scenario::Pairs],
            vec![drawn("Server CPU per delivery, µs", Scenario::Pairs, Figure::Cpu)],
        ),
        of(
            "Steady",
            format!("{} deliveries per second, by the clock, whatever the server does. Latency counts from when a message was due to when a receiver has read it.", readable(STEADY_DELIVERIES)),
            &[Scenario::Steady],
            [("p50", Figure::Median), ("p99", Figure::P99), ("p99.9", Figure::P999)]
                .map(|(name, figure)| drawn(&format!("Latency {name}, ms"), Scenario::Steady, figure))
                .into(),
        ),
        of(
            "One client never reads",
            format!("Messages of {LONG_TEXT_BYTES} bytes, {} each second, first with all clients reading, then with one more that never reads. The figures are those of the readers.", readable(STALLED_RATE)),
            &[Scenario::AllRead, Scenario::OneStalls],
            vec![stalled_chart(comparison)],
        ),
        of(
            "Arrivals and idle clients",
            "Clients connect and log in, 100 at a time, and then do nothing. Where each arrival is told to everyone, they stay out of it: in stage 4 they give no name, in stage 5 they leave #lobby at once.".to_string(),
            &[Scenario::Idle],
            vec![
                drawn("Memory per client, KiB", Scenario::Idle, Figure::Memory),
                drawn("Logins per second", Scenario::Idle, Figure::Logins),
            ],
        ),
    ];
    sections
        .into_iter()
        .filter(|section| !section.tables.is_empty())
        .collect()
}

fn line_for_each(comparison: &Comparison) -> String {
    let mut each = comparison
        .contestants
        .iter()
        .filter(|one| one.line_for_each_receiver);
    match each.next() {
        Some(one) => format!(
            "{} has no line to everyone: its speaker sends one line for each receiver, and the \
             server has that much more to read. Compare it in the pairs.",
            one.name
        ),
        None => String::new(),
    }
}

fn drawn(comparison: &Comparison, caption: &str, scenario: Scenario, figure: Figure) -> Figured {
    let paragraph = findings::paragraph(comparison, scenario, figure);
    let points = |contestant| {
        let sizes = comparison.sizes(scenario).into_iter();
        let point = |clients| {
            let spread = comparison.spread(contestant, scenario, clients, figure)?;
            Some((clients as f64, spread))
        };
        sizes.filter_map(point).collect()
    };
    let chart = Chart {
        label: format!("{caption} against the number of clients. {paragraph}"),
        x_name: "clients".to_string(),
        y_name: caption.to_string(),
        x: Axis::Log,
        series: series(comparison, points),
    };
    Figured {
        caption: caption.to_string(),
        svg: chart.svg(),
        paragraph,
    }
}

fn series(
    comparison: &Comparison,
    points: impl Fn(usize) -> Vec<(f64, super::statistics::Spread)>,
) -> Vec<Series> {
    let all = 0..comparison.contestants.len();
    let series = all.map(|contestant| Series {
        name: comparison.name(contestant).to_string(),
        style: contestant,
        points: points(contestant),
    });
    series.collect()
}

fn stalled_chart(comparison: &Comparison) -> Figured {
    let clients = comparison.sizes(Scenario::AllRead).first().copied();
    let points = |contestant| {
        let places = [(0.0, Scenario::AllRead), (1.0, Scenario::OneStalls)];
        let point = |(place, scenario)| {
            let spread = comparison.spread(contestant, scenario, clients?, Figure::P99)?;
            Some((place, spread))
        };
        places.into_iter().filter_map(point).collect()
    };
    let paragraph = findings::stalled(comparison);
    let chart = Chart {
        label: format!("Latency p99 with and without a client that never reads. {paragraph}"),
        x_name: String::new(),
        y_name: "Latency of the readers, p99, ms".to_string(),
        x: Axis::Names(vec![
            "everybody reads".to_string(),
            "one does not".to_string(),
        ]),
        series: series(comparison, points),
    };
    Figured {
        caption: "Latency of the readers, p99, ms".to_string(),
        svg: chart.svg(),
        paragraph,
    }
}

fn table(comparison: &Comparison, scenario: Scenario) -> Option<Table> {
    let mut rows = Vec::new();
    for clients in comparison.sizes(scenario) {
        let all = 0..comparison.contestants.len();
        let results = all.filter_map(|one| comparison.find(one, scenario, clients));
        rows.extend(results.map(|results| row(comparison, results)));
    }
    let mut header = vec!["clients", "server"];
    header.extend(columns(scenario).iter().map(|figure| figure.name()));
    (!rows.is_empty()).then(|| Table {
        caption: format!("{}: median (lowest..highest) of the runs", scenario.name()),
        header,
        rows,
    })
}

fn row(comparison: &Comparison, results: &Results) -> Row {
    let cell = |figure: &Figure| match results.spread(*figure) {
        Some(spread) => spread.to_string(),
        None => "not known".to_string(),
    };
    Row {
        clients: readable(results.clients as f64),
        server: comparison.name(results.contestant).to_string(),
        style: results.contestant,
        cells: columns(results.scenario).iter().map(cell).collect(),
        failure: results.failure().map(str::to_string),
    }
}
