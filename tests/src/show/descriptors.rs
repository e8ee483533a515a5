//! What a descriptor of the server's is: whose socket, the listener, the console. From the kernel's
//! tables, which any program may read.

use nix::libc;
use std::collections::HashMap;
use std::fs;

/// What stands behind a number.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Descriptor {
    /// A connection, with the port of its other end.
    Socket(u16),
    Listener,
    /// Standard output or standard error.
    Console,
    /// Standard input.
    Keyboard,
    /// Something by which threads wake each other or a loop.
    Bell,
    Other,
}

#[derive(Debug)]
pub struct Descriptors {
    process: i32,
    known: HashMap<u64, Descriptor>,
}

/// The state of a socket that listens, in `/proc/net/tcp`.
const LISTEN: &str = "0A";

impl Descriptors {
    pub fn new(process: i32) -> Descriptors {
        Descriptors { process, known: HashMap::new() }
    }

    /// What the first argument of a call stands for, where it is a descriptor.
    pub fn of_call(&mut self, number: i64, argument: u64) -> Option<Descriptor> {
        let has_descriptor = [
            libc::SYS_read,
            libc::SYS_write,
            libc::SYS_readv,
            libc::SYS_writev,
            libc::SYS_recvfrom,
            libc::SYS_recvmsg,
            libc::SYS_sendto,
            libc::SYS_sendmsg,
            libc::SYS_accept,
            libc::SYS_accept4,
            libc::SYS_close,
            libc::SYS_shutdown,
        ];
        has_descriptor.contains(&number).then(|| self.at(argument)).flatten()
    }

    pub fn at(&mut self, number: u64) -> Option<Descriptor> {
        if let Some(known) = self.known.get(&number) {
            return Some(known.clone());
        }
        let found = self.look_up(number)?;
        self.known.insert(number, found.clone());
        Some(found)
    }

    /// The number will stand for something else.
    pub fn forget(&mut self, number: u64) {
        self.known.remove(&number);
    }

    fn look_up(&self, number: u64) -> Option<Descriptor> {
        match number {
            0 => return Some(Descriptor::Keyboard),
            1 | 2 => return Some(Descriptor::Console),
            _ => {}
        }
        let link = fs::read_link(format!("/proc/{}/fd/{number}", self.process)).ok()?;
        let link = link.to_str()?;
        if let Some(inode) = link.strip_prefix("socket:[").and_then(|rest| rest.strip_suffix(']')) {
            return Some(socket(inode).unwrap_or(Descriptor::Other));
        }
        let is_bell = link.contains("eventfd") || link.starts_with("pipe:");
        Some(if is_bell { Descriptor::Bell } else { Descriptor::Other })
    }
}

/// Columns of the kernel's table: 2 the other end's address, 3 the state, 9 the inode.
fn socket(inode: &str) -> Option<Descriptor> {
    ["/proc/net/tcp", "/proc/net/tcp6"].iter().find_map(|path| {
        let table = fs::read_to_string(path).ok()?;
        let row = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
        let row = row.into_iter().find(|row| row.get(9) == Some(&inode))?;
        if row[3] == LISTEN {
            return Some(Descriptor::Listener);
        }
        let (_, port) = row[2].rsplit_once(':')?;
        Some(Descriptor::Socket(u16::from_str_radix(port, 16).ok()?))
    })
}
