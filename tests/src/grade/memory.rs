//! The memory limit: looks at every process that a lab has started, and ends one that uses too
//! much. A limit that the kernel keeps (`ulimit -v`) would not do: it counts what a Java or
//! JavaScript machine reserves, not what it uses.

/// Ends each process below `lab` that uses more than `bytes`. Whether there was one.
pub fn end_greedy(lab: u32, bytes: u64) -> bool {
    let mut ended = false;
    for (id, used) in below(lab, &processes()) {
        if used > bytes {
            end(id);
            ended = true;
        }
    }
    ended
}

#[derive(Debug, Clone, Copy)]
struct Facts {
    id: u32,
    parent: u32,
    resident_bytes: u64,
}

/// The processes that descend from `root`, with the memory that they use.
fn below(root: u32, processes: &[Facts]) -> Vec<(u32, u64)> {
    let mut found = Vec::new();
    let mut parents = vec![root];
    while let Some(parent) = parents.pop() {
        for facts in processes.iter().filter(|facts| facts.parent == parent) {
            found.push((facts.id, facts.resident_bytes));
            parents.push(facts.id);
        }
    }
    found
}

#[cfg(target_os = "linux")]
fn processes() -> Vec<Facts> {
    let Ok(folder) = std::fs::read_dir("/proc") else {
        return Vec::new();
    };
    let ids = folder.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse().ok());
    ids.filter_map(facts).collect()
}

#[cfg(target_os = "linux")]
fn facts(id: u32) -> Option<Facts> {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).ok()?;
    let number = |label: &str| -> Option<u64> {
        let line = status.lines().find_map(|line| line.strip_prefix(label))?;
        line.split_whitespace().next()?.parse().ok()
    };
    Some(Facts { id, parent: number("PPid:")? as u32, resident_bytes: number("VmRSS:")? * 1024 })
}

#[cfg(not(target_os = "linux"))]
fn processes() -> Vec<Facts> {
    let mut command = std::process::Command::new("ps");
    let Ok(output) = command.args(["-axo", "pid=,ppid=,rss="]).output() else {
        return Vec::new(); // Windows: there is no limit
    };
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    let rows = text.lines().filter_map(|line| {
        let mut numbers = line.split_whitespace().map(|word| word.parse::<u64>().ok());
        Some(Facts {
            id: numbers.next()?? as u32,
            parent: numbers.next()?? as u32,
            resident_bytes: numbers.next()?? * 1024,
        })
    });
    rows.collect()
}

#[cfg(unix)]
fn end(id: u32) {
    use nix::sys::signal::{Signal, kill};
    let _ = kill(nix::unistd::Pid::from_raw(id as i32), Signal::SIGKILL);
}

#[cfg(not(unix))]
fn end(_: u32) {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn grandchildren_count_and_strangers_do_not() {
        let row = |id, parent| Facts { id, parent, resident_bytes: u64::from(id) };
        let all = [row(2, 1), row(3, 2), row(4, 3), row(5, 9)];
        let mut found = below(2, &all);
        found.sort();
        assert_eq!(found, [(3, 3), (4, 4)]);
    }
}
