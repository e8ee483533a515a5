//! Layer: the rare faults. How a connection ends so that what was sent arrives.
//!
//! This file is the same in stages 1 and 2.

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
///
/// Shortcut: one who sends a byte every second keeps this up for long. So might one who does not
/// say `exit`; whoever serves more than one at a time must count the time as well.
pub fn close_in_order(socket: &TcpStream) {
    let _ = socket.shutdown(Shutdown::Write); // fails only if the peer is gone already
    let _ = socket.set_read_timeout(Some(ENDING_GRACE));
    // Ends at the peer's end, after a reset, after silence for the grace, or at the limit.
    let _ = io::copy(&mut socket.take(IGNORED_BYTES_MAX), &mut io::sink());
}
// ANCHOR_END: close_in_order

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Write;
    use std::net::TcpListener;

    /// The test fails with a reset when the call of `close_in_order` is taken away.
    #[test]
    fn who_has_sent_more_than_was_read_still_hears_the_last_words() {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let mut far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (mut near, _) = listener.accept().unwrap();
        far.write_all(&[b'x'; 10_000]).unwrap();
        far.shutdown(Shutdown::Write).unwrap();
        near.peek(&mut [0]).unwrap(); // something is there, and is not read
        near.write_all(b"goodbye").unwrap();
        close_in_order(&near);
        drop(near);
        let mut heard = String::new();
        far.read_to_string(&mut heard).unwrap();
        assert_eq!(heard, "goodbye");
    }
}
