//! Bytes to lines. TCP carries a stream of bytes and knows no messages: what was sent as one
//! piece may arrive in three, and three as one. A line ends where its LF is, and nowhere else.
//!
//! This file is the same in the stages 3, 4 and 5.

use std::borrow::Cow;
use std::fmt;
use std::io::BufRead;
use std::ops::Range;

/// Bytes of the longest line that a client may send, its LF included (rule L3).
pub const CLIENT_LINE_BYTES_MAX: usize = 2048;

/// Bytes of the longest line that a server may send, its LF included (rule L3).
pub const SERVER_LINE_BYTES_MAX: usize = 8192;

/// Cuts what arrives from one peer into lines.
///
/// Holds at most what one `push` brought and one unfinished line, and nothing while there is
/// nothing to hold: ten thousand silent clients cost no buffers.
#[derive(Debug)]
pub struct LineDecoder {
    line_bytes_max: usize,
    buffer: Vec<u8>,
    /// How much of `buffer` has been given out already.
    taken: usize,
    /// A line that is too long has been refused, and its LF has not come yet.
    skipping: bool,
}

/// Why a line was refused. The connection goes on with the next one.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineError {
    /// Rule L3, with the limit in bytes.
    TooLong(usize),
    /// Rule L4.
    NotUtf8,
}

impl LineDecoder {
    pub fn new(line_bytes_max: usize) -> LineDecoder {
        LineDecoder {
            line_bytes_max,
            buffer: Vec::new(),
            taken: 0,
            skipping: false,
        }
    }

    /// Adds what one read brought.
    pub fn push(&mut self, bytes: &[u8]) {
        self.forget_taken();
        self.buffer.extend_from_slice(bytes);
    }

    /// The next line that is complete, printable and not empty; `None` until more bytes arrive.
    ///
    /// What never gets its LF is never given out: half a message is no message (rule L2).
    pub fn next_line(&mut self) -> Option<Result<Cow<'_, str>, LineError>> {
        let line = loop {
            match self.next_range()? {
                Ok(range) if content(&self.buffer[range.clone()]).is_empty() => continue,
                Ok(range) => break range,
                Err(error) => return Some(Err(error)),
            }
        };
        Some(decode(&self.buffer[line]))
    }

    /// How many bytes wait for their LF, or for somebody to take their lines.
    pub fn bytes_left(&self) -> usize {
        self.buffer.len() - self.taken
    }

    fn next_range(&mut self) -> Option<Result<Range<usize>, LineError>> {
        loop {
            let start = self.taken;
            let Some(length) = line_length(&self.buffer[start..]) else {
                return self.refuse_endless().map(Err);
            };
            self.taken += length;
            if std::mem::take(&mut self.skipping) {
                continue; // this was the end of a line refused earlier
            }
            if length > self.line_bytes_max {
                return Some(Err(LineError::TooLong(self.line_bytes_max)));
            }
            return Some(Ok(start..start + length));
        }
    }

    /// Without an LF in sight: throws away what can no longer become a line, so that a peer
    /// that never ends its line cannot fill the memory. Refuses it once.
    fn refuse_endless(&mut self) -> Option<LineError> {
        let too_long = self.bytes_left() >= self.line_bytes_max;
        if too_long || self.skipping {
            self.taken = self.buffer.len();
        }
        self.forget_taken();
        let refused_now = too_long && !self.skipping;
        self.skipping |= too_long;
        refused_now.then_some(LineError::TooLong(self.line_bytes_max))
    }

    fn forget_taken(&mut self) {
        if self.taken == self.buffer.len() {
            self.buffer = Vec::new(); // gives the memory back: most clients are silent
        } else {
            self.buffer.drain(..self.taken);
        }
        self.taken = 0;
    }
}

/// One message as text that is safe to show: without its end and the blanks around it (rules L1
/// and L6), valid UTF-8 (L4), printable (L5).
pub fn decode(line: &[u8]) -> Result<Cow<'_, str>, LineError> {
    match std::str::from_utf8(content(line)) {
        Ok(text) => Ok(printable(text)),
        Err(_) => Err(LineError::NotUtf8),
    }
}

/// Replaces what could move the cursor, ring the bell or turn the text around on somebody's
/// terminal by U+FFFD (rule L5). A text that has none of it is not copied.
pub fn printable(text: &str) -> Cow<'_, str> {
    if is_plain_ascii(text.as_bytes()) || !text.chars().any(is_harmful) {
        return Cow::Borrowed(text);
    }
    let replace = |c| {
        if is_harmful(c) {
            char::REPLACEMENT_CHARACTER
        } else {
            c
        }
    };
    Cow::Owned(text.chars().map(replace).collect())
}

fn is_harmful(c: char) -> bool {
    match c {
        '\t' => false,
        '\u{61c}' | '\u{200e}' | '\u{200f}' => true,
        '\u{202a}'..='\u{202e}' | '\u{2066}'..='\u{2069}' => true,
        '\u{2028}' | '\u{2029}' => true,
        '\u{e0000}'..='\u{e007f}' => true,
        _ => c.is_control(),
    }
}

/// The usual case, found without looking at characters: a loop without an early exit is one
/// that the compiler turns into instructions on many bytes at once.
fn is_plain_ascii(bytes: &[u8]) -> bool {
    bytes
        .iter()
        .fold(true, |plain, byte| plain & matches!(byte, b' '..=b'~'))
}

