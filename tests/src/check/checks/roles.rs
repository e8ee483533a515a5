//! Who decides in a room: rule S5.6.

use super::talk::{check, is_of};
use crate::check::outcome::fail;
use crate::check::{Check, Context, Label, Outcome, Person};

const ROLE: &[&str] = &["role-not-checked"];
const OUTLIVES: &[&str] = &["room-outlives-itself"];

pub static CHECKS: &[Check] = &[
    check("who-founds-a-room-is-its-operator", "S5.6", ROLE, founder),
    check("operators-alone-may-do-what-operators-do", "S5.6", ROLE, operators_alone),
    check("the-lobby-has-no-operator", "S5.6", ROLE, lobby),
    check(
        "the-right-is-given-and-taken",
        "S5.6",
        &["role-not-checked", "room-outlives-itself"],
        op_and_deop,
    ),
    check("the-one-who-is-alone-stays-operator", "S5.6", OUTLIVES, alone),
    check(
        "the-member-who-is-there-longest-follows-the-last-operator",
        "S5.6",
        &["role-not-checked", "room-outlives-itself"],
        successor,
    ),
    check("an-empty-room-is-forgotten", "S5.6", OUTLIVES, forgotten),
    check(
        "what-people-give-as-a-reason-or-topic-is-harmless",
        "L5",
        &["relays-terminal-escapes", "newline-in-name"],
        harmless,
    ),
];

fn founder(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice, mut bob] = ctx.gather(&den, ["alice", "bob"])?;
    let why = "who enters an empty room becomes its operator";
    ctx.must_be_operator(&mut alice, why)?;
    ctx.must_not_be_operator(&mut bob, "who enters later is no operator")?;
    ctx.may(&mut alice, "/topic tea at five").because(why)?;
    ctx.hears_of(&mut alice, &mut bob)?.have_one("the topic in a notice", |line| {
        is_of(line, &den) && line.contains("tea at five")
    })?;
    let shown = ctx.may(&mut bob, "/topic")?;
    shown
        .have_one("the topic in a `* ` line", |line| {
            line.starts_with("* ") && line.contains("tea at five")
        })
        .map(drop)
}

fn operators_alone(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice, mut bob, mut carol] = ctx.gather(&den, ["alice", "bob", "carol"])?;
    ctx.may(&mut alice, "/topic tea at five")?;
    ctx.may(&mut alice, "/ban mallory")?;
    let own = bob.name.clone();
    let member = carol.name.clone();
    ctx.may(&mut alice, &format!("/mute {member}"))?;
    for line in [
        format!("/kick {member} go"),
        format!("/ban {member}"),
        "/ban 127.0.0.1".to_string(),
        "/unban mallory".to_string(),
        "/bans".to_string(),
        format!("/op {own}"),
        format!("/deop {}", alice.name),
        format!("/mute {}", alice.name),
        format!("/unmute {member}"),
        "/key sesame".to_string(),
        "/limit 1".to_string(),
        "/topic coffee at six".to_string(),
    ] {
        ctx.may_not(&mut bob, &line)
            .means("role-not-checked", "somebody without the right may do it")?;
    }
    let heard = ctx.hears_of(&mut bob, &mut alice)?;
    heard.lack_room(&den).means("role-not-checked", "the room heard of what was refused")?;
    let changed = "what was refused has changed the room";
    ctx.may_not(&mut carol, "am I still muted?").means("role-not-checked", changed)?;
    ctx.may(&mut alice, &format!("/unmute {member}"))?;
    ctx.is_heard_in(&den, &mut carol, &mut alice).means("role-not-checked", changed)?;
    ctx.must_be_operator(&mut alice, changed)?;
    ctx.must_not_be_operator(&mut bob, changed)?;
    ctx.joins_room("dan", &den).means("role-not-checked", changed)?;
    let topic = ctx.may(&mut bob, "/topic")?;
    topic.never_say("coffee").means("role-not-checked", changed)?;
    let bans = ctx.may(&mut alice, "/bans")?;
    bans.have_one("mallory in the list of bans", |line| line.contains("mallory"))
        .means("role-not-checked", changed)?;
    Ok(())
}

