//! What a check has in its hands: a server of its own, people to play, a log, and chance.

use super::outcome::{Label, Outcome, Trouble, fail, inconclusive, wrong};
use super::person::{Heard, Log};
use super::quirks::{self, Quirks};
use super::run::LAST_BREATH;
use super::target::StartOptions;
use super::{Person, Protocol, Target, difference};
use crate::patience::{LOOK_AGAIN, Patience};
use crate::peer::Peer;
use crate::process::{Process, Server};
use crate::resources::Usage;
use crate::work::{State, Worker};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// How long a check waits for what must come, in the first attempt and in the second.
pub const PATIENCE: [Duration; 2] = [Duration::from_secs(3), Duration::from_secs(10)];

/// Where the system does not tell whether a server rests, it is taken to rest after this time.
const A_MOMENT: Duration = Duration::from_millis(100);

/// The hard end of a check, by the clock: after that nothing is waited for.
const CHECK_MAX: Duration = Duration::from_secs(600);

/// So often in a row a program must rest before it has seen what was done.
const TIMES_AT_REST: usize = 3;

#[derive(Debug)]
pub struct Context<'a> {
    pub target: &'a Target,
    pub protocol: Protocol,
    /// Arguments that every server gets: those that switch the limits of S5.9 off.
    pub arguments: &'a [String],
    pub random: fastrand::Rng,
    pub seed: u64,
    pub patience: Duration,
    pub log: Log,
    /// How the program speaks where it speaks wrongly.
    pub quirks: Quirks,
    /// Nothing is waited for after that.
    pub end: Option<Instant>,
    /// The rules that the exercise asks for; empty: all.
    pub judged: Vec<&'static str>,
    server: Option<Server>,
    /// Put behind names where other checks use the same server.
    suffix: String,
}

