//! Checks to come.

use crate::check::Check;

pub static CHECKS: &[Check] = &[];
