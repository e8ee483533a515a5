//! The report as one HTML page: charts, the table under each, and what may be said about it.

use super::chart::{Axis, Chart, Series};
use super::figures::{Figure, count, readable};
use super::findings;
use super::message::LONG_TEXT_BYTES;
use super::predict::{self, Verdict};
use super::results::{Comparison, Results};
use super::scenario::{
    COUNTED_CLIENTS, SPEAKERS_MAX, STALLED_CLIENTS, STALLED_RATE, STEADY_DELIVERIES, Scenario,
    WINDOW,
};
use super::statistics::Spread;
use super::terminal::columns;
use askama::Template;

#[derive(Template)]
#[template(path = "compare.html")]
struct Page<'a> {
    comparison: &'a Comparison,
    /// As `4:45`.
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
    /// A row for each place on the x axis, a column for each contestant.
    rows: Vec<(String, Vec<String>)>,
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
    let seconds = comparison.seconds as u64;
    let page = Page {
        comparison,
        minutes: format!("{}:{:02}", seconds / 60, seconds % 60),
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
        tables: scenarios.iter().filter_map(|scenario| table(comparison, *scenario)).collect(),
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
        of(
            "System calls",
            format!("A fixed script, its calls counted one by one (never while time is measured): {COUNTED_CLIENTS} clients in one room, messages that come alone, and bursts of {WINDOW} in one segment."),
            &[Scenario::Counted],
            vec![calls_chart(comparison)],
        ),
    ];
    sections.into_iter().filter(|section| !section.tables.is_empty()).collect()
}

fn line_for_each(comparison: &Comparison) -> String {
    let mut each = comparison.contestants.iter().filter(|one| one.line_for_each_receiver);
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
    let place = |clients: usize| Place {
        x: clients as f64,
        name: count(clients),
        scenario,
        clients,
        figure,
    };
    let places = comparison.sizes(scenario).into_iter().map(place);
    let paragraph = findings::paragraph(comparison, scenario, figure);
    figured(comparison, caption, Axis::Log, &places.collect::<Vec<_>>(), paragraph)
}

fn stalled_chart(comparison: &Comparison) -> Figured {
    let scenarios = [Scenario::AllRead, Scenario::OneStalls];
    let places = (0..).map(f64::from).zip(["everybody reads", "one does not"]).zip(scenarios);
    let place = |((x, name), scenario): ((f64, &str), _)| Place {
        x,
        name: name.to_string(),
        scenario,
        clients: STALLED_CLIENTS,
        figure: Figure::P99,
    };
    let caption = "Latency of the readers, p99, ms";
    let places: Vec<Place> = places.map(place).collect();
    figured(comparison, caption, Axis::Names, &places, findings::stalled(comparison))
}

fn calls_chart(comparison: &Comparison) -> Figured {
    let figures = [Figure::SystemCalls, Figure::SystemCallsInBursts];
    let places = (0..).map(f64::from).zip(["said alone", "in bursts"]).zip(figures);
    let place = |((x, name), figure): ((f64, &str), _)| Place {
        x,
        name: name.to_string(),
        scenario: Scenario::Counted,
        clients: COUNTED_CLIENTS,
        figure,
    };
    figured(
        comparison,
        "System calls per delivery",
        Axis::Names,
        &places.map(place).collect::<Vec<_>>(),
        findings::calls(comparison),
    )
}

/// A place on the x axis, its name, and the figure that stands there.
struct Place {
    x: f64,
    name: String,
    scenario: Scenario,
    clients: usize,
    figure: Figure,
}

fn figured(
    comparison: &Comparison,
    caption: &str,
    x: Axis,
    places: &[Place],
    paragraph: String,
) -> Figured {
    let all = || 0..comparison.contestants.len();
    let spread = |contestant: usize, place: &Place| {
        comparison.spread(contestant, place.scenario, place.clients, place.figure)
    };
    let points = |contestant| {
        let point = |place: &Place| Some((place.x, spread(contestant, place)?));
        places.iter().filter_map(point).collect()
    };
    let series = |contestant| Series {
        name: comparison.name(contestant).to_string(),
        style: contestant,
        points: points(contestant),
    };
    let chart = Chart {
        label: format!("{caption}. {paragraph}"),
        x,
        x_names: places.iter().map(|place| place.name.clone()).collect(),
        series: all().map(series).collect(),
    };
    let cell = |spread: Option<Spread>| spread.map_or("-".to_string(), |spread| spread.to_string());
    let row = |place: &Place| {
        let cells = all().map(|contestant| cell(spread(contestant, place)));
        (place.name.clone(), cells.collect())
    };
    Figured {
        caption: caption.to_string(),
        svg: chart.svg(),
        paragraph,
        rows: places.iter().map(row).collect(),
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
        clients: count(results.clients),
        server: comparison.name(results.contestant).to_string(),
        style: results.contestant,
        cells: columns(results.scenario).iter().map(cell).collect(),
        failure: results.failure().map(str::to_string),
    }
}
