//! Two runs of one scene: where what somebody saw begins to differ. Pure.

use super::recording::{Run, What};

/// Of the first two runs that speak the same protocol, in words. `None`: there are no two.
pub fn first_difference(runs: &[Run]) -> Option<String> {
    let (one, other) = runs.iter().enumerate().find_map(|(at, one)| {
        runs[at + 1..].iter().find(|other| other.protocol == one.protocol).map(|other| (one, other))
    })?;
    for who in &one.people {
        let (left, right) = (lines(one, who), lines(other, who));
        let same = left.iter().zip(&right).take_while(|(left, right)| left == right).count();
        if same < left.len().max(right.len()) {
            let show = |lines: &[String]| {
                lines.get(same).map_or("nothing more".to_string(), |line| format!("`{line}`"))
            };
            return Some(format!(
                "The first difference: line {} that {who} sees is {} in {}, and {} in {}.",
                same + 1,
                show(&left),
                one.name,
                show(&right),
                other.name
            ));
        }
    }
    Some(format!("Everybody sees the same lines in {} and in {}.", one.name, other.name))
}

/// What somebody has received, however it was cut, without what differs each time: addresses.
fn lines(run: &Run, who: &str) -> Vec<String> {
    let mut text = String::new();
    for event in &run.events {
        if let What::Receives { who: receiver, text: received, .. } = &event.what
            && receiver == who
        {
            text += received;
        }
    }
    let without_port = |line: &str| match line.split_once("You are connected from") {
        Some((before, _)) => format!("{before}You are connected from ..."),
        None => line.to_string(),
    };
    text.split_terminator('⏎').map(without_port).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::show::recording::Event;

    fn run(received: &[&str]) -> Run {
        let events = received.iter().map(|text| Event {
            at: 0,
            what: What::Receives {
                who: "ann".to_string(),
                text: text.to_string(),
                bytes: text.len(),
            },
        });
        Run {
            name: "a run".to_string(),
            protocol: 4,
            people: vec!["ann".to_string()],
            threads: Vec::new(),
            source: String::new(),
            moments: Vec::new(),
            events: events.collect(),
            calls_cut: 0,
        }
    }

    #[test]
    fn how_the_bytes_were_cut_is_no_difference() {
        let found = first_difference(&[run(&["NICK⏎", "hi⏎"]), run(&["NICK⏎hi⏎"])]);
        assert!(found.unwrap().starts_with("Everybody sees the same lines"));
    }

    #[test]
    fn the_first_line_that_differs_is_named() {
        let found = first_difference(&[run(&["NICK⏎hi⏎"]), run(&["NICK⏎"])]).unwrap();
        assert!(found.contains("line 2 that ann sees is `hi`"), "{found}");
        assert!(found.contains("nothing more"), "{found}");
    }
}
