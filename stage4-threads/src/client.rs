//! The other end: one thread from the server to the screen, one from the keyboard to the server.

use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::sync::mpsc::{self, Receiver, Sender};
use std::thread;

use anyhow::{Context, anyhow, bail};

use crate::console::{self, explain};
use crate::line::{LineDecoder, SERVER_LINE_BYTES_MAX};
use crate::room::QUESTION;

/// Bytes of one read.
const READ_BYTES_MAX: usize = 8192;

/// Returns when the server has ended the connection.
pub fn run(host: &str, port: u16, name: Option<String>) -> anyhow::Result<()> {
    let socket = Arc::new(connect(host, port)?);
    let screen = Screen { is_terminal: io::stdin().is_terminal() && io::stdout().is_terminal() };
    let (may_speak, permission) = mpsc::channel();
    let mut session = Session { socket: &socket, screen, name, name_was_sent: false, may_speak };
    if session.name.is_none() {
        session.let_the_user_speak(); // the first line of the input will be the name
    }
    let to_server = socket.clone();
    thread::Builder::new()
        .name("stdin to server".to_string())
        .spawn(move || send_input(&to_server, screen, &permission))
        .context("cannot start a thread for the input")?;
    session.receive()
}

fn connect(host: &str, port: u16) -> anyhow::Result<TcpStream> {
    let socket = TcpStream::connect((host, port)).map_err(|error| match error.kind() {
        ErrorKind::ConnectionRefused => anyhow!(
            "cannot connect to {host}:{port}: connection refused; \
             is the server running, and is this its HOST and PORT?"
        ),
        _ => anyhow!("cannot connect to {host}:{port}: {error}; check HOST and PORT"),
    })?;
    let _ = socket.set_nodelay(true); // fails if the server has gone: the first read will say so
    Ok(socket)
}

// ANCHOR: send_input
/// The thread from the keyboard to the server. It may be in a `read` for ever, so nobody waits
/// for it: the program ends when the server does.
fn send_input(socket: &TcpStream, screen: Screen, permission: &Receiver<()>) {
    if permission.recv().is_err() {
        return; // the server ended before the name was accepted
    }
    if let Err(error) = copy_lines(io::stdin().lock(), socket, screen) {
        explain!("the input ends here: {error}");
    }
    // The end of our input is no reason to miss what others still say: half-close (rule L10).
    let _ = socket.shutdown(Shutdown::Write);
}
// ANCHOR_END: send_input

/// Passes on bytes as they come, and adds the LF that the last line of a file may lack.
fn copy_lines(mut input: impl BufRead, mut socket: &TcpStream, screen: Screen) -> io::Result<()> {
    let mut line_is_open = false;
    loop {
        let bytes = input.fill_buf()?;
        let Some(last) = bytes.last() else { break };
        line_is_open = *last != b'\n';
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

/// The thread from the server to the screen, and what it knows.
struct Session<'a> {
    socket: &'a TcpStream,
    screen: Screen,
    name: Option<String>,
    name_was_sent: bool,
    /// Lets the other thread begin. With `--name` it waits until the server has taken the name:
    /// a line of the input that was quicker would be taken for it.
    may_speak: Sender<()>,
}

impl Session<'_> {
    fn receive(&mut self) -> anyhow::Result<()> {
        let mut decoder = LineDecoder::new(SERVER_LINE_BYTES_MAX);
        let mut bytes = [0; READ_BYTES_MAX];
        loop {
            match self.socket.read(&mut bytes) {
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
        self.screen.clear_prompt();
        console::warn("the server has ended the connection");
        Ok(())
    }

    fn obey(&mut self, line: &str) -> anyhow::Result<()> {
        if line == QUESTION {
            return self.answer_with_name();
        }
        if self.name_was_sent && !line.starts_with("! ") {
            self.let_the_user_speak(); // welcome
        }
        self.screen.show(line);
        Ok(())
    }

    fn answer_with_name(&mut self) -> anyhow::Result<()> {
        match &self.name {
            Some(name) if !self.name_was_sent => {
                self.name_was_sent = true;
                explain!("the server asks for a name: {name}");
                let _ = self.socket.write_all(format!("{name}\n").as_bytes()); // as in `connect`
            }
            Some(name) if !self.screen.is_terminal => {
                bail!("the server does not accept the name {name}: try another --name")
            }
            _ => {
                self.let_the_user_speak();
                self.screen.prompt("your name: ");
                explain!("the server asks for a name: the next line of the input is the answer");
            }
        }
        Ok(())
    }

    fn let_the_user_speak(&self) {
        let _ = self.may_speak.send(()); // fails when the input has ended already
    }
}

/// What is typed and what arrives share one screen. Whatever arrives takes the line of the
/// prompt, and the prompt comes again below it.
#[derive(Clone, Copy)]
struct Screen {
    is_terminal: bool,
}

impl Screen {
    fn show(self, line: &str) {
        self.clear_prompt();
        console::say(line);
        self.prompt("<You> ");
    }

    fn prompt(self, prompt: &str) {
        if self.is_terminal {
            self.print(format_args!("{CLEAR_LINE}{prompt}"));
        }
    }

    fn clear_prompt(self) {
        if self.is_terminal {
            self.print(format_args!("{CLEAR_LINE}"));
        }
    }

    /// As `console::say`, but the line stays open.
    fn print(self, text: std::fmt::Arguments) {
        let mut stdout = io::stdout().lock();
        let _ = stdout.write_fmt(text).and_then(|()| stdout.flush());
    }
}

/// Moves to the beginning of the line and empties it.
const CLEAR_LINE: &str = "\r\x1b[K";
