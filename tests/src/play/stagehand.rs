//! Plays a conversation on one stage: a server process, a client process for each person, and
//! somebody who types into them and looks at their screens.
//!
//! Nothing here sleeps and hopes. What must be seen is waited for; that nothing else was seen is
//! found out by marks (`marks.rs`).

use super::compare::{Expected, Trouble, compare, same_order};

use super::measure::{connections, threads};
use super::person::{Person, counts, trouble};
use super::promise::{Design, Outcome, Promise, Why};
use super::{Difference, Played};
use crate::conversation::{Conversation, Event, MARK, Step, To};
use crate::process::{PATIENCE, Process, Server};
use crate::stage::Stage;
use std::collections::BTreeMap;
use std::process::Command;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

/// How often a condition is looked at that nobody can tell us about.
const LOOK_AGAIN: Duration = Duration::from_millis(10);

/// Lines of each program's output that are shown when something differs.
const LAST_LINES: usize = 6;

/// Plays it; `tell` hears how many steps are done. An error: the stage could not be played at
/// all, or did something else than its design promises.
pub fn play(
    stage: &'static Stage,
    conversation: &Conversation,
    tell: &dyn Fn(usize),
) -> anyhow::Result<Played> {
    let (design, arriving) = Design::new(stage.number, conversation);
    let server = match Server::start_stage(stage, &[]) {
        Ok(server) => server,
        Err(error) => return Ok(Played::not_at_all(stage, &error)),
    };
    let mut stagehand = Stagehand::new(stage, design, server);
    let difference = stagehand.play(conversation, arriving, tell).err();
    Ok(stagehand.result(difference))
}

struct Stagehand {
    stage: &'static Stage,
    design: Design,
    server: Server,
    people: BTreeMap<String, Person>,
    outcomes: Vec<Outcome>,
    marks: usize,
    /// The most that were seen at any step.
    threads: Option<usize>,
    served: usize,
    waiting: usize,
    /// Of those who have left.
    transcripts: Vec<(String, Vec<String>)>,
}

impl Stagehand {
    fn new(stage: &'static Stage, design: Design, server: Server) -> Stagehand {
        let mut people = BTreeMap::new();
        if let (Some(name), Some(process)) = (&design.at_the_server, &server.process) {
            people.insert(name.clone(), Person::new(None, &process.stdout));
        }
        Stagehand {
            stage,
            design,
            server,
            people,
            outcomes: Vec::new(),
            marks: 0,
            threads: None,
            served: 0,
            waiting: 0,
            transcripts: Vec::new(),
        }
    }

    fn play(
        &mut self,
        conversation: &Conversation,
        arriving: Vec<String>,
        tell: &dyn Fn(usize),
    ) -> Result<(), Box<Difference>> {
        for name in arriving {
            self.design.clients.push_back(name.clone());
            let arrived = self.arrive(&name).and_then(|()| self.expect_arrival(&name));
            arrived.map_err(|trouble| self.difference(None, "before the first line", trouble))?;
        }
        let mut next = 0;
        while next < conversation.steps.len() {
            let at_once = conversation.steps[next + 1..]
                .iter()
                .take_while(|step| step.at_once);
            let steps = &conversation.steps[next..=next + at_once.count()];
            self.perform(next, steps)?;
            next += steps.len();
            tell(next);
        }
        self.part()
            .map_err(|trouble| self.difference(None, "after the last line", trouble))
    }

