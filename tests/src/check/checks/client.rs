//! A student's client, against a server that the lab plays: it speaks as the server of S4 does,
//! but only when a check wants it to.

use super::flood::{FLOOD_TEXT_BYTES, more_than_can_wait};
use crate::check::difference::visible;
use crate::check::outcome::{fail, inconclusive, wrong};
use crate::check::person::Heard;
use crate::check::{Check, Context, Label, Outcome, Person};
use crate::patience::Patience;
use crate::peer::End;
use crate::process::{Process, ScreenState, free_port};
use crate::work::Idleness;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

const SENDS: &str = "what-the-user-types-is-sent";
const SHOWS: &str = "what-the-server-says-is-shown-while-nobody-types";

/// A client that looks at the socket for a moment after each line of its user has turned away
/// after this time, and when it rests. One that waits for both is not judged by it.
const TURNED_AWAY: Duration = Duration::from_secs(1);

/// So often it must be seen at rest before all that it can send is sent.
const TIMES_AT_REST: usize = 3;

/// Bytes of empty lines after which it is clear that they never end.
const SPINNING_BYTES: usize = 256;

const fn check(
    name: &'static str,
    rule: &'static str,
    misconceptions: &'static [&'static str],
    after: &'static [&'static str],
    run: fn(&mut Context) -> Outcome,
) -> Check {
    Check {
        name,
        rule,
        misconceptions,
        points: 2.0,
        chapter: "stage2.md",
        protocols: &[], // of no server: the exercise `client` names them
        needs_process: true,
        after,
        run,
    }
}

pub static CHECKS: &[Check] = &[
    check(SENDS, "L1", &["sends-without-boundaries"], &[], sends),
    check(SHOWS, "S2.1", &["lockstep-client"], &[SENDS], shows),
    check(
        "three-lines-typed-at-once-are-all-sent",
        "L1",
        &["stdin-buffer-under-select", "lockstep-client"],
        &[SHOWS],
        three_lines_at_once,
    ),
    check(
        "two-lines-in-one-segment-are-shown-as-two",
        "L1",
        &["recv-is-not-a-message"],
        &[SHOWS],
        two_lines_in_one_segment,
    ),
    check(
        "a-line-cut-at-any-byte-is-shown-whole",
        "L1",
        &["recv-is-not-a-message"],
        &[SHOWS],
        cut_everywhere,
    ),
    check(
        "half-a-line-of-the-server-is-not-shown",
        "L2",
        &["half-message-delivered"],
        &[SHOWS],
        half_a_line,
    ),
    check(
        "all-that-is-typed-arrives-though-the-server-reads-late",
        "S2.1",
        &["reorders-or-loses-under-load"],
        &[SENDS],
        server_reads_late,
    ),
    check("terminal-controls-are-not-shown", "L5", &["relays-terminal-escapes"], &[SHOWS], escapes),
    check(
        "at-the-end-of-its-input-it-goes-on-listening",
        "L10",
        &["spins-on-stdin-eof", "ignores-eof", "spins-on-server-eof"],
        &[SENDS],
        end_of_input,
    ),
    check(
        "at-the-servers-end-it-exits-with-status-0",
        "L10",
        &["spins-on-server-eof", "ignores-eof"],
        &[SHOWS],
        end_of_server,
    ),
    check(
        "after-a-reset-it-exits-with-status-1",
        "L10",
        &["spins-on-server-eof", "traceback-to-the-user"],
        &[],
        reset,
    ),
    check(
        "a-refused-connection-is-told-in-a-line",
        "L15",
        &["traceback-to-the-user"],
        &[],
        refused,
    ),
    check("an-idle-client-uses-no-processor-time", "L16", &["busy-poll"], &[SHOWS], idle),
];

