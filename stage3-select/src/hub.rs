//! Layer: the hand-over. All clients, and the chat that they have: what they say goes in, what is
//! decided becomes lines in their outboxes.
//!
//! *This stage owns the state.* There is one thread, so whoever is here is alone. It needs
//! neither the lock of stage 4 nor the mail of stage 5.

use std::net::SocketAddr;

use mio::net::TcpStream;

use crate::command;
use crate::connection::Connection;
use crate::console::{self, count, explain};
use crate::effects::{ClientId, Effect, Effects};
use crate::outbox::Full;
use crate::table::Table;
use crate::users::{Eviction, Users};

pub struct Hub {
    /// What has been said so far, as far as it matters: who has which name.
    users: Users,
    /// The one owner of who is connected.
    connections: Table<Connection>,
    /// What has been decided and not been done. Empty between two calls.
    effects: Effects,
    /// Who has something to be written, or to be closed. Everybody who is owed something is in here, or
    /// waits for its socket.
    pub to_write: Vec<ClientId>,
}

impl Hub {
    pub fn new(users: Users) -> Hub {
        Hub { users, connections: Table::new(), effects: Effects::default(), to_write: Vec::new() }
    }

    pub fn connection(&mut self, client: ClientId) -> Option<&mut Connection> {
        self.connections.get_mut(client)
    }

    pub fn arrive(&mut self, socket: TcpStream, address: SocketAddr) -> ClientId {
        let client = self.connections.insert(Connection::new(socket, address));
        self.users.arrive(client, address, &mut self.effects);
        self.carry_out();
        client
    }

    // ANCHOR: obey
    /// Obeys the lines that one read has completed. Each one is carried out before the next one is
    /// looked at: after `exit` none counts.
    pub fn obey(&mut self, from: ClientId) {
        let (before, mut lines) = (self.bytes_left(from), 0);
        while let Some(connection) = self.connections.get_mut(from)
            && let Some(line) = connection.next_line()
        {
            let command = line.as_deref().map(command::parse).map_err(|error| *error);
            self.users.apply(from, command, &mut self.effects);
            self.carry_out();
            lines += 1;
        }
        if console::is_verbose() {
            let (who, lines, left) = (self.who(from), count(lines, "line"), self.bytes_left(from));
            explain!("{who}: {before} bytes made {lines}, {left} bytes wait for their end");
        }
    }
    // ANCHOR_END: obey

    pub fn evict(&mut self, client: ClientId, why: Eviction) {
        self.users.evict(client, why, &mut self.effects);
        self.carry_out();
    }

    /// The client says no more. Its name is free; what it is owed is still sent.
    pub fn leave(&mut self, client: ClientId) {
        self.users.leave(client, &mut self.effects);
        self.carry_out();
        if let Some(connection) = self.connections.get_mut(client) {
            connection.note_its_end();
            self.to_write.push(client);
        }
    }

    /// Nothing of the client stays: the socket is closed, which also ends the kernel's watch over it,
    /// and its place is another's.
    pub fn forget(&mut self, client: ClientId) {
        self.connections.remove(client);
    }

    fn bytes_left(&mut self, client: ClientId) -> usize {
        self.connections.get_mut(client).map_or(0, |connection| connection.bytes_left())
    }

    /// Whom a line of `-v` is about.
    pub fn who(&mut self, client: ClientId) -> String {
        match (self.users.name(client), self.connections.get_mut(client)) {
            (Some(name), _) => name.to_string(),
            (None, Some(connection)) => connection.address.to_string(),
            (None, None) => "one who has gone".to_string(),
        }
    }

    // ANCHOR: carry_out
    /// Does what the users have decided. Who is put out for it makes new effects, which come last.
    fn carry_out(&mut self) {
        while let Some(effect) = self.effects.next() {
            match effect {
                Effect::Send { to, line } => {
                    let Some(connection) = self.connections.get_mut(to) else { continue };
                    if connection.outbox.is_empty() {
                        // Else it is in the list already, or the kernel will say when there is room.
                        self.to_write.push(to);
                    }
                    if let Err(Full) = connection.put(self.effects.text(line)) {
                        console::warn(format_args!("{} reads too slowly: closed", self.who(to)));
                        self.users.evict(to, Eviction::ReadsTooSlowly, &mut self.effects);
                    }
                }
                Effect::Close { client, last } => {
                    let Some(connection) = self.connections.get_mut(client) else { continue };
                    connection.close(last.map(|line| self.effects.text(line)));
                    self.to_write.push(client);
                }
                Effect::Show { line } => console::say(self.effects.text(line).trim_end()),
            }
        }
        self.effects.clear();
    }
    // ANCHOR_END: carry_out
}
