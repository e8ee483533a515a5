//! What `docs/src/architecture.md` says of the stages is so: its tables are made from the code, or
//! compared with it, and each invariant names a test that there is.
//!
//! `WRITE_PAGES=1 cargo test -p chat-lab --test suite -- architecture` writes the tables anew.

use anyhow::{Context, ensure};
use chat_lab::stage::{STAGES, Stage, workspace};
use libtest_mimic::Trial;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::{Path, PathBuf};
use std::sync::{Mutex, PoisonError};
use walkdir::WalkDir;

/// The stages whose middle is the same.
const THREE: [usize; 3] = [3, 4, 5];

/// What the three do in the same way: a file, and its functions. `state` is called differently.
const CONTRACT: [(&str, &[&str]); 6] = [
    ("line.rs", &["push", "next_line"]),
    ("command.rs", &["parse"]),
    ("state", &["arrive", "apply", "evict", "leave"]),
    ("effects.rs", &["tell", "tell_all", "show", "close", "close_with", "next", "text", "clear"]),
    ("table.rs", &["insert", "get_mut", "remove"]),
    ("accept.rs", &["pause_after"]),
];

/// What has the same name and the same task in the three, and is done in another way.
const DIFFERENCES: [(&str, &[&str]); 3] = [
    ("server.rs", &["run", "accept", "read", "write"]),
    ("hub.rs", &["carry_out"]),
    ("outbox.rs", &["put", "close"]),
];

/// Where the state of a stage is.
const STATES: [&str; 5] = ["users.rs", "room.rs", "state.rs", "state/mod.rs", "rooms.rs"];

pub fn tests() -> Vec<Trial> {
    vec![
        crate::test("architecture::the_middle_has_one_contract", || {
            generated("contract", &contract()?)
        }),
        crate::test("architecture::the_differences_are_those_of_the_code", || {
            generated("differences", &differences()?)
        }),
        crate::test("architecture::every_file_of_a_stage_is_in_the_table", || {
            generated("files", &files()?)
        }),
        crate::test("architecture::every_file_that_is_named_is_there", every_name_is_there),
        crate::test("architecture::every_invariant_names_its_test", every_invariant_has_a_test),
    ]
}

fn page() -> PathBuf {
    workspace().join("docs/src/architecture.md")
}

/// The part of the page between `<!-- mark -->` and `<!-- /mark -->` is `table`.
fn generated(mark: &str, table: &str) -> anyhow::Result<()> {
    static ONE_WRITER: Mutex<()> = Mutex::new(()); // the tests run side by side
    let _one = ONE_WRITER.lock().unwrap_or_else(PoisonError::into_inner);
    let text = fs::read_to_string(page())?;
    let (open, close) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let (before, rest) = text.split_once(&open).with_context(|| format!("no {open}"))?;
    let (written, after) = rest.split_once(&close).with_context(|| format!("no {close}"))?;
    if std::env::var_os("WRITE_PAGES").is_some() {
        fs::write(page(), format!("{before}{open}{table}{close}{after}"))?;
        return Ok(());
    }
    ensure!(
        written == table,
        "docs/src/architecture.md is not what the code says; WRITE_PAGES=1 writes it:\n{table}"
    );
    Ok(())
}

/// A row for each function. Its three columns are equal, so it is said once; they say where it is.
fn contract() -> anyhow::Result<String> {
    let mut table = "| function | 3 | 4 | 5 |\n|---|---|---|---|\n".to_string();
    for (file, functions) in CONTRACT {
        for function in functions {
            let mut signatures = BTreeSet::new();
            let mut cells = Vec::new();
            for stage in THREE.map(|number| &STAGES[number - 1]) {
                let path = path(stage, file)?;
                signatures.insert(signature(&path, function)?);
                cells.push(format!("`{}`", path.file_name().unwrap_or_default().display()));
            }
            ensure!(
                signatures.len() == 1,
                "{file}: `{function}` is not the same in the three: {signatures:#?}"
            );
            let signature = signatures.into_iter().next().unwrap_or_default();
            table += &format!("| `{signature}` | {} |\n", cells.join(" | "));
        }
    }
    Ok(table)
}

