//! What the system tells about a server from outside.

use std::collections::BTreeMap;
use std::fs;

/// How many threads the process has, where the system tells. One that is called `console` does
/// nothing but print (rule L17): it is no part of the design.
pub fn threads(process: u32) -> Option<usize> {
    let tasks = fs::read_dir(format!("/proc/{process}/task")).ok()?;
    let names =
        tasks.flatten().filter_map(|task| fs::read_to_string(task.path().join("comm")).ok());
    Some(names.filter(|name| name.trim_end() != "console").count())
}

/// How many connections of the server on this port were accepted, and how many wait for it,
/// where the system tells. Columns of `/proc/net/tcp`: 1 and 2 the two addresses, 3 the state (01:
/// established), 9 the socket's inode, which is 0 until the server has accepted it.
pub fn connections(port: u16) -> Option<(usize, usize)> {
    let table = fs::read_to_string("/proc/net/tcp").ok()?;
    let own = format!(":{port:04X}");
    let rows = table.lines().map(|line| line.split_whitespace().collect::<Vec<_>>());
    let established = rows.filter(|row| row.len() > 9 && row[1].ends_with(&own) && row[3] == "01");
    // By the other end's address: a row may be read twice while others come and go.
    let accepted: BTreeMap<_, _> = established.map(|row| (row[2], row[9] != "0")).collect();
    let served = accepted.values().filter(|accepted| **accepted).count();
    Some((served, accepted.len() - served))
}
