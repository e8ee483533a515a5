//! What operators do (rules S5.6 to S5.8). Pure, as `rooms`, of which this is a part.

use crate::command::Command;
use crate::limits::{ClientId, one_more};
use crate::names::{fold, is_name};
use crate::rooms::{LOBBY, Outcome, RoomKey, Rooms, list};
use std::net::IpAddr;

/// Whom a ban is for.
enum Banned {
    Name(String),
    Address(IpAddr),
}

impl Rooms {
    pub(crate) fn moderate(&mut self, from: ClientId, command: Command) -> Outcome {
        match command {
            Command::Topic(None) => self.show_topic(from),
            Command::Topic(Some(text)) => self.set_topic(from, text),
            Command::Kick { name, reason } => self.kick(from, name, reason),
            Command::Ban(whom) => self.ban(from, whom),
            Command::Unban(whom) => self.unban(from, whom),
            Command::Bans => self.list_bans(from),
            Command::Op(name) => self.make_operator(from, name),
            Command::Deop(name) => self.take_right(from, name),
            Command::Mute(name) => self.mute(from, name),
            Command::Unmute(name) => self.unmute(from, name),
            Command::Key(key) => self.set_key(from, key),
            Command::Limit(limit) => self.set_limit(from, limit),
            Command::Admin(password) => self.become_admin(from, password),
            _ => Ok(()), // `obey` keeps the others for itself
        }
    }

    /// The current room, if this client decides there.
    fn moderated(&self, from: ClientId) -> Result<RoomKey, String> {
        let key = self.current(from)?;
        let room = self.room(&key);
        if room.is_operator(from) || self.client(from).is_admin {
            Ok(key)
        } else if &*key == LOBBY {
            Err(format!("{LOBBY} has no operator"))
        } else {
            Err(format!("you are not an operator of {}", room.name))
        }
    }

    fn member(&self, key: &RoomKey, name: &str) -> Result<ClientId, String> {
        match self.named(name) {
            Ok(client) if self.is_member(client, key) => Ok(client),
            _ => Err(format!("{name} is not in {}", self.room(key).name)),
        }
    }

    fn show_topic(&mut self, from: ClientId) -> Outcome {
        let room = self.room(&self.current(from)?);
        let line = match &room.topic {
            Some(topic) => format!("* topic of {}: {topic}", room.name),
            None => format!("* {} has no topic", room.name),
        };
        self.tell(from, line);
        Ok(())
    }

    fn set_topic(&mut self, from: ClientId, text: &str) -> Outcome {
        let key = self.moderated(from)?;
        self.check_may_speak(from, &key)?;
        let longest = self.limits.topic_bytes;
        one_more(
            text.len().saturating_sub(1),
            longest,
            "the topic has too many bytes",
            "--topic-bytes",
        )?;
        self.room_mut(&key).topic = Some(text.to_string());
        self.announce(from, &key, format!("changed the topic: {text}"))
    }

    fn kick(&mut self, from: ClientId, name: &str, reason: Option<&str>) -> Outcome {
        let key = self.moderated(from)?;
        let member = self.member(&key, name)?;
        if member == from {
            return Err("use /leave to go yourself".into());
        }
        let reason = reason.filter(|_| self.check_may_speak(from, &key).is_ok());
        let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
        self.put_out(from, member, &key, "kicked", &reason);
        Ok(())
    }

    fn put_out(
        &mut self,
        from: ClientId,
        member: ClientId,
        key: &RoomKey,
        how: &str,
        reason: &str,
    ) {
        let line = format!("* {} was {how} by {}{reason}", self.name(member), self.name(from));
        self.tell_room(key, None, line);
        self.remove(member, key);
    }

    fn ban(&mut self, from: ClientId, whom: &str) -> Outcome {
        let key = self.moderated(from)?;
        let banned = parse_banned(whom)?;
        if matches!(&banned, Banned::Name(name) if *name == fold(self.name(from))) {
            return Err("you cannot ban yourself".into());
        }
        let max = self.limits.bans_per_room;
        let room = self.room_mut(&key);
        let is_known = match &banned {
            Banned::Name(name) => room.banned_names.contains(name),
            Banned::Address(ip) => room.banned_addresses.contains(ip),
        };
        if is_known {
            return Err(format!("{whom} is banned already"));
        }
        let count = room.banned_names.len() + room.banned_addresses.len();
        one_more(count, max, "too many bans in this room", "--bans-per-room")?;
        match &banned {
            Banned::Name(name) => room.banned_names.insert(name.clone()),
            Banned::Address(ip) => room.banned_addresses.insert(*ip),
        };
        self.tell(from, format_args!("* {whom} is banned"));
        self.put_out_banned(from, &key, &banned);
        Ok(())
    }

    /// Those whom a new ban meets in the room; but an operator who bans the address that they
    /// share with somebody stays.
    fn put_out_banned(&mut self, from: ClientId, key: &RoomKey, banned: &Banned) {
        let members = self.room(key).members().clone();
        for member in members.iter().filter(|member| **member != from) {
            let is_meant = match banned {
                Banned::Name(name) => fold(self.name(*member)) == *name,
                Banned::Address(ip) => self.client(*member).ip() == *ip,
            };
            if is_meant {
                self.put_out(from, *member, key, "banned", "");
            }
        }
    }

