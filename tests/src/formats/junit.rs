//! JUnit XML: a wrong behaviour is a `failure`, a check that could not be carried out an `error`.

use super::{Setting, explanation};
use crate::report::{CheckResult, Report, Verdict};
use quick_junit::{NonSuccessKind, TestCase, TestCaseStatus, TestSuite};
use std::time::Duration;

pub fn render(report: &Report, setting: &Setting) -> anyhow::Result<String> {
    let mut suite = TestSuite::new(report.exercise.as_str());
    suite
        .set_timestamp(setting.when)
        .set_time(Duration::from_secs_f64(report.seconds))
        .add_property(("command", report.command.as_str()))
        .add_property(("seed", report.seed.to_string().as_str()))
        .add_property(("score", report.score.to_string().as_str()))
        .add_property(("max_score", report.max_score.to_string().as_str()))
        .set_system_out(report.output.as_str());
    suite.add_test_cases(report.checks.iter().map(|check| case(report, check)));
    let mut document = quick_junit::Report::new("lab check");
    document
        .set_timestamp(setting.when)
        .set_time(Duration::from_secs_f64(report.seconds))
        .add_test_suite(suite);
    Ok(document.to_string()?)
}

fn case(report: &Report, check: &CheckResult) -> TestCase {
    let mut case = TestCase::new(check.name.as_str(), status(check));
    case.set_classname(report.exercise.as_str())
        .set_time(Duration::from_secs_f64(check.seconds))
        .add_property(("rule", check.rule.as_str()))
        .add_property(("points", check.points.to_string().as_str()))
        .add_property(("max_points", check.max_points.to_string().as_str()));
    case
}

fn status(check: &CheckResult) -> TestCaseStatus {
    let mut status = match check.verdict {
        Verdict::Passed => return TestCaseStatus::success(),
        Verdict::Skipped => TestCaseStatus::skipped(),
        Verdict::Failed => TestCaseStatus::non_success(NonSuccessKind::Failure),
        Verdict::Inconclusive => TestCaseStatus::non_success(NonSuccessKind::Error),
    };
    status.set_message(check.message.as_str());
    if check.verdict != Verdict::Skipped {
        let kind = check.misconception.as_deref().unwrap_or(&check.name);
        status.set_type(kind).set_description(explanation(check));
    }
    status
}
