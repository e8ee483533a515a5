//! One who does not read, and what that may cost others: rule L13.

use super::basics::ONE_LINE;
use super::flood::{OWED_BYTES_MAX, SMALL_BUFFER, Scene, begins_to_read, more_than_can_wait};
use super::framing::JOINED;
use crate::check::dialect::CHATS;
use crate::check::drain::{Pushed, push};
use crate::check::outcome::{fail, inconclusive, wrong};
use crate::check::{Check, Context, Label, Outcome, Person};
use crate::resources::socket_buffers_bytes_max;

/// By how much a server's memory may grow, beside what an ordinary flood makes it grow.
pub(super) const GROWTH_BYTES_MAX: u64 = 24 << 20;

/// By how much memory may grow from `before`. A runtime that collects its garbage lets it lie for
/// a while, and compiles what it runs often: Node grows by its own size again, and then no more.
/// Such runtimes are large from the start.
pub(super) fn growth_bytes_max(before: u64, at_least: u64) -> u64 {
    at_least.max(2 * before)
}

/// Bytes of a flood that would show in the memory if they were kept.
pub(super) fn memory_flood_bytes(growth_bytes_max: u64) -> usize {
    (growth_bytes_max + growth_bytes_max / 4) as usize
}

/// Lines of one who has no name, between two probes: little enough that a slow server is
/// through with them at once.
const NAMELESS_LINES_PER_ROUND: usize = 1024;

/// By how much memory may grow for one who has no name, and who makes the server answer much
/// more than that.
const NAMELESS_GROWTH_BYTES_MAX: u64 = 8 << 20;

/// More than a runtime leaves uncollected, and little enough for the machine.
const NO_GARBAGE_BYTES: u64 = 512 << 20;

/// How much of a flood goes between two looks at the memory.
const FLOOD_PART_BYTES: usize = 2 << 20;

/// How many times what a server has grown by it is sent once more, to see whether it grows on: a
/// JVM leaves about 200 MB uncollected, and takes them early or late.
const GARBAGE_FLOOD: usize = 3;

/// Bad lines that are answered before one stops reading, to know how long an answer is.
const SAMPLE_LINES: usize = 16;

pub(super) const STALLS: &str = "one-who-does-not-read-delays-nobody";

/// A check of L13; where it is about another rule, that one replaces it.
pub(super) const fn check(
    name: &'static str,
    misconceptions: &'static [&'static str],
    after: &'static [&'static str],
    needs_process: bool,
    run: fn(&mut Context) -> Outcome,
) -> Check {
    Check {
        name,
        rule: "L13",
        misconceptions,
        points: 3.0,
        chapter: "stage4.md",
        protocols: CHATS,
        needs_process,
        after,
        run,
    }
}

pub static CHECKS: &[Check] = &[
    check(STALLS, &["slow-reader-stalls-others"], &[ONE_LINE, JOINED], false, delays_nobody),
    check(
        "one-who-does-not-read-is-closed-at-the-bound",
        &["unbounded-queue"],
        &[STALLS],
        false,
        closed_at_the_bound,
    ),
    check(
        "memory-for-one-who-does-not-read-is-bounded",
        &["unbounded-queue"],
        &[STALLS],
        true,
        memory_is_bounded,
    ),
    check(
        "one-without-a-name-who-does-not-read-harms-nobody",
        &["unbounded-queue", "slow-reader-stalls-others"],
        &[STALLS],
        true,
        nameless_and_slow,
    ),
];

fn delays_nobody(ctx: &mut Context) -> Outcome {
    let mut scene = Scene::new(ctx)?;
    let flood = scene
        .flood(ctx, more_than_can_wait())
        .means("slow-reader-stalls-others", "one client does not read, and others wait")?;
    scene.proves_full(ctx, flood)
}

pub(super) fn closed_at_the_bound(ctx: &mut Context) -> Outcome {
    let mut scene = Scene::new(ctx)?;
    let flood = scene.flood(ctx, more_than_can_wait())?;
    if flood.held_back.is_some() {
        return Err(wrong(
            "the server held the sender back instead of closing the one who does not read",
        )
        .expected("slow is closed when more than the bound is owed to it")
        .got(format!("after {} bytes the server read no more of alice's", flood.taken))
        .late());
    }
    begins_to_read(&scene.slow);
    let slow = &mut scene.slow.peer;
    slow.receive_up_to(flood.taken, ctx.patience);
    let got = slow.received.len();
    if slow.end.is_some() && got < flood.taken {
        return Ok(());
    }
    Err(fail("unbounded-queue", "one who does not read was never closed")
        .expected("slow is closed when more than the bound is owed to it")
        .got(format!("slow received {got} bytes late, of {} sent", flood.taken))
        .late())
}

