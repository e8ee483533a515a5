//! Names: rules L8 and L9, in every protocol that has them.

use super::basics::ONE_LINE;
use super::faults::EXIT_ENDS;
use crate::check::cases::Cases;
use crate::check::dialect::CHATS;
use crate::check::difference::visible;
use crate::check::outcome::{fail, wrong};
use crate::check::person::Heard;
use crate::check::{Check, Context, Label, Outcome, Person, Protocol};

/// How many try to get the same name at the same time.
const RACERS: usize = 50;

const TAKEN: &str = "a-name-that-is-taken-is-refused";

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

pub static CHECKS: &[Check] = &[
    check("names-of-every-allowed-form-are-accepted", "L8", &[], &[ONE_LINE], good_names),
    check("a-bad-name-is-refused", "L8", &["unaddressable-name"], &[ONE_LINE], bad_names),
    check(TAKEN, "L8", &["name-taken-over"], &[ONE_LINE], taken),
    check("names-are-compared-without-case", "L8", &["case-splits-names"], &[TAKEN], case_twin),
    check(
        "one-of-fifty-racers-gets-the-name",
        "L8",
        &["name-taken-over", "handshake-blocks-accept", "backlog-is-a-user-limit"],
        &[TAKEN],
        race,
    ),
    check(
        "a-name-is-free-again-after-every-way-of-leaving",
        "L9",
        &["ghost-user", "ignores-eof", "leave-not-announced", "silent-error"],
        &[ONE_LINE, super::framing::JOINED, super::select::UNKNOWN, EXIT_ENDS],
        free_again,
    ),
];

/// `constructor` is something that every object of JavaScript has.
const GOOD_NAMES: &[&str] =
    &["a", "Z", "x1", "Two-Words", "under_score", "a--", "constructor", "abcdefghij0123456789"];

fn good_names(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut cases = Cases::default();
    for name in GOOD_NAMES {
        let mut person = ctx.connects(name)?;
        if person.name.len() > 20 {
            continue; // a suffix made it too long
        }
        let accepted = ctx.registers(&mut person).because(format!("the name {name} is allowed"));
        if cases.add(format!("`{name}` is refused; L8 allows it"), accepted)? {
            person.says(&bob.name, "hello")?;
            bob.hears(&person.name, "hello").because("a name is shown as it was given")?;
        }
    }
    cases.judge("names that L8 allows are refused")
}

/// Each with the reason.
const BAD_NAMES: &[(&str, &str)] = &[
    ("abcdefghij0123456789x", "21 characters; L8: at most 20"),
    ("1st", "begins with a digit"),
    ("-x", "begins with a hyphen"),
    ("_x", "begins with an underscore"),
    ("two words", "has a blank in it"),
    ("a:b", "has a colon in it"),
    ("a.b", "has a dot in it"),
    ("a@b", "has an @ in it"),
    ("@ann", "begins with @"),
    ("a#b", "has a # in it"),
    ("*ann", "begins with *"),
    ("d\u{f6}rte", "has a letter that is not ASCII"),
    ("b\u{43e}b", "its o is a Cyrillic letter"),
    ("bo\u{200b}b", "has an invisible character in it"),
    ("bo\u{202e}b", "turns the direction of writing"),
    ("a\tb", "has a TAB in it"),
];

fn bad_names(ctx: &mut Context) -> Outcome {
    let mut dan = ctx.connects("dan")?;
    let mut cases = Cases::default();
    let empty = (ctx.protocol == Protocol::Select).then_some(("", "is empty"));
    for (name, reason) in BAD_NAMES.iter().copied().chain(empty) {
        dan.line(&ctx.protocol.registration(name))?;
        let refused = dan
            .hears_error()
            .means("unaddressable-name", format!("the name `{name}` must be refused ({reason})"));
        if cases.add(format!("`{}`: {reason}", visible(name.as_bytes())), refused)? {
            ctx.asks_again(&mut dan)?;
        } else {
            dan = ctx.connects("dan")?; // who has a bad name is somebody else from now on
        }
    }
    cases.judge("names that L8 does not allow are accepted")?;
    ctx.registers(&mut dan).because("after refused names a good one must be accepted")
}

fn taken(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let mut thief = ctx.connects("thief")?;
    thief.line(&ctx.protocol.registration(&bob.name))?;
    thief.hears_error().means("name-taken-over", "a name that somebody has must be refused")?;
    ctx.asks_again(&mut thief)?;
    alice.says(&bob.name, "for bob alone")?;
    bob.hears(&alice.name, "for bob alone")
        .means("name-taken-over", "the first who has the name must keep its mail")?;
    ctx.registers(&mut thief).because("who was refused a name may try another")
}

