//! One client's task. It has two halves that run side by side and never wait for each other: one
//! takes lines to the hub, one takes what is owed to the socket.

use crate::command;
use crate::console::explain;
use crate::hub::Event;
use crate::limits::{Allowance, ClientId, Limits};
use crate::line::{CLIENT_LINE_BYTES_MAX, LineDecoder, LineError};
use crate::outbox::Outbox;
use crate::server::Seat;
use std::borrow::Cow;
use std::future::{pending, poll_fn};
use std::io::{self, ErrorKind, IoSlice};
use std::mem::MaybeUninit;
use std::pin::Pin;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::io::{AsyncRead, AsyncWriteExt, Interest, ReadBuf};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::sync::mpsc;
use tokio::time::{sleep, timeout};

/// How long an ended client may take to read what it is owed (rule L10).
const LAST_WRITES: Duration = Duration::from_secs(5);

/// How long we then wait for the client's own end.
const LAST_READS: Duration = Duration::from_secs(5);

/// The same when the whole server ends: people wait for it, and some clients never hang up.
const LAST_READS_AT_SHUTDOWN: Duration = Duration::from_millis(500);

/// How long every guess at the admin's password takes, right or wrong.
const PASSWORD_WAIT: Duration = Duration::from_secs(1);

/// Bytes of one read. They lie on the stack while a read runs, not in the task while it waits.
const READ_BYTES: usize = 16 * 1024;

pub struct Connection {
    pub client: ClientId,
    pub socket: TcpStream,
    pub outbox: Rc<Outbox>,
    pub hub: mpsc::Sender<Event>,
}

impl Connection {
    /// Serves the client to its end.
    pub async fn run(mut self, limits: Rc<Limits>, seat: Seat) {
        let end = self.talk(&limits).await;
        let reason = end.as_ref().err().map(plain_words);
        let ended = Event::Ended { client: self.client, reason };
        let _ = self.hub.send(ended).await; // fails when the hub is gone, and nobody is to be told
        if end.is_err() {
            return;
        }
        let (_, mut writer) = self.socket.split();
        let the_rest = write_mail(&self.outbox, &mut writer, self.client);
        if timeout(LAST_WRITES, the_rest).await.is_ok_and(|end| end.is_ok()) {
            drop(seat); // before the client sees its end, comes again, and finds its place taken
            hang_up(&mut self.socket, &self.hub).await;
        }
    }

    // ANCHOR: talk
    /// Both halves, until one of them ends: by the client's last line, or because the connection
    /// is broken. Or until the hub closes the client: a write that is stuck must not prevent it.
    async fn talk(&mut self, limits: &Limits) -> io::Result<()> {
        let (mut reader, mut writer) = self.socket.split();
        // `biased`: looks at them in this order, instead of one that is drawn by lot each time.
        tokio::select! {
            biased;
            () = self.outbox.is_closed() => Ok(()),
            end = write_mail(&self.outbox, &mut writer, self.client) => end,
            end = read_lines(&mut reader, &self.hub, self.client, limits) => end,
            () = remind_of_name(&self.hub, self.client, limits) => Ok(()),
        }
    }
    // ANCHOR_END: talk
}

// ANCHOR: read_lines
/// Takes line after line to the hub, until the client's last.
///
/// While a line waits for its turn, nothing is read: the bytes pile up in the kernel, and when
/// its buffer is full, TCP makes the sender wait. So a flood costs the server no memory.
async fn read_lines(
    reader: &mut ReadHalf<'_>,
    hub: &mpsc::Sender<Event>,
    client: ClientId,
    limits: &Limits,
) -> io::Result<()> {
    let mut decoder = LineDecoder::new(CLIENT_LINE_BYTES_MAX);
    let mut allowance = Allowance::new(limits.lines_per_second, Instant::now());
    while read_once(reader, |bytes| decoder.push(bytes)).await? > 0 {
        let bytes = decoder.bytes_left();
        let mut lines = 0;
        while let Some(line) = decoder.next_line() {
            let line = line.map(Cow::into_owned);
            wait_for_turn(&line, &mut allowance, reader, client).await?;
            let Ok(place) = hub.reserve().await else {
                return Ok(()); // the server is shutting down
            };
            place.send(Event::Line { client, line });
            lines += 1;
        }
        let left = decoder.bytes_left();
        explain!(
            "task of {client}: {bytes} bytes made {lines} lines for the hub; {left} bytes wait for their end"
        );
    }
    explain!("task of {client}: end of input");
    Ok(())
}
// ANCHOR_END: read_lines

