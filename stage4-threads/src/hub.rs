//! Layer: the hand-over. The conversation, and the lock in front of it.
//!
//! Every client's reader comes here with its lines. The lock makes "decide what a line means" and
//! "put the answer into every outbox" one step, in which no other thread can be half way. So all
//! outboxes get their lines in one order (rule L12). A thread that holds the lock touches memory
//! only: whoever wrote to a socket here would make everyone wait for the slowest of all.

use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;

use crate::command;
use crate::connection::Connection;
use crate::console::{self, count, explain};
use crate::effects::{ClientId, Effect, Effects};
use crate::line::LineDecoder;
use crate::outbox::Full;
use crate::room::{Eviction, Room, Standing};
use crate::table::Table;

/// How often a reader lets others go first before it wakes the writers.
const YIELDS_MAX: usize = 8;

pub struct Hub {
    /// What all threads share.
    chat: Mutex<Chat>,
    /// Counts the times that a reader has put lines in: tells whether others did meanwhile.
    turns: AtomicU64,
}

/// What the lock guards.
struct Chat {
    /// Decides.
    room: Room,
    /// Who is connected: from `arrive` to `leave`.
    connections: Table<Arc<Connection>>,
    /// What the room has decided. Empty when the lock is free.
    effects: Effects,
    /// Whose writers have to be woken when the lock is free again.
    to_wake: Vec<Arc<Connection>>,
    /// Lines that have been put into outboxes since the lock was taken.
    lines_put: usize,
}

impl Hub {
    pub fn new() -> Hub {
        let chat = Chat {
            room: Room::default(),
            connections: Table::new(),
            effects: Effects::default(),
            to_wake: Vec::new(),
            lines_put: 0,
        };
        Hub { chat: Mutex::new(chat), turns: AtomicU64::new(0) }
    }

    /// A client has connected.
    pub fn arrive(&self, connection: &Arc<Connection>) -> ClientId {
        self.turn(|chat| {
            let client = chat.connections.insert(connection.clone());
            chat.room.arrive(client, connection.address, &mut chat.effects);
            client
        })
    }

    // ANCHOR: obey
    /// Obeys the lines that one read has brought. Each one is carried out before the next one is looked
    /// at: after `exit` none counts.
    pub fn obey(&self, client: ClientId, lines: &mut LineDecoder) -> Standing {
        self.turn(|chat| {
            while let Some(line) = lines.next_line() {
                let command = line.as_deref().map(command::parse).map_err(|error| *error);
                chat.room.apply(client, command, &mut chat.effects);
                chat.carry_out();
            }
            chat.room.standing(client)
        })
    }
    // ANCHOR_END: obey

    /// The server ends the connection. What the client is told is still sent (a writer that is stuck
    /// gives up after a minute), and its reader still comes and says that it has ended.
    pub fn evict(&self, client: ClientId, why: Eviction) {
        self.turn(|chat| chat.room.evict(client, why, &mut chat.effects));
    }

    /// The connection has ended, in whichever way. The last thing that is heard of this client: its
    /// place is given to another.
    pub fn leave(&self, client: ClientId) {
        self.turn(|chat| {
            chat.room.leave(client, &mut chat.effects);
            if let Some(connection) = chat.connections.remove(client) {
                connection.outbox.close(None); // its writer sends what is there, and ends
                chat.to_wake.push(connection);
            }
        });
    }

    /// How `-v` calls a client.
    pub fn who(&self, client: ClientId) -> String {
        self.lock().room.who(client)
    }

    // ANCHOR: turn
    /// Decides and carries out, with the lock; wakes the writers without it. Those that are woken
    /// earlier run into the lock, fall asleep again, and have to be woken once more.
    fn turn<T>(&self, decide: impl FnOnce(&mut Chat) -> T) -> T {
        let mut chat = self.lock();
        let decision = decide(&mut chat);
        chat.carry_out();
        let to_wake = std::mem::take(&mut chat.to_wake);
        let lines_put = std::mem::take(&mut chat.lines_put);
        drop(chat);
        if lines_put > 1 {
            self.let_others_add_theirs();
        }
        to_wake.iter().for_each(|connection| connection.outbox.wake());
        explain!("the lock is free again: woke {}", count(to_wake.len(), "writer"));
        decision
    }
    // ANCHOR_END: turn

    // ANCHOR: gather
    /// Tuning. Lets readers that have lines too put them in before the writers are woken, for as long
    /// as there are such readers: one wake-up and one write then serve the lines of all. It also
    /// keeps a flood from filling the outbox of a client that does read: its writer comes first.
    fn let_others_add_theirs(&self) {
        let mut turns = self.turns.fetch_add(1, Ordering::Relaxed) + 1;
        for _ in 0..YIELDS_MAX {
            thread::yield_now();
            let turns_now = self.turns.load(Ordering::Relaxed);
            if turns_now == turns {
                return;
            }
            turns = turns_now;
        }
    }
    // ANCHOR_END: gather

    /// A lock is poisoned when a thread has panicked while it held it: a mistake of ours. One line may
    /// be half obeyed then. That is no reason to end the conversation for everybody.
    fn lock(&self) -> MutexGuard<'_, Chat> {
        self.chat.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

impl Chat {
    // ANCHOR: carry_out
    /// Does what the room has decided. It is memory that is touched here, and nobody is waited for.
    fn carry_out(&mut self) {
        // Ends: whoever is sent away because its outbox is full is sent away once.
        while let Some(effect) = self.effects.next() {
            match effect {
                Effect::Send { to, line } => {
                    let Some(connection) = self.connections.get_mut(to) else { continue };
                    self.lines_put += 1;
                    match connection.outbox.put(self.effects.text(line)) {
                        Ok(true) => self.to_wake.push(connection.clone()),
                        Ok(false) => {}
                        Err(Full) => {
                            self.room.evict(to, Eviction::ReadsTooSlowly, &mut self.effects);
                        }
                    }
                }
                Effect::Close { client, last } => {
                    let Some(connection) = self.connections.get_mut(client) else { continue };
                    connection.outbox.close(last.map(|line| self.effects.text(line)));
                    self.to_wake.push(connection.clone());
                }
                Effect::Show { line } => console::say(self.effects.text(line).trim_end()),
            }
        }
        self.effects.clear();
    }
    // ANCHOR_END: carry_out
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::panic::{AssertUnwindSafe, catch_unwind};

    #[test]
    fn a_panic_in_one_turn_takes_the_lock_from_nobody() {
        let hub = Hub::new();
        let turn = AssertUnwindSafe(|| hub.turn(|_| panic!("a mistake of ours")));
        assert!(catch_unwind(turn).is_err());
        hub.turn(|chat| assert_eq!(chat.room.standing(ClientId(0)), Standing::Gone));
    }
}
