//! Ends of all kinds, and rude visitors: rules L10, L11 and L13.

use super::basics::ONE_LINE;
use super::framing::JOINED;
use super::writers::proves_unread;
use crate::check::dialect::CHATS;
use crate::check::outcome::{FAREWELL, fail, inconclusive, wrong};
use crate::check::person::Heard;
use crate::check::{Check, Context, Label, Outcome, Person, Protocol};
use crate::peer::End;
use std::time::{Duration, Instant};

/// Lines that are owed to one who half-closes.
const OWED_LINES: usize = 300;

/// One who was disconnected is told so by its own socket at once.
const SPEAKER_ENDS: Duration = Duration::from_millis(500);

/// Visitors who connect and reset at once.
const RUDE_VISITORS: usize = 200;

/// More users than the `listen(5)` of the documents seems to allow.
const USERS: usize = 20;

/// What `select` can watch, and how many descriptors a program may have beside its clients'.
const FD_SETSIZE: usize = 1024;
const DESCRIPTORS_OF_ITS_OWN: usize = 24;

/// More connections than that.
const BEYOND_SELECT: usize = 1100;

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
        chapter: "stage4.md",
        protocols: CHATS,
        needs_process: false,
        after: &[ONE_LINE],
        run,
    }
}

/// Where this fails, others say no `exit`: one mistake is counted once.
pub const EXIT_ENDS: &str = "exit-ends-the-connection-and-what-follows-is-ignored";

/// Stands among the first: other checks say `exit` as well.
pub const EXIT: Check = Check {
    after: &[ONE_LINE, JOINED],
    ..check(EXIT_ENDS, "L11", &["exit-not-obeyed"], exit_ends)
};

pub static CHECKS: &[Check] = &[
    check(
        "a-half-close-is-answered-with-what-is-owed-and-the-end",
        "L10",
        &["ignores-eof"],
        half_close,
    ),
    check("what-waits-is-sent-before-the-end", "L10", &["ignores-eof"], owed_before_the_end),
    check("the-end-is-no-reset", "L10", &[], the_end_is_no_reset),
    check("twenty-users-may-be-there-at-once", "L13", &["backlog-is-a-user-limit"], twenty_users),
    check(
        "a-silent-newcomer-keeps-nobody-out",
        "L13",
        &["handshake-blocks-accept"],
        silent_newcomer,
    ),
    check(
        "a-line-that-is-not-finished-stops-nobody-else",
        "L13",
        &["handshake-blocks-accept"],
        unfinished_line,
    ),
    check(
        "visitors-who-reset-at-once-harm-nobody",
        "L13",
        &["rude-client-kills-server"],
        rude_visitors,
    ),
    check(
        "a-message-to-one-who-has-just-reset-harms-nobody",
        "L13",
        &["wrong-client-evicted", "rude-client-kills-server"],
        message_to_the_dead,
    ),
    check("an-http-request-is-only-a-bad-line", "L13", &["unaddressable-name"], http_request),
    Check {
        protocols: &[Protocol::Select, Protocol::Threads],
        ..check("a-web-page-is-turned-away", "L18", &["speaks-http"], web_page)
    },
    check("more-connections-than-select-can-watch", "L13", &["select-1024"], beyond_select),
];

fn half_close(ctx: &mut Context) -> Outcome {
    let mut witness = ctx.joins("witness")?;
    let mut alice = ctx.connects("alice")?;
    // The name, a bad line, a good line and the end, all in one go.
    let bad_line = ctx.bad_line();
    let lines = format!(
        "{}\n{}{}\n",
        ctx.protocol.registration(&alice.name),
        bad_line.clone().unwrap_or_default(),
        ctx.protocol.saying(&witness.name, "last words")
    );
    alice.send(lines.as_bytes())?;
    alice.half_close();
    let welcome = ctx.protocol.welcome(&alice.name);
    let name = alice.name.clone();
    alice
        .hears_notice(&format!("`{welcome}`"), |line| ctx.is_welcome(line, &name))
        .means("ignores-eof", "what was asked before the half-close must be answered")?;
    if bad_line.is_some() {
        alice
            .hears_error()
            .means("ignores-eof", "what was asked before the half-close must be answered")?;
    }
    witness
        .hears(&alice.name, "last words")
        .means("ignores-eof", "complete lines before the half-close must be obeyed")?;
    alice.hears_end().means("ignores-eof", "after the last answer the server must close as well")
}

