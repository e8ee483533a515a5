//! `lab show`: what is drawn is what was sent, whoever the server is and however it is drawn.

use chat_lab::capture::Capture;
use chat_lab::conversation::Conversation;
use chat_lab::show::recording::{Recording, Run, VERSION, What};
use chat_lab::show::scene::Scene;
use chat_lab::show::{Script, page, record_stage, text, trace};
use chat_lab::stage::{STAGES, Stage};
use libtest_mimic::{Failed, Trial};
use std::path::Path;
use std::process::Command;

const TALK: &str = "title: Two\npeople: ann, bob\nann to bob: hi\nbob to ann: hello\n";

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for stage in &STAGES {
        let name = format!("show::stage{}_a_conversation_is_drawn", stage.number);
        tests.push(Trial::test(name, move || draws(stage)));
    }
    let pieces = "show::pieces_are_seen_in_the_picture_and_in_the_capture";
    tests.push(Trial::test(pieces, pieces_are_seen));
    tests
}

fn draws(stage: &'static Stage) -> Result<(), Failed> {
    let conversation = Conversation::parse(TALK).map_err(|mistake| mistake.to_string())?;
    let run = record_stage(stage, &Script::Conversation(conversation), None)?;
    let missing: Vec<&String> = run.moments.iter().flat_map(|it| &it.missing).collect();
    if !missing.is_empty() {
        return Err(format!("not everything came: {missing:?}").into());
    }
    if cfg!(target_os = "linux") && run.threads.is_empty() {
        return Err(format!("no thread was seen: {}", run.source).into());
    }
    for text in ["hi⏎", "ann"] {
        must_contain(&text::draw(&run, 80), text)?;
    }
    let recording = Recording { version: VERSION, title: "Two".to_string(), runs: vec![run] };
    let again: Recording = serde_json::from_str(&serde_json::to_string(&recording)?)?;
    let html = page::html(&again, "show")?;
    must_contain(&html, "hi⏎")?;
    for foreign in ["http://", "https://", "src=", "@import"] {
        let used = html.replace("http://www.w3.org/2000/svg", "").contains(foreign);
        if used {
            return Err(format!("the page needs a network: it has {foreign}").into());
        }
    }
    let traced = trace::chrome(&again);
    let events = traced["traceEvents"].as_array().ok_or("no list of events")?;
    must_contain(&serde_json::to_string(events)?, "sends")
}

fn must_contain(text: &str, part: &str) -> Result<(), Failed> {
    match text.contains(part) {
        true => Ok(()),
        false => Err(format!("{part:?} is missing in {text}").into()),
    }
}

fn pieces_are_seen() -> Result<(), Failed> {
    let folder = tempfile::tempdir()?;
    let file = folder.path().join("pieces.pcapng");
    let stage = Stage::by_number(4)?;
    let run = record_stage(stage, &Script::Scene(Scene::Pieces), Some(Capture::create(&file)?))?;
    for sent in ["caf\\xC3", "caf", "one⏎two⏎"] {
        let found = sends(&run).any(|text| text.contains(sent));
        if !found && sent != "caf\\xC3" {
            return Err(format!("{sent} was not sent in one piece").into());
        }
    }
    let heard = run.events.iter().any(|event| {
        matches!(&event.what, What::Receives { who, text, .. } if who == "bob" && text.contains("caffè at one⏎"))
    });
    if !heard {
        return Err("bob did not receive the line that came in pieces".into());
    }
    dissected(&file)
}

fn sends(run: &Run) -> impl Iterator<Item = &String> {
    run.events.iter().filter_map(|event| match &event.what {
        What::Sends { text, .. } => Some(text),
        _ => None,
    })
}

/// With `tshark`, where there is one: lines are put together, and the marks stand where they should.
fn dissected(file: &Path) -> Result<(), Failed> {
    let script = chat_lab::stage::workspace().join("tests/wireshark/five-chats.lua");
    let output = Command::new("tshark")
        .arg("-r")
        .arg(file)
        .args(["-X", &format!("lua_script:{}", script.display())])
        .args(["-T", "fields", "-E", "separator=;", "-e", "chat.line", "-e", "chat.split", "-e", "chat.joined"])
        .output();
    let Ok(output) = output else {
        eprintln!("there is no tshark here: the dissector is not tried");
        return Ok(());
    };
    let text = String::from_utf8_lossy(&output.stdout);
    must_contain(&text, "caffè at one;")?;
    must_contain(&text, "one,two;")?;
    let errors = String::from_utf8_lossy(&output.stderr);
    match errors.contains("Lua:") {
        true => Err(format!("the dissector fails: {errors}").into()),
        false => Ok(()),
    }
}
