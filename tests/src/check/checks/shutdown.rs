//! The end of the server: rule S5.10. Signals are a matter of Unix.

#[cfg(unix)]
use super::talk::own_server;
use crate::check::Check;

#[cfg(unix)]
pub static CHECKS: &[Check] = &[
    own_server("a-signal-ends-the-server-in-order", "S5.10", &[], unix::in_order),
    own_server(
        "what-is-owed-is-sent-before-the-end",
        "S5.10",
        &["reorders-or-loses-under-load"],
        unix::under_load,
    ),
    own_server("lines-that-wait-do-not-delay-the-end", "S5.10", &[], unix::waiting_lines),
    own_server(
        "who-does-not-read-does-not-keep-the-server-alive",
        "S5.10",
        &["slow-reader-stalls-others"],
        unix::stuck_reader,
    ),
];

#[cfg(not(unix))]
pub static CHECKS: &[Check] = &[];

#[cfg(unix)]
mod unix {
    use crate::check::checks::flood::{SMALL_BUFFER, begins_to_read};
    use crate::check::outcome::{FAREWELL, fail, wrong};
    use crate::check::person::Heard;
    use crate::check::{Context, Label, Outcome, Person};
    use crate::patience::Patience;
    use crate::peer::End;
    use crate::resources::socket_buffers_bytes_max;
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;
    use std::net::TcpStream;
    use std::time::{Duration, Instant};

    const NOTICE: &str = "* the server is shutting down";

    /// Lines that may have been obeyed between the signal and its delivery, a second each.
    const OBEYED_MAX: usize = 12;

    /// Bytes of the text of a line that is owed.
    const OWED_TEXT_BYTES: usize = 1900;

    /// Lines that are owed when the signal comes: the kernel alone cannot hold so many.
    fn owed_lines() -> usize {
        (socket_buffers_bytes_max() + (1 << 20)) / OWED_TEXT_BYTES
    }

    /// How long a server may take to end that is to drain for at most 5 s.
    const END_PATIENCE: Duration = Duration::from_secs(20);

    fn send(ctx: &mut Context, signal: Signal) -> Outcome {
        let group = Pid::from_raw(ctx.process()?.id() as i32);
        ctx.step(format!("the server receives {signal}"));
        let sent = killpg(group, signal);
        sent.map_err(|error| wrong(format!("the server has ended already ({error})")))
    }

