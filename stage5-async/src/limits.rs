//! How much of everything there may be (rule S5.9). No clock and no socket: what time it is and
//! who comes is told by the caller.

use std::collections::HashMap;
use std::fmt;
use std::net::IpAddr;
use std::time::{Duration, Instant};

/// The limits that can be set on the command line. Each may be 0: no limit.
#[derive(clap::Args, Clone, Debug)]
#[command(next_help_heading = "Limits (0: no limit)")]
pub struct Limits {
    /// Clients that are connected at the same time
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub max_clients: usize,
    /// Clients that are connected from one address at the same time
    #[arg(long, value_name = "N", default_value_t = 250)]
    pub clients_per_address: usize,
    /// Rooms, beside #lobby
    #[arg(long, value_name = "N", default_value_t = 1000)]
    pub max_rooms: usize,
    /// Rooms that one client is in, beside #lobby
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub rooms_per_client: usize,
    /// Names and addresses that are banned from one room
    #[arg(long, value_name = "N", default_value_t = 100)]
    pub bans_per_room: usize,
    /// Bytes of a topic
    #[arg(long, value_name = "BYTES", default_value_t = 300)]
    pub topic_bytes: usize,
    /// Lines of one client in a second, with bursts of twice that; further ones wait
    #[arg(long, value_name = "N", default_value_t = 20)]
    pub lines_per_second: u32,
    /// Seconds from connecting to an accepted name
    #[arg(long, value_name = "SECONDS", default_value_t = 60)]
    pub seconds_to_register: u64,
    /// Bytes that the server keeps for one client that does not read
    #[arg(long, value_name = "BYTES", default_value_t = 1_048_576)]
    pub bytes_owed: usize,
}

/// Whether one more fits below a limit. The error names what was reached, and the flag.
pub fn one_more(count: usize, limit: usize, what: &str, flag: &str) -> Result<(), String> {
    if limit == 0 || count < limit {
        Ok(())
    } else {
        Err(format!("{what} (at most {limit}; the server's {flag})"))
    }
}

/// A connected client: a small number that is given to another client once this one is forgotten,
/// as the kernel does it with descriptors. So it can be an index.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ClientId(pub usize);

impl fmt::Display for ClientId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "client {}", self.0)
    }
}

/// Counts who is connected, and gives out the numbers.
#[derive(Debug)]
pub struct Door {
    max_clients: usize,
    clients_per_address: usize,
    inside: usize,
    per_address: HashMap<IpAddr, usize>,
    free: Vec<ClientId>,
}

impl Door {
    pub fn new(limits: &Limits) -> Door {
        Door {
            max_clients: limits.max_clients,
            clients_per_address: limits.clients_per_address,
            inside: 0,
            per_address: HashMap::new(),
            free: Vec::new(),
        }
    }

    pub fn enter(&mut self, from: IpAddr) -> Result<ClientId, String> {
        let here = self.per_address.get(&from).copied().unwrap_or(0);
        one_more(self.inside, self.max_clients, "the server is full", "--max-clients")?;
        let too_many = "too many connections from your address";
        one_more(here, self.clients_per_address, too_many, "--clients-per-address")?;
        self.per_address.insert(from, here + 1);
        let client = self.free.pop().unwrap_or(ClientId(self.inside));
        self.inside += 1;
        Ok(client)
    }

    pub fn leave(&mut self, client: ClientId, from: IpAddr) {
        self.inside -= 1;
        self.free.push(client);
        if let Some(here) = self.per_address.get_mut(&from) {
            *here -= 1;
            if *here == 0 {
                self.per_address.remove(&from);
            }
        }
    }
}

/// Bursts are that many seconds' worth of lines.
const BURST_SECONDS: u32 = 2;

