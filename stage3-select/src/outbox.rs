//! What one client is owed. A socket takes only as much as the kernel has room for; the rest
//! waits here until the kernel says that there is room again.

use std::io::{self, ErrorKind, Write};

/// Bytes that may wait for one client, beside what the kernel's own buffers hold (rule L13).
pub const OUTBOX_BYTES_MAX: usize = 1024 * 1024;

/// What one message is on the wire.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Framing {
    /// A line, ended by LF.
    Line,
    /// What one read brings and one write sends, without LF (rule F1). Works only as long as
    /// nothing between the two programs splits or joins their messages.
    Recv,
}

/// Lines that wait for one client's socket. Holds no memory while nothing waits.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Whole lines, each with its LF.
    bytes: Vec<u8>,
    /// How much of `bytes` the socket has taken already.
    sent: usize,
}

/// There is no room for the line: its receiver reads too slowly.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Outbox {
    /// Adds one line, made of `parts`, and its LF.
    pub fn push_line(&mut self, parts: &[&str]) -> Result<(), Full> {
        let length = parts.iter().map(|part| part.len()).sum::<usize>() + 1;
        if self.bytes_owed() + length > OUTBOX_BYTES_MAX {
            return Err(Full);
        }
        self.forget_sent();
        self.bytes.reserve(length);
        for part in parts {
            self.bytes.extend_from_slice(part.as_bytes());
        }
        self.bytes.push(b'\n');
        Ok(())
    }

    /// Replaces everything that waits by one last line, after the rest of a line that has been
    /// sent in part: who reads too slowly shall still see where a line ends.
    pub fn replace_by(&mut self, last_line: &str) {
        let rest = self.owed();
        let is_between_lines = self.sent == 0 || self.bytes[self.sent - 1] == b'\n';
        let rest_of_line = if is_between_lines { 0 } else { line_length(rest) };
        self.bytes = [&rest[..rest_of_line], last_line.as_bytes(), b"\n"].concat();
        self.sent = 0;
    }

    // ANCHOR: flush_into
    /// Hands over as much as the socket takes. That it takes no more is no error: the kernel
    /// will say when there is room, and the next call goes on at the same byte.
    pub fn flush_into(&mut self, socket: &mut impl Write, framing: Framing) -> io::Result<()> {
        while !self.is_empty() {
            let message = match framing {
                Framing::Line => self.owed(), // everything in one write
                Framing::Recv => message_without_end(self.owed()),
            };
            match socket.write(message) {
                Ok(0) => return Err(ErrorKind::WriteZero.into()),
                Ok(count) => {
                    let is_whole = count == message.len();
                    let end = usize::from(framing == Framing::Recv && is_whole);
                    self.sent += count + end;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(()),
                Err(error) if error.kind() == ErrorKind::Interrupted => {} // try again
                Err(error) => return Err(error),
            }
        }
        *self = Outbox::default(); // gives the memory back: most clients are idle
        Ok(())
    }
    // ANCHOR_END: flush_into

    pub fn is_empty(&self) -> bool {
        self.bytes_owed() == 0
    }

    pub fn bytes_owed(&self) -> usize {
        self.bytes.len() - self.sent
    }

    /// For `-v` only: it looks at every byte.
    pub fn lines_owed(&self) -> usize {
        self.owed().iter().filter(|byte| **byte == b'\n').count()
    }

    fn owed(&self) -> &[u8] {
        &self.bytes[self.sent..]
    }

    /// Not at every line, or a client that reads slowly would cost a move of everything that it
    /// is owed each time. This way a byte is moved once. The beginning of a line sent in part
    /// stays: `replace_by` must see that the line has begun.
    fn forget_sent(&mut self) {
        if self.sent > self.bytes.len() / 2 {
            let sent = &self.bytes[..self.sent];
            let whole_lines = sent.iter().rposition(|byte| *byte == b'\n').map_or(0, |at| at + 1);
            self.bytes.drain(..whole_lines);
            self.sent -= whole_lines;
        }
    }
}

/// Bytes up to and including the first LF.
fn line_length(lines: &[u8]) -> usize {
    lines.iter().position(|byte| *byte == b'\n').map_or(lines.len(), |at| at + 1)
}

