//! `lab new`: a folder with a program that runs at once, fails its checks, and says where to
//! begin.

use crate::check::{Exercise, Protocol};
use anyhow::{Context, ensure};
use clap::{Args, ValueEnum};
use include_dir::{Dir, include_dir};
use std::path::{Path, PathBuf};
use std::process::ExitCode;

static STARTERS: Dir = include_dir!("$CARGO_MANIFEST_DIR/starters");

/// Makes a folder with a program to begin with
#[derive(Debug, Args)]
#[command(after_help = "Example: cargo lab new ten-clients my-chat --lang python")]
pub struct Arguments {
    /// The exercise: see `lab exercises`
    exercise: String,
    /// The folder, which must not exist or be empty
    folder: PathBuf,
    #[arg(long, value_enum)]
    lang: Language,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
pub enum Language {
    Rust,
    Python,
    C,
    Java,
    Javascript,
}

/// What a starter consists of.
struct Recipe {
    /// Templates below `starters/`, and the files that are made of them.
    files: &'static [(&'static str, &'static str)],
    build: &'static str,
    command: &'static str,
    /// How a line of a comment begins, and how it ends.
    comment: (&'static str, &'static str),
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let exercise = match Exercise::by_name(&arguments.exercise) {
        Ok(exercise) => exercise,
        Err(error) => {
            eprintln!("lab: {error:#}");
            return Ok(ExitCode::from(2));
        }
    };
    let program = write(&exercise, &arguments.folder, arguments.lang)?;
    let folder = arguments.folder.display();
    println!("{folder} is ready. Begin at BEGIN HERE in {}.", program.display());
    println!("Read  {}", page(&exercise));
    println!("Then  {}", check_command(&exercise, &arguments.folder));
    println!("or    {}", check_command(&exercise, &arguments.folder).replace("check", "watch"));
    Ok(ExitCode::SUCCESS)
}

/// Writes the starter, and gives the path of the program.
pub fn write(exercise: &Exercise, folder: &Path, language: Language) -> anyhow::Result<PathBuf> {
    let cannot = || format!("cannot write to {}", folder.display());
    std::fs::create_dir_all(folder).with_context(cannot)?;
    let empty = std::fs::read_dir(folder).with_context(cannot)?.next().is_none();
    ensure!(empty, "{} is not empty: choose another folder", folder.display());
    let recipe = recipe(language, is_client(exercise));
    let mut program = PathBuf::new();
    for (template, file) in recipe.files {
        let template = STARTERS.get_file(template);
        let template = template.and_then(|file| file.contents_utf8());
        let template = template.expect("the starters are part of the program");
        let path = folder.join(file);
        std::fs::create_dir_all(path.parent().unwrap_or(folder)).with_context(cannot)?;
        let text = fill_in(template, exercise, folder, recipe.comment);
        std::fs::write(&path, text).with_context(cannot)?;
        program = path;
    }
    std::fs::write(folder.join("lab.toml"), lab_toml(exercise, &recipe)).with_context(cannot)?;
    Ok(program)
}

fn recipe(language: Language, client: bool) -> Recipe {
    const SLASHES: (&str, &str) = ("// ", "");
    match (language, client) {
        (Language::Python, false) => Recipe {
            files: &[("python/server.py", "server.py")],
            build: "",
            command: "python3 server.py {host} {port}",
            comment: ("# ", ""),
        },
        (Language::Python, true) => Recipe {
            files: &[("python/client.py", "client.py")],
            build: "",
            command: "python3 client.py {host} {port}",
            comment: ("# ", ""),
        },
        (Language::C, false) => Recipe {
            files: &[("c/server.c", "server.c")],
            build: "cc -Wall -Wextra -pthread -o server server.c",
            command: "./server {host} {port}",
            comment: ("/* ", " */"),
        },
        (Language::C, true) => Recipe {
            files: &[("c/client.c", "client.c")],
            build: "cc -Wall -Wextra -pthread -o client client.c",
            command: "./client {host} {port}",
            comment: ("/* ", " */"),
        },
        (Language::Java, false) => Recipe {
            files: &[("java/Server.java", "Server.java")],
            build: "javac Server.java",
            command: "java Server {host} {port}",
            comment: SLASHES,
        },
        (Language::Java, true) => Recipe {
            files: &[("java/Client.java", "Client.java")],
            build: "javac Client.java",
            command: "java Client {host} {port}",
            comment: SLASHES,
        },
        (Language::Javascript, false) => Recipe {
            files: &[("javascript/server.js", "server.js")],
            build: "",
            command: "node server.js {host} {port}",
            comment: SLASHES,
        },
        (Language::Javascript, true) => Recipe {
            files: &[("javascript/client.js", "client.js")],
            build: "",
            command: "node client.js {host} {port}",
            comment: SLASHES,
        },
        (Language::Rust, false) => Recipe {
            files: &[("rust/Cargo.toml.txt", "Cargo.toml"), ("rust/server.rs", "src/main.rs")],
            build: "cargo build --release --quiet",
            command: "target/release/my-chat {host} {port}",
            comment: SLASHES,
        },
        (Language::Rust, true) => Recipe {
            files: &[("rust/Cargo.toml.txt", "Cargo.toml"), ("rust/client.rs", "src/main.rs")],
            build: "cargo build --release --quiet",
            command: "target/release/my-chat {host} {port}",
            comment: SLASHES,
        },
    }
}

fn fill_in(
    template: &str,
    exercise: &Exercise,
    folder: &Path,
    (open, close): (&str, &str),
) -> String {
    let mut text = String::new();
    for line in template.lines() {
        if let Some(indent) = line.strip_suffix("%steps%") {
            for step in steps(exercise) {
                text += &format!("{indent}{open}{step}{close}\n");
            }
            continue;
        }
        text += line;
        text += "\n";
    }
    text.replace("%task%", &format!("{}: {}", exercise.name, exercise.task))
        .replace("%check%", &check_command(exercise, folder))
        .replace("%page%", &page(exercise))
}

fn page(exercise: &Exercise) -> String {
    format!("docs/src/{}", exercise.page())
}

fn check_command(exercise: &Exercise, folder: &Path) -> String {
    let folder = folder.display().to_string();
    let folder = shlex::try_quote(&folder).unwrap_or(folder.as_str().into()).into_owned();
    format!("cargo lab check {} --folder {folder}", exercise.name)
}

fn is_client(exercise: &Exercise) -> bool {
    exercise.name == "client"
}

/// Where to begin, as lines of a comment.
fn steps(exercise: &Exercise) -> &'static [&'static str] {
    if is_client(exercise) {
        return &[
            "1. Wait for the user and for the server at the same time: neither may wait for the other.",
            "2. Collect what comes until there is a line feed. One read is not one line (L1).",
            "3. Print lines as text, without control characters (L5).",
            "4. At the end of your input end your sending, and print what still comes (L10).",
        ];
    }
    match exercise.protocol {
        Protocol::Simplex => &[
            "1. Collect what comes until there is a line feed. One read is not one line (L1).",
            "2. Print each line as [IP]:PORT => TEXT (S1.1).",
            "3. When this sender ends, serve the next one (S1.2).",
        ],
        Protocol::Duplex => &[
            "1. Send the lines of your own standard input, while you receive (S2.1).",
            "2. Collect what comes until there is a line feed. One read is not one line (L1).",
            "3. Print each line as [IP]:PORT => TEXT (S2.1).",
        ],
        Protocol::Select => &[
            "1. Send `You are connected from: IP:PORT` and a line feed (S3.1).",
            "2. Collect what comes until there is a line feed. One read is not one line (L1).",
            "3. Obey #NAME (S3.2), then @USER:TEXT (S3.3). Answer what is wrong with `! ...` (S3.4).",
            "4. Serve many clients: wait for all their sockets at once.",
        ],
        Protocol::Threads => &[
            "1. Send `NICK` and a line feed (S4.1). The next line is the name (S4.2).",
            "2. Collect what comes until there is a line feed. One read is not one line (L1).",
            "3. Serve many clients: a thread for each. Send every line to all the others (S4.4).",
            "4. Tell them who has joined and who has left (S4.3, S4.5).",
        ],
        Protocol::Rooms => &[
            "1. Send `NICK` and a line feed (S4.1). The next line is the name (S4.2).",
            "2. Collect what comes until there is a line feed. One read is not one line (L1).",
            "3. Welcome the client to #lobby (S5.1). Lines go to the members of its room (S5.2).",
            "4. Obey /join, /leave and /who (S5.5), then the other commands.",
        ],
    }
}

