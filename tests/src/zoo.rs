//! The zoo's list: which programs there are, how to start them, what must be named in each.

use crate::check::Target;
use crate::stage::workspace;
use anyhow::{Context, ensure};
use serde::Deserialize;
use std::path::{Path, PathBuf};
use std::process::{Command, Stdio};
use std::sync::Mutex;

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Animal {
    pub name: String,
    /// Below `tests/zoo`.
    #[serde(default)]
    pub file: String,
    /// The kit's own server or client, instead of a file.
    #[serde(default)]
    pub stage: Option<u8>,
    #[serde(default)]
    pub arguments: String,
    pub exercises: Vec<String>,
    /// The misconceptions that must be named.
    #[serde(default)]
    pub names: Vec<String>,
    /// These checks alone, where other consequences of the mistake would be seen first.
    #[serde(default)]
    pub checks: Vec<String>,
    /// The checks that it must fail. None: it is correct.
    #[serde(default)]
    pub killers: Vec<String>,
    /// Its mistake, where it is a correct program with some text (which is there once) replaced.
    #[serde(default)]
    pub edits: Vec<[String; 2]>,
}

#[derive(Debug, Deserialize)]
struct File {
    program: Vec<Animal>,
}

pub fn folder() -> PathBuf {
    workspace().join("tests").join("zoo")
}

pub fn all() -> anyhow::Result<Vec<Animal>> {
    let path = folder().join("zoo.toml");
    let text = std::fs::read_to_string(&path);
    let text = text.with_context(|| format!("cannot read {}", path.display()))?;
    let file: File = toml::from_str(&text).context("cannot read zoo.toml")?;
    Ok(file.program)
}

impl Animal {
    pub fn is_correct(&self) -> bool {
        self.killers.is_empty()
    }

    /// What it is written in.
    pub fn language(&self) -> &'static str {
        match Path::new(&self.file).extension().and_then(|end| end.to_str()) {
            Some("py") => "Python",
            Some("c") => "C",
            Some("js") => "JavaScript",
            Some("java") => "Java",
            Some("pl") => "Perl",
            _ => "Rust",
        }
    }
}

/// What the zoo's programs need, found or made once.
#[derive(Debug)]
pub struct Keeper {
    zoo: PathBuf,
    python: Option<String>,
    compiler: Option<&'static str>,
    node: bool,
    java: bool,
    perl: bool,
    compiling: Mutex<()>,
}

impl Keeper {
    /// `zoo`: the program of the folder, built.
    pub fn new(zoo: PathBuf) -> anyhow::Result<Keeper> {
        Ok(Keeper {
            zoo,
            python: ["python3", "python"].into_iter().find_map(python_3),
            // The programs use POSIX sockets.
            compiler: ["cc", "gcc", "clang"].into_iter().find(|name| cfg!(unix) && answers(name)),
            node: answers("node"),
            java: answers("javac") && answers("java"),
            perl: cfg!(unix) && answers("perl"), // its select() waits for a keyboard on Unix alone
            compiling: Mutex::default(),
        })
    }