/// Nor has it one when it was empty for a while.
fn lobby(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.joins("alice")?;
    for _ in 0..2 {
        let own = alice.name.clone();
        for line in [
            "/bans".to_string(),
            format!("/op {own}"),
            format!("/kick {own}"),
            "/topic mine".to_string(),
            "/key mine".to_string(),
        ] {
            ctx.may_not(&mut alice, &line).means("role-not-checked", "#lobby has no operator")?;
        }
        ctx.may(&mut alice, "/leave #lobby")?;
        ctx.may(&mut alice, "/join #lobby").because("#lobby is never forgotten")?;
    }
    Ok(())
}

fn op_and_deop(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice, mut bob, mut carol] = ctx.gather(&den, ["alice", "bob", "carol"])?;
    ctx.may(&mut alice, &format!("/op {}", bob.name))?;
    let notice = format!("[{den}] * {} is now an operator", bob.name);
    for member in [&mut bob, &mut carol] {
        ctx.hears_of(&mut alice, member)?.have(&notice).because("all members are told")?;
    }
    ctx.must_be_operator(&mut bob, "`/op` gives the right")?;
    ctx.must_not_be_operator(&mut carol, "nobody gave carol the right")?;
    ctx.may(&mut bob, &format!("/deop {}", alice.name)).because("operators are equal")?;
    ctx.must_not_be_operator(&mut alice, "`/deop` takes the right")?;
    ctx.may_not(&mut bob, "/op nobody-there").map(drop)?;
    // The last one who gives it up passes it to the other who has been there longest.
    let give_up = format!("/deop {}", bob.name);
    ctx.may(&mut bob, &give_up)?;
    ctx.must_not_be_operator(&mut bob, "who gives the right up has it no more")?;
    ctx.must_be_operator(&mut alice, "the other member who is there longest follows")
        .means("room-outlives-itself", "the room has no operator")?;
    // Whatever `/op` says of somebody who is not in the room: the room must not be left without.
    let outsider = ctx.joins("outsider")?;
    ctx.tries(&mut alice, &format!("/op {}", outsider.name))?;
    ctx.may(&mut alice, "/leave")?;
    ctx.must_be_operator(&mut bob, "who is not in the room cannot be its operator")
        .means("room-outlives-itself", "the room has no operator")
}

fn alone(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice] = ctx.gather(&den, ["alice"])?;
    let give_up = format!("/deop {}", alice.name);
    ctx.tries(&mut alice, &give_up)?;
    ctx.must_be_operator(&mut alice, "who is alone stays operator")
        .means("room-outlives-itself", "a room without an operator is left")?;
    let mut bob = ctx.joins_room("bob", &den)?;
    ctx.must_not_be_operator(&mut bob, "who enters later is no operator")
}

/// Gives back who is still connected.
type Leave = fn(&mut Context, Person) -> Outcome<Option<Person>>;

const WAYS: &[(&str, Leave)] = &[
    ("/leave", |ctx, mut person| {
        ctx.may(&mut person, "/leave")?;
        Ok(Some(person))
    }),
    ("a close", |_, person| {
        person.leaves();
        Ok(None)
    }),
    ("a reset", |_, person| {
        person.resets();
        Ok(None)
    }),
];

fn successor(ctx: &mut Context) -> Outcome {
    for (way, leave) in WAYS {
        let den = ctx.room("den");
        let [alice, mut bob, mut carol] = ctx.gather(&den, ["alice", "bob", "carol"])?;
        // Returning to a room is not joining: bob is there longer all the same.
        ctx.may(&mut bob, "/join #lobby")?;
        ctx.may(&mut bob, &format!("/join {den}"))?;
        let name = alice.name.clone();
        ctx.step(format!("{name}, the operator, leaves by {way}"));
        let mut gone = leave(ctx, alice)?;
        let notice = format!("[{den}] * {} is now an operator", bob.name);
        for member in [&mut carol, &mut bob] {
            member.hears_notice(&format!("`{notice}`"), |line| line == notice).means(
                "room-outlives-itself",
                format!("after {way} of the last operator the room has none"),
            )?;
        }
        ctx.must_be_operator(&mut bob, "the member who is there longest follows")?;
        ctx.must_not_be_operator(&mut carol, "carol came after bob")?;
        if let Some(alice) = &mut gone {
            ctx.may(alice, &format!("/join {den}"))?;
            ctx.must_not_be_operator(alice, "who has left has lost the right")?;
        }
        for person in [bob, carol].into_iter().chain(gone) {
            person.quits()?;
        }
    }
    Ok(())
}

