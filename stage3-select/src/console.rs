//! What the person at this terminal sees: the chat on stdout, everything else on stderr.
//!
//! This file is the same in every stage and has nothing to do with networks, but for the address
//! that others on the network can reach.

use std::fmt::Display;
use std::io::Write;
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};

/// Prints one line of the chat. `println!` would end the program when nobody reads its output
/// any more (`| head -1`); a server has other clients to care for.
pub fn say(line: impl Display) {
    let _ = writeln!(std::io::stdout(), "{line}");
}

/// Tells the person, not the chat, that something is wrong.
pub fn warn(line: impl Display) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// Says where the server listens (rule L15) and, when that is every address of this machine,
/// what people on other machines type.
pub fn announce(address: SocketAddr) {
    say(format_args!("listening on {address}"));
    if address.ip().is_unspecified() {
        let host = lan_address().map_or("ADDRESS-OF-THIS-MACHINE".to_string(), |ip| ip.to_string());
        let program = env!("CARGO_PKG_NAME");
        say(format_args!(
            "on this network others type: {program} client {host} {}",
            address.port()
        ));
    }
}

/// The address under which this machine is known on its network. `connect` on a UDP socket
/// sends nothing; it only makes the kernel choose a route, and with it an address of ours.
fn lan_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?; // an address for documentation (RFC 5737)
    Some(socket.local_addr().ok()?.ip())
}

static VERBOSE: AtomicBool = AtomicBool::new(false);

pub fn set_verbose(verbose: bool) {
    VERBOSE.store(verbose, Ordering::Relaxed);
}

pub fn is_verbose() -> bool {
    VERBOSE.load(Ordering::Relaxed)
}

/// `explain!("{n} bytes made {m} lines")`: with `-v`, says on stderr what the program does and
/// why. Without it the arguments are not even looked at.
macro_rules! explain {
    ($($what:tt)*) => {
        if $crate::console::is_verbose() {
            $crate::console::warn(format_args!("  . {}", format_args!($($what)*)));
        }
    };
}
pub(crate) use explain;
