//! Predict, then measure: the questions are asked before anything is run, and the report sets
//! the answers beside what was found. A guess that was wrong teaches more than a table.

use super::figures::Figure;
use super::findings::{Effect, effect};
use super::results::Comparison;
use super::scenario::Scenario;
use super::statistics::ranked;
use serde::{Deserialize, Serialize};
use std::io::{BufRead, Write};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prediction {
    pub question: Question,
    pub answer: String,
}

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Most deliveries per second when all speak, with so many clients.
    Fastest(usize),
    MostMemory,
    /// What one client that never reads does to the others.
    Stalled,
}

/// What was expected, and what was found.
#[derive(Debug)]
pub struct Verdict {
    pub question: String,
    pub answer: String,
    pub found: String,
    pub right: Option<bool>,
}

impl Question {
    fn text(&self) -> String {
        match self {
            Question::Fastest(clients) => {
                format!("Which delivers most with {clients} clients who all speak?")
            }
            Question::MostMemory => "Which uses most memory for each client?".to_string(),
            Question::Stalled => "One client never reads. What happens to the others?".to_string(),
        }
    }
}

/// The answers to the question of the one who does not read.
const STALLED: [&str; 3] = ["nothing", "they wait longer", "they stop"];

/// Asks on stderr and reads a number from `input`; an empty line leaves a question out.
pub fn ask(names: &[String], input: impl BufRead) -> Vec<Prediction> {
    let mut lines = input.lines().map_while(Result::ok);
    let stalled = STALLED.map(String::from);
    let questions: [(Question, &[String]); 4] = [
        (Question::Fastest(10), names),
        (Question::Fastest(1000), names),
        (Question::MostMemory, names),
        (Question::Stalled, &stalled),
    ];
    let mut predictions = Vec::new();
    for (question, choices) in questions {
        if let Some(answer) = ask_one(&question, choices, &mut lines) {
            predictions.push(Prediction { question, answer });
        }
    }
    predictions
}

fn ask_one(
    question: &Question,
    choices: &[String],
    lines: &mut impl Iterator<Item = String>,
) -> Option<String> {
    loop {
        eprintln!("\n{}", question.text());
        for (number, choice) in (1..).zip(choices) {
            eprintln!("  {number}  {choice}");
        }
        eprint!("1 to {} (Enter: no idea): ", choices.len());
        let _ = std::io::stderr().flush(); // if nobody sees the question, nobody answers it
        let line = lines.next()?;
        let answer = line.trim();
        if answer.is_empty() {
            return None;
        }
        let chosen = answer.parse::<usize>().ok().and_then(|number| number.checked_sub(1));
        match chosen.and_then(|index| choices.get(index)) {
            Some(choice) => return Some(choice.clone()),
            None => eprintln!("{answer:?} is not a number from 1 to {}", choices.len()),
        }
    }
}

pub fn verdicts(comparison: &Comparison) -> Vec<Verdict> {
    let verdict = |prediction: &Prediction| {
        let found = match &prediction.question {
            Question::Stalled => effects(comparison),
            question => winners(comparison, question),
        };
        let right = |(answer, _): &(String, String)| *answer == prediction.answer;
        let shown: Vec<String> = found.iter().map(|(_, shown)| shown.clone()).collect();
        Verdict {
            question: prediction.question.text(),
            answer: prediction.answer.clone(),
            right: match prediction.question {
                _ if found.is_empty() => None,
                Question::Stalled => Some(found.iter().all(right)),
                _ => Some(found.iter().any(right)),
            },
            found: match found.is_empty() {
                true => "not known".to_string(),
                false => shown.join(" or "),
            },
        }
    };
    comparison.predictions.iter().map(verdict).collect()
}

/// All that are right, and how to show them: where no difference was seen, several are.
fn winners(comparison: &Comparison, question: &Question) -> Vec<(String, String)> {
    let (scenario, clients, figure) = match question {
        Question::Fastest(clients) => (Scenario::AllSpeak, *clients, Figure::DeliveriesPerSecond),
        _ => {
            let most = comparison.sizes(Scenario::Idle).last().copied();
            (Scenario::Idle, most.unwrap_or_default(), Figure::Memory)
        }
    };
    let groups = ranked(&comparison.figures(scenario, clients, figure), true);
    let first = groups.into_iter().next().unwrap_or_default();
    let name = |(contestant, _)| comparison.name(contestant).to_string();
    first.into_iter().map(name).map(|name| (name.clone(), name)).collect()
}

/// What the one who does not read did to the others, for each contestant.
fn effects(comparison: &Comparison) -> Vec<(String, String)> {
    let effect = |contestant| {
        let answer = match effect(comparison, contestant)? {
            Effect::Nothing(..) => STALLED[0],
            Effect::Slows(..) => STALLED[1],
            Effect::Stops => STALLED[2],
            Effect::Unknown => return None,
        };
        let shown = format!("{answer} ({})", comparison.name(contestant));
        Some((answer.to_string(), shown))
    };
    (0..comparison.contestants.len()).filter_map(effect).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_numbers_and_a_wrong_one_is_asked_again() {
        let names = ["stage3-select".to_string(), "stage4-threads".to_string()];
        let predictions = ask(&names, "1\nseven\n2\n\n3\n".as_bytes());
        let answers: Vec<&str> = predictions.iter().map(|p| p.answer.as_str()).collect();
        assert_eq!(answers, ["stage3-select", "stage4-threads", "they stop"]);
    }

    #[test]
    fn the_end_of_input_is_no_answer() {
        assert_eq!(ask(&["a".to_string()], "".as_bytes()), Vec::new());
    }
}