/// Decides when the next line of one client may go.
///
/// Each line books the next free slot of a timetable, one every 1/N seconds. Who has been silent
/// may be early by the length of a burst. One `Instant` is all there is to remember.
#[derive(Debug)]
pub struct Allowance {
    /// From one slot to the next; zero: no limit.
    interval: Duration,
    next_slot: Instant,
}

impl Allowance {
    pub fn new(lines_per_second: u32, now: Instant) -> Allowance {
        let interval = Duration::from_secs(1).checked_div(lines_per_second);
        Allowance { interval: interval.unwrap_or_default(), next_slot: now }
    }

    /// Books one line, now.
    pub fn wait_for_next_line(&mut self) -> Duration {
        match self.interval.is_zero() {
            true => Duration::ZERO, // spares asking the clock for every line
            false => self.book(Instant::now()),
        }
    }

    // ANCHOR: book
    /// Books one line, and says how long it has to wait from now.
    fn book(&mut self, now: Instant) -> Duration {
        let slot = self.next_slot.max(now);
        self.next_slot = slot + self.interval;
        let early = BURST_SECONDS * Duration::from_secs(1) - self.interval;
        let ahead = slot - now;
        ahead.saturating_sub(early)
    }
    // ANCHOR_END: book
}

#[cfg(test)]
mod tests {
    use super::*;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    fn door(max_clients: usize, clients_per_address: usize) -> Door {
        Door {
            max_clients,
            clients_per_address,
            inside: 0,
            per_address: HashMap::new(),
            free: Vec::new(),
        }
    }

    #[test]
    fn a_full_server_lets_the_next_one_in_when_somebody_leaves() {
        let mut door = door(1, 0);
        let first = door.enter(HOME).unwrap();
        assert!(door.enter(AWAY).unwrap_err().contains("--max-clients"));
        door.leave(first, HOME);
        assert_eq!(door.enter(AWAY), Ok(first));
    }

    #[test]
    fn an_address_is_counted_by_itself_and_forgotten_when_nobody_is_left() {
        let mut door = door(0, 1);
        let home = door.enter(HOME).unwrap();
        assert!(door.enter(HOME).unwrap_err().contains("--clients-per-address"));
        door.enter(AWAY).unwrap();
        door.leave(home, HOME);
        assert!(!door.per_address.contains_key(&HOME));
        door.enter(HOME).unwrap();
    }

    #[test]
    fn two_clients_never_share_a_number() {
        let mut door = door(0, 0);
        let ids: Vec<_> = (0..3).map(|_| door.enter(HOME).unwrap()).collect();
        door.leave(ids[0], HOME);
        let again = door.enter(HOME).unwrap();
        let fourth = door.enter(HOME).unwrap();
        assert_eq!(again, ids[0]);
        assert!(!ids.contains(&fourth));
    }

    /// How long each of `count` lines waits that are all there at once.
    fn waits(allowance: &mut Allowance, now: Instant, count: usize) -> Vec<u128> {
        (0..count).map(|_| allowance.book(now).as_millis()).collect()
    }

    #[test]
    fn a_burst_of_twice_the_rate_passes_and_the_rest_comes_at_the_rate() {
        let now = Instant::now();
        let mut allowance = Allowance::new(10, now);
        let waits = waits(&mut allowance, now, 23);
        assert!(waits[..20].iter().all(|wait| *wait == 0), "{waits:?}");
        assert_eq!(waits[20..], [100, 200, 300]);
    }

    #[test]
    fn silence_earns_a_burst_and_no_more() {
        let now = Instant::now();
        let mut allowance = Allowance::new(10, now);
        waits(&mut allowance, now, 20);
        let later = now + Duration::from_secs(3600);
        let waits = waits(&mut allowance, later, 21);
        assert_eq!(waits.iter().filter(|wait| **wait == 0).count(), 20);
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let now = Instant::now();
        let mut allowance = Allowance::new(0, now);
        assert!(waits(&mut allowance, now, 1000).iter().all(|wait| *wait == 0));
    }
}
