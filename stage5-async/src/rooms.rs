//! Who is connected, who is in which room, and who hears what. Pure: decides, and returns what is
//! to be done as effects. No socket, no clock, no task, no printing.
//!
//! What operators do is in `moderation`, one room's own rules are in `room`.

use crate::command::{self, Command};
use crate::limits::{ClientId, Limits, one_more};
use crate::line::SERVER_LINE_BYTES_MAX;
use crate::names::{check_name, check_room_name, fold};
use crate::room::Room;
use std::collections::{BTreeMap, HashMap};
use std::fmt::{self, Display};
use std::net::SocketAddr;
use std::rc::Rc;

/// What is to be done, in this order.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// The line ends with its LF, ready for the wire. All receivers share it.
    Send { to: Receivers, line: String },
    /// Nothing more will be sent to this client. It is forgotten already.
    Close { client: ClientId },
    /// For the server's console.
    Log(String),
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Receivers {
    One(ClientId),
    All { members: Rc<Vec<ClientId>>, except: Option<ClientId> },
}

/// A room's name in lower case: two spellings of a name are one room.
pub type RoomKey = Rc<str>;

pub const LOBBY: &str = "#lobby";

#[derive(Debug)]
pub struct Rooms {
    pub(crate) limits: Limits,
    pub(crate) password: Option<String>,
    /// By `ClientId`.
    clients: Vec<Option<Client>>,
    /// In lower case.
    names: HashMap<String, ClientId>,
    rooms: BTreeMap<RoomKey, Room>,
    effects: Vec<Effect>,
}

#[derive(Debug)]
pub(crate) struct Client {
    pub(crate) address: SocketAddr,
    pub(crate) name: Option<String>,
    /// In the order in which it joined them.
    pub(crate) rooms: Vec<RoomKey>,
    /// Where its words go.
    pub(crate) current: Option<RoomKey>,
    pub(crate) is_admin: bool,
}

/// `Err`: what the client is told after `! `.
pub(crate) type Outcome = Result<(), String>;

impl Rooms {
    /// Without a password there is no `/admin`.
    pub fn new(limits: Limits, password: Option<String>) -> Rooms {
        Rooms {
            limits,
            password,
            clients: Vec::new(),
            names: HashMap::new(),
            rooms: BTreeMap::from([(RoomKey::from(LOBBY), Room::new(LOBBY))]),
            effects: Vec::new(),
        }
    }

    pub fn arrive(&mut self, client: ClientId, address: SocketAddr) -> Vec<Effect> {
        let newcomer =
            Client { address, name: None, rooms: Vec::new(), current: None, is_admin: false };
        if self.clients.len() <= client.0 {
            self.clients.resize_with(client.0 + 1, || None);
        }
        self.clients[client.0] = Some(newcomer);
        self.log(format!("{address} connected"));
        self.tell(client, "NICK");
        self.take_effects()
    }

    /// Obeys one line. Lines of a client that is gone already are ignored (rule L11).
    pub fn apply(&mut self, from: ClientId, line: &str) -> Vec<Effect> {
        let outcome = match self.find(from) {
            None => Ok(()),
            Some(client) if client.name.is_none() => self.register(from, line),
            Some(_) => command::parse(line, self.password.is_some())
                .and_then(|command| self.obey(from, command)),
        };
        match outcome {
            Ok(()) => self.take_effects(),
            Err(why) => self.refuse(from, &why),
        }
    }

    /// Tells one client what was wrong. Who still has no name is asked again (rule S4.2).
    pub fn refuse(&mut self, client: ClientId, why: &str) -> Vec<Effect> {
        if let Some(Client { name, .. }) = self.find(client) {
            let is_unnamed = name.is_none();
            self.tell(client, format_args!("! {why}"));
            if is_unnamed {
                self.tell(client, "NICK");
            }
        }
        self.take_effects()
    }

    /// The time to choose a name is over.
    pub fn name_is_due(&mut self, client: ClientId) -> Vec<Effect> {
        if self.find(client).is_some_and(|client| client.name.is_none()) {
            let seconds = self.limits.seconds_to_register;
            self.tell(
                client,
                format_args!(
                    "! no name within {seconds} seconds (the server's --seconds-to-register)"
                ),
            );
            self.depart(client, None);
        }
        self.take_effects()
    }

    /// The connection has ended, for a reason that the server gives.
    pub fn leave(&mut self, client: ClientId, reason: Option<&str>) -> Vec<Effect> {
        if self.find(client).is_some() {
            self.depart(client, reason);
        }
        self.take_effects()
    }

    pub fn shut_down(&mut self) -> Vec<Effect> {
        let everyone = Rc::new(self.names.values().copied().collect());
        self.effects.push(Effect::Send {
            to: Receivers::All { members: everyone, except: None },
            line: "* the server is shutting down\n".into(),
        });
        self.take_effects()
    }

