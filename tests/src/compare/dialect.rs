//! How the servers want to be spoken to: each stage has its documents' protocol.

use super::message::{Format, Message};
use std::io::Write;

/// The language of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Stage 3: `@USER:TEXT`, to one user; with `--broadcast` also `@*:TEXT`, to all others.
    Users { broadcast: bool },
    /// Stage 4: what is said is said to all others.
    Everyone,
    /// Stage 5: as stage 4 within a room, and `@USER:TEXT` besides.
    Rooms,
    /// No greeting, no names: each line goes to all others as it is.
    Plain,
}

/// How far the clients of a scenario go into the chat.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Entry {
    /// Where everyone hears everyone.
    Room,
    /// Where nobody is told of the next one who comes: a newcomer among 10,000 people costs
    /// 10,000 notices, and that is not what a scenario of silent clients is to measure.
    Quiet,
}

/// What a client does to get in. An empty text: nothing is waited for, nothing is sent.
#[derive(Debug)]
pub struct Login {
    pub greeting: &'static str,
    pub introduction: String,
    pub welcome: &'static str,
}

impl Dialect {
    pub fn of_stage(number: u8) -> Option<Dialect> {
        match number {
            3 => Some(Dialect::Users { broadcast: true }),
            4 => Some(Dialect::Everyone),
            5 => Some(Dialect::Rooms),
            _ => None,
        }
    }

    pub fn login(self, client: usize, entry: Entry) -> Login {
        let (greeting, introduction, welcome) = match (self, entry) {
            (Dialect::Plain, _) => ("", String::new(), ""),
            (Dialect::Users { .. }, _) => {
                ("You are connected from", format!("#u{client}\n"), "Your user detail saved")
            }
            (Dialect::Everyone, Entry::Quiet) => ("NICK", String::new(), ""),
            (Dialect::Rooms, Entry::Quiet) => ("NICK", format!("u{client}\n/leave\n"), "* welcome"),
            (Dialect::Everyone | Dialect::Rooms, Entry::Room) => {
                ("NICK", format!("u{client}\n"), "* welcome")
            }
        };
        Login { greeting, introduction, welcome }
    }

    /// Whether one client can speak to one other.
    pub fn has_direct_messages(self) -> bool {
        matches!(self, Dialect::Users { .. } | Dialect::Rooms)
    }

    /// Whether one line can be said to all others at once.
    pub fn reaches_everyone(self) -> bool {
        self != Dialect::Users { broadcast: false }
    }

    /// One line to one client.
    pub fn say_to(self, to: usize, format: &Format, message: Message, out: &mut Vec<u8>) {
        if self.has_direct_messages() {
            write!(out, "@u{to}:").expect("a Vec takes everything");
        }
        format.write(message, out);
        out.push(b'\n');
    }

    /// One line to all others.
    pub fn say_to_all(self, format: &Format, message: Message, out: &mut Vec<u8>) {
        if let Dialect::Users { .. } = self {
            out.extend_from_slice(b"@*:");
        }
        format.write(message, out);
        out.push(b'\n');
    }
}
