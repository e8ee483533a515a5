//! The report as tables for the terminal.

use super::figures::{Figure, count};
use super::results::{Comparison, Results};
use super::scenario::Scenario;
use comfy_table::{Table, presets};

/// What is shown of each scenario, the most telling first.
pub fn columns(scenario: Scenario) -> &'static [Figure] {
    match scenario {
        Scenario::OneSpeaks | Scenario::AllSpeak | Scenario::Pairs => &[
            Figure::Cpu,
            Figure::KernelShare,
            Figure::Switches,
            Figure::DeliveriesPerSecond,
            Figure::ServerBusy,
            Figure::GeneratorBusy,
        ],
        Scenario::Steady | Scenario::AllRead | Scenario::OneStalls => &[
            Figure::Median,
            Figure::P99,
            Figure::P999,
            Figure::Max,
            Figure::Cpu,
            Figure::Lateness,
        ],
        Scenario::Counted => &[Figure::SystemCalls, Figure::SystemCallsInBursts],
        Scenario::Idle => &[
            Figure::Memory,
            Figure::Logins,
            Figure::Cpu,
            Figure::IdleCpu,
            Figure::Threads,
            Figure::Descriptors,
        ],
    }
}

pub fn tables(comparison: &Comparison) -> String {
    let mut text = String::new();
    for scenario in Scenario::ALL {
        if !comparison.sizes(scenario).is_empty() {
            text.push_str(&format!(
                "\n{}\n{}\n",
                scenario.name(),
                table(comparison, scenario)
            ));
        }
    }
    text
}

fn table(comparison: &Comparison, scenario: Scenario) -> Table {
    let mut table = Table::new();
    table.load_style(presets::UTF8_HORIZONTAL_ONLY);
    let mut header = vec!["clients".to_string(), "server".to_string()];
    header.extend(
        columns(scenario)
            .iter()
            .map(|figure| figure.name().to_string()),
    );
    table.set_header(header);
    for clients in comparison.sizes(scenario) {
        for contestant in 0..comparison.contestants.len() {
            if let Some(results) = comparison.find(contestant, scenario, clients) {
                table.add_row(row(comparison, results));
            }
        }
    }
    table
}

fn row(comparison: &Comparison, results: &Results) -> Vec<String> {
    let mut row = vec![
        count(results.clients),
        comparison.name(results.contestant).to_string(),
    ];
    if let Some(failure) = results.failure() {
        row.push(format!("failed: {failure}"));
        return row;
    }
    row.extend(columns(results.scenario).iter().map(|figure| {
        let spread = results.spread(*figure);
        spread.map_or("-".to_string(), |spread| spread.to_string())
    }));
    row
}
