//! Endless lines, and lines that writers do not finish: rules L3 and L12.

use super::basics::ONE_LINE;
use super::flood::{
    FLOOD_TEXT_BYTES, NO_PROCESSOR_TIME, SMALL_BUFFER, begins_to_read, more_than_can_wait,
};
use super::framing::JOINED;
use super::memory;
use super::slow::{STALLS, check};
use crate::check::drain::{Drain, Pushed, push};
use crate::check::outcome::{fail, inconclusive, wrong};
use crate::check::target::StartOptions;
use crate::check::{Check, Context, Label, Outcome, Person, Protocol};

pub static CHECKS: &[Check] = &[
    Check {
        rule: "L3",
        ..check(
            "an-endless-line-takes-no-memory",
            &["unbounded-line"],
            &[ONE_LINE, JOINED],
            true,
            endless_line,
        )
    },
    Check {
        rule: "L12",
        ..check(
            "lines-of-two-senders-do-not-mix",
            &["interleaved-writes"],
            &[ONE_LINE, STALLS],
            false,
            lines_do_not_mix,
        )
    },
    check(
        "a-reset-in-mid-broadcast-harms-nobody-else",
        &["wrong-client-evicted", "broadcast-stops-at-the-first-error", "leave-not-announced"],
        &[ONE_LINE, STALLS],
        false,
        reset_in_mid_broadcast,
    ),
];

fn endless_line(ctx: &mut Context) -> Outcome {
    ctx.start(StartOptions { environment: memory::ENVIRONMENT, ..StartOptions::default() })?;
    let (mut alice, mut bob) = ctx.two()?;
    let endless = ctx.joins("endless")?;
    let _reads = Drain::of(&endless, |_| false)?;
    ctx.step("endless sends more and more without an LF");
    let grown = memory::grows_without_end(ctx, |bytes| sends(&endless, bytes))?;
    if let Some(grown) = grown {
        return Err(fail("unbounded-line", "memory grows with a line that never ends")
            .expected("a bound, or garbage that is collected at some size")
            .got(grown));
    }
    alice.says(&bob.name, "still here?")?;
    bob.hears(&alice.name, "still here?")
        .means("unbounded-line", "an endless line stops the others")?;
    if !sends(&endless, b"\n".len())? {
        return Err(wrong("the connection must go on, however long the line is")
            .expected("all of it is read")
            .got("the server read no more, or ended the connection")
            .late());
    }
    push(&endless, b"\n");
    let line = format!("{}\n", ctx.protocol.saying(&bob.name, "done"));
    push(&endless, line.as_bytes());
    bob.hears(&endless.name, "done")
        .means("unbounded-line", "the line after an endless one must work")
}

/// So many bytes of a line that does not end. Whether all of them were taken.
fn sends(endless: &Person, bytes: usize) -> Outcome<bool> {
    let piece = vec![b'x'; 256 * 1024];
    let mut left = bytes;
    while left > 0 {
        let length = left.min(piece.len());
        match push(endless, &piece[..length]) {
            Pushed::All => left -= length,
            Pushed::HeldBack(_) | Pushed::Ended => return Ok(false),
            Pushed::Unknown => return Err(inconclusive(NO_PROCESSOR_TIME)),
        }
    }
    Ok(true)
}

/// Lines of each flooder between two looks at how far the server is.
const LINES_PER_ROUND: usize = 100;

/// What follows where a server waits for late: its two writers are at it for long.
const ROUNDS_MORE: usize = 20;

/// The numbered lines of one flooder: all of one letter, so that a mixture shows.
fn numbered(protocol: Protocol, to: &str, letter: char, number: usize) -> (String, String) {
    let text = format!("{number:06} {}", letter.to_string().repeat(FLOOD_TEXT_BYTES));
    (format!("{}\n", protocol.saying(to, &text)), text)
}

fn lines_do_not_mix(ctx: &mut Context) -> Outcome {
    let mut late = ctx.joins_with("late", SMALL_BUFFER)?;
    let (ann, ben) = ctx.two_named("ann", "ben")?;
    let hears = [Drain::of(&ann, is_round)?, Drain::of(&ben, is_round)?];
    ctx.step(
        "ann and ben flood late, who reads only when the server takes no more, or has taken enough",
    );
    let senders = [(&ann, 'a'), (&ben, 'b')];
    let round_of = |one: usize, round| {
        let (person, letter) = senders[one];
        let other = &senders[1 - one].0.name;
        numbered_lines(person.protocol, &late.name, letter, round)
            + &format!("{}\n", person.protocol.saying(other, &round_text(round)))
    };
    let mut sent = 0;
    let mut rest = [String::new(), String::new()];
    for round in 0.. {
        let bytes = [0, 1].map(|one| round_of(one, round));
        let pushed = std::thread::scope(|scope| {
            let both = [0, 1].map(|one: usize| {
                let bytes = &bytes[one];
                scope.spawn(move || push(senders[one].0, bytes.as_bytes()))
            });
            both.map(|one| one.join().unwrap_or(Pushed::Ended))
        });
        if pushed.contains(&Pushed::Unknown) {
            return Err(inconclusive(NO_PROCESSOR_TIME));
        }
        if pushed.contains(&Pushed::Ended) {
            return Err(inconclusive("the server ended a flooder before late's buffer was full"));
        }
        sent += bytes.iter().map(String::len).sum::<usize>();
        let has_all = |(listener, speaker): (&Drain, &Person)| {
            let marker = ctx.protocol.heard(&speaker.name, &round_text(round));
            listener.hears_line(&marker, ctx.patience).is_ok()
        };
        if ![(&hears[0], &ben), (&hears[1], &ann)].into_iter().all(has_all) {
            ctx.step("the server takes no more; both go on while late reads");
            rest = [0, 1].map(|one| {
                let more = round + 1..round + 1 + ROUNDS_MORE;
                let more: String = more.map(|round| round_of(one, round)).collect();
                bytes[one][pushed[one].taken(bytes[one].len())..].to_string() + &more
            });
            break;
        }
        if sent > more_than_can_wait() {
            break; // closed, or all of it waits
        }
    }
    begins_to_read(&late);
    let counts = std::thread::scope(|scope| {
        for (one, rest) in rest.iter().enumerate() {
            scope.spawn(move || push(senders[one].0, rest.as_bytes()));
        }
        whole_and_in_order(ctx, &mut late, senders)
    })?;
    if counts.contains(&0) {
        return Err(inconclusive("late received lines of one sender alone"));
    }
    Ok(())
}

