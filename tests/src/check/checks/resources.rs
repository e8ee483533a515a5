//! The process behind the port: where it listens, what it uses, how it starts again. Rules L14
//! to L16.

use super::basics::ONE_LINE;
use super::faults::EXIT_ENDS;
use super::names::ways;
use crate::check::dialect::CHATS;
use crate::check::outcome::{fail, inconclusive, wrong};
use crate::check::run::LAST_BREATH;
use crate::check::target::StartOptions;
use crate::check::{Check, Context, Label, Outcome, Protocol};
use crate::patience::Patience;
use crate::process::{PATIENCE, Process};
use crate::resources::Usage;
use crate::work::Idleness;
use socket2::{Domain, Socket, Type};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};

/// Descriptors that a server gets in the checks of rule L14.
const DESCRIPTORS: u32 = 64;

/// Clients that want in at that limit.
const TOO_MANY: usize = 90;

/// Visitors who come and go politely.
const VISITORS: usize = 100;

/// What a server may have opened or started for itself meanwhile: much less than one for each of
/// the visitors.
const MORE_DESCRIPTORS_MAX: usize = 3;
const MORE_THREADS_MAX: usize = 10;

const EVERY: &[Protocol] =
    &[Protocol::Simplex, Protocol::Duplex, Protocol::Select, Protocol::Threads, Protocol::Rooms];

const fn check(
    name: &'static str,
    rule: &'static str,
    misconceptions: &'static [&'static str],
    protocols: &'static [Protocol],
    after: &'static [&'static str],
    run: fn(&mut Context) -> Outcome,
) -> Check {
    Check {
        name,
        rule,
        misconceptions,
        points: 2.0,
        chapter: "stage4.md",
        protocols,
        needs_process: true,
        after,
        run,
    }
}

const IDLE: &str = "an-idle-server-uses-no-processor-time";

pub static CHECKS: &[Check] = &[
    check("the-first-line-says-where-it-listens", "L15", &[], EVERY, &[], says_where),
    check(
        "it-listens-where-it-was-told-and-nowhere-else",
        "L15",
        &["binds-every-address"],
        EVERY,
        &[],
        nowhere_else,
    ),
    check(
        "a-port-in-use-is-a-line-and-status-1",
        "L15",
        &["traceback-to-the-user"],
        EVERY,
        &[],
        port_in_use,
    ),
    check(
        "it-starts-again-at-once-on-the-same-port",
        "L15",
        &["no-reuseaddr"],
        EVERY,
        &[ONE_LINE],
        starts_again,
    ),
    check(IDLE, "L16", &["busy-poll"], CHATS, &[ONE_LINE], idle),
    check(
        "finished-connections-use-no-processor-time",
        "L16",
        &["spins-after-departure"],
        CHATS,
        &[IDLE, EXIT_ENDS],
        idle_after_departures,
    ),
    check(
        "finished-connections-are-forgotten",
        "L16",
        &["leaks-descriptors"],
        CHATS,
        &[ONE_LINE],
        forgotten,
    ),
    check(
        "a-hundred-visitors-at-a-limit-of-64-descriptors",
        "L14",
        &["leaks-descriptors"],
        CHATS,
        &[ONE_LINE],
        visitors,
    ),
    check(
        "running-out-of-descriptors-is-a-pause",
        "L14",
        &["fd-limit-is-fatal"],
        CHATS,
        &[ONE_LINE],
        out_of_descriptors,
    ),
];

fn says_where(ctx: &mut Context) -> Outcome {
    let address = ctx.address()?;
    let mut patience = ctx.new_patience();
    ctx.step("the first line on stdout must be `listening on HOST:PORT`");
    let stdout = std::sync::Arc::clone(&ctx.process()?.stdout);
    let first = stdout.wait_within(&mut patience, |screen| screen.lines.first().cloned());
    let expected = format!("listening on {address}");
    match first {
        Some(line) if line == expected => Ok(()),
        Some(line) => Err(wrong("the first line on stdout says something else")
            .differs(expected.as_bytes(), line.as_bytes())),
        None => Err(wrong("nothing on stdout; is it flushed?")
            .expected(expected)
            .got("nothing")
            .after(patience.over())),
    }
}

fn nowhere_else(ctx: &mut Context) -> Outcome {
    let address = ctx.address()?;
    let other = SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), address.port()));
    if !cfg!(target_os = "linux") {
        return Err(inconclusive("only Linux has the address 127.0.0.2"));
    }
    ctx.step(format!("the server was told 127.0.0.1; a connection to {other} must be refused"));
    if address.ip() != Ipv4Addr::LOCALHOST && !address.ip().is_unspecified() {
        return Err(inconclusive(format!("the server listens on {address}, not on 127.0.0.1")));
    }
    match TcpStream::connect_timeout(&other, ctx.patience) {
        Err(_) => Ok(()),
        Ok(_) => Err(fail("binds-every-address", format!("the server answers on {other} as well"))
            .expected("connection refused")
            .got("connected")),
    }
}

