//! What is special to S3: `#NAME` and `@USER:TEXT`.

use super::basics::ONE_LINE;
use super::framing::JOINED;
use crate::check::cases::Cases;
use crate::check::difference::visible;
use crate::check::outcome::{fail, wrong};
use crate::check::person::Heard;
use crate::check::{Check, Context, Label, Outcome, Person, Protocol};
use crate::patience::Patience;
use std::time::{Duration, Instant};

/// For a server that answers no mistake it cannot be seen who is still known.
pub const UNKNOWN: &str = "an-unknown-user-is-an-error";

/// An answer that a server which rests has not given by then never comes: then something is asked
/// that has one.
const QUICK_ANSWER: Duration = Duration::from_millis(500);

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
        chapter: "stage3.md",
        protocols: &[Protocol::Select],
        needs_process: false,
        after: &[ONE_LINE],
        run,
    }
}

/// Stands among the checks of lines: one of those asks whether somebody is still known.
pub const UNKNOWN_USER: Check = check(UNKNOWN, "S3.4", &["silent-error"], unknown_user);

pub static CHECKS: &[Check] = &[
    Check {
        after: &["a-newcomer-is-greeted"],
        ..check("a-newcomer-is-told-its-own-address", "S3.1", &[], own_address)
    },
    check(
        "who-registers-is-told-so-and-nobody-else",
        "S3.2",
        &["registers-the-wrong-socket"],
        registers_itself,
    ),
    Check {
        needs_process: true,
        ..check("the-console-says-who-was-added", "S3.2", &[], console_says_who)
    },
    check("a-renaming-frees-the-old-name", "S3.2", &["old-name-still-routes"], renaming),
    check("the-case-of-ones-own-name-may-change", "S3.2", &["name-taken-over"], own_case),
    check("a-message-says-who-wrote-it", "S3.3", &["anonymous-delivery"], says_who_wrote),
    check(
        "a-message-reaches-its-addressee-and-nobody-else",
        "S3.3",
        &["registers-the-wrong-socket"],
        only_the_addressee,
    ),
    check("the-text-keeps-its-colons", "S3.3", &[], colons),
    check("an-empty-text-is-an-error", "S3.3", &["silent-error"], empty_text),
    check("one-may-write-to-oneself", "S3.3", &[], to_oneself),
    check("the-sender-is-told-nothing-when-it-worked", "S3.3", &["echo-to-sender"], told_nothing),
    Check {
        needs_process: true,
        ..check("a-star-is-everybody-else", "S3.5", &["echo-to-sender"], to_everybody)
    },
    check("who-has-no-name-may-not-send", "S3.4", &["unregistered-may-send"], unregistered),
    check("any-other-line-is-an-error", "S3.4", &["silent-error"], other_lines),
    Check {
        after: &[ONE_LINE, JOINED],
        ..check("a-departed-user-is-unknown", "L9", &["ghost-user", "silent-error"], departed)
    },
];

fn own_address(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.dials("bob")?;
    let address = bob.peer.address()?;
    let expected = format!("You are connected from: {address}");
    // Even where a program's own words for a greeting are lived with, this is about the greeting.
    let heard = bob.next_of_any_kind(&mut bob.new_patience());
    bob.judges(heard, &expected)
}

fn registers_itself(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.connects("alice")?;
    let mut bob = ctx.connects("bob")?;
    let ghost = alice.name.clone();
    alice.line(&format!("#{ghost}"))?;
    // An acknowledgement that went to bob would be there before this one.
    ctx.registers(&mut bob).means(
        "registers-the-wrong-socket",
        "bob, who came last, was told what alice had asked for",
    )?;
    alice.hears_line(&format!("Your user detail saved as: {ghost}")).means(
        "registers-the-wrong-socket",
        "alice, who spoke, must be the one who is registered",
    )?;
    bob.says(&ghost, "hello")?;
    alice
        .hears(&bob.name, "hello")
        .means("registers-the-wrong-socket", "mail for alice must reach alice")
}