/// The line without LF, one CR before it, and blanks.
fn content(line: &[u8]) -> &[u8] {
    let line = line.strip_suffix(b"\n").unwrap_or(line);
    let line = line.strip_suffix(b"\r").unwrap_or(line);
    let is_text = |byte: &u8| !matches!(byte, b' ' | b'\t');
    let start = line.iter().position(is_text).unwrap_or(line.len());
    let end = line
        .iter()
        .rposition(is_text)
        .map_or(start, |last| last + 1);
    &line[start..end]
}

/// Bytes up to and including the first LF. `skip_until` searches many bytes at once.
fn line_length(bytes: &[u8]) -> Option<usize> {
    let mut rest = bytes;
    let length = rest
        .skip_until(b'\n')
        .expect("reading from memory cannot fail");
    bytes[..length].ends_with(b"\n").then_some(length)
}

impl fmt::Display for LineError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            LineError::TooLong(max) => write!(f, "line too long (at most {max} bytes)"),
            LineError::NotUtf8 => write!(f, "not UTF-8"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TOO_LONG: LineError = LineError::TooLong(CLIENT_LINE_BYTES_MAX);

    /// What comes out when the pieces arrive one after the other.
    #[track_caller]
    fn check(pieces: &[&[u8]], expected: &[Result<&str, LineError>]) {
        let mut decoder = LineDecoder::new(CLIENT_LINE_BYTES_MAX);
        let mut got = Vec::new();
        for piece in pieces {
            decoder.push(piece);
            while let Some(line) = decoder.next_line() {
                got.push(line.map(Cow::into_owned));
            }
        }
        let expected: Vec<_> = expected
            .iter()
            .map(|line| line.map(str::to_string))
            .collect();
        assert_eq!(got, expected);
    }

    #[test]
    fn a_line_may_arrive_in_three_pieces() {
        check(&[b"he", b"l", b"lo\n"], &[Ok("hello")]);
    }

    #[test]
    fn three_lines_may_arrive_in_one_piece() {
        check(&[b"a\nb\r\nc\n"], &[Ok("a"), Ok("b"), Ok("c")]);
    }

    #[test]
    fn every_cut_gives_the_same_lines() {
        let script = "#ali\r\n@bob:gr\u{fc}\u{df} dich \u{1f44d}\n\n  x \n".as_bytes();
        let lines = [
            Ok("#ali"),
            Ok("@bob:gr\u{fc}\u{df} dich \u{1f44d}"),
            Ok("x"),
        ];
        for cut in 0..=script.len() {
            check(&[&script[..cut], &script[cut..]], &lines);
        }
    }

    #[test]
    fn what_has_no_end_is_no_message() {
        check(&[b"hello\nhalf"], &[Ok("hello")]);
    }

    #[test]
    fn one_carriage_return_before_the_end_is_dropped_and_others_are_made_visible() {
        check(
            &[b"a\r\n", b"b\r\r\n", b"c\rd\n"],
            &[Ok("a"), Ok("b\u{fffd}"), Ok("c\u{fffd}d")],
        );
    }

    #[test]
    fn empty_and_blank_lines_are_ignored() {
        check(&[b"\n\r\n \t \r\n\t\nx\n"], &[Ok("x")]);
    }

    #[test]
    fn blanks_before_the_carriage_return_are_trimmed_too() {
        check(&[b" \ta b \t\r\n"], &[Ok("a b")]);
    }

    #[test]
    fn a_line_of_2048_bytes_is_the_longest() {
        let text = "x".repeat(2046);
        check(&[text.as_bytes(), b"y\n"], &[Ok(&format!("{text}y"))]);
        check(&[text.as_bytes(), b"\r\n"], &[Ok(&text)]);
        check(
            &[text.as_bytes(), b"yz\nnext\n"],
            &[Err(TOO_LONG), Ok("next")],
        );
        check(
            &[text.as_bytes(), b"y\r\nnext\n"],
            &[Err(TOO_LONG), Ok("next")],
        );
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_once_however_it_arrives() {
        let long = [b'x'; 5000];
        check(&[&long, b"\nnext\n"], &[Err(TOO_LONG), Ok("next")]);
        let bytes: Vec<&[u8]> = long.chunks(1).chain([&b"\nnext\n"[..]]).collect();
        check(&bytes, &[Err(TOO_LONG), Ok("next")]);
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        let mut decoder = LineDecoder::new(CLIENT_LINE_BYTES_MAX);
        for _ in 0..1000 {
            decoder.push(&[b'x'; 1000]);
            while decoder.next_line().is_some() {}
            assert!(decoder.buffer.capacity() <= 2 * CLIENT_LINE_BYTES_MAX);
        }
    }

    #[test]
    fn a_decoder_without_a_line_holds_no_memory() {
        let mut decoder = LineDecoder::new(CLIENT_LINE_BYTES_MAX);
        decoder.push(b"hello\n");
        while decoder.next_line().is_some() {}
        assert_eq!(decoder.buffer.capacity(), 0);
    }

    #[test]
    fn what_is_not_utf8_is_refused_and_the_next_line_is_not() {
        check(
            &[b"\xff\xfe\nnext\n"],
            &[Err(LineError::NotUtf8), Ok("next")],
        );
    }

    #[test]
    fn terminal_controls_are_made_visible() {
        assert_eq!(printable("a\x1b[2Jb\x07"), "a\u{fffd}[2Jb\u{fffd}");
        assert_eq!(
            printable("\u{9b}\u{202e}\u{2028}\u{e0041}\0\x7f"),
            "\u{fffd}".repeat(6)
        );
    }

    #[test]
    fn ordinary_text_is_not_changed() {
        for text in [
            "a\tb",
            "gr\u{fc}n",
            "\u{1f469}\u{200d}\u{1f4bb} \u{2764}\u{fe0f}",
        ] {
            assert_eq!(printable(text), text);
        }
    }
}
