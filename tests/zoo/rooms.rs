//! What a line means in S5: rooms, commands, roles.

use crate::lines::printable;
use crate::world::{Id, Next, World, is_name};
use std::collections::BTreeSet;

const LOBBY: &str = "#lobby";

const COMMANDS: &[&str] = &[
    "/join", "/leave", "/rooms", "/who", "/nick", "/msg", "/me", "/topic", "/help", "/quit",
    "/kick", "/ban", "/unban", "/bans", "/op", "/deop", "/mute", "/unmute", "/key", "/limit",
    "/admin",
];

/// Those for operators alone. `/topic TEXT` is one as well.
const OPERATORS: &[&str] =
    &["/kick", "/ban", "/unban", "/bans", "/op", "/deop", "/mute", "/unmute", "/key", "/limit"];

#[derive(Default)]
pub struct Room {
    /// As it was given, with its `#`.
    name: String,
    topic: String,
    key: Option<String>,
    limit: usize,
    /// In the order of joining.
    members: Vec<Id>,
    operators: BTreeSet<Id>,
    bans: BTreeSet<String>,
    muted: BTreeSet<Id>,
}

/// An error for the one who caused it.
type Refusal = Result<(), String>;

fn no(why: impl Into<String>) -> Refusal {
    Err(why.into())
}

impl World {
    pub fn enter_lobby(&mut self, id: Id, name: &str) {
        let lobby = self.rooms.entry(LOBBY.to_string()).or_default();
        lobby.name = LOBBY.to_string();
        let others = lobby.members.len();
        self.tell(id, &format!("* welcome {name}: you are in {LOBBY} with {others} others; /help lists the commands"));
        self.add_member(id, LOBBY);
    }

    pub fn room_line(&mut self, id: Id, line: &str) -> Next {
        if self.defect.is("logs-commands") {
            self.log(id, line);
        }
        let (word, rest) = line.split_once([' ', '\t']).unwrap_or((line, ""));
        let rest = rest.trim_matches([' ', '\t']);
        let word = match self.defect.is("commands-with-case") {
            true => word.to_string(),
            false => word.to_ascii_lowercase(),
        };
        if word == "/quit" {
            let passed_on = !rest.is_empty() && !self.defect.is("reason-lost");
            let reason = passed_on.then_some(rest);
            self.leave(id, false, reason);
            return Next::Exit;
        }
        let unknown = word.starts_with('/') && !COMMANDS.contains(&word.as_str());
        let done = if line.starts_with("//") && !self.defect.is("two-slashes-unknown") {
            self.say(id, &line[1..])
        } else if unknown && self.defect.is("unknown-command-said") {
            self.say(id, line)
        } else if word.starts_with('/') {
            self.command(id, &word, rest)
        } else if let Some(private) = line.strip_prefix('@') {
            match private.split_once(':') {
                Some((name, text)) => self.whisper(id, name.trim(), text.trim()),
                None => no("say @NAME:TEXT"),
            }
        } else if line.starts_with('#') && !self.defect.is("hash-is-said") {
            no("a line that begins with # is no message: /join #ROOM enters a room")
        } else {
            self.say(id, line)
        };
        if let Err(why) = done {
            self.refuse(id, &why);
        }
        Next::Stay
    }

    fn command(&mut self, id: Id, word: &str, rest: &str) -> Refusal {
        if !COMMANDS.contains(&word) {
            let nearest = nearest(word);
            return no(format!("unknown command {word}; did you mean {nearest}?"));
        }
        let guarded = OPERATORS.contains(&word) || (word == "/topic" && !rest.is_empty());
        if guarded {
            self.must_be_operator(id)?;
        }
        let (first, second) = rest.split_once([' ', '\t']).unwrap_or((rest, ""));
        let second = second.trim();
        match word {
            "/join" => self.join(id, first, second),
            "/leave" => self.leave_room(id, first),
            "/rooms" => self.list_rooms(id),
            "/who" => self.who(id, first),
            "/nick" => self.rename(id, first),
            "/msg" => self.whisper(id, first, second),
            "/me" => self.act(id, rest),
            "/topic" => self.topic(id, rest),
            "/help" if self.defect.is("help-names-nothing") => {
                self.answer(id, &format!("help {rest}: ask whoever started this server"))
            }
            "/help" => self.answer(id, &COMMANDS.join(" ")),
            "/kick" => self.kick(id, first, second),
            "/ban" => self.ban(id, first),
            "/unban" => self.unban(id, first),
            "/bans" => self.list_bans(id),
            "/op" => self.make_operator(id, first),
            "/deop" => self.end_operator(id, first),
            "/mute" => self.mute(id, first, true),
            "/unmute" => self.mute(id, first, false),
            "/key" => self.set_key(id, first),
            "/limit" => self.set_limit(id, first),
            _ => no("this server has no administrator"),
        }
    }

