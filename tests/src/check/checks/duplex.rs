//! S2: the server's own user speaks as well, and neither direction waits for the other.

use super::simplex::PRINTS;
use crate::check::outcome::{fail, wrong};
use crate::check::{Check, Context, Label, Outcome, Protocol};
use crate::peer::End;

const SENDS: &str = "what-the-servers-user-types-is-sent";

const fn check(
    name: &'static str,
    rule: &'static str,
    misconceptions: &'static [&'static str],
    run: fn(&mut Context) -> Outcome,
) -> Check {
    Check {
        name,
        rule,
        misconceptions,
        points: 2.0,
        chapter: "stage2.md",
        protocols: &[Protocol::Duplex],
        needs_process: true,
        after: &[PRINTS, SENDS],
        run,
    }
}

pub static CHECKS: &[Check] = &[
    Check {
        after: &[PRINTS],
        ..check(SENDS, "S2.1", &["lockstep-client", "sends-without-boundaries"], sends)
    },
    check(
        "lines-are-sent-while-the-other-side-is-silent",
        "S2.1",
        &["lockstep-client", "stdin-buffer-under-select"],
        silent_client,
    ),
    check(
        "lines-are-printed-while-the-servers-user-is-silent",
        "S2.1",
        &["lockstep-client"],
        silent_user,
    ),
    check(
        "the-end-of-input-ends-one-direction-only",
        "S2.2",
        &["spins-on-stdin-eof", "ignores-eof"],
        end_of_input,
    ),
    check(
        "a-client-that-has-ended-its-half-still-receives",
        "S2.2",
        &["ignores-eof"],
        half_closed_client,
    ),
    check("the-next-client-can-be-spoken-to", "S2.3", &["ignores-eof"], next_client),
];

impl Context<'_> {
    /// Lines for the standard input of the process.
    pub fn user_types(&mut self, text: &str) -> Outcome {
        self.step(format!("its user types `{}`", text.replace('\n', "\\n")));
        self.process()?.type_bytes(format!("{text}\n").as_bytes());
        Ok(())
    }
}

fn sends(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.line("hello")?;
    ctx.prints(&alice, "hello")?; // so it is alice to whom the server speaks
    ctx.user_types("hello, alice")?;
    alice.hears_line("hello, alice")
}

/// Alice speaks once, so that the server is hers, and then never again.
fn silent_client(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.line("hello")?;
    ctx.prints(&alice, "hello")?;
    for text in ["one", "two", "three\nfour\nfive"] {
        ctx.user_types(text)?;
        for line in text.lines() {
            alice.hears_line(line).means(
                if text.contains('\n') { "stdin-buffer-under-select" } else { "lockstep-client" },
                "what the server's user types waits for something else",
            )?;
        }
    }
    Ok(())
}

fn silent_user(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    for text in ["one", "two", "three"] {
        alice.line(text)?;
        ctx.prints(&alice, text).means(
            "lockstep-client",
            "what comes is shown only after the server's user has typed",
        )?;
    }
    Ok(())
}

fn end_of_input(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.line("hello")?;
    ctx.prints(&alice, "hello")?;
    ctx.user_types("that is all")?;
    alice.hears_line("that is all")?;
    ctx.step("the server's standard input ends");
    ctx.process()?.end_input();
    let before = alice.peer.received.len();
    match alice.peer.read_to_end(ctx.patience) {
        Some(End::Closed) => {}
        Some(End::Reset) => return Err(wrong("the connection was reset").expected("end of stream")),
        None if alice.peer.received.len() > before => {
            let message = "at the end of its input the server goes on sending";
            return Err(fail("spins-on-stdin-eof", message));
        }
        None => {
            return Err(wrong("the end of the server's input does not reach the client")
                .after(alice.peer.over));
        }
    }
    for text in ["still", "here"] {
        alice.line(text)?;
        ctx.prints(&alice, text)
            .because("after the end of its own input the server no longer shows what comes")?;
    }
    Ok(())
}

fn half_closed_client(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.line("I only listen now")?;
    alice.half_close();
    ctx.prints(&alice, "I only listen now")?;
    ctx.until_at_rest(); // by then it has seen the end as well
    ctx.user_types("listen, then")?;
    alice
        .hears_line("listen, then")
        .means("ignores-eof", "who has ended one half of the connection receives nothing any more")
}

fn next_client(ctx: &mut Context) -> Outcome {
    let mut alice = ctx.dials("alice")?;
    alice.line("hello")?;
    ctx.prints(&alice, "hello")?;
    alice.leaves();
    let mut bob = ctx.dials("bob")?;
    bob.line("my turn")?;
    ctx.prints(&bob, "my turn")
        .means("ignores-eof", "when a client has ended, the next one is not served")?;
    ctx.user_types("hello, bob")?;
    bob.hears_line("hello, bob").because("the next client is not spoken to")
}
