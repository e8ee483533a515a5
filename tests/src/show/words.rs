//! A system call in the lab's words. Pure.

use super::descriptors::Descriptor;
use super::recording::{Call, Kind};
use nix::errno::Errno;
use nix::libc;
use std::collections::HashMap;

/// A call as the kernel knows it.
#[derive(Debug, Clone)]
pub struct Raw {
    pub thread: i32,
    /// Microseconds since the log began.
    pub began: u64,
    pub at: u64,
    pub number: i64,
    pub arguments: [u64; 6],
    /// A negative one is an error's number. `None`: the thread is still in it.
    pub result: Option<i64>,
    /// What the call was made on; of `accept`, the newcomer's.
    pub descriptor: Option<Descriptor>,
}

/// What is drawn: calls on sockets and on the console, waiting, and waking.
pub fn is_worth_a_mark(raw: &Raw) -> bool {
    match name_and_kind(raw.number) {
        None => false,
        Some((_, Kind::Anybody | Kind::Thread)) => true,
        Some(_) => !matches!(raw.descriptor, None | Some(Descriptor::Other)) || sleeps(raw.number),
    }
}

fn sleeps(number: i64) -> bool {
    matches!(number, libc::SYS_nanosleep | libc::SYS_clock_nanosleep)
}

fn name_and_kind(number: i64) -> Option<(&'static str, Kind)> {
    Some(match number {
        libc::SYS_read => ("read", Kind::Reads),
        libc::SYS_readv => ("readv", Kind::Reads),
        libc::SYS_recvfrom => ("recv", Kind::Reads),
        libc::SYS_recvmsg => ("recvmsg", Kind::Reads),
        libc::SYS_write => ("write", Kind::Writes),
        libc::SYS_writev => ("writev", Kind::Writes),
        libc::SYS_sendto => ("send", Kind::Writes),
        libc::SYS_sendmsg => ("sendmsg", Kind::Writes),
        libc::SYS_accept => ("accept", Kind::Anybody),
        libc::SYS_accept4 => ("accept4", Kind::Anybody),
        libc::SYS_epoll_pwait => ("epoll_pwait", Kind::Anybody),
        libc::SYS_ppoll => ("ppoll", Kind::Anybody),
        libc::SYS_pselect6 => ("pselect6", Kind::Anybody),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_epoll_wait => ("epoll_wait", Kind::Anybody),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => ("poll", Kind::Anybody),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_select => ("select", Kind::Anybody),
        libc::SYS_futex => ("futex", Kind::Thread),
        libc::SYS_nanosleep => ("nanosleep", Kind::Other),
        libc::SYS_clock_nanosleep => ("clock_nanosleep", Kind::Other),
        libc::SYS_close => ("close", Kind::Other),
        libc::SYS_shutdown => ("shutdown", Kind::Other),
        _ => return None,
    })
}

/// In words, with people's names for the ports.
pub fn describe(raw: &Raw, ports: &HashMap<u16, String>) -> Call {
    let (name, mut kind) = name_and_kind(raw.number).unwrap_or(("?", Kind::Other));
    let who = match &raw.descriptor {
        Some(Descriptor::Socket(port)) => ports.get(port).cloned(),
        _ => None,
    };
    let is_console = raw.descriptor == Some(Descriptor::Console);
    let is_bell = matches!(raw.descriptor, Some(Descriptor::Bell | Descriptor::Keyboard));
    kind = match kind {
        Kind::Writes if is_console => Kind::Prints,
        Kind::Writes | Kind::Reads if is_bell => Kind::Other,
        kind => kind,
    };
    let transfers = matches!(kind, Kind::Reads | Kind::Writes | Kind::Prints) && !only_looks(raw);
    let bytes = raw.result.filter(|count| transfers && *count >= 0).map(|count| count as usize);
    let words = words(raw, name, kind, who.as_deref());
    Call { thread: raw.thread, began: raw.began, name: name.to_string(), words, kind, who, bytes }
}

