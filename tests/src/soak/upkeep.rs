//! After each round the server must have forgotten its visitors: descriptors, threads, memory.

use super::tally::Looks;
use crate::check::Context;
use crate::check::outcome::{Outcome, fail, wrong};
use crate::resources::{self, Usage};

/// What a server may have opened or started for itself meanwhile.
const MORE_DESCRIPTORS_MAX: usize = 3;
const MORE_THREADS_MAX: usize = 10;

/// Rounds after which a server has grown to its usual size: buffers, and the allocator's stock.
pub const WARM_UP_ROUNDS: u64 = 3;

/// By how much its resident memory may have grown since.
const MORE_MEMORY_BYTES_MAX: u64 = 16 << 20;

/// The C library of Linux keeps a stock of memory for groups of threads, and each stock grows to
/// the largest that its threads have ever needed. With a single stock, what grows is the server.
pub const ENVIRONMENT: &[(&str, &str)] = &[("MALLOC_ARENA_MAX", "1")];

/// `None`: this system does not tell, or somebody else has started the server.
pub fn look(ctx: &mut Context) -> Option<Usage> {
    resources::of_group(ctx.process().ok()?.id())
}

/// Waits until nothing of the visitors is left, then looks at the memory. `rounds` have been.
pub fn check(ctx: &mut Context, looks: &mut Looks, rounds: u64) -> Outcome {
    ctx.until_at_rest();
    let mut patience = ctx.new_patience();
    while let (Some(before), Some(now)) = (looks.before, look(ctx)) {
        looks.last = Some(now);
        if is_left_over(before, now) {
            if patience.pause() {
                continue;
            }
            return Err(fail("leaks-descriptors", "visitors are gone, and not forgotten")
                .expected(sizes(before))
                .got(sizes(now))
                .after(patience.over()));
        }
        if rounds <= WARM_UP_ROUNDS {
            looks.warm = Some(now);
        }
        return grows(looks.warm.unwrap_or(before), now);
    }
    Ok(())
}

fn is_left_over(before: Usage, now: Usage) -> bool {
    now.descriptors > before.descriptors + MORE_DESCRIPTORS_MAX
        || now.threads > before.threads + MORE_THREADS_MAX
}

fn sizes(usage: Usage) -> String {
    format!("{} descriptors, {} threads", usage.descriptors, usage.threads)
}

fn grows(warm: Usage, now: Usage) -> Outcome {
    let more = now.resident_bytes.saturating_sub(warm.resident_bytes);
    if more <= MORE_MEMORY_BYTES_MAX {
        return Ok(());
    }
    Err(wrong("the memory grows with the number of visitors and lines")
        .expected(format!(
            "at most {} MiB more than after {WARM_UP_ROUNDS} rounds",
            MORE_MEMORY_BYTES_MAX >> 20
        ))
        .got(format!("{} MiB more", more >> 20)))
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    const BEFORE: Usage = Usage {
        processor_time: Duration::ZERO,
        resident_bytes: 5 << 20,
        threads: 21,
        descriptors: 14,
        runnable: 0,
        switches: 0,
    };

    #[test]
    fn a_few_descriptors_more_are_the_servers_own() {
        assert!(!is_left_over(BEFORE, Usage { descriptors: 17, threads: 31, ..BEFORE }));
        assert!(is_left_over(BEFORE, Usage { descriptors: 18, ..BEFORE }));
        assert!(is_left_over(BEFORE, Usage { threads: 32, ..BEFORE }));
    }

    #[test]
    fn memory_may_grow_up_to_the_bound() {
        let grown = |by| Usage { resident_bytes: BEFORE.resident_bytes + by, ..BEFORE };
        assert!(grows(BEFORE, grown(MORE_MEMORY_BYTES_MAX)).is_ok());
        assert!(grows(BEFORE, grown(MORE_MEMORY_BYTES_MAX + 1)).is_err());
        assert!(grows(grown(1 << 20), BEFORE).is_ok());
    }
}
