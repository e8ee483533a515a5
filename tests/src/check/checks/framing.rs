//! Bytes and lines: rules L1 to L7, in every protocol that has names.

use super::basics::ONE_LINE;
use super::script::{all_in_one_segment, byte_by_byte, cut_everywhere, line_by_line};
use crate::check::cases::Cases;
use crate::check::dialect::CHATS;
use crate::check::difference::visible;
use crate::check::outcome::{fail, wrong};
use crate::check::person::Heard;
use crate::check::quirks;
use crate::check::{Check, Context, Label, Outcome, Person, Protocol, Trouble};

/// Bytes of the longest line that a client may send, its LF included (rule L3).
const LINE_BYTES_MAX: usize = 2048;

/// A server with a thread for each client may be so late that it sees nothing of a cut, and then
/// its mistake does not show. Not so often, one hopes; a right server passes each time anyway.
const CUTS: usize = 5;

pub const JOINED: &str = "two-lines-in-one-segment-are-two-messages";
pub const SPLIT: &str = "a-line-in-two-segments-is-one-message";
const CR: &str = "a-carriage-return-before-the-end-is-dropped";
const UNCUT: &str = "a-script-arrives-line-by-line";
const SCRIPT: &[&str] = &[JOINED, SPLIT, UNCUT];

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
        chapter: "stage3.md",
        protocols: CHATS,
        needs_process: false,
        after,
        run,
    }
}

const RECV: &[&str] = &["recv-is-not-a-message"];

pub static CHECKS: &[Check] = &[
    check(JOINED, "L1", RECV, &[ONE_LINE], two_lines_in_one_segment),
    check(SPLIT, "L1", RECV, &[ONE_LINE], one_line_in_two_segments),
    check(CR, "L1", &["newline-in-name"], &[ONE_LINE], carriage_return),
    check(UNCUT, "L1", &[], &[ONE_LINE, CR], line_by_line),
    check("a-script-may-be-cut-at-every-byte", "L1", RECV, SCRIPT, cut_everywhere),
    check("a-script-may-arrive-byte-by-byte", "L1", RECV, SCRIPT, byte_by_byte),
    check("a-script-may-arrive-in-one-segment", "L1", RECV, &[JOINED, UNCUT], all_in_one_segment),
    super::faults::EXIT,
    super::select::UNKNOWN_USER,
    check(
        "half-a-line-is-no-message",
        "L2",
        &["half-message-delivered"],
        &[ONE_LINE, super::select::UNKNOWN],
        half_a_line,
    ),
    check(
        "a-line-of-2048-bytes-is-accepted",
        "L3",
        &["cut-at-the-buffer-size"],
        &[ONE_LINE],
        longest_line,
    ),
    check(
        "a-line-of-2049-bytes-is-refused",
        "L3",
        &["cut-at-the-buffer-size"],
        &[ONE_LINE],
        too_long_by_one,
    ),
    check(
        "a-line-of-5000-bytes-is-refused-once",
        "L3",
        &["cut-at-the-buffer-size"],
        &[ONE_LINE],
        much_too_long,
    ),
    check("a-line-that-is-not-utf8-is-refused", "L4", &["not-utf8-kills"], &[ONE_LINE], not_utf8),
    check(
        "control-characters-are-replaced",
        "L5",
        &["relays-terminal-escapes"],
        &[ONE_LINE],
        controls,
    ),
    check("ordinary-text-arrives-unchanged", "L5", &[], &[ONE_LINE], ordinary_text),
    check("blanks-around-a-line-are-dropped", "L6", &[], &[ONE_LINE], blanks),
    check("an-empty-line-is-ignored", "L6", &[], &[ONE_LINE], empty_lines),
    check(
        "server-lines-end-with-lf-alone",
        "L7",
        &["sends-without-boundaries"],
        &[ONE_LINE],
        lf_alone,
    ),
    check(
        "what-a-user-types-is-not-the-servers-word",
        "L7",
        &["control-words-in-band"],
        &[ONE_LINE],
        not_the_servers_word,
    ),
    check(
        "the-sender-is-who-has-sent-it",
        "L7",
        &["sender-is-claimed"],
        &[ONE_LINE],
        sender_is_not_claimed,
    ),
];

fn two_lines_in_one_segment(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let line = |text| alice.protocol.saying(&bob.name, text);
    let both = format!("{}\n{}\n", line("one"), line("two"));
    alice.send(both.as_bytes())?;
    for text in ["one", "two"] {
        bob.hears(&alice.name, text)
            .means("recv-is-not-a-message", "two lines in one segment must be two messages")?;
    }
    Ok(())
}

