//! Results for people and for machines: every format is a view of the one [`Report`], and adds
//! nothing to it. A test shows that totals and verdicts agree in all of them.

mod classroom50;
mod csv;
mod exercism;
mod gradescope;
mod json;
mod junit;
mod text;

pub use self::csv::table as csv_table;

use crate::check::{misconception, rule};
use crate::report::{Report, Verdict};
use chrono::{DateTime, Utc};

/// How a result is to be written.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Format {
    /// For the student, on a terminal or in a log
    Text,
    /// Everything the lab knows
    Json,
    /// JUnit XML, for Jenkins, GitLab and their kin
    Junit,
    /// Gradescope's results.json
    Gradescope,
    /// Exercism's results.json, version 3
    Exercism,
    /// Classroom 50's result.json
    Classroom50,
    /// One row for a table of the class
    Csv,
}

/// What a format needs to know beside the result.
#[derive(Debug, Clone)]
pub struct Setting {
    /// Whose result this is: the name of a folder or of a command.
    pub submission: String,
    pub when: DateTime<Utc>,
    /// Columns that a line of text may fill.
    pub width: usize,
}

impl Setting {
    /// As it is here and now.
    pub fn current(submission: &str) -> Setting {
        let submission = submission.strip_prefix("--folder ").unwrap_or(submission);
        Setting { submission: submission.to_string(), when: Utc::now(), width: terminal_width() }
    }
}

/// A text wider than this is tiring to read, one narrower than that has no room for columns.
const WIDTH_MAX: usize = 100;
const WIDTH_MIN: usize = 40;

/// 80 columns where the output is no terminal: logs are read in windows of any width.
pub fn terminal_width() -> usize {
    textwrap::termwidth().clamp(WIDTH_MIN, WIDTH_MAX)
}

impl Format {
    /// The whole text of `report` in this format, its last LF included. [`Format::Text`] holds
    /// colours, which a stream of `anstream` leaves out where they do not belong.
    pub fn render(self, report: &Report, setting: &Setting) -> anyhow::Result<String> {
        match self {
            Format::Text => Ok(text::render(report, setting)),
            Format::Json => json::render(report),
            Format::Junit => junit::render(report, setting),
            Format::Gradescope => gradescope::render(report),
            Format::Exercism => exercism::render(report),
            Format::Classroom50 => classroom50::render(report, setting),
            Format::Csv => csv::table(&[(setting.submission.as_str(), report)]),
        }
    }

    /// The name of the file in which the tools that read this format look for it.
    pub fn file_name(self) -> &'static str {
        match self {
            Format::Text => "result.txt",
            Format::Json => "result.json",
            Format::Junit => "junit.xml",
            Format::Gradescope | Format::Exercism => "results.json",
            Format::Classroom50 => "result.json",
            Format::Csv => "result.csv",
        }
    }

    /// What `lab check` ends with: 0 all passed, 1 at least one failed, 3 inconclusive. Exercism
    /// and Classroom 50 take anything but 0 for a fault of the harness.
    pub fn exit_status(self, verdict: Verdict) -> u8 {
        match (self, verdict) {
            (Format::Exercism | Format::Classroom50, _) => 0,
            (_, Verdict::Passed | Verdict::Skipped) => 0,
            (_, Verdict::Failed) => 1,
            (_, Verdict::Inconclusive) => 3,
        }
    }
}

/// The explanation of one check in plain lines, for formats that have one field for all of it.
fn explanation(check: &crate::report::CheckResult) -> String {
    let mut text = check.message.clone();
    if let Some(misconception) = &check.misconception {
        text.push_str(&format!("\nmisconception: {misconception}"));
    }
    if !check.rule.is_empty() {
        let broken = broken_rule(check);
        let quoted = rule::sentence(broken).map(|text| format!(": {text}"));
        text.push_str(&format!("\nrule: {broken}{}", quoted.unwrap_or_default()));
    }
    if !check.steps.is_empty() {
        text.push_str("\nsteps:");
        for (number, step) in numbered(&check.steps) {
            text.push_str(&format!("\n  {number}. {step}"));
        }
    }
    for (label, value) in [
        ("expected", &check.expected),
        ("got", &check.got),
        ("printed", &check.output),
        ("read", &pages(check)),
        ("repeat", &check.repeat),
    ] {
        if !value.is_empty() {
            let value = value.replace('\n', "\n  ");
            text.push_str(&format!("\n{label}:\n  {value}"));
        }
    }
    text
}

/// The rule that was broken: that of the misconception, where one was named.
fn broken_rule(check: &crate::report::CheckResult) -> &str {
    let named = check.misconception.as_deref().and_then(misconception::by_name);
    named.and_then(|known| known.rule()).unwrap_or(&check.rule)
}

/// The steps with their numbers. Where older ones were dropped, the others keep theirs.
fn numbered(steps: &[String]) -> impl Iterator<Item = (usize, &str)> {
    let left_out = steps.first().and_then(|step| {
        step.strip_prefix('(')?.strip_suffix(" steps before these)")?.parse::<usize>().ok()
    });
    let first = left_out.map_or(1, |count| count + 1);
    (first..).zip(&steps[usize::from(left_out.is_some())..]).map(|(at, step)| (at, step.as_str()))
}

/// What to read, as paths in the kit: what usually makes programs behave like this, or else the
/// rule, and then the chapter.
fn pages(check: &crate::report::CheckResult) -> String {
    let first = match (&check.misconception, check.rule.as_str()) {
        (Some(name), _) => Some(format!("docs/src/misconceptions.md#{name}")),
        (None, "") => None,
        (None, rule) => Some(format!("docs/src/protocol.md#{rule}")),
    };
    let chapter = Some(&check.chapter).filter(|chapter| !chapter.is_empty());
    let chapter = chapter.map(|chapter| format!("docs/src/{chapter}"));
    first.into_iter().chain(chapter).collect::<Vec<_>>().join("\n")
}

#[cfg(test)]
mod tests;
