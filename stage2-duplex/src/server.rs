//! Layer: the design. Talk with one client, then with the next, as in stage 1; but the server's
//! user speaks too. Read `talk.rs` first: it has the two directions, and the three threads.

use std::net::{SocketAddr, TcpListener, TcpStream};
use std::sync::mpsc::Receiver;
use std::sync::{Arc, Weak};
use std::thread;
use std::time::Duration;

use crate::accept::pause_after;
use crate::console::{self, explain};
use crate::line::CLIENT_LINE_BYTES_MAX;
use crate::talk::{self, Done, Event, Main, Voice};

/// Bytes of the longest line that a server may send, its LF included (rule L3).
pub const SERVER_LINE_BYTES_MAX: usize = 8192;

// ANCHOR: run
/// Never returns, except when a thread cannot be started.
pub fn run(listener: TcpListener) -> anyhow::Result<()> {
    let (events, _) = talk::start(SERVER_LINE_BYTES_MAX, move |main| serve(&listener, main))?;
    speak(&events);
    Ok(())
}

/// The thread `main`: waits for the next event, and does what it asks for. It ends with the
/// program. A `_done` is dropped at the end of its arm, and so its sender knows.
fn speak(events: &Receiver<Event>) {
    let mut voice = Voice::default();
    // A line that nobody was there for. It is not done, so stdin reads no other one.
    let mut waiting: Option<(String, Done)> = None;
    let mut input_has_ended = false;
    for event in events {
        match event {
            Event::Connected(socket) => {
                voice = Voice { socket: Some(socket), ..Voice::default() };
                if let Some((line, _done)) = waiting.take() {
                    voice.say(&line);
                }
                if input_has_ended {
                    voice.half_close(); // at once: this client can only speak
                }
            }
            Event::Typed(line, _done) if voice.socket.is_some() => voice.say(&line),
            Event::Typed(line, done) => {
                console::warn("nobody is connected: this line waits for whoever comes next");
                waiting = Some((line, done));
            }
            Event::InputEnded => {
                input_has_ended = true;
                voice.half_close();
            }
            Event::PeerEnded if voice.socket.is_some() => console::warn(
                "the client has ended its side; your lines still go there until another one comes",
            ),
            Event::PeerEnded => {} // both directions have ended
            Event::Over(_done) => voice.half_close(),
        }
    }
}
// ANCHOR_END: run

// ANCHOR: serve
/// The thread `network`: waits for a client, hears it to its end, waits for the next, for ever.
fn serve(listener: &TcpListener, main: &Main) {
    let mut one_before = Weak::new();
    loop {
        let (socket, client) = accept(listener);
        // The client before may have ended its side only, and still be spoken to. Or it is gone:
        // the kernel does not tell. Now that somebody waits, it is over.
        if let Some(socket) = one_before.upgrade() {
            talk::end(&socket, main);
        }
        console::say(format_args!("{client} connected"));
        let _ = socket.set_nodelay(true); // fails if the client is gone: the first read will say so
        let socket = Arc::new(socket);
        let _ = main.send(Event::Connected(Arc::clone(&socket))); // main lives as long as we
        one_before = Arc::downgrade(&socket); // main has it as long as our side goes on
        if let Err(error) = talk::hear(&socket, client, CLIENT_LINE_BYTES_MAX, main) {
            console::warn(format_args!("{client}: {error}"));
        }
    }
}
// ANCHOR_END: serve

