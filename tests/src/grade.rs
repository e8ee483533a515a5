//! `lab grade`: the submissions of a whole class, each in a process of its own, so that one that
//! runs wild is ended alone.

mod memory;
mod page;

use crate::check::Exercise;
use crate::formats::{Format, Setting, csv_table};
use crate::process::Process;
use crate::report::{CheckResult, Report, Verdict};
use crate::submission::Submission;
use anyhow::{Context, ensure};
use clap::Args;
use indicatif::{ProgressBar, ProgressStyle};
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, ExitCode};
use std::sync::Mutex;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::{Duration, Instant};
use walkdir::{DirEntry, WalkDir};

/// How deep below the folder of the class a submission may lie.
const DEPTH_MAX: usize = 4;

/// Columns of the texts that are written into files.
const FILE_WIDTH: usize = 80;

/// How often the limits are looked at.
const LOOK_AGAIN: Duration = Duration::from_millis(250);

/// How long a lab that was told to stop may take to end what it has started.
const GOODBYE_PATIENCE: Duration = Duration::from_secs(10);

/// Checks every submission of a class and writes its marks
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo lab grade ten-clients submissions --out marks")]
pub struct Arguments {
    /// The exercise: see `lab exercises`
    exercise: String,
    /// Every folder below it with a lab.toml is a submission
    folder: PathBuf,
    /// Where grades.csv, class.html and a folder for each submission are written
    #[arg(long, value_name = "DIR")]
    out: PathBuf,
    /// How the result of each submission is written
    #[arg(long, value_enum, default_value_t = Format::Text)]
    format: Format,
    /// How many submissions are checked at the same time
    #[arg(long, default_value_t = 2, value_name = "N", value_parser = clap::value_parser!(u8).range(1..))]
    jobs: u8,
    /// Seconds that one submission may take, its build apart
    #[arg(long, default_value_t = 1200, value_name = "SECONDS")]
    time_limit: u64,
    /// MiB that one process of a submission may use
    #[arg(long, default_value_t = 1024, value_name = "MIB")]
    memory_limit: u64,
    /// The random choices: the same seed, the same marks
    #[arg(long, default_value_t = 1)]
    seed: u64,
}

/// One submission, checked or not.
#[derive(Debug)]
pub struct Graded {
    pub name: String,
    pub report: Report,
    /// What kept it from being checked, or ended it.
    pub note: Option<String>,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let exercise = match Exercise::by_name(&arguments.exercise) {
        Ok(exercise) => exercise,
        Err(error) => {
            eprintln!("lab: {error:#}");
            return Ok(ExitCode::from(2));
        }
    };
    let folders = submissions(&arguments.folder)?;
    let found = !folders.is_empty();
    ensure!(found, "there is no submission below {}", arguments.folder.display());
    let graded = grade_all(arguments, &exercise, &folders)?;
    write(arguments, &exercise, &graded)?;
    println!("{} submissions: see {}", graded.len(), arguments.out.join("class.html").display());
    for one in graded.iter().filter(|one| one.note.is_some()) {
        println!("look at {}: {}", one.name, first_line(one.note.as_deref().unwrap_or_default()));
    }
    Ok(ExitCode::SUCCESS)
}

/// Folders with a `lab.toml`, and those directly below `class` that have none: somebody handed
/// in something there.
fn submissions(class: &Path) -> anyhow::Result<Vec<(String, PathBuf)>> {
    ensure!(class.is_dir(), "there is no folder {}", class.display());
    let mut found: Vec<PathBuf> = Vec::new();
    let hidden = |entry: &DirEntry| entry.file_name().to_string_lossy().starts_with('.');
    let mut walk =
        WalkDir::new(class).min_depth(1).max_depth(DEPTH_MAX).sort_by_file_name().into_iter();
    while let Some(entry) = walk.next() {
        let entry = entry.context("cannot read the folder of the class")?;
        if !entry.file_type().is_dir() {
            continue;
        }
        if hidden(&entry) {
            walk.skip_current_dir();
        } else if entry.path().join("lab.toml").exists() {
            found.push(entry.path().to_path_buf());
            walk.skip_current_dir(); // nothing of a submission is a submission
        }
    }
    for entry in WalkDir::new(class).min_depth(1).max_depth(1) {
        let entry = entry?;
        let empty = !found.iter().any(|folder| folder.starts_with(entry.path()));
        if entry.file_type().is_dir() && !hidden(&entry) && empty {
            found.push(entry.path().to_path_buf());
        }
    }
    found.sort();
    let named = found.into_iter().map(|folder| {
        let name = folder.strip_prefix(class).unwrap_or(&folder);
        (name.to_string_lossy().replace('\\', "/"), folder)
    });
    Ok(named.collect())
}

