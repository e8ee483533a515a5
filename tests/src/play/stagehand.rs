//! Plays a conversation on one stage: a server process, a client process for each person, and
//! somebody who types into them and looks at their screens.
//!
//! Nothing here sleeps and hopes. What must be seen is waited for. That nothing else was seen is
//! found out by marks: whoever has spoken types one more line, and so does a witness who has
//! seen it; lines of one sender arrive in order (rule L12), so whatever the servers made of the
//! step is on the screens before the marks are.

use super::promise::{Design, Outcome, Pattern};
use super::{Difference, Played};
use crate::conversation::{Conversation, Event, MARK, Step};
use crate::process::{PATIENCE, Process, Screen, Server};
use crate::stage::Stage;
use std::collections::{BTreeMap, VecDeque};
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

struct Person {
    /// `None`: this person sits at the server.
    client: Option<Process>,
    screen: Arc<Screen>,
    /// How many lines of the screen were looked at.
    looked_at: usize,
    /// Of them, those that belong to no step yet.
    lines: Vec<String>,
    /// `[IP]:PORT` of the other end of the connection, in the stages 1 and 2.
    peer: Option<String>,
    transcript: Vec<String>,
}

/// What went otherwise than promised.
struct Trouble {
    who: String,
    expected: String,
    seen: String,
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
    ) -> Result<(), Difference> {
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
    fn perform(&mut self, first: usize, steps: &[Step]) -> Result<(), Difference> {
        let mut expected: BTreeMap<String, Vec<Expected>> = BTreeMap::new();
        let mut promised = Vec::new();
        for (index, step) in steps.iter().enumerate() {
            let before = self.design.clone();
            let promise = self.design.promise(step);
            for (who, patterns) in promise.seen {
                let by = &step.who;
                let patterns = patterns
                    .into_iter()
                    .map(|pattern| Expected::new(index, by, pattern));
                expected.entry(who).or_default().extend(patterns);
            }
            let mut outcome = promise.outcome.clone();
            promised.push((index, std::mem::take(&mut outcome.heard_by))); // until it is seen
            self.outcomes.push(outcome);
            let acted = match step.event {
                Event::Says { .. } => {
                    promise
                        .typed
                        .iter()
                        .for_each(|line| self.type_line(&step.who, line));
                    Ok(())
                }
                Event::Joins if promise.outcome.why == Some(super::promise::Why::ServerGone) => {
                    Ok(())
                }
                Event::Joins => self.arrive(&step.who),
                Event::Leaves => self.leave(&step.who, &before, false),
                Event::Crashes => self.leave(&step.who, &before, true),
            };
            acted.map_err(|trouble| {
                self.difference(Some(first + index), &step.to_string(), trouble)
            })?;
        }
        let speakers: Vec<&str> = steps.iter().map(|step| step.who.as_str()).collect();
        let looked = self.look(&speakers, &expected);
        let heard = looked.map_err(|(index, trouble)| {
            self.difference(Some(first + index), &steps[index].to_string(), trouble)
        })?;
        for (outcome, (index, promised)) in self.outcomes[first..].iter_mut().zip(promised) {
            let heard_it = |who: &String| heard.contains(&(index, who.clone()));
            outcome.heard_by = promised.into_iter().filter(heard_it).collect();
        }
        self.count();
        Ok(())
    }

    /// Waits until every screen shows what it must, and makes sure that none shows more. Gives
    /// which step (counted from the first of these) was heard by whom.
    fn look(
        &mut self,
        speakers: &[&str],
        expected: &BTreeMap<String, Vec<Expected>>,
    ) -> Result<Vec<(usize, String)>, (usize, Trouble)> {
        for (who, expected) in expected {
            let person = self
                .people
                .get_mut(who)
                .expect("promises are for those who are there");
            let count = expected.len();
            person.wait(|lines| lines.iter().filter(|line| !line.contains(MARK)).count() >= count);
        }
        self.mark(speakers).map_err(|trouble| (0, trouble))?;
        let nothing = Vec::new();
        let mut heard = Vec::new();
        let mut orders = Vec::new();
        for (name, person) in &mut self.people {
            let lines = person.take_lines(self.stage.number);
            let expected = expected.get(name).unwrap_or(&nothing);
            let order = compare(name, &lines, expected, person.peer.as_deref())?;
            heard.extend(order.iter().map(|index| (*index, name.clone())));
            orders.push((name.clone(), order));
        }
        if self.stage.number >= 4 {
            same_order(&orders)?; // rule L12 promises it within one room
        }
        Ok(heard)
    }
}

