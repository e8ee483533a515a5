//! Processes under observation: started in a group of their own, every line of their output
//! kept, ended with everything that they started.

use crate::patience::Patience;
use crate::work::Worker;
use anyhow::Context;
use std::io::{Read, Write};
use std::net::{SocketAddr, TcpListener, TcpStream};
use std::process::{Child, ChildStdin, Command, ExitStatus, Stdio};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// The limit for anything that must happen. Generous: machines are slow and shared, and a wait ends
/// as soon as the thing has happened.
pub const PATIENCE: Duration = Duration::from_secs(30);

/// How often a program that is still starting is asked whether it listens: the kernel's table of
/// sockets is long.
const ASK_AGAIN: Duration = Duration::from_millis(250);

/// How long only the program's own process group is looked at for one who listens.
const OWN_GROUP_FIRST: Duration = Duration::from_secs(3);

/// Lines of a process's output that are kept; older ones are dropped, and counted.
const LINES_MAX: usize = 100_000;

/// Bytes of one line of a process's output that are kept.
const LINE_BYTES_MAX: usize = 64 * 1024;

/// Characters of a line that are shown to people.
const LAST_WORDS_CHARS_MAX: usize = 200;

/// A running program. Dropping it ends its whole process group.
#[derive(Debug)]
pub struct Process {
    pub name: String,
    child: Child,
    stdin: Option<ChildStdin>,
    pub stdout: Arc<Screen>,
    pub stderr: Arc<Screen>,
}

impl Process {
    /// Starts `command` with all three standard streams in our hands.
    pub fn start(name: &str, command: Command) -> anyhow::Result<Process> {
        Process::start_with_input(name, command, Stdio::piped())
    }

    /// As `start`, with a standard input that comes from somewhere else.
    pub fn start_with_input(
        name: &str,
        mut command: Command,
        input: Stdio,
    ) -> anyhow::Result<Process> {
        command.stdin(input).stdout(Stdio::piped()).stderr(Stdio::piped());
        own_group(&mut command);
        let mut child = command
            .spawn()
            .with_context(|| format!("cannot start {}", command.get_program().display()))?;
        live::add(child.id());
        let worker = Worker::of(Some(child.id()));
        let stdout = Screen::of(child.stdout.take().expect("stdout was piped"), worker);
        let stderr = Screen::of(child.stderr.take().expect("stderr was piped"), worker);
        let stdin = child.stdin.take();
        Ok(Process { name: name.to_string(), child, stdin, stdout, stderr })
    }

    pub fn id(&self) -> u32 {
        self.child.id()
    }

    /// To see whether it works.
    pub fn worker(&self) -> Worker {
        Worker::of(Some(self.id()))
    }

    /// Types one line. That the program has ended already is not an error here: what it printed
    /// will tell.
    pub fn type_line(&mut self, line: &str) {
        self.type_bytes(format!("{line}\n").as_bytes());
    }

    pub fn type_bytes(&mut self, bytes: &[u8]) {
        if let Some(stdin) = &mut self.stdin {
            let _ = stdin.write_all(bytes).and_then(|()| stdin.flush());
        }
    }

    /// More than a pipe can hold: a thread writes it, as fast as the process reads, and ends the
    /// standard input.
    pub fn type_all_and_end(&mut self, bytes: Vec<u8>) {
        let stdin = self.stdin.take();
        // It ends with the process at the latest; who reads no more is seen by what is missing.
        thread::spawn(move || stdin.map(|mut stdin| stdin.write_all(&bytes)));
    }

    /// The end of its standard input.
    pub fn end_input(&mut self) {
        self.stdin = None;
    }

    /// Its exit status, or `None` if it still runs after `limit`.
    pub fn wait(&mut self, limit: Duration) -> Option<ExitStatus> {
        self.wait_within(&mut Patience::new(self.worker(), limit))
    }

    pub fn wait_within(&mut self, patience: &mut Patience) -> Option<ExitStatus> {
        loop {
            match self.child.try_wait() {
                Ok(Some(status)) => return Some(status),
                _ if !patience.pause() => return None,
                _ => {}
            }
        }
    }

    pub fn is_running(&mut self) -> bool {
        matches!(self.child.try_wait(), Ok(None))
    }

    /// Ends it at once, with everything that it started.
    pub fn kill(&mut self) {
        kill_group(self.child.id());
        let _ = self.child.kill();
        let _ = self.child.wait();
        live::remove(self.child.id());
    }

    /// The last `count` lines of what it printed, for people.
    pub fn last_words(&self, count: usize) -> String {
        let mut text = String::new();
        for (stream, screen) in [("stdout", &self.stdout), ("stderr", &self.stderr)] {
            for line in screen.tail(count) {
                let shown: String = line.chars().take(LAST_WORDS_CHARS_MAX).collect();
                let dots = if shown.len() < line.len() { "..." } else { "" };
                text.push_str(&format!("{} {stream} | {shown}{dots}\n", self.name));
            }
        }
        text
    }
}

