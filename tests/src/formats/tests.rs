//! All formats against one result that has every verdict in it.

use super::*;
use crate::report::{Cause, CheckResult};
use chrono::TimeZone;
use serde_json::Value;

fn check(name: &str, rule: &str, verdict: Verdict, max_points: f64) -> CheckResult {
    CheckResult {
        name: name.to_string(),
        rule: rule.to_string(),
        verdict,
        points: if verdict == Verdict::Passed { max_points } else { 0.0 },
        max_points,
        misconception: None,
        message: String::new(),
        steps: Vec::new(),
        expected: String::new(),
        got: String::new(),
        output: String::new(),
        chapter: "stage3.md".to_string(),
        repeat: format!("cargo lab check ten-clients --seed 7 --only {name} -- python3 server.py"),
        seconds: 0.25,
    }
}

fn mixed() -> Report {
    let cuts = CheckResult {
        misconception: Some("recv-is-not-a-message".to_string()),
        message: "fails when `@bob:hi` is split after byte 4: what one recv returned was taken for one message".to_string(),
        steps: vec![
            "alice and bob connect, and register".to_string(),
            "alice sends `@bob`, and 50 ms later `:hi` and a line feed, in a segment of its own".to_string(),
        ],
        expected: "\"alice: hi\\n\"".to_string(),
        got: "\"! bad line\\n\"\n ^ byte 0 differs".to_string(),
        output: "server stdout | listening on 127.0.0.1:4000\nserver stderr | \u{1b}[2JTraceback"
            .to_string(),
        ..check("cuts", "L1", Verdict::Failed, 3.0)
    };
    let unknown = CheckResult {
        misconception: Some("silent-error".to_string()),
        message: "no answer to `@nobody:hi` <within> 10 s".to_string(),
        expected: "a line that begins with \"! \"".to_string(),
        got: "nothing".to_string(),
        ..check("unknown-user", "S3.4", Verdict::Failed, 1.0)
    };
    let slow = CheckResult {
        message: "the receiver's buffer was never full, so nothing was shown".to_string(),
        ..check("slow-reader", "L13", Verdict::Inconclusive, 0.0)
    };
    let joined = CheckResult {
        message: "not carried out: cuts has to pass first".to_string(),
        ..check("joined", "L1", Verdict::Skipped, 2.0)
    };
    Report {
        exercise: "ten-clients".to_string(),
        score: 3.0,
        max_score: 9.0,
        verdict: Verdict::Failed,
        seed: 7,
        command: "-- python3 server.py {host} {port}".to_string(),
        seconds: 2.5,
        checks: vec![
            cuts,
            unknown,
            slow,
            joined,
            check("greeting", "S3.1", Verdict::Passed, 1.0),
            check("ten-clients", "S3.3", Verdict::Passed, 2.0),
        ],
        cause: Some(Cause {
            check: "cuts".to_string(),
            misconception: Some("recv-is-not-a-message".to_string()),
            explains: vec!["joined".to_string()],
        }),
        output: "listening on 127.0.0.1:4000\n\u{1b}[2JTraceback (most recent call last):\n"
            .to_string(),
    }
}

fn clean() -> Report {
    let checks = vec![
        check("greeting", "S3.1", Verdict::Passed, 1.0),
        check("ten-clients", "S3.3", Verdict::Passed, 2.0),
    ];
    Report { score: 3.0, max_score: 3.0, verdict: Verdict::Passed, checks, cause: None, ..mixed() }
}

fn setting() -> Setting {
    Setting {
        submission: "alice".to_string(),
        when: Utc.with_ymd_and_hms(2026, 1, 2, 3, 4, 5).unwrap(),
        width: 80,
    }
}

fn plain(report: &Report, width: usize) -> String {
    let setting = Setting { width, ..setting() };
    let text = Format::Text.render(report, &setting).unwrap();
    anstream::adapter::strip_str(&text).to_string()
}

#[test]
fn every_format_is_as_it_was_agreed() {
    for format in <Format as clap::ValueEnum>::value_variants() {
        let text = format.render(&mixed(), &setting()).unwrap();
        let text = anstream::adapter::strip_str(&text).to_string();
        insta::assert_snapshot!(format!("{format:?}").to_lowercase(), text);
    }
}

#[test]
fn a_clean_result_is_short() {
    insta::assert_snapshot!(plain(&clean(), 80));
}

#[test]
fn text_keeps_within_its_columns() {
    for width in [70, 80, 100] {
        for line in plain(&mixed(), width).lines() {
            // A command must survive being copied, so it is the one thing that is not wrapped.
            let fits = textwrap::core::display_width(line) <= width;
            assert!(fits || line.contains("repeat"), "{width}: {line}");
        }
    }
}

