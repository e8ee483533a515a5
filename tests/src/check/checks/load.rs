//! Many at once: promise L12 over whole histories, and a thousand clients.

use super::basics::ONE_LINE;
use super::framing::{JOINED, SPLIT};
use crate::check::dialect::CHATS;
use crate::check::drain::Drain;
use crate::check::history::{self, History, LineId, Told};
use crate::check::outcome::{fail, inconclusive, wrong};
use crate::check::shrink;
use crate::check::target::StartOptions;
use crate::check::{Check, Context, Label, Outcome, Person, Protocol};
use std::collections::HashMap;
use std::thread;
use std::time::Duration;

const NAMES: [&str; 10] = ["ann", "ben", "cyd", "dan", "eve", "fay", "gus", "hal", "ida", "joe"];

/// Lines of each of the ten.
const LINES_EACH: usize = 27;

/// How often a smaller history is tried.
const SHRINK_TRIES: usize = 40;

/// A race does not fail every time.
const REPEATS: usize = 3;

/// A crowd, and what one of them may cost.
const CROWD: usize = 1000;
const BYTES_PER_CLIENT_MAX: u64 = 256 * 1024;

const fn check(
    name: &'static str,
    rule: &'static str,
    misconceptions: &'static [&'static str],
    after: &'static [&'static str],
    run: fn(&mut Context) -> Outcome,
) -> Check {
    Check {
        name,
        rule,
        misconceptions,
        points: 4.0,
        chapter: "stage4.md",
        protocols: CHATS,
        needs_process: false,
        after,
        run,
    }
}

pub static CHECKS: &[Check] = &[
    Check {
        protocols: &[Protocol::Select],
        chapter: "stage3.md",
        ..check(
            "ten-clients-write-to-each-other",
            "S3.3",
            &["registers-the-wrong-socket"],
            &[ONE_LINE],
            ninety_deliveries,
        )
    },
    check(
        "ten-clients-at-once-lose-and-double-nothing",
        "L12",
        &["reorders-or-loses-under-load", "recv-is-not-a-message", "interleaved-writes"],
        &[JOINED, SPLIT],
        ten_at_once,
    ),
    check(
        "a-thousand-clients-hear-one-line",
        "L13",
        &["backlog-is-a-user-limit"],
        &[ONE_LINE],
        a_thousand,
    ),
    Check {
        needs_process: true,
        ..check(
            "a-thousand-clients-cost-little-memory",
            "L13",
            &[],
            &["a-thousand-clients-hear-one-line"],
            memory_per_client,
        )
    },
];

fn ninety_deliveries(ctx: &mut Context) -> Outcome {
    let mut people = Vec::new();
    for name in NAMES {
        people.push(ctx.joins(name)?);
    }
    for sender in 0..people.len() {
        for receiver in (0..people.len()).filter(|receiver| *receiver != sender) {
            let text = format!("{sender} to {receiver}");
            let (from, to) = (people[sender].name.clone(), people[receiver].name.clone());
            people[sender].says(&to, &text)?;
            people[receiver]
                .hears(&from, &text)
                .because("ten clients must all be able to write to each other")?;
        }
    }
    Ok(())
}

/// Who says a line, and to whom (which only S3 heeds).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Said {
    sender: usize,
    to: usize,
}

const NOBODY_SAID: &str = "which nobody said";

