//! One who does not read, and what that may cost others: rules L12 and L13.

use super::basics::ONE_LINE;
use super::framing::JOINED;
use crate::check::dialect::CHATS;
use crate::check::drain::{Drain, Pushed, push};
use crate::check::outcome::{fail, inconclusive, wrong};
use crate::check::{Check, Context, Label, Outcome, Person, Protocol};
use crate::peer::End;
use crate::resources::socket_buffers_bytes_max;
use std::time::{Duration, Instant};

/// Bytes of the receive buffer of one who does not read: the kernel helps it for a moment only.
pub(super) const SMALL_BUFFER: usize = 4096;

/// Bytes of the text of a flood's line.
const FLOOD_TEXT_BYTES: usize = 1900;

/// Lines between two probes.
const LINES_PER_ROUND: usize = 100;

/// Bytes that a server may owe to one client, beside what the kernel holds (rule L13).
const OWED_BYTES_MAX: usize = 1 << 20;

/// By how much a server's memory may grow, beside what an ordinary flood makes it grow.
const GROWTH_BYTES_MAX: u64 = 24 << 20;

/// Bytes of a flood that would show in the memory if they were kept.
const MEMORY_FLOOD_BYTES: usize = 48 << 20;

const STALLS: &str = "one-who-does-not-read-delays-nobody";

const fn check(
    name: &'static str,
    rule: &'static str,
    misconceptions: &'static [&'static str],
    after: &'static [&'static str],
    needs_process: bool,
    run: fn(&mut Context) -> Outcome,
) -> Check {
    Check {
        name,
        rule,
        misconceptions,
        points: 3.0,
        chapter: "stage4.md",
        protocols: CHATS,
        needs_process,
        after,
        run,
    }
}

pub static CHECKS: &[Check] = &[
    check(STALLS, "L13", &["slow-reader-stalls-others"], &[ONE_LINE, JOINED], false, delays_nobody),
    check(
        "one-who-does-not-read-is-closed-at-the-bound",
        "L13",
        &["unbounded-queue"],
        &[STALLS],
        false,
        closed_at_the_bound,
    ),
    check(
        "memory-for-one-who-does-not-read-is-bounded",
        "L13",
        &["unbounded-queue"],
        &[STALLS],
        true,
        memory_is_bounded,
    ),
    check(
        "one-without-a-name-who-does-not-read-harms-nobody",
        "L13",
        &["unbounded-queue", "slow-reader-stalls-others"],
        &[STALLS],
        true,
        nameless_and_slow,
    ),
    check(
        "an-endless-line-takes-no-memory",
        "L3",
        &["unbounded-line"],
        &[ONE_LINE, JOINED],
        true,
        endless_line,
    ),
    check(
        "lines-of-two-senders-do-not-mix",
        "L12",
        &["interleaved-writes"],
        &[STALLS],
        false,
        lines_do_not_mix,
    ),
    check(
        "a-reset-in-mid-broadcast-harms-nobody-else",
        "L13",
        &["wrong-client-evicted", "broadcast-stops-at-the-first-error", "leave-not-announced"],
        &[STALLS],
        false,
        reset_in_mid_broadcast,
    ),
];

/// More than all buffers of the kernel between two sockets can hold, and the bound.
fn more_than_can_wait() -> usize {
    2 * socket_buffers_bytes_max() + 4 * OWED_BYTES_MAX
}

fn flood_line(protocol: Protocol, to: &str) -> String {
    format!("{}\n", protocol.saying(to, &format!("flood {:x<FLOOD_TEXT_BYTES$}", "")))
}

fn is_no_flood(line: &str) -> bool {
    !line.contains(": flood xxx")
}

/// slow, who never reads; alice, who floods; bob and carol, who must not notice.
struct Scene {
    slow: Person,
    alice: Person,
    bob: Person,
    alice_hears: Drain,
    bob_hears: Drain,
    carol_hears: Drain,
    carol: Person,
    probes: usize,
}

impl Scene {
    fn new(ctx: &mut Context) -> Outcome<Scene> {
        let bob = ctx.joins("bob")?;
        let slow = ctx.joins_with("slow", SMALL_BUFFER)?;
        ctx.step(format!(
            "slow has a receive buffer of about {SMALL_BUFFER} bytes and never reads"
        ));
        let carol = ctx.joins("carol")?;
        let alice = ctx.joins("alice")?;
        Ok(Scene {
            alice_hears: Drain::of(&alice, is_no_flood)?,
            bob_hears: Drain::of(&bob, is_no_flood)?,
            carol_hears: Drain::of(&carol, is_no_flood)?,
            slow,
            alice,
            bob,
            carol,
            probes: 0,
        })
    }

