//! Every conversation on every stage, and the picture of it in the README.

use crate::test;
use anyhow::{Context, ensure};
use chat_lab::conversation::Conversation;
use chat_lab::play::{conversations, play, play_all, table};
use chat_lab::stage::{self, STAGES};
use libtest_mimic::Trial;
use std::process::{Command, Output};

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for (name, path) in conversations() {
        for stage in &STAGES {
            let path = path.clone();
            tests.push(test(format!("play::{name}_on_{}", stage.package), move || {
                let text = std::fs::read_to_string(&path)?;
                let conversation =
                    Conversation::parse(&text).map_err(|mistake| anyhow::anyhow!("{mistake}"))?;
                let played = play(stage, &conversation, &|_| {})?;
                let differences = table::differences(&[played], table::Look::plain());
                ensure!(differences.is_empty(), "{differences}");
                Ok(())
            }));
        }
    }
    tests.push(test("play::the_recorded_comparison_is_what_lab_play_prints", recorded));
    tests.push(test(
        "play::a_mistake_in_a_file_is_shown_with_its_line_and_ends_with_status_2",
        mistake,
    ));
    tests.push(test("play::a_file_that_is_not_there_is_named_with_the_ones_that_are", no_file));
    tests
        .push(test("play::a_stage_that_does_something_else_is_shown_where_it_differs", difference));
    tests.push(test("play::the_json_has_every_line_and_every_stage", json));
    #[cfg(target_os = "linux")] // its /proc tells which processes there are
    tests.push(test("play::control_C_leaves_no_process_behind", control_c));
    tests
}

/// `docs/src/play.txt`, made by `cargo lab play > docs/src/play.txt`.
fn recorded() -> anyhow::Result<()> {
    let path = stage::workspace().join("docs/src/play.txt");
    let recorded = std::fs::read_to_string(&path)
        .with_context(|| format!("cannot read {}", path.display()))?;
    let text = std::fs::read_to_string(stage::workspace().join("tests/conversations/lunch.chat"))?;
    let conversation =
        Conversation::parse(&text).map_err(|mistake| anyhow::anyhow!("{mistake}"))?;
    let stages: Vec<_> = STAGES.iter().collect();
    let played = play_all(&stages, &conversation)?;
    let now = table::comparison(&conversation, &played, table::Look::plain());
    ensure!(
        comparable(&recorded) == comparable(&now),
        "docs/src/play.txt is not what lab play prints now; to record it again: \
         cargo lab play > docs/src/play.txt\n{now}"
    );
    Ok(())
}

/// Only Linux tells how many threads and connections a process has; the last table is
/// compared without them, and without the blanks that make room for them.
fn comparable(text: &str) -> String {
    let linux = cfg!(target_os = "linux");
    let (lines, designs) = text.split_once("\ndesign").unwrap_or((text, ""));
    match linux {
        true => text.to_string(),
        false => format!("{lines}{}", designs.lines().count()),
    }
}

/// `lab play`, with the programs that are built already: it need not ask Cargo.
fn lab_play() -> anyhow::Result<Command> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.arg("play");
    for stage in &STAGES {
        command.env(format!("LAB_STAGE{}", stage.number), stage.program()?);
    }
    Ok(command)
}

fn lab(arguments: &[&str]) -> anyhow::Result<Output> {
    Ok(lab_play()?.args(arguments).output()?)
}

fn mistake() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("wrong.chat");
    std::fs::write(&file, "people: ann, bob\nann to dora: hi\n")?;
    let output = lab(&[&file.display().to_string()])?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2), "{}: {error}", output.status);
    for part in
        ["wrong.chat: line 2, column 8: expected", "2 | ann to dora: hi", "    |        ^^^^"]
    {
        ensure!(error.contains(part), "no `{part}` in\n{error}");
    }
    Ok(())
}

