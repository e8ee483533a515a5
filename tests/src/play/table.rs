//! The comparison as people see it: a row for each line of the conversation, a column for each
//! stage. Pure: results in, text out.

use super::promise::{Outcome, Why};
use super::{COLUMNS, Played};
use crate::conversation::{Conversation, Step, and_list};
use comfy_table::{
    Attribute, Cell, Color, ColumnConstraint, ContentArrangement, LineStyle, Table, TableStyle,
    Width,
};
use std::collections::BTreeSet;
use std::fmt::Write;
use std::io::IsTerminal;

/// How wide the text may be, and whether it may have colours.
#[derive(Debug, Clone, Copy)]
pub struct Look {
    pub columns: u16,
    pub colour: bool,
}

/// Below this the columns of five stages are too narrow for words.
const COLUMNS_MIN: u16 = 72;
/// Beyond this the eye loses the row.
const COLUMNS_MAX: u16 = 110;

/// Characters of the column of a stage.
const STAGE_COLUMN: u16 = 10;
const FIRST_COLUMN_MAX: u16 = 56;

/// Names in one cell; of more only the number is shown.
const NAMES_MAX: usize = 3;

const COLUMNS_EXPLAINED: &str = "said: lines that reached all who were meant; heard: how often a \
    line was heard; threads: of the server, but for the one that prints; connections: that it \
    served at the same time";

impl Look {
    pub fn of_stdout() -> Look {
        let terminal = std::io::stdout().is_terminal();
        let wanted = std::env::var("NO_COLOR").is_ok_and(|value| !value.is_empty());
        Look {
            columns: Table::new().width().filter(|_| terminal).unwrap_or(COLUMNS),
            colour: terminal && !wanted,
        }
    }

    /// As in a file: 80 columns, no colour.
    pub fn plain() -> Look {
        Look { columns: COLUMNS, colour: false }
    }

    fn columns(self) -> u16 {
        self.columns.clamp(COLUMNS_MIN, COLUMNS_MAX)
    }

    /// Blanks between two columns.
    fn gap(self) -> u16 {
        if self.columns() < 96 { 1 } else { 2 }
    }

    fn fill(self, text: &str) -> String {
        textwrap::fill(text, usize::from(self.columns()))
    }

    fn bold(self, text: &str) -> String {
        match self.colour {
            true => format!("\x1b[1m{text}\x1b[0m"),
            false => text.to_string(),
        }
    }
}

/// The whole comparison, from the title to what the designs did.
pub fn comparison(conversation: &Conversation, played: &[Played], look: Look) -> String {
    let title = format!("{}: {}", conversation.title, cast(conversation));
    let mut text = format!("\n{}\n\n", look.bold(&look.fill(&title)));
    let lines = lines_table(conversation, played, look).trim_fmt();
    let _ = writeln!(text, "{lines}\n");
    for why in reasons(played) {
        let _ = writeln!(text, "  {:10} {}", format!("- {}", why.short()), why.long());
    }
    if let Some(note) = seats(conversation, played) {
        let _ = writeln!(text, "\n{}", look.fill(&note));
    }
    let designs = designs_table(conversation, played, look).trim_fmt();
    let _ = writeln!(text, "\n{designs}\n\n{}", look.fill(COLUMNS_EXPLAINED));
    text
}

fn lines_table(conversation: &Conversation, played: &[Played], look: Look) -> Table {
    let mut table = table(look);
    let stages = STAGE_COLUMN + look.gap();
    let first = (look.columns() - stages * played.len() as u16).min(FIRST_COLUMN_MAX);
    let names = ["who to whom: what".to_string()].into_iter();
    table.set_header(header(names.chain(played.iter().map(short_name))));
    for (index, step) in conversation.steps.iter().enumerate() {
        let next = conversation.steps.get(index + 1);
        let at_once = step.at_once || next.is_some_and(|next| next.at_once);
        let mut row = vec![Cell::new(step_text(step, at_once, first - look.gap()))];
        row.extend(played.iter().map(|played| outcome_cell(step, played, index)));
        table.add_row(row);
    }
    let widths = [first - 1].into_iter().chain(played.iter().map(|_| stages - 1));
    table.set_constraints(widths.map(|width| ColumnConstraint::Absolute(Width::Fixed(width))));
    pad(&mut table, look);
    table
}

fn header(names: impl Iterator<Item = String>) -> Vec<Cell> {
    names.map(|name| Cell::new(name).add_attribute(Attribute::Bold)).collect()
}

/// In lines of `width`. What is said at once has a bar beside it.
fn step_text(step: &Step, at_once: bool, width: u16) -> String {
    let (first, next) = match at_once {
        true => ("| ", "|   "),
        false => ("", "  "),
    };
    let options = textwrap::Options::new(width.into());
    textwrap::fill(&step.to_string(), options.initial_indent(first).subsequent_indent(next))
}

