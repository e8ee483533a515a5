//! Layer: the rare faults. How often something may happen: a bucket of tokens. No clock: what time it
//! is, the caller tells.

use std::time::{Duration, Instant};

/// A full bucket holds `burst` tokens. Taking the last ones means waiting: one comes back in each
/// interval. All that must be remembered for this is one point in time.
#[derive(Debug, Clone)]
pub struct Bucket {
    /// From one token to the next. Zero: no limit.
    interval: Duration,
    /// How long an empty bucket takes until it is full again.
    fills_in: Duration,
    /// When the bucket will be full, or was. Each token that is taken makes it one interval later.
    full_at: Instant,
}

impl Bucket {
    /// Full at `now`. A `count` of 0 in each `period` is no limit.
    pub fn new(count: u32, period: Duration, burst: u32, now: Instant) -> Bucket {
        let interval = period.checked_div(count).unwrap_or_default();
        Bucket { interval, fills_in: interval * burst, full_at: now }
    }

    // ANCHOR: take
    /// Takes a token, or says how long none will be there.
    pub fn take(&mut self, now: Instant) -> Result<(), Duration> {
        let full_at = self.full_at.max(now) + self.interval; // if it were taken
        let wait = full_at.saturating_duration_since(now + self.fills_in);
        if !wait.is_zero() {
            return Err(wait);
        }
        self.full_at = full_at;
        Ok(())
    }
    // ANCHOR_END: take

    /// Takes tokens that have been used already, into debt if there are too few.
    pub fn charge(&mut self, count: u32, now: Instant) {
        self.full_at = self.full_at.max(now) + count * self.interval;
    }

    /// The last token that was taken does not count.
    pub fn give_back(&mut self) {
        self.full_at = self.full_at.checked_sub(self.interval).unwrap_or(self.full_at);
    }

    pub fn is_full(&self, now: Instant) -> bool {
        self.full_at <= now
    }

    /// Of two buckets of one size, the emptier one.
    pub fn or_emptier(self, other: &Bucket) -> Bucket {
        Bucket { full_at: self.full_at.max(other.full_at), ..self }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SECOND: Duration = Duration::from_secs(1);

    fn bucket(now: Instant) -> Bucket {
        Bucket::new(10, SECOND, 20, now)
    }

    /// How many tokens can be taken at once.
    fn take_all(bucket: &mut Bucket, now: Instant) -> usize {
        (0..1000).take_while(|_| bucket.take(now).is_ok()).count()
    }

    #[test]
    fn a_burst_passes_and_the_rest_comes_at_the_rate() {
        let now = Instant::now();
        let mut bucket = bucket(now);
        assert_eq!(take_all(&mut bucket, now), 20);
        assert_eq!(bucket.take(now), Err(SECOND / 10));
        assert_eq!(take_all(&mut bucket, now + SECOND / 10), 1);
        assert_eq!(take_all(&mut bucket, now + SECOND), 9);
    }

    #[test]
    fn silence_earns_a_burst_and_no_more() {
        let now = Instant::now();
        let mut bucket = bucket(now);
        take_all(&mut bucket, now);
        assert!(!bucket.is_full(now));
        let later = now + 3600 * SECOND;
        assert!(bucket.is_full(later));
        assert_eq!(take_all(&mut bucket, later), 20);
    }

    #[test]
    fn what_is_charged_is_waited_for() {
        let now = Instant::now();
        let mut bucket = bucket(now);
        bucket.charge(29, now);
        assert_eq!(bucket.take(now), Err(SECOND));
    }

    #[test]
    fn a_token_that_is_given_back_can_be_taken_again() {
        let now = Instant::now();
        let mut bucket = bucket(now);
        take_all(&mut bucket, now);
        bucket.give_back();
        assert_eq!(take_all(&mut bucket, now), 1);
    }

    #[test]
    fn without_a_limit_nothing_waits() {
        let now = Instant::now();
        let mut bucket = Bucket::new(0, SECOND, 0, now);
        bucket.charge(1000, now);
        assert_eq!(take_all(&mut bucket, now), 1000);
    }
}
