//! A recording as a trace that Perfetto and Chromium's `about:tracing` open. One process for each
//! program, one track for each thread and each person.

use super::recording::{Recording, Run, What};
use serde_json::{Value, json};

/// People's tracks come behind all threads.
const PEOPLE: i64 = 10_000_000;

pub fn chrome(recording: &Recording) -> Value {
    let events: Vec<Value> = recording
        .runs
        .iter()
        .enumerate()
        .flat_map(|(at, run)| of_run(at as i64 + 1, run))
        .collect();
    json!({ "traceEvents": events, "displayTimeUnit": "ms" })
}

fn of_run(process: i64, run: &Run) -> Vec<Value> {
    let name = |what: &str, track: i64, name: &str| json!({ "ph": "M", "name": what, "pid": process, "tid": track, "args": { "name": name } });
    let mut events = vec![name("process_name", 0, &run.name)];
    events.extend(run.threads.iter().map(|it| name("thread_name", it.id.into(), &it.name)));
    let people = run.people.iter().enumerate();
    events.extend(people.map(|(at, who)| name("thread_name", PEOPLE + at as i64, who)));
    for (number, event) in run.events.iter().enumerate() {
        let point = |who: &str, label: String| {
            let track = run.people.iter().position(|name| name == who).unwrap_or_default() as i64;
            json!({ "ph": "i", "s": "t", "name": label, "pid": process, "tid": PEOPLE + track, "ts": event.at })
        };
        match &event.what {
            What::Connects { who } => events.push(point(who, "connects".to_string())),
            What::Sends { who, text, .. } => events.push(point(who, format!("sends {text}"))),
            What::Receives { who, text, .. } => events.push(point(who, format!("receives {text}"))),
            What::Ends { who, how } => events.push(point(who, format!("ends: {how:?}"))),
            What::SeesEnd { who, how } => events.push(point(who, format!("sees the end: {how:?}"))),
            What::Types { who, text } => events.push(point(who, format!("types {text}"))),
            What::Shows { text } => events.push(json!({
                "ph": "i", "s": "p", "name": format!("prints {text}"), "pid": process, "tid": 0, "ts": event.at
            })),
            What::Call(call) => events.push(json!({
                "ph": "X", "name": call.words, "cat": call.kind.class(), "pid": process,
                "tid": call.thread, "ts": call.began, "dur": event.at.saturating_sub(call.began)
            })),
            What::Wakes { from, to } => {
                for (phase, thread) in [("s", from), ("f", to)] {
                    events.push(json!({
                        "ph": phase, "name": "wakes", "cat": "wakes", "id": number, "bp": "e",
                        "pid": process, "tid": thread, "ts": event.at
                    }));
                }
            }
        }
    }
    events
}
