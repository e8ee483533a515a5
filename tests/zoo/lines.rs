//! Bytes to lines: rules L1 to L6.

use crate::defects::Defect;

/// The LF included (L3).
const LINE_BYTES_MAX: usize = 2048;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum LineError {
    TooLong,
    NotUtf8,
}

pub type Line = Result<String, LineError>;

pub struct Lines {
    defect: Defect,
    unfinished: Vec<u8>,
    /// The rest of a line that was refused is skipped.
    skipping: bool,
}

impl Lines {
    pub fn new(defect: Defect) -> Lines {
        Lines { defect, unfinished: Vec::new(), skipping: false }
    }

    /// What one read returned. Gives the lines that are complete now, empty ones left out.
    pub fn push(&mut self, bytes: &[u8]) -> Vec<Line> {
        if self.defect.is("recv-is-not-a-message") {
            return self.decode(bytes).into_iter().collect();
        }
        let decoded = String::from_utf8_lossy(bytes);
        let bytes = if self.defect.is("decodes-each-read") { decoded.as_bytes() } else { bytes };
        let mut lines = Vec::new();
        for mut piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            while self.defect.is("cut-at-the-buffer-size")
                && self.unfinished.len() + piece.len() > LINE_BYTES_MAX
            {
                let (first, rest) = piece.split_at(LINE_BYTES_MAX - self.unfinished.len());
                lines.extend(self.push_piece(first));
                piece = rest;
            }
            lines.extend(self.push_piece(piece));
        }
        if self.defect.is("joined-lines-lost") {
            lines.truncate(1);
        }
        lines
    }

    /// A piece that holds at most one LF, at its end.
    fn push_piece(&mut self, piece: &[u8]) -> Option<Line> {
        let ended = piece.ends_with(b"\n");
        if self.skipping {
            self.skipping = !ended;
            return None;
        }
        self.unfinished.extend_from_slice(piece);
        let counted_twice = usize::from(self.defect.is("one-byte-too-few"));
        let too_long = self.unfinished.len() + counted_twice > LINE_BYTES_MAX - usize::from(!ended);
        if self.unfinished.len() == LINE_BYTES_MAX && self.defect.is("cut-at-the-buffer-size") {
            let line = std::mem::take(&mut self.unfinished);
            return self.decode(&line);
        }
        if too_long && (ended || !self.defect.is("unbounded-line")) {
            self.unfinished = Vec::new();
            self.skipping = !ended;
            return Some(Err(LineError::TooLong));
        }
        if !ended {
            return None;
        }
        let line = std::mem::take(&mut self.unfinished);
        self.decode(&line)
    }

    /// What is left at the end of the stream: no message (L2).
    pub fn end(&mut self) -> Option<Line> {
        let rest = std::mem::take(&mut self.unfinished);
        if self.defect.is("half-message-delivered") && !rest.is_empty() {
            return self.decode(&rest);
        }
        None
    }

    fn decode(&self, line: &[u8]) -> Option<Line> {
        let line = line.strip_suffix(b"\n").unwrap_or(line);
        if self.defect.is("newline-in-name") && line.starts_with(b"#") {
            return Some(Ok(String::from_utf8_lossy(line).into_owned()));
        }
        let line = line.strip_suffix(b"\r").unwrap_or(line);
        let Ok(text) = std::str::from_utf8(line) else {
            return Some(Err(LineError::NotUtf8));
        };
        let text = if self.defect.is("relays-terminal-escapes") {
            text.to_string()
        } else {
            printable(text)
        };
        let text = match self.defect.is("joiners-replaced") {
            true => text.replace(['\u{200d}', '\u{fe0f}'], "\u{fffd}"),
            false => text,
        };
        let blanks: &[char] = if self.defect.is("blanks-kept") { &[] } else { &[' ', '\t'] };
        let text = text.trim_matches(blanks);
        // A message made of what one read returned is delivered whatever it is.
        (!text.is_empty()).then(|| Ok(text.to_string()))
    }
}

/// Rule L5: what could move a cursor or turn the writing around becomes U+FFFD.
pub fn printable(text: &str) -> String {
    let inert = |character: char| match character {
        '\t' => '\t',
        '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{202a}'..='\u{202e}' => '\u{fffd}',
        '\u{2028}' | '\u{2029}' | '\u{2066}'..='\u{2069}' | '\u{e0000}'..='\u{e007f}' => '\u{fffd}',
        control if control.is_control() => '\u{fffd}',
        other => other,
    };
    text.chars().map(inert).collect()
}
