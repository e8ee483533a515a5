//! Layer: the other end. Two directions, and a thread for each of them: one waits for the person, one
//! for the server. Whoever is silent keeps nobody from speaking.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, bail};

use crate::console::{self, explain};
use crate::line::{CLIENT_LINE_BYTES_MAX, LineDecoder, SERVER_LINE_BYTES_MAX};
use crate::room::{Heard, hear};

/// Bytes of one read.
const READ_BYTES_MAX: usize = 8192;

/// Moves to the beginning of the terminal's line and empties it.
const CLEAR_LINE: &str = "\r\x1b[K";

/// The person has said `exit`, or all that there was to say.
static HAS_LEFT: AtomicBool = AtomicBool::new(false);

/// Returns when the connection has ended, or when nobody reads our output any more.
pub fn run(socket: TcpStream, name: Option<String>) -> anyhow::Result<()> {
    let _ = socket.set_nodelay(true); // fails if the server has gone: the first read will say so
    let mut session = Session { socket, name, name_was_sent: false, person_types: false };
    if session.name.is_none() {
        session.let_the_person_type()?; // the first line of the input will be the name
    }
    match session.show_lines() {
        Err(error) if is_closed_pipe(&error) => Ok(()), // `| head -1` has seen enough
        result => result,
    }
}

/// What the thread from the server to the screen knows.
struct Session {
    socket: TcpStream,
    /// The answer to the server's question, where the command line gives one.
    name: Option<String>,
    /// It has been given, and may yet be refused.
    name_was_sent: bool,
    /// The other thread runs. With `--name` it begins when the server has taken the name: a line of
    /// the input that was quicker would be taken for it.
    person_types: bool,
}

impl Session {
    /// Waits for the server, until it has ended its side. A line without its end is no line (rule L2).
    fn show_lines(&mut self) -> anyhow::Result<()> {
        let mut lines = LineDecoder::new(SERVER_LINE_BYTES_MAX);
        let mut bytes = [0; READ_BYTES_MAX];
        loop {
            match self.socket.read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => lines.push(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue, // by a signal
                Err(error) => bail!("the connection to the server is lost: {error}"),
            }
            while let Some(line) = lines.next_line() {
                match line {
                    Ok(line) => self.obey(&line)?,
                    Err(error) => console::warn(format_args!("the server's line is bad: {error}")),
                }
            }
        }
        prompt("");
        match HAS_LEFT.load(Ordering::Relaxed) {
            true => console::warn("the conversation has ended"),
            false => console::warn("the server has ended the conversation"),
        }
        Ok(())
    }

    fn obey(&mut self, line: &str) -> anyhow::Result<()> {
        match hear(line) {
            Heard::Question => return self.answer_with_name(),
            Heard::Other if self.name_was_sent => self.let_the_person_type()?, // welcome
            Heard::Other | Heard::Refusal => {}
        }
        match is_on_terminal() {
            true => print(format_args!("{CLEAR_LINE}{line}\n<You> ")),
            false => print(format_args!("{line}\n")),
        }
        .context("cannot print what the server says")
    }

    fn answer_with_name(&mut self) -> anyhow::Result<()> {
        match &self.name {
            Some(name) if !self.name_was_sent => {
                explain!("the server asks for a name: {name}");
                let _ = writeln!(self.socket, "{name}"); // fails as in `run`
                self.name_was_sent = true;
            }
            Some(name) if !is_on_terminal() => {
                bail!("the server does not accept the name {name}: try another --name")
            }
            _ => {
                explain!("the server asks for a name: the next line of the input is the answer");
                self.let_the_person_type()?;
                prompt("your name: ");
            }
        }
        Ok(())
    }

    /// Starts the other thread, once. Never joined: it may wait for a key that nobody presses. It
    /// ends with the process.
    fn let_the_person_type(&mut self) -> anyhow::Result<()> {
        if !std::mem::replace(&mut self.person_types, true) {
            let socket = self.socket.try_clone().context("cannot use the socket in two threads")?;
            thread::Builder::new()
                .name("input".to_string())
                .spawn(move || send_lines(&socket))
                .context("cannot start a thread for the input")?;
        }
        Ok(())
    }
}

// ANCHOR: send_lines
/// Waits for the person, until the input ends; then ends this side, and the other goes on. While the
/// server takes nothing more, `write_all` waits, and with it the input.
fn send_lines(mut socket: &TcpStream) {
    let mut input = io::stdin().lock();
    let mut line = Vec::new();
    loop {
        let is_whole = line.is_empty() || line.ends_with(b"\n");
        line.clear();
        match input.by_ref().take(CLIENT_LINE_BYTES_MAX as u64).read_until(b'\n', &mut line) {
            Ok(0) if is_whole => break,
            Ok(0) => line.push(b'\n'), // a last line without its end gets one
            Ok(_) => {}
            Err(error) => {
                console::warn(format_args!("cannot read standard input: {error}"));
                break;
            }
        }
        if line.trim_ascii() == b"exit" {
            HAS_LEFT.store(true, Ordering::Relaxed);
        }
        if socket.write_all(&line).is_err() {
            return; // the other thread sees it too, and shows what the server has said before
        }
        prompt("<You> ");
    }
    explain!("the input has ended: half-close, and listen on");
    HAS_LEFT.store(true, Ordering::Relaxed);
    let _ = socket.shutdown(Shutdown::Write); // fails when the connection is lost: as above
}
// ANCHOR_END: send_lines

/// What is typed and what arrives share one screen. What arrives takes the line of the prompt, and
/// the prompt comes again below it. Shortcut: what the person has half typed disappears from the
/// screen, and is still sent. Stage 5 shows it again: it reads key by key and draws the line itself.
fn prompt(prompt: &str) {
    if is_on_terminal() {
        let _ = print(format_args!("{CLEAR_LINE}{prompt}"));
    }
}

/// A person types and reads here, on a terminal that can empty a line. In a pipe a prompt would be
/// part of the chat.
fn is_on_terminal() -> bool {
    let is_able = std::env::var_os("TERM").is_none_or(|term| term != "dumb" && term != "emacs");
    is_able && io::stdin().is_terminal() && io::stdout().is_terminal()
}

fn print(text: std::fmt::Arguments) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_fmt(text).and_then(|()| stdout.flush())
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
