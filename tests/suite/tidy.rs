//! What every change keeps true of the tree itself.

use anyhow::{Context, ensure};
use chat_lab::stage::{STAGES, Stage, workspace};
use libtest_mimic::Trial;
use std::fs;
use std::path::PathBuf;
use std::process::Command;

/// What the stages may depend on, beside the standard library.
const PACKAGES: [(u8, &[&str]); 5] = [
    (1, &["anyhow", "clap"]),
    (2, &["anyhow", "clap"]),
    (3, &["anyhow", "clap", "mio"]),
    (4, &["anyhow", "clap"]),
    (5, &["anyhow", "clap", "rustyline", "socket2", "tokio"]),
];

/// Files that are the same in several stages. What a student has read in one of them need not be
/// read again in the next.
const TWINS: [(&str, &[usize]); 9] = [
    ("src/accept.rs", &[1, 2, 3, 4, 5]),
    ("src/advice.rs", &[1, 2, 3, 4, 5]),
    ("src/farewell.rs", &[1, 2]),
    ("src/line.rs", &[1, 2]),
    ("src/console.rs", &[1, 2]),
    ("src/line.rs", &[3, 4, 5]),
    ("src/console.rs", &[3, 4, 5]),
    ("src/effects.rs", &[3, 4, 5]),
    ("src/table.rs", &[3, 4, 5]),
];

/// The top level, and nothing else.
const TOP_LEVEL: [&str; 18] = [
    ".cargo",
    ".ci",
    ".config",
    ".github",
    ".gitignore",
    "CHANGELOG.md",
    "Cargo.lock",
    "Cargo.toml",
    "LICENSE",
    "README.md",
    "clippy.toml",
    "docs",
    "rustfmt.toml",
    "stage1-simplex",
    "stage2-duplex",
    "stage3-select",
    "stage4-threads",
    "stage5-async",
];

pub fn tests() -> Vec<Trial> {
    vec![
        crate::test("tidy::twin_files_are_identical", twin_files_are_identical),
        crate::test("tidy::no_words_where_a_socket_is_touched", no_words_where_a_socket_is_touched),
        crate::test("tidy::what_decides_is_pure", what_decides_is_pure),
        crate::test("tidy::no_socket_where_a_lock_is", no_socket_where_a_lock_is),
        crate::test("tidy::the_lab_links_to_no_stage", the_lab_links_to_no_stage),
        crate::test("tidy::stages_depend_on_what_is_tabled", stages_depend_on_what_is_tabled),
        crate::test("tidy::the_top_level_is_tidy", the_top_level_is_tidy),
        crate::test("tidy::the_readme_counts_lines_rightly", the_readme_counts_lines_rightly),
        crate::test("tidy::the_readme_shows_the_comparison", the_readme_shows_the_comparison),
    ]
}

fn twin_files_are_identical() -> anyhow::Result<()> {
    for (file, stages) in TWINS {
        let read = |number: &usize| {
            let path = workspace().join(STAGES[number - 1].package).join(file);
            fs::read_to_string(&path).with_context(|| format!("cannot read {}", path.display()))
        };
        let first = read(&stages[0])?;
        for number in &stages[1..] {
            ensure!(
                read(number)? == first,
                "{file} differs in the stages {} and {number}",
                stages[0]
            );
        }
    }
    Ok(())
}

/// What only a file that decides may say: the beginnings of errors and notices, the questions and
/// greetings of the protocols.
const WORDS: [&str; 7] =
    ["\"! ", "\"* ", "NICK", "You are connected", "[private]", "\"[#", "User detail"];

/// How a file that touches a socket is known.
const SOCKETS: [&str; 4] = ["TcpStream", "TcpListener", "TcpSocket", "UdpSocket"];

/// Every word on the wire is in the state of a stage, which knows no socket.
fn no_words_where_a_socket_is_touched() -> anyhow::Result<()> {
    let mut touching = 0;
    for stage in &STAGES[2..] {
        for (path, code) in code_of(stage)? {
            let touches = |line: &&str| SOCKETS.iter().any(|socket| line.contains(socket));
            if !code.iter().any(|line| touches(&line.as_str())) {
                continue;
            }
            touching += 1;
            for line in &code {
                let word = WORDS.iter().find(|word| line.contains(*word));
                ensure!(
                    word.is_none(),
                    "{}: {word:?} belongs to the state: {line}",
                    path.display()
                );
            }
        }
    }
    ensure!(touching > 0, "no file touches a socket");
    Ok(())
}

/// What decides: bytes to lines, lines to commands, commands to effects.
const DECIDES: [&str; 7] =
    ["line.rs", "command.rs", "effects.rs", "users.rs", "room.rs", "state.rs", "state"];

/// What has no place there: sockets, clocks, locks, threads and channels, output.
const IMPURE: [&str; 11] = [
    "TcpStream",
    "TcpListener",
    "UdpSocket",
    "Instant",
    "SystemTime",
    "Mutex",
    "thread::",
    "mpsc",
    "console::",
    "println!",
    "stdout",
];

