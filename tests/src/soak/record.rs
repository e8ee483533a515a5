//! Who has said what to whom in a round, and what that means for what was heard.
//!
//! Pure: texts go in, lines that were heard go in, a verdict comes out.

use super::plan::STEADY;
use crate::check::Protocol;
use crate::check::difference::brief;
use crate::check::history::{self, History, LineId, Told, Witness};
use std::collections::HashMap;

#[derive(Debug)]
pub struct Record {
    protocol: Protocol,
    /// Begins every text of the round, so that a line of another round is known as one.
    tag: String,
    /// Of all who have spoken: first the ten, then the visitors. Who comes back is a new one.
    names: Vec<String>,
    texts: Vec<Vec<String>>,
    history: History,
    known: HashMap<String, LineId>,
}

impl Record {
    pub fn new(protocol: Protocol, seed: u64) -> Record {
        let history = History {
            sent: Vec::new(),
            received: Vec::new(),
            one_order: protocol != Protocol::Select,
        };
        let mut record = Record {
            protocol,
            tag: format!("round {seed}"),
            names: Vec::new(),
            texts: Vec::new(),
            history,
            known: HashMap::new(),
        };
        for name in STEADY {
            record.speaker(name);
        }
        record
    }

    /// Somebody who has not spoken before.
    pub fn speaker(&mut self, name: &str) -> usize {
        self.names.push(name.to_string());
        self.texts.push(Vec::new());
        self.history.sent.push(Vec::new());
        self.names.len() - 1
    }

    /// Notes the next line of `speaker`. Gives it as it is sent, and as others hear it.
    pub fn says(&mut self, speaker: usize, to: usize, words: &str) -> (String, String) {
        let number = self.texts[speaker].len();
        let text = format!("{}, {speaker}.{number}: {words}", self.tag);
        let heard = self.protocol.heard(&self.names[speaker], &text);
        let line = format!("{}\n", self.protocol.saying(STEADY[to], &text));
        let others = (0..STEADY.len()).filter(|other| *other != speaker).collect();
        let addressees = if self.protocol == Protocol::Select { vec![to] } else { others };
        self.texts[speaker].push(text);
        self.history.sent[speaker].push(addressees);
        self.known.insert(heard.clone(), LineId { sender: speaker, number });
        (line, heard)
    }

    /// Half a line, which nobody may hear.
    pub fn half_a_line(&self, to: usize) -> String {
        let text = format!("{}, half a line that has no end", self.tag);
        self.protocol.saying(STEADY[to], &text)
    }

    /// The last line that each speaker has for `receiver`, as it is heard. Who has all of these
    /// will hear nothing more of this round: what is missing then is lost.
    pub fn last_lines_for(&self, receiver: usize) -> Vec<String> {
        let last = |speaker: usize| {
            let lines = &self.history.sent[speaker];
            let number = lines.iter().rposition(|to| to.contains(&receiver))?;
            Some(self.protocol.heard(&self.names[speaker], &self.texts[speaker][number]))
        };
        (0..self.names.len()).filter_map(last).collect()
    }

    /// Lines that were said.
    pub fn lines(&self) -> u64 {
        self.texts.iter().map(|texts| texts.len() as u64).sum()
    }

    /// Judges what each of the ten has heard in the whole round. How many deliveries it was; or
    /// what is wrong, in words.
    pub fn judge(&mut self, heard: &[Vec<String>]) -> Result<u64, String> {
        self.note_heard(heard)?;
        self.told(history::check(&self.history))?;
        Ok(self.history.received.iter().map(|lines| lines.len() as u64).sum())
    }

    /// As `judge`, of a round that is not over: a line may still come, but not after a later one
    /// of the same speaker.
    pub fn judge_so_far(&mut self, heard: &[Vec<String>]) -> Result<(), String> {
        self.note_heard(heard)?;
        let mut so_far = self.history.clone();
        for (receiver, lines) in self.history.received.iter().enumerate() {
            for (speaker, sent) in so_far.sent.iter_mut().enumerate() {
                let of_speaker = lines.iter().filter(|line| line.sender == speaker);
                let came = of_speaker.map(|line| line.number + 1).max().unwrap_or(0);
                for addressees in &mut sent[came..] {
                    addressees.retain(|addressee| *addressee != receiver);
                }
            }
        }
        self.told(history::check(&so_far))
    }

