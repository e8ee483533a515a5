//! Who is there: the state that all connections share, and what all protocols do with it.

use crate::Protocol;
use crate::defects::Defect;
use crate::lines::LineError;
use crate::outbox::Outbox;
use crate::rooms::Room;
use std::collections::{BTreeMap, HashMap};
use std::io::Write;
use std::net::SocketAddr;
use std::sync::Arc;

pub type Id = u64;

/// What a line does to the connection it came from.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Next {
    Stay,
    Exit,
    /// While its lines waited.
    WasReset,
}

pub struct Client {
    pub address: SocketAddr,
    pub outbox: Arc<Outbox>,
    pub name: Option<String>,
    /// Keys of the rooms it is in, in the order of joining, and of the current one (S5).
    pub rooms: Vec<String>,
    pub current: Option<String>,
}

pub struct World {
    pub protocol: Protocol,
    pub defect: Defect,
    pub clients: BTreeMap<Id, Client>,
    /// Who has a name: its key is what names are compared by.
    pub names: HashMap<String, Id>,
    pub rooms: BTreeMap<String, Room>,
    pub newest: Id,
    /// The longest topic: for one defect.
    pub topic_bytes: Option<usize>,
    /// What was found when the name was looked for, earlier: for one defect.
    pub was_free: bool,
    /// Two lists that ought to belong together: for one defect.
    positions: Vec<Id>,
    names_by_position: Vec<String>,
    /// Sockets that nobody closes: for one defect.
    leaked: Vec<Arc<Outbox>>,
    /// What a thread does when it has given the lock back: for one defect.
    pub after_unlocking: Option<Box<dyn FnOnce() + Send>>,
}

impl World {
    pub fn new(protocol: Protocol, defect: Defect) -> World {
        World {
            protocol,
            defect,
            clients: BTreeMap::new(),
            names: HashMap::new(),
            rooms: BTreeMap::new(),
            newest: 0,
            topic_bytes: None,
            was_free: false,
            positions: Vec::new(),
            names_by_position: Vec::new(),
            leaked: Vec::new(),
            after_unlocking: None,
        }
    }

    pub fn enter(&mut self, id: Id, address: SocketAddr, outbox: Arc<Outbox>) {
        let client = Client { address, outbox, name: None, rooms: Vec::new(), current: None };
        let own_address = client.outbox.stream.local_addr();
        self.clients.insert(id, client);
        self.newest = id;
        self.positions.push(id);
        match self.protocol {
            Protocol::Select => {
                let seen = match own_address {
                    Ok(own) if self.defect.is("greets-with-its-own-address") => own,
                    _ => address,
                };
                self.tell(id, &format!("You are connected from: {seen}"));
            }
            _ => {
                self.print(&format!("{address} connected"));
                self.tell(id, "NICK");
            }
        }
    }

    pub fn obey(&mut self, id: Id, line: &str) -> Next {
        if line == "exit" && !self.defect.is("exit-is-a-message") {
            return Next::Exit;
        }
        // To one that takes any line for a name, a request is one as well.
        let takes_it = self.defect.is("speaks-http") || self.defect.is("unaddressable-name");
        if self.name(id).is_none() && is_http(line) && !takes_it {
            self.refuse(id, "this is a chat, no web server");
            return Next::Exit;
        }
        match self.protocol {
            Protocol::Select => self.select_line(id, line),
            Protocol::Rooms if self.name(id).is_some() => return self.room_line(id, line),
            _ => self.threads_line(id, line),
        }
        Next::Stay
    }

    pub fn refuse_line(&mut self, id: Id, error: LineError) {
        self.refuse(
            id,
            match error {
                LineError::TooLong => "line too long (at most 2048 bytes)",
                LineError::NotUtf8 => "not UTF-8",
            },
        );
        if self.name(id).is_none() && self.protocol != Protocol::Select {
            self.ask_again(id);
        }
    }

    /// The connection has ended.
    pub fn leave(&mut self, id: Id, was_reset: bool, reason: Option<&str>) {
        let Some(position) = self.positions.iter().position(|other| *other == id) else {
            return;
        };
        if self.protocol == Protocol::Rooms {
            self.leave_all_rooms(id, was_reset, reason);
        }
        let client = self.clients.remove(&id).expect("it has a position");
        self.positions.remove(position);
        if self.defect.is("leaks-descriptors") {
            self.leaked.push(Arc::clone(&client.outbox));
        }
        let Some(name) = client.name.clone() else {
            if self.defect.is("nameless-leave-announced") {
                self.tell_named(None, "* None left");
            }
            return;
        };
        let ghost =
            self.defect.is("ghost-user") || (was_reset && self.defect.is("ghost-after-reset"));
        if !ghost && self.names.get(&self.key(&name)) == Some(&id) {
            self.names.remove(&self.key(&name));
        }
        if self.protocol == Protocol::Threads {
            self.announce_leaving(&name, position, was_reset);
        }
        // The list of sockets is cleaned on every path, the list of names on this one alone.
        if !was_reset {
            self.names_by_position.retain(|other| *other != name);
        }
        // Like programs that learn of a reset only when they write to who is gone.
        let found_by_writing = self.defect.is("wrong-client-evicted")
            || self.defect.is("broadcast-stops-at-the-first-error");
        if was_reset && found_by_writing {
            let name = Some(String::new());
            self.clients.insert(id, Client { name, ..client });
        }
    }

