//! Exercises are data: a file `exercises/NAME.toml` and a page of the book.

use super::{Check, Protocol, checks};
use anyhow::{Context as _, bail};
use include_dir::{Dir, include_dir};
use serde::Deserialize;

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
        Ok(self.checks()?.iter().map(|check| check.points).fold(0.0, |sum, points| sum + points))
    }

    /// The page of the book, below `docs/src`.
    pub fn page(&self) -> String {
        format!("exercises/{}.md", self.name)
    }
}
