//! Several runs in one number, and what may be said about two such numbers.

use std::fmt;

/// Fewer runs than this of either side are never ranked.
pub const RUNS_MIN: usize = 5;

/// In at most this share of reports about equal servers anything may be ranked at all.
const ERRORS_MAX: f64 = 0.01;

/// Medians that are closer than this share are not worth telling apart, however sure it is.
const DIFFERENCE_MIN: f64 = 0.05;

/// The interval of a median holds it with at least this probability, from `RUNS_MIN` runs on.
const CONFIDENCE: f64 = 0.9;

/// What several runs gave, ascending; never empty.
#[derive(Debug, Clone, PartialEq)]
pub struct Spread(Vec<f64>);

impl Spread {
    /// `None`: no run gave this figure.
    pub fn of(values: impl IntoIterator<Item = f64>) -> Option<Spread> {
        let mut values: Vec<f64> = values.into_iter().filter(|value| value.is_finite()).collect();
        values.sort_by(f64::total_cmp);
        (!values.is_empty()).then_some(Spread(values))
    }

    pub fn runs(&self) -> usize {
        self.0.len()
    }

    pub fn median(&self) -> f64 {
        (self.0[(self.runs() - 1) / 2] + self.0[self.runs() / 2]) / 2.0
    }

    /// Where the median of endless runs lies, without a guess at how runs are distributed: each
    /// lies above it as often as below. With seven runs and fewer it is the lowest and the highest.
    pub fn interval(&self) -> (f64, f64) {
        let runs = self.runs();
        let (mut left_out, mut outside) = (0, 0.0);
        let mut tail = 0.5f64.powi(runs as i32); // that exactly `left_out` runs lie below it
        while outside + tail <= (1.0 - CONFIDENCE) / 2.0 && left_out * 2 < runs {
            outside += tail;
            tail *= (runs - left_out) as f64 / (left_out + 1) as f64;
            left_out += 1;
        }
        let first = left_out.saturating_sub(1);
        (self.0[first], self.0[runs - 1 - first])
    }

    /// How probable it is that equal servers differ as much as these two: the exact rank test of
    /// Mann and Whitney, two-sided. Equal values count against a difference.
    fn probability_if_equal(&self, other: &Spread) -> f64 {
        let ways = ways_by_inversions(self.runs(), other.runs());
        let pairs =
            || self.0.iter().flat_map(|mine| other.0.iter().map(move |theirs| (mine, theirs)));
        let lower = pairs().filter(|(mine, theirs)| mine < theirs).count();
        let higher = pairs().filter(|(mine, theirs)| mine > theirs).count();
        let inversions = pairs().count() - lower.max(higher);
        let as_much: f64 = ways[..=inversions].iter().sum();
        (2.0 * as_much / ways.iter().sum::<f64>()).min(1.0)
    }

    /// Whether the two may be ranked, in a report that makes so many comparisons.
    pub fn differs_from(&self, other: &Spread, comparisons: usize) -> bool {
        let (low, high) = (self.median().min(other.median()), self.median().max(other.median()));
        can_decide(self.runs(), other.runs(), comparisons)
            && high >= low * (1.0 + DIFFERENCE_MIN)
            && self.probability_if_equal(other) <= level(comparisons)
    }
}

/// Of all orders that two groups of runs can come in, how many have 0, 1, 2, ... pairs the wrong
/// way round: the coefficients of the Gaussian binomial, one factor after the other.
fn ways_by_inversions(some: usize, others: usize) -> Vec<f64> {
    let most = some * others;
    let mut ways = vec![0.0; most + 1];
    ways[0] = 1.0;
    for factor in 1..=some {
        for inversions in (others + factor..=most).rev() {
            ways[inversions] -= ways[inversions - others - factor];
        }
        for inversions in factor..=most {
            ways[inversions] += ways[inversions - factor];
        }
    }
    ways
}

/// Who compares often finds something by chance: each comparison gets its share (Bonferroni).
fn level(comparisons: usize) -> f64 {
    ERRORS_MAX / comparisons.max(1) as f64
}

/// Whether so many runs could show any difference at all, were all of one side below all others.
pub fn can_decide(some: usize, others: usize, comparisons: usize) -> bool {
    let orders: f64 = ways_by_inversions(some, others).iter().sum();
    some.min(others) >= RUNS_MIN && 2.0 / orders <= level(comparisons)
}