impl Context<'_> {
    /// A server whose client has been asked for its name, has given it, and was welcomed.
    fn welcomes_the_client(&mut self) -> Outcome<Person> {
        let mut server = self.serves_the_client()?;
        server.line("NICK")?;
        self.user_types("ann")?;
        server
            .hears_line("ann")
            .because("the first line that the user types, a name, does not arrive")?;
        server.line("* welcome ann: 1 here (ann)")?;
        Ok(server)
    }

    /// Some line that the client prints must contain `text`.
    fn shows(&mut self, text: &str) -> Outcome {
        self.step(format!("the client must show `{}`", visible(text.as_bytes())));
        let mut patience = self.new_patience();
        let stdout = Arc::clone(&self.process()?.stdout);
        let seen = stdout.wait_within(&mut patience, |screen| shown(screen, text).then_some(()));
        seen.ok_or_else(|| {
            wrong("the client does not show it")
                .expected(visible(text.as_bytes()))
                .got(visible(stdout.tail(5).join("\n").as_bytes()))
                .after(patience.over())
        })
    }

    /// How the client ends by itself.
    fn exits(&mut self) -> Outcome<Option<i32>> {
        let mut patience = self.new_patience();
        let process = self.process()?;
        if let Some(status) = process.wait_within(&mut patience) {
            return Ok(status.code());
        }
        let blank = process.stdout.lock().lines.iter().filter(|line| line.len() < 8).count();
        let trouble = if blank > SPINNING_BYTES {
            fail("spins-on-server-eof", "the client prints for ever after the server's end")
        } else if !quiet(self)? {
            fail("spins-on-server-eof", "the client is busy for ever after the server's end")
        } else {
            fail("ignores-eof", "the client does not notice that the server has ended")
        };
        let trouble = trouble.expected("the client exits").got("it still runs");
        Err(trouble.after(patience.over()))
    }
}

fn shown(screen: &ScreenState, text: &str) -> bool {
    let unfinished = String::from_utf8_lossy(&screen.unfinished);
    unfinished.contains(text) || screen.lines.iter().any(|line| line.contains(text))
}

fn sends(ctx: &mut Context) -> Outcome {
    let mut server = ctx.welcomes_the_client()?;
    ctx.user_types("hello")?;
    server.hears_line("hello").because("what the user typed did not arrive")
}

fn shows(ctx: &mut Context) -> Outcome {
    let mut server = ctx.welcomes_the_client()?;
    for text in ["ben: hello", "ben: is anybody there?"] {
        ctx.step("nobody types for a while");
        thread::sleep(TURNED_AWAY);
        ctx.until_at_rest();
        server.line(text)?;
        ctx.shows(text)
            .means("lockstep-client", "what the server says is not shown while nobody types")?;
    }
    Ok(())
}

fn three_lines_at_once(ctx: &mut Context) -> Outcome {
    let mut server = ctx.welcomes_the_client()?;
    ctx.user_types("one\ntwo\nthree")?;
    for text in ["one", "two", "three"] {
        server.hears_line(text).means(
            "stdin-buffer-under-select",
            "of lines that were typed at once, not all were sent",
        )?;
    }
    Ok(())
}

fn two_lines_in_one_segment(ctx: &mut Context) -> Outcome {
    let mut server = ctx.welcomes_the_client()?;
    server.send(b"ben: one\nben: two\n")?;
    for text in ["ben: one", "ben: two"] {
        ctx.shows(text).means(
            "recv-is-not-a-message",
            "two lines that came in one segment were not shown as two",
        )?;
    }
    Ok(())
}

/// Before the second half leaves, the client has provably read the first: it has shown a line
/// that came in the same segment.
fn cut_everywhere(ctx: &mut Context) -> Outcome {
    let line = "ben: gr\u{fc}\u{df} dich \u{1f44d}\n";
    let whole = line.trim_end();
    let mut server = ctx.welcomes_the_client()?;
    for cut in 1..line.len() {
        let (first, second) = line.as_bytes().split_at(cut);
        let (before, after) = (format!("ben: before cut {cut},"), format!("ben: after cut {cut},"));
        server.send(&[before.as_bytes(), b"\n", first].concat())?;
        ctx.shows(&before)?;
        server.send(&[second, after.as_bytes(), b"\n"].concat())?;
        ctx.shows(&after)?;
        let lines = ctx.process()?.stdout.lock().lines.clone();
        if lines.iter().filter(|shown| shown.contains(whole)).count() != cut {
            let message = format!("`{whole}` is not shown whole when it is cut after byte {cut}");
            let last = lines[lines.len().saturating_sub(4)..].join("\n");
            return Err(fail("recv-is-not-a-message", message)
                .expected(whole)
                .got(visible(last.as_bytes())));
        }
    }
    Ok(())
}

