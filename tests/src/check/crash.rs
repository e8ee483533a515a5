//! The stack trace of a program that has died, or of its thread: which line of the student's it
//! names, and why. Python, Java, JavaScript, Rust, and C under a sanitizer.

use std::path::{Path, PathBuf};
use walkdir::WalkDir;

/// How deep below the current folder a file is looked for that a trace names without its folder.
const DEPTH_MAX: usize = 4;

/// Characters of a line, and of a reason, that are shown.
const SHOWN_CHARS: usize = 120;

/// Where a program has died, and of what.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Crash {
    file: String,
    line: usize,
    text: Option<String>,
    why: String,
}

impl Crash {
    /// `server.py, line 12: names[to] (KeyError: 'zoe')`.
    pub fn in_words(&self) -> String {
        let text = self.text.as_deref().map(|text| format!(": `{}`", brief(text)));
        format!(
            "{}, line {}{} ({})",
            self.file,
            self.line,
            text.unwrap_or_default(),
            brief(&self.why)
        )
    }
}

/// The last trace in what a program has printed on its standard error.
pub fn find(lines: &[String]) -> Option<Crash> {
    let lines: Vec<&str> = lines.iter().map(String::as_str).collect();
    let found = python(&lines).or_else(|| rust(&lines)).or_else(|| sanitizer(&lines));
    let mut crash = found.or_else(|| java(&lines)).or_else(|| node(&lines))?;
    if crash.text.is_none() {
        crash.text = text_of(&crash.file, crash.line);
    }
    let name = Path::new(&crash.file).file_name();
    crash.file = name.map(|name| name.to_string_lossy().into_owned()).unwrap_or(crash.file);
    (!crash.why.starts_with("KeyboardInterrupt")).then_some(crash)
}

/// The innermost line that is in no library.
fn python(lines: &[&str]) -> Option<Crash> {
    let start = lines.iter().rposition(|line| line.trim_start().starts_with("Traceback (most"))?;
    let indent = lines[start].len() - lines[start].trim_start().len();
    let end = lines[start + 1..]
        .iter()
        .position(|line| line.len() - line.trim_start().len() <= indent && !line.is_empty())?;
    let why = lines[start + 1 + end].trim();
    let trace = &lines[start + 1..start + 1 + end];
    let mut frames = trace.iter().enumerate().rev().filter_map(|(at, line)| {
        let (file, rest) = line.trim().strip_prefix("File \"")?.split_once("\", line ")?;
        let number = rest.split(',').next()?.parse().ok()?;
        let library = ["/lib/python", "site-packages", "<frozen", "\\lib\\"];
        let text = trace.get(at + 1).map(|text| text.trim().to_string());
        let own = !library.iter().any(|part| file.to_lowercase().contains(part));
        own.then(|| Crash { file: file.to_string(), line: number, text, why: why.to_string() })
    });
    frames.next()
}

fn rust(lines: &[&str]) -> Option<Crash> {
    let at = lines.iter().rposition(|line| line.contains(" panicked at "))?;
    let (_, place) = lines[at].split_once(" panicked at ")?;
    let mut parts = place.trim_end_matches(':').rsplitn(3, ':');
    let (_column, line, file) = (parts.next()?, parts.next()?, parts.next()?);
    let why = lines.get(at + 1).unwrap_or(&"a panic").trim().to_string();
    Some(Crash { file: file.to_string(), line: line.parse().ok()?, text: None, why })
}

/// `#1 0x55 in serve /home/ann/server.c:12:5`, or `server.c:12:5: runtime error: ...`.
fn sanitizer(lines: &[&str]) -> Option<Crash> {
    if let Some(line) = lines.iter().rfind(|line| line.contains(": runtime error: ")) {
        let (place, why) = line.split_once(": runtime error: ")?;
        let (file, line) = place_of(place)?;
        return Some(Crash { file, line, text: None, why: why.to_string() });
    }
    let at =
        lines.iter().rposition(|line| line.contains("ERROR: ") && line.contains("Sanitizer: "))?;
    let why = lines[at].split_once("Sanitizer: ")?.1;
    let why = why.split(" on ").next().unwrap_or(why).to_string();
    let frames = lines[at..].iter().filter(|line| line.trim_start().starts_with('#'));
    let mut places = frames.filter_map(|line| {
        let place = line.split_whitespace().last()?;
        let library = ["libsanitizer", "sysdeps", "/usr/", "compiler-rt"];
        let own = !library.iter().any(|part| place.contains(part));
        own.then(|| place_of(place)).flatten()
    });
    let (file, line) = places.next()?;
    Some(Crash { file, line, text: None, why })
}

