//! What the self-test has to tell: on the terminal, and in the book.

use super::Inspection;
use super::carry_out::Carried;
use crate::zoo::Animal;
use anstyle::{AnsiColor, Style};
use std::collections::BTreeSet;

const GOOD: Style = AnsiColor::Green.on_default();
const BAD: Style = AnsiColor::Red.on_default().bold();
const FAINT: Style = Style::new().dimmed();

/// One program: which checks named what, and what is not as it must be.
pub fn entry(result: &Inspection) -> String {
    let name = &result.animal.name;
    let mut text = match result.skipped {
        Some(lack) => format!("{FAINT}– {name}: skipped: {lack}{FAINT:#}\n"),
        None if result.is_bad() => format!("{BAD}✗ {name}{BAD:#}\n"),
        None if result.is_open() => format!("? {name}\n"),
        None => format!("{GOOD}✓{GOOD:#} {name}\n"),
    };
    for (misconception, checks) in &result.named {
        let checks = checks.iter().cloned().collect::<Vec<_>>().join(", ");
        let also = if result.animal.names.contains(misconception) { "" } else { "and " };
        text += &format!("    {also}{misconception} {FAINT}by {checks}{FAINT:#}\n");
    }
    for trouble in &result.troubles {
        text += &format!("    {BAD}{}{BAD:#}\n", trouble.words.replace('\n', "\n    "));
    }
    for words in &result.unjudged {
        text += &format!("    {}\n", words.replace('\n', "\n    "));
    }
    text
}

pub fn summary(carried: &Carried, never_failed: &BTreeSet<&str>) -> String {
    let results = &carried.results;
    let count = |wanted: fn(&&Inspection) -> bool| results.iter().filter(wanted).count();
    let bad = |result: &&Inspection| result.is_bad() || result.is_open();
    let verdict = match results.iter().filter(bad).count() {
        0 => "all as it must be".to_string(),
        bad => format!("{bad} not as it must be"),
    };
    let mut text = format!(
        "\n{} broken programs, {} correct ones, {} skipped, {} tried again alone: {verdict}\n",
        count(|result| !result.animal.is_correct()),
        count(|result| result.animal.is_correct()),
        count(|result| result.skipped.is_some()),
        carried.again,
    );
    for result in results.iter().filter(bad) {
        let open = if result.is_open() { ": could not be judged, alone either" } else { "" };
        text += &format!("  {BAD}✗ {}{open}{BAD:#}\n", result.animal.name);
    }
    for name in never_failed {
        text += &format!("  {BAD}✗ no program fails {name}{BAD:#}\n");
    }
    text
}

/// The matrix as a page of the book.
pub fn page(animals: &[Animal]) -> String {
    let broken = animals.iter().filter(|animal| !animal.is_correct());
    let correct = animals.iter().filter(|animal| animal.is_correct());
    let mut text = String::from(PAGE_HEAD);
    text += &recorded("under-load.md", "");
    text += &recorded("matrix.md", "## Everything, once\n\n");
    text += "## Broken programs\n\n| program | in | exercise | what is named | by |\n|---|---|---|---|---|\n";
    for animal in broken {
        text += &format!(
            "| {} | {}{} | [{3}](exercises/{3}.md) | {4} | {5} |\n",
            animal.name,
            animal.language(),
            if animal.edits.is_empty() { "" } else { ", edited" },
            animal.exercises.join(", "),
            if animal.names.is_empty() { "*no name*".into() } else { animal.names.join(", ") },
            animal.killers.join(", "),
        );
    }
    text += "\n## Correct programs\n\n| program | in | must pass |\n|---|---|---|\n";
    for animal in correct {
        text += &format!(
            "| {} | {} | {} |\n",
            animal.name,
            animal.language(),
            animal.exercises.join(", ")
        );
    }
    text
}

/// What a run has written beside the programs, if one has.
fn recorded(name: &str, heading: &str) -> String {
    match crate::zoo::folder().join(name).exists() {
        true => format!("{heading}{{{{#include ../../tests/zoo/{name}}}}}\n\n"),
        false => String::new(),
    }
}

