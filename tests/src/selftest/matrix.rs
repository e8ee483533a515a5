//! The matrix of a run: each program, what must be said of it, and what was said.

use super::Form;
use super::carry_out::Carried;
use super::costs::{NO_NAME, PASSED, SKIPPED};
use super::inspection::Inspection;
use crate::zoo;
use anyhow::Context;

/// As a table of the book.
pub fn write(carried: &Carried, form: Form) -> anyhow::Result<()> {
    let path = zoo::folder().join("matrix.md");
    std::fs::write(&path, table(carried, form))
        .with_context(|| format!("cannot write {}", path.display()))
}

fn table(carried: &Carried, form: Form) -> String {
    let results = &carried.results;
    let good = results.iter().filter(|result| is_good(result)).count();
    let form = match form {
        Form::Short { seed } => format!("short form, seed {seed}"),
        Form::Long { rounds } => format!("long form, correct programs in {rounds} rounds"),
    };
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut text = format!(
        "Commit {}, {} on {cores} cores, {form}: {good} of {} programs as they must be.\n\n",
        super::commit(),
        std::env::consts::OS,
        results.len()
    );
    text += "| program | must be named | was named, by so many checks | passed | as it must be |\n";
    text += "|---|---|---|---|---|\n";
    for result in results {
        text += &row(result);
    }
    text
}

fn is_good(result: &Inspection) -> bool {
    !result.is_bad() && !result.is_open()
}

fn row(result: &Inspection) -> String {
    let animal = result.animal;
    let must = match (animal.is_correct(), animal.names.is_empty()) {
        (true, _) => "nothing: it is correct".to_string(),
        (false, true) => format!("*{NO_NAME}*"),
        (false, false) => animal.names.join(", "),
    };
    let named = result.named.iter().map(|(name, checks)| match name.as_str() {
        "nothing" => format!("*{NO_NAME}* ({})", checks.len()),
        name => format!("{name} ({})", checks.len()),
    });
    let named: Vec<String> = named.collect();
    let carried_out = result.rows.iter().filter(|row| row.said != SKIPPED).count();
    let passed = result.rows.iter().filter(|row| row.said == PASSED).count();
    let verdict = match (result.skipped, is_good(result)) {
        (Some(lack), _) => format!("skipped: {lack}"),
        (None, true) => "yes".to_string(),
        (None, false) => "**no**".to_string(),
    };
    format!(
        "| {} | {must} | {} | {passed} of {carried_out} | {verdict} |\n",
        animal.name,
        if named.is_empty() { "–".to_string() } else { named.join(", ") },
    )
}
