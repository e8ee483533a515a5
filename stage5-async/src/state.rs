//! Layer: the meaning. Who is connected, who is in which room, and who hears what (rules S5.1 to S5.10).
//! Pure: no socket, no clock, no task, no output. Every word that a client hears is in this folder.
//!
//! Reading order: this file, `commands` (how a line finds its command), `names` (which are good), `people`
//! (who has one), `room` (what one room knows), `places` (entering rooms), `talk`. `operators` and `admin` can be left out: they
//! have many rules, and no idea that is not in the others.

mod admin;
mod commands;
mod names;
mod operators;
mod people;
mod places;
mod room;
mod talk;

use std::collections::{BTreeMap, HashMap};
use std::fmt::Display;
use std::net::{IpAddr, SocketAddr};
use std::rc::Rc;

use crate::command::Command;
use crate::effects::{ClientId, Effects};
use crate::limits::{Limits, one_address};
use crate::line::LineError;
use commands::Refusal;
use names::fold;
use room::Room;

/// Everybody enters this room first. It has no operator, and is never forgotten.
const LOBBY: &str = "#lobby";

/// What a client hears until it has a name (rule S4.1).
const QUESTION: &str = "NICK";

/// A room's name in lower case: two spellings of a name are one room.
type RoomId = Rc<str>;

#[derive(Debug)]
pub struct Rooms {
    limits: Rc<Limits>,
    /// What makes an admin. Without it there is no `/admin`.
    password: Option<String>,
    people: BTreeMap<ClientId, Person>,
    /// Who has which name, in lower case, because `Bob` and `bob` are one name (rule L8).
    names: HashMap<String, ClientId>,
    rooms: BTreeMap<RoomId, Room>,
    /// Passwords and keys that were tried and wrong.
    wrong_secrets: usize,
}

#[derive(Debug)]
struct Person {
    address: SocketAddr,
    /// Who has none hears nothing of what others say.
    name: Option<String>,
    /// In the order in which it has joined them.
    rooms: Vec<RoomId>,
    /// Where its words go.
    current: Option<RoomId>,
    /// May do in every room what an operator may (rule S5.8).
    is_admin: bool,
}

/// Why the server ends a connection that would go on.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Eviction {
    /// More is owed to it than may be (rule L13).
    ReadsTooSlowly,
    /// It has taken nothing for a minute, or does not answer the kernel's questions.
    NoAnswer,
    /// Its connection is broken.
    Lost,
    /// The time to choose a name is over (rule S5.9).
    NoNameInTime,
}

/// The four verbs, as in stages 3 and 4 (`arrive`, `apply`, `evict`, `leave`), and the end.
impl Rooms {
    pub fn new(limits: Rc<Limits>, password: Option<String>) -> Rooms {
        Rooms {
            limits,
            password,
            people: BTreeMap::new(),
            names: HashMap::new(),
            rooms: BTreeMap::from([(RoomId::from(LOBBY), Room::new(LOBBY))]),
            wrong_secrets: 0,
        }
    }

    pub fn arrive(&mut self, client: ClientId, address: SocketAddr, effects: &mut Effects) {
        let newcomer =
            Person { address, name: None, rooms: Vec::new(), current: None, is_admin: false };
        self.people.insert(client, newcomer);
        effects.show(format_args!("{address} connected"));
        effects.tell(client, QUESTION);
    }

    // ANCHOR: apply
    /// Obeys one line. Who is gone already says nothing any more (rule L11).
    pub fn apply(
        &mut self,
        from: ClientId,
        line: Result<Command, LineError>,
        effects: &mut Effects,
    ) {
        let Some(person) = self.people.get(&from) else { return };
        let has_name = person.name.is_some();
        let outcome = match line {
            Err(error) => Err(error.to_string().into()),
            Ok(Command::Exit) => {
                self.leave(from, effects);
                Ok(())
            }
            Ok(command) if has_name => self.obey(from, command, effects),
            Ok(Command::WebRequest { .. }) => {
                self.depart(from, None, effects);
                effects.close_with(from, "! this is no web server");
                Ok(())
            }
            Ok(Command::Say { text }) => self.register(from, text, effects),
            Ok(_) => Err(names::BAD_NAME.into()),
        };
        if let Err(refusal) = outcome {
            effects.tell(from, format_args!("! {refusal}"));
            if !self.has_name(from) {
                effects.tell(from, QUESTION); // rule S4.2: asked again
            }
        }
    }
    // ANCHOR_END: apply

