//! The test suite. Its tests are a matrix (every conversation and every check against every
//! stage), so they are made at run time; each has a name of its own, for `cargo test NAME` and
//! for `cargo nextest run`.

mod abuse;
mod alone;
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
mod told;
mod zoo;

use libtest_mimic::{Arguments, Failed, Trial};
use std::process::ExitCode;

/// Tests at the same time, on any machine: most of them wait most of the time. `.config/nextest.toml`
/// says the same to `cargo nextest`.
const AT_A_TIME: usize = 8;

fn main() -> ExitCode {
    chat_lab::process::live::end_with_us(); // Ctrl-C leaves no program of the tests behind
    let mut arguments = Arguments::from_args();
    let at_a_time = arguments.test_threads.unwrap_or(AT_A_TIME);
    alone::has_places(at_a_time);
    if at_a_time > 1 {
        arguments.test_threads = Some(at_a_time + alone::WAITING_MAX);
    }
    let tests = [
        zoo::tests(), // the longest first, so that none of them is alone at the end
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
    ];
    let tests: Vec<Trial> = tests.into_iter().flatten().collect();
    let talks = !arguments.list && std::env::var_os("NEXTEST").is_none(); // it tells by itself
    if talks {
        told::say_what_runs();
    }
    let conclusion = libtest_mimic::run(&arguments, tests);
    if talks {
        told::longest();
    }
    conclusion.exit_code()
}

/// A test out of a function that fails with an error.
fn test(name: impl Into<String>, run: impl Fn() -> anyhow::Result<()> + Send + 'static) -> Trial {
    let name = name.into();
    Trial::test(name.clone(), move || {
        let result = alone::beside_others_or_alone(&name, run);
        result.map_err(|error| Failed::from(format!("{error:#}")))
    })
}
