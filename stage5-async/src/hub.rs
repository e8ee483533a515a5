//! The one task that owns the rooms. Everybody else writes to it, so no lock exists, and between
//! two events the rooms are never half changed.
//!
//! Connections wait for the hub when its mailbox is full. The hub waits for nobody: that is why
//! nothing here can lock up.

use crate::console::{self, explain};
use crate::limits::{ClientId, Limits};
use crate::line::LineError;
use crate::outbox::{Full, Outbox, Page};
use crate::rooms::{Effect, Rooms};
use std::collections::VecDeque;
use std::net::SocketAddr;
use std::ops::Range;
use std::rc::Rc;
use tokio::sync::mpsc;
use tokio::task::yield_now;

/// How many events may wait for the hub; who has one more waits with it. Most are lines, of at
/// most 2 KiB. Who waits gets one place at a time, so that of many clients with many lines each
/// the lines come one by one, in as many turns: it pays to have room for what a moment brings.
pub const EVENTS_MAX: usize = 16 * 1024;

/// What a connection tells the hub.
pub enum Event {
    Arrived {
        client: ClientId,
        address: SocketAddr,
        outbox: Rc<Outbox>,
    },
    Line {
        client: ClientId,
        line: Result<String, LineError>,
    },
    NameIsDue {
        client: ClientId,
    },
    /// The last event of a client. After it, its number may be given to another.
    Ended {
        client: ClientId,
        reason: Option<String>,
    },
    ShutDown,
}

/// How many bytes the hub says in one turn before it lets the clients' tasks carry them away.
const TURN_BYTES_MAX: usize = 64 * 1024;

/// Runs until `ShutDown`, or until nobody is left who could write.
// ANCHOR: run
pub async fn run(mut events: mpsc::Receiver<Event>, limits: Limits, password: Option<String>) {
    let turn_bytes_max = turn_bytes_max(limits.bytes_owed);
    let mut hub =
        Hub { rooms: Rooms::new(limits, password), outboxes: Vec::new(), page: Rc::default() };
    let mut batch = Vec::new();
    while events.recv_many(&mut batch, EVENTS_MAX).await > 0 {
        explain!("hub: woke up; events in its mailbox: {}", batch.len());
        hub.turn_page();
        for event in batch.drain(..) {
            if matches!(event, Event::ShutDown) {
                return hub.shut_down();
            }
            hub.handle(event);
            if hub.page.len() >= turn_bytes_max {
                explain!("hub: said {} bytes; others run first", hub.page.len());
                yield_now().await;
                hub.turn_page();
            }
        }
    }
}
// ANCHOR_END: run

/// Without such a bound, a long turn could fill the outbox of a client whose task has had no
/// chance to run, and the client would be blamed for it.
fn turn_bytes_max(bytes_owed: usize) -> usize {
    match bytes_owed {
        0 => TURN_BYTES_MAX,
        bound => TURN_BYTES_MAX.min(bound / 8),
    }
}

struct Hub {
    rooms: Rooms,
    /// By `ClientId`.
    outboxes: Vec<Option<Rc<Outbox>>>,
    /// All lines of this turn: no outbox has got more.
    page: Rc<Page>,
}

impl Hub {
    /// Begins a turn with an empty page: the last one again, if nobody is owed any part of it.
    fn turn_page(&mut self) {
        match Rc::strong_count(&self.page) {
            1 => self.page.clear(),
            _ => self.page = Rc::default(),
        }
    }

    /// Not `async`, on purpose: what is decided for one event is carried out before the next.
    fn handle(&mut self, event: Event) {
        let effects = match event {
            Event::Arrived { client, address, outbox } => {
                if self.outboxes.len() <= client.0 {
                    self.outboxes.resize(client.0 + 1, None);
                }
                self.outboxes[client.0] = Some(outbox);
                self.rooms.arrive(client, address)
            }
            Event::Line { client, line: Ok(line) } => self.rooms.apply(client, &line),
            Event::Line { client, line: Err(error) } => {
                self.rooms.refuse(client, &error.to_string())
            }
            Event::NameIsDue { client } => self.rooms.name_is_due(client),
            Event::Ended { client, reason } => self.rooms.leave(client, reason.as_deref()),
            Event::ShutDown => Vec::new(),
        };
        self.carry_out(effects);
    }

    // ANCHOR: carry_out
    /// The only place where a decision becomes something that a client sees. Whoever is closed
    /// here makes new effects (`* ann left`), hence a queue and no recursion.
    fn carry_out(&mut self, effects: Vec<Effect>) {
        let mut queue = VecDeque::from(effects);
        while let Some(effect) = queue.pop_front() {
            match effect {
                Effect::Send { to, line } => {
                    explain!("hub: {} bytes into the outboxes of {to}", line.len());
                    let line = self.page.write(&line);
                    to.for_each(|client| {
                        if self.owe(client, line.clone()).is_err() {
                            queue.extend(self.give_up(client));
                        }
                    });
                }
                Effect::Close { client } => self.close(client),
                Effect::Log(line) => console::say(line),
            }
        }
    }

    fn owe(&self, client: ClientId, line: Range<usize>) -> Result<(), Full> {
        match &self.outboxes[client.0] {
            Some(outbox) => outbox.push(&self.page, line),
            None => Ok(()), // closed a moment ago, while this line was on its way
        }
    }

    /// Closes a client that does not read. Returns what the others are to hear.
    fn give_up(&mut self, client: ClientId) -> Vec<Effect> {
        if let Some(outbox) = &self.outboxes[client.0] {
            let why = self.page.write("! you read too slowly\n");
            outbox.push_beyond_limit(&self.page, why);
        }
        self.close(client);
        self.rooms.leave(client, Some("read too slowly"))
    }
    // ANCHOR_END: carry_out

    /// The client's task sees this, sends what is owed, and ends.
    fn close(&mut self, client: ClientId) {
        if let Some(outbox) = self.outboxes[client.0].take() {
            outbox.close();
        }
    }

    fn shut_down(&mut self) {
        let effects = self.rooms.shut_down();
        self.carry_out(effects);
        for outbox in self.outboxes.iter().flatten() {
            outbox.close();
        }
    }
}
