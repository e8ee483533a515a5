//! Layer: the meaning. A line to a command: which form it has. What the form means, and who may use it,
//! the [state](crate::state) knows.

use crate::line::is_web_request;

/// What a line asks for (rules S5.2 and S5.5).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// Words: a name from who has none, a message to the current room from all others.
    Say { text: &'a str },
    /// `/WORD ARGUMENTS`, or `/WORD`.
    Slash { word: &'a str, arguments: &'a str },
    /// `@NAME:TEXT`, and other lines that begin with `@`.
    Private { name: &'a str, text: &'a str },
    /// `#...`: a room's name stands only behind a command.
    Hash,
    /// `exit` (rule L11).
    Exit,
    /// What a browser sends (rule L18).
    WebRequest { line: &'a str },
}

pub const BLANKS: [char; 2] = [' ', '\t'];

/// `line` comes from the decoder: printable, not empty, without blanks around it.
pub fn parse(line: &str) -> Command<'_> {
    match line.as_bytes() {
        b"exit" => Command::Exit,
        [b'/', b'/', ..] => Command::Say { text: &line[1..] },
        [b'/', ..] => {
            let (word, arguments) = first_word(&line[1..]);
            Command::Slash { word, arguments }
        }
        [b'@', ..] => {
            let (name, text) = line[1..].split_once(':').unwrap_or_default();
            Command::Private { name: name.trim_matches(BLANKS), text: text.trim_matches(BLANKS) }
        }
        [b'#', ..] => Command::Hash,
        _ if is_web_request(line) => Command::WebRequest { line },
        _ => Command::Say { text: line },
    }
}

/// Whether the answer would tell if a guess at a password or a key was right.
pub fn tries_a_secret(command: &Command) -> bool {
    match command {
        Command::Slash { word, arguments } if word.eq_ignore_ascii_case("join") => {
            !first_word(arguments).1.is_empty()
        }
        Command::Slash { word, .. } => word.eq_ignore_ascii_case("admin"),
        _ => false,
    }
}

/// Whether the client's user ends the chat with these bytes.
pub fn is_goodbye(line: &[u8]) -> bool {
    match parse(String::from_utf8_lossy(line).trim()) {
        Command::Exit => true,
        Command::Slash { word, .. } => word.eq_ignore_ascii_case("quit"),
        _ => false,
    }
}

/// The first word, and the rest without the blanks between.
pub fn first_word(text: &str) -> (&str, &str) {
    let (word, rest) = text.split_once(BLANKS).unwrap_or((text, ""));
    (word, rest.trim_start_matches(BLANKS))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[track_caller]
    fn check(line: &str, expected: Command) {
        assert_eq!(parse(line), expected);
    }

    #[test]
    fn a_plain_line_is_said() {
        for text in ["hello: you", "exit now", "Exit"] {
            check(text, Command::Say { text });
        }
    }

    #[test]
    fn two_slashes_say_one() {
        check("//join us", Command::Say { text: "/join us" });
        check("//", Command::Say { text: "/" });
    }

    #[test]
    fn exit_alone_ends_the_connection() {
        check("exit", Command::Exit);
    }

    #[test]
    fn a_command_is_a_word_and_its_arguments() {
        check("/JOIN \t #a   b", Command::Slash { word: "JOIN", arguments: "#a   b" });
        check("/leave", Command::Slash { word: "leave", arguments: "" });
        check("/", Command::Slash { word: "", arguments: "" });
    }

    #[test]
    fn a_private_text_keeps_its_blanks_and_colons() {
        check("@bob: a:  b", Command::Private { name: "bob", text: "a:  b" });
        check("@bob", Command::Private { name: "", text: "" });
    }

    #[test]
    fn a_browser_is_told_from_a_person() {
        let line = "GET / HTTP/1.1";
        check(line, Command::WebRequest { line });
    }

    #[test]
    fn a_goodbye_is_recognised() {
        assert!(is_goodbye(b" exit\r\n") && is_goodbye(b"/Quit lunch\n"));
        assert!(!is_goodbye(b"//quit\n") && !is_goodbye(b"exit now\n"));
    }

    #[test]
    fn a_guess_at_a_secret_is_recognised() {
        for line in ["/Admin x", "/admin\tx", "/join #a key", "/JOIN #a  key"] {
            assert!(tries_a_secret(&parse(line)), "{line}");
        }
        for line in ["/administer x", "//admin x", "/join #a", "admin x"] {
            assert!(!tries_a_secret(&parse(line)), "{line}");
        }
    }
}
