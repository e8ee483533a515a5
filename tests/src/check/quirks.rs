//! Ways of speaking that are wrong, and that the lab can live with to see what else is wrong.
//!
//! Each is found and named by a check of its own. Without this, a program that sends no LF would
//! fail everything for that one reason, and its author would learn about nothing else.

use super::person::Person;
use super::{Context, Outcome, Protocol, outcome::wrong};
use std::time::Duration;

/// After so long a silence, what came is taken for one message.
pub const SILENCE: Duration = Duration::from_millis(150);

/// A first conversation waits for no answer longer than this; nobody is judged by it.
const FIRST_PATIENCE: Duration = Duration::from_secs(3);

/// An acknowledgement that has not come by then never comes.
const FIRST_ANSWER: Duration = Duration::from_millis(1000);

#[derive(Debug, Default, Clone, Copy, PartialEq, Eq)]
pub struct Quirks {
    /// No LF at the ends of its lines: one segment is one message, in both directions.
    pub bare: bool,
    /// Delivers the text without the name of its sender.
    pub anonymous: bool,
    /// Senders hear themselves.
    pub echoes: bool,
    /// Acknowledges and announces in other words.
    pub own_words: bool,
    /// Does not acknowledge a name at all.
    pub mute: bool,
}

impl Quirks {
    /// `bare` programs are judged in their own way of speaking; the rules of lines are not.
    pub fn in_words(self) -> Option<&'static str> {
        self.bare.then_some("without line ends, as this program speaks: one segment is one message")
    }
}

/// Has a first conversation, and finds out how the program speaks. Where even that is not
/// possible: no quirks, and the checks say what is wrong.
pub fn learn(context: &mut Context) -> Quirks {
    context.patience = FIRST_PATIENCE;
    if correctly(context).is_ok() {
        return Quirks::default();
    }
    if context.target.has_process() && context.start(Default::default()).is_err() {
        return Quirks::default();
    }
    by_listening(context).unwrap_or_default()
}

fn correctly(context: &mut Context) -> Outcome {
    let (mut alice, mut bob) = context.two()?;
    alice.says(&bob.name, "hello there")?;
    bob.hears(&alice.name, "hello there")?;
    bob.says(&alice.name, "hello to you")?;
    alice.hears(&bob.name, "hello to you")
}

fn by_listening(context: &mut Context) -> Outcome<Quirks> {
    let mut quirks = Quirks { own_words: true, ..Quirks::default() };
    let mut bob = lets_in(context, "bobby", &mut quirks)?;
    let mut alice = lets_in(context, "alicia", &mut quirks)?;
    until_silence(&mut bob);
    alice.says(&bob.name, "hello there")?;
    let heard = until_silence(&mut bob);
    if !heard.contains("hello there") {
        return Err(wrong("nothing arrives"));
    }
    let said_by_alice = alice.protocol.heard(&alice.name, "hello there");
    quirks.anonymous = !heard.contains(&said_by_alice);
    quirks.echoes =
        alice.protocol != Protocol::Select && until_silence(&mut alice).contains("hello there");
    Ok(quirks)
}

fn lets_in(context: &mut Context, name: &str, quirks: &mut Quirks) -> Outcome<Person> {
    let mut person = context.dials(name)?;
    let greeting = until_silence(&mut person);
    if greeting.is_empty() {
        return Err(wrong("nobody is greeted")); // the first thing to repair
    }
    quirks.bare = !greeting.ends_with('\n');
    person.quirks = *quirks;
    person.patience = FIRST_ANSWER;
    person.line(&person.protocol.registration(&person.name.clone()))?;
    let answer = until_silence(&mut person);
    quirks.mute |= answer.is_empty();
    if answer.starts_with("! ") {
        return Err(wrong("nobody is let in"));
    }
    Ok(person)
}

/// Where lines have no ends, what came before would stand in front of what is waited for.
pub fn hush(person: &mut Person) {
    if person.quirks.bare {
        let patience = std::mem::replace(&mut person.patience, SILENCE);
        until_silence(person);
        person.patience = patience;
    }
}

/// Everything that comes until nothing has come for a while.
pub fn until_silence(person: &mut Person) -> String {
    person.peer.receives(&mut person.new_patience()); // it may be slow with its first word
    person.receives_until_silence();
    String::from_utf8_lossy(&person.peer.take_unread()).into_owned()
}
