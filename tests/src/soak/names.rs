//! Visitors who want a name that only one can have: rules L8 and L9.

use super::plan::STEADY;
use super::tally::Fault;
use super::visitors::Round;
use crate::check::Person;
use crate::check::outcome::{Outcome, fail};

impl Round<'_, '_> {
    pub fn race(&mut self, runners: usize) -> Outcome {
        let name = self.new_name();
        let mut people = Vec::new();
        for _ in 0..runners {
            people.push(self.ctx.quietly(|ctx| ctx.connects(&name))?);
        }
        self.ctx.step(format!("{runners} visitors want the name {name} at the same time"));
        let registration = format!("{}\n", self.ctx.protocol.registration(&name));
        for person in &mut people {
            person.send_silently(registration.as_bytes())?;
        }
        let mut winners = 0;
        for person in &mut people {
            winners += usize::from(self.is_accepted(person, &name)?);
        }
        if winners != 1 {
            return Err(fail("name-taken-over", format!("{runners} clients raced for one name"))
                .expected("exactly one gets it")
                .got(format!("{winners} got it")));
        }
        self.tally.add(Fault::LostRace, runners as u64 - 1);
        Ok(())
    }

    pub fn taken_name(&mut self, owner: usize) -> Outcome {
        let name = STEADY[owner].to_uppercase();
        let mut visitor = self.ctx.connects("visitor")?;
        visitor.line(&self.ctx.protocol.registration(&name))?;
        if self.is_accepted(&mut visitor, &name)? {
            return Err(fail("name-taken-over", format!("{name} was accepted, and is taken")));
        }
        self.tally.add(Fault::TakenName, 1);
        Ok(())
    }

    /// Whether the answer to a name is a welcome; an error is the other one.
    fn is_accepted(&self, person: &mut Person, name: &str) -> Outcome<bool> {
        let welcome = self.ctx.protocol.welcome(name);
        let answer = person.hears_notice("a welcome or an error", |line| {
            line.starts_with("! ") || line.starts_with(&welcome)
        })?;
        Ok(!answer.starts_with("! "))
    }
}
