//! The course keeps its word: minutes add up, questions have answers, commands exist, the pages
//! can be rendered, and no slide is longer than its box.

use anyhow::{Context, ensure};
use chat_lab::stage::{STAGES, workspace};
use chat_lab::{book, slides};
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use walkdir::WalkDir;

pub fn tests() -> Vec<Trial> {
    vec![
        crate::test("course::the_minutes_of_each_session_add_up", minutes_add_up),
        crate::test("course::each_question_has_its_answers", questions_have_answers),
        crate::test("course::the_glossary_has_forty_words", forty_words),
        crate::test("course::every_false_sentence_is_there_and_tried", sentences_are_tried),
        crate::test("course::every_command_of_the_book_exists", commands_exist),
        crate::test("course::the_book_can_be_rendered", the_book_can_be_rendered),
        crate::test("course::no_page_is_wider_than_a_telephone", no_page_is_too_wide),
        crate::test("course::each_stage_has_ten_slides_with_notes", ten_slides),
        crate::test("course::no_slide_is_longer_than_its_box", no_slide_is_too_long),
    ]
}

fn page(name: &str) -> anyhow::Result<String> {
    let path = workspace().join("docs/src").join(name);
    fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
}

/// A table whose first column is `minutes` ends with their sum; a session's is ninety.
fn minutes_add_up() -> anyhow::Result<()> {
    let sessions = (1..=5).map(|number| (format!("teach/session{number}.md"), 90));
    for (name, total) in sessions.chain([("teach/oral.md".to_string(), 10)]) {
        let text = page(&name)?;
        let rows = text.lines().skip_while(|line| !line.starts_with("| minutes |")).skip(2);
        let cells = rows
            .take_while(|line| line.starts_with('|'))
            .filter_map(|line| line.split('|').nth(1).map(str::trim));
        let cells: Vec<&str> = cells.collect();
        let (last, parts) = cells.split_last().with_context(|| format!("{name} has no minutes"))?;
        let sum: Result<u32, _> = parts.iter().map(|part| part.parse::<u32>()).sum();
        let sum = sum.with_context(|| format!("{name}: {parts:?}"))?;
        ensure!(*last == format!("**{total}**") && sum == total, "{name}: {sum} is not {last}");
    }
    Ok(())
}

fn questions_have_answers() -> anyhow::Result<()> {
    let text = page("teach/quiz.md")?;
    let questions: Vec<&str> = text.split("\n**").skip(1).collect();
    let (questions, answers): (Vec<&str>, Vec<&str>) =
        questions.iter().partition(|part| part.starts_with(|c: char| c.is_ascii_digit()));
    ensure!(questions.len() == 40 && answers.len() == 40, "there are to be forty of each");
    for (number, (question, answer)) in questions.iter().zip(&answers).enumerate() {
        let name = format!("question {}", number + 1);
        ensure!(question.starts_with(&format!("{}.** ", number + 1)), "{name} is missing");
        let right = &answer[..1];
        for letter in ["A", "B", "C", "D"] {
            ensure!(question.contains(&format!("\n- {letter}. ")), "{name} has no {letter}");
            let explained = answer.contains(&format!("\n- {letter}: "));
            ensure!(explained == (letter != right), "{name}: {letter} is right or explained");
        }
    }
    Ok(())
}

fn forty_words() -> anyhow::Result<()> {
    let text = page("glossary.md")?;
    let rows = text.lines().filter(|line| line.starts_with("| ")).skip(1);
    let words: BTreeSet<&str> = rows.filter_map(|row| row.split('|').nth(1)).collect();
    ensure!(words.len() == 40, "{} words", words.len());
    Ok(())
}

/// `sessions::documents` types the blocks; here it is seen that there are such blocks.
fn sentences_are_tried() -> anyhow::Result<()> {
    let text = page("documents.md")?;
    let sentences: Vec<&str> = text.split("\n### ").skip(1).collect();
    ensure!(sentences.len() == 27, "{} sentences", sentences.len());
    for (index, sentence) in sentences.iter().enumerate() {
        let sentence = sentence.split("\n## ").next().unwrap_or_default();
        let title = sentence.lines().next().unwrap_or_default();
        ensure!(title.starts_with(&format!("{}. ", index + 1)), "{title}: out of order");
        for part in ["\n> ", "**Believed:**", "**Why:**", "**True:**", "\n```console\n"] {
            ensure!(sentence.contains(part), "{title}: no {part:?}");
        }
        for block in sentence.split("```console\n").skip(1) {
            let typed = block.split("```").next().unwrap_or_default().lines();
            let typed = typed.filter(|line| line.contains("$ ") || line.contains("< ")).count();
            ensure!(typed <= 6, "{title}: {typed} lines are to be typed");
        }
    }
    Ok(())
}