/// As in stage 1.
fn accept(listener: &TcpListener) -> (TcpStream, SocketAddr) {
    let mut pause = Duration::ZERO;
    loop {
        explain!("blocked in accept until somebody connects (or has done so already)");
        let error = match listener.accept() {
            Ok(newcomer) => return newcomer,
            Err(error) => error,
        };
        let last = pause;
        pause = pause_after(&error, last);
        if last.is_zero() && !pause.is_zero() {
            console::warn(format_args!("cannot accept clients for now: {error}"));
        }
        thread::sleep(pause);
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader, Read, Write};
    use std::net::Shutdown;
    use std::sync::mpsc;
    use std::time::Duration;

    const GENEROUS: Duration = Duration::from_secs(20);

    /// A server whose user is the test.
    struct Server {
        address: SocketAddr,
        main: Main,
    }

    impl Server {
        fn start() -> Server {
            let listener = TcpListener::bind("127.0.0.1:0").unwrap();
            let address = listener.local_addr().unwrap();
            let (sender, events) = mpsc::sync_channel(4);
            let to_main = sender.clone();
            thread::spawn(move || serve(&listener, &to_main));
            thread::spawn(move || speak(&events));
            Server { address, main: sender }
        }

        fn connects(&self) -> BufReader<TcpStream> {
            let client = TcpStream::connect(self.address).unwrap();
            client.set_read_timeout(Some(GENEROUS)).unwrap();
            BufReader::new(client)
        }

        /// What is given back ends when the line has been dealt with. `stdin` waits for that.
        fn types(&self, line: &str) -> Receiver<()> {
            let (done, dealt_with) = mpsc::channel();
            self.main.send(Event::Typed(line.to_string(), done)).unwrap();
            dealt_with
        }
    }

    fn next_line(client: &mut BufReader<TcpStream>) -> String {
        let mut line = String::new();
        client.read_line(&mut line).unwrap();
        line
    }

    fn everything(client: &mut BufReader<TcpStream>) -> String {
        let mut text = String::new();
        client.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_line_said_to_nobody_waits_for_the_next_client() {
        let server = Server::start();
        let dealt_with = server.types("hello\n");
        assert_eq!(next_line(&mut server.connects()), "hello\n");
        assert!(dealt_with.recv_timeout(GENEROUS) == Err(mpsc::RecvTimeoutError::Disconnected));
    }

    #[test]
    fn after_the_end_of_input_every_client_is_half_closed_at_once() {
        let server = Server::start();
        server.main.send(Event::InputEnded).unwrap();
        for _ in 0..2 {
            assert_eq!(everything(&mut server.connects()), "");
        }
    }

    #[test]
    fn nothing_is_sent_after_our_exit_but_to_the_next_client() {
        let server = Server::start();
        let mut first = server.connects();
        for line in ["a\n", "exit\n"] {
            let _ = server.types(line).recv_timeout(GENEROUS);
        }
        server.types("b\n");
        assert_eq!(everything(&mut first), "a\nexit\n");
        drop(first);
        assert_eq!(next_line(&mut server.connects()), "b\n");
    }

    #[test]
    fn who_has_ended_its_side_is_spoken_to_until_somebody_else_connects() {
        let server = Server::start();
        let mut first = server.connects();
        first.get_ref().shutdown(Shutdown::Write).unwrap();
        for line in ["a\n", "b\n"] {
            server.types(line);
            assert_eq!(next_line(&mut first), line);
        }
        let mut second = server.connects();
        assert_eq!(everything(&mut first), "");
        server.types("c\n");
        assert_eq!(next_line(&mut second), "c\n");
    }

    #[test]
    fn who_does_not_read_is_left_within_the_grace_and_the_next_one_is_spoken_to() {
        let server = Server::start();
        let mut does_not_read = server.connects();
        let full = "x".repeat(8000) + "\n";
        while server.types(&full).recv_timeout(Duration::from_millis(500))
            == Err(mpsc::RecvTimeoutError::Disconnected)
        {}
        does_not_read.get_mut().write_all(b"exit\n").unwrap();
        let mut second = server.connects();
        second.get_ref().set_read_timeout(Some(Duration::from_millis(500))).unwrap();
        let mut heard = String::new();
        // On a busy machine the first one may still be there, and get the first line or two.
        for _ in 0..100 {
            server.types("hello\n");
            if second.read_line(&mut heard).is_ok() {
                break;
            }
        }
        assert_eq!(heard, "hello\n");
    }
}