fn memory_is_bounded(ctx: &mut Context) -> Outcome {
    let mut scene = Scene::new(ctx)?;
    // What the first flood costs is what any flood costs this server: by its end the one who does
    // not read is closed, or everything more is kept for it.
    let growth_max = growth_bytes_max(ctx.usage()?.resident_bytes, GROWTH_BYTES_MAX);
    let mut flood = scene.flood(ctx, more_than_can_wait())?;
    let usual = ctx.usage()?.resident_bytes;
    let goal = memory_flood_bytes(growth_max);
    let (mut sent, mut grown) = (0, 0);
    while flood.held_back.is_none() && sent < goal && grown <= growth_max {
        flood = ctx.quietly(|ctx| scene.flood(ctx, FLOOD_PART_BYTES))?;
        sent += flood.taken;
        grown = ctx.usage()?.resident_bytes.saturating_sub(usual);
    }
    ctx.step(format!("{sent} bytes more made it grow by {} KiB", grown >> 10));
    match grown <= growth_max {
        true => scene.proves_full(ctx, flood),
        false => is_garbage(ctx, &mut scene, grown),
    }
}

/// Garbage is collected at some size; what is kept for slow grows with every line.
fn is_garbage(ctx: &mut Context, scene: &mut Scene, grown: u64) -> Outcome {
    let before = ctx.usage()?.resident_bytes;
    let sent = scene.flood(ctx, GARBAGE_FLOOD * grown as usize)?.taken as u64;
    let more = ctx.usage()?.resident_bytes.saturating_sub(before);
    if more < sent / 2 {
        return Ok(());
    }
    Err(fail("unbounded-queue", "memory grows for a client that does not read")
        .expected("a bound, or garbage that is collected at some size")
        .got(format!(
            "{} MiB more, and with {} MiB sent {} more",
            grown >> 20,
            sent >> 20,
            more >> 20
        )))
}

/// More than `growth_max` bytes above `before`?
pub(super) fn grown_too_much(
    ctx: &mut Context,
    (before, growth_max): (u64, u64),
    misconception: &'static str,
    what: &str,
    sent: usize,
) -> Outcome {
    let grown = ctx.usage()?.resident_bytes.saturating_sub(before);
    if grown <= growth_max {
        return Ok(());
    }
    Err(fail(misconception, what)
        .expected(format!("at most {} MiB more", growth_max >> 20))
        .got(format!("{} MiB more after {} KiB", grown >> 20, sent >> 10)))
}

fn nameless_and_slow(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let mut stranger = ctx.dials_with("stranger", Some(SMALL_BUFFER))?;
    let answer_bytes = bytes_of_an_answer(ctx, &mut stranger)?;
    let owed_max = socket_buffers_bytes_max() + OWED_BYTES_MAX;
    let before = ctx.usage()?.resident_bytes;
    let growth_max = growth_bytes_max(before, NAMELESS_GROWTH_BYTES_MAX);
    let goal = (owed_max + memory_flood_bytes(growth_max)) / answer_bytes;
    ctx.step(format!("stranger reads no more, and sends {goal} bad lines, one after the other"));
    let too_much = |ctx: &mut Context, growth_max, sent| {
        let what = "memory grows for one without a name who does not read";
        grown_too_much(ctx, (before, growth_max), "unbounded-queue", what, sent)
    };
    let lines = b"1\n".repeat(NAMELESS_LINES_PER_ROUND);
    for round in 0..goal / NAMELESS_LINES_PER_ROUND {
        let pushed = push(&stranger, &lines);
        let text = format!("probe {round}");
        alice.send_silently(format!("{}\n", ctx.protocol.saying(&bob.name, &text)).as_bytes())?;
        bob.quietly(|bob| bob.hears(&alice.name, &text)).means(
            "slow-reader-stalls-others",
            "one without a name does not read, and others wait",
        )?;
        // Until it is held back or closed, much of the growth may be garbage that lies about.
        too_much(ctx, growth_max.max(NO_GARBAGE_BYTES), round * lines.len())?;
        if pushed != Pushed::All {
            return Ok(()); // held back or closed: both are bounds
        }
    }
    ctx.until_at_rest();
    ctx.step("all of them were taken: more is owed than the kernel holds and the bound");
    too_much(ctx, growth_max, goal * 2)
}

/// How much the server sends to one without a name for each bad line.
fn bytes_of_an_answer(ctx: &Context, stranger: &mut Person) -> Outcome<usize> {
    stranger.send_silently(&b"1\n".repeat(SAMPLE_LINES))?;
    let (mut errors, mut bytes) = (0, 0);
    while errors < SAMPLE_LINES {
        let Some(line) = stranger.peer.next_line(ctx.patience) else {
            return Err(inconclusive("bad lines are not answered: nothing would be owed"));
        };
        errors += usize::from(line.starts_with("! "));
        bytes += if errors > 0 { line.len() + 1 } else { 0 }; // without the greeting
    }
    Ok(bytes / SAMPLE_LINES)
}
