//! Layer: the meaning. What operators do in their room (rules S5.6 and S5.7). Can be left out: whoever
//! reads the stage for its network finds nothing new here.

use std::net::IpAddr;

use super::commands::{
    Outcome, Row, Run, Who, at_most_one_word, list, no_arguments, one_word, row,
};
use super::names::is_name;
use super::room::Banned;
use super::*;
use crate::command::first_word;
use crate::limits::{one_address, one_more};

pub const ROWS: &[Row] = &[
    operators("kick", "NAME [REASON]", "put somebody out of the room", Rooms::kick),
    operators("ban", "NAME|IP", "put somebody out and keep them out", Rooms::ban),
    operators("unban", "NAME|IP", "let somebody in again", Rooms::unban),
    operators("bans", "", "list who is banned", Rooms::list_bans),
    operators("op", "NAME", "make somebody an operator", Rooms::make_operator),
    operators("deop", "NAME", "take the operator's right away, or give it up", Rooms::take_right),
    operators("mute", "NAME", "let somebody listen only", Rooms::mute),
    operators("unmute", "NAME", "let somebody speak again", Rooms::unmute),
    operators("key", "[KEY]", "ask newcomers for a key, or for none", Rooms::set_key),
    operators("limit", "[N]", "let N people in at most, or any number", Rooms::set_limit),
];

const fn operators(
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    run: Run,
) -> Row {
    row(name, arguments, help, Who::Operators, run)
}

impl Rooms {
    fn member(&self, id: &RoomId, name: &str) -> Result<ClientId, Refusal> {
        match self.named(name) {
            Ok(client) if self.is_member(client, id) => Ok(client),
            _ => Err(format!("{name} is not in {}", self.room(id).name()).into()),
        }
    }

    /// The room hears what one of its operators has done.
    fn announce(&self, from: ClientId, id: &RoomId, what: impl Display, effects: &mut Effects) {
        self.tell_room(id, None, format_args!("* {} {what}", self.name(from)), effects);
    }

    fn kick(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let (name, reason) = first_word(arguments);
        let id = self.current(from)?;
        let member = self.member(&id, one_word(name)?)?;
        if member == from {
            return Err("use /leave to go yourself".into());
        }
        let how = format!("kicked by {}{}", self.name(from), self.reason(from, &id, reason));
        self.put_out(member, &id, how, effects);
        Ok(())
    }

    fn put_out(&mut self, member: ClientId, id: &RoomId, how: String, effects: &mut Effects) {
        let notice = format_args!("* {} was {how}", self.name(member));
        self.tell_room(id, None, notice, effects);
        self.remove(member, id, effects);
    }

    fn ban(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let whom = one_word(arguments)?;
        let banned = parse_banned(whom)?;
        if banned == Banned::Name(fold(self.name(from))) {
            return Err("you cannot ban yourself".into());
        }
        let id = self.current(from)?;
        let room = self.room(&id);
        if room.bans().contains(&banned) {
            return Err(format!("{whom} is banned already").into());
        }
        let (count, max) = (room.bans().len(), self.limits.bans_per_room);
        one_more(count, max, "too many bans in this room", "--bans-per-room")?;
        self.room_mut(&id).ban(banned.clone());
        effects.tell(from, format_args!("* {banned} is banned"));
        self.put_out_banned(from, &id, &banned, effects);
        Ok(())
    }

    /// Those whom a new ban meets in the room; but an operator who bans the address that they
    /// share with somebody stays.
    fn put_out_banned(
        &mut self,
        from: ClientId,
        id: &RoomId,
        banned: &Banned,
        effects: &mut Effects,
    ) {
        let members = self.room(id).members().to_vec();
        for member in members.into_iter().filter(|member| *member != from) {
            if banned.meets(self.name(member), self.person(member).ip()) {
                let how = format!("banned by {}", self.name(from));
                self.put_out(member, id, how, effects);
            }
        }
    }

