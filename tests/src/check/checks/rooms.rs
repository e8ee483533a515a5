//! Rooms: rules S5.1 to S5.4.

use super::basics::ONE_LINE;
use super::names::ways;
use super::talk::{PRIVATE, SPEAKING, check, is_of, is_said_in};
use crate::check::outcome::{fail, wrong};
use crate::check::person::Heard;
use crate::check::{Check, Context, Label, Outcome};

const LEAKS: &[&str] = &["leaks-across-rooms"];

const MEMBERS_ALONE: &str = "a-room-is-heard-by-its-members-alone";
const SEVERAL: &str = "one-can-be-in-several-rooms";

pub static CHECKS: &[Check] = &[
    Check {
        after: &[ONE_LINE],
        ..check(PRIVATE, "S5.5", &["leaks-across-rooms", "ghost-user"], private)
    },
    Check {
        after: &[ONE_LINE, PRIVATE],
        ..check(SPEAKING, "S5.2", &["leaks-across-rooms", "echo-to-sender"], speaking)
    },
    check("who-has-no-name-hears-no-room", "S4.2", LEAKS, nameless),
    check(MEMBERS_ALONE, "S5.2", LEAKS, members_alone),
    check("two-slashes-say-one", "S5.2", &[], two_slashes),
    check(
        "a-line-with-a-hash-or-half-an-address-is-refused",
        "S5.2",
        &["silent-error", "control-words-in-band"],
        neither_words_nor_command,
    ),
    Check {
        after: &[PRIVATE, SPEAKING, MEMBERS_ALONE],
        ..check("a-newcomer-enters-the-lobby", "S5.1", &[], newcomer)
    },
    Check {
        after: &[PRIVATE, SPEAKING, MEMBERS_ALONE],
        ..check("a-room-is-told-who-comes", "S5.3", &[], told_who_comes)
    },
    check(SEVERAL, "S5.5", LEAKS, several),
    Check {
        after: &[PRIVATE, SPEAKING, SEVERAL],
        ..check(
            "a-room-is-told-once-of-every-way-of-leaving",
            "S5.3",
            &["leave-not-announced"],
            told_who_leaves,
        )
    },
    check("who-leaves-a-room-hears-it-last", "S5.3", LEAKS, leaver_hears_it_last),
    check("rooms-of-every-allowed-name-can-be-entered", "S5.4", &[], good_names),
    check("a-bad-room-name-is-refused", "S5.4", &["silent-error"], bad_names),
    check("room-names-are-compared-without-case", "S5.4", &["case-splits-names"], any_case),
];

fn private(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let mut carol = ctx.joins("carol")?;
    for line in
        [format!("/msg {} for you: alone", bob.name), format!("@{}:for you: alone", bob.name)]
    {
        alice.line(&line)?;
        bob.hears_line(&format!("[private] {}: for you: alone", alice.name)).means_if_got(
            "[#",
            "leaks-across-rooms",
            "a private message reached a room",
        )?;
    }
    let own = format!("/msg {} a note", alice.name);
    alice.line(&own)?;
    alice
        .hears_line(&format!("[private] {}: a note", alice.name))
        .because("one may write to oneself")?;
    ctx.hears_of(&mut alice, &mut carol)?
        .never_say("alone")
        .means("leaks-across-rooms", "a private message reached somebody else")?;
    for line in ["/msg nobody-there hello", "@nobody-there:hello"] {
        ctx.may_not(&mut alice, line).means("silent-error", "nobody has that name")?;
    }
    let name = bob.name.clone();
    let part = &name[..name.len() - 1];
    ctx.may_not(&mut alice, &format!("/msg {part} hello"))
        .because("a part of a name is nobody's name")?;
    bob.leaves();
    ctx.is_gone(&name, &mut alice, &mut carol)?;
    ctx.may_not(&mut alice, &format!("/msg {name} hello"))
        .means("ghost-user", format!("{name} has left"))
        .map(drop)
}

fn speaking(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let mut alice = ctx.joins_room("alice", &den)?;
    let mut bob = ctx.joins_room("bob", &den)?;
    ctx.catches_up(&mut alice)?;
    ctx.is_heard_in(&den, &mut alice, &mut bob)
        .because("a member must receive `[#ROOM] NAME: TEXT`")?;
    ctx.is_heard_in(&den, &mut bob, &mut alice)?;
    alice.line("who hears this?")?;
    ctx.catches_up(&mut alice)?
        .never_say("who hears this?")
        .means("echo-to-sender", "the sender received its own message")
}

