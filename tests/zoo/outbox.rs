//! What the server owes one client: filled under the world's lock, emptied by a thread that may
//! wait for the client as long as it takes.

use crate::defects::Defect;
use std::io::Write;
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// Rule L13.
const OUTBOX_BYTES_MAX: usize = 1024 * 1024;

/// How long a client whose connection ends may take to receive what it is owed (L10).
const FLUSH_PATIENCE: Duration = Duration::from_secs(5);

/// So many waiting lines are a load, for two defects.
const A_CROWD_OF_LINES: usize = 4;

/// How long some defects collect lines before they write them.
const COLLECTING: Duration = Duration::from_millis(30);

pub struct Outbox {
    pub stream: TcpStream,
    defect: Defect,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: Vec<Vec<u8>>,
    bytes: usize,
    /// Nothing more will be pushed.
    finished: bool,
    /// The writer has ended.
    written: bool,
    dead: bool,
}

impl Outbox {
    pub fn new(stream: TcpStream, defect: Defect) -> Arc<Outbox> {
        Arc::new(Outbox { stream, defect, state: Mutex::default(), changed: Condvar::new() })
    }

    /// Whether the client can still be written to. Never waits, in a correct server.
    pub fn push(self: &Arc<Outbox>, line: &str) -> bool {
        let mut line = line.as_bytes().to_vec();
        if self.defect.is("ends-lines-with-cr-lf") {
            line.push(b'\r');
        }
        if !self.defect.is("sends-without-boundaries") {
            line.push(b'\n');
        }
        if self.defect.is("slow-reader-stalls-others") {
            return (&self.stream).write_all(&line).is_ok();
        }
        self.queue(line)
    }

    /// A part of a line: for one defect.
    pub fn push_piece(&self, piece: &str) {
        self.queue(piece.as_bytes().to_vec());
    }

    fn queue(&self, line: Vec<u8>) -> bool {
        let mut state = self.lock();
        if state.dead || state.finished {
            return false;
        }
        if self.defect.is("loses-under-load") && state.lines.len() >= A_CROWD_OF_LINES {
            let lost = state.lines.remove(0);
            state.bytes -= lost.len();
        }
        state.bytes += line.len();
        state.lines.push(line);
        if self.defect.is("reorders-under-load") && state.lines.len() > A_CROWD_OF_LINES {
            let last = state.lines.len() - 1;
            state.lines.swap(last - 1, last);
        }
        self.changed.notify_all();
        if state.bytes <= OUTBOX_BYTES_MAX || self.defect.is("unbounded-queue") {
            return true;
        }
        state.dead = true;
        state.lines = Vec::new();
        // A line may be half written: a word of farewell would end up in the middle of it.
        let _ = self.stream.shutdown(Shutdown::Both); // wakes the reader and the writer
        false
    }

    /// The writer's thread.
    pub fn run(&self) {
        let mut written = 0;
        while let Some(bytes) = self.next_bytes() {
            written += 1;
            if self.collects(written) {
                thread::sleep(COLLECTING);
                if self.lock().dead {
                    break;
                }
            }
            if (&self.stream).write_all(&bytes).is_err() {
                self.lock().dead = true;
                break;
            }
        }
        let mut state = self.lock();
        state.written = true;
        self.changed.notify_all();
    }

    /// For defects that would else show by chance: lines pile up while it sleeps. Two of them
    /// greet and acknowledge at once, and are slow only then.
    fn collects(&self, written: usize) -> bool {
        let under_load = ["loses-under-load", "reorders-under-load"];
        self.defect.is("drops-output-at-eof")
            || (written > 2 && under_load.iter().any(|name| self.defect.is(name)))
    }

    /// Everything that is pending; waits for it. `None`: nothing more will come.
    fn next_bytes(&self) -> Option<Vec<u8>> {
        let mut state = self.lock();
        loop {
            if state.dead {
                return None;
            }
            if !state.lines.is_empty() {
                state.bytes = 0;
                return Some(std::mem::take(&mut state.lines).concat());
            }
            if state.finished {
                return None;
            }
            state = self.changed.wait(state).expect("as in lock");
        }
    }

    /// Sends what is owed and ends our side of the stream.
    pub fn finish(&self) {
        let mut state = self.lock();
        state.finished = true;
        self.changed.notify_all();
        if self.defect.is("ends-with-a-reset") {
            state.dead = true;
            // So that closing the socket throws away what is on its way.
            let _ = socket2::SockRef::from(&self.stream).set_linger(Some(Duration::ZERO));
            return;
        }
        if !self.defect.is("drops-output-at-eof") {
            let waiting = |state: &mut State| !state.written;
            let wait = self.changed.wait_timeout_while(state, FLUSH_PATIENCE, waiting);
            state = wait.expect("as in lock").0;
        }
        state.dead = true;
        drop(state);
        let _ = self.stream.shutdown(Shutdown::Write); // it may have ended already
        self.changed.notify_all();
    }

    /// The connection was reset: nothing can be sent any more.
    pub fn give_up(&self) {
        self.lock().dead = true;
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        let state = self.state.lock();
        state.expect("no code panics while it holds an outbox")
    }
}