fn owed_before_the_end(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials_with("alice", Some(4096))?;
    ctx.greets(&mut alice)?;
    ctx.registers(&mut alice)?;
    let mut bob = ctx.joins("bob")?;
    let mut carol = ctx.joins("carol")?;
    ctx.step(format!("bob says {OWED_LINES} long lines; alice does not read"));
    let text = |number: usize| format!("{number:03} {}", "z".repeat(1000));
    for number in 0..OWED_LINES {
        let line = format!("{}\n", ctx.protocol.saying(&alice.name, &text(number)));
        bob.send_silently(line.as_bytes())?;
        if ctx.protocol != Protocol::Select {
            ctx.quietly(|_| hears_silently(&mut carol, &bob.name, &text(number)))?;
        }
    }
    bob.says(&carol.name, "that was all")?;
    carol.hears(&bob.name, "that was all")?;
    // alice's buffer holds a few of them: the rest is owed to her.
    let began = Instant::now();
    alice.half_close();
    let mut next = 0;
    while let Heard::Line(line) = alice.next() {
        if next < OWED_LINES && line == ctx.protocol.heard(&bob.name, &text(next)) {
            next += 1;
        } else if !line.contains("that was all") {
            return Err(wrong("a line is missing or damaged")
                .got(crate::check::difference::brief(line.as_bytes())));
        }
    }
    match alice.peer.end {
        Some(End::Closed) if next == OWED_LINES => Ok(()),
        None => Err(fail("ignores-eof", "the server does not close after a half-close")
            .expected(format!("{OWED_LINES} lines, and the end"))
            .got(format!("{next} lines"))
            .after(alice.peer.over)),
        Some(end) => Err(fail("ignores-eof", "what was owed was lost at the half-close")
            .expected(format!("{OWED_LINES} lines, and an orderly end"))
            .got(format!("{next} lines, then: {end:?}"))
            .before(began, FAREWELL)),
    }
}

fn hears_silently(person: &mut Person, from: &str, text: &str) -> Outcome {
    let log = std::mem::take(&mut person.log);
    let heard = person.hears(from, text);
    person.log = log;
    heard
}

fn the_end_is_no_reset(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.joins("alice")?;
    let mut lines = format!("{}exit\n", ctx.protocol.bad_line()).into_bytes();
    lines.extend(b"and then some more\n".repeat(10_000));
    ctx.step("alice sends a bad line, `exit`, and 190,000 bytes more, in one go");
    let sent = alice.peer.send(&lines);
    if let Err(error) = sent {
        ctx.step(format!("while sending: {error:#}"));
    }
    alice.hears_error().because("what is on its way must not be destroyed by a reset")?;
    alice.hears_end().because("the connection must end in order, whatever was not read yet")
}

fn exit_ends(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut carol = ctx.joins("carol")?;
    let mut alice = ctx.joins("alice")?;
    let say = |text| ctx.protocol.saying(&bob.name, text);
    let lines = format!("{}\nexit\n{}\n", say("before"), say("after"));
    let name = alice.name.clone();
    alice.send(lines.as_bytes())?;
    bob.hears(&name, "before")?;
    alice.hears_end().means("exit-not-obeyed", "`exit` ends the connection")?;
    ctx.nothing_before_a_marker(&mut carol, &mut bob)
        .means("exit-not-obeyed", "`exit` ends one connection, and lines after it are ignored")
}

