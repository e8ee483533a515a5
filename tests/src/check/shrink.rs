//! The smallest part of a failing list that still fails.

/// Leaves out as much of `items` as it can while `fails` still holds: halves first, then single
/// ones (delta debugging, without its bookkeeping). `tries` bounds how often `fails` is asked.
///
/// `items` itself is taken to fail.
pub fn smallest<T: Clone>(
    items: &[T],
    mut tries: usize,
    mut fails: impl FnMut(&[T]) -> bool,
) -> Vec<T> {
    let mut best = items.to_vec();
    let mut chunk = best.len().div_ceil(2);
    while chunk > 0 && tries > 0 {
        let mut start = 0;
        let mut smaller_found = false;
        while start < best.len() && tries > 0 {
            let end = (start + chunk).min(best.len());
            let candidate = [&best[..start], &best[end..]].concat();
            tries -= 1;
            if !candidate.is_empty() && fails(&candidate) {
                best = candidate; // and the next chunk has moved to `start`
                smaller_found = true;
            } else {
                start = end;
            }
        }
        if !smaller_found || chunk > 1 {
            chunk /= 2;
        }
    }
    best
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn two_lines_out_of_a_hundred_remain() {
        let items: Vec<u32> = (0..100).collect();
        let both = |part: &[u32]| part.contains(&17) && part.contains(&71);
        assert_eq!(smallest(&items, 1000, both), [17, 71]);
    }

    #[test]
    fn no_more_tries_than_allowed() {
        let items: Vec<u32> = (0..100).collect();
        let mut asked = 0;
        smallest(&items, 10, |_| {
            asked += 1;
            false
        });
        assert_eq!(asked, 10);
    }

    proptest! {
        #[test]
        fn what_remains_fails_and_is_needed(culprits in prop::collection::btree_set(0..40_u32, 1..4)) {
            let items: Vec<u32> = (0..40).collect();
            let fails = |part: &[u32]| culprits.iter().all(|culprit| part.contains(culprit));
            let rest = smallest(&items, 10_000, fails);
            prop_assert_eq!(rest, culprits.iter().copied().collect::<Vec<_>>());
        }
    }
}
