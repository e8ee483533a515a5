//! The clients on a terminal, as a person sees them: a pseudo-terminal in whose other end this
//! test types, and a screen to look at instead of bytes.

use crate::test;
use anyhow::{Context, ensure};
use chat_lab::patience::Patience;
use chat_lab::peer::{End, Peer};
use chat_lab::process::PATIENCE;
use chat_lab::stage::{STAGES, Stage};
use chat_lab::work::Worker;
use libtest_mimic::Trial;
use portable_pty::{Child, CommandBuilder, MasterPty, PtySize, native_pty_system};
use std::io::{Read, Write};
use std::net::TcpListener;
use std::num::NonZero;
use std::sync::{Arc, Mutex};
use std::thread;

const ROWS: NonZero<u16> = NonZero::new(24).expect("not 0");
const COLUMNS: NonZero<u16> = NonZero::new(80).expect("not 0");

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for stage in &STAGES {
        let name = |sentence| format!("terminal::{}_{sentence}", stage.package);
        tests.push(test(name("prompts_with_You_and_shows_what_comes"), move || prompt(stage)));
        tests.push(test(name("half_closes_at_control_D"), move || control_d(stage)));
    }
    let five = &STAGES[4];
    tests.push(test("terminal::stage5-async_keeps_a_half_typed_line_when_a_message_comes", || {
        half_typed(five)
    }));
    tests.push(test("terminal::stage5-async_gives_the_terminal_back_as_it_was", || {
        given_back(five)
    }));
    tests.push(test("terminal::stage5-async_gives_the_terminal_back_at_a_signal", || {
        given_back_at_a_signal(five)
    }));
    tests.push(test("terminal::stage5-async_runs_on_a_terminal_that_can_do_little", || dumb(five)));
    tests
}

/// A program on a terminal of its own.
struct Terminal {
    child: Box<dyn Child + Send + Sync>,
    keyboard: Box<dyn Write + Send>,
    screen: Arc<Mutex<vt100::Parser>>,
    /// The other end. Closing it would hang up on the program.
    master: Box<dyn MasterPty + Send>,
}

impl Terminal {
    fn start(command: CommandBuilder) -> anyhow::Result<Terminal> {
        let size =
            PtySize { rows: ROWS.get(), cols: COLUMNS.get(), pixel_width: 0, pixel_height: 0 };
        let pty = native_pty_system().openpty(size)?;
        let child = pty.slave.spawn_command(command)?;
        let parser = vt100::Parser::new(ROWS, COLUMNS, 0);
        let screen = Arc::new(Mutex::new(parser));
        let (mut output, seen) = (pty.master.try_clone_reader()?, Arc::clone(&screen));
        thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = output.read(&mut bytes) {
                seen.lock().expect("nobody panics with it").process(&bytes[..count]);
            }
        });
        Ok(Terminal { child, keyboard: pty.master.take_writer()?, screen, master: pty.master })
    }

    /// On its terminal the program leads a group of its own.
    fn new_patience(&self) -> Patience {
        Patience::new(Worker::of(self.child.process_id()), PATIENCE)
    }

    fn press(&mut self, keys: &str) -> anyhow::Result<()> {
        self.keyboard.write_all(keys.as_bytes())?;
        Ok(self.keyboard.flush()?)
    }

    /// Looks at the rows of the screen, blanks at their ends removed, until they are as wanted.
    fn wait(&self, what: &str, wanted: impl Fn(&[String]) -> bool) -> anyhow::Result<()> {
        let mut patience = self.new_patience();
        loop {
            let guard = self.screen.lock().expect("as above");
            let rows = guard.screen().rows(0, COLUMNS.get());
            let rows: Vec<String> = rows.map(|row| row.trim_end().to_string()).collect();
            if wanted(&rows) {
                return Ok(());
            }
            let shown = rows.join("\n");
            drop(guard); // or nothing could come while the program is looked at
            ensure!(patience.pause(), "the screen does not show {what}:\n{}", shown.trim_end());
        }
    }

    /// Until a row is exactly `row`.
    fn wait_for_row(&self, row: &str) -> anyhow::Result<()> {
        self.wait(&format!("the row `{row}`"), |rows| rows.iter().any(|shown| shown == row))
    }

    /// Until the last row that is not empty is exactly `row`.
    fn wait_for_last_row(&self, row: &str) -> anyhow::Result<()> {
        let last = |rows: &[String]| {
            rows.iter().rfind(|shown| !shown.is_empty()).is_some_and(|shown| shown == row)
        };
        self.wait(&format!("`{row}` as its last row"), last)
    }

    /// Whether what is typed is shown by the terminal itself, as it is when no editor has it.
    fn echoes(&self) -> anyhow::Result<bool> {
        let settings = self.master.get_termios().context("the terminal has no settings")?;
        Ok(format!("{:?}", settings.local_flags).split([' ', '|', '(', ')']).any(|it| it == "ECHO"))
    }

    fn ends_with_status_0(&mut self) -> anyhow::Result<()> {
        self.ends_with_status(0)
    }

    fn ends_with_status(&mut self, code: u32) -> anyhow::Result<()> {
        let mut patience = self.new_patience();
        loop {
            if let Some(status) = self.child.try_wait()? {
                ensure!(status.exit_code() == code, "{status:?}");
                return Ok(());
            }
            ensure!(patience.pause(), "the program does not end");
        }
    }
}

