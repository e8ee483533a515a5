//! `lab show`: one scene on the five designs, or on anybody's server, as a picture: who sent what,
//! what each thread of the server did, and for whom it waited.

mod calls;
#[cfg(target_os = "linux")]
mod descriptors;
mod difference;
pub mod layout;
mod log;
pub mod page;
mod person;
mod playing;
pub mod recording;
pub mod scene;
pub mod svg;
pub mod text;
pub mod trace;
#[cfg(target_os = "linux")]
mod words;

use crate::capture::Capture;
use crate::conversation::Conversation;
use crate::process::{Server, free_port};
use crate::stage::{STAGES, Stage};
use anyhow::{Context, bail, ensure};
use clap::ValueEnum;
use playing::Playing;
use recording::{Recording, Run, VERSION};
use scene::Scene;
use std::io::Write;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};

const EXAMPLE: &str = "Examples:
  cargo lab show --html show.html --open
  cargo lab show --scene stalled --stage 3 --stage 4 --html stalled.html
  cargo lab show --program \"python3 server.py {host} {port}\" --protocol select --html mine.html
  cargo lab show --format json > lunch.json; cargo lab show lunch.json --html again.html

A page has the pictures side by side; add ?lecture to its address for a projector.";

/// Draw a conversation: what was sent, what every thread did, and who waited for whom.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Arguments {
    /// A conversation's file, the name of one of the kit's own, or a recording (.json)
    #[arg(default_value = "lunch")]
    file: PathBuf,
    /// In place of a conversation: what goes wrong in a network
    #[arg(long, value_enum, conflicts_with = "file")]
    scene: Option<Scene>,
    /// Only this stage (1 to 5); may be given several times
    #[arg(long = "stage", value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    stages: Vec<u8>,
    /// The command of anybody's server; {host} and {port} are filled in. May be given several times
    #[arg(long = "program", value_name = "COMMAND", requires = "protocol")]
    programs: Vec<String>,
    /// Which protocol the program speaks
    #[arg(long, value_enum)]
    protocol: Option<Protocol>,
    /// Write one page with the pictures side by side
    #[arg(long, value_name = "FILE")]
    html: Option<PathBuf>,
    /// Open the page in a browser
    #[arg(long, requires = "html")]
    open: bool,
    /// Write a trace for Perfetto or Chromium (Chrome JSON)
    #[arg(long, value_name = "FILE")]
    trace: Option<PathBuf>,
    /// Write one picture (.svg) for each program into this folder, with the same as text beside it
    #[arg(long, value_name = "FOLDER")]
    pictures: Option<PathBuf>,
    /// Write a capture for Wireshark into this folder, one file (.pcapng) for each program
    #[arg(long, value_name = "FOLDER")]
    capture: Option<PathBuf>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Columns of the text (default: the terminal's, or 80)
    #[arg(long)]
    columns: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Protocol {
    /// stage 3's: #name, @user:text
    Select,
    /// stage 4's: NICK, broadcast
    Threads,
    /// stage 5's: rooms and commands
    Rooms,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    /// The sequence of what was sent, in columns
    Text,
    /// The record itself
    Json,
}

/// What is played.
pub enum Script {
    Conversation(Conversation),
    Scene(Scene),
}

/// Columns of the text where nobody says how many there are.
const COLUMNS: usize = 80;

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    for file in [&arguments.html, &arguments.trace].into_iter().flatten() {
        can_be_written(file)?; // before the work, not after it
    }
    let recording = match arguments.file.extension().is_some_and(|end| end == "json") {
        true => read(&arguments.file)?,
        false => record(arguments)?,
    };
    if let Some(file) = &arguments.trace {
        write(file, &serde_json::to_string(&trace::chrome(&recording))?)?;
    }
    if let Some(file) = &arguments.html {
        write(file, &page::html(&recording, &command_of_this_run())?)?;
        println!("wrote {}", file.display());
        if arguments.open {
            open(file);
        }
    }
    if let Some(folder) = &arguments.pictures {
        pictures(&recording, folder)?;
    }
    let output = match arguments.format {
        Format::Json => serde_json::to_string_pretty(&recording)? + "\n",
        Format::Text if arguments.html.is_some() => String::new(),
        Format::Text => {
            let columns = arguments.columns.unwrap_or_else(terminal_columns);
            let runs: Vec<String> =
                recording.runs.iter().map(|run| text::draw(run, columns)).collect();
            runs.join("\n")
        }
    };
    // Not `print!`: that the reader of a pipe has seen enough is no reason for a panic.
    let _ = std::io::stdout().write_all(output.as_bytes());
    Ok(ExitCode::SUCCESS)
}

/// `stage3.svg` and `stage3.txt`, or `program1.svg` and so on.
fn pictures(recording: &Recording, folder: &Path) -> anyhow::Result<()> {
    std::fs::create_dir_all(folder)
        .with_context(|| format!("cannot make the folder {}", folder.display()))?;
    for (index, run) in recording.runs.iter().enumerate() {
        let name = match run.name.strip_prefix("stage ").and_then(|name| name.split_once(':')) {
            Some((number, _)) => format!("stage{number}"),
            None => format!("program{}", index + 1),
        };
        write(&folder.join(format!("{name}.svg")), &svg::standalone(run))?;
        write(&folder.join(format!("{name}.txt")), &text::draw(run, COLUMNS))?;
    }
    Ok(())
}

