//! What the screens show, against what they must show. Pure.

use super::promise::Pattern;
use std::collections::VecDeque;

/// A line that a step must bring to somebody's screen.
#[derive(Debug)]
pub struct Expected {
    /// The step, counted from the first of those that happen at once.
    pub step: usize,
    pub by: String,
    pub pattern: Pattern,
}

/// What went otherwise than promised.
#[derive(Debug, PartialEq, Eq)]
pub struct Trouble {
    pub step: usize,
    /// On whose screen.
    pub who: String,
    pub expected: String,
    pub seen: String,
}

impl Trouble {
    pub fn of(self, who: &str) -> Trouble {
        let who = who.to_string();
        Trouble { who, ..self }
    }
}

/// Which steps the lines of one screen belong to, in their order; an error if one is missing or
/// too many. What one person said comes in the order in which it was said (rule L12); what
/// several said at once may mix.
pub fn compare(
    lines: &[String],
    expected: &[Expected],
    peer: Option<&str>,
) -> Result<Vec<usize>, Trouble> {
    let mut order = Vec::new();
    let mut missing: VecDeque<&Expected> = expected.iter().collect();
    for line in lines {
        let matching = missing.iter().position(|next| next.pattern.matches(line, peer));
        let is_next =
            |at: &usize| !missing.iter().take(*at).any(|other| other.by == missing[*at].by);
        let Some(found) = matching.filter(is_next) else {
            return Err(otherwise(missing.front(), format!("`{line}`")));
        };
        order.extend(missing.remove(found).map(|expected| expected.step));
    }
    match missing.front() {
        Some(next) => Err(otherwise(Some(next), "nothing".to_string())),
        None => Ok(order),
    }
}

fn otherwise(next: Option<&&Expected>, seen: String) -> Trouble {
    let nothing_more = "nothing more".to_string();
    Trouble {
        step: next.map_or(0, |next| next.step),
        who: String::new(),
        expected: next.map_or(nothing_more, |next| format!("`{}`", next.pattern)),
        seen,
    }
}

/// Any two people see what both see in the same order (rule L12). Takes who saw which steps.
pub fn same_order(orders: &[(String, Vec<usize>)]) -> Result<(), Trouble> {
    for (at, (one, first)) in orders.iter().enumerate() {
        for (other, second) in &orders[at + 1..] {
            let first = first.iter().filter(|step| second.contains(step));
            let mut second = second.iter().filter(|step| first.clone().any(|seen| seen == *step));
            let differs = first.clone().find(|step| second.next() != Some(step));
            if let Some(step) = differs {
                return Err(Trouble {
                    step: *step,
                    who: other.clone(),
                    expected: format!("this line before the next ones, as {one} saw it"),
                    seen: "another line of the same moment first".to_string(),
                });
            }
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    /// ann says 1 and 2, bob says 3, all at once.
    fn three_lines() -> Vec<Expected> {
        let lines = [("ann", "ann: 1"), ("ann", "ann: 2"), ("bob", "bob: 3")];
        let expected = lines.into_iter().enumerate().map(|(step, (by, line))| Expected {
            step,
            by: by.to_string(),
            pattern: Pattern::Exactly(line.to_string()),
        });
        expected.collect()
    }

    fn seen(lines: &[&str]) -> Result<Vec<usize>, Trouble> {
        let lines: Vec<String> = lines.iter().map(ToString::to_string).collect();
        compare(&lines, &three_lines(), None)
    }

    #[test]
    fn lines_of_different_people_may_mix() {
        assert_eq!(seen(&["bob: 3", "ann: 1", "ann: 2"]), Ok(vec![2, 0, 1]));
        assert_eq!(seen(&["ann: 1", "bob: 3", "ann: 2"]), Ok(vec![0, 2, 1]));
    }

    #[test]
    fn lines_of_one_person_may_not() {
        let trouble = seen(&["ann: 2", "ann: 1", "bob: 3"]).unwrap_err();
        assert_eq!((trouble.expected.as_str(), trouble.seen.as_str()), ("`ann: 1`", "`ann: 2`"));
    }

    #[test]
    fn a_line_that_is_missing_is_named() {
        let trouble = seen(&["ann: 1", "ann: 2"]).unwrap_err();
        assert_eq!((trouble.step, trouble.expected.as_str()), (2, "`bob: 3`"));
    }

    #[test]
    fn a_line_too_many_is_named() {
        for surprise in ["ann: 1", "* eve joined", ""] {
            let trouble = seen(&["ann: 1", "ann: 2", "bob: 3", surprise]).unwrap_err();
            assert_eq!(trouble.expected, "nothing more");
            assert_eq!(trouble.seen, format!("`{surprise}`"));
        }
    }

    #[test]
    fn two_people_see_what_both_see_in_the_same_order() {
        let orders = |second: &[usize]| {
            let both = [("ann", [0, 1, 2].to_vec()), ("bob", second.to_vec())];
            both.map(|(name, order)| (name.to_string(), order))
        };
        assert_eq!(same_order(&orders(&[0, 2])), Ok(()));
        assert_eq!(same_order(&orders(&[5, 0, 1, 2])), Ok(()));
        let trouble = same_order(&orders(&[1, 0, 2])).unwrap_err();
        assert_eq!((trouble.step, trouble.who.as_str()), (0, "bob"));
    }
}
