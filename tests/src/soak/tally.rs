//! How often each fault has happened, and the table of it.

use super::plan::Cuts;
use crate::resources::Usage;
use comfy_table::{ContentArrangement, Table, presets};
use std::collections::BTreeMap;

/// A fault is counted when it has been proven: when it was answered, when lines waited for the
/// one who reset, when the server has closed the one who does not read.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Fault {
    OneByte,
    SeveralLines,
    CutInACharacter,
    ResetAtOnce,
    LeftInMidLine,
    HalfClosed,
    NeverRead,
    EndlessLine,
    NotUtf8,
    LostRace,
    TakenName,
    ResetWhileOwed,
    SteadyReturned,
}

impl Fault {
    pub const ALL: [Fault; 13] = [
        Fault::OneByte,
        Fault::SeveralLines,
        Fault::CutInACharacter,
        Fault::ResetAtOnce,
        Fault::LeftInMidLine,
        Fault::HalfClosed,
        Fault::NeverRead,
        Fault::EndlessLine,
        Fault::NotUtf8,
        Fault::LostRace,
        Fault::TakenName,
        Fault::ResetWhileOwed,
        Fault::SteadyReturned,
    ];

    pub fn words(self) -> &'static str {
        match self {
            Fault::OneByte => "segments of one byte",
            Fault::SeveralLines => "segments of several lines",
            Fault::CutInACharacter => "segments cut in mid-character",
            Fault::ResetAtOnce => "visitors who reset at once",
            Fault::LeftInMidLine => "visitors who left in mid-line",
            Fault::HalfClosed => "half-closes answered and ended",
            Fault::NeverRead => "non-readers flooded to the bound",
            Fault::EndlessLine => "lines of 64 KiB refused",
            Fault::NotUtf8 => "lines that are not UTF-8 refused",
            Fault::LostRace => "races for a free name lost",
            Fault::TakenName => "taken names refused",
            Fault::ResetWhileOwed => "resets with lines still unread",
            Fault::SteadyReturned => "steady clients reset and back",
        }
    }
}

#[derive(Debug, Default, Clone)]
pub struct Tally {
    pub rounds: u64,
    pub lines: u64,
    pub deliveries: u64,
    /// Bytes that the server took for those who never read.
    pub flooded_bytes: u64,
    faults: BTreeMap<Fault, u64>,
}

impl Tally {
    pub fn add(&mut self, fault: Fault, times: u64) {
        *self.faults.entry(fault).or_default() += times;
    }

    pub fn add_cuts(&mut self, cuts: Cuts) {
        self.add(Fault::OneByte, cuts.one_byte);
        self.add(Fault::SeveralLines, cuts.several_lines);
        self.add(Fault::CutInACharacter, cuts.in_a_character);
    }

    pub fn times(&self, fault: Fault) -> u64 {
        self.faults.get(&fault).copied().unwrap_or(0)
    }

    pub fn faults(&self) -> u64 {
        self.faults.values().sum()
    }

    /// The faults that have never happened.
    pub fn missing(&self) -> Vec<Fault> {
        Fault::ALL.into_iter().filter(|fault| self.times(*fault) == 0).collect()
    }
}

/// What the server used: before the first round, after the first few, and after the last.
#[derive(Debug, Default, Clone, Copy)]
pub struct Looks {
    pub before: Option<Usage>,
    pub warm: Option<Usage>,
    pub last: Option<Usage>,
}

/// One column for each server.
pub fn table(columns: &[(&str, &Tally, &Looks)]) -> Table {
    let mut table = Table::new();
    table
        .load_style(presets::UTF8_FULL_CONDENSED)
        .set_content_arrangement(ContentArrangement::Dynamic);
    let names = columns.iter().map(|(name, ..)| name.to_string());
    table.set_header(std::iter::once(String::new()).chain(names));
    let mut row = |what: &str, cell: &dyn Fn(&Tally, &Looks) -> String| {
        let cells = columns.iter().map(|(_, tally, looks)| cell(tally, looks));
        table.add_row(std::iter::once(what.to_string()).chain(cells).collect::<Vec<_>>());
    };
    row("rounds", &|tally, _| grouped(tally.rounds));
    row("lines said", &|tally, _| grouped(tally.lines));
    row("deliveries checked", &|tally, _| grouped(tally.deliveries));
    for fault in Fault::ALL {
        row(fault.words(), &|tally, _| grouped(tally.times(fault)));
    }
    row("MB sent to those who never read", &|tally, _| grouped(tally.flooded_bytes / 1_000_000));
    row("descriptors before, and after", &|_, looks| {
        pair(looks.before, looks.last, |usage| usage.descriptors as u64)
    });
    row("threads before, and after", &|_, looks| {
        pair(looks.before, looks.last, |usage| usage.threads as u64)
    });
    row("memory when warm, and after (KiB)", &|_, looks| {
        pair(looks.warm, looks.last, |usage| usage.resident_bytes / 1024)
    });
    table
}

fn pair(first: Option<Usage>, last: Option<Usage>, of: impl Fn(Usage) -> u64) -> String {
    let shown = |usage: Option<Usage>| usage.map_or("-".to_string(), |usage| grouped(of(usage)));
    format!("{}, {}", shown(first), shown(last))
}

/// `12 345`: the digits of a long number in threes.
fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut text = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            text.push(' ');
        }
        text.push(digit);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_fault_that_never_happened_is_missing() {
        let mut tally = Tally::default();
        for fault in Fault::ALL {
            tally.add(fault, u64::from(fault != Fault::HalfClosed));
        }
        assert_eq!(tally.missing(), [Fault::HalfClosed]);
        assert_eq!(tally.faults(), 12);
    }

    #[test]
    fn the_table_has_a_row_for_each_fault() {
        let text = table(&[("stage 4", &Tally::default(), &Looks::default())]).to_string();
        assert!(Fault::ALL.iter().all(|fault| text.contains(fault.words())));
    }

    #[test]
    fn long_numbers_are_grouped() {
        assert_eq!(["0", "999", "1 000", "1 234 567"], [0, 999, 1000, 1_234_567].map(grouped));
    }
}