#[test]
fn text_holds_no_escape_of_the_program_under_test() {
    let text = plain(&mixed(), 80);
    assert!(!text.contains('\u{1b}'), "{text}");
    assert!(text.contains("\u{fffd}[2JTraceback"), "{text}");
}

#[test]
fn totals_and_verdicts_agree_in_all_formats() {
    for report in [mixed(), clean()] {
        for format in <Format as clap::ValueEnum>::value_variants() {
            let text = format.render(&report, &setting()).unwrap();
            let seen = match format {
                Format::Text => read_text(&anstream::adapter::strip_str(&text).to_string()),
                Format::Json => read_json(&text),
                Format::Junit => read_junit(&text),
                Format::Gradescope => read_gradescope(&text),
                Format::Exercism => read_exercism(&text),
                Format::Classroom50 => read_classroom50(&text),
                Format::Csv => read_csv(&text),
            };
            let wanted = wanted(*format, &report);
            assert_eq!(seen, wanted, "{format:?}\n{text}");
        }
    }
}

/// What a reader of a format learns: the total, and a verdict for each check by name.
#[derive(Debug, PartialEq)]
struct Seen {
    score: Option<f64>,
    max_score: Option<f64>,
    verdicts: Vec<(String, &'static str)>,
}

impl Seen {
    fn of(score: &Value, max_score: &Value, mut verdicts: Vec<(String, &'static str)>) -> Seen {
        verdicts.sort();
        Seen { score: score.as_f64(), max_score: max_score.as_f64(), verdicts }
    }
}

/// Exercism has no marks.
fn wanted(format: Format, report: &Report) -> Seen {
    let marks = format != Format::Exercism;
    let verdicts = report.checks.iter().map(|check| {
        let verdict = match check.verdict {
            Verdict::Passed => "passed",
            Verdict::Failed => "failed",
            Verdict::Inconclusive => "inconclusive",
            Verdict::Skipped => "skipped",
        };
        // These two have one word for both.
        let verdict = match verdict {
            "inconclusive" | "skipped" if format == Format::Exercism => "error",
            other => other,
        };
        (check.name.clone(), verdict)
    });
    let mut verdicts: Vec<_> = verdicts.collect();
    verdicts.sort();
    Seen {
        score: marks.then_some(report.score),
        max_score: marks.then_some(report.max_score),
        verdicts,
    }
}

fn known(word: &str) -> &'static str {
    let words = ["passed", "failed", "inconclusive", "skipped", "error"];
    words.into_iter().find(|known| *known == word).unwrap()
}

fn read_text(text: &str) -> Seen {
    let known_names = mixed().checks.into_iter().map(|check| check.name);
    let lines: Vec<&str> = text.lines().collect();
    let verdicts = known_names.filter_map(|name| {
        let has_name = |line: &str| line.split([' ', '·', ',']).any(|word| word == name);
        let signs = ['✗', '✓', '?', '–'];
        let mut seen = None;
        for line in &lines {
            seen = line.chars().next().filter(|c| signs.contains(c)).or(seen);
            let listed = seen == Some('–') && line.starts_with("    ");
            if has_name(line) && (line.starts_with(['✗', '✓', '?']) || listed) {
                break;
            }
        }
        if !lines.iter().any(|line| has_name(line)) {
            return None;
        }
        let verdict = match seen? {
            '✗' => "failed",
            '✓' => "passed",
            '?' => "inconclusive",
            _ => "skipped",
        };
        Some((name, verdict))
    });
    let verdicts = verdicts.collect();
    let total = text.lines().find(|line| line.contains(" points: ")).unwrap();
    let numbers: Vec<f64> = total.split(' ').filter_map(|word| word.parse().ok()).collect();
    Seen::of(&numbers[0].into(), &numbers[1].into(), verdicts)
}

fn read_json(text: &str) -> Seen {
    let report: Report = serde_json::from_str(text).unwrap();
    wanted(Format::Json, &report)
}

fn read_junit(text: &str) -> Seen {
    use quick_junit::{NonSuccessKind, TestCaseStatus};
    let document = quick_junit::Report::deserialize_from_str(text).unwrap();
    let suite = &document.test_suites[0];
    let verdicts: Vec<_> = suite
        .test_cases
        .iter()
        .map(|case| {
            let verdict = match &case.status {
                TestCaseStatus::Success { .. } => "passed",
                TestCaseStatus::Skipped { .. } => "skipped",
                TestCaseStatus::NonSuccess { kind, .. } => match kind {
                    NonSuccessKind::Failure => "failed",
                    NonSuccessKind::Error => "inconclusive",
                },
            };
            (case.name.to_string(), verdict)
        })
        .collect();
    let count = |word| verdicts.iter().filter(|(_, verdict)| *verdict == word).count();
    assert_eq!(document.tests, verdicts.len());
    assert_eq!(document.failures, count("failed"));
    assert_eq!(document.errors, count("inconclusive"));
    let property = |name: &str| {
        let mut all = suite.properties.iter();
        let found = all.find(|property| property.name.as_str() == name).unwrap();
        Value::from(found.value.as_str().parse::<f64>().unwrap())
    };
    Seen::of(&property("score"), &property("max_score"), verdicts)
}

fn read_gradescope(text: &str) -> Seen {
    let result: Value = serde_json::from_str(text).unwrap();
    let tests = result["tests"].as_array().unwrap();
    let sum = |key: &str| -> f64 { tests.iter().map(|test| test[key].as_f64().unwrap()).sum() };
    assert_eq!(sum("score"), result["score"].as_f64().unwrap());
    let verdicts = tests.iter().map(|test| {
        let verdict = known(test["extra_data"]["verdict"].as_str().unwrap());
        let status = test.get("status").and_then(Value::as_str);
        assert!(status.is_none_or(|status| status == verdict), "{test}");
        (test["name"].as_str().unwrap().to_string(), verdict)
    });
    Seen::of(&result["score"], &sum("max_score").into(), verdicts.collect())
}

fn read_exercism(text: &str) -> Seen {
    let result: Value = serde_json::from_str(text).unwrap();
    let tests = result["tests"].as_array().unwrap();
    let verdicts = tests.iter().map(|test| {
        let verdict = match test["status"].as_str().unwrap() {
            "pass" => "passed",
            "fail" => "failed",
            _ => "error",
        };
        (test["name"].as_str().unwrap().to_string(), verdict)
    });
    let seen = Seen::of(&Value::Null, &Value::Null, verdicts.collect());
    let failed = seen.verdicts.iter().any(|(_, verdict)| *verdict == "failed");
    assert_eq!(result["status"], if failed { "fail" } else { "pass" });
    seen
}

fn read_classroom50(text: &str) -> Seen {
    let result: Value = serde_json::from_str(text).unwrap();
    let tests = result["tests"].as_array().unwrap();
    let sum = |key: &str| -> i64 { tests.iter().map(|test| test[key].as_i64().unwrap()).sum() };
    assert_eq!(result["score"], sum("score"));
    assert_eq!(result["max-score"], sum("max-score"));
    let verdicts = tests.iter().map(|test| {
        let verdict = known(test["verdict"].as_str().unwrap());
        assert_eq!(test["passed"], verdict == "passed");
        (test["test-name"].as_str().unwrap().to_string(), verdict)
    });
    Seen::of(&result["score"], &result["max-score"], verdicts.collect())
}

fn read_csv(text: &str) -> Seen {
    let mut reader = ::csv::Reader::from_reader(text.as_bytes());
    let head = reader.headers().unwrap().clone();
    let row = reader.records().next().unwrap().unwrap();
    let cell = |name: &str| row[head.iter().position(|column| column == name).unwrap()].to_string();
    let number = |name: &str| Value::from(cell(name).parse::<f64>().unwrap());
    let fixed = ["submission", "exercise", "score", "max_score", "verdict", "misconceptions"];
    let checks = head.iter().filter(|column| !fixed.contains(column));
    let verdicts = checks.map(|name| (name.to_string(), known(&cell(name)))).collect();
    Seen::of(&number("score"), &number("max_score"), verdicts)
}

#[test]
fn an_exercism_result_without_any_test_is_an_error_with_a_message() {
    let report = Report {
        verdict: Verdict::Inconclusive,
        checks: vec![CheckResult {
            message: "the program did not start".to_string(),
            ..check("starts", "", Verdict::Inconclusive, 1.0)
        }],
        ..mixed()
    };
    let text = Format::Exercism.render(&report, &setting()).unwrap();
    let result: Value = serde_json::from_str(&text).unwrap();
    assert_eq!(result["status"], "error");
    let message = result["message"].as_str().unwrap();
    assert!(message.starts_with("the program did not start"), "{message}");
}

#[test]
fn a_folder_that_is_called_like_a_formula_is_no_formula_in_the_table() {
    let table = csv_table(&[("=HYPERLINK(1)", &clean())]).unwrap();
    assert!(table.contains("\n'=HYPERLINK(1),"), "{table}");
}