/// Each command of the lab and of the stages that a block of the book shows, with `--help` behind
/// it: what is misspelt, or has gone, is refused before the help is shown.
fn commands_exist() -> anyhow::Result<()> {
    let mut commands = BTreeSet::new();
    for entry in WalkDir::new(workspace().join("docs")).into_iter().filter_map(Result::ok) {
        if entry.path().extension().is_some_and(|it| it == "md") {
            commands.extend(commands_of(&fs::read_to_string(entry.path())?));
        }
    }
    commands.extend(commands_of(&fs::read_to_string(workspace().join("README.md"))?));
    ensure!(commands.len() > 30, "only {} commands were found", commands.len());
    let wrong: Vec<String> = commands.iter().filter_map(|command| refused(command).err()).collect();
    ensure!(wrong.is_empty(), "{}", wrong.join("\n"));
    Ok(())
}

fn commands_of(text: &str) -> Vec<String> {
    let mut in_block = false;
    let mut commands = Vec::new();
    for line in text.lines() {
        if line.starts_with("```") {
            in_block = !in_block;
        } else if in_block {
            let command = line.split_once("$ ").map_or(line, |(_, command)| command);
            let end =
                [" # ", "  ", " | ", " > "].iter().filter_map(|mark| command.find(mark)).min();
            let command = command[..end.unwrap_or(command.len())].trim();
            let ours =
                command.starts_with("cargo lab ") || command.starts_with("cargo run -p stage");
            if ours && !command.ends_with("...") {
                commands.push(command.to_string());
            }
        }
    }
    commands
}

fn refused(command: &str) -> Result<(), String> {
    let words = shlex::split(command).ok_or(format!("cannot read `{command}`"))?;
    let own: Vec<String> = words.iter().skip(2).take_while(|word| *word != "--").cloned().collect();
    let mut program = match (words[1].as_str(), own.first().map(String::as_str)) {
        ("lab", Some("run")) => {
            let number = own.get(1).and_then(|number| number.parse::<u8>().ok());
            let mut program = stage(number.ok_or(format!("`{command}`: which stage?"))?)?;
            program.args(&own[2..]);
            program
        }
        ("lab", _) => {
            let mut program = Command::new(env!("CARGO_BIN_EXE_lab"));
            program.args(&own);
            program
        }
        _ => {
            let package = words.get(3).ok_or(format!("`{command}`: which package?"))?;
            let number = STAGES.iter().find(|stage| stage.package == package).map(|it| it.number);
            let mut program = stage(number.ok_or(format!("`{command}`: no such package"))?)?;
            program.args(words.iter().skip_while(|word| *word != "--").skip(1));
            program
        }
    };
    let output =
        program.arg("--help").stdin(Stdio::null()).output().map_err(|it| it.to_string())?;
    let said = String::from_utf8_lossy(&output.stderr);
    output.status.success().then_some(()).ok_or(format!("`{command}`: {said}"))
}

fn stage(number: u8) -> Result<Command, String> {
    let stage = chat_lab::stage::Stage::by_number(number).map_err(|error| error.to_string())?;
    stage.program().map(Command::new).map_err(|error| format!("{error:#}"))
}

/// Every page is there, and every relative link of a page leads to a file.
fn the_book_can_be_rendered() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let count = book::write(&workspace().join("docs/src"), folder.path())?;
    ensure!(count > 40, "only {count} pages");
    for entry in WalkDir::new(folder.path()).into_iter().filter_map(Result::ok) {
        let path = entry.path();
        if path.extension().is_none_or(|it| it != "html") {
            continue;
        }
        let html = fs::read_to_string(path)?;
        ensure!(!html.contains("{{#"), "{}: an include is left", path.display());
        for link in html.split("href=\"").skip(1).filter_map(|rest| rest.split('"').next()) {
            let file = link.split('#').next().unwrap_or_default();
            let is_ours = !file.is_empty() && !file.contains(':') && !file.starts_with('/');
            let target = path.parent().context("a file lies in a folder")?.join(file);
            let in_the_kit = file.contains("../../"); // of the sources, which are not copied
            ensure!(!is_ours || in_the_kit || target.exists(), "{}: {link}", path.display());
        }
    }
    Ok(())
}