    /// bob says something, carol hears it.
    fn probe(&mut self, patience: Duration) -> Outcome {
        self.probes += 1;
        let text = format!("probe {}", self.probes);
        let line = format!("{}\n", self.bob.protocol.saying(&self.carol.name, &text));
        self.bob.send_silently(line.as_bytes())?;
        let expected = self.bob.protocol.heard(&self.bob.name, &text);
        self.carol_hears.hears_line(&expected, patience)
    }

    /// Whether everybody who reads has all of a round.
    fn hear_all(&self, marker: &str, ctx: &Context) -> bool {
        let everybody = ctx.protocol != Protocol::Select;
        let has_it = |drain: &Drain| drain.hears_line(marker, ctx.patience).is_ok();
        has_it(&self.carol_hears) && (!everybody || has_it(&self.bob_hears))
    }

    /// alice sends `goal` bytes for `to`, in rounds: who reads has each of them before the next
    /// begins, so that nobody but slow ever lags. How many bytes the server took.
    fn flood(
        &mut self,
        ctx: &mut Context,
        to: &str,
        goal: usize,
        mut after_round: impl FnMut(&mut Context, usize) -> Outcome,
    ) -> Outcome<usize> {
        let line = flood_line(ctx.protocol, to);
        ctx.step(format!("alice floods {to}: {goal} bytes in lines of {}", line.len()));
        let mut taken = 0;
        while taken < goal {
            let marker = format!("round {taken} for {to}");
            let marker_line = format!("{}\n", ctx.protocol.saying(&self.carol.name, &marker));
            let round = line.repeat(LINES_PER_ROUND) + &marker_line;
            let pushed = push(&self.alice, round.as_bytes());
            self.probe(ctx.patience).inspect_err(|_| {
                ctx.step(format!("after {taken} bytes, a line of bob's does not reach carol"));
            })?;
            let heard = ctx.protocol.heard(&self.alice.name, &marker);
            if pushed != Pushed::All || !self.hear_all(&heard, ctx) {
                ctx.step("the server reads no more of what alice sends");
                break;
            }
            taken += round.len();
            after_round(ctx, taken)?;
        }
        ctx.step(format!("{taken} bytes were taken, {} probes went through", self.probes));
        Ok(taken)
    }
}

fn delays_nobody(ctx: &mut Context) -> Outcome {
    let mut scene = Scene::new(ctx)?;
    let goal = more_than_can_wait();
    let slow = scene.slow.name.clone();
    let taken = scene
        .flood(ctx, &slow, goal, |_, _| Ok(()))
        .means("slow-reader-stalls-others", "one client does not read, and others wait")?;
    scene
        .probe(ctx.patience)
        .means("slow-reader-stalls-others", "one client does not read, and others wait")?;
    proven(ctx, &mut scene, taken, goal)
}

/// Was the buffer full? Yes, if more was sent than can wait in the kernel; or if slow, who
/// reads now, finds the end of the stream; or if less arrives than the server took.
fn proven(ctx: &Context, scene: &mut Scene, taken: usize, goal: usize) -> Outcome {
    if taken >= goal {
        return Ok(());
    }
    if scene.alice_hears.lock().ended {
        return Err(inconclusive("the server ended the flooder before slow's buffer was full"));
    }
    ctx.step("the server holds alice back: the buffers for slow are full");
    Ok(())
}

fn closed_at_the_bound(ctx: &mut Context) -> Outcome {
    let mut scene = Scene::new(ctx)?;
    let goal = more_than_can_wait();
    let slow = scene.slow.name.clone();
    let taken = scene.flood(ctx, &slow, goal, |_, _| Ok(()))?;
    begins_to_read(&scene.slow);
    let deadline = Instant::now() + ctx.patience;
    while Instant::now() < deadline && scene.slow.peer.receive_until(deadline) {
        if scene.slow.peer.received.len() > taken && taken >= goal {
            break; // it was all kept
        }
    }
    let got = scene.slow.peer.received.len();
    match scene.slow.peer.end {
        Some(End::Closed | End::Reset) => Ok(()),
        None if taken < goal => Err(wrong(
            "the server held the sender back instead of closing the one who does not read",
        )
        .expected("slow is closed when more than the bound is owed to it")
        .got(format!("slow is still connected after {taken} bytes"))
        .late()),
        None => Err(fail("unbounded-queue", "one who does not read was never closed")
            .expected("slow is closed when more than the bound is owed to it")
            .got(format!("slow is still connected, and received {got} bytes late"))
            .late()),
    }
}