impl<'a> Context<'a> {
    pub fn new(
        target: &'a Target,
        protocol: Protocol,
        arguments: &'a [String],
        seed: u64,
        attempt: usize,
        suffix: String,
    ) -> Context<'a> {
        Context {
            target,
            protocol,
            arguments,
            random: fastrand::Rng::with_seed(seed),
            seed,
            patience: PATIENCE[attempt.min(1)],
            log: Log::default(),
            quirks: Quirks::default(),
            end: Some(Instant::now() + CHECK_MAX),
            judged: Vec::new(),
            server: None,
            suffix,
        }
    }

    /// Whether the exercise asks for this rule. What rests on another rule is left out of a check,
    /// or done in another way: nobody fails for what the page of the exercise does not list.
    pub fn judges(&self, rule: &str) -> bool {
        self.judged.is_empty() || self.judged.contains(&rule)
    }

    /// A line that this server must answer with an error, from one who has a name.
    pub fn bad_line(&self) -> Option<String> {
        let rule = match self.protocol {
            Protocol::Select => "S3.4",
            Protocol::Rooms => "S5.5",
            _ => "L3",
        };
        self.judges(rule).then(|| self.protocol.bad_line())
    }

    /// Notes what is done next.
    pub fn step(&self, step: impl Into<String>) {
        self.log.add(step);
    }

    /// The server, started at the first use.
    pub fn server(&mut self) -> Outcome<&mut Server> {
        if self.server.is_none() {
            self.start(StartOptions::default())?;
        }
        Ok(self.server.as_mut().expect("started above"))
    }

    /// Starts the server in a special way; what ran before is ended.
    pub fn start(&mut self, options: StartOptions) -> Outcome<&mut Server> {
        self.server = None;
        let arguments = with_flags(self.arguments, options.arguments);
        let started = self.target.start_server(StartOptions { arguments: &arguments, ..options });
        // That it does not start is the program's fault, and the check that says so is its own.
        let server = started.map_err(|error| wrong(format!("{error:#}")))?;
        Ok(self.server.insert(server))
    }

    /// Starts the server with flags, if it can be told any.
    pub fn start_with_flags(&mut self, flags: &[&str]) -> Outcome {
        if !self.target.takes_flags() {
            return Err(Trouble::Skipped(format!(
                "the server must be started with {}: write {{flags}} where your command takes flags",
                flags.join(" ")
            )));
        }
        self.step(format!("the server is started with {}", flags.join(" ")));
        self.start(StartOptions { arguments: flags, ..StartOptions::default() }).map(drop)
    }

    /// The server's process, for checks with `needs_process`.
    pub fn process(&mut self) -> Outcome<&mut Process> {
        let server = self.server()?;
        let process = server.process.as_mut();
        process.ok_or_else(|| Trouble::Inconclusive("there is no process to look at".to_string()))
    }

    pub fn address(&mut self) -> Outcome<SocketAddr> {
        Ok(self.server()?.address)
    }

    /// The name that the person called `name` uses: on a server that other checks use as well,
    /// one that nobody else has.
    pub fn name(&self, name: &str) -> String {
        format!("{name}{}", self.suffix)
    }

    /// For exercises about clients: starts the client and is the server that it connects to.
    /// Gives the server's end of the connection; the client is the process from here on.
    pub fn serves_the_client(&mut self) -> Outcome<Person> {
        let listener = std::net::TcpListener::bind("127.0.0.1:0")?;
        let address = listener.local_addr()?;
        self.step(format!("the client is started for a server on {address}"));
        let command = self.target.client_command(address.port())?;
        let process = Process::start("client", command)?;
        self.server = Some(Server { address, process: Some(process) });
        listener.set_nonblocking(true)?;
        let mut patience = self.new_patience();
        let socket = loop {
            match listener.accept() {
                Ok((socket, _)) => break socket,
                Err(_) if self.process()?.is_running() && patience.pause() => {}
                Err(_) => return Err(wrong("the client does not connect").after(patience.over())),
            }
        };
        socket.set_nonblocking(false)?;
        socket.set_nodelay(true)?;
        Ok(self.person("the server".to_string(), Peer::on("the server", socket)))
    }

    fn person(&self, name: String, mut peer: Peer) -> Person {
        peer.worker = self.worker();
        Person {
            name,
            peer,
            protocol: self.protocol,
            patience: self.patience,
            log: self.log.clone(),
            quirks: self.quirks,
            said: Vec::new(),
        }
    }

    /// A connection, and not a byte read from it.
    pub fn dials(&mut self, name: &str) -> Outcome<Person> {
        self.dials_with(name, None)
    }

    /// As `dials`, with a receive buffer of about so many bytes.
    pub fn dials_with(&mut self, name: &str, receive_buffer: Option<usize>) -> Outcome<Person> {
        let address = self.address()?;
        let name = self.name(name);
        self.step(format!("{name} connects"));
        let peer = Peer::connect_with(&name, address, receive_buffer);
        let peer = peer.map_err(|error| self.cannot_connect(&error))?;
        Ok(self.person(name, peer))
    }

    fn cannot_connect(&mut self, error: &anyhow::Error) -> Trouble {
        if let Ok(process) = self.process()
            && !process.is_running()
        {
            return wrong("the server has ended").got(process.last_words(5));
        }
        wrong(format!("{error:#}")).late()
    }

    /// A connection that has been greeted.
    pub fn connects(&mut self, name: &str) -> Outcome<Person> {
        let mut person = self.dials(name)?;
        self.greets(&mut person)?;
        Ok(person)
    }

    /// The greeting must come.
    pub fn greets(&self, person: &mut Person) -> Outcome {
        let first = match self.quirks.own_words {
            true => person.next_of_any_kind(&mut person.new_patience()), // what it says may look like a notice
            false => person.next(),
        };
        match first {
            Heard::Line(line) if self.protocol.is_greeting(&line) => Ok(()),
            Heard::Line(_) if self.quirks.bare || self.quirks.own_words => Ok(()),
            Heard::Line(line) => Err(wrong(format!("{} was not greeted", person.name))
                .expected(self.protocol.greeting())
                .got(line)),
            other => {
                let mut expected = self.protocol.greeting().to_string();
                if let Heard::Nothing(partial) = &other
                    && let Ok(text) = std::str::from_utf8(partial)
                    && self.protocol.is_greeting(text)
                {
                    expected = format!("{text}\n"); // with the address that it has said
                }
                let missing = person.missing(&expected, other);
                Err(missing).because("a newcomer must be greeted")
            }
        }
    }

    /// Somebody who has a name: connected, greeted, registered, and acknowledged.
    pub fn joins(&mut self, name: &str) -> Outcome<Person> {
        let mut person = self.connects(name)?;
        self.registers(&mut person)?;
        Ok(person)
    }

    /// As `joins`, with a small receive buffer.
    pub fn joins_with(&mut self, name: &str, receive_buffer: usize) -> Outcome<Person> {
        let mut person = self.dials_with(name, Some(receive_buffer))?;
        self.greets(&mut person)?;
        self.registers(&mut person)?;
        Ok(person)
    }

    /// Gives the name, waits for the acknowledgement.
    pub fn registers(&self, person: &mut Person) -> Outcome {
        let name = person.name.clone();
        person.line(&self.protocol.registration(&name))?;
        if self.quirks.mute {
            let patience = std::mem::replace(&mut person.patience, quirks::SILENCE);
            quirks::until_silence(person);
            person.patience = patience;
            return Ok(());
        }
        let welcome = self.protocol.welcome(&name);
        let mut patience = person.new_patience();
        loop {
            match person.next_of_any_kind(&mut patience) {
                Heard::Line(line) if line.starts_with(&welcome) => return Ok(()),
                // After a name that was refused; whether it must come is the matter of S4.2.
                Heard::Line(line) if self.protocol.is_greeting(&line) => {}
                Heard::Line(line) if self.quirks.own_words && !line.starts_with("! ") => {
                    return Ok(());
                }
                Heard::Line(line) if self.protocol.is_notice(&line) => {}
                Heard::Line(line) => {
                    return Err(wrong(format!("{name} was not accepted"))
                        .differs(welcome.as_bytes(), line.as_bytes()));
                }
                other => {
                    return Err(person.missing(&welcome, other))
                        .because(format!("{name} was not accepted"));
                }
            }
        }
    }

    /// Whether `line` acknowledges the name: in this program's own words, if it has some.
    pub fn is_welcome(&self, line: &str, name: &str) -> bool {
        let own = !line.starts_with("! ") && !self.protocol.is_greeting(line);
        line.starts_with(&self.protocol.welcome(name)) || (self.quirks.own_words && own)
    }

    /// alice and bob, registered.
    pub fn two(&mut self) -> Outcome<(Person, Person)> {
        self.two_named("alice", "bob")
    }

    /// Two people, registered; the second was there first.
    pub fn two_named(&mut self, first: &str, second: &str) -> Outcome<(Person, Person)> {
        let second = self.joins(second)?;
        Ok((self.joins(first)?, second))
    }

    /// After a refused name: S4 and S5 ask again with `NICK`, S3 does not.
    pub fn asks_again(&self, person: &mut Person) -> Outcome {
        match self.protocol {
            Protocol::Threads | Protocol::Rooms if self.judges("S4.2") => {
                person.hears_line("NICK").because("a refused name is asked for again")
            }
            _ => Ok(()),
        }
    }

    /// Waits until the server has noticed that `name` has left: in S3 its name is unknown then,
    /// in the others `witness` hears it. `asker` is somebody else who may ask.
    /// Where the exercise asks for neither, until the server has nothing more to do.
    pub fn is_gone(&mut self, name: &str, asker: &mut Person, witness: &mut Person) -> Outcome {
        match self.protocol {
            Protocol::Select if self.judges("S3.4") => self.is_unknown(name, asker),
            Protocol::Threads if !self.judges("S4.5") => self.is_at_rest(),
            Protocol::Rooms if !self.judges("S5.3") => self.is_at_rest(),
            Protocol::Select => self.is_at_rest(),
            _ => {
                let left = format!("* {name} left");
                witness
                    .hears_notice(&format!("`{left}`"), |line| line.contains(&left))
                    .means("leave-not-announced", "the others must be told who left")
                    .map(drop)
            }
        }
    }

    /// A server that is only known by its address gets a moment.
    fn is_at_rest(&mut self) -> Outcome {
        std::thread::sleep(LOOK_AGAIN);
        (0..TIMES_AT_REST).for_each(|_| self.until_at_rest());
        Ok(())
    }

    fn is_unknown(&self, name: &str, asker: &mut Person) -> Outcome {
        let mut patience = self.new_patience();
        let own_name = asker.name.clone();
        self.step(format!("{own_name} asks for {name} until that name is unknown"));
        loop {
            // A line to oneself ends the wait for an answer that does not come.
            asker.send_silently(format!("@{name}:are you there?\n").as_bytes())?;
            asker.send_silently(format!("@{own_name}:next\n").as_bytes())?;
            let unknown = match asker.next() {
                Heard::Line(line) if line.starts_with("! ") => true,
                Heard::Line(_) => false,
                other => {
                    let message = format!("{name} has left, and a line to it is not answered");
                    return Err(asker.missing("! ...\n", other)).means("ghost-user", message);
                }
            };
            if unknown {
                asker.next(); // the line to oneself
                return Ok(());
            }
            if !patience.pause() {
                self.must_answer(asker)?;
                let message = format!("{name} has left, and is still known");
                return Err(fail("ghost-user", message).after(patience.over()));
            }
        }
    }

    /// A server that answers no mistake at all cannot tell that somebody has gone.
    fn must_answer(&self, asker: &mut Person) -> Outcome {
        let own_name = asker.name.clone();
        asker.send(format!("@nobody-at-all:hi\n@{own_name}:next\n").as_bytes())?;
        match asker.next() {
            Heard::Line(line) if line.starts_with("! ") => {
                asker.next(); // the line to oneself
                Ok(())
            }
            _ => Err(fail("silent-error", "an unknown user must be answered with an error")),
        }
    }

    /// Waits until the server has seen everything that `person` sent before: by a line that
    /// `person` sends now and that comes back to `other`. What `other` heard in between is
    /// wrong: nothing was to come.
    pub fn nothing_before_a_marker(&mut self, person: &mut Person, other: &mut Person) -> Outcome {
        let marker = format!("marker-{}", self.random.u32(..));
        let name = other.name.clone();
        person.says(&name, &marker)?;
        let from = person.name.clone();
        // What did come stands in the way; nothing at all is another matter.
        let heard = other.hears(&from, &marker);
        match &heard {
            Err(Trouble::Wrong(finding) | Trouble::Late(finding)) if finding.got == "nothing" => {
                heard.because(format!("a line that {from} sent later did not arrive"))
            }
            _ => heard.because("something came that should not"),
        }
    }

    /// What the server and its children use.
    pub fn usage(&mut self) -> Outcome<Usage> {
        let id = self.process()?.id();
        let usage = crate::resources::of_group(id);
        usage.ok_or_else(|| inconclusive("this system does not tell what a process uses"))
    }

    /// What only came late in it is tried once more.
    pub fn is_first_attempt(&self) -> bool {
        self.patience == PATIENCE[0]
    }

    /// Waits until the server has nothing more to do, or has had the time to do it.
    pub fn until_at_rest(&mut self) {
        if self.worker().state(1) == State::Unknown {
            std::thread::sleep(A_MOMENT);
        }
        let mut patience = Patience::until_at_rest(self.worker(), self.patience);
        while patience.pause() {}
    }

    /// To wait for one thing.
    pub fn new_patience(&self) -> Patience {
        Patience::new(self.worker(), self.patience)
    }

    /// The program, to see whether it works.
    pub fn worker(&self) -> Worker {
        let process = self.server.as_ref().and_then(|server| server.process.as_ref());
        let worker = process.map(Process::worker).unwrap_or_default();
        self.end.map_or(worker, |end| worker.until(end))
    }

    /// The server must print this line on stdout.
    pub fn console_shows(&mut self, expected: &str) -> Outcome {
        self.step(format!("the server's console must show `{expected}`"));
        let mut patience = self.new_patience();
        let stdout = std::sync::Arc::clone(&self.process()?.stdout);
        let seen = stdout.wait_within(&mut patience, |screen| {
            screen.lines.iter().any(|line| line == expected).then_some(())
        });
        seen.ok_or_else(|| {
            let shown = stdout.tail(5).join("\n");
            wrong("the server's console does not show it")
                .expected(expected)
                .got(difference::visible(shown.as_bytes()))
                .after(patience.over())
        })
    }

    /// Carries `act` out without steps in the log: for crowds.
    pub fn quietly<T>(&mut self, act: impl FnOnce(&mut Context<'a>) -> T) -> T {
        let log = std::mem::take(&mut self.log);
        let done = act(self);
        self.log = log;
        done
    }

    /// What the server printed last.
    pub fn last_words(&self, lines: usize) -> String {
        let process = self.server.as_ref().and_then(|server| server.process.as_ref());
        process.map(|process| process.last_words(lines)).unwrap_or_default()
    }

    /// The last lines of its standard error, as they are.
    pub fn stderr(&self, lines: usize) -> Vec<String> {
        let process = self.server.as_ref().and_then(|server| server.process.as_ref());
        process.map(|process| process.stderr.tail(lines)).unwrap_or_default()
    }

    /// If the server has ended: how.
    pub fn how_it_ended(&mut self) -> Option<String> {
        let process = self.server.as_mut()?.process.as_mut()?;
        let status = process.wait(LAST_BREATH)?;
        Some(format!("the {} has ended ({status})", process.name))
    }
}

/// The exercise's flags, without those that a check sets itself, and the check's.
fn with_flags<'b>(exercise: &'b [String], check: &[&'b str]) -> Vec<&'b str> {
    let pairs = exercise.chunks(2).filter(|pair| !check.contains(&pair[0].as_str()));
    let mut flags: Vec<&str> = pairs.flatten().map(String::as_str).collect();
    flags.extend(check);
    flags
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flag_of_the_check_stands_instead_of_the_exercises() {
        let exercise = ["--a", "0", "--b", "0"].map(String::from);
        assert_eq!(with_flags(&exercise, &["--b", "7"]), ["--a", "0", "--b", "7"]);
    }
}
