//! What a check run found: one result, of which every output format is a view.

use serde::{Deserialize, Serialize};

/// The outcome of one check, or of all.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Verdict {
    Passed,
    /// Not carried out, because what it depends on failed.
    Skipped,
    /// Could not be judged: earns nothing where something failed, and says what to mend first.
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
    /// What explains most of what failed.
    #[serde(default)]
    pub cause: Option<Cause>,
    /// What the student's program printed last.
    pub output: String,
}

/// The most likely cause of what was seen.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Cause {
    /// The check that shows it.
    pub check: String,
    /// Its name in the catalogue, if it has one.
    pub misconception: Option<String>,
    /// Other checks that failed, or could not be carried out, because of it.
    pub explains: Vec<String>,
}

/// Names of checks that a cause explains which are shown.
const EXPLAINED_MAX: usize = 4;

impl Cause {
    /// What to mend first, if that mends more than one thing.
    pub fn in_words(&self) -> Option<String> {
        let count = self.explains.len();
        let mut explains = self.explains[..count.min(EXPLAINED_MAX)].join(", ");
        if count > EXPLAINED_MAX {
            explains += ", ...";
        }
        let name = self.misconception.as_ref().unwrap_or(&self.check);
        (count > 0).then(|| format!("Mend {name} first: it explains {count} more ({explains})."))
    }
}

impl Report {
    /// The same result as a part of so many points.
    pub fn scale_to(&mut self, points: f64) {
        let factor = if self.max_score > 0.0 { points / self.max_score } else { 0.0 };
        for check in &mut self.checks {
            check.points = rounded(check.points * factor);
            check.max_points = rounded(check.max_points * factor);
        }
        self.score = rounded(self.score * factor);
        self.max_score = points;
    }
}

/// To hundredths of a point.
fn rounded(points: f64) -> f64 {
    (points * 100.0).round() / 100.0
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
