//! Layer: the meaning. A line to a command. This stage has hardly any: `exit`, and everything else.

use crate::line::is_web_request;

/// What a line asks for.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Command<'a> {
    /// A name from who has none (rule S4.2), a message from all others (rule S4.4).
    Say { text: &'a str },
    /// The first line of a web browser (rule L18).
    WebRequest { line: &'a str },
    /// `exit` (rule L11).
    Exit,
}

/// `line` comes from the decoder: printable, not empty, without blanks around it.
pub fn parse(line: &str) -> Command<'_> {
    match line {
        "exit" => Command::Exit,
        _ if is_web_request(line) => Command::WebRequest { line },
        text => Command::Say { text },
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_the_word_alone_is_a_command() {
        assert_eq!(parse("exit"), Command::Exit);
        assert_eq!(parse("exit now"), Command::Say { text: "exit now" });
        assert_eq!(parse("Exit"), Command::Say { text: "Exit" });
    }

    #[test]
    fn a_browser_is_noticed() {
        let line = "POST / HTTP/1.1";
        assert_eq!(parse(line), Command::WebRequest { line });
    }
}
