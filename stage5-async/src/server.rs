//! Layer: the design. Accept, read, hand over, write: a task for each client, and one, the hub, that
//! owns the rooms.

use std::borrow::Cow;
use std::cell::RefCell;
use std::future::pending;
use std::io::{self, ErrorKind};
use std::net::SocketAddr;
use std::pin::pin;
use std::rc::Rc;
use std::time::{Duration, Instant};

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{self, JoinSet};
use tokio::time::{sleep, timeout};

use crate::accept::pause_after;
use crate::admission::{Admission, Refusal, Seat};
use crate::command;
use crate::connection::Connection;
use crate::console::{self, count, explain};
use crate::effects::ClientId;
use crate::hub::{Hub, LETTERS_MAX, Letter, Member};
use crate::limits::Limits;
use crate::line::{CLIENT_LINE_BYTES_MAX, LineDecoder, LineError};
use crate::state::{Eviction, Rooms};

/// How long a client that has ended may take to receive what it is owed (rules L10 and S5.10).
const LAST_LINES_WAIT: Duration = Duration::from_secs(5);

/// How long we wait for the clients' own ends when the whole server ends: people wait for it, and
/// some clients never hang up.
const LAST_READS_AT_SHUTDOWN: Duration = Duration::from_millis(500);

/// Refused newcomers that are kept until they have read why. Each has a descriptor, as a client has.
const REFUSED_MAX: usize = 64;

// ANCHOR: run
/// Serves until `stop` completes, and then ends in order.
pub async fn run(
    listener: TcpListener,
    limits: Limits,
    password: Option<String>,
    stop: impl Future<Output = ()>,
) -> io::Result<()> {
    let limits = Rc::new(limits);
    let admission = Rc::new(RefCell::new(Admission::new(limits.clone())));
    let (mail, mailbox) = mpsc::channel(LETTERS_MAX);
    let rooms = Rooms::new(limits.clone(), password);
    let hub = Hub::new(rooms, admission.clone(), limits.bytes_owed);
    let hub = task::spawn_local(hub.run(mailbox));
    let (clients, refused) = (JoinSet::new(), JoinSet::new());
    let mut server = Server { limits, admission, mail, clients, refused };
    tokio::select! {
        () = server.accept(&listener) => {}
        () = stop => {}
    }
    // Each line says what it makes true.
    drop(listener); // nobody comes in any more
    let _ = server.mail.send(Letter::ShutDown).await; // fails only when the hub is gone
    hub.await?; // everybody has been told
    if timeout(LAST_LINES_WAIT, server.clients.join_all()).await.is_err() {
        console::warn("some clients did not read to the end; closed without them");
    }
    Ok(())
}
// ANCHOR_END: run

struct Server {
    /// How much of everything there may be, as the command line says.
    limits: Rc<Limits>,
    /// Who may come in. Gives each client a *seat*, which also says how often it may speak.
    admission: Rc<RefCell<Admission>>,
    /// Where letters to the hub are posted.
    mail: mpsc::Sender<Letter>,
    /// The clients' tasks.
    clients: JoinSet<()>,
    /// Tasks of newcomers that may not come in.
    refused: JoinSet<()>,
}

impl Server {
    // ANCHOR: accept
    /// Waits for newcomers, for ever.
    async fn accept(&mut self, listener: &TcpListener) {
        let mut pause = Duration::ZERO;
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, address)) => {
                        pause = Duration::ZERO;
                        self.welcome(socket, address);
                    }
                    Err(error) => {
                        let next = pause_after(&error, pause);
                        if pause.is_zero() && !next.is_zero() {
                            console::warn(format_args!(
                                "cannot accept clients for now: {error}; trying again"
                            ));
                        }
                        pause = next;
                        sleep(pause).await;
                    }
                },
                Some(_) = self.clients.join_next() => {} // a finished task is forgotten
                Some(_) = self.refused.join_next() => {}
            }
        }
    }
    // ANCHOR_END: accept

    fn welcome(&mut self, socket: TcpStream, address: SocketAddr) {
        let address = SocketAddr::new(address.ip().to_canonical(), address.port());
        let connection = Rc::new(Connection::new(socket, address, self.limits.bytes_owed));
        match Seat::take(&self.admission, address.ip()) {
            Ok(seat) => {
                let (mail, limits) = (self.mail.clone(), self.limits.clone());
                self.clients.spawn_local(serve(connection, mail, seat, limits));
            }
            Err(Refusal(line)) => {
                explain!("{address}: refused with {}", line.trim_end());
                if self.refused.len() < REFUSED_MAX {
                    self.refused.spawn_local(refuse(connection, line));
                } // else closed at once, with no word
            }
        }
    }
}

async fn refuse(connection: Rc<Connection>, line: String) {
    if connection.write(line.as_bytes()).await.is_ok() {
        connection.hang_up(pending()).await;
    }
}

