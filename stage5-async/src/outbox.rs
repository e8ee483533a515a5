//! What is owed to one client. The hub puts lines in, the client's task carries them away.
//!
//! Both run on the same thread, so a `RefCell` is enough: between two `await`s nobody else runs.

use std::cell::{Cell, RefCell};
use tokio::sync::Notify;

#[derive(Debug)]
pub struct Outbox {
    bytes: RefCell<Vec<u8>>,
    bytes_max: usize,
    closed: Cell<bool>,
    /// Wakes the client's task: there is something to write, or there will be nothing more.
    changed: Notify,
}

/// The client does not read as fast as others write.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Outbox {
    /// `bytes_max` of 0 is no limit.
    pub fn new(bytes_max: usize) -> Outbox {
        Outbox {
            bytes: RefCell::default(),
            bytes_max: if bytes_max == 0 {
                usize::MAX
            } else {
                bytes_max
            },
            closed: Cell::new(false),
            changed: Notify::new(),
        }
    }

    /// Adds one line. The task is woken for the first only: until it runs, it needs no reminder.
    pub fn push(&self, line: &str) -> Result<(), Full> {
        if self.bytes.borrow().len() + line.len() > self.bytes_max {
            return Err(Full);
        }
        self.push_beyond_limit(line);
        Ok(())
    }

    /// For the one line that says why the connection ends.
    pub fn push_beyond_limit(&self, line: &str) {
        let mut bytes = self.bytes.borrow_mut();
        if bytes.is_empty() {
            self.changed.notify_one();
        }
        bytes.extend_from_slice(line.as_bytes());
    }

    /// Nothing more will come.
    pub fn close(&self) {
        self.closed.set(true);
        self.changed.notify_one();
    }

    /// Waits until there is something to write (`true`), or never will be (`false`).
    pub async fn is_filled(&self) -> bool {
        loop {
            if !self.bytes.borrow().is_empty() {
                return true;
            }
            if self.closed.get() {
                return false;
            }
            self.changed.notified().await;
        }
    }

    /// Offers all that is owed to `write`, and forgets as much as it took.
    pub fn write_with<E>(&self, write: impl FnOnce(&[u8]) -> Result<usize, E>) -> Result<usize, E> {
        let mut bytes = self.bytes.borrow_mut();
        let written = write(&bytes)?;
        if written == bytes.len() {
            *bytes = Vec::new(); // gives the memory back: most clients are owed nothing
        } else {
            bytes.drain(..written);
        }
        Ok(written)
    }
}