fn twenty_users(ctx: &mut Context) -> Outcome {
    let mut people = Vec::new();
    for number in 0..USERS {
        let joined = ctx.joins(&format!("user{number}"));
        people.push(
            joined
                .means("backlog-is-a-user-limit", format!("user {} was not let in", number + 1))?,
        );
    }
    let (first, rest) = people.split_at_mut(1);
    let last = &mut rest[USERS - 2];
    last.says(&first[0].name, "hello from the last")?;
    first[0]
        .hears(&last.name, "hello from the last")
        .means("backlog-is-a-user-limit", "the last user was not heard")
}

fn silent_newcomer(ctx: &mut Context) -> Outcome {
    let mut silent = Vec::new();
    for name in ["silent1", "silent2", "silent3"] {
        silent.push(ctx.dials(name)?);
    }
    ctx.step("they say nothing, not even a name");
    let what = "one who connects and says nothing keeps others out";
    let (mut alice, mut bob) = ctx.two().means("handshake-blocks-accept", what)?;
    alice.says(&bob.name, "hello")?;
    bob.hears(&alice.name, "hello").because(what)
}

fn unfinished_line(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut halfway = ctx.connects("halfway")?;
    halfway.send(&ctx.protocol.registration("hal").into_bytes()[..2])?;
    let what = "one who does not finish a line stops others";
    let mut talker = ctx.joins("talker").means("handshake-blocks-accept", what)?;
    talker.send(b"half a li")?;
    let mut carol = ctx.joins("carol").means("handshake-blocks-accept", what)?;
    carol.says(&bob.name, "hello")?;
    bob.hears(&carol.name, "hello").means("handshake-blocks-accept", what)
}

fn rude_visitors(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    ctx.step(format!("{RUDE_VISITORS} visitors connect and reset, before or after a few bytes"));
    for number in 0..RUDE_VISITORS {
        let visitor = ctx.quietly(|ctx| ctx.dials("rude"));
        let mut visitor = visitor
            .means("rude-client-kills-server", "after visitors who reset, nobody can connect")?;
        match number % 3 {
            0 => {}
            1 => drop(visitor.peer.send(b"x")),
            _ => drop(
                visitor.peer.send(format!("{}\n", ctx.protocol.registration("rude")).as_bytes()),
            ),
        }
        visitor.peer.reset();
    }
    alice.says(&bob.name, "still here?")?;
    bob.hears(&alice.name, "still here?")
        .means("rude-client-kills-server", "visitors who reset must harm nobody")?;
    let mut carol = ctx
        .joins("carol")
        .means("rude-client-kills-server", "after visitors who reset, nobody gets in")?;
    carol.says(&bob.name, "and I")?;
    bob.hears(&carol.name, "and I")
        .means("rude-client-kills-server", "visitors who reset must harm nobody")
}

fn message_to_the_dead(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    for round in 0..20 {
        one_resets(ctx, &mut alice, &mut bob, round)?;
    }
    Ok(())
}

/// Whoever finds out that somebody is gone, by writing to it: the one who speaks then must not suffer
/// for it. It is alice or bob, and is seen in this round or in the next one: so every step says so.
fn one_resets(ctx: &mut Context, alice: &mut Person, bob: &mut Person, round: usize) -> Outcome {
    let evicted = "who writes to one who is gone must not suffer for it";
    // A new name each time: a server may take a moment to learn of a reset, and that is allowed.
    let victim = ctx
        .quietly(|ctx| ctx.joins(&format!("victim{round}")))
        .means("ghost-user", "a newcomer did not get in")?;
    let name = victim.name.clone();
    // Something is owed to it at the moment of its reset: it has not read what bob said.
    let text = format!("you will not read this {round}");
    bob.says(&name, &text).means("wrong-client-evicted", evicted)?;
    if ctx.protocol != Protocol::Select {
        hears_silently(alice, &bob.name, &text).means("wrong-client-evicted", evicted)?;
    }
    proves_unread(&victim)?;
    victim.resets();
    alice.says(&name, "are you there?").means("wrong-client-evicted", evicted)?;
    let after = format!("after the reset {round}");
    alice.says(&bob.name, &after).means("wrong-client-evicted", evicted)?;
    if ctx.protocol != Protocol::Select {
        let heard = bob.hears(&alice.name, "are you there?");
        if_evicted(heard, alice)?;
    }
    let heard = bob.hears(&alice.name, &after);
    if_evicted(heard, alice)?;
    bob.says(&alice.name, "I heard you").means("wrong-client-evicted", evicted)?;
    let heard = alice.hears_behind_errors(&bob.name, "I heard you");
    if_evicted(heard, alice)
}

