//! Layer: the meaning. A line to a command. Knows the language of this stage, and neither users nor
//! sockets.

use crate::line;

/// What one line asks for. Borrowed from the line: reading a command copies nothing.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// `#NAME` (rule S3.2). Whether it is a good name is for the users to say.
    Register { name: &'a str },
    /// `@USER:TEXT` (rules S3.3 and S3.5). The text has no blanks around it, and may be empty.
    Send { user: &'a str, text: &'a str },
    /// `@USER`, and no colon: a slip of the fingers that deserves an answer of its own.
    NoColon { user: &'a str },
    /// `exit` (rule L11).
    Exit,
    /// Said by a browser and not by a person (rule L18).
    WebRequest { line: &'a str },
    /// Anything else (rule S3.4).
    Unknown { line: &'a str },
}

// ANCHOR: parse
/// `line` comes from the decoder: printable, not empty, without blanks around it.
pub fn parse(line: &str) -> Command<'_> {
    if let Some(name) = line.strip_prefix('#') {
        Command::Register { name }
    } else if let Some(rest) = line.strip_prefix('@') {
        parse_send(rest)
    } else if line == "exit" {
        Command::Exit
    } else if line::is_web_request(line) {
        Command::WebRequest { line }
    } else {
        Command::Unknown { line }
    }
}

/// The first colon ends the name; all others belong to the text.
fn parse_send(rest: &str) -> Command<'_> {
    match rest.split_once(':') {
        Some((user, text)) => Command::Send { user, text: text.trim_start_matches([' ', '\t']) },
        None => Command::NoColon { user: rest },
    }
}
// ANCHOR_END: parse

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check_send(line: &str, user: &str, text: &str) {
        assert_eq!(parse(line), Command::Send { user, text });
    }

    #[test]
    fn a_hash_asks_for_a_name() {
        assert_eq!(parse("#ali"), Command::Register { name: "ali" });
        assert_eq!(parse("#"), Command::Register { name: "" });
    }

    #[test]
    fn an_at_sign_names_who_shall_hear_the_text() {
        check_send("@bob:hi", "bob", "hi");
        check_send("@*:hi", "*", "hi");
    }

    #[test]
    fn only_the_first_colon_ends_the_name() {
        check_send("@bob:see http://localhost:80", "bob", "see http://localhost:80");
        check_send("@bob::", "bob", ":");
    }

    #[test]
    fn blanks_around_the_text_are_dropped() {
        check_send("@bob: \t hi there", "bob", "hi there");
        check_send("@bob: \t", "bob", "");
    }

    #[test]
    fn an_at_sign_needs_a_colon() {
        assert_eq!(parse("@bob hi"), Command::NoColon { user: "bob hi" });
    }

    #[test]
    fn exit_is_a_command_only_when_it_is_alone() {
        assert_eq!(parse("exit"), Command::Exit);
        assert_eq!(parse("exit now"), Command::Unknown { line: "exit now" });
        check_send("@bob:exit", "bob", "exit");
    }

    #[test]
    fn a_browser_is_known_by_its_request() {
        let line = "GET / HTTP/1.1";
        assert_eq!(parse(line), Command::WebRequest { line });
    }

    #[test]
    fn anything_else_is_unknown() {
        for line in ["hello", "/join #room", "bob: hi"] {
            assert_eq!(parse(line), Command::Unknown { line });
        }
    }
}
