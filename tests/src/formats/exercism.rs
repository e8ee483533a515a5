//! Exercism's `results.json`, version 3. Statuses are `pass`, `fail` and `error`.

use super::explanation;
use crate::report::{CheckResult, Report, Verdict};
use serde_json::{Value, json};

/// Exercism cuts longer ones off, and does not show them.
const MESSAGE_CHARS_MAX: usize = 65_535;
const OUTPUT_CHARS_MAX: usize = 500;

pub fn render(report: &Report) -> anyhow::Result<String> {
    let ran = |check: &CheckResult| matches!(check.verdict, Verdict::Passed | Verdict::Failed);
    let mut result = json!({ "version": 3 });
    if !report.checks.iter().any(ran) {
        let reasons: Vec<String> = report.checks.iter().map(explanation).collect();
        result["status"] = "error".into();
        result["message"] = first_chars(&reasons.join("\n\n"), MESSAGE_CHARS_MAX).into();
    } else if report.verdict == Verdict::Failed {
        result["status"] = "fail".into();
    } else {
        result["status"] = "pass".into();
    }
    result["tests"] = (1..)
        .zip(&report.checks)
        .map(|(number, check)| test(number, check, &report.output))
        .collect();
    Ok(serde_json::to_string_pretty(&result)? + "\n")
}

fn test(number: usize, check: &CheckResult, output: &str) -> Value {
    let mut test = json!({
        "name": check.name,
        "status": match check.verdict {
            Verdict::Passed => "pass",
            Verdict::Failed => "fail",
            Verdict::Inconclusive | Verdict::Skipped => "error",
        },
        "test_code": check.repeat,
        "task_id": number,
    });
    if check.verdict != Verdict::Passed {
        test["message"] = first_chars(&explanation(check), MESSAGE_CHARS_MAX).into();
        test["output"] = last_chars(output, OUTPUT_CHARS_MAX).into();
    }
    test
}

fn first_chars(text: &str, count: usize) -> String {
    text.chars().take(count).collect()
}

/// Of a program's output the end says most.
fn last_chars(text: &str, count: usize) -> String {
    let skipped = text.chars().count().saturating_sub(count);
    text.chars().skip(skipped).collect()
}