fn terminal_columns() -> usize {
    use std::io::IsTerminal;
    match std::io::stdout().is_terminal() {
        true => textwrap::termwidth(),
        false => COLUMNS,
    }
}

fn record(arguments: &Arguments) -> anyhow::Result<Recording> {
    let script = match arguments.scene {
        Some(scene) => Script::Scene(scene),
        None => Script::Conversation(crate::play::conversation(&arguments.file)?),
    };
    let title = match &script {
        Script::Scene(scene) => scene.title().to_string(),
        Script::Conversation(conversation) => conversation.title.clone(),
    };
    let mut runs = Vec::new();
    for stage in chosen(arguments) {
        eprintln!("stage {}, {} ...", stage.number, stage.idea);
        let capture = capture(arguments, &format!("stage{}", stage.number))?;
        runs.push(record_stage(stage, &script, capture)?);
    }
    for (index, command) in arguments.programs.iter().enumerate() {
        eprintln!("{command} ...");
        let protocol = protocol_number(arguments.protocol);
        let capture = capture(arguments, &format!("program{}", index + 1))?;
        runs.push(play(command, protocol, start(command)?, &script, capture)?);
    }
    Ok(Recording { version: VERSION, title, runs })
}

/// One conversation or scene on one stage, for tests and for the book's pictures.
pub fn record_stage(
    stage: &'static Stage,
    script: &Script,
    capture: Option<Capture>,
) -> anyhow::Result<Run> {
    let name = format!("stage {}: {}", stage.number, stage.idea);
    play(&name, stage.number, Server::start_stage(stage, &[])?, script, capture)
}

/// Without a choice, all; with somebody's program, only the stages that are asked for.
fn chosen(arguments: &Arguments) -> Vec<&'static Stage> {
    let all = arguments.stages.is_empty() && arguments.programs.is_empty();
    STAGES.iter().filter(|stage| all || arguments.stages.contains(&stage.number)).collect()
}

fn protocol_number(protocol: Option<Protocol>) -> u8 {
    match protocol {
        Some(Protocol::Select) | None => 3,
        Some(Protocol::Threads) => 4,
        Some(Protocol::Rooms) => 5,
    }
}

fn start(command: &str) -> anyhow::Result<Server> {
    ensure!(
        command.contains("{port}"),
        "the command `{command}` has no {{port}}: write it where your program takes its port"
    );
    let port = free_port()?;
    let words = shlex::split(command).with_context(|| format!("an open quote: {command}"))?;
    let fill =
        |word: String| word.replace("{host}", "127.0.0.1").replace("{port}", &port.to_string());
    let words: Vec<String> = words.into_iter().map(fill).collect();
    let [program, rest @ ..] = &words[..] else { bail!("the command is empty") };
    let mut process = Command::new(program);
    process.args(rest);
    Server::start_on_port(program, process, port)
}

fn capture(arguments: &Arguments, name: &str) -> anyhow::Result<Option<Capture>> {
    let Some(folder) = &arguments.capture else { return Ok(None) };
    let path = folder.join(format!("{name}.pcapng"));
    let created = std::fs::create_dir_all(folder).and_then(|()| Capture::create(&path));
    created.map(Some).with_context(|| format!("cannot write the capture {}", path.display()))
}

fn play(
    name: &str,
    protocol: u8,
    server: Server,
    script: &Script,
    capture: Option<Capture>,
) -> anyhow::Result<Run> {
    let mut playing = Playing::new(protocol, server, capture);
    match script {
        Script::Conversation(conversation) => playing.converse(conversation)?,
        Script::Scene(scene) => scene.play(&mut playing)?,
    }
    Ok(playing.end(name))
}

fn read(file: &Path) -> anyhow::Result<Recording> {
    let text = std::fs::read_to_string(file)
        .with_context(|| format!("cannot read the recording {}", file.display()))?;
    let recording: Recording = serde_json::from_str(&text).with_context(|| {
        format!("{} is no recording of `lab show --format json`", file.display())
    })?;
    ensure!(
        recording.version == VERSION,
        "{} was made by another version of the lab ({}, this is {VERSION}): record it again",
        file.display(),
        recording.version
    );
    Ok(recording)
}

fn can_be_written(file: &Path) -> anyhow::Result<()> {
    let opened = std::fs::OpenOptions::new().append(true).create(true).open(file);
    opened
        .map(drop)
        .with_context(|| format!("cannot write {}: choose another file", file.display()))
}

fn write(file: &Path, text: &str) -> anyhow::Result<()> {
    std::fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))
}

/// For the page: how it was made.
fn command_of_this_run() -> String {
    let words: Vec<String> = std::env::args().skip(1).collect();
    let quoted = words
        .iter()
        .map(|word| if word.contains([' ', '{']) { format!("\"{word}\"") } else { word.clone() });
    quoted.collect::<Vec<_>>().join(" ")
}

/// With whatever this system opens pages with. That it cannot is no failure: the file is there.
fn open(file: &Path) {
    let opener = match std::env::consts::OS {
        "macos" => "open",
        "windows" => "explorer",
        _ => "xdg-open",
    };
    if Command::new(opener).arg(file).spawn().is_err() {
        eprintln!("cannot start {opener}: open {} yourself", file.display());
    }
}
