//! Layer: the meaning. One room: who is in it, who may enter, who may speak, who decides.

use std::collections::BTreeSet;
use std::fmt;
use std::net::IpAddr;

use super::names::fold;
use crate::effects::ClientId;

#[derive(Debug)]
pub struct Room {
    /// As its founder wrote it.
    name: String,
    /// Who has been here longest comes first.
    members: Vec<ClientId>,
    operators: BTreeSet<ClientId>,
    /// By connection, whatever its name is now; it holds while somebody leaves and comes back.
    muted: BTreeSet<ClientId>,
    bans: BTreeSet<Banned>,
    topic: Option<String>,
    /// What newcomers must know.
    key: Option<String>,
    /// Members there may be; 0: any number.
    limit: usize,
}

/// Whom a ban is for.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Banned {
    /// In lower case.
    Name(String),
    /// As `one_address` gives it.
    Address(IpAddr),
}

impl Room {
    pub fn new(name: &str) -> Room {
        Room {
            name: name.to_string(),
            members: Vec::new(),
            operators: BTreeSet::new(),
            muted: BTreeSet::new(),
            bans: BTreeSet::new(),
            topic: None,
            key: None,
            limit: 0,
        }
    }

    pub fn name(&self) -> &str {
        &self.name
    }

    pub fn members(&self) -> &[ClientId] {
        &self.members
    }

    /// Why somebody may not enter (rule S5.7).
    pub fn admits(&self, name: &str, address: IpAddr, key: Option<&str>) -> Result<(), String> {
        let room = &self.name;
        if self.bans.iter().any(|banned| banned.meets(name, address)) {
            return Err(format!("you are banned from {room}"));
        }
        if !self.is_key(key.unwrap_or_default()) {
            let wrong =
                if key.is_some() { "that is not the key of" } else { "you need the key of" };
            return Err(format!("{wrong} {room}: /join {room} KEY"));
        }
        if self.limit > 0 && self.members.len() >= self.limit {
            return Err(format!("{room} is full (its /limit is {})", self.limit));
        }
        Ok(())
    }

    /// Whether that opens the room, as everything does where there is no key.
    pub fn is_key(&self, guess: &str) -> bool {
        self.key.as_deref().is_none_or(|key| key == guess)
    }

    pub fn enter(&mut self, client: ClientId) {
        self.members.push(client);
    }

    pub fn remove(&mut self, client: ClientId) {
        self.members.retain(|member| *member != client);
        self.operators.remove(&client);
    }

    pub fn topic(&self) -> Option<&str> {
        self.topic.as_deref()
    }

    pub fn set_topic(&mut self, topic: &str) {
        self.topic = Some(topic.to_string());
    }

    pub fn has_key(&self) -> bool {
        self.key.is_some()
    }

    pub fn set_key(&mut self, key: Option<&str>) {
        self.key = key.map(str::to_string);
    }

    pub fn set_limit(&mut self, limit: usize) {
        self.limit = limit;
    }

    pub fn is_muted(&self, client: ClientId) -> bool {
        self.muted.contains(&client)
    }

    /// False: it was muted before.
    pub fn mute(&mut self, client: ClientId) -> bool {
        self.muted.insert(client)
    }

    pub fn unmute(&mut self, client: ClientId) -> bool {
        self.muted.remove(&client)
    }

    pub fn bans(&self) -> &BTreeSet<Banned> {
        &self.bans
    }

    pub fn ban(&mut self, banned: Banned) {
        self.bans.insert(banned);
    }

    pub fn unban(&mut self, banned: &Banned) -> bool {
        self.bans.remove(banned)
    }

    pub fn is_banned_name(&self, name: &str) -> bool {
        self.bans.contains(&Banned::Name(fold(name)))
    }
}

/// Who decides (rule S5.6).
impl Room {
    pub fn is_operator(&self, client: ClientId) -> bool {
        self.operators.contains(&client)
    }

    /// False: it was an operator before.
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

impl Banned {
    pub fn meets(&self, name: &str, address: IpAddr) -> bool {
        match self {
            Banned::Name(banned) => banned.eq_ignore_ascii_case(name),
            Banned::Address(banned) => *banned == address,
        }
    }
}

impl fmt::Display for Banned {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Banned::Name(name) => write!(f, "{name}"),
            Banned::Address(IpAddr::V4(ip)) => write!(f, "{ip}"),
            Banned::Address(IpAddr::V6(ip)) => write!(f, "{ip}/64"),
        }
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
        room.ban(Banned::Name(fold("Bob")));
        assert!(room.admits("BOB", HOME, None).is_err());
        assert!(room.admits("bobby", HOME, None).is_ok());
    }

    #[test]
    fn the_key_must_be_given_exactly() {
        let mut room = room(&[ANN]);
        room.set_key(Some("Sesame"));
        assert!(room.admits("bob", HOME, None).is_err());
        assert!(room.admits("bob", HOME, Some("sesame")).is_err());
        assert!(room.admits("bob", HOME, Some("Sesame")).is_ok());
    }

    #[test]
    fn a_full_room_admits_nobody() {
        let mut room = room(&[ANN]);
        room.set_limit(1);
        assert!(room.admits("bob", HOME, None).is_err());
    }
}