fn outcome_cell(step: &Step, played: &Played, index: usize) -> Cell {
    let difference = played.difference.as_ref();
    if difference.is_some_and(|difference| difference.step == Some(index)) {
        return Cell::new("DIFFERS").fg(Color::DarkRed).add_attribute(Attribute::Bold);
    }
    let Some(outcome) = played.outcomes.get(index) else {
        return Cell::new("?");
    };
    let cell = Cell::new(outcome_text(step, outcome));
    match (outcome.heard_by.is_empty(), outcome.not_heard_by.is_empty()) {
        (false, true) => cell.fg(Color::DarkGreen),
        (false, false) => cell.fg(Color::DarkYellow),
        (true, _) => cell.add_attribute(Attribute::Dim),
    }
}

/// Who heard it, who did not, why it could not be said: a few words, a line for each.
fn outcome_text(step: &Step, outcome: &Outcome) -> String {
    let mut parts = Vec::new();
    let to_everyone = step.is_said_to_everyone();
    match (&outcome.heard_by[..], to_everyone) {
        ([], _) => {}
        ([_, _, ..], true) if outcome.not_heard_by.is_empty() => parts.push("everyone".to_string()),
        (names, _) => parts.push(names_or_number(names)),
    }
    if outcome.lines_typed > 1 {
        parts.push(format!("in {} lines", outcome.lines_typed));
    }
    match (&outcome.turn, outcome.why) {
        (Some(next), _) => parts.push(format!("next: {next}")),
        (None, Some(why)) if outcome.not_heard_by.is_empty() || why == Why::NotThere => {
            parts.push(format!("- {}", why.short()));
        }
        (None, Some(_)) => parts.push(format!("not {}", names_or_number(&outcome.not_heard_by))),
        (None, None) => {}
    }
    parts.join("\n")
}

fn names_or_number(names: &[String]) -> String {
    match names.len() {
        ..=NAMES_MAX => names.join(", "),
        count => format!("{count} people"),
    }
}

fn reasons(played: &[Played]) -> BTreeSet<Why> {
    let outcomes = played.iter().flat_map(|played| &played.outcomes);
    outcomes.filter(|outcome| outcome.turn.is_none()).filter_map(|outcome| outcome.why).collect()
}

/// Who sits where in the stages 1 and 2.
fn seats(conversation: &Conversation, played: &[Played]) -> Option<String> {
    let two = played.iter().map(|played| played.stage.number).filter(|number| *number <= 2);
    let names: Vec<String> = two.map(|number| number.to_string()).collect();
    let first = names.first()?;
    let number = first.parse().ok()?;
    let (design, arriving) = super::promise::Design::new(number, conversation);
    let stages =
        if names.len() == 1 { format!("stage {first}") } else { "stages 1 and 2".to_string() };
    Some(format!(
        "In {stages} {} sits at the server, and {} has the connection first.",
        design.at_the_server?,
        arriving.first()?
    ))
}

/// Below the comparison: a line for each stage on what its design did.
fn designs_table(conversation: &Conversation, played: &[Played], look: Look) -> Table {
    let mut table = table(look);
    let names = ["design", "said", "heard", "threads", "connections", "who owns the state"];
    table.set_header(header(names.into_iter().map(str::to_string)));
    for played in played {
        let threads = played.threads.map_or("?".to_string(), |threads| threads.to_string());
        let connections = match played.waiting {
            0 => played.served.to_string(),
            waiting => format!("{}, {waiting} waiting", played.served),
        };
        let row = [
            short_name(played),
            said(conversation, played),
            deliveries(conversation, played).to_string(),
            threads,
            connections,
            played.stage.state.to_string(),
        ];
        table.add_row(row);
    }
    pad(&mut table, look);
    table
}

/// How many of the lines that are said reached all who were meant.
fn said(conversation: &Conversation, played: &Played) -> String {
    let said = lines_said(conversation, played);
    let reached = said
        .iter()
        .filter(|outcome| !outcome.heard_by.is_empty() && outcome.not_heard_by.is_empty());
    let all = conversation.steps.iter().filter(|step| step.is_said());
    format!("{} of {}", reached.count(), all.count())
}

fn deliveries(conversation: &Conversation, played: &Played) -> usize {
    lines_said(conversation, played).iter().map(|outcome| outcome.heard_by.len()).sum()
}

fn lines_said<'a>(conversation: &Conversation, played: &'a Played) -> Vec<&'a Outcome> {
    let both = conversation.steps.iter().zip(&played.outcomes);
    both.filter(|(step, _)| step.is_said()).map(|(_, outcome)| outcome).collect()
}

/// What each person's screen showed.
pub fn transcripts(conversation: &Conversation, played: &[Played], look: Look) -> String {
    let mut text = String::new();
    for played in played {
        let _ = writeln!(text, "\n{}", look.bold(&short_name(played)));
        for name in conversation.everybody() {
            let lines = played
                .transcripts
                .iter()
                .filter(|(who, _)| who == name)
                .flat_map(|(_, lines)| lines);
            for (index, line) in lines.enumerate() {
                let margin = if index == 0 { name } else { "" };
                let _ = writeln!(text, "{margin:>20} | {}", printable(line));
            }
        }
    }
    text
}

