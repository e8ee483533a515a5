//! Plays a scene: the server is a process, each person a socket of ours. What the protocol promises
//! is waited for; what does not come is written down, and the scene goes on.

use super::calls::Watch;
use super::log::Log;
use super::person::Person;
use super::recording::{Event, Moment, Run, What};
use crate::capture::Capture;
use crate::conversation::{self, Conversation, Step};
use crate::play::promise::{Design, Pattern, Promise};
use crate::process::Server;
use std::collections::{BTreeMap, HashMap};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::Duration;

/// A promise is broken when nothing at all has moved for so long.
pub const PATIENCE: Duration = Duration::from_secs(5);

/// Between two pieces that are to arrive as two: nothing has moved for so long.
const PIECES_APART: Duration = Duration::from_millis(100);

/// Lines of the console that are kept.
const SHOWN_MAX: usize = 2000;

/// The port of each person's socket, by which the kernel's table tells whose it is.
pub type Ports = Arc<Mutex<HashMap<u16, String>>>;

pub struct Playing {
    pub protocol: u8,
    server: Server,
    log: Arc<Log>,
    watch: Result<Watch, String>,
    ports: Ports,
    people: BTreeMap<String, Person>,
    order: Vec<String>,
    moments: Vec<Moment>,
    /// Stages 1 and 2: who sits at the server.
    at_the_server: Option<String>,
    /// Where the packets of all connections go, if anywhere.
    capture: Option<Capture>,
}

impl Playing {
    pub fn new(protocol: u8, server: Server, capture: Option<Capture>) -> Playing {
        let log = Arc::new(Log::new());
        let ports = Ports::default();
        let watch = match &server.process {
            Some(process) => {
                follow_console(process, &log);
                Watch::attach(process.id(), &log, &ports)
            }
            None => Err("the server is not ours to watch".to_string()),
        };
        let (people, order, moments) = (BTreeMap::new(), Vec::new(), Vec::new());
        let at_the_server = None;
        Playing {
            protocol,
            server,
            log,
            watch,
            ports,
            people,
            order,
            moments,
            at_the_server,
            capture,
        }
    }

    /// A conversation from a file.
    pub fn converse(&mut self, conversation: &Conversation) -> anyhow::Result<()> {
        let (mut design, arriving) = Design::new(self.protocol, conversation);
        self.at_the_server.clone_from(&design.at_the_server);
        self.order.extend(design.at_the_server.clone());
        for name in arriving {
            design.clients.push_back(name.clone());
            self.arrive(&name, None)?;
        }
        let mut steps = &conversation.steps[..];
        while !steps.is_empty() {
            let at_once = steps[1..].iter().take_while(|step| step.at_once).count();
            let (now, rest) = steps.split_at(at_once + 1);
            let what: Vec<String> = now.iter().map(Step::to_string).collect();
            self.moment(&what.join("; "));
            self.perform(&mut design, now)?;
            steps = rest;
        }
        Ok(())
    }

    fn perform(&mut self, design: &mut Design, steps: &[Step]) -> anyhow::Result<()> {
        let heard = self.heard_so_far();
        let mut promised: Vec<(String, Pattern)> = Vec::new();
        for step in steps {
            let was_served = design.served().is_none_or(|served| *served == step.who);
            let promise: Promise = design.promise(step);
            match step.event {
                conversation::Event::Says { .. } => {
                    promise.typed.iter().for_each(|line| self.say(&step.who, line));
                }
                conversation::Event::Joins => self.arrive(&step.who, None)?,
                conversation::Event::Leaves => self.leave(&step.who, was_served),
                conversation::Event::Crashes => self.crash(&step.who),
            }
            for (who, patterns) in promise.seen {
                promised.extend(patterns.into_iter().map(|pattern| (who.clone(), pattern)));
            }
        }
        self.expect(&heard, promised);
        Ok(())
    }

    // ---- what a scene is made of ----

    /// A new step of the scene begins.
    pub fn moment(&mut self, what: &str) {
        let (at, what) = (self.log.now(), what.to_string());
        self.moments.push(Moment { at, what, missing: Vec::new(), waited: BTreeMap::new() });
    }

