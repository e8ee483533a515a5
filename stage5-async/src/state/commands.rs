//! Layer: the meaning. How a line finds its command. A command is one [`Row`], in the file where its
//! body is; the dispatcher, `/help` and the guess at what a mistyped command was to be all read the rows.

use std::fmt;

use super::names::is_name;
use super::*;
use crate::command::{BLANKS, first_word};
use crate::line::SERVER_LINE_BYTES_MAX;

// ANCHOR: row
/// A command, whole: neither its help nor who may use it can be forgotten.
pub struct Row {
    /// In lower case.
    pub name: &'static str,
    /// As `/help` shows them.
    pub arguments: &'static str,
    pub help: &'static str,
    pub who: Who,
    /// What it does: for whom, with which arguments.
    pub run: Run,
}

/// Who may use a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Everyone,
    /// Operators of the current room, and admins.
    Operators,
    /// Without arguments, which is a question, everyone.
    OperatorsToSet,
    /// Known only where the server was started with a password for it.
    PasswordHolders,
}
// ANCHOR_END: row

pub type Outcome = Result<(), Refusal>;

/// Why nothing was done. It is told to the one who asked, behind `! `.
#[derive(Debug, PartialEq, Eq)]
pub enum Refusal {
    Because(String),
    /// The arguments do not fit. Whoever knows the row says which ones would.
    Usage,
}

/// All commands, in the order of `/help`. Whoever leaves a line out here leaves those commands out.
const ROWS: &[&[Row]] =
    &[places::ROWS, people::ROWS, talk::ROWS, HELP, operators::ROWS, admin::ROWS];

const HELP: &[Row] =
    &[row("help", "[COMMAND]", "list the commands, or explain one", Who::Everyone, Rooms::help)];

pub type Run = fn(&mut Rooms, ClientId, &str, &mut Effects) -> Outcome;

pub const fn row(
    name: &'static str,
    arguments: &'static str,
    help: &'static str,
    who: Who,
    run: Run,
) -> Row {
    Row { name, arguments, help, who, run }
}

impl Rooms {
    /// Does what a client with a name wants (rule S5.2).
    pub fn obey(&mut self, from: ClientId, command: Command, effects: &mut Effects) -> Outcome {
        match command {
            Command::Say { text } | Command::WebRequest { line: text } => {
                self.say(from, text, effects)
            }
            Command::Slash { word, arguments } => self.run(from, word, arguments, effects),
            Command::Private { name, text } if is_name(name) && !text.is_empty() => {
                self.tell_privately(from, name, text, effects)
            }
            Command::Private { .. } => Err("write @NAME:TEXT".into()),
            Command::Hash => Err("a line cannot begin with #; /join #ROOM enters a room".into()),
            Command::Exit => Ok(()), // `apply` has obeyed it
        }
    }

    // ANCHOR: run
    /// The dispatcher: no command runs for somebody who may not use it.
    fn run(
        &mut self,
        from: ClientId,
        word: &str,
        arguments: &str,
        effects: &mut Effects,
    ) -> Outcome {
        let row = self.find(word)?;
        let needs_operator = match row.who {
            Who::Everyone | Who::PasswordHolders => false,
            Who::OperatorsToSet => !arguments.is_empty(),
            Who::Operators => true,
        };
        if needs_operator {
            self.check_is_operator(from)?;
        }
        match (row.run)(self, from, arguments, effects) {
            Err(Refusal::Usage) => {
                Err(format!("usage: /{} {}", row.name, row.arguments).trim_end().into())
            }
            outcome => outcome,
        }
    }
    // ANCHOR_END: run

    fn check_is_operator(&self, client: ClientId) -> Outcome {
        let id = self.current(client)?;
        let room = self.room(&id);
        if room.is_operator(client) || self.person(client).is_admin {
            return Ok(());
        }
        Err(match &*id {
            LOBBY => format!("{LOBBY} has no operator").into(),
            _ => format!("you are not an operator of {}", room.name()).into(),
        })
    }

