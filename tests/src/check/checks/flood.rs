//! A flood around one who does not read: who must not notice, and how much the server took.

use crate::check::drain::{Drain, Pushed, push};
use crate::check::outcome::{Trouble, inconclusive};
use crate::check::{Context, Outcome, Person, Protocol};
use crate::patience::Patience;
use crate::peer::Peer;
use crate::resources::socket_buffers_bytes_max;
use crate::work::Worker;
use std::io::{ErrorKind, Write};
use std::net::TcpListener;
use std::time::Duration;

/// Bytes of the receive buffer of one who does not read: the kernel helps it for a moment only.
pub const SMALL_BUFFER: usize = 4096;

/// Bytes of the text of a flood's line.
pub const FLOOD_TEXT_BYTES: usize = 1900;

/// Bytes that a server may owe to one client, beside what the kernel holds (rule L13).
pub const OWED_BYTES_MAX: usize = 1 << 20;

/// Lines between two probes.
const LINES_PER_ROUND: usize = 100;

/// So often the server must have served others, and taken nothing of the flooder's, before the
/// flooder counts as held back and not as waiting for a slow machine.
const PROBES_HELD_BACK: usize = 3;

/// The buffers of the kernel are full when it has taken nothing for so long.
const FULL: Duration = Duration::from_millis(200);

/// More than all buffers of the kernel between two sockets can hold, and the bound.
pub fn more_than_can_wait() -> usize {
    2 * socket_buffers_bytes_max() + 4 * OWED_BYTES_MAX
}

/// From now on the kernel may help as much as it likes.
pub fn begins_to_read(person: &Person) {
    person.log.add(format!("{} begins to read", person.name));
    let socket = socket2::SockRef::from(&person.peer.socket);
    let _ = socket.set_recv_buffer_size(1 << 20); // only faster, if it works
}

/// How many bytes of a flood the kernel takes here for one who has a small buffer and does not
/// read, measured between two sockets of our own.
pub fn kernel_takes() -> anyhow::Result<usize> {
    let listener = TcpListener::bind("127.0.0.1:0")?;
    let _reader = Peer::connect_with("reader", listener.local_addr()?, Some(SMALL_BUFFER))?;
    let (mut writer, _) = listener.accept()?;
    writer.set_nonblocking(true)?;
    let mut patience = Patience::new(Worker::default(), FULL);
    let mut taken = 0;
    loop {
        match writer.write(&[b'x'; FLOOD_TEXT_BYTES]) {
            Ok(count) => {
                taken += count;
                patience.moved();
            }
            // It may still move some of it to the reader's buffer.
            Err(error) if error.kind() == ErrorKind::WouldBlock && patience.pause() => {}
            Err(error) if error.kind() == ErrorKind::WouldBlock => return Ok(taken),
            Err(error) => return Err(error.into()),
        }
    }
}

fn flood_text() -> String {
    format!("flood {:x<FLOOD_TEXT_BYTES$}", "")
}

fn flood_line(protocol: Protocol, to: &str) -> String {
    format!("{}\n", protocol.saying(to, &flood_text()))
}

fn is_no_flood(line: &str) -> bool {
    !line.contains(": flood xxx")
}

/// slow, who never reads; alice, who floods; bob and carol, who must not notice.
pub struct Scene {
    pub slow: Person,
    alice: Person,
    bob: Person,
    carol: Person,
    /// A flooder who did not read would be slow as well.
    _alice_hears: Drain,
    bob_hears: Drain,
    carol_hears: Drain,
    probes: usize,
    rounds: usize,
}

/// How a flood went.
pub struct Flood {
    /// Bytes that the server took, in whole rounds.
    pub taken: usize,
    /// How many lines these were.
    pub lines: usize,
    /// What is left of the round in which the server took no more.
    pub held_back: Option<Round>,
}

pub const NO_PROCESSOR_TIME: &str = "the server got no processor time to read a flood";

/// A part of the flood, with a line for carol at its end.
pub struct Round {
    bytes: Vec<u8>,
    marker: String,
}

impl Scene {
    pub fn new(ctx: &mut Context) -> Outcome<Scene> {
        let bob = ctx.joins("bob")?;
        let slow = ctx.joins_with("slow", SMALL_BUFFER)?;
        ctx.step(format!(
            "slow has a receive buffer of about {SMALL_BUFFER} bytes and never reads"
        ));
        let carol = ctx.joins("carol")?;
        let alice = ctx.joins("alice")?;
        Ok(Scene {
            _alice_hears: Drain::of(&alice, is_no_flood)?,
            bob_hears: Drain::of(&bob, is_no_flood)?,
            carol_hears: Drain::of(&carol, is_no_flood)?,
            slow,
            alice,
            bob,
            carol,
            probes: 0,
            rounds: 0,
        })
    }

