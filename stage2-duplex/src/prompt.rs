//! `<You>` on a terminal, and the other one's messages while it stands there.
//!
//! Without a terminal this is `console.rs` and nothing more: no prompt, and no lock that would
//! let one direction wait for the other.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::{Mutex, MutexGuard, OnceLock};

use crate::console;

const PROMPT: &str = "<You> ";

/// To the beginning of the line, and erase it: the prompt makes room for what arrives. A line
/// half typed disappears from view with it, though not from the terminal's input (see stage 5).
const MAKE_ROOM: &str = "\r\x1b[K";

/// Is the prompt on the screen? Locked while it is drawn.
static SHOWN: Mutex<bool> = Mutex::new(false);

/// The user may type.
pub fn ask() {
    if on_terminal() {
        *shown() = true;
        put(PROMPT);
    }
}

/// The user has pressed Enter: the cursor is on a new line.
pub fn answered() {
    if on_terminal() {
        *shown() = false;
    }
}

/// One line of the chat.
pub fn say(line: impl Display) {
    around_the_prompt(|| console::say(line));
}

/// A word to the user alone.
pub fn warn(line: impl Display) {
    around_the_prompt(|| console::warn(line));
}

fn around_the_prompt(print: impl FnOnce()) {
    if !on_terminal() {
        return print();
    }
    let shown = shown();
    if *shown {
        put(MAKE_ROOM);
    }
    print();
    if *shown {
        put(PROMPT);
    }
}

/// The last word: no prompt stays behind when the program ends.
pub fn close() {
    if on_terminal() && std::mem::take(&mut *shown()) {
        put(MAKE_ROOM);
    }
}

fn shown() -> MutexGuard<'static, bool> {
    SHOWN.lock().expect("nothing panics while it draws")
}

fn put(text: &str) {
    let mut screen = io::stdout();
    let _ = write!(screen, "{text}").and_then(|()| screen.flush());
}

fn on_terminal() -> bool {
    static ON_TERMINAL: OnceLock<bool> = OnceLock::new();
    *ON_TERMINAL.get_or_init(|| io::stdin().is_terminal() && io::stdout().is_terminal())
}
