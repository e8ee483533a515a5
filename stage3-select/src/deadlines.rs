//! Layer: the rare faults. What happens at a time, and not because a socket is ready: the one
//! list for all of it. It has no clock of its own.

use std::collections::{BTreeSet, HashMap};
use std::time::Instant;

use mio::Token;

/// At most one time for each socket. An idle client is not in here.
#[derive(Debug, Default)]
pub struct Deadlines {
    /// In the order of their times.
    sorted: BTreeSet<(Instant, Token)>,
    /// The same: each socket's own time.
    times: HashMap<Token, Instant>,
}

impl Deadlines {
    /// In the place of the time that was set before; `None`: there is nothing to wait for.
    pub fn set(&mut self, socket: Token, time: Option<Instant>) {
        if let Some(before) = self.times.remove(&socket) {
            self.sorted.remove(&(before, socket));
        }
        if let Some(time) = time {
            self.times.insert(socket, time);
            self.sorted.insert((time, socket));
        }
    }

    /// The first time of all.
    pub fn next(&self) -> Option<Instant> {
        Some(self.sorted.first()?.0)
    }

    /// Takes out one socket whose time has come.
    pub fn take_expired(&mut self, now: Instant) -> Option<Token> {
        let (time, socket) = *self.sorted.first()?;
        if time > now {
            return None;
        }
        self.set(socket, None);
        Some(socket)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn times_come_in_their_order_and_not_before() {
        let mut deadlines = Deadlines::default();
        let now = Instant::now();
        let later = now + Duration::from_secs(1);
        deadlines.set(Token(1), Some(later));
        deadlines.set(Token(2), Some(now));
        assert_eq!(deadlines.next(), Some(now));
        assert_eq!(deadlines.take_expired(now), Some(Token(2)));
        assert_eq!(deadlines.take_expired(now), None);
        assert_eq!(deadlines.take_expired(later), Some(Token(1)));
    }

    #[test]
    fn a_new_time_takes_the_place_of_the_one_before() {
        let mut deadlines = Deadlines::default();
        let now = Instant::now();
        deadlines.set(Token(1), Some(now));
        deadlines.set(Token(1), Some(now + Duration::from_secs(1)));
        assert_eq!(deadlines.take_expired(now), None);
        deadlines.set(Token(1), None);
        assert_eq!(deadlines.next(), None);
    }
}