fn half_a_line(ctx: &mut Context) -> Outcome {
    let mut server = ctx.welcomes_the_client()?;
    server.send(b"ben: whole\nben: half a li")?;
    ctx.shows("ben: whole")?;
    server.leaves();
    ctx.exits()?;
    let stdout = Arc::clone(&ctx.process()?.stdout);
    stdout.wait(ctx.patience, |screen| screen.ended.then_some(()));
    match shown(&stdout.lock(), "half a li") {
        false => Ok(()),
        true => Err(fail("half-message-delivered", "a line whose LF never came was shown")
            .expected("nothing of `ben: half a li`")
            .got("it was shown")),
    }
}

/// What cannot be sent at once must wait in the client, and its end of input behind it.
fn server_reads_late(ctx: &mut Context) -> Outcome {
    let mut server = ctx.welcomes_the_client()?;
    let text = |number: usize| format!("{number} {:x<FLOOD_TEXT_BYTES$}", "");
    let lines = more_than_can_wait() / FLOOD_TEXT_BYTES;
    ctx.step(format!("its user types {lines} long lines, and then its input ends"));
    let typed: String = (0..lines).map(|number| text(number) + "\n").collect();
    ctx.process()?.type_all_and_end(typed.into_bytes());
    let mut patience = ctx.new_patience();
    if !server.peer.has_something_to_read(&mut patience)? {
        return Err(wrong("what its user types is not sent").after(patience.over()));
    }
    for _ in 0..TIMES_AT_REST {
        ctx.until_at_rest();
    }
    ctx.step("the client can send no more; now the server begins to read");
    for number in 0..lines {
        match server.next() {
            Heard::Line(line) if line == text(number) => {}
            other => {
                let message = "what could not be sent at once is lost, or comes in another order";
                return Err(fail("reorders-or-loses-under-load", message)
                    .expected(format!("{lines} lines in their order"))
                    .got(format!("{number} lines, then {}", other.in_words()))
                    .after(server.peer.over));
            }
        }
    }
    Ok(()) // whether its end of input ends the stream as well is the matter of L10
}

fn escapes(ctx: &mut Context) -> Outcome {
    let mut server = ctx.welcomes_the_client()?;
    server.send("ben: a\x1b[2Jb\u{7}c\x1b]0;title\u{7}\u{202e}d\u{9b}e\nben: next\n".as_bytes())?;
    ctx.shows("ben: next")?;
    let stdout = Arc::clone(&ctx.process()?.stdout);
    let harmful = ['\x1b', '\u{7}', '\u{202e}', '\u{9b}'];
    let state = stdout.lock();
    match state.lines.iter().find(|line| line.contains("ben: a") && line.contains(harmful)) {
        None => Ok(()),
        Some(line) => Err(fail(
            "relays-terminal-escapes",
            "control characters that another user sent reach the terminal",
        )
        .expected("U+FFFD in their place")
        .got(visible(line.as_bytes()))),
    }
}