fn ten_slides() -> anyhow::Result<()> {
    let all = slides::all(&workspace().join("docs/slides"))?;
    for stage in &STAGES {
        let lecture = format!("stage{}", stage.number);
        let count = all.iter().filter(|slide| slide.lecture == lecture).count();
        ensure!(count == 10, "{lecture} has {count} slides");
    }
    let silent = all.iter().find(|slide| slide.notes.is_empty());
    ensure!(silent.is_none(), "no notes: {silent:?}");
    Ok(())
}

/// The page itself compares each text with its box and writes down which are longer.
fn no_slide_is_too_long() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let all = slides::all(&workspace().join("docs/slides"))?;
    fs::write(folder.path().join("slides.html"), slides::page(&all))?;
    let Some(page) = seen_in_a_browser(folder.path(), "slides.html")? else { return Ok(()) };
    let seen = format!("data-slides=\"{}\"", all.len());
    ensure!(page.contains(&seen), "the browser has not seen all slides");
    ensure!(page.contains("data-too-long=\"none\""), "slides longer than their box: {page}");
    Ok(())
}

/// All pages at once, each in a frame of 360 pixels; a script looks which of them scroll sideways.
fn no_page_is_too_wide() -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let count = book::write(&workspace().join("docs/src"), folder.path())?;
    let pages = WalkDir::new(folder.path()).into_iter().filter_map(Result::ok);
    let pages = pages.filter_map(|entry| {
        let page = entry.path().strip_prefix(folder.path()).ok()?.to_string_lossy().into_owned();
        let is_page = page.ends_with(".html") && page != "index.html" && !page.contains("report");
        is_page.then(|| format!("<iframe width=360 height=600 src=\"{page}\"></iframe>"))
    });
    let frames: String = pages.collect();
    let look = "const all = [...document.querySelectorAll('iframe')];
        const of = frame => frame.contentDocument;
        const wide = all.filter(frame => of(frame).documentElement.scrollWidth > 360);
        document.body.dataset.seen = all.filter(frame => of(frame).querySelector('main')).length;
        document.body.dataset.wide = wide.map(frame => frame.getAttribute('src')).join(' ') || 'none';";
    let harness =
        format!("<!doctype html><body>{frames}<script>onload = () => {{ {look} }}</script>");
    fs::write(folder.path().join("all.html"), harness)?;
    let Some(page) = seen_in_a_browser(folder.path(), "all.html")? else { return Ok(()) };
    ensure!(page.contains(&format!("data-seen=\"{count}\"")), "not all of {count} pages: {page}");
    ensure!(page.contains("data-wide=\"none\""), "wider than 360 pixels: {page}");
    Ok(())
}

/// The `body` tag of a page after its script has run, if there is a browser to run it.
fn seen_in_a_browser(folder: &Path, file: &str) -> anyhow::Result<Option<String>> {
    let Some(browser) = browser() else {
        eprintln!("skipped: no Chromium here, so nobody has looked at {file}");
        return Ok(None);
    };
    let output = Command::new(browser)
        .args(["--headless", "--no-sandbox", "--disable-gpu", "--dump-dom"])
        .arg("--allow-file-access-from-files") // a frame of another file may be looked into
        .arg(format!("--user-data-dir={}", folder.join("profile").display()))
        .arg(format!("file://{}", folder.join(file).display()))
        .stdin(Stdio::null())
        .output()?;
    let page = String::from_utf8_lossy(&output.stdout);
    let body = page.split("<body").nth(1).and_then(|rest| rest.split('>').next());
    Ok(Some(body.context("the browser has shown nothing")?.to_string()))
}

fn browser() -> Option<PathBuf> {
    let names = ["chromium", "chromium-browser", "google-chrome"];
    let folders = std::env::var_os("PATH")?;
    let paths = std::env::split_paths(&folders).flat_map(|it| names.map(|name| it.join(name)));
    paths.into_iter().find(|path| path.is_file())
}
