//! Layer: the meaning. Entering and leaving rooms, and looking at them.

use super::commands::{Outcome, Row, Who, at_most_one_word, list, no_arguments, row};
use super::names::check_room_name;
use super::*;
use crate::command::first_word;
use crate::limits::one_more;

pub const ROWS: &[Row] = &[
    row("join", "#ROOM [KEY]", "enter a room, or return to it", Who::Everyone, Rooms::join),
    row("leave", "[#ROOM]", "leave this room, or another", Who::Everyone, Rooms::leave_room),
    row("rooms", "", "list the rooms", Who::Everyone, Rooms::list_rooms),
    row("who", "[#ROOM]", "list who is in a room", Who::Everyone, Rooms::list_members),
    row("topic", "[TEXT]", "show the topic; operators set it", Who::OperatorsToSet, Rooms::topic),
];

impl Rooms {
    fn join(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let (name, key) = first_word(arguments);
        let key = at_most_one_word(key)?;
        if name.is_empty() {
            return Err(Refusal::Usage);
        }
        check_room_name(name)?;
        let id = RoomId::from(fold(name));
        if self.is_member(from, &id) {
            effects.tell(from, format_args!("* you are back in {}", self.room(&id).name()));
            self.person_mut(from).current = Some(id);
            return Ok(());
        }
        self.check_may_join(from, &id, key)?;
        let room = self.rooms.entry(id.clone()).or_insert_with(|| Room::new(name));
        let topic = room.topic().map(|topic| format!("; topic: {topic}")).unwrap_or_default();
        let (name, others) = (room.name(), room.members().len());
        effects.tell(from, format_args!("* you are in {name} with {others} others{topic}"));
        self.enter(from, &id, effects);
        Ok(())
    }

    fn check_may_join(&mut self, from: ClientId, id: &RoomId, key: Option<&str>) -> Outcome {
        let (limits, person) = (&self.limits, self.person(from));
        if &**id != LOBBY {
            let joined = person.rooms.iter().filter(|room| &***room != LOBBY).count();
            let too_many = "you are in too many rooms";
            one_more(joined, limits.rooms_per_client, too_many, "--rooms-per-client")?;
        }
        let Some(room) = self.rooms.get(id) else {
            let beside_lobby = self.rooms.len() - 1;
            return Ok(one_more(beside_lobby, limits.max_rooms, "too many rooms", "--max-rooms")?);
        };
        let admitted = room.admits(self.name(from), person.ip(), key);
        self.wrong_secrets += usize::from(key.is_some_and(|key| !room.is_key(key)));
        Ok(admitted?)
    }

    /// Puts the client into the room, where the others hear of it, and makes it the current one.
    pub fn enter(&mut self, client: ClientId, id: &RoomId, effects: &mut Effects) {
        let room = self.room_mut(id);
        room.enter(client);
        if &**id != LOBBY {
            room.ensure_operator();
        }
        let person = self.person_mut(client);
        person.rooms.push(id.clone());
        person.current = Some(id.clone());
        let notice = format_args!("* {} joined", self.name(client));
        self.tell_room(id, Some(client), notice, effects);
    }

    fn leave_room(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let id = match at_most_one_word(arguments)? {
            None => self.current(from)?,
            Some(name) => RoomId::from(fold(name)),
        };
        if !self.is_member(from, &id) {
            return Err("you are not in that room".into());
        }
        self.tell_room(&id, None, format_args!("* {} left", self.name(from)), effects);
        self.remove(from, &id, effects);
        Ok(())
    }

    /// Takes a client that stays connected out of a room; the notice has been sent.
    pub fn remove(&mut self, client: ClientId, id: &RoomId, effects: &mut Effects) {
        self.remove_from_room(client, id, effects);
        let person = self.person_mut(client);
        person.rooms.retain(|room| room != id);
        if person.current.as_ref() == Some(id) {
            person.current = person.rooms.last().cloned();
            match &self.person(client).current {
                Some(id) => {
                    effects.tell(client, format_args!("* you are in {} now", self.room(id).name()));
                }
                None => effects.tell(client, "* you are in no room now"),
            }
        }
    }

    /// The room's side of a departure: somebody decides in it, or it is forgotten.
    pub fn remove_from_room(&mut self, client: ClientId, id: &RoomId, effects: &mut Effects) {
        let room = self.room_mut(id);
        room.remove(client);
        if &**id == LOBBY {
            return;
        }
        if room.members().is_empty() {
            self.rooms.remove(id);
        } else if let Some(successor) = room.ensure_operator() {
            self.tell_of_operator(id, successor, effects);
        }
    }

    pub fn tell_of_operator(&self, id: &RoomId, client: ClientId, effects: &mut Effects) {
        self.tell_room(
            id,
            None,
            format_args!("* {} is now an operator", self.name(client)),
            effects,
        );
    }

    fn list_rooms(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        no_arguments(arguments)?;
        let describe = |room: &Room| {
            let key = if room.has_key() { ", key" } else { "" };
            format!("{} ({}{key})", room.name(), room.members().len())
        };
        effects.tell(from, list("* rooms:", self.rooms.values().map(describe)));
        Ok(())
    }

    fn list_members(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let id = match at_most_one_word(arguments)? {
            None => self.current(from)?,
            Some(name) => RoomId::from(fold(name)),
        };
        let room = self.rooms.get(&id).ok_or("there is no such room; /rooms lists them")?;
        if room.has_key() && !self.is_member(from, &id) {
            let name = room.name();
            return Err(format!("{name} has a key: only members see who is there").into());
        }
        let describe = |member: &ClientId| {
            let operator = if room.is_operator(*member) { " (operator)" } else { "" };
            format!("{}{operator}", self.name(*member))
        };
        let members = room.members().iter().map(describe);
        effects.tell(from, list(&format!("* in {}:", room.name()), members));
        Ok(())
    }

    fn topic(&mut self, from: ClientId, text: &str, effects: &mut Effects) -> Outcome {
        let id = self.current(from)?;
        let room = self.room(&id);
        if text.is_empty() {
            match room.topic() {
                Some(topic) => {
                    effects.tell(from, format_args!("* topic of {}: {topic}", room.name()));
                }
                None => effects.tell(from, format_args!("* {} has no topic", room.name())),
            }
            return Ok(());
        }
        self.check_may_speak(from, &id)?;
        // `one_more` asks whether one fits to those that are there: here the last byte, to all others.
        let (last_byte, max) = (text.len() - 1, self.limits.topic_bytes);
        one_more(last_byte, max, "the topic has too many bytes", "--topic-bytes")?;
        self.room_mut(&id).set_topic(text);
        let notice = format_args!("* {} changed the topic: {text}", self.name(from));
        self.tell_room(&id, None, notice, effects);
        Ok(())
    }
}
