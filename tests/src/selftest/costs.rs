//! What each check says of each program, and how long that takes: measured once, kept in a table.
//! It only says which programs `cargo test` carries out (see `cover`), never what is right.

use super::Inspection;
use crate::check::Check;
use crate::zoo;
use anyhow::Context;
use serde::{Deserialize, Serialize};
use std::path::PathBuf;

/// What stands in the table for a failure that has no name.
pub const NO_NAME: &str = "no name";
pub const PASSED: &str = "passed";
pub const SKIPPED: &str = "skipped";
pub const WITHOUT_FAILURE: [&str; 3] = [PASSED, SKIPPED, "inconclusive"];

/// A check of a program.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Row {
    pub program: String,
    pub check: String,
    /// The misconception that it names, or one of the words above, or another verdict.
    pub said: String,
    pub seconds: f64,
}

pub fn path() -> PathBuf {
    zoo::folder().join("costs.csv")
}

pub fn read() -> anyhow::Result<Vec<Row>> {
    let path = path();
    let mut reader =
        csv::Reader::from_path(&path).with_context(|| format!("cannot read {}", path.display()))?;
    let rows: Result<Vec<Row>, _> = reader.deserialize().collect();
    rows.with_context(|| format!("cannot read {}", path.display()))
}

/// Replaces what the table says of these, and forgets what is no longer there.
pub fn write(results: &[Inspection]) -> anyhow::Result<()> {
    let animals = zoo::all()?;
    let mut rows = read().unwrap_or_default(); // the first time there is none
    rows.retain(|row| {
        let measured = results.iter().any(|result| result.animal.name == row.program);
        !measured && Check::by_name(&row.check).is_some()
    });
    rows.extend(results.iter().flat_map(|result| result.rows.clone()));
    let place = |row: &Row| animals.iter().position(|animal| animal.name == row.program);
    rows.retain(|row| place(row).is_some());
    rows.sort_by_key(place); // stable
    let path = path();
    let mut writer = csv::Writer::from_path(&path)
        .with_context(|| format!("cannot write {}", path.display()))?;
    for row in rows {
        writer.serialize(row)?;
    }
    writer.flush().with_context(|| format!("cannot write {}", path.display()))
}
