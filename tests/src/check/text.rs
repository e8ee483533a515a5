//! The list of exercises, for people at a terminal.

use super::Exercise;
use std::fmt::Write;

pub fn exercises(exercises: &[Exercise], with_checks: bool) -> anyhow::Result<String> {
    let mut text = String::new();
    for exercise in exercises {
        let checks = exercise.checks()?;
        let _ = writeln!(
            text,
            "{:<20} S{}  {:>3} min  {:>3} points  {}",
            exercise.name,
            exercise.protocol.stage(),
            exercise.minutes,
            exercise.points()?,
            exercise.task
        );
        if with_checks {
            for check in checks {
                let _ = writeln!(text, "    {:<5} {}", check.rule, check.name);
            }
        }
    }
    Ok(text)
}
