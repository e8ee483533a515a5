//! A line to a command. Knows the language of this stage, and neither users nor sockets.

use std::fmt;

/// What one line asks for. Borrowed from the line: reading a command copies nothing.
#[derive(Debug, PartialEq, Eq)]
pub enum Command<'a> {
    /// `#NAME` (rule S3.2). Whether it is a good name is for the users to say.
    Register { name: &'a str },
    /// `@USER:TEXT` (rule S3.3). The text is not empty and has no blanks around it.
    Send { user: &'a str, text: &'a str },
    /// `exit` (rule L11).
    Exit,
}

/// Why a line is no command (rule S3.4).
#[derive(Debug, PartialEq, Eq)]
pub enum CommandError<'a> {
    Unknown { line: &'a str },
    NoColon { rest: &'a str },
    NoText { user: &'a str },
}

// ANCHOR: parse
/// `line` comes from the decoder: printable, not empty, without blanks around it.
pub fn parse(line: &str) -> Result<Command<'_>, CommandError<'_>> {
    if let Some(rest) = line.strip_prefix('@') {
        parse_send(rest)
    } else if let Some(name) = line.strip_prefix('#') {
        Ok(Command::Register { name })
    } else if line == "exit" {
        Ok(Command::Exit)
    } else {
        Err(CommandError::Unknown { line })
    }
}
// ANCHOR_END: parse

/// The first colon ends the name; all others belong to the text.
fn parse_send(rest: &str) -> Result<Command<'_>, CommandError<'_>> {
    let Some((user, text)) = rest.split_once(':') else {
        return Err(CommandError::NoColon { rest });
    };
    let text = text.trim_start_matches([' ', '\t']); // the line's end is the text's end
    if text.is_empty() {
        return Err(CommandError::NoText { user });
    }
    Ok(Command::Send { user, text })
}

impl fmt::Display for CommandError<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            CommandError::Unknown { line } => write!(
                f,
                "cannot understand {}: type #NAME to have a name, @USER:TEXT to write to somebody, exit to leave",
                quote(line)
            ),
            CommandError::NoColon { rest } => {
                write!(f, "no colon after @{}: type @USER:TEXT", shorten(rest))
            }
            CommandError::NoText { user } => {
                write!(f, "nothing to say to {}: type @USER:TEXT", quote(user))
            }
        }
    }
}

/// Characters of a user's words that an error repeats. The longest line would still fit into a
/// server's line, but nobody wants to read it again.
const QUOTED_CHARS_MAX: usize = 40;

pub fn quote(words: &str) -> String {
    format!("\"{}\"", shorten(words))
}

fn shorten(words: &str) -> String {
    match words.char_indices().nth(QUOTED_CHARS_MAX) {
        Some((end, _)) => format!("{}...", &words[..end]),
        None => words.to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_send(line: &str, user: &str, text: &str) {
        assert_eq!(parse(line), Ok(Command::Send { user, text }));
    }

    #[test]
    fn a_hash_asks_for_a_name() {
        assert_eq!(parse("#ali"), Ok(Command::Register { name: "ali" }));
        assert_eq!(parse("#"), Ok(Command::Register { name: "" }));
    }

    #[test]
    fn an_at_sign_names_who_shall_hear_the_text() {
        check_send("@bob:hi", "bob", "hi");
    }

    #[test]
    fn only_the_first_colon_ends_the_name() {
        check_send("@bob:see http://localhost:80", "bob", "see http://localhost:80");
        check_send("@bob::", "bob", ":");
    }

    #[test]
    fn blanks_around_the_text_are_dropped() {
        check_send("@bob: \t hi there", "bob", "hi there");
    }

    #[test]
    fn a_text_of_blanks_is_no_text() {
        assert_eq!(parse("@bob: \t"), Err(CommandError::NoText { user: "bob" }));
        assert_eq!(parse("@bob:"), Err(CommandError::NoText { user: "bob" }));
    }

    #[test]
    fn an_at_sign_needs_a_colon() {
        assert_eq!(parse("@bob hi"), Err(CommandError::NoColon { rest: "bob hi" }));
    }

    #[test]
    fn exit_is_a_command_only_when_it_is_alone() {
        assert_eq!(parse("exit"), Ok(Command::Exit));
        assert_eq!(parse("exit now"), Err(CommandError::Unknown { line: "exit now" }));
        check_send("@bob:exit", "bob", "exit");
    }

    #[test]
    fn anything_else_is_a_mistake() {
        for line in ["hello", "GET / HTTP/1.1", "/join #room", "bob: hi"] {
            assert_eq!(parse(line), Err(CommandError::Unknown { line }));
        }
    }

    #[test]
    fn an_error_repeats_no_more_than_a_few_words() {
        let line = "\u{e9}".repeat(1000);
        let error = parse(&line).unwrap_err().to_string();
        assert!(error.contains(&format!("{}...", "\u{e9}".repeat(QUOTED_CHARS_MAX))));
        assert!(error.len() < 300);
    }
}
