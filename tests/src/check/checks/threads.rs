//! What is special to S4: everybody hears everybody, and who comes and goes.

use super::basics::ONE_LINE;
use super::faults::EXIT_ENDS;
use super::names::ways;
use crate::check::difference::brief;
use crate::check::outcome::{fail, wrong};
use crate::check::person::Heard;
use crate::check::{Check, Context, Label, Outcome, Person, Protocol};

/// Clients with names of 20 characters: more than a welcome of 8192 bytes can name.
const MANY: usize = 400;

/// Bytes of the longest line that a server may send, its LF included (rule L3).
const SERVER_LINE_BYTES_MAX: usize = 8192;

/// S5.1: what S4.1 and S4.2 say holds there as well.
pub const WITH_NICK: &[Protocol] = &[Protocol::Threads, Protocol::Rooms];

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
        protocols: &[Protocol::Threads],
        needs_process: false,
        after: &[ONE_LINE],
        run,
    }
}

const fn console(
    name: &'static str,
    rule: &'static str,
    misconceptions: &'static [&'static str],
    run: fn(&mut Context) -> Outcome,
) -> Check {
    Check { needs_process: true, ..check(name, rule, misconceptions, run) }
}

pub static CHECKS: &[Check] = &[
    Check {
        protocols: WITH_NICK,
        ..console("the-console-says-who-connected", "S4.1", &[], console_connected)
    },
    Check {
        protocols: WITH_NICK,
        ..check("a-refused-name-is-asked-for-again", "S4.2", &[], asked_again)
    },
    check("who-has-no-name-hears-nothing", "S4.2", &[], nameless_hears_nothing),
    check("a-welcome-says-who-is-here", "S4.3", &[], welcome),
    check("a-welcome-never-exceeds-8192-bytes", "S4.3", &[], long_welcome),
    check("the-others-are-told-who-joined", "S4.3", &[], joined),
    check("a-message-never-comes-back-to-its-sender", "S4.4", &["echo-to-sender"], no_echo),
    Check {
        after: &[ONE_LINE, "a-message-never-comes-back-to-its-sender"],
        ..check(
            "a-message-goes-to-all-others",
            "S4.4",
            &["broadcast-stops-at-the-first-error"],
            all_others,
        )
    },
    console(
        "the-console-shows-each-message",
        "S4.4",
        &["relays-terminal-escapes"],
        console_message,
    ),
    Check {
        after: &[ONE_LINE, EXIT_ENDS],
        ..check(
            "every-way-of-leaving-is-announced-once",
            "S4.5",
            &["leave-not-announced", "ghost-user"],
            left,
        )
    },
    check(
        "the-one-who-left-is-the-one-who-is-said-to",
        "S4.5",
        &["parallel-lists-drift"],
        who_left,
    ),
    check(
        "who-gave-no-name-leaves-in-silence",
        "S4.5",
        &["leave-not-announced"],
        leaves_in_silence,
    ),
    check(
        "nobody-is-left-out-after-a-departure",
        "L12",
        &["broadcast-stops-at-the-first-error"],
        after_a_departure,
    ),
];

fn console_connected(ctx: &mut Context) -> Outcome {
    let bob = ctx.connects("bob")?;
    let expected = format!("{} connected", bob.peer.address()?);
    ctx.console_shows(&expected)
}

fn asked_again(ctx: &mut Context) -> Outcome {
    let mut dan = ctx.connects("dan")?;
    let too_long = "x".repeat(3000);
    for (rule, bad) in
        [("S4.2", "not a name".as_bytes()), ("L4", b"x\xff"), ("L3", too_long.as_bytes())]
    {
        if !ctx.judges(rule) {
            continue;
        }
        dan.send(&[bad, b"\n"].concat())?;
        dan.hears_error().because(format!("`{}` is no name", brief(bad)))?;
        dan.hears_line("NICK").because("after a refused name the server asks again")?;
    }
    ctx.registers(&mut dan)
}

fn nameless_hears_nothing(ctx: &mut Context) -> Outcome {
    let mut silent = ctx.connects("silent")?;
    let (mut alice, mut bob) = ctx.two()?;
    alice.says(&bob.name, "hello")?;
    bob.hears(&alice.name, "hello")?;
    if ctx.judges("S4.5") {
        let left = format!("* {} left", alice.name);
        alice.leaves();
        bob.hears_notice(&format!("`{left}`"), |line| line == left)?;
    }
    silent.line(&silent.name.clone())?;
    let first = silent.next_of_any_kind(&mut silent.new_patience());
    match first {
        Heard::Line(line) if line.starts_with(&format!("* welcome {}", silent.name)) => Ok(()),
        Heard::Line(line) => Err(wrong("a client without a name received something")
            .expected(format!("* welcome {}: ...", silent.name))
            .got(line)),
        other => Err(wrong("no welcome").got(other.in_words()).after(silent.peer.over)),
    }
}