impl Drop for Terminal {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// A client on a terminal, connected to this test, with a name where the stage wants one.
fn session(stage: &Stage) -> anyhow::Result<(Terminal, Peer)> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let mut command = CommandBuilder::new(stage.program()?);
    let port = listener.local_addr()?.port().to_string();
    command.args(["client", "127.0.0.1", &port]);
    introduced(stage, Terminal::start(command)?, &listener)
}

fn introduced(
    stage: &Stage,
    mut terminal: Terminal,
    listener: &TcpListener,
) -> anyhow::Result<(Terminal, Peer)> {
    let mut server = Peer::accept("the server", listener)?;
    if stage.number >= 4 {
        server.say("NICK")?;
        terminal
            .wait("a question for the name", |rows| rows.iter().any(|row| row.contains("name")))?;
        terminal.press("ann\r")?;
        hears(&mut server, "ann")?;
        server.say("* welcome ann: you are the first")?;
        terminal.wait_for_row("* welcome ann: you are the first")?;
    }
    terminal.wait_for_last_row("<You>")?;
    Ok((terminal, server))
}

fn hears(server: &mut Peer, expected: &str) -> anyhow::Result<()> {
    let line = server.next_line(PATIENCE).context("the server heard nothing")?;
    ensure!(line == expected, "the server heard {line:?} instead of {expected:?}");
    Ok(())
}

fn prompt(stage: &Stage) -> anyhow::Result<()> {
    let (mut terminal, mut server) = session(stage)?;
    terminal.press("hello\r")?;
    hears(&mut server, "hello")?;
    terminal.wait_for_row("<You> hello")?;
    if stage.number >= 2 {
        server.say("bob: hi")?;
        let shown = match stage.number {
            2 => format!("[127.0.0.1]:{} => bob: hi", server.socket.local_addr()?.port()),
            _ => "bob: hi".to_string(),
        };
        terminal.wait_for_row(&shown)?;
    }
    terminal.wait_for_last_row("<You>")
}

fn control_d(stage: &Stage) -> anyhow::Result<()> {
    let (mut terminal, mut server) = session(stage)?;
    terminal.press("\x04")?;
    let end = server.read_to_end(PATIENCE);
    ensure!(end == Some(End::Closed), "no half-close, but {end:?}");
    drop(server);
    terminal.ends_with_status_0()
}

fn half_typed(stage: &Stage) -> anyhow::Result<()> {
    let (mut terminal, mut server) = session(stage)?;
    terminal.press("half a li")?;
    terminal.wait_for_last_row("<You> half a li")?;
    server.say("[#lobby] bob: a message in between")?;
    terminal.wait_for_row("[#lobby] bob: a message in between")?;
    terminal.wait_for_last_row("<You> half a li")?;
    terminal.press("ne\r")?;
    hears(&mut server, "half a line")?;
    terminal.wait_for_row("<You> half a line")
}

/// The editor switches echo off; when the server ends first, it must be on again.
fn given_back(stage: &Stage) -> anyhow::Result<()> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let port = listener.local_addr()?.port();
    let mut command = CommandBuilder::new("sh");
    command.args(["-c", &format!("\"$0\" client 127.0.0.1 {port}; stty -a")]);
    command.arg(stage.program()?);
    let (mut terminal, server) = introduced(stage, Terminal::start(command)?, &listener)?;
    terminal.press("half a li")?;
    terminal.wait_for_last_row("<You> half a li")?;
    drop(server);
    terminal.wait("the terminal's settings with echo on", |rows| {
        rows.iter().flat_map(|row| row.split_whitespace()).any(|word| word == "echo")
    })
}

fn given_back_at_a_signal(stage: &Stage) -> anyhow::Result<()> {
    let (mut terminal, _server) = session(stage)?;
    terminal.press("half a li")?;
    terminal.wait_for_last_row("<You> half a li")?;
    ensure!(!terminal.echoes()?, "the editor has not switched echo off: nothing to give back");
    let client = terminal.child.process_id().context("the client has no number")?;
    let sent = std::process::Command::new("kill").args(["-TERM", &client.to_string()]).status()?;
    ensure!(sent.success(), "cannot send a signal");
    terminal.ends_with_status(128 + 15)?;
    ensure!(terminal.echoes()?, "the terminal does not echo any more");
    Ok(())
}

/// `TERM=dumb` and its kin: no editor, plain lines.
fn dumb(stage: &Stage) -> anyhow::Result<()> {
    for term in ["dumb", "emacs", "cons25"] {
        let listener = TcpListener::bind("127.0.0.1:0")?;
        let mut command = CommandBuilder::new(stage.program()?);
        command.args(["client", "127.0.0.1", &listener.local_addr()?.port().to_string()]);
        command.env("TERM", term);
        let mut terminal = Terminal::start(command)?;
        let mut server = Peer::accept("the server", &listener)?;
        server.say("NICK")?;
        terminal.wait_for_row("NICK")?;
        terminal.press("ann\r")?;
        hears(&mut server, "ann")?;
        server.say("* welcome ann: you are the first")?;
        terminal.wait_for_row("* welcome ann: you are the first")?;
        terminal.press("hello\r")?;
        hears(&mut server, "hello")?;
        drop(server);
        terminal.ends_with_status_0()?;
    }
    Ok(())
}
