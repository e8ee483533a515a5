//! The one room, and the lock in front of it.
//!
//! Every client's reader comes here with its lines. The lock makes "decide what a line means"
//! and "put the answer into every outbox" one step, in which no other thread can be half way.
//! So all outboxes get their lines in one order (rule L12). While a thread holds the lock it
//! touches memory only: whoever wrote to a socket or to the console here would make everyone
//! wait for the slowest of all.

use std::collections::BTreeMap;
use std::fmt::Write;
use std::sync::atomic::{AtomicU64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;

use crate::connection::{Client, this_thread};
use crate::console::{self, explain};
use crate::line::LineError;
use crate::outbox::Put;
use crate::room::{ClientId, Effect, Room};

/// How often a reader lets others go first before it wakes the writers.
const YIELDS_MAX: usize = 8;

pub struct Hub {
    state: Mutex<State>,
    /// Counts each time that a reader has put lines in: tells whether others did meanwhile.
    turns: AtomicU64,
}

/// What all threads share.
struct State {
    room: Room,
    /// Those who hear what is said: the clients with a name.
    members: BTreeMap<ClientId, Arc<Client>>,
}

impl Hub {
    pub fn new(room: Room) -> Hub {
        let members = BTreeMap::new();
        Hub { state: Mutex::new(State { room, members }), turns: AtomicU64::new(0) }
    }

    // ANCHOR: obey
    /// Obeys the lines that one read has brought. False when the client goes on no longer.
    pub fn obey(&self, client: &Arc<Client>, lines: &[Result<String, LineError>]) -> bool {
        let mut later = Later::default();
        let mut state = self.lock();
        for line in lines {
            if later.client_has_ended {
                break; // what follows `exit` is ignored (rule L11)
            }
            let effects = state.room.apply(client.id, line.as_deref().map_err(|error| *error));
            state.carry_out(client, effects, &mut later);
        }
        drop(state); // only now: threads that are woken earlier would run into the lock
        self.let_others_add_theirs();
        later.carry_out();
        !later.client_has_ended && !client.outbox.is_closed()
    }

    /// The client's connection has ended, in whichever way.
    pub fn leave(&self, client: &Arc<Client>) {
        let mut later = Later::default();
        let mut state = self.lock();
        let effects = state.room.leave(client.id);
        state.carry_out(client, effects, &mut later);
        drop(state);
        later.carry_out();
    }
    // ANCHOR_END: obey

    // ANCHOR: gather
    /// Lets readers that have lines too put them in before the writers are woken, for as long
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

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect("no code panics while it holds the lock of the hub")
    }
}

impl State {
    // ANCHOR: carry_out
    /// Does what the room has decided, as far as memory goes, and notes the rest for `later`.
    fn carry_out(&mut self, client: &Arc<Client>, effects: Vec<Effect>, later: &mut Later) {
        for effect in effects {
            match effect {
                Effect::Answer(line) => later.put(client, &(line + "\n")),
                Effect::TellOthers(line) => self.tell_others(client, &(line + "\n"), later),
                Effect::Enter => drop(self.members.insert(client.id, client.clone())),
                Effect::Leave => drop(self.members.remove(&client.id)),
                Effect::Show(line) => later.show(&line),
                Effect::Spoken(text) => later.show(format_args!("{} => {text}", client.label)),
                Effect::HangUp => later.client_has_ended = true,
            }
        }
    }

    /// The line has been encoded once; each outbox gets a copy of its bytes.
    fn tell_others(&self, client: &Arc<Client>, line: &str, later: &mut Later) {
        for (id, member) in &self.members {
            if *id != client.id {
                later.put(member, line);
            }
        }
    }
    // ANCHOR_END: carry_out
}

/// What is left to do when the lock is free again, because it is I/O or wakes a thread.
#[derive(Default)]
struct Later {
    to_wake: Vec<Arc<Client>>,
    to_evict: Vec<Arc<Client>>,
    for_console: String,
    client_has_ended: bool,
}

impl Later {
    fn put(&mut self, client: &Arc<Client>, line: &str) {
        match client.outbox.put(line.as_bytes()) {
            Put::WakeTheWriter => self.to_wake.push(client.clone()),
            Put::Overflow => self.to_evict.push(client.clone()),
            Put::Waits | Put::Closed => {}
        }
    }

    fn show(&mut self, line: impl std::fmt::Display) {
        let _ = writeln!(self.for_console, "{line}"); // a String takes everything
    }

    fn carry_out(&self) {
        for client in &self.to_wake {
            client.outbox.wake();
        }
        for client in &self.to_evict {
            client.evict();
        }
        if !self.for_console.is_empty() {
            console::say(self.for_console.trim_end_matches('\n'));
        }
        explain!(
            "thread {:?} had the lock of the hub, gave it back, and woke {} writers",
            this_thread(),
            self.to_wake.len()
        );
    }
}
