//! Commands that everybody may use: rule S5.5.

use super::talk::{check, is_said_in};
use crate::check::outcome::{fail, wrong};
use crate::check::{Check, Context, Label, Outcome};

const LEAKS: &[&str] = &["leaks-across-rooms"];
const SILENT: &[&str] = &["silent-error"];

pub static CHECKS: &[Check] = &[
    check("joining-and-returning-make-a-room-the-current-one", "S5.5", LEAKS, current),
    check("who-loses-its-room-is-in-the-one-joined-last", "S5.5", LEAKS, next_current),
    check("rooms-and-members-are-listed", "S5.5", &[], lists),
    check(
        "a-new-name-holds-at-once-and-frees-the-old",
        "S5.5",
        &["old-name-still-routes", "ghost-user"],
        nick,
    ),
    check(
        "a-bad-or-taken-new-name-is-refused",
        "S5.5",
        &["name-taken-over", "unaddressable-name", "case-splits-names"],
        bad_nick,
    ),
    check("me-tells-what-one-does", "S5.5", LEAKS, me),
    check("help-lists-the-commands", "S5.5", SILENT, help),
    check("who-quits-is-gone-and-says-why", "S5.5", &["ignores-eof", "leave-not-announced"], quit),
    check("commands-are-known-in-any-case", "S5.5", &[], any_case),
    check("an-unknown-command-is-answered-with-the-nearest", "S5.5", SILENT, unknown),
];

fn current(ctx: &mut Context) -> Outcome {
    let (den, attic) = (ctx.room("den"), ctx.room("attic"));
    let [mut bob] = ctx.gather(&den, ["bob"])?;
    ctx.may(&mut bob, &format!("/join {attic}"))?;
    let mut alice = ctx.joins_room("alice", &den)?;
    let wrong_room = "what is said goes to the room that was entered last, or returned to";
    ctx.is_heard_in(&den, &mut alice, &mut bob).because(wrong_room)?;
    ctx.may(&mut alice, &format!("/join {attic}"))?;
    ctx.is_heard_in(&attic, &mut alice, &mut bob).because(wrong_room)?;
    ctx.may(&mut alice, &format!("/join {den}")).because("one may return to a room")?;
    ctx.is_heard_in(&den, &mut alice, &mut bob).because(wrong_room)?;
    ctx.may(&mut alice, "/join #lobby")?;
    ctx.is_heard_in("#lobby", &mut alice, &mut bob).because(wrong_room)
}

/// Returning to a room is not joining it: the order of joining counts.
fn next_current(ctx: &mut Context) -> Outcome {
    let rooms = ["den", "attic", "hall"].map(|name| ctx.room(name));
    let mut bob = ctx.joins("bob")?;
    let mut alice = ctx.joins("alice")?;
    for room in &rooms {
        ctx.may(&mut bob, &format!("/join {room}"))?;
        ctx.may(&mut alice, &format!("/join {room}"))?;
    }
    let [den, attic, hall] = &rooms;
    for room in [den, attic] {
        ctx.may(&mut alice, &format!("/join {room}"))?;
    }
    let why = "the current room is the one joined most recently of those that are left";
    ctx.may(&mut alice, "/leave")?;
    ctx.is_heard_in(hall, &mut alice, &mut bob).because(why)?;
    ctx.may(&mut alice, &format!("/leave {den}"))?;
    ctx.is_heard_in(hall, &mut alice, &mut bob)
        .because("leaving another room does not change the current one")?;
    ctx.may(&mut alice, "/leave")?;
    ctx.is_heard_in("#lobby", &mut alice, &mut bob).because(why)?;
    ctx.may(&mut alice, "/leave")?;
    for line in ["is anybody here?", "/me looks for a room"] {
        ctx.may_not(&mut alice, line).means("silent-error", "who is in no room cannot speak")?;
    }
    ctx.hears_of(&mut alice, &mut bob)?
        .never_say("is anybody here?")
        .means("leaks-across-rooms", "who is in no room was heard")?;
    ctx.may_not(&mut alice, &format!("/leave {den}"))
        .means("silent-error", "who is not in a room cannot leave it")?;
    ctx.may(&mut alice, &format!("/join {den}"))?;
    ctx.is_heard_in(den, &mut alice, &mut bob)
}

fn lists(ctx: &mut Context) -> Outcome {
    let (den, attic) = (ctx.room("den"), ctx.room("attic"));
    let [mut alice, bob] = ctx.gather(&den, ["alice", "bob"])?;
    let [carol] = ctx.gather(&attic, ["carol"])?;
    let rooms = ctx.may(&mut alice, "/rooms")?;
    for room in ["#lobby", &den, &attic] {
        if !rooms.answer(room) {
            return Err(wrong("`/rooms` must list every room in `* ` lines")
                .expected(room)
                .got(rooms.lines.join("\n")));
        }
    }
    let own = [&alice.name, &bob.name].map(String::clone);
    for (line, present, absent) in [
        ("/who".to_string(), &own[..], &carol.name),
        (format!("/who {den}"), &own[..], &carol.name),
        (format!("/who {attic}"), &[carol.name.clone()][..], &bob.name),
    ] {
        let answer = ctx.may(&mut alice, &line)?;
        if !present.iter().all(|name| answer.answer(name)) || answer.answer(absent) {
            return Err(wrong(format!("`{line}` must list the members in `* ` lines"))
                .expected(present.join(", "))
                .got(answer.lines.join("\n")));
        }
    }
    Ok(())
}