    fn register(&mut self, from: ClientId, line: &str) -> Outcome {
        if line == "exit" {
            self.depart(from, None);
            return Ok(());
        }
        self.check_new_name(from, line)?;
        self.names.insert(fold(line), from);
        self.client_mut(from).name = Some(line.to_string());
        self.log(format!("{} is {line}", self.client(from).address));
        let lobby = RoomKey::from(LOBBY);
        let admitted = self.rooms[&lobby].admits(line, self.client(from).ip(), None);
        let place = match admitted {
            Ok(()) => {
                format!("you are in {LOBBY} with {} others", self.rooms[&lobby].members().len())
            }
            Err(_) => "you are in no room".to_string(),
        };
        self.tell(from, format_args!("* welcome {line}: {place}; /help lists the commands"));
        admitted?;
        self.enter(from, &lobby);
        Ok(())
    }

    fn check_new_name(&self, client: ClientId, name: &str) -> Outcome {
        check_name(name)?;
        match self.names.get(&fold(name)) {
            Some(holder) if *holder != client => Err(format!("name taken: {name}")),
            _ => Ok(()),
        }
    }

    fn obey(&mut self, from: ClientId, command: Command) -> Outcome {
        match command {
            Command::Say(text) => self.speak(from, ":", text),
            Command::Me(text) => self.speak(from, " ~", text),
            Command::Tell { name, text } => self.tell_privately(from, name, text),
            Command::Join { room, key } => self.join(from, room, key),
            Command::Leave { room } => self.leave_room(from, room),
            Command::Rooms => self.list_rooms(from),
            Command::Who { room } => self.list_members(from, room),
            Command::Nick(name) => self.rename(from, name),
            Command::Help(command) => self.help(from, command),
            Command::Quit { reason } => {
                self.depart(from, reason);
                Ok(())
            }
            moderation => self.moderate(from, moderation),
        }
    }

    fn speak(&mut self, from: ClientId, sign: &str, text: &str) -> Outcome {
        let key = self.current(from)?;
        self.check_may_speak(from, &key)?;
        let line = format!("{}{sign} {text}", self.name(from));
        self.tell_room(&key, Some(from), line);
        Ok(())
    }

    pub(crate) fn check_may_speak(&self, client: ClientId, key: &str) -> Outcome {
        let room = &self.rooms[key];
        match room.muted.contains(&client) {
            true => Err(format!("you are muted in {}", room.name)),
            false => Ok(()),
        }
    }

    fn tell_privately(&mut self, from: ClientId, name: &str, text: &str) -> Outcome {
        let to = self.named(name)?;
        let line = format!("[private] {}: {text}", self.name(from));
        self.tell(to, line);
        Ok(())
    }

    fn join(&mut self, from: ClientId, name: &str, given: Option<&str>) -> Outcome {
        check_room_name(name)?;
        let key = RoomKey::from(fold(name));
        if self.is_member(from, &key) {
            let line = format!("* you are back in {}", self.rooms[&key].name);
            self.client_mut(from).current = Some(key);
            self.tell(from, line);
            return Ok(());
        }
        self.check_may_join(from, &key, given)?;
        let room = self.rooms.entry(key.clone()).or_insert_with(|| Room::new(name));
        let mut line = format!("* you are in {} with {} others", room.name, room.members().len());
        if let Some(topic) = &room.topic {
            line += &format!("; topic: {topic}");
        }
        self.tell(from, line);
        self.enter(from, &key);
        Ok(())
    }

    fn check_may_join(&self, from: ClientId, key: &RoomKey, given: Option<&str>) -> Outcome {
        let limits = &self.limits;
        let client = self.client(from);
        if &**key != LOBBY {
            let joined = client.rooms.iter().filter(|room| &***room != LOBBY).count();
            let too_many = "you are in too many rooms";
            one_more(joined, limits.rooms_per_client, too_many, "--rooms-per-client")?;
        }
        match self.rooms.get(key) {
            Some(room) => room.admits(self.name(from), client.ip(), given),
            None => {
                one_more(self.rooms.len() - 1, limits.max_rooms, "too many rooms", "--max-rooms")
            }
        }
    }

    /// Puts the client into the room, where the others hear of it, and makes it the current one.
    fn enter(&mut self, client: ClientId, key: &RoomKey) {
        let room = self.rooms.get_mut(key).expect("the caller found or made the room");
        room.enter(client);
        if &**key != LOBBY {
            room.ensure_operator();
        }
        let entered = self.client_mut(client);
        entered.rooms.push(key.clone());
        entered.current = Some(key.clone());
        let line = format!("* {} joined", self.name(client));
        self.tell_room(key, Some(client), line);
    }

