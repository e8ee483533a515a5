//! Layer: the other end. The user's side of the client. On a terminal an editor, whose half-typed line
//! survives the messages that arrive meanwhile; otherwise plain streams.
//!
//! Reading blocks, and the way to wait for a terminal or a file is not the same on every system.
//! So a thread of its own reads, and mails the lines. Nobody waits for that thread at the end: it
//! may sit in a read that never returns. (`tokio::io::stdin` has such a thread too, and the
//! runtime would wait for it.)

use std::borrow::Cow;
use std::io::{self, BufRead, IsTerminal, Read, Write};
use std::process::{Command, Stdio};
use std::sync::OnceLock;
use std::{panic, thread};

use rustyline::error::ReadlineError;
use rustyline::{DefaultEditor, ExternalPrinter};
use tokio::sync::mpsc;

use crate::console::{self, explain};
use crate::line::CLIENT_LINE_BYTES_MAX;

/// Lines of the user that wait to be sent. Then reading pauses: a file may be longer than memory.
const INPUT_LINES_MAX: usize = 64;

const PROMPT: &str = "<You> ";

/// Blanks in a row that are shown: more of them could push words to where another line begins.
const BLANKS_MAX: usize = 8;

/// Marks that are shown on one letter: hundreds of them reach into the lines above and below.
const MARKS_MAX: usize = 4;

/// Where received lines are shown.
pub enum Screen {
    Plain,
    /// Prints above the line that is being typed.
    Editor(Box<dyn ExternalPrinter>),
}

/// Starts reading. The receiver gets each line with its LF, and then the end.
pub fn open() -> (mpsc::Receiver<Vec<u8>>, Screen) {
    let (lines, input) = mpsc::channel(INPUT_LINES_MAX);
    if let Some((editor, printer)) = open_editor() {
        thread::spawn(move || edit(editor, &lines));
        return (input, Screen::Editor(printer));
    }
    thread::spawn(move || read_plain(&lines));
    (input, Screen::Plain)
}

/// Nothing, where a person does not sit at both ends, or at a terminal that can do too little (`TERM=dumb`).
fn open_editor() -> Option<(DefaultEditor, Box<dyn ExternalPrinter>)> {
    if !(io::stdin().is_terminal() && io::stdout().is_terminal()) {
        return None;
    }
    remember_settings();
    let editor = DefaultEditor::new().and_then(|mut editor| {
        let printer = editor.create_external_printer()?;
        Ok((editor, Box::new(printer) as Box<dyn ExternalPrinter>))
    });
    editor.inspect_err(|error| explain!("no editor on this terminal: {error}")).ok()
}

