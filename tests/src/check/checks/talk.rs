//! What the checks of S5 do again and again: somebody says something, and all that came of it
//! is looked at. No clock decides when that is: a private line that was sent later ends it.

use crate::check::difference::{brief, visible};
use crate::check::outcome::wrong;
use crate::check::person::Heard;
use crate::check::{Check, Context, Label, Outcome, Person, Protocol};

/// Every other check of S5 stands behind these two.
pub const PRIVATE: &str = "a-private-message-reaches-its-addressee";
pub const SPEAKING: &str = "what-is-said-in-a-room-reaches-its-members";

/// A check of S5. It rests on private messages and on rooms that one can enter.
pub const fn check(
    name: &'static str,
    rule: &'static str,
    misconceptions: &'static [&'static str],
    run: fn(&mut Context) -> Outcome,
) -> Check {
    Check {
        name,
        rule,
        misconceptions,
        points: 2.0,
        chapter: "stage5.md",
        protocols: &[Protocol::Rooms],
        needs_process: false,
        after: &[PRIVATE, SPEAKING],
        run,
    }
}

/// As `check`, for one that starts the server in its own way.
pub const fn own_server(
    name: &'static str,
    rule: &'static str,
    misconceptions: &'static [&'static str],
    run: fn(&mut Context) -> Outcome,
) -> Check {
    Check { needs_process: true, ..check(name, rule, misconceptions, run) }
}

/// What somebody received, line by line.
#[derive(Debug)]
pub struct Lines {
    who: String,
    pub lines: Vec<String>,
}

impl Lines {
    /// Where `line` is among them; it must be there once.
    pub fn have(&self, line: &str) -> Outcome<usize> {
        let places: Vec<_> = self.places(|other| other == line).collect();
        match places[..] {
            [place] => Ok(place),
            [] => Err(self.lack(line)),
            _ => Err(self.wrong(format!("{} received it more than once", self.who), line)),
        }
    }

    /// The first of them for which `wanted` holds.
    pub fn have_one(&self, what: &str, wanted: impl Fn(&str) -> bool) -> Outcome<&str> {
        let found = self.lines.iter().find(|line| wanted(line));
        found.map(String::as_str).ok_or_else(|| self.lack(what))
    }

    /// A line must be among them that begins so.
    pub fn have_start(&self, start: &str) -> Outcome<&str> {
        self.have_one(&format!("{start}..."), |line| line.starts_with(start))
    }

    /// None of them may be one for which `unwanted` holds.
    pub fn lack_all(&self, what: &str, unwanted: impl Fn(&str) -> bool) -> Outcome {
        match self.places(unwanted).next() {
            None => Ok(()),
            Some(place) => Err(wrong(format!("{} received {what}", self.who))
                .expected(format!("nothing of {what}"))
                .got(visible(self.lines[place].as_bytes()))),
        }
    }

    /// `text` may nowhere be among them.
    pub fn never_say(&self, text: &str) -> Outcome {
        self.lack_all(&format!("`{text}`"), |line| line.contains(text))
    }

    /// Nothing of `room` may be among them.
    pub fn lack_room(&self, room: &str) -> Outcome {
        self.lack_all(&format!("a line of {room}"), |line| is_of(line, room))
    }

    /// After the first line for which `event` holds, there may be none for which `unwanted` does.
    pub fn after(&self, event: impl Fn(&str) -> bool, unwanted: impl Fn(&str) -> bool) -> Outcome {
        let Some(place) = self.places(event).next() else {
            return Ok(());
        };
        let later = Lines { who: self.who.clone(), lines: self.lines[place + 1..].to_vec() };
        later.lack_all(&format!("it after `{}`", self.lines[place]), unwanted)
    }

    pub fn error(&self) -> Option<&str> {
        self.places(|line| line.starts_with("! ")).next().map(|place| self.lines[place].as_str())
    }

    /// Whether a `* ` line, which answers somebody, says `text`.
    pub fn answer(&self, text: &str) -> bool {
        let mut answers = self.lines.iter().filter(|line| line.starts_with("* "));
        answers.any(|line| line.contains(text))
    }

    fn places(&self, wanted: impl Fn(&str) -> bool) -> impl Iterator<Item = usize> {
        (0..self.lines.len()).filter(move |place| wanted(&self.lines[*place]))
    }

    fn lack(&self, line: &str) -> crate::check::Trouble {
        self.wrong(format!("{} did not receive it", self.who), line)
    }

    fn wrong(&self, message: String, expected: &str) -> crate::check::Trouble {
        let got = match self.lines.is_empty() {
            true => "nothing".to_string(),
            false => visible(self.lines.join("\n").as_bytes()),
        };
        wrong(message).expected(expected).got(got)
    }
}

/// Whether `line` is one of `room`, which may be shown in another case.
pub fn is_of(line: &str, room: &str) -> bool {
    let shown = line.strip_prefix('[').and_then(|rest| rest.split_once("] "));
    shown.is_some_and(|(shown, _)| shown.eq_ignore_ascii_case(room))
}

/// As `is_of`, and what somebody has said or done there: no notice.
pub fn is_said_in(line: &str, room: &str) -> bool {
    is_of(line, room) && !Protocol::Rooms.is_notice(line)
}

