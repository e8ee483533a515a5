//! Layer: the meaning. Coming with a name, changing it, and going.

use super::commands::{Outcome, Row, Who, one_word, row};
use super::names::{check_name, fold};
use super::*;

pub const ROWS: &[Row] = &[
    row("nick", "NAME", "take another name", Who::Everyone, Rooms::rename),
    row("quit", "[REASON]", "end the connection", Who::Everyone, Rooms::quit),
];

impl Rooms {
    /// A newcomer says its name, and enters the lobby (rule S5.1).
    pub fn register(&mut self, from: ClientId, name: &str, effects: &mut Effects) -> Outcome {
        self.check_new_name(from, name)?;
        self.names.insert(fold(name), from);
        let person = self.person_mut(from);
        person.name = Some(name.to_string());
        effects.show(format_args!("{} is {name}", person.address));
        let lobby = RoomId::from(LOBBY);
        let admitted = self.room(&lobby).admits(name, self.person(from).ip(), None);
        let place = match admitted {
            Ok(()) => format!("in {LOBBY} with {} others", self.room(&lobby).members().len()),
            Err(_) => "in no room".to_string(),
        };
        effects.tell(
            from,
            format_args!("* welcome {name}: you are {place}; /help lists the commands"),
        );
        admitted?;
        self.enter(from, &lobby, effects);
        Ok(())
    }

    fn check_new_name(&self, client: ClientId, name: &str) -> Outcome {
        check_name(name)?;
        match self.names.get(&fold(name)) {
            Some(holder) if *holder != client => Err(format!("name taken: {name}").into()),
            _ => Ok(()),
        }
    }

    fn rename(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let name = one_word(arguments)?;
        self.check_new_name(from, name)?;
        let old = self.name(from).to_string();
        if old == name {
            return Err("that is your name already".into());
        }
        let rooms = self.person(from).rooms.clone();
        // Else who is banned by name would come in under another one, and change it inside.
        if let Some(id) = rooms.iter().find(|id| self.room(id).is_banned_name(name)) {
            return Err(format!("{name} is banned from {}", self.room(id).name()).into());
        }
        self.names.remove(&fold(&old));
        self.names.insert(fold(name), from);
        self.person_mut(from).name = Some(name.to_string());
        effects.show(format_args!("{old} is now {name}"));
        for id in &rooms {
            self.tell_room(id, None, format_args!("* {old} is now {name}"), effects);
        }
        if rooms.is_empty() {
            effects.tell(from, format_args!("* you are now {name}"));
        }
        Ok(())
    }

    fn quit(&mut self, from: ClientId, reason: &str, effects: &mut Effects) -> Outcome {
        self.leave_because(from, Some(reason), effects);
        Ok(())
    }

    pub fn leave_because(&mut self, client: ClientId, reason: Option<&str>, effects: &mut Effects) {
        let name = self.people.get(&client).and_then(|person| person.name.clone());
        if !self.depart(client, reason, effects) {
            return;
        }
        if let Some(name) = name {
            effects.tell(client, format_args!("* goodbye {name}"));
        }
        effects.close(client);
    }

    /// The one way out, for every reason to go: the rooms hear of it, the name is free. False when
    /// the client has gone before.
    pub fn depart(
        &mut self,
        client: ClientId,
        reason: Option<&str>,
        effects: &mut Effects,
    ) -> bool {
        let Some(person) = self.people.get_mut(&client) else { return false };
        for id in std::mem::take(&mut person.rooms) {
            let reason = self.reason(client, &id, reason.unwrap_or_default());
            let notice = format!("* {} left{reason}", self.name(client));
            self.tell_room(&id, Some(client), notice, effects);
            self.remove_from_room(client, &id, effects);
        }
        for room in self.rooms.values_mut() {
            room.unmute(client); // its place will be somebody else's
        }
        if let Some(person) = self.people.remove(&client) {
            person.name.map(|name| self.names.remove(&fold(&name)));
            effects.show(format_args!("{} disconnected", person.address));
        }
        true
    }

    /// `: REASON`, where there is one and the room may hear it.
    pub fn reason(&self, from: ClientId, id: &RoomId, reason: &str) -> String {
        match reason.is_empty() || self.room(id).is_muted(from) {
            true => String::new(),
            false => format!(": {reason}"),
        }
    }
}