/// Only who was disconnected was evicted; a line can be missing for other reasons.
fn if_evicted(heard: Outcome, speaker: &mut Person) -> Outcome {
    let evicted = "who writes to one who is gone must not suffer for it";
    match heard.is_err() && speaker.peer.read_to_end(SPEAKER_ENDS).is_some() {
        true => heard.means("wrong-client-evicted", evicted),
        false => heard.because(evicted),
    }
}

fn http_request(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let mut browser = ctx.connects("browser")?;
    browser.send(b"GET / HTTP/1.1\r\nHost: 127.0.0.1\r\nAccept: */*\r\n\r\n")?;
    let heard = browser.hears_error();
    if let Some(welcome) = String::from_utf8_lossy(&browser.peer.received)
        .lines()
        .find(|line| line.starts_with("* welcome") || line.starts_with("Your user detail"))
    {
        return Err(
            fail("unaddressable-name", "an HTTP request has registered a user").got(welcome)
        );
    }
    heard.because("a request is no name")?;
    ctx.nothing_before_a_marker(&mut alice, &mut bob).because("a request must reach nobody")
}

/// What a page can make any browser send: the request's lines, and a body of its own choice.
fn web_page(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let mut browser = ctx.connects("browser")?;
    let mallory = ctx.name("mallory");
    let body = format!(
        "{}\r\n{}\r\n",
        ctx.protocol.registration(&mallory),
        ctx.protocol.saying(&bob.name, "I come from a web page")
    );
    let head = format!("POST / HTTP/1.1\r\nContent-Length: {}\r\n\r\n", body.len());
    browser.send(format!("{head}{body}").as_bytes())?;
    let what = "who says `POST / HTTP/1.1` first is a browser, and is closed";
    browser.hears_error().means("speaks-http", what)?;
    // Its body is not read: a reset is no fault here.
    if browser.peer.read_to_end(ctx.patience).is_none() {
        return Err(fail("speaks-http", what)
            .expected("an error, and the end of the connection")
            .got("an error, and the connection is open")
            .late());
    }
    ctx.nothing_before_a_marker(&mut alice, &mut bob)
        .means("speaks-http", "what a web page sends must reach nobody")
}

fn beyond_select(ctx: &mut Context) -> Outcome {
    let allowed = crate::resources::allow_many_descriptors();
    if allowed < BEYOND_SELECT + 100 {
        return Err(inconclusive(format!("the lab itself may open only {allowed} descriptors")));
    }
    ctx.step(format!("{BEYOND_SELECT} clients connect and stay silent"));
    let mut crowd = Vec::new();
    for number in 0..BEYOND_SELECT {
        let connected = ctx.quietly(|ctx| ctx.connects("silent"));
        let what = format!("client {} was not greeted", number + 1);
        crowd.push(match number + DESCRIPTORS_OF_ITS_OWN >= FD_SETSIZE {
            true => connected.means("select-1024", what)?,
            false => connected.because(what)?, // too early for that
        });
    }
    let (mut alice, mut bob) =
        ctx.two().means("select-1024", format!("after {BEYOND_SELECT} clients nobody gets in"))?;
    alice.says(&bob.name, "hello")?;
    bob.hears(&alice.name, "hello")
        .means("select-1024", format!("beyond {BEYOND_SELECT} clients nothing arrives"))?;
    // Among the silent ones, the one with the highest descriptor is served as well.
    let last = crowd.last_mut().expect("there are many");
    last.name = ctx.name("last");
    ctx.registers(last).means("select-1024", "the last of the silent ones is not served")
}
