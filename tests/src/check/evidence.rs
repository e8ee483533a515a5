//! A run that has failed, taken as evidence: which one mistake explains most of what was seen?

use crate::report::{Cause, CheckResult, Verdict};
use std::collections::BTreeMap;

/// So many times as many failures another mistake must explain before it is put before the one that
/// was found first: the order of the checks knows causes from consequences, too.
const TIMES_MORE: usize = 3;

/// Puts the failures first that have the most likely cause, and says what it explains.
pub fn put_first(checks: &mut [CheckResult]) -> Option<Cause> {
    let failed: Vec<&CheckResult> =
        checks.iter().filter(|check| check.verdict == Verdict::Failed).collect();
    let first = failed.first()?;
    let mut counts: BTreeMap<&str, usize> = BTreeMap::new();
    for name in failed.iter().filter_map(|check| check.misconception.as_deref()) {
        *counts.entry(name).or_default() += 1;
    }
    let own = first.misconception.as_deref();
    let count_of_first = own.and_then(|name| counts.get(name)).copied().unwrap_or(1);
    let most = counts.iter().max_by_key(|(_, count)| **count);
    let name = match most {
        Some((name, count)) if *count >= TIMES_MORE * count_of_first => Some(*name),
        _ => own,
    }
    .map(String::from);
    if name.is_some() {
        let other = |check: &CheckResult| check.misconception != name;
        checks.sort_by_key(|check| (std::cmp::Reverse(check.verdict), other(check))); // stable
    }
    let mut causes = vec![checks.first()?.name.clone()];
    let mut explains = Vec::new();
    for check in checks.iter().skip(1) {
        let same = name.is_some() && check.misconception == name;
        let behind = check.verdict == Verdict::Skipped
            && causes.iter().any(|cause| check.message.contains(&format!(": {cause} has to pass")));
        if (same && check.verdict == Verdict::Failed) || behind {
            causes.push(check.name.clone());
            explains.push(check.name.clone());
        }
    }
    Some(Cause { check: causes.swap_remove(0), misconception: name, explains })
}