    /// One step, or several at once: everybody does what is written, then all look.
    fn perform(&mut self, first: usize, steps: &[Step]) -> Result<(), Box<Difference>> {
        let mut promises = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let before = self.design.clone();
            let promise = self.design.promise(step);
            let outcome = Outcome {
                heard_by: Vec::new(), // until it is seen
                ..promise.outcome.clone()
            };
            self.outcomes.push(outcome);
            let acted = self.act(step, &promise, &before);
            promises.push(promise);
            acted.map_err(|trouble| {
                self.difference(Some(first + index), &step.to_string(), trouble)
            })?;
        }
        let speakers: Vec<&str> = steps.iter().map(|step| step.who.as_str()).collect();
        let looked = self
            .look(&speakers, &expectations(steps, &promises))
            .and_then(|seen| {
                let together = |step: usize| {
                    matches!(
                        &steps[step].event,
                        Event::Says {
                            to: To::Everyone,
                            ..
                        }
                    )
                };
                self.check_order(&seen, together).map(|()| seen)
            });
        let seen = looked.map_err(|trouble| {
            self.difference(
                Some(first + trouble.step),
                &steps[trouble.step].to_string(),
                trouble,
            )
        })?;
        for (index, promise) in promises.into_iter().enumerate() {
            let mut heard_by = promise.outcome.heard_by;
            heard_by.retain(|who| {
                seen.iter()
                    .any(|(name, order)| name == who && order.contains(&index))
            });
            self.outcomes[first + index].heard_by = heard_by;
        }
        self.count();
        Ok(())
    }

    fn act(&mut self, step: &Step, promise: &Promise, before: &Design) -> Result<(), Trouble> {
        match step.event {
            Event::Says { .. } => {
                promise
                    .typed
                    .iter()
                    .for_each(|line| self.type_line(&step.who, line));
                Ok(())
            }
            Event::Joins if promise.outcome.why == Some(Why::ServerGone) => Ok(()),
            Event::Joins => self.arrive(&step.who),
            Event::Leaves => self.leave(&step.who, before, false),
            Event::Crashes => self.leave(&step.who, before, true),
        }
    }

    /// Waits until every screen shows what it must, and makes sure that none shows more. Gives
    /// who saw which steps (counted from the first of these), in this order.
    fn look(
        &mut self,
        speakers: &[&str],
        expected: &Expectations,
    ) -> Result<Vec<(String, Vec<usize>)>, Trouble> {
        let stage = self.stage.number;
        for (who, expected) in expected {
            let person = self
                .people
                .get_mut(who)
                .expect("promises are for those who are there");
            if !person.wait(|lines| {
                lines.iter().filter(|line| counts(stage, line)).count() >= expected.len()
            }) {
                break; // the comparison will say what is missing
            }
        }
        self.mark(speakers)?;
        let nothing = Vec::new();
        let mut seen = Vec::new();
        for (name, person) in &mut self.people {
            let lines = person.take_lines(stage);
            let expected = expected.get(name).unwrap_or(&nothing);
            let order = compare(&lines, expected, person.peer.as_deref());
            seen.push((name.clone(), order.map_err(|trouble| trouble.of(name))?));
        }
        Ok(seen)
    }

    /// In the stages 4 and 5, where all are together: rule L12.
    fn check_order(
        &self,
        seen: &[(String, Vec<usize>)],
        together: impl Fn(usize) -> bool,
    ) -> Result<(), Trouble> {
        if self.stage.number < 4 {
            return Ok(());
        }
        let orders = seen.iter().map(|(name, order)| {
            let order = order.iter().copied().filter(|step| together(*step));
            (name.clone(), order.collect())
        });
        same_order(&orders.collect::<Vec<_>>())
    }
}

/// What must appear on whose screen.
type Expectations = BTreeMap<String, Vec<Expected>>;

fn expectations(steps: &[Step], promises: &[Promise]) -> Expectations {
    let mut expected = Expectations::new();
    for (index, (step, promise)) in steps.iter().zip(promises).enumerate() {
        for (who, patterns) in &promise.seen {
            let lines = patterns.iter().map(|pattern| Expected {
                step: index,
                by: step.who.clone(),
                pattern: pattern.clone(),
            });
            expected.entry(who.clone()).or_default().extend(lines);
        }
    }
    expected
}

/// Coming and going.
impl Stagehand {
    /// Starts a client and waits until it is connected and, where there are names, known.
    fn arrive(&mut self, name: &str) -> Result<(), Trouble> {
        let client = self
            .start_client(name)
            .map_err(|error| trouble("a client process", format!("{error:#}")).of(name))?;
        let screen = Arc::clone(&client.stdout);
        let mut person = Person::new(Some(client), &screen);
        let ready = match self.stage.number {
            1 | 2 => person.wait_for_stderr("connected to"),
            3 => {
                let greeted = person.wait_for_line("You are connected from: ");
                self.people.insert(name.to_string(), person);
                greeted.map_err(|trouble| trouble.of(name))?;
                self.type_line(name, &format!("#{name}"));
                person = self.people.remove(name).expect("inserted above");
                person.wait_for_line(&format!("Your user detail saved as: {name}"))
            }
            _ => person.wait_for_line(&format!("* welcome {name}: ")),
        };
        self.people.insert(name.to_string(), person);
        ready.map_err(|trouble| trouble.of(name))?;
        match self.design.served() {
            Some(served) if served == name => self.take_the_turn(name),
            _ => Ok(()),
        }
    }

