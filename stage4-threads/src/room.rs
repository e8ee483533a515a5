//! Layer: the meaning. Who is in the conversation, and what a line means in it (rules S4.1 to S4.6).
//!
//! Pure: no socket, no clock, no lock, no output. The room decides, and writes down as effects what
//! has to be done about it. Every word that a client hears is in this file.

use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display};
use std::net::SocketAddr;

use crate::command::Command;
use crate::effects::{ClientId, Effects};
use crate::line::{LineError, SERVER_LINE_BYTES_MAX};

/// Characters of the longest name (rule L8).
const NAME_CHARS_MAX: usize = 20;

/// What a client hears until it has a name (rule S4.1).
const QUESTION: &str = "NICK";

/// Who is here.
#[derive(Debug, Default)]
pub struct Room {
    /// Everyone who is connected and has not been sent away. Sorted, so that all hear a line in the
    /// same order of receivers, whoever speaks.
    clients: BTreeMap<ClientId, Person>,
    /// By name in lower case, because `Bob` and `bob` are one name (rule L8).
    by_name: HashMap<String, ClientId>,
}

#[derive(Debug)]
struct Person {
    /// Where the connection comes from.
    address: SocketAddr,
    /// Who has none hears nothing of what others say.
    name: Option<String>,
}

/// Why the server ends a connection that would go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// More is owed to the client than may be, or it takes nothing (rule L13).
    ReadsTooSlowly,
    /// The time in which a name must be given is over (rule S4.6).
    NoNameInTime,
    /// The machine has no thread left.
    NoThread,
}

/// How a client stands.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Standing {
    /// It has not given a good name yet.
    Nameless,
    /// It has a name, and takes part.
    Member,
    /// It has left, or has been sent away.
    Gone,
}

impl Room {
    /// A client has connected.
    pub fn arrive(&mut self, client: ClientId, address: SocketAddr, effects: &mut Effects) {
        self.clients.insert(client, Person { address, name: None });
        effects.show(format_args!("{address} connected"));
        effects.tell(client, QUESTION);
    }

    // ANCHOR: apply
    /// Obeys one line. What it means depends on who says it: the first good line is a name.
    pub fn apply(
        &mut self,
        from: ClientId,
        line: Result<Command, LineError>,
        effects: &mut Effects,
    ) {
        let Some(person) = self.clients.get(&from) else {
            return; // what follows `exit` is ignored (rule L11)
        };
        match (line, &person.name) {
            (Ok(Command::Exit), _) => {
                self.leave(from, effects);
                effects.close(from);
            }
            (Ok(Command::Say { text: name }), None) => self.enter(from, name, effects),
            (Ok(Command::WebRequest { .. }), None) => {
                self.leave(from, effects);
                effects.close_with(from, "! this is a chat server, not a web server");
            }
            (Ok(Command::Say { text } | Command::WebRequest { line: text }), Some(name)) => {
                effects.tell_all(self.others(from), format_args!("{name}: {text}"));
                let (ip, port) = (person.address.ip(), person.address.port());
                effects.show(format_args!("[{ip}]:{port} => {text}"));
            }
            (Err(error), Some(_)) => effects.tell(from, format_args!("! {error}")),
            (Err(error), None) => ask_again(from, error, effects),
        }
    }
    // ANCHOR_END: apply

    /// The server ends the connection.
    pub fn evict(&mut self, client: ClientId, why: Eviction, effects: &mut Effects) {
        let Some(person) = self.clients.get(&client) else {
            return; // it has been sent away before
        };
        let (told, shown) = match why {
            Eviction::ReadsTooSlowly => ("you read too slowly", "reads too slowly"),
            Eviction::NoNameInTime => ("you gave no name in time", "gave no name in time"),
            Eviction::NoThread => {
                ("no thread is free for you: try again later", "gets no thread, for none is left")
            }
        };
        effects.show(format_args!("{person} {shown}: closed"));
        self.leave(client, effects);
        effects.close_with(client, format_args!("! {told}"));
    }