    pub fn rows(&self) -> impl Iterator<Item = &'static Row> + use<> {
        let has_password = self.password.is_some();
        let is_known = move |row: &&Row| has_password || row.who != Who::PasswordHolders;
        ROWS.iter().copied().flatten().filter(is_known)
    }

    /// The command of that name, in any case, with or without its `/`. The error names the nearest,
    /// and no more of the line than its first word: the rest may be a password with a typing
    /// mistake before it.
    fn find(&self, word: &str) -> Result<&'static Row, Refusal> {
        let word = word.trim_start_matches('/');
        let wanted = fold(word);
        if let Some(row) = self.rows().find(|row| row.name == wanted) {
            return Ok(row);
        }
        let nearest = self.rows().min_by_key(|row| typing_errors(&wanted, row.name));
        let nearest = nearest.map_or("help", |row| row.name);
        let advice = format!("did you mean /{nearest}? /help lists the commands");
        Err(format!("unknown command /{word}; {advice}").into())
    }

    fn help(&mut self, from: ClientId, arguments: &str, effects: &mut Effects) -> Outcome {
        let rows = match at_most_one_word(arguments)? {
            Some(word) => vec![self.find(word)?],
            None => {
                effects.tell(
                    from,
                    "* TEXT goes to your room, //TEXT says /TEXT, @NAME:TEXT is private",
                );
                self.rows().collect()
            }
        };
        for row in rows {
            let usage = format!("/{} {}", row.name, row.arguments);
            let who = if row.who == Who::Operators { " (operators)" } else { "" };
            effects.tell(from, format_args!("* {usage:22} {}{who}", row.help));
        }
        Ok(())
    }
}

impl<T: Into<String>> From<T> for Refusal {
    fn from(why: T) -> Refusal {
        Refusal::Because(why.into())
    }
}

impl fmt::Display for Refusal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Refusal::Because(why) => write!(f, "{why}"),
            Refusal::Usage => write!(f, "wrong arguments"),
        }
    }
}

pub fn no_arguments(arguments: &str) -> Outcome {
    if arguments.is_empty() { Ok(()) } else { Err(Refusal::Usage) }
}

pub fn one_word(arguments: &str) -> Result<&str, Refusal> {
    at_most_one_word(arguments)?.ok_or(Refusal::Usage)
}

pub fn at_most_one_word(arguments: &str) -> Result<Option<&str>, Refusal> {
    match arguments {
        "" => Ok(None),
        several if several.contains(BLANKS) => Err(Refusal::Usage),
        word => Ok(Some(word)),
    }
}

/// A word, and behind it a text of any length.
pub fn word_and_text(arguments: &str) -> Result<(&str, &str), Refusal> {
    match first_word(arguments) {
        (_, "") => Err(Refusal::Usage),
        both => Ok(both),
    }
}

/// Bytes kept free for the end of a list that is cut: `, and 18446744073709551615 more`.
const MORE_BYTES_MAX: usize = 32;

/// `intro a, b, c`, cut where the line would be longer than a server's line may be (rule L3).
pub fn list(intro: &str, items: impl ExactSizeIterator<Item = String>) -> String {
    let mut line = intro.to_string();
    let count = items.len();
    for (place, item) in items.enumerate() {
        if line.len() + item.len() + MORE_BYTES_MAX > SERVER_LINE_BYTES_MAX {
            return format!("{line}, and {} more", count - place);
        }
        line += if place == 0 { " " } else { ", " };
        line += &item;
    }
    line
}

/// How many letters must be put in, taken out or changed to make one word of the other
/// (Levenshtein's distance). Only the first letters of what was typed are looked at.
fn typing_errors(typed: &str, name: &str) -> usize {
    let name = name.as_bytes();
    let mut row: Vec<usize> = (0..=name.len()).collect();
    for (typed_count, letter) in typed.bytes().take(20).enumerate() {
        let mut diagonal = row[0];
        row[0] = typed_count + 1;
        for (column, other) in name.iter().enumerate() {
            let changed = diagonal + usize::from(letter != *other);
            diagonal = row[column + 1];
            row[column + 1] = changed.min(diagonal + 1).min(row[column] + 1);
        }
    }
    row[name.len()]
}
