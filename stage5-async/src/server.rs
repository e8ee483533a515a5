//! The door: accepts clients, starts a task for each, and closes everything in order at the end.

use crate::connection::{self, Connection};
use crate::console::{self, explain};
use crate::hub::{self, Event};
use crate::limits::{ClientId, Door, Limits};
use crate::outbox::Outbox;
use anyhow::{Context, bail};
use socket2::{SockRef, TcpKeepalive};
use std::cell::RefCell;
use std::fs;
use std::io;
use std::net::{IpAddr, SocketAddr};
use std::path::PathBuf;
use std::rc::Rc;
use std::time::{Duration, Instant};
use tokio::net::{TcpListener, TcpStream};
use tokio::runtime::{Builder, LocalOptions};
use tokio::sync::mpsc;
use tokio::task::{self, JoinSet};
use tokio::time::{sleep, timeout};

#[derive(clap::Args)]
pub struct Options {
    /// Let who knows the password in the first line of FILE be an operator in every room
    #[arg(long, value_name = "FILE")]
    admin_password_file: Option<PathBuf>,
    #[command(flatten)]
    limits: Limits,
}

/// How long clients may take to read what they are owed when the server ends (rule S5.10).
const SHUTDOWN_GRACE: Duration = Duration::from_secs(5);

/// How many tasks may run before the runtime asks the kernel for news, although others are ready
/// to run. More than its usual 61, so that a thousand writers finish a round before the next one
/// begins: 15 % less processor time per delivery with a thousand clients.
const EVENT_INTERVAL: u32 = 1024;

// ANCHOR: run
pub fn run(host: &str, port: u16, options: Options) -> anyhow::Result<()> {
    let password = options.admin_password_file.map(read_password).transpose()?;
    // A runtime on this one thread: its tasks may share an `Rc`, and no lock is needed anywhere.
    let runtime = Builder::new_current_thread()
        .enable_all()
        .event_interval(EVENT_INTERVAL)
        .build_local(LocalOptions::default())
        .context("cannot start the runtime")?;
    runtime.block_on(serve(host, port, options.limits, password))
}
// ANCHOR_END: run

fn read_password(file: PathBuf) -> anyhow::Result<String> {
    let name = file.display();
    let text = fs::read_to_string(&file)
        .with_context(|| format!("cannot read the admin's password from {name}"))?;
    match text.lines().next().map(str::trim) {
        Some(password) if !password.is_empty() => Ok(password.to_string()),
        _ => bail!("{name} has no password in its first line"),
    }
}

// ANCHOR: serve
async fn serve(
    host: &str,
    port: u16,
    limits: Limits,
    password: Option<String>,
) -> anyhow::Result<()> {
    let listener = listen(host, port).await?;
    let stop = stop_signal()?;
    console::announce(listener.local_addr()?);

    let (to_hub, events) = mpsc::channel(hub::EVENTS_MAX);
    let hub = task::spawn_local(hub::run(events, limits.clone(), password));
    let mut server = Server {
        door: Rc::new(RefCell::new(Door::new(&limits))),
        limits: Rc::new(limits),
        hub: to_hub,
        clients: JoinSet::new(),
    };
    tokio::select! {
        () = server.accept_clients(&listener) => {}
        () = stop => {}
    }
    // Each line says what it makes true.
    drop(listener); // nobody comes in any more
    let _ = server.hub.send(Event::ShutDown).await; // fails only when the hub is gone
    hub.await.context("the hub panicked")?; // everybody has been told
    if timeout(SHUTDOWN_GRACE, server.clients.join_all()).await.is_err() {
        console::warn("some clients did not read to the end; closed without them");
    }
    Ok(())
}
// ANCHOR_END: serve

async fn listen(host: &str, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((host, port)).await.map_err(|error| {
        let what = plain_words(&error);
        anyhow::anyhow!("cannot listen on {host}:{port}: {what}")
    })
}

fn plain_words(error: &io::Error) -> String {
    match error.kind() {
        io::ErrorKind::AddrInUse => {
            "address already in use; is another server running? try another PORT, or 0 for any free one".into()
        }
        io::ErrorKind::PermissionDenied => "permission denied; try a PORT of 1024 or more".into(),
        io::ErrorKind::AddrNotAvailable => {
            "not an address of this machine; try 127.0.0.1, or 0.0.0.0 for all of them".into()
        }
        _ => format!("{error}; is HOST right?"),
    }
}

struct Server {
    limits: Rc<Limits>,
    door: Rc<RefCell<Door>>,
    hub: mpsc::Sender<Event>,
    clients: JoinSet<()>,
}

