//! Layer: the design. Accept, read, hand over, write.
//!
//! Each client has two threads. One waits for what the client says, the other one for what the
//! client is owed. Each waits in the kernel for one thing only, so neither needs to ask whether it
//! may: that is what a thread buys. What they share is behind the lock in `hub.rs`.

use std::io;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::sync::mpsc;
use std::thread;
use std::time::{Duration, Instant};

use crate::accept::pause_after;
use crate::connection::{Connection, is_timeout};
use crate::console::{self, count, explain};
use crate::effects::ClientId;
use crate::hub::Hub;
use crate::line::{CLIENT_LINE_BYTES_MAX, LineDecoder};
use crate::room::{Eviction, Standing};
use crate::threads;

/// Bytes of one read. The lock is held for the lines of one read, so this bounds that time too.
const READ_BYTES_MAX: usize = 4096;

// ANCHOR: run
/// Serves for ever. The thread that accepts never waits for a client: it hands each one over to two
/// threads, so that a newcomer who says nothing keeps nobody else out.
pub fn run(listener: &TcpListener, time_to_register: Option<Duration>) {
    let hub = Arc::new(Hub::new());
    let mut threads_are_short = false;
    loop {
        let (socket, address) = accept(listener);
        let connection = Arc::new(Connection::new(socket, address));
        let client = hub.arrive(&connection);
        match start(&hub, client, &connection, time_to_register) {
            Ok(()) => threads_are_short = false,
            Err(error) => {
                if !std::mem::replace(&mut threads_are_short, true) {
                    console::warn(format_args!("cannot start threads for now: {error}"));
                }
                refuse(&hub, client, &connection);
            }
        }
    }
}
// ANCHOR_END: run

// ANCHOR: accept
/// Waits for the next client. No trouble here ends the server (rule L14).
fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut pause = Duration::ZERO;
    loop {
        let error = match listener.accept() {
            Ok(newcomer) => return newcomer,
            Err(error) => error,
        };
        let last = pause;
        pause = pause_after(&error, last);
        if last.is_zero() && !pause.is_zero() {
            console::warn(format_args!("cannot accept clients for now: {error}"));
        }
        thread::sleep(pause);
    }
}
// ANCHOR_END: accept

// ANCHOR: start
/// Gives a client its two threads.
fn start(
    hub: &Arc<Hub>,
    client: ClientId,
    connection: &Arc<Connection>,
    time_to_register: Option<Duration>,
) -> io::Result<()> {
    let port = connection.address.port();
    let (writer_lives, writer_ends) = mpsc::channel();
    let (its_hub, its_connection) = (hub.clone(), connection.clone());
    threads::spawn(format!("{port} writes"), move || {
        write(&its_hub, client, &its_connection);
        its_connection.end_writing();
        drop(writer_lives); // `writer_ends` notices it, and would notice a panic
    })?;
    let (hub, connection) = (hub.clone(), connection.clone());
    threads::spawn(format!("{port} reads"), move || {
        let life = || read(&hub, client, &connection, time_to_register);
        // A panic is a mistake of ours. It costs this client its connection, and others nothing.
        let _ = catch_unwind(AssertUnwindSafe(life));
        hub.leave(client); // the others hear of it now, and the name is free
        connection.end(&writer_ends);
    })
}
// ANCHOR_END: start

/// Tells a client that there is no thread for it. The line has room in the kernel's buffer, so this
/// does not wait. Shortcut: if the client has said something, the close that follows is a reset,
/// and may destroy the line.
fn refuse(hub: &Hub, client: ClientId, connection: &Connection) {
    hub.evict(client, Eviction::NoThread);
    write(hub, client, connection);
    hub.leave(client);
}

// ANCHOR: read
/// The reader's life: until the client ends its side, says `exit` or is sent away.
fn read(hub: &Hub, client: ClientId, connection: &Connection, time_to_register: Option<Duration>) {
    let mut lines = LineDecoder::new(CLIENT_LINE_BYTES_MAX);
    let mut bytes = [0; READ_BYTES_MAX];
    let mut until = time_to_register.and_then(|time| Instant::now().checked_add(time));
    loop {
        let read = match connection.read(&mut bytes, until) {
            Ok(0) => return,
            Ok(read) => &bytes[..read],
            Err(error) if is_timeout(&error) && until.is_some() => {
                return hub.evict(client, Eviction::NoNameInTime);
            }
            Err(error) => return explain!("{}: cannot be read: {error}", hub.who(client)),
        };
        explain!("{}: read {}", hub.who(client), lines_in(read));
        lines.push(read);
        match hub.obey(client, &mut lines) {
            Standing::Nameless => {}
            // It has just got its name: there is no deadline any more.
            Standing::Member if until.take().is_some() => connection.read_without_limit(),
            Standing::Member => {}
            Standing::Gone => return,
        }
    }
}
// ANCHOR_END: read

// ANCHOR: write
/// The writer's life: it sleeps until something is owed, or it is in a `write` that may wait. It holds
/// no lock there, so a client that does not read stops nobody but its own writer. It ends when no
/// more will be owed, or when the client cannot take it.
fn write(hub: &Hub, client: ClientId, connection: &Connection) {
    let mut batch = Vec::new();
    while connection.outbox.take(&mut batch) {
        if let Err(error) = connection.write(&batch) {
            explain!("{}: cannot be written to: {error}", hub.who(client));
            if is_timeout(&error) {
                hub.evict(client, Eviction::ReadsTooSlowly);
            }
            return connection.end_reading();
        }
        explain!("{}: wrote {} at once, and held no lock", hub.who(client), lines_in(&batch));
    }
}
// ANCHOR_END: write

/// For `-v`.
fn lines_in(bytes: &[u8]) -> String {
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    format!("{} ({})", count(lines, "line"), count(bytes.len(), "byte"))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Write};

    /// The most that any test waits for the server.
    const PATIENCE: Duration = Duration::from_secs(20);

    /// A server in this process, and a client that has said something before it was accepted.
    fn client(says: &str, time_to_register: Option<Duration>) -> BufReader<TcpStream> {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut socket = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        socket.write_all(says.as_bytes()).unwrap();
        socket.set_read_timeout(Some(PATIENCE)).unwrap();
        thread::spawn(move || run(&listener, time_to_register));
        BufReader::new(socket)
    }

    /// All that the client hears until its end of stream.
    fn heard(client: BufReader<TcpStream>) -> Vec<String> {
        client.lines().map(Result::unwrap).collect()
    }

    #[test]
    fn who_gives_no_name_in_time_is_told_so_and_closed() {
        let heard = heard(client("", Some(Duration::from_millis(50))));
        assert!(heard.len() == 2 && heard[0] == "NICK" && heard[1].starts_with("! "), "{heard:?}");
    }

    #[test]
    fn who_has_a_name_may_be_silent_for_longer() {
        let time = Duration::from_millis(100);
        let mut client = client("ann\n", Some(time));
        thread::sleep(10 * time);
        client.get_mut().write_all(b"exit\n").unwrap();
        assert_eq!(heard(client), ["NICK", "* welcome ann: 1 here (ann)"]);
    }

    #[test]
    fn a_browser_registers_nobody() {
        let heard = heard(client("POST / HTTP/1.1\r\n\r\nmallory\r\n", None));
        assert!(heard.len() == 2 && heard[1].starts_with("! "), "{heard:?}");
    }
}
