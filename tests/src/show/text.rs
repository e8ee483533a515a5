//! A run as text: the same sequence, in as many columns as there are.

use super::recording::{End, Run, What};
use super::svg::{duration, shorten};

/// Columns of one lane.
const LANE: usize = 8;

pub fn draw(run: &Run, columns: usize) -> String {
    let mut text = format!("{}\n\n", run.name);
    let lanes: Vec<&str> = run.people.iter().map(String::as_str).chain(["server"]).collect();
    text +=
        &lanes.iter().map(|lane| format!("{:LANE$}", shorten(lane, LANE - 4))).collect::<String>();
    text = text.trim_end().to_string() + "\n";
    let room = columns.saturating_sub(LANE * (lanes.len() - 1) + 3).max(20);
    let (mut moment, mut calls) = (0, 0);
    for event in &run.events {
        while let Some(next) = run.moments.get(moment).filter(|next| next.at <= event.at) {
            text += &heading(next, columns);
            moment += 1;
        }
        match line(run, &event.what, room) {
            Some(line) => text += &(line + "\n"),
            None => calls += 1,
        }
    }
    if calls > 0 {
        text += &format!("\n{calls} system calls of {} threads: see --html\n", run.threads.len());
    }
    text
}

fn heading(moment: &super::recording::Moment, columns: usize) -> String {
    let longest = moment.waited.iter().max_by_key(|(_, micros)| **micros);
    let waited = longest.map(|(who, micros)| format!("  [{who} after {}]", duration(*micros)));
    let mut text =
        format!("\n{}{}\n", shorten(&moment.what, columns - 28), waited.unwrap_or_default());
    for missing in &moment.missing {
        text += &format!("  has not come: {}\n", shorten(missing, columns - 20));
    }
    text
}

fn line(run: &Run, what: &What, room: usize) -> Option<String> {
    let server = run.people.len();
    let place = |who: &str| run.people.iter().position(|name| name == who).unwrap_or_default();
    let (who, to_server, label) = match what {
        What::Connects { who } => (who, true, "connects".to_string()),
        What::Sends { who, text, times: 1, .. } => (who, true, text.clone()),
        What::Sends { who, text, bytes, times } => {
            (who, true, format!("{times} times, {bytes} bytes: {text}"))
        }
        What::Receives { who, text, .. } => (who, false, text.clone()),
        What::Ends { who, how } => (who, true, end(*how)),
        What::SeesEnd { who, how } => (who, false, end(*how)),
        What::Types { who, text } => (who, true, format!("types {text}")),
        What::Shows { text } => {
            let lanes = format!("{:1$}", "│", LANE).repeat(server);
            return Some(format!("{lanes}│ prints {}", shorten(text, room - 10)));
        }
        What::Call(_) | What::Wakes { .. } => return None,
    };
    Some(format!("{} {}", arrow(server, place(who), to_server), shorten(&label, room - 4)))
}

fn end(how: End) -> String {
    match how {
        End::Fin => "FIN: no more from here".to_string(),
        End::Reset => "RST: all is over".to_string(),
    }
}

/// The lanes with an arrow between one person and the server.
fn arrow(server: usize, person: usize, to_server: bool) -> String {
    let mut line = String::new();
    for lane in 0..server {
        let (mark, fill) = match lane {
            lane if lane < person => ("│", ' '),
            lane if lane == person => (if to_server { "├" } else { "◀" }, '─'),
            _ => ("┼", '─'),
        };
        line += mark;
        let last = lane + 1 == server && to_server;
        line.extend(std::iter::repeat_n(fill, LANE - 1 - usize::from(last)));
        line += if last { "▶" } else { "" };
    }
    line + if to_server { "│" } else { "┤" }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_arrow_crosses_the_lanes_between() {
        assert_eq!(arrow(2, 0, true), "├───────┼──────▶│");
        assert_eq!(arrow(2, 1, false), "│       ◀───────┤");
    }
}