fn forgotten(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let mut witness = ctx.joins("witness")?;
    for (way, leave) in WAYS {
        let [mut alice, bob] = ctx.gather(&den, ["alice", "bob"])?;
        for line in [
            "/topic tea at five",
            "/limit 2",
            "/ban mallory",
            &format!("/mute {}", bob.name),
            "/key sesame",
        ] {
            ctx.may(&mut alice, line)?;
        }
        let names = [alice.name.clone(), bob.name.clone()];
        let (bob, alice) = (leave(ctx, bob)?, leave(ctx, alice)?);
        for name in names {
            if bob.is_none() {
                is_gone(ctx, &name, &mut witness)?;
            }
        }
        let rooms = ctx.may(&mut witness, "/rooms")?;
        let kept = format!("after {way} of all members the room keeps something");
        rooms.never_say(&den).means("room-outlives-itself", "an empty room is still listed")?;
        let bob = match bob {
            Some(bob) => bob,
            None => ctx.joins("bob")?,
        };
        new_room(ctx, &den, bob).means("room-outlives-itself", kept)?;
        alice.map_or(Ok(()), Person::quits)?;
    }
    Ok(())
}

/// `bob` enters the empty `room`: nothing of what it was before may be left.
fn new_room(ctx: &mut Context, room: &str, mut bob: Person) -> Outcome {
    ctx.may(&mut bob, &format!("/join {room}"))?;
    ctx.must_be_operator(&mut bob, "who enters an empty room is its operator")?;
    ctx.may(&mut bob, "/topic")?.never_say("tea")?;
    ctx.may(&mut bob, "/bans")?.never_say("mallory")?;
    let [carol, mut dan] = [ctx.joins_room("carol", room)?, ctx.joins_room("dan", room)?];
    ctx.is_heard_in(room, &mut bob, &mut dan)?;
    [bob, carol, dan].into_iter().try_for_each(Person::quits)
}

fn is_gone(ctx: &mut Context, name: &str, asker: &mut Person) -> Outcome {
    let mut patience = ctx.new_patience();
    ctx.step(format!("{} asks until {name} is gone", asker.name));
    let line = format!("/msg {name} gone?\n");
    loop {
        asker.send_silently(line.as_bytes())?;
        if ctx.catches_up(asker)?.error().is_some() {
            return Ok(());
        }
        if !patience.pause() {
            let message = format!("{name} has left, and is still known");
            return Err(fail("ghost-user", message).after(patience.over()));
        }
    }
}

fn harmless(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice, mut bob, carol] = ctx.gather(&den, ["alice", "bob", "carol"])?;
    let (bad, good) = ("a\u{1b}[2J\rb\u{202e}c", "a\u{fffd}[2J\u{fffd}b\u{fffd}c");
    let means = "control characters must be replaced by U+FFFD";
    for line in [
        format!("/me {bad}"),
        format!("/topic {bad}"),
        format!("/msg {} {bad}", bob.name),
        format!("/kick {} {bad}", carol.name),
        format!("/quit {bad}"),
    ] {
        alice.line(&line)?;
        if !line.starts_with("/quit") {
            ctx.hears_of(&mut alice, &mut bob)?
                .have_one(good, |line| line.contains(good))
                .means("relays-terminal-escapes", means)?;
            continue;
        }
        bob.hears_notice(&format!("`{good}`"), |line| line.contains(good))
            .means("relays-terminal-escapes", means)?;
    }
    let lines = ctx.tries(&mut bob, &format!("/{bad} x"))?;
    lines
        .lack_all("a control character", |line| line.contains(['\u{1b}', '\u{202e}']))
        .means("relays-terminal-escapes", "an error repeats what was typed: harmless")?;
    ctx.may(&mut bob, "/topic")?
        .have_one(good, |line| line.contains(good))
        .means("relays-terminal-escapes", means)
        .map(drop)
}
