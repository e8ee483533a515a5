//! Lines that wait: `--lines-per-second` of rule S5.9. What waits is seen by what others say
//! meanwhile, not by the clock.

use super::talk::own_server;
use crate::check::outcome::{fail, inconclusive, wrong};
use crate::check::person::Heard;
use crate::check::{Check, Context, Label, Outcome, Person};
use std::time::{Duration, Instant};

/// Lines per second, and lines that are sent at once: of these, most have to wait for seconds, as
/// twice the rate is sent at once.
const RATE: &str = "10";
const LINES: usize = 70;
const ALL_WAIT: Duration = Duration::from_secs((LINES as u64 - 20) / 10);

/// How often others talk to and fro while a flooder's lines wait.
const ROUNDS: usize = 5;

const LOSES: &[&str] = &["reorders-or-loses-under-load"];

pub static CHECKS: &[Check] = &[
    own_server(
        "a-flood-waits-its-turn-and-nothing-is-lost",
        "S5.9",
        &["reorders-or-loses-under-load", "slow-reader-stalls-others"],
        flood,
    ),
    own_server("lines-that-wait-are-obeyed-after-a-half-close", "L9", LOSES, half_close),
    own_server("lines-that-wait-are-dropped-at-a-reset", "L9", &["ghost-user"], reset),
];

/// alice has sent her lines at once, since when they wait; carol has heard the first of them.
fn flooded(ctx: &mut Context) -> Outcome<([Person; 3], Instant)> {
    ctx.start_with_flags(&["--lines-per-second", RATE])?;
    let mut people = [ctx.joins("alice")?, ctx.joins("bob")?, ctx.joins("carol")?];
    let [alice, _, carol] = &mut people;
    ctx.step(format!("alice sends {LINES} lines in one segment"));
    let lines: String = (0..LINES).map(|number| format!("line {number}\n")).collect();
    let began = Instant::now();
    alice.send_silently(lines.as_bytes())?;
    carol.hears(&alice.name, "line 0")?;
    Ok((people, began))
}

fn flood(ctx: &mut Context) -> Outcome {
    let ([alice, mut bob, mut carol], began) = flooded(ctx)?;
    let mut next = 1;
    for round in 0..ROUNDS {
        // bob and carol, one after the other: each waits for what the other has said.
        let text = format!("meanwhile {round}");
        bob.line(&text)?;
        hears_between(
            &mut carol,
            &alice.name,
            &mut next,
            &format!("[#lobby] {}: {text}", bob.name),
        )?;
        carol.line(&text)?;
        let mut unimportant = usize::MAX;
        hears_between(
            &mut bob,
            &alice.name,
            &mut unimportant,
            &format!("[#lobby] {}: {text}", carol.name),
        )?;
    }
    if next == LINES {
        return Err(wrong("all lines of a flood came before others could talk")
            .expected(format!("{RATE} lines per second, and twice that at once"))
            .got(format!("{LINES} lines at once"))
            .before(began, ALL_WAIT));
    }
    ctx.step(format!("{next} of alice's lines have come; the others wait"));
    while next < LINES {
        carol
            .hears(&alice.name, &format!("line {next}"))
            .means("reorders-or-loses-under-load", "lines wait, and none is dropped")?;
        next += 1;
    }
    Ok(())
}

/// `expected` must come; before it, lines of `flooder` may, in their order from `next` on.
fn hears_between(person: &mut Person, flooder: &str, next: &mut usize, expected: &str) -> Outcome {
    let flood = format!("[#lobby] {flooder}: line ");
    person.log.add(format!("{} must receive `{expected}`", person.name));
    let mut patience = person.new_patience();
    loop {
        match person.next_of_any_kind(&mut patience) {
            Heard::Line(line) if line == expected => return Ok(()),
            Heard::Line(line) if line.starts_with(&flood) => {
                let in_order = line == format!("{flood}{next}");
                if *next != usize::MAX && !in_order {
                    let message = "the lines of a flood are not in order";
                    return Err(fail("reorders-or-loses-under-load", message)
                        .expected(format!("{flood}{next}"))
                        .got(line));
                }
                *next = next.saturating_add(1);
            }
            Heard::Line(_) => {}
            other => {
                let message = "a flood of one keeps another waiting";
                return Err(fail("slow-reader-stalls-others", message)
                    .expected(expected)
                    .got(other.in_words())
                    .after(person.peer.over));
            }
        }
    }
}

fn half_close(ctx: &mut Context) -> Outcome {
    let ([mut alice, mut bob, mut carol], began) = flooded(ctx)?;
    let name = alice.name.clone();
    alice.half_close();
    let mut heir = ctx.connects("heir")?;
    heir.line(&name)?;
    heir.hears_error()
        .because("a client whose lines still wait has not ended: the name is not free")
        .map_err(|trouble| trouble.before(began, ALL_WAIT))?;
    for number in 1..LINES {
        carol.hears(&name, &format!("line {number}")).means(
            "reorders-or-loses-under-load",
            "lines that wait are obeyed after a half-close",
        )?;
    }
    ctx.is_gone(&name, &mut bob, &mut carol)?;
    alice.hears_all_to_the_end()
}

fn reset(ctx: &mut Context) -> Outcome {
    let ([alice, mut bob, mut carol], began) = flooded(ctx)?;
    let name = alice.name.clone();
    alice.resets();
    let in_time = began.elapsed() < ALL_WAIT; // else the rule had let all of them be obeyed before
    let mut lines = 1;
    let mut patience = carol.new_patience();
    let said = format!("[#lobby] {name}: line ");
    let left = format!("[#lobby] * {name} left");
    ctx.step(format!("carol must receive `{left}` before the last line"));
    loop {
        match carol.next_of_any_kind(&mut patience) {
            Heard::Line(line) if line.starts_with(&said) => lines += 1,
            Heard::Line(line) if line.starts_with(&left) => break,
            Heard::Line(_) => {}
            other => {
                let message = "a reset ends a client at once, and drops its lines that wait";
                return Err(fail("ghost-user", message)
                    .expected(left)
                    .got(format!("{} after {lines} lines", other.in_words()))
                    .after(carol.peer.over));
            }
        }
    }
    if lines == LINES && in_time {
        return Err(fail("ghost-user", "lines that wait are dropped at a reset")
            .expected(format!("fewer than {LINES} lines"))
            .got(format!("{LINES} lines")));
    }
    if lines == LINES {
        return Err(inconclusive("the machine was too slow for a reset while lines wait"));
    }
    let later = ctx.hears_of(&mut bob, &mut carol)?;
    later
        .lack_all("a line of one who has left", |line| line.starts_with(&said))
        .means("ghost-user", "who has left was heard again")
}