fn no_file() -> anyhow::Result<()> {
    let output = lab(&["nowhere.chat"])?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.code() == Some(2), "{}: {error}", output.status);
    ensure!(error.lines().count() == 1, "not one line: {error}");
    ensure!(error.contains("nowhere.chat") && error.contains("ten-clients"), "{error}");
    Ok(())
}

/// Stage 5 in the place of stage 4 speaks another protocol.
fn difference() -> anyhow::Result<()> {
    let mut command = lab_play()?;
    command.env("LAB_STAGE4", STAGES[4].program()?);
    let output = command.args(["two-people", "--stage", "4"]).output()?;
    let text = String::from_utf8_lossy(&output.stdout);
    ensure!(output.status.code() == Some(1), "{}: {text}", output.status);
    for part in [
        "4 threads did not do what its design promises",
        "expected  `* Bob joined`",
        "seen      `[#lobby] * Bob joined`",
        "output    Alice stdout | [#lobby] * Bob joined",
    ] {
        ensure!(text.contains(part), "no `{part}` in\n{text}");
    }
    Ok(())
}

fn json() -> anyhow::Result<()> {
    let output = lab(&["two-people", "--stage", "1", "--stage", "3", "--format", "json"])?;
    let result: serde_json::Value = serde_json::from_slice(&output.stdout)?;
    ensure!(output.status.code() == Some(0), "{result}");
    ensure!(result["as_promised"] == true, "{result}");
    ensure!(result["lines"][0] == "Alice to Bob: Hello", "{result}");
    ensure!(result["stages"][1]["stage"] == 3, "{result}");
    ensure!(result["stages"][0]["outcomes"][1]["why"] == "one-way", "{result}");
    ensure!(result["stages"][1]["outcomes"][1]["heard_by"][0] == "Alice", "{result}");
    Ok(())
}

#[cfg(target_os = "linux")]
fn control_c() -> anyhow::Result<()> {
    use chat_lab::process::{PATIENCE, Process};
    use nix::sys::signal::{Signal, kill};
    use nix::unistd::Pid;
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("long.chat");
    std::fs::write(&file, format!("people: ann, bob\n{}", "ann to bob: hi\n".repeat(100_000)))?;
    let mut command = lab_play()?;
    command.args(["--stage", "4"]).arg(&file);
    let mut lab = Process::start("lab", command)?;
    let own = Pid::from_raw(lab.id() as i32);
    let children = until(|| Some(children(lab.id())).filter(|ids| ids.len() == 3))?; // a server, two clients
    kill(own, Signal::SIGINT)?;
    let status = lab.wait(PATIENCE).context("the lab does not end")?;
    ensure!(status.code() == Some(130), "{status}");
    until(|| children.iter().all(|id| !is_running(*id)).then_some(()))
}

/// Looks again and again until there is something to be seen.
#[cfg(target_os = "linux")]
fn until<T>(seen: impl Fn() -> Option<T>) -> anyhow::Result<T> {
    use chat_lab::{patience::Patience, process::PATIENCE, work::Worker};
    let mut patience = Patience::new(Worker::default(), PATIENCE);
    loop {
        if let Some(seen) = seen() {
            return Ok(seen);
        }
        ensure!(patience.pause(), "waited in vain");
    }
}

#[cfg(target_os = "linux")]
fn children(parent: u32) -> Vec<u32> {
    let of_thread =
        |task: std::fs::DirEntry| std::fs::read_to_string(task.path().join("children")).ok();
    let tasks = std::fs::read_dir(format!("/proc/{parent}/task")).into_iter().flatten().flatten();
    let ids: Vec<String> = tasks.filter_map(of_thread).collect();
    ids.join(" ").split_whitespace().filter_map(|id| id.parse().ok()).collect()
}

/// A process that has ended and was not waited for (state Z) does not run any more.
#[cfg(target_os = "linux")]
fn is_running(id: u32) -> bool {
    let status = std::fs::read_to_string(format!("/proc/{id}/status")).unwrap_or_default();
    status.lines().any(|line| line.starts_with("State:") && !line.contains('Z'))
}
