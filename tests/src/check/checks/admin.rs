//! Who may do everything in every room: rule S5.8, and the rest of S5.1 that needs an admin.

use super::talk::{check, is_of, own_server};
use crate::check::outcome::{fail, inconclusive, wrong};
use crate::check::{Check, Context, Label, Outcome, Person};
use crate::work::State;
use std::io::Write;
use std::time::{Duration, Instant};

const PASSWORD: &str = "open-Sesame-77";
const GUESS: &str = "open-Sesame-78";

/// More than the five that an address may try before it has to wait (rule S5.9).
const GUESSES: u32 = 6;

/// Guesses that are slowed down take longer than this: far shorter than what keeps anybody from
/// trying on. On a busy machine all answers do; but one who slows them down rests before it answers.
const SLOW: Duration = Duration::from_millis(300);
const LOOKS_AT_REST: usize = 1;

/// For one answer. How much a wrong password is slowed down is the server's own choice, and it
/// may rest meanwhile: guesses at 1, 2, 4 and 8 seconds are no fault.
const PATIENCE: Duration = Duration::from_secs(30);

const ROLE: &[&str] = &["role-not-checked"];

pub static CHECKS: &[Check] = &[
    own_server("an-admin-is-an-operator-in-every-room", "S5.8", ROLE, admin),
    own_server("a-wrong-password-gives-no-right", "S5.8", ROLE, wrong_password),
    own_server("wrong-passwords-are-slowed-down-and-logged", "S5.8", &[], slowed_down),
    own_server("no-password-is-logged-or-repeated", "S5.8", &[], never_shown),
    check("without-a-password-file-there-is-no-admin", "S5.8", ROLE, no_admin),
    own_server("who-may-not-enter-the-lobby-is-in-no-room", "S5.1", &["ban-evaded"], kept_out),
];

fn start(ctx: &mut Context) -> Outcome {
    ctx.patience = PATIENCE;
    let mut file = tempfile::NamedTempFile::new()?;
    writeln!(file, "{PASSWORD}")?;
    let path = file.path().display().to_string();
    ctx.start_with_flags(&["--admin-password-file", &path])?;
    ctx.joins("first")?.quits() // it has read the file, which goes now
}

fn becomes_admin(ctx: &mut Context, person: &mut Person) -> Outcome {
    ctx.may(person, &format!("/admin {PASSWORD}"))
        .because("the right password makes an admin")
        .map(drop)
}

fn admin(ctx: &mut Context) -> Outcome {
    start(ctx)?;
    let den = ctx.room("den");
    let [mut alice, mut bob, mut root] = ctx.gather(&den, ["alice", "bob", "root"])?;
    ctx.must_not_be_operator(&mut root, "no password was given yet")?;
    becomes_admin(ctx, &mut root)?;
    ctx.may(&mut root, "/topic the admin was here")?;
    ctx.may(&mut root, &format!("/kick {}", alice.name))?;
    ctx.hears_of(&mut root, &mut bob)?.have_one("that alice was kicked", |line| {
        is_of(line, &den) && line.contains(&format!("* {} was kicked by", alice.name))
    })?;
    ctx.may(&mut root, "/join #lobby")?;
    ctx.may(&mut root, "/topic welcome")
        .because("an admin may do in the lobby what operators may elsewhere")?;
    let own = root.name.clone();
    ctx.may_not(&mut root, &format!("/op {own}"))
        .means("role-not-checked", "#lobby has no operator")?;
    ctx.must_not_be_operator(&mut alice, "alice is no admin")
}

fn wrong_password(ctx: &mut Context) -> Outcome {
    start(ctx)?;
    let mut mallory = ctx.joins("mallory")?;
    let longer = format!("{PASSWORD}x");
    for guess in [GUESS, "", "open-Sesame-7", &longer, "OPEN-SESAME-77"] {
        ctx.may_not(&mut mallory, &format!("/admin {guess}"))
            .means("role-not-checked", "a wrong password must be refused")?;
        ctx.must_not_be_operator(&mut mallory, "a wrong password gives no right")?;
    }
    becomes_admin(ctx, &mut mallory)?;
    ctx.must_be_operator(&mut mallory, "after wrong passwords the right one is still right")
}

