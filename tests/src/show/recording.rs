//! What happened while a scene was played: the record that every picture is drawn from. It can be
//! kept as JSON (`--format json`) and drawn again later.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

/// Raised when a field changes its meaning, so that an old record is refused and not misread.
pub const VERSION: u32 = 1;

#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Recording {
    pub version: u32,
    pub title: String,
    /// One for each program, in the order in which they are drawn.
    pub runs: Vec<Run>,
}

/// One scene on one server.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Run {
    /// `stage 3: many clients on one thread`, or the command of somebody's program.
    pub name: String,
    /// Whose rules are spoken: the number of the stage, 1 to 5.
    pub protocol: u8,
    /// In the order of first arrival.
    pub people: Vec<String>,
    /// Of the server, in the order of their first call. Empty: nobody could watch them.
    pub threads: Vec<Thread>,
    /// Where `threads` come from, or why there are none; in words.
    pub source: String,
    /// The steps of the scene, in order.
    pub moments: Vec<Moment>,
    /// In the order of their time.
    pub events: Vec<Event>,
    /// Calls that were made and are not kept, because there were too many.
    pub calls_cut: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Thread {
    /// As `ps -T` shows it.
    pub id: i32,
    /// As the program has named it; `main` for the first one.
    pub name: String,
}

/// One step of the scene.
#[derive(Debug, Clone, Serialize, Deserialize)]
pub struct Moment {
    /// Microseconds since the server listened.
    pub at: u64,
    /// What happens, in the words of the scene: `ann to everyone: Lunch at one?`.
    pub what: String,
    /// What the protocol promises and did not come: `bob: "ann: hi"`.
    pub missing: Vec<String>,
    /// Who was kept waiting for what this step sent, and for how many microseconds.
    pub waited: BTreeMap<String, u64>,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Event {
    /// Microseconds since the server listened. For a call: when it returned.
    pub at: u64,
    #[serde(flatten)]
    pub what: What,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "event", rename_all = "kebab-case")]
pub enum What {
    Connects {
        who: String,
    },
    /// In one call of the client's.
    Sends {
        who: String,
        /// With what cannot be shown escaped: see [`show_bytes`].
        text: String,
        bytes: usize,
        /// How many lines of the same kind are one event here; 1 is the usual case.
        times: usize,
    },
    /// In one read of the client's.
    Receives {
        who: String,
        text: String,
        bytes: usize,
    },
    /// The client says that nothing more will come (`half`), or resets the connection.
    Ends {
        who: String,
        how: End,
    },
    /// The client sees the end of the server's side.
    SeesEnd {
        who: String,
        how: End,
    },
    /// Somebody types at the server's own keyboard (stages 1 and 2).
    Types {
        who: String,
        text: String,
    },
    /// The server prints a line.
    Shows {
        text: String,
    },
    Call(Call),
    /// A thread of the server's woke another one.
    Wakes {
        from: i32,
        to: i32,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum End {
    /// A FIN: no more bytes in this direction, the other one may go on.
    Fin,
    /// A RST: both directions are over, and what was on its way is lost.
    Reset,
}

/// One system call of one thread.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Call {
    pub thread: i32,
    /// Microseconds since the server listened.
    pub began: u64,
    /// As the kernel calls it.
    pub name: String,
    /// In the lab's words: `read from ann's socket: 7 bytes`.
    pub words: String,
    pub kind: Kind,
    /// Whose socket, where it is somebody's.
    pub who: Option<String>,
    /// What was read or written.
    pub bytes: Option<usize>,
}

/// What a thread does in a call, or waits for.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub enum Kind {
    /// Waits until one certain client says something.
    Reads,
    /// Waits for anybody: a newcomer, or one of many sockets.
    Anybody,
    /// Waits for another thread: a lock, a condition.
    Thread,
    /// Sends; when it lasts, it waits until somebody reads.
    Writes,
    /// Prints; when it lasts, it waits until somebody reads the console.
    Prints,
    /// Everything else that is worth a mark.
    Other,
}

impl Kind {
    pub const ALL: [Kind; 6] =
        [Kind::Reads, Kind::Anybody, Kind::Thread, Kind::Writes, Kind::Prints, Kind::Other];

    pub fn word(self) -> &'static str {
        match self {
            Kind::Reads => "waits for one client",
            Kind::Anybody => "waits for anybody",
            Kind::Thread => "waits for another thread",
            Kind::Writes => "sends; waits until somebody reads, when it lasts",
            Kind::Prints => "prints",
            Kind::Other => "something else",
        }
    }

    /// For a class of the page's style sheet.
    pub fn class(self) -> &'static str {
        match self {
            Kind::Reads => "reads",
            Kind::Anybody => "anybody",
            Kind::Thread => "thread",
            Kind::Writes => "writes",
            Kind::Prints => "prints",
            Kind::Other => "other",
        }
    }
}

impl Run {
    pub fn thread_name(&self, id: i32) -> &str {
        self.threads.iter().find(|thread| thread.id == id).map_or("?", |thread| &thread.name)
    }

    /// The last moment that has begun at this time.
    pub fn moment_at(&self, at: u64) -> Option<usize> {
        self.moments.iter().rposition(|moment| moment.at <= at)
    }
}

/// Bytes as people can read them: the line feed as `⏎`, what is no text as `\x1B`.
pub fn show_bytes(bytes: &[u8]) -> String {
    let mut text = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' => text.push('⏎'),
                c if c.is_control() => text.extend(c.escape_default()),
                c => text.push(c),
            }
        }
        chunk.invalid().iter().for_each(|byte| text.push_str(&format!("\\x{byte:02X}")));
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn half_characters_and_controls_are_visible() {
        assert_eq!(show_bytes("é\r\n".as_bytes()), "é\\r⏎");
        assert_eq!(show_bytes(&"é".as_bytes()[..1]), "\\xC3");
    }

    #[test]
    fn a_record_can_be_read_again() {
        let call = Call {
            thread: 7,
            began: 1,
            name: "read".to_string(),
            words: "read from ann's socket: 7 bytes".to_string(),
            kind: Kind::Reads,
            who: Some("ann".to_string()),
            bytes: Some(7),
        };
        let event = Event { at: 2, what: What::Call(call) };
        let json = serde_json::to_string(&event).unwrap();
        assert_eq!(serde_json::from_str::<Event>(&json).unwrap(), event);
    }
}
