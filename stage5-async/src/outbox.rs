//! What is owed to one client. The hub puts lines in, the client's task carries them away.
//!
//! Both run on the same thread, so a `RefCell` is enough: between two `await`s nobody else runs.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io;
use std::task::{Context, Poll, Waker};

pub struct Outbox {
    bytes: RefCell<Vec<u8>>,
    bytes_max: usize,
    closed: Cell<bool>,
    /// How to wake the client's task, while it waits for something to happen here.
    waiting: Cell<Option<Waker>>,
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
            waiting: Cell::new(None),
        }
    }

    /// Adds one line.
    pub fn push(&self, line: &str) -> Result<(), Full> {
        if self.bytes.borrow().len() + line.len() > self.bytes_max {
            return Err(Full);
        }
        self.push_beyond_limit(line);
        Ok(())
    }

    /// For the one line that says why the connection ends.
    pub fn push_beyond_limit(&self, line: &str) {
        self.bytes.borrow_mut().extend_from_slice(line.as_bytes());
        self.wake();
    }

    /// Nothing more will come.
    pub fn close(&self) {
        self.closed.set(true);
        self.wake();
    }

    // ANCHOR: wake
    /// Puts the client's task at the end of the runtime's queue, once: until it has run, further
    /// lines find nobody to wake, and leave with the first in one write.
    fn wake(&self) {
        if let Some(task) = self.waiting.take() {
            task.wake();
        }
    }

    /// Waits until there is something to write (`true`), or never will be (`false`).
    pub async fn is_filled(&self) -> bool {
        poll_fn(|context| match self.bytes.borrow().is_empty() {
            false => Poll::Ready(true),
            true => self.poll_closed(context).map(|()| false),
        })
        .await
    }

    /// Waits until the hub has closed the client, however much is still owed.
    pub async fn is_closed(&self) {
        poll_fn(|context| self.poll_closed(context)).await;
    }

    fn poll_closed(&self, context: &Context) -> Poll<()> {
        if self.closed.get() {
            return Poll::Ready(());
        }
        self.waiting.set(Some(context.waker().clone()));
        Poll::Pending
    }
    // ANCHOR_END: wake

    /// Offers all that is owed to `write`, and forgets as much as it took.
    pub fn write_with(&self, write: impl FnOnce(&[u8]) -> io::Result<usize>) -> io::Result<()> {
        let mut bytes = self.bytes.borrow_mut();
        let written = write(&bytes)?;
        if written == bytes.len() {
            *bytes = Vec::new(); // gives the memory back: most clients are owed nothing
        } else {
            bytes.drain(..written);
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the client's task would see if it ran now.
    fn poll(outbox: &Outbox) -> Poll<bool> {
        let waiting = std::pin::pin!(outbox.is_filled());
        waiting.poll(&mut Context::from_waker(Waker::noop()))
    }

    #[test]
    fn all_that_is_owed_leaves_in_one_write() {
        let outbox = Outbox::new(100);
        outbox.push("one\n").unwrap();
        outbox.push("two\n").unwrap();
        let mut written = Vec::new();
        outbox
            .write_with(|bytes| {
                written.push(bytes.to_vec());
                Ok(bytes.len())
            })
            .unwrap();
        assert_eq!(written, [b"one\ntwo\n"]);
        assert_eq!(poll(&outbox), Poll::Pending);
    }

    #[test]
    fn what_the_socket_did_not_take_stays() {
        let outbox = Outbox::new(100);
        outbox.push("hello\n").unwrap();
        outbox.write_with(|_| Ok(2)).unwrap();
        outbox
            .write_with(|bytes| {
                assert_eq!(bytes, b"llo\n");
                Ok(4)
            })
            .unwrap();
        assert_eq!(poll(&outbox), Poll::Pending);
    }

    #[test]
    fn nothing_is_forgotten_when_the_socket_is_not_ready() {
        let outbox = Outbox::new(100);
        outbox.push("hello\n").unwrap();
        let not_ready = || Err(io::ErrorKind::WouldBlock.into());
        assert!(outbox.write_with(|_| not_ready()).is_err());
        assert_eq!(poll(&outbox), Poll::Ready(true));
    }

    #[test]
    fn a_full_outbox_takes_the_reason_and_nothing_else() {
        let outbox = Outbox::new(8);
        outbox.push("12345\n").unwrap();
        assert_eq!(outbox.push("67\n"), Err(Full));
        outbox.push("7\n").unwrap();
        outbox.push_beyond_limit("! too slow\n");
        outbox
            .write_with(|bytes| {
                assert_eq!(bytes, b"12345\n7\n! too slow\n");
                Ok(bytes.len())
            })
            .unwrap();
    }

    #[test]
    fn a_closed_outbox_is_emptied_first() {
        let outbox = Outbox::new(100);
        outbox.push("bye\n").unwrap();
        outbox.close();
        assert_eq!(poll(&outbox), Poll::Ready(true));
        outbox.write_with(|bytes| Ok(bytes.len())).unwrap();
        assert_eq!(poll(&outbox), Poll::Ready(false));
    }
}
