//! Somebody in the chat, played by the lab over a raw socket: says things and judges what comes.

use super::difference::brief;
use super::outcome::{Finding, Outcome, Trouble, wrong};
use super::quirks::{self, Quirks};
use super::{Protocol, difference};
use crate::patience::Patience;
use crate::peer::{End, Peer};
use std::sync::{Arc, Mutex};
use std::time::Duration;

/// What was done, step by step; shared by the people of one check.
#[derive(Debug, Clone, Default)]
pub struct Log(Arc<Mutex<Vec<String>>>);

impl Log {
    pub fn add(&self, step: impl Into<String>) {
        let mut steps = self.0.lock().expect("no code panics while it holds the log");
        steps.push(step.into());
    }

    pub fn steps(&self) -> Vec<String> {
        self.0.lock().expect("as above").clone()
    }
}

/// What a person heard next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Heard {
    Line(String),
    /// Nothing within the time; the bytes of an unfinished line, if any.
    Nothing(Vec<u8>),
    End(End),
}

impl Heard {
    /// For people.
    pub fn in_words(&self) -> String {
        match self {
            Heard::Line(line) => format!("`{}`", brief(line.as_bytes())),
            Heard::Nothing(partial) if partial.is_empty() => "nothing".to_string(),
            Heard::Nothing(partial) => format!("`{}` and no LF", brief(partial)),
            Heard::End(End::Closed) => "the end of the connection".to_string(),
            Heard::End(End::Reset) => "a reset".to_string(),
        }
    }
}

#[derive(Debug)]
pub struct Person {
    pub name: String,
    pub peer: Peer,
    pub protocol: Protocol,
    /// How long it waits for what must come, at least.
    pub patience: Duration,
    pub log: Log,
    /// How the program speaks where it speaks wrongly.
    pub quirks: Quirks,
    /// What this person has said, to know its echo.
    pub said: Vec<String>,
}

impl Person {
    /// To wait for one thing.
    pub fn new_patience(&self) -> Patience {
        Patience::new(self.peer.worker, self.patience)
    }

    /// Sends bytes as they are, in one segment.
    pub fn send(&mut self, bytes: &[u8]) -> Outcome {
        self.log.add(format!("{} sends `{}`", self.name, brief(bytes)));
        self.send_silently(bytes)
    }

    /// As `send`, without a step in the log: for floods.
    pub fn send_silently(&mut self, bytes: &[u8]) -> Outcome {
        if !self.quirks.bare {
            return self.send_segment(bytes);
        }
        for line in bytes.split_inclusive(|byte| *byte == b'\n') {
            self.send_segment(line.strip_suffix(b"\n").unwrap_or(line))?;
            self.peer.until_read(); // or the next one joins it
        }
        Ok(())
    }

    fn send_segment(&mut self, bytes: &[u8]) -> Outcome {
        let sent = self.peer.send(bytes);
        sent.map_err(|error| {
            wrong(format!("the server ended the connection of {}: {error:#}", self.name))
        })
    }

    /// Carries `act` out without steps in the log: for floods.
    pub fn quietly<T>(&mut self, act: impl FnOnce(&mut Person) -> T) -> T {
        let log = std::mem::take(&mut self.log);
        let done = act(self);
        self.log = log;
        done
    }

    /// Sends one line.
    pub fn line(&mut self, line: &str) -> Outcome {
        self.send(format!("{line}\n").as_bytes())
    }

    /// Says `text`, to `to` where the protocol has addressees.
    pub fn says(&mut self, to: &str, text: &str) -> Outcome {
        if self.quirks.echoes {
            self.said.push(text.to_string());
            self.said.push(self.protocol.heard(&self.name, text));
        }
        self.line(&self.protocol.saying(to, text))
    }

    /// The next line that is no notice.
    #[allow(clippy::should_implement_trait)] // a person is no iterator: the end comes once, silence often
    pub fn next(&mut self) -> Heard {
        let mut patience = self.new_patience();
        loop {
            match self.next_of_any_kind(&mut patience) {
                Heard::Line(line) if self.may_come_at_any_time(&line) => {}
                heard => return heard,
            }
        }
    }

