//! What the book shows of terminals is typed here, and what it says they show must be shown.
//!
//! A block of a page is a session when its lines begin with the name of a terminal:
//!
//! ```text
//! # Linux and macOS                      a condition, or a comment
//! bob$ cargo lab say 127.0.0.1:8003      bob's terminal: what is typed at its prompt
//! You are connected from: 127.0.0.1:5000   what the terminal named last shows then
//! bob< #bob                              what is typed into the program there; ^C and ^D too
//! bob| Your user detail saved as: bob    what bob's terminal shows later
//! ...                                    more may be shown that the page leaves out
//! ```
//!
//! Each terminal must show exactly that, in that order. Ports are replaced by free ones. Other
//! numbers of four digits or more, and those before ms, MB or KiB, stand for any number.

use anyhow::{Context, ensure};
use chat_lab::process::PATIENCE;
use chat_lab::stage::{STAGES, Stage, workspace};
use libtest_mimic::Trial;
use std::collections::BTreeMap;
use std::fs;
use std::io::{Read, Write};
use std::net::TcpListener;
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Bytes of a terminal's output that are kept: a program that spins prints without end.
const SHOWN_BYTES_MAX: usize = 1024 * 1024;

/// How many sessions of a page are played at the same time: they mostly wait.
const AT_ONCE: usize = 24;

pub fn tests() -> Vec<Trial> {
    let pages = walkdir::WalkDir::new(workspace().join("docs/src")).sort_by_file_name();
    let pages = pages.into_iter().filter_map(Result::ok).map(walkdir::DirEntry::into_path);
    let mut tests = Vec::new();
    for page in pages.filter(|page| page.extension().is_some_and(|it| it == "md")) {
        let sessions = sessions(&fs::read_to_string(&page).unwrap_or_default());
        if !sessions.is_empty() {
            let name = page.file_stem().unwrap_or_default().to_string_lossy().replace('-', "_");
            tests.push(crate::test(format!("sessions::{name}"), move || play_all(&sessions)));
        }
    }
    tests
}

fn play_all(sessions: &[Session]) -> anyhow::Result<()> {
    let next = AtomicUsize::new(0);
    let failures = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..AT_ONCE {
            scope.spawn(|| {
                while let Some((line, text)) = sessions.get(next.fetch_add(1, Ordering::Relaxed)) {
                    if let Err(error) = try_a_few_times(text)
                        && let Ok(mut failures) = failures.lock()
                    {
                        failures.push(format!("line {line}: {error:#}"));
                    }
                }
            });
        }
    });
    let failures = failures.into_inner().unwrap_or_default();
    ensure!(failures.is_empty(), "{}", failures.join("\n\n"));
    Ok(())
}

/// The number of its first line, and its lines.
type Session = (usize, Vec<String>);

/// The blocks of a page that are sessions, with the numbers of their first lines.
fn sessions(text: &str) -> Vec<Session> {
    let mut sessions = Vec::new();
    let mut block: Option<Session> = None;
    for (index, line) in text.lines().enumerate() {
        block = match block {
            None => line.starts_with("```console").then(|| (index + 2, Vec::new())),
            Some(done) if line == "```" => {
                if done.1.iter().any(|line| matches!(Step::of(line), Step::Start(..))) {
                    sessions.push(done);
                }
                None
            }
            Some((first, mut lines)) => {
                lines.push(line.to_string());
                Some((first, lines))
            }
        };
    }
    sessions
}

enum Step<'a> {
    Comment(&'a str),
    Start(&'a str, &'a str),
    Type(&'a str, &'a str),
    Shows(&'a str, &'a str),
    /// By the terminal that was named last.
    ShowsToo(&'a str),
    ShowsMore,
}

impl Step<'_> {
    fn of(line: &str) -> Step<'_> {
        if line == "..." {
            return Step::ShowsMore;
        }
        if let Some(comment) = line.strip_prefix("# ") {
            return Step::Comment(comment);
        }
        let named = line.find(['$', '<', '|']).filter(|end| {
            *end > 0 && line[..*end].chars().all(|character| character.is_ascii_lowercase())
        });
        let Some(end) = named else {
            return Step::ShowsToo(line);
        };
        let rest = line[end + 1..].strip_prefix(' ').unwrap_or(&line[end + 1..]);
        match line.as_bytes()[end] {
            b'$' => Step::Start(&line[..end], rest),
            b'<' => Step::Type(&line[..end], rest),
            _ => Step::Shows(&line[..end], rest),
        }
    }
}

