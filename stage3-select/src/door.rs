//! The door: the listening socket, and what to do when no more clients fit in.

use crate::console;
use anyhow::{Context, anyhow};
use mio::net::{TcpListener, TcpStream};
use mio::{Interest, Registry, Token};
use std::io::{self, ErrorKind};
use std::net::{SocketAddr, ToSocketAddrs};
use std::time::{Duration, Instant};

/// How long the door stays shut after an `accept` that failed; doubled each time, up to
/// `BACK_OFF_MAX`. Without it the loop would try, and fail, thousands of times in a second.
const BACK_OFF_MIN: Duration = Duration::from_millis(10);
const BACK_OFF_MAX: Duration = Duration::from_secs(1);

pub struct Door {
    listener: TcpListener,
    /// Somebody may be waiting: edge-triggered, so we keep it in mind until `accept` finds nobody.
    knocked: bool,
    /// No more descriptors: shut until then.
    shut_until: Option<Instant>,
    back_off: Duration,
    /// The shortage has been told. Once for each time it happens, not once for each attempt.
    told: bool,
}

impl Door {
    pub fn open(host: &str, port: u16) -> anyhow::Result<Door> {
        let listener = listen(host, port)?;
        Ok(Door { listener, knocked: false, shut_until: None, back_off: BACK_OFF_MIN, told: false })
    }

    pub fn address(&self) -> io::Result<SocketAddr> {
        self.listener.local_addr()
    }

    pub fn register(&mut self, registry: &Registry, token: Token) -> io::Result<()> {
        registry.register(&mut self.listener, token, Interest::READABLE)
    }

    pub fn knock(&mut self) {
        self.knocked = true;
    }

    /// When `accept` is worth a try; `None`: when the kernel says so.
    pub fn opens_at(&self, now: Instant) -> Option<Instant> {
        self.knocked.then_some(self.shut_until.unwrap_or(now))
    }

    // ANCHOR: accept
    /// One newcomer, if there is one and there is room.
    pub fn accept(&mut self, now: Instant) -> Option<(TcpStream, SocketAddr)> {
        while self.opens_at(now)? <= now {
            match self.listener.accept() {
                Ok(newcomer) => {
                    self.shut_until = None;
                    self.back_off = BACK_OFF_MIN;
                    return Some(newcomer);
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => self.nobody_waits(),
                Err(error) if error.kind() == ErrorKind::Interrupted => {} // try again
                Err(error) if error.kind() == ErrorKind::ConnectionAborted => {} // it has gone: next
                Err(error) => self.shut(&error, now),
            }
        }
        None
    }
    // ANCHOR_END: accept

    /// Somebody has left: there is a descriptor again, no need to wait for the time.
    pub fn make_room(&mut self) {
        self.shut_until = None;
    }

    fn nobody_waits(&mut self) {
        self.knocked = false;
        self.shut_until = None;
        if std::mem::take(&mut self.told) {
            console::warn("all who waited are in");
        }
    }

    /// Those who knock wait in the kernel's queue, which is what the backlog of `listen` bounds.
    fn shut(&mut self, error: &io::Error, now: Instant) {
        if !std::mem::replace(&mut self.told, true) {
            console::warn(format_args!(
                "cannot accept now ({error}): newcomers wait until somebody leaves; \
                 the number of descriptors is limited, see ulimit -n"
            ));
        }
        self.shut_until = Some(now + self.back_off);
        self.back_off = (self.back_off * 2).min(BACK_OFF_MAX);
    }
}

/// A name may stand for several addresses: the first that works is taken. mio's `bind` and not
/// that of std, which lets only 128 clients wait to be accepted.
fn listen(host: &str, port: u16) -> anyhow::Result<TcpListener> {
    let what = || format!("cannot listen on {}", show(host, port));
    let mut why = anyhow!("unknown host: no address found");
    for address in (host, port).to_socket_addrs().map_err(unknown_host).with_context(what)? {
        match TcpListener::bind(address) {
            Ok(listener) => return Ok(listener),
            Err(error) => why = anyhow!(advice(&error)),
        }
    }
    Err(why).with_context(what)
}

pub fn show(host: &str, port: u16) -> String {
    if host.contains(':') { format!("[{host}]:{port}") } else { format!("{host}:{port}") }
}

pub fn unknown_host(error: io::Error) -> anyhow::Error {
    anyhow!("unknown host ({error}); is its name spelled right?")
}

fn advice(error: &io::Error) -> String {
    match error.kind() {
        ErrorKind::AddrInUse => "address already in use; is another server running? \
             try another PORT, or 0 for any free one"
            .to_string(),
        ErrorKind::PermissionDenied => {
            "permission denied; try a PORT above 1023, or 0 for any free one".to_string()
        }
        ErrorKind::AddrNotAvailable => "this machine does not have that address; \
             try 127.0.0.1, or 0.0.0.0 for all of its addresses"
            .to_string(),
        _ => error.to_string(),
    }
}