    /// Forgets those that have left and were found only now.
    pub fn bury(&mut self, failed: &[Id]) {
        let left = |id: &Id| !self.positions.contains(id);
        for id in failed.iter().filter(|id| left(id)) {
            self.clients.remove(id);
        }
    }

    /// `position`: in the list of sockets.
    fn announce_leaving(&mut self, name: &str, position: usize, was_reset: bool) {
        let silent = self.defect.is("leave-not-announced")
            || (was_reset && self.defect.is("reset-not-announced"));
        if silent {
            return;
        }
        let drifted = self.names_by_position.get(position);
        let name = match drifted {
            Some(other) if self.defect.is("parallel-lists-drift") => other.clone(),
            _ => name.to_string(),
        };
        let times = 1 + usize::from(self.defect.is("leave-announced-twice"));
        for _ in 0..times {
            self.tell_named(None, &format!("* {name} left"));
        }
    }

    /// Gives `id` the name, if it may have it.
    pub fn register(&mut self, id: Id, name: &str) -> Result<(), String> {
        let good = is_name(name.strip_suffix('\r').unwrap_or(name))
            && !(self.defect.is("names-without-hyphens") && name.contains('-'));
        if !good && !self.defect.is("unaddressable-name") {
            return Err(format!(
                "bad name: {name:?}: 1 to 20 letters, digits, _ and -, a letter first"
            ));
        }
        let key = self.key(name);
        let owner = self.names.get(&key).copied();
        let own = owner == Some(id) && !self.defect.is("own-name-is-taken");
        let was_free = std::mem::take(&mut self.was_free);
        let taken = owner.is_some() && !own && !was_free;
        if taken && !self.defect.is("name-taken-over") {
            return Err(format!("name taken: {name}"));
        }
        if self.names.len() >= 500 && self.defect.is("names-run-out") {
            return Err("the table of names is full".to_string());
        }
        if let Some(old) = self.name(id).map(|old| self.key(&old))
            && !self.defect.is("old-name-still-routes")
        {
            self.names.remove(&old);
        }
        self.names.insert(key, id);
        if let Some(client) = self.clients.get_mut(&id) {
            client.name = Some(name.to_string());
        }
        self.names_by_position.push(name.to_string());
        Ok(())
    }

    pub fn name(&self, id: Id) -> Option<String> {
        self.clients.get(&id)?.name.clone()
    }

    pub fn find(&self, name: &str) -> Option<Id> {
        self.names.get(&self.key(name)).copied()
    }

    pub fn key(&self, name: &str) -> String {
        if self.defect.is("case-splits-names") {
            name.to_string()
        } else {
            name.to_ascii_lowercase()
        }
    }

    /// An error, for the one who caused it.
    pub fn refuse(&mut self, id: Id, why: &str) {
        if !self.defect.is("silent-error") {
            self.tell(id, &format!("! {why}"));
        }
    }

    pub fn tell(&mut self, id: Id, line: &str) -> bool {
        match self.clients.get(&id) {
            Some(client) => client.outbox.push(line),
            None => false,
        }
    }

    /// To everyone with a name except `without`. Gives those who could not be written to.
    pub fn tell_named(&mut self, without: Option<Id>, line: &str) -> Vec<Id> {
        let anybody = self.defect.is("nameless-hear-everything");
        let named = self.clients.iter().filter(|(_, client)| anybody || client.name.is_some());
        let receivers: Vec<Id> = named.map(|(id, _)| *id).collect();
        let mut failed = Vec::new();
        for id in receivers {
            if Some(id) == without {
                continue;
            }
            if !self.tell(id, line) {
                failed.push(id);
                if self.defect.is("broadcast-stops-at-the-first-error") {
                    break;
                }
            }
        }
        failed
    }

    /// The server's own log of what was said.
    pub fn log(&self, id: Id, text: &str) {
        if let Some(client) = self.clients.get(&id) {
            let (ip, port) = (client.address.ip(), client.address.port());
            self.print(&format!("[{ip}]:{port} => {text}"));
        }
    }

    /// To the server's console.
    pub fn print(&self, line: &str) {
        if !self.defect.is("console-is-silent") {
            let _ = writeln!(std::io::stdout(), "{line}");
        }
    }
}

/// `GET / HTTP/1.1` (L18).
fn is_http(line: &str) -> bool {
    let mut words = line.split(' ');
    words.nth(2).is_some_and(|version| version.starts_with("HTTP/")) && words.next().is_none()
}

/// Rule L8.
pub fn is_name(name: &str) -> bool {
    let part = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'_' || byte == b'-';
    (1..=20).contains(&name.len())
        && name.starts_with(|first: char| first.is_ascii_alphabetic())
        && name.bytes().all(part)
}
