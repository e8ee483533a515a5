//! The text of a measured message. It says by which speaker it is, the how many-th of that
//! speaker, and when it was due: so every receiver can check what it gets, and knows how late.
//!
//! ```text
//! lab-RRRR SSSSSSSS NNNNNNNN DDDDDDDDDDDDDDDD .......
//! ^ run    ^speaker ^number  ^due, in ns      ^padding
//! ```
//! (without the blanks). A digit is one of the sixteen letters `@` to `O`, whose low four bits
//! are its value: that costs next to nothing to read, and we read far more than the server.

/// Bytes of an ordinary message: a short sentence.
pub const TEXT_BYTES: usize = 64;

/// Bytes of a message that is to fill buffers, below what a line may have (rule L3).
pub const LONG_TEXT_BYTES: usize = 1900;

const MARK_BYTES: usize = 8;
const HEAD_BYTES: usize = MARK_BYTES + 8 + 8 + 16;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Message {
    /// Which of the speakers, from 0.
    pub speaker: u32,
    /// Counts this speaker's messages, from 0.
    pub number: u32,
    /// When it was due to be sent, in ns since the run began.
    pub due: u64,
}

/// Writes and recognises the messages of one run: what belongs to another is never counted.
#[derive(Debug, Clone, Copy)]
pub struct Format {
    mark: [u8; MARK_BYTES],
    text_bytes: usize,
}

impl Format {
    pub fn new(run: u16, text_bytes: usize) -> Format {
        assert!(text_bytes >= HEAD_BYTES, "the head must fit in a message");
        let mut mark = *b"lab-0000";
        write_digits(u64::from(run), &mut mark[4..]);
        Format { mark, text_bytes }
    }

    pub fn write(&self, message: Message, out: &mut Vec<u8>) {
        let mut head = [0; HEAD_BYTES];
        head[..MARK_BYTES].copy_from_slice(&self.mark);
        write_digits(u64::from(message.speaker), &mut head[8..16]);
        write_digits(u64::from(message.number), &mut head[16..24]);
        write_digits(message.due, &mut head[24..]);
        out.extend_from_slice(&head);
        out.resize(out.len() + self.text_bytes - HEAD_BYTES, b'.');
    }

    /// The message at the end of a line without its LF, if one is there.
    pub fn read(&self, line: &[u8]) -> Option<Message> {
        let start = line.len().checked_sub(self.text_bytes)?;
        let head: &[u8; HEAD_BYTES] = line[start..].first_chunk()?;
        let mark = head.first_chunk()?;
        if *mark != self.mark {
            return None;
        }
        let ([speaker, number, high, low], _) = head[MARK_BYTES..].as_chunks() else {
            return None;
        };
        Some(Message {
            speaker: read_digits(speaker),
            number: read_digits(number),
            due: u64::from(read_digits(high)) << 32 | u64::from(read_digits(low)),
        })
    }
}

fn write_digits(mut value: u64, out: &mut [u8]) {
    for digit in out.iter_mut().rev() {
        *digit = b'@' | (value & 15) as u8;
        value >>= 4;
    }
}

/// Eight digits at a time: the halves of each pair of neighbours move together, three times.
fn read_digits(digits: &[u8; 8]) -> u32 {
    let nibbles = u64::from_be_bytes(*digits) & 0x0f0f_0f0f_0f0f_0f0f;
    let bytes = (nibbles | nibbles >> 4) & 0x00ff_00ff_00ff_00ff;
    let words = (bytes | bytes >> 8) & 0x0000_ffff_0000_ffff;
    (words | words >> 16) as u32
}

#[cfg(test)]
mod tests {
    use super::*;

    const MESSAGE: Message =
        Message { speaker: 0x1234_abcd, number: 77, due: 0x0123_4567_89ab_cdef };

    #[test]
    fn what_is_written_can_be_read_behind_any_prefix() {
        let format = Format::new(0xbeef, TEXT_BYTES);
        for prefix in ["", "u7: ", "[#lobby] u7: "] {
            let mut line = prefix.as_bytes().to_vec();
            format.write(MESSAGE, &mut line);
            assert_eq!(line.len(), prefix.len() + TEXT_BYTES);
            assert_eq!(format.read(&line), Some(MESSAGE));
        }
    }

    #[test]
    fn notices_and_the_messages_of_other_runs_are_none_of_ours() {
        let mut line = Vec::new();
        Format::new(2, TEXT_BYTES).write(MESSAGE, &mut line);
        assert_eq!(Format::new(1, TEXT_BYTES).read(&line), None);
        assert_eq!(Format::new(1, TEXT_BYTES).read(b"* u7 joined"), None);
    }
}
