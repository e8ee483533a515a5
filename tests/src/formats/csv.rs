//! A table: one row for each submission, one column for each check.

use crate::report::{Report, Verdict};
use std::collections::BTreeSet;

/// Columns for checks are in the order of their names: the same in every run.
pub fn table(rows: &[(&str, &Report)]) -> anyhow::Result<String> {
    let checks = rows.iter().flat_map(|(_, report)| &report.checks);
    let names: BTreeSet<&str> = checks.map(|check| check.name.as_str()).collect();
    let mut writer = csv::Writer::from_writer(Vec::new());
    let head = ["submission", "exercise", "score", "max_score", "verdict"];
    writer.write_record(head.into_iter().chain(names.iter().copied()).chain(["misconceptions"]))?;
    for (submission, report) in rows {
        writer.write_record(row(submission, report, &names))?;
    }
    Ok(String::from_utf8(writer.into_inner()?)?)
}

fn row(submission: &str, report: &Report, names: &BTreeSet<&str>) -> Vec<String> {
    let mut row = vec![
        inert(submission),
        report.exercise.clone(),
        report.score.to_string(),
        report.max_score.to_string(),
        word(report.verdict).to_string(),
    ];
    row.extend(names.iter().map(|name| {
        let check = report.checks.iter().find(|check| check.name == *name);
        check.map_or("", |check| word(check.verdict)).to_string()
    }));
    let named = report.checks.iter().filter_map(|c| c.misconception.clone());
    let named: BTreeSet<String> = named.collect();
    row.push(named.into_iter().collect::<Vec<_>>().join(";"));
    row
}

/// A spreadsheet obeys a cell that begins like a formula, and students choose their folder's name.
fn inert(cell: &str) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) {
        format!("'{cell}")
    } else {
        cell.to_string()
    }
}

fn word(verdict: Verdict) -> &'static str {
    match verdict {
        Verdict::Passed => "passed",
        Verdict::Skipped => "skipped",
        Verdict::Inconclusive => "inconclusive",
        Verdict::Failed => "failed",
    }
}
