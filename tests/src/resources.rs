//! What a process and everything that it started use: processor time, memory, descriptors.

use std::time::Duration;

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Usage {
    pub processor_time: Duration,
    pub resident_bytes: u64,
    pub threads: usize,
    /// Open descriptors.
    pub descriptors: usize,
    /// Threads that run or would like to: on a busy machine processor time alone tells nothing
    /// of a program that never waits.
    pub runnable: usize,
    /// How often a thread has stopped to wait, or was stopped: one that sleeps a little before
    /// each line uses hardly any processor time, and yet does not rest.
    pub switches: u64,
}

/// The sum over the process group `id`. `None`: this system does not tell, or nobody is left.
#[cfg(target_os = "linux")]
pub fn of_group(id: u32) -> Option<Usage> {
    let mut sum: Option<Usage> = None;
    for entry in std::fs::read_dir("/proc").ok()?.flatten() {
        let folder = entry.path();
        let Some(one) = linux::of_process(&folder, id) else {
            continue; // no process, of another group, or just ended
        };
        let sum = sum.get_or_insert_default();
        sum.processor_time += one.processor_time;
        sum.resident_bytes += one.resident_bytes;
        sum.threads += one.threads;
        sum.descriptors += one.descriptors;
        sum.runnable += one.runnable;
        sum.switches += one.switches;
    }
    sum
}

#[cfg(not(target_os = "linux"))]
pub fn of_group(_: u32) -> Option<Usage> {
    None
}

/// Whether somebody in the process group `id` listens on `port`. `None`: this system does not
/// tell.
#[cfg(target_os = "linux")]
pub fn group_listens(id: u32, port: u16) -> Option<bool> {
    let listeners = linux::listeners(port)?;
    let folders = std::fs::read_dir("/proc").ok()?.flatten();
    let owns = |folder: std::path::PathBuf| {
        linux::group(&folder) == Some(id) && linux::has_one_open(&folder, &listeners)
    };
    Some(!listeners.is_empty() && folders.map(|entry| entry.path()).any(owns))
}

#[cfg(not(target_os = "linux"))]
pub fn group_listens(_: u32, _: u16) -> Option<bool> {
    None
}

/// Bytes that the kernel holds at one end of a connection between two ports of this machine.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Queues {
    /// Not taken by the other end yet.
    pub sent: usize,
    /// Not read by the program at this end yet.
    pub received: usize,
}

/// At the end that has `port`. `None`: this system does not tell, or there is no such connection.
pub fn queues(port: u16, other: u16) -> Option<Queues> {
    let tables = ["/proc/net/tcp", "/proc/net/tcp6"]; // a socket of IPv6 may speak IPv4
    tables.into_iter().find_map(|table| {
        let table = std::fs::read_to_string(table).ok()?;
        table.lines().find_map(|line| queues_in(line, port, other))
    })
}

/// The fields are explained in proc_net_tcp(5).
fn queues_in(line: &str, port: u16, other: u16) -> Option<Queues> {
    let fields: Vec<&str> = line.split_whitespace().collect();
    let [_, local, remote, _, queues, ..] = fields[..] else {
        return None;
    };
    let ends_with = |address: &str, port: u16| address.ends_with(&format!(":{port:04X}"));
    if !ends_with(local, port) || !ends_with(remote, other) {
        return None;
    }
    let (sent, received) = queues.split_once(':')?;
    let bytes = |text| usize::from_str_radix(text, 16).ok();
    Some(Queues { sent: bytes(sent)?, received: bytes(received)? })
}

#[cfg(target_os = "linux")]
mod linux {
    use super::Usage;
    use std::path::Path;
    use std::time::Duration;

    /// The clock of `/proc`: 100 ticks a second on every Linux (proc_pid_stat(5), USER_HZ).
    const TICK: Duration = Duration::from_millis(10);

    pub fn of_process(folder: &Path, group: u32) -> Option<Usage> {
        folder.file_name()?.to_str()?.parse::<u32>().ok()?;
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        // The name may hold blanks and parentheses: what follows its last `)` is numbered from 3.
        let fields: Vec<&str> = stat.rsplit_once(") ")?.1.split(' ').collect();
        let field = |number: usize| fields.get(number - 3)?.parse::<u32>().ok();
        if field(5)? != group {
            return None;
        }
        Some(Usage {
            processor_time: TICK * (field(14)? + field(15)?),
            resident_bytes: resident_bytes(folder).unwrap_or(0),
            threads: field(20)? as usize,
            descriptors: std::fs::read_dir(folder.join("fd")).map_or(0, Iterator::count),
            runnable: runnable_threads(folder),
            switches: switches(folder),
        })
    }

    /// The process group of a process.
    pub fn group(folder: &Path) -> Option<u32> {
        folder.file_name()?.to_str()?.parse::<u32>().ok()?;
        let stat = std::fs::read_to_string(folder.join("stat")).ok()?;
        stat.rsplit_once(") ")?.1.split(' ').nth(2)?.parse().ok()
    }

