//! Ten thousand who are silent, and then a message.
//!
//! Not for stage 4: two threads for each need more memory mappings than Linux allows by default.

use crate::alone::NotJudged;
use anyhow::ensure;
use chat_lab::check::context::PATIENCE;
use chat_lab::check::target::StartOptions;
use chat_lab::check::{Context, Exercise, Protocol, Target, Trouble};
use chat_lab::peer::Peer;
use chat_lab::resources::{allow_many_descriptors, of_group};
use libtest_mimic::Trial;
use std::sync::{Mutex, PoisonError};

const CROWD: usize = 10_000;

/// Newcomers until one is waited for.
const GUST: usize = 100;

/// Descriptors that the lab needs beside them.
const OTHER_DESCRIPTORS: usize = 200;

/// What a silent client may cost the server; the kernel's own part is not in it.
const BYTES_PER_CLIENT_MAX: u64 = 8 * 1024;

pub fn tests() -> Vec<Trial> {
    let test = |stage: u8| {
        let name =
            format!("crowd::stage{stage}_delivers_a_message_among_ten_thousand_who_are_silent");
        crate::test(name, move || delivers(stage))
    };
    vec![test(3), test(5)]
}

/// Two crowds at a time may be more than one process may open.
static ONE_AT_A_TIME: Mutex<()> = Mutex::new(());

fn delivers(stage: u8) -> anyhow::Result<()> {
    let _turn = ONE_AT_A_TIME.lock().unwrap_or_else(PoisonError::into_inner);
    let allowed = allow_many_descriptors();
    if allowed < CROWD + OTHER_DESCRIPTORS {
        eprintln!("skipped: the lab itself may open only {allowed} descriptors");
        return Ok(());
    }
    let arguments = Exercise::by_name(&format!("stage{stage}"))?.arguments;
    let (target, protocol) = (Target::Stage(stage), Protocol::of_stage(stage));
    let mut ctx = Context::new(&target, protocol, &arguments, 1, 1, String::new());
    let wrong = |trouble| match trouble {
        Trouble::Inconclusive(why) => anyhow::Error::new(NotJudged(why)),
        trouble => anyhow::anyhow!("{trouble:?}"),
    };
    let server = ctx.start(StartOptions::default()).map_err(wrong)?;
    let (address, id) = (server.address, server.process.as_ref().map(|process| process.id()));
    let before = id.and_then(of_group);
    let mut crowd = Vec::new();
    for number in 1..=CROWD {
        let mut silent = Peer::connect("silent", address)?;
        // Who does not fit into the queue of the listening socket tries again only after a second.
        if number.is_multiple_of(GUST) {
            let first = silent.next_line(PATIENCE[1]);
            let greeted = first.is_some_and(|line| protocol.is_greeting(&line));
            ensure!(greeted, "client {number} is not greeted");
        }
        crowd.push(silent);
    }
    ctx.until_at_rest();
    if let (Some(before), Some(now)) = (before, id.and_then(of_group)) {
        let each = now.resident_bytes.saturating_sub(before.resident_bytes) / CROWD as u64;
        ensure!(each <= BYTES_PER_CLIENT_MAX, "each costs {each} bytes");
    }
    let (mut alice, mut bob) = ctx.two().map_err(wrong)?;
    alice.says(&bob.name, "hello").map_err(wrong)?;
    bob.hears(&alice.name, "hello").map_err(wrong)?;
    for silent in crowd {
        silent.reset(); // or ten thousand ports would rest for a minute
    }
    Ok(())
}
