//! Who is kept out of a room, and who is kept quiet in it: rules S5.6 and S5.7.

use super::talk::{check, is_of};
use crate::check::outcome::fail;
use crate::check::{Check, Context, Label, Outcome, Person};

/// Lines on each side of the kick when it races with messages.
const RACING_LINES: usize = 20;
const RACES: usize = 6;

const KICKED: &[&str] = &["kicked-still-hears"];
const BAN: &[&str] = &["ban-evaded"];

pub static CHECKS: &[Check] = &[
    check("a-kick-is-told-and-ends-the-hearing", "S5.6", KICKED, kick),
    check("nothing-is-delivered-after-the-kick", "S5.7", KICKED, racing_kick),
    check("a-ban-removes-and-keeps-out", "S5.6", BAN, ban),
    check(
        "a-ban-of-an-address-spares-who-says-it",
        "S5.6",
        &["ban-evaded", "kicked-still-hears"],
        ban_of_address,
    ),
    check("a-key-keeps-out-who-does-not-know-it", "S5.7", &["key-ignored"], key),
    check("a-full-room-lets-nobody-in", "S5.7", &["role-not-checked"], limit),
    check("a-muted-member-reaches-nobody", "S5.7", &["role-not-checked"], mute),
    check("a-mute-holds-whatever-the-name", "S5.6", &["role-not-checked"], mute_holds),
    check(
        "who-is-refused-hears-nothing-and-stays-where-it-was",
        "S5.7",
        &["leaks-across-rooms", "key-ignored"],
        refused,
    ),
];

fn kick(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice, mut bob, mut carol] = ctx.gather(&den, ["alice", "bob", "carol"])?;
    let line = format!("/kick {} too loud", bob.name.to_ascii_uppercase());
    ctx.may(&mut alice, &line)?;
    let notice = format!("[{den}] * {} was kicked by {}: too loud", bob.name, alice.name);
    ctx.hears_of(&mut alice, &mut carol)?
        .have(&notice)
        .because("the members must be told who was kicked, by whom and why")?;
    alice.line("he is gone")?;
    let heard = ctx.hears_of(&mut alice, &mut bob)?;
    heard.have_one("the notice, or a `* ` line instead", |line| {
        line == notice || line.starts_with("* ")
    })?;
    heard
        .lack_all("the room after the kick", |line| is_of(line, &den) && line != notice)
        .means("kicked-still-hears", "who was kicked still hears the room")?;
    bob.line("not any more")?;
    ctx.hears_of(&mut bob, &mut carol)?
        .lack_all("the kicked one's words", |line| {
            is_of(line, &den) && line.contains("not any more")
        })
        .means("kicked-still-hears", "who was kicked may not speak in the room")?;
    ctx.is_heard_in("#lobby", &mut bob, &mut carol)
        .because("who was kicked is in the room joined before")?;
    ctx.may_not(&mut alice, &format!("/kick {}", bob.name))
        .because("who is not there cannot be kicked")?;
    ctx.may(&mut bob, &format!("/join {den}")).because("a kick is no ban")?;
    ctx.is_heard_in(&den, &mut bob, &mut alice)?;
    ctx.may(&mut alice, &format!("/kick {}", bob.name))?;
    let notice = format!("[{den}] * {} was kicked by {}", bob.name, alice.name);
    ctx.hears_of(&mut alice, &mut carol)?
        .have_start(&notice)
        .because("a reason need not be given")
        .map(drop)
}

fn racing_kick(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice, mut bob, mut carol] = ctx.gather(&den, ["alice", "bob", "carol"])?;
    let flood =
        |who: &str| -> String { (0..RACING_LINES).map(|n| format!("{who} {n}\n")).collect() };
    for race in 0..RACES {
        ctx.step(format!("race {race}: carol and bob talk while alice kicks bob"));
        let kick = format!("/kick {}\n", bob.name);
        carol.send_silently(flood("carol says").as_bytes())?;
        bob.send_silently(flood("bob says").as_bytes())?;
        alice.send_silently(kick.as_bytes())?;
        carol.send_silently(flood("carol says").as_bytes())?;
        let name = bob.name.clone();
        let is_kick =
            |line: &str| is_of(line, &den) && line.contains(&format!("* {name} was kicked"));
        ctx.catches_up(&mut alice)?; // the kick is obeyed
        ctx.catches_up(&mut bob)?
            .after(is_kick, |line| is_of(line, &den))
            .means("kicked-still-hears", "something of the room was delivered after the kick")?;
        ctx.hears_of(&mut carol, &mut bob)?
            .lack_room(&den)
            .means("kicked-still-hears", "something of the room was delivered after the kick")?;
        let said = format!("{name}: ");
        ctx.hears_of(&mut bob, &mut carol)?
            .after(is_kick, |line| is_of(line, &den) && line.contains(&said))
            .means("kicked-still-hears", "who was kicked was heard in the room")?;
        ctx.catches_up(&mut alice)?;
        ctx.may(&mut bob, &format!("/join {den}"))?;
    }
    Ok(())
}

