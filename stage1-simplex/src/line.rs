//! Bytes to lines. TCP carries a stream of bytes and knows no messages: what was sent as one
//! piece may arrive in three, and three as one. A line ends where its LF is, and nowhere else.
//!
//! A thread that may block can use the simplest way: ask for one line and wait until it is here.

use std::borrow::Cow;
use std::fmt;
use std::io::{self, BufRead, BufReader, Read};

use crate::console::explain;

/// Bytes of the longest line that a client may send, its LF included (rule L3).
pub const CLIENT_LINE_BYTES_MAX: usize = 2048;

/// Bytes of the longest line that a server may send, its LF included (rule L3).
#[allow(dead_code)] // the server of stage 1 sends nothing
pub const SERVER_LINE_BYTES_MAX: usize = 8192;

/// Cuts a stream into lines. Holds one line and what one read brought, never more.
pub struct LineReader<R> {
    input: BufReader<Watched<R>>,
    line_bytes_max: usize,
    line: Vec<u8>,
}

/// What the stream had next.
#[derive(Debug, PartialEq, Eq)]
pub enum Next<'a> {
    /// A line with its LF, as it came.
    Line(&'a [u8]),
    /// A line beyond the limit. It has been skipped through its LF (rule L3).
    TooLong,
    /// The end of the stream, with the bytes that never got their LF. From a peer they are no
    /// message: it may have died in the middle of a word (rule L2).
    End(&'a [u8]),
}

/// Why a line was refused (rule L4). The connection goes on with the next one.
#[derive(Debug, PartialEq, Eq)]
pub struct NotUtf8;

// ANCHOR: line_reader
impl<R: Read> LineReader<R> {
    /// `name` is what `-v` calls this stream.
    pub fn new(input: R, name: impl fmt::Display, line_bytes_max: usize) -> LineReader<R> {
        let name = name.to_string();
        LineReader {
            input: BufReader::new(Watched { input, name }),
            line_bytes_max,
            line: Vec::new(),
        }
    }

    /// Waits for the next line. An error (the peer has reset the connection, say) is final.
    pub fn next(&mut self) -> io::Result<Next<'_>> {
        self.line.clear();
        // Without `take`, `read_until` would collect an endless line until the memory is full.
        let limit = self.line_bytes_max as u64;
        (&mut self.input).take(limit).read_until(b'\n', &mut self.line)?;
        if self.line.ends_with(b"\n") {
            return Ok(Next::Line(&self.line));
        }
        if self.line.len() < self.line_bytes_max {
            return Ok(Next::End(&self.line));
        }
        self.input.skip_until(b'\n')?;
        Ok(Next::TooLong)
    }
}
// ANCHOR_END: line_reader

/// A line as text that is safe to show: valid UTF-8 (rule L4), printable (L5), without its end
/// (L1) and the blanks around it (L6).
pub fn decode(line: &[u8]) -> Result<Cow<'_, str>, NotUtf8> {
    let text = std::str::from_utf8(line).map_err(|_| NotUtf8)?;
    let text = text.strip_suffix('\n').unwrap_or(text);
    let text = text.strip_suffix('\r').unwrap_or(text);
    Ok(printable(text.trim_matches([' ', '\t'])))
}

/// Replaces what could move the cursor, ring the bell or turn the text around on somebody's
/// terminal by U+FFFD (rule L5).
fn printable(text: &str) -> Cow<'_, str> {
    if text.contains(is_harmful) {
        Cow::Owned(text.replace(is_harmful, "\u{fffd}"))
    } else {
        Cow::Borrowed(text)
    }
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

impl fmt::Display for NotUtf8 {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "not UTF-8")
    }
}

/// Reads, and says with `-v` where the thread is blocked and what the read brought.
struct Watched<R> {
    input: R,
    name: String,
}

impl<R: Read> Read for Watched<R> {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let name = &self.name;
        explain!("{}: blocked in read on {name}", thread_name());
        let count = self.input.read(buffer)?;
        let bytes = &buffer[..count];
        explain!("{}: {}", thread_name(), describe(bytes, name));
        Ok(count)
    }
}