    /// The server ends this connection.
    pub fn evict(&mut self, client: ClientId, why: Eviction, effects: &mut Effects) {
        if why == Eviction::NoNameInTime && self.has_name(client) {
            return;
        }
        let reason = match why {
            Eviction::ReadsTooSlowly => "read too slowly",
            Eviction::NoAnswer => "no answer",
            Eviction::Lost => "connection lost",
            Eviction::NoNameInTime => "",
        };
        if !self.depart(client, Some(reason), effects) {
            return;
        }
        match why {
            Eviction::ReadsTooSlowly | Eviction::NoAnswer => {
                effects.close_with(client, "! you read too slowly");
            }
            Eviction::Lost => effects.close(client),
            Eviction::NoNameInTime => {
                let seconds = self.limits.seconds_to_register;
                effects.close_with(
                    client,
                    format_args!(
                        "! no name within {seconds} seconds (the server's --seconds-to-register)"
                    ),
                );
            }
        }
    }

    /// The connection has ended, or its client has said that it shall.
    pub fn leave(&mut self, client: ClientId, effects: &mut Effects) {
        self.leave_because(client, None, effects);
    }

    /// The server ends: everyone with a name hears it (rule S5.10).
    pub fn shut_down(&mut self, effects: &mut Effects) {
        effects.tell_all(self.names.values().copied(), "* the server is shutting down");
        self.people.keys().for_each(|client| effects.close(*client));
    }

    /// Who this is, for whoever watches the server: by name where there is one.
    pub fn describe(&self, client: ClientId) -> String {
        match self.people.get(&client) {
            Some(Person { name: Some(name), .. }) => name.clone(),
            Some(person) => person.address.to_string(),
            None => "somebody who has left".to_string(),
        }
    }

    /// How often a password or a key that was tried was wrong.
    pub fn wrong_secrets(&self) -> usize {
        self.wrong_secrets
    }
}

/// What a client hears from the server before it has a name.
#[derive(Debug, PartialEq, Eq)]
pub enum Heard<'a> {
    Question,
    /// Why the name was refused.
    Refusal(&'a str),
    Welcome,
}

/// How the client reads what the server says above.
pub fn hear(line: &str) -> Heard<'_> {
    match line.split_once(' ') {
        _ if line == QUESTION => Heard::Question,
        Some(("*", _)) => Heard::Welcome,
        words => Heard::Refusal(words.map_or(line, |(_, why)| why)),
    }
}

/// Small words that the rules are made of.
impl Rooms {
    fn has_name(&self, client: ClientId) -> bool {
        self.people.get(&client).is_some_and(|person| person.name.is_some())
    }

    fn person(&self, client: ClientId) -> &Person {
        self.people.get(&client).expect("rooms and names know connected clients only")
    }

    fn person_mut(&mut self, client: ClientId) -> &mut Person {
        self.people.get_mut(&client).expect("rooms and names know connected clients only")
    }

    fn name(&self, client: ClientId) -> &str {
        self.person(client).name.as_deref().unwrap_or_default()
    }

    fn named(&self, name: &str) -> Result<ClientId, Refusal> {
        let found = self.names.get(&fold(name)).copied();
        found.ok_or_else(|| format!("nobody here is called {name}").into())
    }

    fn room(&self, id: &RoomId) -> &Room {
        self.rooms.get(id).expect("clients are in rooms that exist")
    }

    fn room_mut(&mut self, id: &RoomId) -> &mut Room {
        self.rooms.get_mut(id).expect("clients are in rooms that exist")
    }

    fn is_member(&self, client: ClientId, id: &RoomId) -> bool {
        self.person(client).rooms.contains(id)
    }

    fn current(&self, client: ClientId) -> Result<RoomId, Refusal> {
        let current = self.person(client).current.clone();
        current.ok_or_else(|| "you are in no room; /join #ROOM enters one".into())
    }

    /// All members hear what the room says, but for one.
    fn tell_room(
        &self,
        id: &RoomId,
        except: Option<ClientId>,
        text: impl Display,
        effects: &mut Effects,
    ) {
        let room = self.room(id);
        let members = room.members().iter().copied();
        let receivers = members.filter(|member| Some(*member) != except);
        effects.tell_all(receivers, format_args!("[{}] {text}", room.name()));
    }
}

impl Person {
    fn ip(&self) -> IpAddr {
        one_address(self.address.ip())
    }
}

#[cfg(test)]
mod tests;