const PAGE_HEAD: &str = "# The zoo

<!-- Written by `cargo lab selftest --write-page`. -->

How do you know that a checker is right? This one is checked itself. `tests/zoo/` holds programs
that are broken in exactly one way, and programs that are correct. `cargo lab selftest` runs the
checks against all of them and fails

- if a broken program survives: no check names its mistake,
- if a report begins with the wrong name: what it says first is what a student repairs first,
- if a correct program fails anything, in any of ten rounds with ten seeds. (An exercise that is a part
  of another one of the same program is carried out in the first round alone.)

What the machine is too busy to show is neither right nor wrong: it is tried again alone at the end, and
only then it is a fault of the lab (\"could not be judged\"). Programs in Python, C, JavaScript, Java
or Perl are skipped, and said to be, where the machine has no `python3`, C compiler, `node`, `javac`
or `perl`.

| command | carries out |
|---|---|
| `cargo test` | a *cover*: programs that fail every check and have every misconception of the table below, and every check once on a correct program in another language |
| `cargo lab selftest --cover` | the same, with what each check says |
| `cargo lab selftest --short` | every broken program against the checks of the table below alone, every correct one once (CI, on every push) |
| `cargo lab selftest --sample TEXT` | some of what `cargo test` leaves out, chosen by the text (`.ci/run`, by the commit) |
| `cargo lab selftest` | everything (CI, every night); with `--write`, its matrix as a table: `tests/zoo/matrix.md`, which `cargo lab selftest --write-page` then shows here |
| `cargo lab selftest --under-load` | the cover, on a machine that is kept busy: see below |
| `cargo lab selftest --costs` | measures what the cover is chosen by: `tests/zoo/costs.csv` |

The cover is computed (`tests/src/selftest/cover.rs`): of the checks that alone name a program's mistake, the
cheapest that show something new, without those that show nothing alone in the end. A program in it is
met by those checks alone.

Many of the correct programs in other languages were written from [the protocol](protocol.md) alone, by
somebody who had not seen the checks: their words, their extra notices and their designs are their
own. What they showed is why no check looks at words.

No check may be one that nothing can fail: each check of the lab is in the last column of this
table at least once. Where the table says *no name*, the mistake is in no catalogue, and a check that
called it something would be wrong.

Most of the broken programs are one small program, `tests/zoo/main.rs`, with one defect switched on:
`zoo defects` lists them. *Edited* ones are one of the correct programs with some of its text replaced
(`edits` in `zoo.toml`): single mistakes in programs that know nothing of the checks. The files in
`tests/zoo/beginners/` were written separately, the way beginners write them. Those in
`tests/zoo/documents/` are the programs of the course's source documents, in Python 3. They end no
line, and for that reason alone they fail whatever is about lines; `mended` speaks in lines and says who
wrote, so that the other mistakes show. What is said of them and is not named here:

- 003 keeps two lists side by side, and they drift when a second client is found dead while the first
  is being removed. A check that waits for that moment would wait for luck: `parallel-lists-drift` is
  shown by programs of the zoo.
- 003 reads a finished connection for ever. Before that costs anything, the next newcomer is announced
  to the one who has left, and the thread that accepts ends: `rude-client-kills-server`.
- One who does not read stops all three, after megabytes. The check cannot say so, because they cut and
  join the lines of its flood; `sendall-in-turn-py` shows it.
- Running out of descriptors ends all three. 002 and 003 queue five and 128 connections, and what the
  kernel has not queued comes seconds later, so the check may see it or not.

## Under load

Thirty laptops in a lab are busy, and a check must not mind. `cargo lab selftest --under-load --seeds 1..20
--write` carries the cover out while two processes for each core do nothing but spin and another one writes
to the disk, and writes this table. *Again, alone* could not be judged at first; the load's share is the
part of the machine's processor time that went to it.

";