fn newcomer(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut alice = ctx.connects("alice")?;
    alice.line(&alice.name.clone())?;
    let heard = ctx.catches_up(&mut alice)?;
    let start = format!("* welcome {}: you are in #lobby with ", alice.name);
    let welcome = heard.have_start(&start)?;
    let others = welcome[start.len()..].split(' ').next().unwrap_or_default();
    let right = match ctx.target.has_process() {
        true => others == "1",
        false => others.parse::<usize>().is_ok(), // who else is there we do not know
    };
    if !right || !welcome.contains("/help") {
        return Err(wrong("the welcome must say how many others are here")
            .expected(format!("{start}1 others; /help lists the commands"))
            .got(welcome));
    }
    let joined = format!("[#lobby] * {} joined", alice.name);
    heard
        .lack_all("its own `joined`", |line| line == joined)
        .because("the welcome tells it already")?;
    ctx.hears_of(&mut alice, &mut bob)?.have(&joined)?;
    ctx.is_heard_in("#lobby", &mut alice, &mut bob)
}

fn nameless(ctx: &mut Context) -> Outcome {
    let mut silent = ctx.connects("silent")?;
    let den = ctx.room("den");
    let (mut alice, mut bob) = ctx.two()?;
    ctx.is_heard_in("#lobby", &mut alice, &mut bob)?;
    ctx.may(&mut alice, &format!("/join {den}"))?;
    ctx.may(&mut alice, "/me waits")?;
    silent.line(&silent.name.clone())?;
    let first = silent.next_of_any_kind(&mut silent.new_patience());
    let welcome = format!("* welcome {}", silent.name);
    match first {
        Heard::Line(line) if line.starts_with(&welcome) => Ok(()),
        Heard::Line(line) => {
            Err(fail("leaks-across-rooms", "a client without a name received something")
                .expected(format!("{welcome}: ..."))
                .got(line))
        }
        other => Err(wrong("no welcome").got(other.in_words()).after(silent.peer.over)),
    }
}

fn members_alone(ctx: &mut Context) -> Outcome {
    let (den, attic) = (ctx.room("den"), ctx.room("attic"));
    let [mut alice, mut bob] = ctx.gather(&den, ["alice", "bob"])?;
    let mut carol = ctx.joins_room("carol", &attic)?;
    let mut dan = ctx.joins("dan")?;
    for line in ["words for the den", "/me looks around", "/topic our den"] {
        alice.line(line)?;
    }
    let mut eve = ctx.joins_room("eve", &den)?;
    ctx.may(&mut eve, "/leave")?;
    let heard = ctx.hears_of(&mut alice, &mut bob)?;
    heard.have(&format!("[{den}] {}: words for the den", alice.name))?;
    for outsider in [&mut carol, &mut dan] {
        let heard = ctx.hears_of(&mut alice, outsider)?;
        heard
            .lack_room(&den)
            .and(heard.never_say("words"))
            .means("leaks-across-rooms", "somebody who is not in the room heard of it")?;
    }
    // Who enters later hears nothing of what was said before.
    let lines = ctx.tries(&mut dan, &format!("/join {den}"))?;
    lines
        .never_say("words for the den")
        .means("leaks-across-rooms", "who enters a room must not hear what was said before")
}

fn two_slashes(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    for (line, said) in [("//join #den", "/join #den"), ("///", "//")] {
        alice.line(line)?;
        bob.hears(&alice.name, said).because("`//TEXT` must say `/TEXT`")?;
    }
    Ok(())
}

fn neither_words_nor_command(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let half = format!("@{}", bob.name);
    let no_colon = format!("@{} hello", bob.name);
    for line in ["#hello", "#", "# hello", "@", &half, &no_colon] {
        ctx.may_not(&mut alice, line)
            .means("silent-error", format!("`{line}` is neither words nor a command"))?;
        ctx.hears_of(&mut alice, &mut bob)?
            .lack_all("what was refused", |heard| {
                is_said_in(heard, "#lobby") || heard.starts_with("[private]")
            })
            .means("control-words-in-band", "a refused line was relayed")?;
    }
    Ok(())
}

fn told_who_comes(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut bob] = ctx.gather(&den, ["bob"])?;
    let mut alice = ctx.joins("alice")?;
    let joined = format!("[{den}] * {} joined", alice.name);
    let lines = ctx.may(&mut alice, &format!("/join {den}"))?;
    lines
        .lack_all("its own `joined`", |line| line == joined)
        .because("who enters is told so by a `* ` line")?;
    lines.have_one("a `* ` line that tells it", |line| line.starts_with("* "))?;
    ctx.hears_of(&mut alice, &mut bob)?.have(&joined)?;
    let (old, _) = ctx.renames(&mut alice, "ally")?;
    let heard = ctx.hears_of(&mut alice, &mut bob)?;
    for room in ["#lobby", &den] {
        heard.have(&format!("[{room}] * {old} is now {}", alice.name))?;
    }
    Ok(())
}

fn several(ctx: &mut Context) -> Outcome {
    let (den, attic) = (ctx.room("den"), ctx.room("attic"));
    let [mut bob] = ctx.gather(&den, ["bob"])?;
    ctx.may(&mut bob, &format!("/join {attic}"))?;
    for room in ["#lobby", &den, &attic] {
        let mut alice = ctx.joins_room("alice", room)?;
        ctx.is_heard_in(room, &mut alice, &mut bob)
            .because("who is in several rooms hears all of them")?;
        alice.quits()?;
    }
    Ok(())
}

