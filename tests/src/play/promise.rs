//! What each design promises for each line of a conversation: who types what, whose screen shows
//! what, and what cannot be said at all. Pure: the table of all this is computed before any
//! program runs, and what the programs did is compared with it.

use crate::conversation::{Conversation, Event, Step, To};
use serde::Serialize;
use std::collections::{BTreeMap, VecDeque};

/// What one step comes to in one stage.
#[derive(Debug, Clone, PartialEq)]
pub struct Promise {
    /// The lines that the speaker types. None: it cannot be said.
    pub typed: Vec<String>,
    /// What each screen shows because of it, in this order.
    pub seen: BTreeMap<String, Vec<Pattern>>,
    pub outcome: Outcome,
}

/// What a row of the comparison says in one column.
#[derive(Debug, Clone, Default, PartialEq, Serialize)]
pub struct Outcome {
    /// On whose screens it appeared.
    pub heard_by: Vec<String>,
    /// Who was meant and did not hear it.
    pub not_heard_by: Vec<String>,
    /// Why it could not be said, or not to all who were meant.
    pub why: Option<Why>,
    /// How many lines the speaker had to type for it.
    pub lines_typed: usize,
    /// Stages 1 and 2: whose turn it is from now on.
    pub turn: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Serialize)]
#[serde(rename_all = "kebab-case")]
pub enum Why {
    OneWay,
    Waits,
    OneConnection,
    Alone,
    ServerGone,
    PublicOnly,
    NotThere,
    NotTold,
}

/// A line on a screen.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Pattern {
    Exactly(String),
    Begins(String),
    /// `[IP]:PORT => TEXT`, with the address of the other end of this person's connection.
    FromPeer(String),
}

/// One stage, as its users see it: who is connected, and what a line becomes.
#[derive(Debug, Clone)]
pub struct Design {
    pub stage: u8,
    /// Connected to the server, in the order of arrival. In the stages 1 and 2 only the first is
    /// served, the others wait for their turn.
    pub clients: VecDeque<String>,
    /// Stages 1 and 2: who sits at the server, and is the other end of the connection.
    pub at_the_server: Option<String>,
}

impl Design {
    /// Before anybody is connected; with those who must connect, in this order.
    pub fn new(stage: u8, conversation: &Conversation) -> (Design, Vec<String>) {
        let mut arriving = conversation.people.clone();
        let mut at_the_server = None;
        if stage <= 2 {
            let first = first_speaker(conversation);
            let listener = first_listener(conversation, &first);
            arriving.retain(|name| *name != first && *name != listener);
            arriving.insert(0, first);
            at_the_server = Some(listener);
        }
        let clients = VecDeque::new();
        let design = Design { stage, clients, at_the_server };
        (design, arriving)
    }

    /// What `step` comes to; from now on the design is in the state after it.
    pub fn promise(&mut self, step: &Step) -> Promise {
        match &step.event {
            Event::Says { to, text } if self.stage <= 2 => self.say_to_peer(&step.who, to, text),
            Event::Says { to, text } => self.say(&step.who, to, text),
            Event::Joins => self.join(&step.who),
            Event::Leaves | Event::Crashes => self.leave(&step.who),
        }
    }

    /// Whoever has the one connection of the stages 1 and 2.
    pub fn served(&self) -> Option<&String> {
        self.clients.front().filter(|_| self.stage <= 2)
    }

    /// Stages 1 and 2: there is one connection, and its ends hear each other.
    fn say_to_peer(&self, who: &str, to: &To, text: &str) -> Promise {
        let Some(console) = &self.at_the_server else {
            return cannot(Why::ServerGone);
        };
        let served = self.served();
        let hearer = match served {
            _ if console == who && self.stage == 1 => return cannot(Why::OneWay),
            Some(served) if console == who => served,
            Some(served) if served == who => console,
            Some(_) => return cannot(Why::Waits),
            None => return cannot(Why::Alone),
        };
        let mut meant = match to {
            To::People(names) => names.clone(),
            To::Everyone => self.all_but(who),
        };
        if !meant.contains(hearer) {
            return cannot(Why::OneConnection);
        }
        meant.retain(|name| name != hearer);
        Promise {
            typed: vec![text.to_string()],
            seen: BTreeMap::from([(hearer.clone(), vec![Pattern::FromPeer(text.to_string())])]),
            outcome: Outcome {
                heard_by: vec![hearer.clone()],
                why: (!meant.is_empty()).then_some(Why::OneConnection),
                not_heard_by: meant,
                lines_typed: 1,
                turn: None,
            },
        }
    }

