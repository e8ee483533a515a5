//! Every conversation on every stage, and the picture of it in the README.

use crate::test;
use anyhow::{Context, ensure};
use chat_lab::conversation::Conversation;
use chat_lab::play::{conversations, play, play_all, table};
use chat_lab::stage::{self, STAGES};
use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for (name, path) in conversations() {
        for stage in &STAGES {
            let path = path.clone();
            tests.push(test(
                format!("play::{name}_on_{}", stage.package),
                move || {
                    let text = std::fs::read_to_string(&path)?;
                    let conversation = Conversation::parse(&text)
                        .map_err(|mistake| anyhow::anyhow!("{mistake}"))?;
                    let played = play(stage, &conversation, &|_| {})?;
                    let differences = table::differences(&[played], table::Look::plain());
                    ensure!(differences.is_empty(), "{differences}");
                    Ok(())
                },
            ));
        }
    }
    tests.push(test(
        "play::the_recorded_comparison_is_what_lab_play_prints",
        recorded,
    ));
    tests.push(test(
        "play::a_mistake_in_a_file_is_shown_with_its_line_and_ends_with_status_2",
        mistake,
    ));
    tests.push(test(
        "play::a_file_that_is_not_there_is_named_with_the_ones_that_are",
        no_file,
    ));
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

fn lab(arguments: &[&str]) -> anyhow::Result<std::process::Output> {
    let mut command = std::process::Command::new(env!("CARGO_BIN_EXE_lab"));
    Ok(command.arg("play").args(arguments).output()?)
}

fn mistake() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("wrong.chat");
    std::fs::write(&file, "people: ann, bob\nann to dora: hi\n")?;
    let output = lab(&[&file.display().to_string()])?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(2),
        "{}: {error}",
        output.status
    );
    for part in [
        "wrong.chat: line 2, column 8: expected",
        "2 | ann to dora: hi",
        "    |        ^^^^",
    ] {
        ensure!(error.contains(part), "no `{part}` in\n{error}");
    }
    Ok(())
}

fn no_file() -> anyhow::Result<()> {
    let output = lab(&["nowhere.chat"])?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(
        output.status.code() == Some(2),
        "{}: {error}",
        output.status
    );
    ensure!(error.lines().count() == 1, "not one line: {error}");
    ensure!(
        error.contains("nowhere.chat") && error.contains("ten-clients"),
        "{error}"
    );
    Ok(())
}