fn lab_toml(exercise: &Exercise, recipe: &Recipe) -> String {
    let mut text = String::from("# How the lab builds and starts this program.\n");
    text += &format!("exercise = {:?}\n", exercise.name);
    if !recipe.build.is_empty() {
        text += &format!("build = {:?}\n", recipe.build);
    }
    text + &format!("command = {:?}\n", recipe.command)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_exercise_has_a_starter_in_every_language() {
        for exercise in Exercise::all().unwrap() {
            for language in Language::value_variants() {
                let folder = tempfile::tempdir().unwrap();
                let program = write(&exercise, folder.path(), *language).unwrap();
                let text = std::fs::read_to_string(program).unwrap();
                assert!(text.contains("BEGIN HERE"), "{text}");
                for placeholder in ["%task%", "%check%", "%page%", "%steps%"] {
                    assert!(!text.contains(placeholder), "{}: {placeholder}", exercise.name);
                }
            }
        }
    }

    #[test]
    fn a_folder_with_something_in_it_is_left_alone() {
        let folder = tempfile::tempdir().unwrap();
        std::fs::write(folder.path().join("mine"), "work of a week").unwrap();
        let exercise = Exercise::by_name("stage3").unwrap();
        let error = write(&exercise, folder.path(), Language::Python).unwrap_err();
        assert!(error.to_string().contains("is not empty"), "{error}");
    }
}
