//! The checks are right: the short form of `lab selftest`, one test for each program of the zoo.

use anyhow::{Context, ensure};
use chat_lab::selftest::{self, Form};
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
    ];
    let animals = match zoo::all() {
        Ok(animals) => animals,
        Err(error) => {
            tests.push(crate::test("zoo::the_list_can_be_read", || Err(error)));
            return tests;
        }
    };
    // The stages have their own tests, one for each check: see `rules`.
    let animals = animals.into_iter().filter(|animal| animal.stage.is_none());
    tests.extend(animals.map(|animal| {
        let what = if animal.is_correct() { "is_correct" } else { "is_named_rightly" };
        let name = format!("zoo::{}_{what}", animal.name.replace('-', "_"));
        crate::test(name, move || inspect(&animal))
    }));
    tests
}

fn inspect(animal: &Animal) -> anyhow::Result<()> {
    let result = selftest::inspect(keeper()?.as_ref(), animal, Form::Short)?;
    if let Some(lack) = result.skipped {
        eprintln!("{} skipped: {lack}", animal.name);
        return Ok(());
    }
    ensure!(!result.is_bad(), "{}", result.troubles.join("\n"));
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