/// What went otherwise than promised, stage by stage. Empty if nothing did.
pub fn differences(played: &[Played], look: Look) -> String {
    let mut text = String::new();
    for played in played {
        let Some(difference) = &played.difference else {
            continue;
        };
        let title = format!("{} did not do what its design promises", short_name(played));
        let _ = writeln!(text, "\n{}", look.bold(&title));
        let _ = writeln!(text, "  line      {}", difference.line);
        let _ = writeln!(text, "  screen    {}", difference.who);
        let _ = writeln!(text, "  expected  {}", difference.expected);
        let _ = writeln!(text, "  seen      {}", printable(&difference.seen));
        for line in difference.output.lines() {
            let _ = writeln!(text, "  output    {}", printable(line));
        }
    }
    text
}

/// What a program printed, as something that a terminal cannot obey.
fn printable(text: &str) -> String {
    let replace = |c: char| {
        if c.is_control() && c != '\t' { char::REPLACEMENT_CHARACTER } else { c }
    };
    text.chars().map(replace).collect()
}

/// `3 select`
fn short_name(played: &Played) -> String {
    let name = played.stage.package.split('-').next_back().unwrap_or_default();
    format!("{} {name}", played.stage.number)
}

fn table(look: Look) -> Table {
    let mut table = Table::new();
    let rule = LineStyle::none().fill('─').junction('─');
    table.load_style(TableStyle::new().header_separator(rule).top_border(rule));
    table.set_content_arrangement(ContentArrangement::Dynamic).set_width(look.columns());
    match look.colour {
        true => table.enforce_styling(),
        false => table.force_no_tty(),
    };
    table
}

/// No blank before the first column; whoever is narrow needs the place.
fn pad(table: &mut Table, look: Look) {
    table.column_iter_mut().for_each(|column| {
        column.set_padding((0, look.gap() - 1)); // the place of a border is a blank, too
    });
}

/// Who is there, and who comes later.
fn cast(conversation: &Conversation) -> String {
    let later: Vec<&str> = conversation.everybody().split_off(conversation.people.len());
    match later.is_empty() {
        true => and_list(&conversation.people),
        false => format!("{}; later {}", and_list(&conversation.people), and_list(&later)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::play::promise::Design;
    use crate::stage::STAGES;

    const FILES: [&str; 4] = [
        include_str!("../../conversations/lunch.chat"),
        include_str!("../../conversations/two-people.chat"),
        include_str!("../../conversations/ten-clients.chat"),
        include_str!("../../conversations/comings-and-goings.chat"),
    ];

    /// As if every stage had done what it promises.
    fn played(conversation: &Conversation) -> Vec<Played> {
        let all = STAGES.iter().map(|stage| {
            let (mut design, arriving) = Design::new(stage.number, conversation);
            design.clients = arriving.into();
            let outcomes = conversation.steps.iter().map(|step| design.promise(step).outcome);
            Played {
                stage,
                outcomes: outcomes.collect(),
                threads: Some(21),
                served: 10,
                waiting: if stage.number < 3 { 10 } else { 0 },
                difference: None,
                transcripts: Vec::new(),
            }
        });
        all.collect()
    }

    #[test]
    fn no_line_is_wider_than_the_terminal() {
        for file in FILES {
            let conversation = Conversation::parse(file).unwrap();
            for columns in 72..=120 {
                let look = Look { columns, colour: false };
                let text = comparison(&conversation, &played(&conversation), look);
                for line in text.lines() {
                    let width = textwrap::core::display_width(line);
                    assert!(width <= usize::from(columns), "{width} columns of {columns}: {line}");
                }
            }
        }
    }

    #[test]
    fn without_colour_there_is_no_escape_and_with_colour_the_same_text() {
        let conversation = Conversation::parse(FILES[0]).unwrap();
        let text = |colour| {
            comparison(&conversation, &played(&conversation), Look { columns: 80, colour })
        };
        let (plain, coloured) = (text(false), text(true));
        assert!(!plain.contains('\x1b') && coloured.contains('\x1b'));
        let stripped = anstream::adapter::strip_str(&coloured).to_string();
        let words = |text: &str| text.split_whitespace().map(str::to_string).collect::<Vec<_>>();
        assert_eq!(words(&stripped), words(&plain));
    }

    #[test]
    fn a_difference_is_shown_in_its_row_and_below() {
        let conversation = Conversation::parse(FILES[1]).unwrap();
        let mut played = played(&conversation);
        played[3].outcomes.truncate(2);
        played[3].difference = Some(Box::new(crate::play::Difference {
            step: Some(1),
            line: conversation.steps[1].to_string(),
            who: "Alice".to_string(),
            expected: "`Bob: hii`".to_string(),
            seen: "`Bob: \x1b[2Jhii`".to_string(),
            output: "Alice stdout | Bob: \x1b[2Jhii\n".to_string(),
        }));
        let table = comparison(&conversation, &played, Look::plain());
        let row = table.lines().find(|line| line.starts_with("Bob to Alice: hii")).unwrap();
        assert!(row.contains("DIFFERS"), "{table}");
        let text = differences(&played, Look::plain());
        assert!(
            text.contains("4 threads did not") && text.contains("expected  `Bob: hii`"),
            "{text}"
        );
        assert!(!text.contains('\x1b'), "{text:?}");
    }
}
