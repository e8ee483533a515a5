//! What the server of S1 prints, and what it does not send. S2 prints in the same way, so most
//! of these judge both.

use crate::check::difference::visible;
use crate::check::outcome::{fail, wrong};
use crate::check::{Check, Context, Label, Outcome, Person, Protocol};
use crate::peer::End;
use std::time::Duration;

pub const PRINTS: &str = "the-server-prints-who-sent-what";
const JOINED: &str = "two-lines-in-one-segment-are-printed-as-two";
const NEXT: &str = "the-next-sender-is-served";

/// For a server that waits for the end of one who has said `exit`.
const FAREWELL_PATIENCE: Duration = Duration::from_secs(20);

/// Bytes of the longest line that a client may send, its LF included (rule L3).
const LINE_BYTES_MAX: usize = 2048;

const fn check(
    name: &'static str,
    rule: &'static str,
    misconceptions: &'static [&'static str],
    run: fn(&mut Context) -> Outcome,
) -> Check {
    Check {
        name,
        rule,
        misconceptions,
        points: 2.0,
        chapter: "stage1.md",
        protocols: &[Protocol::Simplex, Protocol::Duplex],
        needs_process: true, // what it prints is what it does
        after: &[PRINTS],
        run,
    }
}

pub static CHECKS: &[Check] = &[
    Check { after: &[], ..check(PRINTS, "S1.1", &["recv-is-not-a-message"], prints) },
    check(JOINED, "L1", &["recv-is-not-a-message"], two_lines_in_one_segment),
    Check {
        after: &[JOINED],
        ..check(
            "a-line-cut-at-any-byte-is-printed-whole",
            "L1",
            &["recv-is-not-a-message"],
            cut_everywhere,
        )
    },
    check(NEXT, "S1.2", &["ignores-eof", "spins-after-departure"], next_sender),
    // These look at what the next one can do.
    Check {
        after: &[PRINTS, NEXT],
        ..check("half-a-line-is-not-printed", "L2", &["half-message-delivered"], half_a_line)
    },
    check(
        "a-long-line-is-not-printed-and-the-next-one-is",
        "L3",
        &["cut-at-the-buffer-size"],
        too_long,
    ),
    check("a-line-that-is-not-utf8-is-not-printed", "L4", &["not-utf8-kills"], not_utf8),
    check("terminal-controls-are-not-printed", "L5", &["relays-terminal-escapes"], escapes),
    check("blanks-around-a-line-are-not-printed", "L6", &[], blanks),
    Check {
        protocols: &[Protocol::Simplex],
        ..check("nothing-at-all-is-sent-back", "S1.1", &["echo-to-sender"], sends_nothing)
    },
    Check {
        after: &[PRINTS, NEXT],
        ..check(
            "a-sender-that-resets-ends-nobody-else",
            "L13",
            &["rude-client-kills-server"],
            reset,
        )
    },
    Check { after: &[PRINTS, NEXT], ..check("exit-ends-the-connection", "L11", &[], exit) },
];

impl Context<'_> {
    /// The console must show that `person` said `text`.
    pub fn prints(&mut self, person: &Person, text: &str) -> Outcome {
        let address = person.peer.address()?;
        self.console_shows(&format!("[{}]:{} => {text}", address.ip(), address.port()))
    }

    /// No line of the console has `text` in it. Only after a marker that came later.
    fn has_not_printed(&mut self, text: &str) -> Outcome {
        let printed = self.process()?.stdout.lock().lines.clone();
        self.step(format!("no line of the console may contain `{}`", visible(text.as_bytes())));
        match printed.iter().find(|line| line.contains(text)) {
            None => Ok(()),
            Some(line) => Err(wrong("the server has printed what it must not")
                .expected(format!("no line with `{}`", visible(text.as_bytes())))
                .got(visible(line.as_bytes()))),
        }
    }
}

fn prints(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.line("hello")?;
    ctx.prints(&alice, "hello").because("the simplest message was not shown")
}

fn two_lines_in_one_segment(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.send(b"one\ntwo\n")?;
    for text in ["one", "two"] {
        ctx.prints(&alice, text).means(
            "recv-is-not-a-message",
            "two lines that came in one segment were not taken for two messages",
        )?;
    }
    Ok(())
}

/// Before the second half leaves, the server has provably read the first: it has printed a line
/// that came in the same segment.
fn cut_everywhere(ctx: &mut Context) -> Outcome {
    let line = "gr\u{fc}\u{df} dich \u{1f44d}\r\n";
    let mut alice = ctx.dials("alice")?;
    for cut in 1..line.len() {
        let (first, second) = line.as_bytes().split_at(cut);
        let marker = format!("before cut {cut}");
        alice.send(&[marker.as_bytes(), b"\n", first].concat())?;
        ctx.prints(&alice, &marker)?;
        let after = format!("after cut {cut}");
        alice.send(&[second, after.as_bytes(), b"\n"].concat())?;
        ctx.prints(&alice, &after)?;
        let address = alice.peer.address()?;
        let whole = format!("[{}]:{} => {}", address.ip(), address.port(), line.trim_end());
        let printed = ctx.process()?.stdout.lock().lines.clone();
        if printed.iter().filter(|shown| **shown == whole).count() != cut {
            let shown = printed.iter().rev().take(3).rev().cloned().collect::<Vec<_>>();
            return Err(fail(
                "recv-is-not-a-message",
                format!(
                    "`{}` is not printed whole when it is cut after byte {cut}",
                    line.trim_end()
                ),
            )
            .expected(whole)
            .got(visible(shown.join("\n").as_bytes())));
        }
    }
    Ok(())
}

