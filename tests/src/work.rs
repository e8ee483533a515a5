//! Is a program slow, or does it wait for something that never comes? The kernel knows whether it
//! has anything to do.

use crate::resources::of_group;
use std::thread;
use std::time::{Duration, Instant};

/// How much longer than the patience a program may take that is at work all the time.
const PATIENCE_WITH_WORK: Duration = Duration::from_secs(10);

/// How often a program is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A program that waits in so many looks in a row has nothing left to do.
const LOOKS_AT_REST: usize = 5;

/// A program under test: the process group that it runs in, if there is one to look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Worker(Option<u32>);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It runs, or would run if others let it.
    Works,
    /// It waits for something to come.
    Rests,
    /// This system does not tell.
    Unknown,
}

impl Worker {
    pub fn of(group: Option<u32>) -> Worker {
        Worker(group)
    }

    pub fn state(self) -> State {
        let usage = || self.0.and_then(of_group);
        let Some(mut before) = usage() else {
            return State::Unknown;
        };
        for _ in 0..LOOKS_AT_REST {
            thread::sleep(LOOK_AGAIN);
            let Some(now) = usage() else {
                return State::Unknown; // it has ended
            };
            let has_run =
                now.processor_time != before.processor_time || now.switches != before.switches;
            if now.runnable > 0 || has_run {
                return State::Works;
            }
            before = now;
        }
        State::Rests
    }
}

/// What to do when something has not come in time. Slowness alone fails nobody: as long as the
/// program works, one waits on, within bounds; when it rests, one looks a last time.
#[derive(Debug)]
pub struct Overtime {
    worker: Worker,
    end: Instant,
    rested: bool,
}

impl Overtime {
    /// `patience` is over at `deadline`. Short patience is for silence: it has no overtime.
    pub fn new(worker: Worker, patience: Duration, deadline: Instant) -> Overtime {
        let short = patience < Duration::from_secs(1);
        Overtime {
            worker: if short { Worker(None) } else { worker },
            end: deadline + PATIENCE_WITH_WORK,
            rested: false,
        }
    }

    /// Until when to wait now. `None`: no longer.
    pub fn more(&mut self) -> Option<Instant> {
        if self.rested || Instant::now() > self.end {
            return None;
        }
        match self.worker.state() {
            State::Unknown => None,
            State::Works => Some(Instant::now() + LOOK_AGAIN),
            State::Rests => {
                self.rested = true;
                Some(Instant::now() + LOOK_AGAIN)
            }
        }
    }

    /// Whether what has not come will not come, however long one waits.
    pub fn is_conclusive(&self) -> bool {
        self.rested
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::process::{PATIENCE, Process};
    use std::process::Command;

    fn shell(script: &str) -> (Process, Worker) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let process = Process::start("sh", command).expect("there is a shell");
        process.stdout.wait(PATIENCE, |screen| screen.lines.first().map(|_| ()));
        let worker = Worker::of(Some(process.id()));
        (process, worker)
    }

    #[test]
    fn who_waits_rests_and_who_turns_in_circles_works() {
        let (_waits, waits) = shell("echo ready; read line");
        let (_turns, turns) = shell("echo ready; while :; do :; done");
        while waits.state() != State::Rests {} // the shell may have a little to do
        assert_eq!(turns.state(), State::Works);
        assert_eq!(Worker::of(None).state(), State::Unknown);
    }

    #[test]
    fn who_sleeps_a_little_again_and_again_works() {
        let (_naps, naps) = shell("echo ready; while sleep 0.01; do :; done");
        assert_eq!(naps.state(), State::Works);
    }

    #[test]
    fn for_one_that_rests_one_looks_once_more() {
        let (_waits, waits) = shell("echo ready; read line");
        while waits.state() != State::Rests {}
        let mut overtime = Overtime::new(waits, PATIENCE, Instant::now());
        while overtime.more().is_some() {}
        assert!(overtime.is_conclusive());
    }
}
