//! Every check there is. Causes stand before what they explain: a report shows the first one
//! that failed first.

mod access;
mod admin;
pub mod basics;
mod client;
mod commands;
mod duplex;
pub mod faults;
mod flood;
pub mod framing;
mod late;
mod limits;
mod load;
mod memory;
mod names;
mod pace;
mod resources;
mod roles;
mod rooms;
mod script;
pub mod select;
mod shutdown;
mod simplex;
mod slow;
mod talk;
mod ten_at_once;
mod threads;
mod writers;

use super::Check;

static ALL: &[&[Check]] = &[
    basics::CHECKS,
    simplex::CHECKS,
    duplex::CHECKS,
    framing::CHECKS,
    names::CHECKS,
    select::CHECKS,
    threads::CHECKS,
    rooms::CHECKS,
    commands::CHECKS,
    roles::CHECKS,
    access::CHECKS,
    admin::CHECKS,
    limits::CHECKS,
    pace::CHECKS,
    shutdown::CHECKS,
    faults::CHECKS,
    load::CHECKS,
    slow::CHECKS,
    late::CHECKS,
    writers::CHECKS,
    resources::CHECKS,
    client::CHECKS,
];

pub fn all() -> impl Iterator<Item = &'static Check> {
    ALL.iter().copied().flatten()
}

/// Whether everything else in its protocol rests on this check.
pub fn is_foundation(check: &Check) -> bool {
    basics::CHECKS.iter().any(|basic| basic.name == check.name)
        || [talk::PRIVATE, talk::SPEAKING].contains(&check.name)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::check::misconception;
    use std::collections::HashSet;

    #[test]
    fn every_check_has_a_name_of_its_own() {
        let mut names = HashSet::new();
        for check in all() {
            assert!(names.insert(check.name), "{} is there twice", check.name);
        }
    }

    #[test]
    fn causes_stand_before_what_they_explain() {
        let mut seen = HashSet::new();
        for check in all() {
            for cause in check.after {
                assert!(seen.contains(cause), "{}: no {cause} before it", check.name);
            }
            seen.insert(check.name);
        }
    }

    #[test]
    fn every_misconception_that_a_check_names_is_in_the_catalogue() {
        for check in all() {
            for name in check.misconceptions {
                assert!(misconception::by_name(name).is_some(), "{}: {name}", check.name);
            }
        }
    }
}
