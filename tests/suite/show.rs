//! `lab show`: what is drawn is what was sent, whoever the server is and however it is drawn.

use anyhow::{Result, bail, ensure};
use chat_lab::capture::Capture;
use chat_lab::conversation::Conversation;
use chat_lab::show::recording::{Recording, Run, VERSION, What};
use chat_lab::show::scene::Scene;
use chat_lab::show::{Script, page, record_stage, text, trace};
use chat_lab::stage::{STAGES, Stage};
use libtest_mimic::Trial;
use std::path::Path;
use std::process::Command;

const TALK: &str = "title: Two\npeople: ann, bob\nann to bob: hi\nbob to ann: hello\n";

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for stage in &STAGES {
        let name = format!("show::stage{}_a_conversation_is_drawn", stage.number);
        tests.push(crate::test(name, move || draws(stage)));
    }
    tests.push(crate::test(
        "show::each_chapter_opens_with_its_picture",
        chapters_open_with_pictures,
    ));
    let pieces = "show::pieces_are_seen_in_the_picture_and_in_the_capture";
    tests.push(crate::test(pieces, pieces_are_seen));
    tests
}

fn draws(stage: &'static Stage) -> Result<()> {
    let conversation = Conversation::parse(TALK).map_err(|mistake| anyhow::anyhow!("{mistake}"))?;
    let run = record_stage(stage, &Script::Conversation(conversation), None)?;
    let missing: Vec<&String> = run.moments.iter().flat_map(|it| &it.missing).collect();
    ensure!(missing.is_empty(), "not everything came: {missing:?}");
    ensure!(!cfg!(target_os = "linux") || !run.threads.is_empty(), "no thread: {}", run.source);
    for text in ["hi⏎", "ann"] {
        must_contain(&text::draw(&run, 80), text)?;
    }
    let recording = Recording { version: VERSION, title: "Two".to_string(), runs: vec![run] };
    let again: Recording = serde_json::from_str(&serde_json::to_string(&recording)?)?;
    let html = page::html(&again, "show")?;
    must_contain(&html, "hi⏎")?;
    for foreign in ["http://", "https://", "src=", "@import"] {
        let used = html.replace("http://www.w3.org/2000/svg", "").contains(foreign);
        ensure!(!used, "the page needs a network: it has {foreign}");
    }
    let traced = trace::chrome(&again);
    must_contain(&serde_json::to_string(&traced["traceEvents"])?, "sends")
}

/// The pictures are made by the command that `docs/src/pictures.chat` names.
fn chapters_open_with_pictures() -> Result<()> {
    let book = chat_lab::stage::workspace().join("docs/src");
    for stage in &STAGES {
        let picture = format!("pictures/stage{}.svg", stage.number);
        let chapter = std::fs::read_to_string(book.join(format!("stage{}.md", stage.number)))?;
        let first = chapter.lines().skip(1).find(|line| !line.is_empty()).unwrap_or_default();
        let words = first.strip_prefix("![").and_then(|line| line.split_once("](")).map(|it| it.0);
        ensure!(first.ends_with(&format!("]({picture})")), "it opens with {first}: {picture}?");
        ensure!(words.is_some_and(|words| words.len() > 40), "{picture} is not told in words");
        let svg = std::fs::read_to_string(book.join(&picture))?;
        must_contain(&svg, &format!("stage {}: {}", stage.number, stage.idea))?;
        must_contain(&svg, "hi⏎")?;
    }
    Ok(())
}

fn must_contain(text: &str, part: &str) -> Result<()> {
    ensure!(text.contains(part), "{part:?} is missing in {text}");
    Ok(())
}

fn pieces_are_seen() -> Result<()> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("pieces.pcapng");
    let stage = Stage::by_number(4)?;
    let run = record_stage(stage, &Script::Scene(Scene::Pieces), Some(Capture::create(&file)?))?;
    for piece in ["f\\xC3", "\\xA8 at one⏎", "one⏎two⏎"] {
        ensure!(sends(&run).any(|text| text == piece), "{piece} was not sent by itself");
    }
    let heard = run.events.iter().any(|event| {
        matches!(&event.what, What::Receives { who, text, .. } if who == "bob" && text.contains("caffè at one⏎"))
    });
    ensure!(heard, "bob did not receive the line that came in pieces");
    dissected(&file)
}

fn sends(run: &Run) -> impl Iterator<Item = &String> {
    run.events.iter().filter_map(|event| match &event.what {
        What::Sends { text, .. } => Some(text),
        _ => None,
    })
}

/// With `tshark`, where there is one: lines are put together, and the marks stand where they should.
fn dissected(file: &Path) -> Result<()> {
    let script = chat_lab::stage::workspace().join("tests/wireshark/five-chats.lua");
    let output = Command::new("tshark")
        .arg("-r")
        .arg(file)
        .args(["-X", &format!("lua_script:{}", script.display())])
        .args([
            "-T",
            "fields",
            "-E",
            "separator=;",
            "-e",
            "chat.line",
            "-e",
            "chat.split",
            "-e",
            "chat.joined",
        ])
        .output();
    let Ok(output) = output else {
        eprintln!("there is no tshark here: the dissector is not tried");
        return Ok(());
    };
    let text = String::from_utf8_lossy(&output.stdout);
    must_contain(&text, "caffè at one;")?;
    must_contain(&text, "one,two;")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    if errors.contains("Lua:") {
        bail!("the dissector fails: {errors}");
    }
    Ok(())
}
