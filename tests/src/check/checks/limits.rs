//! How much of everything there may be: rule S5.9. The server gets small limits by its flags.

use super::basics::ONE_LINE;
use super::flood::{Scene, begins_to_read, more_than_can_wait};
use super::slow::closed_at_the_bound;
use super::talk::own_server;
use crate::check::outcome::{fail, wrong};
use crate::check::person::Heard;
use crate::check::{Check, Context, Label, Outcome, Person, Protocol, Trouble};
use crate::patience::Patience;
use crate::peer::End;
use std::time::{Duration, Instant};

pub static CHECKS: &[Check] = &[
    own_server("max-clients-is-kept", "S5.9", &["ghost-user"], max_clients),
    own_server("clients-per-address-is-kept", "S5.9", &["ghost-user"], per_address),
    own_server("max-rooms-is-kept", "S5.9", &["room-outlives-itself"], max_rooms),
    own_server("rooms-per-client-is-kept", "S5.9", &[], rooms_per_client),
    own_server("bans-per-room-is-kept", "S5.9", &[], bans_per_room),
    own_server("topic-bytes-is-kept", "S5.9", &[], topic_bytes),
    own_server(
        "seconds-to-register-is-one-deadline",
        "S5.9",
        &["handshake-blocks-accept"],
        seconds_to_register,
    ),
    Check {
        rule: "S4.6",
        chapter: "stage4.md",
        protocols: &[Protocol::Threads],
        after: &[ONE_LINE],
        ..own_server(
            "a-newcomer-has-so-long-for-a-name",
            "S4.6",
            &["handshake-blocks-accept"],
            seconds_to_register,
        )
    },
    own_server("bytes-owed-is-kept", "S5.9", &["unbounded-queue"], bytes_owed),
    own_server("zero-is-no-limit", "S5.9", &[], no_limit),
];

/// The limit that the checks of the number of clients set.
const CLIENTS: usize = 3;

fn max_clients(ctx: &mut Context) -> Outcome {
    clients_are_counted(ctx, "--max-clients")
}

fn per_address(ctx: &mut Context) -> Outcome {
    clients_are_counted(ctx, "--clients-per-address")
}

fn clients_are_counted(ctx: &mut Context, flag: &str) -> Outcome {
    ctx.start_with_flags(&[flag, &CLIENTS.to_string()])?;
    let mut inside = vec![ctx.joins("ann")?, ctx.joins("bob")?];
    let silent = ctx.connects("silent")?; // it counts as well
    for _ in 0..2 * CLIENTS {
        is_refused(ctx)?; // and counts for nothing
    }
    let (mut ann, mut bob) = (inside.remove(0), inside.remove(0));
    ctx.is_heard_in("#lobby", &mut ann, &mut bob).because("those who are in are not disturbed")?;
    drop(silent);
    let mut carol = comes_in_time(ctx, "carol")?;
    ctx.is_heard_in("#lobby", &mut carol, &mut bob)?;
    is_refused(ctx)?;
    ann.resets();
    let _dan = comes_in_time(ctx, "dan")?;
    is_refused(ctx)
}

fn is_refused(ctx: &mut Context) -> Outcome {
    let mut extra = ctx.dials("extra")?;
    let error = extra.hears_error().because("one more than the limit must be refused")?;
    match extra.peer.read_to_end(ctx.patience) {
        Some(End::Closed) => Ok(()),
        other => Err(wrong("a refused connection must be closed in order")
            .expected(format!("{error}, then end of stream"))
            .got(format!("{other:?}"))
            .after(extra.peer.over)),
    }
}

/// The server may need a moment to notice that somebody has left.
fn comes_in_time(ctx: &mut Context, name: &str) -> Outcome<Person> {
    let mut patience = ctx.new_patience();
    ctx.step(format!("{name} connects until there is room"));
    loop {
        let mut person = ctx.quietly(|ctx| ctx.dials(name))?;
        match person.next() {
            Heard::Line(line) if line == "NICK" => {
                ctx.registers(&mut person)?;
                return Ok(person);
            }
            _ if !patience.pause() => {
                let message = "the place of somebody who has left is not free again";
                return Err(fail("ghost-user", message).after(patience.over()));
            }
            _ => {}
        }
    }
}

