//! What visitors do to the server while the ten talk. Each fault is counted when it is proven.

use super::plan::{Act, STEADY, Said};
use super::record::Record;
use super::steady::joins_again;
use super::tally::{Fault, Tally};
use crate::check::drain::Drain;
use crate::check::outcome::{Outcome, fail, inconclusive, wrong};
use crate::check::{Context, Label, Person};
use crate::peer::End;

/// Bytes of a line that has no end for a long time.
const ENDLESS_BYTES: usize = 64 * 1024;

/// Visitors of a storm until one comes who waits to be served. Fewer than wait in the queue of a
/// listening socket (128 with Rust's standard library): who does not fit there is dropped by the
/// kernel, tries again after a second, and the storm would be a calm.
const GUST: usize = 100;

/// What the acts of a round work with.
pub struct Round<'r, 'c> {
    pub ctx: &'r mut Context<'c>,
    /// What the ten hear.
    pub drains: &'r [Drain],
    pub record: &'r mut Record,
    pub tally: &'r mut Tally,
    /// How many names visitors have used, in all rounds.
    pub names: &'r mut u64,
}

impl Round<'_, '_> {
    pub fn carry_out(&mut self, act: &Act) -> Outcome {
        match act {
            Act::Storm(visitors) => self.storm(visitors),
            Act::LeaveInMidLine { by_reset } => self.leave_in_mid_line(*by_reset),
            Act::HalfClose => self.half_close(),
            Act::NeverRead { reads_late } => self.never_read(*reads_late),
            Act::EndlessLine => self.endless_line(),
            Act::NotUtf8 => self.not_utf8(),
            Act::Race { runners } => self.race(*runners),
            Act::TakenName { owner } => self.taken_name(*owner),
            Act::ResetAndReturn { times } => self.reset_and_return(*times),
        }
    }

    pub fn new_name(&mut self) -> String {
        *self.names += 1;
        format!("v{}", self.names)
    }

    /// A visitor with a name, and its number in the record.
    pub fn joins(&mut self) -> Outcome<(Person, usize)> {
        let name = self.new_name();
        let person = self.ctx.joins(&name)?;
        let speaker = self.record.speaker(&name);
        Ok((person, speaker))
    }

    /// One of the ten, to whom a visitor speaks where one speaks to somebody.
    pub fn listener(speaker: usize) -> usize {
        speaker % STEADY.len()
    }

    pub fn is_heard(&self, speaker: usize, heard: &str) -> Outcome {
        self.drains[Self::listener(speaker)].hears_line(heard, self.ctx.patience)
    }

    /// Sends `before` and a line in one segment; the line must be heard.
    pub fn says_after(&mut self, visitor: &mut Person, speaker: usize, before: &[u8]) -> Outcome {
        let (line, heard) = self.record.says(speaker, Self::listener(speaker), "I am here");
        visitor.send(&[before, line.as_bytes()].concat())?;
        self.is_heard(speaker, &heard)
    }

    fn storm(&mut self, visitors: &[Said]) -> Outcome {
        self.ctx.step(format!("{} visitors connect, and reset at once", visitors.len()));
        for gust in visitors.chunks(GUST) {
            for said in gust {
                self.resets_at_once(*said)?;
            }
            // The server lived when they reset: it serves the next one, who came after them all.
            let name = self.new_name();
            let joined = self.ctx.quietly(|ctx| ctx.joins(&name));
            joined.means("rude-client-kills-server", "visitors who reset must harm nobody")?;
            self.tally.add(Fault::ResetAtOnce, gust.len() as u64);
            crate::compare::check_interrupt()?;
        }
        Ok(())
    }

    fn resets_at_once(&mut self, said: Said) -> Outcome {
        let name = self.new_name();
        let registration = format!("{}\n", self.ctx.protocol.registration(&name));
        let mut visitor = self
            .ctx
            .quietly(|ctx| ctx.dials(&name))
            .means("rude-client-kills-server", "after visitors who reset, nobody can connect")?;
        let bytes = match said {
            Said::Nothing => 0,
            Said::HalfAName => 2,
            Said::AName => registration.len(),
        };
        let _ = visitor.peer.send(&registration.as_bytes()[..bytes]); // it may be refused by then
        visitor.peer.reset();
        Ok(())
    }