/// In pieces, if need be: an endless line is the server's to refuse, and not ours to keep.
fn read_plain(lines: &mpsc::Sender<Vec<u8>>) {
    let mut input = io::stdin().lock();
    let mut is_whole = true;
    loop {
        let mut line = Vec::new();
        match input.by_ref().take(CLIENT_LINE_BYTES_MAX as u64).read_until(b'\n', &mut line) {
            Ok(0) if is_whole => return,
            Ok(0) => line.push(b'\n'), // the last line of a file may lack it
            Ok(_) => {}
            Err(error) => {
                return console::warn(format_args!("cannot read standard input: {error}"));
            }
        }
        is_whole = line.ends_with(b"\n");
        if lines.blocking_send(line).is_err() {
            return;
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
    pub fn print(&mut self, line: &str) -> io::Result<()> {
        match self {
            Screen::Plain => {
                let mut stdout = io::stdout();
                let line = if stdout.is_terminal() { tame(line) } else { Cow::Borrowed(line) };
                writeln!(stdout, "{line}").and_then(|()| stdout.flush())
            }
            Screen::Editor(printer) => {
                let _ = printer.print(format!("{}\n", tame(line))); // a terminal that is gone shows nothing
                Ok(())
            }
        }
    }

    /// A person is asked in words, a program by the protocol's own.
    pub fn ask_for_name(&mut self, question: &str) -> io::Result<()> {
        self.print(if self.is_editor() { "What is your name?" } else { question })
    }

    pub fn is_editor(&self) -> bool {
        matches!(self, Screen::Editor(_))
    }
}

/// A line as a terminal may show it: one line, as high as a line is, with nothing in it that cannot
/// be seen. In a pipe it stays as it is.
fn tame(line: &str) -> Cow<'_, str> {
    if line.is_ascii() && !line.contains("        ") && !line.contains('\t') {
        return Cow::Borrowed(line);
    }
    let (mut blanks, mut marks) = (0, 0);
    let mut tamed = String::with_capacity(line.len());
    for c in line.chars() {
        blanks = if matches!(c, ' ' | '\t') { blanks + 1 } else { 0 };
        marks = if is_mark(c) { marks + 1 } else { 0 };
        match c {
            _ if blanks > BLANKS_MAX || marks > MARKS_MAX => {}
            '\t' => tamed.push(' '),
            '\u{200b}' | '\u{2060}' | '\u{3164}' | '\u{fff9}'..='\u{fffb}' => {
                tamed.push(char::REPLACEMENT_CHARACTER);
            }
            c => tamed.push(c),
        }
    }
    Cow::Owned(tamed)
}

/// Combining marks: the blocks of Unicode that have nothing else in them.
fn is_mark(c: char) -> bool {
    matches!(c, '\u{300}'..='\u{36f}' | '\u{483}'..='\u{489}' | '\u{1ab0}'..='\u{1aff}'
        | '\u{1dc0}'..='\u{1dff}' | '\u{20d0}'..='\u{20ff}' | '\u{fe20}'..='\u{fe2f}')
}

/// The terminal's settings from before the editor changed them, in the words of `stty`.
static SETTINGS: OnceLock<String> = OnceLock::new();

/// The editor's thread cannot be asked to stop in the middle of a line, so when the server ends
/// first, nobody but us undoes what the editor did to the terminal (no echo, no line ends).
fn remember_settings() {
    let settings = Command::new("stty").arg("-g").stdin(Stdio::inherit()).output();
    if let Ok(settings) = settings {
        let _ = SETTINGS.set(String::from_utf8_lossy(&settings.stdout).trim().to_string());
    }
    let report = panic::take_hook();
    panic::set_hook(Box::new(move |panic| {
        restore();
        report(panic);
    }));
}

/// Gives the terminal back as it was. Systems without `stty` do that themselves.
pub fn restore() {
    if let Some(settings) = SETTINGS.get() {
        let _ = Command::new("stty").arg(settings).status();
        console::say(""); // what was half typed stays where it is
    }
}

/// Whoever is ended by a signal gives the terminal back first. Completes never: without a terminal
/// signals do what they always do.
#[cfg(unix)]
pub async fn end_at_a_signal() {
    use std::future::pending;
    use tokio::signal::unix::{SignalKind, signal};
    let kinds = [
        SignalKind::interrupt(),
        SignalKind::terminate(),
        SignalKind::hangup(),
        SignalKind::quit(),
    ];
    let [Ok(mut a), Ok(mut b), Ok(mut c), Ok(mut d)] = kinds.map(|kind| match SETTINGS.get() {
        Some(_) => signal(kind),
        None => Err(io::ErrorKind::Unsupported.into()),
    }) else {
        return pending().await;
    };
    let kind = tokio::select! {
        _ = a.recv() => kinds[0],
        _ = b.recv() => kinds[1],
        _ = c.recv() => kinds[2],
        _ = d.recv() => kinds[3],
    };
    restore();
    std::process::exit(128 + kind.as_raw_value()); // as a shell says it
}

/// Windows ends a program without a word.
#[cfg(not(unix))]
pub async fn end_at_a_signal() {
    std::future::pending().await
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn ordinary_lines_are_shown_as_they_are() {
        for line in
            ["[#tea] ann: hi", "gr\u{fc}n e\u{301}", "\u{1f469}\u{200d}\u{1f4bb} \u{2764}\u{fe0f}"]
        {
            assert_eq!(tame(line), line);
        }
    }

    #[test]
    fn what_cannot_be_seen_is_seen() {
        assert_eq!(
            tame("a\u{200b}\u{2060}\u{3164}\u{fff9}b"),
            format!("a{}b", "\u{fffd}".repeat(4))
        );
    }

    #[test]
    fn words_stay_in_their_line() {
        let blanks = " ".repeat(79);
        assert_eq!(
            tame(&format!("ann:{blanks}\tbob: I was not here")),
            "ann:        bob: I was not here"
        );
        let stacked = format!("a{}b", "\u{335}".repeat(300));
        assert_eq!(tame(&stacked), format!("a{}b", "\u{335}".repeat(MARKS_MAX)));
    }
}
