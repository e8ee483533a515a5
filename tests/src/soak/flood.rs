//! One who never reads is flooded until the server closes it, or holds the flooder back.

use super::plan::STEADY;
use super::steady::FLOOD;
use super::tally::Fault;
use super::visitors::Round;
use crate::check::drain::{Drain, Pushed, push};
use crate::check::outcome::{Outcome, fail, inconclusive, wrong};
use crate::check::{Person, Protocol};
use crate::peer::End;
use crate::resources::socket_buffers_bytes_max;
use socket2::SockRef;

/// Bytes of the receive buffer of one who does not read: the kernel helps it for a moment only.
const SMALL_BUFFER_BYTES: usize = 4096;

/// Bytes that a server may owe to one client, beside what the kernel holds (rule L13).
const OWED_BYTES_MAX: usize = 1 << 20;

/// Bytes of the text of a flood's line.
const FLOOD_TEXT_BYTES: usize = 1900;

/// Lines between two that the ten must hear: nobody but the one who does not read ever lags.
const LINES_PER_PART: usize = 100;

/// How often a part may stand still until the flooder counts as held back.
const STANDSTILLS_MAX: usize = 4;

impl Round<'_, '_> {
    pub fn never_read(&mut self, reads_late: bool) -> Outcome {
        let name = self.new_name();
        let mut slow = self.ctx.joins_with(&name, SMALL_BUFFER_BYTES)?;
        self.ctx.step(format!("{name} never reads"));
        let (mut flooder, speaker) = self.joins()?;
        let errors = Drain::of(&flooder, |line| line.starts_with("! "))?;
        let text = format!("{FLOOD}{:x<FLOOD_TEXT_BYTES$}", "");
        let part = format!("{}\n", self.ctx.protocol.saying(&name, &text)).repeat(LINES_PER_PART);
        let (mut taken, enough) = (0, 2 * socket_buffers_bytes_max() + 4 * OWED_BYTES_MAX);
        while !self.has_left(&name, &errors) {
            if taken > enough {
                self.leaves_late(&name, &errors, taken)?;
                break;
            }
            let to = Self::listener(speaker);
            let (line, heard) = self.record.says(speaker, to, "so far it was a flood");
            let bytes = format!("{part}{line}");
            if let Some(rest) = push_all(&flooder, bytes.as_bytes())? {
                self.ctx.step(format!("the flooder is held back after {taken} bytes"));
                let (mut other, other_speaker) = self.joins()?; // nobody else may have to wait
                self.says_after(&mut other, other_speaker, b"")?;
                slow.peer.reset();
                flooder.send_silently(&bytes.as_bytes()[rest..])?;
                self.is_heard(speaker, &heard)?;
                return self.proven(taken);
            }
            for listener in self.listeners(speaker) {
                self.drains[listener].hears_line(&heard, self.ctx.patience)?;
            }
            taken += bytes.len();
            crate::compare::check_interrupt()?;
        }
        self.ctx.step(format!("{name} is closed after {taken} bytes"));
        if reads_late {
            finds_the_end(&mut slow)?;
        }
        self.proven(taken)
    }

    /// Everything that could make it leave has been sent. On a busy machine it may still take a
    /// moment until somebody hears of it.
    fn leaves_late(&self, name: &str, errors: &Drain, taken: usize) -> Outcome {
        let mut patience = self.ctx.new_patience();
        while !self.has_left(name, errors) {
            if !patience.pause() {
                return Err(fail("unbounded-queue", "one who does not read was never closed")
                    .expected("it is closed when more than the bound is owed to it")
                    .got(format!("it is still connected after {taken} bytes"))
                    .after(patience.over()));
            }
        }
        Ok(())
    }

    fn proven(&mut self, taken: usize) -> Outcome {
        self.tally.add(Fault::NeverRead, 1);
        self.tally.flooded_bytes += taken as u64;
        Ok(())
    }

    /// Whether the server has let go of `name`, as others learn it: in S3 the flooder is told
    /// that nobody is called so.
    fn has_left(&self, name: &str, errors: &Drain) -> bool {
        if self.ctx.protocol == Protocol::Select {
            return !errors.lock().lines.is_empty();
        }
        let left = format!("* {name} left");
        self.drains[0].lock().lines.iter().any(|line| line.contains(&left))
    }

    fn listeners(&self, speaker: usize) -> std::ops::Range<usize> {
        let one = Self::listener(speaker);
        if self.ctx.protocol == Protocol::Select { one..one + 1 } else { 0..STEADY.len() }
    }
}

/// Sends it all; or says how much of it was taken when the server took no more for a long time.
fn push_all(flooder: &Person, bytes: &[u8]) -> Outcome<Option<usize>> {
    let (mut sent, mut standstills) = (0, 0);
    loop {
        match push(flooder, &bytes[sent..]) {
            Pushed::All => return Ok(None),
            Pushed::Ended => return Err(wrong("the server ended the connection of a flooder")),
            Pushed::Unknown => return Err(inconclusive("the server got no processor time")),
            Pushed::HeldBack(0) if standstills == STANDSTILLS_MAX => return Ok(Some(sent)),
            Pushed::HeldBack(0) => standstills += 1,
            Pushed::HeldBack(taken) => {
                sent += taken;
                standstills = 0;
            }
        }
    }
}

/// Who begins to read now gets what the server still had for it, and then the end, in order or
/// by a reset.
fn finds_the_end(slow: &mut Person) -> Outcome {
    // From now on the kernel may help: megabytes through a window of 4 KiB can take minutes.
    let _ = SockRef::from(&slow.peer.socket).set_recv_buffer_size(OWED_BYTES_MAX);
    match slow.peer.read_to_end(slow.patience) {
        Some(End::Closed | End::Reset) => Ok(()),
        None => Err(wrong("who reads too late must find that its connection has ended")
            .expected("end of stream")
            .got(format!("{} bytes, and no end", slow.peer.received.len()))
            .after(slow.peer.over)),
    }
}
