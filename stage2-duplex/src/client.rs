//! Layer: the other end. Does once what the server does again and again: `talk.rs` knows no
//! difference.

use std::net::TcpStream;
use std::sync::Arc;
use std::sync::mpsc::Receiver;

use anyhow::Context;

use crate::console::{self, explain};
use crate::farewell::ENDING_GRACE;
use crate::line::CLIENT_LINE_BYTES_MAX;
use crate::server::SERVER_LINE_BYTES_MAX;
use crate::talk::{self, Event, Main, Voice};

// ANCHOR: run
/// Returns when the server has ended: `Ok` after an orderly end, an error after a reset.
pub fn run(socket: TcpStream) -> anyhow::Result<()> {
    socket.set_nodelay(true).context("cannot set TCP_NODELAY")?; // a line leaves when it is typed
    let (own, server) = (socket.local_addr()?, socket.peer_addr()?);
    explain!("connected to {server} from {own}: a port of our own, which our kernel chose");

    let socket = Arc::new(socket);
    let mut voice = Voice { socket: Some(Arc::clone(&socket)), ..Voice::default() };
    let hear = move |main: &Main| talk::hear(&socket, server, SERVER_LINE_BYTES_MAX, main);
    let (events, network) = talk::start(CLIENT_LINE_BYTES_MAX, hear)?;

    for event in &events {
        match event {
            Event::Connected(_) => {} // we are; only a server is told so
            Event::Typed(line, _done) => voice.say(&line),
            Event::InputEnded => voice.half_close(),
            Event::PeerEnded => {
                say_the_rest(&mut voice, &events);
                break;
            }
            Event::Over(_) => break,
        }
    }
    let ending = network.join().expect("nothing panics there");
    console::ask_no_more();
    let ending = ending.and(voice.failure.map_or(Ok(()), Err));
    ending.with_context(|| format!("the connection to {server} broke"))?;
    console::warn("the connection has ended");
    Ok(())
}
// ANCHOR_END: run

// ANCHOR: say_the_rest
/// The server sends no more. Does it still read? TCP has no question for that. So what our user
/// had to say is still sent, a file of lines for instance, until nothing comes for the grace.
///
/// This is a guess, and it ends a user who types slowly. A real protocol has a word for it: each
/// side says goodbye, as `exit` does here, and an end of stream without it is an accident.
fn say_the_rest(voice: &mut Voice, events: &Receiver<Event>) {
    while voice.socket.is_some()
        && let Ok(event) = events.recv_timeout(ENDING_GRACE)
    {
        match event {
            Event::Typed(line, _done) => voice.say(&line),
            _ => voice.half_close(), // the input has ended; network has told all it had to tell
        }
    }
}
// ANCHOR_END: say_the_rest
