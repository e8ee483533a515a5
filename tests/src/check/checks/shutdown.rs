//! The end of the server: rule S5.10. Signals are a matter of Unix.

use super::talk::own_server;
use crate::check::Check;

#[cfg(unix)]
pub static CHECKS: &[Check] = &[
    own_server(
        "a-signal-ends-the-server-in-order",
        "S5.10",
        &[],
        unix::in_order,
    ),
    own_server(
        "what-is-owed-is-sent-before-the-end",
        "S5.10",
        &["reorders-or-loses-under-load"],
        unix::under_load,
    ),
    own_server(
        "lines-that-wait-do-not-delay-the-end",
        "S5.10",
        &[],
        unix::waiting_lines,
    ),
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
    use crate::check::outcome::wrong;
    use crate::check::{Context, Label, Outcome, Person};
    use crate::peer::End;
    use nix::sys::signal::{Signal, killpg};
    use nix::unistd::Pid;
    use std::net::TcpStream;
    use std::time::Duration;

    const NOTICE: &str = "* the server is shutting down";

    /// Lines that are owed when the signal comes, and their bytes: less than the bound of L13.
    const OWED_LINES: usize = 400;
    const OWED_LINE_BYTES: usize = 1000;

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
        match ctx.process()?.wait(END_PATIENCE) {
            Some(status) if status.success() => Ok(()),
            Some(status) => Err(wrong("a server that is told to end ends well")
                .expected("exit status 0")
                .got(status.to_string())),
            None => Err(wrong("the server does not end")
                .expected("its end within 5 s")
                .got(format!("it still runs after {END_PATIENCE:?}"))),
        }
    }

    fn hears_the_end(person: &mut Person) -> Outcome {
        person.hears_notice(&format!("`{NOTICE}`"), |line| line == NOTICE)?;
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
                return Err(wrong("who has no name is disconnected as well").late());
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

    pub fn under_load(ctx: &mut Context) -> Outcome {
        // A small receive buffer: most of what bob is sent still waits in the server.
        let mut bob = ctx.joins_with("bob", 4096)?;
        let mut alice = ctx.joins("alice")?;
        let text = "x".repeat(OWED_LINE_BYTES);
        ctx.step(format!(
            "alice sends {OWED_LINES} lines to bob, who does not read yet"
        ));
        for number in 0..OWED_LINES {
            let line = format!("/msg {} {number} {text}\n", bob.name);
            alice.send_silently(line.as_bytes())?;
        }
        ctx.catches_up(&mut alice)?; // all of them are obeyed, and owed to bob
        send(ctx, Signal::SIGTERM)?;
        for number in 0..OWED_LINES {
            bob.log = crate::check::person::Log::default(); // one step is enough
            bob.hears_line(&format!("[private] {}: {number} {text}", alice.name))
                .means(
                    "reorders-or-loses-under-load",
                    "what is owed is sent before the end",
                )?;
        }
        bob.log = ctx.log.clone();
        hears_the_end(&mut bob)?;
        hears_the_end(&mut alice)?;
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
        hears_the_end(&mut bob).because("lines that wait are dropped at the end")?;
        ends_well(ctx)
    }

    pub fn stuck_reader(ctx: &mut Context) -> Outcome {
        let bob = ctx.joins_with("bob", 4096)?;
        let mut alice = ctx.joins("alice")?;
        let line = format!("/msg {} {}\n", bob.name, "x".repeat(OWED_LINE_BYTES));
        ctx.step(format!(
            "alice sends {OWED_LINES} lines to bob, who never reads"
        ));
        for _ in 0..OWED_LINES {
            alice.send_silently(line.as_bytes())?;
        }
        ctx.catches_up(&mut alice)?;
        send(ctx, Signal::SIGTERM)?;
        hears_the_end(&mut alice).means(
            "slow-reader-stalls-others",
            "bob does not read, and alice is not served",
        )?;
        ends_well(ctx).means(
            "slow-reader-stalls-others",
            "bob does not read, and the server waits for him",
        )
    }
}
