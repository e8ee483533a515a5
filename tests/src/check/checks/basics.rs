//! What everything else rests on: one starts, is greeted, gets a name, and says something.

use crate::check::dialect::CHATS;
use crate::check::outcome::fail;
use crate::check::person::Heard;
use crate::check::{Check, Context, Label, Outcome};

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

fn greeted(ctx: &mut Context) -> Outcome {
    ctx.connects("bob").map(drop)
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
