//! A peer that is gone without a word: its machine has lost its power, and no end ever comes.
//!
//! That the kernel will ask, and when, can be seen at once. To wait until the server finds out
//! takes two minutes and a half, so that is done only when somebody asks for it:
//! `cargo test -p chat-lab --test suite -- --ignored keepalive`.

use anyhow::{Context, ensure};
use chat_lab::patience::Patience;
use chat_lab::peer::Peer;
use chat_lab::process::{PATIENCE, Server};
use chat_lab::stage::Stage;
use libtest_mimic::Trial;
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};
use std::process::Command;
use std::time::Duration;

/// The server asks after a minute of silence, not after the two hours of the kernel's own setting.
const SILENCE_MAX: Duration = Duration::from_secs(60);

/// Then nine questions, one every ten seconds; and some time for a slow machine.
const FOUND_OUT_MAX: Duration = Duration::from_secs(240);

/// The unit of the timers in `/proc/net/tcp`.
const TICK: Duration = Duration::from_millis(10);

const FINDS_OUT: &str = "keepalive::stage5_finds_out_that_a_peer_is_gone";

/// Set for the process that has a network of its own.
const OWN_NETWORK: &str = "LAB_OWN_NETWORK";

pub fn tests() -> Vec<Trial> {
    vec![
        crate::test("keepalive::stage5_asks_a_silent_peer_within_a_minute", asks_a_silent_peer),
        crate::test(FINDS_OUT, finds_out).with_ignored_flag(true),
    ]
}

fn asks_a_silent_peer() -> anyhow::Result<()> {
    if !cfg!(target_os = "linux") {
        eprintln!(
            "skipped: the kernel's timers are read from /proc/net/tcp, which Linux alone has"
        );
        return Ok(());
    }
    let server = Server::start_stage(Stage::by_number(5)?, &[])?;
    let mut silent = Peer::connect("silent", server.address)?;
    joins(&mut silent)?;
    let left = waits_for_keepalive(server.address, &silent)?;
    ensure!(left <= SILENCE_MAX, "the kernel asks only after {left:?}");
    Ok(())
}

/// In a network of its own, where a user without rights may cut a route.
fn finds_out() -> anyhow::Result<()> {
    if std::env::var_os(OWN_NETWORK).is_some() {
        return finds_out_in_own_network();
    }
    let allowed = Command::new("unshare").args(["-rn", "ip", "link"]).output();
    if !allowed.is_ok_and(|output| output.status.success()) {
        eprintln!("skipped: this machine gives nobody a network of their own (unshare -rn)");
        return Ok(());
    }
    let mut command = Command::new("unshare");
    command.arg("-rn").arg(std::env::current_exe()?).args(["--ignored", "--exact", FINDS_OUT]);
    let output = command.env(OWN_NETWORK, "1").output()?;
    ensure!(output.status.success(), "{}", String::from_utf8_lossy(&output.stdout));
    Ok(())
}

fn finds_out_in_own_network() -> anyhow::Result<()> {
    ip("link set lo up")?;
    let server = Server::start_stage(Stage::by_number(5)?, &[])?;
    let mut ann = Peer::connect("ann", server.address)?;
    joins(&mut ann)?;
    let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
    socket.bind(&SocketAddr::from((Ipv4Addr::new(127, 0, 0, 2), 0)).into())?;
    socket.connect(&server.address.into())?;
    let mut ben = Peer::on("ben", socket.into());
    joins(&mut ben)?;
    waits_for_keepalive(server.address, &ben)?;
    ip("route add blackhole 127.0.0.2/32 table local")?;
    let left = ann.skip_to(FOUND_OUT_MAX, |line| line.contains("* ben left"));
    ensure!(left.is_ok(), "after {FOUND_OUT_MAX:?} ben is still there: {left:?}");
    Ok(())
}

fn ip(arguments: &str) -> anyhow::Result<()> {
    let output = Command::new("ip").args(arguments.split(' ')).output()?;
    let error = String::from_utf8_lossy(&output.stderr);
    ensure!(output.status.success(), "ip {arguments}: {error}");
    Ok(())
}

fn joins(peer: &mut Peer) -> anyhow::Result<()> {
    peer.say(&peer.name.clone())?;
    let welcome = peer.skip_to(PATIENCE, |line| line.starts_with("* welcome"));
    ensure!(welcome.is_ok(), "{} is not welcome: {welcome:?}", peer.name);
    Ok(())
}

/// Waits until the server's end of the connection has nothing on its way; how long it will stay
/// silent then. As long as bytes are on their way, another timer runs: that of sending them again.
fn waits_for_keepalive(server: SocketAddr, peer: &Peer) -> anyhow::Result<Duration> {
    let mut patience = Patience::new(peer.worker, PATIENCE);
    loop {
        let timer = timer(server, peer.address()?)?;
        let (kind, left) = timer.context("the connection is not in /proc/net/tcp")?;
        if kind == "02" {
            return Ok(left);
        }
        ensure!(patience.pause(), "timer {kind} runs instead of keepalive's, 02");
    }
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
