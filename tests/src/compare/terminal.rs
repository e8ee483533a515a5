//! The report for the terminal: of each scenario the most telling figures, and what may be said.

use super::figures::{Figure, count, readable};
use super::findings;
use super::predict;
use super::results::{Comparison, Results};
use super::scenario::Scenario;
use comfy_table::{CellAlignment, LineStyle, Table, TableStyle};
use std::fmt::Write;

/// Columns that fit beside the names; the HTML report shows all.
const FIGURES_MAX: usize = 3;

/// Neither a table nor a line of text is wider.
const LINE_CHARACTERS_MAX: usize = 80;

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
            &[Figure::P99, Figure::Median, Figure::P999, Figure::Max, Figure::Cpu, Figure::Lateness]
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
            text.push_str(&filled(&findings::paragraph(comparison, scenario)));
        }
    }
    text.push_str("\nWHERE EACH SERVER ENDS\n");
    for cliff in findings::cliffs(comparison) {
        text.push_str(&filled(&cliff));
    }
    for (index, verdict) in predict::verdicts(comparison).iter().enumerate() {
        if index == 0 {
            text.push_str("\nPREDICTED, THEN MEASURED\n");
        }
        text.push_str(&filled(&verdict.to_string()));
    }
    text.push_str("\nHOW FAR THIS CAN BE TRUSTED\n");
    for sentence in findings::trust(comparison) {
        text.push_str(&filled(&sentence));
    }
    text
}

fn table(comparison: &Comparison, scenario: Scenario) -> Table {
    let figures = &columns(scenario)[..columns(scenario).len().min(FIGURES_MAX)];
    let mut table = Table::new();
    let rule = LineStyle::none().fill('─').junction('─');
    table.load_style(TableStyle::new().header_separator(rule));
    let names = figures.iter().map(|figure| figure.name());
    table.set_header(["clients", "server"].into_iter().chain(names));
    for clients in comparison.sizes(scenario) {
        let all = 0..comparison.contestants.len();
        for results in all.filter_map(|one| comparison.find(one, scenario, clients)) {
            table.add_row(row(comparison, results, figures));
        }
    }
    for column in table.column_iter_mut().filter(|column| column.index != 1) {
        column.set_cell_alignment(CellAlignment::Right);
    }
    table
}

/// The first figure with its interval; for those of the others there is no room.
fn row(comparison: &Comparison, results: &Results, figures: &[Figure]) -> Vec<String> {
    let mut row = vec![count(results.clients), comparison.name(results.contestant).to_string()];
    for (index, figure) in figures.iter().enumerate() {
        row.push(match results.spread(*figure) {
            _ if results.failure().is_some() => "failed".to_string(), // why is said below
            Some(spread) if index == 0 => spread.to_string(),
            Some(spread) => readable(spread.median()),
            None => "-".to_string(),
        });
    }
    row
}

/// `text` in lines that a terminal need not break, with an LF at the end.
fn filled(text: &str) -> String {
    let options = textwrap::Options::new(LINE_CHARACTERS_MAX)
        .word_splitter(textwrap::WordSplitter::NoHyphenation); // names have hyphens
    match text {
        "" => String::new(),
        _ => textwrap::fill(text, options) + "\n",
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::plan::Cell;
    use crate::compare::results::Entrant;
    use crate::compare::scenario::Outcome;
    use crate::compare::subject::NAME_CHARACTERS_MAX;

    #[test]
    fn the_widest_table_fits_and_breaks_no_number() {
        let mut outcome = Outcome::default();
        for figure in columns(Scenario::OneSpeaks) {
            outcome.figures.set(*figure, 0.012_34);
        }
        outcome.figures.set(Figure::DeliveriesPerSecond, 1_234_567.0);
        let name = "n".repeat(NAME_CHARACTERS_MAX);
        let mut comparison = Comparison {
            contestants: vec![Entrant { name, ..Entrant::default() }],
            ..Comparison::default()
        };
        let cell = Cell { scenario: Scenario::OneSpeaks, clients: 10_000, once: false };
        comparison.note(cell, 0, outcome.clone());
        comparison.note(cell, 0, outcome);
        let text = report(&comparison);
        let widest = text.lines().map(|line| line.chars().count()).max();
        assert!(widest <= Some(LINE_CHARACTERS_MAX), "{text}");
        assert!(text.contains("0.0123 (0.0123..0.0123)") && text.contains("1,234,567"), "{text}");
    }
}