/// `MSG_PEEK`: the bytes stay where they are, and the next read brings them again.
fn only_looks(raw: &Raw) -> bool {
    raw.number == libc::SYS_recvfrom && raw.arguments[3] & libc::MSG_PEEK as u64 != 0
}

fn words(raw: &Raw, name: &str, kind: Kind, who: Option<&str>) -> String {
    let whose = who.map_or("a socket".to_string(), |who| format!("{who}'s socket"));
    let Some(result) = raw.result else { return format!("{name}: still waits ({})", kind.word()) };
    let error = (result < 0).then(|| Errno::from_raw(-result as i32));
    match (kind, error) {
        (Kind::Reads, Some(Errno::EAGAIN)) => format!("{name}: nothing in {whose}"),
        (Kind::Writes, Some(Errno::EAGAIN)) => format!("{name}: {whose} takes nothing now"),
        (Kind::Anybody, Some(Errno::EAGAIN)) => format!("{name}: nobody else waits"),
        (Kind::Thread, Some(Errno::EAGAIN)) => format!("{name}: no need to wait"),
        (_, Some(error)) => format!("{name}: {whose}: {}", error.desc().to_lowercase()),
        (Kind::Reads, None) if result == 0 => format!("{name}: {whose} has ended"),
        (Kind::Reads, None) if only_looks(raw) => format!("{name}: looks at {whose}"),
        (Kind::Reads, None) => format!("{name} from {whose}: {}", many(result, "byte")),
        (Kind::Writes, None) => format!("{name} to {whose}: {}", many(result, "byte")),
        (Kind::Prints, None) => format!("{name} to the console: {}", many(result, "byte")),
        (Kind::Anybody, None) if name.starts_with("accept") => {
            format!("{name}: {} comes", who.unwrap_or("somebody"))
        }
        (Kind::Anybody, None) if result == 0 => format!("{name}: nobody, in time"),
        (Kind::Anybody, None) => format!("{name}: {} ready", many(result, "descriptor")),
        (Kind::Thread, None) if matches!(raw.arguments[1] & 0x7f, 1 | 10) => match result {
            0 => format!("{name}: nobody to wake"),
            count => format!("{name}: wakes {}", many(count, "thread")),
        },
        (Kind::Thread, None) => format!("{name}: was woken"),
        (Kind::Other, None) => match &raw.descriptor {
            Some(Descriptor::Bell) if name == "write" => {
                "write: rings the bell of a loop".to_string()
            }
            Some(Descriptor::Bell) => format!("{name}: the bell of the loop"),
            Some(Descriptor::Keyboard) => format!("{name} from the keyboard"),
            Some(Descriptor::Socket(_)) => format!("{name}: {whose}"),
            Some(Descriptor::Listener) => format!("{name}: the listening socket"),
            _ => name.to_string(),
        },
    }
}

fn many(count: i64, what: &str) -> String {
    format!("{count} {what}{}", if count == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn call(number: i64, result: i64) -> String {
        let raw = Raw {
            thread: 1,
            began: 0,
            at: 1,
            number,
            arguments: [0; 6],
            result: Some(result),
            descriptor: Some(Descriptor::Socket(4000)),
        };
        describe(&raw, &HashMap::from([(4000, "ann".to_string())])).words
    }

    #[test]
    fn a_call_is_told_with_the_name_of_the_person() {
        assert_eq!(call(libc::SYS_recvfrom, 7), "recv from ann's socket: 7 bytes");
        assert_eq!(call(libc::SYS_recvfrom, 0), "recv: ann's socket has ended");
        assert_eq!(call(libc::SYS_sendto, 1), "send to ann's socket: 1 byte");
        assert_eq!(call(libc::SYS_accept4, 9), "accept4: ann comes");
    }

    #[test]
    fn would_block_is_an_answer_and_no_error() {
        let again = -i64::from(libc::EAGAIN);
        assert_eq!(call(libc::SYS_recvfrom, again), "recv: nothing in ann's socket");
        assert_eq!(call(libc::SYS_sendto, again), "send: ann's socket takes nothing now");
    }
}