/// The first line, or what is left of it, without its LF: no text has an LF inside.
fn message_without_end(lines: &[u8]) -> &[u8] {
    &lines[..line_length(lines) - 1]
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A socket that takes so many bytes in its writes, one number for each, and then no more.
    struct Socket {
        takes: Vec<usize>,
        writes: Vec<String>,
    }

    impl Socket {
        fn taking(takes: &[usize]) -> Socket {
            Socket { takes: takes.iter().rev().copied().collect(), writes: Vec::new() }
        }
    }

    impl Write for Socket {
        fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
            let room = self.takes.pop().ok_or(ErrorKind::WouldBlock)?;
            let taken = &bytes[..room.min(bytes.len())];
            self.writes.push(String::from_utf8(taken.to_vec()).unwrap());
            Ok(taken.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    fn outbox(lines: &[&str]) -> Outbox {
        let mut outbox = Outbox::default();
        for line in lines {
            outbox.push_line(&[line]).unwrap();
        }
        outbox
    }

    #[test]
    fn everything_that_waits_leaves_in_one_write() {
        let mut outbox = outbox(&["ali: one", "ali: two"]);
        let mut socket = Socket::taking(&[100]);
        outbox.flush_into(&mut socket, Framing::Line).unwrap();
        assert_eq!(socket.writes, ["ali: one\nali: two\n"]);
        assert!(outbox.is_empty());
    }

    #[test]
    fn what_the_socket_does_not_take_waits_and_keeps_its_order() {
        let mut outbox = outbox(&["ali: one", "ali: two"]);
        let mut socket = Socket::taking(&[3, 4]);
        outbox.flush_into(&mut socket, Framing::Line).unwrap();
        outbox.push_line(&["bob", ": three"]).unwrap();
        let mut later = Socket::taking(&[100]);
        outbox.flush_into(&mut later, Framing::Line).unwrap();
        assert_eq!(
            socket.writes.concat() + &later.writes.concat(),
            "ali: one\nali: two\nbob: three\n"
        );
    }

    #[test]
    fn an_empty_outbox_holds_no_memory() {
        let mut outbox = outbox(&["hello"]);
        outbox.flush_into(&mut Socket::taking(&[100]), Framing::Line).unwrap();
        assert_eq!(outbox.bytes.capacity(), 0);
    }

    #[test]
    fn a_full_outbox_takes_no_line_and_loses_none() {
        let mut outbox = Outbox::default();
        let line = "x".repeat(1023);
        for _ in 0..OUTBOX_BYTES_MAX / 1024 {
            outbox.push_line(&[&line]).unwrap();
        }
        assert_eq!(outbox.push_line(&[""]), Err(Full));
        assert_eq!(outbox.bytes_owed(), OUTBOX_BYTES_MAX);
    }

    #[test]
    fn memory_stays_bounded_while_a_client_reads_slowly() {
        let mut outbox = Outbox::default();
        let line = "x".repeat(1023);
        for _ in 0..10_000 {
            if outbox.push_line(&[&line]).is_err() {
                outbox.flush_into(&mut Socket::taking(&[1024]), Framing::Line).unwrap();
            }
        }
        assert!(outbox.bytes.capacity() <= 4 * OUTBOX_BYTES_MAX);
    }

    #[test]
    fn the_last_line_comes_after_the_end_of_a_line_sent_in_part() {
        let mut outbox = outbox(&["one", "two", "three"]);
        outbox.flush_into(&mut Socket::taking(&[5]), Framing::Line).unwrap();
        outbox.replace_by("! bye");
        let mut socket = Socket::taking(&[100]);
        outbox.flush_into(&mut socket, Framing::Line).unwrap();
        assert_eq!(socket.writes, ["wo\n! bye\n"]);
    }

    #[test]
    fn a_line_sent_in_part_is_known_as_begun_after_more_has_come() {
        let mut outbox = outbox(&["one", "two"]);
        outbox.flush_into(&mut Socket::taking(&[6]), Framing::Line).unwrap();
        outbox.push_line(&["three"]).unwrap();
        outbox.replace_by("! bye");
        assert_eq!(outbox.owed(), b"o\n! bye\n");
    }

    #[test]
    fn the_last_line_comes_at_once_when_no_line_was_sent_in_part() {
        for sent in [0, 4] {
            let mut outbox = outbox(&["one", "two"]);
            let mut socket = Socket::taking(&[sent; 1][..sent.min(1)]);
            outbox.flush_into(&mut socket, Framing::Line).unwrap();
            outbox.replace_by("! bye");
            assert_eq!(outbox.owed(), b"! bye\n");
        }
    }

    #[test]
    fn for_the_documents_clients_each_message_is_one_write_without_its_end() {
        let mut outbox = outbox(&["ali: one", "ali: two", "ali: three"]);
        let mut socket = Socket::taking(&[100, 3]);
        outbox.flush_into(&mut socket, Framing::Recv).unwrap();
        assert_eq!(socket.writes, ["ali: one", "ali"]);
        let mut later = Socket::taking(&[100, 100]);
        outbox.flush_into(&mut later, Framing::Recv).unwrap();
        assert_eq!(later.writes, [": two", "ali: three"]);
        assert!(outbox.is_empty());
    }
}
