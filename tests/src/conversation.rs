//! A conversation, as an instructor writes it in a minute: who is there, who says what to whom,
//! who comes and who goes. It knows nothing of stages; what each of them makes of it is
//! `play/promise.rs`.
//!
//! ```text
//! title: Lunch            # what follows a `#` at the start of a line, or a blank and a `#`
//! people: ann, bob, cem     in these three kinds of line, is for people who read the file
//!
//! ann to everyone: Lunch at one?
//! bob to ann and cem: Gladly.
//! dora joins
//! cem leaves              # says goodbye; `cem crashes` ends the program without a word
//! at once:
//!   ann to everyone: Bye!
//!   bob to everyone: Bye!
//! ```

use std::fmt;

/// People in one conversation: each is a process, and so is each stage's server.
pub const PEOPLE_MAX: usize = 100;

/// Bytes of the longest text: with a command and a name before it, it is still a line of at
/// most 2048 bytes (rule L3).
pub const TEXT_BYTES_MAX: usize = 1900;

/// Characters of the longest name (rule L8).
pub const NAME_LENGTH_MAX: usize = 20;

/// Begins the lines by which the lab finds out that nothing else was on its way.
pub const MARK: &str = "~~";

const KEYWORDS: [&str; 3] = ["everyone", "and", "to"];

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Conversation {
    pub title: String,
    /// Who is there from the beginning, in the order of arrival.
    pub people: Vec<String>,
    pub steps: Vec<Step>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Step {
    /// The line of the file, from 1.
    pub line: usize,
    pub who: String,
    pub event: Event,
    /// Typed without waiting for what the step before brought.
    pub at_once: bool,
}

impl Step {
    pub fn is_said(&self) -> bool {
        matches!(self.event, Event::Says { .. })
    }

    pub fn is_said_to_everyone(&self) -> bool {
        matches!(&self.event, Event::Says { to: To::Everyone, .. })
    }
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Event {
    Says { to: To, text: String },
    Joins,
    Leaves,
    Crashes,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum To {
    Everyone,
    People(Vec<String>),
}

/// What is wrong with a file, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Mistake {
    /// From 1.
    pub line: usize,
    /// In characters, from 1.
    pub column: usize,
    pub expected: String,
    pub found: String,
    /// The whole line, to show it.
    pub text: String,
}

impl Conversation {
    pub fn parse(text: &str) -> Result<Conversation, Mistake> {
        let mut reader = Reader::default();
        for (index, line) in text.lines().enumerate() {
            let cursor = Cursor::new(index + 1, line);
            reader.read(cursor)?;
        }
        reader.finish(text)
    }

    /// Everybody who is ever there, in the order of first arrival.
    pub fn everybody(&self) -> Vec<&str> {
        let mut all: Vec<&str> = self.people.iter().map(String::as_str).collect();
        for step in &self.steps {
            if !all.contains(&step.who.as_str()) {
                all.push(&step.who);
            }
        }
        all
    }
}

/// The conversation so far.
#[derive(Default)]
struct Reader {
    title: Option<String>,
    people: Vec<String>,
    /// Who is there after the steps so far.
    present: Vec<String>,
    /// Who was ever there, as they were first written.
    known: Vec<String>,
    steps: Vec<Step>,
    /// Inside `at once:`; and whether it has a line yet.
    at_once: Option<bool>,
}

impl Reader {
    fn read(&mut self, mut line: Cursor) -> Result<(), Mistake> {
        let indented = line.rest().starts_with([' ', '\t']);
        line.skip_blanks();
        if line.is_at_end() {
            return Ok(());
        }
        if !indented {
            self.at_once = None;
        } else if self.at_once.is_none() {
            return Err(line.expected("a line without blanks before it, or `at once:` above it"));
        }
        if line.take("title:") {
            self.read_title(line)
        } else if line.take("people:") {
            self.read_people(line)
        } else if line.take("at once:") {
            self.at_once = Some(false);
            line.end()
        } else {
            self.read_step(line)
        }
    }

    fn read_title(&mut self, mut line: Cursor) -> Result<(), Mistake> {
        line.skip_blanks();
        let title = line.rest_without_comment();
        if title.is_empty() || title.contains(char::is_control) || self.title.is_some() {
            return Err(line.expected("one title, on one line"));
        }
        self.title = Some(title.to_string());
        Ok(())
    }

    fn read_people(&mut self, mut line: Cursor) -> Result<(), Mistake> {
        if !self.people.is_empty() {
            return Err(line.expected("only one `people:` line"));
        }
        loop {
            let before = line.clone();
            let name = self.new_name(&mut line)?;
            if self.present.contains(&name) {
                return Err(before.expected_name("a name that is not in this list yet"));
            }
            self.enter(&name, &before)?;
            if !line.take_blank_and(",") {
                break;
            }
        }
        self.people.clone_from(&self.present);
        if self.people.len() < 2 {
            return Err(line.expected("`,` and another name: a conversation needs two people"));
        }
        line.end()
    }

    fn read_step(&mut self, mut line: Cursor) -> Result<(), Mistake> {
        if self.people.is_empty() {
            return Err(
                line.expected("`title:`, or `people:` with the names of those who are there")
            );
        }
        let start = line.clone();
        let who = self.new_name(&mut line)?;
        line.skip_blanks();
        let there = self.present.contains(&who);
        if line.take_word("to") {
            if !there {
                return Err(start.expected_name(&format!("one of {}", self.present.join(", "))));
            }
            let event = self.read_speech(&who, line)?;
            return self.add(start, who, event);
        }
        let coming = line.take_word("joins");
        let going = if line.take_word("leaves") {
            Some(Event::Leaves)
        } else {
            line.take_word("crashes").then_some(Event::Crashes)
        };
        if !coming && going.is_none() {
            return Err(line.expected("`to`, `joins`, `leaves` or `crashes`"));
        }
        if coming == there {
            let expected =
                if coming { "somebody who is not there" } else { "somebody who is there" };
            return Err(start.expected_name(expected));
        }
        if self.at_once.is_some() {
            return Err(start.expected("lines that are said: nobody comes or goes in `at once:`"));
        }
        line.end()?;
        match coming {
            true => self.enter(&who, &start)?,
            false => self.present.retain(|name| *name != who),
        }
        self.add(start, who, going.unwrap_or(Event::Joins))
    }

    fn read_speech(&self, who: &str, mut line: Cursor) -> Result<Event, Mistake> {
        line.skip_blanks();
        let to = if line.take_word("everyone") {
            To::Everyone
        } else {
            To::People(self.read_addressees(who, &mut line)?)
        };
        if !line.take_blank_and(":") {
            let expected = match to {
                To::Everyone => "`:` and the text",
                To::People(_) => "`,`, `and`, or `:` and the text",
            };
            return Err(line.expected(expected));
        }
        line.skip_blanks();
        let text = line.rest().trim_end();
        check_text(&line, text)?;
        let text = text.to_string();
        Ok(Event::Says { to, text })
    }

    fn read_addressees(&self, who: &str, line: &mut Cursor) -> Result<Vec<String>, Mistake> {
        let mut addressees = Vec::new();
        loop {
            line.skip_blanks();
            let before = line.clone();
            let word = line.word();
            let name = self.known.iter().find(|name| name.eq_ignore_ascii_case(word));
            let others = || self.known.iter().filter(|name| *name != who);
            match name {
                Some(name) if name != who && !addressees.contains(name) => {
                    addressees.push(name.clone());
                }
                _ => {
                    let others: Vec<&str> = others().map(String::as_str).collect();
                    let expected = format!("`everyone` or, once each, {}", others.join(", "));
                    return Err(before.expected_name(&expected));
                }
            }
            line.skip_blanks();
            if !line.take(",") && !line.take_word("and") {
                return Ok(addressees);
            }
        }
    }

    /// A name that may be new, as it was written the first time.
    fn new_name(&self, line: &mut Cursor) -> Result<String, Mistake> {
        line.skip_blanks();
        let before = line.clone();
        let word = line.word();
        let is_name = word.starts_with(|c: char| c.is_ascii_alphabetic())
            && word.len() <= NAME_LENGTH_MAX
            && word.bytes().all(|b| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-'))
            && !KEYWORDS.iter().any(|keyword| word.eq_ignore_ascii_case(keyword));
        if !is_name {
            return Err(before.expected_name(
                "a name: 1 to 20 letters A to Z, digits, `_` or `-`, a letter first",
            ));
        }
        let known = self.known.iter().find(|name| name.eq_ignore_ascii_case(word));
        Ok(known.cloned().unwrap_or_else(|| word.to_string()))
    }

    fn enter(&mut self, name: &str, line: &Cursor) -> Result<(), Mistake> {
        if !self.known.iter().any(|known| known == name) {
            self.known.push(name.to_string());
        }
        if self.known.len() > PEOPLE_MAX {
            return Err(line.expected(&format!("at most {PEOPLE_MAX} people")));
        }
        self.present.push(name.to_string());
        Ok(())
    }

    fn add(&mut self, at: Cursor, who: String, event: Event) -> Result<(), Mistake> {
        let at_once = self.at_once == Some(true);
        self.at_once = self.at_once.map(|_| true);
        self.steps.push(Step { line: at.line, who, event, at_once });
        Ok(())
    }

    fn finish(self, text: &str) -> Result<Conversation, Mistake> {
        if self.steps.is_empty() {
            let last = text.lines().count().max(1);
            let expected = match self.people.is_empty() {
                true => "`people:` with the names of those who are there",
                false => "a line such as `NAME to everyone: TEXT`",
            };
            return Err(Cursor::new(last + 1, "").expected(expected));
        }
        Ok(Conversation {
            title: self.title.unwrap_or_else(|| "A conversation".to_string()),
            people: self.people,
            steps: self.steps,
        })
    }
}

fn check_text(line: &Cursor, text: &str) -> Result<(), Mistake> {
    let expected = if text.is_empty() {
        "what is said".to_string()
    } else if text.len() > TEXT_BYTES_MAX {
        format!("a text of at most {TEXT_BYTES_MAX} bytes, not of {}", text.len())
    } else if text.chars().any(|c| c.is_control() && c != '\t') {
        "a text without control characters".to_string()
    } else if text.starts_with(['#', '@', '/']) || text.starts_with(MARK) {
        format!(
            "a text that does not begin with `#`, `@`, `/` or `{MARK}`: some stage takes that for a command"
        )
    } else if text == "exit" {
        "another text: `exit` ends a connection; write `NAME leaves`".to_string()
    } else {
        return Ok(());
    };
    Err(line.expected(&expected))
}

/// A place in one line.
#[derive(Clone)]
struct Cursor<'a> {
    line: usize,
    text: &'a str,
    /// In bytes.
    at: usize,
}

impl<'a> Cursor<'a> {
    fn new(line: usize, text: &'a str) -> Cursor<'a> {
        Cursor { line, text, at: 0 }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn rest_without_comment(&self) -> &'a str {
        let rest = self.rest();
        let comment = rest.find(" #").or(rest.starts_with('#').then_some(0));
        rest[..comment.unwrap_or(rest.len())].trim_end()
    }

    fn is_at_end(&self) -> bool {
        self.rest_without_comment().is_empty()
    }

    fn skip_blanks(&mut self) {
        let rest = self.rest();
        self.at += rest.len() - rest.trim_start_matches([' ', '\t']).len();
    }

    fn take(&mut self, expected: &str) -> bool {
        let found = self.rest().starts_with(expected);
        self.at += if found { expected.len() } else { 0 };
        found
    }

    fn take_blank_and(&mut self, expected: &str) -> bool {
        self.skip_blanks();
        self.take(expected)
    }

    fn take_word(&mut self, expected: &str) -> bool {
        let mut after = self.clone();
        let found = after.word() == expected;
        if found {
            *self = after;
        }
        found
    }

    /// Up to the next blank, comma or colon.
    fn word(&mut self) -> &'a str {
        let rest = self.rest();
        let length = rest.find([' ', '\t', ',', ':']).unwrap_or(rest.len());
        self.at += length;
        &rest[..length]
    }

    fn end(mut self) -> Result<(), Mistake> {
        self.skip_blanks();
        match self.is_at_end() {
            true => Ok(()),
            false => Err(self.expected("the end of the line")),
        }
    }

    fn expected(&self, expected: &str) -> Mistake {
        self.mistake(expected, self.rest_without_comment())
    }

    fn expected_name(&self, expected: &str) -> Mistake {
        let found = self.clone().word();
        self.mistake(expected, found)
    }

    fn mistake(&self, expected: &str, found: &str) -> Mistake {
        Mistake {
            line: self.line,
            column: self.text[..self.at].chars().count() + 1,
            expected: expected.to_string(),
            found: found.to_string(),
            text: self.text.to_string(),
        }
    }
}

impl fmt::Display for Mistake {
    /// Three lines: what, the line of the file, and marks below what is meant.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let found = match self.found.as_str() {
            "" => "the end of the line".to_string(),
            found => format!("`{}`", shortened(found)),
        };
        let number = self.line.to_string();
        let marks = "^".repeat(self.found.chars().count().clamp(1, 60));
        writeln!(
            f,
            "line {number}, column {}: expected {}, found {found}",
            self.column, self.expected
        )?;
        writeln!(f, "  {number} | {}", self.text)?;
        let margin = " ".repeat(number.len());
        write!(f, "  {margin} | {}{marks}", " ".repeat(self.column - 1))
    }
}