/// A row for each function, and in each column how it is called there.
fn differences() -> anyhow::Result<String> {
    let mut table = "| | 3 owns it | 4 locks it | 5 mails it |\n|---|---|---|---|\n".to_string();
    for (file, functions) in DIFFERENCES {
        for function in functions {
            let mut cells = Vec::new();
            for stage in THREE.map(|number| &STAGES[number - 1]) {
                cells.push(format!("`{}`", signature(&path(stage, file)?, function)?));
            }
            table += &format!("| `{file}` | {} |\n", cells.join(" | "));
        }
    }
    Ok(table)
}

fn path(stage: &Stage, file: &str) -> anyhow::Result<PathBuf> {
    let folder = workspace().join(stage.package).join("src");
    let names = if file == "state" { &STATES[..] } else { &[file][..] };
    let found = names.iter().map(|name| folder.join(name)).find(|path| path.exists());
    found.with_context(|| format!("{} has no {names:?}", stage.package))
}

/// How a function is called: its name, the types of what it takes, and the type of what it gives.
fn signature(path: &Path, function: &str) -> anyhow::Result<String> {
    let text = fs::read_to_string(path)?;
    let code = text.split("#[cfg(test)]").next().unwrap_or_default();
    let at = code
        .match_indices("fn ")
        .find(|(at, _)| {
            let name = &code[at + 3..];
            let rest = name.strip_prefix(function);
            rest.is_some_and(|rest| rest.starts_with(['(', '<']))
        })
        .with_context(|| format!("{} has no function {function}", path.display()))?
        .0;
    let is_async = code[..at].ends_with("async ");
    let head = code[at..].split('{').next().unwrap_or_default();
    let head = head.split_whitespace().collect::<Vec<_>>().join(" ");
    let (_, parameters) = head.split_once('(').context("a function has parameters")?;
    let close = closing(parameters).context("parameters end")?;
    let types: Vec<String> = commas(&parameters[..close]).iter().map(|one| type_of(one)).collect();
    let result = parameters[close + 1..].trim();
    let result = result.split(" where ").next().unwrap_or_default();
    let word = if is_async { "async " } else { "" };
    Ok(format!("{word}{function}({}) {result}", types.join(", ")).trim_end().to_string())
}

fn type_of(parameter: &str) -> String {
    let parameter = parameter.trim();
    match parameter.split_once(": ") {
        Some((_, its_type)) => its_type.to_string(),
        None => parameter.to_string(), // self
    }
}

/// Where the parenthesis ends that is open at the beginning of `text`.
fn closing(text: &str) -> Option<usize> {
    let mut depth = 0;
    text.char_indices().find_map(|(at, c)| {
        depth += match c {
            '(' => 1,
            ')' => -1,
            _ => 0,
        };
        (depth < 0).then_some(at)
    })
}

/// The parts between the commas that are in no parenthesis.
fn commas(text: &str) -> Vec<&str> {
    let mut depth = 0;
    let is_comma = |c: char| {
        match c {
            '(' | '<' | '[' => depth += 1,
            ')' | '>' | ']' => depth -= 1,
            _ => {}
        }
        c == ',' && depth == 0
    };
    text.split(is_comma).filter(|part| !part.trim().is_empty()).collect()
}