fn one_line_in_two_segments(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let mut carol = ctx.joins("carol")?;
    let line = format!("{}\n", alice.protocol.saying(&bob.name, "left right"));
    let (first, second) = line.split_at(line.len() - "right\n".len());
    for _ in 0..CUTS {
        alice.send(first.as_bytes())?;
        in_between(&mut carol, &mut bob, "between")?;
        alice.peer.until_read();
        alice.send(second.as_bytes())?;
        bob.hears(&alice.name, "left right")
            .means("recv-is-not-a-message", "a line in two segments must be one message")?;
    }
    Ok(())
}

/// Another client's line goes through: the server has gone on reading since the segment before.
pub(super) fn in_between(carol: &mut Person, bob: &mut Person, text: &str) -> Outcome {
    carol.says(&bob.name, text)?;
    let came = bob.hears(&carol.name, text);
    came.means_if_got(text, "recv-is-not-a-message", "half a line changed what came after it")
        .means(
            "recv-is-not-a-message",
            "half a line of one client was taken for a message, or stops another client",
        )
}

fn carriage_return(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut dan = ctx.connects("dan")?;
    dan.send(format!("{}\r\n", ctx.protocol.registration(&dan.name)).as_bytes())?;
    let welcome = ctx.protocol.welcome(&dan.name);
    let name = dan.name.clone();
    dan.hears_notice(&format!("`{welcome}`"), |line| ctx.is_welcome(line, &name))
        .means("newline-in-name", "a name that ended with CR LF was not accepted")?;
    dan.send(format!("{}\r\n", ctx.protocol.saying(&bob.name, "hi")).as_bytes())?;
    bob.hears(&dan.name, "hi")
        .means_if_got("\\r", "newline-in-name", "the CR before the LF was kept")
        .means_if_got("\\n", "newline-in-name", "the CR before the LF was kept")?;
    if ctx.protocol == Protocol::Select {
        bob.says(&dan.name, "hello")?;
        dan.hears(&bob.name, "hello")
            .means("newline-in-name", "who registered with CR LF cannot be addressed")?;
    }
    Ok(())
}

fn half_a_line(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut carol = ctx.joins("carol")?;
    for (way, half_closes) in [("a half-close", true), ("a close", false)] {
        let mut alice = ctx.joins("alice")?;
        let line = alice.protocol.saying(&bob.name, "transfer 10");
        alice.send(line.as_bytes())?;
        let name = alice.name.clone();
        if half_closes {
            alice.half_close();
            let ended = alice.peer.read_to_end(ctx.patience).is_some();
            if !ended {
                ctx.step("alice still waits for the server's end of stream");
            }
        }
        drop(alice);
        ctx.step(format!("alice ended in mid-line with {way}"));
        let gone = ctx.is_gone(&name, &mut carol, &mut bob);
        let marker = ctx.nothing_before_a_marker(&mut carol, &mut bob);
        // Whoever waits for the notice that alice has left passes over what came before it.
        let received = String::from_utf8_lossy(&bob.peer.received);
        if let Some(half) = received.lines().find(|line| line.contains("transfer")) {
            let message = format!("an unfinished line was delivered after {way}");
            return Err(fail("half-message-delivered", message)
                .expected("nothing of an unfinished line")
                .got(half));
        }
        // Why carol could say nothing, if so, comes before that nothing came.
        gone.and(marker)?;
    }
    Ok(())
}

/// A line of exactly `length` bytes, its end included.
fn line_of(length: usize, protocol: Protocol, to: &str, end: &str) -> (Vec<u8>, String) {
    let frame = protocol.saying(to, "").len() + end.len();
    let text = "x".repeat(length - frame);
    (format!("{}{end}", protocol.saying(to, &text)).into_bytes(), text)
}

fn longest_line(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    for end in ["\n", "\r\n"] {
        let (line, text) = line_of(LINE_BYTES_MAX, ctx.protocol, &bob.name, end);
        alice.send(&line)?;
        bob.hears(&alice.name, &text)
            .means("cut-at-the-buffer-size", "a line of 2048 bytes must arrive whole")?;
    }
    Ok(())
}

fn too_long_by_one(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    for end in ["\n", "\r\n"] {
        let (line, _) = line_of(LINE_BYTES_MAX + 1, ctx.protocol, &bob.name, end);
        refused_once(ctx, &mut alice, &mut bob, &line, "cut-at-the-buffer-size")?;
    }
    Ok(())
}

fn much_too_long(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    // Wherever it is cut at a multiple of eight bytes, the rest looks like a registration.
    let start = match ctx.protocol {
        Protocol::Select => format!("@{}:", bob.name),
        _ => String::new(),
    };
    let mut line = format!("{start:_<8}");
    while line.len() < 5000 {
        line.push_str(if ctx.protocol == Protocol::Rooms { "ghosts__" } else { "#ghost__" });
    }
    line.push('\n');
    refused_once(ctx, &mut alice, &mut bob, line.as_bytes(), "cut-at-the-buffer-size")
}