/// The documents' programs take a read for a message. Whether two sends are one read is the
/// network's and the machine's choice, so that what a page shows need not come every time.
fn try_a_few_times(lines: &[String]) -> anyhow::Result<()> {
    play(lines).or_else(|_| play(lines)).or_else(|_| play(lines))
}

fn play(lines: &[String]) -> anyhow::Result<()> {
    let steps = lines.iter().map(|line| Step::of(line));
    let comments = steps.filter_map(|step| match step {
        Step::Comment(comment) => Some(comment.to_string()),
        _ => None,
    });
    if let Some(lack) = comments.into_iter().find_map(|comment| lacking(&comment)) {
        eprintln!("skipped: {lack}");
        return Ok(());
    }
    let ports = free_ports(lines)?;
    let mut terminals: BTreeMap<String, Terminal> = BTreeMap::new();
    let mut last = String::new();
    for line in lines {
        let step = Step::of(line);
        if let Step::Start(name, _) | Step::Type(name, _) | Step::Shows(name, _) = step {
            last = name.to_string();
        }
        if let Step::Start(_, command) = step {
            let id = terminals.get("server").map(|server| server.child.id());
            let Some(command) = command_of(command, &ports, id)? else {
                eprintln!("skipped: no python3");
                return Ok(());
            };
            if let Some(mut before) = terminals.remove(&last) {
                before.wait_for_its_end()?;
            }
            let mut terminal = Terminal::start(command)?;
            wait_for_listeners(line, &ports, &mut terminal.child);
            terminals.insert(last.clone(), terminal);
            continue;
        }
        if let Step::Comment(_) = step {
            continue;
        }
        let terminal = terminals.get_mut(&last).context("no terminal has been named yet")?;
        match step {
            Step::Type(_, text) => terminal.enter(text)?,
            Step::Shows(_, "...") => terminal.may_show_more = true,
            Step::Shows(_, text) | Step::ShowsToo(text) => {
                terminal.shows(text, &ports).with_context(|| format!("{last}'s terminal"))?;
            }
            Step::ShowsMore => terminal.may_show_more = true,
            Step::Start(..) | Step::Comment(_) => {}
        }
    }
    for (name, terminal) in terminals {
        let rest = &terminal.unexplained;
        ensure!(rest.is_empty(), "{name}'s last line goes on with {rest:?}");
    }
    Ok(())
}

/// Why a session that has this comment cannot be played here.
fn lacking(comment: &str) -> Option<&'static str> {
    let no_ipv6 = || TcpListener::bind("[::1]:0").is_err();
    match comment.split([':', ',', '.']).next().unwrap_or_default() {
        "By hand" => Some(
            "it takes long, or shows what differs from terminal to terminal: it was typed by hand",
        ),
        "Linux" if !cfg!(target_os = "linux") => Some("this is not Linux"),
        "Linux and macOS" if !cfg!(unix) => Some("this is not Linux or macOS"),
        "IPv6" if no_ipv6() => Some("this machine has no IPv6"),
        _ => None,
    }
}

/// Every port that the commands name, and a free one in its place.
fn free_ports(lines: &[String]) -> anyhow::Result<BTreeMap<String, String>> {
    let mut ports = BTreeMap::new();
    let mut held = Vec::new();
    for line in lines {
        let Step::Start(_, command) = Step::of(line) else { continue };
        for number in command.split(|c: char| !c.is_ascii_digit()).filter(|it| is_port(it)) {
            if !ports.contains_key(number) {
                let listener = TcpListener::bind("127.0.0.1:0")?;
                ports.insert(number.to_string(), listener.local_addr()?.port().to_string());
                held.push(listener); // until all are chosen, or one would be chosen twice
            }
        }
    }
    Ok(ports)
}

fn is_port(digits: &str) -> bool {
    digits.len() >= 4 && digits.parse::<u16>().is_ok()
}