    fn unban(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let whom = one_word(arguments)?;
        let banned = parse_banned(whom)?;
        let id = self.current(from)?;
        if !self.room_mut(&id).unban(&banned) {
            return Err(format!("{whom} is not banned").into());
        }
        effects.tell(from, format_args!("* {banned} is not banned any more"));
        Ok(())
    }

    fn list_bans(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        no_arguments(arguments)?;
        let room = self.room(&self.current(from)?);
        let bans = room.bans().iter().map(Banned::to_string);
        let line = match bans.len() {
            0 => format!("* nobody is banned from {}", room.name()),
            _ => list(&format!("* banned from {}:", room.name()), bans),
        };
        effects.tell(from, line);
        Ok(())
    }

    fn make_operator(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let name = one_word(arguments)?;
        let id = self.room_with_operators(from)?;
        let member = self.member(&id, name)?;
        if !self.room_mut(&id).make_operator(member) {
            return Err(format!("{name} is an operator already").into());
        }
        self.tell_of_operator(&id, member, effects);
        Ok(())
    }

    fn take_right(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let name = one_word(arguments)?;
        let id = self.room_with_operators(from)?;
        let member = self.member(&id, name)?;
        if !self.room(&id).is_operator(member) {
            return Err(format!("{name} is not an operator").into());
        }
        let successor = self.room_mut(&id).give_up_right(member)?;
        let notice = format_args!("* {} is no longer an operator", self.name(member));
        self.tell_room(&id, None, notice, effects);
        if let Some(successor) = successor {
            self.tell_of_operator(&id, successor, effects);
        }
        Ok(())
    }

    /// An admin decides in the lobby, too; but nobody becomes its operator.
    fn room_with_operators(&self, from: ClientId) -> Result<RoomId, Refusal> {
        let id = self.current(from)?;
        match &*id == LOBBY {
            true => Err(format!("{LOBBY} has no operator").into()),
            false => Ok(id),
        }
    }

    fn mute(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let name = one_word(arguments)?;
        let id = self.current(from)?;
        let member = self.member(&id, name)?;
        if !self.room_mut(&id).mute(member) {
            return Err(format!("{name} is muted already").into());
        }
        self.announce(from, &id, format_args!("muted {}", self.name(member)), effects);
        Ok(())
    }

    /// Of somebody who has left the room, too: they may come back.
    fn unmute(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let name = one_word(arguments)?;
        let id = self.current(from)?;
        let client = self.named(name)?;
        if !self.room_mut(&id).unmute(client) {
            return Err(format!("{name} is not muted").into());
        }
        self.announce(from, &id, format_args!("unmuted {}", self.name(client)), effects);
        Ok(())
    }

    /// The key itself is told to nobody: who may know it is the operator's choice.
    fn set_key(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let key = at_most_one_word(arguments)?;
        let id = self.current(from)?;
        self.room_mut(&id).set_key(key);
        let what = if key.is_some() { "set a key" } else { "removed the key" };
        self.announce(from, &id, what, effects);
        Ok(())
    }

    fn set_limit(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let limit: usize = match at_most_one_word(arguments)? {
            None => 0,
            Some(digits) => digits.parse().map_err(|_| format!("not a number: {digits}"))?,
        };
        let id = self.current(from)?;
        self.room_mut(&id).set_limit(limit);
        match limit {
            0 => self.announce(from, &id, "removed the limit", effects),
            _ => self.announce(from, &id, format_args!("set the limit to {limit}"), effects),
        }
        Ok(())
    }
}

fn parse_banned(whom: &str) -> Result<Banned, Refusal> {
    // `/64` as `/bans` shows it: an address of IPv6 is so much, whatever the rest of it.
    match whom.trim_end_matches("/64").parse::<IpAddr>() {
        Ok(ip) => Ok(Banned::Address(one_address(ip))),
        Err(_) if is_name(whom) => Ok(Banned::Name(fold(whom))),
        Err(_) => Err(format!("neither a name nor an address: {whom}").into()),
    }
}
