//! `lab book`: the book as plain pages, for whoever has no mdBook and no network. Each page is one
//! file that needs no other; the links between them are relative.

use crate::stage::workspace;
use anyhow::{Context, ensure};
use clap::Args;
use pulldown_cmark::{CowStr, Event, Options, Parser, Tag, TagEnd, html};
use std::collections::BTreeMap;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;
use walkdir::WalkDir;

/// Writes the book as HTML pages that need no other tool
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo lab book, then open target/book/index.html")]
pub struct Arguments {
    /// The folder for the pages
    #[arg(long, value_name = "FOLDER")]
    out: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let out = arguments.out.clone().unwrap_or_else(|| workspace().join("target/book"));
    let count = write(&workspace().join("docs/src"), &out)?;
    println!("{count} pages: open {}", out.join("index.html").display());
    Ok(ExitCode::SUCCESS)
}

/// Renders every page that the summary names, and copies what is no page.
pub fn write(source: &Path, out: &Path) -> anyhow::Result<usize> {
    let summary = read(&source.join("SUMMARY.md"))?;
    let pages = pages_of(&summary);
    ensure!(!pages.is_empty(), "{} names no pages", source.join("SUMMARY.md").display());
    for (number, (title, page)) in pages.iter().enumerate() {
        let text = with_includes(&source.join(page))?;
        let up = "../".repeat(Path::new(page).components().count() - 1);
        let next = pages.get(number + 1);
        let before = number.checked_sub(1).and_then(|before| pages.get(before));
        let html = whole_page(title, &up, &contents(&summary, &up), &to_html(&text), before, next);
        put(&out.join(html_name(page)), &html)?;
    }
    let first = html_name(&pages[0].1);
    let forward =
        format!("<!doctype html><meta http-equiv=\"refresh\" content=\"0; url={first}\">");
    put(&out.join("index.html"), &forward)?;
    for entry in WalkDir::new(source).into_iter().filter_map(Result::ok) {
        let path = entry.path();
        if path.is_file() && path.extension().is_none_or(|it| it != "md") {
            let copy = out.join(path.strip_prefix(source)?);
            fs::create_dir_all(copy.parent().context("a file lies in a folder")?)?;
            fs::copy(path, &copy)
                .with_context(|| format!("cannot copy {} to {}", path.display(), copy.display()))?;
        }
    }
    Ok(pages.len())
}

fn read(path: &Path) -> anyhow::Result<String> {
    fs::read_to_string(path).with_context(|| format!("cannot read {}", path.display()))
}

fn put(path: &Path, text: &str) -> anyhow::Result<()> {
    fs::create_dir_all(path.parent().context("a file lies in a folder")?)?;
    fs::write(path, text).with_context(|| format!("cannot write {}", path.display()))
}

/// Titles and files, in the order of the summary.
fn pages_of(summary: &str) -> Vec<(String, String)> {
    let mut pages: Vec<(String, String)> = Vec::new();
    let mut in_link = false;
    for event in Parser::new(summary) {
        match event {
            Event::Start(Tag::Link { dest_url, .. }) => {
                pages.push((String::new(), dest_url.to_string()));
                in_link = true;
            }
            Event::End(TagEnd::Link) => in_link = false,
            Event::Text(text) | Event::Code(text) if in_link => {
                if let Some((title, _)) = pages.last_mut() {
                    title.push_str(&text);
                }
            }
            _ => {}
        }
    }
    pages
}

fn html_name(page: &str) -> String {
    format!("{}.html", page.strip_suffix(".md").unwrap_or(page))
}

/// The summary as the list beside every page.
fn contents(summary: &str, up: &str) -> String {
    let events = Parser::new(summary).map(|event| match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = format!("{up}{}", html_name(&dest_url)).into();
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        other => other,
    });
    let mut html = String::new();
    html::push_html(&mut html, events);
    html
}

/// The text of a page with what its `{{#include FILE:ANCHOR}}` bring.
fn with_includes(page: &Path) -> anyhow::Result<String> {
    let text = read(page)?;
    let mut pieces = text.split("{{#include ");
    let mut whole = pieces.next().unwrap_or_default().to_string();
    for piece in pieces {
        let (target, rest) = piece
            .split_once("}}")
            .with_context(|| format!("{}: an include without its end", page.display()))?;
        let (file, part) = target.trim().split_once(':').unwrap_or((target.trim(), ""));
        let path = page.parent().context("a page lies in a folder")?.join(file);
        let included = read(&path).with_context(|| format!("{} includes it", page.display()))?;
        whole.push_str(part_of(&included, part).trim_end_matches('\n'));
        whole.push_str(rest);
    }
    Ok(whole)
}

