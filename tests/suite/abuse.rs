//! Stage 5 under abuse that stays within the protocol: who reconnects, guesses, asks for long answers, or
//! comes again and again (faults that were seen on running servers; the rule is S5.9).
//!
//! A limiter is tested by what it has let through in the time that has passed, never by how quick it is: on a
//! busy machine more time passes, and more may come through.

use anyhow::{Context, ensure};
use chat_lab::peer::{End, Peer};
use chat_lab::process::{PATIENCE, Server};
use chat_lab::stage::Stage;
use libtest_mimic::Trial;
use std::io::Write;
use std::time::Instant;

pub fn tests() -> Vec<Trial> {
    vec![
        crate::test("abuse::who_reconnects_has_no_new_burst", reconnects),
        crate::test("abuse::secrets_are_guessed_slowly_over_many_connections", guesses),
        crate::test("abuse::a_long_answer_costs_as_many_lines_as_it_has_kib", long_answers),
        crate::test("abuse::who_comes_too_often_is_told_so", comes_too_often),
        #[cfg(target_os = "linux")]
        crate::test("abuse::who_is_refused_keeps_few_descriptors", refused),
        crate::test("abuse::a_browser_says_nothing_in_the_chat", browser),
    ]
}

fn server(flags: &[&str]) -> anyhow::Result<Server> {
    Server::start_stage(Stage::by_number(5)?, flags)
}

fn joins(server: &Server, name: &str) -> anyhow::Result<Peer> {
    let mut peer = Peer::connect(name, server.address)?;
    peer.say(name)?;
    hears(&mut peer, "* welcome")?;
    Ok(peer)
}

fn hears(peer: &mut Peer, beginning: &str) -> anyhow::Result<()> {
    let heard = peer.skip_to(PATIENCE, |line| line.starts_with(beginning));
    ensure!(heard.is_ok(), "{} has not heard `{beginning}`: {heard:?}", peer.name);
    Ok(())
}

/// No more came through than a full bucket and what has come back since.
fn check_rate(passed: usize, burst: usize, rate: f64, since: Instant) -> anyhow::Result<()> {
    let allowed = burst as f64 + rate * since.elapsed().as_secs_f64() + 1.0;
    ensure!(passed as f64 <= allowed, "{passed} came through, and {allowed:.1} were allowed");
    Ok(())
}

fn reconnects() -> anyhow::Result<()> {
    const RATE: usize = 2;
    const VISITS: usize = 3;
    let server = server(&["--lines-per-second", &RATE.to_string()])?;
    let since = Instant::now();
    for visit in 0..VISITS {
        let mut visitor = Peer::connect("mallory", server.address)?;
        visitor.say(&format!("mallory{visit}"))?;
        for _ in 1..2 * RATE {
            visitor.say("hello")?; // with the name, that is a burst
        }
        visitor.half_close();
        ensure!(visitor.read_to_end(PATIENCE) == Some(End::Closed), "visit {visit} has not ended");
    }
    check_rate(VISITS * 2 * RATE, 2 * RATE, RATE as f64, since)
}

fn guesses() -> anyhow::Result<()> {
    const BURST: usize = 5;
    let mut file = tempfile::NamedTempFile::new()?;
    writeln!(file, "open sesame")?;
    let file = file.path().display().to_string();
    let server = server(&["--admin-password-file", &file])?;
    let names = (0..BURST + 3).map(|number| format!("mallory{number}"));
    let mut guessers: Vec<Peer> =
        names.map(|name| joins(&server, &name)).collect::<anyhow::Result<_>>()?;
    let since = Instant::now();
    for guesser in &mut guessers {
        guesser.say("/admin sesame")?;
    }
    for guesser in &mut guessers {
        hears(guesser, "! wrong")?;
    }
    check_rate(guessers.len(), BURST, 1.0, since)?;
    let mut root = joins(&server, "root")?;
    for _ in 0..2 * BURST {
        root.say("/admin open sesame")?;
        hears(&mut root, "* you are an admin")?;
    }
    Ok(())
}

