//! Predict, then measure: the questions are asked before anything is run, and the report sets
//! the answers beside what was found. A guess that was wrong teaches more than a table.

use super::findings::{Effect, effect, rankings, unfit};
use super::results::Comparison;
use super::scenario::Scenario;
use crate::conversation::and_list;
use serde::{Deserialize, Serialize};
use std::fmt;
use std::io::{BufRead, Write};

#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub struct Prediction {
    pub question: Question,
    /// `None`: whoever was asked had no idea.
    pub answer: Option<String>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Question {
    /// Least processor time for each delivery when one speaks, or all do.
    OneSpeaks,
    AllSpeak,
    LeastMemory,
    /// What one client that never reads does to the others.
    Stalled,
}

/// What was expected, and what was found.
#[derive(Debug)]
pub struct Verdict {
    pub question: &'static str,
    pub answer: Option<String>,
    pub found: String,
    /// `None`: nothing was said, or what was found does not decide it.
    pub right: Option<bool>,
}

impl Question {
    const ALL: [Question; 4] =
        [Question::OneSpeaks, Question::AllSpeak, Question::LeastMemory, Question::Stalled];

    fn text(self) -> &'static str {
        match self {
            Question::OneSpeaks => "Which needs least for each delivery when one client speaks?",
            Question::AllSpeak => "Which needs least for each delivery when all speak?",
            Question::LeastMemory => "Which needs least memory for each client?",
            Question::Stalled => "One client never reads. What happens to the others?",
        }
    }
}

impl fmt::Display for Verdict {
    fn fmt(&self, f: &mut fmt::Formatter) -> fmt::Result {
        let said =
            self.answer.as_ref().map_or("none".to_string(), |answer| format!("\"{answer}\""));
        let mark = match (self.right, &self.answer) {
            (_, None) => "",
            (Some(true), _) => " Right.",
            (Some(false), _) => " Wrong.",
            (None, _) => " Undecided.",
        };
        write!(f, "{} Your answer: {said}. It was {}.{mark}", self.question, self.found)
    }
}

/// The answers to the question of the one who does not read.
const STALLED: [&str; 3] = ["nothing", "they wait longer", "they stop"];

/// Asks on stderr and reads a number from `input`; an empty line leaves a question open.
pub fn ask(names: &[String], input: impl BufRead) -> Vec<Prediction> {
    let mut lines = input.lines().map_while(Result::ok);
    let stalled = STALLED.map(String::from);
    let mut ask = |question| {
        let choices = if question == Question::Stalled { &stalled[..] } else { names };
        Prediction { question, answer: ask_one(question, choices, &mut lines) }
    };
    Question::ALL.map(&mut ask).into()
}

fn ask_one(
    question: Question,
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
        let found = match prediction.question {
            Question::OneSpeaks => least(comparison, Scenario::OneSpeaks),
            Question::AllSpeak => least(comparison, Scenario::AllSpeak),
            Question::LeastMemory => least(comparison, Scenario::Idle),
            Question::Stalled => effects(comparison),
        };
        let answer = prediction.answer.clone();
        let is_it = |answer: &String| match &found[..] {
            [] => None,
            _ if !found.iter().any(|(found, _)| found == answer) => Some(false),
            found => found.iter().all(|(found, _)| found == answer).then_some(true),
        };
        let shown: Vec<&str> = found.iter().map(|(_, shown)| shown.as_str()).collect();
        Verdict {
            question: prediction.question.text(),
            right: answer.as_ref().and_then(is_it),
            answer,
            found: match found.is_empty() {
                true => "not decided".to_string(),
                false => and_list(&shown),
            },
        }
    };
    comparison.predictions.iter().map(verdict).collect()
}

/// All that may be the least, and how to show them: where no difference was seen, several.
fn least(comparison: &Comparison, scenario: Scenario) -> Vec<(String, String)> {
    let ranking = rankings(comparison, scenario).into_iter().next();
    let decided = ranking.filter(|ranking| ranking.decides && unfit(comparison).is_none());
    let first = decided.and_then(|ranking| ranking.groups.into_iter().next()).unwrap_or_default();
    let name = |(contestant, _)| comparison.name(contestant).to_string();
    first.into_iter().map(name).map(|name| (name.clone(), name)).collect()
}

/// What the one who does not read did to the others, for each server; none, if one is undecided.
fn effects(comparison: &Comparison) -> Vec<(String, String)> {
    let effect = |contestant| {
        let answer = match effect(comparison, contestant)? {
            Effect::Nothing => STALLED[0],
            Effect::Slows(_) => STALLED[1],
            Effect::Stops => STALLED[2],
            Effect::Unknown => return None,
        };
        let shown = format!("\"{answer}\" in {}", comparison.name(contestant));
        Some((answer.to_string(), shown))
    };
    comparison.servers().map(effect).collect::<Option<_>>().unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn answers_are_numbers_and_a_wrong_one_is_asked_again() {
        let names = ["stage3-select".to_string(), "stage4-threads".to_string()];
        let predictions = ask(&names, "1\nseven\n2\n\n3\n".as_bytes());
        let answers: Vec<_> = predictions.iter().map(|p| p.answer.as_deref()).collect();
        let expected = [Some("stage3-select"), Some("stage4-threads"), None, Some("they stop")];
        assert_eq!(answers, expected);
    }

    #[test]
    fn the_end_of_input_is_no_answer() {
        let predictions = ask(&["a".to_string()], "".as_bytes());
        assert!(predictions.iter().all(|prediction| prediction.answer.is_none()));
    }
}
