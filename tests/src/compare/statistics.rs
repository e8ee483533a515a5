//! Several runs in one number, and what may be said about two such numbers.

use serde::Serialize;
use std::fmt;

/// The middle of several runs, and how far they lie apart.
#[derive(Debug, Clone, Copy, PartialEq, Serialize)]
pub struct Spread {
    pub median: f64,
    pub min: f64,
    pub max: f64,
    pub runs: usize,
}

impl Spread {
    /// `None`: no run gave this figure.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        let middle = values.len() / 2;
        Some(Spread {
            median: match values.len() % 2 {
                1 => values[middle],
                _ => (values.get(middle.checked_sub(1)?)? + values[middle]) / 2.0,
            },
            min: *values.first()?,
            max: *values.last()?,
            runs: values.len(),
        })
    }

    /// Whether the two may be ranked. One run says nothing about its spread, and so nothing
    /// about a difference.
    pub fn differs_from(&self, other: &Spread) -> bool {
        self.runs > 1 && other.runs > 1 && (self.min > other.max || self.max < other.min)
    }
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let shown = super::figures::readable;
        f.write_str(&shown(self.median))?;
        match self.runs {
            1 => Ok(()),
            _ => write!(f, " ({}..{})", shown(self.min), shown(self.max)),
        }
    }
}

/// Groups `entries` from the best to the worst; within a group no difference was seen.
///
/// A group ends where all that follow differ from all in it.
pub fn ranked<T: Clone>(entries: &[(T, Spread)], high_is_good: bool) -> Vec<Vec<(T, Spread)>> {
    let mut sorted = entries.to_vec();
    sorted.sort_by(|(_, a), (_, b)| {
        let order = a.median.total_cmp(&b.median);
        if high_is_good { order.reverse() } else { order }
    });
    let mut groups: Vec<Vec<(T, Spread)>> = Vec::new();
    for entry in sorted {
        let joins = |group: &Vec<(T, Spread)>| {
            group.iter().any(|(_, member)| !member.differs_from(&entry.1))
        };
        match groups.last_mut() {
            Some(group) if joins(group) => group.push(entry),
            _ => groups.push(vec![entry]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: &[f64]) -> Spread {
        Spread::of(values.iter().copied()).unwrap()
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(spread(&[3.0, 1.0, 2.0]).median, 2.0);
        assert_eq!(spread(&[4.0, 1.0, 2.0, 3.0]).median, 2.5);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn intervals_that_overlap_are_no_difference() {
        let (slow, slower, fast) = (&[1.0, 2.0, 3.0], &[0.5, 1.5], &[4.0, 5.0]);
        assert!(!spread(slow).differs_from(&spread(slower)));
        assert!(spread(slow).differs_from(&spread(fast)));
    }

    #[test]
    fn one_run_is_never_ranked() {
        assert!(!spread(&[1.0]).differs_from(&spread(&[9.0, 9.0])));
    }

    #[test]
    fn a_rank_is_shared_where_no_difference_was_seen() {
        let entries =
            [("a", spread(&[1.0, 2.0])), ("b", spread(&[8.0, 9.0])), ("c", spread(&[1.5, 2.5]))];
        let groups: Vec<Vec<&str>> = ranked(&entries, true)
            .into_iter()
            .map(|group| group.into_iter().map(|(name, _)| name).collect())
            .collect();
        assert_eq!(groups, [vec!["b"], vec!["c", "a"]]);
    }
}
