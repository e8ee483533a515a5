//! What the student reads: what failed, with everything needed to understand it, then what was
//! not judged, then what passed.

use super::Setting;
use crate::report::{CheckResult, Report, Verdict};
use anstyle::{AnsiColor, Style};
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

pub fn render(report: &Report, setting: &Setting) -> String {
    let mut page = Page::new(setting.width);
    page.line(&format!(
        "{} {FAINT}·{FAINT:#} {}",
        styled(STRONG, &report.exercise),
        printable(report.command.trim_start_matches("-- "))
    ));
    page.failures(report);
    page.unsure(report);
    page.skipped(report);
    page.passed(report);
    page.summary(report);
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
        for check in with(report, Verdict::Failed) {
            self.line("");
            let title = check.misconception.as_ref().unwrap_or(&check.name);
            let named = check.misconception.is_some();
            self.heading(BAD, "✗", title, &mark(check, named));
            self.explain(check);
        }
    }

    fn unsure(&mut self, report: &Report) {
        for check in with(report, Verdict::Inconclusive) {
            self.line("");
            self.heading(UNSURE, "?", &check.name, "inconclusive: not counted against you");
            self.explain(check);
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

    fn explain(&mut self, check: &CheckResult) {
        self.wrapped(&check.message, "  ", "  ");
        self.line("");
        let digits = check.steps.len().to_string().len();
        for (number, step) in (1..).zip(&check.steps) {
            let label = if number == 1 { "steps" } else { "" };
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
        for (number, line) in value.lines().enumerate() {
            let label = pad(if number == 0 { label } else { "" });
            let line = format!("  {}{}", styled(FAINT, &label), styled(style, line));
            self.line(&line);
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
        for check in with(report, Verdict::Skipped) {
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
        if count(Verdict::Failed) > 1 {
            let first = with(report, Verdict::Failed).next().expect("there are two at least");
            let name = first.misconception.as_ref().unwrap_or(&first.name);
            let text = format!(
                "Begin with the first ✗, {name}: it is the most likely cause of the others."
            );
            self.wrapped(&text, "", "");
        }
    }
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
