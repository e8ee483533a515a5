//! `lab autograder`: the zip that Gradescope wants, with the kit in it.

use crate::check::Exercise;
use crate::stage::workspace;
use anyhow::Context;
use clap::Args;
use std::fs::File;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use walkdir::{DirEntry, WalkDir};
use zip::ZipWriter;
use zip::write::SimpleFileOptions;

const SETUP: &str = include_str!("../autograder/setup.sh");
const RUN: &str = include_str!("../autograder/run_autograder");

/// Makes an autograder
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo lab autograder ten-clients --gradescope ten-clients.zip")]
pub struct Arguments {
    /// The exercise: see `lab exercises`
    exercise: String,
    /// Writes the zip to upload under \"Configure Autograder\"
    #[arg(long, value_name = "OUT.zip")]
    gradescope: PathBuf,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let exercise = match Exercise::by_name(&arguments.exercise) {
        Ok(exercise) => exercise,
        Err(error) => {
            eprintln!("lab: {error:#}");
            return Ok(ExitCode::from(2));
        }
    };
    let out = &arguments.gradescope;
    write(&exercise, out).with_context(|| format!("cannot write {}", out.display()))?;
    println!("{} is ready: upload it under Configure Autograder", out.display());
    println!("the assignment is worth {} points", exercise.points()?);
    Ok(ExitCode::SUCCESS)
}

/// Two scripts at the root, and the kit's sources, of which the lab is built.
fn write(exercise: &Exercise, out: &Path) -> anyhow::Result<()> {
    let mut zip = ZipWriter::new(File::create(out)?);
    let script = SimpleFileOptions::default().unix_permissions(0o755);
    zip.start_file("setup.sh", script)?;
    zip.write_all(SETUP.replace("%rust%", env!("CARGO_PKG_RUST_VERSION")).as_bytes())?;
    zip.start_file("run_autograder", script)?;
    zip.write_all(run_script(exercise).as_bytes())?;
    for entry in WalkDir::new(workspace()).sort_by_file_name().into_iter().filter_entry(is_source) {
        let entry = entry?;
        if entry.file_type().is_file() {
            let path = entry.path().strip_prefix(workspace())?;
            let name = Path::new("kit").join(path);
            zip.start_file(
                name.to_string_lossy().replace('\\', "/"),
                SimpleFileOptions::default(),
            )?;
            zip.write_all(&std::fs::read(entry.path())?)?;
        }
    }
    zip.finish()?;
    Ok(())
}

fn run_script(exercise: &Exercise) -> String {
    RUN.replace("%exercise%", &exercise.name)
}

/// What Cargo needs to build the lab: not the history, not what was built, and above all not what
/// students have handed in: a folder at the top is the kit's own, or stays out.
fn is_source(entry: &DirEntry) -> bool {
    let name = entry.file_name().to_string_lossy();
    let folder_at_the_top = entry.depth() == 1 && entry.file_type().is_dir();
    let own = [".cargo", "docs", "tests"].contains(&&*name)
        || name.starts_with("stage") && entry.path().join("Cargo.toml").exists();
    !name.ends_with(".zip") && (own || !folder_at_the_top)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;

    fn written() -> zip::ZipArchive<File> {
        let folder = tempfile::tempdir().unwrap();
        let path = folder.path().join("out.zip");
        write(&Exercise::by_name("framing").unwrap(), &path).unwrap();
        zip::ZipArchive::new(File::open(path).unwrap()).unwrap()
    }

    #[test]
    fn the_scripts_lie_at_the_root_and_may_be_started() {
        let mut zip = written();
        for name in ["setup.sh", "run_autograder"] {
            let mut file = zip.by_name(name).unwrap();
            assert_eq!(file.unix_mode().unwrap() & 0o111, 0o111, "{name}");
            let mut text = String::new();
            file.read_to_string(&mut text).unwrap();
            assert!(text.starts_with("#!/usr/bin/env bash\n"), "{name}");
            assert!(!text.contains('%') || !text.contains("%exercise%"), "{name}");
        }
    }

    #[test]
    fn everything_that_the_lab_is_built_of_is_in_it() {
        let mut zip = written();
        for name in ["Cargo.toml", "Cargo.lock", "tests/Cargo.toml", "stage5-async/src/main.rs"] {
            assert!(zip.by_name(&format!("kit/{name}")).is_ok(), "{name}");
        }
        let mut names = zip.file_names().map(|name| name.unwrap());
        assert!(!names.any(|name| name.starts_with("kit/target/")));
    }

    #[test]
    fn what_students_have_handed_in_is_not_in_it() {
        let kit = tempfile::tempdir().unwrap();
        for folder in ["submissions", "marks", "my-chat", "target", ".git"] {
            std::fs::create_dir(kit.path().join(folder)).unwrap();
            std::fs::write(kit.path().join(folder).join("lab.toml"), "").unwrap();
        }
        std::fs::write(kit.path().join("Cargo.toml"), "").unwrap();
        let walk = WalkDir::new(kit.path()).into_iter().filter_entry(is_source);
        let files = walk.map(Result::unwrap).filter(|entry| entry.file_type().is_file());
        let names: Vec<_> = files.map(|entry| entry.file_name().to_owned()).collect();
        assert_eq!(names, ["Cargo.toml"]);
    }

    /// With a `lab` that answers, one that says nothing, and one that is killed.
    #[cfg(unix)]
    #[test]
    fn a_result_is_0_points_until_there_is_a_better_one() {
        let full = "echo '{\"score\": 7}'";
        for (lab, score) in [(full, "7"), ("exit 3", "0"), ("kill -9 $PPID", "0")] {
            let result = result_with(lab);
            let result: serde_json::Value = serde_json::from_str(&result).unwrap();
            assert_eq!(result["score"].to_string(), score, "{lab}");
        }
    }

    #[cfg(unix)]
    fn result_with(lab: &str) -> String {
        use std::os::unix::fs::PermissionsExt;
        let root = tempfile::tempdir().unwrap();
        let place = |name: &str, text: &str| {
            let path = root.path().join(name);
            std::fs::create_dir_all(path.parent().unwrap()).unwrap();
            std::fs::write(&path, text).unwrap();
            std::fs::set_permissions(&path, std::fs::Permissions::from_mode(0o755)).unwrap();
        };
        place("bin/lab", &format!("#!/bin/sh\n{lab}\n"));
        place("submission/lab.toml", "");
        place("run_autograder", &run_script(&Exercise::by_name("framing").unwrap()));
        let old = std::env::var("PATH").unwrap();
        let path = format!("{}:{old}", root.path().join("bin").display());
        let mut command = std::process::Command::new("bash");
        command.arg(root.path().join("run_autograder")).env("PATH", path);
        command.env("AUTOGRADER_ROOT", root.path()).output().unwrap();
        std::fs::read_to_string(root.path().join("results/results.json")).unwrap()
    }
}
