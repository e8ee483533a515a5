//! The clients of all stages against a server that is this test: wherever their standard input
//! comes from, and whatever a hostile server sends.

use crate::test;
use anyhow::{Context, ensure};
use chat_lab::peer::{End, Peer};
use chat_lab::process::{PATIENCE, Process};
use chat_lab::stage::{STAGES, Stage};
use libtest_mimic::Trial;
use std::net::TcpListener;
use std::process::{Command, Stdio};

type Check = fn(&'static Stage) -> anyhow::Result<()>;

const CHECKS: &[(&str, Check)] = &[
    ("sends_the_lines_of_a_pipe", input_from_a_pipe),
    ("sends_the_lines_of_a_regular_file", input_from_a_file),
    ("listens_on_when_its_input_is_empty", no_input),
    #[cfg(unix)]
    ("listens_on_when_its_input_is_closed", closed_input),
    ("shows_a_line_while_nobody_types", lines_while_nobody_types),
    ("ends_with_status_1_after_a_reset", reset),
    ("does_not_show_half_a_line", end_in_mid_line),
    ("survives_an_endless_line_in_little_memory", endless_line),
    ("makes_terminal_controls_harmless", escapes),
    ("shows_twenty_megabytes_of_lines", many_lines),
];

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for stage in &STAGES {
        for (name, check) in CHECKS {
            let name = format!("clients::{}_{name}", stage.package);
            tests.push(test(name, move || check(stage)));
        }
    }
    let name = "clients::stage2-duplex_has_two_directions_that_wait_for_and_end_with_nothing";
    tests.push(test(name, || two_directions(&STAGES[1])));
    tests
}

/// A client, and the server's end of its connection.
struct Session {
    stage: &'static Stage,
    client: Process,
    server: Peer,
}

impl Session {
    fn start(stage: &'static Stage, input: Stdio) -> anyhow::Result<Session> {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut command = Command::new(stage.program()?);
        let address = listener.local_addr()?;
        command.args(["client", "127.0.0.1", &address.port().to_string()]);
        Session::start_command(stage, command, input, &listener)
    }

    fn start_command(
        stage: &'static Stage,
        command: Command,
        input: Stdio,
        listener: &TcpListener,
    ) -> anyhow::Result<Session> {
        let client = Process::start_with_input(stage.package, command, input)?;
        let accepted = Peer::accept("the server", listener);
        let mut server = accepted.with_context(|| client.last_words(9))?;
        server.worker = client.worker();
        Ok(Session { stage, client, server })
    }

    /// Waits for a line with `text` on stdout. Stage 1 receives nothing, so it shows nothing.
    fn shows(&mut self, text: &str) -> anyhow::Result<()> {
        if self.stage.number == 1 {
            return Ok(());
        }
        let found = self.client.stdout.wait(PATIENCE, |screen| {
            screen.lines.iter().any(|line| line.ends_with(text)).then_some(())
        });
        found.with_context(|| format!("no line `{text}`\n{}", self.client.last_words(9)))
    }

    /// The client sends all and half-closes, hears the rest, and ends content.
    fn sends_all_and_ends(mut self, expected: &str) -> anyhow::Result<()> {
        let end = self.server.read_to_end(PATIENCE);
        ensure!(
            end == Some(End::Closed),
            "no half-close, but {end:?}\n{}",
            self.client.last_words(9)
        );
        let sent = String::from_utf8_lossy(&self.server.received);
        ensure!(sent == expected, "it sent {sent:?} instead of {expected:?}");
        self.server.say("late")?;
        self.shows("late")?;
        drop(self.server);
        let words = status_0(&mut self.client)?;
        let blames = words.iter().any(|line| line.contains("the server has ended"));
        let knows = KNOWING.contains(&self.stage.number);
        ensure!(!blames || !knows, "its user has ended it, and it says {words:?}");
        Ok(())
    }

    /// The server ends the connection; the client says so and gives status 0. In the stages 1 and
    /// 2 it is the user who ends.
    fn ends(mut self) -> anyhow::Result<()> {
        if self.stage.number <= 2 {
            self.client.end_input();
            self.server.read_to_end(PATIENCE);
        }
        drop(self.server);
        let words = status_0(&mut self.client)?;
        ensure!(!words.is_empty(), "it ended without a word on stderr");
        Ok(())
    }
}

/// Whose clients know that it is their own user who has ended.
const KNOWING: [u8; 2] = [3, 4];

/// Waits until the client has ended by itself, content. What it has said on stderr.
fn status_0(client: &mut Process) -> anyhow::Result<Vec<String>> {
    let status = client.wait(PATIENCE).context("the client does not end")?;
    ensure!(status.success(), "{status}\n{}", client.last_words(9));
    client.stderr.wait(PATIENCE, |_| None::<()>); // until its end
    Ok(client.stderr.lock().lines.clone())
}

const INPUT: &str = "one\ntwo\ngr\u{fc}\u{df} dich";
const SENT: &str = "one\ntwo\ngr\u{fc}\u{df} dich\n";

fn input_from_a_pipe(stage: &'static Stage) -> anyhow::Result<()> {
    let mut session = Session::start(stage, Stdio::piped())?;
    session.client.type_bytes(INPUT.as_bytes());
    session.client.end_input();
    session.sends_all_and_ends(SENT)
}

fn input_from_a_file(stage: &'static Stage) -> anyhow::Result<()> {
    let folder = tempfile::tempdir()?;
    let path = folder.path().join("input.txt");
    std::fs::write(&path, INPUT)?;
    let file = std::fs::File::open(&path)?;
    Session::start(stage, file.into())?.sends_all_and_ends(SENT)
}