/// All of a file, its lines from a number on, or what stands between two anchors.
fn part_of(text: &str, part: &str) -> String {
    let lines: Vec<&str> = match part.trim_end_matches(':').parse::<usize>() {
        Ok(first) => text.lines().skip(first.saturating_sub(1)).collect(),
        Err(_) if part.is_empty() => text.lines().collect(),
        Err(_) => text
            .lines()
            .skip_while(|line| !line.trim_end().ends_with(&format!("ANCHOR: {part}")))
            .skip(1)
            .take_while(|line| !line.trim_end().ends_with(&format!("ANCHOR_END: {part}")))
            .collect(),
    };
    let is_mark = |line: &&&str| line.contains("ANCHOR: ") || line.contains("ANCHOR_END: ");
    let lines: Vec<&str> = lines.iter().filter(|line| !is_mark(line)).copied().collect();
    lines.join("\n")
}

/// Links lead to the pages as they are written here, and every heading can be linked to.
pub fn to_html(markdown: &str) -> String {
    let options = Options::ENABLE_TABLES
        | Options::ENABLE_FOOTNOTES
        | Options::ENABLE_STRIKETHROUGH
        | Options::ENABLE_HEADING_ATTRIBUTES;
    let mut events: Vec<Event> = Parser::new_ext(markdown, options).map(with_html_link).collect();
    let mut used = BTreeMap::new();
    for at in 0..events.len() {
        if !matches!(events[at], Event::Start(Tag::Heading { id: None, .. })) {
            continue;
        }
        let text: String = events[at..]
            .iter()
            .take_while(|event| !matches!(event, Event::End(TagEnd::Heading(_))))
            .filter_map(|event| match event {
                Event::Text(text) | Event::Code(text) => Some(text.as_ref()),
                _ => None,
            })
            .collect();
        let times: &mut usize = used.entry(id_of(&text)).or_default();
        let suffix = if *times == 0 { String::new() } else { format!("-{times}") };
        *times += 1;
        if let Event::Start(Tag::Heading { id, .. }) = &mut events[at] {
            *id = Some(CowStr::from(format!("{}{suffix}", id_of(&text))));
        }
    }
    let mut html = String::new();
    html::push_html(&mut html, events.into_iter());
    // A wide table scrolls by itself: a page that scrolls sideways cannot be read on a telephone.
    html.replace("<table>", "<div class=\"wide\"><table>").replace("</table>", "</table></div>")
}

fn with_html_link(event: Event) -> Event {
    match event {
        Event::Start(Tag::Link { link_type, dest_url, title, id }) => {
            let dest_url = match dest_url.split_once('#') {
                _ if dest_url.contains("://") => dest_url,
                Some((file, fragment)) if file.ends_with(".md") => {
                    format!("{}#{fragment}", html_name(file)).into()
                }
                None if dest_url.ends_with(".md") => html_name(&dest_url).into(),
                _ => dest_url,
            };
            Event::Start(Tag::Link { link_type, dest_url, title, id })
        }
        other => other,
    }
}

/// As mdBook makes them, so that links work in both.
fn id_of(heading: &str) -> String {
    let kept = heading.chars().filter_map(|c| match c {
        c if c.is_alphanumeric() || c == '_' || c == '-' => Some(c.to_ascii_lowercase()),
        c if c.is_whitespace() => Some('-'),
        _ => None,
    });
    kept.collect()
}

fn whole_page(
    title: &str,
    up: &str,
    contents: &str,
    body: &str,
    before: Option<&(String, String)>,
    next: Option<&(String, String)>,
) -> String {
    let link = |page: Option<&(String, String)>, arrow: &str| {
        page.map_or(String::new(), |(title, page)| {
            format!("<a href=\"{up}{}\">{arrow} {}</a>", html_name(page), escaped(title))
        })
    };
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n<title>{title} - Five chats</title>\n\
         <style>{style}</style>\n</head>\n<body>\n<nav><details open><summary>Contents</summary>\
         {contents}</details></nav>\n<main>\n{body}\n<footer>{before} {next}</footer>\n</main>\n\
         <script>if (innerWidth < 900) document.querySelector('nav details').open = false;</script>\n\
         </body>\n</html>\n",
        title = escaped(title),
        style = include_str!("../templates/book.css"),
        before = link(before, "&larr;"),
        next = link(next, "&rarr;"),
    )
}

fn escaped(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;").replace('>', "&gt;")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn links_lead_to_html_and_headings_have_ids() {
        let html = to_html("# A *b* `c`\n\n[x](y.md#z) [w](https://w.md) [t](t.txt)\n\n# A b c\n");
        assert!(html.contains("<h1 id=\"a-b-c\">"), "{html}");
        assert!(html.contains("<h1 id=\"a-b-c-1\">"), "{html}");
        assert!(html.contains("href=\"y.html#z\"") && html.contains("href=\"https://w.md\""));
        assert!(html.contains("href=\"t.txt\""), "{html}");
    }

    #[test]
    fn an_include_brings_what_is_between_its_anchors() {
        let text = "a\n// ANCHOR: x\nb\n// ANCHOR: y\nc\n// ANCHOR_END: y\n// ANCHOR_END: x\nd\n";
        assert_eq!(part_of(text, "x"), "b\nc");
        assert_eq!(part_of(text, ""), "a\nb\nc\nd");
        assert_eq!(part_of("a\nb\nc\n", "2:"), "b\nc");
    }
}