fn console_says_who(ctx: &mut Context) -> Outcome {
    let bob = ctx.joins("bob")?;
    let expected = format!("User {} added.", bob.name);
    ctx.console_shows(&expected)
}

fn renaming(ctx: &mut Context) -> Outcome {
    let (mut bob, mut alice) = ctx.two_named("bob", "alice")?;
    let (old, new) = (bob.name.clone(), ctx.name("robert"));
    ctx.step(format!("{old} takes the name {new}, on the same connection"));
    bob.name = new.clone();
    ctx.registers(&mut bob)?;
    alice.says(&new, "for the new name")?;
    bob.hears(&alice.name, "for the new name")
        .means("old-name-still-routes", "after a renaming the new name receives")?;
    alice.says(&old, "for the old name")?;
    until_either_hears(&mut alice, &mut bob);
    if !bob.peer.unread().is_empty() {
        return Err(fail("old-name-still-routes", "after a renaming only the new name receives")
            .expected("nothing for the old name")
            .got(visible(bob.peer.unread())));
    }
    alice.hears_error().because("who writes to the old name must be told")?;
    bob.says(&alice.name, "from me")?;
    alice
        .hears(&new, "from me")
        .means("old-name-still-routes", "who has a new name writes under it")?;
    let mut heir = ctx.connects("bob")?;
    ctx.registers(&mut heir).means("old-name-still-routes", "the old name must be free at once")
}

/// One of two outcomes; which one comes is what the check wants to know.
fn until_either_hears(one: &mut Person, other: &mut Person) {
    let mut patience = one.new_patience();
    while one.peer.unread().is_empty() && other.peer.unread().is_empty() && patience.pause() {
        one.peer.receive_until(Instant::now());
        other.peer.receive_until(Instant::now());
    }
}

fn own_case(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let new = bob.name.to_ascii_uppercase();
    bob.name = new.clone();
    ctx.registers(&mut bob)
        .means("name-taken-over", "the case of one's own name may change: nobody else has it")?;
    bob.line(&format!("@{}:hello", alice.name))?;
    alice.hears(&new, "hello")
}

fn says_who_wrote(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    for name in ["alice", "carol"] {
        let mut writer = ctx.joins(name)?;
        writer.says(&bob.name, "hello")?;
        bob.hears(&writer.name, "hello")
            .means("anonymous-delivery", "the receiver must be told who wrote")?;
    }
    Ok(())
}

fn only_the_addressee(ctx: &mut Context) -> Outcome {
    let mut carol = ctx.joins("carol")?;
    let (mut alice, mut bob) = ctx.two()?;
    let mut dan = ctx.joins("dan")?;
    alice.says(&bob.name, "for bob alone")?;
    bob.hears(&alice.name, "for bob alone")?;
    for other in [&mut carol, &mut dan] {
        ctx.nothing_before_a_marker(&mut alice, other).because("it was not the addressee")?;
    }
    let part = &bob.name[..bob.name.len() - 1];
    alice.says(part, "for nobody")?;
    // Whether that is answered is another check's matter; but the marker must not join it.
    waits_for_an_answer(&mut alice);
    ctx.nothing_before_a_marker(&mut alice, &mut bob).because("a part of a name is nobody's name")
}

fn colons(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    for text in ["a:b", "see http://example.org:80/", ":)", "12:30:00"] {
        alice.says(&bob.name, text)?;
        bob.hears(&alice.name, text).because("a text ends at the line's end, not at a colon")?;
    }
    alice.says(&bob.name, "  blanks around  ")?;
    bob.hears(&alice.name, "blanks around").because("the text is trimmed")
}

fn empty_text(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    for text in ["", "  \t "] {
        alice.says(&bob.name, text)?;
        ctx.nothing_before_a_marker(&mut alice, &mut bob).because("an empty text is no message")?;
        answered_with_an_error(ctx, &mut alice, "an empty text must be answered with an error")?;
    }
    Ok(())
}

