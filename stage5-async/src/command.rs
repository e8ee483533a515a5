//! A line to a command. All commands stand in one table: parsing, `/help` and the guess at what a
//! mistyped command was to be all read it, so they cannot disagree.

use crate::names;

/// What a client with a name wants (rules S5.2 and S5.5 to S5.8).
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command<'a> {
    Say(&'a str),
    Me(&'a str),
    Tell { name: &'a str, text: &'a str },
    Join { room: &'a str, key: Option<&'a str> },
    Leave { room: Option<&'a str> },
    Rooms,
    Who { room: Option<&'a str> },
    Nick(&'a str),
    Topic(Option<&'a str>),
    Help(Option<&'a str>),
    Quit { reason: Option<&'a str> },
    Kick { name: &'a str, reason: Option<&'a str> },
    Ban(&'a str),
    Unban(&'a str),
    Bans,
    Op(&'a str),
    Deop(&'a str),
    Mute(&'a str),
    Unmute(&'a str),
    Key(Option<&'a str>),
    Limit(Option<&'a str>),
    Admin(&'a str),
}

/// Who may use a command.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Who {
    Everyone,
    Operators,
    /// Known only where the server was started with a password for it.
    PasswordHolders,
}

// ANCHOR: entry
pub struct Entry {
    pub name: &'static str,
    pub arguments: &'static str,
    pub who: Who,
    pub help: &'static str,
    parse: for<'a> fn(&'a str) -> Option<Command<'a>>,
}
// ANCHOR_END: entry

use Who::{Everyone, Operators, PasswordHolders};

pub const COMMANDS: &[Entry] = &[
    entry("join", "#ROOM [KEY]", Everyone, "enter a room, or return to it", |rest| {
        let (room, key) = first_word(rest)?;
        Some(Command::Join { room, key: at_most_one_word(key)? })
    }),
    entry("leave", "[#ROOM]", Everyone, "leave this room, or another", |rest| {
        Some(Command::Leave { room: at_most_one_word(rest)? })
    }),
    entry("rooms", "", Everyone, "list the rooms", |rest| {
        rest.is_empty().then_some(Command::Rooms)
    }),
    entry("who", "[#ROOM]", Everyone, "list who is in a room", |rest| {
        Some(Command::Who { room: at_most_one_word(rest)? })
    }),
    entry("nick", "NAME", Everyone, "take another name", |rest| {
        Some(Command::Nick(one_word(rest)?))
    }),
    entry("msg", "NAME TEXT", Everyone, "write to one person; @NAME:TEXT is the same", |rest| {
        let (name, text) = first_word(rest)?;
        Some(Command::Tell { name, text: some(text)? })
    }),
    entry("me", "TEXT", Everyone, "say what you are doing", |rest| Some(Command::Me(some(rest)?))),
    entry("topic", "[TEXT]", Everyone, "show the topic; operators set it", |rest| {
        Some(Command::Topic(some(rest)))
    }),
    entry("help", "[COMMAND]", Everyone, "list the commands, or explain one", |rest| {
        Some(Command::Help(at_most_one_word(rest)?))
    }),
    entry("quit", "[REASON]", Everyone, "end the connection", |rest| {
        Some(Command::Quit { reason: some(rest) })
    }),
    entry("kick", "NAME [REASON]", Operators, "put somebody out of the room", |rest| {
        let (name, reason) = first_word(rest)?;
        Some(Command::Kick { name, reason: some(reason) })
    }),
    entry("ban", "NAME|IP", Operators, "put somebody out and keep them out", |rest| {
        Some(Command::Ban(one_word(rest)?))
    }),
    entry("unban", "NAME|IP", Operators, "let somebody in again", |rest| {
        Some(Command::Unban(one_word(rest)?))
    }),
    entry("bans", "", Operators, "list who is banned", |rest| {
        rest.is_empty().then_some(Command::Bans)
    }),
    entry("op", "NAME", Operators, "make somebody an operator", |rest| {
        Some(Command::Op(one_word(rest)?))
    }),
    entry("deop", "NAME", Operators, "take the operator's right away, or give it up", |rest| {
        Some(Command::Deop(one_word(rest)?))
    }),
    entry("mute", "NAME", Operators, "let somebody listen only", |rest| {
        Some(Command::Mute(one_word(rest)?))
    }),
    entry("unmute", "NAME", Operators, "let somebody speak again", |rest| {
        Some(Command::Unmute(one_word(rest)?))
    }),
    entry("key", "[KEY]", Operators, "ask newcomers for a key, or for none", |rest| {
        Some(Command::Key(at_most_one_word(rest)?))
    }),
    entry("limit", "[N]", Operators, "let N people in at most, or any number", |rest| {
        Some(Command::Limit(at_most_one_word(rest)?))
    }),
    entry("admin", "PASSWORD", PasswordHolders, "be an operator in every room", |rest| {
        Some(Command::Admin(some(rest)?))
    }),
];

const fn entry(
    name: &'static str,
    arguments: &'static str,
    who: Who,
    help: &'static str,
    parse: for<'a> fn(&'a str) -> Option<Command<'a>>,
) -> Entry {
    Entry { name, arguments, who, help, parse }
}

/// The commands of a server with or without `--admin-password-file`.
pub fn known(with_admin: bool) -> impl Iterator<Item = &'static Entry> {
    let is_known = move |entry: &&Entry| with_admin || entry.who != Who::PasswordHolders;
    COMMANDS.iter().filter(is_known)
}

/// Understands a line, or says what is wrong with it.
///
/// An error never repeats more of the line than its first word: the rest may be a password with
/// a typing mistake before it.
pub fn parse(line: &str, with_admin: bool) -> Result<Command<'_>, String> {
    match line.as_bytes() {
        b"exit" => Ok(Command::Quit { reason: None }),
        [b'/', b'/', ..] => Ok(Command::Say(&line[1..])),
        [b'/', ..] => parse_command(&line[1..], with_admin),
        [b'@', ..] => parse_private(&line[1..]),
        [b'#', ..] => Err("a line cannot begin with #; /join #ROOM enters a room".into()),
        _ => Ok(Command::Say(line)),
    }
}

/// Whether obeying the line would tell if a guess at the password was right.
pub fn is_password(line: &str) -> bool {
    let word = line.split([' ', '\t']).next().unwrap_or_default();
    word.eq_ignore_ascii_case("/admin")
}

/// The command of that name, in any case, with or without its `/`. The error names the nearest.
pub fn find(word: &str, with_admin: bool) -> Result<&'static Entry, String> {
    let word = word.trim_start_matches('/');
    let wanted = word.to_ascii_lowercase();
    if let Some(entry) = known(with_admin).find(|entry| entry.name == wanted) {
        return Ok(entry);
    }
    let nearest = known(with_admin).min_by_key(|entry| typing_errors(&wanted, entry.name));
    let nearest = nearest.map_or("help", |entry| entry.name);
    Err(format!("unknown command /{word}; did you mean /{nearest}? /help lists the commands"))
}

fn parse_command(text: &str, with_admin: bool) -> Result<Command<'_>, String> {
    let (word, rest) = text.split_once(BLANKS).unwrap_or((text, ""));
    let entry = find(word, with_admin)?;
    (entry.parse)(rest.trim_matches(BLANKS))
        .ok_or_else(|| format!("usage: /{} {}", entry.name, entry.arguments).trim_end().into())
}

fn parse_private(text: &str) -> Result<Command<'_>, String> {
    let usage = "write @NAME:TEXT";
    let (name, text) = text.split_once(':').ok_or(usage)?;
    let (name, text) = (name.trim_matches(BLANKS), text.trim_matches(BLANKS));
    if !names::is_name(name) || text.is_empty() {
        return Err(usage.into());
    }
    Ok(Command::Tell { name, text })
}

const BLANKS: [char; 2] = [' ', '\t'];

fn some(text: &str) -> Option<&str> {
    (!text.is_empty()).then_some(text)
}

/// The first word, and the rest without the blanks between; `None` when there is no word.
fn first_word(text: &str) -> Option<(&str, &str)> {
    let (word, rest) = text.split_once(BLANKS).unwrap_or((text, ""));
    Some((some(word)?, rest.trim_start_matches(BLANKS)))
}

fn one_word(text: &str) -> Option<&str> {
    some(text).filter(|text| !text.contains(BLANKS))
}

/// `Some(None)` when there is no word; `None` when there are several.
fn at_most_one_word(text: &str) -> Option<Option<&str>> {
    match some(text) {
        None => Some(None),
        Some(text) => one_word(text).map(Some),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Command) {
        assert_eq!(parse(line, true), Ok(expected));
    }

    #[test]
    fn a_plain_line_is_said() {
        check("hello: you", Command::Say("hello: you"));
        check("exit now", Command::Say("exit now"));
    }

    #[test]
    fn two_slashes_say_one() {
        check("//join us", Command::Say("/join us"));
        check("//", Command::Say("/"));
    }

    #[test]
    fn exit_alone_ends_the_connection() {
        check("exit", Command::Quit { reason: None });
    }

    #[test]
    fn commands_are_known_in_any_case_and_with_many_blanks() {
        check("/JOIN \t #a   b", Command::Join { room: "#a", key: Some("b") });
        check("/leave", Command::Leave { room: None });
    }

    #[test]
    fn the_text_of_a_message_keeps_its_blanks_and_colons() {
        let told = Command::Tell { name: "bob", text: "a:  b" };
        check("/msg bob a:  b", told.clone());
        check("@bob: a:  b", told);
    }

    #[test]
    fn what_begins_with_a_hash_or_a_broken_address_is_refused() {
        for line in ["#ali", "@bob", "@bob:", "@:hi", "@bo b:hi", "@"] {
            assert!(parse(line, true).is_err(), "{line}");
        }
    }

    #[test]
    fn wrong_arguments_are_answered_with_the_usage() {
        for (line, usage) in [
            ("/join", "usage: /join #ROOM [KEY]"),
            ("/join #a b c", "usage: /join #ROOM [KEY]"),
            ("/msg bob", "usage: /msg NAME TEXT"),
            ("/rooms all", "usage: /rooms"),
            ("/nick a b", "usage: /nick NAME"),
        ] {
            assert_eq!(parse(line, true), Err(usage.to_string()));
        }
    }

    #[test]
    fn an_unknown_command_is_answered_with_the_nearest_and_nothing_of_its_arguments() {
        let error = parse("/amdin secret", true).unwrap_err();
        assert!(error.contains("/amdin") && error.contains("/admin"), "{error}");
        assert!(!error.contains("secret"), "{error}");
        assert!(parse("/jion #a", true).unwrap_err().contains("/join"));
    }

    #[test]
    fn without_a_password_there_is_no_admin() {
        let error = parse("/admin secret", false).unwrap_err();
        assert!(error.starts_with("unknown command /admin;"), "{error}");
        assert!(!error.contains("secret"), "{error}");
    }

    #[test]
    fn a_guess_at_the_password_is_recognised() {
        assert!(is_password("/Admin x") && is_password("/admin\tx"));
        assert!(!is_password("/administer x") && !is_password("//admin x"));
    }

    #[test]
    fn names_in_the_table_are_unique_and_in_lower_case() {
        for (place, entry) in COMMANDS.iter().enumerate() {
            assert_eq!(entry.name, entry.name.to_ascii_lowercase());
            assert!(COMMANDS[..place].iter().all(|other| other.name != entry.name));
        }
    }
}