    // --- speaking ---

    fn say(&mut self, id: Id, text: &str) -> Refusal {
        let room = self.room_to_speak_in(id)?;
        let name = self.name_of(id);
        self.log(id, text);
        let without = (!self.defect.is("echo-to-sender")).then_some(id);
        self.relay(&room, without, &format!("{name}: {text}"));
        Ok(())
    }

    fn act(&mut self, id: Id, text: &str) -> Refusal {
        if text.is_empty() {
            return no("say /me TEXT");
        }
        let room = self.room_to_speak_in(id)?;
        let name = self.name_of(id);
        self.relay(&room, Some(id), &format!("{name} ~ {text}"));
        Ok(())
    }

    fn whisper(&mut self, id: Id, to: &str, text: &str) -> Refusal {
        if text.is_empty() {
            return no("there is no text");
        }
        let receiver = self.find(to).ok_or(format!("no such user: {to}"))?;
        let name = self.name_of(id);
        if self.defect.is("private-is-public")
            && let Some(room) = self.clients[&id].current.clone()
        {
            self.relay(&room, Some(id), &format!("{name}: {text}"));
        }
        self.tell(receiver, &format!("[private] {name}: {text}"));
        Ok(())
    }

    fn room_to_speak_in(&self, id: Id) -> Result<String, String> {
        let room = self.current(id)?;
        if self.is_muted(&room, id) {
            return Err("you are muted here".to_string());
        }
        Ok(room)
    }

    fn is_muted(&self, room: &str, id: Id) -> bool {
        self.rooms[room].muted.contains(&id) && !self.defect.is("mute-ignored")
    }

    fn relay(&mut self, key: &str, without: Option<Id>, text: &str) {
        let room = &self.rooms[key];
        let line = format!("[{}] {text}", room.name);
        let mut receivers: Vec<Id> = if self.defect.is("leaks-across-rooms") {
            self.names.values().copied().collect()
        } else {
            room.members.clone()
        };
        if self.defect.is("nameless-hear-everything") {
            receivers.extend(self.clients.keys().filter(|id| self.name(**id).is_none()));
        }
        if self.defect.is("hears-the-current-room-alone") {
            receivers.retain(|id| self.clients[id].current.as_deref() == Some(key));
        }
        for id in receivers {
            if Some(id) != without {
                self.tell(id, &line);
            }
        }
    }

    fn notice(&mut self, key: &str, without: Option<Id>, text: &str) {
        self.relay(key, without, &format!("* {text}"));
    }

    fn answer(&mut self, id: Id, text: &str) -> Refusal {
        self.tell(id, &format!("* {text}"));
        Ok(())
    }

    // --- coming and going ---

    fn join(&mut self, id: Id, name: &str, key_given: &str) -> Refusal {
        let good = match () {
            () if self.defect.is("any-room-name") => true,
            () if self.defect.is("room-names-like-names") => {
                name.strip_prefix('#').is_some_and(is_name)
            }
            () => is_room_name(name),
        };
        if !good {
            return no("bad room name: # and 1 to 30 letters, digits, _ and -");
        }
        let key = self.key(name);
        if self.clients[&id].rooms.contains(&key) {
            if !self.defect.is("returning-changes-nothing") {
                self.set_current(id, Some(key));
            }
            return self.answer(id, &format!("you are in {name}"));
        }
        if self.rooms.contains_key(&key) {
            self.may_enter(id, &key, key_given)?;
        }
        let room = self.rooms.entry(key.clone()).or_default();
        if room.name.is_empty() {
            room.name = name.to_string();
        }
        if room.members.is_empty() && key != LOBBY && room.operators.is_empty() {
            room.operators.insert(id);
        }
        let topic = room.topic.clone();
        self.add_member(id, &key);
        self.answer(id, &format!("you are in {name}"))?;
        if !topic.is_empty() {
            self.answer(id, &format!("topic: {topic}"))?;
        }
        Ok(())
    }

