//! The five stages, as a table: what each is called, and where its programs are.

use anyhow::{Context, bail};
use std::collections::HashMap;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::OnceLock;

/// One design of the chat program.
#[derive(Debug)]
pub struct Stage {
    pub number: u8,
    /// Name of the folder, the package and the program.
    pub package: &'static str,
    /// The one new idea, in a few words.
    pub idea: &'static str,
    /// Who owns the state that the clients share.
    pub state: &'static str,
}

pub static STAGES: [Stage; 5] = [
    Stage {
        number: 1,
        package: "stage1-simplex",
        idea: "one direction, one connection",
        state: "there is none",
    },
    Stage {
        number: 2,
        package: "stage2-duplex",
        idea: "both directions at once",
        state: "there is none",
    },
    Stage {
        number: 3,
        package: "stage3-select",
        idea: "many clients on one thread",
        state: "the one thread owns it",
    },
    Stage {
        number: 4,
        package: "stage4-threads",
        idea: "threads for each client",
        state: "a lock guards it",
    },
    Stage {
        number: 5,
        package: "stage5-async",
        idea: "a task for each client",
        state: "one task owns it, others mail it",
    },
];

impl Stage {
    pub fn by_number(number: u8) -> anyhow::Result<&'static Stage> {
        let stage = STAGES.iter().find(|stage| stage.number == number);
        stage.with_context(|| format!("there is no stage {number}: choose 1 to 5"))
    }

    /// The program of this stage, built if need be: in release mode if the lab itself is.
    ///
    /// Looks into the variable `LAB_STAGE1` to `LAB_STAGE5` first.
    pub fn program(&self) -> anyhow::Result<PathBuf> {
        if let Some(path) = std::env::var_os(format!("LAB_STAGE{}", self.number)) {
            return Ok(PathBuf::from(path));
        }
        let release = !cfg!(debug_assertions);
        self.built(if release { Profile::Release } else { Profile::Debug })
    }

    /// As [`Stage::program`], always in release mode: for whatever measures.
    pub fn release_program(&self) -> anyhow::Result<PathBuf> {
        self.built(Profile::Release)
    }

    fn built(&self, profile: Profile) -> anyhow::Result<PathBuf> {
        static DEBUG: OnceLock<Result<HashMap<String, PathBuf>, String>> = OnceLock::new();
        static RELEASE: OnceLock<Result<HashMap<String, PathBuf>, String>> = OnceLock::new();
        let built = match profile {
            Profile::Debug => &DEBUG,
            Profile::Release => &RELEASE,
        };
        let programs = built.get_or_init(|| {
            build_once_per_run(profile)
                .or_else(|error| beside_the_lab().ok_or(format!("{error:#}")))
        });
        match programs {
            Ok(programs) => programs.get(self.package).cloned().with_context(|| {
                format!("cannot find the program {}: run cargo build --workspace", self.package)
            }),
            Err(error) => bail!("cannot build the stages: {error}"),
        }
    }
}

#[derive(Clone, Copy)]
enum Profile {
    Debug,
    Release,
}

/// The folder with the workspace's `Cargo.toml`, as it was when the lab was built.
pub fn workspace() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("tests/ has a parent")
}

/// nextest runs each test in a process of its own; the first one builds and notes the result
/// under the name of the run, the others read it.
fn build_once_per_run(profile: Profile) -> anyhow::Result<HashMap<String, PathBuf>> {
    let Some(run) = std::env::var("NEXTEST_RUN_ID").ok() else {
        return build(profile);
    };
    let flavour = if matches!(profile, Profile::Release) { "release" } else { "debug" };
    let note = std::env::temp_dir().join(format!("chat-lab-{run}-{flavour}.json"));
    if let Ok(text) = std::fs::read_to_string(&note) {
        return Ok(serde_json::from_str(&text)?);
    }
    let programs = build(profile)?;
    let draft = tempfile::NamedTempFile::new()?;
    std::fs::write(draft.path(), serde_json::to_string(&programs)?)?;
    draft.persist(&note)?; // a rename: a reader sees all of it or nothing
    Ok(programs)
}

/// Asks Cargo, which knows what is up to date, so that no test runs an old program.
fn build(profile: Profile) -> anyhow::Result<HashMap<String, PathBuf>> {
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace()).args(["build", "--message-format=json-render-diagnostics"]);
    for stage in &STAGES {
        command.args(["--package", stage.package]);
    }
    if matches!(profile, Profile::Release) {
        command.arg("--release");
    }
    let output = command.stdin(Stdio::null()).output().context("cannot start cargo")?;
    if !output.status.success() {
        bail!("{}", String::from_utf8_lossy(&output.stderr));
    }
    let messages = String::from_utf8_lossy(&output.stdout);
    Ok(messages.lines().filter_map(program_in_message).collect())
}

/// The name and the path of the program, if this line of Cargo's output announces one.
fn program_in_message(line: &str) -> Option<(String, PathBuf)> {
    let message: serde_json::Value = serde_json::from_str(line).ok()?;
    let path = message.get("executable")?.as_str()?;
    let name = message.get("target")?.get("name")?.as_str()?;
    Some((name.to_string(), PathBuf::from(path)))
}

/// Where there is no Cargo: programs that lie beside the lab's own.
fn beside_the_lab() -> Option<HashMap<String, PathBuf>> {
    let lab = std::env::current_exe().ok()?;
    let programs = STAGES.iter().filter_map(|stage| {
        let name = format!("{}{}", stage.package, std::env::consts::EXE_SUFFIX);
        let path = lab.parent()?.join(name);
        path.exists().then(|| (stage.package.to_string(), path))
    });
    let programs: HashMap<_, _> = programs.collect();
    (programs.len() == STAGES.len()).then_some(programs)
}