impl Drop for Process {
    fn drop(&mut self) {
        self.kill();
    }
}

/// What a process has printed on one of its streams, line by line.
#[derive(Debug, Default)]
pub struct Screen {
    worker: Worker,
    state: Mutex<ScreenState>,
    changed: Condvar,
}

#[derive(Debug, Default)]
pub struct ScreenState {
    pub lines: Vec<String>,
    /// What came after the last LF.
    pub unfinished: Vec<u8>,
    pub ended: bool,
    /// How many of the oldest lines were dropped.
    pub dropped: usize,
    /// How many bytes have come.
    bytes: usize,
}

impl Screen {
    /// Reads `stream` to its end, so that its writer never has to wait for us.
    fn of(mut stream: impl Read + Send + 'static, worker: Worker) -> Arc<Screen> {
        let screen = Arc::new(Screen { worker, ..Screen::default() });
        let writer = Arc::clone(&screen);
        thread::spawn(move || {
            let mut buffer = vec![0; 16 * 1024];
            while let Ok(count @ 1..) = stream.read(&mut buffer) {
                writer.lock().add(&buffer[..count]);
                writer.changed.notify_all();
            }
            writer.lock().ended = true;
            writer.changed.notify_all();
        });
        screen
    }

    pub fn lock(&self) -> MutexGuard<'_, ScreenState> {
        self.state.lock().expect("no code panics while it holds a screen")
    }

    /// Looks at what is there, again whenever something new comes, until `seen` finds what it
    /// looks for. `None`: not within `limit`, or not before the stream's end.
    pub fn wait<T>(
        &self,
        limit: Duration,
        seen: impl FnMut(&ScreenState) -> Option<T>,
    ) -> Option<T> {
        self.wait_within(&mut Patience::new(self.worker, limit), seen)
    }

    /// What is printed is no reason to wait longer: who prints for ever would be waited for as long.
    pub fn wait_within<T>(
        &self,
        patience: &mut Patience,
        mut seen: impl FnMut(&ScreenState) -> Option<T>,
    ) -> Option<T> {
        loop {
            let bytes = {
                let state = self.lock();
                if let Some(found) = seen(&state) {
                    return Some(found);
                }
                if state.ended {
                    patience.ends();
                    return None;
                }
                state.bytes
            };
            let left = patience.look()?.saturating_duration_since(Instant::now());
            let same = |state: &mut ScreenState| state.bytes == bytes && !state.ended;
            let waited = self.changed.wait_timeout_while(self.lock(), left, same);
            drop(waited.expect("as in lock"));
        }
    }

    /// The last `count` lines, an unfinished one included.
    pub fn tail(&self, count: usize) -> Vec<String> {
        let state = self.lock();
        let mut lines = state.lines[state.lines.len().saturating_sub(count)..].to_vec();
        if !state.unfinished.is_empty() {
            lines.push(String::from_utf8_lossy(&state.unfinished).into_owned());
        }
        lines
    }
}

impl ScreenState {
    fn add(&mut self, bytes: &[u8]) {
        self.bytes += bytes.len();
        for piece in bytes.split_inclusive(|byte| *byte == b'\n') {
            let room = LINE_BYTES_MAX.saturating_sub(self.unfinished.len());
            self.unfinished.extend_from_slice(&piece[..piece.len().min(room)]);
            if piece.ends_with(b"\n") {
                let line = std::mem::take(&mut self.unfinished);
                let line = String::from_utf8_lossy(&line);
                self.lines.push(line.trim_end_matches(['\n', '\r']).to_string());
            }
        }
        if self.lines.len() > LINES_MAX {
            let old = self.lines.len() - LINES_MAX / 2;
            self.lines.drain(..old);
            self.dropped += old;
        }
    }
}

/// A server under observation, or one that somebody else started.
#[derive(Debug)]
pub struct Server {
    pub address: SocketAddr,
    /// `None`: it runs already, we know only its address.
    pub process: Option<Process>,
}

impl Server {
    /// Starts a stage's server on a port that the kernel chooses.
    pub fn start_stage(stage: &crate::stage::Stage, options: &[&str]) -> anyhow::Result<Server> {
        let mut command = Command::new(stage.program()?);
        command.args(["server", "127.0.0.1", "0"]).args(options);
        Server::start(stage.package, command)
    }

    /// Starts a server that says `listening on HOST:PORT`.
    pub fn start(name: &str, command: Command) -> anyhow::Result<Server> {
        let process = Process::start(name, command)?;
        let address = process.stdout.wait(PATIENCE, |screen| {
            screen.lines.iter().find_map(|line| line.strip_prefix("listening on ")?.parse().ok())
        });
        let address = address.with_context(|| {
            format!("{name} did not say `listening on HOST:PORT`\n{}", process.last_words(20))
        })?;
        Ok(Server { address, process: Some(process) })
    }

