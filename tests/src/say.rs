//! `lab say`: a client that sends exactly what it is told and shows what comes. It does what `nc`
//! does, on every system, and what `nc` cannot: reset a connection, or stop reading.

use anyhow::{Context, bail};
use clap::Args;
use socket2::{Domain, SockRef, Socket, Type};
use std::io::{BufRead, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream, ToSocketAddrs};
use std::process::ExitCode;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::{Duration, Instant};

/// How long a server may take to start: the terminal beside this one has just been told to.
const CONNECT_AGAIN_FOR: Duration = Duration::from_secs(3);
const CONNECT_AGAIN_AFTER: Duration = Duration::from_millis(50);

/// The kernel holds megabytes for a server that does not read. When it takes no more for so long,
/// the server is stuck.
const TAKES_NOTHING_FOR: Duration = Duration::from_secs(5);

/// Who does not read has little room in the kernel, so that a server sees it soon.
const SMALL_BUFFER_BYTES: usize = 4096;

/// Sends text to a server as it stands, and shows what comes back
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo lab say 127.0.0.1:8003 '#ann\\n' '@bob:hello\\n'   two pieces, each sent alone
  cargo lab say 127.0.0.1:8003 '#ann\\n@bob:hello\\n'      one piece
  cargo lab say 127.0.0.1:8003                            what you type, line by line")]
pub struct Arguments {
    /// The server, HOST:PORT
    server: String,
    /// Each is sent in one piece; \n, \r, \t, \\ and \xNN stand for bytes. None: what you type
    text: Vec<String>,
    /// Seconds between two pieces, so that each is a read of its own
    #[arg(long, value_name = "SECONDS", default_value_t = 0.5, value_parser = seconds)]
    pause: f64,
    /// Seconds to stay and listen after the last piece
    #[arg(long = "for", value_name = "SECONDS", default_value_t = 2.0, value_parser = seconds)]
    stay: f64,
    /// After the last piece, end our direction and go on reading
    #[arg(long, conflicts_with = "reset")]
    half_close: bool,
    /// At the end, reset the connection instead of closing it, as a crashed machine would
    #[arg(long)]
    reset: bool,
    /// Read nothing at all, and stay
    #[arg(long)]
    stop_reading: bool,
    /// Send the last piece so many times, without pauses: a flood
    #[arg(long, value_name = "NUMBER", default_value_t = 1)]
    times: u32,
    /// Open so many connections at once, send on each, and count the answered ones
    #[arg(long, value_name = "NUMBER", default_value_t = 1,
          value_parser = clap::value_parser!(u16).range(1..))]
    connections: u16,
}

fn seconds(text: &str) -> Result<f64, String> {
    let seconds: f64 = text.parse().map_err(|_| format!("`{text}` is no number of seconds"))?;
    let in_a_day = (0.0..=86_400.0).contains(&seconds);
    in_a_day.then_some(seconds).ok_or(format!("`{text}` is not between 0 and 86400 seconds"))
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let pieces: anyhow::Result<Vec<Vec<u8>>> =
        arguments.text.iter().map(|text| bytes_of(text)).collect();
    let pieces = pieces?;
    let address = arguments
        .server
        .to_socket_addrs()
        .ok()
        .and_then(|mut addresses| addresses.next())
        .with_context(|| format!("`{}` is no HOST:PORT", arguments.server))?;
    if arguments.connections > 1 {
        return count_answered(arguments, address, &pieces);
    }
    let socket = connect(address, arguments.stop_reading)?;
    let reader = socket.try_clone().context("cannot use the socket twice")?;
    if arguments.stop_reading {
        send(arguments, &socket, &pieces)?;
        thread::sleep(Duration::from_secs_f64(arguments.stay));
        return leave(arguments, &socket);
    }
    let shows = thread::spawn(move || show(reader));
    send(arguments, &socket, &pieces)?;
    let until = Instant::now() + Duration::from_secs_f64(arguments.stay);
    while !shows.is_finished() && Instant::now() < until {
        thread::sleep(Duration::from_millis(10));
    }
    if shows.is_finished() {
        return Ok(ExitCode::SUCCESS);
    }
    leave(arguments, &socket)
}

/// Tries again for a moment when nobody listens there yet.
fn connect(address: SocketAddr, small_buffer: bool) -> anyhow::Result<TcpStream> {
    let until = Instant::now() + CONNECT_AGAIN_FOR;
    loop {
        let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
        if small_buffer {
            // Before connecting: afterwards the larger window has been promised to the server.
            socket.set_recv_buffer_size(SMALL_BUFFER_BYTES)?;
        }
        match socket.connect_timeout(&address.into(), CONNECT_AGAIN_FOR) {
            Err(error)
                if error.kind() == ErrorKind::ConnectionRefused && Instant::now() < until =>
            {
                thread::sleep(CONNECT_AGAIN_AFTER);
            }
            connected => {
                connected.with_context(|| {
                    format!("cannot connect to {address}: is a server running there?")
                })?;
                socket.set_tcp_nodelay(true)?; // each piece leaves at once, in a segment of its own
                return Ok(socket.into());
            }
        }
    }
}

fn send(arguments: &Arguments, mut socket: &TcpStream, pieces: &[Vec<u8>]) -> anyhow::Result<()> {
    socket.set_write_timeout(Some(TAKES_NOTHING_FOR))?;
    let result = match pieces.split_last() {
        None => send_what_is_typed(socket),
        Some((last, before)) => before
            .iter()
            .try_for_each(|piece| {
                socket.write_all(piece)?;
                thread::sleep(Duration::from_secs_f64(arguments.pause));
                Ok(())
            })
            .and_then(|()| (0..arguments.times).try_for_each(|_| socket.write_all(last))),
    };
    if let Err(error) = result {
        match error.kind() {
            ErrorKind::WouldBlock | ErrorKind::TimedOut => note(format_args!(
                "the server has taken nothing for {} s, we stop sending",
                TAKES_NOTHING_FOR.as_secs()
            )),
            _ => note(format_args!("cannot send: {error}")),
        }
        return Ok(()); // what the server has said about it is still worth reading
    }
    if arguments.half_close || pieces.is_empty() {
        let _ = socket.shutdown(Shutdown::Write); // fails when the server has ended it: said by `show`
    }
    Ok(())
}

