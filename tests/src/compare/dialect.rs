//! How the servers want to be spoken to: each stage has its documents' protocol.

use super::message::{Format, Message};
use std::io::Write;

/// The language of one server.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// Stage 3: `@USER:TEXT`, to one user at a time.
    Users,
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
            3 => Some(Dialect::Users),
            4 => Some(Dialect::Everyone),
            5 => Some(Dialect::Rooms),
            _ => None,
        }
    }

    pub fn login(self, client: usize, entry: Entry) -> Login {
        let (greeting, introduction, welcome) = match (self, entry) {
            (Dialect::Plain, _) => ("", String::new(), ""),
            (Dialect::Users, _) => {
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
        matches!(self, Dialect::Users | Dialect::Rooms)
    }

    /// One line to one client.
    pub fn say_to(self, to: usize, format: &Format, message: Message, out: &mut Vec<u8>) {
        if self.has_direct_messages() {
            write!(out, "@u{to}:").expect("a Vec takes everything");
        }
        format.write(message, out);
        out.push(b'\n');
    }

    /// What it takes to reach all others: one line, or one line for each of them.
    pub fn say_to_all(
        self,
        from: usize,
        clients: usize,
        format: &Format,
        message: Message,
        out: &mut Vec<u8>,
    ) {
        if self == Dialect::Users {
            for to in (0..clients).filter(|to| *to != from) {
                self.say_to(to, format, message, out);
            }
        } else {
            format.write(message, out);
            out.push(b'\n');
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::compare::message::TEXT_BYTES;

    #[test]
    fn everyone_is_one_line_except_where_there_are_only_users() {
        let format = Format::new(1, TEXT_BYTES);
        let message = Message { speaker: 0, number: 0, due: 0 };
        let lines = |dialect: Dialect| {
            let mut out = Vec::new();
            dialect.say_to_all(1, 5, &format, message, &mut out);
            String::from_utf8(out).unwrap().lines().count()
        };
        assert_eq!(lines(Dialect::Users), 4);
        assert_eq!(lines(Dialect::Rooms), 1);
    }
}
