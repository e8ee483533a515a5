//! Layer: the hand-over. The one task that owns the rooms. Everybody else writes letters to it, so
//! no lock exists, and between two letters the rooms are never half changed.
//!
//! Clients' tasks wait for the hub when its mailbox is full. The hub waits for nobody: that is why
//! nothing here can lock up.

use std::cell::RefCell;
use std::rc::Rc;
use std::time::Instant;

use tokio::sync::{mpsc, oneshot};
use tokio::task::yield_now;

use crate::admission::Admission;
use crate::command;
use crate::connection::Connection;
use crate::console::{self, count, explain};
use crate::effects::{ClientId, Effect, Effects};
use crate::line::LineError;
use crate::outbox::Full;
use crate::pace::Bucket;
use crate::state::{Eviction, Rooms};
use crate::table::Table;

/// Letters that may wait for the hub; who has one more waits with it. Most are lines, of at
/// most 2 KiB. Who waits gets one place at a time, so that of many clients with many lines each
/// the lines come one by one, in as many turns: it pays to have room for what a moment brings.
pub const LETTERS_MAX: usize = 16 * 1024;

/// About so many bytes may come to one client before the hub lets the clients' tasks write.
const TURN_BYTES_MAX: usize = 64 * 1024;

/// What stands around a text when it comes to a client: `[#ROOM] NAME: ` and the line's end.
const AROUND_TEXT_BYTES: usize = 64;

/// An answer of so many bytes counts as a line of the one who asked (rule S5.9).
const ANSWER_BYTES_PER_LINE: usize = 1024;

/// What a client's task tells the hub.
#[derive(Debug)]
pub enum Letter {
    /// The first letter of a client. It is answered with the client's place.
    Arrived {
        member: Member,
        answer: oneshot::Sender<ClientId>,
    },
    Line {
        client: ClientId,
        line: Result<String, LineError>,
    },
    /// The connection cannot go on, or must not.
    Evict {
        client: ClientId,
        why: Eviction,
    },
    /// The last letter of a client. Behind it, its place may be given to another.
    Left {
        client: ClientId,
    },
    /// The server ends.
    ShutDown,
}

/// What the hub and a client's task both have in hand.
#[derive(Debug)]
pub struct Member {
    /// The hub fills its outbox, and never touches its socket.
    pub connection: Rc<Connection>,
    /// A token for each line: the task takes them, the hub charges for long answers.
    pub lines: Rc<RefCell<Bucket>>,
}

pub struct Hub {
    rooms: Rooms,
    members: Table<Member>,
    /// What the rooms have decided and nobody has done yet.
    effects: Effects,
    /// Is told of right guesses at secrets.
    admission: Rc<RefCell<Admission>>,
    /// Bytes that one client may have got since the clients' tasks ran.
    turn_bytes: usize,
    turn_bytes_max: usize,
}

impl Hub {
    /// `bytes_owed`: what may wait in one outbox (0: any number).
    pub fn new(rooms: Rooms, admission: Rc<RefCell<Admission>>, bytes_owed: usize) -> Hub {
        // Else a long turn could fill the outbox of a client whose task has had no chance to
        // run, and the client would be blamed for it.
        let turn_bytes_max = match bytes_owed {
            0 => TURN_BYTES_MAX,
            bound => TURN_BYTES_MAX.min(bound / 8),
        };
        let (members, effects) = (Table::new(), Effects::default());
        Hub { rooms, members, effects, admission, turn_bytes: 0, turn_bytes_max }
    }

    // ANCHOR: run
    /// Reads letters until `ShutDown`, or until nobody is left who could write one.
    pub async fn run(mut self, mut mailbox: mpsc::Receiver<Letter>) {
        let mut letters = Vec::new();
        while mailbox.recv_many(&mut letters, LETTERS_MAX).await > 0 {
            explain!("hub: has {}", count(letters.len(), "letter"));
            self.turn_bytes = 0;
            for letter in letters.drain(..) {
                if matches!(letter, Letter::ShutDown) {
                    return self.shut_down();
                }
                self.read(letter);
                if self.turn_bytes > self.turn_bytes_max {
                    explain!("hub: has said {}; others run first", count(self.turn_bytes, "byte"));
                    yield_now().await;
                    self.turn_bytes = 0;
                }
            }
        }
    }
    // ANCHOR_END: run

