//! What a line means in S3 (`#name`, `@user:text`) and in S4 (a name first, then text for all).

use crate::Protocol;
use crate::world::{Id, World, is_name};
use std::sync::Arc;

/// A server's line has at most 8192 bytes (L3): room for the names in the welcome.
const NAMES_BYTES_MAX: usize = 8000;

impl World {
    pub fn select_line(&mut self, id: Id, line: &str) {
        if let Some(name) = line.strip_prefix('#') {
            return self.select_register(id, name);
        }
        let Some((user, text)) = line.strip_prefix('@').and_then(|rest| rest.split_once(':'))
        else {
            return self.refuse(id, "say #NAME or @USER:TEXT");
        };
        let text = match self.defect.is("second-colon-cuts") {
            true => text.split(':').next().unwrap_or_default(),
            false => text,
        };
        let text = text.trim_matches([' ', '\t']);
        let sender = match self.name(id) {
            Some(name) => name,
            None if self.defect.is("unregistered-may-send") => "anonymous".to_string(),
            None => return self.refuse(id, "register first: #NAME"),
        };
        if text.is_empty() && !self.defect.is("empty-text-delivered") {
            return self.refuse(id, "there is no text");
        }
        let Some(receiver) = self.find(user.trim()) else {
            return self.refuse(id, &format!("no such user: {user}"));
        };
        let message = match self.defect.is("anonymous-delivery") {
            true => text.to_string(),
            false => format!("{sender}: {text}"),
        };
        if self.defect.is("delivered-to-all") {
            self.tell_named((receiver != id).then_some(id), &message);
        } else if receiver != id || !self.defect.is("lost-to-oneself") {
            self.tell(receiver, &message);
        }
        if self.defect.is("says-ok") {
            self.tell(id, "ok");
        }
    }

    fn select_register(&mut self, id: Id, name: &str) {
        let id = if self.defect.is("registers-the-wrong-socket") { self.newest } else { id };
        match self.register(id, name) {
            Ok(()) => {
                self.print(&format!("User {name} added."));
                self.tell(id, &format!("Your user detail saved as: {name}"));
            }
            Err(why) => self.refuse(id, &why),
        }
    }

    pub fn threads_line(&mut self, id: Id, line: &str) {
        let Some(name) = self.name(id) else {
            return self.threads_register(id, line);
        };
        self.log(id, line);
        if self.defect.is("interleaved-writes") {
            return self.write_in_pieces(id, &name, line);
        }
        let message = match line {
            "NICK" if self.defect.is("control-words-in-band") => line.to_string(),
            _ if line.starts_with("* ") && self.defect.is("control-words-in-band") => {
                line.to_string()
            }
            _ if claims_a_sender(line) && self.defect.is("sender-is-claimed") => line.to_string(),
            _ => format!("{name}: {line}"),
        };
        let without = (!self.defect.is("echo-to-sender")).then_some(id);
        let failed = self.tell_named(without, &message);
        self.after_errors(id, &failed);
    }

    /// A correct server learns from reading that a client has ended, and has nothing to do here.
    fn after_errors(&mut self, speaker: Id, failed: &[Id]) {
        self.bury(failed);
        if self.defect.is("wrong-client-evicted") && !failed.is_empty() {
            if let Some(client) = self.clients.get(&speaker) {
                let _ = client.outbox.stream.shutdown(std::net::Shutdown::Both);
            }
            self.leave(speaker, false, None);
        }
    }

    fn threads_register(&mut self, id: Id, name: &str) {
        if let Err(why) = self.register(id, name) {
            self.refuse(id, &why);
            return self.ask_again(id);
        }
        if self.protocol == Protocol::Rooms {
            return self.enter_lobby(id, name);
        }
        self.tell(id, &self.welcome(name));
        if !self.defect.is("joined-not-announced") {
            self.tell_named(Some(id), &format!("* {name} joined"));
        }
    }

    pub fn ask_again(&mut self, id: Id) {
        if !self.defect.is("asks-only-once") {
            self.tell(id, "NICK");
        }
    }

    fn welcome(&self, name: &str) -> String {
        if self.defect.is("welcome-without-names") {
            return format!("* welcome {name}");
        }
        let mut names: Vec<String> = self
            .clients
            .values()
            .filter_map(|client| client.name.clone())
            .filter(|name| !name.is_empty())
            .collect();
        let count = names.len();
        let mut bytes = 0;
        names.retain(|name| {
            bytes += name.len() + 2;
            bytes <= NAMES_BYTES_MAX || self.defect.is("endless-welcome")
        });
        let more = match count - names.len() {
            0 => String::new(),
            more => format!(", and {more} more"),
        };
        format!("* welcome {name}: {count} here ({}{more})", names.join(", "))
    }

    /// As a thread does that has only the list of sockets, and no lock.
    fn write_in_pieces(&mut self, id: Id, name: &str, line: &str) {
        let named = self.clients.iter().filter(|(_, client)| client.name.is_some());
        let others = named.filter(|(other, _)| **other != id);
        let outboxes: Vec<_> = others.map(|(_, client)| Arc::clone(&client.outbox)).collect();
        let (name, line) = (name.to_string(), line.to_string());
        self.after_unlocking = Some(Box::new(move || {
            for outbox in outboxes {
                for piece in [name.as_str(), ": ", &line, "\n"] {
                    outbox.push_piece(piece);
                    std::thread::yield_now();
                }
            }
        }));
    }
}

/// `bob: I owe you`
fn claims_a_sender(line: &str) -> bool {
    line.split_once(": ").is_some_and(|(name, _)| is_name(name))
}