    /// Notices are left out; every other line must be one that was said.
    fn note_heard(&mut self, heard: &[Vec<String>]) -> Result<(), String> {
        self.history.received = Vec::new();
        for (receiver, lines) in heard.iter().enumerate() {
            let lines = lines.iter().filter(|line| !self.protocol.is_notice(line));
            let known = lines.map(|line| self.known.get(line).copied().ok_or(line));
            let ids: Result<Vec<LineId>, &String> = known.collect();
            let ids = ids.map_err(|strange| {
                let shown = brief(strange.as_bytes());
                format!("{} received `{shown}`, which nobody said in this round", STEADY[receiver])
            })?;
            self.history.received.push(ids);
        }
        Ok(())
    }

    fn told(&self, checked: Result<(), Witness>) -> Result<(), String> {
        let told = |witness| {
            let name = |client: usize| self.names[client].clone();
            let text = |line: LineId| {
                let text = self.texts.get(line.sender).and_then(|texts| texts.get(line.number));
                brief(text.map_or("", String::as_str).as_bytes())
            };
            Told { witness, name: &name, text: &text }.to_string()
        };
        checked.map_err(told)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ann says two lines and a visitor one, each for ben; the record, and what ben hears.
    fn three_lines(protocol: Protocol) -> (Record, Vec<String>) {
        let mut record = Record::new(protocol, 7);
        let visitor = record.speaker("v1");
        let mut heard = Vec::new();
        for (speaker, words) in [(0, "tea?"), (0, "now?"), (visitor, "yes")] {
            heard.push(record.says(speaker, 1, words).1);
        }
        (record, heard)
    }

    /// In S3 nobody but ben hears anything.
    fn ben_hears(lines: Vec<String>) -> Vec<Vec<String>> {
        let mut heard = vec![Vec::new(); STEADY.len()];
        heard[1] = lines;
        heard
    }

    #[test]
    fn what_was_said_and_heard_is_in_order() {
        let (mut record, heard) = three_lines(Protocol::Select);
        assert_eq!(record.judge(&ben_hears(heard)), Ok(3));
    }

    #[test]
    fn in_a_broadcast_all_others_must_hear_it() {
        let (mut record, heard) = three_lines(Protocol::Threads);
        let mut all = vec![heard.clone(); STEADY.len()];
        all[0] = heard[2..].to_vec(); // ann does not hear herself
        assert_eq!(record.judge(&all), Ok(9 * 3 + 1));
    }

    #[test]
    fn a_lost_line_is_named() {
        let (mut record, mut heard) = three_lines(Protocol::Select);
        heard.remove(1);
        let said = record.judge(&ben_hears(heard)).unwrap_err();
        assert_eq!(said, "ben never received `round 7, 0.1: now?` of ann");
    }

    #[test]
    fn before_the_end_of_a_round_only_gaps_are_losses() {
        let (mut record, mut heard) = three_lines(Protocol::Select);
        assert_eq!(record.judge_so_far(&ben_hears(heard[..1].to_vec())), Ok(()));
        assert!(record.judge(&ben_hears(heard[..1].to_vec())).is_err());
        heard.remove(0);
        let said = record.judge_so_far(&ben_hears(heard)).unwrap_err();
        assert_eq!(said, "ben never received `round 7, 0.0: tea?` of ann");
    }

    #[test]
    fn half_a_line_is_a_line_that_nobody_said() {
        let (mut record, mut heard) = three_lines(Protocol::Select);
        heard.push("v1: round 7, half a line".to_string());
        let said = record.judge(&ben_hears(heard)).unwrap_err();
        assert!(said.ends_with("`v1: round 7, half a line`, which nobody said in this round"));
    }

    #[test]
    fn a_line_of_the_round_before_is_strange() {
        let (_, heard) = three_lines(Protocol::Select);
        let mut next = Record::new(Protocol::Select, 8);
        assert!(next.judge(&ben_hears(heard)).is_err());
    }

    #[test]
    fn notices_may_come_at_any_time() {
        let (mut record, mut heard) = three_lines(Protocol::Rooms);
        heard.insert(1, "[#lobby] * v1 joined".to_string());
        let mut all = vec![heard.clone(); STEADY.len()];
        all[0] = heard[3..].to_vec();
        assert!(record.judge(&all).is_ok());
    }

    #[test]
    fn the_last_line_of_each_speaker_ends_the_wait() {
        let (record, heard) = three_lines(Protocol::Select);
        assert_eq!(record.last_lines_for(1), heard[1..]);
        assert!(record.last_lines_for(2).is_empty());
    }
}