impl Context<'_> {
    /// The room that is called `name`: on a server that others use as well, one of our own.
    pub fn room(&self, name: &str) -> String {
        self.name(&format!("#{name}"))
    }

    /// Everything that `person` receives until the server has obeyed all that it has sent.
    pub fn catches_up(&mut self, person: &mut Person) -> Outcome<Lines> {
        let name = person.name.clone();
        let marker = self.marker();
        person.send_silently(format!("/msg {name} {marker}\n").as_bytes())?;
        lines_until(person, &format!("[private] {name}: {marker}"))
    }

    /// Everything that `listener` receives until the server has obeyed all that `speaker` has sent.
    pub fn hears_of(&mut self, speaker: &mut Person, listener: &mut Person) -> Outcome<Lines> {
        let marker = self.marker();
        let line = format!("/msg {} {marker}\n", listener.name);
        speaker.send_silently(line.as_bytes())?;
        let lines = lines_until(listener, &format!("[private] {}: {marker}", speaker.name))?;
        let shown = brief(lines.lines.join("\n").as_bytes());
        self.step(format!("{} has received: {shown}", listener.name));
        Ok(lines)
    }

    fn marker(&mut self) -> String {
        format!("marker-{}", self.random.u32(..))
    }

    /// `person` sends `line`; everything that it receives until that is obeyed.
    pub fn tries(&mut self, person: &mut Person, line: &str) -> Outcome<Lines> {
        person.line(line)?;
        self.catches_up(person)
    }

    /// As `tries`: no error may come.
    pub fn may(&mut self, person: &mut Person, line: &str) -> Outcome<Lines> {
        let lines = self.tries(person, line)?;
        match lines.error() {
            None => Ok(lines),
            Some(error) => Err(wrong(format!("`{line}` of {} was refused", person.name))
                .expected("no line that begins with `! `")
                .got(error)),
        }
    }

    /// As `tries`: an error must come. Gives it.
    pub fn may_not(&mut self, person: &mut Person, line: &str) -> Outcome<String> {
        let lines = self.tries(person, line)?;
        match lines.error() {
            Some(error) => Ok(error.to_string()),
            None => {
                let message = format!("`{line}` of {} was not refused", person.name);
                Err(lines.wrong(message, "a line that begins with `! `"))
            }
        }
    }

    /// Somebody who has a name and is in `room`.
    pub fn joins_room(&mut self, name: &str, room: &str) -> Outcome<Person> {
        let mut person = self.joins(name)?;
        self.may(&mut person, &format!("/join {room}"))?;
        Ok(person)
    }

    /// `person` is called `name` from now on. Gives the old name, and what came.
    pub fn renames(&mut self, person: &mut Person, name: &str) -> Outcome<(String, Lines)> {
        let name = self.name(name);
        person.line(&format!("/nick {name}"))?;
        let old = std::mem::replace(&mut person.name, name);
        let lines = self.catches_up(person)?;
        Ok((old, lines))
    }

    /// People in `room`, in this order; the first is its operator.
    pub fn gather<const N: usize>(&mut self, room: &str, names: [&str; N]) -> Outcome<[Person; N]> {
        let mut people = Vec::new();
        for name in names {
            people.push(self.joins_room(name, room)?);
        }
        // What came while the others entered is of no interest.
        for person in &mut people {
            self.catches_up(person)?;
        }
        Ok(people.try_into().expect("one for each name"))
    }

    /// `speaker` says something in its current room, which must be `room`, to `listener`.
    pub fn is_heard_in(
        &mut self,
        room: &str,
        speaker: &mut Person,
        listener: &mut Person,
    ) -> Outcome {
        let text = format!("words-{}", self.random.u32(..));
        speaker.line(&text)?;
        let lines = self.hears_of(speaker, listener)?;
        let expected = format!("[{room}] {}: {text}", speaker.name);
        lines.have(&expected).map(drop)
    }

    /// Whether `person` may do what operators may in its current room: lists the bans, which
    /// changes nothing.
    pub fn is_operator(&mut self, person: &mut Person) -> Outcome<bool> {
        Ok(self.tries(person, "/bans")?.error().is_none())
    }

    pub fn must_be_operator(&mut self, person: &mut Person, why: &str) -> Outcome {
        self.may(person, "/bans").map(drop).because(why)
    }

    pub fn must_not_be_operator(&mut self, person: &mut Person, why: &str) -> Outcome {
        self.may_not(person, "/bans").map(drop).means("role-not-checked", why)
    }
}

impl Person {
    /// Ends the connection in order, and waits for the server's end.
    pub fn quits(mut self) -> Outcome {
        self.line("/quit")?;
        self.hears_all_to_the_end()
    }

    /// The server must end this connection in order, whatever comes before.
    pub fn hears_all_to_the_end(&mut self) -> Outcome {
        let mut patience = self.new_patience();
        while self.peer.next_line_within(&mut patience).is_some() {}
        self.hears_end()
    }
}

fn lines_until(person: &mut Person, last: &str) -> Outcome<Lines> {
    let mut lines = Lines { who: person.name.clone(), lines: Vec::new() };
    let mut patience = person.new_patience();
    loop {
        match person.next_of_any_kind(&mut patience) {
            Heard::Line(line) if line == last => return Ok(lines),
            Heard::Line(line) => lines.lines.push(line),
            Heard::Nothing(_) => return Err(lines.lack(last).after(person.peer.over)),
            Heard::End(_) => {
                let message = format!("the server ended the connection of {}", person.name);
                return Err(lines.wrong(message, last));
            }
        }
    }
}
