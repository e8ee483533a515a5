//! What the student reads. The last thing on the screen is what to mend first; above it, what is
//! right already, what was not judged, and what else failed.

use super::Setting;
use crate::check::rule;
use crate::report::{Cause, CheckResult, Report, Verdict};
use anstyle::{AnsiColor, Style};
use std::collections::BTreeSet;
use textwrap::core::display_width;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const UNSURE: Style = AnsiColor::Yellow.on_default();
const FAINT: Style = Style::new().dimmed();
const STRONG: Style = Style::new().bold();

/// The width of the labels in an explanation, the space after them included.
const LABEL_WIDTH: usize = 10;

/// How many of the last lines of the student's program are shown.
const OUTPUT_LINES_MAX: usize = 6;

/// Lines of the first failure: a terminal has a few more.
const FIRST_LINES_MAX: usize = 25;

/// Steps of the first failure that are shown where there is room; fewer, where there is not.
const FIRST_STEPS: std::ops::RangeInclusive<usize> = 2..=12;

/// Lines of a value, and characters of each, that are shown.
const VALUE_LINES_MAX: usize = 8;
const VALUE_CHARS_MAX: usize = 300;

pub fn render(report: &Report, setting: &Setting) -> String {
    let mut page = Page::new(setting.width);
    page.line(&format!(
        "{} {FAINT}·{FAINT:#} {}",
        styled(STRONG, &report.exercise),
        printable(report.command.trim_start_matches("-- "))
    ));
    page.passed(report);
    page.skipped(report);
    page.unsure(report);
    page.failures(report);
    page.summary(report);
    page.first(report);
    page.text
}

struct Page {
    width: usize,
    text: String,
}

impl Page {
    fn new(width: usize) -> Page {
        let text = String::new();
        Page { width, text }
    }

    fn line(&mut self, line: &str) {
        self.text.push_str(line.trim_end());
        self.text.push('\n');
    }

    fn failures(&mut self, report: &Report) {
        for check in with(report, Verdict::Failed).skip(1) {
            self.line("");
            self.failure(check, usize::MAX);
        }
    }

    /// What to mend first, with so few of its steps that it is one screen.
    fn first(&mut self, report: &Report) {
        let Some(check) = with(report, Verdict::Failed).next() else { return };
        let before = self.text.len();
        for steps in FIRST_STEPS.rev() {
            self.text.truncate(before);
            self.line("");
            self.failure(check, steps);
            if self.text[before..].lines().count() <= FIRST_LINES_MAX {
                break;
            }
        }
    }

    fn failure(&mut self, check: &CheckResult, steps: usize) {
        let title = check.misconception.as_ref().unwrap_or(&check.name);
        let named = check.misconception.is_some();
        self.heading(BAD, "✗", title, &mark(check, named));
        self.explain(check, steps);
    }

    fn unsure(&mut self, report: &Report) {
        for check in with(report, Verdict::Inconclusive).filter(|check| !was_left(check)) {
            self.line("");
            let mark = match check.points > 0.0 {
                true => "inconclusive: not counted against you",
                false => "inconclusive: earns nothing",
            };
            self.heading(UNSURE, "?", &check.name, mark);
            self.explain(check, usize::MAX);
        }
    }

    /// `✗ title                    mark`, the mark at the right edge if there is room.
    fn heading(&mut self, style: Style, sign: &str, title: &str, mark: &str) {
        let title = format!("{style}{sign} {title}{style:#}");
        let used = display_width(&title) + display_width(mark);
        if used + 2 > self.width {
            self.line(&title);
            return self.line(&format!("  {}", styled(FAINT, mark)));
        }
        let gap = " ".repeat(self.width - used);
        self.line(&format!("{title}{gap}{}", styled(FAINT, mark)));
    }

    /// With the last `steps` of what was done.
    fn explain(&mut self, check: &CheckResult, steps: usize) {
        for line in check.message.lines() {
            self.wrapped(line, "  ", "  ");
        }
        self.line("");
        let broken = super::broken_rule(check);
        if let Some(rule) = rule::sentence(broken) {
            let label = format!("  {}", pad(broken));
            self.wrapped(&rule, &label, &" ".repeat(label.len()));
        }
        let all: Vec<_> = super::numbered(&check.steps).collect();
        let shown = &all[all.len().saturating_sub(steps)..];
        let digits = all.last().map_or(1, |(number, _)| number.to_string().len());
        for (at, (number, step)) in shown.iter().enumerate() {
            let label = if at == 0 { "steps" } else { "" };
            let first = format!("  {}{number:>digits$}. ", pad(label));
            self.wrapped(step, &first, &" ".repeat(first.len()));
        }
        self.field("expected", &check.expected, GOOD);
        self.field("got", &check.got, BAD);
        self.field("printed", &last_lines(&check.output), FAINT);
        self.field("read", &super::pages(check), Style::new());
        self.field("repeat", &check.repeat, Style::new());
    }

    /// A labelled value. One of several lines is a picture (bytes with a caret below), so it is
    /// not wrapped; nor is a command, which must survive being copied.
    fn field(&mut self, label: &str, value: &str, style: Style) {
        let value = printable(value);
        let more = value.lines().count().saturating_sub(VALUE_LINES_MAX);
        for (number, line) in value.lines().take(VALUE_LINES_MAX).enumerate() {
            let label = pad(if number == 0 { label } else { "" });
            // A command must survive being copied.
            let line = if label.trim() == "repeat" { line.to_string() } else { brief(line) };
            let line = format!("  {}{}", styled(FAINT, &label), styled(style, &line));
            self.line(&line);
        }
        if more > 0 {
            self.line(&format!("  {}{FAINT}... {more} more lines{FAINT:#}", pad("")));
        }
    }