    /// The connection has ended, in whichever way. Who never gave a name leaves in silence, and
    /// nobody leaves twice (rule S4.5).
    pub fn leave(&mut self, client: ClientId, effects: &mut Effects) {
        let Some(Person { name: Some(name), .. }) = self.clients.remove(&client) else { return };
        self.by_name.remove(&name.to_ascii_lowercase());
        self.announce(client, format_args!("* {name} left"), effects);
    }

    pub fn standing(&self, client: ClientId) -> Standing {
        match self.clients.get(&client) {
            None => Standing::Gone,
            Some(Person { name: None, .. }) => Standing::Nameless,
            Some(Person { name: Some(_), .. }) => Standing::Member,
        }
    }

    /// How `-v` calls a client.
    pub fn who(&self, client: ClientId) -> String {
        let person = self.clients.get(&client);
        person.map_or("one who has left".to_string(), Person::to_string)
    }

    fn enter(&mut self, client: ClientId, name: &str, effects: &mut Effects) {
        if !is_name(name) {
            let rule = "1 to 20 letters, digits, _ and -, the first one a letter";
            return ask_again(client, format_args!("bad name: it has {rule}"), effects);
        }
        if self.by_name.contains_key(&name.to_ascii_lowercase()) {
            return ask_again(client, format_args!("name taken: {name}"), effects);
        }
        self.by_name.insert(name.to_ascii_lowercase(), client);
        if let Some(person) = self.clients.get_mut(&client) {
            person.name = Some(name.to_string());
        }
        self.announce(client, format_args!("* {name} joined"), effects);
        effects.tell(client, self.welcome(name));
    }

    /// All others and the console learn of a coming or going.
    fn announce(&self, client: ClientId, notice: impl Display, effects: &mut Effects) {
        effects.show(&notice);
        effects.tell_all(self.others(client), notice);
    }

    /// Everyone with a name, but one.
    fn others(&self, client: ClientId) -> impl Iterator<Item = ClientId> {
        let hears =
            move |(id, person): &(&ClientId, &Person)| **id != client && person.name.is_some();
        self.clients.iter().filter(hears).map(|(id, _)| *id)
    }

    /// Names everyone, as far as one line can hold them (rules S4.3 and L3).
    fn welcome(&self, newcomer: &str) -> String {
        let names = self.clients.values().filter_map(|person| person.name.as_deref());
        let names: Vec<&str> = names.collect();
        let mut line = format!("* welcome {newcomer}: {} here (", names.len());
        for (index, name) in names.iter().enumerate() {
            if line.len() + name.len() + MORE_BYTES_MAX > SERVER_LINE_BYTES_MAX {
                return format!("{line}, and {} more)", names.len() - index);
            }
            line += if index == 0 { "" } else { ", " };
            line += name;
        }
        line + ")"
    }
}

/// Bytes kept free behind each name, for the end of a list that is cut there.
const MORE_BYTES_MAX: usize = ", , and 18446744073709551615 more)\n".len();

fn ask_again(client: ClientId, why: impl Display, effects: &mut Effects) {
    effects.tell(client, format_args!("! {why}"));
    effects.tell(client, QUESTION);
}

fn is_name(name: &str) -> bool {
    let may_stand = |c: char| c.is_ascii_alphanumeric() || c == '_' || c == '-';
    name.starts_with(|c: char| c.is_ascii_alphabetic())
        && name.chars().all(may_stand)
        && name.len() <= NAME_CHARS_MAX
}

impl Display for Person {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.name {
            Some(name) => write!(f, "{name}"),
            None => write!(f, "{}", self.address),
        }
    }
}

/// What a client makes of a line that it receives. It stands here, and not in `client.rs`, because only
/// this file knows the words.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Heard {
    /// The server wants a name.
    Question,
    /// The server refuses what this client has said.
    Refusal,
    /// What anybody says, and what is announced.
    Other,
}

pub fn hear(line: &str) -> Heard {
    match line {
        QUESTION => Heard::Question,
        _ if line.starts_with("! ") => Heard::Refusal,
        _ => Heard::Other,
    }
}

#[cfg(test)]
mod tests;
