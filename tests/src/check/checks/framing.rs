//! Bytes and lines: rules L1 to L7.

use super::basics::ONE_LINE;
use crate::check::dialect::CHATS;
use crate::check::{Check, Context, Label, Outcome};

const AFTER: &[&str] = &[ONE_LINE];

pub static CHECKS: &[Check] = &[Check {
    name: "two-lines-in-one-segment-are-two-messages",
    rule: "L1",
    misconceptions: &["recv-is-not-a-message"],
    points: 2.0,
    chapter: "stage3.md",
    protocols: CHATS,
    needs_process: false,
    after: AFTER,
    run: two_lines_in_one_segment,
}];

fn two_lines_in_one_segment(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut alice = ctx.joins("alice")?;
    let line = |text| alice.protocol.saying(&bob.name, text);
    let both = format!("{}\n{}\n", line("one"), line("two"));
    alice.send(both.as_bytes())?;
    for text in ["one", "two"] {
        bob.hears(&alice.name, text).means(
            "recv-is-not-a-message",
            "two lines in one segment must be two messages",
        )?;
    }
    Ok(())
}