/// Nobody but this client waits here.
async fn wait_for_turn(
    line: &Result<String, LineError>,
    allowance: &mut Allowance,
    reader: &ReadHalf<'_>,
    client: ClientId,
) -> io::Result<()> {
    let mut wait = allowance.wait_for_next_line();
    if line.as_ref().is_ok_and(|line| command::is_password(line)) {
        wait += PASSWORD_WAIT;
    }
    if wait.is_zero() {
        return Ok(());
    }
    explain!("task of {client}: its next line waits {} ms for its turn", wait.as_millis());
    in_box(sleep_unless_reset(wait, reader)).await
}

/// For what most clients never wait for. A task is as large as the largest thing that it could
/// ever wait for; the box is made only while one does.
fn in_box<F: Future>(wait: F) -> Pin<Box<F>> {
    Box::pin(wait)
}

/// One read, as soon as there is something to read. 0 bytes are the client's end.
async fn read_once(reader: &mut ReadHalf<'_>, mut take: impl FnMut(&[u8])) -> io::Result<usize> {
    poll_fn(|context| {
        let mut bytes = [MaybeUninit::uninit(); READ_BYTES];
        let mut bytes = ReadBuf::uninit(&mut bytes);
        Pin::new(&mut *reader).poll_read(context, &mut bytes).map_ok(|()| {
            take(bytes.filled());
            bytes.filled().len()
        })
    })
    .await
}

/// Lines of a client that is gone by a reset wait no longer (rule L9).
async fn sleep_unless_reset(wait: Duration, reader: &ReadHalf<'_>) -> io::Result<()> {
    tokio::select! {
        () = sleep(wait) => Ok(()),
        ready = reader.ready(Interest::ERROR) => {
            ready?;
            Err(ErrorKind::ConnectionReset.into())
        }
    }
}

// ANCHOR: write_mail
/// Writes what the hub puts into the outbox, all of it at once; until the hub closes the outbox.
async fn write_mail(
    outbox: &Outbox,
    writer: &mut WriteHalf<'_>,
    client: ClientId,
) -> io::Result<()> {
    while outbox.is_filled().await {
        let write = |owed: &[IoSlice]| {
            let written = match owed {
                [all] => writer.try_write(all)?, // the usual case, and `send` is quicker than `writev`
                parts => writer.try_write_vectored(parts)?,
            };
            explain!("task of {client}: {written} of {} left in one write", in_words(owed));
            Ok(written)
        };
        match outbox.write_with(write) {
            Ok(()) => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => {
                in_box(writer.writable()).await?
            }
            Err(error) => return Err(error),
        }
    }
    Ok(())
}
// ANCHOR_END: write_mail

fn in_words(owed: &[IoSlice]) -> String {
    let bytes: usize = owed.iter().map(|part| part.len()).sum();
    let lines = owed.iter().flat_map(|part| part.iter()).filter(|byte| **byte == b'\n').count();
    format!("{bytes} bytes ({lines} lines)")
}

/// One deadline for the whole of choosing a name, however busy the client keeps us meanwhile.
async fn remind_of_name(hub: &mpsc::Sender<Event>, client: ClientId, limits: &Limits) {
    if limits.seconds_to_register > 0 {
        sleep(Duration::from_secs(limits.seconds_to_register)).await;
        let _ = hub.reserve().await.map(|place| place.send(Event::NameIsDue { client }));
    }
    pending().await // never the reason why a conversation ends
}

/// Tells a connection that counts for nothing why it is refused.
pub async fn refuse(mut socket: TcpStream, why: String, hub: mpsc::Sender<Event>) {
    // A new socket has room for one line, so this need not wait.
    let _ = socket.try_write(format!("! {why}\n").as_bytes());
    hang_up(&mut socket, &hub).await;
}

/// Ends the connection so that the client can read everything that is on its way.
///
/// If we closed the socket while bytes of the client lie there unread, the kernel would send a
/// reset, and a reset destroys what the client has not read yet. So we send our end, and read on
/// until the client sends its own, or our patience ends.
async fn hang_up(socket: &mut TcpStream, hub: &mpsc::Sender<Event>) {
    let read_on = async {
        let (mut reader, mut writer) = socket.split();
        writer.shutdown().await?;
        while read_once(&mut reader, |_| ()).await? > 0 {}
        io::Result::Ok(())
    };
    let patience = async {
        if timeout(LAST_READS, hub.closed()).await.is_ok() {
            sleep(LAST_READS_AT_SHUTDOWN).await;
        }
    };
    tokio::select! {
        _ = read_on => {}
        () = patience => {}
    }
}

fn plain_words(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::ConnectionReset | ErrorKind::BrokenPipe => "connection reset".into(),
        ErrorKind::TimedOut => "no answer".into(),
        _ => "connection lost".into(),
    }
}