    fn start_client(&self, name: &str) -> anyhow::Result<Process> {
        let mut command = Command::new(self.stage.program()?);
        let (host, port) = (self.server.address.ip(), self.server.address.port());
        command
            .arg("client")
            .arg(host.to_string())
            .arg(port.to_string());
        match self.stage.number {
            1 | 2 => command.arg("-v"), // it says when it is connected, though nobody serves it yet
            3 => &mut command,
            _ => command.args(["--name", name]),
        };
        Process::start(name, command)
    }

    /// Stages 1 and 2: both ends learn each other's address.
    fn take_the_turn(&mut self, name: &str) -> Result<(), Trouble> {
        let Some(console) = self.design.at_the_server.clone() else {
            return Ok(());
        };
        self.learn_peer(name, &console)?;
        if self.stage.number == 2 {
            self.learn_peer(&console, name)?;
        }
        Ok(())
    }

    fn learn_peer(&mut self, from: &str, to: &str) -> Result<(), Trouble> {
        let mark = self.next_mark();
        self.type_line(from, &mark);
        let person = self.people.get_mut(to).expect("both ends are there");
        let suffix = format!(" => {mark}");
        let shows = |lines: &[String]| lines.iter().any(|line| line.ends_with(&suffix));
        if !person.wait(shows) {
            return Err(person.missing(&format!("[IP]:PORT{suffix}")).of(to));
        }
        let line = person.lines.iter().find(|line| line.ends_with(&suffix));
        let line = line.expect("waited for");
        person.peer = Some(line[..line.len() - suffix.len()].to_string());
        Ok(())
    }

    /// The arrival of one of the first people is seen by those who came before.
    fn expect_arrival(&mut self, name: &str) -> Result<(), Trouble> {
        let mut before = self.design.clone();
        before.clients.retain(|other| other != name);
        let step = Step {
            line: 0,
            who: name.to_string(),
            event: Event::Joins,
            at_once: false,
        };
        let promise = before.promise(&step);
        let expected = expectations(&[step], &[promise]);
        self.look(&[name], &expected).map(|_| ())
    }

    /// Says goodbye, or ends without a word. `before`: the design in which `name` was there.
    fn leave(&mut self, name: &str, before: &Design, without_a_word: bool) -> Result<(), Trouble> {
        let Some(mut person) = self.people.remove(name) else {
            return Ok(()); // never could join
        };
        let was_served = before.served().is_none_or(|served| served == name);
        let left = match &mut person.client {
            None => {
                self.close_the_server();
                Ok(())
            }
            Some(client) if without_a_word || !was_served => {
                client.kill(); // nobody serves who waits: only Ctrl-C helps
                Ok(())
            }
            Some(client) => {
                client.type_line("exit");
                person.transcript.push("> exit".to_string());
                person.wait_for_end()
            }
        };
        let lines = person.take_lines(self.stage.number);
        let own_notice = format!("[#lobby] * {name} left");
        let surprise = lines
            .into_iter()
            .find(|line| !line.starts_with(&own_notice));
        self.transcripts
            .push((name.to_string(), std::mem::take(&mut person.transcript)));
        left.map_err(|trouble| trouble.of(name))?;
        if let Some(line) = surprise {
            return Err(trouble("nothing more", format!("`{line}`")).of(name));
        }
        if self.stage.number == 3 {
            return self.until_unknown(name);
        }
        match self.design.served().cloned() {
            Some(next) if was_served && self.people.contains_key(&next) => {
                self.take_the_turn(&next)
            }
            _ => Ok(()),
        }
    }

    /// Stages 1 and 2: who sits at the server ends it.
    fn close_the_server(&mut self) {
        if let Some(server) = &mut self.server.process {
            server.kill();
        }
        for (name, mut person) in std::mem::take(&mut self.people) {
            person.look();
            self.transcripts.push((name, person.transcript));
        }
    }

