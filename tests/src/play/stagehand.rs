//! Plays a conversation on one stage: a server process, a client process for each person, and
//! somebody who types into them and looks at their screens.
//!
//! Nothing here sleeps and hopes. What must be seen is waited for; that nothing else was seen is
//! found out by marks (`marks.rs`).

mod arrivals;

use super::compare::{Expected, Trouble, compare, same_order};
use super::measure::{connections, threads};
use super::person::{Person, counts};
use super::promise::{Design, Outcome, Promise, Why};
use super::{Difference, Played};
use crate::conversation::{Conversation, Event, MARK, Step};
use crate::process::Server;
use crate::stage::Stage;
use std::collections::BTreeMap;

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
            let at_once = conversation.steps[next + 1..].iter().take_while(|step| step.at_once);
            let steps = &conversation.steps[next..=next + at_once.count()];
            self.perform(next, steps)?;
            next += steps.len();
            tell(next);
        }
        self.part().map_err(|trouble| self.difference(None, "after the last line", trouble))
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
        let looked = self.look(&speakers, &expectations(steps, &promises));
        let looked = looked.and_then(|seen| self.check_order(steps, &seen).map(|()| seen));
        let seen = looked.map_err(|trouble| {
            self.difference(Some(first + trouble.step), &steps[trouble.step].to_string(), trouble)
        })?;
        for (index, promise) in promises.into_iter().enumerate() {
            let mut heard_by = promise.outcome.heard_by;
            heard_by.retain(|who| {
                seen.iter().any(|(name, order)| name == who && order.contains(&index))
            });
            self.outcomes[first + index].heard_by = heard_by;
        }
        self.count();
        Ok(())
    }

    fn act(&mut self, step: &Step, promise: &Promise, before: &Design) -> Result<(), Trouble> {
        match step.event {
            Event::Says { .. } => {
                promise.typed.iter().for_each(|line| self.type_line(&step.who, line));
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
            let person = self.people.get_mut(who).expect("promises are for those who are there");
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

    /// In the stages 4 and 5, where all hear what is said to everyone: rule L12.
    fn check_order(&self, steps: &[Step], seen: &[(String, Vec<usize>)]) -> Result<(), Trouble> {
        if self.stage.number < 4 {
            return Ok(());
        }
        let mut orders = seen.to_vec();
        for (_, order) in &mut orders {
            order.retain(|step| steps[*step].is_said_to_everyone());
        }
        same_order(&orders)
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

/// Typing, marking, counting.
impl Stagehand {
    fn type_line(&mut self, who: &str, line: &str) {
        let person = self.people.get_mut(who).expect("only those who are there speak");
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
        let client = self.people.get(&trouble.who).and_then(|person| person.client.as_ref());
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
            self.transcripts.push((name.clone(), std::mem::take(&mut person.transcript)));
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
