//! The test suite. Its tests are a matrix (every conversation and every check against every
//! stage), so they are made at run time; each has a name of its own, for `cargo test NAME` and
//! for `cargo nextest run`.

mod abuse;
mod architecture;
mod book;
mod clients;
#[cfg(target_os = "linux")]
mod cost;
mod course;
mod crowd;
mod documents;
mod exercises;
mod keepalive;
mod play;
mod rules;
mod sessions;
mod show;
mod soak;
mod start_up;
#[cfg(unix)]
mod terminal;
mod tidy;
mod zoo;

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;

fn main() -> ExitCode {
    let arguments = Arguments::from_args();
    let tests = [
        abuse::tests(),
        architecture::tests(),
        book::tests(),
        clients::tests(),
        #[cfg(target_os = "linux")]
        cost::tests(),
        course::tests(),
        crowd::tests(),
        documents::tests(),
        exercises::tests(),
        keepalive::tests(),
        play::tests(),
        rules::tests(),
        sessions::tests(),
        show::tests(),
        soak::tests(),
        start_up::tests(),
        #[cfg(unix)]
        terminal::tests(),
        tidy::tests(),
        zoo::tests(),
    ];
    let tests: Vec<Trial> = tests.into_iter().flatten().collect();
    libtest_mimic::run(&arguments, tests).exit_code()
}

/// A test out of a function that fails with an error.
fn test(
    name: impl Into<String>,
    run: impl FnOnce() -> anyhow::Result<()> + Send + 'static,
) -> Trial {
    Trial::test(name, move || run().map_err(|error| Failed::from(format!("{error:#}"))))
}
