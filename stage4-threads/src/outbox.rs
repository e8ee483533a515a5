//! Layer: the hand-over. What one client is owed: the lines that it has not been sent yet.
//!
//! Many threads put lines in, one thread (the client's writer) takes them out. Putting a line in
//! copies bytes in memory and waits for no network: so it may be done while the hub is locked.

use std::sync::{Condvar, Mutex, MutexGuard, PoisonError};

/// Bytes that may wait for one client, beside what the kernel's buffers hold (rule L13).
const OWED_BYTES_MAX: usize = 1024 * 1024;

/// Bytes of memory that each of the two buffers keeps while it is empty. With more, ten thousand
/// silent clients are expensive. With none, one thread takes memory and another one gives it back for
/// each line, which the allocator of the system answers with a hoard for each thread.
const KEPT_BYTES: usize = 640;

#[derive(Debug, Default)]
pub struct Outbox {
    owed: Mutex<Owed>,
    /// Rung when there is work for a writer that sleeps.
    bell: Condvar,
}

/// What the lock of an outbox guards.
#[derive(Debug, Default)]
struct Owed {
    /// Whole lines, each with its LF.
    lines: Vec<u8>,
    /// Bytes that the writer has taken and not yet sent: still owed.
    in_flight: usize,
    /// The writer waits for the bell. Who finds it so must ring.
    writer_sleeps: bool,
    /// Nothing more is taken in; what is here is still sent.
    closed: bool,
}

/// There is no room for the line: its receiver reads too slowly.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Outbox {
    // ANCHOR: put
    /// Adds one line, which ends with LF. True: the writer sleeps, and must be woken with `wake` as
    /// soon as no lock is held any more.
    pub fn put(&self, line: &str) -> Result<bool, Full> {
        let mut owed = self.lock();
        if owed.closed {
            return Ok(false);
        }
        if owed.in_flight + owed.lines.len() + line.len() > OWED_BYTES_MAX {
            return Err(Full);
        }
        if owed.lines.capacity() == 0 {
            owed.lines.reserve(KEPT_BYTES);
        }
        owed.lines.extend_from_slice(line.as_bytes());
        // Of all who put lines in while the writer sleeps, the first one wakes it.
        Ok(std::mem::take(&mut owed.writer_sleeps))
    }
    // ANCHOR_END: put

    // ANCHOR: take
    /// Waits until lines are here or no more will come. Takes all lines at once, in exchange for the
    /// empty `batch`: so they leave in one write, however many they are. False: that was all.
    pub fn take(&self, batch: &mut Vec<u8>) -> bool {
        batch.clear();
        let mut owed = self.lock();
        owed.in_flight = 0; // what was taken before has been sent
        while owed.lines.is_empty() && !owed.closed {
            batch.shrink_to(KEPT_BYTES);
            owed.lines.shrink_to(KEPT_BYTES);
            owed.writer_sleeps = true;
            owed = self.bell.wait(owed).unwrap_or_else(PoisonError::into_inner);
        }
        std::mem::swap(batch, &mut owed.lines);
        owed.in_flight = batch.len();
        !batch.is_empty()
    }
    // ANCHOR_END: take

    /// Nothing more is taken in. A last line stands for all that waits, which would come too late to
    /// be of use. The writer must be woken with `wake`.
    pub fn close(&self, last: Option<&str>) {
        let mut owed = self.lock();
        owed.closed = true;
        if let Some(last) = last {
            owed.lines = last.as_bytes().to_vec();
        }
    }

    /// Rings for the writer, which does not hear it unless it sleeps.
    pub fn wake(&self) {
        self.bell.notify_one();
    }

    /// A lock is poisoned when a thread has panicked while it held it. Nothing here can be half done.
    fn lock(&self) -> MutexGuard<'_, Owed> {
        self.owed.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::Arc;
    use std::thread;
    use std::time::{Duration, Instant};

    /// The most that any test waits for another thread.
    const PATIENCE: Duration = Duration::from_secs(10);

    fn taken(outbox: &Outbox) -> String {
        let mut batch = Vec::new();
        outbox.take(&mut batch);
        String::from_utf8(batch).unwrap()
    }

    fn line_of(bytes: usize) -> String {
        "x".repeat(bytes - 1) + "\n"
    }

    #[test]
    fn all_lines_that_wait_are_taken_at_once() {
        let outbox = Outbox::default();
        outbox.put("one\n").unwrap();
        outbox.put("two\n").unwrap();
        assert_eq!(taken(&outbox), "one\ntwo\n");
    }

    #[test]
    fn a_line_beyond_the_bound_is_refused() {
        let outbox = Outbox::default();
        assert_eq!(outbox.put(&line_of(OWED_BYTES_MAX)), Ok(false));
        assert_eq!(outbox.put("\n"), Err(Full));
    }

    #[test]
    fn what_the_writer_has_taken_is_owed_until_it_comes_back() {
        let outbox = Outbox::default();
        let line = line_of(OWED_BYTES_MAX);
        outbox.put(&line).unwrap();
        assert_eq!(taken(&outbox), line);
        assert_eq!(outbox.put("\n"), Err(Full));
    }

    #[test]
    fn a_closed_outbox_still_gives_what_it_has_and_takes_nothing_in() {
        let outbox = Outbox::default();
        outbox.put("one\n").unwrap();
        outbox.close(None);
        assert_eq!(outbox.put("two\n"), Ok(false));
        assert_eq!(taken(&outbox), "one\n");
        assert_eq!(taken(&outbox), "");
    }

    #[test]
    fn a_last_line_stands_for_all_that_waits() {
        let outbox = Outbox::default();
        outbox.put("one\n").unwrap();
        outbox.close(Some("! why\n"));
        assert_eq!(taken(&outbox), "! why\n");
        assert_eq!(taken(&outbox), "");
    }

    #[test]
    fn only_the_first_line_wakes_a_writer_that_sleeps() {
        let outbox = Arc::new(Outbox::default());
        let writer = thread::spawn({
            let outbox = outbox.clone();
            move || taken(&outbox)
        });
        let deadline = Instant::now() + PATIENCE;
        while !outbox.lock().writer_sleeps {
            assert!(Instant::now() < deadline, "the writer does not sleep");
            thread::yield_now();
        }
        assert_eq!(outbox.put("one\n"), Ok(true));
        assert_eq!(outbox.put("two\n"), Ok(false));
        outbox.wake();
        assert_eq!(writer.join().unwrap(), "one\ntwo\n");
    }
}