/// A line that a step must bring to a screen.
struct Expected {
    index: usize,
    by: String,
    pattern: Pattern,
}

impl Expected {
    fn new(index: usize, by: &str, pattern: Pattern) -> Expected {
        let by = by.to_string();
        Expected { index, by, pattern }
    }
}

/// Which steps the lines belong to, in their order. Lines of one speaker come in the order in
/// which they were said; those of several may mix.
fn compare(
    who: &str,
    lines: &[String],
    expected: &[Expected],
    peer: Option<&str>,
) -> Result<Vec<usize>, (usize, Trouble)> {
    let mut order = Vec::new();
    let mut missing: VecDeque<&Expected> = expected.iter().collect();
    let index_of = |missing: &VecDeque<&Expected>| missing.front().map_or(0, |next| next.index);
    let trouble = |expected: String, seen: String| Trouble {
        who: who.to_string(),
        expected,
        seen,
    };
    for line in lines {
        let is_next = |at: usize| {
            !missing
                .iter()
                .take(at)
                .any(|other| other.by == missing[at].by)
        };
        let found =
            (0..missing.len()).find(|at| is_next(*at) && missing[*at].pattern.matches(line, peer));
        let Some(found) = found else {
            let next = missing
                .front()
                .map_or("nothing (more)".to_string(), |next| {
                    format!("`{}`", next.pattern)
                });
            return Err((index_of(&missing), trouble(next, format!("`{line}`"))));
        };
        order.extend(missing.remove(found).map(|expected| expected.index));
    }
    match missing.front() {
        Some(next) => Err((
            next.index,
            trouble(format!("`{}`", next.pattern), "nothing".to_string()),
        )),
        None => Ok(order),
    }
}

/// Any two people see what both see in the same order.
fn same_order(orders: &[(String, Vec<usize>)]) -> Result<(), (usize, Trouble)> {
    for (at, (one, first)) in orders.iter().enumerate() {
        for (other, second) in &orders[at + 1..] {
            let common = |order: &[usize], with: &[usize]| -> Vec<usize> {
                order
                    .iter()
                    .filter(|index| with.contains(index))
                    .copied()
                    .collect()
            };
            let (first, second) = (common(first, second), common(second, first));
            if let Some((expected, seen)) = first.iter().zip(&second).find(|(a, b)| a != b) {
                return Err((
                    *expected,
                    Trouble {
                        who: other.clone(),
                        expected: format!(
                            "the lines in the order in which {one} saw them, this one first"
                        ),
                        seen: format!(
                            "first what was said {} lines further on",
                            seen.abs_diff(*expected)
                        ),
                    },
                ));
            }
        }
    }
    Ok(())
}

/// Coming and going.
impl Stagehand {
    /// Starts a client and waits until it is connected and, where there are names, known.
    fn arrive(&mut self, name: &str) -> Result<(), Trouble> {
        let client = self.start_client(name).map_err(|error| Trouble {
            who: name.to_string(),
            expected: "a client process".to_string(),
            seen: format!("{error:#}"),
        })?;
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
        let seen = before.promise(&step).seen.into_iter();
        let expected = seen.map(|(who, patterns)| {
            let patterns = patterns
                .into_iter()
                .map(|pattern| Expected::new(0, name, pattern));
            (who, patterns.collect())
        });
        let looked = self.look(&[name], &expected.collect());
        looked.map(|_| ()).map_err(|(_, trouble)| trouble)
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
            return Err(person.unexpected(&line).of(name));
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
        for round in self.rounds(speakers) {
            let mut sent = Vec::new();
            for speaker in round {
                for line_to in self.mark_lines(&speaker) {
                    let mark = self.next_mark();
                    self.type_line(&speaker, &line_to.0.replace(MARK, &mark));
                    sent.push((line_to.1, mark));
                }
            }
            for (hearers, mark) in sent {
                for hearer in hearers {
                    let person = self.people.get_mut(&hearer).expect("who hears is there");
                    if !person.wait(|lines| lines.iter().any(|line| line.ends_with(&mark))) {
                        return Err(person.missing(&mark).of(&hearer));
                    }
                }
            }
        }
        Ok(())
    }