fn ban(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice, mut bob, mut carol] = ctx.gather(&den, ["alice", "bob", "carol"])?;
    ctx.may(&mut alice, &format!("/ban {}", bob.name.to_ascii_uppercase()))?;
    let name = bob.name.clone();
    let heard = ctx.hears_of(&mut alice, &mut carol)?;
    heard.have_one("a notice that bob is gone", |line| {
        is_of(line, &den) && line.contains(&format!("* {name} "))
    })?;
    alice.line("he is gone")?;
    ctx.hears_of(&mut alice, &mut bob)?
        .never_say("he is gone")
        .means("kicked-still-hears", "a ban of a member also removes it")?;
    out(ctx, &mut bob, &den, "who is banned may not come back")?;
    bob.quits()?;
    let mut bob = ctx.joins("bob")?;
    out(ctx, &mut bob, &den, "a ban of a name holds for a new connection")?;
    let bans = ctx.may(&mut alice, "/bans")?;
    let listed = bans.lines.iter().any(|line| line.to_ascii_lowercase().contains(&name));
    if !listed {
        return Err(
            fail("ban-evaded", "`/bans` must list who is banned").got(bans.lines.join("\n"))
        );
    }
    // Another name evades it: that is what bans of addresses are for.
    let mut other = ctx.joins_room("bobby", &den)?;
    ctx.is_heard_in(&den, &mut other, &mut carol)?;
    ctx.may(&mut alice, &format!("/unban {name}"))?;
    ctx.may_not(&mut alice, &format!("/unban {name}"))
        .because("nobody of that name is banned now")?;
    ctx.may(&mut bob, &format!("/join {den}")).because("`/unban` ends the ban")?;
    // Somebody who is not there can be banned as well.
    let dan = ctx.name("dan");
    ctx.may(&mut alice, &format!("/ban {dan}"))?;
    let mut dan = ctx.joins("dan")?;
    out(ctx, &mut dan, &den, "who was banned before may not come in")
}

fn out(ctx: &mut Context, person: &mut Person, room: &str, why: &str) -> Outcome {
    ctx.may_not(person, &format!("/join {room}")).means("ban-evaded", why).map(drop)
}

fn ban_of_address(ctx: &mut Context) -> Outcome {
    let (den, attic) = (ctx.room("den"), ctx.room("attic"));
    let [mut alice, mut bob, mut carol] = ctx.gather(&den, ["alice", "bob", "carol"])?;
    let ip = alice.peer.address()?.ip();
    ctx.may(&mut alice, &format!("/ban {ip}"))?;
    ctx.must_be_operator(&mut alice, "a ban never removes the one who says it")?;
    alice.line("who is left?")?;
    for banned in [&mut bob, &mut carol] {
        ctx.hears_of(&mut alice, banned)?
            .never_say("who is left?")
            .means("kicked-still-hears", "a ban of an address removes the members from there")?;
        out(ctx, banned, &den, "the address is banned")?;
        ctx.may(banned, &format!("/join {attic}")).because("it is banned from one room alone")?;
    }
    ctx.renames(&mut bob, "bert")?;
    out(ctx, &mut bob, &den, "a ban of an address holds whatever the name")?;
    ctx.may(&mut alice, &format!("/unban {ip}"))?;
    ctx.may(&mut bob, &format!("/join {den}")).because("`/unban` ends the ban")?;
    ctx.is_heard_in(&den, &mut alice, &mut bob)
}

fn key(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice] = ctx.gather(&den, ["alice"])?;
    ctx.may(&mut alice, "/key sesame")?;
    let mut bob = ctx.joins("bob")?;
    for line in ["", " wrong", " sesam", " sesame1", " SESAME"] {
        ctx.may_not(&mut bob, &format!("/join {den}{line}"))
            .means("key-ignored", "a wrong or missing key must not open the room")?;
    }
    ctx.tries(&mut bob, &format!("/who {den}"))?
        .never_say(&alice.name)
        .means("key-ignored", "who is in a room with a key is not for others to know")?;
    ctx.may(&mut bob, &format!("/join {den} sesame")).because("the right key opens the room")?;
    ctx.is_heard_in(&den, &mut alice, &mut bob)?;
    if !ctx.may(&mut bob, &format!("/who {den}"))?.answer(&alice.name) {
        return Err(crate::check::outcome::wrong("a member may ask who is in a room with a key"));
    }
    ctx.may(&mut bob, &format!("/join {den}")).because("returning needs no key")?;
    ctx.may(&mut alice, "/key")?;
    ctx.joins_room("carol", &den).because("`/key` alone removes the key").map(drop)
}

