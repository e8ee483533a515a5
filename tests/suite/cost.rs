//! What a delivery costs, counted and not timed: the same script takes the same calls on a slow
//! machine and on a fast one. A change that writes once for each line, or allocates once for each
//! receiver, fails here.

use anyhow::{Context, ensure};
use chat_lab::compare::counted::{Part, play, system_calls};
use chat_lab::compare::subject::Contestant;
use chat_lab::stage::{Stage, workspace};
use libtest_mimic::Trial;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// At most so many for each delivery, for messages said alone and for those in bursts of 32.
struct Bounds {
    stage: u8,
    /// A message that comes alone takes one write for each receiver, whatever the design. In
    /// stage 4 each write also has to wake a thread that then falls asleep again.
    system_calls: [f64; 2],
    /// An outbox that runs empty gives its memory back, so that silent clients cost none: a
    /// message that comes alone makes each receiver allocate once.
    allocations: [f64; 2],
}

const BOUNDS: [Bounds; 3] = [
    Bounds { stage: 3, system_calls: [1.2, 0.1], allocations: [1.5, 0.6] },
    Bounds { stage: 4, system_calls: [4.0, 0.3], allocations: [1.0, 0.6] },
    Bounds { stage: 5, system_calls: [1.2, 0.1], allocations: [1.5, 0.6] },
];

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for bounds in &BOUNDS {
        let stage = bounds.stage;
        tests.push(crate::test(
            format!("cost::stage{stage}_writes_a_burst_for_one_client_at_once"),
            move || at_best(|| few_system_calls(bounds)),
        ));
        #[cfg(target_env = "gnu")]
        tests.push(crate::test(
            format!("cost::stage{stage}_allocates_little_for_each_delivery"),
            move || at_best(|| few_allocations(bounds)),
        ));
    }
    tests
}

/// Who has to wait for a processor is woken more often, and calls the kernel again: that only adds,
/// and the least of a few tries is what the program itself costs.
const TRIES: usize = 5;

fn at_best(cost: impl Fn() -> anyhow::Result<()>) -> anyhow::Result<()> {
    (1..TRIES).find_map(|_| cost().ok()).map_or_else(cost, Ok)
}

fn few_system_calls(bounds: &Bounds) -> anyhow::Result<()> {
    let contestant = contestant(bounds.stage, &[])?;
    let parts = system_calls(&contestant)?;
    for (calls, bound) in parts.iter().zip(bounds.system_calls) {
        let each: f64 = calls.iter().map(|(_, each)| each).sum();
        ensure!(
            each <= bound,
            "{each:.3} system calls for each delivery, at most {bound} are allowed: {calls:.3?}"
        );
    }
    Ok(())
}

fn few_allocations(bounds: &Bounds) -> anyhow::Result<()> {
    let count = tempfile::NamedTempFile::new()?;
    fs::write(count.path(), 0u64.to_ne_bytes())?;
    let environment = [
        format!("LD_PRELOAD={}", counting_library()?.display()),
        format!("LAB_ALLOCATIONS={}", count.path().display()),
    ];
    let contestant = contestant(bounds.stage, &environment)?;
    let path = count.path().to_path_buf();
    let parts = play(&contestant, |_| {
        Ok(move || {
            let bytes = fs::read(&path)?;
            let count = bytes.first_chunk().context("eight bytes were expected")?;
            Ok(u64::from_ne_bytes(*count))
        })
    })?;
    for (part, bound) in parts.iter().zip(bounds.allocations) {
        let Part { deliveries, before, after, .. } = part;
        ensure!(*after > 0, "nothing was counted: was the library loaded?");
        let each = (after - before) as f64 / deliveries;
        ensure!(
            each <= bound,
            "{each:.3} allocations for each delivery, at most {bound} are allowed"
        );
    }
    Ok(())
}

/// The stage as the other tests run it. `env` sets the variables and then becomes the program.
fn contestant(stage: u8, environment: &[String]) -> anyhow::Result<Contestant> {
    let stage = Stage::by_number(stage)?;
    let mut contestant = Contestant::stage(stage, &stage.program()?)?;
    if !environment.is_empty() {
        contestant.run_through(["env".to_string()].iter().chain(environment));
    }
    Ok(contestant)
}

/// `count_allocations.rs`, built by Cargo.
fn counting_library() -> anyhow::Result<PathBuf> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let output = Command::new(cargo)
        .current_dir(workspace())
        .args(["build", "--package", "chat-lab", "--example", "count_allocations"])
        .arg("--message-format=json-render-diagnostics")
        .output()
        .context("cannot start cargo")?;
    let messages = String::from_utf8_lossy(&output.stdout);
    let library = messages.lines().find_map(|line| {
        let message: serde_json::Value = serde_json::from_str(line).ok()?;
        let mine = message["target"]["name"] == "count_allocations";
        mine.then(|| Some(PathBuf::from(message["filenames"][0].as_str()?)))?
    });
    library.with_context(|| {
        let errors = String::from_utf8_lossy(&output.stderr);
        format!("cannot build the counting library: {errors}")
    })
}
