//! Layer: the hand-over. What one client is owed: the lines that its socket has not taken yet.
//!
//! Only one thread is here, so putting a line in and taking bytes out need no lock.

use std::collections::VecDeque;

/// Bytes that may wait for one client, beside what the kernel's own buffers hold (rule L13).
pub const OUTBOX_BYTES_MAX: usize = 1024 * 1024;

/// Holds no memory while nothing waits: most clients are idle.
#[derive(Debug, Default)]
pub struct Outbox {
    /// Whole lines, each with its LF; of the first one only what has not been sent.
    bytes: VecDeque<u8>,
    /// The first line has been sent in part.
    in_mid_line: bool,
}

/// There is no room for the line: its receiver reads too slowly.
#[derive(Debug, PartialEq, Eq)]
pub struct Full;

impl Outbox {
    // ANCHOR: put
    /// Adds one line. It ends with its LF.
    pub fn put(&mut self, line: &str) -> Result<(), Full> {
        if self.bytes.len() + line.len() > OUTBOX_BYTES_MAX {
            return Err(Full);
        }
        self.bytes.extend(line.as_bytes());
        Ok(())
    }
    // ANCHOR_END: put

    pub fn is_empty(&self) -> bool {
        self.bytes.is_empty()
    }

    pub fn len(&self) -> usize {
        self.bytes.len()
    }

    // ANCHOR: take
    /// What to send next: everything, as a rule.
    pub fn owed(&self) -> &[u8] {
        self.bytes.as_slices().0
    }

    /// The socket has taken so many bytes of what is owed.
    pub fn sent(&mut self, count: usize) {
        let last = self.bytes.drain(..count).next_back(); // looks at one, and takes out all
        self.in_mid_line = last.is_some_and(|byte| byte != b'\n');
        if self.bytes.is_empty() {
            self.bytes = VecDeque::new();
        }
    }
    // ANCHOR_END: take

    /// Nothing more will come. A last line takes the place of all that waits, after the rest of a
    /// line that has been sent in part: who reads too slowly shall still see where a line ends.
    pub fn close(&mut self, last: Option<&str>) {
        let Some(last) = last else { return };
        let end_of_line = self.bytes.iter().position(|byte| *byte == b'\n');
        let stays = if self.in_mid_line { end_of_line.map_or(0, |at| at + 1) } else { 0 };
        self.bytes.truncate(stays);
        self.bytes.extend(last.as_bytes());
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn outbox(lines: &[&str]) -> Outbox {
        let mut outbox = Outbox::default();
        for line in lines {
            outbox.put(line).unwrap();
        }
        outbox
    }

    #[track_caller]
    fn check_owed(outbox: &Outbox, expected: &str) {
        let bytes: Vec<u8> = outbox.bytes.iter().copied().collect();
        assert_eq!(String::from_utf8(bytes).unwrap(), expected);
    }

    #[test]
    fn everything_that_waits_leaves_in_one_write() {
        let outbox = outbox(&["ali: one\n", "ali: two\n"]);
        assert_eq!(outbox.owed(), b"ali: one\nali: two\n");
    }

    #[test]
    fn what_the_socket_does_not_take_waits_and_keeps_its_order() {
        let mut outbox = outbox(&["ali: one\n", "ali: two\n"]);
        outbox.sent(3);
        outbox.put("bob: three\n").unwrap();
        outbox.sent(4);
        check_owed(&outbox, "e\nali: two\nbob: three\n");
    }

    #[test]
    fn an_empty_outbox_holds_no_memory() {
        let mut outbox = outbox(&["hello\n"]);
        outbox.sent(6);
        assert_eq!(outbox.bytes.capacity(), 0);
    }

    #[test]
    fn a_full_outbox_takes_no_line_and_loses_none() {
        let line = "x".repeat(1023) + "\n";
        let mut outbox = outbox(&vec![line.as_str(); OUTBOX_BYTES_MAX / 1024]);
        assert_eq!(outbox.put("\n"), Err(Full));
        assert_eq!(outbox.bytes.len(), OUTBOX_BYTES_MAX);
    }

    #[test]
    fn memory_stays_bounded_while_a_client_reads_slowly() {
        let mut outbox = Outbox::default();
        let line = "x".repeat(1023) + "\n";
        for _ in 0..10_000 {
            if outbox.put(&line).is_err() {
                outbox.sent(1000);
            }
        }
        assert!(outbox.bytes.capacity() <= 2 * OUTBOX_BYTES_MAX);
    }

    #[test]
    fn the_last_line_comes_after_the_end_of_a_line_sent_in_part() {
        let mut outbox = outbox(&["one\n", "two\n", "three\n"]);
        outbox.sent(5);
        outbox.put("four\n").unwrap();
        outbox.close(Some("! bye\n"));
        check_owed(&outbox, "wo\n! bye\n");
    }

    #[test]
    fn the_last_line_comes_at_once_when_no_line_was_sent_in_part() {
        for sent in [0, 4] {
            let mut outbox = outbox(&["one\n", "two\n"]);
            outbox.sent(sent);
            outbox.close(Some("! bye\n"));
            check_owed(&outbox, "! bye\n");
        }
    }

    #[test]
    fn without_a_last_line_all_that_waits_is_still_owed() {
        let mut outbox = outbox(&["one\n"]);
        outbox.close(None);
        check_owed(&outbox, "one\n");
    }
}
