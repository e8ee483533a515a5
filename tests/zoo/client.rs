//! A client: lines of its standard input go out, lines that come are printed.

use crate::defects::Defect;
use crate::lines::printable;
use anyhow::Context;
use std::io::{BufRead, BufReader, ErrorKind, Read, Write};
use std::net::{Shutdown, TcpStream};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::thread;

/// A server's line may be this long (L3).
const LINE_BYTES_MAX: usize = 8192;

pub fn run(host: &str, port: u16, defect: Defect) -> anyhow::Result<()> {
    let hint = "is the server running?";
    let connected = TcpStream::connect((host, port));
    let stream = connected.with_context(|| format!("cannot connect to {host}:{port}; {hint}"))?;
    let writer = stream.try_clone()?;
    let (typed, turns) = channel();
    thread::spawn(move || send_all(&writer, defect, &typed));
    print_all(&stream, defect, &turns)?;
    eprintln!("the server has ended the connection");
    Ok(())
}

/// Standard input to the socket.
fn send_all(stream: &TcpStream, defect: Defect, typed: &Sender<()>) {
    let mut stream = stream;
    let mut input = BufReader::new(std::io::stdin());
    loop {
        let mut line = String::new();
        let count = input.read_line(&mut line).unwrap_or(0);
        if count == 0 && !defect.is("spins-on-stdin-eof") {
            break;
        }
        if defect.is("stdin-buffer-under-select") {
            // The kernel says that stdin is ready once for all that was read into the buffer.
            input.consume(input.buffer().len());
        }
        let _ = typed.send(());
        let line = line.trim_end_matches(['\n', '\r']);
        let end = if defect.is("sends-without-boundaries") { "" } else { "\n" };
        if stream.write_all(format!("{line}{end}").as_bytes()).is_err() {
            return;
        }
    }
    let _ = stream.shutdown(Shutdown::Write);
}

/// The socket to standard output, to the end of the stream.
fn print_all(stream: &TcpStream, defect: Defect, turns: &Receiver<()>) -> anyhow::Result<()> {
    let mut bytes = [0; 2048];
    let mut unfinished: Vec<u8> = Vec::new();
    loop {
        if defect.is("lockstep") && turns.recv().is_err() {
            return Ok(());
        }
        let count = read(stream, &mut bytes, defect).context("the connection broke")?;
        if count == 0 && defect.is("spins-on-server-eof") {
            println!();
            continue;
        }
        if count == 0 && defect.is("hangs-at-server-eof") {
            thread::park();
        }
        if count == 0 {
            if defect.is("half-message-delivered") && !unfinished.is_empty() {
                print(&unfinished, defect);
            }
            return Ok(());
        }
        if defect.is("recv-is-not-a-message") {
            print(&bytes[..count], defect);
            continue;
        }
        for piece in bytes[..count].split_inclusive(|byte| *byte == b'\n') {
            // An endless line must not fill the memory: what is too much is left out.
            let room = LINE_BYTES_MAX.saturating_sub(unfinished.len());
            unfinished.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                print(&unfinished, defect);
                unfinished.clear();
                if defect.is("joined-lines-lost") {
                    break;
                }
            }
        }
    }
}

fn read(mut stream: &TcpStream, bytes: &mut [u8], defect: Defect) -> std::io::Result<usize> {
    stream.set_nonblocking(defect.is("busy-poll"))?;
    loop {
        match stream.read(bytes) {
            Err(error) if error.kind() == ErrorKind::WouldBlock => {} // asks again
            result => return result,
        }
    }
}

fn print(line: &[u8], defect: Defect) {
    let line = String::from_utf8_lossy(line);
    let line = line.trim_end_matches(['\n', '\r']);
    if defect.is("relays-terminal-escapes") {
        println!("{line}");
    } else {
        println!("{}", printable(line));
    }
    let _ = std::io::stdout().flush();
}
