//! The catalogue: what beginners' chat programs get wrong, so that it can be seen from outside. It is
//! data, `tests/misconceptions.toml`; the page of the book is written from it.

use serde::Deserialize;
use std::sync::LazyLock;

static FILE: &str = include_str!("../../misconceptions.toml");

/// One entry.
#[derive(Debug, Clone, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Misconception {
    pub name: String,
    /// The heading under which it stands on the page.
    pub group: String,
    /// What goes wrong, in a few words.
    pub what: String,
    /// What goes wrong, and what to do instead.
    pub text: String,
}

impl Misconception {
    /// The rule that it breaks: the first that its text names.
    pub fn rule(&self) -> Option<&str> {
        let (_, link) = self.text.split_once("(protocol.md#")?;
        link.split_once(')').map(|(rule, _)| rule)
    }
}

#[derive(Deserialize)]
struct File {
    misconception: Vec<Misconception>,
}

static ALL: LazyLock<Vec<Misconception>> = LazyLock::new(|| {
    toml::from_str::<File>(FILE).map(|file| file.misconception).unwrap_or_default()
});

pub fn all() -> &'static [Misconception] {
    &ALL
}

pub fn by_name(name: &str) -> Option<&'static Misconception> {
    all().iter().find(|misconception| misconception.name == name)
}

/// What any check may see beside what it looks for: a line without its end, a program that has died.
pub const SEEN_BY_ALL: &[&str] =
    &["sends-without-boundaries", "dead-thread", "ends-with-the-first", "rude-client-kills-server"];

/// The page of the book.
pub fn page() -> String {
    let mut text = "# Misconceptions\n\nWhat beginners' chat programs get wrong, so that it can be seen \
        from outside. The lab names them by these names. Each entry says what goes wrong, and what to do \
        instead. Many of them are \
        sentences of the documents that this kit began with: [there](documents.md) each can be tried on their own \
        program and on a stage.\n"
        .to_string();
    let mut group = "";
    for entry in all() {
        if entry.group != group {
            group = &entry.group;
            text += &format!("\n## {group}\n");
        }
        text += &format!("\n### {0} {{#{0}}}\n\n{1}\n", entry.name, entry.text);
    }
    text
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_entry_names_a_rule_that_can_be_quoted() {
        for entry in all() {
            let quoted = entry.rule().and_then(crate::check::rule::sentence);
            assert!(quoted.is_some(), "{}", entry.name);
        }
    }

    #[test]
    fn the_list_can_be_read() {
        let file: Result<File, _> = toml::from_str(FILE);
        assert!(file.is_ok_and(|file| file.misconception.len() > 50));
    }
}
