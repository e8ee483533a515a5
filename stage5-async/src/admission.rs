//! Layer: the rare faults. Who may come in, and what is remembered of an address when its clients have
//! left: whoever reconnects begins where it has ended. No clock and no socket.

use std::cell::RefCell;
use std::collections::HashMap;
use std::net::IpAddr;
use std::rc::Rc;
use std::time::{Duration, Instant};

use crate::limits::{Limits, one_address, one_more};
use crate::pace::Bucket;

const SECOND: Duration = Duration::from_secs(1);
const MINUTE: Duration = Duration::from_secs(60);

/// Wrong secrets (passwords, keys of rooms) from one address, before it has to wait a second for each.
const SECRETS_BURST: u32 = 5;

/// Addresses that are known before those with nothing to remember are looked for the first time.
const ADDRESSES_MIN: usize = 1024;

#[derive(Debug)]
pub struct Admission {
    limits: Rc<Limits>,
    /// Clients that are connected.
    inside: usize,
    /// By [`one_address`].
    addresses: HashMap<IpAddr, Record>,
    /// When there are so many addresses, those with nothing to remember are forgotten.
    addresses_max: usize,
}

/// What is known of one address.
#[derive(Debug)]
struct Record {
    /// Its clients that are connected.
    inside: usize,
    /// A token for each connection.
    connects: Bucket,
    /// A token for each secret that is tried; a right one gives it back.
    secrets: Bucket,
    /// The emptiest bucket for lines that a client has left behind.
    lines: Bucket,
}

/// Why a newcomer is refused: the whole line that it is told.
#[derive(Debug, PartialEq, Eq)]
pub struct Refusal(pub String);

impl Admission {
    pub fn new(limits: Rc<Limits>) -> Admission {
        let addresses_max = ADDRESSES_MIN;
        Admission { limits, inside: 0, addresses: HashMap::new(), addresses_max }
    }

    /// Lets a newcomer in, with a bucket for its lines. Who is refused counts for nothing.
    pub fn enter(&mut self, ip: IpAddr, now: Instant) -> Result<Bucket, Refusal> {
        self.forget_addresses(now);
        self.admit(ip, now).map_err(|why| Refusal(format!("! {why}\n")))
    }

    fn admit(&mut self, ip: IpAddr, now: Instant) -> Result<Bucket, String> {
        let limits = &self.limits;
        one_more(self.inside, limits.max_clients, "the server is full", "--max-clients")?;
        let new = || Record::new(limits, now);
        let record = self.addresses.entry(one_address(ip)).or_insert_with(new);
        let too_many = "too many connections from your address";
        one_more(record.inside, limits.clients_per_address, too_many, "--clients-per-address")?;
        record.connects.take(now).map_err(|wait| {
            let (max, wait) = (limits.connects_per_minute, wait.as_secs() + 1);
            format!(
                "too many connections from your address in a minute (at most {max}; \
                 the server's --connects-per-minute): come again in {wait} s"
            )
        })?;
        record.inside += 1;
        self.inside += 1;
        Ok(record.lines.clone())
    }

    /// A client has left, and with it the bucket for its lines. A newcomer from there gets the
    /// same: else whoever reconnects would have a new burst each time.
    pub fn leave(&mut self, ip: IpAddr, lines: Bucket) {
        self.inside -= 1;
        if let Some(record) = self.addresses.get_mut(&one_address(ip)) {
            record.inside -= 1;
            record.lines = lines.or_emptier(&record.lines);
        }
    }

    /// Whether a secret may be tried from there now, or how long not.
    pub fn take_secret(&mut self, ip: IpAddr, now: Instant) -> Result<(), Duration> {
        let record = self.addresses.get_mut(&one_address(ip));
        record.map_or(Ok(()), |record| record.secrets.take(now))
    }

    /// The secret that was tried was right.
    pub fn secret_was_right(&mut self, ip: IpAddr) {
        if let Some(record) = self.addresses.get_mut(&one_address(ip)) {
            record.secrets.give_back();
        }
    }

    /// Looks at all addresses, but only when they have become twice as many as were worth remembering.
    fn forget_addresses(&mut self, now: Instant) {
        if self.addresses.len() >= self.addresses_max {
            self.addresses.retain(|_, record| record.is_worth_remembering(now));
            self.addresses_max = ADDRESSES_MIN.max(2 * self.addresses.len());
        }
    }
}

impl Record {
    fn new(limits: &Limits, now: Instant) -> Record {
        let (connects, lines) = (limits.connects_per_minute, limits.lines_per_second);
        Record {
            inside: 0,
            connects: Bucket::new(connects, MINUTE, connects, now),
            secrets: Bucket::new(1, SECOND, SECRETS_BURST, now),
            lines: Bucket::new(lines, SECOND, lines.saturating_mul(2), now),
        }
    }

    fn is_worth_remembering(&self, now: Instant) -> bool {
        let buckets = [&self.connects, &self.secrets, &self.lines];
        self.inside > 0 || buckets.iter().any(|bucket| !bucket.is_full(now))
    }
}

