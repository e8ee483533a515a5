//! What everything else rests on: one starts, is greeted, gets a name, and says something.

use super::threads::WITH_NICK;
use crate::check::dialect::CHATS;
use crate::check::outcome::fail;
use crate::check::person::Heard;
use crate::check::{Check, Context, Label, Outcome, Person, Protocol, Trouble};
use crate::patience::LOOK_AGAIN;

/// Almost every other check stands behind these.
pub const ONE_LINE: &str = "one-line-reaches-its-reader";

pub static CHECKS: &[Check] = &[
    Check {
        name: "a-newcomer-is-greeted",
        rule: "L7",
        misconceptions: &["sends-without-boundaries"],
        points: 1.0,
        chapter: "stage3.md",
        protocols: CHATS,
        needs_process: false,
        after: &[],
        run: greeted,
    },
    Check {
        name: "a-newcomer-is-asked-for-a-name",
        rule: "S4.1",
        misconceptions: &[],
        points: 1.0,
        chapter: "stage4.md",
        protocols: WITH_NICK,
        needs_process: false,
        after: &["a-newcomer-is-greeted"],
        run: asked_for_a_name,
    },
    Check {
        name: ONE_LINE,
        rule: "L1",
        misconceptions: &[
            "recv-is-not-a-message",
            "sends-without-boundaries",
            "anonymous-delivery",
            "one-client-at-a-time",
            "sends-to-the-newest",
        ],
        points: 1.0,
        chapter: "stage3.md",
        protocols: CHATS,
        needs_process: false,
        after: &["a-newcomer-is-greeted"],
        run: one_line,
    },
];

/// That a whole line comes. What it must say is the matter of S3.1 and S4.1.
fn greeted(ctx: &mut Context) -> Outcome {
    ctx.quirks.own_words = true;
    ctx.connects("bob").map(drop)
}

fn asked_for_a_name(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.dials("bob")?;
    let heard = bob.next_of_any_kind(&mut bob.new_patience());
    bob.judges(heard, "NICK").because("a newcomer is asked for a name")
}

/// The most natural first server: accept, serve until the end, accept. It shows when bob goes.
fn waits_for_bob(ctx: &mut Context, bob: Person, alice: &mut Person) -> Option<Trouble> {
    if alice.peer.end.is_some() || !alice.peer.received.is_empty() {
        return None;
    }
    bob.leaves();
    ctx.greets(alice).ok()?;
    ctx.step("now that bob has gone, alice is greeted");
    Some(
        fail("one-client-at-a-time", "alice waits while bob is served")
            .expected("alice is greeted while bob is connected and silent")
            .got("alice is greeted when bob has gone"),
    )
}

fn one_line(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut alice = ctx.dials("alice")?;
    if let Err(trouble) = ctx.greets(&mut alice) {
        return Err(waits_for_bob(ctx, bob, &mut alice).unwrap_or(trouble));
    }
    ctx.registers(&mut alice)?;
    alice.says(&bob.name, "hello")?;
    let heard = bob.next();
    if matches!(heard, Heard::Nothing(_)) && ctx.protocol == Protocol::Select {
        let own = ctx.protocol.heard(&alice.name, "hello");
        if alice.peer.next_line(LOOK_AGAIN).is_some_and(|line| line == own) {
            let message = "alice, who came last, receives what she wrote to bob";
            return Err(fail("sends-to-the-newest", message)
                .expected(format!("bob receives `{own}`"))
                .got(format!("alice receives `{own}`, bob receives nothing")));
        }
    }
    match heard {
        Heard::Line(line) if line == ctx.protocol.heard(&alice.name, "hello") => Ok(()),
        Heard::Line(line) if line.contains("hello") && !line.contains(&alice.name) => {
            Err(fail("anonymous-delivery", "the receiver cannot tell who wrote")
                .differs(ctx.protocol.heard(&alice.name, "hello").as_bytes(), line.as_bytes()))
        }
        heard => bob
            .judges(heard, &ctx.protocol.heard(&alice.name, "hello"))
            .because("the simplest message did not arrive"),
    }
}