fn slowed_down(ctx: &mut Context) -> Outcome {
    start(ctx)?;
    let mut mallory = ctx.joins("mallory")?;
    let before = printed(ctx)?.len();
    let started = Instant::now();
    let (mut waited, mut looked) = (false, Duration::ZERO);
    for _ in 0..GUESSES {
        mallory.line(&format!("/admin {GUESS}"))?;
        mallory.peer.until_read();
        let read = Instant::now();
        let rests = !matches!(ctx.worker().state(LOOKS_AT_REST), State::Works | State::Unknown);
        waited |= rests && mallory.peer.has_nothing_to_read();
        looked += read.elapsed();
        if ctx.catches_up(&mut mallory)?.error().is_none() {
            return Err(wrong("a wrong password was not refused").expected("! ..."));
        }
    }
    let took = started.elapsed();
    if !waited && took.saturating_sub(looked) < SLOW {
        return Err(wrong(format!("{GUESSES} wrong passwords were answered at once"))
            .expected("wrong passwords are slowed down"));
    }
    if !waited && ctx.worker().state(LOOKS_AT_REST) != State::Unknown {
        return Err(inconclusive("the machine was too busy to see whether the server waits"));
    }
    let mut patience = ctx.new_patience();
    while printed(ctx)?.len() == before {
        if !patience.pause() {
            return Err(wrong("nothing was logged of the wrong passwords").after(patience.over()));
        }
    }
    Ok(())
}

/// All lines of the server's stdout and stderr.
fn printed(ctx: &mut Context) -> Outcome<Vec<String>> {
    let process = ctx.process()?;
    let (out, err) = (process.stdout.lock(), process.stderr.lock());
    Ok(out.lines.iter().chain(&err.lines).cloned().collect())
}

fn never_shown(ctx: &mut Context) -> Outcome {
    start(ctx)?;
    let (mut mallory, mut bob) = ctx.two_named("mallory", "bob")?;
    let mut seen = Vec::new();
    for line in [
        format!("/admin {GUESS}"),
        format!("/ADMIN\t{GUESS}"),
        format!("/amdin {GUESS}"),
        format!("/admin {PASSWORD}"),
        format!("/admin {PASSWORD}"),
        "/help admin".to_string(),
    ] {
        seen.extend(ctx.tries(&mut mallory, &line)?.lines);
        seen.extend(ctx.hears_of(&mut mallory, &mut bob)?.lines);
    }
    mallory.quits()?;
    ctx.joins("last")?.quits()?;
    seen.extend(printed(ctx)?);
    let shown = seen.iter().find(|line| line.contains("open-Sesame"));
    match shown {
        Some(line) => Err(wrong("a password was shown")
            .expected("no password, right or wrong, in an answer or in the log")
            .got(line)),
        None => Ok(()),
    }
}

fn no_admin(ctx: &mut Context) -> Outcome {
    let mut mallory = ctx.joins("mallory")?;
    let error = ctx
        .may_not(&mut mallory, &format!("/admin {GUESS}"))
        .means("role-not-checked", "nobody can be an admin without a password")?;
    if error.contains(GUESS) {
        return Err(wrong("the answer repeats the password").got(error));
    }
    ctx.may_not(&mut mallory, "/admin")
        .means("role-not-checked", "nobody can be an admin without a password")?;
    ctx.must_not_be_operator(&mut mallory, "a guess gives no right")
}

fn kept_out(ctx: &mut Context) -> Outcome {
    start(ctx)?;
    let mut root = ctx.joins("root")?;
    becomes_admin(ctx, &mut root)?;
    ctx.may(&mut root, "/ban bob")?;
    let mut bob = ctx.connects("bob")?;
    bob.line("bob")?;
    let heard = ctx.catches_up(&mut bob)?;
    heard
        .have_start("* welcome bob: you are in no room")
        .means("ban-evaded", "bob is banned from the lobby")?;
    if heard.error().is_none() {
        return Err(fail("ban-evaded", "a line must say why bob may not enter #lobby")
            .expected("! ...")
            .got(heard.lines.join("\n")));
    }
    ctx.may_not(&mut bob, "is anybody here?").because("who is in no room cannot speak")?;
    let heard = ctx.hears_of(&mut bob, &mut root)?;
    heard
        .lack_room("#lobby")
        .means("ban-evaded", "the lobby heard of somebody who was kept out")?;
    ctx.may(&mut bob, "/join #den").because("other rooms are open to bob").map(drop)
}
