//! What is done to a server: the kinds of work, and what a run of one gives.

use super::dialect::Dialect;
use super::figures::{Figure, Figures};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::time::Duration;

/// How many speak where "all" speak: more would only make the books longer than the measurement.
pub const SPEAKERS_MAX: usize = 100;

/// Messages that one speaker keeps on their way where one speaks, and in pairs.
pub const WINDOW: usize = 32;

/// Deliveries per second of the steady stream, whatever the number of listeners.
pub const STEADY_DELIVERIES: f64 = 20_000.0;

/// Clients of the scenario with one that never reads, that one not counted.
pub const STALLED_CLIENTS: usize = 10;

/// Messages per second there. With `LONG_TEXT_BYTES` they fill what the kernel holds for a
/// client (up to 6 MB here) and the server's own bound within the time of the measurement.
pub const STALLED_RATE: f64 = 2000.0;

/// Clients of the scenario that counts.
pub const COUNTED_CLIENTS: usize = 50;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Scenario {
    /// Everyone in one room, one speaks.
    OneSpeaks,
    /// Everyone in one room, all speak (`SPEAKERS_MAX` at most).
    AllSpeak,
    Pairs,
    Steady,
    /// Long messages at a steady rate, everybody reads.
    AllRead,
    /// The same, and one client never reads.
    OneStalls,
    /// Clients that come, and then do nothing.
    Idle,
    /// A fixed script, for counting system calls: nothing in it depends on the clock.
    Counted,
}

/// What people ask for: `--only`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Topic {
    /// Everyone in one room: one speaks, all speak
    Room,
    /// Two by two
    Pairs,
    /// At a fixed rate, however slow the server is
    Steady,
    /// One client never reads
    Stalled,
    /// Clients that come, and then are silent
    Idle,
    /// System calls for each delivery
    Calls,
}

impl Scenario {
    /// In the order of the report.
    pub const ALL: [Scenario; 8] = [
        Scenario::OneSpeaks,
        Scenario::AllSpeak,
        Scenario::Pairs,
        Scenario::Steady,
        Scenario::AllRead,
        Scenario::OneStalls,
        Scenario::Idle,
        Scenario::Counted,
    ];

    pub fn topic(self) -> Topic {
        match self {
            Scenario::OneSpeaks | Scenario::AllSpeak => Topic::Room,
            Scenario::Pairs => Topic::Pairs,
            Scenario::Steady => Topic::Steady,
            Scenario::AllRead | Scenario::OneStalls => Topic::Stalled,
            Scenario::Idle => Topic::Idle,
            Scenario::Counted => Topic::Calls,
        }
    }

    pub fn name(self) -> &'static str {
        match self {
            Scenario::OneSpeaks => "room, one speaks",
            Scenario::AllSpeak => "room, all speak",
            Scenario::Pairs => "pairs",
            Scenario::Steady => "steady",
            Scenario::AllRead => "stalled: everybody reads",
            Scenario::OneStalls => "stalled: one does not",
            Scenario::Idle => "arrivals and idle",
            Scenario::Counted => "system calls",
        }
    }

    /// What is drawn of it, ranked by and asked for cliffs. `None`: nothing is ranked. Less is
    /// better in all of them.
    pub fn figure(self) -> Option<Figure> {
        match self {
            Scenario::OneSpeaks | Scenario::AllSpeak | Scenario::Pairs => Some(Figure::Cpu),
            Scenario::Steady => Some(Figure::P99),
            Scenario::Idle => Some(Figure::Memory),
            Scenario::AllRead | Scenario::OneStalls | Scenario::Counted => None,
        }
    }

    /// Whether a server that speaks `dialect` can do the same work as the others. Who hears is its
    /// protocol: who would have to say a line once for each receiver is not asked to.
    pub fn fits(self, dialect: Dialect, clients: usize) -> bool {
        match self {
            // Among two people "everyone else" is the partner.
            Scenario::Pairs => dialect.has_direct_messages() || clients == 2,
            Scenario::Idle => true,
            Scenario::Counted => dialect.reaches_everyone() && cfg!(target_os = "linux"),
            _ => dialect.reaches_everyone(),
        }
    }
}

/// How long things are watched.
#[derive(Debug, Clone, Copy, Default, Serialize, Deserialize)]
pub struct Times {
    pub talk: Duration,
    pub steady: Duration,
    pub stalled: Duration,
    pub idle: Duration,
}

/// What one run gave.
#[derive(Debug, Clone, Default, Serialize, Deserialize)]
pub struct Outcome {
    pub figures: Figures,
    /// System calls for each delivery, by name.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub calls: BTreeMap<Figure, Vec<(String, f64)>>,
    /// What became of the client that did not read.
    pub ending: Option<String>,
    /// Why the figures do not count.
    pub failure: Option<String>,
    /// What the server printed last, if it failed.
    pub last_words: String,
}
