//! A server under test: started fresh for one run, its output kept in a file. A pipe would wake
//! us up for every line that it prints, and we would be measured.

use super::dialect::Dialect;
use crate::process::{self, PATIENCE};
use crate::stage::Stage;
use crate::work::Worker;
use anyhow::{Context, bail, ensure};
use std::io::{BufRead, BufReader, Write};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};
use tempfile::NamedTempFile;

/// How often we look whether a server is ready.
const LOOK_AGAIN: Duration = Duration::from_millis(2);

/// How long a server may keep silent before we take it for one that has no greeting.
const GREETING_PATIENCE: Duration = Duration::from_millis(500);

/// A longer name would break the tables, which have 80 columns.
pub const NAME_CHARACTERS_MAX: usize = 14;

/// One of those that are compared.
#[derive(Debug, Clone)]
pub struct Contestant {
    pub name: String,
    pub dialect: Dialect,
    /// The design in a few words.
    pub idea: String,
    /// Which contestant this one is once more, under another name.
    pub control_of: Option<usize>,
    /// Program and arguments; `{host}` and `{port}` are replaced.
    command: Vec<String>,
}

impl Contestant {
    pub fn stage(stage: &Stage, program: &Path) -> anyhow::Result<Contestant> {
        let Some(dialect) = Dialect::of_stage(stage.number) else {
            bail!(
                "stage {} serves one connection at a time: only 3, 4 and 5 can be compared",
                stage.number
            );
        };
        let program = program.display().to_string();
        let mut command = vec![program, "server".into(), "127.0.0.1".into(), "0".into()];
        // Who hears is not what is compared, so stage 3 speaks to everyone too.
        if stage.number == 3 {
            command.push("--broadcast".into());
        }
        // The limits protect a public server. Here the only client is us.
        let limits: &[&str] = match stage.number {
            4 => &["--seconds-to-register"], // those who are silent give no name
            5 => &[
                "--lines-per-second",
                "--clients-per-address",
                "--connects-per-minute",
                "--max-clients",
            ],
            _ => &[],
        };
        command.extend(limits.iter().flat_map(|flag| [flag.to_string(), "0".into()]));
        Ok(Contestant {
            name: stage.package.to_string(),
            dialect,
            idea: stage.idea.to_string(),
            control_of: None,
            command,
        })
    }

    /// Out of `NAME=COMMAND ...`. Its dialect is found out by talking to it once.
    pub fn also(text: &str) -> anyhow::Result<Contestant> {
        let usage = || {
            format!(
                "cannot read --also {text:?}: write NAME=COMMAND with {{port}} in it, such as \"mine=python3 server.py {{port}}\""
            )
        };
        let (name, command) = text.split_once('=').with_context(usage)?;
        let command = shlex::split(command).with_context(usage)?;
        ensure!(!command.is_empty() && text.contains("{port}"), usage());
        let name = name.trim();
        ensure!(
            name.chars().count() <= NAME_CHARACTERS_MAX,
            "the name {name:?} is too long for the tables: give one of at most \
             {NAME_CHARACTERS_MAX} characters"
        );
        let mut contestant = Contestant {
            name: name.to_string(),
            dialect: Dialect::Plain,
            idea: "your own".to_string(),
            control_of: None,
            command,
        };
        contestant.dialect = contestant.start()?.dialect_spoken()?;
        Ok(contestant)
    }

    /// The control: the same server under another name. What tells the two apart is the machine.
    pub fn control(&self, index: usize) -> Contestant {
        Contestant {
            name: "control".to_string(),
            idea: format!("{} once more", self.name),
            control_of: Some(index),
            ..self.clone()
        }
    }

    /// Has another program, such as `env`, start the server in its own place.
    pub fn run_through<'a>(&mut self, words: impl Iterator<Item = &'a String>) {
        self.command.splice(0..0, words.cloned());
    }

    pub fn command_line(&self) -> String {
        shlex::try_join(self.command.iter().map(String::as_str)).unwrap_or_default()
    }

    pub fn start(&self) -> anyhow::Result<Subject> {
        let port = match self.command.iter().any(|word| word.contains("{port}")) {
            true => Some(process::free_port()?),
            false => None,
        };
        let port_text = port.unwrap_or_default().to_string();
        let mut words = self
            .command
            .iter()
            .map(|word| word.replace("{host}", "127.0.0.1").replace("{port}", &port_text));
        let mut command = Command::new(words.next().expect("a command is never empty"));
        command.args(words);
        Subject::start(&self.name, command, port)
    }
}

/// A server that runs. Dropping it ends it.
#[derive(Debug)]
pub struct Subject {
    child: Child,
    output: NamedTempFile,
    pub address: SocketAddr,
}

impl Subject {
    fn start(name: &str, mut command: Command, port: Option<u16>) -> anyhow::Result<Subject> {
        let output = NamedTempFile::new().context("cannot make a file for a server's output")?;
        command.stdin(Stdio::null()).stdout(output.reopen()?).stderr(output.reopen()?);
        // Both handles must append, or each would write over the other's lines.
        let append = || std::fs::OpenOptions::new().append(true).open(output.path());
        command.stdout(append()?).stderr(append()?);
        process::own_group(&mut command);
        let child = cores::spawn_apart(&mut command)
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        process::live::add(child.id());
        let mut subject = Subject {
            child,
            output,
            address: SocketAddr::from(([127, 0, 0, 1], port.unwrap_or_default())),
        };
        subject.wait_until_ready(name, port.is_some())?;
        Ok(subject)
    }

