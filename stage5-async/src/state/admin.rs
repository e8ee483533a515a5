//! Layer: the meaning. Who knows the server's password is an operator everywhere (rule S5.8). Can be
//! left out.
//!
//! Guessing is slowed down by the client's own task, before the line comes here: where waiting delays
//! nobody else.

use super::commands::{Outcome, Row, Who, row};
use super::*;

pub const ROWS: &[Row] = &[row(
    "admin",
    "PASSWORD",
    "be an operator in every room",
    Who::PasswordHolders,
    Rooms::become_admin,
)];

impl Rooms {
    fn become_admin(&mut self, from: ClientId, guess: &str, effects: &mut Effects) -> Outcome {
        if guess.is_empty() {
            return Err(Refusal::Usage);
        }
        let who = format!("{} ({})", self.name(from), self.person(from).address);
        if !self.password.as_deref().is_some_and(|right| is_equal(right, guess)) {
            self.wrong_secrets += 1;
            effects.show(format_args!("{who} gave a wrong admin password"));
            return Err("wrong password".into());
        }
        self.person_mut(from).is_admin = true;
        effects.show(format_args!("{who} is an admin"));
        effects.tell(from, "* you are an admin: an operator in every room");
        Ok(())
    }
}

/// Looks at every byte, whether the first one is wrong or the last: the time that the answer
/// takes says nothing about how much of a guess was right.
pub fn is_equal(right: &str, guess: &str) -> bool {
    let differences = right.bytes().zip(guess.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    right.len() == guess.len() && differences == 0
}
