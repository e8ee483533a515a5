//! What came of a soak.

use super::tally::{Looks, Tally};
use crate::check::outcome::Finding;
use std::fmt::Write;

#[derive(Debug)]
pub enum Verdict {
    /// Nothing was lost, doubled or reordered, and every fault has happened.
    Held,
    Broken(Box<Broken>),
    Inconclusive(String),
    Interrupted,
}

/// What is wrong, and in which round.
#[derive(Debug)]
pub struct Broken {
    pub round: u64,
    pub seed: u64,
    pub finding: Finding,
    pub steps: Vec<String>,
    pub output: String,
}

/// Lines and characters of a part of a report.
const LINES_SHOWN: usize = 6;
const CHARACTERS_SHOWN: usize = 110;

impl Broken {
    /// For people: what is wrong, and what was done before.
    pub fn told(&self) -> String {
        let Broken { round, seed, finding, steps, output } = self;
        let mut text = format!("round {round} (seed {seed}): {}\n", finding.message);
        let steps = steps.join("\n");
        let parts = [
            ("expected", &finding.expected),
            ("got", &finding.got),
            ("steps", &steps),
            ("output", output),
        ];
        for (title, part) in parts {
            for (at, line) in part.lines().take(LINES_SHOWN).enumerate() {
                let shown: String = line.chars().take(CHARACTERS_SHOWN).collect();
                let dots = if shown.len() < line.len() { "..." } else { "" };
                let title = if at == 0 { title } else { "" };
                let _ = writeln!(text, "  {title:<9} {shown}{dots}");
            }
        }
        text
    }
}

#[derive(Debug)]
pub struct Soaked {
    pub tally: Tally,
    pub looks: Looks,
    pub verdict: Verdict,
}