    fn say(&self, who: &str, to: &To, text: &str) -> Promise {
        let others = self.all_but(who);
        let meant = match to {
            To::Everyone => others.clone(),
            To::People(names) => names.clone(),
        };
        if others.is_empty() && *to == To::Everyone {
            return cannot(Why::Alone);
        }
        let (heard_by, gone): (Vec<_>, Vec<_>) =
            meant.into_iter().partition(|name| others.contains(name));
        let to_all = heard_by.len() == others.len() && gone.is_empty();
        let public = match self.stage {
            3 => false,
            4 if to_all => true,
            4 => return cannot(Why::PublicOnly),
            _ => *to == To::Everyone,
        };
        let typed: Vec<String> = match public {
            true => vec![text.to_string()],
            false => heard_by.iter().chain(&gone).map(|name| self.private(name, text)).collect(),
        };
        let shown = Pattern::Exactly(self.shown(who, public, text));
        let mut seen: BTreeMap<_, _> =
            heard_by.iter().map(|name| (name.clone(), vec![shown.clone()])).collect();
        if !gone.is_empty() {
            let error = Pattern::Begins("! ".to_string());
            seen.insert(who.to_string(), vec![error; gone.len()]);
        }
        Promise {
            outcome: Outcome {
                heard_by,
                why: (!gone.is_empty()).then_some(Why::NotThere),
                not_heard_by: gone,
                lines_typed: typed.len(),
                turn: None,
            },
            typed,
            seen,
        }
    }

    fn private(&self, name: &str, text: &str) -> String {
        match self.stage {
            3 => format!("@{name}:{text}"),
            _ => format!("/msg {name} {text}"),
        }
    }

    /// What the receivers of a line see.
    fn shown(&self, who: &str, public: bool, text: &str) -> String {
        match (self.stage, public) {
            (5, true) => format!("[#lobby] {who}: {text}"),
            (5, false) => format!("[private] {who}: {text}"),
            _ => format!("{who}: {text}"),
        }
    }

    fn join(&mut self, who: &str) -> Promise {
        if self.stage <= 2 && self.at_the_server.is_none() {
            return cannot(Why::ServerGone);
        }
        let told = self.notice(&format!("{who} joined"), Pattern::Exactly);
        self.clients.push_back(who.to_string());
        match self.served() {
            Some(served) if served == who => turn(served),
            Some(_) => cannot(Why::Waits),
            None => told,
        }
    }

    fn leave(&mut self, who: &str) -> Promise {
        if self.at_the_server.as_deref() == Some(who) {
            self.at_the_server = None;
            self.clients.clear(); // their connections end with the server
            return cannot(Why::ServerGone);
        }
        let was_served = self.served().is_some_and(|served| served == who);
        self.clients.retain(|name| name != who);
        match self.served() {
            Some(next) if was_served => turn(next),
            _ => self.notice(&format!("{who} left"), Pattern::Begins),
        }
    }

    /// What everybody is told about somebody's coming or going, where the design tells it.
    fn notice(&self, what: &str, pattern: fn(String) -> Pattern) -> Promise {
        let line = match self.stage {
            4 => pattern(format!("* {what}")),
            5 => pattern(format!("[#lobby] * {what}")),
            _ => return cannot(Why::NotTold),
        };
        let hearers: Vec<String> = self.clients.iter().cloned().collect();
        Promise {
            typed: Vec::new(),
            seen: hearers.iter().map(|name| (name.clone(), vec![line.clone()])).collect(),
            outcome: Outcome {
                why: hearers.is_empty().then_some(Why::Alone),
                heard_by: hearers,
                ..Outcome::default()
            },
        }
    }

    fn all_but(&self, who: &str) -> Vec<String> {
        let all = self.at_the_server.iter().chain(&self.clients);
        all.filter(|name| *name != who).cloned().collect()
    }
}

fn cannot(why: Why) -> Promise {
    Promise {
        typed: Vec::new(),
        seen: BTreeMap::new(),
        outcome: Outcome { why: Some(why), ..Outcome::default() },
    }
}

