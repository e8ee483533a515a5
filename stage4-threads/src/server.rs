//! Accepting. The one thread that does it never waits for a client: it hands each one to two
//! threads of its own, and a newcomer that says nothing keeps nobody else out.

use std::fmt::Display;
use std::fs;
use std::io::ErrorKind;
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use anyhow::{Context, anyhow};

use crate::connection::{self, Client, Framing};
use crate::console;
use crate::hub::Hub;
use crate::room::{ClientId, Room};

/// The first and the longest pause while the machine has no descriptors left (rule L14).
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

// ANCHOR: run
/// Serves for ever. Only what goes wrong at the start is an error.
pub fn run(host: &str, port: u16, framing: Framing) -> anyhow::Result<()> {
    let listener = listen(host, port)?;
    console::announce(listener.local_addr().context("cannot ask for the address")?);
    let names_are_repeated = framing == Framing::Recv;
    let hub = Arc::new(Hub::new(Room::new(names_are_repeated)));
    let clients_max = clients_max();
    let mut shortage = Shortage::default();
    for id in 1.. {
        let (socket, address) = accept(&listener, &mut shortage);
        console::say(format_args!("{address} connected"));
        let client = Arc::new(Client::new(ClientId(id), socket, address, framing));
        let clients = Arc::strong_count(&hub) - 1; // each reader holds the hub, and this thread does
        if clients >= clients_max {
            client.refuse();
            shortage.tell(format_args!(
                "cannot serve more than {clients_max} clients; a higher vm.max_map_count allows more"
            ));
        } else if let Err(error) = connection::start(&hub, &client) {
            client.refuse();
            shortage
                .tell(format_args!("cannot start a thread for client {}: {error}", clients + 1));
        } else {
            shortage = Shortage::default();
        }
    }
    Ok(())
}
// ANCHOR_END: run

fn listen(host: &str, port: u16) -> anyhow::Result<TcpListener> {
    TcpListener::bind((host, port)).map_err(|error| {
        let (what, hint) = match error.kind() {
            ErrorKind::AddrInUse => (
                "address already in use".to_string(),
                "is another server running? try another PORT, or 0 for any free one",
            ),
            ErrorKind::PermissionDenied => {
                ("permission denied".to_string(), "try a PORT above 1023, or 0 for any free one")
            }
            ErrorKind::AddrNotAvailable => (
                "not an address of this machine".to_string(),
                "try 127.0.0.1, or 0.0.0.0 for all addresses",
            ),
            _ => (error.to_string(), "is HOST an address or a name of this machine?"),
        };
        anyhow!("cannot listen on {host}:{port}: {what}; {hint}")
    })
}

/// Waits for the next client. That a newcomer hangs up before we get to it is its own affair;
/// any other trouble is the machine's, and passes.
fn accept(listener: &TcpListener, shortage: &mut Shortage) -> (TcpStream, SocketAddr) {
    loop {
        match listener.accept() {
            Ok(accepted) => return accepted,
            Err(error) if error.kind() == ErrorKind::ConnectionAborted => {}
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => {
                shortage.tell(format_args!("cannot accept clients for now: {error}"));
                shortage.wait();
            }
        }
    }
}

/// The machine has not enough of something. Said once, however many clients it concerns, and
/// waited for with growing pauses: trying again at once would only burn processor time.
#[derive(Default)]
struct Shortage {
    told: bool,
    pause: Duration,
}

impl Shortage {
    fn tell(&mut self, what: impl Display) {
        if !std::mem::replace(&mut self.told, true) {
            console::warn(what);
        }
    }

    fn wait(&mut self) {
        self.pause = (2 * self.pause).clamp(PAUSE_MIN, PAUSE_MAX);
        thread::sleep(self.pause);
    }
}

/// How many clients this machine can give two threads each, where it is known to bound that.
///
/// Most limits make starting a thread an error, which is easily handled. This one does not:
/// Linux bounds the memory mappings of a process, and a thread that gets its stack but not the
/// page that guards it ends the whole program inside the standard library.
fn clients_max() -> usize {
    let maps = fs::read_to_string("/proc/sys/vm/max_map_count");
    let maps: Option<usize> = maps.ok().and_then(|text| text.trim().parse().ok());
    maps.map_or(usize::MAX, |maps| maps.saturating_sub(MAPS_RESERVED) / MAPS_PER_CLIENT)
}

/// Memory mappings of a client's two threads: each has a stack, a stack for signals, and a page
/// in front of either that catches an overflow.
const MAPS_PER_CLIENT: usize = 8;

/// Memory mappings left for the program itself.
const MAPS_RESERVED: usize = 1000;
