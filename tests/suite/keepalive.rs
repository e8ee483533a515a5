//! A peer that is gone without a word: its machine has lost its power, and no end ever comes.
//!
//! To wait until the server finds out would take two minutes and a half. That the kernel will
//! ask, and when, can be seen at once.

use anyhow::{Context, ensure};
use chat_lab::check::context::PATIENCE;
use chat_lab::check::{Exercise, Protocol, Target};
use libtest_mimic::Trial;
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// The server asks after a minute of silence, not after the two hours of the kernel's own setting.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// The unit of the timers in `/proc/net/tcp`.
const TICK: Duration = Duration::from_millis(10);

pub fn tests() -> Vec<Trial> {
    vec![crate::test("keepalive::stage5_asks_a_silent_peer_within_a_minute", asks_a_silent_peer)]
}

fn asks_a_silent_peer() -> anyhow::Result<()> {
    if !cfg!(target_os = "linux") {
        eprintln!(
            "skipped: the kernel's timers are read from /proc/net/tcp, which Linux alone has"
        );
        return Ok(());
    }
    let arguments = Exercise::by_name("stage5")?.arguments;
    let (target, protocol) = (Target::Stage(5), Protocol::Rooms);
    let mut ctx = chat_lab::check::Context::new(&target, protocol, &arguments, 1, 1, String::new());
    let silent = ctx.joins("silent").map_err(|trouble| anyhow::anyhow!("{trouble:?}"))?;
    let (server, client) = (silent.peer.socket.peer_addr()?, silent.peer.address()?);
    let deadline = Instant::now() + PATIENCE[1];
    let left = loop {
        // At first another timer may run: that of the last bytes, until they are acknowledged.
        let (kind, left) = timer(server, client)?.context("the connection is not in the table")?;
        if kind == "02" {
            break left;
        }
        ensure!(Instant::now() < deadline, "timer {kind} instead of keepalive's, 02");
        std::thread::sleep(TICK);
    };
    ensure!(left <= SILENCE_MAX, "the kernel asks only after {left:?}");
    Ok(())
}

/// Which timer runs for `server`'s end of the connection, and how long it still runs: the field
/// `tr:tm->when` (proc_net_tcp(5)).
fn timer(server: SocketAddr, client: SocketAddr) -> anyhow::Result<Option<(String, Duration)>> {
    let table = std::fs::read_to_string("/proc/net/tcp").context("cannot read /proc/net/tcp")?;
    let ports = [server, client].map(|address| format!(":{:04X}", address.port()));
    for line in table.lines() {
        let fields: Vec<&str> = line.split_whitespace().collect();
        let [_, local, remote, _, _, timer, ..] = fields[..] else { continue };
        if local.ends_with(&ports[0]) && remote.ends_with(&ports[1]) {
            let (kind, ticks) = timer.split_once(':').context("the timer has two parts")?;
            let ticks = u32::from_str_radix(ticks, 16).context("the time is a number")?;
            return Ok(Some((kind.to_string(), TICK * ticks)));
        }
    }
    Ok(None)
}
