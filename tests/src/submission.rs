//! A student's folder: its `lab.toml` says how to build and how to start the program.

use crate::process::Process;
use anyhow::{Context, bail, ensure};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::Command;
use std::time::Duration;

/// How long a build may take. Compilers that fetch packages first take long.
const BUILD_PATIENCE: Duration = Duration::from_secs(300);

/// Lines of a failed build that are shown.
const BUILD_LINES: usize = 20;

#[derive(Debug, Clone)]
pub struct Submission {
    pub folder: PathBuf,
    pub command: Vec<String>,
    pub build: Vec<String>,
}

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct LabToml {
    /// With `{host}` and `{port}` in it.
    command: String,
    #[serde(default)]
    build: String,
    /// For readers; what is checked is said on the command line.
    #[serde(default, rename = "exercise")]
    _exercise: String,
}

impl Submission {
    pub fn read(folder: &Path) -> anyhow::Result<Submission> {
        let path = folder.join("lab.toml");
        let text = std::fs::read_to_string(&path);
        let text = text.with_context(|| format!("cannot read {}", path.display()))?;
        let file: LabToml = toml::from_str(&text)
            .with_context(|| format!("cannot understand {}", path.display()))?;
        let words = |line: &str| {
            shlex::split(line).with_context(|| format!("{}: an open quote: {line}", path.display()))
        };
        let (command, build) = (words(&file.command)?, words(&file.build)?);
        ensure!(!command.is_empty(), "{}: the command is empty", path.display());
        let folder = folder.to_path_buf();
        Ok(Submission { folder, command, build })
    }

    /// Builds it, if it says how.
    pub fn build(&self) -> anyhow::Result<()> {
        let Some(program) = self.build.first() else {
            return Ok(());
        };
        let mut command = Command::new(program);
        command.args(&self.build[1..]).current_dir(&self.folder);
        let mut process = Process::start("build", command)?;
        process.end_input();
        match process.wait(BUILD_PATIENCE) {
            Some(status) if status.success() => Ok(()),
            Some(status) => {
                bail!("the build ended with {status}\n{}", process.last_words(BUILD_LINES))
            }
            None => bail!("the build took more than {BUILD_PATIENCE:?}"),
        }
    }
}
