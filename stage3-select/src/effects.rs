//! Layer: the meaning. What has to be done because of what somebody said. The state decides it and
//! writes it down here; the server reads it and does it. So the state knows no sockets, and the
//! server no words.
//!
//! This file is the same in stages 3, 4 and 5.

use std::collections::VecDeque;
use std::fmt::{Display, Write};

/// One connection: its place in the [table](crate::table) of connections. When it has ended, its
/// place is given to another, so whoever hears that a client has left forgets it at once.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub usize);

/// One thing to do.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Effect {
    /// The client receives a line.
    Send { to: ClientId, line: Line },
    /// The connection ends: after all that the client is owed, or, where there is a last line, after
    /// that line alone.
    Close { client: ClientId, last: Option<Line> },
    /// The console shows a line.
    Show { line: Line },
}

/// One line in the text of an [`Effects`], with its LF.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Line {
    /// Byte of the text at which it begins.
    start: usize,
    /// Byte behind its LF.
    end: usize,
}

/// What has to be done, first things first.
#[derive(Debug, Default)]
pub struct Effects {
    /// What has not been done yet.
    queue: VecDeque<Effect>,
    /// All lines, one behind the other. Each is written once, however many receive it.
    text: String,
}

impl Effects {
    /// One client receives a line.
    pub fn tell(&mut self, to: ClientId, line: impl Display) {
        self.tell_all([to], line);
    }

    /// Each of the receivers gets the line.
    pub fn tell_all(&mut self, receivers: impl IntoIterator<Item = ClientId>, line: impl Display) {
        let line = self.write(line);
        self.queue.extend(receivers.into_iter().map(|to| Effect::Send { to, line }));
    }

    /// The connection ends after what the client is owed (rules L10 and L11).
    pub fn close(&mut self, client: ClientId) {
        self.queue.push_back(Effect::Close { client, last: None });
    }

    /// The connection ends, and all that the client still hears is why.
    pub fn close_with(&mut self, client: ClientId, last: impl Display) {
        let last = Some(self.write(last));
        self.queue.push_back(Effect::Close { client, last });
    }

    /// The console shows a line.
    pub fn show(&mut self, line: impl Display) {
        let line = self.write(line);
        self.queue.push_back(Effect::Show { line });
    }

    /// The next thing to do. Doing it may make others necessary: they come behind those that wait.
    pub fn next(&mut self) -> Option<Effect> {
        self.queue.pop_front()
    }

    /// The words of a line, with its LF.
    pub fn text(&self, line: Line) -> &str {
        &self.text[line.start..line.end]
    }

    /// All has been done: the text begins anew, in the same memory.
    pub fn clear(&mut self) {
        self.text.clear();
    }

    fn write(&mut self, line: impl Display) -> Line {
        let start = self.text.len();
        let _ = writeln!(self.text, "{line}"); // a String takes everything
        Line { start, end: self.text.len() }
    }
}