/// The next line for `alice` is an error; a line to herself ends the wait for one. It is not sent
/// at once: a server that takes one read for one line would see both as one, or not, by chance.
fn answered_with_an_error(_: &mut Context, alice: &mut Person, why: &str) -> Outcome {
    let name = alice.name.clone();
    waits_for_an_answer(alice);
    alice.says(&name, "a line to myself")?;
    alice.hears_error().means("silent-error", why)?;
    alice.hears(&name, "a line to myself").because("one error for one line")
}

fn waits_for_an_answer(alice: &mut Person) {
    alice.peer.receives(&mut Patience::new(alice.peer.worker, QUICK_ANSWER));
}

fn to_oneself(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.joins("alice")?;
    let name = alice.name.clone();
    alice.says(&name, "note to self")?;
    alice.hears(&name, "note to self").because("writing to oneself is allowed")
}

/// The extension is off until a flag switches it on.
fn to_everybody(ctx: &mut Context) -> Outcome {
    ctx.start_with_flags(&["--broadcast"])?;
    let (mut alice, mut bob) = ctx.two()?;
    let mut carol = ctx.joins("carol")?;
    let mut stranger = ctx.connects("stranger")?;
    alice.line("@*:hello all")?;
    for other in [&mut bob, &mut carol] {
        other.hears(&alice.name, "hello all").because("`@*` is everybody else who has a name")?;
    }
    bob.says(&alice.name, "heard you")?;
    alice.hears(&bob.name, "heard you").means_if_got(
        "hello all",
        "echo-to-sender",
        "the sender received its own message",
    )?;
    stranger.line("@*:guess who")?;
    stranger.hears_error().because("who has no name may not speak to all")?;
    ctx.registers(&mut stranger).because("who has no name hears nothing that is for all")
}

fn told_nothing(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    alice.says(&bob.name, "hello")?;
    bob.hears(&alice.name, "hello")?;
    bob.says(&alice.name, "hello to you")?;
    alice
        .hears(&bob.name, "hello to you")
        .means_if_got(": hello\\n", "echo-to-sender", "the sender received its own message")
        .because("a sender is told nothing when it worked")
}

fn unknown_user(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.joins("alice")?;
    alice.line("@nobody-here:hello")?;
    answered_with_an_error(ctx, &mut alice, "who writes to an unknown user must be told")
}

fn unregistered(ctx: &mut Context) -> Outcome {
    let mut bob = ctx.joins("bob")?;
    let mut stranger = ctx.connects("stranger")?;
    stranger.says(&bob.name, "guess who")?;
    match stranger.next() {
        Heard::Line(line) if line.starts_with("! ") => {}
        other => {
            let delivered = bob.next().in_words();
            return Err(wrong("who has no name may not send, and must be told so")
                .expected("! ...\\n, and nothing for bob")
                .got(format!("the sender got {}, bob got {delivered}", other.in_words()))
                .after(stranger.peer.over))
            .means("unregistered-may-send", "a client without a name was not refused");
        }
    }
    let mut alice = ctx.joins("alice")?;
    ctx.nothing_before_a_marker(&mut alice, &mut bob)
        .means("unregistered-may-send", "a message without a sender was delivered")
}

fn other_lines(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.joins("alice")?;
    let mut cases = Cases::default();
    for line in ["hello", "@", "@bob", "@:hello", ":", "bob:hello", "/help", "!", "* alice left"] {
        alice.line(line)?;
        let why = format!("`{line}` is no line of this protocol: that must be said");
        let answered = answered_with_an_error(ctx, &mut alice, &why);
        if !cases.add(format!("`{line}` is not answered with an error"), answered)? {
            alice.peer.take_unread(); // the line to herself, or what came instead
        }
    }
    cases.judge("lines of no form that S3 knows")
}

fn departed(ctx: &mut Context) -> Outcome {
    let (mut alice, bob) = ctx.two()?;
    let name = bob.name.clone();
    bob.leaves();
    let mut witness = ctx.joins("witness")?;
    ctx.is_gone(&name, &mut alice, &mut witness)
        .means("ghost-user", "who writes to somebody who has left must be told")
}