    /// Who marks, one round after the other. In the stages 3 to 5 the last to mark is a witness
    /// who has seen the speakers' marks: what they caused on the speakers' own screens is there.
    fn rounds(&self, speakers: &[&str]) -> Vec<Vec<String>> {
        let clients: Vec<String> = self.design.clients.iter().cloned().collect();
        if self.stage.number <= 2 {
            let ends = self.design.served().zip(self.design.at_the_server.as_ref());
            return ends
                .map(|(a, b)| vec![vec![a.clone()], vec![b.clone()]])
                .unwrap_or_default();
        }
        let mut speakers: Vec<String> = clients
            .iter()
            .filter(|name| speakers.contains(&name.as_str()))
            .cloned()
            .collect();
        let mut rounds = Vec::new();
        if let [speaker] = &speakers[..] {
            let witness = clients.iter().find(|name| *name != speaker).cloned();
            return vec![vec![speaker.clone()], witness.into_iter().collect()];
        }
        speakers.dedup();
        rounds.push(speakers);
        rounds.extend(clients.into_iter().take(2).map(|witness| vec![witness]));
        rounds
    }

    /// What `speaker` types to mark, and who sees it.
    fn mark_lines(&self, speaker: &str) -> Vec<(String, Vec<String>)> {
        let clients = self.design.clients.iter();
        match self.stage.number {
            1 | 2 => {
                let hearer = match self.design.at_the_server.as_deref() == Some(speaker) {
                    true if self.stage.number == 1 => return Vec::new(),
                    true => self.design.served(),
                    false => self.design.at_the_server.as_ref(),
                };
                vec![(MARK.to_string(), hearer.into_iter().cloned().collect())]
            }
            3 => clients
                .map(|name| (format!("@{name}:{MARK}"), vec![name.clone()]))
                .collect(),
            _ => {
                let others = clients.filter(|name| *name != speaker).cloned();
                vec![(MARK.to_string(), others.collect())]
            }
        }
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

    fn difference(&self, step: Option<usize>, line: &str, trouble: Trouble) -> Difference {
        let mut output = String::new();
        if let Some(server) = &self.server.process {
            output.push_str(&server.last_words(LAST_LINES));
        }
        let client = self
            .people
            .get(&trouble.who)
            .and_then(|person| person.client.as_ref());
        output.push_str(&client.map_or(String::new(), |client| client.last_words(LAST_LINES)));
        Difference {
            step,
            line: line.to_string(),
            who: trouble.who,
            expected: trouble.expected,
            seen: trouble.seen,
            output,
        }
    }

    fn result(mut self, difference: Option<Difference>) -> Played {
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

impl Person {
    fn new(client: Option<Process>, screen: &Arc<Screen>) -> Person {
        Person {
            client,
            screen: Arc::clone(screen),
            looked_at: 0,
            lines: Vec::new(),
            peer: None,
            transcript: Vec::new(),
        }
    }

    /// Takes over what is new on the screen.
    fn look(&mut self) {
        let screen = Arc::clone(&self.screen);
        self.take_over(&screen.lock().lines);
    }

    fn take_over(&mut self, lines: &[String]) {
        let new = &lines[self.looked_at.min(lines.len())..];
        self.looked_at += new.len();
        self.lines.extend_from_slice(new);
        let shown = new.iter().filter(|line| !line.contains(MARK)).cloned();
        self.transcript.extend(shown);
    }

    /// Until the lines that belong to no step yet are as `seen` wants them.
    fn wait(&mut self, seen: impl Fn(&[String]) -> bool) -> bool {
        let screen = Arc::clone(&self.screen);
        let found = screen.wait(PATIENCE, |state| {
            self.take_over(&state.lines);
            seen(&self.lines).then_some(())
        });
        found.is_some()
    }

    /// Until a line begins so; it and those before it are done with.
    fn wait_for_line(&mut self, beginning: &str) -> Result<(), Trouble> {
        if !self.wait(|lines| lines.iter().any(|line| line.starts_with(beginning))) {
            return Err(self.missing(&format!("{beginning}...")));
        }
        let at = self
            .lines
            .iter()
            .position(|line| line.starts_with(beginning));
        self.lines.drain(..=at.expect("waited for"));
        Ok(())
    }

    fn wait_for_stderr(&mut self, text: &str) -> Result<(), Trouble> {
        let client = self.client.as_ref().expect("a client");
        let shows = client.stderr.wait(PATIENCE, |state| {
            state
                .lines
                .iter()
                .any(|line| line.contains(text))
                .then_some(())
        });
        shows.ok_or_else(|| self.missing(&format!("...{text}... on stderr")))
    }

    /// Until its client has ended, as it should: by itself and content.
    fn wait_for_end(&mut self) -> Result<(), Trouble> {
        let client = self.client.as_mut().expect("a client");
        let status = client.wait(PATIENCE);
        self.wait(|_| false); // returns at the end of the stream
        let seen = match status {
            Some(status) if status.success() => return Ok(()),
            Some(status) => status.to_string(),
            None => "it still runs".to_string(),
        };
        let expected = "the client ends with exit status 0".to_string();
        Err(Trouble {
            who: String::new(),
            expected,
            seen,
        })
    }

    /// The lines that belong to the steps just played.
    fn take_lines(&mut self, stage: u8) -> Vec<String> {
        let lines = std::mem::take(&mut self.lines);
        lines
            .into_iter()
            .filter(|line| counts(stage, line))
            .collect()
    }

    fn missing(&self, expected: &str) -> Trouble {
        let last = self.lines.last();
        Trouble {
            who: String::new(),
            expected: format!("`{expected}`"),
            seen: last.map_or("nothing".to_string(), |line| {
                format!("last of all `{line}`")
            }),
        }
    }

    fn unexpected(&self, line: &str) -> Trouble {
        Trouble {
            who: String::new(),
            expected: "nothing (more)".to_string(),
            seen: format!("`{line}`"),
        }
    }
}

impl Trouble {
    fn of(self, who: &str) -> Trouble {
        let who = who.to_string();
        Trouble { who, ..self }
    }
}

/// Whether a line is part of the conversation. Servers may say more than they must: on a console
/// all lines but messages are their own affair, in stage 5 the `* ` lines.
fn counts(stage: u8, line: &str) -> bool {
    match stage {
        _ if line.contains(MARK) => false,
        1 | 2 => line.contains(" => "),
        5 => !line.starts_with("* "),
        _ => true,
    }
}

/// How many threads the process has, where the system tells.
fn threads(process: u32) -> Option<usize> {
    let status = std::fs::read_to_string(format!("/proc/{process}/status")).ok()?;
    let threads = status
        .lines()
        .find_map(|line| line.strip_prefix("Threads:"))?;
    threads.trim().parse().ok()
}

/// How many connections of the server on this port were accepted, and how many wait for it,
/// where the system tells. Columns of `/proc/net/tcp`: 1 the own address, 3 the state (01:
/// established), 9 the socket's inode, which is 0 until the server has accepted it.
fn connections(port: u16) -> Option<(usize, usize)> {
    let table = std::fs::read_to_string("/proc/net/tcp").ok()?;
    let own = format!(":{port:04X}");
    let rows = table
        .lines()
        .map(|line| line.split_whitespace().collect::<Vec<_>>());
    let established = rows.filter(|row| row.len() > 9 && row[1].ends_with(&own) && row[3] == "01");
    let (served, waiting): (Vec<_>, Vec<_>) = established.partition(|row| row[9] != "0");
    Some((served.len(), waiting.len()))
}
