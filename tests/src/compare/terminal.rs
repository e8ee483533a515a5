//! The report for the terminal: of each scenario the most telling figures, and what may be said.

use super::figures::{Figure, count};
use super::findings;
use super::predict;
use super::results::{Comparison, Results};
use super::scenario::Scenario;
use comfy_table::{ContentArrangement, Table, presets};
use std::fmt::Write;

/// Columns that fit beside the names; the HTML report shows all.
const FIGURES_MAX: usize = 3;

/// Text is broken into lines of at most so many characters.
const LINE_CHARACTERS_MAX: usize = 90;

/// What is shown of each scenario, the most telling first.
pub fn columns(scenario: Scenario) -> &'static [Figure] {
    match scenario {
        Scenario::OneSpeaks | Scenario::AllSpeak | Scenario::Pairs => &[
            Figure::Cpu,
            Figure::DeliveriesPerSecond,
            Figure::Switches,
            Figure::KernelShare,
            Figure::ServerBusy,
            Figure::GeneratorBusy,
        ],
        Scenario::Steady | Scenario::AllRead | Scenario::OneStalls => {
            &[Figure::Median, Figure::P99, Figure::P999, Figure::Max, Figure::Cpu, Figure::Lateness]
        }
        Scenario::Idle => &[
            Figure::Memory,
            Figure::Logins,
            Figure::IdleCpu,
            Figure::Cpu,
            Figure::Threads,
            Figure::Descriptors,
        ],
        Scenario::Counted => &[Figure::SystemCalls, Figure::SystemCallsInBursts],
    }
}

pub fn report(comparison: &Comparison) -> String {
    let mut text = String::new();
    for scenario in Scenario::ALL {
        if !comparison.sizes(scenario).is_empty() {
            let title = scenario.name().to_uppercase();
            let _ = writeln!(text, "\n{title}\n{}", table(comparison, scenario));
            text.push_str(&filled(&said(comparison, scenario)));
        }
    }
    text.push_str("\nWHERE EACH DESIGN ENDS\n");
    for cliff in findings::cliffs(comparison) {
        text.push_str(&filled(&cliff));
    }
    predictions(comparison, &mut text);
    if comparison.interrupted {
        text.push_str("\nThis comparison was interrupted: it shows what was known by then.\n");
    }
    text
}

fn said(comparison: &Comparison, scenario: Scenario) -> String {
    let of = |figure| findings::paragraph(comparison, scenario, figure);
    match scenario {
        Scenario::AllRead => String::new(), // the next one compares it with what comes there
        Scenario::OneStalls => findings::stalled(comparison),
        Scenario::Counted => findings::calls(comparison),
        Scenario::Steady => of(Figure::P99),
        Scenario::Idle => of(Figure::Memory),
        _ => of(Figure::Cpu),
    }
}

fn predictions(comparison: &Comparison, text: &mut String) {
    for (index, verdict) in predict::verdicts(comparison).iter().enumerate() {
        if index == 0 {
            text.push_str("\nPREDICTED, THEN MEASURED\n");
        }
        let (question, answer, found) = (&verdict.question, &verdict.answer, &verdict.found);
        text.push_str(&filled(&format!("{question} You said: {answer}. It was: {found}.")));
    }
}

fn table(comparison: &Comparison, scenario: Scenario) -> Table {
    let figures = &columns(scenario)[..columns(scenario).len().min(FIGURES_MAX)];
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    let names = figures.iter().map(|figure| figure.name());
    table.set_header(["clients", "server"].into_iter().chain(names));
    for clients in comparison.sizes(scenario) {
        let all = 0..comparison.contestants.len();
        for results in all.filter_map(|one| comparison.find(one, scenario, clients)) {
            table.add_row(row(comparison, results, figures));
        }
    }
    table
}

fn row(comparison: &Comparison, results: &Results, figures: &[Figure]) -> Vec<String> {
    let mut row = vec![count(results.clients), comparison.name(results.contestant).to_string()];
    let cell = |figure: &Figure| match results.spread(*figure) {
        Some(spread) => spread.to_string(),
        None => "-".to_string(),
    };
    match results.failure() {
        Some(_) => row.push("failed".to_string()), // why is said below
        None => row.extend(figures.iter().map(cell)),
    }
    row
}

/// `text` in lines that a terminal need not break, with an LF at the end.
fn filled(text: &str) -> String {
    let mut filled = String::new();
    let mut length = 0;
    for word in text.split_whitespace() {
        if length > 0 && length + 1 + word.chars().count() > LINE_CHARACTERS_MAX {
            filled.push('\n');
            length = 0;
        } else if length > 0 {
            filled.push(' ');
            length += 1;
        }
        filled.push_str(word);
        length += word.chars().count();
    }
    if !filled.is_empty() {
        filled.push('\n');
    }
    filled
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn long_text_is_broken_between_words() {
        let text = filled(&"word ".repeat(40));
        assert!(text.lines().all(|line| line.chars().count() <= LINE_CHARACTERS_MAX));
        assert_eq!(text.split_whitespace().count(), 40);
    }
}