fn no_input(stage: &'static Stage) -> anyhow::Result<()> {
    Session::start(stage, Stdio::null())?.sends_all_and_ends("")
}

#[cfg(unix)]
fn closed_input(stage: &'static Stage) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let mut command = Command::new("sh");
    let line = format!("exec \"$0\" client 127.0.0.1 {port} <&-");
    command.args(["-c", &line]).arg(stage.program()?);
    Session::start_command(stage, command, Stdio::null(), &listener)?.sends_all_and_ends("")
}

fn lines_while_nobody_types(stage: &'static Stage) -> anyhow::Result<()> {
    let mut session = Session::start(stage, Stdio::piped())?;
    session.server.say("first")?;
    session.server.say("second")?;
    session.shows("first")?;
    session.shows("second")?;
    session.client.type_line("now I type");
    let line = session.server.next_line(PATIENCE);
    ensure!(line.as_deref() == Some("now I type"), "the server heard {line:?}");
    session.ends()
}

fn reset(stage: &'static Stage) -> anyhow::Result<()> {
    let mut session = Session::start(stage, Stdio::piped())?;
    session.server.say("first")?;
    session.shows("first")?;
    session.server.reset();
    let status = session.client.wait(PATIENCE).context("the client does not end")?;
    let words = session.client.last_words(9);
    ensure!(status.code() == Some(1), "{status}\n{words}");
    ensure!(words.contains(stage.package) && !words.contains("panicked"), "{words}");
    Ok(())
}

fn end_in_mid_line(stage: &'static Stage) -> anyhow::Result<()> {
    let mut session = Session::start(stage, Stdio::piped())?;
    session.server.send(b"whole\nha")?;
    session.shows("whole")?;
    session.server.send(b"lf")?;
    let stdout = session.client.stdout.clone();
    session.ends()?;
    let shown = stdout.tail(9).join("\n");
    ensure!(!shown.contains("ha"), "it showed half a line: {shown}");
    Ok(())
}

/// Bytes without a line's end.
const ENDLESS_BYTES: usize = 64 * 1024 * 1024;
/// KiB that a client may use at most for them.
const MEMORY_KIB: usize = 32 * 1024;

fn endless_line(stage: &'static Stage) -> anyhow::Result<()> {
    let mut session = Session::start(stage, Stdio::piped())?;
    let piece = vec![b'x'; 64 * 1024];
    for _ in 0..ENDLESS_BYTES / piece.len() {
        session.server.send(&piece)?;
    }
    session.server.say("")?;
    session.server.say("after")?;
    session.shows("after")?;
    if let Some(most) = memory_at_most(session.client.id()) {
        ensure!(most < MEMORY_KIB, "it took {most} KiB of memory");
    }
    session.ends()
}

/// The most memory that a process has used, in KiB, where the system tells.
fn memory_at_most(process: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let most = status.lines().find_map(|line| line.strip_prefix("VmHWM:"))?;
    most.trim().trim_end_matches(" kB").parse().ok()
}

fn escapes(stage: &'static Stage) -> anyhow::Result<()> {
    let mut session = Session::start(stage, Stdio::piped())?;
    session.server.say("a\x1b[2J\x07\u{9b}31m\u{202e}\x1b]52;c;eA==\x07b\rc\0d evil")?;
    session.server.send(b"bad \xff\xfe bytes\nafter\n")?;
    session.shows("evil")?;
    session.shows("after")?;
    let shown = session.client.last_words(99);
    let harmful = |c: char| (c.is_control() && c != '\n') || c == '\u{202e}';
    ensure!(!shown.contains(harmful), "it showed {shown:?}");
    session.ends()
}

/// Neither direction waits for the other, and neither ends with it (rules S2.1 and S2.2): what
/// the server says is shown though it reads nothing, and what is typed arrives though the server
/// has ended its side.
fn two_directions(stage: &'static Stage) -> anyhow::Result<()> {
    let mut session = Session::start(stage, Stdio::piped())?;
    let typed: String = (0..LINES).map(|number| format!("{number} {:x<1000}\n", "")).collect();
    session.client.type_all_and_end(typed.clone().into_bytes()); // more than the kernel keeps
    session.server.socket.peek(&mut [0])?; // it has begun
    session.server.say("shown meanwhile")?;
    session.shows("shown meanwhile")?;
    session.server.half_close();
    let end = session.server.read_to_end(PATIENCE);
    let words = session.client.last_words(9);
    ensure!(end == Some(End::Closed), "no end of stream, but {end:?}\n{words}");
    let received = String::from_utf8_lossy(&session.server.received);
    let lines = received.lines().count();
    ensure!(received == typed, "of {LINES} lines {lines} have come\n{words}");
    let status = session.client.wait(PATIENCE).context("the client does not end")?;
    ensure!(status.success(), "{status}\n{words}");
    Ok(())
}

const LINES: usize = 20_000;

fn many_lines(stage: &'static Stage) -> anyhow::Result<()> {
    let mut session = Session::start(stage, Stdio::piped())?;
    let line = "x".repeat(1000) + "\n";
    for _ in 0..LINES {
        session.server.send(line.as_bytes())?;
    }
    session.server.say("after")?;
    session.shows("after")?;
    let shown = session.client.stdout.lock().lines.len();
    ensure!(stage.number == 1 || shown == LINES + 1, "it showed {shown} lines of {}", LINES + 1);
    session.ends()
}