fn grade_all(
    arguments: &Arguments,
    exercise: &Exercise,
    folders: &[(String, PathBuf)],
) -> anyhow::Result<Vec<Graded>> {
    let style = ProgressStyle::with_template("{bar:24} {pos:>3} of {len}, {eta} left  {wide_msg}")?;
    let bar = ProgressBar::new(folders.len() as u64).with_style(style);
    bar.enable_steady_tick(Duration::from_secs(1));
    let next = AtomicUsize::new(0);
    let graded = Mutex::new(Vec::new());
    thread::scope(|scope| {
        for _ in 0..arguments.jobs {
            scope.spawn(|| {
                while let Some((name, folder)) = folders.get(next.fetch_add(1, Ordering::SeqCst)) {
                    bar.set_message(name.clone());
                    let result = grade(arguments, exercise, name, folder);
                    graded.lock().expect("no code panics while it holds it").push(result);
                    bar.inc(1);
                }
            });
        }
    });
    bar.finish_and_clear();
    let graded = graded.into_inner().expect("as above");
    let mut graded: Vec<Graded> = graded.into_iter().collect::<anyhow::Result<_>>()?;
    graded.sort_by(|a, b| a.name.cmp(&b.name));
    Ok(graded)
}

/// Never fails because of the submission: what is wrong with it is the result.
fn grade(
    arguments: &Arguments,
    exercise: &Exercise,
    name: &str,
    folder: &Path,
) -> anyhow::Result<Graded> {
    let name = name.to_string();
    let submission = match Submission::read(folder).and_then(|it| it.build().map(|()| it)) {
        Ok(submission) => submission,
        Err(error) => {
            let note = format!("{error:#}");
            let report = not_checked(exercise, arguments.seed, Verdict::Failed, &note)?;
            return Ok(Graded { name, report, note: Some(note) });
        }
    };
    match check(arguments, &submission)? {
        (Some(report), note) => {
            let report = named_by_folder(report, folder);
            Ok(Graded { name, report, note })
        }
        (None, note) => {
            let note = note.unwrap_or("the lab ended without a result".to_string());
            // Not the student's fault for certain: somebody has to look at it.
            let report = not_checked(exercise, arguments.seed, Verdict::Inconclusive, &note)?;
            Ok(Graded { name, report, note: Some(note) })
        }
    }
}

/// What is to be typed to do it again, from where the class was graded.
fn named_by_folder(mut report: Report, folder: &Path) -> Report {
    let folder = folder.display().to_string();
    let folder = shlex::try_quote(&folder).unwrap_or(folder.as_str().into());
    let typed = format!("--folder {folder}");
    for check in &mut report.checks {
        check.repeat = check.repeat.replace(&report.command, &typed);
    }
    report.command = typed;
    report
}

/// `lab check` in a process of its own. Its report, and what the limits had to do.
fn check(
    arguments: &Arguments,
    submission: &Submission,
) -> anyhow::Result<(Option<Report>, Option<String>)> {
    let mut command = Command::new(std::env::current_exe().context("cannot find myself")?);
    command.current_dir(&submission.folder).args([
        "check",
        &arguments.exercise,
        "--format",
        "json",
    ]);
    command.args(["--seed", &arguments.seed.to_string(), "--"]).args(&submission.command);
    let mut lab = Process::start("lab", command)?;
    lab.end_input();
    let deadline = Instant::now() + Duration::from_secs(arguments.time_limit);
    let mut note = None;
    while lab.wait(LOOK_AGAIN).is_none() {
        if Instant::now() >= deadline {
            note = Some(format!("was not finished within {} s", arguments.time_limit));
            stop(&mut lab);
            break;
        }
        if memory::end_greedy(lab.id(), arguments.memory_limit * 1024 * 1024) {
            note = Some(format!("used more than {} MiB and was ended", arguments.memory_limit));
        }
    }
    // The process has ended; the thread that collects its last lines may need a moment more.
    lab.stdout.wait(GOODBYE_PATIENCE, |screen| screen.ended.then_some(()));
    let text = lab.stdout.lock().lines.join("\n");
    let report: Option<Report> = serde_json::from_str(&text).ok();
    if report.is_none() && note.is_none() {
        note = Some(lab.last_words(5));
    }
    Ok((report, note))
}

