//! Is a program slow, or does it wait for something that never comes? The kernel knows whether it
//! has anything to do.

use crate::resources::of_group;
use std::thread;
use std::time::{Duration, Instant};

/// How often a program is looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(20);

/// A look that comes so late is none: the machine is busy, and who knows with what.
const LOOK_LATE: Duration = Duration::from_millis(60);

/// How many such looks there may be in a row.
const LATE_LOOKS_MAX: usize = 50;

/// A program under test: the process group that it runs in, if there is one to look at.
#[derive(Debug, Clone, Copy, Default)]
pub struct Worker {
    group: Option<u32>,
    /// Nothing is waited for any longer than this: the hard end of a check.
    end: Option<Instant>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum State {
    /// It runs, or would run if others let it.
    Works,
    /// It has run for a moment, and waits again: one that sleeps a little before each line, say.
    Dozes,
    /// It waits for something to come.
    Rests,
    /// This system does not tell.
    Unknown,
}

impl Worker {
    pub fn of(group: Option<u32>) -> Worker {
        Worker { group, end: None }
    }

    pub fn until(self, end: Instant) -> Worker {
        Worker { end: Some(end), ..self }
    }

    pub fn end(self) -> Option<Instant> {
        self.end
    }

    /// Of all its processes. `None`: this system does not tell.
    pub fn processor_time(self) -> Option<Duration> {
        self.group.and_then(of_group).map(|usage| usage.processor_time)
    }

    /// What it does in so many looks.
    pub fn state(self, looks: usize) -> State {
        let usage = || self.group.and_then(of_group);
        let Some(mut before) = usage() else {
            return State::Unknown;
        };
        let (mut at_rest, mut late) = (0, 0);
        while at_rest < looks {
            let began = Instant::now();
            thread::sleep(LOOK_AGAIN);
            let Some(now) = usage() else {
                return State::Unknown; // it has ended
            };
            let has_run =
                now.processor_time != before.processor_time || now.switches != before.switches;
            match (now.runnable, has_run) {
                (1.., _) => return State::Works,
                (0, true) => return State::Dozes,
                _ if began.elapsed() > LOOK_LATE && late < LATE_LOOKS_MAX => late += 1,
                _ => at_rest += 1,
            }
            before = now;
        }
        State::Rests
    }
}

/// What a program with nothing to do does with a processor.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Idleness {
    Idle,
    /// In words.
    Busy(String),
    /// It got too little of the processor to tell, or this system does not tell.
    Unknown,
}

/// A program is watched for so long, in so many looks, and again if it has not been idle: it may
/// have had something to finish.
const WINDOW: Duration = Duration::from_millis(1000);
const LOOKS: u32 = 20;

/// An idle program uses less of the time than this, and is asleep at most looks.
const IDLE_PERCENT_MAX: u128 = 5;
const AWAKE_MAX: u32 = LOOKS / 4;

/// Who was awake at most looks wants the processor all the time, and gets what the others leave: so
/// it is not the time that counts, but what it has used. No runtime has so much to finish.
const USED_MAX: Duration = Duration::from_secs(3);

/// Who dozes gets what it wants: so many windows without a rest are enough.
const DOZING_WINDOWS_MAX: u32 = 4;

/// After so many windows nothing will be known.
const WINDOWS_MAX: u32 = 60;

impl Worker {
    /// Watches it until a window was idle, or until it is clear that none will be.
    pub fn idleness(self) -> Idleness {
        let (mut used_in_all, mut dozing_windows) = (Duration::ZERO, 0);
        for _ in 0..WINDOWS_MAX {
            let Some((used, took, awake)) = self.window() else {
                return Idleness::Unknown;
            };
            let percent = used.as_millis() * 100 / took.as_millis().max(1);
            if percent <= IDLE_PERCENT_MAX && awake <= AWAKE_MAX {
                return Idleness::Idle;
            }
            used_in_all += used;
            dozing_windows += u32::from(awake <= LOOKS / 2);
            if used_in_all > USED_MAX || dozing_windows >= DOZING_WINDOWS_MAX {
                let words =
                    format!("{percent} % of a processor, and awake at {awake} of {LOOKS} looks");
                return Idleness::Busy(words);
            }
        }
        Idleness::Unknown
    }

    /// Processor time that was used, how long the window really took, and at how many looks
    /// something of the program ran or wanted to.
    fn window(self) -> Option<(Duration, Duration, u32)> {
        let usage = || self.group.and_then(of_group);
        let (began, before) = (Instant::now(), usage()?);
        let mut awake = 0;
        for _ in 0..LOOKS {
            thread::sleep(WINDOW / LOOKS);
            awake += u32::from(usage()?.runnable > 0);
        }
        let used = usage()?.processor_time.saturating_sub(before.processor_time);
        Some((used, began.elapsed(), awake))
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;
    use crate::process::{PATIENCE, Process};
    use std::process::Command;

    const LOOKS: usize = 5;

    #[test]
    fn who_waits_is_idle_and_who_polls_is_busy() {
        let (_waits, waits) = shell("echo ready; read line");
        let (_turns, turns) = shell("echo ready; while :; do :; done");
        assert_eq!(waits.idleness(), Idleness::Idle);
        assert!(matches!(turns.idleness(), Idleness::Busy(_)));
    }

    fn shell(script: &str) -> (Process, Worker) {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        let process = Process::start("sh", command).expect("there is a shell");
        process.stdout.wait(PATIENCE, |screen| screen.lines.first().map(|_| ()));
        let worker = process.worker();
        (process, worker)
    }

    #[test]
    fn who_waits_rests_and_who_turns_in_circles_works() {
        let (_waits, waits) = shell("echo ready; read line");
        let (_turns, turns) = shell("echo ready; while :; do :; done");
        while waits.state(LOOKS) != State::Rests {} // the shell may have a little to do
        assert_eq!(turns.state(LOOKS), State::Works);
        assert_eq!(Worker::of(None).state(LOOKS), State::Unknown);
    }

    #[test]
    fn who_sleeps_a_little_again_and_again_does_not_rest() {
        let (_naps, naps) = shell("echo ready; while sleep 0.01; do :; done");
        assert_ne!(naps.state(LOOKS), State::Rests);
    }
}
