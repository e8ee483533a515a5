//! Where all who watch a run write down what they see, with one clock for all of them.

use super::recording::{Event, What};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::{Duration, Instant};

/// How often somebody who waits looks again though nothing new was written.
const LOOK_AGAIN: Duration = Duration::from_millis(50);

#[derive(Debug)]
pub struct Log {
    start: Instant,
    notes: Mutex<Notes>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub struct Notes {
    pub events: Vec<Event>,
    /// Bytes that have moved, in events or not: a sign of life.
    pub moved: u64,
}

impl Log {
    pub fn new() -> Log {
        Log { start: Instant::now(), notes: Mutex::default(), changed: Condvar::new() }
    }

    /// Microseconds since the log began.
    pub fn now(&self) -> u64 {
        self.start.elapsed().as_micros() as u64
    }

    pub fn write(&self, what: What) {
        self.write_at(self.now(), what);
    }

    pub fn write_at(&self, at: u64, what: What) {
        let mut notes = self.lock();
        notes.moved += 1;
        notes.events.push(Event { at, what });
        self.changed.notify_all();
    }

    /// Something moves that is not written down.
    pub fn moves(&self, bytes: usize) {
        self.lock().moved += bytes as u64;
        self.changed.notify_all();
    }

    /// Until `seen`, or until nothing has moved for `patience`, anywhere. Whether it was seen.
    pub fn wait(&self, patience: Duration, mut seen: impl FnMut(&[Event]) -> bool) -> bool {
        let mut notes = self.lock();
        let mut last = (notes.moved, Instant::now());
        loop {
            if seen(&notes.events) {
                return true;
            }
            if notes.moved != last.0 {
                last = (notes.moved, Instant::now());
            }
            if last.1.elapsed() >= patience {
                return false;
            }
            let waited = self.changed.wait_timeout(notes, LOOK_AGAIN);
            notes = waited.unwrap_or_else(|poisoned| poisoned.into_inner()).0;
        }
    }

    pub fn lock(&self) -> MutexGuard<'_, Notes> {
        self.notes.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }
}
