//! One room: who is in it, who may enter, who may speak, who decides.

use crate::limits::ClientId;
use crate::names::fold;
use std::collections::BTreeSet;
use std::net::IpAddr;
use std::rc::Rc;

#[derive(Debug)]
pub struct Room {
    /// As the founder wrote it.
    pub name: String,
    /// Who has been here longest comes first. Shared with the messages that are on their way,
    /// so that a message to thousands needs no list of its own.
    members: Rc<Vec<ClientId>>,
    operators: BTreeSet<ClientId>,
    /// By connection, whatever its name is now; it holds while somebody leaves and comes back.
    pub muted: BTreeSet<ClientId>,
    pub banned_names: BTreeSet<String>,
    pub banned_addresses: BTreeSet<IpAddr>,
    pub topic: Option<String>,
    pub key: Option<String>,
    pub limit: Option<usize>,
}

impl Room {
    pub fn new(name: &str) -> Room {
        Room {
            name: name.to_string(),
            members: Rc::default(),
            operators: BTreeSet::new(),
            muted: BTreeSet::new(),
            banned_names: BTreeSet::new(),
            banned_addresses: BTreeSet::new(),
            topic: None,
            key: None,
            limit: None,
        }
    }

    pub fn members(&self) -> &Rc<Vec<ClientId>> {
        &self.members
    }

    pub fn is_operator(&self, client: ClientId) -> bool {
        self.operators.contains(&client)
    }

    /// Why somebody may not enter (rule S5.7).
    pub fn admits(&self, name: &str, address: IpAddr, key: Option<&str>) -> Result<(), String> {
        let room = &self.name;
        if self.banned_names.contains(&fold(name)) || self.banned_addresses.contains(&address) {
            return Err(format!("you are banned from {room}"));
        }
        if self.key.is_some() && key != self.key.as_deref() {
            let wrong =
                if key.is_some() { "that is not the key of" } else { "you need the key of" };
            return Err(format!("{wrong} {room}: /join {room} KEY"));
        }
        match self.limit {
            Some(limit) if self.members.len() >= limit => {
                Err(format!("{room} is full (its /limit is {limit})"))
            }
            _ => Ok(()),
        }
    }

    pub fn enter(&mut self, client: ClientId) {
        // Copies the list only while a message that is on its way still uses the old one.
        Rc::make_mut(&mut self.members).push(client);
    }

    pub fn remove(&mut self, client: ClientId) {
        Rc::make_mut(&mut self.members).retain(|member| *member != client);
        self.operators.remove(&client);
    }

    pub fn make_operator(&mut self, client: ClientId) -> bool {
        self.operators.insert(client)
    }

    /// Takes the right away. When nobody else has it, the other member who has been here longest
    /// gets it and is returned; who is alone keeps it (rule S5.6).
    pub fn give_up_right(&mut self, client: ClientId) -> Result<Option<ClientId>, String> {
        let successor = self.members.iter().find(|member| **member != client).copied();
        match successor {
            None => Err(format!("you are alone in {} and stay its operator", self.name)),
            Some(successor) => {
                self.operators.remove(&client);
                Ok(self.succeed(successor))
            }
        }
    }

    /// Makes sure that a room with members has an operator; returns the new one.
    pub fn ensure_operator(&mut self) -> Option<ClientId> {
        let longest_here = *self.members.first()?;
        self.succeed(longest_here)
    }

    fn succeed(&mut self, successor: ClientId) -> Option<ClientId> {
        let is_needed = self.operators.is_empty();
        (is_needed && self.make_operator(successor)).then_some(successor)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const ANN: ClientId = ClientId(1);
    const BOB: ClientId = ClientId(2);
    const CY: ClientId = ClientId(3);

    fn room(members: &[ClientId]) -> Room {
        let mut room = Room::new("#r");
        for member in members {
            room.enter(*member);
        }
        room.ensure_operator();
        room
    }

    #[test]
    fn who_enters_first_is_the_operator() {
        let room = room(&[ANN, BOB]);
        assert!(room.is_operator(ANN) && !room.is_operator(BOB));
    }

    #[test]
    fn the_member_who_has_been_there_longest_succeeds_the_last_operator() {
        let mut room = room(&[ANN, BOB, CY]);
        room.remove(ANN);
        assert_eq!(room.ensure_operator(), Some(BOB));
    }

    #[test]
    fn nobody_succeeds_while_there_is_an_operator() {
        let mut room = room(&[ANN, BOB, CY]);
        room.make_operator(CY);
        room.remove(ANN);
        assert_eq!(room.ensure_operator(), None);
    }

    #[test]
    fn who_gives_up_the_right_hands_it_to_another() {
        let mut room = room(&[ANN, BOB]);
        assert_eq!(room.give_up_right(ANN), Ok(Some(BOB)));
        assert!(!room.is_operator(ANN));
    }

    #[test]
    fn who_is_alone_stays_operator() {
        let mut room = room(&[ANN]);
        assert!(room.give_up_right(ANN).is_err());
        assert!(room.is_operator(ANN));
    }

    #[test]
    fn names_are_banned_in_any_case() {
        let mut room = room(&[ANN]);
        room.banned_names.insert(fold("Bob"));
        assert!(room.admits("BOB", HOME, None).is_err());
        assert!(room.admits("bobby", HOME, None).is_ok());
    }

    #[test]
    fn the_key_must_be_given_exactly() {
        let mut room = room(&[ANN]);
        room.key = Some("Sesame".into());
        assert!(room.admits("bob", HOME, None).is_err());
        assert!(room.admits("bob", HOME, Some("sesame")).is_err());
        assert!(room.admits("bob", HOME, Some("Sesame")).is_ok());
    }

    #[test]
    fn a_full_room_admits_nobody() {
        let mut room = room(&[ANN]);
        room.limit = Some(1);
        assert!(room.admits("bob", HOME, None).is_err());
    }
}