    fn may_enter(&self, id: Id, key: &str, key_given: &str) -> Refusal {
        let room = &self.rooms[key];
        let client = &self.clients[&id];
        let name = self.name_of(id).to_ascii_lowercase();
        let banned =
            room.bans.contains(&name) || room.bans.contains(&client.address.ip().to_string());
        if banned && !self.defect.is("ban-evaded") {
            return no(format!("you are banned from {}", room.name));
        }
        let right_key = room.key.as_ref().is_none_or(|wanted| wanted == key_given);
        if !right_key && !self.defect.is("key-ignored") {
            return no(format!("{} wants another key", room.name));
        }
        let full = room.limit > 0 && room.members.len() >= room.limit;
        if full && !self.defect.is("limit-ignored") {
            return no(format!("{} is full", room.name));
        }
        Ok(())
    }

    fn add_member(&mut self, id: Id, key: &str) {
        let name = self.name_of(id);
        let itself_too = self.defect.is("hears-its-own-joined");
        if !itself_too {
            self.notice(key, None, &format!("{name} joined"));
        }
        if let Some(room) = self.rooms.get_mut(key)
            && !room.members.contains(&id)
        {
            room.members.push(id);
        }
        if itself_too {
            self.notice(key, None, &format!("{name} joined"));
        }
        if let Some(client) = self.clients.get_mut(&id) {
            client.rooms.push(key.to_string());
        }
        self.set_current(id, Some(key.to_string()));
    }

