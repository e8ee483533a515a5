//! The process behind the port: where it listens, what it uses, how it starts again. Rules L14
//! to L16.

use super::basics::ONE_LINE;
use super::names::WAYS;
use crate::check::dialect::CHATS;
use crate::check::outcome::{fail, inconclusive, wrong};
use crate::check::run::LAST_BREATH;
use crate::check::target::StartOptions;
use crate::check::{Check, Context, Label, Outcome, Protocol};
use crate::process::{PATIENCE, Process};
use socket2::{Domain, Socket, Type};
use std::io::ErrorKind;
use std::net::{Ipv4Addr, SocketAddr, TcpStream};
use std::thread;
use std::time::{Duration, Instant};

/// Descriptors that a server gets in the checks of rule L14.
const DESCRIPTORS: u32 = 64;

/// Clients that want in at that limit.
const TOO_MANY: usize = 90;

/// Visitors who come and go politely.
const VISITORS: usize = 100;

/// The processor is looked at for so long; an idle program uses less than a twentieth of it.
const WINDOW: Duration = Duration::from_millis(1000);
const IDLE_PERCENT_MAX: u32 = 5;

/// Looks within a window: is anything of it running?
const LOOKS: u32 = 20;

/// Who has something else to do once is looked at again.
const WINDOWS: usize = 4;

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
        &[IDLE],
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
    let patience = ctx.patience;
    ctx.step("the first line on stdout must be `listening on HOST:PORT`");
    let stdout = std::sync::Arc::clone(&ctx.process()?.stdout);
    let first = stdout.wait(patience, |screen| screen.lines.first().cloned());
    let expected = format!("listening on {address}");
    match first {
        Some(line) if line == expected => Ok(()),
        Some(line) => Err(wrong("the first line on stdout says something else")
            .differs(expected.as_bytes(), line.as_bytes())),
        None => {
            Err(wrong("nothing on stdout; is it flushed?").expected(expected).got("nothing").late())
        }
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
    let Some(status) = second.wait(PATIENCE) else {
        return Err(wrong("the second server does not end")
            .expected("one line on stderr, exit status 1")
            .got(second.last_words(5)));
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

/// Looks at the processor time until a window is idle. On a machine with much else to do a
/// program that never waits gets little of it, but it always wants it: so that counts as well.
fn is_idle(ctx: &mut Context, misconception: &'static str, what: &str) -> Outcome {
    let (mut used, mut wanted) = (Duration::ZERO, 0);
    ctx.step(format!("its processor time is looked at for {WINDOW:?}, {WINDOWS} times if need be"));
    for _ in 0..WINDOWS {
        let before = ctx.usage()?.processor_time;
        wanted = 0;
        for _ in 0..LOOKS {
            thread::sleep(WINDOW / LOOKS);
            wanted += u32::from(ctx.usage()?.runnable > 0);
        }
        used = ctx.usage()?.processor_time.saturating_sub(before);
        if used <= WINDOW * IDLE_PERCENT_MAX / 100 && wanted <= LOOKS / 4 {
            return Ok(());
        }
    }
    Err(fail(misconception, what)
        .expected(format!("less than {IDLE_PERCENT_MAX} % of a processor, and asleep"))
        .got(format!(
            "{} %, and awake at {wanted} of {LOOKS} looks",
            used.as_millis() * 100 / WINDOW.as_millis()
        )))
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
    for (number, (way, leave)) in WAYS.iter().enumerate() {
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
    let before = settled(ctx)?;
    ctx.step(format!("{VISITORS} visitors come and go, politely and by reset"));
    for number in 0..VISITORS {
        let visitor = ctx.quietly(|ctx| ctx.joins(&format!("guest{number}")))?;
        if number % 3 == 0 { visitor.peer.reset() } else { drop(visitor) }
    }
    let deadline = Instant::now() + ctx.patience;
    loop {
        let now = ctx.usage()?;
        if now.descriptors <= before.0 + 3 && now.threads <= before.1 + 10 {
            return Ok(());
        }
        if Instant::now() > deadline {
            return Err(fail("leaks-descriptors", "connections that have ended are not closed")
                .expected(format!("{} descriptors, {} threads, or a few more", before.0, before.1))
                .got(format!("{} descriptors, {} threads", now.descriptors, now.threads))
                .late());
        }
        thread::sleep(Duration::from_millis(50));
    }
}

/// Descriptors and threads, once they no longer change.
fn settled(ctx: &mut Context) -> Outcome<(usize, usize)> {
    let mut last = ctx.usage()?;
    for _ in 0..20 {
        thread::sleep(Duration::from_millis(100));
        let now = ctx.usage()?;
        if (now.descriptors, now.threads) == (last.descriptors, last.threads) {
            break;
        }
        last = now;
    }
    Ok((last.descriptors, last.threads))
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
                return Err(fail("ignores-eof", message).late());
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
    let deadline = Instant::now() + ctx.patience;
    // Some runtimes close newcomers themselves before the last descriptor is used.
    while ctx.usage()?.descriptors < DESCRIPTORS as usize - 2 && !crowd.iter().any(was_ended) {
        if Instant::now() > deadline {
            return Err(inconclusive("the server did not use up its descriptors"));
        }
        thread::sleep(Duration::from_millis(20));
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
    let deadline = Instant::now() + ctx.patience;
    let mut carol = loop {
        // Those who waited in the queue of the kernel may be in the way for a moment.
        match ctx.quietly(|ctx| ctx.joins("carol")) {
            Ok(carol) => break carol,
            Err(_) if Instant::now() < deadline && ctx.process()?.is_running() => {
                thread::sleep(Duration::from_millis(50));
            }
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
    let patience = ctx.patience;
    stderr.wait(patience, |screen| (!screen.lines.is_empty()).then_some(()));
    let lines = stderr.lock().lines.len();
    match lines {
        1..=10 => Ok(()),
        0 => Err(fail(
            "fd-limit-is-fatal",
            "the server must say on stderr that it has no descriptors left",
        )
        .expected("a line on stderr")
        .got("nothing")
        .late()),
        _ => Err(fail("fd-limit-is-fatal", "the server must say it once, not again and again")
            .expected("a line on stderr")
            .got(format!("{lines} lines"))),
    }
}