    fn wait_until_ready(&mut self, name: &str, has_port: bool) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            if has_port && TcpStream::connect(self.address).is_ok() {
                return Ok(());
            }
            if let Some(address) = self.announced() {
                self.address = address;
                return Ok(());
            }
            let ended = !matches!(self.child.try_wait(), Ok(None));
            ensure!(
                !ended && Instant::now() < deadline,
                "{name} {} before it listened; its last words:\n{}",
                if ended { "ended" } else { "was waited for in vain" },
                self.last_words(10)
            );
            std::thread::sleep(LOOK_AGAIN);
        }
    }

    fn announced(&self) -> Option<SocketAddr> {
        let output = self.output.reopen().ok()?;
        let mut lines = BufReader::new(output).lines().map_while(Result::ok).take(10);
        lines.find_map(|line| line.strip_prefix("listening on ")?.parse().ok())
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// To see whether it works.
    pub fn worker(&self) -> Worker {
        Worker::of(Some(self.id()))
    }

    /// The first line of its output that speaks of trouble, and the last `lines_max` lines.
    pub fn last_words(&self, lines_max: usize) -> String {
        const TROUBLE: [&str; 5] = ["cannot", "too many", "no memory", "os error", "panicked"];
        let text = std::fs::read(self.output.path()).unwrap_or_default();
        let text = String::from_utf8_lossy(&text);
        let lines: Vec<&str> = text.lines().collect();
        let last = &lines[lines.len().saturating_sub(lines_max)..];
        let is_trouble = |line: &&&str| TROUBLE.iter().any(|word| line.contains(word));
        let trouble = lines.iter().find(is_trouble).filter(|line| !last.contains(line));
        let words: Vec<&str> = trouble.into_iter().chain(last).copied().collect();
        words.join("\n")
    }

    /// Talks to the server as a first client would.
    fn dialect_spoken(&self) -> anyhow::Result<Dialect> {
        let socket = TcpStream::connect(self.address)?;
        socket.set_read_timeout(Some(GREETING_PATIENCE))?;
        let mut lines = BufReader::new(&socket).lines().map_while(Result::ok);
        let greeting = lines.next().unwrap_or_default();
        if greeting.starts_with("You are connected from") {
            return Ok(Dialect::Users { broadcast: self.carries_to_all(&socket)? });
        }
        if !greeting.starts_with("NICK") {
            return Ok(Dialect::Plain);
        }
        (&socket).write_all(b"u0\n")?;
        let welcome = lines.next().unwrap_or_default();
        Ok(match welcome.contains('#') {
            true => Dialect::Rooms,
            false => Dialect::Everyone,
        })
    }

    /// Whether what `speaker` says to `*` reaches another user.
    fn carries_to_all(&self, mut speaker: &TcpStream) -> anyhow::Result<bool> {
        let mut listener = TcpStream::connect(self.address)?;
        listener.set_read_timeout(Some(PATIENCE))?;
        listener.write_all(b"#u1\n")?;
        let mut heard = BufReader::new(&listener).lines().map_while(Result::ok);
        if !heard.any(|line| line.starts_with("Your user detail saved")) {
            return Ok(false);
        }
        speaker.write_all(b"#u0\n@*:to all\n@u1:to one\n")?; // the second comes in any case
        let first = heard.find(|line| line.contains("u0: "));
        Ok(first.is_some_and(|line| line.ends_with("to all")))
    }
}

impl Drop for Subject {
    fn drop(&mut self) {
        process::kill_group(self.child.id());
        let _ = self.child.kill(); // it may have ended
        let _ = self.child.wait();
        process::live::remove(self.child.id());
    }
}

/// The generator has a core of its own where there are two: what the server gets must not depend
/// on where the scheduler happens to put us.
#[cfg(target_os = "linux")]
pub mod cores {
    use nix::sched::{CpuSet, sched_getaffinity, sched_setaffinity};
    use nix::unistd::Pid;
    use std::process::{Child, Command};

    const US: Pid = Pid::from_raw(0);

    /// Starts `command` on every core but one, and goes on alone on that one.
    pub fn spawn_apart(command: &mut Command) -> std::io::Result<Child> {
        let Some((servers, ours)) = shared_out() else {
            return command.spawn();
        };
        sched_setaffinity(US, servers)?; // a child inherits it
        let child = command.spawn();
        sched_setaffinity(US, ours)?;
        child
    }

    /// The server's cores and ours. `None`: there is only one.
    fn shared_out() -> Option<&'static (CpuSet, CpuSet)> {
        use std::sync::OnceLock;
        static CORES: OnceLock<Option<(CpuSet, CpuSet)>> = OnceLock::new();
        let share = || {
            let mut servers = sched_getaffinity(US).ok()?;
            let core = |core: &usize| servers.is_set(*core).unwrap_or(false);
            let last = (0..CpuSet::count()).rev().find(core)?;
            let mut ours = CpuSet::new();
            ours.set(last).ok()?;
            servers.unset(last).ok()?;
            let any_left = (0..CpuSet::count()).any(|core| servers.is_set(core).unwrap_or(false));
            any_left.then_some((servers, ours))
        };
        CORES.get_or_init(share).as_ref()
    }
}

#[cfg(not(target_os = "linux"))]
pub mod cores {
    use std::process::{Child, Command};

    pub fn spawn_apart(command: &mut Command) -> std::io::Result<Child> {
        command.spawn()
    }
}