fn max_rooms(ctx: &mut Context) -> Outcome {
    ctx.start_with_flags(&["--max-rooms", "2"])?;
    let (mut alice, mut bob) = ctx.two()?;
    ctx.may(&mut alice, "/join #one")?;
    ctx.may(&mut alice, "/join #two").because("#lobby does not count")?;
    named(ctx, &mut bob, "/join #three")?;
    ctx.may(&mut bob, "/join #two").because("a room that is there may be entered")?;
    ctx.may(&mut alice, "/leave #one")?;
    ctx.may(&mut bob, "/join #three")
        .means("room-outlives-itself", "a room that everybody has left does not count")?;
    ctx.is_heard_in("#three", &mut alice, &mut bob)
        .map_or(Ok(()), |()| Err(fail("leaks-across-rooms", "alice is not in #three")))
}

/// An error must come, which is more than a `!`: it names what was reached.
fn named(ctx: &mut Context, person: &mut Person, line: &str) -> Outcome {
    let error = ctx.may_not(person, line)?;
    if error.trim_start_matches("! ").trim().is_empty() {
        return Err(wrong("an error must name the limit that was reached").got(error));
    }
    Ok(())
}

fn rooms_per_client(ctx: &mut Context) -> Outcome {
    ctx.start_with_flags(&["--rooms-per-client", "2"])?;
    let (mut alice, mut bob) = ctx.two()?;
    ctx.may(&mut alice, "/join #one")?;
    ctx.may(&mut alice, "/join #two").because("#lobby does not count")?;
    for number in 3..500 {
        alice.send_silently(format!("/join #room-{number}\n").as_bytes())?;
        if number % 50 == 0 {
            ctx.catches_up(&mut alice)?;
        }
    }
    named(ctx, &mut alice, "/join #room-500")?;
    let rooms = ctx.may(&mut bob, "/rooms")?;
    rooms.never_say("#room-").because("a room that was refused must not be made")?;
    ctx.may(&mut bob, "/join #one").because("the limit of one is not the limit of another")?;
    ctx.may(&mut alice, "/join #one").because("returning to a room is not joining")?;
    ctx.is_heard_in("#one", &mut alice, &mut bob)?;
    ctx.may(&mut alice, "/leave #lobby")?;
    named(ctx, &mut alice, "/join #three")?;
    ctx.may(&mut alice, "/leave #two")?;
    ctx.may(&mut alice, "/join #three").because("a room that was left does not count")?;
    ctx.may(&mut alice, "/join #lobby").because("#lobby does not count").map(drop)
}

fn bans_per_room(ctx: &mut Context) -> Outcome {
    ctx.start_with_flags(&["--bans-per-room", "3"])?;
    let den = ctx.room("den");
    let [mut alice] = ctx.gather(&den, ["alice"])?;
    for line in ["/ban one", "/ban two", "/ban 192.0.2.7"] {
        ctx.may(&mut alice, line)?;
    }
    for line in ["/ban three", "/ban 192.0.2.8"] {
        named(ctx, &mut alice, line)?;
    }
    let bans = ctx.may(&mut alice, "/bans")?;
    bans.never_say("three").because("a refused ban is none")?;
    ctx.joins_room("three", &den).because("a refused ban is none")?;
    ctx.may(&mut alice, "/unban one")?;
    ctx.may(&mut alice, "/ban four").because("a ban that has ended does not count").map(drop)
}

fn topic_bytes(ctx: &mut Context) -> Outcome {
    ctx.start_with_flags(&["--topic-bytes", "10"])?;
    let den = ctx.room("den");
    let [mut alice] = ctx.gather(&den, ["alice"])?;
    for topic in ["0123456789", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}"] {
        ctx.may(&mut alice, &format!("/topic {topic}")).because("the topic has 10 bytes")?;
    }
    for topic in ["0123456789x", "\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}x", &"x".repeat(1000)] {
        named(ctx, &mut alice, &format!("/topic {topic}"))?;
    }
    let shown = ctx.may(&mut alice, "/topic")?;
    if !shown.answer("\u{e9}\u{e9}\u{e9}\u{e9}\u{e9}") || shown.answer("x\u{e9}") {
        return Err(wrong("a refused topic changes nothing").got(shown.lines.join("\n")));
    }
    Ok(())
}

/// Seconds. Whoever does not get a name within that on a slow machine proves nothing.
const DEADLINE: &str = "3";
const DEADLINE_TIME: Duration = Duration::from_secs(3);

