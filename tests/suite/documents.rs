//! The documents' own clients, as the bytes that they send and receive (rules F1 to F3). They
//! know no lines: what one `recv` brings is one message to them.

use crate::test;
use anyhow::{Context, ensure};
use chat_lab::patience::Patience;
use chat_lab::peer::Peer;
use chat_lab::process::{PATIENCE, Server};
use chat_lab::stage::Stage;
use libtest_mimic::Trial;
use std::process::Command;

pub fn tests() -> Vec<Trial> {
    vec![
        test("documents::F1_the_client_of_document_002_runs_on_stage_3", f1),
        test("documents::F1_several_users_of_document_002_write_to_each_other", f1_both_ways),
        test(
            "documents::F1_what_the_network_joins_and_splits_no_proxy_can_mend",
            f1_joined_and_split,
        ),
        test("documents::F2_the_client_of_document_003_runs_on_stage_4", f2),
        test("documents::F3_the_client_of_document_004_runs_on_stage_4", f3),
    ]
}

/// What the documents call receiving: whatever one `recv(1024)` brings.
fn recv(peer: &mut Peer) -> anyhow::Result<String> {
    let before = peer.received.len();
    peer.receives(&mut Patience::new(peer.worker, PATIENCE));
    let bytes = &peer.received[before..];
    ensure!(!bytes.is_empty(), "{} received nothing", peer.name);
    Ok(String::from_utf8(bytes.to_vec())?)
}

#[track_caller]
fn expect(peer: &mut Peer, expected: &str) -> anyhow::Result<()> {
    let got = recv(peer)?;
    ensure!(got == expected, "{} received {got:?} instead of {expected:?}", peer.name);
    Ok(())
}

fn start(stage: u8) -> anyhow::Result<Server> {
    Server::start_stage(Stage::by_number(stage)?, &[])
}

/// The lab's proxy in front of a server: it translates for the clients of a document.
fn proxy(document: &str, server: &Server, options: &[&str]) -> anyhow::Result<Server> {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(["proxy", "--document", document, "--to", &server.address.to_string()]);
    command.args(options);
    Server::start("proxy", command)
}

/// Connects as document 002 does: the greeting, then the name with its `#`.
fn user_of_002(proxy: &Server, name: &str) -> anyhow::Result<Peer> {
    let mut user = Peer::connect(name, proxy.address)?;
    let greeting = recv(&mut user)?;
    ensure!(
        greeting.starts_with("You are connected from: ") && !greeting.contains('\n'),
        "{greeting:?}"
    );
    user.send(format!("#{name}").as_bytes())?;
    expect(&mut user, &format!("Your user detail saved as: {name}"))?;
    Ok(user)
}

fn f1() -> anyhow::Result<()> {
    let server = start(3)?;
    let proxy = proxy("002", &server, &[])?;
    let mut ahmad = user_of_002(&proxy, "Ahmad")?;
    let mut ali = user_of_002(&proxy, "ali")?;
    ali.send(b"@Ahmad:Hello, Ahmad! This is alice")?;
    expect(&mut ahmad, "ali: Hello, Ahmad! This is alice")?;
    ali.send(b"@nobody:Hello")?;
    let error = recv(&mut ali)?;
    ensure!(error.starts_with("! ") && !error.contains('\n'), "{error:?}");
    drop(ali); // `exit` closes the socket
    let process = server.process.as_ref().context("we started it")?;
    let console = process.stdout.wait(PATIENCE, |screen| {
        screen.lines.iter().any(|line| line == "User ali added.").then_some(())
    });
    console.with_context(|| format!("the console does not say so\n{}", process.last_words(9)))
}

fn f1_both_ways() -> anyhow::Result<()> {
    let server = start(3)?;
    let proxy = proxy("002", &server, &["--listen", "0"])?;
    let names = ["ali", "Ahmad", "Bea", "Chen"];
    let users: anyhow::Result<Vec<Peer>> =
        names.iter().map(|name| user_of_002(&proxy, name)).collect();
    let mut users = users?;
    for from in 0..names.len() {
        for to in 0..names.len() {
            users[from]
                .send(format!("@{}:Hello {from} {to}", names[to].to_uppercase()).as_bytes())?;
            expect(&mut users[to], &format!("{}: Hello {from} {to}", names[from]))?;
        }
    }
    Ok(())
}

/// What the proxy cannot mend: the network may split and join what such a client sends (rule L1).
fn f1_joined_and_split() -> anyhow::Result<()> {
    let server = start(3)?;
    let joins = proxy("002", &server, &["--join", "14"])?;
    let mut ali = Peer::connect("ali", joins.address)?;
    recv(&mut ali)?;
    ali.send(b"#ali")?;
    ali.send(b"@ali:hello")?;
    let answer = recv(&mut ali)?;
    ensure!(answer.starts_with("! bad name: \"ali@ali:hello\""), "{answer:?}");
    let splits = proxy("002", &server, &["--split", "3"])?;
    let mut ali = Peer::connect("ali", splits.address)?;
    recv(&mut ali)?;
    ali.send(b"#ali")?;
    expect(&mut ali, "Your user detail saved as: al")
}

fn f2() -> anyhow::Result<()> {
    let server = start(4)?;
    let proxy = proxy("003", &server, &[])?;
    let mut bob = user_of_003(&proxy, "bob")?;
    let mut alice = user_of_003(&proxy, "alice")?;
    expect(&mut bob, "* alice joined")?;
    alice.send(b"alice: hello")?;
    expect(&mut bob, "alice: hello")?; // the name is not there twice
    alice.send(b"bob: I owe you")?;
    expect(&mut bob, "alice: bob: I owe you")?; // another's name is only text
    bob.send("bob: gr\u{fc}\u{df} dich".as_bytes())?;
    expect(&mut alice, "bob: gr\u{fc}\u{df} dich")?;
    drop(alice);
    expect(&mut bob, "* alice left")
}

/// Document 003: exactly `NICK` is the question, anything else a message to be shown.
fn user_of_003(proxy: &Server, name: &str) -> anyhow::Result<Peer> {
    let mut user = Peer::connect(name, proxy.address)?;
    expect(&mut user, "NICK")?;
    user.send(name.as_bytes())?;
    let welcome = recv(&mut user)?;
    ensure!(
        welcome.starts_with(&format!("* welcome {name}: ")) && !welcome.contains('\n'),
        "{welcome:?}"
    );
    Ok(user)
}

/// Document 004 sends what `readline` gives, its LF included, and prints what comes.
fn f3() -> anyhow::Result<()> {
    let server = start(4)?;
    let mut users = Vec::new();
    for name in ["ann", "bob"] {
        let mut user = Peer::connect(name, server.address)?;
        expect(&mut user, "NICK\n")?;
        user.say(name)?;
        let welcome = recv(&mut user)?;
        ensure!(welcome.starts_with(&format!("* welcome {name}: ")), "{welcome:?}");
        users.push(user);
    }
    let [ann, bob] = &mut users[..] else { unreachable!() };
    expect(ann, "* bob joined\n")?;
    ann.say("hello")?;
    expect(bob, "ann: hello\n")?;
    bob.say("hii")?;
    expect(ann, "bob: hii\n")?;
    bob.half_close();
    expect(ann, "* bob left\n")
}
