//! A client that reads all the time, on a thread of its own: an innocent one in a flood.

use super::outcome::{Outcome, inconclusive, wrong};
use super::{Label, Person};
use crate::patience::{Over, Patience};
use crate::peer::send_a_part;
use crate::work::Worker;
use std::io::{ErrorKind, Read};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a server that works may not read on before the flooder counts as held back.
const HELD_BACK: Duration = Duration::from_millis(700);

/// How often the socket is looked at when nothing comes, and how long that may take a machine that
/// is very busy.
const LOOK: Duration = Duration::from_millis(50);
const SLOWEST_LOOK: Duration = Duration::from_secs(30);

/// Reads everything that comes for a person; keeps the lines that are of interest.
#[derive(Debug)]
pub struct Drain {
    name: String,
    worker: Worker,
    socket: TcpStream,
    shared: Arc<(Mutex<Drained>, Condvar)>,
    thread: Option<JoinHandle<()>>,
}

#[derive(Debug, Default)]
pub struct Drained {
    pub lines: Vec<String>,
    pub ended: bool,
    /// How many bytes have come.
    bytes: usize,
    /// How often the socket was looked at.
    looks: usize,
}

impl Drain {
    /// Of what comes from now on, keeps the lines for which `keep` holds.
    pub fn of(person: &Person, keep: fn(&str) -> bool) -> Outcome<Drain> {
        if person.quirks.bare {
            return Err(inconclusive("a flood without line ends cannot be judged"));
        }
        let socket = person.peer.socket.try_clone()?;
        socket.set_read_timeout(Some(LOOK))?;
        let mut reader = socket.try_clone()?;
        let mut rest = person.peer.unread().to_vec();
        let shared = Arc::<(Mutex<Drained>, Condvar)>::default();
        let writer = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                let count = match reader.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => count,
                    Err(error) if is_only_a_pause(error.kind()) => 0,
                    Err(_) => break,
                };
                rest.extend_from_slice(&buffer[..count]);
                add_lines(&writer, &mut rest, count, keep);
            }
            writer.0.lock().expect("nobody panics while it holds them").ended = true;
            writer.1.notify_all();
        });
        let (name, worker) = (person.name.clone(), person.peer.worker);
        Ok(Drain { name, worker, socket, shared, thread: Some(thread) })
    }

    pub fn worker(&self) -> Worker {
        self.worker
    }

    pub fn lock(&self) -> MutexGuard<'_, Drained> {
        self.shared.0.lock().expect("nobody panics while it holds them")
    }

    /// Waits until a kept line is `expected`.
    pub fn hears_line(&self, expected: &str, limit: Duration) -> Outcome {
        self.waits(limit, |drained| drained.lines.iter().any(|line| line == expected))
            .map_err(|trouble| trouble.expected(expected))
            .because(format!("{} did not hear `{expected}`", self.name))
    }

    /// Waits until `done`, or until nothing has come for `limit`.
    pub fn waits(&self, limit: Duration, done: impl Fn(&Drained) -> bool) -> Outcome {
        let mut patience = Patience::new(self.worker, limit);
        let mut bytes = 0;
        loop {
            let (is_done, ended, come) = {
                let drained = self.lock();
                (done(&drained), drained.ended, drained.bytes)
            };
            if is_done {
                return Ok(());
            }
            if ended {
                return Err(wrong(format!("the server ended the connection of {}", self.name))
                    .got("end of stream"));
            }
            if std::mem::replace(&mut bytes, come) != come {
                patience.moved();
            }
            if let Some(until) = patience.look() {
                self.wait_until(until, |drained| drained.bytes != bytes);
                continue;
            }
            self.looks_once_more();
            if patience.over() == Over::Unknown || self.lock().bytes == bytes {
                let waited = wrong(format!("{} waited for {limit:?}", self.name));
                return Err(waited.got("nothing").after(patience.over()));
            }
        }
    }
}