    fn unban(&mut self, from: ClientId, whom: &str) -> Outcome {
        let key = self.moderated(from)?;
        let banned = parse_banned(whom)?;
        let room = self.room_mut(&key);
        let was_banned = match &banned {
            Banned::Name(name) => room.banned_names.remove(name),
            Banned::Address(ip) => room.banned_addresses.remove(ip),
        };
        if !was_banned {
            return Err(format!("{whom} is not banned"));
        }
        self.tell(from, format_args!("* {whom} is not banned any more"));
        Ok(())
    }

    fn list_bans(&mut self, from: ClientId) -> Outcome {
        let room = self.room(&self.moderated(from)?);
        let names = room.banned_names.iter().cloned();
        let addresses = room.banned_addresses.iter().map(IpAddr::to_string);
        let line = match list("", names.chain(addresses).collect()) {
            empty if empty.is_empty() => format!("* nobody is banned from {}", room.name),
            bans => format!("* banned from {}:{bans}", room.name),
        };
        self.tell(from, line);
        Ok(())
    }

    fn make_operator(&mut self, from: ClientId, name: &str) -> Outcome {
        let key = self.room_with_operators(from)?;
        let member = self.member(&key, name)?;
        if !self.room_mut(&key).make_operator(member) {
            return Err(format!("{name} is an operator already"));
        }
        self.tell_of_operator(&key, member);
        Ok(())
    }

    fn take_right(&mut self, from: ClientId, name: &str) -> Outcome {
        let key = self.room_with_operators(from)?;
        let member = self.member(&key, name)?;
        if !self.room(&key).is_operator(member) {
            return Err(format!("{name} is not an operator"));
        }
        let successor = self.room_mut(&key).give_up_right(member)?;
        let line = format!("* {} is no longer an operator", self.name(member));
        self.tell_room(&key, None, line);
        if let Some(successor) = successor {
            self.tell_of_operator(&key, successor);
        }
        Ok(())
    }

    fn room_with_operators(&self, from: ClientId) -> Result<RoomKey, String> {
        let key = self.moderated(from)?;
        match &*key == LOBBY {
            true => Err(format!("{LOBBY} has no operator")),
            false => Ok(key),
        }
    }

    fn mute(&mut self, from: ClientId, name: &str) -> Outcome {
        let key = self.moderated(from)?;
        let member = self.member(&key, name)?;
        if !self.room_mut(&key).muted.insert(member) {
            return Err(format!("{name} is muted already"));
        }
        let line = format!("muted {}", self.name(member));
        self.announce(from, &key, line)
    }

    /// Of somebody who has left the room, too: they may come back.
    fn unmute(&mut self, from: ClientId, name: &str) -> Outcome {
        let key = self.moderated(from)?;
        let client = self.named(name)?;
        if !self.room_mut(&key).muted.remove(&client) {
            return Err(format!("{name} is not muted"));
        }
        let line = format!("unmuted {}", self.name(client));
        self.announce(from, &key, line)
    }

    /// The key itself is told to nobody: who may know it is the operator's choice.
    fn set_key(&mut self, from: ClientId, new: Option<&str>) -> Outcome {
        let key = self.moderated(from)?;
        self.room_mut(&key).key = new.map(str::to_string);
        let what = if new.is_some() { "set a key" } else { "removed the key" };
        self.announce(from, &key, what.into())
    }

    fn set_limit(&mut self, from: ClientId, limit: Option<&str>) -> Outcome {
        let key = self.moderated(from)?;
        let limit: usize = match limit {
            None => 0,
            Some(digits) => digits.parse().map_err(|_| format!("not a number: {digits}"))?,
        };
        self.room_mut(&key).limit = (limit > 0).then_some(limit);
        let what = match limit {
            0 => "removed the limit".to_string(),
            _ => format!("set the limit to {limit}"),
        };
        self.announce(from, &key, what)
    }

    fn announce(&mut self, from: ClientId, key: &RoomKey, what: String) -> Outcome {
        let line = format!("* {} {what}", self.name(from));
        self.tell_room(key, None, line);
        Ok(())
    }

    /// Guesses are slowed down by the connection (`connection::PASSWORD_WAIT`), where waiting
    /// delays nobody else.
    fn become_admin(&mut self, from: ClientId, password: &str) -> Outcome {
        let who = format!("{} ({})", self.name(from), self.client(from).address);
        if !self.password.as_deref().is_some_and(|right| is_equal(right, password)) {
            self.log(format!("{who} gave a wrong admin password"));
            return Err("wrong password".into());
        }
        self.client_mut(from).is_admin = true;
        self.log(format!("{who} is an admin"));
        self.tell(from, "* you are an admin: an operator in every room");
        Ok(())
    }
}

fn parse_banned(whom: &str) -> Result<Banned, String> {
    match whom.parse::<IpAddr>() {
        Ok(ip) => Ok(Banned::Address(ip.to_canonical())),
        Err(_) if is_name(whom) => Ok(Banned::Name(fold(whom))),
        Err(_) => Err(format!("neither a name nor an address: {whom}")),
    }
}

/// Looks at every byte, whether the first one is wrong or the last: the time that the answer
/// takes says nothing about how much of a guess was right.
fn is_equal(right: &str, guess: &str) -> bool {
    let differences = right.bytes().zip(guess.bytes()).fold(0, |all, (a, b)| all | (a ^ b));
    right.len() == guess.len() && differences == 0
}
