//! Exercises are data: a file `exercises/NAME.toml` and a page of the book.

use super::{Check, Protocol, checks};
use anyhow::{Context as _, bail};
use include_dir::{Dir, include_dir};
use serde::Deserialize;
use std::collections::BTreeMap;

static FILES: Dir = include_dir!("$CARGO_MANIFEST_DIR/exercises");

#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Exercise {
    /// The name of its file.
    #[serde(default)]
    pub name: String,
    pub protocol: Protocol,
    /// What the student builds, in one line.
    pub task: String,
    /// How long it takes, roughly.
    pub minutes: u32,
    /// Flags that the server gets, a student's where the command says `{flags}`: in pairs of a
    /// name and a value.
    #[serde(default)]
    pub arguments: Vec<String>,
    /// Names of checks, or `all` for everything that the protocol has.
    pub checks: Vec<String>,
    /// Checks of its rules that are left to larger exercises: whoever adds a check decides, for each
    /// exercise that has its rule, on which list it stands.
    #[serde(default)]
    pub left_out: Vec<String>,
    /// What a check is worth here, instead of what it is worth elsewhere.
    #[serde(default)]
    points: BTreeMap<String, f64>,
    /// Parts of the task, and what each is worth: shared among its checks.
    #[serde(default, rename = "category")]
    pub categories: Vec<Category>,
    /// What everything is worth together.
    #[serde(default)]
    total: Option<f64>,
}

/// A part of the task.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Category {
    pub name: String,
    pub points: f64,
    /// Its checks are those of these rules.
    pub rules: Vec<String>,
}

impl Exercise {
    pub fn all() -> anyhow::Result<Vec<Exercise>> {
        let mut exercises = Vec::new();
        for file in FILES.files() {
            let name = file.path().file_stem().unwrap_or_default().to_string_lossy();
            let text = file.contents_utf8().unwrap_or_default();
            let mut exercise: Exercise = toml::from_str(text)
                .with_context(|| format!("cannot read {}", file.path().display()))?;
            exercise.name = name.into_owned();
            exercises.push(exercise);
        }
        exercises.sort_by_key(|exercise| (exercise.protocol.stage(), exercise.name.clone()));
        Ok(exercises)
    }

    pub fn by_name(name: &str) -> anyhow::Result<Exercise> {
        let exercises = Exercise::all()?;
        let names: Vec<_> = exercises.iter().map(|exercise| exercise.name.clone()).collect();
        let found = exercises.into_iter().find(|exercise| exercise.name == name);
        found.with_context(|| format!("there is no exercise {name}: choose {}", names.join(", ")))
    }

    /// Its checks, causes before what they explain.
    pub fn checks(&self) -> anyhow::Result<Vec<&'static Check>> {
        if self.checks == ["all"] {
            let applies = |check: &&Check| check.protocols.contains(&self.protocol);
            return Ok(checks::all().filter(applies).collect());
        }
        for name in &self.checks {
            if Check::by_name(name).is_none() {
                bail!("exercise {}: there is no check {name}", self.name);
            }
        }
        // The order of the registry: causes come first there.
        Ok(checks::all()
            .filter(|check| self.checks.iter().any(|name| name == check.name))
            .collect())
    }

    /// Whether `other` carries out all of its checks, in the same way.
    pub fn is_part_of(&self, other: &Exercise) -> bool {
        other.checks == ["all"]
            && other.name != self.name
            && other.protocol == self.protocol
            && other.arguments == self.arguments
    }

    /// Whether every one of `names` is a check of this exercise.
    pub fn has(&self, names: &[String]) -> anyhow::Result<()> {
        let checks = self.checks()?;
        for name in names {
            if !checks.iter().any(|check| check.name == name) {
                bail!(
                    "exercise {} has no check {name}: `lab exercises --checks` lists them",
                    self.name
                );
            }
        }
        Ok(())
    }

    /// Every rule that it asks for, those of lines and conduct first. What everything rests on (one
    /// is greeted, one line arrives) makes no rule one of its own.
    pub fn rules(&self) -> anyhow::Result<Vec<&'static str>> {
        let checks = self.checks()?;
        let own = checks.iter().filter(|check| !checks::is_foundation(check));
        let mut rules: Vec<&str> = own.map(|check| check.rule).collect();
        rules.sort_by_key(|rule| {
            let (letter, numbers) = rule.split_at(1);
            let numbers = numbers.split('.').map(|number| number.parse().unwrap_or(0));
            (letter.to_string(), numbers.collect::<Vec<u32>>())
        });
        rules.dedup();
        Ok(rules)
    }

    pub fn points(&self) -> anyhow::Result<f64> {
        Ok(self.prices()?.into_values().fold(0.0, |sum, points| sum + points))
    }

    /// What each check is worth: whole points, as some formats want them.
    pub fn prices(&self) -> anyhow::Result<BTreeMap<&'static str, f64>> {
        let checks = self.checks()?;
        let own = |check: &Check| self.points.get(check.name).copied().unwrap_or(check.points);
        let mut prices: BTreeMap<_, _> =
            checks.iter().map(|check| (check.name, own(check))).collect();
        for category in &self.categories {
            let has = |check: &&&Check| category.rules.iter().any(|rule| rule == check.rule);
            let names: Vec<_> = checks.iter().filter(has).map(|check| check.name).collect();
            share(&mut prices, &names, category.points);
        }
        if let Some(total) = self.total {
            let names: Vec<_> = checks.iter().map(|check| check.name).collect();
            share(&mut prices, &names, total);
        }
        Ok(prices)
    }

    /// The page of the book, below `docs/src`.
    pub fn page(&self) -> String {
        format!("exercises/{}.md", self.name)
    }
}

/// Shares `total` among the checks as their prices are to each other: whole points, the largest
/// remainders rounded up.
fn share(prices: &mut BTreeMap<&'static str, f64>, names: &[&'static str], total: f64) {
    let sum: f64 = names.iter().filter_map(|name| prices.get(name)).sum();
    let exact = |name: &&str| prices.get(name).copied().unwrap_or_default() * total / sum;
    let mut shares: Vec<_> = names.iter().map(|name| (*name, exact(name))).collect();
    let given: f64 = shares.iter().map(|(_, share)| share.floor()).sum();
    let mut left = (total - given).round() as usize;
    shares.sort_by(|(_, one), (_, other)| other.fract().total_cmp(&one.fract())); // stable
    for (name, share) in shares {
        let one_more = if left > 0 { 1.0 } else { 0.0 };
        left = left.saturating_sub(1);
        prices.insert(name, share.floor() + one_more);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_a_category_is_worth_is_shared_in_whole_points() {
        let mut prices = BTreeMap::from([("a", 1.0), ("b", 1.0), ("c", 2.0), ("d", 5.0)]);
        share(&mut prices, &["a", "b", "c"], 10.0);
        assert_eq!(prices["d"], 5.0);
        assert_eq!(prices["c"], 5.0);
        assert_eq!(prices["a"] + prices["b"], 5.0);
        assert!(prices.values().all(|price| price.fract() == 0.0));
    }

    #[test]
    fn every_category_has_checks() {
        for exercise in Exercise::all().unwrap() {
            let checks = exercise.checks().unwrap();
            for category in &exercise.categories {
                let has = |rule: &String| checks.iter().any(|check| check.rule == rule);
                assert!(category.rules.iter().all(has), "{}: {}", exercise.name, category.name);
            }
        }
    }
}