fn describe(bytes: &[u8], name: &str) -> String {
    if bytes.is_empty() {
        return format!("read on {name} brought 0 bytes: the end of the stream");
    }
    let count = bytes.len();
    let ends = bytes.iter().filter(|&&byte| byte == b'\n').count();
    let last_end = bytes.iter().rposition(|&byte| byte == b'\n');
    let left = count - last_end.map_or(0, |last| last + 1);
    format!(
        "one read on {name} brought {count} bytes; lines that end in them: {ends}; \
         bytes that wait for their end: {left}"
    )
}

/// Whose call it is: with blocking calls, a thread is known by what it waits for.
fn thread_name() -> String {
    format!("thread {:?}", std::thread::current().name().unwrap_or("?"))
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

    /// The lines that come out; `None` stands for one that was too long.
    fn lines(pieces: &[&[u8]]) -> Vec<Option<Vec<u8>>> {
        let mut reader = LineReader::new(Pieces(pieces.to_vec()), "test", LIMIT);
        let mut lines = Vec::new();
        loop {
            match reader.next().unwrap() {
                Next::Line(line) => lines.push(Some(line.to_vec())),
                Next::TooLong => lines.push(None),
                Next::End(_) => return lines,
            }
        }
    }

    fn line(text: &str) -> Option<Vec<u8>> {
        Some(text.as_bytes().to_vec())
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
    fn what_has_no_end_is_no_line() {
        let mut reader = LineReader::new(&b"hello\nhalf"[..], "test", LIMIT);
        assert_eq!(reader.next().unwrap(), Next::Line(b"hello\n"));
        assert_eq!(reader.next().unwrap(), Next::End(b"half"));
    }

    #[test]
    fn a_line_of_2048_bytes_is_the_longest() {
        let longest = format!("{}\n", "x".repeat(LIMIT - 1));
        let longer = format!("{}\nnext\n", "x".repeat(LIMIT));
        assert_eq!(lines(&[longest.as_bytes()]), [line(&longest)]);
        assert_eq!(lines(&[longer.as_bytes()]), [None, line("next\n")]);
    }

    #[test]
    fn a_line_that_is_too_long_is_refused_once_however_it_arrives() {
        let long = [b'x'; 5 * LIMIT];
        assert_eq!(lines(&[&long, b"\nnext\n"]), [None, line("next\n")]);
        let bytes: Vec<&[u8]> = long.chunks(1).chain([&b"\nnext\n"[..]]).collect();
        assert_eq!(lines(&bytes), [None, line("next\n")]);
    }

    #[test]
    fn an_endless_line_takes_no_memory() {
        let endless = io::repeat(b'x').take(10_000_000);
        let mut reader = LineReader::new(endless, "test", LIMIT);
        assert_eq!(reader.next().unwrap(), Next::TooLong);
        assert!(reader.line.capacity() <= 2 * LIMIT);
    }

    #[test]
    fn the_end_of_a_line_and_the_blanks_around_it_are_dropped() {
        assert_eq!(decode(b" \ta b \t\r\n").unwrap(), "a b");
        assert_eq!(decode(b"a\r\r\n").unwrap(), "a\u{fffd}");
        assert_eq!(decode(b" \t\r\n").unwrap(), "");
    }

    #[test]
    fn what_is_not_utf8_is_refused() {
        assert_eq!(decode(b"\xff\xfe\n"), Err(NotUtf8));
    }

    #[test]
    fn terminal_controls_are_made_visible() {
        let text = "a\x1b[2Jb\u{9b}\u{202e}\u{2028}\u{e0041}\0\x7fc\n";
        let shown = decode(text.as_bytes()).unwrap();
        assert_eq!(shown, "a\u{fffd}[2Jb\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}\u{fffd}c");
    }

    #[test]
    fn ordinary_text_is_not_changed() {
        for text in ["a\tb", "grün", "\u{1f469}\u{200d}\u{1f4bb} \u{2764}\u{fe0f}"] {
            assert_eq!(decode(text.as_bytes()).unwrap(), text);
        }
    }

    #[test]
    fn a_read_is_described_by_what_it_ended_and_what_it_left() {
        let text = describe(b"one\ntwo\nthr", "a");
        assert!(
            text.contains("11 bytes; lines that end in them: 2; bytes that wait for their end: 3"),
            "{text}"
        );
    }
}