fn welcome(ctx: &mut Context) -> Outcome {
    let (mut alice, bob) = ctx.two()?;
    if ctx.judges("S4.5") {
        let zoe = ctx.joins("zoe")?;
        let left = format!("* {} left", zoe.name);
        zoe.leaves();
        alice.hears_notice(&format!("`{left}`"), |line| line == left)?;
    }
    let mut carol = ctx.connects("carol")?;
    carol.line(&carol.name.clone())?;
    let start = format!("* welcome {}", carol.name);
    let line = carol.hears_notice("the welcome", |line| line.starts_with(&start))?;
    let mut names = [alice.name.as_str(), bob.name.as_str(), carol.name.as_str()];
    names.sort_unstable();
    let expected = format!("{start}: 3 here ({})", names.join(", "));
    let mut got: Vec<_> = line
        .strip_prefix(&format!("{start}: 3 here ("))
        .and_then(|rest| rest.strip_suffix(')'))
        .map(|names| names.split(", ").collect())
        .unwrap_or_default();
    got.sort_unstable(); // the order is the server's choice
    if got != names && ctx.target.has_process() {
        return Err(
            wrong("the welcome must say who is here").differs(expected.as_bytes(), line.as_bytes())
        );
    }
    Ok(())
}

fn long_welcome(ctx: &mut Context) -> Outcome {
    let mut crowd = Vec::new();
    ctx.step(format!("{MANY} clients with long names join"));
    for number in 0..MANY {
        let mut person = ctx.quietly(|ctx| ctx.connects("x"))?;
        person.name = format!("somebody-very-{number:06}");
        ctx.quietly(|ctx| ctx.registers(&mut person))?;
        crowd.push(person);
    }
    let mut bob = ctx.connects("bob")?;
    bob.line(&bob.name.clone())?;
    let start = format!("* welcome {}: {} here (", bob.name, MANY + 1);
    let line = bob.hears_notice("the welcome", |line| line.starts_with("* welcome "))?;
    let named = line.matches("somebody-very-").count() + usize::from(line.contains(", bob"));
    let more =
        line.rsplit_once(", and ").and_then(|(_, rest)| rest.strip_suffix(" more)")?.parse().ok());
    if line.len() + 1 > SERVER_LINE_BYTES_MAX {
        return Err(wrong(format!("the welcome has {} bytes", line.len() + 1))
            .expected(format!("at most {SERVER_LINE_BYTES_MAX} bytes"))
            .got(brief(line.as_bytes())));
    }
    let complete = more.is_some_and(|more: usize| (MANY..=MANY + 1).contains(&(named + more)));
    if ctx.target.has_process() && !(line.starts_with(&start) && complete) {
        return Err(wrong("the welcome must say how many more are here")
            .expected(format!("{start}..., and K more)"))
            .got(brief(line.as_bytes())));
    }
    Ok(())
}

fn joined(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let alice = ctx.joins("alice")?;
    let expected = format!("* {} joined", alice.name);
    bob.hears_notice(&format!("`{expected}`"), |line| line == expected)
        .because("the others must be told who joined")?;
    Ok(())
}

fn all_others(ctx: &mut Context) -> Outcome {
    let mut people = Vec::new();
    for name in ["ann", "bob", "cyd", "dan", "eve"] {
        people.push(ctx.joins(name)?);
    }
    for speaker in 0..people.len() {
        let (name, text) = (people[speaker].name.clone(), format!("hello from {speaker}"));
        people[speaker].says("all", &text)?;
        for (_, listener) in people.iter_mut().enumerate().filter(|(at, _)| *at != speaker) {
            listener.hears(&name, &text).means(
                "broadcast-stops-at-the-first-error",
                "a message must reach all others, not some of them",
            )?;
        }
    }
    Ok(())
}

fn no_echo(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let text = "can you hear me";
    alice.says(&bob.name, text)?;
    bob.hears(&alice.name, text)?;
    bob.says(&alice.name, "loud and clear")?;
    // Her own message, if it came back, would be there before this answer.
    let answered = alice.hears(&bob.name, "loud and clear");
    let received = String::from_utf8_lossy(&alice.peer.received);
    match received.lines().find(|line| line.contains(text)) {
        Some(line) => Err(fail("echo-to-sender", "the sender received its own message")
            .expected(ctx.protocol.heard(&bob.name, "loud and clear"))
            .got(line)),
        None => answered,
    }
}

fn console_message(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let address = alice.peer.address()?;
    alice.says(&bob.name, "hello")?;
    bob.hears(&alice.name, "hello")?;
    ctx.console_shows(&format!("[{}]:{} => hello", address.ip(), address.port()))?;
    if !ctx.judges("L5") {
        return Ok(());
    }
    alice.says(&bob.name, "a\u{1b}[2Jb\u{9b}c")?;
    bob.next();
    ctx.console_shows(&format!("[{}]:{} => a\u{fffd}[2Jb\u{fffd}c", address.ip(), address.port()))
        .means("relays-terminal-escapes", "control characters must not reach the console")
}