impl Server {
    // ANCHOR: accept
    async fn accept_clients(&mut self, listener: &TcpListener) {
        let mut pause = Pause::new();
        loop {
            tokio::select! {
                accepted = listener.accept() => match accepted {
                    Ok((socket, address)) => {
                        pause.is_over();
                        self.welcome(socket, canonical(address)).await;
                    }
                    Err(error) => pause.after(error).await,
                },
                Some(_) = self.clients.join_next() => {} // a finished task is forgotten
            }
        }
    }
    // ANCHOR_END: accept

    async fn welcome(&mut self, socket: TcpStream, address: SocketAddr) {
        let _ = socket.set_nodelay(true); // we batch ourselves: Nagle's waiting would only delay
        let _ = SockRef::from(&socket).set_tcp_keepalive(&keepalive()); // else a rare client stays
        let entered = self.door.borrow_mut().enter(address.ip());
        match entered {
            Ok(client) => self.start(client, socket, address).await,
            Err(why) => {
                explain!("door: {address} is refused: {why}");
                self.clients.spawn_local(connection::refuse(socket, why, self.hub.clone()));
            }
        }
    }

    async fn start(&mut self, client: ClientId, socket: TcpStream, address: SocketAddr) {
        let seat = Seat { door: self.door.clone(), client, ip: address.ip() };
        let outbox = Rc::new(Outbox::new(self.limits.bytes_owed));
        let arrived = Event::Arrived { client, address, outbox: outbox.clone() };
        if self.hub.send(arrived).await.is_err() {
            return; // the server is shutting down
        }
        let connection = Connection { client, socket, outbox, hub: self.hub.clone() };
        let limits = self.limits.clone();
        self.clients.spawn_local(connection.run(limits, seat));
    }
}

/// A client whose machine lost its power says nothing any more, not even its end. After a minute
/// of silence the kernel asks whether it is still there, and again every 10 s. The kernel's own
/// setting would be two hours.
fn keepalive() -> TcpKeepalive {
    TcpKeepalive::new().with_time(Duration::from_secs(60)).with_interval(Duration::from_secs(10))
}

/// A client's place at the door. It is free again when this is dropped, however the task ends.
pub struct Seat {
    door: Rc<RefCell<Door>>,
    client: ClientId,
    ip: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.door.borrow_mut().leave(self.client, self.ip);
    }
}

/// On a socket for IPv6 that takes IPv4 too, an IPv4 client's address looks like
/// `::ffff:192.0.2.1`. Bans and counts are for `192.0.2.1`.
fn canonical(address: SocketAddr) -> SocketAddr {
    SocketAddr::new(address.ip().to_canonical(), address.port())
}

/// What to do while `accept` fails, as it does when the process has no descriptor left.
///
/// The client that nobody accepts stays in the kernel's queue, so the next `accept` would fail at
/// once, and the next, a million times a second. Hence the pauses (rule L14).
struct Pause {
    next: Duration,
    last_failure: Option<Instant>,
}

impl Pause {
    const SHORTEST: Duration = Duration::from_millis(10);
    const LONGEST: Duration = Duration::from_secs(1);

    fn new() -> Pause {
        Pause { next: Pause::SHORTEST, last_failure: None }
    }

    fn is_over(&mut self) {
        self.next = Pause::SHORTEST;
    }

    async fn after(&mut self, error: io::Error) {
        // A client that leaves makes place for one, and the next fails again: still the same story.
        let is_news = self.last_failure.is_none_or(|at| at.elapsed() > 3 * Pause::LONGEST);
        self.last_failure = Some(Instant::now());
        if is_news {
            console::warn(format_args!("cannot accept clients for now: {error}; trying again"));
        }
        sleep(self.next).await;
        self.next = (2 * self.next).min(Pause::LONGEST);
    }
}

/// Completes when somebody asks the process to end.
#[cfg(unix)]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    use tokio::signal::unix::{SignalKind, signal};
    let mut interrupt = signal(SignalKind::interrupt()).context("cannot wait for SIGINT")?;
    let mut terminate = signal(SignalKind::terminate()).context("cannot wait for SIGTERM")?;
    Ok(async move {
        tokio::select! {
            _ = interrupt.recv() => {}
            _ = terminate.recv() => {}
        }
    })
}

/// Windows knows Ctrl-C, but no SIGTERM.
#[cfg(not(unix))]
fn stop_signal() -> anyhow::Result<impl Future<Output = ()>> {
    Ok(async {
        let _ = tokio::signal::ctrl_c().await;
    })
}