    /// The sockets that listen on `port`, as they are called among a process's descriptors
    /// (proc_net_tcp(5)).
    pub fn listeners(port: u16) -> Option<Vec<String>> {
        let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(std::fs::read_to_string);
        if tables.iter().all(Result::is_err) {
            return None;
        }
        let local = format!(":{port:04X}");
        let listener = |line: &str| {
            let fields: Vec<&str> = line.split_whitespace().collect();
            let listens = fields.get(1)?.ends_with(&local) && *fields.get(3)? == "0A";
            listens.then(|| format!("socket:[{}]", fields.get(9).unwrap_or(&"")))
        };
        let lines = tables.iter().flatten().flat_map(|table| table.lines());
        Some(lines.filter_map(listener).collect())
    }

    /// Whether one of its descriptors is one of `sockets`.
    pub fn has_one_open(folder: &Path, sockets: &[String]) -> bool {
        let Ok(descriptors) = std::fs::read_dir(folder.join("fd")) else {
            return false;
        };
        let names = descriptors.flatten().filter_map(|entry| std::fs::read_link(entry.path()).ok());
        names.filter_map(|name| name.to_str().map(String::from)).any(|name| sockets.contains(&name))
    }

    fn runnable_threads(folder: &Path) -> usize {
        let Ok(threads) = std::fs::read_dir(folder.join("task")) else {
            return 0;
        };
        let runs =
            |stat: &String| stat.rsplit_once(") ").is_some_and(|(_, rest)| rest.starts_with('R'));
        let stats = threads
            .flatten()
            .filter_map(|thread| std::fs::read_to_string(thread.path().join("stat")).ok());
        stats.filter(runs).count()
    }

    fn switches(folder: &Path) -> u64 {
        let threads = std::fs::read_dir(folder.join("task")).into_iter().flatten().flatten();
        let statuses =
            threads.filter_map(|thread| std::fs::read_to_string(thread.path().join("status")).ok());
        let of_thread = |status: String| -> u64 {
            let lines = status.lines().filter_map(|line| line.split_once("ctxt_switches:"));
            lines.filter_map(|(_, count)| count.trim().parse::<u64>().ok()).sum()
        };
        statuses.map(of_thread).sum()
    }

    fn resident_bytes(folder: &Path) -> Option<u64> {
        let status = std::fs::read_to_string(folder.join("status")).ok()?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:"))?;
        let kibibytes: u64 = line.trim().strip_suffix(" kB")?.parse().ok()?;
        Some(kibibytes * 1024)
    }
}

/// Allows this process, and those that it starts, as many descriptors as the system permits.
#[cfg(unix)]
pub fn allow_many_descriptors() -> usize {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    let Ok((soft, hard)) = getrlimit(Resource::RLIMIT_NOFILE) else {
        return 0;
    };
    let wanted = hard.min(65_536); // some systems say "unlimited" and mean something else
    if soft < wanted && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_err() {
        return soft as usize;
    }
    soft.max(wanted) as usize
}

#[cfg(not(unix))]
pub fn allow_many_descriptors() -> usize {
    usize::MAX
}

/// How many bytes the kernel may hold on its way from one socket to another, at the most.
pub fn socket_buffers_bytes_max() -> usize {
    let of = |name: &str| {
        let text = std::fs::read_to_string(format!("/proc/sys/net/ipv4/{name}")).ok()?;
        text.split_whitespace().nth(2)?.parse::<usize>().ok()
    };
    // Elsewhere than on Linux: more than macOS and Windows allow by default.
    of("tcp_wmem").unwrap_or(8 << 20)
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::patience::Patience;
    use crate::process::{PATIENCE, Process};
    use crate::work::Worker;
    use std::process::Command;

    #[test]
    fn the_whole_group_is_counted() {
        let mut command = Command::new("sh");
        command.args(["-c", "sleep 60 & sleep 60 & echo ready; wait"]);
        let process = Process::start("sh", command).unwrap();
        process.stdout.wait(crate::process::PATIENCE, |screen| screen.lines.first().map(|_| ()));
        let usage = of_group(process.id()).unwrap();
        assert!(usage.threads >= 3 && usage.resident_bytes > 0 && usage.descriptors >= 9);
    }

    #[test]
    fn what_nobody_has_read_is_in_a_queue() {
        use std::io::Write;
        let listener = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
        let server = listener.local_addr().unwrap();
        let mut client = std::net::TcpStream::connect(server).unwrap();
        let (_unread, address) = listener.accept().unwrap();
        client.write_all(b"hello").unwrap();
        let mut patience = Patience::new(Worker::default(), PATIENCE);
        let at_server = || queues(server.port(), address.port());
        while at_server() != Some(Queues { sent: 0, received: 5 }) && patience.pause() {}
        assert_eq!(at_server(), Some(Queues { sent: 0, received: 5 }));
        assert_eq!(queues(server.port(), server.port()), None);
    }

    #[test]
    fn who_is_gone_uses_nothing() {
        assert_eq!(of_group(u32::MAX), None);
    }
}