fn turn(whose: &str) -> Promise {
    let mut promise = cannot(Why::NotTold);
    promise.outcome.turn = Some(whose.to_string());
    promise
}

/// Who gets the one connection first: whoever speaks first.
fn first_speaker(conversation: &Conversation) -> String {
    let speakers =
        conversation.steps.iter().filter(|step| matches!(step.event, Event::Says { .. }));
    let there = speakers.map(|step| &step.who).find(|who| conversation.people.contains(who));
    there.unwrap_or(&conversation.people[0]).clone()
}

/// Who sits at the server: whoever is spoken to first, or else the first of the others.
fn first_listener(conversation: &Conversation, speaker: &str) -> String {
    let spoken_to = conversation.steps.iter().find_map(|step| match &step.event {
        Event::Says { to: To::People(names), .. } if step.who == speaker => names.first(),
        Event::Says { .. } if step.who == speaker => Some(&step.who), // to everyone
        _ => None,
    });
    let is_other = |name: &&String| *name != speaker && conversation.people.contains(name);
    let others = || conversation.people.iter().find(is_other);
    let listener = spoken_to.filter(is_other).or_else(others);
    listener.expect("the parser wants two people").clone()
}

impl Pattern {
    /// Whether `line` is what was promised; `peer`: the other end's address, as `[IP]:PORT`.
    pub fn matches(&self, line: &str, peer: Option<&str>) -> bool {
        match self {
            Pattern::Exactly(text) => line == text,
            Pattern::Begins(text) => line.starts_with(text),
            Pattern::FromPeer(text) => peer.is_some_and(|peer| line == format!("{peer} => {text}")),
        }
    }
}

impl std::fmt::Display for Pattern {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        match self {
            Pattern::Exactly(text) => write!(f, "{text}"),
            Pattern::Begins(text) => write!(f, "{text}..."),
            Pattern::FromPeer(text) => write!(f, "[IP]:PORT => {text}"),
        }
    }
}

