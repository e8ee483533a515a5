//! The suite says what it does while it does it, and at the end what took longest. That is only for
//! people: no test fails for its time. `cargo nextest` says the same in its own way.

use std::collections::BTreeMap;
use std::sync::Mutex;
use std::thread;
use std::time::{Duration, Instant};

/// How often it says what runs.
const SAID_EVERY: Duration = Duration::from_secs(15);

/// Of what took longest, so many are named.
const NAMED_MAX: usize = 12;

/// What is over sooner needs no explanation.
const WORTH_A_WORD: Duration = Duration::from_secs(10);

static TESTS: Mutex<Tests> = Mutex::new(Tests { running: BTreeMap::new(), took: Vec::new() });

struct Tests {
    running: BTreeMap<String, Instant>,
    took: Vec<(Duration, String)>,
}

/// Runs a test and notes how long it takes.
pub fn timed<T>(name: &str, run: impl FnOnce() -> T) -> T {
    /// Also where `run` panics.
    struct Note<'a>(&'a str, Instant);
    impl Drop for Note<'_> {
        fn drop(&mut self) {
            let mut tests = lock();
            tests.running.remove(self.0);
            tests.took.push((self.1.elapsed(), self.0.to_string()));
        }
    }
    let started = Instant::now();
    lock().running.insert(name.to_string(), started);
    let _note = Note(name, started);
    run()
}

/// From now on, to the end of the process.
pub fn say_what_runs() {
    let started = Instant::now();
    thread::spawn(move || {
        loop {
            thread::sleep(SAID_EVERY);
            let tests = lock();
            let mut running: Vec<_> = tests.running.iter().collect();
            running.sort_by_key(|(_, since)| **since);
            let running = running
                .into_iter()
                .map(|(name, since)| format!("{name} ({} s)", since.elapsed().as_secs()));
            let running: Vec<_> = running.collect();
            let (seconds, done) = (started.elapsed().as_secs(), tests.took.len());
            eprintln!("{seconds} s, {done} done, running: {}", running.join(", "));
        }
    });
}

/// What took longest.
pub fn longest() {
    let mut tests = lock();
    tests.took.retain(|(took, _)| *took >= WORTH_A_WORD / 2);
    tests.took.sort_by_key(|(took, _)| std::cmp::Reverse(*took));
    if tests.took.first().is_some_and(|(took, _)| *took >= WORTH_A_WORD) {
        eprintln!("what took longest:");
        for (took, name) in tests.took.iter().take(NAMED_MAX) {
            eprintln!("{:7.1} s  {name}", took.as_secs_f64());
        }
    }
}

fn lock() -> std::sync::MutexGuard<'static, Tests> {
    TESTS.lock().expect("no code panics while it holds it")
}