fn shortened(text: &str) -> String {
    match text.char_indices().nth(40) {
        Some((end, _)) => format!("{}...", &text[..end]),
        None => text.to_string(),
    }
}

impl fmt::Display for Step {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &self.event {
            Event::Says { to, text } => write!(f, "{} to {to}: {text}", self.who),
            Event::Joins => write!(f, "{} joins", self.who),
            Event::Leaves => write!(f, "{} leaves", self.who),
            Event::Crashes => write!(f, "{} crashes", self.who),
        }
    }
}

impl fmt::Display for To {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            To::Everyone => write!(f, "everyone"),
            To::People(names) => write!(f, "{}", and_list(names)),
        }
    }
}

/// `ann`, `ann and bob`, `ann, bob and cem`.
pub fn and_list<S: AsRef<str>>(names: &[S]) -> String {
    let names: Vec<&str> = names.iter().map(AsRef::as_ref).collect();
    match names.split_last() {
        Some((last, [])) => last.to_string(),
        Some((last, rest)) => format!("{} and {last}", rest.join(", ")),
        None => "nobody".to_string(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const LUNCH: &str = "# a comment\ntitle: Lunch # at one\npeople: ann, bob,cem\n\n\
        ann to everyone: Lunch at one? # no comment\ndora joins # late\nbob to Ann and dora: Yes: gladly.\n\
        cem leaves\nat once:\n  ann to everyone: Bye\n  bob to ann: Bye\ndora crashes";

    #[test]
    fn a_file_is_read_line_by_line() {
        let lunch = Conversation::parse(LUNCH).unwrap();
        assert_eq!(lunch.title, "Lunch");
        assert_eq!(lunch.people, ["ann", "bob", "cem"]);
        let lines: Vec<String> = lunch.steps.iter().map(Step::to_string).collect();
        assert_eq!(
            lines,
            [
                "ann to everyone: Lunch at one? # no comment",
                "dora joins",
                "bob to ann and dora: Yes: gladly.",
                "cem leaves",
                "ann to everyone: Bye",
                "bob to ann: Bye",
                "dora crashes",
            ]
        );
        assert_eq!(lunch.everybody(), ["ann", "bob", "cem", "dora"]);
    }

    #[test]
    fn only_what_follows_another_line_of_at_once_is_not_waited_for() {
        let lunch = Conversation::parse(LUNCH).unwrap();
        let at_once: Vec<bool> = lunch.steps.iter().map(|step| step.at_once).collect();
        assert_eq!(at_once, [false, false, false, false, false, true, false]);
    }

    #[test]
    fn a_step_knows_its_line_in_the_file() {
        let lunch = Conversation::parse(LUNCH).unwrap();
        assert_eq!(lunch.steps[0].line, 5);
    }

    #[test]
    fn names_are_shown_as_they_were_first_written() {
        let text = "people: Ann, bob\nANN to BOB: hello\nBob leaves";
        let conversation = Conversation::parse(text).unwrap();
        assert_eq!(conversation.steps[0].to_string(), "Ann to bob: hello");
        assert_eq!(conversation.steps[1].to_string(), "bob leaves");
    }

    /// The mistake in the last line of a conversation of ann, bob and cem.
    #[track_caller]
    fn check(line: &str, column: usize, expected: &str, found: &str) {
        let text = format!("people: ann, bob, cem\ncem leaves\n{line}");
        let mistake = Conversation::parse(&text).unwrap_err();
        assert_eq!((mistake.line, mistake.column), (3, column), "{mistake}");
        assert!(mistake.expected.contains(expected), "{mistake}");
        assert_eq!(mistake.found, found, "{mistake}");
    }

    #[test]
    fn a_mistake_says_where_it_is_and_what_was_expected() {
        check("ann says hi", 5, "`to`, `joins`, `leaves` or `crashes`", "says hi");
        check("ann to dora: hi", 8, "`everyone` or, once each, bob, cem", "dora");
        check("ann to bob, bob: hi", 13, "once each", "bob");
        check("ann to ann: hi", 8, "once each", "ann");
        check("ann to bob hi", 12, "`,`, `and`, or `:`", "hi");
        check("ann to everyone", 16, "`:` and the text", "");
        check("ann to bob:  ", 14, "what is said", "");
        check("ann leaves now", 12, "the end of the line", "now");
        check("\u{e4}nn joins", 1, "a name", "\u{e4}nn");
        check("everyone joins", 1, "a name", "everyone");
        check("  ann leaves", 3, "without blanks before it", "ann leaves");
    }

    #[test]
    fn the_column_counts_characters() {
        check("ann to b\u{f6}b\u{f6}: hi", 8, "once each", "b\u{f6}b\u{f6}");
        let text = "people: ann, bob\nann to bob: \u{e4}\u{f6}\nbob leaves \u{e4} x";
        assert_eq!(Conversation::parse(text).unwrap_err().column, 12);
    }

    #[test]
    fn who_is_not_there_can_neither_speak_nor_leave() {
        check("cem to ann: hi", 1, "one of ann, bob", "cem");
        check("cem leaves", 1, "somebody who is there", "cem");
        check("ann joins", 1, "somebody who is not there", "ann");
    }

    #[test]
    fn one_may_write_to_somebody_who_has_left() {
        let text = "people: ann, bob, cem\ncem leaves\nann to cem: hello?";
        assert!(Conversation::parse(text).is_ok());
    }

    #[test]
    fn a_text_that_would_be_a_command_is_refused() {
        check("ann to bob: /quit", 13, "does not begin with", "/quit");
        check("ann to bob: @cem:x", 13, "does not begin with", "@cem:x");
        check("ann to bob: ~~7", 13, "does not begin with", "~~7");
        check("ann to bob: exit", 13, "NAME leaves", "exit");
        check("ann to bob: a\u{1b}b", 13, "control", "a\u{1b}b");
    }

    #[test]
    fn a_text_has_at_most_1900_bytes() {
        let text = "x".repeat(TEXT_BYTES_MAX);
        let file = |text: &str| format!("people: ann, bob\nann to bob: {text}");
        assert!(Conversation::parse(&file(&text)).is_ok());
        assert!(Conversation::parse(&file(&format!("{text}x"))).is_err());
    }

    #[test]
    fn a_file_without_people_or_lines_says_what_is_missing() {
        for (text, line, expected) in [
            ("", 2, "`people:`"),
            ("title: x\n", 2, "`people:`"),
            ("ann leaves", 1, "`people:`"),
            ("people: ann, bob\n", 2, "a line such as"),
            ("people: ann", 1, "another name"),
            ("people: ann, bob, Ann", 1, "not in this list yet"),
        ] {
            let mistake = Conversation::parse(text).unwrap_err();
            assert_eq!(mistake.line, line, "{text:?}: {mistake}");
            assert!(mistake.expected.contains(expected), "{text:?}: {mistake}");
        }
    }

    #[test]
    fn a_mistake_is_shown_with_its_line_and_marks_below_it() {
        let text = "people: ann, bob\nann to dora: hi";
        assert_eq!(
            Conversation::parse(text).unwrap_err().to_string(),
            "line 2, column 8: expected `everyone` or, once each, bob, found `dora`\n  \
               2 | ann to dora: hi\n    |        ^^^^"
        );
    }

    #[test]
    fn any_text_is_read_or_refused_but_never_a_panic() {
        let pieces = [
            "people:",
            " ann",
            ",",
            "bob",
            "\n",
            "to",
            " ",
            ":",
            "at once:",
            "#",
            "\u{1f44d}",
            "joins",
        ];
        fastrand::seed(7);
        for _ in 0..2000 {
            let text: String = (0..fastrand::usize(..20))
                .map(|_| pieces[fastrand::usize(..pieces.len())])
                .collect();
            if let Err(mistake) = Conversation::parse(&text) {
                assert!(mistake.line >= 1 && mistake.column >= 1 && !mistake.expected.is_empty());
            }
        }
    }
}
