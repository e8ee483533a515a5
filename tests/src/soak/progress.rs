//! How far a soak has come, on stderr, if that is a terminal.

use super::run::Limit;
use super::tally::Tally;
use indicatif::{ProgressBar, ProgressStyle};
use std::time::Instant;

pub struct Bar {
    bar: ProgressBar,
    name: String,
    limit: Limit,
    began: Instant,
}

impl Bar {
    pub fn new(name: &str, limit: Limit) -> Bar {
        let length = match limit {
            Limit::Rounds(rounds) => rounds,
            Limit::Time(time) => time.as_secs(),
        };
        let style = ProgressStyle::with_template("{bar:24} {msg}").expect("the template is right");
        let bar = ProgressBar::new(length).with_style(style);
        if bar.is_hidden() {
            eprintln!("{name} soaks"); // nothing that moves
        }
        Bar { bar, name: name.to_string(), limit, began: Instant::now() }
    }

    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    pub fn show(&self, tally: &Tally) {
        let left = match self.limit {
            Limit::Rounds(rounds) => {
                self.bar.set_position(tally.rounds);
                format!("{} rounds", rounds - tally.rounds)
            }
            Limit::Time(time) => {
                self.bar.set_position(self.began.elapsed().as_secs());
                let left = time.saturating_sub(self.began.elapsed()).as_secs();
                format!("{}:{:02}", left / 60, left % 60)
            }
        };
        self.bar.set_message(format!(
            "{left} left of {}: {} rounds, {} lines, {} faults",
            self.name,
            tally.rounds,
            tally.lines,
            tally.faults()
        ));
    }
}