    fn leave_in_mid_line(&mut self, by_reset: bool) -> Outcome {
        let (mut visitor, speaker) = self.joins()?;
        let to = Self::listener(speaker);
        let (line, heard) = self.record.says(speaker, to, "half a line follows");
        visitor.send(format!("{line}{}", self.record.half_a_line(to)).as_bytes())?;
        self.is_heard(speaker, &heard)?;
        if by_reset {
            visitor.resets();
        } else {
            ends_in_order(visitor)?;
        }
        self.tally.add(Fault::LeftInMidLine, 1);
        Ok(())
    }

    /// Its name, a bad line, a good line and the end, all in one go: it must be answered.
    fn half_close(&mut self) -> Outcome {
        let name = self.new_name();
        let mut visitor = self.ctx.connects(&name)?;
        let speaker = self.record.speaker(&name);
        let protocol = self.ctx.protocol;
        let (line, heard) = self.record.says(speaker, Self::listener(speaker), "last words");
        let lines = format!("{}\n{}{line}", protocol.registration(&name), protocol.bad_line());
        visitor.send(lines.as_bytes())?;
        visitor.half_close();
        let welcome = protocol.welcome(&name);
        let answered = "what was asked before a half-close must be answered";
        visitor
            .hears_notice(&format!("`{welcome}`"), |line| line.starts_with(&welcome))
            .means("ignores-eof", answered)?;
        hears_an_error(&mut visitor).means("ignores-eof", answered)?;
        ends_in_order(visitor)?;
        self.is_heard(speaker, &heard)?;
        self.tally.add(Fault::HalfClosed, 1);
        Ok(())
    }

    fn endless_line(&mut self) -> Outcome {
        let (mut visitor, speaker) = self.joins()?;
        visitor.send(&[b'x'; ENDLESS_BYTES])?;
        self.says_after(&mut visitor, speaker, b"\n")?;
        hears_an_error(&mut visitor).because("a line that is too long must be refused")?;
        self.tally.add(Fault::EndlessLine, 1);
        Ok(())
    }

    fn not_utf8(&mut self) -> Outcome {
        let (mut visitor, speaker) = self.joins()?;
        self.says_after(&mut visitor, speaker, b"\xff\xfe is not UTF-8\n")
            .means("not-utf8-kills", "the line after one that is not UTF-8 must be obeyed")?;
        hears_an_error(&mut visitor).because("a line that is not UTF-8 must be refused")?;
        self.tally.add(Fault::NotUtf8, 1);
        Ok(())
    }

    fn reset_and_return(&mut self, times: usize) -> Outcome {
        let name = self.new_name();
        self.ctx.step(format!("{name} resets {times} times and comes back"));
        let bad_line = self.ctx.protocol.bad_line();
        for _ in 0..times {
            let mut visitor = joins_again(self.ctx, &name)?;
            let speaker = self.record.speaker(&name);
            self.says_after(&mut visitor, speaker, bad_line.as_bytes())?;
            // The answer to the bad line was given before the good line was heard.
            visitor.peer.socket.set_read_timeout(Some(self.ctx.patience))?;
            if !visitor.peer.socket.peek(&mut [0]).is_ok_and(|bytes| bytes > 0) {
                return Err(inconclusive("nothing was on its way to the one who resets"));
            }
            visitor.peer.reset();
            self.tally.add(Fault::ResetWhileOwed, 1);
        }
        joins_again(self.ctx, &name).map(drop)
    }
}

/// Messages and notices may come before it.
fn hears_an_error(visitor: &mut Person) -> Outcome {
    visitor.hears_notice("a line that begins with `! `", |line| line.starts_with("! ")).map(drop)
}

/// Ends its sending, takes what still comes, and must see the end of the stream.
fn ends_in_order(mut visitor: Person) -> Outcome {
    visitor.half_close();
    match visitor.peer.read_to_end(visitor.patience) {
        Some(End::Closed) => Ok(()),
        Some(End::Reset) => Err(wrong(format!("{} was reset after its half-close", visitor.name))),
        None => {
            let message = format!("{} has half-closed and is never disconnected", visitor.name);
            Err(fail("ignores-eof", message).after(visitor.peer.over))
        }
    }
}
