//! Which part of the zoo `cargo test` carries out: a cover. Every check is failed by a program in
//! it and passed by a correct one, and every misconception is named, in as little time as a simple
//! choice finds. It is computed from the list of programs and the table of costs.

use super::costs::{NO_NAME, PASSED, Row, WITHOUT_FAILURE};
use crate::check::{Exercise, checks};
use crate::zoo::Animal;
use std::collections::{BTreeMap, BTreeSet};

/// What a program costs that the table does not know yet, for each check.
const UNKNOWN_SECONDS: f64 = 5.0;

/// What a broken program can be there for: a check that it fails.
struct Shot<'a> {
    animal: &'a Animal,
    /// The one, and before it the one that names the mistake, where it names another one itself.
    checks: Vec<&'a str>,
    /// What is named first.
    names: Option<&'a str>,
    seconds: f64,
}

impl<'a> Shot<'a> {
    /// No check has the name of a misconception.
    fn shows(&self) -> impl Iterator<Item = &'a str> + Clone + use<'a> {
        self.checks.clone().into_iter().chain(self.names)
    }
}

/// The programs of the cover, each with the checks alone that it is there for.
pub fn cover(animals: &[Animal], rows: &[Row]) -> Vec<Animal> {
    let mut chosen = broken(animals, rows);
    chosen.extend(correct(animals, rows));
    chosen
}

fn broken(animals: &[Animal], rows: &[Row]) -> Vec<Animal> {
    let mut shots = shots(animals, rows);
    shots.sort_by(|a, b| a.seconds.total_cmp(&b.seconds)); // stable
    let shots = needed(shots);
    let parts = animals.iter().filter_map(|animal| {
        let own = || shots.iter().filter(|shot| shot.animal.name == animal.name);
        let killers: BTreeSet<&str> = own().flat_map(|shot| shot.checks.clone()).collect();
        let names: BTreeSet<&str> = own().filter_map(|shot| shot.names).collect();
        let owned = |names: BTreeSet<&str>| names.into_iter().map(String::from).collect();
        (!killers.is_empty()).then(|| Animal {
            names: owned(names),
            killers: owned(killers),
            ..animal.clone()
        })
    });
    parts.collect()
}

fn shots<'a>(animals: &'a [Animal], rows: &'a [Row]) -> Vec<Shot<'a>> {
    let table: BTreeMap<_, _> =
        rows.iter().map(|row| ((row.program.as_str(), row.check.as_str()), row)).collect();
    let row = |animal: &Animal, check: &str| table.get(&(animal.name.as_str(), check)).copied();
    let mut shots = Vec::new();
    for animal in animals {
        let mut alone: Vec<Shot> =
            animal.killers.iter().filter_map(|it| alone(animal, it, row(animal, it))).collect();
        if alone.is_empty() {
            // Its mistake has got another name since.
            alone.extend(animal.killers.iter().filter_map(|it| self::alone(animal, it, None)));
        }
        let others = animal.killers.iter().filter_map(|check| {
            let row = row(animal, check).filter(|row| !WITHOUT_FAILURE.contains(&&*row.said))?;
            let first = alone.first().filter(|_| !alone.iter().any(|it| it.checks == [check]))?;
            let checks = vec![first.checks[0], check];
            Some(Shot { checks, seconds: first.seconds + row.seconds, ..*first })
        });
        let others: Vec<Shot> = others.collect();
        shots.extend(alone.into_iter().chain(others));
    }
    shots
}

/// The check, if it names what the program is there for.
fn alone<'a>(animal: &'a Animal, check: &'a str, row: Option<&'a Row>) -> Option<Shot<'a>> {
    let (names, seconds) = match row {
        Some(row) if row.said == NO_NAME => (None, row.seconds),
        Some(row) => (Some(row.said.as_str()), row.seconds),
        None if animal.names.len() > 1 => return None, // which of them, the table must say
        None => (animal.names.first().map(String::as_str), UNKNOWN_SECONDS),
    };
    let right = match names {
        Some(name) => animal.names.iter().any(|it| it == name),
        None => animal.names.is_empty(),
    };
    right.then(|| Shot { animal, checks: vec![check], names, seconds })
}

/// The cheapest first, each if it shows something new; then, from the dearest on, without those of
/// which the others show everything as well.
fn needed(shots: Vec<Shot>) -> Vec<Shot> {
    let mut times: BTreeMap<&str, usize> = BTreeMap::new();
    let mut taken: Vec<Shot> = Vec::new();
    for shot in shots {
        if shot.shows().any(|thing| !times.contains_key(thing)) {
            shot.shows().for_each(|thing| *times.entry(thing).or_default() += 1);
            taken.push(shot);
        }
    }
    for index in (0..taken.len()).rev() {
        if taken[index].shows().all(|thing| times[thing] > 1) {
            taken[index].shows().for_each(|thing| *times.entry(thing).or_default() -= 1);
            taken.remove(index);
        }
    }
    taken
}

