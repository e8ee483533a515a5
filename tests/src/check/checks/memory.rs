//! Does memory grow with what is sent, without an end?
//!
//! How much a program may use is no matter of ours. A runtime that collects garbage lets it lie until
//! there is so much of it, and how much that is depends on the runtime, on the machine, and on whether
//! a thread of its own gets time to collect. But what is kept grows with all that is sent, and garbage
//! does not: so each step sends twice as much as the one before, and one that makes memory grow by
//! less than half of what was sent in it shows that it is not kept.

use crate::check::{Context, Outcome};

/// The first step: as much, or half of what the program uses before. One that is large from the
/// start has a runtime, which lets more lie and compiles what runs often.
const FIRST_STEP_BYTES: u64 = 4 << 20;

/// A buffer that doubles its size when it is full has doubled once in each step.
const STEPS: u32 = 3;
const STEPS_OF_A_RUNTIME: u32 = 4;
const RUNTIME_BYTES: u64 = 24 << 20;

/// Runtimes are told to begin with little: some take a part of the machine's memory at once, and fill
/// it before they collect anything. And the C library keeps one stock, not one for each thread.
pub const ENVIRONMENT: &[(&str, &str)] = &[
    ("JAVA_TOOL_OPTIONS", "-Xms32m"),
    ("DOTNET_GCgen0size", "1000000"), // hexadecimal
    ("MALLOC_ARENA_MAX", "1"),
];

/// `send` sends so many bytes, and says whether they were taken. In words, if memory grew in all of
/// the steps.
pub fn grows_without_end(
    ctx: &mut Context,
    mut send: impl FnMut(usize) -> Outcome<bool>,
) -> Outcome<Option<String>> {
    let at_first = ctx.usage()?.resident_bytes;
    let steps = if at_first < RUNTIME_BYTES { STEPS } else { STEPS_OF_A_RUNTIME };
    let (mut before, mut sent) = (at_first, 0);
    for doublings in 0..steps {
        let step = FIRST_STEP_BYTES.max(at_first / 2) << doublings;
        if !send(step as usize)? {
            return Ok(None);
        }
        ctx.until_at_rest(); // what the kernel holds is in nobody's memory yet
        let now = ctx.usage()?.resident_bytes;
        ctx.step(format!("{} MiB more were sent: it uses {} MiB", step >> 20, now >> 20));
        if now.saturating_sub(before) < step / 2 {
            return Ok(None);
        }
        (before, sent) = (now, sent + step);
    }
    Ok(Some(format!("{} MiB more after {} MiB", (before - at_first) >> 20, sent >> 20)))
}
