//! Layer: the hand-over. What one client is owed: the lines that it has not been sent yet.
//!
//! The hub puts lines in, the client's task takes them out, all at once. This is stage 4's outbox with
//! a `RefCell` in the place of the `Mutex`, and a `Notify` in that of the `Condvar`: all tasks run on one
//! thread, and between two `await`s of one task no other task runs.

use std::cell::RefCell;
use std::time::Duration;

use tokio::sync::Notify;
use tokio::time::timeout;

/// Memory that an empty outbox keeps, twice, for as long as its client is busy: with none, it would
/// be taken and given back for each line.
const BUSY_BYTES_KEPT: usize = 64 * 1024;

/// A client that has been sent nothing for so long is not busy.
const BUSY_WAIT: Duration = Duration::from_secs(1);

#[derive(Debug)]
pub struct Outbox {
    owed: RefCell<Owed>,
    /// Bytes that may be owed, beside what the kernel's buffers hold (rule L13).
    bytes_max: usize,
    /// Rung when lines have come in, and when no more will come.
    bell: Notify,
    /// Rung once, when no more will come: for who does not wait for lines.
    end: Notify,
}

#[derive(Debug, Default)]
struct Owed {
    /// Whole lines.
    lines: Vec<u8>,
    /// Bytes that the task has taken and not sent yet: still owed.
    in_flight: usize,
    /// Nothing more is taken in; what is here is still sent.
    is_closed: bool,
}

