//! Layer: the other end. What its user types goes out, what others say is printed. Two halves run side by
//! side on one thread, so neither direction ever waits for the other.

use std::cell::Cell;
use std::future::pending;
use std::io;

use anyhow::{Context, bail};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::runtime::Builder;
use tokio::sync::{Notify, mpsc};

use crate::advice;
use crate::command;
use crate::console::{self, count, explain};
use crate::line::{LineDecoder, SERVER_LINE_BYTES_MAX};
use crate::state::{Heard, hear};
use crate::terminal::{self, Screen};

/// Bytes of one read from the server.
const READ_BYTES: usize = 16 * 1024;

/// Lines of the user that are sent in one write, when that many wait.
const LINES_PER_WRITE: usize = 64;

pub fn run(host: &str, port: u16, name: Option<String>) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let end = runtime.context("cannot start the runtime")?.block_on(chat(host, port, name));
    terminal::restore();
    console::warn(match end? {
        End::Wanted => "the conversation has ended",
        End::ByServer => "the server has ended the connection",
        End::NobodyReads => return Ok(()), // `| head -1` has seen enough
    });
    Ok(())
}

/// Why a conversation is over.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// The user said so.
    Wanted,
    ByServer,
    /// Our output is a pipe whose other end is closed.
    NobodyReads,
}

async fn chat(host: &str, port: u16, name: Option<String>) -> anyhow::Result<End> {
    // A name can have several addresses (`localhost`: ::1 and 127.0.0.1): all of them are tried.
    let socket = TcpStream::connect((host, port)).await;
    let mut socket = socket.map_err(|error| advice::cannot_connect(host, port, &error))?;
    let _ = socket.set_nodelay(true); // a line that waits for company is a slow line
    let (input, screen) = terminal::open();
    let meeting = Meeting {
        name,
        asked: Notify::new(),
        settled: Notify::new(),
        user_has_left: Cell::new(false),
    };
    let (mut reader, mut writer) = socket.split();
    // Only the server's end ends the chat: the other two never complete.
    tokio::select! {
        end = print_lines(&mut reader, screen, &meeting) => end,
        () = send_lines(&mut writer, input, &meeting) => Ok(End::Wanted),
        () = terminal::end_at_a_signal() => Ok(End::Wanted),
    }
}

/// What the two halves tell each other.
struct Meeting {
    /// The answer to the server's question, where the command line gives one.
    name: Option<String>,
    /// The server has asked for it.
    asked: Notify,
    /// It is accepted, or refused and now up to the user.
    settled: Notify,
    /// The user has said `exit` or `/quit`, or the input has ended.
    user_has_left: Cell<bool>,
}

/// Sends what the user says, and at its end our end. Then the server says what it still has to
/// say, so this never completes.
async fn send_lines(
    writer: &mut WriteHalf<'_>,
    mut input: mpsc::Receiver<Vec<u8>>,
    meeting: &Meeting,
) {
    // If the connection breaks, the other half sees it too, and reports it.
    let _: io::Result<()> = async {
        if let Some(name) = &meeting.name {
            meeting.asked.notified().await;
            writer.write_all(format!("{name}\n").as_bytes()).await?;
            meeting.settled.notified().await; // else what the user says could become the name
        }
        let mut lines = Vec::new();
        while input.recv_many(&mut lines, LINES_PER_WRITE).await > 0 {
            if lines.iter().any(|line| command::is_goodbye(line)) {
                meeting.user_has_left.set(true);
            }
            explain!("{} in one write", count(lines.len(), "line"));
            writer.write_all(&lines.concat()).await?;
            lines.clear();
        }
        meeting.user_has_left.set(true);
        explain!("end of input: the server is told, and may still answer");
        writer.shutdown().await
    }
    .await;
    pending().await
}

/// Prints what arrives, until the server's end.
async fn print_lines(
    reader: &mut ReadHalf<'_>,
    mut screen: Screen,
    meeting: &Meeting,
) -> anyhow::Result<End> {
    let mut decoder = LineDecoder::new(SERVER_LINE_BYTES_MAX);
    let mut bytes = vec![0; READ_BYTES];
    let mut greeting = Greeting { questions: 0, refusal: String::new(), is_over: false };
    loop {
        match reader.read(&mut bytes).await.context("the connection to the server broke")? {
            0 if meeting.user_has_left.get() => return Ok(End::Wanted),
            0 => return Ok(End::ByServer),
            count => decoder.push(&bytes[..count]),
        }
        while let Some(line) = decoder.next_line() {
            let printed = match line {
                Ok(line) if greeting.is_over => screen.print(&line),
                Ok(line) => greeting.hear(&line, &mut screen, meeting)?,
                Err(error) => {
                    console::warn(format_args!("from the server: {error}"));
                    Ok(())
                }
            };
            match printed {
                Err(error) if error.kind() == io::ErrorKind::BrokenPipe => {
                    return Ok(End::NobodyReads);
                }
                printed => printed.context("cannot print what others say")?,
            }
        }
    }
}

/// What the client hears before it has a name. Later nobody can say such lines to it: what others
/// say begins with `[`.
struct Greeting {
    questions: u32,
    /// Why the last name was refused.
    refusal: String,
    /// The name is accepted.
    is_over: bool,
}

impl Greeting {
    /// The inner error is the screen's.
    fn hear(
        &mut self,
        line: &str,
        screen: &mut Screen,
        meeting: &Meeting,
    ) -> anyhow::Result<io::Result<()>> {
        match hear(line) {
            Heard::Question => {
                self.questions += 1;
                return self.answer(line, screen, meeting);
            }
            Heard::Refusal(why) => self.refusal = why.to_string(),
            Heard::Welcome => {
                self.is_over = true;
                meeting.settled.notify_one();
            }
        }
        Ok(screen.print(line))
    }

    fn answer(
        &self,
        question: &str,
        screen: &mut Screen,
        meeting: &Meeting,
    ) -> anyhow::Result<io::Result<()>> {
        match &meeting.name {
            Some(_) if self.questions == 1 => meeting.asked.notify_one(),
            Some(name) if !screen.is_editor() => {
                bail!("the server refused the name {name}: {}", self.refusal)
            }
            _ => {
                meeting.settled.notify_one();
                return Ok(screen.ask_for_name(question));
            }
        }
        Ok(Ok(()))
    }
}