    /// How to start it. `Err` is what this machine lacks, in words.
    pub fn target(&self, animal: &Animal) -> anyhow::Result<Result<Target, &'static str>> {
        if let Some(stage) = animal.stage {
            return Ok(Ok(Target::Stage(stage)));
        }
        let path = self.source(animal)?;
        let mut words = match animal.language() {
            "Python" => match &self.python {
                Some(python) => vec![python.clone(), text(&path)],
                None => return Ok(Err("no python3")),
            },
            "C" => match self.compiler {
                Some(compiler) => vec![text(&self.compiled(compiler, &path)?)],
                None => return Ok(Err("no C compiler")),
            },
            "JavaScript" if self.node => vec!["node".to_string(), text(&path)],
            "JavaScript" => return Ok(Err("no node")),
            "Java" if self.java => {
                let classes = self.classes(&path)?;
                let class = path.file_stem().unwrap_or_default().to_string_lossy();
                vec!["java".to_string(), "-cp".to_string(), text(&classes), class.into_owned()]
            }
            "Java" => return Ok(Err("no java and javac")),
            "Perl" if self.perl => vec!["perl".to_string(), text(&path)],
            "Perl" => return Ok(Err("no perl")),
            _ => vec![text(&self.zoo)],
        };
        words.extend(animal.arguments.split(' ').map(String::from));
        Ok(Ok(Target::Command(words)))
    }

    /// The program's text: the file itself, or one with its edits.
    fn source(&self, animal: &Animal) -> anyhow::Result<PathBuf> {
        let path = folder().join(&animal.file);
        if animal.edits.is_empty() {
            ensure!(path.exists(), "{}: there is no {}", animal.name, path.display());
            return Ok(path);
        }
        let text = std::fs::read_to_string(&path);
        let mut text = text.with_context(|| format!("cannot read {}", path.display()))?;
        for [from, to] in &animal.edits {
            let count = text.matches(from.as_str()).count();
            ensure!(count == 1, "{}: `{from}` is in {} {count} times", animal.name, animal.file);
            text = text.replacen(from.as_str(), to, 1);
        }
        let place = self.zoo.with_file_name("zoo-edited").join(&animal.name);
        let edited = place.join(path.file_name().unwrap_or_default());
        if std::fs::read_to_string(&edited).is_ok_and(|there| there == text) {
            return Ok(edited); // as old as what was compiled from it
        }
        std::fs::create_dir_all(&place)?;
        // Other processes may do the same: the renaming is atomic.
        let draft = place.join(format!("draft-{}", std::process::id()));
        std::fs::write(&draft, text)?;
        std::fs::rename(draft, &edited)?;
        Ok(edited)
    }

    /// Compiles it if it has changed, to beside the zoo's own program.
    fn compiled(&self, compiler: &str, source: &Path) -> anyhow::Result<PathBuf> {
        let _one_at_a_time = self.compiling.lock().expect("no code panics while it compiles");
        let name = name_with_folder(source);
        let place = self.zoo.with_file_name("zoo-in-c");
        std::fs::create_dir_all(&place)?;
        let program = place.join(&name);
        if is_newer(&program, source) {
            return Ok(program);
        }
        // Other processes may do the same: each writes its own, and the renaming is atomic.
        let draft = place.join(format!("{name}-{}", std::process::id()));
        let mut command = Command::new(compiler);
        compile(command.args(["-O1", "-pthread", "-w", "-o"]).arg(&draft).arg(source), source)?;
        std::fs::rename(draft, &program)?;
        Ok(program)
    }

    /// The folder with the classes of a Java program: `java FILE.java` would compile at each start.
    fn classes(&self, source: &Path) -> anyhow::Result<PathBuf> {
        let _one_at_a_time = self.compiling.lock().expect("no code panics while it compiles");
        let name = name_with_folder(source);
        let place = self.zoo.with_file_name("zoo-in-java");
        let classes = place.join(&name);
        if is_newer(&classes, source) {
            return Ok(classes);
        }
        let draft = place.join(format!("{name}-{}", std::process::id()));
        compile(Command::new("javac").arg("-d").arg(&draft).arg(source), source)?;
        let _ = std::fs::remove_dir_all(&classes); // the older ones, if there are any
        // Where it fails, another process has just put the same there.
        let _ = std::fs::rename(draft, &classes);
        Ok(classes)
    }
}

/// Of two files of the same name, each has its own.
fn name_with_folder(source: &Path) -> String {
    let folder = source.parent().and_then(Path::file_name).unwrap_or_default();
    let name = source.file_stem().unwrap_or_default();
    format!("{}-{}", folder.to_string_lossy(), name.to_string_lossy())
}

fn compile(command: &mut Command, source: &Path) -> anyhow::Result<()> {
    let output = command.output().context("cannot start the compiler")?;
    let said = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "{}: {said}", source.display());
    Ok(())
}

fn is_newer(program: &Path, source: &Path) -> bool {
    let time = |path: &Path| path.metadata().and_then(|facts| facts.modified()).ok();
    time(program) > time(source)
}

fn text(path: &Path) -> String {
    path.display().to_string()
}

fn answers(program: &str) -> bool {
    let mut command = Command::new(program);
    command.arg("--version").stdout(Stdio::null()).stderr(Stdio::null());
    command.status().is_ok_and(|status| status.success())
}

/// Where the interpreter itself is. What the name stands for may be a script that looks for it (pyenv's
/// does), and takes longer for that than most of the programs run.
fn python_3(name: &str) -> Option<String> {
    let ask = "import sys; assert sys.version_info >= (3,); print(sys.executable)";
    let output = Command::new(name).args(["-c", ask]).output().ok()?;
    let path = String::from_utf8(output.stdout).ok()?.trim().to_string();
    (output.status.success() && !path.is_empty()).then_some(path)
}

/// Builds the program of the zoo, as the lab itself was built.
pub fn build() -> anyhow::Result<PathBuf> {
    let lab = std::env::current_exe().context("cannot find myself")?;
    let zoo = lab.with_file_name(format!("zoo{}", std::env::consts::EXE_SUFFIX));
    let cargo = std::env::var_os("CARGO").unwrap_or("cargo".into());
    let mut command = Command::new(cargo);
    command.current_dir(workspace()).stdin(Stdio::null());
    command.args(["build", "--quiet", "--package", "chat-lab", "--bin", "zoo"]);
    if !cfg!(debug_assertions) {
        command.arg("--release");
    }
    let built = command.status().is_ok_and(|status| status.success());
    ensure!(built || zoo.exists(), "cannot build the zoo: run cargo build --package chat-lab");
    ensure!(zoo.exists(), "the zoo was built, but not as {}", zoo.display());
    Ok(zoo)
}
