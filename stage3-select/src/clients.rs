//! All clients: a table, and three lists of those who want something: to be read, to be written,
//! to be waited for no longer.

use crate::connection::{Connection, Phase};
use crate::console;
use crate::outbox::{Framing, Full};
use crate::users::ClientId;
use mio::event::Event;
use std::collections::VecDeque;
use std::time::{Duration, Instant};

/// How long a client that leaves may take to read what it is owed (rule L10).
pub const GOODBYE_GRACE: Duration = Duration::from_secs(5);

pub struct Clients {
    /// Indexed by `ClientId`. An index is the fastest map there is, and places are used again.
    table: Vec<Option<Connection>>,
    free: Vec<usize>,
    /// Who may have bytes that we have not read. First come, first served, one read each: who
    /// sends without end waits for its next turn behind all others.
    pub ready: VecDeque<ClientId>,
    /// Who has been promised something since the last flush.
    pub pending: Vec<ClientId>,
    /// Who leaves, in the order of the deadlines: all have the same grace.
    leaving: VecDeque<(Instant, ClientId)>,
    framing: Framing,
}

impl Clients {
    pub fn new(framing: Framing) -> Clients {
        Clients {
            table: Vec::new(),
            free: Vec::new(),
            ready: VecDeque::new(),
            pending: Vec::new(),
            leaving: VecDeque::new(),
            framing,
        }
    }

    pub fn get_mut(&mut self, client: ClientId) -> Option<&mut Connection> {
        self.table.get_mut(client.0)?.as_mut()
    }

    /// What it says is still obeyed.
    pub fn is_talking(&self, client: ClientId) -> bool {
        self.get(client).is_some_and(|connection| connection.phase == Phase::Talking)
    }

    pub fn is_finished(&self, client: ClientId) -> bool {
        self.get(client).is_some_and(Connection::is_finished)
    }

    fn get(&self, client: ClientId) -> Option<&Connection> {
        self.table.get(client.0)?.as_ref()
    }

    pub fn count(&self) -> usize {
        self.table.len() - self.free.len()
    }

    /// The place that the next client gets. An event or a list entry that was meant for the one
    /// before does no harm there: it makes us look, and there is nothing to see.
    pub fn next_id(&self) -> ClientId {
        ClientId(self.free.last().copied().unwrap_or(self.table.len()))
    }

    pub fn insert(&mut self, connection: Connection) -> ClientId {
        let client = self.next_id();
        match self.free.pop() {
            Some(place) => self.table[place] = Some(connection),
            None => self.table.push(Some(connection)),
        }
        client
    }

    pub fn remove(&mut self, client: ClientId) -> Option<Connection> {
        let connection = self.table.get_mut(client.0)?.take()?;
        self.free.push(client.0);
        Some(connection)
    }

    /// Remembers what the kernel said. The sockets are edge-triggered: it does not say it twice.
    pub fn note(&mut self, client: ClientId, event: &Event) {
        let Some(connection) = self.get_mut(client) else {
            return;
        };
        let ends = event.is_read_closed() || event.is_error();
        connection.end_is_near |= ends;
        let owes = !connection.outbox.is_empty();
        if ends || event.is_readable() {
            self.make_ready(client);
        }
        if owes && event.is_writable() {
            self.pending.push(client);
        }
    }

    /// Gives the client a turn. Again and again, as long as its socket may have more.
    pub fn make_ready(&mut self, client: ClientId) {
        let Some(connection) = self.get_mut(client) else {
            return;
        };
        if !std::mem::replace(&mut connection.may_have_more, true) {
            self.ready.push_back(client);
        }
    }

    // ANCHOR: send
    /// Promises one line, made of `parts`; it leaves with all others at the end of this wake-up.
    /// Returns the client when it reads too slowly to be promised anything more (rule L13).
    pub fn send(&mut self, to: ClientId, parts: &[&str]) -> Option<ClientId> {
        let framing = self.framing;
        let connection = self.table.get_mut(to.0)?.as_mut()?;
        if connection.outbox.is_empty() {
            self.pending.push(to); // who is owed something is listed, or waits for its socket
        }
        if connection.outbox.push_line(parts) == Ok(()) {
            return None;
        }
        // Much may have come for it in this one wake-up. Only the socket knows whether it reads.
        let _ = connection.flush(framing); // an error is seen again at the next read
        let Err(Full) = connection.outbox.push_line(parts) else {
            return None;
        };
        let (peer, owed) = (connection.peer, connection.outbox.bytes_owed());
        console::warn(format_args!("{peer} reads too slowly: closed with {owed} bytes unsent"));
        connection.outbox.replace_by("! you read too slowly");
        Some(to)
    }
    // ANCHOR_END: send

    /// Its time to leave begins now. `end_seen`: it has ended its own stream already.
    pub fn start_leaving(&mut self, client: ClientId, end_seen: bool) {
        let Some(connection) = self.get_mut(client) else {
            return;
        };
        let deadline = Instant::now() + GOODBYE_GRACE;
        connection.phase = Phase::Leaving { deadline, end_seen };
        self.leaving.push_back((deadline, client));
        self.pending.push(client); // also with nothing owed: the flush ends the stream
    }

    pub fn next_deadline(&self) -> Option<Instant> {
        Some(self.leaving.front()?.0)
    }

    /// The next client whose time to leave is over. Most have left long before.
    pub fn next_expired(&mut self, now: Instant) -> Option<ClientId> {
        while self.next_deadline()? <= now {
            let (_, client) = self.leaving.pop_front()?;
            if let Some(connection) = self.get_mut(client)
                && let Phase::Leaving { deadline, .. } = connection.phase
                && deadline <= now
            {
                return Some(client);
            }
        }
        None
    }
}
