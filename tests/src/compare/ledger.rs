//! The books of one run: what was said, who has heard it, and what is still owed.
//!
//! Every delivery is checked. A speaker's messages are numbered, so a receiver knows the next
//! number; anything else is a loss, a repetition, a late one or a stray.

use super::message::Message;
use hdrhistogram::Histogram;
use std::collections::HashSet;
use std::time::Duration;

/// Beyond this a latency is a failure, and is recorded as this.
const LATENCY_MAX: Duration = Duration::from_secs(60);

/// Who hears what a speaker says.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Audience {
    /// All others.
    Everyone,
    /// The partner alone: 0 and 1, 2 and 3, ...
    Partner,
}

#[derive(Debug)]
pub struct Ledger {
    audience: Audience,
    /// How many clients listen and count. One that never reads is not among them.
    listeners: usize,
    /// Which client each speaker is.
    pub speakers: Vec<usize>,
    /// The next number, by receiver and speaker.
    expected: Vec<u32>,
    /// The next number that each speaker will say.
    next: Vec<u32>,
    /// How many deliveries a message still lacks: a ring of numbers for each speaker.
    owed: Vec<u32>,
    ring: usize,
    /// Speakers one of whose messages has reached everybody: one entry for each such message.
    pub heard_by_all: Vec<u32>,
    /// Since the figures were last started afresh, and before that.
    pub deliveries: u64,
    delivered_before: u64,
    missing: HashSet<(usize, u32, u32)>,
    pub faults: Faults,
    /// From when it was due to when it was read, in ns.
    pub latency: Histogram<u64>,
}

/// What a chat server must never do.
#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Faults {
    pub repeated: u64,
    pub out_of_order: u64,
    /// Reached somebody it was not meant for.
    pub stray: u64,
}

impl Ledger {
    /// `in_flight`: how many messages of one speaker may be on their way at once.
    pub fn new(
        audience: Audience,
        listeners: usize,
        speakers: Vec<usize>,
        in_flight: usize,
    ) -> Ledger {
        let ring = in_flight.next_power_of_two();
        let books = match audience {
            Audience::Everyone => listeners * speakers.len(),
            Audience::Partner => listeners,
        };
        Ledger {
            audience,
            listeners,
            expected: vec![0; books],
            next: vec![0; speakers.len()],
            owed: vec![0; speakers.len() * ring],
            ring,
            speakers,
            heard_by_all: Vec::new(),
            deliveries: 0,
            delivered_before: 0,
            missing: HashSet::new(),
            faults: Faults::default(),
            latency: latencies(),
        }
    }

    /// How many receivers one message has.
    pub fn receivers(&self) -> u64 {
        match self.audience {
            Audience::Everyone => self.listeners as u64 - 1,
            Audience::Partner => 1,
        }
    }

    /// The speaker says one more.
    pub fn say(&mut self, speaker: u32, due: u64) -> Message {
        let slot = speaker as usize;
        let number = self.next[slot];
        self.next[slot] += 1;
        self.owed[slot * self.ring + number as usize % self.ring] = self.receivers() as u32;
        Message { speaker, number, due }
    }

    /// All that was ever said, times its receivers.
    pub fn promised(&self) -> u64 {
        self.next.iter().map(|said| u64::from(*said)).sum::<u64>() * self.receivers()
    }

    /// What of it has not come yet.
    pub fn owed_now(&self) -> u64 {
        self.promised() - self.delivered_before - self.deliveries
    }

    pub fn lost(&self) -> u64 {
        self.missing.len() as u64
    }

    /// Starts the figures afresh. What may still come, and the faults so far, stay in the books.
    pub fn forget_figures(&mut self) {
        self.delivered_before += std::mem::take(&mut self.deliveries);
        self.latency.clear();
    }

    /// `receiver` has read `message` at `now`.
    pub fn deliver(&mut self, receiver: usize, message: Message, now: u64) {
        if receiver >= self.listeners {
            return;
        }
        let speaker = message.speaker as usize;
        let Some(book) = self.book(receiver, speaker) else {
            self.faults.stray += 1;
            return;
        };
        let expected = self.expected[book];
        if message.number != expected && !self.note_gap(receiver, message, expected) {
            return;
        }
        self.expected[book] = self.expected[book].max(message.number + 1);
        self.deliveries += 1;
        self.latency.saturating_record(now.saturating_sub(message.due));
        let owed = &mut self.owed[speaker * self.ring + message.number as usize % self.ring];
        *owed = owed.saturating_sub(1);
        if *owed == 0 {
            self.heard_by_all.push(message.speaker);
        }
    }

    fn book(&self, receiver: usize, speaker: usize) -> Option<usize> {
        let client = *self.speakers.get(speaker)?;
        match self.audience {
            Audience::Everyone => {
                (receiver != client).then_some(receiver * self.speakers.len() + speaker)
            }
            Audience::Partner => (receiver == client ^ 1).then_some(receiver),
        }
    }

    /// Not the number that was due. Whether it is a delivery all the same: a late one is, a
    /// repeated one is not.
    fn note_gap(&mut self, receiver: usize, message: Message, expected: u32) -> bool {
        let key = |number| (receiver, message.speaker, number);
        if message.number > expected {
            self.missing.extend((expected..message.number).map(key));
            return true;
        }
        let late = self.missing.remove(&key(message.number));
        self.faults.out_of_order += u64::from(late);
        self.faults.repeated += u64::from(!late);
        late
    }
}

/// A histogram of latencies in ns.
pub fn latencies() -> Histogram<u64> {
    Histogram::new_with_max(LATENCY_MAX.as_nanos() as u64, 2)
        .expect("two digits up to a minute are within its bounds")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn message(speaker: u32, number: u32) -> Message {
        Message { speaker, number, due: 0 }
    }

    #[test]
    fn a_message_is_done_when_all_others_have_it() {
        let mut ledger = Ledger::new(Audience::Everyone, 3, vec![0], 1);
        ledger.say(0, 0);
        ledger.deliver(1, message(0, 0), 5);
        assert!(ledger.heard_by_all.is_empty());
        ledger.deliver(2, message(0, 0), 5);
        assert_eq!(ledger.heard_by_all, [0]);
        assert_eq!(ledger.deliveries, ledger.promised());
    }

    #[test]
    fn losses_repetitions_and_disorder_are_told_apart() {
        let mut ledger = Ledger::new(Audience::Everyone, 2, vec![0], 8);
        for _ in 0..4 {
            ledger.say(0, 0);
        }
        for number in [0, 2, 1, 1] {
            ledger.deliver(1, message(0, number), 1);
        }
        assert_eq!(ledger.lost(), 0);
        let faults = Faults { repeated: 1, out_of_order: 1, stray: 0 };
        assert_eq!(ledger.faults, faults);
        ledger.say(0, 0);
        ledger.deliver(1, message(0, 4), 1);
        assert_eq!(ledger.lost(), 1);
    }

    #[test]
    fn what_reaches_another_than_the_partner_is_a_stray() {
        let mut ledger = Ledger::new(Audience::Partner, 4, (0..4).collect(), 1);
        ledger.say(2, 0);
        ledger.deliver(1, message(2, 0), 1);
        assert_eq!(ledger.faults.stray, 1);
        ledger.deliver(3, message(2, 0), 1);
        assert_eq!(ledger.heard_by_all, [2]);
    }
}