    fn ends_well(ctx: &mut Context) -> Outcome {
        ctx.step("the server must end with status 0");
        let mut patience = Patience::new(ctx.worker(), END_PATIENCE);
        match ctx.process()?.wait_within(&mut patience) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(wrong("a server that is told to end ends well")
                .expected("exit status 0")
                .got(status.to_string())),
            None => Err(wrong("the server does not end")
                .expected("its end within 5 s")
                .got(format!("it still runs after {END_PATIENCE:?}"))
                .after(patience.over())),
        }
    }

    fn hears_the_notice(person: &mut Person) -> Outcome {
        person.hears_notice(&format!("`{NOTICE}`"), |line| line == NOTICE).map(drop)
    }

    fn hears_the_end(person: &mut Person) -> Outcome {
        hears_the_notice(person)?;
        person.hears_all_to_the_end()
    }

    pub fn in_order(ctx: &mut Context) -> Outcome {
        for signal in [Signal::SIGTERM, Signal::SIGINT] {
            ctx.start(crate::check::target::StartOptions::default())?;
            let (mut alice, mut bob) = ctx.two()?;
            let mut silent = ctx.connects("silent")?;
            let address = ctx.address()?;
            send(ctx, signal)?;
            for person in [&mut alice, &mut bob] {
                hears_the_end(person).because(format!("everyone is told of {signal}"))?;
            }
            if silent.peer.read_to_end(ctx.patience) != Some(End::Closed) {
                return Err(
                    wrong("who has no name is disconnected as well").after(silent.peer.over)
                );
            }
            let heard = String::from_utf8_lossy(&silent.peer.received).into_owned();
            if heard.contains(NOTICE) {
                return Err(wrong("a client without a name receives no notices").got(heard));
            }
            ends_well(ctx)?;
            if TcpStream::connect_timeout(&address, ctx.patience).is_ok() {
                return Err(wrong("the port still answers after the server's end"));
            }
        }
        Ok(())
    }

    /// bob does not read, and is owed more than the kernel can hold; and alice who wrote it.
    fn owes(ctx: &mut Context) -> Outcome<(Person, Person)> {
        ctx.start_with_flags(&["--bytes-owed", "100000000"])?;
        let bob = ctx.joins_with("bob", SMALL_BUFFER)?;
        let mut alice = ctx.joins("alice")?;
        let text = "x".repeat(OWED_TEXT_BYTES);
        let lines = owed_lines();
        ctx.step(format!("alice sends {lines} long lines to bob, who does not read"));
        for number in 0..lines {
            let line = format!("/msg {} {number} {text}\n", bob.name);
            alice.send_silently(line.as_bytes())?;
        }
        ctx.catches_up(&mut alice)?; // all of them are obeyed
        Ok((alice, bob))
    }

    pub fn under_load(ctx: &mut Context) -> Outcome {
        let (mut alice, mut bob) = owes(ctx)?;
        let began = Instant::now();
        send(ctx, Signal::SIGTERM)?;
        hears_the_notice(&mut alice)?;
        begins_to_read(&bob); // not before: what is sent already is not owed any more
        ctx.step("bob must receive all of it");
        let start = format!("[private] {}: ", alice.name);
        for number in 0..owed_lines() {
            let expected = format!("{start}{number} ");
            match bob.next() {
                Heard::Line(line) if line.starts_with(&expected) => {}
                other => {
                    let message = "what is owed is sent before the end";
                    return Err(fail("reorders-or-loses-under-load", message)
                        .expected(expected + "...")
                        .got(other.in_words())
                        .after(bob.peer.over)
                        .before(began, FAREWELL));
                }
            }
        }
        hears_the_end(&mut bob)?;
        alice.hears_all_to_the_end()?;
        ends_well(ctx)
    }

    pub fn waiting_lines(ctx: &mut Context) -> Outcome {
        ctx.start_with_flags(&["--lines-per-second", "1"])?;
        let (mut alice, mut bob) = ctx.two()?;
        ctx.step("alice sends 100 lines in one segment: most of them wait");
        let lines: String = (0..100).map(|number| format!("line {number}\n")).collect();
        alice.send_silently(lines.as_bytes())?;
        bob.hears(&alice.name, "line 0")?;
        send(ctx, Signal::SIGTERM)?;
        drops_what_waits(&mut bob)?;
        ends_well(ctx)
    }

    /// Counts lines and no seconds: each of those that waited had to wait for its second.
    fn drops_what_waits(bob: &mut Person) -> Outcome {
        let mut patience = bob.new_patience();
        for _ in 0..OBEYED_MAX {
            match bob.next_of_any_kind(&mut patience) {
                Heard::Line(line) if line == NOTICE => return bob.hears_all_to_the_end(),
                Heard::Line(_) => {}
                other => {
                    return Err(wrong("lines that wait are dropped at the end")
                        .expected(NOTICE)
                        .got(other.in_words())
                        .after(bob.peer.over));
                }
            }
        }
        Err(wrong("lines that wait are dropped at the end")
            .expected(NOTICE)
            .got(format!("{OBEYED_MAX} lines that had waited")))
    }

    pub fn stuck_reader(ctx: &mut Context) -> Outcome {
        let (mut alice, _bob) = owes(ctx)?;
        send(ctx, Signal::SIGTERM)?;
        hears_the_end(&mut alice)
            .means("slow-reader-stalls-others", "bob does not read, and alice is not served")?;
        ends_well(ctx)
            .means("slow-reader-stalls-others", "bob does not read, and the server waits for him")
    }
}
