//! Layer: the bytes. From a stream to lines.
//!
//! TCP carries a stream of bytes and knows no messages: what was sent as one piece may arrive in
//! three, and three as one. A line ends where its LF is, and nowhere else.
//!
//! A thread that may block can use the simplest way: ask for one line and wait until it is here.
//! This file is the same in stages 1 and 2; from stage 3 on, whoever reads must not wait.

use std::fmt::Display;
use std::io::{self, Read};
use std::{mem, thread};

use crate::console::explain;

/// Bytes of the longest line that a client may send, its LF included (rule L3).
pub const CLIENT_LINE_BYTES_MAX: usize = 2048;

/// Bytes of one read, at most.
const READ_BYTES_MAX: usize = 4096;

/// Cuts a stream into lines. Holds one unfinished line and what one read brought, never more.
pub struct LineReader<R> {
    input: R,
    /// What `-v` calls the stream.
    name: String,
    line_bytes_max: usize,
    /// What has been read and not yet given out.
    bytes: Vec<u8>,
}

/// What the stream had next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next {
    /// A line with its LF, as it came.
    Line(String),
    /// A line that is too long (rule L3) or not UTF-8 (L4), in words. The next one may be good.
    Refused(String),
    /// Here the stream has ended, and this line never got its LF. It has one now. From a peer it
    /// is no message: the peer may have died in the middle of a word (rule L2).
    Half(String),
    /// The end of the stream.
    End,
}

// ANCHOR: line_reader
impl<R: Read> LineReader<R> {
    pub fn new(input: R, name: impl Display, line_bytes_max: usize) -> LineReader<R> {
        LineReader { input, name: name.to_string(), line_bytes_max, bytes: Vec::new() }
    }

    /// Waits for the next line. An error (the peer has reset the connection, say) is final.
    pub fn next(&mut self) -> io::Result<Next> {
        loop {
            if let Some(end) = self.bytes.iter().position(|&byte| byte == b'\n') {
                let line = self.bytes.drain(..=end).collect();
                return Ok(self.check(line, Next::Line));
            }
            // As long as the limit, and no LF: it is too long. How much too long nobody asks, so
            // the rest is not kept. Else a peer that never sends an LF would fill the memory.
            self.bytes.truncate(self.line_bytes_max);
            if self.read()? == 0 {
                let mut rest = mem::take(&mut self.bytes);
                if rest.is_empty() {
                    return Ok(Next::End);
                }
                rest.push(b'\n');
                return Ok(self.check(rest, Next::Half));
            }
        }
    }

    /// What becomes of a line; `good` is `Next::Line` or `Next::Half`, which can be called like any
    /// other function.
    fn check(&self, line: Vec<u8>, good: fn(String) -> Next) -> Next {
        let limit = self.line_bytes_max;
        if line.len() > limit {
            return Next::Refused(format!("line too long (at most {limit} bytes)"));
        }
        String::from_utf8(line).map_or(Next::Refused("not UTF-8".into()), good)
    }
    // ANCHOR_END: line_reader

    /// Waits until the stream has something, and says how many bytes it was: none is its end.
    fn read(&mut self) -> io::Result<usize> {
        let (thread, name) = (thread::current(), &self.name);
        let thread = thread.name().unwrap_or("?"); // it is named after what it waits for
        explain!("thread {thread}: blocked in read on {name}");
        let mut bytes = [0; READ_BYTES_MAX];
        let count = self.input.read(&mut bytes)?;
        let bytes = &bytes[..count];
        let ends = || bytes.iter().filter(|&&byte| byte == b'\n').count();
        explain!("thread {thread}: one read brought bytes: {count}, LFs among them: {}", ends());
        self.bytes.extend_from_slice(bytes);
        Ok(count)
    }
}

/// A line as text that is safe to show: without its end (rule L1) and the blanks around it (L6),
/// and with U+FFFD for each character that could move the cursor, ring the bell or turn the text
/// around on somebody's terminal (L5).
pub fn printable(line: &str) -> String {
    let line = line.strip_suffix('\n').unwrap_or(line);
    let line = line.strip_suffix('\r').unwrap_or(line);
    line.trim_matches([' ', '\t']).replace(is_harmful, "\u{fffd}")
}

