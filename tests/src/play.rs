//! `lab play`: one conversation on all five stages, and what each design makes of it.
//!
//! `promise.rs` knows what each design promises, `stagehand.rs` plays a conversation on the real
//! programs and compares, `table.rs` shows the result.

mod compare;
mod marks;
mod measure;
mod person;
pub mod promise;
mod stagehand;
pub mod table;

use crate::conversation::Conversation;
use crate::stage::{STAGES, Stage};
use anyhow::Context;
use clap::ValueEnum;
use indicatif::{ProgressBar, ProgressStyle};
use serde::Serialize;
use std::io::{IsTerminal, Write};
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use std::time::Duration;

pub use stagehand::play;

/// Columns of the text where there is no terminal to ask.
const COLUMNS: u16 = 80;

const EXAMPLE: &str = "Examples:
  cargo lab play
  cargo lab play ten-clients --stage 3 --stage 4
  cargo lab play my-own.chat --transcript

A conversation is a text file such as
  title: Lunch
  people: ann, bob
  ann to everyone: Lunch at one?
  cem joins
  cem to ann and bob: May I come too?
  bob leaves

Exit status: 0 every stage did what its design promises, 1 one did not,
2 the file or the command line is wrong, 3 the lab itself failed.";

/// Play one conversation on the five stages and show what each design can do.
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Arguments {
    /// A file, or the name of one of the kit's own: lunch, two-people, ten-clients,
    /// comings-and-goings
    #[arg(default_value = "lunch")]
    file: PathBuf,
    /// Play only on this stage (1 to 5); may be given several times
    #[arg(long = "stage", value_name = "N", value_parser = clap::value_parser!(u8).range(1..=5))]
    stages: Vec<u8>,
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// Show also what each person's screen showed, with what they typed after a `>`
    #[arg(long)]
    transcript: bool,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Text,
    Json,
}

/// What became of a conversation on one stage.
#[derive(Debug, Serialize)]
pub struct Played {
    #[serde(serialize_with = "number")]
    pub stage: &'static Stage,
    /// One for each step of the conversation, as far as it came.
    pub outcomes: Vec<promise::Outcome>,
    /// The server's, where the system tells: the most that were seen.
    pub threads: Option<usize>,
    /// Connections that the server served, and that waited, at the same time.
    pub served: usize,
    pub waiting: usize,
    pub difference: Option<Box<Difference>>,
    /// Who, and the lines of their screen.
    pub transcripts: Vec<(String, Vec<String>)>,
}

/// Where a stage did something else than its design promises.
#[derive(Debug, Clone, Serialize)]
pub struct Difference {
    /// Counted from 0. `None`: not at a line of the conversation.
    pub step: Option<usize>,
    /// The line, or what was going on.
    pub line: String,
    /// On whose screen.
    pub who: String,
    pub expected: String,
    pub seen: String,
    /// The last output of the programs.
    pub output: String,
}

impl Played {
    fn not_at_all(stage: &'static Stage, error: &anyhow::Error) -> Played {
        let difference = Difference {
            step: None,
            line: "before the first line".to_string(),
            who: "the server".to_string(),
            expected: "`listening on HOST:PORT`".to_string(),
            seen: format!("{error:#}"),
            output: String::new(),
        };
        Played {
            stage,
            outcomes: Vec::new(),
            threads: None,
            served: 0,
            waiting: 0,
            difference: Some(Box::new(difference)),
            transcripts: Vec::new(),
        }
    }
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let conversation = match conversation(&arguments.file) {
        Ok(conversation) => conversation,
        Err(error) => {
            eprintln!("lab: {error:#}");
            return Ok(ExitCode::from(2));
        }
    };
    let stages = chosen(&arguments.stages);
    let played = play_all(&stages, &conversation)?;
    let text = match arguments.format {
        Format::Json => json(&conversation, &played)? + "\n",
        Format::Text => {
            let look = table::Look::of_stdout();
            let mut text = table::comparison(&conversation, &played, look);
            if arguments.transcript {
                text += &table::transcripts(&conversation, &played, look);
            }
            text + &table::differences(&played, look)
        }
    };
    // Not `print!`: that the reader of a pipe has seen enough is no reason for a panic.
    let _ = std::io::stdout().write_all(text.as_bytes());
    let as_promised = played.iter().all(|played| played.difference.is_none());
    Ok(ExitCode::from(if as_promised { 0 } else { 1 }))
}