    /// Connects and, where there are names, gives one.
    pub fn arrive(&mut self, name: &str, receive_buffer: Option<usize>) -> anyhow::Result<()> {
        self.moment(&format!("{name} comes"));
        self.connect(name, receive_buffer)?;
        self.read(name)?;
        match self.protocol {
            1 | 2 => {}
            3 => {
                self.await_line(name, "You are connected from");
                self.say(name, &format!("#{name}"));
                self.await_line(name, "Your user detail saved as");
            }
            _ => {
                self.await_line(name, "NICK");
                self.say(name, name);
                self.await_line(name, "* welcome");
            }
        }
        Ok(())
    }

    pub fn connect(&mut self, name: &str, receive_buffer: Option<usize>) -> anyhow::Result<()> {
        let person = Person::connect(
            name,
            self.server.address,
            receive_buffer,
            &self.log,
            self.capture.as_ref(),
        )?;
        let mut ports = self.ports.lock().unwrap_or_else(|poisoned| poisoned.into_inner());
        ports.insert(person.port(), name.to_string());
        drop(ports);
        if !self.order.iter().any(|other| other == name) {
            self.order.push(name.to_string());
        }
        self.people.insert(name.to_string(), person);
        Ok(())
    }

    pub fn read(&mut self, name: &str) -> anyhow::Result<()> {
        self.people.get_mut(name).map_or(Ok(()), Person::start_reading)
    }

    /// Types a line: at the server's keyboard, or into the connection.
    pub fn say(&mut self, who: &str, line: &str) {
        match (self.people.get_mut(who), &mut self.server.process) {
            (Some(person), _) => drop(person.send(format!("{line}\n").as_bytes())),
            (None, Some(process)) => {
                let text = format!("{line}⏎");
                self.log.write(What::Types { who: who.to_string(), text });
                process.type_line(line);
            }
            (None, None) => {}
        }
    }

    pub fn send(&mut self, who: &str, bytes: &[u8]) {
        if let Some(person) = self.people.get_mut(who) {
            person.send(bytes);
        }
    }

    /// What one types so that all the others hear a text: one line for each of them in stage 3.
    pub fn to_all(&self, from: &str, text: &str) -> Vec<String> {
        match self.protocol {
            3 => {
                let others = self.people.keys().filter(|name| *name != from);
                others.map(|name| format!("@{name}:{text}")).collect()
            }
            _ => vec![text.to_string()],
        }
    }

    /// A flood of lines for everybody, or in stage 3 for one. It ends when `to` is said to have gone.
    pub fn flood(&mut self, from: &str, to: &str, text: &str, lines_max: usize) {
        let line = match self.protocol {
            3 => format!("@{to}:{text}\n"),
            _ => format!("{text}\n"),
        };
        let gone = format!("{to} left");
        let enough = |line: &str| line.starts_with("! ") || line.contains(&gone);
        if let Some(person) = self.people.get_mut(from) {
            person.flood(line.as_bytes(), lines_max, enough, PATIENCE);
        }
    }

    pub fn half_close(&mut self, who: &str) {
        if let Some(person) = self.people.get(who) {
            person.half_close();
        }
    }

    /// Says goodbye, and waits for the server's end; whom nobody serves, nobody answers.
    fn leave(&mut self, who: &str, is_served: bool) {
        if self.at_the_server.as_deref() == Some(who) {
            if let Some(process) = &mut self.server.process {
                process.kill();
            }
            return;
        }
        match self.protocol {
            1 | 2 => self.half_close(who),
            _ => self.say(who, "exit"),
        }
        if is_served && !self.await_end(who) {
            self.note_missing(format!("{who}: the end of the connection"));
        }
        self.people.remove(who);
    }

    pub fn crash(&mut self, who: &str) {
        if let Some(person) = self.people.remove(who) {
            person.reset();
        }
    }

    /// Lets the server read what was sent so far by itself: until nothing moves any more.
    pub fn pause(&self) {
        self.log.wait(PIECES_APART, |_| false);
    }

    // ---- waiting ----

