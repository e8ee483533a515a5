//! The book agrees with the code: what mdBook would leave out in silence fails here.
//!
//! mdBook renders nothing for an anchor that is missing, logs an include whose file is missing,
//! and does not look at links at all.

use anyhow::{Context, ensure};
use chat_lab::stage::{STAGES, workspace};
use libtest_mimic::Trial;
use pulldown_cmark::{Event, Options, Parser, Tag};
use std::collections::BTreeSet;
use std::fs;
use std::path::{Path, PathBuf};
use walkdir::WalkDir;

pub fn tests() -> Vec<Trial> {
    vec![
        crate::test("book::every_include_brings_something", every_include_brings_something),
        crate::test("book::every_anchor_is_shown", every_anchor_is_shown),
        crate::test("book::no_link_is_dead", no_link_is_dead),
        crate::test("book::the_summary_names_every_page", the_summary_names_every_page),
        crate::test("book::the_rules_are_numbered_once", the_rules_are_numbered_once),
    ]
}

fn every_include_brings_something() -> anyhow::Result<()> {
    let includes = includes()?;
    ensure!(!includes.is_empty(), "no page includes anything");
    for include in includes {
        let text = fs::read_to_string(&include.file)
            .with_context(|| format!("{} includes {}", include.page, include.file.display()))?;
        let shown = match &include.anchor {
            Some(lines) if lines.starts_with(|c: char| c.is_ascii_digit()) => {
                let first: usize = lines
                    .trim_end_matches(':')
                    .parse()
                    .with_context(|| format!("{}: cannot read the lines {lines}", include.page))?;
                text.lines().skip(first - 1).collect::<Vec<_>>().join("\n")
            }
            Some(anchor) => between_anchors(&text, anchor).with_context(|| {
                format!("{}: no anchor {anchor} in {}", include.page, include.file.display())
            })?,
            None => text,
        };
        ensure!(!shown.trim().is_empty(), "{}: {:?} is empty", include.page, include.anchor);
    }
    Ok(())
}

/// An anchor that no page shows only clutters the source. Of twin files, one is shown.
fn every_anchor_is_shown() -> anyhow::Result<()> {
    let mut shown = BTreeSet::new();
    for Include { file, anchor, .. } in includes()? {
        if let Some(anchor) = anchor {
            shown.insert((fs::read_to_string(file)?, anchor));
        }
    }
    for stage in &STAGES {
        for file in files_below(&workspace().join(stage.package), "rs") {
            let text = fs::read_to_string(&file)?;
            let anchors = text.lines().filter_map(|line| line.trim().strip_prefix("// ANCHOR: "));
            for anchor in anchors {
                let key = (text.clone(), anchor.to_string());
                ensure!(shown.contains(&key), "{}: nobody shows {anchor}", file.display());
            }
        }
    }
    Ok(())
}

fn no_link_is_dead() -> anyhow::Result<()> {
    let mut pages = pages();
    pages.push(workspace().join("README.md"));
    pages.extend(STAGES.iter().map(|stage| workspace().join(stage.package).join("README.md")));
    let mut dead = Vec::new();
    for page in &pages {
        for link in links(&fs::read_to_string(page)?) {
            if !link.contains("://") && !link_works(page, &link)? {
                dead.push(format!("{}: {link}", page.display()));
            }
        }
    }
    ensure!(dead.is_empty(), "dead links:\n{}", dead.join("\n"));
    Ok(())
}

fn the_summary_names_every_page() -> anyhow::Result<()> {
    let summary = book().join("SUMMARY.md");
    let named: BTreeSet<_> = links(&fs::read_to_string(&summary)?).into_iter().collect();
    for page in pages() {
        let name = page.strip_prefix(book())?.to_string_lossy().replace('\\', "/");
        ensure!(name == "SUMMARY.md" || named.contains(&name), "SUMMARY.md does not name {name}");
    }
    Ok(())
}

fn the_rules_are_numbered_once() -> anyhow::Result<()> {
    let rules = chat_lab_rules()?;
    let unique: BTreeSet<_> = rules.iter().collect();
    ensure!(unique.len() == rules.len(), "a rule has two headings: {rules:?}");
    let all = (1..=16).map(|n| format!("L{n}"));
    let numbered = [("S1", 2), ("S2", 3), ("S3", 4), ("S4", 5), ("S5", 10)];
    let stages = numbered.iter().flat_map(|(s, last)| (1..=*last).map(move |n| format!("{s}.{n}")));
    for rule in all.chain(stages).chain((1..=3).map(|n| format!("F{n}"))) {
        ensure!(unique.contains(&rule), "protocol.md has no heading for {rule}");
    }
    Ok(())
}