    /// The next line, notices included. With the same `patience` again and again there is an end
    /// to lines that never end.
    pub fn next_of_any_kind(&mut self, patience: &mut Patience) -> Heard {
        if self.quirks.bare {
            return self.next_segment(patience);
        }
        if let Some(line) = self.peer.next_line_within(patience) {
            // The plain protocol ends lines with LF alone (L7), but towards the client nobody
            // fails for a CR; the check of L7 says it.
            return Heard::Line(line.strip_suffix('\r').map(String::from).unwrap_or(line));
        }
        if let Some(end) = self.peer.end {
            return Heard::End(end);
        }
        Heard::Nothing(self.peer.unread().to_vec())
    }

    /// What comes until a silence, where a program ends no lines.
    fn next_segment(&mut self, patience: &mut Patience) -> Heard {
        if self.peer.unread().is_empty() && !self.peer.receives(patience) && self.peer.end.is_none()
        {
            return Heard::Nothing(Vec::new());
        }
        self.receives_until_silence();
        match (self.peer.take_unread(), self.peer.end) {
            (bytes, Some(end)) if bytes.is_empty() => Heard::End(end),
            (bytes, _) if bytes.is_empty() => Heard::Nothing(bytes),
            (bytes, _) => Heard::Line(String::from_utf8_lossy(&bytes).trim_end().to_string()),
        }
    }

    /// A silence is one only when the program rests: slow ones make pauses within a line.
    pub fn receives_until_silence(&mut self) {
        let mut silence = Patience::new(self.peer.worker, quirks::SILENCE);
        while self.peer.receives(&mut silence) {}
    }

    /// A notice, or an echo of what this person has said.
    fn may_come_at_any_time(&self, line: &str) -> bool {
        self.is_notice(line) || (self.quirks.echoes && self.said.iter().any(|said| said == line))
    }

    /// Whether `line` may come at any time.
    fn is_notice(&self, line: &str) -> bool {
        let announces = |line: &str| {
            ["oined", "left", "onnected", "elcome"].iter().any(|word| line.contains(word))
        };
        self.protocol.is_notice(line)
            || (self.quirks.own_words && !line.starts_with("! ") && announces(line))
    }

    /// The next line that is no notice must be `text` said by `from`.
    pub fn hears(&mut self, from: &str, text: &str) -> Outcome {
        if self.quirks.anonymous {
            return self.hears_line(text);
        }
        self.hears_line(&self.protocol.heard(from, text))
    }

    /// The next line that is no notice must be `expected`.
    pub fn hears_line(&mut self, expected: &str) -> Outcome {
        self.log.add(format!("{} must receive `{}`", self.name, brief(expected.as_bytes())));
        if self.quirks.bare {
            return self.hears_at_the_end(expected);
        }
        let mut patience = self.new_patience();
        loop {
            match self.next_of_any_kind(&mut patience) {
                Heard::Line(line) if line == expected => return Ok(()),
                Heard::Line(line) if self.may_come_at_any_time(&line) => {}
                heard => return self.judges(heard, expected),
            }
        }
    }

    /// As `hears`, for one who may be told of an error first: that somebody else is gone, say.
    pub fn hears_behind_errors(&mut self, from: &str, text: &str) -> Outcome {
        let expected = self.protocol.heard(from, text);
        loop {
            match self.next() {
                Heard::Line(line) if line.starts_with("! ") => {}
                heard => return self.judges(heard, &expected),
            }
        }
    }

    /// Without line ends, what came earlier stands before what is waited for.
    fn hears_at_the_end(&mut self, expected: &str) -> Outcome {
        let mut patience = self.new_patience();
        loop {
            match self.next_of_any_kind(&mut patience) {
                Heard::Line(line) if line.ends_with(expected) => return Ok(()),
                Heard::Line(line) if self.has_own_sender(&line, expected) => return Ok(()),
                Heard::Line(line) if self.may_come_at_any_time(&line) => {}
                heard => return self.judges(heard, expected),
            }
        }
    }

    /// As `shows_a_sender`, for a line as the protocol has it.
    fn has_own_sender(&self, line: &str, expected: &str) -> bool {
        let text = expected.split_once(": ").map(|(_, text)| text);
        text.is_some_and(|text| self.shows_a_sender(line, text))
    }

    /// Whether `line`, of a program with a way of its own to show them, has a sender before `text`.
    pub fn shows_a_sender(&self, line: &str, text: &str) -> bool {
        let before = line.strip_suffix(text);
        self.quirks.bare && before.is_some_and(|before| before.ends_with(' '))
    }