    pub fn await_end(&self, who: &str) -> bool {
        let Some(person) = self.people.get(who) else { return true };
        self.log.wait(PATIENCE, |_| person.has_seen_the_end())
    }

    fn await_line(&mut self, who: &str, beginning: &str) {
        let Some(person) = self.people.get(who) else { return };
        let came = self.log.wait(PATIENCE, |_| {
            person.has_heard(0, |line| line.starts_with(beginning)) || person.has_seen_the_end()
        });
        if !came || !person.has_heard(0, |line| line.starts_with(beginning)) {
            self.note_missing(format!("{who}: `{beginning}...`"));
        }
    }

    /// Waits until each of these has heard a line that contains the text, and notes for how long.
    pub fn await_heard(&mut self, hearers: &[&str], text: &str) {
        let heard = BTreeMap::new();
        let promised = hearers.iter().map(|who| (who.to_string(), contains(text))).collect();
        self.expect(&heard, promised);
    }

    fn heard_so_far(&self) -> BTreeMap<String, usize> {
        self.people.iter().map(|(name, person)| (name.clone(), person.lines())).collect()
    }

    fn expect(&mut self, before: &BTreeMap<String, usize>, promised: Vec<(String, Pattern)>) {
        let start = self.log.now();
        for (who, pattern) in promised {
            let came = match self.people.get(&who) {
                Some(person) => {
                    let from = before.get(&who).copied().unwrap_or_default();
                    let wanted = |line: &str| matches(&pattern, line);
                    let seen = || person.has_heard(from, wanted) || person.has_seen_the_end();
                    self.log.wait(PATIENCE, |_| seen()) && person.has_heard(from, wanted)
                }
                None => self.log.wait(PATIENCE, |events| is_shown(events, &pattern)),
            };
            let waited = self.log.now() - start;
            match (came, self.moments.last_mut()) {
                (true, Some(moment)) => drop(moment.waited.insert(who, waited)),
                _ => self.note_missing(format!("{who}: `{pattern}`")),
            }
        }
    }

    fn note_missing(&mut self, what: String) {
        if let Some(moment) = self.moments.last_mut() {
            moment.missing.push(what);
        }
    }

    /// The scene is over: what was seen of it.
    pub fn end(mut self, name: &str) -> Run {
        self.moment("the end");
        self.people.clear();
        let _ = self.log.wait(Duration::from_millis(300), |_| false); // lets the last events be seen
        let ports = self.ports.lock().unwrap_or_else(|poisoned| poisoned.into_inner()).clone();
        let (threads, source, calls_cut) = match self.watch {
            Ok(watch) => watch.end(&ports, &self.log),
            Err(why) => (Vec::new(), why, 0),
        };
        drop(self.server);
        let mut events = std::mem::take(&mut self.log.lock().events);
        events.sort_by_key(|event| event.at);
        Run {
            name: name.to_string(),
            protocol: self.protocol,
            people: self.order,
            threads,
            source,
            moments: self.moments,
            events,
            calls_cut,
        }
    }
}

fn contains(text: &str) -> Pattern {
    Pattern::FromPeer(text.to_string())
}

/// A raw socket sees the text of stages 1 and 2 without the address that their clients print.
fn matches(pattern: &Pattern, line: &str) -> bool {
    match pattern {
        Pattern::FromPeer(text) => line.ends_with(text),
        pattern => pattern.matches(line, None),
    }
}

fn is_shown(events: &[Event], pattern: &Pattern) -> bool {
    events.iter().any(|event| matches!(&event.what, What::Shows { text } if matches(pattern, text)))
}

/// Writes down what the server prints.
fn follow_console(process: &crate::process::Process, log: &Arc<Log>) {
    let (screen, log) = (Arc::clone(&process.stdout), Arc::clone(log));
    thread::spawn(move || {
        let mut seen = screen.lock().lines.len();
        while seen < SHOWN_MAX {
            let next = screen.wait(Duration::from_secs(60), |state| state.lines.get(seen).cloned());
            match next {
                Some(text) => log.write(What::Shows { text }),
                None if screen.lock().ended => return,
                None => continue,
            }
            seen += 1;
        }
    });
}
