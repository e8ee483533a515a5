//! The user's side of the client. On a terminal an editor, whose half-typed line survives the
//! messages that arrive meanwhile; otherwise plain streams.
//!
//! Reading blocks, and the way to wait for a terminal or a file is not the same on every system.
//! So a thread of its own reads, and mails the lines. Nobody waits for that thread at the end: it
//! may sit in a read that never returns. (`tokio::io::stdin` has such a thread too, and the
//! runtime would wait for it.)

use crate::console::{self, explain};
use anyhow::Context;
use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter};
use std::io::{self, BufRead, IsTerminal};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::thread;
use tokio::sync::mpsc;

/// Lines of the user that wait to be sent. Then reading pauses: a file may be longer than memory.
const INPUT_LINES_MAX: usize = 64;

const PROMPT: &str = "<You> ";

/// Where received lines are shown.
pub enum Screen {
    Plain,
    /// Prints above the line that is being typed.
    Terminal(Box<dyn ExternalPrinter>),
}

/// Starts reading. The receiver gets each line with its LF, and then the end.
pub fn open() -> anyhow::Result<(mpsc::Receiver<Vec<u8>>, Screen)> {
    let (lines, input) = mpsc::channel(INPUT_LINES_MAX);
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        thread::spawn(move || read_plain(&lines));
        return Ok((input, Screen::Plain));
    }
    remember();
    let mut editor = DefaultEditor::new().context("cannot use this terminal")?;
    let printer = editor.create_external_printer().context("cannot print on this terminal")?;
    thread::spawn(move || edit(editor, &lines));
    Ok((input, Screen::Terminal(Box::new(printer))))
}

fn read_plain(lines: &mpsc::Sender<Vec<u8>>) {
    let mut input = io::stdin().lock();
    loop {
        let mut line = Vec::new();
        match input.read_until(b'\n', &mut line) {
            Ok(0) => return,
            Ok(_) => {
                if !line.ends_with(b"\n") {
                    line.push(b'\n'); // the last line of a file may lack it
                }
                if lines.blocking_send(line).is_err() {
                    return;
                }
            }
            Err(error) => return explain!("standard input cannot be read: {error}"),
        }
    }
}

fn edit(mut editor: DefaultEditor, lines: &mpsc::Sender<Vec<u8>>) {
    loop {
        match editor.readline(PROMPT) {
            Ok(line) => {
                let _ = editor.add_history_entry(&line); // to be found again with the arrow keys
                if lines.blocking_send(format!("{line}\n").into_bytes()).is_err() {
                    return;
                }
            }
            Err(ReadlineError::Eof | ReadlineError::Interrupted) => return, // Ctrl-D, Ctrl-C
            Err(error) => return console::warn(format_args!("cannot read the terminal: {error}")),
        }
    }
}

impl Screen {
    pub fn print(&mut self, line: &str) {
        match self {
            Screen::Plain => console::say(line),
            Screen::Terminal(printer) => {
                let _ = printer.print(format!("{line}\n")); // a terminal that is gone shows nothing
            }
        }
    }

    /// A person is asked in words, a program by the protocol's own.
    pub fn ask_for_name(&mut self) {
        self.print(if self.is_terminal() { "What is your name?" } else { "NICK" });
    }

    pub fn is_terminal(&self) -> bool {
        matches!(self, Screen::Terminal(_))
    }
}

/// The terminal's settings from before the editor changed them, in the words of `stty`.
static SETTINGS: OnceLock<String> = OnceLock::new();

/// The editor's thread cannot be asked to stop in the middle of a line, so when the server ends
/// first, nobody but us undoes what the editor did to the terminal (no echo, no line ends).
fn remember() {
    let settings = Command::new("stty").arg("-g").stdin(Stdio::inherit()).output();
    if let Ok(settings) = settings {
        let _ = SETTINGS.set(String::from_utf8_lossy(&settings.stdout).trim().to_string());
    }
}

/// Gives the terminal back as it was. Systems without `stty` do that themselves.
pub fn restore() {
    if let Some(settings) = SETTINGS.get() {
        println!();
        let _ = Command::new("stty").arg(settings).status();
    }
}
