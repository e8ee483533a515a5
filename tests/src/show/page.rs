//! The page: one file, no network, all runs side by side.

use super::difference::first_difference;
use super::layout::Scale;
use super::recording::{Kind, Recording, Run, What};
use super::svg::{draw, duration};
use askama::Template;

#[derive(Template)]
#[template(path = "show.html")]
struct Page {
    title: String,
    command: String,
    kinds: [Kind; 6],
    panels: Vec<Panel>,
    difference: Option<String>,
    has_threads: bool,
}

/// One run on the page.
struct Panel {
    name: String,
    steps: String,
    time: String,
    /// What can be read off it, as sentences.
    facts: Vec<String>,
    source: String,
    rows: Vec<TableRow>,
}

struct TableRow {
    at: String,
    who: String,
    what: String,
}

pub fn html(recording: &Recording, command: &str) -> anyhow::Result<String> {
    let panels: Vec<Panel> = recording
        .runs
        .iter()
        .enumerate()
        .map(|(at, run)| panel(run, &format!("run{at}")))
        .collect();
    let page = Page {
        title: recording.title.clone(),
        command: command.to_string(),
        kinds: Kind::ALL,
        panels,
        difference: first_difference(&recording.runs),
        has_threads: recording.runs.iter().any(|run| !run.threads.is_empty()),
    };
    Ok(page.render()?)
}

fn panel(run: &Run, id: &str) -> Panel {
    Panel {
        name: run.name.clone(),
        steps: draw(run, Scale::Steps, &format!("{id}s")),
        time: draw(run, Scale::Time, &format!("{id}t")),
        facts: facts(run),
        source: run.source.clone(),
        rows: table(run),
    }
}

/// What the picture shows, counted.
fn facts(run: &Run) -> Vec<String> {
    let mut facts = Vec::new();
    let calls = run.events.iter().filter(|event| matches!(event.what, What::Call(_))).count();
    if calls > 0 {
        facts.push(format!(
            "{} with {calls} calls that are drawn",
            many(run.threads.len(), "thread")
        ));
    }
    let waits = run.moments.iter().flat_map(|moment| {
        moment.waited.iter().map(move |(who, micros)| (*micros, who, &moment.what))
    });
    if let Some((micros, who, what)) = waits.max() {
        facts.push(format!("the longest wait: {who}, {} ({what})", duration(micros)));
    }
    for moment in run.moments.iter().filter(|moment| !moment.missing.is_empty()) {
        facts.push(format!("{}: has not come: {}", moment.what, moment.missing.join("; ")));
    }
    facts
}

fn many(count: usize, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

/// The same as the picture, for those who cannot see it.
fn table(run: &Run) -> Vec<TableRow> {
    let mut rows: Vec<(u64, String, String)> = run
        .moments
        .iter()
        .map(|moment| (moment.at, String::new(), format!("— {} —", moment.what)))
        .collect();
    let events = run.events.iter().take(super::layout::DRAWN_MAX);
    rows.extend(events.map(|event| {
        let (who, what) = words(run, &event.what);
        (event.at, who, what)
    }));
    rows.sort_by_key(|(at, ..)| *at);
    rows.into_iter().map(|(at, who, what)| TableRow { at: duration(at), who, what }).collect()
}

fn words(run: &Run, what: &What) -> (String, String) {
    match what {
        What::Connects { who } => (who.clone(), "connects".to_string()),
        What::Sends { who, text, bytes, times } => {
            (who.clone(), format!("sends {bytes} bytes in {times} writes: {text}"))
        }
        What::Receives { who, text, bytes } => {
            (who.clone(), format!("receives {bytes} bytes: {text}"))
        }
        What::Ends { who, how } => (who.clone(), format!("ends its side: {how:?}")),
        What::SeesEnd { who, how } => (who.clone(), format!("sees the server's end: {how:?}")),
        What::Types { who, text } => (who.clone(), format!("types at the server: {text}")),
        What::Shows { text } => ("the console".to_string(), text.clone()),
        What::Call(call) => (
            format!("thread {}", run.thread_name(call.thread)),
            format!("{} (began at {})", call.words, duration(call.began)),
        ),
        What::Wakes { from, to } => (
            format!("thread {}", run.thread_name(*from)),
            format!("wakes {}", run.thread_name(*to)),
        ),
    }
}
