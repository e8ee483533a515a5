//! What the exercises' pages say of minutes, points and checks is written by the lab, so that it
//! is true. The rest of a page is written by people.

use crate::check::{Check, Exercise};
use crate::stage::workspace;
use anyhow::Context;
use std::collections::{BTreeMap, BTreeSet};
use std::fs;
use std::path::PathBuf;

/// Writes the generated parts of all pages.
pub fn write_all() -> anyhow::Result<()> {
    for (path, text) in all()? {
        fs::write(&path, text).with_context(|| format!("cannot write {}", path.display()))?;
    }
    Ok(())
}

/// Every page as it must be.
fn all() -> anyhow::Result<Vec<(PathBuf, String)>> {
    let book = workspace().join("docs").join("src");
    let exercises = Exercise::all()?;
    let mut pages = Vec::new();
    for exercise in &exercises {
        let path = book.join(exercise.page());
        let text = read(&path)?;
        let text = filled_in(&text, "facts", &facts(exercise)?)?;
        let listed = categories(exercise) + &checks(exercise)? + &left_out(exercise, &exercises)?;
        pages.push((path, filled_in(&text, "checks", &listed)?));
    }
    let path = book.join("exercises.md");
    let text = filled_in(&read(&path)?, "exercises", &list(&exercises)?)?;
    pages.push((path, text));
    pages.push((book.join("misconceptions.md"), crate::check::misconception::page()));
    Ok(pages)
}

fn read(path: &PathBuf) -> anyhow::Result<String> {
    fs::read_to_string(path)
        .with_context(|| format!("an exercise needs its page {}", path.display()))
}

/// `text` with `part` between `<!-- mark -->` and `<!-- /mark -->`.
fn filled_in(text: &str, mark: &str, part: &str) -> anyhow::Result<String> {
    let (open, close) = (format!("<!-- {mark} -->\n"), format!("<!-- /{mark} -->"));
    let (before, rest) = text.split_once(&open).with_context(|| format!("a page lacks {open}"))?;
    let (_, after) = rest.split_once(&close).with_context(|| format!("a page lacks {close}"))?;
    Ok(format!("{before}{open}{part}{close}{after}"))
}

fn facts(exercise: &Exercise) -> anyhow::Result<String> {
    Ok(format!(
        "*{}.* Protocol S{}, about {} minutes, {} points.\n\
         Judged by {} of [the protocol](../protocol.md).\n\n\
         ```console\n$ cargo lab new {5} my-chat --lang python\n$ cargo lab check {5} --folder my-chat\n```\n",
        capital(&exercise.task),
        exercise.protocol.stage(),
        exercise.minutes,
        exercise.points()?,
        exercise.rules()?.join(", "),
        exercise.name,
    ))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

fn checks(exercise: &Exercise) -> anyhow::Result<String> {
    let mut text = String::from("| check | rule | points | can name |\n|---|---|---|---|\n");
    let prices = exercise.prices()?;
    for check in exercise.checks()? {
        text += &format!(
            "| {} | {} | {} | {} |\n",
            check.name.replace('-', " "),
            check.rule,
            prices[check.name],
            check.misconceptions.join(", ")
        );
    }
    Ok(text)
}

/// What each part of the task is worth.
fn categories(exercise: &Exercise) -> String {
    let parts = exercise.categories.iter().map(|category| {
        let rules = category.rules.join(", ");
        format!("{} {} points ({rules})", category.name, category.points)
    });
    match exercise.categories.is_empty() {
        true => String::new(),
        false => format!("Points: {}.\n\n", parts.collect::<Vec<_>>().join("; ")),
    }
}

/// Which exercises judge what this one leaves out of its own rules.
fn left_out(exercise: &Exercise, all: &[Exercise]) -> anyhow::Result<String> {
    let mut elsewhere: BTreeMap<&str, BTreeSet<&str>> = BTreeMap::new();
    for name in &exercise.left_out {
        let check = Check::by_name(name).with_context(|| format!("there is no check {name}"))?;
        let others = elsewhere.entry(check.rule).or_default();
        let has_it = |other: &&Exercise| other.name != exercise.name && other.checks.contains(name);
        others.extend(all.iter().filter(has_it).map(|other| other.name.as_str()));
    }
    if elsewhere.is_empty() {
        return Ok(String::new());
    }
    let stage = exercise.protocol.stage();
    let mut text = format!("\nThe whole of these rules is judged in `stage{stage}`. More of");
    for (number, (rule, others)) in elsewhere.iter().enumerate() {
        let others: Vec<_> = others.iter().map(|name| format!("`{name}`")).collect();
        let others = match others.is_empty() {
            true => format!("`stage{stage}`"),
            false => others.join(", "),
        };
        let comma = if number == 0 { "" } else { ";" };
        text += &format!("{comma} {rule}: {others}");
    }
    Ok(text + ".\n")
}

fn list(exercises: &[Exercise]) -> anyhow::Result<String> {
    let mut text =
        String::from("| exercise | task | protocol | minutes | points |\n|---|---|---|---|---|\n");
    for exercise in exercises {
        text += &format!(
            "| [{0}](exercises/{0}.md) | {1} | S{2} | {3} | {4} |\n",
            exercise.name,
            exercise.task,
            exercise.protocol.stage(),
            exercise.minutes,
            exercise.points()?
        );
    }
    Ok(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exercise_has_a_page_that_tells_its_checks_and_points() {
        for (path, text) in all().unwrap() {
            let page = read(&path).unwrap().replace("\r\n", "\n");
            assert_eq!(page, text, "run cargo lab exercises --write-pages");
        }
    }

    /// Never less than the page says: what the rules of an exercise ask for is checked there, or is
    /// left to another exercise by name.
    #[test]
    fn no_case_of_a_rule_is_forgotten() {
        for exercise in Exercise::all().unwrap() {
            if exercise.checks == ["all"] || exercise.name == "client" {
                continue;
            }
            let rules = exercise.rules().unwrap();
            let whole = Exercise::by_name(&format!("stage{}", exercise.protocol.stage())).unwrap();
            let asked: Vec<_> = whole.checks().unwrap();
            let asked = asked.iter().filter(|check| rules.contains(&check.rule));
            for check in asked {
                let places = exercise.checks.iter().chain(&exercise.left_out);
                let count = places.filter(|name| *name == check.name).count();
                let name = &exercise.name;
                let hint = "name it in `checks` or in `left_out` of its file";
                assert_eq!(count, 1, "{name}: {} of {}: {hint}", check.name, check.rule);
            }
        }
    }

    #[test]
    fn points_are_whole_numbers_as_some_formats_want_them() {
        for exercise in Exercise::all().unwrap() {
            for (name, points) in exercise.prices().unwrap() {
                assert_eq!(points.fract(), 0.0, "{name}");
            }
        }
    }
}