/// Each check once: on the correct program that has the least to do so far. Those in other
/// languages come first, because our own stages pass each check in `rules` anyway.
fn correct(animals: &[Animal], rows: &[Row]) -> Vec<Animal> {
    let able = |animal: &&Animal| animal.is_correct() && animal.stage.is_none();
    let able: BTreeMap<&str, &Animal> =
        animals.iter().filter(able).map(|animal| (animal.name.as_str(), animal)).collect();
    let unknown = not_in_the_table(able.values().copied(), rows);
    let mut passes: BTreeMap<&str, Vec<&Row>> = BTreeMap::new();
    for row in rows.iter().chain(&unknown) {
        if row.said == PASSED && able.contains_key(row.program.as_str()) {
            passes.entry(&row.check).or_default().push(row);
        }
    }
    let mut passes: Vec<Vec<&Row>> = passes.into_values().collect();
    let dearest = |rows: &[&Row]| rows.iter().map(|row| row.seconds).fold(0.0, f64::max);
    passes.sort_by(|a, b| dearest(b).total_cmp(&dearest(a)));
    let mut work: BTreeMap<&str, (f64, Vec<String>)> = BTreeMap::new();
    for rows in passes {
        let in_rust = |row: &Row| able[row.program.as_str()].language() == "Rust";
        let end = |row: &Row| work.get(row.program.as_str()).map_or(0.0, |it| it.0) + row.seconds;
        let least = rows
            .into_iter()
            .min_by(|a, b| in_rust(a).cmp(&in_rust(b)).then_with(|| end(a).total_cmp(&end(b))));
        if let Some(row) = least {
            let work = work.entry(&row.program).or_default();
            work.0 += row.seconds;
            work.1.push(row.check.clone());
        }
    }
    let parts = animals.iter().filter_map(|animal| {
        let (_, checks) = work.remove(animal.name.as_str())?;
        Some(Animal { checks, ..animal.clone() })
    });
    parts.collect()
}

/// A check that is newer than the table: it should be passed, by a program that can be told flags,
/// in case it needs some. The stages pass it anyway.
fn not_in_the_table<'a>(able: impl Iterator<Item = &'a Animal>, rows: &[Row]) -> Vec<Row> {
    let known: BTreeSet<_> =
        rows.iter().map(|row| (row.program.as_str(), row.check.as_str())).collect();
    let exercises = Exercise::all().unwrap_or_default(); // tests of their own say what is wrong there
    let mut unknown = Vec::new();
    for animal in able.filter(|animal| animal.arguments.contains("{flags}")) {
        let last = animal.exercises.last();
        let exercise = exercises.iter().find(|exercise| Some(&exercise.name) == last);
        let checks = exercise.and_then(|exercise| exercise.checks().ok()).unwrap_or_default();
        let new = checks.iter().filter(|it| !known.contains(&(animal.name.as_str(), it.name)));
        unknown.extend(new.map(|check| Row {
            program: animal.name.clone(),
            check: check.name.to_string(),
            said: PASSED.to_string(),
            seconds: UNKNOWN_SECONDS,
        }));
    }
    unknown
}

/// How long it takes by the table, if nothing is done beside it.
pub fn seconds(animal: &Animal, rows: &[Row]) -> f64 {
    let wanted = |check: &String| match animal.is_correct() {
        true => animal.checks.is_empty() || animal.checks.contains(check),
        false => animal.killers.contains(check),
    };
    let own = rows.iter().filter(|row| row.program == animal.name && wanted(&row.check));
    let known: f64 = own.map(|row| row.seconds).sum();
    if known > 0.0 { known } else { UNKNOWN_SECONDS }
}

/// What a cover of these programs lacks, in words. That each check is passed is shown by the stages,
/// for each of them: what is beside them is chosen by the table.
pub fn lacks(cover: &[Animal], animals: &[Animal]) -> Vec<String> {
    let killed: BTreeSet<&str> =
        cover.iter().flat_map(|animal| &animal.killers).map(String::as_str).collect();
    let named: BTreeSet<&str> =
        cover.iter().flat_map(|animal| &animal.names).map(String::as_str).collect();
    let mut lacks = Vec::new();
    for check in checks::all() {
        if !killed.contains(check.name) {
            lacks.push(format!("no program of the cover fails {}", check.name));
        }
    }
    let all: BTreeSet<&str> =
        animals.iter().flat_map(|animal| &animal.names).map(String::as_str).collect();
    lacks.extend(all.difference(&named).map(|name| format!("the cover has nothing of {name}")));
    lacks
}
