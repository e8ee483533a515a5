//! Many at once: ten who write to each other, and a thousand.

use super::basics::ONE_LINE;
use super::framing::{JOINED, SPLIT};
use super::{memory, ten_at_once};
use crate::check::dialect::CHATS;
use crate::check::outcome::{inconclusive, wrong};
use crate::check::target::StartOptions;
use crate::check::{Check, Context, Label, Outcome, Person, Protocol};

pub(super) const NAMES: [&str; 10] =
    ["ann", "ben", "cyd", "dan", "eve", "fay", "gus", "hal", "ida", "joe"];

/// A crowd, and what one of them may cost: a thread for each, with the first pages of its stack, and
/// some buffers fit into it many times. It is a slope, so what a runtime uses itself is no matter.
const CROWD: usize = 1000;
const NEXT_CROWD: usize = 500;
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
        ten_at_once::run,
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

/// People with names that begin with `initial`, beside so many who are there already.
fn gather(ctx: &mut Context, initial: &str, size: usize, there: usize) -> Outcome<Vec<Person>> {
    let allowed = crate::resources::allow_many_descriptors();
    if allowed < there + size + 100 {
        return Err(inconclusive(format!("the lab itself may open only {allowed} descriptors")));
    }
    ctx.step(format!("{size} clients join"));
    let mut crowd = Vec::new();
    for number in 0..size {
        let joined = ctx.quietly(|ctx| ctx.joins(&format!("{initial}{number}")));
        crowd.push(joined.because(format!("client {} of {size} did not get in", number + 1))?);
    }
    Ok(crowd)
}

fn a_thousand(ctx: &mut Context) -> Outcome {
    let mut crowd = gather(ctx, "p", CROWD, 0)?;
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
    ctx.start(StartOptions { environment: memory::ENVIRONMENT, ..StartOptions::default() })?;
    let mut first = Vec::new();
    for number in 0..10 {
        first.push(ctx.joins(&format!("early{number}"))?);
    }
    let (crowd, each) = cost_of_a_crowd(ctx, "p", CROWD, 0)?;
    if each <= BYTES_PER_CLIENT_MAX {
        return Ok(());
    }
    // Garbage is collected at some size; what each client costs, each of the next costs as well.
    let (_next_crowd, each_of_the_next) = cost_of_a_crowd(ctx, "q", NEXT_CROWD, CROWD)?;
    drop(crowd);
    if each_of_the_next <= BYTES_PER_CLIENT_MAX {
        return Ok(());
    }
    Err(wrong("a client who says nothing costs too much memory")
        .expected(format!("at most {} KiB for each", BYTES_PER_CLIENT_MAX / 1024))
        .got(format!("{} KiB for each, and {} for the next", each / 1024, each_of_the_next / 1024)))
}

/// A crowd, and how many bytes the server has grown for each of them.
fn cost_of_a_crowd(
    ctx: &mut Context,
    initial: &str,
    size: usize,
    there: usize,
) -> Outcome<(Vec<Person>, u64)> {
    let before = ctx.usage()?.resident_bytes;
    let crowd = gather(ctx, initial, size, there)?;
    ctx.until_at_rest(); // what others were told of them may wait for a while
    let each = ctx.usage()?.resident_bytes.saturating_sub(before) / size as u64;
    ctx.step(format!("each of them costs {} KiB", each / 1024));
    Ok((crowd, each))
}
