//! The documents' clients and a server that knows lines, each in the other's language.

use clap::ValueEnum;
use std::sync::Mutex;

/// Whose clients they are.
#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Document {
    /// `#ali`, then `@Ahmad:Hello` (rule F1)
    #[value(name = "002")]
    Select,
    /// Answers `NICK`, then sends `alice: hello` (rule F2)
    #[value(name = "003")]
    Nick,
}

/// Stands between one client and the server. Both directions ask it, each from its own thread.
#[derive(Debug)]
pub struct Interpreter {
    document: Document,
    introduction: Mutex<Introduction>,
}

/// What the server of stage 4 knows of the client's name.
#[derive(Debug)]
enum Introduction {
    NotAsked,
    /// What the client says next is its name.
    Asked,
    /// The server has it already, so it is taken away before each message: `alice: `.
    Named {
        prefix: Vec<u8>,
    },
}

/// Stage 4's question, which the client of document 003 waits for (rule S4.1).
const QUESTION: &[u8] = b"NICK";

impl Interpreter {
    pub fn new(document: Document) -> Interpreter {
        Interpreter { document, introduction: Mutex::new(Introduction::NotAsked) }
    }

    /// What one read has brought from the client is one line. An LF in its middle is no end of a
    /// message to such a client, so it becomes a blank.
    pub fn line(&self, read: &[u8]) -> Vec<u8> {
        let message = read.trim_ascii_end();
        let message = match self.document {
            Document::Select => message,
            Document::Nick => self.without_name(message),
        };
        let blank = |byte: &u8| if *byte == b'\n' { b' ' } else { *byte };
        message.iter().map(blank).chain([b'\n']).collect()
    }

    fn without_name<'a>(&self, message: &'a [u8]) -> &'a [u8] {
        let mut introduction = self.introduction.lock().expect("nobody panics with it");
        match &*introduction {
            Introduction::NotAsked => message,
            Introduction::Asked => {
                *introduction = Introduction::Named { prefix: [message, b": "].concat() };
                message
            }
            Introduction::Named { prefix } => message.strip_prefix(&prefix[..]).unwrap_or(message),
        }
    }

    /// One line of the server's, as the client wants to receive it. A refused name is asked for again.
    pub fn message(&self, line: &[u8]) -> Vec<u8> {
        let message = line.strip_suffix(b"\n").unwrap_or(line);
        if message == QUESTION {
            *self.introduction.lock().expect("as above") = Introduction::Asked;
        }
        message.to_vec()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_one_read_brings_is_one_line() {
        let interpreter = Interpreter::new(Document::Select);
        assert_eq!(interpreter.line(b"#ali"), b"#ali\n");
        assert_eq!(interpreter.line(b"@Ahmad:Hello\n"), b"@Ahmad:Hello\n");
        assert_eq!(interpreter.line(b"#ali\n@ali:hello"), b"#ali @ali:hello\n");
        assert_eq!(interpreter.message(b"Ahmad: Hello\n"), b"Ahmad: Hello");
    }

    #[test]
    fn the_name_that_the_server_puts_before_a_message_is_not_there_twice() {
        let interpreter = Interpreter::new(Document::Nick);
        assert_eq!(interpreter.message(b"NICK\n"), b"NICK");
        assert_eq!(interpreter.line(b"alice"), b"alice\n");
        assert_eq!(interpreter.line(b"alice: hello"), b"hello\n");
        assert_eq!(interpreter.line(b"bob: I owe you"), b"bob: I owe you\n");
    }

    #[test]
    fn after_a_refused_name_the_next_one_is_the_name() {
        let interpreter = Interpreter::new(Document::Nick);
        for name in ["taken", "alice"] {
            interpreter.message(b"NICK\n");
            interpreter.line(name.as_bytes());
        }
        assert_eq!(interpreter.line(b"taken: hello"), b"taken: hello\n");
        assert_eq!(interpreter.line(b"alice: hello"), b"hello\n");
    }
}
