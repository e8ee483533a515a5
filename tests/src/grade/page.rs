//! The class on one page: who passed what, which mistakes are frequent, which failures are alike.

use super::Graded;
use crate::check::{Exercise, misconception};
use crate::report::{CheckResult, Verdict};
use askama::Template;
use std::collections::BTreeMap;

#[derive(Template)]
#[template(path = "class.html")]
struct Page<'a> {
    exercise: &'a str,
    task: &'a str,
    submissions: usize,
    all_passed: usize,
    columns: Vec<Column<'a>>,
    rows: Vec<Row<'a>>,
    misconceptions: Vec<Misconception<'a>>,
    groups: Vec<Group<'a>>,
    has_notes: bool,
}

struct Column<'a> {
    name: &'a str,
    rule: &'a str,
    passed: usize,
}

struct Row<'a> {
    name: &'a str,
    score: f64,
    max_score: f64,
    note: &'a str,
    cells: Vec<Cell<'a>>,
}

struct Cell<'a> {
    class: &'static str,
    sign: &'static str,
    title: &'a str,
}

struct Misconception<'a> {
    name: &'a str,
    what: &'static str,
    who: Vec<&'a str>,
    percent: usize,
}

/// Failures that are the same but for numbers such as ports.
struct Group<'a> {
    check: &'a CheckResult,
    who: Vec<&'a str>,
}

pub fn render(exercise: &Exercise, graded: &[Graded]) -> anyhow::Result<String> {
    let checks = exercise.checks()?;
    let columns = checks.iter().map(|check| Column {
        name: check.name,
        rule: check.rule,
        passed: graded
            .iter()
            .filter(|one| result(one, check.name).is_some_and(|r| r.verdict == Verdict::Passed))
            .count(),
    });
    let rows = graded.iter().map(|one| Row {
        name: &one.name,
        score: one.report.score,
        max_score: one.report.max_score,
        note: one.note.as_deref().unwrap_or_default(),
        cells: checks.iter().map(|check| cell(result(one, check.name))).collect(),
    });
    let passed = |one: &&Graded| one.report.verdict == Verdict::Passed;
    let page = Page {
        exercise: &exercise.name,
        task: &exercise.task,
        submissions: graded.len(),
        all_passed: graded.iter().filter(passed).count(),
        columns: columns.collect(),
        rows: rows.collect(),
        misconceptions: misconceptions(graded),
        groups: groups(graded),
        has_notes: graded.iter().any(|one| one.note.is_some()),
    };
    Ok(page.render()?)
}

fn result<'a>(one: &'a Graded, check: &str) -> Option<&'a CheckResult> {
    one.report.checks.iter().find(|result| result.name == check)
}

fn cell(result: Option<&CheckResult>) -> Cell<'_> {
    let (class, sign) = match result.map(|result| result.verdict) {
        Some(Verdict::Passed) => ("passed", "✓"),
        Some(Verdict::Failed) => ("failed", "✗"),
        Some(Verdict::Inconclusive) => ("inconclusive", "?"),
        Some(Verdict::Skipped) | None => ("skipped", "–"),
    };
    let title = result.map_or("", |result| &result.message);
    Cell { class, sign, title }
}

/// The most frequent one first.
fn misconceptions(graded: &[Graded]) -> Vec<Misconception<'_>> {
    let mut who: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    for one in graded {
        for name in one.report.checks.iter().filter_map(|c| c.misconception.as_deref()) {
            let names = who.entry(name).or_default();
            if names.last() != Some(&one.name.as_str()) {
                names.push(&one.name);
            }
        }
    }
    let mut list: Vec<_> = who
        .into_iter()
        .map(|(name, who)| Misconception {
            name,
            what: misconception::by_name(name).map_or("", |known| known.what.as_str()),
            percent: 100 * who.len() / graded.len(),
            who,
        })
        .collect();
    list.sort_by_key(|misconception| std::cmp::Reverse(misconception.who.len())); // stable
    list
}

fn groups(graded: &[Graded]) -> Vec<Group<'_>> {
    let mut groups: BTreeMap<String, Group> = BTreeMap::new();
    for one in graded {
        for check in one.report.checks.iter().filter(|c| c.verdict == Verdict::Failed) {
            let group = groups.entry(likeness(check)).or_insert(Group { check, who: Vec::new() });
            group.who.push(&one.name);
        }
    }
    let mut groups: Vec<Group> = groups.into_values().collect();
    groups.sort_by_key(|group| std::cmp::Reverse(group.who.len()));
    groups
}

/// What two failures have in common that are the same failure. Ports differ in every run.
fn likeness(check: &CheckResult) -> String {
    let kind = check.misconception.as_deref().unwrap_or("?");
    let text = format!("{}\n{kind}\n{}\n{}", check.name, check.message, check.got);
    let mut like = String::new();
    for c in text.chars() {
        match c {
            '0'..='9' if like.ends_with('#') => {}
            '0'..='9' => like.push('#'),
            other => like.push(other),
        }
    }
    like
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_is_one_file_and_quotes_what_students_chose() {
        let exercise = Exercise::by_name("stage3").unwrap();
        let mut report = super::super::not_checked(&exercise, 1, Verdict::Failed, "no").unwrap();
        report.checks[0].verdict = Verdict::Failed;
        report.checks[0].misconception = Some("sends-without-boundaries".to_string());
        let one = |name: &str, port: u16| {
            let mut report = report.clone();
            report.checks[0].message = format!("nothing came from port {port}");
            Graded { name: name.to_string(), report, note: None }
        };
        let graded = [one("<b>ann</b>", 4001), one("bob", 52)];
        let html = render(&exercise, &graded).unwrap();
        assert!(!html.contains("<b>ann</b>"));
        assert!(!html.contains("http://") && !html.contains("https://"));
        assert_eq!(groups(&graded).len(), 1);
        assert_eq!(misconceptions(&graded)[0].who, ["<b>ann</b>", "bob"]);
    }
}
