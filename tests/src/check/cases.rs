//! A check that tries many cases: all that failed are listed at once, each with its reason.

use super::outcome::{Outcome, Trouble};

/// Cases that are shown; the number of the others is said.
const SHOWN: usize = 8;

/// More failures than this are waited for no longer: each may cost the whole patience.
const FAILED_MAX: usize = 5;

#[derive(Debug, Default)]
pub struct Cases {
    first: Option<Trouble>,
    failed: Vec<String>,
}

impl Cases {
    /// Whether this case passed. A failure of the lab, or of the whole connection, ends the check.
    pub fn add(&mut self, case: String, outcome: Outcome<impl Sized>) -> Outcome<bool> {
        let trouble = match outcome {
            Ok(_) => return Ok(true),
            Err(trouble) => trouble,
        };
        let goes_on = matches!(&trouble, Trouble::Wrong(_) | Trouble::Late(_));
        if !goes_on {
            return Err(trouble);
        }
        self.failed.push(case);
        self.first.get_or_insert(trouble);
        match self.failed.len() < FAILED_MAX {
            true => Ok(false),
            false => Err(self
                .all("and perhaps more")
                .unwrap_or_else(|| Trouble::Inconclusive("no case has failed".to_string()))),
        }
    }

    /// Fails as the first case did, with all of them listed.
    pub fn judge(mut self, what: &str) -> Outcome {
        self.all(what).map_or(Ok(()), Err)
    }

    fn all(&mut self, what: &str) -> Option<Trouble> {
        let mut trouble = self.first.take()?;
        if self.failed.len() > 1
            && let Some(finding) = trouble.finding()
        {
            let shown = self.failed.iter().take(SHOWN).map(|case| format!("\n- {case}"));
            let count = self.failed.len();
            finding.message += &format!("; {what}: {count} cases{}", shown.collect::<String>());
        }
        Some(trouble)
    }
}