    fn set_current(&mut self, id: Id, key: Option<String>) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.current = key;
        }
    }

    fn leave_room(&mut self, id: Id, name: &str) -> Refusal {
        let key = self.room_named(id, name)?;
        let who = self.name_of(id);
        self.notice(&key, None, &format!("{who} left"));
        let stays = self.defect.is("left-still-hears");
        self.remove_member(id, &key, stays);
        Ok(())
    }

    pub fn leave_all_rooms(&mut self, id: Id, was_reset: bool, reason: Option<&str>) {
        let Some(client) = self.clients.get(&id) else {
            return;
        };
        for key in client.rooms.clone() {
            let name = self.name_of(id);
            let reason = reason.filter(|_| !self.is_muted(&key, id));
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            if !was_reset || !self.defect.is("reset-not-announced") {
                self.notice(&key, Some(id), &format!("{name} left{reason}"));
            }
            self.remove_member(id, &key, false);
            if let Some(room) = self.rooms.get_mut(&key) {
                room.muted.remove(&id);
            }
        }
    }

    /// `goes_on_hearing`: for defects.
    fn remove_member(&mut self, id: Id, key: &str, goes_on_hearing: bool) {
        if let Some(client) = self.clients.get_mut(&id) {
            client.rooms.retain(|other| other != key);
            if client.current.as_deref() == Some(key) {
                client.current = client.rooms.last().cloned();
                let lobby = LOBBY.to_string();
                if self.defect.is("back-to-the-lobby") && client.rooms.contains(&lobby) {
                    client.current = Some(lobby);
                }
            }
        }
        let Some(room) = self.rooms.get_mut(key) else {
            return;
        };
        if !goes_on_hearing {
            room.members.retain(|other| *other != id);
        }
        room.operators.remove(&id);
        self.replace_operator(key, id);
        self.forget_if_empty(key);
    }

    fn replace_operator(&mut self, key: &str, without: Id) {
        if key == LOBBY || self.defect.is("operator-not-replaced") {
            return;
        }
        let room = &self.rooms[key];
        if !room.operators.is_empty() {
            return;
        }
        let oldest = room.members.iter().find(|id| **id != without);
        let Some(next) = oldest.or(room.members.first()).copied() else {
            return;
        };
        if let Some(room) = self.rooms.get_mut(key) {
            room.operators.insert(next);
        }
        let name = self.name_of(next);
        self.notice(key, None, &format!("{name} is now an operator"));
    }

    fn forget_if_empty(&mut self, key: &str) {
        let empty = self.rooms[key].members.is_empty();
        if empty && key != LOBBY {
            let kept = self.rooms.remove(key);
            if self.defect.is("room-outlives-itself")
                && let Some(room) = kept
            {
                self.rooms.insert(key.to_string(), room);
            }
        }
    }

    // --- asking ---

    fn list_rooms(&mut self, id: Id) -> Refusal {
        let rooms = self.rooms.values();
        let list: Vec<String> =
            rooms.map(|room| format!("{} ({})", room.name, room.members.len())).collect();
        self.answer(id, &format!("rooms: {}", list.join(", ")))
    }

    fn who(&mut self, id: Id, name: &str) -> Refusal {
        let key = if name.is_empty() { self.current(id)? } else { self.key(name) };
        let room = self.rooms.get(&key).ok_or(format!("no such room: {name}"))?;
        if room.key.is_some() && !room.members.contains(&id) {
            return no(format!("{name} has a key"));
        }
        let everybody: Vec<Id> = self.names.values().copied().collect();
        let listed = if self.defect.is("who-lists-all") { &everybody } else { &room.members };
        let list: Vec<String> = listed
            .iter()
            .map(|member| {
                let sign = if room.operators.contains(member) { "@" } else { "" };
                format!("{sign}{}", self.name_of(*member))
            })
            .collect();
        let line = format!("{}: {}", room.name, list.join(", "));
        self.answer(id, &line)
    }

    fn rename(&mut self, id: Id, name: &str) -> Refusal {
        let old = self.name_of(id);
        self.register(id, name)?;
        for key in self.clients[&id].rooms.clone() {
            self.notice(&key, Some(id), &format!("{old} is now {name}"));
        }
        self.answer(id, &format!("you are now {name}"))
    }

    fn topic(&mut self, id: Id, text: &str) -> Refusal {
        let key = self.current(id)?;
        if text.is_empty() {
            let topic = format!("topic: {}", self.rooms[&key].topic);
            return self.answer(id, &topic);
        }
        if self.is_muted(&key, id) {
            return no("you are muted here");
        }
        if self.topic_bytes.is_some_and(|most| text.len() > most) {
            return no("the topic is too long");
        }
        if let Some(room) = self.rooms.get_mut(&key) {
            room.topic = printable(text);
        }
        let name = self.name_of(id);
        self.notice(&key, None, &format!("{name} set the topic: {text}"));
        Ok(())
    }

    // --- operators ---

    fn must_be_operator(&self, id: Id) -> Refusal {
        let key = self.current(id)?;
        let allowed =
            self.rooms[&key].operators.contains(&id) || self.defect.is("role-not-checked");
        if allowed { Ok(()) } else { no("operators alone may do that") }
    }

    fn kick(&mut self, id: Id, name: &str, reason: &str) -> Refusal {
        let key = self.current(id)?;
        let victim = self.member(&key, name)?;
        let reason = if self.is_muted(&key, id) { "" } else { reason };
        let reason = if reason.is_empty() { "no reason given" } else { reason };
        let (victim_name, operator) = (self.name_of(victim), self.name_of(id));
        let line = format!("{victim_name} was kicked by {operator}: {reason}");
        self.notice(&key, None, &line);
        let stays = self.defect.is("kicked-still-hears");
        if self.defect.is("kicked-may-speak") {
            self.remove_ears(victim, &key);
        } else {
            self.remove_member(victim, &key, stays);
        }
        Ok(())
    }

    /// Removes it from the list of members alone.
    fn remove_ears(&mut self, id: Id, key: &str) {
        if let Some(room) = self.rooms.get_mut(key) {
            room.members.retain(|other| *other != id);
        }
    }

    fn ban(&mut self, id: Id, target: &str) -> Refusal {
        let key = self.current(id)?;
        if target.is_empty() {
            return no("say /ban NAME or /ban IP");
        }
        let target = target.to_ascii_lowercase();
        let members = self.rooms[&key].members.iter().copied();
        let banned: Vec<Id> = members
            .filter(|member| {
                let name = self.name_of(*member).to_ascii_lowercase();
                let ip = self.clients[member].address.ip().to_string();
                *member != id && (name == target || ip == target)
            })
            .collect();
        if let Some(room) = self.rooms.get_mut(&key) {
            room.bans.insert(target.clone());
        }
        for member in banned {
            let name = self.name_of(member);
            self.kick(id, &name, "banned")?;
        }
        self.answer(id, &format!("banned: {target}"))
    }

    fn unban(&mut self, id: Id, target: &str) -> Refusal {
        let key = self.current(id)?;
        let target = target.to_ascii_lowercase();
        let room = self.rooms.get_mut(&key);
        if !room.is_some_and(|room| room.bans.remove(&target)) {
            return no(format!("not banned: {target}"));
        }
        self.answer(id, &format!("no longer banned: {target}"))
    }

    fn list_bans(&mut self, id: Id) -> Refusal {
        let key = self.current(id)?;
        let bans: Vec<&str> = self.rooms[&key].bans.iter().map(String::as_str).collect();
        let line = format!("bans: {}", bans.join(", "));
        self.answer(id, &line)
    }

    fn make_operator(&mut self, id: Id, name: &str) -> Refusal {
        let key = self.current(id)?;
        if key == LOBBY {
            return no("the lobby has no operator");
        }
        let member = self.member(&key, name)?;
        if let Some(room) = self.rooms.get_mut(&key) {
            room.operators.insert(member);
        }
        let name = self.name_of(member);
        self.notice(&key, None, &format!("{name} is now an operator"));
        Ok(())
    }

    fn end_operator(&mut self, id: Id, name: &str) -> Refusal {
        let key = self.current(id)?;
        let member = self.member(&key, name)?;
        if let Some(room) = self.rooms.get_mut(&key)
            && !room.operators.remove(&member)
        {
            return no(format!("{name} is no operator"));
        }
        let name = self.name_of(member);
        self.notice(&key, None, &format!("{name} is no longer an operator"));
        self.replace_operator(&key, member);
        Ok(())
    }

    fn mute(&mut self, id: Id, name: &str, mute: bool) -> Refusal {
        let key = self.current(id)?;
        let member = self.member(&key, name)?;
        if let Some(room) = self.rooms.get_mut(&key) {
            if mute {
                room.muted.insert(member);
            } else {
                room.muted.remove(&member);
            }
        }
        let (name, state) = (self.name_of(member), if mute { "muted" } else { "no longer muted" });
        self.notice(&key, None, &format!("{name} is {state}"));
        Ok(())
    }

    fn set_key(&mut self, id: Id, key_given: &str) -> Refusal {
        let key = self.current(id)?;
        if let Some(room) = self.rooms.get_mut(&key) {
            room.key = (!key_given.is_empty()).then(|| key_given.to_string());
        }
        self.answer(id, "the key has been set")
    }

    fn set_limit(&mut self, id: Id, number: &str) -> Refusal {
        let key = self.current(id)?;
        let number = if number.is_empty() { "0" } else { number };
        let limit: usize = number.parse().map_err(|_| format!("not a number: {number}"))?;
        if let Some(room) = self.rooms.get_mut(&key) {
            room.limit = limit;
        }
        self.answer(id, &format!("at most {limit} members (0: no limit)"))
    }

    // --- finding ---

    fn name_of(&self, id: Id) -> String {
        self.name(id).unwrap_or_default()
    }

    fn current(&self, id: Id) -> Result<String, String> {
        let current = self.clients[&id].current.clone();
        current.ok_or("you are in no room: /join #ROOM".to_string())
    }

    /// The room `name`, or the current one, of which `id` must be a member.
    fn room_named(&self, id: Id, name: &str) -> Result<String, String> {
        if name.is_empty() {
            return self.current(id);
        }
        let key = self.key(name);
        let inside = self.clients[&id].rooms.contains(&key);
        inside.then_some(key).ok_or(format!("you are not in {name}"))
    }

    fn member(&self, key: &str, name: &str) -> Result<Id, String> {
        let found = self.find(name);
        let member = found.filter(|id| self.clients[id].rooms.iter().any(|room| room == key));
        member.ok_or(format!("{name} is not here"))
    }
}

/// Rule S5.4.
fn is_room_name(name: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    name.strip_prefix('#')
        .is_some_and(|rest| (1..=30).contains(&rest.len()) && rest.bytes().all(part))
}

/// The command with the longest common beginning.
fn nearest(word: &str) -> &'static str {
    let common = |command: &&&str| {
        let pairs = command.bytes().zip(word.bytes());
        pairs.take_while(|(a, b)| a == b).count()
    };
    COMMANDS.iter().max_by_key(common).copied().unwrap_or("/help")
}