fn memory_is_bounded(ctx: &mut Context) -> Outcome {
    let mut scene = Scene::new(ctx)?;
    // What the first part of the flood costs is what any flood costs this server: by its end
    // the one who does not read is closed, or everything more is kept for it.
    let (slow, first_part) = (scene.slow.name.clone(), more_than_can_wait());
    let mut usual = None;
    let taken =
        scene.flood(ctx, &slow, first_part + MEMORY_FLOOD_BYTES, |ctx, taken| match usual {
            Some(usual) => grown_too_much(
                ctx,
                usual,
                "unbounded-queue",
                "memory grows for a client that does not read",
                taken - first_part,
            ),
            None if taken >= first_part => {
                usual = Some(ctx.usage()?.resident_bytes);
                Ok(())
            }
            None => Ok(()),
        })?;
    let enough = taken >= first_part || !scene.alice_hears.lock().ended;
    if enough { Ok(()) } else { Err(inconclusive("the server ended the flooder early")) }
}

/// From now on the kernel may help as much as it likes.
pub(super) fn begins_to_read(person: &Person) {
    person.log.add(format!("{} begins to read", person.name));
    let socket = socket2::SockRef::from(&person.peer.socket);
    let _ = socket.set_recv_buffer_size(1 << 20); // only faster, if it works
}

fn grown_too_much(
    ctx: &mut Context,
    before: u64,
    misconception: &'static str,
    what: &str,
    sent: usize,
) -> Outcome {
    let grown = ctx.usage()?.resident_bytes.saturating_sub(before);
    if grown <= GROWTH_BYTES_MAX {
        return Ok(());
    }
    Err(fail(misconception, what)
        .expected(format!("at most {} MiB more", GROWTH_BYTES_MAX >> 20))
        .got(format!("{} MiB more after {} MiB", grown >> 20, sent >> 20)))
}

fn nameless_and_slow(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let stranger = ctx.dials_with("stranger", Some(SMALL_BUFFER))?;
    ctx.step("stranger never reads, and sends one bad line after the other");
    let before = ctx.usage()?.resident_bytes;
    let lines = b"1\n".repeat(16 * 1024);
    for round in 0..48 {
        let pushed = push(&stranger, &lines);
        let text = format!("probe {round}");
        alice.send_silently(format!("{}\n", ctx.protocol.saying(&bob.name, &text)).as_bytes())?;
        bob.hears(&alice.name, &text).means(
            "slow-reader-stalls-others",
            "one without a name does not read, and others wait",
        )?;
        grown_too_much(
            ctx,
            before,
            "unbounded-queue",
            "memory grows for one without a name who does not read",
            round * lines.len(),
        )?;
        if pushed != Pushed::All {
            break; // held back or closed: both are bounds
        }
    }
    Ok(())
}

fn endless_line(ctx: &mut Context) -> Outcome {
    let (mut alice, mut bob) = ctx.two()?;
    let endless = ctx.joins("endless")?;
    let _reads = Drain::of(&endless, |_| false)?;
    let before = ctx.usage()?.resident_bytes;
    ctx.step("endless sends 48 MiB without an LF");
    let piece = vec![b'x'; 256 * 1024];
    let mut sent = 0;
    while sent < MEMORY_FLOOD_BYTES && push(&endless, &piece) == Pushed::All {
        sent += piece.len();
        grown_too_much(
            ctx,
            before,
            "unbounded-line",
            "memory grows with a line that never ends",
            sent,
        )?;
    }
    alice.says(&bob.name, "still here?")?;
    bob.hears(&alice.name, "still here?")
        .means("unbounded-line", "an endless line stops the others")?;
    if sent < MEMORY_FLOOD_BYTES {
        return Err(wrong("the connection must go on, however long the line is")
            .expected("48 MiB are read")
            .got(format!("after {sent} bytes the server read no more"))
            .late());
    }
    if push(&endless, b"\n") != Pushed::All {
        return Err(wrong("the connection must go on after the line").late());
    }
    let line = format!("{}\n", ctx.protocol.saying(&bob.name, "done"));
    push(&endless, line.as_bytes());
    bob.hears(&endless.name, "done")
        .means("unbounded-line", "the line after an endless one must work")
}

/// The numbered lines of one flooder: all of one letter, so that a mixture shows.
fn numbered(protocol: Protocol, to: &str, letter: char, number: usize) -> (String, String) {
    let text = format!("{number:06} {}", letter.to_string().repeat(FLOOD_TEXT_BYTES));
    (format!("{}\n", protocol.saying(to, &text)), text)
}