    fn leave_room(&mut self, from: ClientId, room: Option<&str>) -> Outcome {
        let key = match room {
            None => self.current(from)?,
            Some(name) => self.joined(from, name)?,
        };
        let line = format!("* {} left", self.name(from));
        self.tell_room(&key, None, line);
        self.remove(from, &key);
        Ok(())
    }

    /// Takes a client that stays connected out of a room; the notice has been sent.
    pub(crate) fn remove(&mut self, client: ClientId, key: &RoomKey) {
        self.remove_from_room(client, key);
        let left = self.client_mut(client);
        left.rooms.retain(|room| room != key);
        if left.current.as_ref() == Some(key) {
            left.current = left.rooms.last().cloned();
            let line = match &self.client(client).current {
                Some(current) => format!("* you are in {} now", self.rooms[current].name),
                None => "* you are in no room now".to_string(),
            };
            self.tell(client, line);
        }
    }

    /// The room's side of a departure: somebody decides in it, or it is forgotten.
    fn remove_from_room(&mut self, client: ClientId, key: &RoomKey) {
        let room = self.rooms.get_mut(key).expect("clients are in rooms that exist");
        room.remove(client);
        if &**key == LOBBY {
            return; // has no operator, and is never forgotten
        }
        if room.members().is_empty() {
            self.rooms.remove(key);
        } else if let Some(successor) = room.ensure_operator() {
            self.tell_of_operator(key, successor);
        }
    }

    /// The client goes for good: its rooms hear of it, its name is free, its tasks may end.
    fn depart(&mut self, client: ClientId, reason: Option<&str>) {
        let rooms = std::mem::take(&mut self.client_mut(client).rooms);
        for key in &rooms {
            let reason = reason.filter(|_| self.check_may_speak(client, key).is_ok());
            let reason = reason.map(|reason| format!(": {reason}")).unwrap_or_default();
            let line = format!("* {} left{reason}", self.name(client));
            self.tell_room(key, Some(client), line);
            self.remove_from_room(client, key);
        }
        for room in self.rooms.values_mut() {
            room.muted.remove(&client); // its number will be somebody else's
        }
        if let Some(name) = self.client(client).name.clone() {
            self.names.remove(&fold(&name));
            self.tell(client, format_args!("* goodbye {name}"));
        }
        self.log(format!("{} disconnected", self.client(client).address));
        self.clients[client.0] = None;
        self.effects.push(Effect::Close { client });
    }

    fn list_rooms(&mut self, from: ClientId) -> Outcome {
        let describe = |room: &Room| {
            let key = if room.key.is_some() { ", key" } else { "" };
            format!("{} ({}{key})", room.name, room.members().len())
        };
        let line = list("* rooms:", self.rooms.values().map(describe).collect());
        self.tell(from, line);
        Ok(())
    }

    fn list_members(&mut self, from: ClientId, room: Option<&str>) -> Outcome {
        let key = match room {
            None => self.current(from)?,
            Some(name) => RoomKey::from(fold(name)),
        };
        let room = self.rooms.get(&key).ok_or("there is no such room; /rooms lists them")?;
        if room.key.is_some() && !self.is_member(from, &key) {
            return Err(format!("{} has a key: only members see who is there", room.name));
        }
        let describe = |member: &ClientId| {
            let operator = if room.is_operator(*member) { " (operator)" } else { "" };
            format!("{}{operator}", self.name(*member))
        };
        let names = room.members().iter().map(describe).collect();
        let line = list(&format!("* in {}:", room.name), names);
        self.tell(from, line);
        Ok(())
    }

    fn rename(&mut self, from: ClientId, name: &str) -> Outcome {
        self.check_new_name(from, name)?;
        let old = self.name(from).to_string();
        if old == name {
            return Err("that is your name already".into());
        }
        let rooms = self.client(from).rooms.clone();
        // Else who is banned by name would come in under another one, and change it inside.
        let is_banned = |key: &&RoomKey| self.rooms[*key].banned_names.contains(&fold(name));
        if let Some(key) = rooms.iter().find(is_banned) {
            return Err(format!("{name} is banned from {}", self.rooms[key].name));
        }
        self.names.remove(&fold(&old));
        self.names.insert(fold(name), from);
        self.client_mut(from).name = Some(name.to_string());
        for key in &rooms {
            self.tell_room(key, None, format_args!("* {old} is now {name}"));
        }
        if rooms.is_empty() {
            self.tell(from, format_args!("* you are now {name}"));
        }
        Ok(())
    }

