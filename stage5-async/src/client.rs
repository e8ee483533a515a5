//! The client: what its user types goes out, what others say is printed. Two halves run side by
//! side on one thread, so neither direction ever waits for the other.

use crate::console::{self, explain};
use crate::line::{LineDecoder, SERVER_LINE_BYTES_MAX};
use crate::terminal::{self, Screen};
use anyhow::{Context, anyhow, bail};
use std::future::pending;
use std::io::{self, ErrorKind};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{ReadHalf, WriteHalf};
use tokio::net::{TcpStream, lookup_host};
use tokio::runtime::Builder;
use tokio::sync::{Notify, mpsc};

/// Bytes of one read from the server.
const READ_BYTES: usize = 16 * 1024;

/// Lines of the user that are sent in one write, when that many wait.
const LINES_PER_WRITE: usize = 64;

pub fn run(host: &str, port: u16, name: Option<String>) -> anyhow::Result<()> {
    let runtime = Builder::new_current_thread().enable_all().build();
    let end = runtime.context("cannot start the runtime")?.block_on(chat(host, port, name));
    terminal::restore();
    end?;
    console::warn("the server has ended the connection");
    Ok(())
}

async fn chat(host: &str, port: u16, name: Option<String>) -> anyhow::Result<()> {
    let mut socket = connect(host, port).await?;
    let (input, screen) = terminal::open()?;
    let greeting = Greeting { name, asked: Notify::new(), answered: Notify::new() };
    let (mut reader, mut writer) = socket.split();
    tokio::select! {
        end = print_lines(&mut reader, screen, &greeting) => end,
        () = send_lines(&mut writer, input, &greeting) => Ok(()),
    }
}

async fn connect(host: &str, port: u16) -> anyhow::Result<TcpStream> {
    let addresses: Vec<_> = lookup_host((host, port))
        .await
        .map_err(|error| anyhow!("cannot find the host {host}: {error}; is it spelled right?"))?
        .collect();
    let socket = TcpStream::connect(&addresses[..]).await.map_err(|error| {
        let what = match error.kind() {
            ErrorKind::ConnectionRefused => {
                "connection refused; is the server running, and is this its PORT?".to_string()
            }
            _ => format!("{error}; is the server's machine on this network?"),
        };
        anyhow!("cannot connect to {host}:{port}: {what}")
    })?;
    let _ = socket.set_nodelay(true); // a line that waits for company is a slow line
    Ok(socket)
}

/// The server's question for a name, when `--name` answers it.
struct Greeting {
    name: Option<String>,
    asked: Notify,
    /// Accepted, or refused and now up to the user.
    answered: Notify,
}

/// Sends what the user says, and at its end our end. Then the server says what it still has to
/// say: only its end ends the chat, so this never completes.
async fn send_lines(
    writer: &mut WriteHalf<'_>,
    mut input: mpsc::Receiver<Vec<u8>>,
    greeting: &Greeting,
) {
    // If the connection breaks, the other half sees it too, and reports it.
    let _: io::Result<()> = async {
        if let Some(name) = &greeting.name {
            greeting.asked.notified().await;
            writer.write_all(format!("{name}\n").as_bytes()).await?;
            greeting.answered.notified().await; // else what the user says could become the name
        }
        let mut lines = Vec::new();
        while input.recv_many(&mut lines, LINES_PER_WRITE).await > 0 {
            explain!("{} lines leave in one write", lines.len());
            writer.write_all(&lines.concat()).await?;
            lines.clear();
        }
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
    greeting: &Greeting,
) -> anyhow::Result<()> {
    let mut decoder = LineDecoder::new(SERVER_LINE_BYTES_MAX);
    let mut bytes = vec![0; READ_BYTES];
    let mut door = Door { questions: 0, last_error: String::new(), is_inside: false };
    loop {
        let count = reader.read(&mut bytes).await.context("the connection to the server broke")?;
        if count == 0 {
            return Ok(());
        }
        decoder.push(&bytes[..count]);
        while let Some(line) = decoder.next_line() {
            match line {
                Ok(line) if door.is_inside => screen.print(&line),
                Ok(line) => door.hear(&line, &mut screen, greeting)?,
                Err(error) => console::warn(format_args!("from the server: {error}")),
            }
        }
    }
}

/// What the client hears before it has a name. Later nobody can say such lines to it: what others
/// say begins with `[`.
struct Door {
    questions: u32,
    last_error: String,
    is_inside: bool,
}

impl Door {
    fn hear(&mut self, line: &str, screen: &mut Screen, greeting: &Greeting) -> anyhow::Result<()> {
        match line {
            "NICK" => return self.ask(screen, greeting),
            _ if line.starts_with("* ") => {
                self.is_inside = true;
                greeting.answered.notify_one();
            }
            _ => self.last_error = line.trim_start_matches("! ").to_string(),
        }
        screen.print(line);
        Ok(())
    }

    fn ask(&mut self, screen: &mut Screen, greeting: &Greeting) -> anyhow::Result<()> {
        self.questions += 1;
        match &greeting.name {
            Some(_) if self.questions == 1 => greeting.asked.notify_one(),
            Some(name) if !screen.is_terminal() => {
                bail!("the server refused the name {name}: {}", self.last_error)
            }
            _ => {
                greeting.answered.notify_one();
                screen.ask_for_name();
            }
        }
        Ok(())
    }
}
