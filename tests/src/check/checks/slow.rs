//! One who does not read, and what that may cost others: rule L13.

use super::basics::ONE_LINE;
use super::flood::{
    NO_PROCESSOR_TIME, SMALL_BUFFER, Scene, begins_to_read, kernel_takes, more_than_can_wait,
};
use super::framing::JOINED;
use crate::check::dialect::CHATS;
use crate::check::drain::{Pushed, push};
use crate::check::outcome::{fail, inconclusive, wrong};
use crate::check::{Check, Context, Label, Outcome, Person};
use crate::patience::Over;
use crate::resources::queues;

/// Bytes that are kept for one who does not read, beside what the kernel holds, and that show that
/// there is no bound: many times the bound of the rule.
const KEPT_BYTES: usize = 24 << 20;

/// Lines of one who has no name, between two probes: little enough that a slow server is
/// through with them at once.
const NAMELESS_LINES_PER_ROUND: usize = 1024;

/// The same for one who has no name: bytes of answers to bad lines, which are short.
const KEPT_FOR_NAMELESS_BYTES: usize = 8 << 20;

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
    let (got, over) = (slow.received.len(), slow.over);
    if slow.end.is_some() && got < flood.taken {
        return Ok(());
    }
    Err(fail("unbounded-queue", "one who does not read was never closed")
        .expected("slow is closed when more than the bound is owed to it")
        .got(format!("slow received {got} bytes late, of {} sent", flood.taken))
        .after(over))
}

/// What the server has taken for one who does not read, and the kernel does not hold, is in the
/// server's memory if that one receives it after all. It is counted, so the size of a runtime and its
/// garbage are no matter.
fn memory_is_bounded(ctx: &mut Context) -> Outcome {
    let kernel = kernel_takes()?;
    let mut scene = Scene::new(ctx)?;
    let flood = scene.flood(ctx, kernel + KEPT_BYTES)?;
    if flood.held_back.is_some() {
        return scene.proves_full(ctx, flood);
    }
    begins_to_read(&scene.slow);
    let all = flood.lines * (scene.as_heard_by_slow().len() + 1);
    let slow = &mut scene.slow.peer;
    slow.receive_up_to(all, ctx.patience);
    let got = slow.received.len();
    if got >= all {
        return Err(fail("unbounded-queue", "memory grows for a client that does not read")
            .expected("slow is closed at a bound, or alice is held back")
            .got(format!("{got} bytes were kept for slow: the kernel holds {kernel} of them")));
    }
    match (slow.end, slow.over) {
        (None, Over::Unknown) => Err(inconclusive("the server got no processor time to send")),
        _ => Ok(()), // refused, by whatever means
    }
}

fn nameless_and_slow(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let mut stranger = ctx.dials_with("stranger", Some(SMALL_BUFFER))?;
    let answer_bytes = bytes_of_an_answer(ctx, &mut stranger)?;
    let goal = (kernel_takes()? + KEPT_FOR_NAMELESS_BYTES) / answer_bytes;
    ctx.step(format!("stranger reads no more, and sends {goal} bad lines, one after the other"));
    let lines = b"1\n".repeat(NAMELESS_LINES_PER_ROUND);
    for round in 0..goal.div_ceil(NAMELESS_LINES_PER_ROUND) {
        let pushed = push(&stranger, &lines);
        let text = format!("probe {round}");
        alice.send_silently(format!("{}\n", ctx.protocol.saying(&bob.name, &text)).as_bytes())?;
        bob.quietly(|bob| bob.hears(&alice.name, &text)).means(
            "slow-reader-stalls-others",
            "one without a name does not read, and others wait",
        )?;
        match pushed {
            Pushed::All => {}
            Pushed::HeldBack(_) | Pushed::Ended => return Ok(()), // both are bounds
            Pushed::Unknown => return Err(inconclusive(NO_PROCESSOR_TIME)),
        }
    }
    ctx.until_at_rest();
    if holds_back(ctx, &stranger)? {
        return Ok(());
    }
    begins_to_read(&stranger);
    let all = stranger.peer.received.len() + goal * answer_bytes;
    stranger.peer.receive_up_to(all, ctx.patience);
    let got = stranger.peer.received.len();
    if got < all {
        return Ok(());
    }
    Err(fail("unbounded-queue", "memory grows for one without a name who does not read")
        .expected("stranger is closed at a bound, or nothing more is read of it")
        .got(format!("{got} bytes of answers, when it reads at last")))
}

/// Whether the kernel still holds something that `stranger` has sent: the server does not read on.
fn holds_back(ctx: &mut Context, stranger: &Person) -> Outcome<bool> {
    if !cfg!(target_os = "linux") {
        return Err(inconclusive("only Linux tells what a server has not read yet"));
    }
    let (server, client) = (ctx.address()?.port(), stranger.peer.address()?.port());
    Ok(queues(server, client).is_some_and(|queues| queues.received > 0))
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
