//! Layer: the rare faults. How a connection ends so that what was sent arrives. This file is the same in
//! the stages 1 and 2.

use std::io::{self, Read};
use std::net::{Shutdown, TcpStream};
use std::time::Duration;

/// How long an ended connection may still take what it is owed, and how long it may be silent
/// (rule L10 allows 5 s; here the next one waits meanwhile).
pub const ENDING_GRACE: Duration = Duration::from_secs(2);

/// Bytes that may still come from it, at most.
const IGNORED_BYTES_MAX: u64 = 1024 * 1024;

// ANCHOR: close_in_order
/// Ends a connection whose peer may still be sending: it has said `exit`, and not ended.
///
/// Closing the socket alone would destroy what was sent. While bytes wait in it that nobody has
/// read, or when more come later, the kernel answers with a reset (RST) in place of an end
/// (FIN). With it goes what our kernel has not sent yet; RFC 9293 has the other kernel drop what
/// has arrived and was not read as well; and the peer reports a failure. So: say that we have
/// said all, then read what still comes without looking at it, until the peer has ended too.
/// Web servers do the same, under the name of a lingering close.
pub fn close_in_order(socket: &TcpStream) {
    let _ = socket.shutdown(Shutdown::Write); // fails only if the peer is gone already
    let _ = socket.set_read_timeout(Some(ENDING_GRACE));
    // Ends at the peer's end, after a reset, after silence for the grace, or at the limit.
    let _ = io::copy(&mut socket.take(IGNORED_BYTES_MAX), &mut io::sink());
}
// ANCHOR_END: close_in_order
