//! Coming and going: clients are started, made known to the server, and end.

use super::{Stagehand, expectations};
use crate::conversation::{Event, Step};
use crate::patience::Patience;
use crate::play::compare::Trouble;
use crate::play::person::{Person, trouble};
use crate::play::promise::Design;
use crate::process::{PATIENCE, Process};
use crate::work::Worker;
use std::process::Command;
use std::sync::Arc;

impl Stagehand {
    /// Starts a client and waits until it is connected and, where there are names, known.
    pub(super) fn arrive(&mut self, name: &str) -> Result<(), Trouble> {
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
        command.arg("client").arg(host.to_string()).arg(port.to_string());
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
    pub(super) fn expect_arrival(&mut self, name: &str) -> Result<(), Trouble> {
        let mut before = self.design.clone();
        before.clients.retain(|other| other != name);
        let step = Step { line: 0, who: name.to_string(), event: Event::Joins, at_once: false };
        let promise = before.promise(&step);
        let expected = expectations(&[step], &[promise]);
        self.look(&[name], &expected).map(|_| ())
    }

    /// Says goodbye, or ends without a word. `before`: the design in which `name` was there.
    pub(super) fn leave(
        &mut self,
        name: &str,
        before: &Design,
        without_a_word: bool,
    ) -> Result<(), Trouble> {
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
        let surprise = lines.into_iter().find(|line| !line.starts_with(&own_notice));
        self.transcripts.push((name.to_string(), std::mem::take(&mut person.transcript)));
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
        let mut patience = Patience::new(Worker::default(), PATIENCE);
        loop {
            let probe = self.next_mark();
            self.type_line(&witness, &format!("@{name}:{probe}"));
            self.mark(&[&witness])?;
            let person = self.people.get_mut(&witness).expect("a client of the design");
            let errors = person.lines.iter().position(|line| line.starts_with("! "));
            if let Some(error) = errors {
                let line = person.lines.remove(error);
                person.transcript.retain(|shown| *shown != line); // it answers us, not the person
                return Ok(());
            }
            if !patience.pause() {
                return Err(person.missing(&format!("! no such user: {name}")).of(&witness));
            }
        }
    }

    /// The end of everybody's input: each client must end by itself, with status 0.
    pub(super) fn part(&mut self) -> Result<(), Trouble> {
        if let Some(server) = &mut self.server.process {
            server.end_input();
        }
        let clients = self.people.values_mut().filter_map(|person| person.client.as_mut());
        clients.for_each(Process::end_input);
        for (name, person) in &mut self.people {
            if person.client.is_some() {
                person.wait_for_end().map_err(|trouble| trouble.of(name))?;
            }
        }
        Ok(())
    }
}