fn round_text(round: usize) -> String {
    format!("round {round}")
}

fn is_round(line: &str) -> bool {
    line.contains(": round ")
}

fn numbered_lines(protocol: Protocol, late: &str, letter: char, round: usize) -> String {
    let numbers = round * LINES_PER_ROUND..(round + 1) * LINES_PER_ROUND;
    numbers.map(|number| numbered(protocol, late, letter, number).0).collect()
}

/// Everything that late receives now must be numbered lines, each whole, in the order of its
/// sender. How many there were of each.
fn whole_and_in_order(
    ctx: &Context,
    late: &mut Person,
    senders: [(&Person, char); 2],
) -> Outcome<[usize; 2]> {
    let mut counts = [0; 2];
    while let Some(line) = late.peer.next_line(ctx.patience) {
        let line = line.trim_end_matches('\r'); // a fault (L7) with a check of its own
        let says_round = |(person, _): &(&Person, char)| {
            let number = line.strip_prefix(&ctx.protocol.heard(&person.name, "round "));
            number.is_some_and(|number| number.parse::<usize>().is_ok())
        };
        let other = ctx.protocol.is_notice(line) || line.starts_with("! ");
        if other || senders.iter().any(says_round) {
            continue;
        }
        let known = senders.iter().enumerate().find_map(|(sender, (person, letter))| {
            let frame = ctx.protocol.heard(&person.name, "");
            let number: usize = line.strip_prefix(&frame)?.get(..6)?.parse().ok()?;
            let (_, text) = numbered(ctx.protocol, &late.name, *letter, number);
            (line == ctx.protocol.heard(&person.name, &text)).then_some((sender, number))
        });
        let Some((sender, number)) = known else {
            return Err(fail("interleaved-writes", "a line of two senders, or of none, arrived")
                .expected("whole lines, each of one sender")
                .got(crate::check::difference::brief(line.as_bytes())));
        };
        if number != counts[sender] {
            return Err(fail("reorders-or-loses-under-load", "a line is missing or out of order")
                .expected(format!("line {} of {}", counts[sender], senders[sender].0.name))
                .got(format!("line {number}")));
        }
        counts[sender] += 1;
    }
    Ok(counts)
}

/// Lines of the broadcast; the reset comes in the middle.
const BROADCAST_LINES: usize = 200;

fn reset_in_mid_broadcast(ctx: &mut Context) -> Outcome {
    let victim = ctx.joins_with("victim", SMALL_BUFFER)?;
    let (mut ann, mut ben) = ctx.two_named("ann", "ben")?;
    let mut cyd = ctx.joins("cyd")?;
    ctx.step("ann says 200 lines to all; victim does not read, and resets in the middle");
    let says = |ann: &mut Person, to: &str, number: usize| {
        let text = format!("{number:03} {}", "y".repeat(1000));
        ann.send_silently(format!("{}\n", ann.protocol.saying(to, &text)).as_bytes()).map(|()| text)
    };
    let everybody = [ben.name.clone(), cyd.name.clone()];
    let mut victim = Some(victim);
    for number in 0..BROADCAST_LINES {
        if let (BROADCAST_LINES_HALF, Some(victim)) = (number, victim.as_ref()) {
            proves_unread(victim)?;
        }
        if number == BROADCAST_LINES_HALF
            && let Some(victim) = victim.take()
        {
            victim.resets();
        }
        if ctx.protocol == Protocol::Select {
            says(&mut ann, &ctx.name("victim"), number)?;
            for other in &everybody {
                says(&mut ann, other, number)?;
            }
        } else {
            says(&mut ann, "all", number)?;
        }
        for (listener, text) in [(&mut ben, number), (&mut cyd, number)] {
            let expected = format!("{text:03} {}", "y".repeat(1000));
            listener.quietly(|listener| listener.hears(&ann.name, &expected)).means(
                "broadcast-stops-at-the-first-error",
                "somebody else's reset must cost nobody a line",
            )?;
        }
    }
    ben.says(&ann.name, "still there?")?;
    ann.hears_behind_errors(&ben.name, "still there?")
        .means("wrong-client-evicted", "who speaks must not suffer for who is gone")
}

const BROADCAST_LINES_HALF: usize = BROADCAST_LINES / 2;

/// Something waits for `victim` that it has not read: so something is owed to it.
pub(super) fn proves_unread(victim: &Person) -> Outcome {
    match victim.peer.has_something_to_read(&mut victim.new_patience())? {
        true => Ok(()),
        false => Err(inconclusive("nothing was on its way to the one who resets")),
    }
}
