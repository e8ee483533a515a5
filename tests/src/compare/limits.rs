//! What the machine allows: each client is an open file on both sides.

/// Files that are open besides the clients' connections.
const SPARE_DESCRIPTORS: u64 = 64;

/// Raises our own limit of open files as far as we may: the servers that we start inherit it.
/// The limit in force afterwards; `None` where there is none of this kind.
#[cfg(unix)]
pub fn raise_descriptor_limit() -> Option<u64> {
    use nix::sys::resource::{Resource, getrlimit, setrlimit};
    /// Some systems refuse more, whatever they say is the hard limit (macOS: 10240).
    const ENOUGH: [u64; 3] = [1 << 20, 1 << 16, 10_240];
    let (soft, hard) = getrlimit(Resource::RLIMIT_NOFILE).ok()?;
    for wanted in ENOUGH.map(|enough| enough.min(hard)) {
        if wanted > soft && setrlimit(Resource::RLIMIT_NOFILE, wanted, hard).is_ok() {
            return Some(wanted);
        }
    }
    Some(soft)
}

#[cfg(not(unix))]
pub fn raise_descriptor_limit() -> Option<u64> {
    None
}

/// How many clients `descriptors` open files are enough for.
pub fn clients_within(descriptors: Option<u64>) -> usize {
    let left = descriptors.map(|limit| limit.saturating_sub(SPARE_DESCRIPTORS));
    left.map_or(usize::MAX, |left| left as usize)
}

/// What to tell somebody who asked for more clients than that.
pub fn too_many(clients: usize, descriptors: Option<u64>) -> String {
    let needed = clients as u64 + SPARE_DESCRIPTORS;
    let limit = descriptors.unwrap_or_default();
    format!(
        "{clients} clients need {needed} open files, and this machine allows {limit} to a \
         process; raise it with `ulimit -Hn {needed} && ulimit -n {needed}` (as root, or in \
         /etc/security/limits.conf), or ask for at most --clients {}",
        clients_within(descriptors)
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_message_says_what_limit_and_what_to_do() {
        let text = too_many(10_000, Some(4096));
        for part in ["10064", "4096", "ulimit -Hn 10064", "--clients 4032"] {
            assert!(text.contains(part), "{part} is not in: {text}");
        }
    }
}
