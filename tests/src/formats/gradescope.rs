//! Gradescope's `results.json`: `score` at the top is the total, whatever the tests add up to.

use super::explanation;
use crate::report::{Cause, CheckResult, Report, Verdict};
use serde_json::{Value, json};

pub fn render(report: &Report) -> anyhow::Result<String> {
    let numbered = (1..).zip(&report.checks);
    let result = json!({
        "score": report.score,
        "execution_time": report.seconds,
        "output": format!(
            "{}: {} of {} points. {}",
            report.exercise,
            report.score,
            report.max_score,
            report.cause.as_ref().and_then(Cause::in_words).unwrap_or_default()
        ),
        "output_format": "text",
        "test_output_format": "text",
        "test_name_format": "text",
        "visibility": "visible",
        "stdout_visibility": "hidden",
        "extra_data": {
            "exercise": report.exercise,
            "verdict": report.verdict,
            "max_score": report.max_score,
            "seed": report.seed,
            "command": report.command,
        },
        "tests": numbered.map(|(number, check)| test(number, check)).collect::<Vec<_>>(),
    });
    Ok(serde_json::to_string_pretty(&result)? + "\n")
}

fn test(number: usize, check: &CheckResult) -> Value {
    let mut test = json!({
        "score": check.points,
        "max_score": check.max_points,
        "name": check.name,
        "number": number.to_string(),
        "output": explanation(check),
        "tags": check.misconception.iter().collect::<Vec<_>>(),
        "visibility": "visible",
        "extra_data": { "verdict": check.verdict, "rule": check.rule },
    });
    // Gradescope knows two statuses. A check that says nothing about the program gets neither.
    match check.verdict {
        Verdict::Passed => test["status"] = "passed".into(),
        Verdict::Failed => test["status"] = "failed".into(),
        Verdict::Inconclusive | Verdict::Skipped => {}
    }
    test
}
