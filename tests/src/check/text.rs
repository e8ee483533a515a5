//! Results for people at a terminal.

use super::Exercise;
use crate::report::{CheckResult, Report, Verdict};
use std::fmt::Write;

pub fn report(report: &Report) -> String {
    let mut text = String::new();
    for check in &report.checks {
        text.push_str(&result(check));
    }
    let count = |verdict| {
        report
            .checks
            .iter()
            .filter(|check| check.verdict == verdict)
            .count()
    };
    let _ = writeln!(
        text,
        "{}: {} passed, {} failed, {} inconclusive, {} skipped; {} of {} points",
        report.exercise,
        count(Verdict::Passed),
        count(Verdict::Failed),
        count(Verdict::Inconclusive),
        count(Verdict::Skipped),
        report.score,
        report.max_score
    );
    text
}

/// One check: a line, and what is wrong where something is.
pub fn result(check: &CheckResult) -> String {
    let mut text = format!("{}\n", progress_line(check));
    if matches!(check.verdict, Verdict::Passed | Verdict::Skipped) {
        return text;
    }
    if let Some(misconception) = &check.misconception {
        paragraph(&mut text, "this is", misconception);
    }
    paragraph(&mut text, "what", &check.message);
    paragraph(&mut text, "done", &check.steps.join("\n"));
    paragraph(&mut text, "expected", &check.expected);
    paragraph(&mut text, "got", &check.got);
    paragraph(&mut text, "output", &check.output);
    paragraph(
        &mut text,
        "read",
        &format!("rule {} in protocol.md, and {}", check.rule, check.chapter),
    );
    paragraph(&mut text, "again", &check.repeat);
    text.push('\n');
    text
}

pub fn progress_line(check: &CheckResult) -> String {
    let verdict = match check.verdict {
        Verdict::Passed => "passed",
        Verdict::Failed => "FAILED",
        Verdict::Inconclusive => "unclear",
        Verdict::Skipped => "skipped",
    };
    let mut line = format!(
        "{verdict:>8}  {:<5} {}",
        check.rule,
        check.name.replace('-', " ")
    );
    if check.verdict == Verdict::Skipped {
        let _ = write!(line, ": {}", check.message);
    }
    line
}

fn paragraph(text: &mut String, title: &str, body: &str) {
    for (number, line) in body.trim_end().lines().enumerate() {
        let title = if number == 0 { title } else { "" };
        let _ = writeln!(text, "{title:>16}  {line}");
    }
}

pub fn exercises(exercises: &[Exercise], with_checks: bool) -> anyhow::Result<String> {
    let mut text = String::new();
    for exercise in exercises {
        let checks = exercise.checks()?;
        let _ = writeln!(
            text,
            "{:<20} S{}  {:>3} min  {:>3} points  {}",
            exercise.name,
            exercise.protocol.stage(),
            exercise.minutes,
            exercise.points()?,
            exercise.task
        );
        if with_checks {
            for check in checks {
                let _ = writeln!(text, "    {:<5} {}", check.rule, check.name);
            }
        }
    }
    Ok(text)
}
