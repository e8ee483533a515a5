//! What everything else rests on: one starts, is greeted, gets a name, and says something.

use super::threads::WITH_NICK;
use crate::check::dialect::CHATS;
use crate::check::outcome::fail;
use crate::check::person::Heard;
use crate::check::{Check, Context, Label, Outcome};
use std::time::Instant;

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
    let heard = bob.next_of_any_kind(Instant::now() + ctx.patience);
    bob.judges(heard, "NICK").because("a newcomer is asked for a name")
}

fn one_line(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut alice = ctx.joins("alice")?;
    alice.says(&bob.name, "hello")?;
    match bob.next() {
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