fn half_a_line(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.send(b"whole\nhalf a li")?;
    ctx.prints(&alice, "whole")?; // it has read the half as well, then
    alice.leaves();
    marker(ctx)?;
    ctx.has_not_printed("half a li")
        .means("half-message-delivered", "a line without its LF was printed when its sender ended")
}

fn too_long(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    let longest = "y".repeat(LINE_BYTES_MAX - 1);
    alice.line(&longest)?;
    ctx.prints(&alice, &longest)
        .means("cut-at-the-buffer-size", "a line of 2048 bytes was not printed whole")?;
    alice.line(&"x".repeat(5000))?;
    alice.line("next")?;
    ctx.prints(&alice, "next").because("the line after one that was too long was not printed")?;
    ctx.has_not_printed("xxx").means(
        "cut-at-the-buffer-size",
        "a line of more than 2048 bytes was printed, whole or in pieces",
    )
}

fn not_utf8(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.send(b"bad \xff\xfe bytes\n")?;
    alice.line("good")?;
    ctx.prints(&alice, "good")
        .means("not-utf8-kills", "after a line that is not UTF-8 nothing more is printed")?;
    ctx.has_not_printed("bytes").because("a line that is not UTF-8 was printed")
}

fn escapes(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.send("a\x1b[2Jb\u{7}c\u{202e}d\u{9b}e\n".as_bytes())?;
    let shown = "a\u{fffd}[2Jb\u{fffd}c\u{fffd}d\u{fffd}e";
    let outcome = ctx.prints(&alice, shown);
    let has_escape = ctx.process()?.stdout.lock().lines.iter().any(|line| line.contains('\x1b'));
    match outcome {
        Err(_) if has_escape => outcome.means(
            "relays-terminal-escapes",
            "control characters reach the terminal of the server",
        ),
        outcome => outcome,
    }
}

fn blanks(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.send(b"\n  \t \n \tsome words \t\r\n")?;
    ctx.prints(&alice, "some words")?;
    let address = alice.peer.address()?;
    let start = format!("[{}]:{} =>", address.ip(), address.port());
    let printed = ctx.process()?.stdout.lock().lines.clone();
    match printed.iter().filter(|line| line.starts_with(&start)).count() {
        1 => Ok(()),
        _ => Err(wrong("an empty line was printed").got(visible(printed.join("\n").as_bytes()))),
    }
}

fn sends_nothing(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.line("hello")?;
    if ctx.judges("L4") {
        alice.send(b"\xff\xfe\n")?;
    }
    if ctx.judges("L3") {
        alice.line(&"x".repeat(3000))?;
    }
    alice.line("last")?;
    ctx.prints(&alice, "last")?;
    alice.half_close();
    ctx.step("alice must receive nothing but the end of the stream");
    let end = alice.peer.read_to_end(ctx.patience);
    if !alice.peer.received.is_empty() {
        let got = visible(&alice.peer.received);
        let trouble = if got.contains("hello") {
            fail("echo-to-sender", "the server sends back what it receives")
        } else {
            wrong("the server sends something; this direction does not exist in S1")
        };
        return Err(trouble.expected("nothing").got(got));
    }
    match end {
        _ if !ctx.judges("L10") => Ok(()),
        Some(End::Closed) => Ok(()),
        Some(End::Reset) => Err(wrong("the connection was reset").expected("end of stream")),
        None => Err(fail("ignores-eof", "the server does not close after its client's end")
            .after(alice.peer.over)),
    }
}

fn next_sender(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.line("first")?;
    ctx.prints(&alice, "first")?;
    let mut bob = ctx.dials("bob")?; // waits in the backlog
    bob.line("second")?;
    alice.line("still first")?;
    ctx.prints(&alice, "still first")?;
    alice.leaves();
    ctx.prints(&bob, "second")
        .means("ignores-eof", "when a sender has ended, the next one is not served")
}

fn reset(ctx: &mut Context) -> Outcome {
    for _ in 0..20 {
        let alice = ctx.dials("alice");
        alice.means("rude-client-kills-server", "after a reset nobody can connect")?.resets();
    }
    let mut alice = ctx.dials("alice")?;
    alice.send(b"whole\nhalf")?;
    ctx.prints(&alice, "whole")
        .means("rude-client-kills-server", "after twenty resets nobody is served")?;
    alice.resets();
    marker(ctx).means("rude-client-kills-server", "after a reset in mid-line nobody is served")
}

fn exit(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.send(b"before\nexit\nafter\n")?;
    ctx.prints(&alice, "before")?;
    ctx.step("alice must be disconnected in order");
    match alice.peer.read_to_end(ctx.patience) {
        Some(End::Closed) => {}
        Some(End::Reset) => return Err(wrong("`exit` ended in a reset").expected("end of stream")),
        None => return Err(wrong("`exit` does not end the connection").after(alice.peer.over)),
    }
    // She stays connected. Who waits for her end must not wait for ever (5 s, says L10).
    ctx.patience = ctx.patience.max(FAREWELL_PATIENCE);
    marker(ctx).because("after `exit` the next one is served, whatever the first one does")?;
    ctx.has_not_printed("=> after").because("a line after `exit` was printed")
}

/// Somebody who comes later is served: so everything before has been dealt with.
fn marker(ctx: &mut Context) -> Outcome {
    let mut dora = ctx.dials("dora")?;
    let text = format!("marker {}", ctx.random.u32(..));
    dora.line(&text)?;
    ctx.prints(&dora, &text)
}