fn send_what_is_typed(mut socket: &TcpStream) -> std::io::Result<()> {
    let mut input = std::io::stdin().lock();
    let mut line = Vec::new();
    // A line at a time, however long: the person who types it is the one who waits.
    while input.read_until(b'\n', &mut line)? > 0 {
        socket.write_all(&line)?;
        line.clear();
    }
    Ok(())
}

/// Until the server ends the connection. What has no line end is shown at once as well.
fn show(mut socket: TcpStream) {
    let mut bytes = [0; 4096];
    let end = loop {
        match socket.read(&mut bytes) {
            Ok(0) => break "the server has closed the connection".to_string(),
            Ok(count) => {
                IN_A_LINE.store(bytes[count - 1] != b'\n', Ordering::Relaxed);
                let mut output = std::io::stdout().lock();
                let _ = output.write_all(visible(&bytes[..count]).as_bytes());
                let _ = output.flush();
            }
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) if error.kind() == ErrorKind::ConnectionReset => {
                break "the server has reset the connection".to_string();
            }
            Err(error) => break format!("cannot read: {error}"),
        }
    };
    note(end);
}

/// Control characters would command the terminal of whoever looks on.
fn visible(bytes: &[u8]) -> String {
    let mut shown = String::new();
    for chunk in bytes.utf8_chunks() {
        for character in chunk.valid().chars() {
            match character {
                '\n' => shown.push('\n'),
                control if control.is_control() => shown.extend(control.escape_default()),
                other => shown.push(other),
            }
        }
        for byte in chunk.invalid() {
            shown.push_str(&format!("\\x{byte:02x}"));
        }
    }
    shown
}

fn leave(arguments: &Arguments, socket: &TcpStream) -> anyhow::Result<ExitCode> {
    let stay = arguments.stay;
    if arguments.reset {
        SockRef::from(socket).set_linger(Some(Duration::ZERO))?; // what is unsent is dropped
        note(format_args!("after {stay} s we reset the connection"));
    } else if arguments.half_close {
        note(format_args!("after {stay} s the server has not closed its side"));
    } else {
        note(format_args!("after {stay} s we close the connection"));
    }
    // The process ends here, and the kernel closes what it had open. The thread that reads holds
    // the same socket, so that closing it here would not be enough.
    Ok(ExitCode::SUCCESS)
}

fn count_answered(
    arguments: &Arguments,
    address: SocketAddr,
    pieces: &[Vec<u8>],
) -> anyhow::Result<ExitCode> {
    let mut sockets = Vec::new();
    for number in 0..arguments.connections {
        let mut socket = connect(address, false)
            .with_context(|| format!("{number} connections are open, the next one fails"))?;
        for piece in pieces {
            socket.write_all(piece)?;
        }
        sockets.push(socket);
    }
    let until = Instant::now() + Duration::from_secs_f64(arguments.stay);
    let mut answered = 0;
    for mut socket in &sockets {
        let left = until.saturating_duration_since(Instant::now()).max(Duration::from_millis(1));
        socket.set_read_timeout(Some(left))?;
        answered += usize::from(socket.read(&mut [0; 256]).is_ok_and(|count| count > 0));
    }
    println!("{answered} of {} connections were answered", sockets.len());
    Ok(ExitCode::SUCCESS)
}

/// What came last had no line end: a note begins a line of its own.
static IN_A_LINE: AtomicBool = AtomicBool::new(false);

fn note(text: impl std::fmt::Display) {
    if IN_A_LINE.swap(false, Ordering::Relaxed) {
        println!();
    }
    eprintln!("lab: {text}");
}

/// The bytes that `\n` and its kin stand for.
fn bytes_of(text: &str) -> anyhow::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    let mut rest = text;
    while let Some((before, escaped)) = rest.split_once('\\') {
        bytes.extend(before.as_bytes());
        let (byte, length) = match escaped.as_bytes() {
            [b'n', ..] => (b'\n', 1),
            [b'r', ..] => (b'\r', 1),
            [b't', ..] => (b'\t', 1),
            [b'\\', ..] => (b'\\', 1),
            [b'x', ..] => match escaped.get(1..3).map(|hex| u8::from_str_radix(hex, 16)) {
                Some(Ok(byte)) => (byte, 3),
                _ => bail!("`{text}`: \\x needs two hexadecimal digits behind it"),
            },
            _ => bail!(
                "`{text}`: after a backslash stands n, r, t, x and two digits, or another backslash"
            ),
        };
        bytes.push(byte);
        rest = &escaped[length..];
    }
    bytes.extend(rest.as_bytes());
    Ok(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn escapes_stand_for_bytes() {
        assert_eq!(bytes_of(r"a\n\r\t\\\xffé").unwrap(), b"a\n\r\t\\\xff\xc3\xa9");
        for wrong in [r"\", r"\q", r"\x", r"\x1", r"\xzz"] {
            assert!(bytes_of(wrong).is_err(), "{wrong}");
        }
    }

    #[test]
    fn what_would_command_a_terminal_is_shown_instead() {
        assert_eq!(visible(b"hi\n\x1b[2J\r\xff"), "hi\n\\u{1b}[2J\\r\\xff");
    }
}