impl Drain {
    /// Our own thread may be the slow one: waits until it has looked at the socket after now.
    pub fn looks_once_more(&self) {
        let looks = self.lock().looks;
        // The first of them may have begun before now.
        self.wait_until(Instant::now() + SLOWEST_LOOK, |drained| drained.looks >= looks + 2);
    }

    fn wait_until(&self, end: Instant, done: impl Fn(&Drained) -> bool) {
        let drained = self.lock();
        let left = end.saturating_duration_since(Instant::now());
        let more = |drained: &mut Drained| !drained.ended && !done(drained);
        drop(self.shared.1.wait_timeout_while(drained, left, more).expect("as in lock"));
    }

    /// Reads no more, and says nothing of that to the server: how the connection ends is left to
    /// the person.
    pub fn stop(mut self) {
        let _ = self.socket.shutdown(Shutdown::Read); // wakes the thread; sends nothing
        if let Some(thread) = self.thread.take() {
            let _ = thread.join(); // it cannot panic; its copy of the socket is closed with it
        }
    }
}

impl Drop for Drain {
    fn drop(&mut self) {
        if self.thread.is_some() {
            let _ = self.socket.shutdown(Shutdown::Both); // wakes the thread, which ends
        }
    }
}

fn is_only_a_pause(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

/// The lines that are whole with the `new` bytes at the end of `rest`.
fn add_lines(
    shared: &(Mutex<Drained>, Condvar),
    rest: &mut Vec<u8>,
    new: usize,
    keep: fn(&str) -> bool,
) {
    let whole = match rest.iter().rposition(|byte| *byte == b'\n') {
        Some(end) => rest.drain(..=end).collect(),
        None => Vec::new(),
    };
    let mut drained = shared.0.lock().expect("nobody panics while it holds them");
    for line in whole.split_inclusive(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        let line = line.strip_suffix(b"\r").unwrap_or(line); // a fault (L7) with a check of its own
        let line = String::from_utf8_lossy(line);
        if keep(&line) {
            drained.lines.push(line.into_owned());
        }
    }
    drained.bytes += new;
    drained.looks += 1;
    shared.1.notify_all();
}

/// How much of a flood the server took.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Pushed {
    All,
    /// It does not read on; so many bytes were taken.
    HeldBack(usize),
    /// It has ended the connection.
    Ended,
    /// It got no processor time to take anything.
    Unknown,
}

impl Pushed {
    /// Of so many bytes.
    pub fn taken(self, bytes: usize) -> usize {
        match self {
            Pushed::All => bytes,
            Pushed::HeldBack(taken) => taken,
            Pushed::Ended | Pushed::Unknown => 0,
        }
    }
}

/// Sends `bytes` as fast as the server takes them, for as long as it takes any: one that rests, or
/// has had its time, and has read nothing, holds the sender back. What is left of them then is
/// lost: use whole lines again only after [`Pushed::All`].
pub fn push(person: &Person, bytes: &[u8]) -> Pushed {
    let mut patience = Patience::new(person.peer.worker, HELD_BACK);
    let mut sent = 0;
    while sent < bytes.len() {
        match send_a_part(&person.peer.socket, &bytes[sent..], &mut patience) {
            Ok(0) if patience.over() == Over::Unknown => return Pushed::Unknown,
            Ok(0) => return Pushed::HeldBack(sent),
            Ok(count) => sent += count,
            Err(_) => return Pushed::Ended,
        }
    }
    Pushed::All
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carriage_return_at_the_end_belongs_to_no_line() {
        let shared = Default::default();
        let mut rest = b"ann: hello\r\nben: h\rm\nann: wh".to_vec();
        add_lines(&shared, &mut rest, 0, |_| true);
        assert_eq!(shared.0.lock().unwrap().lines, ["ann: hello", "ben: h\rm"]);
        assert_eq!(rest, b"ann: wh");
    }
}
