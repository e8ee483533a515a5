//! The ten who stay: each speaks on a thread when it is its turn, and hears all the time.

use super::plan::{Plan, STEADY, count};
use super::record::Record;
use super::tally::{Fault, Tally};
use crate::check::drain::Drain;
use crate::check::outcome::{Outcome, inconclusive, wrong};
use crate::check::{Context, Label, Person};
use crate::patience::{Over, Patience};
use std::collections::HashSet;
use std::ops::Range;
use std::sync::mpsc::{Sender, channel};
use std::thread;
use std::time::Duration;

/// Of a flood nothing is kept but the lines between: see `flood.rs`.
pub const FLOOD: &str = "flood xxx";

pub struct Steady {
    people: Vec<Person>,
    pub drains: Vec<Drain>,
}

/// What one of the ten says in a round.
struct Speech {
    bytes: Vec<u8>,
    /// The segments that are sent before each act.
    slices: Vec<Vec<Range<usize>>>,
}

impl Steady {
    pub fn join(ctx: &mut Context) -> Outcome<Steady> {
        let mut steady = Steady { people: Vec::new(), drains: Vec::new() };
        for name in STEADY {
            let person = ctx.joins(name)?;
            steady.drains.push(listens(&person)?);
            steady.people.push(person);
        }
        Ok(steady)
    }

    /// One of them resets, and comes back under its name.
    pub fn returns(&mut self, ctx: &mut Context, who: usize, tally: &mut Tally) -> Outcome {
        ctx.step(format!("{} resets and comes back", STEADY[who]));
        self.drains.remove(who).stop();
        self.people.remove(who).peer.reset();
        let person = joins_again(ctx, STEADY[who])?;
        self.drains.insert(who, listens(&person)?);
        self.people.insert(who, person);
        tally.add(Fault::SteadyReturned, 1);
        Ok(())
    }

    /// They say what is planned: a slice whenever one is asked for, while something else goes
    /// on. Lines of different speakers meet in the server in an order that nobody chooses.
    pub fn talk(
        &mut self,
        plan: &Plan,
        record: &mut Record,
        tally: &mut Tally,
        meanwhile: impl FnOnce(&[Drain], &mut Record, &mut Tally, &[Sender<()>]) -> Outcome,
    ) -> Outcome {
        let speeches = speeches(plan, record, tally);
        thread::scope(|scope| {
            let mut turns = Vec::new();
            for (person, speech) in self.people.iter_mut().zip(speeches) {
                let (turn, my_turn) = channel::<()>();
                turns.push(turn);
                scope.spawn(move || {
                    for slice in speech.slices {
                        if my_turn.recv().is_err() {
                            return; // the round has ended early
                        }
                        for segment in slice {
                            if person.send_silently(&speech.bytes[segment]).is_err() {
                                return; // what is missing then is found
                            }
                        }
                    }
                });
            }
            meanwhile(&self.drains, record, tally, &turns)
        })
    }

    /// Each says one more line, when everything before has been heard: what comes twice comes
    /// before it.
    pub fn close(&mut self, record: &mut Record) -> Outcome {
        for (speaker, person) in self.people.iter_mut().enumerate() {
            let (line, _) = record.says(speaker, (speaker + 1) % STEADY.len(), "that was all");
            person.send_silently(line.as_bytes())?;
        }
        Ok(())
    }

    /// Waits until each has the last line that every speaker has for it; or until nothing has
    /// come for `limit`, and then the record tells what is missing.
    pub fn hear_all(&self, record: &Record, limit: Duration) -> Outcome {
        let mut owed: Vec<HashSet<String>> = (0..STEADY.len())
            .map(|receiver| record.last_lines_for(receiver).into_iter().collect())
            .collect();
        let mut seen = [0; STEADY.len()];
        let mut patience = Patience::new(self.drains[0].worker(), limit);
        loop {
            for (receiver, drain) in self.drains.iter().enumerate() {
                let drained = drain.lock();
                for line in &drained.lines[seen[receiver]..] {
                    owed[receiver].remove(line);
                    patience.moved();
                }
                seen[receiver] = drained.lines.len();
                if drained.ended {
                    let name = STEADY[receiver];
                    return Err(wrong(format!("the server ended the connection of {name}")));
                }
            }
            let all_heard = owed.iter().all(HashSet::is_empty);
            if all_heard {
                return Ok(());
            }
            crate::compare::check_interrupt()?;
            if !patience.pause() {
                return match patience.over() {
                    Over::Unknown => Err(inconclusive("the server got too little processor time")),
                    Over::AtRest | Over::TimeIsUp => Ok(()),
                };
            }
        }
    }

    /// What each has heard since the last time.
    pub fn take_heard(&self) -> Vec<Vec<String>> {
        self.drains.iter().map(|drain| std::mem::take(&mut drain.lock().lines)).collect()
    }
}

fn speeches(plan: &Plan, record: &mut Record, tally: &mut Tally) -> Vec<Speech> {
    let mut speeches = Vec::new();
    for (speaker, lines) in plan.lines.iter().enumerate() {
        let says = |(to, words): &(usize, String)| record.says(speaker, *to, words).0;
        let bytes = lines.iter().map(says).collect::<String>().into_bytes();
        let slices = plan.segments(speaker, &bytes);
        tally.add_cuts(count(&bytes, &slices.concat()));
        speeches.push(Speech { bytes, slices });
    }
    speeches
}

fn listens(person: &Person) -> Outcome<Drain> {
    Drain::of(person, |line| !line.contains(FLOOD))
}

/// A server may take a moment to learn of a reset. Then the name must be free (L9).
pub fn joins_again(ctx: &mut Context, name: &str) -> Outcome<Person> {
    let mut patience = ctx.new_patience();
    loop {
        match ctx.quietly(|ctx| ctx.joins(name)) {
            Err(_) if patience.pause() => {}
            joined => {
                return joined.means("ghost-user", format!("{name} has reset and cannot return"));
            }
        }
    }
}