/// `None` if the machine has no Python.
fn command_of(
    text: &str,
    ports: &BTreeMap<String, String>,
    server: Option<u32>,
) -> anyhow::Result<Option<Command>> {
    let mut text = text.to_string();
    for (written, free) in ports {
        text = text.replace(written, free);
    }
    let lab = env!("CARGO_BIN_EXE_lab");
    let python = ["python3", "python"].into_iter().find(|name| is_python_3(name));
    if text.contains("python3 ") && python.is_none() {
        return Ok(None);
    }
    let mut words = shlex::split(&text).with_context(|| format!("cannot read `{text}`"))?;
    if words.iter().any(|word| word == "|") {
        let mut shell = Command::new("sh");
        shell.arg("-c").arg(text.replace("cargo lab", lab)).current_dir(workspace());
        return Ok(Some(shell));
    }
    if words.starts_with(&["cargo".to_string(), "lab".to_string()]) {
        words.splice(..2, [lab.to_string()]);
        if words.get(1).is_some_and(|word| word == "look") {
            // On this machine others may run a program of the same name.
            words[2] = server.context("who is to be looked at?")?.to_string();
        }
    } else if words[0] == "python3" {
        words[0] = python.unwrap_or_default().to_string();
    }
    let mut command = Command::new(&words[0]);
    command.args(&words[1..]).current_dir(workspace()).env("PYTHONUNBUFFERED", "1");
    for stage in &STAGES {
        let program = Stage::by_number(stage.number)?.program()?;
        command.env(format!("LAB_STAGE{}", stage.number), program);
    }
    Ok(Some(command))
}

fn is_python_3(program: &str) -> bool {
    let output = Command::new(program).arg("--version").output();
    output.is_ok_and(|output| output.stdout.starts_with(b"Python 3"))
}

/// A server is there when the kernel says so: to connect would bring it a client that the page
/// does not know of. Elsewhere clients try again for a moment.
fn wait_for_listeners(line: &str, ports: &BTreeMap<String, String>, server: &mut Child) {
    if !line.contains("server") {
        return;
    }
    let deadline = Instant::now() + PATIENCE;
    let mut runs = || server.try_wait().is_ok_and(|ended| ended.is_none());
    for (written, free) in ports {
        let Ok(port) = free.parse::<u16>() else { continue };
        let listens = || {
            let tables = ["/proc/net/tcp", "/proc/net/tcp6"].map(fs::read_to_string);
            let tables = tables.map(Result::unwrap_or_default).concat();
            let address = format!(":{port:04X} ");
            tables.is_empty()
                || tables.lines().any(|line| {
                    line.contains(" 0A ")
                        && line
                            .split_whitespace()
                            .nth(1)
                            .is_some_and(|local| local.ends_with(address.trim_end()))
                })
        };
        while line.contains(written.as_str()) && !listens() && runs() && Instant::now() < deadline {
            thread::sleep(LOOK_AGAIN);
        }
    }
}

struct Terminal {
    child: Child,
    input: Option<ChildStdin>,
    shown: Arc<Mutex<Vec<u8>>>,
    /// How much of it the page has shown as well.
    seen: usize,
    may_show_more: bool,
    /// What stood behind the text that was seen last, in the same line: servers that send no line
    /// ends make such lines. The page must show it next.
    unexplained: String,
}