/// `alice` sends a bad `line`: exactly one error for her, nothing for `bob`, and the next line works.
fn refused_once(
    ctx: &mut Context,
    alice: &mut Person,
    bob: &mut Person,
    line: &[u8],
    misconception: &'static str,
) -> Outcome {
    alice.send(line)?;
    ctx.nothing_before_a_marker(alice, bob)
        .means(misconception, "the refused line was relayed, or the next one was not")?;
    // The error is older than this answer, and another error would be as well.
    bob.says(&alice.name, "still there?")?;
    alice.hears_error().means(misconception, "the line must be refused with an error")?;
    alice.hears(&bob.name, "still there?").means(misconception, "the line must be refused once")
}

fn not_utf8(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    for bad in [
        &b"\xff\xfe"[..],
        b"gr\xfc\xdf",
        b"\xe2\x82",         // cut short
        b"\xc0\xaf",         // longer than it need be
        b"\xed\xa0\x80",     // half of a surrogate pair
        b"\xf4\x90\x80\x80", // beyond Unicode
    ] {
        let mut line = ctx.protocol.saying(&bob.name, "").into_bytes();
        line.extend_from_slice(bad);
        line.push(b'\n');
        refused_once(ctx, &mut alice, &mut bob, &line, "not-utf8-kills")?;
    }
    let mut dan = ctx.connects("dan")?;
    let mut line = ctx.protocol.registration("d").into_bytes();
    line.extend_from_slice(b"\xff\n");
    dan.send(&line)?;
    dan.hears_error()
        .means("not-utf8-kills", "a name that is not UTF-8 must be refused with one error")?;
    ctx.asks_again(&mut dan)?;
    ctx.registers(&mut dan)
        .means("not-utf8-kills", "after a name that is not UTF-8 a good one must work")
}

/// What must not reach another terminal, and what each of them would do there.
const HARMFUL: &[(char, &str)] = &[
    ('\u{1b}', "ESC"),
    ('\u{7}', "BEL"),
    ('\0', "NUL"),
    ('\r', "a bare CR"),
    ('\u{8}', "BACKSPACE"),
    ('\u{7f}', "DEL"),
    ('\u{9b}', "CSI (C1)"),
    ('\u{85}', "NEXT LINE (C1)"),
    ('\u{61c}', "ARABIC LETTER MARK"),
    ('\u{200e}', "LEFT-TO-RIGHT MARK"),
    ('\u{200f}', "RIGHT-TO-LEFT MARK"),
    ('\u{202a}', "LEFT-TO-RIGHT EMBEDDING"),
    ('\u{202e}', "RIGHT-TO-LEFT OVERRIDE"),
    ('\u{2066}', "LEFT-TO-RIGHT ISOLATE"),
    ('\u{2069}', "POP DIRECTIONAL ISOLATE"),
    ('\u{2028}', "LINE SEPARATOR"),
    ('\u{2029}', "PARAGRAPH SEPARATOR"),
    ('\u{e0041}', "a TAG character"),
];

fn controls(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let mut cases = Cases::default();
    for (c, name) in HARMFUL {
        alice.says(&bob.name, &format!("a{c}[2Jb"))?;
        let heard = bob.hears(&alice.name, "a\u{fffd}[2Jb");
        let got_something = something_came(&heard);
        let judged =
            heard.means("relays-terminal-escapes", format!("{name} must be replaced by U+FFFD"));
        if !got_something {
            judged?; // whoever receives nothing more receives nothing of the next ones either
        } else {
            cases.add(format!("{name} (U+{:04X}) is passed on", *c as u32), judged)?;
        }
    }
    cases.judge("what L5 names is passed on")?;
    // At the ends of a text it is no blank that could be trimmed away.
    alice.says(&bob.name, "\u{1b}x\u{7}")?;
    bob.hears(&alice.name, "\u{fffd}x\u{fffd}").means(
        "relays-terminal-escapes",
        "control characters at the ends of a text must be replaced as well",
    )
}

/// Whether something came, so that the next case can be tried.
fn something_came(heard: &Outcome) -> bool {
    match heard {
        Err(Trouble::Wrong(finding) | Trouble::Late(finding)) => finding.got != "nothing",
        _ => true,
    }
}

