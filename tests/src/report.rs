//! What a check run found: one result, of which every output format is a view.

use serde::{Deserialize, Serialize};

/// The outcome of one check, or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Passed,
    /// Not carried out, because what it depends on failed.
    Skipped,
    /// Could not be carried out: never counted against the student.
    Inconclusive,
    Failed,
}

/// One exercise, checked.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Report {
    pub exercise: String,
    pub score: f64,
    pub max_score: f64,
    pub verdict: Verdict,
    /// Repeats exactly this run: `--seed`.
    pub seed: u64,
    /// The student's command, as it was given.
    pub command: String,
    /// How long the run took, in seconds.
    pub seconds: f64,
    /// In the order in which to read them: the most likely cause first.
    pub checks: Vec<CheckResult>,
    /// What the student's program printed last.
    pub output: String,
}

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct CheckResult {
    pub name: String,
    /// The rule in `docs/src/protocol.md`.
    pub rule: String,
    pub verdict: Verdict,
    pub points: f64,
    pub max_points: f64,
    /// Its name in the catalogue of misconceptions.
    pub misconception: Option<String>,
    /// One sentence: what is wrong.
    pub message: String,
    /// What was done, step by step.
    pub steps: Vec<String>,
    pub expected: String,
    pub got: String,
    /// What the program printed last, while this was checked.
    pub output: String,
    /// The page of the book to read.
    pub chapter: String,
    /// The command that repeats exactly this check.
    pub repeat: String,
    pub seconds: f64,
}