    /// Not `async`, on purpose: what is decided for one letter is carried out before the next.
    fn read(&mut self, letter: Letter) {
        match letter {
            Letter::Arrived { member, answer } => self.arrive(member, answer),
            Letter::Line { client, line } => self.obey(client, line),
            Letter::Evict { client, why } => self.evict(client, why),
            Letter::Left { client } => self.leave(client),
            Letter::ShutDown => self.shut_down(), // `run` has seen to it
        }
    }

    fn arrive(&mut self, member: Member, answer: oneshot::Sender<ClientId>) {
        let address = member.connection.address;
        let client = self.members.insert(member);
        self.rooms.arrive(client, address, &mut self.effects);
        self.carry_out();
        let _ = answer.send(client); // fails only when its task has been dropped, with the server
    }

    fn obey(&mut self, client: ClientId, line: Result<String, LineError>) {
        let (owed, wrong) = (self.bytes_owed(client), self.rooms.wrong_secrets());
        let command = line.as_deref().map(command::parse).map_err(|error| *error);
        let is_guess = command.is_ok_and(|command| command::tries_a_secret(&command));
        self.turn_bytes += line.as_ref().map_or(0, |line| line.len()) + AROUND_TEXT_BYTES;
        self.rooms.apply(client, command, &mut self.effects);
        self.carry_out();
        let answer_bytes = self.bytes_owed(client).saturating_sub(owed);
        self.charge(client, answer_bytes);
        if is_guess && self.rooms.wrong_secrets() == wrong {
            self.guess_was_right(client);
        }
        if console::is_verbose() {
            self.tell_task_the_name(client);
        }
    }

    fn evict(&mut self, client: ClientId, why: Eviction) {
        self.rooms.evict(client, why, &mut self.effects);
        self.carry_out();
    }

    fn leave(&mut self, client: ClientId) {
        self.rooms.leave(client, &mut self.effects);
        self.carry_out();
        self.members.remove(client);
    }

    fn shut_down(&mut self) {
        self.rooms.shut_down(&mut self.effects);
        self.carry_out();
    }

    // ANCHOR: carry_out
    /// Does what the rooms have decided. Who is put out for it makes new effects, which come last.
    fn carry_out(&mut self) {
        while let Some(effect) = self.effects.next() {
            match effect {
                Effect::Send { to, line } => {
                    let Some(member) = self.members.get_mut(to) else { continue };
                    let text = self.effects.text(line);
                    explain!(
                        "{}: is owed {} more",
                        self.rooms.describe(to),
                        count(text.len(), "byte")
                    );
                    if member.connection.outbox.put(text) == Err(Full) {
                        self.rooms.evict(to, Eviction::ReadsTooSlowly, &mut self.effects);
                    }
                }
                Effect::Close { client, last } => {
                    let Some(member) = self.members.get_mut(client) else { continue };
                    member.connection.outbox.close(last.map(|line| self.effects.text(line)));
                }
                Effect::Show { line } => console::say(self.effects.text(line).trim_end()),
            }
        }
        self.effects.clear();
    }
    // ANCHOR_END: carry_out

    fn bytes_owed(&mut self, client: ClientId) -> usize {
        self.members.get_mut(client).map_or(0, |member| member.connection.outbox.len())
    }

    /// A short question with a long answer costs its asker as much as many lines.
    fn charge(&mut self, client: ClientId, answer_bytes: usize) {
        self.turn_bytes += answer_bytes;
        let lines = answer_bytes / ANSWER_BYTES_PER_LINE;
        if lines > 0
            && let Some(member) = self.members.get_mut(client)
        {
            let mut bucket = member.lines.borrow_mut();
            bucket.charge(lines as u32, Instant::now());
        }
    }

    fn guess_was_right(&mut self, client: ClientId) {
        if let Some(member) = self.members.get_mut(client) {
            self.admission.borrow_mut().secret_was_right(member.connection.address.ip());
        }
    }

    /// So that what the task explains is about somebody.
    fn tell_task_the_name(&mut self, client: ClientId) {
        if let Some(member) = self.members.get_mut(client) {
            member.connection.who.replace(self.rooms.describe(client));
        }
    }
}