fn limit(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice, bob] = ctx.gather(&den, ["alice", "bob"])?;
    ctx.may(&mut alice, "/limit 2")?;
    let mut carol = ctx.joins("carol")?;
    let join = format!("/join {den}");
    ctx.may_not(&mut carol, &join).means("role-not-checked", "a full room lets nobody in")?;
    bob.quits()?;
    ctx.may(&mut carol, &join).because("there is room again when somebody has left")?;
    let mut dan = ctx.joins("dan")?;
    ctx.may_not(&mut dan, &join).means("role-not-checked", "a full room lets nobody in")?;
    ctx.may_not(&mut alice, "/limit many").because("`many` is no number")?;
    ctx.may(&mut alice, "/limit")?;
    ctx.may(&mut dan, &join).because("`/limit` alone removes the limit")?;
    ctx.is_heard_in(&den, &mut alice, &mut dan)
}

const QUIET: &str = "a muted member's words must reach nobody in the room";

fn mute(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice, mut bob, mut carol] = ctx.gather(&den, ["alice", "bob", "carol"])?;
    ctx.may(&mut alice, &format!("/op {}", bob.name))?;
    ctx.may(&mut alice, &format!("/mute {}", bob.name))?;
    let kick = format!("/kick {} words", carol.name);
    for line in ["words", "//words", "/me words", "/topic words"] {
        ctx.may_not(&mut bob, line).means("role-not-checked", QUIET)?;
    }
    ctx.tries(&mut bob, &kick)?; // whether he may is not said; what he says is not heard
    hears_no_words(ctx, &mut bob, &mut carol)?;
    hears_no_words(ctx, &mut bob, &mut alice)?;
    ctx.may(&mut alice, "/topic")?.never_say("words").means("role-not-checked", QUIET)?;
    ctx.may(&mut bob, "/join #lobby")?;
    ctx.is_heard_in("#lobby", &mut bob, &mut carol).because("a mute holds in one room")?;
    bob.line("/quit words")?;
    bob.hears_all_to_the_end()?;
    let left = format!("[{den}] * {} left", bob.name);
    let notice = alice.hears_notice(&format!("`{left}`"), |line| line.starts_with(&left))?;
    if notice.contains("words") {
        return Err(fail("role-not-checked", QUIET).expected(left).got(notice));
    }
    Ok(())
}

fn hears_no_words(ctx: &mut Context, bob: &mut Person, other: &mut Person) -> Outcome {
    let lines = ctx.hears_of(bob, other)?;
    lines.never_say("words").means("role-not-checked", QUIET)
}

fn mute_holds(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice, mut bob] = ctx.gather(&den, ["alice", "bob"])?;
    ctx.may(&mut alice, &format!("/mute {}", bob.name))?;
    ctx.renames(&mut bob, "bert")?;
    stays_muted(ctx, &mut bob, &mut alice, "a new name")?;
    ctx.may(&mut bob, "/leave")?;
    ctx.may(&mut bob, &format!("/join {den}"))?;
    stays_muted(ctx, &mut bob, &mut alice, "leaving and coming back")?;
    ctx.may(&mut alice, &format!("/unmute {}", bob.name))?;
    ctx.is_heard_in(&den, &mut bob, &mut alice).because("`/unmute` ends the mute")
}

fn stays_muted(ctx: &mut Context, bob: &mut Person, alice: &mut Person, after: &str) -> Outcome {
    ctx.may_not(bob, "words").means(
        "role-not-checked",
        format!("a mute holds for the connection, after {after} as well"),
    )?;
    hears_no_words(ctx, bob, alice)
}

fn refused(ctx: &mut Context) -> Outcome {
    let (den, attic) = (ctx.room("den"), ctx.room("attic"));
    let [mut alice] = ctx.gather(&den, ["alice"])?;
    ctx.may(&mut alice, "/key sesame")?;
    let [mut bob, mut carol] = ctx.gather(&attic, ["bob", "carol"])?;
    ctx.may_not(&mut bob, &format!("/join {den}")).means("key-ignored", "the room has a key")?;
    ctx.hears_of(&mut bob, &mut alice)?
        .lack_all("somebody who was refused", |line| is_of(line, &den) && line.contains(&bob.name))
        .because("who was refused has not joined")?;
    alice.line("words for members")?;
    ctx.hears_of(&mut alice, &mut bob)?
        .lack_room(&den)
        .means("leaks-across-rooms", "nothing of a room reaches who was refused")?;
    ctx.is_heard_in(&attic, &mut bob, &mut carol)
        .because("who was refused stays in its current room")?;
    ctx.may_not(&mut bob, &format!("/leave {den}"))
        .because("who was refused is not in the room")
        .map(drop)
}