fn left(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    for (way, leave) in ways(ctx) {
        let zoe = ctx.joins("zoe").means("ghost-user", "the name zoe was not free again")?;
        let expected = format!("* {} left", zoe.name);
        leave(zoe)?;
        bob.hears_notice(&format!("`{expected}`"), |line| line == expected)
            .means("leave-not-announced", format!("the others must be told after {way}"))?;
        hears_no_notice(ctx, &mut alice, &mut bob, &expected)
            .means("leave-not-announced", format!("the others must be told once after {way}"))?;
    }
    Ok(())
}

/// Until a marker from `alice` comes, `bob` must not receive the line `unwanted`.
fn hears_no_notice(
    ctx: &mut Context,
    alice: &mut Person,
    bob: &mut Person,
    unwanted: &str,
) -> Outcome {
    let marker = format!("marker-{}", ctx.random.u32(..));
    alice.says(&bob.name, &marker)?;
    let expected = ctx.protocol.heard(&alice.name, &marker);
    let mut patience = bob.new_patience();
    loop {
        match bob.next_of_any_kind(&mut patience) {
            Heard::Line(line) if line == unwanted => {
                return Err(wrong("it was told too often").expected(expected).got(line));
            }
            Heard::Line(line) if line == expected => return Ok(()),
            Heard::Line(_) => {}
            other => {
                return Err(wrong("the marker did not come")
                    .got(other.in_words())
                    .after(bob.peer.over));
            }
        }
    }
}

fn who_left(ctx: &mut Context) -> Outcome {
    let mut ann = ctx.joins("ann")?;
    let mut gone = Vec::new();
    // Those in the middle leave first: two lists that are kept side by side drift then.
    let (bob, cyd, dan) = (ctx.joins("bob")?, ctx.joins("cyd")?, ctx.joins("dan")?);
    for (person, by_reset) in [(cyd, true), (bob, false), (dan, true)] {
        let name = person.name.clone();
        if by_reset {
            person.resets()
        } else {
            person.leaves()
        }
        let line = ann
            .hears_notice("who left", |line| line.starts_with("* ") && line.ends_with(" left"))
            .means("leave-not-announced", "the others must be told who left")?;
        gone.push(name.clone());
        if line != format!("* {name} left") {
            let another = ["ann", "bob", "cyd", "dan"].map(|other| ctx.name(other));
            let named = another.iter().any(|other| line == format!("* {other} left"));
            let what = "somebody else is said to have left";
            let trouble = if named { fail("parallel-lists-drift", what) } else { wrong(what) };
            return Err(trouble.differs(format!("* {name} left").as_bytes(), line.as_bytes()));
        }
    }
    let mut zoe = ctx.joins("zoe")?;
    zoe.says(&ann.name, "who is here?")?;
    ann.hears(&zoe.name, "who is here?")
        .means_if_got(
            ": who is here?",
            "parallel-lists-drift",
            "after departures a message has the wrong sender",
        )
        .because("after departures a newcomer must be heard")
}

fn leaves_in_silence(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    for way in ["a close", "a reset"] {
        let silent = ctx.connects("silent")?;
        ctx.step(format!("who has no name leaves by {way}"));
        if way == "a close" {
            silent.leaves()
        } else {
            silent.resets()
        }
        // A connection made later and served in full: the server has gone on reading.
        drop(ctx.joins("zoe").means(
            "rude-client-kills-server",
            format!("who leaves by {way} before giving a name must harm nobody"),
        )?);
        let zoe_left = format!("* {} left", ctx.name("zoe"));
        let notice = bob.hears_notice("a departure", |line| line.ends_with(" left"))?;
        if notice != zoe_left {
            return Err(fail(
                "leave-not-announced",
                "nobody may be told of somebody who gave no name",
            )
            .differs(zoe_left.as_bytes(), notice.as_bytes()));
        }
        ctx.nothing_before_a_marker(&mut alice, &mut bob)?;
    }
    Ok(())
}

fn after_a_departure(ctx: &mut Context) -> Outcome {
    let mut people = Vec::new();
    for name in ["ann", "bob", "cyd", "dan", "eve", "fay", "gus"] {
        people.push(ctx.joins(name)?);
    }
    let mut round = 0;
    while people.len() > 2 {
        let leaver = people.remove(1);
        round += 1;
        if round % 2 == 0 {
            leaver.leaves()
        } else {
            leaver.resets()
        }
        // At once: the server finds out while it writes to all.
        let (name, text) = (people[0].name.clone(), format!("round {round}"));
        people[0].says("all", &text)?;
        for listener in &mut people[1..] {
            listener.hears(&name, &text).means(
                "broadcast-stops-at-the-first-error",
                "everybody who is still there must hear a message, whoever has just left",
            )?;
        }
    }
    Ok(())
}
