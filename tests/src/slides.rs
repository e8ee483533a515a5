//! `lab slides`: the lectures as one HTML file that needs no network and can be printed.

use crate::book::to_html;
use crate::stage::workspace;
use anyhow::{Context, ensure};
use clap::Args;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::ExitCode;

/// Writes the lectures as one HTML file, with notes for the speaker
#[derive(Debug, Args)]
#[command(
    after_help = "Example: cargo lab slides, then open target/slides.html and press n for the notes"
)]
pub struct Arguments {
    /// The file
    #[arg(long, value_name = "FILE")]
    out: Option<PathBuf>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let out = arguments.out.clone().unwrap_or_else(|| workspace().join("target/slides.html"));
    let slides = all(&workspace().join("docs/slides"))?;
    if let Some(folder) = out.parent() {
        fs::create_dir_all(folder).with_context(|| format!("cannot make {}", folder.display()))?;
    }
    fs::write(&out, page(&slides)).with_context(|| format!("cannot write {}", out.display()))?;
    println!("{} slides: open {}", slides.len(), out.display());
    Ok(ExitCode::SUCCESS)
}

#[derive(Debug, PartialEq, Eq)]
pub struct Slide {
    pub lecture: String,
    pub text: String,
    pub notes: String,
}

/// The slides of every file of the folder, in the order of the names.
pub fn all(folder: &Path) -> anyhow::Result<Vec<Slide>> {
    let entries =
        fs::read_dir(folder).with_context(|| format!("cannot read {}", folder.display()))?;
    let mut files: Vec<PathBuf> =
        entries.filter_map(Result::ok).map(|entry| entry.path()).collect();
    files.retain(|path| path.extension().is_some_and(|it| it == "md"));
    files.sort();
    let mut slides = Vec::new();
    for file in files {
        let lecture = file.file_stem().unwrap_or_default().to_string_lossy().into_owned();
        let text =
            fs::read_to_string(&file).with_context(|| format!("cannot read {}", file.display()))?;
        slides.extend(slides_of(&lecture, &text));
    }
    ensure!(!slides.is_empty(), "{} has no slides", folder.display());
    Ok(slides)
}

fn slides_of(lecture: &str, text: &str) -> Vec<Slide> {
    let slides = text.split("\n---\n").map(|slide| {
        let (text, notes) = slide.split_once("\nNotes:").unwrap_or((slide, ""));
        Slide {
            lecture: lecture.to_string(),
            text: text.trim().to_string(),
            notes: notes.trim().to_string(),
        }
    });
    slides.filter(|slide| !slide.text.is_empty()).collect()
}

/// The script turns pages and marks each slide that is longer than its box: see `data-too-long`.
pub fn page(slides: &[Slide]) -> String {
    let sections: String = slides
        .iter()
        .enumerate()
        .map(|(number, slide)| {
            format!(
                "<section><div class=\"slide\"><div class=\"text\">{}</div><small>{} · {}</small></div>\
                 <aside>{}</aside></section>\n",
                to_html(&slide.text),
                slide.lecture,
                number + 1,
                to_html(&slide.notes)
            )
        })
        .collect();
    format!(
        "<!doctype html>\n<html lang=\"en\">\n<head>\n<meta charset=\"utf-8\">\n\
         <meta name=\"viewport\" content=\"width=device-width\">\n\
         <title>Five chats: lectures</title>\n<style>{}</style>\n</head>\n<body>\n{sections}\
         <script>{}</script>\n</body>\n</html>\n",
        include_str!("../templates/slides.css"),
        include_str!("../templates/slides.js"),
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_line_of_dashes_ends_a_slide_and_notes_are_apart() {
        let slides = slides_of("stage1", "# One\n\ntext\n\nNotes: say it\n\n---\n\n# Two\n");
        assert_eq!(slides.len(), 2);
        assert_eq!(
            (slides[0].text.as_str(), slides[0].notes.as_str()),
            ("# One\n\ntext", "say it")
        );
        assert_eq!(slides[1].text, "# Two");
    }
}
