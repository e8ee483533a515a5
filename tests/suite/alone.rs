//! What could not be judged beside other tests is tried again alone: that is no failure of a program
//! and no pass. All tests share one lock, those that `cargo nextest` runs in other processes as
//! well; who has to be alone waits until nobody else holds it, at the latest at the end.

use crate::told;
use anyhow::Context;
use std::fmt;
use std::fs::File;
use std::path::Path;
use std::sync::{Condvar, Mutex};

/// The error of a test that has seen neither right nor wrong.
#[derive(Debug)]
pub struct NotJudged(pub String);

impl fmt::Display for NotJudged {
    fn fmt(&self, formatter: &mut fmt::Formatter) -> fmt::Result {
        write!(formatter, "could not be judged: {}", self.0)
    }
}

impl std::error::Error for NotJudged {}

/// How many tests may wait to be alone while others take their places.
pub const WAITING_MAX: usize = 24;

/// Runs a test, with so many beside it as there are places.
pub fn beside_others_or_alone(
    name: &str,
    run: impl Fn() -> anyhow::Result<()>,
) -> anyhow::Result<()> {
    let lock = lock()?;
    let place = Place::take();
    lock.lock_shared().context("cannot share the lock of the tests")?;
    let result = told::timed(name, &run);
    if !result.as_ref().is_err_and(|error| error.is::<NotJudged>()) {
        return result; // the lock ends with its file
    }
    lock.unlock()?; // or two that want to be alone would wait for each other
    drop(place);
    eprintln!("{name} could not be judged beside the others: it is tried again alone");
    lock.lock().context("cannot have the lock of the tests alone")?;
    told::timed(name, run)
}

/// Each test opens the file for itself: a lock belongs to what was opened.
fn lock() -> anyhow::Result<File> {
    let path = Path::new(env!("CARGO_TARGET_TMPDIR")).join("suite.lock");
    let file = File::options().create(true).append(true).open(&path);
    file.with_context(|| format!("cannot open {}", path.display()))
}

static FREE: Mutex<usize> = Mutex::new(1);
static CHANGED: Condvar = Condvar::new();

/// One of the places for tests that run. Whoever waits to be alone needs none.
struct Place;

impl Place {
    fn take() -> Place {
        let free = FREE.lock().expect("no code panics while it counts places");
        let mut free = CHANGED.wait_while(free, |free| *free == 0).expect("as above");
        *free -= 1;
        Place
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        *FREE.lock().expect("as above") += 1;
        CHANGED.notify_one();
    }
}

/// Before the first test.
pub fn has_places(count: usize) {
    *FREE.lock().expect("as above") = count;
}
