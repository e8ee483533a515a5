//! Layer: the other end. Two directions, and a thread for each of them: one waits for the person, one
//! for the server. With two of them there is no need to ask the kernel who is ready first.

use std::env;
use std::io::{self, BufRead, ErrorKind, IsTerminal, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;

use anyhow::{Context, anyhow};

use crate::console::{self, explain};
use crate::line::{CLIENT_LINE_BYTES_MAX, LineDecoder, SERVER_LINE_BYTES_MAX};

/// Bytes that one read takes from the server.
const READ_BUFFER_BYTES: usize = 16 * 1024;

/// The person has said `exit`, or all that there was to say.
static HAS_LEFT: AtomicBool = AtomicBool::new(false);

/// The server has taken the person's words no more: what ends then is not in order.
static IS_LOST: AtomicBool = AtomicBool::new(false);

/// Returns when the server has ended the conversation; a reset is an error.
pub fn run(socket: &TcpStream) -> anyhow::Result<()> {
    // A line is sent when it is typed, and not held back to be sent together with a later one.
    let _ = socket.set_nodelay(true); // fails if the server has gone: the first read will say so
    let to_server = socket.try_clone().context("cannot use the socket in two threads")?;
    // Never joined: it may wait for a key that nobody presses. It ends with the process.
    thread::Builder::new()
        .name("input".to_string())
        .spawn(move || send_lines(&to_server))
        .context("cannot start a thread for the input")?;
    show_prompt();
    show_lines(socket)
}

/// Waits for the server, until it has ended its side. A line without its end is no line (rule L2).
fn show_lines(mut socket: &TcpStream) -> anyhow::Result<()> {
    let mut lines = LineDecoder::new(SERVER_LINE_BYTES_MAX);
    let mut buffer = vec![0; READ_BUFFER_BYTES];
    loop {
        match socket.read(&mut buffer) {
            Ok(0) => break,
            Ok(count) => lines.push(&buffer[..count]),
            Err(error) if error.kind() == ErrorKind::Interrupted => continue, // by a signal: again
            Err(error) => {
                hide_prompt();
                return Err(anyhow!("the connection to the server is lost: {error}"));
            }
        }
        hide_prompt();
        while let Some(line) = lines.next_line() {
            match line {
                Ok(line) => console::say(line),
                Err(error) => console::warn(format_args!("the server sent a bad line: {error}")),
            }
        }
        show_prompt();
    }
    hide_prompt();
    say_how_it_ended()
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
            return IS_LOST.store(true, Ordering::Relaxed); // what it said before is still shown
        }
        show_prompt();
    }
    explain!("the input has ended: half-close, and listen on");
    HAS_LEFT.store(true, Ordering::Relaxed);
    let _ = socket.shutdown(Shutdown::Write); // fails when the connection is lost: the reader sees it
}
// ANCHOR_END: send_lines

/// Who has left is not told that it was the server.
fn say_how_it_ended() -> anyhow::Result<()> {
    if IS_LOST.load(Ordering::Relaxed) {
        return Err(anyhow!("the connection to the server is lost"));
    }
    match HAS_LEFT.load(Ordering::Relaxed) {
        true => console::warn("the conversation has ended"),
        false => console::warn("the server has ended the conversation"),
    }
    Ok(())
}

/// `<You>`, when a person sits at a terminal that can take it back. In a pipe it would be part of
/// the chat.
fn show_prompt() {
    write_prompt("<You> ");
}

/// Makes room for a line that arrives: back to the first column, and clear the line. What the person
/// has half typed disappears from the screen and is still sent: stage 5 shows it again.
fn hide_prompt() {
    write_prompt("\r\x1b[K");
}

fn write_prompt(text: &str) {
    let is_dumb = env::var("TERM").is_ok_and(|term| term == "dumb" || term == "emacs");
    let mut out = io::stdout();
    if io::stdin().is_terminal() && out.is_terminal() && !is_dumb {
        let _ = out.write_all(text.as_bytes()).and_then(|()| out.flush()); // nobody may be there
    }
}
