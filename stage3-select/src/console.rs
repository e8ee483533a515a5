//! Layer: the rare faults. What the person at this terminal sees: the chat on stdout, everything else
//! on stderr.
//!
//! Printing can wait for ever: in a pipe that nobody reads, on a terminal held with Ctrl-S. A server
//! that printed by itself would stand still with everybody in it. So its lines wait in a bounded
//! queue, and a thread that does nothing else prints them (rule L17).
//!
//! This file is the same in stages 3, 4 and 5.

use std::fmt::{Display, Write as _};
use std::io::{self, Write};
use std::net::{IpAddr, SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::Duration;

/// Bytes that may wait to be printed, for each of stdout and stderr.
const WAITING_BYTES_MAX: usize = 1024 * 1024;

/// How long a program that ends may take to print its last lines.
const LAST_LINES_WAIT: Duration = Duration::from_secs(2);

/// Both streams of this process, and the bell for the thread that prints.
static QUEUE: Mutex<Queue> = Mutex::new(Queue::NEW);
static BELL: Condvar = Condvar::new();

struct Queue {
    /// For stdout.
    chat: Text,
    /// For stderr.
    errors: Text,
    /// Somebody prints what waits here. Before that, and in a client, everything is printed directly.
    has_printer: bool,
    /// The printer has taken lines, and has not printed all of them.
    is_printing: bool,
}

struct Text {
    /// What waits, each line with its LF.
    lines: String,
    /// Lines for which there was no room behind `lines`.
    missing: usize,
}

/// From here on nobody who says something waits for whoever reads it.
pub fn never_wait() {
    let printer = thread::Builder::new().name("console".to_string()).spawn(print_for_ever);
    lock().has_printer = printer.is_ok(); // without a thread: as before, directly
}

/// One line of the chat.
pub fn say(line: impl Display) {
    put(line, |queue| &mut queue.chat, &mut io::stdout());
}

/// Tells the person, not the chat, that something is wrong.
pub fn warn(line: impl Display) {
    put(line, |queue| &mut queue.errors, &mut io::stderr());
}

fn put(line: impl Display, text: fn(&mut Queue) -> &mut Text, stream: &mut impl Write) {
    let mut queue = lock();
    if queue.has_printer {
        return text(&mut queue).add(line);
    }
    drop(queue);
    print(stream, &format!("{line}\n"));
}

/// The program ends: waits until what has been said is printed, for a limited time.
pub fn finish() {
    let waits = |queue: &mut Queue| {
        queue.has_printer
            && (queue.is_printing || !queue.chat.is_empty() || !queue.errors.is_empty())
    };
    let _ = BELL.wait_timeout_while(lock(), LAST_LINES_WAIT, waits);
}

/// The life of the one thread that may wait for whoever reads. It ends with the process.
fn print_for_ever() {
    loop {
        let mut queue = lock();
        queue.is_printing = false;
        BELL.notify_all(); // for `finish`
        let is_idle = |queue: &mut Queue| queue.chat.is_empty() && queue.errors.is_empty();
        let Ok(mut queue) = BELL.wait_while(queue, is_idle) else { return };
        queue.is_printing = true;
        // All at once: a wake-up and a write for each line would cost more than the line.
        let (chat, errors) = (queue.chat.take(), queue.errors.take());
        drop(queue);
        print(&mut io::stdout(), &chat);
        print(&mut io::stderr(), &errors);
    }
}

impl Queue {
    const NEW: Queue =
        Queue { chat: Text::NEW, errors: Text::NEW, has_printer: false, is_printing: false };
}

impl Text {
    const NEW: Text = Text { lines: String::new(), missing: 0 };

    fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }

    fn add(&mut self, line: impl Display) {
        if self.lines.len() > WAITING_BYTES_MAX {
            self.missing += 1;
            return;
        }
        if self.lines.is_empty() {
            BELL.notify_all();
        }
        let _ = writeln!(self.lines, "{line}"); // a String takes everything
    }

    /// What is missing is missing behind the lines that are here.
    fn take(&mut self) -> String {
        match std::mem::take(&mut self.missing) {
            0 => {}
            missing => {
                let _ = writeln!(self.lines, "... {missing} lines not shown");
            }
        }
        std::mem::take(&mut self.lines)
    }
}

/// `println!` would end the program when nobody reads its output any more (`| head -1`).
fn print(stream: &mut impl Write, text: &str) {
    let _ = stream.write_all(text.as_bytes()).and_then(|()| stream.flush());
}

fn lock() -> MutexGuard<'static, Queue> {
    QUEUE.lock().unwrap_or_else(|poisoned| poisoned.into_inner()) // half a line is better than no line
}

/// Says where the server listens (rule L15) and, when that is every address of this machine,
/// what people on other machines type.
pub fn announce(address: SocketAddr) {
    say(format_args!("listening on {address}"));
    if address.ip().is_unspecified() {
        let host = lan_address().map_or("ADDRESS-OF-THIS-MACHINE".to_string(), |ip| ip.to_string());
        let (package, port) = (env!("CARGO_PKG_NAME"), address.port());
        say(format_args!(
            "on this network others type: cargo run -p {package} -- client {host} {port}"
        ));
    }
}

/// The address under which this machine is known on its network. `connect` on a UDP socket
/// sends nothing; it only makes the kernel choose a route, and with it an address of ours.
fn lan_address() -> Option<IpAddr> {
    let socket = UdpSocket::bind("0.0.0.0:0").ok()?;
    socket.connect("192.0.2.1:9").ok()?; // an address for documentation (RFC 5737)
    Some(socket.local_addr().ok()?.ip())
}

static VERBOSE: AtomicBool = AtomicBool::new(false);

pub fn set_verbose(verbose: bool) {
    VERBOSE.store(verbose, Ordering::Relaxed);
}

pub fn is_verbose() -> bool {
    VERBOSE.load(Ordering::Relaxed)
}

/// `1 line`, `2 lines`.
pub fn count(number: usize, what: &str) -> String {
    match number {
        1 => format!("1 {what}"),
        _ => format!("{number} {what}s"),
    }
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn lines_beyond_the_bound_are_counted_where_they_are_missing() {
        let mut text = Text::NEW;
        text.add("x".repeat(WAITING_BYTES_MAX));
        text.add("one");
        text.add("two");
        assert!(text.take().ends_with("x\n... 2 lines not shown\n"));
        text.add("three");
        assert_eq!(text.take(), "three\n");
    }
}