fn nick(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let (old, own) = ctx.renames(&mut bob, "bert")?;
    own.have_one("that it is renamed", |line| line.contains("* "))?;
    let notice = format!("[#lobby] * {old} is now {}", bob.name);
    ctx.hears_of(&mut bob, &mut alice)?.have(&notice)?;
    ctx.is_heard_in("#lobby", &mut bob, &mut alice).because("the new name holds at once")?;
    ctx.may_not(&mut alice, &format!("/msg {old} hello"))
        .means("old-name-still-routes", "nobody has the old name now")?;
    alice.line(&format!("/msg {} hello", bob.name))?;
    bob.hears_line(&format!("[private] {}: hello", alice.name))?;
    drop(ctx.joins("bob").means("ghost-user", "the old name is free at once")?);
    ctx.renames(&mut bob, "BERT")?;
    ctx.is_heard_in("#lobby", &mut bob, &mut alice)
        .means("name-taken-over", "the case of one's own name may change")
}

fn bad_nick(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let (taken, shouted) = (bob.name.clone(), bob.name.to_ascii_uppercase());
    for (name, misconception) in [
        (taken.as_str(), "name-taken-over"),
        (&shouted, "case-splits-names"),
        ("", "unaddressable-name"),
        ("1st", "unaddressable-name"),
        ("a:b", "unaddressable-name"),
        ("d\u{f6}rte", "unaddressable-name"),
        ("abcdefghij0123456789x", "unaddressable-name"),
    ] {
        ctx.may_not(&mut alice, &format!("/nick {name}"))
            .means(misconception, format!("the name `{name}` must be refused"))?;
        ctx.is_heard_in("#lobby", &mut alice, &mut bob)
            .means(misconception, "who was refused a name keeps the old one")?;
    }
    Ok(())
}

fn me(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice, mut bob] = ctx.gather(&den, ["alice", "bob"])?;
    let mut carol = ctx.joins("carol")?;
    alice.line("/me opens  a window")?;
    let expected = format!("[{den}] {} ~ opens  a window", alice.name);
    ctx.hears_of(&mut alice, &mut bob)?.have(&expected)?;
    ctx.hears_of(&mut alice, &mut carol)?
        .never_say("window")
        .means("leaks-across-rooms", "somebody who is not in the room heard it")
}

const COMMANDS: &[&str] =
    &["/join", "/leave", "/rooms", "/who", "/nick", "/msg", "/me", "/topic", "/help", "/quit"];

fn help(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.joins("alice")?;
    let all = ctx.may(&mut alice, "/help")?;
    for command in COMMANDS {
        if !all.answer(command) {
            return Err(wrong("`/help` must list every command in `* ` lines")
                .expected(*command)
                .got(all.lines.join("\n")));
        }
        let line = format!("/help {}", &command[1..]);
        if !ctx.may(&mut alice, &line)?.answer(&command[1..]) {
            return Err(fail("silent-error", format!("`{line}` must be answered"))
                .expected("a line that begins with `* `"));
        }
    }
    Ok(())
}

fn quit(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut bob] = ctx.gather(&den, ["bob"])?;
    for (line, reason) in [("/quit it is late", ": it is late"), ("/quit", "")] {
        let mut alice = ctx.joins_room("alice", &den)?;
        alice.line(line)?;
        let name = alice.name.clone();
        alice
            .hears_all_to_the_end()
            .means("ignores-eof", format!("`{line}` ends the connection"))?;
        for room in ["#lobby", &den] {
            let expected = format!("[{room}] * {name} left{reason}");
            bob.hears_notice(&format!("`{expected}`"), |line| line == expected)
                .means("leave-not-announced", "each room must be told who left, and why")?;
        }
    }
    Ok(())
}

fn any_case(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut bob] = ctx.gather(&den, ["bob"])?;
    let mut alice = ctx.joins("alice")?;
    ctx.may(&mut alice, &format!("/JOIN {den}"))
        .because("commands are known without regard to case")?;
    alice.line("/Me knocks")?;
    let expected = format!("[{den}] {} ~ knocks", alice.name);
    ctx.hears_of(&mut alice, &mut bob)?
        .have(&expected)
        .because("commands are known without regard to case")?;
    ctx.may(&mut alice, "/rOOMs").map(drop)
}

fn unknown(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    for (typed, nearest) in [
        ("/jion", "join"),
        ("/leav", "leave"),
        ("/toppic", "topic"),
        ("/kik", "kick"),
        ("/Qiut", "quit"),
    ] {
        let error = ctx
            .may_not(&mut alice, &format!("{typed} sesame-7 open"))
            .means("silent-error", "an unknown command must be answered")?;
        if !error.contains(nearest) || error.contains("sesame-7") {
            return Err(wrong(
                "the answer names the nearest command, and repeats only the first word",
            )
            .expected(format!("! unknown command {typed}; did you mean /{nearest}?"))
            .got(error));
        }
        ctx.hears_of(&mut alice, &mut bob)?
            .lack_all("an unknown command", |line| is_said_in(line, "#lobby"))
            .because("an unknown command is no message")?;
    }
    Ok(())
}
