//! Layer: the other end. A thread from the keyboard to the server, and one from the server to the
//! screen. Neither ever waits for the other: whoever is silent keeps nobody from speaking.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, bail};

use crate::advice;
use crate::command::{Command, parse};
use crate::console::{self, explain};
use crate::line::{LineDecoder, SERVER_LINE_BYTES_MAX};
use crate::room::{Heard, hear};

/// Bytes of one read.
const READ_BYTES_MAX: usize = 8192;

/// Moves to the beginning of the terminal's line and empties it.
const CLEAR_LINE: &str = "\r\x1b[K";

/// Returns when the connection has ended, or when nobody reads our output any more.
pub fn run(host: &str, port: u16, name: Option<String>) -> anyhow::Result<()> {
    let socket = TcpStream::connect((host, port))
        .map_err(|error| advice::cannot_connect(host, port, &error))?;
    let _ = socket.set_nodelay(true); // fails if the server has gone: the first read will say so
    let mut session = Session {
        socket: Arc::new(socket),
        screen: Screen::new(),
        name,
        name_was_sent: false,
        user_types: false,
        user_has_ended: Arc::default(),
    };
    if session.name.is_none() {
        session.let_the_user_type()?; // the first line of the input will be the name
    }
    match session.receive() {
        Err(error) if is_closed_pipe(&error) => Ok(()), // `| head -1` has seen enough
        result => result,
    }
}

/// The connection, and what the thread from the server to the screen knows of it.
struct Session {
    /// Both threads use it.
    socket: Arc<TcpStream>,
    screen: Screen,
    /// The answer to the server's question, where the command line gives one.
    name: Option<String>,
    /// It has been given, and may yet be refused.
    name_was_sent: bool,
    /// The other thread runs. With `--name` it begins when the server has taken the name: a line of
    /// the input that was quicker would be taken for it.
    user_types: bool,
    /// The other thread has sent `exit`, or all of the input.
    user_has_ended: Arc<AtomicBool>,
}

impl Session {
    /// The thread from the server to the screen: until the server ends the connection.
    fn receive(&mut self) -> anyhow::Result<()> {
        let mut decoder = LineDecoder::new(SERVER_LINE_BYTES_MAX);
        let mut bytes = [0; READ_BYTES_MAX];
        loop {
            match (&*self.socket).read(&mut bytes) {
                Ok(0) => break,
                Ok(count) => decoder.push(&bytes[..count]),
                Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                Err(error) => bail!("lost the connection to the server: {error}"),
            }
            while let Some(line) = decoder.next_line() {
                match line {
                    Ok(line) => self.obey(&line)?,
                    Err(error) => console::warn(format_args!("skipped a line: {error}")),
                }
            }
        }
        self.screen.prompt("");
        if !self.user_has_ended.load(Ordering::Relaxed) {
            console::warn("the server has ended the connection");
        }
        Ok(())
    }

    fn obey(&mut self, line: &str) -> anyhow::Result<()> {
        match hear(line) {
            Heard::Question => return self.answer_with_name(),
            Heard::Other if self.name_was_sent => self.let_the_user_type()?, // welcome
            Heard::Other | Heard::Refusal => {}
        }
        self.screen.show(line).context("cannot print what the server says")
    }

    fn answer_with_name(&mut self) -> anyhow::Result<()> {
        match &self.name {
            Some(name) if !self.name_was_sent => {
                explain!("the server asks for a name: {name}");
                let _ = writeln!(&*self.socket, "{name}"); // fails as in `run`
                self.name_was_sent = true;
            }
            Some(name) if !self.screen.is_terminal => {
                bail!("the server does not accept the name {name}: try another --name")
            }
            _ => {
                explain!("the server asks for a name: the next line of the input is the answer");
                self.let_the_user_type()?;
                self.screen.prompt("your name: ");
            }
        }
        Ok(())
    }

    /// Starts the other thread, once. It may be in a `read` for ever, so nobody waits for it: the
    /// program ends when the server does.
    fn let_the_user_type(&mut self) -> anyhow::Result<()> {
        if std::mem::replace(&mut self.user_types, true) {
            return Ok(());
        }
        let (socket, screen) = (self.socket.clone(), self.screen);
        let user_has_ended = self.user_has_ended.clone();
        thread::Builder::new()
            .name("stdin to server".to_string())
            .spawn(move || send_input(&socket, screen, &user_has_ended))
            .context("cannot start a thread for the input")?;
        Ok(())
    }
}

// ANCHOR: send_input
/// The thread from the keyboard to the server: until the input ends.
fn send_input(socket: &TcpStream, screen: Screen, user_has_ended: &AtomicBool) {
    match copy_input(socket, screen, user_has_ended) {
        Ok(()) => user_has_ended.store(true, Ordering::Relaxed),
        Err(error) => explain!("the input ends here: {error}"),
    }
    // The end of our input is no reason to miss what others still say: half-close (rule L10).
    let _ = socket.shutdown(Shutdown::Write);
}
// ANCHOR_END: send_input

/// Passes on bytes as they come, and adds the LF that the last line of a file may lack.
fn copy_input(mut socket: &TcpStream, screen: Screen, has_ended: &AtomicBool) -> io::Result<()> {
    let mut input = io::stdin().lock();
    let mut line_is_open = false;
    loop {
        let bytes = input.fill_buf()?;
        let Some((last, rest)) = bytes.split_last() else { break };
        line_is_open = *last != b'\n';
        let line = rest.rsplit(|byte| *byte == b'\n').next().unwrap_or_default();
        let is_exit = str::from_utf8(line).is_ok_and(|line| parse(line.trim()) == Command::Exit);
        has_ended.store(is_exit, Ordering::Relaxed);
        socket.write_all(bytes)?;
        let count = bytes.len();
        input.consume(count);
        screen.prompt("<You> ");
    }
    if line_is_open {
        socket.write_all(b"\n")?;
    }
    Ok(())
}

/// What is typed and what arrives share one screen. What arrives takes the line of the prompt, and
/// the prompt comes again below it. Shortcut: what the user has typed of a line vanishes from the
/// screen, though not from the terminal, which sends it with the next Enter. To show it again a
/// program must read key by key and draw the line itself, as stage 5's client does.
#[derive(Clone, Copy)]
struct Screen {
    /// A person types and reads there, on a terminal that can empty a line.
    is_terminal: bool,
}

impl Screen {
    fn new() -> Screen {
        let is_dumb = std::env::var_os("TERM").is_some_and(|term| term == "dumb");
        let is_terminal = io::stdin().is_terminal() && io::stdout().is_terminal() && !is_dumb;
        Screen { is_terminal }
    }

    fn show(self, line: &str) -> io::Result<()> {
        match self.is_terminal {
            true => print(format_args!("{CLEAR_LINE}{line}\n<You> ")),
            false => print(format_args!("{line}\n")),
        }
    }

    fn prompt(self, prompt: &str) {
        if self.is_terminal {
            let _ = print(format_args!("{CLEAR_LINE}{prompt}"));
        }
    }
}

fn print(text: std::fmt::Arguments) -> io::Result<()> {
    let mut stdout = io::stdout().lock();
    stdout.write_fmt(text)?;
    stdout.flush()
}

fn is_closed_pipe(error: &anyhow::Error) -> bool {
    let error = error.downcast_ref::<io::Error>();
    error.is_some_and(|error| error.kind() == ErrorKind::BrokenPipe)
}