fn case_twin(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let shouted = bob.name.to_ascii_uppercase();
    let mut twin = ctx.connects("twin")?;
    twin.line(&ctx.protocol.registration(&shouted))?;
    twin.hears_error()
        .means("case-splits-names", format!("{shouted} is the name of {}", bob.name))?;
    let heard = match ctx.protocol {
        Protocol::Select => {
            alice.says(&shouted, "hi")?;
            bob.hears(&alice.name, "hi")
        }
        Protocol::Rooms => {
            alice.line(&format!("/msg {shouted} hi"))?;
            bob.hears_line(&format!("[private] {}: hi", alice.name))
        }
        _ => return Ok(()), // nobody is addressed by name
    };
    heard.means("case-splits-names", format!("{shouted} must reach {}", bob.name))
}

fn race(ctx: &mut Context) -> Outcome {
    let mut racers = Vec::new();
    for number in 1..=RACERS {
        let racer = ctx.connects("racer");
        let waiting = format!("racer {number} is not greeted while others have no name yet");
        let refused = format!("racer {number} is not let in");
        racers.push(
            racer.means_if_got("nothing", "handshake-blocks-accept", waiting).means_if_got(
                "the connection was",
                "backlog-is-a-user-limit",
                refused,
            )?,
        );
    }
    let line = format!("{}\n", ctx.protocol.registration(&ctx.name("racer")));
    ctx.step(format!("all {RACERS} send `racer` at once"));
    for racer in &mut racers {
        racer.send_silently(line.as_bytes())?;
    }
    let mut winners = 0;
    for racer in &mut racers {
        winners += usize::from(has_won(ctx, racer)?);
    }
    if winners != 1 {
        return Err(fail("name-taken-over", format!("{winners} of {RACERS} got the same name"))
            .expected("1 winner")
            .got(format!("{winners} winners")));
    }
    Ok(())
}

fn has_won(ctx: &Context, racer: &mut Person) -> Outcome<bool> {
    let mut patience = racer.new_patience();
    loop {
        match racer.next_of_any_kind(&mut patience) {
            Heard::Line(line) if ctx.is_welcome(&line, &racer.name) => return Ok(true),
            Heard::Line(line) if line.starts_with("! ") => return Ok(false),
            Heard::Line(_) => {}
            other => {
                return Err(wrong("a racer got no answer")
                    .got(other.in_words())
                    .after(racer.peer.over));
            }
        }
    }
}

/// A way of leaving, in words and in deeds.
pub type Way = (&'static str, fn(Person) -> Outcome);

/// Every way of leaving.
pub const WAYS: &[Way] = &[
    ("a close", |person| {
        person.leaves();
        Ok(())
    }),
    ("a half-close", |mut person| {
        person.half_close();
        // Where the server does not end it, the client does: that one ends is what counts here.
        let _ = person.hears_end();
        Ok(())
    }),
    ("a reset", |person| {
        person.resets();
        Ok(())
    }),
    ("a close in mid-line", |mut person| {
        person.send(b"half a li")?;
        person.leaves();
        Ok(())
    }),
    ("a reset in mid-line", |mut person| {
        person.send(b"half a li")?;
        person.resets();
        Ok(())
    }),
    ("exit", |mut person| {
        person.line("exit")?;
        let _ = person.hears_end(); // as above
        Ok(())
    }),
];

/// Those that the exercise asks for: a server that does not close after a half-close, or does not
/// know `exit`, has not ended that connection.
pub fn ways(ctx: &Context) -> Vec<Way> {
    let rule = |way: &str| match way {
        "a half-close" => "L10",
        "exit" => "L11",
        _ => "L9",
    };
    let asked = |(way, _): &&Way| rule(way) == "L9" || ctx.judges(rule(way));
    WAYS.iter().filter(asked).copied().collect()
}

fn free_again(ctx: &mut Context) -> Outcome {
    let mut witness = ctx.joins("witness")?;
    let mut asker = ctx.joins("asker")?;
    for (way, leave) in ways(ctx) {
        let bob = ctx.joins("bob").means("ghost-user", "the name bob was not free again")?;
        let name = bob.name.clone();
        leave(bob)?;
        ctx.step(format!("{name} has left by {way}"));
        let mut heir = ctx.connects("bob")?;
        gets_the_name_in_time(ctx, &mut heir)
            .means("ghost-user", format!("the name {name} must be free after {way}"))?;
        heir.says(&witness.name, "mine now")?;
        witness.hears(&name, "mine now")?;
        heir.leaves();
        ctx.is_gone(&name, &mut asker, &mut witness)
            .means("ghost-user", format!("{name} has closed and is still there"))?;
    }
    Ok(())
}

/// The server may need a moment to notice that the one before has ended.
fn gets_the_name_in_time(ctx: &Context, heir: &mut Person) -> Outcome {
    let mut patience = ctx.new_patience();
    let line = format!("{}\n", ctx.protocol.registration(&heir.name));
    ctx.step(format!("{} asks for the name until it is free", heir.name));
    loop {
        heir.send_silently(line.as_bytes())?;
        if has_won(ctx, heir)? {
            return Ok(());
        }
        ctx.asks_again(heir)?;
        if !patience.pause() {
            return Err(wrong("the name is still taken").after(patience.over()));
        }
    }
}
