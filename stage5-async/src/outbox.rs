//! What is owed to one client. The hub puts lines in, the client's task carries them away.
//!
//! Both run on the same thread, so a `RefCell` is enough: between two `await`s nobody else runs.

use std::cell::{Cell, RefCell};
use std::future::poll_fn;
use std::io::{self, IoSlice};
use std::ops::Range;
use std::rc::Rc;
use std::task::{Context, Poll, Waker};

/// Parts of a page that one write takes. More of them are rare, and leave in the next.
const PARTS_PER_WRITE_MAX: usize = 64;

/// All lines that the hub says in one turn, one after the other. A line is written here once,
/// however many receive it; each outbox only notes where its lines stand.
#[derive(Default)]
pub struct Page(RefCell<Vec<u8>>);

impl Page {
    /// Returns where the line stands.
    pub fn write(&self, line: &str) -> Range<usize> {
        let mut bytes = self.0.borrow_mut();
        let start = bytes.len();
        bytes.extend_from_slice(line.as_bytes());
        start..bytes.len()
    }

    pub fn len(&self) -> usize {
        self.0.borrow().len()
    }

    pub fn clear(&self) {
        self.0.borrow_mut().clear();
    }
}

pub struct Outbox {
    mail: RefCell<Mail>,
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
            mail: RefCell::default(),
            bytes_max: if bytes_max == 0 { usize::MAX } else { bytes_max },
            closed: Cell::new(false),
            waiting: Cell::new(None),
        }
    }

    /// Adds one line, a part of the page.
    pub fn push(&self, page: &Rc<Page>, line: Range<usize>) -> Result<(), Full> {
        if self.mail.borrow().bytes + line.len() > self.bytes_max {
            return Err(Full);
        }
        self.push_beyond_limit(page, line);
        Ok(())
    }

    /// For the one line that says why the connection ends.
    pub fn push_beyond_limit(&self, page: &Rc<Page>, line: Range<usize>) {
        self.mail.borrow_mut().add(page, line);
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
        poll_fn(|context| match self.mail.borrow().bytes {
            0 => self.poll_closed(context).map(|()| false),
            _ => Poll::Ready(true),
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

    /// Offers what is owed to `write`, at once, and forgets as much as it took.
    pub fn write_with(
        &self,
        write: impl FnOnce(&[IoSlice]) -> io::Result<usize>,
    ) -> io::Result<()> {
        let mut mail = self.mail.borrow_mut();
        let written = mail.offer(write);
        mail.forget(*written.as_ref().unwrap_or(&0));
        written.map(drop)
    }
}

/// Lines in the order in which they were said.
#[derive(Default)]
struct Mail {
    /// What the socket did not take when it was offered: a copy, so that a client that reads
    /// slowly does not keep whole pages from being forgotten.
    rest: Vec<u8>,
    /// Then come these parts of this page.
    page: Option<Rc<Page>>,
    parts: Vec<Range<usize>>,
    /// Of all that.
    bytes: usize,
}

impl Mail {
    // ANCHOR: add
    fn add(&mut self, page: &Rc<Page>, line: Range<usize>) {
        if !self.page.as_ref().is_some_and(|last| Rc::ptr_eq(last, page)) {
            self.copy_parts();
            self.page = Some(page.clone());
        }
        self.bytes += line.len();
        match self.parts.last_mut() {
            Some(last) if last.end == line.start => last.end = line.end,
            _ => self.parts.push(line),
        }
    }
    // ANCHOR_END: add

    fn offer(&self, write: impl FnOnce(&[IoSlice]) -> io::Result<usize>) -> io::Result<usize> {
        let page = self.page.as_ref().map(|page| page.0.borrow());
        let text = page.as_ref().map_or(&[][..], |page| &page[..]);
        let parts = self.parts.iter().map(|part| &text[part.clone()]);
        let rest = Some(&self.rest[..]).filter(|rest| !rest.is_empty());
        let mut slices = [IoSlice::new(&[]); PARTS_PER_WRITE_MAX];
        let parts = rest.into_iter().chain(parts);
        let count =
            slices.iter_mut().zip(parts).map(|(slice, part)| *slice = IoSlice::new(part)).count();
        write(&slices[..count])
    }

    fn forget(&mut self, written: usize) {
        self.bytes -= written;
        if self.bytes == 0 {
            *self = Mail::default(); // gives the memory back: most clients are owed nothing
        } else {
            self.copy_parts();
            self.rest.drain(..written);
        }
    }

    fn copy_parts(&mut self) {
        if let Some(page) = self.page.take() {
            let text = page.0.borrow();
            let parts = self.parts.drain(..);
            parts.for_each(|part| self.rest.extend_from_slice(&text[part]));
        }
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

    /// Takes up to `count` bytes, in one write.
    fn take(outbox: &Outbox, count: usize) -> String {
        let mut taken = Vec::new();
        let write = |slices: &[IoSlice]| {
            taken = slices.iter().flat_map(|part| part.iter().copied()).collect();
            taken.truncate(count);
            Ok(taken.len())
        };
        outbox.write_with(write).unwrap();
        String::from_utf8(taken).unwrap()
    }

    fn push(outbox: &Outbox, page: &Rc<Page>, line: &str) -> Result<(), Full> {
        outbox.push(page, page.write(line))
    }

    #[test]
    fn all_that_is_owed_leaves_in_one_write() {
        let (outbox, page) = (Outbox::new(100), Rc::default());
        push(&outbox, &page, "one\n").unwrap();
        push(&outbox, &page, "two\n").unwrap();
        page.write("not for this client\n");
        push(&outbox, &page, "three\n").unwrap();
        push(&outbox, &Rc::default(), "four\n").unwrap();
        assert_eq!(take(&outbox, 100), "one\ntwo\nthree\nfour\n");
        assert_eq!(poll(&outbox), Poll::Pending);
    }

    #[test]
    fn what_the_socket_did_not_take_stays() {
        let (outbox, page) = (Outbox::new(100), Rc::default());
        push(&outbox, &page, "hello\n").unwrap();
        page.write("not for this client\n");
        push(&outbox, &page, "you\n").unwrap();
        assert_eq!(take(&outbox, 2), "he");
        push(&outbox, &page, "there\n").unwrap();
        assert_eq!(take(&outbox, 5), "llo\ny");
        assert_eq!(take(&outbox, 100), "ou\nthere\n");
        assert_eq!(poll(&outbox), Poll::Pending);
    }

    #[test]
    fn nothing_is_forgotten_when_the_socket_is_not_ready() {
        let (outbox, page) = (Outbox::new(100), Rc::default());
        push(&outbox, &page, "hello\n").unwrap();
        let not_ready = || Err(io::ErrorKind::WouldBlock.into());
        assert!(outbox.write_with(|_| not_ready()).is_err());
        assert_eq!(poll(&outbox), Poll::Ready(true));
        assert_eq!(take(&outbox, 100), "hello\n");
    }

    #[test]
    fn who_reads_slowly_keeps_no_page() {
        let (outbox, page) = (Outbox::new(100), Rc::default());
        push(&outbox, &page, "hello\n").unwrap();
        take(&outbox, 2);
        assert_eq!(Rc::strong_count(&page), 1);
    }

    #[test]
    fn a_full_outbox_takes_the_reason_and_nothing_else() {
        let (outbox, page) = (Outbox::new(8), Rc::default());
        push(&outbox, &page, "12345\n").unwrap();
        assert_eq!(push(&outbox, &page, "67\n"), Err(Full));
        push(&outbox, &page, "7\n").unwrap();
        outbox.push_beyond_limit(&page, page.write("! too slow\n"));
        assert_eq!(take(&outbox, 100), "12345\n7\n! too slow\n");
    }

    #[test]
    fn a_closed_outbox_is_emptied_first() {
        let (outbox, page) = (Outbox::new(100), Rc::default());
        push(&outbox, &page, "bye\n").unwrap();
        outbox.close();
        assert_eq!(poll(&outbox), Poll::Ready(true));
        take(&outbox, 100);
        assert_eq!(poll(&outbox), Poll::Ready(false));
    }
}