fn end_of_input(ctx: &mut Context) -> Outcome {
    let mut server = ctx.welcomes_the_client()?;
    ctx.user_types("the last line")?;
    server.hears_line("the last line")?;
    ctx.step("the client's standard input ends; it must end its half of the connection");
    ctx.process()?.end_input();
    let before = server.peer.received.len();
    server.peer.receive_up_to(before + SPINNING_BYTES, ctx.patience);
    match server.peer.end {
        Some(End::Closed) => {}
        Some(End::Reset) => return Err(wrong("the connection was reset").expected("a half-close")),
        None if server.peer.received.len() >= before + SPINNING_BYTES => {
            let message = "at the end of its input the client sends for ever";
            let got = visible(&server.peer.received[before..before + 40]);
            return Err(fail("spins-on-stdin-eof", message).expected("a half-close").got(got));
        }
        None if !quiet(ctx)? => {
            let message = "at the end of its input the client is busy for ever";
            return Err(fail("spins-on-stdin-eof", message).expected("a half-close"));
        }
        None => {
            return Err(fail("ignores-eof", "the end of input does not reach the server")
                .expected("a half-close")
                .got("nothing")
                .after(server.peer.over));
        }
    }
    server.line("ben: not so fast")?;
    ctx.shows("ben: not so fast")
        .means("ignores-eof", "after the end of its input the client shows nothing any more")?;
    server.leaves();
    exit_status(ctx, 0)
}

fn end_of_server(ctx: &mut Context) -> Outcome {
    let mut server = ctx.welcomes_the_client()?;
    server.line("ben: good night")?;
    ctx.shows("ben: good night")?;
    ctx.step("the server closes the connection; the client's input stays open");
    drop(server);
    exit_status(ctx, 0)
}

fn reset(ctx: &mut Context) -> Outcome {
    let mut server = ctx.welcomes_the_client()?;
    server.line("ben: good night")?;
    ctx.shows("ben: good night")?;
    server.resets();
    no_traceback(ctx)?;
    exit_status(ctx, 1)
}

fn exit_status(ctx: &mut Context, expected: i32) -> Outcome {
    let status = ctx.exits()?;
    no_traceback(ctx)?;
    match status {
        Some(status) if status == expected => Ok(()),
        status => Err(wrong("the client exits with the wrong status")
            .expected(format!("exit status {expected}"))
            .got(status.map_or("a signal".to_string(), |status| format!("exit status {status}")))),
    }
}

fn refused(ctx: &mut Context) -> Outcome {
    let port = free_port()?; // closed again: nobody listens there
    ctx.step(format!("the client is started for port {port}, where nobody listens"));
    let mut process = Process::start("client", ctx.target.client_command(port)?)?;
    let mut patience = Patience::new(process.worker(), ctx.patience);
    let status = process.wait_within(&mut patience);
    let words = process.last_words(20);
    let Some(status) = status else {
        let message = "the client does not end when its connection is refused";
        return Err(wrong(message).after(patience.over()));
    };
    if has_traceback(&words) {
        let message = "a refused connection shows a stack trace";
        return Err(fail("traceback-to-the-user", message).expected("one line").got(words));
    }
    match status.code() {
        Some(1) => Ok(()),
        code => Err(wrong("the exit status is wrong after a refused connection")
            .expected("exit status 1")
            .got(format!("{code:?}\n{words}"))),
    }
}

fn no_traceback(ctx: &mut Context) -> Outcome {
    ctx.exits()?;
    let stderr = Arc::clone(&ctx.process()?.stderr);
    stderr.wait(ctx.patience, |screen| screen.ended.then_some(()));
    let words = stderr.tail(20).join("\n");
    match has_traceback(&words) {
        false => Ok(()),
        true => Err(fail("traceback-to-the-user", "the end of the server shows a stack trace")
            .expected("one line that says what happened")
            .got(words)),
    }
}

fn has_traceback(words: &str) -> bool {
    ["Traceback (most", "panicked at", "Exception in thread", "\tat java.", "    at "]
        .iter()
        .any(|sign| words.contains(sign))
}

fn idle(ctx: &mut Context) -> Outcome {
    let _server = ctx.welcomes_the_client()?;
    ctx.shows("ann")?;
    match quiet(ctx)? {
        true => Ok(()),
        false => Err(fail("busy-poll", "the client is busy while nothing happens")
            .expected("no processor time")
            .got("more than an idle program uses")),
    }
}

/// Whether the client waits.
fn quiet(ctx: &mut Context) -> Outcome<bool> {
    match ctx.worker().idleness() {
        Idleness::Idle => Ok(true),
        Idleness::Busy(_) => Ok(false),
        Idleness::Unknown => Err(inconclusive("the machine was too busy to see who is idle")),
    }
}
