//! Ten clients who write to each other all at once: promise L12 over the whole history. What
//! fails is made as small as it can be, and printed for people to try.

use super::load::NAMES;
use crate::check::drain::Drain;
use crate::check::history::{self, History, LineId, Told, Witness};
use crate::check::outcome::{Trouble, fail};
use crate::check::shrink;
use crate::check::target::StartOptions;
use crate::check::{Context, Outcome, Person, Protocol};
use std::collections::HashMap;
use std::thread;
use std::time::Duration;

/// Lines of each of the ten.
const LINES_EACH: usize = 27;

/// How often a smaller history is tried.
const SHRINK_TRIES: usize = 20;

/// A race does not fail every time.
const REPEATS: usize = 2;

/// Who says a line, and to whom (which only S3 heeds).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    sender: usize,
    to: usize,
}

/// In a smaller history only an example is looked for, not a verdict.
const SHRINK_PATIENCE: Duration = Duration::from_millis(500);

/// Everybody's last line.
const GOODBYE: &str = "goodbye";

/// What must not be in a history.
struct Found {
    words: String,
    kind: Kind,
}

#[derive(PartialEq, Eq)]
enum Kind {
    NobodySaid,
    Lost,
    Other,
}

impl Found {
    /// A line that nobody said is made of the lines of two: writers did not wait for each other.
    fn misconception(&self) -> &'static str {
        match self.kind {
            Kind::NobodySaid => "interleaved-writes",
            Kind::Lost | Kind::Other => "reorders-or-loses-under-load",
        }
    }
}

pub fn run(ctx: &mut Context) -> Outcome {
    let script = script(&mut ctx.random);
    let Some(found) = fails(ctx, &script)? else {
        return Ok(());
    };
    if found.kind == Kind::Lost && ctx.is_first_attempt() {
        return Err(fail(found.misconception(), found.words).late()); // only slow, perhaps
    }
    ctx.step("it fails; now with fewer clients and lines, as long as it still fails");
    let (smallest, found) = smallest(ctx, script, found);
    let message = format!(
        "{} ({} lines of {} clients are enough)",
        found.words,
        smallest.len(),
        clients_of(&smallest).len()
    );
    Err(fail(found.misconception(), message)
        .expected("every line exactly once, in the order of its sender, and in one order for all")
        .got(format!("{}\n{}", found.words, commands(ctx, &smallest))))
}

/// Without the clients that are not needed for it to fail, then without the lines; and what is
/// found then. `found` is what was found in the whole.
fn smallest(ctx: &mut Context, script: Vec<Said>, found: Found) -> (Vec<Said>, Found) {
    let mut best = (script, found);
    let script = best.0.clone();
    let patience = std::mem::replace(&mut ctx.patience, SHRINK_PATIENCE);
    let mut still_fails = |part: &[Said]| {
        let mut tries = (0..REPEATS).map(|_| ctx.quietly(|ctx| fails(ctx, part)));
        let found = tries.find_map(|tried| tried.ok().flatten());
        found.map(|found| best = (part.to_vec(), found)).is_some()
    };
    let lines_among = |clients: &[usize]| -> Vec<Said> {
        let among = |said: &&Said| clients.contains(&said.sender) && clients.contains(&said.to);
        script.iter().filter(among).copied().collect()
    };
    let clients = shrink::smallest(&clients_of(&script), SHRINK_TRIES, |clients| {
        let part = lines_among(clients);
        !part.is_empty() && still_fails(&part)
    });
    shrink::smallest(&lines_among(&clients), SHRINK_TRIES, still_fails);
    ctx.patience = patience;
    best
}

/// Everybody has something to say to everybody, in an order that the seed chooses.
fn script(random: &mut fastrand::Rng) -> Vec<Said> {
    let mut script = Vec::new();
    for sender in 0..NAMES.len() {
        for number in 0..LINES_EACH {
            let to = (sender + 1 + number % (NAMES.len() - 1)) % NAMES.len();
            script.push(Said { sender, to });
        }
    }
    random.shuffle(&mut script);
    script
}

fn clients_of(script: &[Said]) -> Vec<usize> {
    let mut clients: Vec<_> = script.iter().flat_map(|said| [said.sender, said.to]).collect();
    clients.sort_unstable();
    clients.dedup();
    clients
}