    /// Stage 3 tells nobody that somebody has gone, but it tells who writes to them.
    fn until_unknown(&mut self, name: &str) -> Result<(), Trouble> {
        let Some(witness) = self.design.clients.front().cloned() else {
            return Ok(());
        };
        let deadline = Instant::now() + PATIENCE;
        loop {
            let probe = self.next_mark();
            self.type_line(&witness, &format!("@{name}:{probe}"));
            self.mark(&[&witness])?;
            let person = self
                .people
                .get_mut(&witness)
                .expect("a client of the design");
            let errors = person.lines.iter().position(|line| line.starts_with("! "));
            if let Some(error) = errors {
                let line = person.lines.remove(error);
                person.transcript.retain(|shown| *shown != line); // it answers us, not the person
                return Ok(());
            }
            if Instant::now() >= deadline {
                return Err(person
                    .missing(&format!("! no such user: {name}"))
                    .of(&witness));
            }
            thread::sleep(LOOK_AGAIN);
        }
    }

    /// The end of everybody's input: each client must end by itself, with status 0.
    fn part(&mut self) -> Result<(), Trouble> {
        if let Some(server) = &mut self.server.process {
            server.end_input();
        }
        let clients = self
            .people
            .values_mut()
            .filter_map(|person| person.client.as_mut());
        clients.for_each(Process::end_input);
        for (name, person) in &mut self.people {
            if person.client.is_some() {
                person.wait_for_end().map_err(|trouble| trouble.of(name))?;
            }
        }
        Ok(())
    }
}

/// Typing, marking, counting.
impl Stagehand {
    fn type_line(&mut self, who: &str, line: &str) {
        let person = self
            .people
            .get_mut(who)
            .expect("only those who are there speak");
        person.look();
        if !line.contains(MARK) {
            person.transcript.push(format!("> {line}"));
        }
        match (&mut person.client, &mut self.server.process) {
            (Some(client), _) => client.type_line(line),
            (None, Some(server)) => server.type_line(line),
            (None, None) => {}
        }
    }

    fn next_mark(&mut self) -> String {
        self.marks += 1;
        format!("{MARK}{}{MARK}", self.marks)
    }

    /// After this, whatever the lines of `speakers` have caused is on the screens.
    fn mark(&mut self, speakers: &[&str]) -> Result<(), Trouble> {
        for round in self.design.mark_rounds(speakers) {
            let mut expected = Vec::new();
            for speaker in round {
                for (line, hearers) in self.design.mark_lines(&speaker) {
                    let mark = self.next_mark();
                    self.type_line(&speaker, &line.replace(MARK, &mark));
                    expected.extend(hearers.into_iter().map(|hearer| (hearer, mark.clone())));
                }
            }
            for (hearer, mark) in expected {
                let person = self.people.get_mut(&hearer).expect("who hears is there");
                if !person.wait(|lines| lines.iter().any(|line| line.ends_with(&mark))) {
                    return Err(person.missing(&mark).of(&hearer));
                }
            }
        }
        Ok(())
    }

    fn count(&mut self) {
        let Some(server) = &self.server.process else {
            return;
        };
        self.threads = self.threads.max(threads(server.id()));
        let (served, waiting) = connections(self.server.address.port()).unwrap_or_default();
        self.served = self.served.max(served);
        self.waiting = self.waiting.max(waiting);
    }

    fn difference(&self, step: Option<usize>, line: &str, trouble: Trouble) -> Box<Difference> {
        let mut output = String::new();
        if let Some(server) = &self.server.process {
            output.push_str(&server.last_words(LAST_LINES));
        }
        let client = self
            .people
            .get(&trouble.who)
            .and_then(|person| person.client.as_ref());
        output.push_str(&client.map_or(String::new(), |client| client.last_words(LAST_LINES)));
        Box::new(Difference {
            step,
            line: line.to_string(),
            who: trouble.who,
            expected: trouble.expected,
            seen: trouble.seen,
            output,
        })
    }

    fn result(mut self, difference: Option<Box<Difference>>) -> Played {
        for (name, person) in &mut self.people {
            person.look();
            self.transcripts
                .push((name.clone(), std::mem::take(&mut person.transcript)));
        }
        Played {
            stage: self.stage,
            outcomes: self.outcomes,
            threads: self.threads,
            served: self.served,
            waiting: self.waiting,
            difference,
            transcripts: self.transcripts,
        }
    }
}