/// The numbers of the rules, out of the headings of `protocol.md`.
pub fn chat_lab_rules() -> anyhow::Result<Vec<String>> {
    let text = fs::read_to_string(book().join("protocol.md"))?;
    let numbers = text.lines().filter_map(|line| line.strip_prefix("### ")?.split(':').next());
    Ok(numbers.map(str::to_string).collect())
}

struct Include {
    page: String,
    file: PathBuf,
    anchor: Option<String>,
}

/// Every `{{#include FILE:ANCHOR}}` of the book.
fn includes() -> anyhow::Result<Vec<Include>> {
    let mut includes = Vec::new();
    for page in pages() {
        let text = fs::read_to_string(&page)?;
        for rest in text.split("{{#include ").skip(1) {
            let target = rest.split("}}").next().context("an include without its end")?.trim();
            let (file, anchor) = match target.split_once(':') {
                Some((file, anchor)) => (file, Some(anchor.to_string())),
                None => (target, None),
            };
            let path = page.parent().context("a page has a folder")?.join(file);
            let file = path
                .canonicalize()
                .with_context(|| format!("{} includes {}", page.display(), path.display()))?;
            includes.push(Include { page: page.display().to_string(), file, anchor });
        }
    }
    Ok(includes)
}

fn between_anchors(text: &str, anchor: &str) -> Option<String> {
    let (start, end) = (format!("ANCHOR: {anchor}"), format!("ANCHOR_END: {anchor}"));
    let lines = text.lines().skip_while(|line| !line.trim_end().ends_with(&start)).skip(1);
    let lines: Vec<_> = lines.collect();
    let length = lines.iter().position(|line| line.trim_end().ends_with(&end))?;
    Some(lines[..length].join("\n"))
}

/// Where the links of a page lead, code blocks left out.
fn links(text: &str) -> Vec<String> {
    let parser = Parser::new_ext(text, Options::all());
    let links = parser.filter_map(|event| match event {
        Event::Start(Tag::Link { dest_url, .. } | Tag::Image { dest_url, .. }) => {
            Some(dest_url.to_string())
        }
        _ => None,
    });
    links.collect()
}

fn link_works(page: &Path, link: &str) -> anyhow::Result<bool> {
    let (file, id) = link.split_once('#').unwrap_or((link, ""));
    let target = match file {
        "" => page.to_path_buf(),
        file => page.parent().context("a page has a folder")?.join(file),
    };
    if id.is_empty() || !target.exists() {
        return Ok(target.exists());
    }
    Ok(heading_ids(&fs::read_to_string(target)?).contains(id))
}

/// The ids that mdBook gives to headings: the one in braces, or one made of the heading's text.
fn heading_ids(text: &str) -> BTreeSet<String> {
    let mut ids = BTreeSet::new();
    let mut heading: Option<String> = None;
    for event in Parser::new_ext(text, Options::all()) {
        match event {
            Event::Start(Tag::Heading { id: Some(id), .. }) => _ = ids.insert(id.to_string()),
            Event::Start(Tag::Heading { .. }) => heading = Some(String::new()),
            Event::Text(text) | Event::Code(text) => {
                if let Some(heading) = &mut heading {
                    heading.push_str(&text);
                }
            }
            Event::End(pulldown_cmark::TagEnd::Heading(_)) => {
                ids.extend(heading.take().map(|text| id_of(&text)));
            }
            _ => {}
        }
    }
    ids
}

fn id_of(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c.to_ascii_lowercase()),
        c if c.is_whitespace() => Some('-'),
        _ => None,
    });
    kept.collect()
}

fn book() -> PathBuf {
    workspace().join("docs/src")
}

fn pages() -> Vec<PathBuf> {
    files_below(&book(), "md")
}

fn files_below(folder: &Path, extension: &str) -> Vec<PathBuf> {
    let files = WalkDir::new(folder).sort_by_file_name().into_iter().filter_map(Result::ok);
    let files = files.map(|entry| entry.into_path());
    files.filter(|path| path.extension().is_some_and(|it| it == extension)).collect()
}