    /// Starts anybody's server, which was told `port`: it is ready when it says so or when the
    /// port answers.
    pub fn start_on_port(name: &str, command: Command, port: u16) -> anyhow::Result<Server> {
        let mut process = Process::start(name, command)?;
        let address = SocketAddr::from(([127, 0, 0, 1], port));
        let mut patience = Patience::new(process.worker(), PATIENCE);
        let mut busy = (Instant::now(), crate::resources::of_group(process.id()));
        let mut asked = Instant::now();
        while !process.stdout.lock().lines.iter().any(|line| line.starts_with("listening on ")) {
            let usage = crate::resources::of_group(process.id());
            if usage != busy.1 || usage.is_some_and(|usage| usage.runnable > 0) {
                busy = (Instant::now(), usage); // it is still starting
            }
            let waits = usage.is_none_or(|usage| usage.runnable == 0);
            if waits || asked.elapsed() >= ASK_AGAIN {
                asked = Instant::now();
                if answers(&process, address, busy.0.elapsed()) {
                    break;
                }
            }
            let waited = !patience.pause();
            anyhow::ensure!(
                process.is_running() && !waited,
                "{name} {}\n{}",
                match waited {
                    true =>
                        format!("does not listen: port {port} has not answered for {PATIENCE:?}"),
                    false => format!("ended before port {port} answered"),
                },
                process.last_words(20).trim_end()
            );
        }
        Ok(Server { address, process: Some(process) })
    }
}

/// Whether the program listens there. Asks the kernel where that is possible: a connection would
/// be a visitor, and some servers do not survive one; and it might be somebody else who answers.
/// A program that has handed its work to a process of another group is believed when it has
/// rested for a while.
fn answers(process: &Process, address: SocketAddr, rested: Duration) -> bool {
    match crate::resources::group_listens(process.id(), address.port()) {
        Some(true) => true,
        Some(false) if rested < OWN_GROUP_FIRST => false,
        _ => TcpStream::connect_timeout(&address, PATIENCE).is_ok(),
    }
}

/// A port that was free a moment ago, for programs that cannot choose one themselves.
pub fn free_port() -> anyhow::Result<u16> {
    let listener = TcpListener::bind("127.0.0.1:0").context("cannot find a free port")?;
    Ok(listener.local_addr()?.port())
}

#[cfg(unix)]
pub(crate) fn own_group(command: &mut Command) {
    std::os::unix::process::CommandExt::process_group(command, 0);
}

#[cfg(unix)]
pub(crate) fn kill_group(id: u32) {
    use nix::sys::signal::{Signal, killpg};
    let _ = killpg(nix::unistd::Pid::from_raw(id as i32), Signal::SIGKILL);
}

#[cfg(not(unix))]
pub(crate) fn own_group(_: &mut Command) {}

/// Windows has no process groups of this kind; `taskkill /T` ends a process and its children.
#[cfg(not(unix))]
pub(crate) fn kill_group(id: u32) {
    let mut command = Command::new("taskkill");
    command.args(["/F", "/T", "/PID", &id.to_string()]);
    let _ = command.stdout(Stdio::null()).stderr(Stdio::null()).status();
}

/// The processes that run now, so that Ctrl-C leaves none behind.
pub mod live {
    use std::sync::Mutex;
    use std::sync::atomic::{AtomicBool, Ordering};

    static LIVE: Mutex<Vec<u32>> = Mutex::new(Vec::new());

    static WILL_REPORT: AtomicBool = AtomicBool::new(false);
    static INTERRUPTED: AtomicBool = AtomicBool::new(false);

    pub(crate) fn add(id: u32) {
        LIVE.lock().expect("no code panics while it holds the list").push(id);
    }

    pub(crate) fn remove(id: u32) {
        LIVE.lock().expect("as above").retain(|other| *other != id);
    }

    pub fn kill_all() {
        for id in LIVE.lock().expect("as above").drain(..) {
            super::kill_group(id);
        }
    }

    /// From now on the first Ctrl-C only shows in `interrupted`: whoever calls this looks there
    /// often, and reports what is known so far. The second ends the lab as ever.
    pub fn report_when_interrupted() {
        WILL_REPORT.store(true, Ordering::Relaxed);
    }

    pub fn interrupted() -> bool {
        INTERRUPTED.load(Ordering::Relaxed)
    }

    /// On Ctrl-C or SIGTERM: ends every process that we started, and then the lab.
    pub fn end_with_us() {
        let handler = || {
            let first = !INTERRUPTED.swap(true, Ordering::Relaxed);
            if first && WILL_REPORT.load(Ordering::Relaxed) {
                return;
            }
            kill_all();
            std::process::exit(130); // 128 + SIGINT, as shells report it
        };
        let _ = ctrlc::set_handler(handler); // fails only if it was set before
    }
}
