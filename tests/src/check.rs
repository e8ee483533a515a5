//! Checking anybody's chat program: what is checked, how it went, and what that means.
//!
//! A [`Check`] provokes one thing from outside and judges what it sees. An [`Exercise`] is a list
//! of checks for one of the protocols. [`run::run`] carries an exercise out against a
//! [`Target`] and gives a [`crate::report::Report`].

pub mod cases;
pub mod checks;
pub mod command;
pub mod context;
pub mod crash;
pub mod dialect;
pub mod difference;
pub mod drain;
pub mod evidence;
pub mod exercise;
pub mod history;
pub mod misconception;
pub mod outcome;
pub mod person;
pub mod quirks;
pub mod rule;
pub mod run;
pub mod shrink;
pub mod target;
pub mod text;

pub use context::Context;
pub use dialect::Protocol;
pub use exercise::Exercise;
pub use outcome::{Finding, Label, Outcome, Trouble};
pub use person::Person;
pub use target::Target;

/// One thing that is checked.
#[derive(Debug)]
pub struct Check {
    /// A sentence about behaviour, with hyphens: `two-lines-in-one-segment-are-two-messages`.
    pub name: &'static str,
    /// The rule in `protocol.md`.
    pub rule: &'static str,
    /// What it can name, from the catalogue. The first one is the most likely.
    pub misconceptions: &'static [&'static str],
    pub points: f64,
    /// The page of the book to read when it fails.
    pub chapter: &'static str,
    /// Where it makes sense.
    pub protocols: &'static [Protocol],
    /// It looks at the server's process or starts it in its own way: a server that somebody
    /// else has started cannot be checked for it.
    pub needs_process: bool,
    /// The checks whose failure explains a failure of this one.
    pub after: &'static [&'static str],
    pub run: fn(&mut Context) -> Outcome,
}

impl Check {
    pub fn by_name(name: &str) -> Option<&'static Check> {
        checks::all().find(|check| check.name == name)
    }
}