fn seconds_to_register(ctx: &mut Context) -> Outcome {
    ctx.start_with_flags(&["--seconds-to-register", DEADLINE])?;
    let began = Instant::now();
    let in_time = |trouble: Trouble| trouble.before(began, DEADLINE_TIME);
    let (mut alice, mut bob) = ctx.two().map_err(in_time)?;
    let mut silent = ctx.connects("silent")?;
    let mut bad = ctx.connects("bad")?;
    let mut dribble = ctx.connects("dribble")?;
    let too_long = "they have no name for too long: the deadline is one for all they do";
    // Each of them is busy, or not, until the server has had enough.
    let mut patience = Patience::new(ctx.worker(), ctx.patience * 5);
    let all = [&mut silent, &mut bad, &mut dribble];
    ctx.step("silent says nothing, bad gives bad names, dribble sends byte after byte");
    let [silent, bad, dribble] = all;
    while silent.peer.end.is_none() || bad.peer.end.is_none() || dribble.peer.end.is_none() {
        let _ = bad.peer.send(b"not a name\n"); // it may have ended
        let _ = dribble.peer.send(b"x");
        for person in [&mut *silent, &mut *bad, &mut *dribble] {
            person.peer.receive_until(Instant::now());
        }
        if !patience.pause() {
            let open: Vec<_> = [&silent, &bad, &dribble]
                .iter()
                .filter(|person| person.peer.end.is_none())
                .map(|person| person.name.clone())
                .collect();
            return Err(wrong(too_long)
                .expected(format!("end of stream {DEADLINE} s after connecting"))
                .got(format!("still open: {}", open.join(", ")))
                .after(patience.over()));
        }
    }
    alice.says(&bob.name, "still here")?;
    bob.hears(&alice.name, "still here").because("who has a name has no deadline")?;
    let began = Instant::now();
    let in_time = |trouble: Trouble| trouble.before(began, DEADLINE_TIME);
    let carol = ctx.joins("carol").map_err(in_time);
    carol.means("handshake-blocks-accept", "newcomers are still served").map(drop)?;
    Ok(())
}

/// Bytes: more than a flood's round, which may be owed to somebody who reads, and no more than a
/// server owes by itself; and far more than that.
const FEW_OWED: &str = "400000";
const MANY_OWED: &str = "100000000";

fn bytes_owed(ctx: &mut Context) -> Outcome {
    ctx.start_with_flags(&["--bytes-owed", FEW_OWED, "--lines-per-second", "0"])?;
    closed_at_the_bound(ctx)?;
    ctx.start_with_flags(&["--bytes-owed", MANY_OWED, "--lines-per-second", "0"])?;
    let mut scene = Scene::new(ctx)?;
    let flood = scene.flood(ctx, more_than_can_wait())?;
    begins_to_read(&scene.slow);
    scene.slow.peer.receive_up_to(flood.taken, ctx.patience);
    let got = scene.slow.peer.received.len();
    if flood.held_back.is_none() && got >= flood.taken {
        return Ok(());
    }
    Err(wrong("one who reads late was closed, or its sender held back, before the limit")
        .expected(format!("all of {} bytes, as {MANY_OWED} may be owed", flood.taken))
        .got(format!("{got} bytes"))
        .after(scene.slow.peer.over))
}

fn no_limit(ctx: &mut Context) -> Outcome {
    let flags = [
        "--max-clients",
        "--clients-per-address",
        "--max-rooms",
        "--rooms-per-client",
        "--bans-per-room",
        "--topic-bytes",
        "--lines-per-second",
        "--seconds-to-register",
        "--bytes-owed",
    ];
    let flags: Vec<&str> = flags.iter().flat_map(|flag| [*flag, "0"]).collect();
    ctx.start_with_flags(&flags)?;
    let mut alice = ctx.joins("alice")?;
    let none = "0 is no limit";
    ctx.quietly(|ctx| {
        for number in 0..30 {
            ctx.may(&mut alice, &format!("/join #room-{number}"))?;
        }
        for number in 0..120 {
            ctx.may(&mut alice, &format!("/ban somebody-{number}"))?;
        }
        Ok(())
    })
    .because(none)?;
    ctx.may(&mut alice, &format!("/topic {}", "x".repeat(1500))).because(none)?;
    let _bob = ctx.joins("bob").because(none)?;
    Ok(())
}
