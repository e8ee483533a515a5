//! Layer: the other end. Sends the lines of standard input, and notices when the server ends.
//!
//! Two threads, because there are two things to wait for: the user and the server. A read from
//! either blocks, and whoever is blocked in one cannot see the other.

use std::io::{self, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::Arc;
use std::thread;

use anyhow::Context;

use crate::console::{self, explain};
use crate::line::{self, CLIENT_LINE_BYTES_MAX, LineReader, Next};

// ANCHOR: run
/// Returns when the server has ended: `Ok` after an orderly end, an error after a reset.
pub fn run(socket: TcpStream) -> anyhow::Result<()> {
    socket.set_nodelay(true).context("cannot set TCP_NODELAY")?; // a line leaves when it is typed
    let (own, server) = (socket.local_addr()?, socket.peer_addr()?);
    explain!("connected to {server} from {own}: a port of our own, which our kernel chose");

    let socket = Arc::new(socket);
    let sender = Arc::clone(&socket);
    // Nobody joins this thread: it may be blocked in a read that ends only with the next key.
    thread::Builder::new()
        .name("stdin".into())
        .spawn(move || {
            if send_lines(&sender).is_ok() {
                explain!("all is said: half-closing, the server will read an end of stream");
                let _ = sender.shutdown(Shutdown::Write); // fails only if the server is gone
            } // or else the other thread sees the same trouble, and tells it
        })
        .context("cannot start a thread")?;

    let end = watch(&socket);
    console::ask_no_more();
    end.with_context(|| format!("the connection to {server} broke"))?;
    console::warn("the connection has ended");
    Ok(())
}
// ANCHOR_END: run

// ANCHOR: send_lines
/// Waits for lines of the user and sends them, until the input ends or the user says `exit`. What
/// the server would refuse is not sent: it could not tell us. An error is one of the socket.
fn send_lines(socket: &TcpStream) -> io::Result<()> {
    let mut lines = LineReader::new(io::stdin(), "standard input", CLIENT_LINE_BYTES_MAX);
    loop {
        console::ask();
        match lines.next() {
            Ok(Next::Line(line)) if line::printable(&line) == "exit" => return send(socket, &line),
            Ok(Next::Line(line)) => send(socket, &line)?,
            Ok(Next::Refused(why)) => console::warn(format_args!("not sent: {why}")),
            Ok(Next::Half(line)) => return send(socket, &line), // a file may end without LF
            Ok(Next::End) => return Ok(()),
            Err(error) => {
                console::warn(format_args!("cannot read standard input: {error}"));
                return Ok(());
            }
        }
    }
}
// ANCHOR_END: send_lines

// ANCHOR: send
/// `&TcpStream` can be written to, though nothing here is `mut`: the standard library has `Read`
/// and `Write` for it too. A socket lives in the kernel, which lets any number of threads use it
/// at once; what we hold is its number. So one thread may write while another one reads.
///
/// Waits when the kernel's buffers are full, until the server reads. That may be long: it does not
/// read from us before the clients before us have ended.
fn send(mut socket: &TcpStream, line: &str) -> io::Result<()> {
    socket.write_all(line.as_bytes())?;
    let count = line.len();
    explain!("the kernel has taken {count} bytes; that the server has read them, nobody said");
    Ok(())
}
// ANCHOR_END: send

// ANCHOR: watch
/// Waits for the end of the connection. A server of this stage never says anything, so whatever
/// comes is thrown away.
fn watch(mut socket: &TcpStream) -> io::Result<()> {
    io::copy(&mut socket, &mut io::sink()).map(drop)
}
// ANCHOR_END: watch