/// There is no room for the line: its receiver reads too slowly.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Outbox {
    /// `bytes_max` of 0 is no limit.
    pub fn new(bytes_max: usize) -> Outbox {
        Outbox {
            owed: RefCell::default(),
            bytes_max: if bytes_max == 0 { usize::MAX } else { bytes_max },
            bell: Notify::new(),
            end: Notify::new(),
        }
    }

    // ANCHOR: put
    /// Adds one line. Copies bytes in memory, and waits for nobody.
    pub fn put(&self, line: &str) -> Result<(), Full> {
        let mut owed = self.owed.borrow_mut();
        if owed.is_closed {
            return Ok(()); // it was on its way when the client was closed
        }
        if owed.in_flight + owed.lines.len() + line.len() > self.bytes_max {
            return Err(Full);
        }
        // The first line puts the task at the end of the runtime's queue. What comes until it runs
        // leaves with this line, in one write.
        if owed.lines.is_empty() {
            self.bell.notify_one();
        }
        owed.lines.extend_from_slice(line.as_bytes());
        Ok(())
    }
    // ANCHOR_END: put

    // ANCHOR: take
    /// The task takes all lines at once, in exchange for the empty `batch`. Waits while there are
    /// none. False when no more will come.
    pub async fn take(&self, batch: &mut Vec<u8>) -> bool {
        batch.clear();
        loop {
            if let Some(is_filled) = self.try_take(batch) {
                return is_filled;
            }
            // Who has just been sent something may be sent more soon: the memory stays for a moment.
            self.keep_memory(batch, BUSY_BYTES_KEPT);
            if batch.capacity() > 0
                && Box::pin(timeout(BUSY_WAIT, self.bell.notified())).await.is_ok()
            {
                continue;
            }
            self.keep_memory(batch, 0); // most clients are silent, and cost no buffers
            self.bell.notified().await;
        }
    }
    // ANCHOR_END: take

    /// `None`: nothing is owed now.
    fn try_take(&self, batch: &mut Vec<u8>) -> Option<bool> {
        let mut owed = self.owed.borrow_mut();
        owed.in_flight = owed.lines.len(); // and what was taken before has been sent
        if owed.lines.is_empty() {
            return owed.is_closed.then_some(false);
        }
        std::mem::swap(batch, &mut owed.lines);
        Some(true)
    }

    /// Gives memory back beyond that.
    fn keep_memory(&self, batch: &mut Vec<u8>, bytes: usize) {
        batch.shrink_to(bytes);
        self.owed.borrow_mut().lines.shrink_to(bytes);
    }

    /// Nothing more is taken in. A last line replaces the lines that wait.
    pub fn close(&self, last: Option<&str>) {
        let mut owed = self.owed.borrow_mut();
        if owed.is_closed {
            return;
        }
        if let Some(last) = last {
            owed.lines = last.as_bytes().to_vec();
        }
        owed.is_closed = true;
        self.bell.notify_one();
        self.end.notify_one();
    }

    /// Waits until the outbox is closed, however much is still owed. For one task, once.
    pub async fn closed(&self) {
        self.end.notified().await;
    }

    /// Bytes that are owed.
    pub fn len(&self) -> usize {
        let owed = self.owed.borrow();
        owed.in_flight + owed.lines.len()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::pin::pin;
    use std::task::{Context, Poll, Waker};

    /// What the client's task would get if it ran now: `None` while it waits.
    fn take(outbox: &Outbox) -> Option<String> {
        let mut batch = Vec::new();
        let taken = pin!(outbox.take(&mut batch)).poll(&mut Context::from_waker(Waker::noop()));
        match taken {
            Poll::Pending => None,
            Poll::Ready(is_filled) => {
                assert_eq!(is_filled, !batch.is_empty());
                Some(String::from_utf8(batch).unwrap())
            }
        }
    }

    #[test]
    fn all_that_is_owed_is_taken_at_once() {
        let outbox = Outbox::new(100);
        assert_eq!(take(&outbox), None);
        outbox.put("one\n").unwrap();
        outbox.put("two\n").unwrap();
        assert_eq!(take(&outbox).unwrap(), "one\ntwo\n");
        assert_eq!(take(&outbox), None);
    }

    #[test]
    fn what_is_on_its_way_is_still_owed() {
        let outbox = Outbox::new(8);
        outbox.put("12345\n").unwrap();
        assert_eq!(outbox.put("67\n"), Err(Full));
        assert_eq!(take(&outbox).unwrap(), "12345\n");
        assert_eq!(outbox.put("67\n"), Err(Full));
        outbox.put("7\n").unwrap();
        assert_eq!(outbox.len(), 8);
        assert_eq!(take(&outbox).unwrap(), "7\n"); // who takes again has sent what it took
        outbox.put("12345\n").unwrap();
    }

    #[test]
    fn a_closed_outbox_is_emptied_and_takes_nothing_more() {
        let outbox = Outbox::new(100);
        outbox.put("bye\n").unwrap();
        outbox.close(None);
        outbox.put("late\n").unwrap();
        assert_eq!(take(&outbox).unwrap(), "bye\n");
        assert_eq!(take(&outbox).unwrap(), "");
    }

    #[test]
    fn a_last_line_replaces_what_waits_even_at_the_bound() {
        let outbox = Outbox::new(4);
        outbox.put("one\n").unwrap();
        outbox.close(Some("! too slow\n"));
        assert_eq!(take(&outbox).unwrap(), "! too slow\n");
    }

    /// Waits for as long as it takes, and asserts no time.
    #[test]
    fn who_is_not_busy_keeps_no_memory() {
        let outbox = Outbox::new(100);
        let wait = async {
            let mut batch = Vec::new();
            while outbox.take(&mut batch).await {}
        };
        let look = async {
            for line in ["one\n", "two\n"] {
                outbox.put(line).unwrap();
                tokio::task::yield_now().await; // it is taken: each line in another of two buffers
            }
            assert!(outbox.owed.borrow().lines.capacity() > 0);
            while outbox.owed.borrow().lines.capacity() > 0 || outbox.len() > 0 {
                tokio::time::sleep(Duration::from_millis(10)).await;
            }
        };
        let runtime = tokio::runtime::Builder::new_current_thread().enable_time().build().unwrap();
        runtime.block_on(async {
            tokio::select! {
                biased; // the one who waits runs first, each time
                () = wait => panic!("the outbox is not closed"),
                () = look => {}
            }
        });
    }
}
