//! Layer: the rare faults. What a failed `accept` means for the next one (rule L14).
//!
//! This file is the same in all stages.

use std::io::{Error, ErrorKind};
use std::time::Duration;

/// The first and the longest pause while the machine has not enough of something.
const PAUSE_MIN: Duration = Duration::from_millis(10);
const PAUSE_MAX: Duration = Duration::from_secs(1);

/// How long to wait before `accept` is called again; `last` is the pause before, zero after a
/// success. Zero: at once, for the trouble is that of one newcomer.
///
/// Anything else is a shortage of the machine's, mostly of descriptors. The newcomer that nobody
/// accepts stays in the kernel's queue, so the next `accept` would fail at once, and the next, a
/// million times a second: hence the pauses, each twice as long as the one before.
pub fn pause_after(error: &Error, last: Duration) -> Duration {
    match is_the_newcomers(error) {
        true => Duration::ZERO,
        false => (2 * last).clamp(PAUSE_MIN, PAUSE_MAX),
    }
}

/// It has hung up before we came to it, or the network has lost it. Linux reports what happened to
/// one connection as if `accept` had failed (accept(2), "Error handling"); Windows says WSAECONNRESET
/// (10054) and WSAENOTCONN (10057).
fn is_the_newcomers(error: &Error) -> bool {
    use ErrorKind::*;
    matches!(
        error.kind(),
        Interrupted
            | ConnectionAborted
            | ConnectionReset
            | NotConnected
            | NetworkDown
            | NetworkUnreachable
            | HostUnreachable
            | TimedOut
    ) || is_listed(error.raw_os_error())
}

/// Those of the list in accept(2) that the standard library has no name for.
#[cfg(target_os = "linux")]
fn is_listed(code: Option<i32>) -> bool {
    const ENONET: i32 = 64;
    const EPROTO: i32 = 71;
    const ENOPROTOOPT: i32 = 92;
    const EOPNOTSUPP: i32 = 95;
    const EHOSTDOWN: i32 = 112;
    matches!(code, Some(ENONET | EPROTO | ENOPROTOOPT | EOPNOTSUPP | EHOSTDOWN))
}

#[cfg(not(target_os = "linux"))]
fn is_listed(_: Option<i32>) -> bool {
    false
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_hangs_up_before_it_is_accepted_delays_nobody() {
        for kind in [ErrorKind::ConnectionAborted, ErrorKind::ConnectionReset] {
            assert_eq!(pause_after(&kind.into(), PAUSE_MAX), Duration::ZERO, "{kind}");
        }
    }

    #[test]
    #[cfg(target_os = "linux")]
    fn what_linux_lists_is_the_newcomers() {
        for code in [64, 71, 92, 95, 100, 101, 103, 112, 113] {
            let error = Error::from_raw_os_error(code);
            assert_eq!(pause_after(&error, Duration::ZERO), Duration::ZERO, "{error}");
        }
    }

    #[test]
    fn a_shortage_is_waited_for_with_pauses_that_grow_to_a_second() {
        let shortage = Error::other("too many open files");
        let mut pause = Duration::ZERO;
        let pauses: Vec<u128> = std::iter::repeat_with(|| {
            pause = pause_after(&shortage, pause);
            pause.as_millis()
        })
        .take(9)
        .collect();
        assert_eq!(pauses, [10, 20, 40, 80, 160, 320, 640, 1000, 1000]);
    }
}