fn is_harmful(c: char) -> bool {
    match c {
        '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' => true, // this row and the next turn text around
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{2028}' | '\u{2029}' => true, // these end a line or a paragraph
        '\u{e0000}'..='\u{e007f}' => true, // tags, which nobody sees
        _ => c.is_control(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LIMIT: usize = CLIENT_LINE_BYTES_MAX;

    /// Gives its bytes in the pieces that it was given, like a socket.
    struct Pieces<'a>(Vec<&'a [u8]>);

    impl Read for Pieces<'_> {
        fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
            if self.0.is_empty() {
                return Ok(0);
            }
            self.0.remove(0).read(buffer)
        }
    }

    /// What comes out until the end.
    fn lines(pieces: &[&[u8]]) -> Vec<Next> {
        let mut reader = LineReader::new(Pieces(pieces.to_vec()), "test", LIMIT);
        let next = || reader.next().unwrap();
        std::iter::repeat_with(next).take_while(|next| *next != Next::End).collect()
    }

    fn line(text: &str) -> Next {
        Next::Line(text.to_string())
    }

    fn too_long() -> Next {
        Next::Refused("line too long (at most 2048 bytes)".to_string())
    }

    #[test]
    fn a_line_may_arrive_in_three_pieces() {
        assert_eq!(lines(&[b"he", b"l", b"lo\n"]), [line("hello\n")]);
    }

    #[test]
    fn three_lines_may_arrive_in_one_piece() {
        assert_eq!(lines(&[b"a\nb\r\nc\n"]), [line("a\n"), line("b\r\n"), line("c\n")]);
    }

    #[test]
    fn a_character_may_arrive_in_two_pieces() {
        assert_eq!(lines(&[b"gr\xc3", b"\xbcn\n"]), [line("gr\u{fc}n\n")]);
    }

    #[test]
    fn what_has_no_end_is_no_line() {
        assert_eq!(lines(&[b"hello\nhalf"]), [line("hello\n"), Next::Half("half\n".to_string())]);
        assert_eq!(lines(&[b"hello\n\xff"]), [line("hello\n"), not_utf8()]);
    }

    #[test]
    fn a_line_of_2048_bytes_is_the_longest() {
        let longest = format!("{}\n", "x".repeat(LIMIT - 1));
        let longer = format!("{}\nnext\n", "x".repeat(LIMIT));
        assert_eq!(lines(&[longest.as_bytes()]), [line(&longest)]);
        assert_eq!(lines(&[longest.trim().as_bytes()]), [Next::Half(longest.clone())]);
        assert_eq!(lines(&[longer.as_bytes()]), [too_long(), line("next\n")]);
        assert_eq!(lines(&[&longer.as_bytes()[..LIMIT]]), [too_long()]);
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_once_however_it_arrives() {
        let long = [b'x'; 5 * LIMIT];
        assert_eq!(lines(&[&long, b"\nnext\n"]), [too_long(), line("next\n")]);
        let bytes: Vec<&[u8]> = long.chunks(1).chain([&b"\nnext\n"[..]]).collect();
        assert_eq!(lines(&bytes), [too_long(), line("next\n")]);
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        let endless = io::repeat(b'x').take(1_000_000);
        let mut reader = LineReader::new(endless, "test", LIMIT);
        assert_eq!(reader.next().unwrap(), too_long());
        assert_eq!(reader.next().unwrap(), Next::End);
        assert!(reader.bytes.capacity() <= 2 * (LIMIT + READ_BYTES_MAX));
    }

    fn not_utf8() -> Next {
        Next::Refused("not UTF-8".to_string())
    }

    #[test]
    fn what_is_not_utf8_is_refused_and_the_next_line_is_not() {
        assert_eq!(lines(&[b"\xff\xfe\nnext\n"]), [not_utf8(), line("next\n")]);
    }

    #[test]
    fn the_end_of_a_line_and_the_blanks_around_it_are_dropped() {
        assert_eq!(printable(" \ta b \t\r\n"), "a b");
        assert_eq!(printable("a\r\r\n"), "a\u{fffd}");
        assert_eq!(printable(" \t\r\n"), "");
    }

    #[test]
    fn terminal_controls_are_made_visible() {
        let shown = printable("a\x1b[2Jb\u{9b}\u{202e}\u{2028}\u{e0041}\0\x7fc\n");
        assert_eq!(shown, "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}c");
    }

    #[test]
    fn ordinary_text_is_not_changed() {
        for text in ["a\tb", "gr\u{fc}n", "\u{1f469}\u{200d}\u{1f4bb} \u{2764}\u{fe0f}"] {
            assert_eq!(printable(text), text);
        }
    }
}
