//! Layer: beside the path. What the person at this terminal sees: the chat on stdout, everything
//! else on stderr, and `<You>` where they may type.
//!
//! Shortcut: whoever prints waits until somebody reads it, for ever in a pipe that nobody reads or
//! on a terminal held with Ctrl-S. Here only one other person waits with us. From stage 3 on it
//! would be everybody, and there a queue stands before the screen.
//!
//! This file is the same in stages 1 and 2.

use std::fmt::Display;
use std::io::{self, IsTerminal, Write};
use std::sync::atomic::{AtomicBool, Ordering::Relaxed};

/// To the beginning of the line, and erase it: the prompt makes room for what arrives. A line
/// half typed disappears from view with it, though not from the terminal's input (see stage 5).
const MAKE_ROOM: &str = "\r\x1b[K";

/// Begins with `MAKE_ROOM`: however often two threads draw it, it stands there once. So no lock
/// is needed, and none lets one direction of stage 2 wait for the other.
const PROMPT: &str = "\r\x1b[K<You> ";

/// May the user type? Never true without a terminal.
static ASKS: AtomicBool = AtomicBool::new(false);

/// With `-v`.
static VERBOSE: AtomicBool = AtomicBool::new(false);

/// Asks the user for a line, on a terminal.
pub fn ask() {
    ASKS.store(io::stdin().is_terminal() && io::stdout().is_terminal(), Relaxed);
    draw(PROMPT);
}

/// No prompt stays behind where there is no more to type.
pub fn ask_no_more() {
    draw(MAKE_ROOM);
    ASKS.store(false, Relaxed);
}

/// Prints one line of the chat. `println!` would end the program when nobody reads its output
/// any more (`| head -1`).
pub fn say(line: impl Display) {
    draw(MAKE_ROOM);
    let _ = writeln!(io::stdout(), "{line}");
    draw(PROMPT);
}

/// Tells the person, not the chat, that something is wrong.
pub fn warn(line: impl Display) {
    draw(MAKE_ROOM);
    let _ = writeln!(io::stderr(), "{line}");
    draw(PROMPT);
}

fn draw(text: &str) {
    if ASKS.load(Relaxed) {
        let _ = write!(io::stdout(), "{text}").and_then(|()| io::stdout().flush());
    }
}

pub fn set_verbose(verbose: bool) {
    VERBOSE.store(verbose, Relaxed);
}

pub fn is_verbose() -> bool {
    VERBOSE.load(Relaxed)
}

/// `explain!("{n} bytes made {m} lines")`: with `-v`, says on stderr what the program does and
/// why. Without it the arguments are not even looked at.
macro_rules! explain {
    ($($what:tt)*) => {
        if $crate::console::is_verbose() {
            $crate::console::warn(format_args!("  . {}", format_args!($($what)*)));
        }
    };
}
pub(crate) use explain;
