//! Carries out many programs, several at a time; what could not be judged beside the others, alone
//! at the end.

use super::inspection::{Form, Inspection, inspect};
use super::page;
use crate::zoo::{Animal, Keeper};
use indicatif::{ProgressBar, ProgressStyle};
use std::io::Write;
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;

/// Programs that are checked at the same time, each with checks of its own that mostly wait.
const AT_A_TIME: usize = 3;

/// What the checks said, in the order of the programs.
#[derive(Debug)]
pub struct Carried<'a> {
    pub results: Vec<Inspection<'a>>,
    /// How many were tried again alone.
    pub again: usize,
}

/// `before_the_rest` is called when only those are left that have to be alone.
pub fn carry_out<'a>(
    keeper: &Keeper,
    animals: &[&'a Animal],
    form: Form,
    before_the_rest: impl FnOnce(),
) -> anyhow::Result<Carried<'a>> {
    let mut results = several_at_a_time(keeper, animals, form)?;
    before_the_rest();
    let mut again = 0;
    for result in results.iter_mut().filter(|result| result.is_open()) {
        again += 1;
        *result = inspect(keeper, result.animal, form)?;
        tell(result);
    }
    Ok(Carried { results, again })
}

fn several_at_a_time<'a>(
    keeper: &Keeper,
    animals: &[&'a Animal],
    form: Form,
) -> anyhow::Result<Vec<Inspection<'a>>> {
    let style = ProgressStyle::with_template("{bar:24} {pos:>3} of {len}, {eta} left  {wide_msg}")?;
    let bar = ProgressBar::new(animals.len() as u64).with_style(style);
    let next = AtomicUsize::new(0);
    let results = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_A_TIME {
            scope.spawn(|| {
                while let Some(animal) = animals.get(next.fetch_add(1, Ordering::SeqCst)) {
                    bar.set_message(animal.name.clone());
                    let result = inspect(keeper, animal, form);
                    if let Ok(result) = &result {
                        bar.suspend(|| tell(result));
                    }
                    let mut results = results.lock().expect("no code panics while it holds it");
                    results.push(result);
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let results = results.into_inner().expect("as above");
    let mut results = results.into_iter().collect::<anyhow::Result<Vec<_>>>()?;
    results.sort_by_key(|result| animals.iter().position(|a| a.name == result.animal.name));
    Ok(results)
}

/// As soon as it is known: the whole takes long.
fn tell(result: &Inspection) {
    let mut out = anstream::stdout();
    let _ = out.write_all(page::entry(result).as_bytes()); // a closed pipe is no fault
    let _ = out.flush();
}