    fn wrapped(&mut self, text: &str, first: &str, others: &str) {
        let options = textwrap::Options::new(self.width)
            .initial_indent(first)
            .subsequent_indent(others)
            .break_words(false)
            .word_splitter(textwrap::WordSplitter::NoHyphenation); // names have hyphens
        for line in textwrap::wrap(&printable(text), options) {
            self.line(&line);
        }
    }

    /// Checks that were skipped for the same reason stand together: there may be many.
    fn skipped(&mut self, report: &Report) {
        let mut groups: Vec<(&str, Vec<&str>)> = Vec::new();
        let left = with(report, Verdict::Inconclusive).filter(|check| was_left(check));
        for check in with(report, Verdict::Skipped).chain(left) {
            match groups.iter_mut().find(|(why, _)| *why == check.message) {
                Some((_, names)) => names.push(&check.name),
                None => groups.push((&check.message, vec![&check.name])),
            }
        }
        for (why, names) in groups {
            self.line("");
            let start = self.text.len();
            self.wrapped(&format!("– {why}"), "", "  ");
            self.wrapped(&names.join(", "), "    ", "    ");
            let lines = self.text.split_off(start);
            self.text.push_str(&format!("{FAINT}{lines}{FAINT:#}"));
        }
    }

    fn passed(&mut self, report: &Report) {
        let checks: Vec<_> = with(report, Verdict::Passed).collect();
        if !checks.is_empty() {
            self.line("");
        }
        for check in checks {
            self.heading(GOOD, "✓", &check.name, &mark(check, false));
        }
    }

    fn summary(&mut self, report: &Report) {
        let count = |verdict| with(report, verdict).count();
        let style = match report.verdict {
            Verdict::Passed | Verdict::Skipped => GOOD.bold(),
            Verdict::Failed => BAD,
            Verdict::Inconclusive => UNSURE,
        };
        let counts = [
            (Verdict::Failed, "failed"),
            (Verdict::Inconclusive, "inconclusive"),
            (Verdict::Skipped, "skipped"),
            (Verdict::Passed, "passed"),
        ];
        let counts: Vec<String> = counts
            .into_iter()
            .filter(|(verdict, _)| count(*verdict) > 0)
            .map(|(verdict, word)| format!("{} {word}", count(verdict)))
            .collect();
        let score = format!("{} of {} points", report.score, report.max_score);
        self.line("");
        self.line(&format!("{}: {}", styled(style, &score), counts.join(", ")));
        self.line(&format!(
            "{FAINT}in {:.1} s; --seed {} repeats it{FAINT:#}",
            report.seconds, report.seed
        ));
        if report.verdict == Verdict::Failed {
            self.right_already(report);
        }
        if let Some(cause) = report.cause.as_ref().and_then(Cause::in_words) {
            self.wrapped(&cause, "", "  ");
        }
    }

    /// The rules of which nothing failed.
    fn right_already(&mut self, report: &Report) {
        let rules = |wanted: fn(Verdict) -> bool| -> BTreeSet<&str> {
            let checks = report.checks.iter().filter(|check| wanted(check.verdict));
            checks.map(|check| check.rule.as_str()).collect()
        };
        let (passed, other) =
            (rules(|is| is == Verdict::Passed), rules(|is| is != Verdict::Passed));
        let right: Vec<&str> = passed.difference(&other).copied().collect();
        if !right.is_empty() {
            self.wrapped(&format!("Right already: {}.", right.join(", ")), "", "  ");
        }
    }
}

/// Nothing is known of it but that the run ended before it did.
fn was_left(check: &CheckResult) -> bool {
    check.message.starts_with(crate::check::run::NOT_FINISHED)
}

fn with(report: &Report, verdict: Verdict) -> impl Iterator<Item = &CheckResult> {
    let checks = report.checks.iter();
    checks.filter(move |check| check.verdict == verdict)
}

/// Where to look and what it counts: `S3.2 · 1 of 1`.
fn mark(check: &CheckResult, with_name: bool) -> String {
    let points = format!("{} of {}", check.points, check.max_points);
    let name = with_name.then_some(check.name.as_str());
    let parts = [name, Some(check.rule.as_str()), Some(points.as_str())];
    let parts: Vec<&str> = parts.into_iter().flatten().filter(|p| !p.is_empty()).collect();
    parts.join(" · ")
}

fn last_lines(output: &str) -> String {
    let lines: Vec<&str> = output.lines().collect();
    lines[lines.len().saturating_sub(OUTPUT_LINES_MAX)..].join("\n")
}

fn pad(label: &str) -> String {
    format!("{label:<LABEL_WIDTH$}")
}

fn styled(style: Style, text: &str) -> String {
    format!("{style}{text}{style:#}")
}

fn brief(line: &str) -> String {
    match line.char_indices().nth(VALUE_CHARS_MAX) {
        Some((end, _)) => format!("{}... ({} characters)", &line[..end], line.chars().count()),
        None => line.to_string(),
    }
}

/// What a program under test printed must not move the reader's cursor (rule L5).
fn printable(text: &str) -> String {
    let inert = |character: char| match character {
        '\n' => '\n',
        '\t' => ' ',
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' => '\u{fffd}',
        '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}' => '\u{fffd}',
        control if control.is_control() => '\u{fffd}',
        other => other,
    };
    text.chars().map(inert).collect()
}
