//! How one registers, speaks and listens in each of the protocols.

use serde::{Deserialize, Serialize};

/// What a program under test speaks: the chapters of `protocol.md`.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum Protocol {
    /// S1: one connection at a time, one direction.
    Simplex,
    /// S2: one connection at a time, both directions.
    Duplex,
    /// S3: `@user:message`.
    Select,
    /// S4: everybody hears everybody.
    Threads,
    /// S5: rooms.
    Rooms,
}

use Protocol::{Duplex, Rooms, Select, Simplex, Threads};

/// The protocols with names in them.
pub const CHATS: &[Protocol] = &[Select, Threads, Rooms];

impl Protocol {
    pub fn of_stage(stage: u8) -> Protocol {
        [Simplex, Duplex, Select, Threads, Rooms][usize::from(stage.clamp(1, 5)) - 1]
    }

    pub fn stage(self) -> u8 {
        match self {
            Simplex => 1,
            Duplex => 2,
            Select => 3,
            Threads => 4,
            Rooms => 5,
        }
    }

    /// Whether `line` is what a client receives first.
    pub fn is_greeting(self, line: &str) -> bool {
        match self {
            Simplex | Duplex => false,
            Select => line.starts_with("You are connected from:"),
            Threads | Rooms => line == "NICK",
        }
    }

    /// What a client receives first, for people.
    pub fn greeting(self) -> &'static str {
        match self {
            Simplex | Duplex => "",
            Select => "You are connected from: IP:PORT\n",
            Threads | Rooms => "NICK\n",
        }
    }

    /// The line that asks for a name.
    pub fn registration(self, name: &str) -> String {
        match self {
            Select => format!("#{name}"),
            _ => name.to_string(),
        }
    }

    /// How the answer to an accepted name begins.
    pub fn welcome(self, name: &str) -> String {
        match self {
            Select => format!("Your user detail saved as: {name}"),
            _ => format!("* welcome {name}"),
        }
    }

    /// The line with which one says `text`, meant for `to`. Only S3 has addressees; in the
    /// others everybody hears it (in S5 everybody in the lobby).
    pub fn saying(self, to: &str, text: &str) -> String {
        match self {
            Select => format!("@{to}:{text}"),
            _ => text.to_string(),
        }
    }

    /// The line by which others hear that `from` said `text`.
    pub fn heard(self, from: &str, text: &str) -> String {
        match self {
            Rooms => format!("[#lobby] {from}: {text}"),
            _ => format!("{from}: {text}"),
        }
    }

    /// A line that is answered with an error, from one who has a name.
    pub fn bad_line(self) -> String {
        match self {
            Select => "@nobody-here:hello\n".to_string(),
            Rooms => "/no-such-command\n".to_string(),
            _ => format!("{}\n", "x".repeat(3000)),
        }
    }

    /// Lines that may come at any time, as many as a server likes.
    pub fn is_notice(self, line: &str) -> bool {
        if line.starts_with("* ") {
            return true;
        }
        self == Rooms
            && line
                .strip_prefix("[#")
                .and_then(|rest| rest.split_once("] "))
                .is_some_and(|(_, rest)| rest.starts_with("* "))
    }
}