fn ten_at_once(ctx: &mut Context) -> Outcome {
    let script = script(&mut ctx.random);
    let Some(found) = fails(ctx, &script)? else {
        return Ok(());
    };
    ctx.step("it fails; now with fewer clients and lines, as long as it still fails");
    let smallest = shrink::smallest(&script, SHRINK_TRIES, |part| {
        (0..REPEATS).any(|_| matches!(ctx.quietly(|ctx| fails(ctx, part)), Ok(Some(_))))
    });
    let found = (0..REPEATS)
        .find_map(|_| ctx.quietly(|ctx| fails(ctx, &smallest)).ok().flatten())
        .unwrap_or(found);
    let message = format!(
        "{} ({} lines of {} clients are enough)",
        found,
        smallest.len(),
        clients_of(&smallest).len()
    );
    // A line that nobody said is made of the lines of two: writers did not wait for each other.
    let misconception = if found.ends_with(NOBODY_SAID) {
        "interleaved-writes"
    } else {
        "reorders-or-loses-under-load"
    };
    Err(fail(misconception, message)
        .expected("every line exactly once, in the order of its sender, and in one order for all")
        .got(format!("{found}\n{}", commands(ctx, &smallest))))
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
fn fails(ctx: &mut Context, script: &[Said]) -> Outcome<Option<String>> {
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
    let ids = known_lines(ctx.protocol, &names, &history);
    for (receiver, drain) in drains.iter().enumerate() {
        let owed = history.sent.iter().flatten().filter(|to| to.contains(&receiver)).count();
        match collect(ctx, drain, owed, &ids)? {
            Ok(lines) => history.received.push(lines),
            Err(strange) => {
                return Ok(Some(format!(
                    "{} received `{strange}`, {NOBODY_SAID}",
                    names[receiver]
                )));
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
        told.to_string()
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

/// Waits as long as lines keep coming, until as many are there as are owed.
fn collect(
    ctx: &Context,
    drain: &Drain,
    owed: usize,
    known: &HashMap<String, LineId>,
) -> Outcome<Result<Vec<LineId>, String>> {
    let is_message = |line: &&String| !ctx.protocol.is_notice(line);
    loop {
        let before = drain.lock().lines.len();
        let enough = drain
            .waits(ctx.patience, |drained| drained.lines.iter().filter(is_message).count() >= owed);
        if enough.is_ok() || drain.lock().lines.len() == before {
            break;
        }
    }
    // One that comes twice comes late.
    let _ = drain.waits(Duration::from_millis(20), |drained| {
        drained.lines.iter().filter(is_message).count() > owed
    });
    let drained = drain.lock();
    let lines = drained.lines.iter().filter(is_message);
    Ok(lines.map(|line| known.get(line).copied().ok_or_else(|| line.clone())).collect())
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

/// A thousand people with names.
fn gather(ctx: &mut Context) -> Outcome<Vec<Person>> {
    let allowed = crate::resources::allow_many_descriptors();
    if allowed < CROWD + 100 {
        return Err(inconclusive(format!("the lab itself may open only {allowed} descriptors")));
    }
    ctx.step(format!("{CROWD} clients join"));
    let mut crowd = Vec::new();
    for number in 0..CROWD {
        let joined = ctx.quietly(|ctx| ctx.joins(&format!("p{number}")));
        crowd.push(joined.because(format!("client {} of {CROWD} did not get in", number + 1))?);
    }
    Ok(crowd)
}

fn a_thousand(ctx: &mut Context) -> Outcome {
    let mut crowd = gather(ctx)?;
    let mut speaker = ctx.joins("speaker")?;
    ctx.step("one more says a line that is for all of them");
    let name = speaker.name.clone();
    if ctx.protocol == Protocol::Select {
        for person in &crowd {
            speaker.send_silently(format!("@{}:hello\n", person.name).as_bytes())?;
        }
    } else {
        speaker.says("all", "hello")?;
    }
    for (number, person) in crowd.iter_mut().enumerate() {
        person.log = Default::default();
        person.hears(&name, "hello").because(format!("client {} of {CROWD}", number + 1))?;
    }
    Ok(())
}

fn memory_per_client(ctx: &mut Context) -> Outcome {
    let mut first = Vec::new();
    for number in 0..10 {
        first.push(ctx.joins(&format!("early{number}"))?);
    }
    let before = ctx.usage()?.resident_bytes;
    let crowd = gather(ctx)?;
    let each = ctx.usage()?.resident_bytes.saturating_sub(before) / CROWD as u64;
    ctx.step(format!("each of them costs {} KiB", each / 1024));
    drop(crowd);
    if each <= BYTES_PER_CLIENT_MAX {
        return Ok(());
    }
    Err(wrong("a client who says nothing costs too much memory")
        .expected(format!("at most {} KiB for each", BYTES_PER_CLIENT_MAX / 1024))
        .got(format!("{} KiB for each", each / 1024)))
}
