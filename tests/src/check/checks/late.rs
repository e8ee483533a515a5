//! One who reads late has lost nothing: what the kernel did not take is owed, up to the bound.

use super::flood::{Scene, begins_to_read, kernel_takes};
use super::slow::{STALLS, check};
use crate::check::difference::brief;
use crate::check::outcome::{FAREWELL, fail, inconclusive};
use crate::check::person::Heard;
use crate::check::{Check, Context, Outcome, Person};
use std::time::{Duration, Instant};

/// Bytes that are owed beside what the kernel takes: it took a part of the flood and not all of
/// it, even if it takes a little more or less another time; and the bound is far.
const OWED_BYTES: usize = 300_000;

/// What others say between a half-close and the first read: so the server has seen it.
const PROBES: usize = 3;

const LOSES: &[&str] = &["reorders-or-loses-under-load"];

pub static CHECKS: &[Check] = &[
    check("one-who-reads-late-loses-nothing", LOSES, &[STALLS], true, reads_late),
    Check {
        rule: "L10",
        ..check("a-half-close-is-answered-with-all-that-waits", LOSES, &[STALLS], true, half_closes)
    },
];

fn reads_late(ctx: &mut Context) -> Outcome {
    loses_nothing(ctx, Duration::MAX, |_, _| Ok(()))
}

fn half_closes(ctx: &mut Context) -> Outcome {
    loses_nothing(ctx, FAREWELL, |ctx, scene| {
        ctx.step("slow half-closes, and has read nothing yet");
        scene.slow.peer.half_close();
        (0..PROBES).try_for_each(|_| scene.probe(ctx.patience))
    })
}

type Before = fn(&mut Context, &mut Scene) -> Outcome;

/// All that is owed must come, unless it takes longer than `allowed`.
fn loses_nothing(ctx: &mut Context, allowed: Duration, before_reading: Before) -> Outcome {
    let kernel = kernel_takes()?;
    let mut scene = Scene::new(ctx)?;
    let flood = scene.flood(ctx, kernel + OWED_BYTES)?;
    if flood.held_back.is_some() {
        return Err(inconclusive("the server held the sender back before much was owed"));
    }
    ctx.step(format!(
        "the kernel takes about {kernel} of these bytes: the others are owed to slow"
    ));
    let began = Instant::now();
    before_reading(ctx, &mut scene)?;
    begins_to_read(&scene.slow);
    let line = scene.as_heard_by_slow();
    for number in 0..flood.lines {
        let heard = next_of_flood(&mut scene.slow);
        let got = match heard {
            Heard::Line(heard) if heard == line => continue,
            // It made the kernel's buffers smaller than they are here: then more was owed.
            Heard::End(_) if number * line.len() < kernel / 2 => {
                return Err(inconclusive("slow was closed, as the server's own buffers are small"));
            }
            other => brief(other.in_words().as_bytes()),
        };
        return Err(fail(LOSES[0], "one who reads late must receive all that is owed to it")
            .expected(format!("{} lines like `{}`", flood.lines, brief(line.as_bytes())))
            .got(format!("{number} such lines, then {got}"))
            .after(scene.slow.peer.over)
            .before(began, allowed));
    }
    Ok(())
}

/// What others said between the lines is of no interest; a part of a line is.
fn next_of_flood(slow: &mut Person) -> Heard {
    let mut patience = slow.new_patience();
    loop {
        match slow.next_of_any_kind(&mut patience) {
            Heard::Line(line) if !line.contains("xxx") => {}
            heard => return heard,
        }
    }
}
