//! The checks are right: the part of the zoo that fails every check and passes it, one test for
//! each program. The rest is for `lab selftest`.

use crate::alone::NotJudged;
use anyhow::{Context, bail, ensure};
use chat_lab::selftest::cover::{self, cover};
use chat_lab::selftest::{self, Form, costs};
use chat_lab::stage;
use chat_lab::zoo::{self, Animal, Keeper};
use libtest_mimic::Trial;
use std::collections::BTreeSet;
use std::path::PathBuf;
use std::sync::{Arc, OnceLock};

pub fn tests() -> Vec<Trial> {
    let mut tests = vec![
        crate::test("zoo::the_page_lists_what_is_there", the_page_is_true),
        crate::test("zoo::every_name_is_there_once", every_name_is_there_once),
        crate::test("zoo::it_is_large_enough_to_prove_something", it_is_large_enough),
        crate::test("zoo::every_check_is_failed_by_a_program", every_check_is_failed),
        crate::test("zoo::the_cover_covers", the_cover_covers),
    ];
    let Ok((mut animals, rows)) = the_cover() else {
        return tests; // those above say why
    };
    let seconds = |animal: &Animal| cover::seconds(animal, &rows);
    animals.sort_by(|a, b| seconds(b).total_cmp(&seconds(a)));
    tests.extend(animals.into_iter().map(|animal| {
        let what = if animal.is_correct() { "is_correct" } else { "is_named_rightly" };
        let name = format!("zoo::{}_{what}", animal.name.replace('-', "_"));
        crate::test(name, move || inspect(&animal))
    }));
    tests
}

fn the_cover() -> anyhow::Result<(Vec<Animal>, Vec<costs::Row>)> {
    let (animals, rows) = (zoo::all()?, costs::read()?);
    Ok((cover(&animals, &rows), rows))
}

fn inspect(animal: &Animal) -> anyhow::Result<()> {
    let result = selftest::inspect(keeper()?.as_ref(), animal, Form::Short { seed: 1 })?;
    if let Some(lack) = result.skipped {
        eprintln!("{} skipped: {lack}", animal.name);
        return Ok(());
    }
    if result.is_open() {
        bail!(NotJudged(result.unjudged.join("\n")));
    }
    let troubles = result.troubles.iter().map(|trouble| trouble.words.as_str());
    ensure!(!result.is_bad(), "{}", troubles.collect::<Vec<_>>().join("\n"));
    Ok(())
}

/// One for all tests: it compiles each C program once.
fn keeper() -> anyhow::Result<Arc<Keeper>> {
    static KEEPER: OnceLock<Result<Arc<Keeper>, String>> = OnceLock::new();
    let zoo = PathBuf::from(env!("CARGO_BIN_EXE_zoo"));
    let made = KEEPER.get_or_init(|| {
        let keeper = Keeper::new(zoo).map_err(|error| format!("{error:#}"));
        keeper.map(Arc::new)
    });
    made.clone().map_err(anyhow::Error::msg)
}

fn the_page_is_true() -> anyhow::Result<()> {
    let path = stage::workspace().join("docs/src/zoo.md");
    let page = std::fs::read_to_string(&path).context("cannot read docs/src/zoo.md")?;
    ensure!(
        page.replace("\r\n", "\n") == selftest::page(&zoo::all()?),
        "docs/src/zoo.md is old: run cargo lab selftest --write-page"
    );
    Ok(())
}

fn every_name_is_there_once() -> anyhow::Result<()> {
    let mut seen = BTreeSet::new();
    for animal in zoo::all()? {
        ensure!(seen.insert(animal.name.clone()), "{} is there twice", animal.name);
    }
    Ok(())
}

/// A check that nothing can fail proves nothing. That these do fail is asserted below.
fn every_check_is_failed() -> anyhow::Result<()> {
    let animals = zoo::all()?;
    let killers: BTreeSet<&str> =
        animals.iter().flat_map(|animal| &animal.killers).map(String::as_str).collect();
    let all = chat_lab::check::checks::all().map(|check| check.name);
    let never: Vec<&str> = all.filter(|name| !killers.contains(name)).collect();
    ensure!(never.is_empty(), "no program of zoo.toml must fail {}", never.join(", "));
    Ok(())
}

fn the_cover_covers() -> anyhow::Result<()> {
    let lacks = cover::lacks(&the_cover()?.0, &zoo::all()?);
    ensure!(
        lacks.is_empty(),
        "{}\nAdd a program to zoo.toml; where it is there, cargo lab selftest --costs --only PROGRAM",
        lacks.join("\n")
    );
    Ok(())
}

fn it_is_large_enough() -> anyhow::Result<()> {
    let animals = zoo::all()?;
    let broken = animals.iter().filter(|animal| !animal.is_correct());
    let apart = |animal: &&Animal| animal.language() != "Rust" && animal.edits.is_empty();
    ensure!(broken.clone().count() >= 40, "fewer than 40 broken programs");
    ensure!(broken.filter(apart).count() >= 10, "fewer than ten are written separately");
    for language in ["Rust", "Python", "C"] {
        let mut correct = animals.iter().filter(|animal| animal.is_correct());
        ensure!(
            correct.any(|animal| animal.language() == language && animal.stage.is_none()),
            "nothing is correct in {language}"
        );
    }
    Ok(())
}
