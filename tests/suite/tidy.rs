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
const TOP_LEVEL: [&str; 17] = [
    ".cargo",
    ".ci",
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
        crate::test("tidy::stages_depend_on_what_is_tabled", stages_depend_on_what_is_tabled),
        crate::test("tidy::the_top_level_is_tidy", the_top_level_is_tidy),
        crate::test("tidy::the_readme_counts_lines_rightly", the_readme_counts_lines_rightly),
        crate::test("tidy::the_readme_shows_the_comparison", the_readme_shows_the_comparison),
    ]
}

/// While the stages are rebuilt one after the other: those that have no `accept.rs` yet still have
/// the twins of before.
fn twin_files_are_identical() -> anyhow::Result<()> {
    for (file, stages) in TWINS {
        let folders = stages.iter().map(|number| workspace().join(STAGES[number - 1].package));
        let rebuilt = folders.filter(|folder| folder.join("src/accept.rs").exists());
        let mut first: Option<(PathBuf, String)> = None;
        for path in rebuilt.map(|folder| folder.join(file)).filter(|path| path.exists()) {
            let text = fs::read_to_string(&path)?;
            match &first {
                None => first = Some((path, text)),
                Some((other, same)) => {
                    ensure!(text == *same, "{} and {} differ", path.display(), other.display());
                }
            }
        }
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
    let mut count = 0;
    for entry in walkdir::WalkDir::new(workspace().join(stage.package).join("src")) {
        let entry = entry?;
        if entry.path().extension().is_some_and(|it| it == "rs") {
            let text = fs::read_to_string(entry.path())?;
            let code = text.split("#[cfg(test)]").next().unwrap_or_default();
            let lines = code.lines().map(str::trim);
            count += lines.filter(|line| !line.is_empty() && !line.starts_with("//")).count();
        }
    }
    Ok(count)
}