// ANCHOR: serve
/// One client's task. It has two halves that run side by side and never wait for each other: one
/// takes lines to the hub, one takes what is owed to the socket.
async fn serve(
    connection: Rc<Connection>,
    mail: mpsc::Sender<Letter>,
    seat: Seat,
    limits: Rc<Limits>,
) {
    let member = Member { connection: connection.clone(), lines: seat.lines.clone() };
    let (answer, place) = oneshot::channel();
    let arrived = Letter::Arrived { member, answer };
    let _ = mail.send(arrived).await; // fails when the server ends; then there is no answer either
    let Ok(client) = place.await else { return };
    let mut writing = pin!(write(&connection));
    // The first that ends, ends the conversation: the hub has closed the client, or the connection
    // is broken, or the client has sent its last line.
    let end = tokio::select! {
        biased; // looks at them in this order, instead of one that is drawn by lot each time
        () = connection.outbox.closed() => Ok(()),
        end = &mut writing => end,
        end = read(&connection, &mail, client, &seat) => end,
        () = remind_of_name(&mail, client, &limits) => Ok(()),
    };
    if let Err(error) = &end {
        explain!("{}: the connection is broken: {error}", connection.who());
        let _ = mail.send(Letter::Evict { client, why: why(error) }).await;
    }
    let _ = mail.send(Letter::Left { client }).await; // the hub closes the outbox
    // In the order in which it was said, what is owed; and no longer than that takes.
    if end.is_ok() && timeout(LAST_LINES_WAIT, writing).await.is_ok_and(|end| end.is_ok()) {
        drop(seat); // before the client sees its end, comes again, and finds its place taken
        let server_ends = async {
            mail.closed().await; // the hub has read its last letter
            sleep(LAST_READS_AT_SHUTDOWN).await;
        };
        Box::pin(connection.hang_up(server_ends)).await; // not a part of the task until it ends
    }
}
// ANCHOR_END: serve

// ANCHOR: read
/// Takes line after line to the hub, until the client's last.
///
/// While a line waits for its turn, nothing is read: the bytes pile up in the kernel, and when
/// its buffer is full, TCP makes the sender wait. So a flood costs the server no memory.
async fn read(
    connection: &Connection,
    mail: &mpsc::Sender<Letter>,
    client: ClientId,
    seat: &Seat,
) -> io::Result<()> {
    let mut lines = LineDecoder::new(CLIENT_LINE_BYTES_MAX);
    loop {
        let bytes = connection.read(&mut lines).await?;
        explain!("{}: read {}", connection.who(), count(bytes, "byte"));
        if bytes == 0 {
            return Ok(());
        }
        while let Some(line) = lines.next_line() {
            let line = line.map(Cow::into_owned);
            wait_for_turn(&line, connection, seat).await?;
            let Ok(place) = mail.reserve().await else {
                return Ok(()); // the server is shutting down
            };
            place.send(Letter::Line { client, line });
        }
    }
}
// ANCHOR_END: read

/// Until this client may say one more line and, if the line is a guess at a secret, its address may
/// make one. Nobody else waits here.
async fn wait_for_turn(
    line: &Result<String, LineError>,
    connection: &Connection,
    seat: &Seat,
) -> io::Result<()> {
    while let Err(wait) = seat.take_line(Instant::now()) {
        explain!("{}: its next line waits {} ms", connection.who(), wait.as_millis());
        Box::pin(connection.sleep(wait)).await?; // few ever wait: a box, not a part of each task
    }
    if line.as_deref().is_ok_and(|line| command::tries_a_secret(&command::parse(line))) {
        while let Err(wait) = seat.take_secret(Instant::now()) {
            explain!("{}: its guess waits {} ms", connection.who(), wait.as_millis());
            Box::pin(connection.sleep(wait)).await?;
        }
    }
    Ok(())
}

// ANCHOR: write
/// Writes what the hub puts into the outbox, all of it at once; until the hub closes the outbox.
async fn write(connection: &Connection) -> io::Result<()> {
    let mut lines = Vec::new();
    while connection.outbox.take(&mut lines).await {
        connection.write(&lines).await?;
        explain!("{}: wrote {} at once", connection.who(), lines_in(&lines));
    }
    Ok(())
}
// ANCHOR_END: write

/// One deadline for the whole of choosing a name, however busy the client keeps us meanwhile.
async fn remind_of_name(mail: &mpsc::Sender<Letter>, client: ClientId, limits: &Limits) {
    if limits.seconds_to_register > 0 {
        sleep(Duration::from_secs(limits.seconds_to_register)).await;
        if let Ok(place) = mail.reserve().await {
            place.send(Letter::Evict { client, why: Eviction::NoNameInTime });
        }
    }
    pending().await // never the reason why a conversation ends
}

fn lines_in(bytes: &[u8]) -> String {
    let lines = bytes.iter().filter(|byte| **byte == b'\n').count();
    format!("{} ({})", count(lines, "line"), count(bytes.len(), "byte"))
}

fn why(error: &io::Error) -> Eviction {
    match error.kind() {
        ErrorKind::TimedOut => Eviction::NoAnswer,
        _ => Eviction::Lost,
    }
}
