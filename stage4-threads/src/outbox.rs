//! What the server owes to one client: the lines that it has not been sent yet.
//!
//! Many threads put lines in, one thread (the client's writer) takes them out. Putting a line in
//! copies bytes in memory and never waits for a network; so it may be done while the hub is locked.

use std::sync::{Condvar, Mutex, MutexGuard};
use std::time::Instant;

/// Bytes that may wait for one client, beside what the kernel's buffers hold (rule L13).
pub const OUTBOX_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of memory that an outbox keeps while it is empty. With more, ten thousand silent clients
/// are expensive. With none, one thread takes memory and another gives it back for each line,
/// which the allocator of the system answers with a hoard for each thread.
const OUTBOX_BYTES_KEPT: usize = 640;

#[derive(Debug)]
pub struct Outbox {
    bytes_max: usize,
    owed: Mutex<Owed>,
    /// Rung when lines have come in while the writer slept, and when no more will come.
    bell: Condvar,
    /// Rung when the writer has done its last work.
    done: Condvar,
}

#[derive(Debug, Default)]
struct Owed {
    /// Whole lines, each with its LF.
    lines: Vec<u8>,
    /// Bytes that the writer has taken and not yet sent: still owed.
    in_flight: usize,
    writer_sleeps: bool,
    /// Nothing more is taken in; what is here is still sent.
    closed: bool,
    /// Nothing more will be sent.
    finished: bool,
}

/// What came of putting a line in.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Put {
    /// The writer is busy, or has been woken by somebody else, and will find the line.
    Waits,
    /// The writer sleeps: whoever put this line in must call `wake` afterwards.
    WakeTheWriter,
    /// More than may be owed. The outbox is closed, and the client must go.
    Overflow,
    /// The outbox was closed before.
    Closed,
}

impl Outbox {
    pub fn new(bytes_max: usize) -> Outbox {
        Outbox { bytes_max, owed: Mutex::default(), bell: Condvar::new(), done: Condvar::new() }
    }

    // ANCHOR: put
    /// Adds one line, which ends with LF.
    pub fn put(&self, line: &[u8]) -> Put {
        let mut owed = self.lock();
        if owed.closed {
            return Put::Closed;
        }
        if owed.in_flight + owed.lines.len() + line.len() > self.bytes_max {
            // The lines that wait would come too late to be of use. The last word may not.
            owed.lines = b"! you read too slowly\n".to_vec();
            owed.closed = true;
            return Put::Overflow;
        }
        if owed.lines.capacity() == 0 {
            owed.lines.reserve(OUTBOX_BYTES_KEPT);
        }
        owed.lines.extend_from_slice(line);
        // Of all who put lines in while the writer sleeps, the first one wakes it.
        match std::mem::take(&mut owed.writer_sleeps) {
            true => Put::WakeTheWriter,
            false => Put::Waits,
        }
    }
    // ANCHOR_END: put

    pub fn wake(&self) {
        self.bell.notify_one();
    }

    // ANCHOR: take
    /// Waits for lines and takes all of them at once, in exchange for the empty `batch`: so
    /// they leave in one write, however many they are. False when no more will come.
    pub fn take(&self, batch: &mut Vec<u8>) -> bool {
        batch.clear();
        let mut owed = self.lock();
        owed.in_flight = 0; // what was taken before has been sent
        while owed.lines.is_empty() && !owed.closed {
            give_back(batch);
            give_back(&mut owed.lines);
            owed.writer_sleeps = true;
            owed = self.bell.wait(owed).expect(NO_PANIC);
        }
        std::mem::swap(batch, &mut owed.lines);
        owed.in_flight = batch.len();
        !batch.is_empty()
    }
    // ANCHOR_END: take

    /// From here on nothing is taken in. The writer sends what is here, and ends.
    pub fn close(&self) {
        self.lock().closed = true;
        self.wake();
    }

    pub fn is_closed(&self) -> bool {
        self.lock().closed
    }

    /// The writer says that it has sent what it could.
    pub fn finish(&self) {
        let mut owed = self.lock();
        owed.closed = true;
        owed.finished = true;
        owed.lines = Vec::new();
        self.done.notify_all();
    }

    /// Waits for `finish`, but not beyond the deadline.
    pub fn wait_until_finished(&self, deadline: Instant) {
        let mut owed = self.lock();
        while !owed.finished && Instant::now() < deadline {
            let rest = deadline.saturating_duration_since(Instant::now());
            (owed, _) = self.done.wait_timeout(owed, rest).expect(NO_PANIC);
        }
    }

    fn lock(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().expect(NO_PANIC)
    }
}

fn give_back(empty: &mut Vec<u8>) {
    if empty.capacity() > OUTBOX_BYTES_KEPT {
        *empty = Vec::new();
    }
}

/// A lock is poisoned when a thread panics while it holds it.
const NO_PANIC: &str = "no code panics while it holds the lock of an outbox";

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;
    use std::time::Duration;

    /// The most that any test waits for another thread.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn taken(outbox: &Outbox) -> String {
        let mut batch = Vec::new();
        outbox.take(&mut batch);
        String::from_utf8(batch).unwrap()
    }

    #[test]
    fn all_lines_that_wait_are_taken_at_once() {
        let outbox = Outbox::new(100);
        outbox.put(b"one\n");
        outbox.put(b"two\n");
        assert_eq!(taken(&outbox), "one\ntwo\n");
    }

    #[test]
    fn the_line_that_would_exceed_the_bound_closes_the_outbox() {
        let outbox = Outbox::new(8);
        assert_eq!(outbox.put(b"1234567\n"), Put::Waits);
        assert_eq!(outbox.put(b"\n"), Put::Overflow);
        assert_eq!(outbox.put(b"\n"), Put::Closed);
        assert_eq!(taken(&outbox), "! you read too slowly\n");
        assert_eq!(taken(&outbox), "");
    }

    #[test]
    fn what_the_writer_has_taken_is_owed_until_it_comes_back() {
        let outbox = Outbox::new(8);
        outbox.put(b"1234567\n");
        let mut batch = Vec::new();
        outbox.take(&mut batch);
        outbox.put(b"1234567\n");
        assert!(outbox.is_closed());
    }

    #[test]
    fn a_closed_outbox_still_gives_what_it_has() {
        let outbox = Outbox::new(100);
        outbox.put(b"one\n");
        outbox.close();
        assert_eq!(outbox.put(b"two\n"), Put::Closed);
        assert_eq!(taken(&outbox), "one\n");
        assert_eq!(taken(&outbox), "");
    }

    #[test]
    fn only_the_first_line_wakes_a_writer_that_sleeps() {
        let outbox = Arc::new(Outbox::new(100));
        let writer = thread::spawn({
            let outbox = outbox.clone();
            move || taken(&outbox)
        });
        let deadline = Instant::now() + PATIENCE;
        while !outbox.lock().writer_sleeps {
            assert!(Instant::now() < deadline, "the writer does not sleep");
            thread::yield_now();
        }
        assert_eq!(outbox.put(b"one\n"), Put::WakeTheWriter);
        assert_eq!(outbox.put(b"two\n"), Put::Waits);
        outbox.wake();
        assert_eq!(writer.join().unwrap(), "one\ntwo\n");
    }

    #[test]
    fn who_waits_for_the_end_is_woken_by_it() {
        let outbox = Arc::new(Outbox::new(100));
        let waiter = thread::spawn({
            let outbox = outbox.clone();
            move || outbox.wait_until_finished(Instant::now() + 100 * PATIENCE)
        });
        outbox.finish();
        waiter.join().unwrap();
        assert!(outbox.is_closed());
    }
}
