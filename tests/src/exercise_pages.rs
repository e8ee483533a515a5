//! What the exercises' pages say of minutes, points and checks is written by the lab, so that it
//! is true. The rest of a page is written by people.

use crate::check::Exercise;
use crate::stage::workspace;
use anyhow::Context;
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
        pages.push((path, filled_in(&text, "checks", &checks(exercise)?)?));
    }
    let path = book.join("exercises.md");
    let text = filled_in(&read(&path)?, "exercises", &list(&exercises)?)?;
    pages.push((path, text));
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
        rules(exercise)?,
        exercise.name,
    ))
}

/// Every rule that a check of the exercise judges, those of lines and conduct first.
fn rules(exercise: &Exercise) -> anyhow::Result<String> {
    let mut rules: Vec<&str> = exercise.checks()?.iter().map(|check| check.rule).collect();
    rules.sort_by_key(|rule| {
        let (letter, numbers) = rule.split_at(1);
        let numbers = numbers.split('.').map(|number| number.parse().unwrap_or(0));
        (letter.to_string(), numbers.collect::<Vec<u32>>())
    });
    rules.dedup();
    Ok(rules.join(", "))
}

fn capital(text: &str) -> String {
    let mut chars = text.chars();
    let first = chars.next().map(|first| first.to_uppercase().to_string());
    first.unwrap_or_default() + chars.as_str()
}

fn checks(exercise: &Exercise) -> anyhow::Result<String> {
    let mut text = String::from("| check | rule | points | can name |\n|---|---|---|---|\n");
    for check in exercise.checks()? {
        text += &format!(
            "| {} | {} | {} | {} |\n",
            check.name.replace('-', " "),
            check.rule,
            check.points,
            check.misconceptions.join(", ")
        );
    }
    Ok(text)
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

    #[test]
    fn points_are_whole_numbers_as_some_formats_want_them() {
        for exercise in Exercise::all().unwrap() {
            for check in exercise.checks().unwrap() {
                assert_eq!(check.points.fract(), 0.0, "{}", check.name);
            }
        }
    }
}