impl Why {
    /// For a cell.
    pub fn short(self) -> &'static str {
        match self {
            Why::OneWay => "one way",
            Why::Waits => "waits",
            Why::OneConnection => "no path",
            Why::Alone => "alone",
            Why::ServerGone => "gone",
            Why::PublicOnly => "public",
            Why::NotThere => "absent",
            Why::NotTold => "silent",
        }
    }

    /// For the list below the table.
    pub fn long(self) -> &'static str {
        match self {
            Why::OneWay => "who sits at the server only listens: bytes go one way",
            Why::Waits => "one connection at a time: the next one waits until it ends",
            Why::OneConnection => "only the two ends of the connection hear each other",
            Why::Alone => "nobody else is there",
            Why::ServerGone => "who sat at the server has left, and the server with them",
            Why::PublicOnly => "its protocol has no private lines; threads could do it",
            Why::NotThere => "the server tells the speaker: no such user",
            Why::NotTold => "the design tells nobody who comes or goes",
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// What the last step of the conversation comes to.
    #[track_caller]
    fn last(stage: u8, text: &str) -> Promise {
        let conversation = Conversation::parse(text).unwrap();
        let (mut design, arriving) = Design::new(stage, &conversation);
        design.clients = arriving.into();
        let mut promises = conversation.steps.iter().map(|step| design.promise(step));
        let last = promises.by_ref().last();
        drop(promises);
        last.unwrap()
    }

    fn seen(promise: &Promise, who: &str) -> Vec<String> {
        promise.seen.get(who).into_iter().flatten().map(Pattern::to_string).collect()
    }

    const TO_ALL: &str = "people: ann, bob, cem\nann to everyone: hi";
    const TO_ONE: &str = "people: ann, bob, cem\nann to bob: hi";

    #[test]
    fn in_stage_1_the_first_speaker_is_heard_at_the_server_alone() {
        let promise = last(1, TO_ALL);
        assert_eq!(seen(&promise, "bob"), ["[IP]:PORT => hi"]);
        assert_eq!(promise.outcome.not_heard_by, ["cem"]);
    }

    #[test]
    fn in_stage_1_nobody_at_the_server_can_answer() {
        let text = format!("{TO_ONE}\nbob to ann: hello");
        assert_eq!(last(1, &text).outcome.why, Some(Why::OneWay));
        assert_eq!(seen(&last(2, &text), "ann"), ["[IP]:PORT => hello"]);
    }

    #[test]
    fn in_stages_1_and_2_a_third_person_waits_until_the_first_has_left() {
        let text = format!("{TO_ONE}\ncem to bob: hello");
        assert_eq!(last(2, &text).outcome.why, Some(Why::Waits));
        let text = format!("{TO_ONE}\nann leaves\ncem to bob: hello");
        assert_eq!(seen(&last(2, &text), "bob"), ["[IP]:PORT => hello"]);
    }

    #[test]
    fn in_stages_1_and_2_everything_ends_with_the_person_at_the_server() {
        let text = format!("{TO_ONE}\nbob leaves\nann to cem: hello");
        assert_eq!(last(2, &text).outcome.why, Some(Why::ServerGone));
    }

    #[test]
    fn in_stages_1_and_2_who_is_spoken_to_first_sits_at_the_server() {
        let text = "people: ann, bob, cem\nann to cem: hi";
        let (design, arriving) = Design::new(1, &Conversation::parse(text).unwrap());
        assert_eq!(design.at_the_server.as_deref(), Some("cem"));
        assert_eq!(arriving, ["ann", "bob"]);
    }

    #[test]
    fn stage_3_writes_to_everyone_one_by_one() {
        let promise = last(3, TO_ALL);
        assert_eq!(promise.typed, ["@bob:hi", "@cem:hi"]);
        assert_eq!(seen(&promise, "cem"), ["ann: hi"]);
        assert_eq!(seen(&promise, "ann"), [""; 0]);
    }

    #[test]
    fn stage_4_cannot_say_anything_to_some_alone() {
        assert_eq!(last(4, TO_ONE).outcome.why, Some(Why::PublicOnly));
        assert_eq!(last(4, TO_ALL).typed, ["hi"]);
    }

    #[test]
    fn in_stage_4_some_who_are_all_there_are_can_be_spoken_to() {
        let promise = last(4, "people: ann, bob\nann to bob: hi");
        assert_eq!(seen(&promise, "bob"), ["ann: hi"]);
    }

    #[test]
    fn stage_5_has_rooms_and_private_lines() {
        assert_eq!(seen(&last(5, TO_ALL), "cem"), ["[#lobby] ann: hi"]);
        let promise = last(5, TO_ONE);
        assert_eq!(promise.typed, ["/msg bob hi"]);
        assert_eq!(seen(&promise, "bob"), ["[private] ann: hi"]);
        assert_eq!(seen(&promise, "cem"), [""; 0]);
    }

    #[test]
    fn who_writes_to_somebody_who_has_left_is_told_so() {
        for stage in [3, 5] {
            let promise = last(stage, "people: ann, bob, cem\ncem leaves\nann to cem: hi");
            assert_eq!(seen(&promise, "ann"), ["! ..."]);
            assert_eq!(promise.outcome.why, Some(Why::NotThere));
        }
    }

    #[test]
    fn stages_4_and_5_tell_who_comes_and_goes_and_stage_3_does_not() {
        let text = "people: ann, bob\ncem joins";
        assert_eq!(seen(&last(4, text), "bob"), ["* cem joined"]);
        assert_eq!(seen(&last(5, text), "bob"), ["[#lobby] * cem joined"]);
        assert_eq!(last(3, text).outcome.why, Some(Why::NotTold));
        assert_eq!(seen(&last(4, "people: ann, bob, cem\ncem crashes"), "bob"), ["* cem left..."]);
    }

    #[test]
    fn ten_clients_make_ninety_deliveries_where_everyone_can_be_reached() {
        let text = include_str!("../../conversations/ten-clients.chat");
        let conversation = Conversation::parse(text).unwrap();
        for (stage, deliveries) in [(1, 1), (2, 2), (3, 90), (4, 90), (5, 90)] {
            let (mut design, arriving) = Design::new(stage, &conversation);
            design.clients = arriving.into();
            let heard =
                conversation.steps.iter().map(|step| design.promise(step).outcome.heard_by.len());
            assert_eq!(heard.sum::<usize>(), deliveries, "stage {stage}");
        }
    }
}