/// Tells the lab to end, which ends all that it has started; then makes sure.
fn stop(lab: &mut Process) {
    #[cfg(unix)]
    {
        use nix::sys::signal::{Signal, kill};
        let _ = kill(nix::unistd::Pid::from_raw(lab.id() as i32), Signal::SIGTERM);
        lab.wait(GOODBYE_PATIENCE);
    }
    lab.kill();
}

/// The report of a submission that no check has seen.
fn not_checked(
    exercise: &Exercise,
    seed: u64,
    verdict: Verdict,
    why: &str,
) -> anyhow::Result<Report> {
    let checks = exercise.checks()?;
    let prices = exercise.prices()?;
    let checks = checks.iter().map(|check| CheckResult {
        name: check.name.to_string(),
        rule: check.rule.to_string(),
        verdict: Verdict::Skipped,
        points: 0.0,
        max_points: prices.get(check.name).copied().unwrap_or_default(),
        misconception: None,
        message: first_line(why).to_string(),
        steps: Vec::new(),
        expected: String::new(),
        got: String::new(),
        output: String::new(),
        chapter: check.chapter.to_string(),
        repeat: String::new(),
        seconds: 0.0,
    });
    Ok(Report {
        exercise: exercise.name.clone(),
        score: 0.0,
        max_score: exercise.points()?,
        verdict,
        seed,
        command: String::new(),
        seconds: 0.0,
        checks: checks.collect(),
        cause: None,
        output: why.to_string(),
    })
}

fn first_line(text: &str) -> &str {
    text.lines().next().unwrap_or_default()
}

fn write(arguments: &Arguments, exercise: &Exercise, graded: &[Graded]) -> anyhow::Result<()> {
    let out = &arguments.out;
    let cannot = || format!("cannot write to {}", out.display());
    fs::create_dir_all(out).with_context(cannot)?;
    let rows: Vec<_> = graded.iter().map(|one| (one.name.as_str(), &one.report)).collect();
    fs::write(out.join("grades.csv"), csv_table(&rows)?).with_context(cannot)?;
    fs::write(out.join("class.html"), page::render(exercise, graded)?).with_context(cannot)?;
    for one in graded {
        let folder = out.join(&one.name);
        fs::create_dir_all(&folder).with_context(cannot)?;
        let setting = Setting { width: FILE_WIDTH, ..Setting::current(&one.name) };
        let mut text = arguments.format.render(&one.report, &setting)?;
        if arguments.format == Format::Text {
            let note = one.note.as_ref().map(|note| format!("{note}\n\n"));
            text = note.unwrap_or_default() + &anstream::adapter::strip_str(&text).to_string();
        }
        fs::write(folder.join(arguments.format.file_name()), text).with_context(cannot)?;
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn submissions_are_folders_with_a_lab_toml_and_folders_where_it_is_missing() {
        let class = tempfile::tempdir().unwrap();
        for folder in ["ann", "week1/bob", "empty", ".git", "ann/copy"] {
            fs::create_dir_all(class.path().join(folder)).unwrap();
        }
        for folder in ["ann", "week1/bob", "ann/copy"] {
            fs::write(class.path().join(folder).join("lab.toml"), "").unwrap();
        }
        let found = submissions(class.path()).unwrap();
        let names: Vec<&str> = found.iter().map(|(name, _)| name.as_str()).collect();
        assert_eq!(names, ["ann", "empty", "week1/bob"]);
    }

    #[test]
    fn a_submission_that_cannot_be_checked_gets_a_row_like_every_other() {
        let exercise = Exercise::by_name("stage3").unwrap();
        let report = not_checked(&exercise, 1, Verdict::Failed, "cannot read lab.toml").unwrap();
        let table = csv_table(&[("ann", &report)]).unwrap();
        let row = table.lines().nth(1).unwrap();
        assert!(row.starts_with("ann,stage3,0,"), "{row}");
    }
}
