//! The rules of `protocol.md` against the kit's own stages: one test for each rule and stage,
//! named after both. They are the same checks that judge a student's program.

use crate::alone::NotJudged;
use crate::test;
use anyhow::bail;
use chat_lab::check::run::{Options, run};
use chat_lab::check::{Check, Exercise, Target};
use chat_lab::report::Verdict;
use libtest_mimic::Trial;

pub fn tests() -> Vec<Trial> {
    let mut tests = Vec::new();
    for stage in 1..=5 {
        let exercise =
            Exercise::by_name(&format!("stage{stage}")).expect("each stage is an exercise");
        let checks = exercise.checks().expect("its checks exist");
        tests.extend(checks.into_iter().map(|check| rule(stage, exercise.clone(), check)));
    }
    let client = Exercise::by_name("client").expect("clients are an exercise as well");
    for check in client.checks().expect("its checks exist") {
        tests.extend((2..=5).map(|stage| rule(stage, client.clone(), check)));
    }
    tests
}

fn rule(stage: u8, exercise: Exercise, check: &'static Check) -> Trial {
    let sentence = format!("{}_{}", check.rule, check.name).replace(['-', '.'], "_");
    test(format!("rules::stage{stage}::{sentence}"), move || {
        let options = Options { only: vec![check.name.to_string()], ..Options::default() };
        let report = run(&exercise, &Target::Stage(stage), &options, &|_| ())?;
        for result in report.checks {
            if result.verdict == Verdict::Inconclusive {
                bail!(NotJudged(format!("{}\n{}", result.message, result.repeat)));
            }
            if result.verdict != Verdict::Passed {
                bail!(
                    "{:?}: {} {}\n{}\nexpected: {}\ngot: {}\n{}\n{}",
                    result.verdict,
                    result.misconception.unwrap_or_default(),
                    result.message,
                    result.steps.join("\n"),
                    result.expected,
                    result.got,
                    result.output,
                    result.repeat
                );
            }
        }
        Ok(())
    })
}