/// A row for each file of a stage, by layer: which stages have it, and what lives there. The words
/// are kept as somebody has written them; a new file begins with its own first sentence.
fn files() -> anyhow::Result<String> {
    let mut rows: BTreeMap<(usize, String), ([bool; 5], String)> = BTreeMap::new();
    for stage in &STAGES {
        let folder = workspace().join(stage.package).join("src");
        for entry in WalkDir::new(&folder).max_depth(1) {
            let path = entry?.into_path();
            let name = path.file_name().unwrap_or_default().display().to_string();
            if !name.ends_with(".rs") {
                continue;
            }
            let (layer, sentence) = first_line(&fs::read_to_string(&path)?);
            if let Some(key) = rows.keys().find(|(_, other)| *other == name).cloned() {
                // The last stage that has it says to which layer it belongs.
                let row = rows.remove(&key).unwrap_or_default();
                rows.insert((layer.min(key.0), name.clone()), row);
            }
            let key = rows.keys().find(|(_, other)| *other == name).cloned();
            let (stages, words) = rows.entry(key.unwrap_or((layer, name))).or_default();
            stages[usize::from(stage.number) - 1] = true;
            *words = sentence;
        }
    }
    let text = fs::read_to_string(page())?;
    let mut table =
        "| layer | file | 1 | 2 | 3 | 4 | 5 | what lives there |\n|---|---|---|---|---|---|---|---|\n"
            .to_string();
    for ((layer, name), (stages, sentence)) in rows {
        let marks = stages.map(|has| if has { "x" } else { " " }).join(" | ");
        let begins = format!("| `{name}` | ");
        let written = text.lines().find_map(|row| row.split_once(&begins)?.1.rsplit(" | ").next());
        let words = written.map_or(sentence, |words| words.trim_end_matches(" |").to_string());
        let layer = LAYERS.get(layer).copied().unwrap_or_default();
        table += &format!("| {layer} {begins}{marks} | {words} |\n");
    }
    Ok(table)
}

/// In the order in which they are read.
const LAYERS: [&str; 6] =
    ["the design", "the meaning", "the hand-over", "the bytes", "the rare faults", "the other end"];

/// `//! Layer: the design. Accept, read, ...`: the number of the layer, and the first sentence.
fn first_line(text: &str) -> (usize, String) {
    let paragraph = text.lines().map_while(|line| line.strip_prefix("//! "));
    let paragraph = paragraph.collect::<Vec<_>>().join(" ");
    let rest = paragraph.strip_prefix("Layer: ").unwrap_or_default();
    let layer = LAYERS.iter().position(|layer| rest.starts_with(layer)).unwrap_or(LAYERS.len());
    let words = match LAYERS.get(layer) {
        Some(name) => rest[name.len()..].trim_start_matches(['.', ' ']),
        None => &paragraph,
    };
    let sentence = words.split(". ").next().unwrap_or_default().trim_end_matches(['.', ':']);
    (layer, sentence.to_string())
}

/// Every path of the lab that the page names.
fn every_name_is_there() -> anyhow::Result<()> {
    let text = fs::read_to_string(page())?;
    let spans = text.split('`').skip(1).step_by(2);
    let is_path = |span: &&str| {
        ["src/", "zoo/", "suite/", "tests/"].iter().any(|folder| span.starts_with(folder))
            && !span.contains(char::is_whitespace)
    };
    let paths: Vec<&str> = spans.filter(is_path).collect();
    ensure!(!paths.is_empty(), "architecture.md names no file of the lab");
    for path in paths {
        let there = [workspace().join(path), workspace().join("tests").join(path)];
        ensure!(there.iter().any(|path| path.exists()), "architecture.md: there is no {path}");
    }
    Ok(())
}

/// `**Invariant:** ... Held by `suite::test_name`.`
fn every_invariant_has_a_test() -> anyhow::Result<()> {
    let text = fs::read_to_string(page())?;
    let mut sources = String::new();
    for folder in STAGES.iter().map(|stage| stage.package).chain(["tests/src", "tests/suite"]) {
        for entry in WalkDir::new(workspace().join(folder)) {
            let entry = entry?;
            if entry.path().extension().is_some_and(|it| it == "rs") {
                sources += &fs::read_to_string(entry.path())?;
            }
        }
    }
    let invariants: Vec<&str> =
        text.split("\n\n").filter(|paragraph| paragraph.starts_with("**Invariant:**")).collect();
    ensure!(!invariants.is_empty(), "architecture.md has no invariants");
    for invariant in invariants {
        let (_, held) = invariant
            .rsplit_once("Held by")
            .with_context(|| format!("no test holds this: {invariant}"))?;
        for test in held.split('`').skip(1).step_by(2) {
            let name = test.rsplit("::").next().unwrap_or_default();
            let name = name.trim_start_matches("*_"); // one for each stage
            let is_there = sources.contains(&format!("fn {name}("))
                || sources.contains(&format!("\"{test}\""))
                || sources.contains(&format!("_{name}\""));
            ensure!(is_there, "architecture.md: there is no test {test}");
        }
    }
    Ok(())
}