fn lines_do_not_mix(ctx: &mut Context) -> Outcome {
    let mut late = ctx.joins_with("late", SMALL_BUFFER)?;
    let (ann, ben) = ctx.two_named("ann", "ben")?;
    let drains = [Drain::of(&ann, |_| false)?, Drain::of(&ben, |_| false)?];
    ctx.step(
        "ann and ben flood late, who reads only when the server takes no more, or has taken enough",
    );
    let (to, protocol, goal) = (late.name.clone(), ctx.protocol, more_than_can_wait());
    std::thread::scope(|scope| {
        for (person, letter) in [(&ann, 'a'), (&ben, 'b')] {
            let to = &to;
            scope.spawn(move || {
                let mut sent = 0;
                for number in 0.. {
                    let (line, _) = numbered(protocol, to, letter, number);
                    sent += line.len();
                    if sent > goal / 2 || push(person, line.as_bytes()) != Pushed::All {
                        break;
                    }
                }
            });
        }
    });
    begins_to_read(&late);
    let (mut next, mut lines) = ([None::<usize>; 2], 0);
    while let Some(line) = late.peer.next_line(Duration::from_secs(1)) {
        if protocol.is_notice(&line) || line.starts_with("! ") {
            continue;
        }
        lines += 1;
        let known =
            [(&ann, 'a'), (&ben, 'b')].iter().enumerate().find_map(|(sender, (person, letter))| {
                let frame = protocol.heard(&person.name, "");
                let number: usize = line.strip_prefix(&frame)?.get(..6)?.parse().ok()?;
                let (_, text) = numbered(protocol, &to, *letter, number);
                (line == protocol.heard(&person.name, &text)).then_some((sender, number))
            });
        let Some((sender, number)) = known else {
            return Err(fail("interleaved-writes", "a line of two senders, or of none, arrived")
                .expected("whole lines, each of one sender")
                .got(crate::check::difference::brief(line.as_bytes())));
        };
        let expected = next[sender].map_or(0, |last| last + 1);
        if number != expected {
            return Err(fail("reorders-or-loses-under-load", "a line is missing or out of order")
                .expected(format!("line {expected} of sender {sender}"))
                .got(format!("line {number}")));
        }
        next[sender] = Some(number);
    }
    drop(drains);
    match lines {
        0..10 => Err(inconclusive(format!("only {lines} lines reached the late reader"))),
        _ => Ok(()),
    }
}

/// Lines of the broadcast; the reset comes in the middle.
const BROADCAST_LINES: usize = 200;

fn reset_in_mid_broadcast(ctx: &mut Context) -> Outcome {
    let victim = ctx.joins_with("victim", SMALL_BUFFER)?;
    let (mut ann, mut ben) = ctx.two_named("ann", "ben")?;
    let mut cyd = ctx.joins("cyd")?;
    ctx.step("ann says 200 lines to all; victim does not read, and resets in the middle");
    let says = |ann: &mut Person, to: &str, number: usize| {
        let text = format!("{number:03} {}", "y".repeat(1000));
        ann.send_silently(format!("{}\n", ann.protocol.saying(to, &text)).as_bytes()).map(|()| text)
    };
    let everybody = [ben.name.clone(), cyd.name.clone()];
    let mut victim = Some(victim);
    for number in 0..BROADCAST_LINES {
        if let (BROADCAST_LINES_HALF, Some(victim)) = (number, victim.as_ref()) {
            proves_unread(victim)?;
        }
        if number == BROADCAST_LINES_HALF
            && let Some(victim) = victim.take()
        {
            victim.resets();
        }
        if ctx.protocol == Protocol::Select {
            says(&mut ann, &ctx.name("victim"), number)?;
            for other in &everybody {
                says(&mut ann, other, number)?;
            }
        } else {
            says(&mut ann, "all", number)?;
        }
        for (listener, text) in [(&mut ben, number), (&mut cyd, number)] {
            let expected = format!("{text:03} {}", "y".repeat(1000));
            let log = std::mem::take(&mut listener.log);
            let heard = listener.hears(&ann.name, &expected);
            listener.log = log;
            heard.means(
                "broadcast-stops-at-the-first-error",
                "somebody else's reset must cost nobody a line",
            )?;
        }
    }
    ben.says(&ann.name, "still there?")?;
    loop {
        // In S3 ann is told that victim is unknown: errors are hers.
        match ann.next() {
            crate::check::person::Heard::Line(line) if line.starts_with("! ") => {}
            crate::check::person::Heard::Line(line)
                if line == ctx.protocol.heard(&ben.name, "still there?") =>
            {
                return Ok(());
            }
            other => {
                return Err(fail(
                    "wrong-client-evicted",
                    "who speaks must not suffer for who is gone",
                )
                .expected(ctx.protocol.heard(&ben.name, "still there?"))
                .got(format!("{other:?}"))
                .late());
            }
        }
    }
}

const BROADCAST_LINES_HALF: usize = BROADCAST_LINES / 2;

/// Something waits for `victim` that it has not read: so something is owed to it.
fn proves_unread(victim: &Person) -> Outcome {
    let mut byte = [0];
    victim.peer.socket.set_read_timeout(Some(victim.patience))?;
    match victim.peer.socket.peek(&mut byte) {
        Ok(1..) => Ok(()),
        _ => Err(inconclusive("nothing was on its way to the one who resets")),
    }
}