/// Reads a file, or one of ours by its name.
pub fn conversation(file: &Path) -> anyhow::Result<Conversation> {
    let own = conversations().into_iter().find(|(name, _)| Path::new(name) == file);
    let path = own.map_or(file.to_path_buf(), |(_, path)| path);
    let text = std::fs::read_to_string(&path).with_context(|| {
        let names: Vec<String> = conversations().into_iter().map(|(name, _)| name).collect();
        format!("cannot read {}; give a file, or one of {}", path.display(), names.join(", "))
    })?;
    Conversation::parse(&text).map_err(|mistake| anyhow::anyhow!("{}: {mistake}", path.display()))
}

/// The conversations that come with the kit: name and path.
pub fn conversations() -> Vec<(String, PathBuf)> {
    let folder = crate::stage::workspace().join("tests/conversations");
    let files = walkdir::WalkDir::new(folder).sort_by_file_name().into_iter().flatten();
    let chats = files.filter(|file| file.path().extension().is_some_and(|end| end == "chat"));
    let named = chats.filter_map(|file| {
        let name = file.path().file_stem()?.to_str()?.to_string();
        Some((name, file.into_path()))
    });
    named.collect()
}

fn chosen(numbers: &[u8]) -> Vec<&'static Stage> {
    let is_chosen = |stage: &&Stage| numbers.is_empty() || numbers.contains(&stage.number);
    STAGES.iter().filter(is_chosen).collect()
}

/// Plays on one stage after the other, with a progress display while it lasts.
pub fn play_all(
    stages: &[&'static Stage],
    conversation: &Conversation,
) -> anyhow::Result<Vec<Played>> {
    let bar = progress((stages.len() * conversation.steps.len()) as u64);
    bar.set_message("building the programs (the first time it takes a minute)");
    stages[0].program()?;
    let mut all = Vec::new();
    for (index, stage) in stages.iter().enumerate() {
        let done_before = (index * conversation.steps.len()) as u64;
        bar.set_message(format!("stage {}, {}", stage.number, stage.idea));
        bar.set_position(done_before);
        let tell = |steps: usize| bar.set_position(done_before + steps as u64);
        all.push(play(stage, conversation, &tell)?);
    }
    bar.finish_and_clear();
    Ok(all)
}

/// On stderr, and only where that is a terminal.
fn progress(steps: u64) -> ProgressBar {
    if !std::io::stderr().is_terminal() {
        return ProgressBar::hidden();
    }
    let bar = ProgressBar::new(steps);
    let style = ProgressStyle::with_template("{spinner} {bar:25} {pos:>3}/{len} {wide_msg}");
    bar.set_style(style.expect("the template is a constant"));
    bar.enable_steady_tick(Duration::from_millis(100));
    bar
}

/// Everything, for programs.
fn json(conversation: &Conversation, played: &[Played]) -> anyhow::Result<String> {
    let lines: Vec<String> = conversation.steps.iter().map(ToString::to_string).collect();
    let result = serde_json::json!({
        "title": conversation.title,
        "people": conversation.everybody(),
        "lines": lines,
        "as_promised": played.iter().all(|played| played.difference.is_none()),
        "stages": played,
    });
    Ok(serde_json::to_string_pretty(&result)?)
}

fn number<S: serde::Serializer>(stage: &&'static Stage, serializer: S) -> Result<S::Ok, S::Error> {
    serializer.serialize_u8(stage.number)
}
