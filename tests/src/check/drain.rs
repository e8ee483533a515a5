//! A client that reads all the time, on a thread of its own: an innocent one in a flood.

use super::outcome::{Outcome, inconclusive, wrong};
use super::{Label, Person};
use crate::work::{Overtime, Worker};
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How long a flooder waits for the server to read on before it counts as held back.
const HELD_BACK: Duration = Duration::from_millis(700);

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
}

impl Drain {
    /// Of what comes from now on, keeps the lines for which `keep` holds.
    pub fn of(person: &Person, keep: fn(&str) -> bool) -> Outcome<Drain> {
        if person.quirks.bare {
            return Err(inconclusive("a flood without line ends cannot be judged"));
        }
        let socket = person.peer.socket.try_clone()?;
        socket.set_read_timeout(None)?;
        let mut reader = socket.try_clone()?;
        let mut rest = person.peer.unread().to_vec();
        let shared = Arc::<(Mutex<Drained>, Condvar)>::default();
        let writer = Arc::clone(&shared);
        let thread = thread::spawn(move || {
            let mut buffer = vec![0; 64 * 1024];
            loop {
                match reader.read(&mut buffer) {
                    Ok(0) => break,
                    Ok(count) => rest.extend_from_slice(&buffer[..count]),
                    Err(error) if error.kind() == ErrorKind::Interrupted => {}
                    Err(_) => break,
                }
                add_lines(&writer, &mut rest, keep);
            }
            writer.0.lock().expect("nobody panics while it holds them").ended = true;
            writer.1.notify_all();
        });
        let (name, worker) = (person.name.clone(), person.worker);
        Ok(Drain { name, worker, socket, shared, thread: Some(thread) })
    }

    pub fn lock(&self) -> MutexGuard<'_, Drained> {
        self.shared.0.lock().expect("nobody panics while it holds them")
    }

    /// Waits until a kept line is `expected`.
    pub fn hears_line(&self, expected: &str, patience: Duration) -> Outcome {
        self.waits(patience, |drained| drained.lines.iter().any(|line| line == expected))
            .map_err(|trouble| trouble.expected(expected))
            .because(format!("{} did not hear `{expected}`", self.name))
    }

    /// Waits until `done`.
    pub fn waits(&self, patience: Duration, done: impl Fn(&Drained) -> bool) -> Outcome {
        let mut deadline = Instant::now() + patience;
        let mut overtime = Overtime::new(self.worker, patience, deadline);
        let mut drained = self.lock();
        while !done(&drained) {
            let left = deadline.saturating_duration_since(Instant::now());
            if drained.ended {
                return Err(wrong(format!("the server ended the connection of {}", self.name))
                    .got("end of stream"));
            }
            if left.is_zero() {
                drop(drained); // or nothing could come meanwhile
                let more = overtime.more();
                drained = self.lock();
                let Some(until) = more else {
                    let waited = wrong(format!("{} waited for {patience:?}", self.name));
                    let waited = waited.got("nothing");
                    return Err(if overtime.is_conclusive() { waited } else { waited.late() });
                };
                deadline = until;
                continue;
            }
            drained = self.shared.1.wait_timeout(drained, left).expect("as in lock").0;
        }
        Ok(())
    }
}

impl Drain {
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

fn add_lines(shared: &(Mutex<Drained>, Condvar), rest: &mut Vec<u8>, keep: fn(&str) -> bool) {
    let Some(end) = rest.iter().rposition(|byte| *byte == b'\n') else {
        return;
    };
    let whole: Vec<u8> = rest.drain(..=end).collect();
    let mut drained = shared.0.lock().expect("nobody panics while it holds them");
    for line in whole[..end].split(|byte| *byte == b'\n') {
        let line = line.strip_suffix(b"\r").unwrap_or(line); // a fault (L7) with a check of its own
        let line = String::from_utf8_lossy(line);
        if keep(&line) {
            drained.lines.push(line.into_owned());
        }
    }
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
}

impl Pushed {
    /// Of so many bytes.
    pub fn taken(self, bytes: usize) -> usize {
        match self {
            Pushed::All => bytes,
            Pushed::HeldBack(taken) => taken,
            Pushed::Ended => 0,
        }
    }
}

/// Sends `bytes` as fast as the server takes them, for as long as it takes any. What is left
/// of them when it does not is lost: use whole lines again only after [`Pushed::All`].
pub fn push(person: &Person, bytes: &[u8]) -> Pushed {
    let mut socket = &person.peer.socket;
    let _ = socket.set_write_timeout(Some(HELD_BACK));
    let mut sent = 0;
    let result = loop {
        match socket.write(&bytes[sent..]) {
            Ok(count) if sent + count == bytes.len() => break Pushed::All,
            Ok(count) => sent += count,
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
                break Pushed::HeldBack(sent);
            }
            Err(_) => break Pushed::Ended,
        }
    };
    let _ = socket.set_write_timeout(None);
    result
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_carriage_return_at_the_end_belongs_to_no_line() {
        let shared = Default::default();
        let mut rest = b"ann: hello\r\nben: h\rm\nann: wh".to_vec();
        add_lines(&shared, &mut rest, |_| true);
        assert_eq!(shared.0.lock().unwrap().lines, ["ann: hello", "ben: h\rm"]);
        assert_eq!(rest, b"ann: wh");
    }
}