/// How many rounds a report with so many comparisons needs to rank anything.
pub fn rounds_needed(comparisons: usize) -> usize {
    (RUNS_MIN..).find(|rounds| can_decide(*rounds, *rounds, comparisons)).unwrap_or(RUNS_MIN)
}

impl fmt::Display for Spread {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let shown = super::figures::readable;
        let (low, high) = self.interval();
        f.write_str(&shown(self.median()))?;
        match self.runs() {
            1 => Ok(()),
            _ => write!(f, " ({}..{})", shown(low), shown(high)),
        }
    }
}

/// Groups `entries` from the lowest to the highest; within a group no difference was seen.
///
/// A group ends where all that follow differ from all in it.
pub fn ranked<T: Clone>(entries: &[(T, Spread)], comparisons: usize) -> Vec<Vec<(T, Spread)>> {
    let mut sorted = entries.to_vec();
    sorted.sort_by(|(_, a), (_, b)| a.median().total_cmp(&b.median()));
    let mut groups: Vec<Vec<(T, Spread)>> = Vec::new();
    for at in 0..sorted.len() {
        let differs = |before: &(T, Spread)| {
            sorted[at..].iter().all(|(_, after)| before.1.differs_from(after, comparisons))
        };
        match groups.last_mut() {
            Some(group) if !group.iter().all(differs) => group.push(sorted[at].clone()),
            _ => groups.push(vec![sorted[at].clone()]),
        }
    }
    groups
}

#[cfg(test)]
mod tests {
    use super::*;

    fn spread(values: impl IntoIterator<Item = i32>) -> Spread {
        Spread::of(values.into_iter().map(f64::from)).unwrap()
    }

    #[test]
    fn the_median_is_in_the_middle() {
        assert_eq!(spread([3, 1, 2]).median(), 2.0);
        assert_eq!(spread([4, 1, 2, 3]).median(), 2.5);
        assert_eq!(Spread::of([]), None);
    }

    #[test]
    fn the_interval_leaves_out_what_its_confidence_allows() {
        // 2 * 1/32 is below a tenth, 2 * (1 + 5)/32 is not; with eight 2 * (1 + 8)/256 is.
        assert_eq!(spread(1..=5).interval(), (1.0, 5.0));
        assert_eq!(spread(1..=7).interval(), (1.0, 7.0));
        assert_eq!(spread(1..=8).interval(), (2.0, 7.0));
        assert_eq!(spread([7]).interval(), (7.0, 7.0));
    }

    /// Against the tables of the test: 2/252, 4/252 and 8/252 for five and five.
    #[test]
    fn the_rank_test_is_exact() {
        let p = |others: [i32; 5]| {
            (spread([10, 20, 30, 40, 50]).probability_if_equal(&spread(others)) * 252.0).round()
        };
        assert_eq!(p([61, 62, 63, 64, 65]), 2.0);
        assert_eq!(p([45, 62, 63, 64, 65]), 4.0);
        assert_eq!(p([45, 46, 63, 64, 65]), 8.0);
        assert_eq!(p([10, 20, 30, 40, 50]), 252.0);
        assert_eq!(ways_by_inversions(2, 2), [1.0, 1.0, 2.0, 1.0, 1.0]);
    }

    #[test]
    fn who_compares_more_needs_more_rounds() {
        assert_eq!([1, 10, 45, 77].map(rounds_needed), [5, 7, 8, 9]);
        assert!(!can_decide(4, 20, 1), "five runs of each side, however many the other has");
    }

    #[test]
    fn spans_apart_are_not_enough() {
        let apart = |runs, by| spread(100..100 + runs).differs_from(&spread(by..by + runs), 1);
        assert!(!apart(3, 200), "two equal servers do that in one of ten cases");
        assert!(apart(6, 200));
        assert!(!apart(6, 104) && !spread(1000..1008).differs_from(&spread(1010..1018), 1));
    }

    #[test]
    fn a_rank_is_shared_where_no_difference_was_seen() {
        let entries = [("a", spread(100..108)), ("b", spread(200..208)), ("c", spread(104..112))];
        let groups: Vec<Vec<&str>> = ranked(&entries, 10)
            .into_iter()
            .map(|group| group.into_iter().map(|(name, _)| name).collect())
            .collect();
        assert_eq!(groups, [vec!["a", "c"], vec!["b"]]);
    }
}
