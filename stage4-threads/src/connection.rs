//! One client and its two threads: the reader waits for what the client says, the writer for
//! what the client is owed. Each waits in the kernel for one thing only, so neither needs to ask
//! whether it may: that is what a thread buys.

use std::borrow::Cow;
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use crate::console::{self, explain};
use crate::hub::Hub;
use crate::line::{self, CLIENT_LINE_BYTES_MAX, LineDecoder, LineError};
use crate::outbox::{OUTBOX_BYTES_MAX, Outbox};
use crate::room::{ClientId, QUESTION};

/// Bytes of one read. The lock is held for the lines of one read, so this bounds that time too.
const READ_BYTES_MAX: usize = 4096;

/// Bytes of one thread's stack. It is reserved as a whole and paid for (in pages of 4 KiB) as
/// far as it is used; the usual 2 MiB would reserve 40 GB for ten thousand clients.
const STACK_BYTES: usize = 64 * 1024;

/// How long a client that has ended may take to receive what it is owed (rule L10).
const LAST_LINES_WAIT: Duration = Duration::from_secs(5);

/// What is one message.
#[derive(Debug, Clone, Copy, PartialEq, Eq, clap::ValueEnum)]
pub enum Framing {
    /// A line, which ends with LF (rule L1)
    Lines,
    /// Whatever one read brings: wrong as soon as the network splits or joins it (rule F2)
    Recv,
}

/// What the hub and both threads know of a client.
pub struct Client {
    pub id: ClientId,
    /// How the console calls it: `[127.0.0.1]:46262`.
    pub label: String,
    pub outbox: Outbox,
    socket: TcpStream,
    framing: Framing,
}

// ANCHOR: start
/// Gives a client its two threads. An error means that the machine has no thread left.
pub fn start(hub: &Arc<Hub>, client: &Arc<Client>) -> io::Result<()> {
    let hub = hub.clone();
    spawn(client, "writes", write_lines)?;
    spawn(client, "reads", move |client| serve(&hub, client))
}

fn spawn(
    client: &Arc<Client>,
    does: &str,
    work: impl FnOnce(&Arc<Client>) + Send + 'static,
) -> io::Result<()> {
    let (_, port) = client.label.rsplit_once(':').unwrap_or_default();
    let thread = thread::Builder::new().name(format!("{port} {does}")).stack_size(STACK_BYTES);
    let client = client.clone();
    thread.spawn(move || work(&client))?; // nobody joins it: it cleans up after itself
    Ok(())
}
// ANCHOR_END: start

/// How `ps -T` and `top -H` call the thread that runs this.
pub fn this_thread() -> String {
    thread::current().name().unwrap_or("main").to_string()
}

// ANCHOR: serve
/// The reader's whole life.
fn serve(hub: &Hub, client: &Arc<Client>) {
    client.tell(QUESTION);
    if let Err(error) = read_lines(hub, client) {
        explain!("thread {:?} cannot read any more: {error}", this_thread());
    }
    // The others hear of it now, and the name is free, whatever the last lines may take.
    hub.leave(client);
    client.end();
    explain!("thread {:?} ends, and its writer has ended before", this_thread());
}

/// Returns when the client has ended its side, said `exit`, or is closed.
fn read_lines(hub: &Hub, client: &Arc<Client>) -> io::Result<()> {
    let mut decoder = LineDecoder::new(CLIENT_LINE_BYTES_MAX);
    loop {
        let chunk = client.read_chunk()?;
        if chunk.is_empty() {
            return Ok(());
        }
        let lines = match client.framing {
            Framing::Lines => lines_of(&mut decoder, &chunk),
            Framing::Recv => message_of(&chunk).into_iter().collect(),
        };
        explain!(
            "thread {:?} read {} bytes: {} complete lines, and {} bytes of the next",
            this_thread(),
            chunk.len(),
            lines.len(),
            decoder.bytes_left()
        );
        if !lines.is_empty() && !hub.obey(client, &lines) {
            return Ok(());
        }
    }
}
// ANCHOR_END: serve

/// A signal may interrupt a call that waits; then it is made again.
fn uninterrupted(mut call: impl FnMut() -> io::Result<usize>) -> io::Result<usize> {
    loop {
        match call() {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            result => return result,
        }
    }
}

fn lines_of(decoder: &mut LineDecoder, chunk: &[u8]) -> Vec<Result<String, LineError>> {
    decoder.push(chunk);
    let mut lines = Vec::new();
    while let Some(line) = decoder.next_line() {
        lines.push(line.map(Cow::into_owned));
    }
    lines
}