    /// A line of the flood, as slow hears it.
    pub fn as_heard_by_slow(&self) -> String {
        self.slow.protocol.heard(&self.alice.name, &flood_text())
    }

    /// bob says something, carol hears it.
    pub fn probe(&mut self, patience: Duration) -> Outcome {
        self.probes += 1;
        let text = format!("probe {}", self.probes);
        let line = format!("{}\n", self.bob.protocol.saying(&self.carol.name, &text));
        self.bob.send_silently(line.as_bytes())?;
        let expected = self.bob.protocol.heard(&self.bob.name, &text);
        self.carol_hears.hears_line(&expected, patience)
    }

    /// alice sends `goal` bytes for slow, in rounds: who reads has each of them before the next
    /// begins, so that nobody but slow ever lags.
    pub fn flood(&mut self, ctx: &mut Context, goal: usize) -> Outcome<Flood> {
        let line = flood_line(ctx.protocol, &self.slow.name);
        ctx.step(format!(
            "alice floods {}: {goal} bytes in lines of {}",
            self.slow.name,
            line.len()
        ));
        let mut flood = Flood { taken: 0, lines: 0, held_back: None };
        while flood.taken < goal {
            self.rounds += 1;
            let round = self.round(&line);
            let length = round.bytes.len();
            flood.held_back = self.send_round(ctx, round).inspect_err(|_| {
                ctx.step(format!("this was after {} bytes", flood.taken));
            })?;
            if flood.held_back.is_some() {
                break;
            }
            flood.taken += length;
            flood.lines += LINES_PER_ROUND;
        }
        ctx.step(format!("{} bytes were taken, {} probes went through", flood.taken, self.probes));
        Ok(flood)
    }

    fn round(&self, line: &str) -> Round {
        let text = format!("round {}", self.rounds);
        let last = format!("{}\n", self.alice.protocol.saying(&self.carol.name, &text));
        Round {
            bytes: (line.repeat(LINES_PER_ROUND) + &last).into_bytes(),
            marker: self.alice.protocol.heard(&self.alice.name, &text),
        }
    }

    /// Sends the round, with a probe after it. Gives it back if the server does not take it.
    fn send_round(&mut self, ctx: &Context, mut round: Round) -> Outcome<Option<Round>> {
        let mut nothing_taken = 0;
        while !round.bytes.is_empty() && nothing_taken < PROBES_HELD_BACK {
            match push(&self.alice, &round.bytes) {
                Pushed::All => round.bytes.clear(),
                Pushed::HeldBack(0) => nothing_taken += 1,
                Pushed::HeldBack(taken) => drop(round.bytes.drain(..taken)),
                Pushed::Ended => return Err(inconclusive("the server ended the flooder")),
                Pushed::Unknown => return Err(inconclusive(NO_PROCESSOR_TIME)),
            }
            self.probe(ctx.patience)?;
        }
        if round.bytes.is_empty() && self.hear_all(&round.marker, ctx.patience)? {
            return Ok(None);
        }
        self.probe(ctx.patience)?; // alice may wait, others may not
        Ok(Some(round))
    }

    /// Whether everybody who reads has all of a round.
    fn hear_all(&self, marker: &str, limit: Duration) -> Outcome<bool> {
        let everybody = self.alice.protocol != Protocol::Select;
        let has_it = |drain: &Drain| match drain.hears_line(marker, limit) {
            Err(unknown @ Trouble::Inconclusive(_)) => Err(unknown),
            heard => Ok(heard.is_ok()),
        };
        Ok(has_it(&self.carol_hears)? && (!everybody || has_it(&self.bob_hears)?))
    }

    /// Were the buffers for slow full? Yes, if more was taken than can wait anywhere; or if the
    /// server took no more until slow began to read.
    pub fn proves_full(&mut self, ctx: &Context, flood: Flood) -> Outcome {
        let Some(round) = flood.held_back else {
            return Ok(());
        };
        ctx.step("the server holds alice back: the buffers for slow should be full");
        begins_to_read(&self.slow);
        let _slow_hears = Drain::of(&self.slow, is_no_flood)?;
        match self.send_round(ctx, round) {
            Ok(None) => Ok(()),
            _ => Err(inconclusive("the server took no more, although slow reads")),
        }
    }
}