    fn help(&mut self, from: ClientId, wanted: Option<&str>) -> Outcome {
        let with_admin = self.password.is_some();
        let entries: Vec<_> = match wanted {
            Some(word) => vec![command::find(word, with_admin)?],
            None => command::known(with_admin).collect(),
        };
        if wanted.is_none() {
            self.tell(from, "* TEXT goes to your room, //TEXT says /TEXT, @NAME:TEXT is private");
        }
        for entry in entries {
            let usage = format!("/{} {}", entry.name, entry.arguments);
            let who = match entry.who {
                command::Who::Operators => " (operators)",
                _ => "",
            };
            self.tell(from, format_args!("* {usage:22} {}{who}", entry.help));
        }
        Ok(())
    }
}

/// Small words that the rules above are made of.
impl Rooms {
    fn find(&self, client: ClientId) -> Option<&Client> {
        self.clients.get(client.0)?.as_ref()
    }

    pub(crate) fn client(&self, client: ClientId) -> &Client {
        self.find(client).expect("rooms and names know connected clients only")
    }

    pub(crate) fn client_mut(&mut self, client: ClientId) -> &mut Client {
        let client = self.clients.get_mut(client.0).and_then(Option::as_mut);
        client.expect("rooms and names know connected clients only")
    }

    pub(crate) fn name(&self, client: ClientId) -> &str {
        self.client(client).name.as_deref().unwrap_or_default()
    }

    pub(crate) fn named(&self, name: &str) -> Result<ClientId, String> {
        let found = self.names.get(&fold(name)).copied();
        found.ok_or_else(|| format!("nobody here is called {name}"))
    }

    pub(crate) fn room(&self, key: &str) -> &Room {
        &self.rooms[key]
    }

    pub(crate) fn room_mut(&mut self, key: &str) -> &mut Room {
        self.rooms.get_mut(key).expect("clients are in rooms that exist")
    }

    pub(crate) fn is_member(&self, client: ClientId, key: &RoomKey) -> bool {
        self.client(client).rooms.contains(key)
    }

    pub(crate) fn current(&self, client: ClientId) -> Result<RoomKey, String> {
        let current = self.client(client).current.clone();
        current.ok_or_else(|| "you are in no room; /join #ROOM enters one".to_string())
    }

    /// The room of that name, if the client is in it.
    fn joined(&self, client: ClientId, name: &str) -> Result<RoomKey, String> {
        let key = RoomKey::from(fold(name));
        match self.is_member(client, &key) {
            true => Ok(key),
            false => Err("you are not in that room".to_string()),
        }
    }

    pub(crate) fn tell(&mut self, client: ClientId, text: impl Display) {
        let line = format!("{text}\n");
        self.effects.push(Effect::Send { to: Receivers::One(client), line });
    }

    pub(crate) fn tell_room(&mut self, key: &str, except: Option<ClientId>, text: impl Display) {
        let room = &self.rooms[key];
        let line = format!("[{}] {text}\n", room.name);
        let to = Receivers::All { members: room.members().clone(), except };
        self.effects.push(Effect::Send { to, line });
    }

    pub(crate) fn tell_of_operator(&mut self, key: &str, client: ClientId) {
        let line = format!("* {} is now an operator", self.name(client));
        self.tell_room(key, None, line);
    }

    pub(crate) fn log(&mut self, line: String) {
        self.effects.push(Effect::Log(line));
    }

    fn take_effects(&mut self) -> Vec<Effect> {
        std::mem::take(&mut self.effects)
    }
}

impl Client {
    pub(crate) fn ip(&self) -> std::net::IpAddr {
        self.address.ip()
    }
}

impl Receivers {
    pub fn for_each(&self, mut receive: impl FnMut(ClientId)) {
        match self {
            Receivers::One(client) => receive(*client),
            Receivers::All { members, except } => {
                let others = members.iter().filter(|member| Some(**member) != *except);
                others.for_each(|member| receive(*member));
            }
        }
    }
}

impl fmt::Display for Receivers {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Receivers::One(client) => write!(f, "{client}"),
            Receivers::All { members, except: None } => write!(f, "{} clients", members.len()),
            Receivers::All { members, except: Some(sender) } => {
                write!(f, "{} clients but {sender}", members.len())
            }
        }
    }
}

/// Room for `, and 4294967295 more`.
const LIST_BYTES_MAX: usize = SERVER_LINE_BYTES_MAX - 30;

/// `intro a, b, c`, cut where the line would be longer than a server's line may be (rule L3).
pub(crate) fn list(intro: &str, items: Vec<String>) -> String {
    let mut line = intro.to_string();
    let count = items.len();
    for (place, item) in items.into_iter().enumerate() {
        if line.len() + item.len() > LIST_BYTES_MAX {
            return format!("{line}, and {} more", count - place);
        }
        line += if place == 0 { " " } else { ", " };
        line += &item;
    }
    line
}

#[cfg(test)]
mod tests;