    /// Whether what was heard is the line `expected`.
    pub fn judges(&self, heard: Heard, expected: &str) -> Outcome {
        match heard {
            Heard::Line(line) if line == expected => Ok(()),
            Heard::Line(line) => Err(wrong(format!("{} received something else", self.name))
                .differs(format!("{expected}\n").as_bytes(), format!("{line}\n").as_bytes())),
            other => Err(self.missing(&format!("{expected}\n"), other)),
        }
    }

    /// The next line that is no notice must be an error.
    pub fn hears_error(&mut self) -> Outcome<String> {
        self.log.add(format!("{} must receive a line that begins with `! `", self.name));
        match self.next() {
            Heard::Line(line) if line.starts_with("! ") => Ok(line),
            Heard::Line(line) => Err(wrong(format!("{} received no error", self.name))
                .expected("! ...\\n")
                .got(difference::visible(format!("{line}\n").as_bytes()))),
            other => Err(self.missing("! ...\n", other)),
        }
    }

    /// A notice must come whose text `wanted` accepts; other lines before it are left out.
    pub fn hears_notice(&mut self, what: &str, wanted: impl Fn(&str) -> bool) -> Outcome<String> {
        self.log.add(format!("{} must receive {what}", self.name));
        let mut patience = self.new_patience();
        let mut seen = Vec::new();
        loop {
            match self.next_of_any_kind(&mut patience) {
                Heard::Line(line) if wanted(&line) => return Ok(line),
                Heard::Line(line) => seen.push(line),
                other => {
                    let trouble = self.missing(what, other);
                    return Err(if seen.is_empty() {
                        trouble
                    } else {
                        trouble.got(seen.join("\n"))
                    });
                }
            }
        }
    }

    /// The server must end this connection in order, with nothing but notices and errors before.
    pub fn hears_end(&mut self) -> Outcome {
        self.log.add(format!("{} must be disconnected in order", self.name));
        loop {
            match self.next() {
                Heard::End(End::Closed) => return Ok(()),
                Heard::Line(line) if line.starts_with("! ") => {}
                Heard::Line(line) => {
                    return Err(wrong(format!("{} received a line instead of the end", self.name))
                        .expected("end of stream")
                        .got(difference::visible(line.as_bytes())));
                }
                Heard::End(End::Reset) => {
                    return Err(wrong(format!("{}'s connection was reset", self.name))
                        .expected("end of stream")
                        .got("a reset"));
                }
                other => return Err(self.missing("end of stream", other)),
            }
        }
    }

    /// What it means that `expected` did not come.
    pub fn missing(&self, expected: &str, instead: Heard) -> Trouble {
        let shown = difference::visible(expected.as_bytes());
        match instead {
            Heard::Nothing(partial) if partial.is_empty() => self.late(Finding {
                message: format!("{} received nothing for {:?}", self.name, self.patience),
                expected: shown,
                got: "nothing".to_string(),
                ..Finding::default()
            }),
            Heard::Nothing(partial) => {
                let (expected, got) = difference::show(expected.as_bytes(), &partial);
                self.late(Finding {
                    misconception: Some("sends-without-boundaries"),
                    message: format!("{} received text without an LF at its end", self.name),
                    expected,
                    got,
                })
            }
            Heard::End(end) => {
                let how = match end {
                    End::Closed => "closed",
                    End::Reset => "reset",
                };
                wrong(format!("the server {how} the connection of {}", self.name))
                    .expected(shown)
                    .got(format!("the connection was {how}"))
            }
            Heard::Line(line) => wrong("something else came").expected(shown).got(line),
        }
    }

    pub fn half_close(&self) {
        self.log.add(format!("{} ends its sending (half-close)", self.name));
        self.peer.half_close();
    }

    /// Closes without further words.
    pub fn leaves(self) {
        self.log.add(format!("{} closes the connection", self.name));
    }

    pub fn resets(self) {
        self.log.add(format!("{} resets the connection (RST)", self.name));
        self.peer.reset();
    }

    fn late(&self, finding: Finding) -> Trouble {
        Trouble::Wrong(Box::new(finding)).after(self.peer.over)
    }
}