fn port_in_use(ctx: &mut Context) -> Outcome {
    let port = ctx.address()?.port();
    ctx.step(format!("a second server is started on the same port {port}"));
    let arguments: Vec<&str> = ctx.arguments.iter().map(String::as_str).collect();
    let options = StartOptions { arguments: &arguments, ..StartOptions::default() };
    let mut second = Process::start("second", ctx.target.server_command(options, port)?)?;
    // The first one rests meanwhile, and says nothing of how long this one takes to start.
    let mut patience = Patience::new(second.worker(), PATIENCE);
    let Some(status) = second.wait_within(&mut patience) else {
        return Err(wrong("the second server does not end")
            .expected("one line on stderr, exit status 1")
            .got(second.last_words(5))
            .after(patience.over()));
    };
    second.stderr.wait(PATIENCE, |_| None::<()>); // to its end
    let lines: Vec<String> =
        second.stderr.tail(30).into_iter().filter(|line| !line.trim().is_empty()).collect();
    if lines.len() != 1 || status.code() != Some(1) {
        return Err(fail(
            "traceback-to-the-user",
            "a port in use is an ordinary error: one line that says what to do",
        )
        .expected("one line on stderr, exit status 1")
        .got(format!("{status}, {} lines on stderr:\n{}", lines.len(), lines.join("\n"))));
    }
    Ok(())
}

fn starts_again(ctx: &mut Context) -> Outcome {
    let port = ctx.address()?.port();
    let mut people = Vec::new();
    for name in ["ann", "ben", "cyd"] {
        people.push(if CHATS.contains(&ctx.protocol) {
            ctx.joins(name)?
        } else {
            ctx.dials(name)?
        });
    }
    if !CHATS.contains(&ctx.protocol) {
        // Only a connection that has been accepted leaves something behind.
        people[0].line("hello")?;
        let ann = &people[0];
        ctx.prints(ann, "hello")?;
    }
    ctx.step("the server is killed while they are connected");
    ctx.process()?.kill();
    for person in &mut people {
        person.peer.read_to_end(ctx.patience);
    }
    drop(people);
    // A socket without SO_REUSEADDR cannot have this port now: that is what is tried here.
    let plain = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    let address = SocketAddr::from((Ipv4Addr::LOCALHOST, port));
    if plain.bind(&address.into()).is_ok() {
        return Err(inconclusive("no connection was left behind that could occupy the port"));
    }
    ctx.step(format!("it is started again at once on port {port}"));
    ctx.start(StartOptions { port: Some(port), ..StartOptions::default() })
        .means("no-reuseaddr", "it cannot be started again at once on the same port")?;
    ctx.dials("dan").map(drop)
}

fn is_idle(ctx: &mut Context, misconception: &'static str, what: &str) -> Outcome {
    ctx.step("its processor time is looked at");
    match ctx.worker().idleness() {
        Idleness::Idle => Ok(()),
        Idleness::Unknown => Err(inconclusive("the machine was too busy to see who is idle")),
        Idleness::Busy(words) => Err(fail(misconception, what)
            .expected("hardly any processor time, and asleep")
            .got(words)),
    }
}

fn idle(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    alice.says(&bob.name, "hello")?;
    bob.hears(&alice.name, "hello")?;
    let _silent = ctx.connects("silent")?;
    ctx.step("nobody says anything");
    is_idle(ctx, "busy-poll", "a server with nothing to do must wait, not ask again and again")
}

fn idle_after_departures(ctx: &mut Context) -> Outcome {
    let _witness = ctx.joins("witness")?;
    for (number, (way, leave)) in ways(ctx).into_iter().enumerate() {
        let guest = ctx.joins(&format!("guest{number}"))?;
        ctx.step(format!("{} leaves by {way}", guest.name));
        // Whether it is closed in order is the matter of other checks.
        let _ = leave(guest);
    }
    for _ in 0..3 {
        drop(ctx.connects("silent")?);
    }
    is_idle(
        ctx,
        "spins-after-departure",
        "connections that have ended are still read, again and again",
    )
}

fn forgotten(ctx: &mut Context) -> Outcome {
    let _witness = ctx.joins("witness")?;
    for number in 0..5 {
        drop(ctx.joins(&format!("warm-up{number}"))?);
    }
    ctx.until_at_rest();
    let before = ctx.usage()?;
    ctx.step(format!("{VISITORS} visitors come and go, politely and by reset"));
    for number in 0..VISITORS {
        let visitor = ctx.quietly(|ctx| ctx.joins(&format!("guest{number}")))?;
        if number % 3 == 0 { visitor.peer.reset() } else { drop(visitor) }
    }
    let counts =
        |usage: &Usage| format!("{} descriptors, {} threads", usage.descriptors, usage.threads);
    let mut patience = ctx.new_patience();
    loop {
        let now = ctx.usage()?;
        let descriptors_max = before.descriptors + MORE_DESCRIPTORS_MAX;
        if now.descriptors <= descriptors_max && now.threads <= before.threads + MORE_THREADS_MAX {
            return Ok(());
        }
        if !patience.pause() {
            return Err(fail("leaks-descriptors", "connections that have ended are not closed")
                .expected(format!("{}, or a few more", counts(&before)))
                .got(counts(&now))
                .after(patience.over()));
        }
    }
}