fn what_decides_is_pure() -> anyhow::Result<()> {
    let mut looked_at = 0;
    for stage in &STAGES[2..] {
        let folder = workspace().join(stage.package).join("src");
        for (path, code) in code_of(stage)? {
            let first = path.strip_prefix(&folder)?.iter().next().unwrap_or_default();
            if !DECIDES.iter().any(|file| first == *file) {
                continue;
            }
            looked_at += 1;
            for line in code {
                let found = IMPURE.iter().find(|word| line.contains(*word));
                ensure!(found.is_none(), "{}: {found:?} in `{line}`", path.display());
            }
        }
    }
    ensure!(looked_at >= 4, "only {looked_at} files decide");
    Ok(())
}

/// Stage 4 waits for nothing while it holds a lock: where a lock is, there is no socket to wait for.
/// (The console has one, to ask the kernel for an address.)
fn no_socket_where_a_lock_is() -> anyhow::Result<()> {
    let mut locks = 0;
    for (path, code) in code_of(&STAGES[3])? {
        if code.iter().any(|line| line.contains("Mutex")) {
            locks += 1;
            let socket = code.iter().find(|line| line.contains("TcpStream"));
            ensure!(socket.is_none(), "{}: a lock, and {socket:?}", path.display());
        }
    }
    ensure!(locks > 0, "stage 4 has no lock");
    Ok(())
}

fn the_lab_links_to_no_stage() -> anyhow::Result<()> {
    let manifest = fs::read_to_string(workspace().join("tests/Cargo.toml"))?;
    for stage in &STAGES {
        ensure!(!manifest.contains(stage.package), "the lab may not depend on {}", stage.package);
    }
    Ok(())
}

fn stages_depend_on_what_is_tabled() -> anyhow::Result<()> {
    for (number, allowed) in PACKAGES {
        let stage = Stage::by_number(number)?;
        let manifest = fs::read_to_string(workspace().join(stage.package).join("Cargo.toml"))?;
        let manifest: toml::Table = manifest.parse()?;
        for section in ["dependencies", "dev-dependencies", "build-dependencies"] {
            let Some(table) = manifest.get(section).and_then(toml::Value::as_table) else {
                continue;
            };
            for package in table.keys() {
                ensure!(
                    allowed.contains(&package.as_str()),
                    "{} may not depend on {package}: a student copies one folder and has everything",
                    stage.package
                );
            }
        }
    }
    Ok(())
}

fn the_top_level_is_tidy() -> anyhow::Result<()> {
    let listed = Command::new("git").current_dir(workspace()).args(["ls-files"]).output();
    let Ok(listed) = listed.map(|output| String::from_utf8_lossy(&output.stdout).into_owned())
    else {
        return Ok(()); // a copy without git: whatever else lies there is not ours
    };
    for path in listed.lines() {
        let top = path.split('/').next().unwrap_or(path);
        ensure!(top == "tests" || TOP_LEVEL.contains(&top), "{path} does not belong here");
    }
    Ok(())
}

/// The table of the stages in the README has a column `lines`: lines of code of the stage.
fn the_readme_counts_lines_rightly() -> anyhow::Result<()> {
    let readme = fs::read_to_string(workspace().join("README.md"))?;
    for stage in &STAGES {
        let row = readme.lines().find(|line| line.starts_with(&format!("| [`{}`]", stage.package)));
        let row = row.with_context(|| format!("README.md has no row for {}", stage.package))?;
        let lines = row.trim_end_matches(['|', ' ']).rsplit('|').next().unwrap_or_default().trim();
        let counted = lines_of_code(stage)?;
        ensure!(lines == counted.to_string(), "README.md: {} has {counted} lines", stage.package);
    }
    Ok(())
}

/// `docs/src/play.txt` is compared with what the lab prints; the README shows the same.
fn the_readme_shows_the_comparison() -> anyhow::Result<()> {
    let readme = fs::read_to_string(workspace().join("README.md"))?;
    let recorded = fs::read_to_string(workspace().join("docs/src/play.txt"))?;
    let shown = format!("<!-- play -->\n```text\n{}\n```\n", recorded.trim_matches('\n'));
    ensure!(readme.contains(&shown), "README.md does not show what docs/src/play.txt records");
    Ok(())
}

/// Lines that are neither blank, nor comments, nor tests.
fn lines_of_code(stage: &Stage) -> anyhow::Result<usize> {
    Ok(code_of(stage)?.iter().map(|(_, code)| code.len()).sum())
}

/// Those lines, for each file.
fn code_of(stage: &Stage) -> anyhow::Result<Vec<(PathBuf, Vec<String>)>> {
    let mut files = Vec::new();
    for entry in walkdir::WalkDir::new(workspace().join(stage.package).join("src")) {
        let path = entry?.into_path();
        let is_code = path.extension().is_some_and(|it| it == "rs") && !path.ends_with("tests.rs");
        if is_code {
            let text = fs::read_to_string(&path)?;
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let lines = code.lines().map(str::trim);
            let code = lines.filter(|line| !line.is_empty() && !line.starts_with("//"));
            let code = code.map(str::to_string).collect();
            files.push((path, code));
        }
    }
    Ok(files)
}