impl Terminal {
    fn start(mut command: Command) -> anyhow::Result<Terminal> {
        // Both streams into one pipe: a person sees them on one screen, in order.
        let (mut reader, writer) = std::io::pipe()?;
        command.stdin(Stdio::piped()).stdout(writer.try_clone()?).stderr(writer);
        #[cfg(unix)]
        std::os::unix::process::CommandExt::process_group(&mut command, 0);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        drop(command); // it holds the pipe's other end
        let shown = Arc::new(Mutex::new(Vec::new()));
        let screen = Arc::clone(&shown);
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = reader.read(&mut bytes) {
                let Ok(mut screen) = screen.lock() else { return };
                if screen.len() < SHOWN_BYTES_MAX {
                    screen.extend(bytes[..count].iter().filter(|byte| **byte != b'\r'));
                }
            }
        });
        let input = child.stdin.take();
        Ok(Terminal {
            child,
            input,
            shown,
            seen: 0,
            may_show_more: false,
            unexplained: String::new(),
        })
    }

    /// Types a line, and shows it as a terminal does.
    fn enter(&mut self, text: &str) -> anyhow::Result<()> {
        match text {
            "^C" => self.interrupt()?,
            "^D" => self.input = None,
            _ => {
                let echo = self.shown.lock().is_ok_and(|shown| shown.len() > self.seen);
                ensure!(
                    !echo || self.may_show_more,
                    "before `{text}` the terminal shows {:?}",
                    self.rest()
                );
                if let Ok(mut shown) = self.shown.lock()
                    && shown.last().is_some_and(|byte| *byte != b'\n')
                {
                    shown.push(b'\n'); // the Enter key, after a prompt
                }
                let input = self.input.as_mut().context("its input has ended")?;
                input.write_all(format!("{text}\n").as_bytes())?;
            }
        }
        Ok(())
    }

    #[cfg(unix)]
    fn interrupt(&self) -> anyhow::Result<()> {
        let id = nix::unistd::Pid::from_raw(i32::try_from(self.child.id())?);
        Ok(nix::sys::signal::kill(id, nix::sys::signal::Signal::SIGINT)?)
    }

    #[cfg(not(unix))]
    fn interrupt(&self) -> anyhow::Result<()> {
        anyhow::bail!("only Unix lets us press Ctrl-C for another program")
    }

    fn rest(&self) -> String {
        let shown = self.shown.lock().map(|shown| shown[self.seen..].to_vec());
        String::from_utf8_lossy(&shown.unwrap_or_default()).into_owned()
    }

    /// Waits until the next line shown is `expected`.
    fn shows(&mut self, expected: &str, ports: &BTreeMap<String, String>) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        loop {
            let ended = self.child.try_wait()?.is_some();
            let rest = self.rest();
            let skipped = rest.len() - rest.trim_start_matches('\n').len();
            let mut at = skipped;
            for line in rest[skipped..].split_inclusive('\n') {
                let text = line.trim_end_matches('\n');
                if let Some(length) = beginning_like(text, expected, ports) {
                    self.unexplained = text[length..].to_string();
                    self.seen += at + if length < text.len() { length } else { line.len() };
                    self.may_show_more = false;
                    return Ok(());
                }
                ensure!(
                    self.may_show_more || text.len() == line.len(),
                    "shows {line:?}\ninstead of {expected:?}"
                );
                at += line.len();
            }
            ensure!(
                Instant::now() < deadline && !(ended && rest == self.rest() && self.is_drained()),
                "does not show {expected:?}, but {rest:?}"
            );
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// Whether the thread that reads has seen the end: it holds the screen no longer.
    fn is_drained(&self) -> bool {
        Arc::strong_count(&self.shown) == 1
    }

    fn wait_for_its_end(&mut self) -> anyhow::Result<()> {
        let deadline = Instant::now() + PATIENCE;
        while self.child.try_wait()?.is_none() {
            ensure!(Instant::now() < deadline, "the terminal's last command does not end");
            thread::sleep(LOOK_AGAIN);
        }
        Ok(())
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        #[cfg(unix)]
        if let Ok(id) = i32::try_from(self.child.id()) {
            let id = nix::unistd::Pid::from_raw(id);
            let _ = nix::sys::signal::killpg(id, nix::sys::signal::Signal::SIGKILL);
        }
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// How much of what a terminal shows is what the page says, numbers aside that differ from run to
/// run. `...` at the end of a line stands for the rest of it.
fn beginning_like(shown: &str, expected: &str, ports: &BTreeMap<String, String>) -> Option<usize> {
    let (cut, expected) = match expected.strip_suffix("...") {
        Some(beginning) => (true, beginning),
        None => (false, expected),
    };
    let (mut left, mut right) = (shown, expected);
    while let Some(wanted) = right.chars().next() {
        let is = left.chars().next()?;
        if is.is_ascii_digit() && wanted.is_ascii_digit() {
            let (number, rest) = left.split_at(digits(left));
            let (meant, behind) = right.split_at(digits(right));
            if !is_such_a_number(number, meant, behind, ports) {
                return None;
            }
            (left, right) = (rest, behind);
        } else if is == wanted {
            (left, right) = (&left[is.len_utf8()..], &right[is.len_utf8()..]);
        } else {
            return None;
        }
    }
    Some(if cut { shown.len() } else { shown.len() - left.len() })
}

fn is_such_a_number(
    number: &str,
    meant: &str,
    behind: &str,
    ports: &BTreeMap<String, String>,
) -> bool {
    if [" ms", " KiB"].iter().any(|unit| behind.starts_with(unit)) {
        return true;
    }
    match ports.get(meant) {
        Some(port) => number == port,
        // A port that the kernel chose for a client, which is none of the servers'.
        None if meant.len() >= 4 => !ports.values().any(|port| port == number),
        None => number == meant,
    }
}

fn digits(text: &str) -> usize {
    text.find(|character: char| !character.is_ascii_digit()).unwrap_or(text.len())
}