/// Starts the server with few descriptors.
fn with_few_descriptors(ctx: &mut Context) -> Outcome {
    if !cfg!(unix) {
        return Err(inconclusive("the limit of descriptors is a matter of Unix"));
    }
    ctx.step(format!("the server is started with at most {DESCRIPTORS} descriptors"));
    ctx.start(StartOptions { descriptors: Some(DESCRIPTORS), ..StartOptions::default() }).map(drop)
}

fn visitors(ctx: &mut Context) -> Outcome {
    with_few_descriptors(ctx)?;
    let (mut alice, mut bob) = ctx.two()?;
    ctx.step(format!("{VISITORS} visitors come and go, one after the other"));
    for number in 0..VISITORS {
        let what = format!("visitor {} did not get in", number + 1);
        let mut visitor = ctx
            .quietly(|ctx| ctx.joins(&format!("guest{number}")))
            .means("leaks-descriptors", what.clone())?;
        if number % 2 == 0 {
            visitor.peer.half_close();
            if visitor.peer.read_to_end(ctx.patience).is_none() {
                let message = "a visitor who has ended its sending is not disconnected";
                return Err(fail("ignores-eof", message).after(visitor.peer.over));
            }
        }
        drop(visitor);
        // Those who leave are forgotten before the next one comes, however slow the server is.
        ctx.quietly(|ctx| ctx.nothing_before_a_marker(&mut alice, &mut bob))
            .means("leaks-descriptors", what)?;
    }
    Ok(())
}

fn out_of_descriptors(ctx: &mut Context) -> Outcome {
    with_few_descriptors(ctx)?;
    let (mut alice, mut bob) = ctx.two()?;
    ctx.step(format!("{TOO_MANY} clients connect"));
    let crowd = crowd(ctx)?;
    let mut patience = ctx.new_patience();
    // Some runtimes close newcomers themselves before the last descriptor is used.
    while ctx.usage()?.descriptors < DESCRIPTORS as usize - 2 && !crowd.iter().any(was_ended) {
        if !patience.pause() {
            return Err(inconclusive("the server did not use up its descriptors"));
        }
    }
    if ctx.process()?.wait(LAST_BREATH).is_some() {
        let message = "the server ended when it ran out of descriptors";
        return Err(fail("fd-limit-is-fatal", message));
    }
    let what = "the server must go on serving those it has";
    alice.says(&bob.name, "still here?")?;
    bob.hears(&alice.name, "still here?").means("fd-limit-is-fatal", what)?;
    let spins = "the server must wait for descriptors, not ask again and again";
    is_idle(ctx, "fd-limit-is-fatal", spins)?;
    says_it_once(ctx)?;
    ctx.step("they all leave");
    drop(crowd);
    let mut patience = ctx.new_patience();
    let mut carol = loop {
        // Those who waited in the queue of the kernel may be in the way for a moment.
        match ctx.quietly(|ctx| ctx.joins("carol")) {
            Ok(carol) => break carol,
            Err(_) if ctx.process()?.is_running() && patience.pause() => {}
            Err(trouble) => {
                return Err(trouble).means(
                    "fd-limit-is-fatal",
                    "when descriptors are free again, clients must get in again",
                );
            }
        }
    };
    carol.says(&bob.name, "in again")?;
    bob.hears(&carol.name, "in again").means("fd-limit-is-fatal", what)
}

/// Connections that the kernel accepts whether the server does or not; none is waited for.
fn crowd(ctx: &mut Context) -> Outcome<Vec<Socket>> {
    let address = ctx.address()?.into();
    let mut crowd = Vec::new();
    for _ in 0..TOO_MANY {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        let _ = socket.connect(&address); // "in progress"
        crowd.push(socket);
    }
    Ok(crowd)
}

/// Whether the server has ended this connection.
fn was_ended(socket: &Socket) -> bool {
    let mut byte = [std::mem::MaybeUninit::uninit()];
    match socket.peek(&mut byte) {
        Ok(0) => true,
        Err(error) => error.kind() == ErrorKind::ConnectionReset,
        Ok(_) => false,
    }
}

fn says_it_once(ctx: &mut Context) -> Outcome {
    let stderr = std::sync::Arc::clone(&ctx.process()?.stderr);
    ctx.step("the server must say so on stderr, once");
    let mut patience = ctx.new_patience();
    stderr.wait_within(&mut patience, |screen| (!screen.lines.is_empty()).then_some(()));
    let lines = stderr.lock().lines.len();
    match lines {
        1..=10 => Ok(()),
        0 => Err(fail(
            "fd-limit-is-fatal",
            "the server must say on stderr that it has no descriptors left",
        )
        .expected("a line on stderr")
        .got("nothing")
        .after(patience.over())),
        _ => Err(fail("fd-limit-is-fatal", "the server must say it once, not again and again")
            .expected("a line on stderr")
            .got(format!("{lines} lines"))),
    }
}