/// The documents' clients take one read for one message, and so must their server.
fn message_of(chunk: &[u8]) -> Option<Result<String, LineError>> {
    if chunk.len() > CLIENT_LINE_BYTES_MAX {
        return Some(Err(LineError::TooLong(CLIENT_LINE_BYTES_MAX)));
    }
    let message = line::decode(chunk).map(Cow::into_owned);
    (message != Ok(String::new())).then_some(message)
}

// ANCHOR: write_lines
/// The writer's whole life: it sleeps, or it is in a `write` that may block. It holds no lock
/// there, so a client that does not read stops nobody but its own writer.
fn write_lines(client: &Arc<Client>) {
    let mut batch = Vec::new();
    while client.outbox.take(&mut batch) {
        if let Err(error) = client.send(&batch) {
            explain!("thread {:?} cannot write any more: {error}", this_thread());
            client.shut_down(Shutdown::Both); // wakes the reader, which ends everything
            break;
        }
    }
    client.shut_down(Shutdown::Write); // "that was all": the client sees the end of the stream
    client.outbox.finish();
}
// ANCHOR_END: write_lines

impl Client {
    pub fn new(id: ClientId, socket: TcpStream, address: SocketAddr, framing: Framing) -> Client {
        // Each batch leaves at once, instead of waiting for the acknowledgement of the one
        // before. Fails when the client has gone already, which its reader will find out.
        let _ = socket.set_nodelay(true);
        let label = format!("[{}]:{}", address.ip(), address.port());
        let outbox = Outbox::new(OUTBOX_BYTES_MAX);
        Client { id, label, outbox, socket, framing }
    }

    /// Ends a client that does not read, although its writer is stuck in a `write`: its reader
    /// sees an end of stream and does what it does for everyone who leaves.
    pub fn evict(&self) {
        console::warn(format_args!("{} reads too slowly: closed", self.label));
        self.outbox.wake();
        self.shut_down(Shutdown::Read);
    }

    /// Ends a client that gets no threads. One line always has room in the kernel's buffer of a
    /// socket that is new, so this does not block the thread that accepts.
    pub fn refuse(&self) {
        let _ = (&self.socket).write_all(b"! no thread is free for you: try again later\n");
        self.outbox.close(); // ends the writer, if there is one
    }

    fn tell(&self, line: &str) {
        self.outbox.put(format!("{line}\n").as_bytes());
        self.outbox.wake();
    }

    /// What the client says next; nothing at its end.
    ///
    /// Most clients are silent most of the time, and so there is no buffer while we wait: `peek`
    /// waits for the first byte and leaves it where it is.
    fn read_chunk(&self) -> io::Result<Vec<u8>> {
        uninterrupted(|| self.socket.peek(&mut [0]))?;
        let mut chunk = vec![0; READ_BYTES_MAX];
        let count = uninterrupted(|| (&self.socket).read(&mut chunk))?;
        chunk.truncate(count);
        Ok(chunk)
    }

    fn send(&self, batch: &[u8]) -> io::Result<()> {
        let mut socket = &self.socket;
        match self.framing {
            Framing::Lines => socket.write_all(batch)?,
            Framing::Recv => {
                for message in batch.split(|byte| *byte == b'\n').filter(|m| !m.is_empty()) {
                    socket.write_all(message)?;
                }
            }
        }
        explain!(
            "thread {:?} held no lock, and sent {} lines ({} bytes) {}",
            this_thread(),
            batch.split(|byte| *byte == b'\n').count() - 1,
            batch.len(),
            match self.framing {
                Framing::Lines => "in one write",
                Framing::Recv => "in a write for each",
            }
        );
        Ok(())
    }

    // ANCHOR: end
    /// Sends what is owed, for a limited time, and closes.
    ///
    /// Reads on meanwhile and throws away: closing a socket whose input has not been read makes
    /// the kernel send a reset, and a reset destroys what is still on its way to the client.
    fn end(&self) {
        self.outbox.close();
        let deadline = Instant::now() + LAST_LINES_WAIT;
        self.discard_input_until(deadline);
        self.outbox.wait_until_finished(deadline);
        self.shut_down(Shutdown::Both); // frees a writer that is stuck in a `write`
    }
    // ANCHOR_END: end

    fn discard_input_until(&self, deadline: Instant) {
        let mut bytes = [0; 512];
        loop {
            let rest = deadline.saturating_duration_since(Instant::now());
            // A timeout of zero is an error, and so ends the loop at the deadline.
            if self.socket.set_read_timeout(Some(rest)).is_err() {
                return;
            }
            match uninterrupted(|| (&self.socket).read(&mut bytes)) {
                Ok(0) => return,
                Ok(_) => {}
                Err(_) => return, // the deadline, or a reset
            }
        }
    }

    /// Fails when the client has closed already: then there is nothing to shut down.
    fn shut_down(&self, how: Shutdown) {
        let _ = self.socket.shutdown(how);
    }
}