fn told_who_leaves(ctx: &mut Context) -> Outcome {
    let (den, attic) = (ctx.room("den"), ctx.room("attic"));
    let [mut bob, mut carol] = ctx.gather(&den, ["bob", "carol"])?;
    ctx.may(&mut bob, &format!("/join {attic}"))?;
    for (way, leave) in ways(ctx) {
        let mut zoe = ctx.joins_room("zoe", &den).means("ghost-user", "zoe has left")?;
        ctx.may(&mut zoe, &format!("/join {attic}"))?;
        let name = zoe.name.clone();
        ctx.catches_up(&mut bob)?;
        ctx.step(format!("{name} leaves by {way}"));
        leave(zoe)?;
        let left = |line: &str, room: &str| {
            let text = format!("* {name} left");
            is_of(line, room)
                && line
                    .split_once("] ")
                    .is_some_and(|(_, rest)| rest == text || rest.starts_with(&format!("{text}: ")))
        };
        let mut heard: Vec<String> = Vec::new();
        while !["#lobby", &den, &attic].iter().all(|room| heard.iter().any(|line| left(line, room)))
        {
            let line = bob
                .hears_notice(&format!("`* {name} left` in every room"), |line| {
                    line.contains(" left")
                })
                .means("leave-not-announced", format!("the rooms must be told after {way}"))?;
            heard.push(line);
        }
        let later = ctx.hears_of(&mut carol, &mut bob)?;
        for room in ["#lobby", &den, &attic] {
            let all = heard.iter().chain(&later.lines);
            if all.filter(|line| left(line, room)).count() != 1 {
                let message = format!("{room} must be told once after {way}");
                return Err(fail("leave-not-announced", message).got(heard.join("\n")));
            }
        }
    }
    Ok(())
}

fn leaver_hears_it_last(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice, mut bob] = ctx.gather(&den, ["alice", "bob"])?;
    let lines = ctx.may(&mut bob, "/leave")?;
    lines.have_one("the notice, or a `* ` line instead", |line| {
        line.starts_with("* ") || line == format!("[{den}] * {} left", bob.name)
    })?;
    let left = format!("[{den}] * {} left", bob.name);
    let last = lines.lines.iter().rfind(|line| is_of(line, &den));
    if last.is_some_and(|line| *line != left) {
        return Err(fail("leaks-across-rooms", "something came after the notice")
            .expected(left)
            .got(lines.lines.join("\n")));
    }
    ctx.hears_of(&mut bob, &mut alice)?
        .have(&left)
        .means("leave-not-announced", "the room must be told who left")?;
    alice.line("are we alone?")?;
    ctx.hears_of(&mut alice, &mut bob)?
        .lack_room(&den)
        .means("leaks-across-rooms", "who has left a room must hear it no more")?;
    bob.line("not to the den")?;
    ctx.hears_of(&mut bob, &mut alice)?
        .lack_all("words from outside", |line| is_of(line, &den) && line.contains("not to the den"))
        .means("leaks-across-rooms", "who has left a room must not speak in it")
}

fn good_names(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.joins("alice")?;
    let longest = format!("#{}", "x".repeat(30));
    for room in ["#a", "#7", "#-", "#_", "#42-is_it", "#No-Digits", &longest] {
        ctx.may(&mut alice, &format!("/join {room}"))
            .because(format!("{room} is a good name of a room"))?;
        ctx.may(&mut alice, "/me is here")?;
        ctx.may(&mut alice, &format!("/leave {room}"))?;
    }
    Ok(())
}

fn bad_names(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.joins("alice")?;
    let too_long = format!("#{}", "x".repeat(31));
    for room in [
        "",
        "#",
        "den",
        "##den",
        "#a.b",
        "#a:b",
        "#a,b",
        "#d\u{f6}rte",
        "#a\u{200b}b",
        "#a\u{202e}b",
        &too_long,
    ] {
        ctx.may_not(&mut alice, &format!("/join {room}"))
            .because(format!("`{room}` is no name of a room"))?;
    }
    ctx.may(&mut alice, "/me is in the lobby as before").map(drop)
}

fn any_case(ctx: &mut Context) -> Outcome {
    let den = ctx.room("den");
    let [mut alice] = ctx.gather(&den, ["alice"])?;
    let mut bob = ctx.joins_room("bob", &den.to_ascii_uppercase())?;
    alice.line("hello")?;
    let said = format!("{}: hello", alice.name);
    ctx.hears_of(&mut alice, &mut bob)?
        .have_one(&format!("[{den}] {said}"), |line| is_of(line, &den) && line.ends_with(&said))
        .means("case-splits-names", "two spellings of a name are one room")?;
    let mixed = format!("/leave #D{}", &den[2..]);
    ctx.may(&mut bob, &mixed)
        .means("case-splits-names", "two spellings of a name are one room")
        .map(drop)
}