fn ordinary_text(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    for text in [
        "a\tb",
        "gr\u{fc}\u{df} dich",
        "\u{1f469}\u{200d}\u{1f4bb} \u{2764}\u{fe0f}",
        "\u{633}\u{644}\u{627}\u{645} \u{5e9}\u{5dc}\u{5d5}\u{5dd}",
        "100% {ok} \\n $HOME `id` \"quoted\"",
    ] {
        alice.says(&bob.name, text)?;
        bob.hears(&alice.name, text).because("ordinary text must arrive as it was sent")?;
    }
    Ok(())
}

fn blanks(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut alice = ctx.connects("alice")?;
    alice.send(format!(" \t{}\t \r\n", ctx.protocol.registration(&alice.name)).as_bytes())?;
    let welcome = ctx.protocol.welcome(&alice.name);
    let name = alice.name.clone();
    alice
        .hears_notice(&format!("`{welcome}`"), |line| ctx.is_welcome(line, &name))
        .because("blanks around the line with the name must be dropped")?;
    let line = ctx.protocol.saying(&bob.name, "a  b");
    alice.send(format!("\t {line} \t\n").as_bytes())?;
    bob.hears(&alice.name, "a  b")
        .because("blanks around a line must be dropped, those within must stay")
}

fn empty_lines(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    alice.send(b"\n\r\n \t \n\t\r\n")?;
    ctx.nothing_before_a_marker(&mut alice, &mut bob).because("an empty line is no message")?;
    bob.says(&alice.name, "hello")?;
    alice.hears(&bob.name, "hello").because("an empty line is no error")
}

fn lf_alone(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    alice.says(&bob.name, "hello")?;
    bob.hears(&alice.name, "hello")?;
    if let Some(bad) = ctx.bad_line() {
        alice.send(bad.as_bytes())?;
        alice.hears_error()?;
    }
    for person in [&alice, &bob] {
        if let Some(at) = person.peer.received.windows(2).position(|two| two == b"\r\n") {
            return Err(wrong("a line of the server ends with CR LF")
                .expected("lines that end with LF alone")
                .got(visible(&person.peer.received[at.saturating_sub(40)..at + 2])));
        }
    }
    Ok(())
}

fn not_the_servers_word(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let left = format!("* {} left", bob.name);
    for text in [
        "NICK",
        &left,
        "! server error",
        "* welcome",
        "You are connected from: nowhere",
        "[private] bob: hi",
    ] {
        alice.says(&bob.name, text)?;
        // Looked at with notices, or a forged one would pass for one.
        let expected = ctx.protocol.heard(&alice.name, text);
        bob.log.add(format!("{} must receive `{expected}`", bob.name));
        let mut patience = bob.new_patience();
        loop {
            match bob.next_of_any_kind(&mut patience) {
                Heard::Line(line) if line == expected || bob.shows_a_sender(&line, text) => break,
                Heard::Line(line) if line.contains(text) || !ctx.protocol.is_notice(&line) => {
                    return Err(fail(
                        "control-words-in-band",
                        "what a user typed looks like the server's word",
                    )
                    .differs(expected.as_bytes(), line.as_bytes()));
                }
                Heard::Line(_) => {}
                _ => {
                    return Err(fail(
                        "control-words-in-band",
                        "a text that looks like a word of the protocol did not arrive",
                    )
                    .expected(expected)
                    .got("nothing")
                    .after(bob.peer.over));
                }
            }
        }
    }
    Ok(())
}

fn sender_is_not_claimed(ctx: &mut Context) -> Outcome {
    let (mut alice, mut carol) = ctx.two_named("alice", "carol")?;
    let claimed = ctx.joins("bob")?;
    let text = format!("{}: I owe you 10", claimed.name);
    quirks::hush(&mut carol);
    alice.says(&carol.name, &text)?;
    let heard = carol.hears(&alice.name, &text);
    match speaks_as(&claimed.name, &carol) {
        true => heard.means("sender-is-claimed", "alice must not be able to speak as bob")?,
        false => heard.because("a name in a text is text")?,
    }
    if ctx.protocol != Protocol::Select {
        // Her own name typed in front is text as well.
        let text = format!("{}: hello", alice.name);
        alice.says(&carol.name, &text)?;
        carol
            .hears(&alice.name, &text)
            .means("sender-is-claimed", "the sender's name comes from the connection")?;
    }
    Ok(())
}

/// Whether a line that came begins as if `name` had said it. Where lines have no ends, it may
/// stand behind another one.
fn speaks_as(name: &str, receiver: &Person) -> bool {
    let received = String::from_utf8_lossy(&receiver.peer.received);
    let words = format!("{name}:");
    let begins = |before: &str| match receiver.quirks.bare {
        true => !before.ends_with(": "),
        false => before.is_empty() || before.ends_with('\n'),
    };
    received.match_indices(&words).any(|(at, _)| begins(&received[..at]))
}
