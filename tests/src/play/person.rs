//! One person: a client process (or the server's own console), and how much of its screen was
//! looked at.

use super::compare::Trouble;
use crate::conversation::MARK;
use crate::process::{PATIENCE, Process, Screen};
use std::sync::Arc;

pub struct Person {
    /// `None`: this person sits at the server.
    pub client: Option<Process>,
    screen: Arc<Screen>,
    /// How many lines of the screen were looked at.
    looked_at: usize,
    /// Of them, those that belong to no step yet.
    pub lines: Vec<String>,
    /// `[IP]:PORT` of the other end of the connection, in the stages 1 and 2.
    pub peer: Option<String>,
    pub transcript: Vec<String>,
}

impl Person {
    pub fn new(client: Option<Process>, screen: &Arc<Screen>) -> Person {
        Person {
            client,
            screen: Arc::clone(screen),
            looked_at: 0,
            lines: Vec::new(),
            peer: None,
            transcript: Vec::new(),
        }
    }

    /// Takes over what is new on the screen.
    pub fn look(&mut self) {
        let screen = Arc::clone(&self.screen);
        self.take_over(&screen.lock().lines);
    }

    fn take_over(&mut self, lines: &[String]) {
        let new = &lines[self.looked_at.min(lines.len())..];
        self.looked_at += new.len();
        self.lines.extend_from_slice(new);
        let shown = new.iter().filter(|line| !line.contains(MARK)).cloned();
        self.transcript.extend(shown);
    }

    /// Until the lines that belong to no step yet are as `seen` wants them.
    pub fn wait(&mut self, seen: impl Fn(&[String]) -> bool) -> bool {
        let screen = Arc::clone(&self.screen);
        let found = screen.wait(PATIENCE, |state| {
            self.take_over(&state.lines);
            seen(&self.lines).then_some(())
        });
        found.is_some()
    }

    /// Until a line begins so; it and those before it are done with.
    pub fn wait_for_line(&mut self, beginning: &str) -> Result<(), Trouble> {
        let is_it = |line: &String| line.starts_with(beginning);
        if !self.wait(|lines| lines.iter().any(is_it)) {
            return Err(self.missing(&format!("{beginning}...")));
        }
        let at = self.lines.iter().position(is_it).expect("waited for");
        self.lines.drain(..=at);
        Ok(())
    }

    pub fn wait_for_stderr(&mut self, text: &str) -> Result<(), Trouble> {
        let client = self.client.as_ref().expect("a client");
        let has_text = |line: &String| line.contains(text);
        let shown =
            client.stderr.wait(PATIENCE, |state| state.lines.iter().any(has_text).then_some(()));
        shown.ok_or_else(|| self.missing(&format!("...{text}... on stderr")))
    }

    /// Until its client has ended, as it should: by itself and content.
    pub fn wait_for_end(&mut self) -> Result<(), Trouble> {
        let client = self.client.as_mut().expect("a client");
        let status = client.wait(PATIENCE);
        self.wait(|_| false); // returns at the end of the stream
        let seen = match status {
            Some(status) if status.success() => return Ok(()),
            Some(status) => status.to_string(),
            None => "it still runs".to_string(),
        };
        Err(trouble("the client ends with exit status 0", seen))
    }

    /// The lines that belong to the steps just played.
    pub fn take_lines(&mut self, stage: u8) -> Vec<String> {
        let mut lines = std::mem::take(&mut self.lines);
        lines.retain(|line| counts(stage, line));
        lines
    }

    pub fn missing(&self, expected: &str) -> Trouble {
        let last = self.lines.last().map(|line| format!("last of all `{line}`"));
        trouble(&format!("`{expected}`"), last.unwrap_or("nothing".to_string()))
    }
}

pub fn trouble(expected: &str, seen: String) -> Trouble {
    Trouble { step: 0, who: String::new(), expected: expected.to_string(), seen }
}

/// Whether a line is part of the conversation. Servers may say more than they must: on a console
/// all lines but messages are their own affair, in stage 5 the `* ` lines.
pub fn counts(stage: u8, line: &str) -> bool {
    match stage {
        _ if line.contains(MARK) => false,
        1 | 2 => line.contains(" => "),
        5 => !line.starts_with("* "),
        _ => true,
    }
}