/// A client's place. It is free again when this is dropped, however the client's task ends.
#[derive(Debug)]
pub struct Seat {
    admission: Rc<RefCell<Admission>>,
    ip: IpAddr,
    /// A token for each line. The client's task takes them, and the hub charges for long answers.
    pub lines: Rc<RefCell<Bucket>>,
}

impl Seat {
    pub fn take(admission: &Rc<RefCell<Admission>>, ip: IpAddr) -> Result<Seat, Refusal> {
        let lines = admission.borrow_mut().enter(ip, Instant::now())?;
        let lines = Rc::new(RefCell::new(lines));
        Ok(Seat { admission: admission.clone(), ip, lines })
    }

    /// Whether the client may say a line now, or how long not.
    pub fn take_line(&self, now: Instant) -> Result<(), Duration> {
        self.lines.borrow_mut().take(now)
    }

    /// Whether it may try a secret now, or how long not.
    pub fn take_secret(&self, now: Instant) -> Result<(), Duration> {
        self.admission.borrow_mut().take_secret(self.ip, now)
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        let lines = self.lines.borrow().clone();
        self.admission.borrow_mut().leave(self.ip, lines);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use clap::Parser;

    const HOME: IpAddr = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
    const AWAY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));

    #[derive(Parser)]
    struct Flags {
        #[command(flatten)]
        limits: Limits,
    }

    fn admission(flags: &[&str]) -> Admission {
        let flags = Flags::parse_from([&["server"], flags].concat());
        Admission::new(Rc::new(flags.limits))
    }

    #[track_caller]
    fn expect_refusal(admission: &mut Admission, ip: IpAddr, now: Instant, flag: &str) {
        let Refusal(line) = admission.enter(ip, now).unwrap_err();
        assert!(line.starts_with("! ") && line.contains(flag) && line.ends_with('\n'), "{line}");
    }

    #[test]
    fn a_full_server_lets_the_next_one_in_when_somebody_leaves() {
        let now = Instant::now();
        let mut admission = admission(&["--max-clients", "1"]);
        let lines = admission.enter(HOME, now).unwrap();
        expect_refusal(&mut admission, AWAY, now, "--max-clients");
        admission.leave(HOME, lines);
        admission.enter(AWAY, now).unwrap();
    }

    #[test]
    fn an_address_is_counted_by_itself() {
        let now = Instant::now();
        let mut admission = admission(&["--clients-per-address", "1"]);
        let lines = admission.enter(HOME, now).unwrap();
        expect_refusal(&mut admission, HOME, now, "--clients-per-address");
        admission.enter(AWAY, now).unwrap();
        admission.leave(HOME, lines);
        admission.enter(HOME, now).unwrap();
    }

    #[test]
    fn who_comes_too_often_is_refused_until_a_minute_has_made_it_good() {
        let now = Instant::now();
        let mut admission = admission(&["--connects-per-minute", "2"]);
        for _ in 0..2 {
            let lines = admission.enter(HOME, now).unwrap();
            admission.leave(HOME, lines);
        }
        for _ in 0..9 {
            expect_refusal(&mut admission, HOME, now, "--connects-per-minute");
        }
        admission.enter(AWAY, now).unwrap();
        admission.enter(HOME, now + MINUTE / 2).unwrap();
    }

    #[test]
    fn who_reconnects_has_no_new_burst() {
        let now = Instant::now();
        let mut admission = admission(&["--lines-per-second", "1"]);
        let mut lines = admission.enter(HOME, now).unwrap();
        while lines.take(now).is_ok() {}
        admission.leave(HOME, lines);
        assert_eq!(admission.enter(HOME, now).unwrap().take(now), Err(SECOND));
        assert_eq!(admission.enter(AWAY, now).unwrap().take(now), Ok(()));
    }

    #[test]
    fn after_five_wrong_secrets_an_address_has_one_try_a_second() {
        let now = Instant::now();
        let mut admission = admission(&[]);
        admission.enter(HOME, now).unwrap();
        for _ in 0..SECRETS_BURST {
            admission.take_secret(HOME, now).unwrap();
        }
        assert_eq!(admission.take_secret(HOME, now), Err(SECOND));
        assert_eq!(admission.take_secret(HOME, now + SECOND), Ok(()));
        assert_eq!(admission.take_secret(HOME, now + SECOND), Err(SECOND));
        admission.secret_was_right(HOME);
        assert_eq!(admission.take_secret(HOME, now + SECOND), Ok(()));
    }

    #[test]
    fn addresses_with_nothing_to_remember_are_forgotten() {
        let now = Instant::now();
        let mut admission = admission(&[]);
        let address = |n: usize| IpAddr::from((n as u32).to_be_bytes());
        for n in 0..3 * ADDRESSES_MIN {
            let later = now + MINUTE * n as u32;
            let lines = admission.enter(address(n), later).unwrap();
            admission.leave(address(n), lines);
        }
        assert!(admission.addresses.len() <= ADDRESSES_MIN);
    }
}