fn long_answers() -> anyhow::Result<()> {
    const RATE: usize = 10;
    const QUESTIONS: usize = 3 * RATE;
    let server = server(&["--lines-per-second", &RATE.to_string()])?;
    let mut asker = Peer::connect("asker", server.address)?;
    let since = Instant::now();
    asker.say("asker")?;
    for _ in 0..QUESTIONS {
        asker.say("/help")?;
    }
    asker.half_close();
    ensure!(asker.read_to_end(PATIENCE) == Some(End::Closed), "the questions are not answered");
    let kib = asker.received.len() / 1024;
    ensure!(kib > QUESTIONS, "the answers are too short to show anything: {kib} KiB");
    // What the last answer costs is waited for by nobody, and each is charged in whole KiB.
    check_rate(2 * QUESTIONS - 2 * RATE, 2 * RATE, RATE as f64, since)
}

fn comes_too_often() -> anyhow::Result<()> {
    let server = server(&["--connects-per-minute", "3"])?;
    let mut inside = joins(&server, "ann")?;
    for number in 0..2 {
        joins(&server, &format!("guest{number}"))?;
    }
    let mut refused = Peer::connect("bob", server.address)?;
    let why = refused.next_line(PATIENCE).context("bob is not told why he is refused")?;
    ensure!(why.starts_with("! ") && why.contains("--connects-per-minute"), "{why}");
    ensure!(refused.read_to_end(PATIENCE) == Some(End::Closed), "bob is not sent away in order");
    inside.say("@ann:I am still here")?;
    hears(&mut inside, "[private] ann: I am still here")
}

/// Four hundred who are refused and do not go.
#[cfg(target_os = "linux")]
fn refused() -> anyhow::Result<()> {
    const NEWCOMERS: usize = 400;
    const KEPT_MAX: usize = 64;
    let server = server(&["--max-clients", "1", "--connects-per-minute", "0"])?;
    let folder = format!("/proc/{}/fd", server.process.as_ref().map_or(0, |process| process.id()));
    let descriptors = || anyhow::Ok(std::fs::read_dir(&folder)?.count());
    let inside = joins(&server, "ann")?;
    let before = descriptors()?;
    let mut newcomers = Vec::new();
    for _ in 0..NEWCOMERS {
        newcomers.push(Peer::connect("bob", server.address)?);
        let more = descriptors()?.saturating_sub(before);
        ensure!(more <= KEPT_MAX + 1, "{more} descriptors are kept by those who were refused");
    }
    let last = newcomers.last_mut().context("there are newcomers")?;
    ensure!(last.read_to_end(PATIENCE).is_some(), "one too many is kept");
    drop(inside);
    drop(newcomers);
    let deadline = Instant::now() + PATIENCE;
    while let Err(error) = joins_at_once(&server) {
        ensure!(Instant::now() < deadline, "nobody can come in any more: {error}");
    }
    Ok(())
}

#[cfg(target_os = "linux")]
fn joins_at_once(server: &Server) -> anyhow::Result<()> {
    let mut peer = Peer::connect("cem", server.address)?;
    let question = peer.next_line(PATIENCE);
    ensure!(question.as_deref() == Some("NICK"), "{question:?}");
    Ok(())
}

/// What a page makes a browser send, with lines of chat in its body.
fn browser() -> anyhow::Result<()> {
    let server = server(&[])?;
    let mut ann = joins(&server, "ann")?;
    let mut browser = Peer::connect("browser", server.address)?;
    browser.send(b"POST / HTTP/1.1\r\nHost: 127.0.0.1\r\n\r\nmallory\nbuy this\n")?;
    hears(&mut browser, "! ")?;
    ensure!(browser.read_to_end(PATIENCE) == Some(End::Closed), "the browser is not sent away");
    let mut bob = joins(&server, "bob")?;
    bob.say("is anybody here?")?;
    let heard = ann.skip_to(PATIENCE, |line| line.contains("mallory") || line.contains("anybody"));
    let (_, heard) = heard.map_err(|lines| anyhow::anyhow!("ann hears nobody: {lines:?}"))?;
    ensure!(heard.contains("anybody"), "ann has heard the browser: {heard}");
    Ok(())
}
