//! Waiting, on a machine that may be busy with something else.
//!
//! Nothing here is late because a clock says so. Time is counted in looks that were really had: one
//! that the machine delayed counts for its own length and no more. When so much time has passed
//! without anything new, the program is looked at. One that works is only slow, and is waited for
//! until it has had its share of a processor; one that rests has nothing left to do, so what has not
//! come never comes. And whatever happens, there is an end; what is not known by then stays unknown.

use crate::process::live;
use crate::work::{State, Worker};
use std::thread;
use std::time::{Duration, Instant};

/// How long one look for something takes that can wake us.
const LOOK: Duration = Duration::from_millis(50);

/// How often a condition is looked at that nobody can tell us about.
pub const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// What a program may use of a processor, and how long it may doze and wake up again, after the
/// limit: so many times the limit.
const OVERTIME: u32 = 1;

/// So long a program may doze that was told nothing, and counts as at rest.
const DOZES_AT_REST: Duration = Duration::from_secs(1);

/// How long a wait may take by the clock, beside the limit and the overtime: on a machine where a
/// program gets hardly any processor time nothing can be known of it.
const GRACE: Duration = Duration::from_secs(60);

/// A program is at rest when it has been in so many looks, one of them for each part of the limit.
const LOOKS_AT_REST_MAX: u128 = 5;
const LIMIT_PER_LOOK_AT_REST: Duration = Duration::from_millis(100);

/// How a wait ended in vain.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Over {
    /// The program has nothing left to do: what has not come never comes.
    AtRest,
    /// It has had its time, and it still works; or this system does not tell whether it does.
    TimeIsUp,
    /// It was not given its time: nothing is known.
    Unknown,
}

/// How long to wait for one thing.
#[derive(Debug)]
pub struct Patience {
    worker: Worker,
    limit: Duration,
    /// What is left of the limit.
    left: Duration,
    overtime: Option<Overtime>,
    /// The wait is over by then at the latest.
    end: Instant,
    over: Option<Over>,
}

/// The limit has passed, and the program is looked at.
#[derive(Debug)]
struct Overtime {
    /// The program's processor time at the beginning.
    used: Duration,
    /// How long it may still doze and wake up again.
    dozes: Duration,
    /// It was at rest, and there was one more look since.
    has_rested: bool,
}

impl Patience {
    /// Until nothing new has come for `limit`, and as long as `worker` works.
    pub fn new(worker: Worker, limit: Duration) -> Patience {
        let longest = Instant::now() + limit * (1 + OVERTIME) + GRACE;
        let end = worker.end().map_or(longest, |end| end.min(longest));
        Patience { worker, limit, left: limit, overtime: None, end, over: None }
    }

    /// Something new has come.
    pub fn moved(&mut self) {
        (self.left, self.overtime) = (self.limit, None);
    }

    /// As if the limit had passed: for one who waits until the program rests. A runtime that wakes
    /// up again and again rests at no time, and this is as near as it comes.
    pub fn until_at_rest(worker: Worker, limit: Duration) -> Patience {
        let used = worker.processor_time().unwrap_or_default();
        let overtime = Overtime { used, dozes: DOZES_AT_REST, has_rested: false };
        let patience = Patience::new(worker, limit);
        Patience { left: Duration::ZERO, overtime: Some(overtime), ..patience }
    }

    /// Until when to look now. `None`: no longer.
    pub fn look(&mut self) -> Option<Instant> {
        self.looks(LOOK).map(|look| Instant::now() + look)
    }

    /// Sleeps until it is worth looking again. `false`: it is not.
    pub fn pause(&mut self) -> bool {
        let look = self.looks(LOOK_AGAIN);
        look.map(thread::sleep).is_some()
    }

    /// Nothing more can come.
    pub fn ends(&mut self) {
        self.over = Some(Over::AtRest);
    }

    /// After it ended in vain.
    pub fn over(&self) -> Over {
        self.over.unwrap_or(Over::Unknown)
    }

    fn looks(&mut self, length: Duration) -> Option<Duration> {
        if Instant::now() >= self.end || live::interrupted() {
            self.over = Some(Over::Unknown);
            return None;
        }
        if !self.left.is_zero() {
            let look = length.min(self.left);
            self.left -= look;
            return Some(look);
        }
        self.over = self.after_the_limit();
        self.over.is_none().then_some(length)
    }

    fn after_the_limit(&mut self) -> Option<Over> {
        let used = self.worker.processor_time().unwrap_or_default();
        let allowed = self.limit * OVERTIME;
        let fresh = || Overtime { used, dozes: allowed, has_rested: false };
        let overtime = self.overtime.get_or_insert_with(fresh);
        let began = Instant::now();
        let looks = self.limit.as_millis() / LIMIT_PER_LOOK_AT_REST.as_millis();
        match self.worker.state(looks.clamp(1, LOOKS_AT_REST_MAX) as usize) {
            State::Unknown => return Some(Over::TimeIsUp),
            State::Rests if overtime.has_rested => return Some(Over::AtRest),
            State::Rests => overtime.has_rested = true,
            State::Dozes => {
                let dozed = LOOK + began.elapsed().min(LOOK);
                overtime.dozes = overtime.dozes.saturating_sub(dozed);
            }
            State::Works => {}
        }
        let has_had_it = overtime.dozes.is_zero() || used.saturating_sub(overtime.used) > allowed;
        has_had_it.then_some(Over::TimeIsUp)
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::process::{PATIENCE, Process};
    use std::process::Command;

    fn waited_for(script: &str, limit: Duration) -> Over {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let process = Process::start("sh", command).expect("there is a shell");
        process.stdout.wait(PATIENCE, |screen| screen.lines.first().map(|_| ()));
        let mut patience = Patience::new(process.worker(), limit);
        while patience.pause() {}
        patience.over()
    }

    const SHORT: Duration = Duration::from_millis(300);

    #[test]
    fn one_that_rests_is_waited_for_no_longer() {
        assert_eq!(waited_for("echo ready; read line", SHORT), Over::AtRest);
    }

    #[test]
    fn one_that_never_rests_has_had_its_time_at_last() {
        assert_eq!(waited_for("echo ready; while :; do :; done", SHORT), Over::TimeIsUp);
        assert_eq!(waited_for("echo ready; while sleep 0.01; do :; done", SHORT), Over::TimeIsUp);
    }

    #[test]
    fn what_has_moved_is_waited_for_anew() {
        let mut patience = Patience::new(Worker::default(), LOOK_AGAIN);
        assert!(patience.pause());
        patience.moved();
        assert!(patience.pause());
        assert!(!patience.pause());
    }

    #[test]
    fn nothing_is_known_of_what_was_cut_short() {
        let worker = Worker::default().until(Instant::now());
        let mut patience = Patience::new(worker, PATIENCE);
        assert!(!patience.pause());
        assert_eq!(patience.over(), Over::Unknown);
    }
}