/// Plays the script on a new server. What is wrong with what was heard, in words.
fn fails(ctx: &mut Context, script: &[Said]) -> Outcome<Option<Found>> {
    if ctx.target.has_process() {
        ctx.start(StartOptions::default())?;
    }
    let clients = clients_of(script);
    let mut people = Vec::new();
    for client in &clients {
        people.push(ctx.joins(NAMES[*client])?);
    }
    let names: Vec<String> = people.iter().map(|person| person.name.clone()).collect();
    let at = |client: usize| {
        clients.iter().position(|known| *known == client).expect("it is one of them")
    };
    let mut history = History {
        sent: vec![Vec::new(); people.len()],
        received: Vec::new(),
        one_order: ctx.protocol != Protocol::Select,
    };
    let mut bytes = vec![Vec::new(); people.len()];
    for said in script {
        let (sender, to) = (at(said.sender), at(said.to));
        let text = text_of(history.sent[sender].len());
        let line = format!("{}\n", ctx.protocol.saying(&names[to], &text));
        bytes[sender].extend_from_slice(line.as_bytes());
        let others = (0..people.len()).filter(|other| *other != sender).collect();
        history.sent[sender].push(if ctx.protocol == Protocol::Select { vec![to] } else { others });
    }
    ctx.step(format!(
        "{} clients say {} lines, all at once, in segments of random length",
        people.len(),
        script.len()
    ));
    let drains: Vec<Drain> =
        people.iter().map(|person| Drain::of(person, |_| true)).collect::<Outcome<_>>()?;
    let seed = ctx.random.u64(..);
    thread::scope(|scope| {
        for (sender, person) in people.iter_mut().enumerate() {
            let bytes = &bytes[sender];
            scope.spawn(move || send_in_pieces(person, bytes, seed.wrapping_add(sender as u64)));
        }
    });
    // So that the goodbyes add nothing to the load, and a smaller script is really smaller.
    ctx.until_at_rest();
    says_goodbye(&mut people, &drains)?;
    // One that comes twice comes late: but before the server rests.
    ctx.until_at_rest();
    drains.iter().for_each(Drain::looks_once_more);
    let ids = known_lines(ctx.protocol, &names, &history);
    for (receiver, drain) in drains.iter().enumerate() {
        match collect(ctx.protocol, drain, &ids) {
            Ok(lines) => history.received.push(lines),
            Err(strange) => {
                let words = format!("{} received `{strange}`, which nobody said", names[receiver]);
                return Ok(Some(Found { words, kind: Kind::NobodySaid }));
            }
        }
    }
    let witness = history::check(&history).err();
    Ok(witness.map(|witness| {
        let told = Told {
            witness,
            name: &|client| names[client].clone(),
            text: &|line| text_of(line.number),
        };
        let lost = matches!(witness, Witness::Lost { .. });
        Found { words: told.to_string(), kind: if lost { Kind::Lost } else { Kind::Other } }
    }))
}

fn text_of(number: usize) -> String {
    format!("line {number}")
}

fn send_in_pieces(person: &mut Person, bytes: &[u8], seed: u64) {
    let mut random = fastrand::Rng::with_seed(seed);
    let mut rest = bytes;
    while !rest.is_empty() {
        let (piece, later) = rest.split_at(random.usize(1..=80).min(rest.len()));
        rest = later;
        if person.send_silently(piece).is_err() {
            return; // what is missing then is found
        }
        if random.bool() {
            thread::yield_now();
        }
    }
}

/// One after the other, to everybody: who hears a goodbye has heard all that its sender said
/// before, or never will. One that is not heard ends the waiting: lines are lost.
fn says_goodbye(people: &mut [Person], drains: &[Drain]) -> Outcome {
    let names: Vec<String> = people.iter().map(|person| person.name.clone()).collect();
    for (sender, person) in people.iter_mut().enumerate() {
        let others = || (0..names.len()).filter(|other| *other != sender);
        let lines = others().map(|other| person.protocol.saying(&names[other], GOODBYE) + "\n");
        let needed = if person.protocol == Protocol::Select { names.len() } else { 1 };
        let lines: String = lines.take(needed).collect();
        person.send_silently(lines.as_bytes())?;
        let goodbye = person.protocol.heard(&names[sender], GOODBYE);
        for other in others() {
            match drains[other].hears_line(&goodbye, person.patience) {
                Err(unknown @ Trouble::Inconclusive(_)) => return Err(unknown),
                Err(_) => return Ok(()),
                Ok(()) => {}
            }
        }
    }
    Ok(())
}

/// Every line that may be heard, and which one it is.
fn known_lines(protocol: Protocol, names: &[String], history: &History) -> HashMap<String, LineId> {
    let mut known = HashMap::new();
    for (sender, lines) in history.sent.iter().enumerate() {
        for number in 0..lines.len() {
            known.insert(
                protocol.heard(&names[sender], &text_of(number)),
                LineId { sender, number },
            );
        }
    }
    known
}

/// What was heard but notices and goodbyes. `Err`: a line that nobody said.
fn collect(
    protocol: Protocol,
    drain: &Drain,
    known: &HashMap<String, LineId>,
) -> Result<Vec<LineId>, String> {
    let drained = drain.lock();
    let goodbye = format!(": {GOODBYE}"); // before it a name, and in S5 a room before that
    let is_message = |line: &&String| !protocol.is_notice(line) && !line.ends_with(&goodbye);
    let lines = drained.lines.iter().filter(is_message);
    lines.map(|line| known.get(line).copied().ok_or_else(|| line.clone())).collect()
}

/// The history as commands that a person can type.
fn commands(ctx: &Context, script: &[Said]) -> String {
    let mut text =
        "To see it by hand, start each of these in a terminal of its own, quickly:".to_string();
    for client in clients_of(script) {
        let own = script.iter().filter(|said| said.sender == client);
        let lines: Vec<_> = own
            .enumerate()
            .map(|(number, said)| ctx.protocol.saying(NAMES[said.to], &text_of(number)))
            .collect();
        let name = ctx.protocol.registration(NAMES[client]);
        let words = lines.iter().map(|line| format!(" '{line}'")).collect::<String>();
        let says =
            if lines.is_empty() { String::new() } else { format!(" printf '%s\\n'{words};") };
        text.push_str(&format!("\n(echo '{name}'; sleep 5;{says} sleep 5) | nc HOST PORT"));
    }
    text
}