/// `\tat Server.serve(Server.java:12)`, of a class that is not Java's own.
fn java(lines: &[&str]) -> Option<Crash> {
    let is_frame = |line: &str| line.trim_start().starts_with("at ") && line.contains(".java:");
    let at = lines.iter().rposition(|line| {
        line.starts_with("Exception in thread")
            || line.contains("Exception: ")
            || line.contains("Error: ")
    })?;
    let why = lines[at].split_once("\" ").map_or(lines[at], |(_, why)| why).to_string();
    let mut frames = lines[at + 1..]
        .iter()
        .take_while(|line| line.starts_with(['\t', ' ']))
        .filter(|line| is_frame(line));
    let own = |line: &&&str| -> bool {
        let place = line.trim_start().trim_start_matches("at ");
        !["java.", "javax.", "jdk.", "sun."].iter().any(|part| place.starts_with(part))
    };
    let frame = frames.find(own)?;
    let (_, place) = frame.rsplit_once('(')?;
    let (file, line) = place.trim_end_matches(')').rsplit_once(':')?;
    Some(Crash { file: file.to_string(), line: line.parse().ok()?, text: None, why })
}

/// `    at serve (/home/ann/server.js:12:9)`.
fn node(lines: &[&str]) -> Option<Crash> {
    let frame = |line: &&str| line.trim_start().starts_with("at ") && !line.contains("node:");
    let at = lines.iter().position(frame)?;
    let why =
        lines[..at].iter().rfind(|line| !line.starts_with([' ', '\t']) && !line.is_empty())?;
    let place = lines[at].trim().trim_start_matches("at ").trim_end_matches(')');
    let place = place.rsplit_once('(').map_or(place, |(_, place)| place);
    let (file, line) = place_of(place.trim_start_matches("file://"))?;
    Some(Crash { file, line, text: None, why: why.to_string() })
}

/// `FILE:LINE:COLUMN` or `FILE:LINE`.
fn place_of(place: &str) -> Option<(String, usize)> {
    let (rest, last) = place.trim_end_matches(':').rsplit_once(':')?;
    let last: usize = last.parse().ok()?;
    match rest.rsplit_once(':').and_then(|(file, line)| Some((file, line.parse().ok()?))) {
        Some((file, line)) => Some((file.to_string(), line)),
        None => Some((rest.to_string(), last)),
    }
}

/// The line itself, from the file: where the trace says, or below the current folder.
fn text_of(file: &str, line: usize) -> Option<String> {
    let path = PathBuf::from(file);
    let path = if path.exists() { path } else { below_here(path.file_name()?.to_str()?)? };
    let text = std::fs::read_to_string(path).ok()?;
    text.lines().nth(line.checked_sub(1)?).map(|text| text.trim().to_string())
}

fn below_here(name: &str) -> Option<PathBuf> {
    let walk = WalkDir::new(".").max_depth(DEPTH_MAX).into_iter().filter_map(Result::ok);
    walk.map(walkdir::DirEntry::into_path).find(|path| path.ends_with(name))
}

fn brief(text: &str) -> String {
    let shown: String = text.chars().take(SHOWN_CHARS).collect();
    let dots = if shown.len() < text.len() { "..." } else { "" };
    format!("{shown}{dots}")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn words(text: &str) -> Option<String> {
        let lines: Vec<String> = text.lines().map(String::from).collect();
        find(&lines).map(|crash| crash.in_words())
    }

    #[test]
    fn the_innermost_line_of_the_students_own() {
        let python = "Exception in thread Thread-2 (serve):\nTraceback (most recent call last):\n  File \"/usr/lib/python3.11/threading.py\", line 1045, in _bootstrap_inner\n    self.run()\n  File \"/home/ann/no_server.py\", line 31, in serve\n    names[to]\n    ~~~~~^^^^\nKeyError: 'zoe'\n";
        assert_eq!(words(python).unwrap(), "no_server.py, line 31: `names[to]` (KeyError: 'zoe')");
        let rust = "\nthread 'main' (7) panicked at src/no_main.rs:12:5:\nindex out of bounds\nnote: run with\n";
        assert_eq!(words(rust).unwrap(), "no_main.rs, line 12 (index out of bounds)");
        let java = "Exception in thread \"Thread-0\" java.lang.NullPointerException: no name\n\tat java.base/java.util.Objects.requireNonNull(Objects.java:233)\n\tat NoServer.serve(NoServer.java:40)\n\tat java.base/java.lang.Thread.run(Thread.java:840)\n";
        assert_eq!(
            words(java).unwrap(),
            "NoServer.java, line 40 (java.lang.NullPointerException: no name)"
        );
        let node = "/home/ann/no.js:12\n    names.get(to).write(x);\n                 ^\n\nTypeError: Cannot read properties of undefined\n    at Socket.<anonymous> (/home/ann/no.js:12:19)\n    at Socket.emit (node:events:513:28)\n";
        assert_eq!(
            words(node).unwrap(),
            "no.js, line 12 (TypeError: Cannot read properties of undefined)"
        );
        let c = "==7==ERROR: AddressSanitizer: heap-use-after-free on address 0x60\nREAD of size 4\n    #0 0x7f in __interceptor_strcmp ../../../../src/libsanitizer/asan.cc:1\n    #1 0x55 in find /home/ann/no.c:77:9\n";
        assert_eq!(words(c).unwrap(), "no.c, line 77 (heap-use-after-free)");
    }

    #[test]
    fn what_is_no_trace_is_none() {
        assert_eq!(words("listening on 127.0.0.1:4000\nann: it happened at noon\n"), None);
        assert_eq!(words("Traceback (most recent call last):\n"), None);
    }
}
