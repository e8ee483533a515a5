//! How one check went.

use super::difference;
use crate::patience::Over;
use std::time::{Duration, Instant};

/// How long a server sends what it owes to one who has ended (L10, S5.10). After that it may close.
pub const FAREWELL: Duration = Duration::from_secs(5);

/// `Ok`: what the rule says was seen.
pub type Outcome<T = ()> = Result<T, Trouble>;

/// Why a check did not pass.
#[derive(Debug)]
pub enum Trouble {
    /// The program did something wrong.
    Wrong(Box<Finding>),
    /// Something that had to come did not come in time. Whether the program is wrong or only
    /// slow, a second attempt with more patience tells.
    Late(Box<Finding>),
    /// The check could not be carried out: nobody's fault.
    Inconclusive(String),
    /// It does not apply to how this program is started.
    Skipped(String),
}

/// What is wrong, for people.
#[derive(Debug, Default, Clone)]
pub struct Finding {
    pub misconception: Option<&'static str>,
    /// One sentence.
    pub message: String,
    pub expected: String,
    pub got: String,
}

/// A finding in one line: `fail("ghost-user", "the name bob was not free again")`.
pub fn fail(misconception: &'static str, message: impl Into<String>) -> Trouble {
    Trouble::Wrong(Box::new(Finding {
        misconception: Some(misconception),
        message: message.into(),
        ..Finding::default()
    }))
}

/// A finding that has no name in the catalogue.
pub fn wrong(message: impl Into<String>) -> Trouble {
    Trouble::Wrong(Box::new(Finding { message: message.into(), ..Finding::default() }))
}

pub fn inconclusive(why: impl Into<String>) -> Trouble {
    Trouble::Inconclusive(why.into())
}

impl Trouble {
    pub fn finding(&mut self) -> Option<&mut Finding> {
        match self {
            Trouble::Wrong(finding) | Trouble::Late(finding) => Some(finding),
            Trouble::Inconclusive(_) | Trouble::Skipped(_) => None,
        }
    }

    pub fn expected(mut self, expected: impl Into<String>) -> Trouble {
        if let Some(finding) = self.finding() {
            finding.expected = expected.into();
        }
        self
    }

    pub fn got(mut self, got: impl Into<String>) -> Trouble {
        if let Some(finding) = self.finding() {
            finding.got = got.into();
        }
        self
    }

    /// Expected and got as bytes, with a caret under the first that differs.
    pub fn differs(mut self, expected: &[u8], got: &[u8]) -> Trouble {
        if let Some(finding) = self.finding() {
            (finding.expected, finding.got) = difference::show(expected, got);
        }
        self
    }

    /// The same, after waiting in vain: what a program that rests has not done it never does; of
    /// one that works a second attempt tells more; of one that got no processor nothing is known.
    pub fn after(self, over: Over) -> Trouble {
        match (self, over) {
            (Trouble::Wrong(finding), Over::TimeIsUp) => Trouble::Late(finding),
            (Trouble::Wrong(finding), Over::Unknown) => Trouble::Inconclusive(format!(
                "the machine was too busy to tell whether this comes late or never: {}",
                finding.message
            )),
            (other, _) => other,
        }
    }

    /// The same, unless the rule lets a server do it when `allowed` has passed since `began`: on a
    /// machine that has taken us so long nothing is known.
    pub fn before(self, began: Instant, allowed: Duration) -> Trouble {
        match self {
            Trouble::Wrong(finding) | Trouble::Late(finding) if began.elapsed() >= allowed => {
                let took = "this took longer than the rule gives it";
                Trouble::Inconclusive(format!("{took}: {}", finding.message))
            }
            other => other,
        }
    }

    /// The same, but worth a second attempt with more patience.
    pub fn late(self) -> Trouble {
        match self {
            Trouble::Wrong(finding) => Trouble::Late(finding),
            other => other,
        }
    }
}

/// Trouble in the lab itself (no descriptors left, no such program, ...) is nobody's fault.
impl From<anyhow::Error> for Trouble {
    fn from(error: anyhow::Error) -> Trouble {
        Trouble::Inconclusive(format!("{error:#}"))
    }
}

impl From<std::io::Error> for Trouble {
    fn from(error: std::io::Error) -> Trouble {
        Trouble::Inconclusive(error.to_string())
    }
}

/// What a failed expectation means in the light of what was done:
/// `bob.hears(..).means("recv-is-not-a-message", "two lines in one segment became one")?`.
pub trait Label: Sized {
    /// Names it, unless it has a name already.
    fn means(self, misconception: &'static str, message: impl Into<String>) -> Self;
    /// As `means`, if what was got (as it will be shown) contains `clue`.
    fn means_if_got(
        self,
        clue: &str,
        misconception: &'static str,
        message: impl Into<String>,
    ) -> Self;
    /// Explains it without a name from the catalogue.
    fn because(self, message: impl Into<String>) -> Self;
}

impl<T> Label for Outcome<T> {
    fn means(mut self, misconception: &'static str, message: impl Into<String>) -> Self {
        if let Err(trouble) = &mut self
            && let Some(finding) = trouble.finding()
            && finding.misconception.is_none()
        {
            finding.misconception = Some(misconception);
            finding.message = explained(&message.into(), &finding.message);
        }
        self
    }

    fn means_if_got(
        mut self,
        clue: &str,
        misconception: &'static str,
        message: impl Into<String>,
    ) -> Self {
        match &mut self {
            Err(Trouble::Wrong(finding) | Trouble::Late(finding)) if finding.got.contains(clue) => {
                self.means(misconception, message)
            }
            _ => self,
        }
    }

    fn because(mut self, message: impl Into<String>) -> Self {
        if let Err(trouble) = &mut self
            && let Some(finding) = trouble.finding()
            && finding.misconception.is_none()
        {
            finding.message = explained(&message.into(), &finding.message);
        }
        self
    }
}

/// `what (why)`; and where the why has a why of its own, `what (why; its why)`.
fn explained(what: &str, why: &str) -> String {
    match why.strip_suffix(')').and_then(|why| why.split_once(" (")) {
        Some((first, second)) => format!("{what} ({first}; {second})"),
        None => format!("{what} ({why})"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_was_waited_for_in_vain_depends_on_what_the_program_did() {
        let late = |over| wrong("bob received nothing").after(over);
        assert!(matches!(late(Over::AtRest), Trouble::Wrong(_)));
        assert!(matches!(late(Over::TimeIsUp), Trouble::Late(_)));
        assert!(matches!(late(Over::Unknown), Trouble::Inconclusive(_)));
    }

    #[test]
    fn what_a_rule_allows_after_some_time_is_no_fault_then() {
        let began = Instant::now();
        let lost = |allowed| wrong("a line is missing").before(began, allowed);
        assert!(matches!(lost(Duration::MAX), Trouble::Wrong(_)));
        assert!(matches!(lost(Duration::ZERO), Trouble::Inconclusive(_)));
    }

    #[test]
    fn an_explanation_of_an_explanation_has_one_pair_of_brackets() {
        let heard: Outcome = Err(wrong("bob received nothing for 3s"));
        let explained = heard.because("something came that should not").because("after a close");
        let Err(Trouble::Wrong(finding)) = explained else { panic!("it was wrong") };
        let expected =
            "after a close (something came that should not; bob received nothing for 3s)";
        assert_eq!(finding.message, expected);
    }
}
