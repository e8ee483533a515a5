//! Both directions of a connection, the same for client and server.
//!
//! A read blocks its thread until something comes. So each direction has a thread of its own:
//! one waits for the user and writes to the socket (`speak`), one waits for the socket and
//! prints (`hear`). `hear` ends with its connection. `speak` lives as long as the program: a read
//! from standard input cannot be called off when the other side goes, and the line it
//! brings belongs to whoever is there then. What the two share is `Talk`: who is there.

use std::io::{self, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Condvar, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

use crate::console::explain;
use crate::line::{self, LineReader, Next};
use crate::prompt;

/// How long an ended connection may still take what it is owed (rule L10 allows 5 s; here the
/// next one waits meanwhile).
const ENDING_GRACE: Duration = Duration::from_secs(2);

/// How long a gone peer's reset may take to arrive. One who still reads answers nothing, so only
/// a clock can end this wait.
const RESET_WAIT: Duration = Duration::from_millis(200);

/// Who is there to speak to.
pub struct Talk {
    /// A server's next line may wait for the next client. A client has one connection.
    others_may_come: bool,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    /// The connection that our lines go to; none when nobody is there or all has been said.
    socket: Option<Arc<TcpStream>>,
    /// A line is on its way into the socket. The lock is not held meanwhile: a peer that does not
    /// read makes that write wait, and nothing else.
    writing: bool,
    /// Standard input has ended. Every later connection is half-closed at once.
    input_ended: bool,
    /// Why the last write failed.
    failure: Option<io::Error>,
}

/// How the other side has ended.
#[derive(Debug, PartialEq, Eq)]
pub enum Ending {
    /// It sends no more. It may still read (a half-close) or be gone: that looks the same.
    EndOfStream,
    /// It said `exit` (rule L11).
    Exit,
}

// ANCHOR: speak
/// One direction, for the life of the program: standard input to whoever is there.
fn speak(talk: &Talk, line_bytes_max: usize) {
    let mut lines = LineReader::new(io::stdin(), "standard input", line_bytes_max);
    loop {
        prompt::ask();
        let next = lines.next();
        prompt::answered();
        match next {
            Ok(Next::Line(line)) => talk.send(line),
            Ok(Next::TooLong) => {
                let limit = line_bytes_max;
                prompt::warn(format_args!("not sent: line too long (at most {limit} bytes)"));
            }
            // A file may end without LF. The other side would wait for it in vain.
            Ok(Next::End(rest)) if !rest.is_empty() => talk.send(&[rest, b"\n"].concat()),
            Ok(Next::End(_)) => break,
            Err(error) => {
                prompt::warn(format_args!("cannot read standard input: {error}"));
                break;
            }
        }
    }
    talk.end_input();
}
// ANCHOR_END: speak

// ANCHOR: hear
/// The other direction, for the life of one connection: socket to screen. A line that breaks a
/// rule is told here, to our user. Nothing is sent: on the other screen it would look like our
/// user's words.
pub fn hear(socket: &TcpStream, peer: SocketAddr, line_bytes_max: usize) -> io::Result<Ending> {
    let mut lines = LineReader::new(socket, peer, line_bytes_max);
    loop {
        let line = match lines.next()? {
            Next::Line(line) => line,
            Next::TooLong => {
                let limit = line_bytes_max;
                prompt::warn(format_args!("{peer}: line too long (at most {limit} bytes)"));
                continue;
            }
            Next::End(_) => return Ok(Ending::EndOfStream),
        };
        match line::decode(line) {
            Ok(text) if text.is_empty() => {}
            Ok(text) if text == "exit" => return Ok(Ending::Exit),
            Ok(text) => prompt::say(message(peer, &text)),
            Err(error) => prompt::warn(format_args!("{peer}: {error}")),
        }
    }
}
// ANCHOR_END: hear

fn message(peer: SocketAddr, text: &str) -> String {
    // A server that listens on `::` knows 127.0.0.1 as ::ffff:127.0.0.1.
    format!("[{}]:{} => {text}", peer.ip().to_canonical(), peer.port())
}

impl Talk {
    pub fn of_a_server() -> Talk {
        Talk { others_may_come: true, state: Mutex::default(), changed: Condvar::new() }
    }

    pub fn of_a_client(socket: Arc<TcpStream>) -> Talk {
        let talk = Talk { others_may_come: false, ..Talk::of_a_server() };
        talk.begin(socket);
        talk
    }

    /// From now on our lines go to this connection.
    pub fn begin(&self, socket: Arc<TcpStream>) {
        let mut state = self.lock();
        state.socket = Some(socket);
        if state.input_ended {
            state.half_close();
        }
        self.changed.notify_all();
    }

    /// Ends our side of the present connection, if there is one. A line on its way may still
    /// arrive, but makes nobody wait longer than the grace.
    pub fn end(&self) {
        let state = self.lock();
        let (mut state, _) = self
            .changed
            .wait_timeout_while(state, ENDING_GRACE, |state| state.writing)
            .expect(NO_PANIC);
        state.half_close();
        self.changed.notify_all();
    }

    /// Is somebody there to whom we have not yet said all?
    pub fn is_open(&self) -> bool {
        self.lock().socket.is_some()
    }

    /// Waits until our side has ended too: its input, an `exit`, or a write that failed.
    pub fn wait_for_our_end(&self) -> io::Result<()> {
        let state = self.lock();
        let mut state =
            self.changed.wait_while(state, |state| state.socket.is_some()).expect(NO_PANIC);
        state.failure.take().map_or(Ok(()), Err)
    }

    // ANCHOR: peer_is_gone
    /// Asks a peer that sends no more whether it still reads. TCP has no question for that; but
    /// a closed socket answers every byte with a reset, and an empty line is a message to nobody
    /// (rule L6).
    pub fn peer_is_gone(&self) -> bool {
        let Some(socket) = self.begin_writing() else {
            return true;
        };
        let written = (&*socket).write_all(b"\n");
        self.end_writing(&socket, written);
        thread::sleep(RESET_WAIT);
        !self.is_open() || !matches!(socket.take_error(), Ok(None))
    }
    // ANCHOR_END: peer_is_gone

    // ANCHOR: send
    /// Waits for somebody to be there, then for the kernel to take the line. In the meantime
    /// lines collect in the pipe or terminal that they come from, which has its own bound.
    fn send(&self, line: &[u8]) {
        let Ok(text) = line::decode(line) else {
            return prompt::warn("not sent: not UTF-8");
        };
        if self.others_may_come && !self.is_open() {
            prompt::warn("nobody is connected: this line waits for whoever comes next");
        }
        let Some(socket) = self.begin_writing() else {
            return;
        };
        match (&*socket).write_all(line) {
            Ok(()) => {
                let count = line.len();
                explain!(
                    "the kernel has taken {count} bytes; whether anybody reads them it does not say"
                );
                self.end_writing(&socket, Ok(()));
            }
            Err(error) => {
                prompt::warn(format_args!("not sent: {error}"));
                self.end_writing(&socket, Err(error));
            }
        }
        if text == "exit" {
            self.end_if_still(&socket);
        }
    }
    // ANCHOR_END: send

    /// The connection to write to, for one writer at a time; `None` when there will be none.
    fn begin_writing(&self) -> Option<Arc<TcpStream>> {
        let state = self.lock();
        let mut state = self
            .changed
            .wait_while(state, |state| {
                state.writing || (state.socket.is_none() && self.others_may_come)
            })
            .expect(NO_PANIC);
        let socket = state.socket.clone()?;
        state.writing = true;
        Some(socket)
    }

    fn end_writing(&self, socket: &Arc<TcpStream>, written: io::Result<()>) {
        let mut state = self.lock();
        state.writing = false;
        if let Err(error) = written
            && state.is_with(socket)
        {
            state.failure = Some(error);
            state.socket = None;
        }
        self.changed.notify_all();
    }

    /// Our `exit` was the last that we say to this peer.
    fn end_if_still(&self, socket: &Arc<TcpStream>) {
        let mut state = self.lock();
        if state.is_with(socket) {
            state.half_close();
        }
        self.changed.notify_all();
    }

    fn end_input(&self) {
        explain!(
            "no more input: half-closing, while the other direction goes on until its own end"
        );
        let mut state = self.lock();
        state.input_ended = true;
        state.half_close();
        self.changed.notify_all();
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().expect(NO_PANIC)
    }
}

const NO_PANIC: &str = "nothing panics while it holds the lock";

impl State {
    /// The kernel sends a FIN behind the last byte: the other side reads an end of stream, while
    /// we still read what it sends. A write that is blocked ends with an error.
    fn half_close(&mut self) {
        if let Some(socket) = self.socket.take() {
            let _ = socket.shutdown(Shutdown::Write); // fails only if the peer is gone already
        }
    }

    /// Meanwhile the server may have turned to the next client.
    fn is_with(&self, socket: &Arc<TcpStream>) -> bool {
        self.socket.as_ref().is_some_and(|present| Arc::ptr_eq(present, socket))
    }
}

/// After an `exit`: reads what still comes without looking at it. A socket that is closed while
/// bytes wait in it answers with a reset, which destroys what is on its way to the other side.
pub fn ignore_the_rest(mut socket: &TcpStream) {
    let deadline = Instant::now() + ENDING_GRACE;
    let mut ignored = [0; 4096];
    loop {
        let left = deadline.saturating_duration_since(Instant::now());
        if left.is_zero() || socket.set_read_timeout(Some(left)).is_err() {
            return;
        }
        match socket.read(&mut ignored) {
            Ok(0) | Err(_) => return, // closed too, or reset, or silent for the whole grace
            Ok(_) => {}
        }
    }
}

/// Starts the thread that speaks. Nobody ever joins it: it may be blocked in a read that ends
/// only with the next key.
pub fn start_speaking(talk: &Arc<Talk>, line_bytes_max: usize) -> io::Result<()> {
    let talk = Arc::clone(talk);
    let speaker = thread::Builder::new().name("speak".into());
    speaker.spawn(move || speak(&talk, line_bytes_max)).map(drop)
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{BufRead, BufReader};
    use std::net::TcpListener;

    const GENEROUS: Duration = Duration::from_secs(10);

    /// Two ends of one connection.
    fn connection() -> (Arc<TcpStream>, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let far = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        far.set_read_timeout(Some(GENEROUS)).unwrap();
        let near = listener.accept().unwrap().0;
        near.set_read_timeout(Some(GENEROUS)).unwrap();
        (Arc::new(near), far)
    }

    fn everything_read_by(mut far: TcpStream) -> String {
        let mut text = String::new();
        far.read_to_string(&mut text).unwrap();
        text
    }

    #[test]
    fn a_message_shows_where_it_comes_from() {
        let from = |address: &str| message(address.parse().unwrap(), "hi");
        assert_eq!(from("127.0.0.1:4242"), "[127.0.0.1]:4242 => hi");
        assert_eq!(from("[::1]:4242"), "[::1]:4242 => hi");
        assert_eq!(from("[::ffff:192.0.2.7]:1"), "[192.0.2.7]:1 => hi");
    }

    #[test]
    fn a_line_said_to_nobody_waits_for_the_next_client() {
        let talk = Arc::new(Talk::of_a_server());
        let speaker = Arc::clone(&talk);
        let speaking = thread::spawn(move || {
            speaker.send(b"hello\n");
            speaker.end_input();
        });
        let (near, far) = connection();
        talk.begin(near);
        assert_eq!(everything_read_by(far), "hello\n");
        speaking.join().unwrap();
    }

    #[test]
    fn after_the_end_of_input_later_connections_are_half_closed_at_once() {
        let talk = Talk::of_a_server();
        talk.end_input();
        let (near, mut far) = connection();
        talk.begin(Arc::clone(&near));
        far.write_all(b"still heard\n").unwrap();
        let mut heard = String::new();
        BufReader::new(&*near).read_line(&mut heard).unwrap();
        assert_eq!(heard, "still heard\n");
        assert_eq!(everything_read_by(far), "");
    }

    #[test]
    fn nothing_is_sent_after_our_exit() {
        let (near, far) = connection();
        let talk = Talk::of_a_client(near);
        talk.send(b"exit\n");
        talk.send(b"more\n");
        assert_eq!(everything_read_by(far), "exit\n");
    }

    #[test]
    fn a_peer_that_does_not_read_is_left_within_the_grace_and_the_next_one_is_spoken_to() {
        let talk = Arc::new(Talk::of_a_server());
        let (near, _does_not_read) = connection();
        talk.begin(near);
        let speaker = Arc::clone(&talk);
        // Not joined: its last line may wait for one more client.
        thread::spawn(move || {
            while speaker.is_open() {
                speaker.send(&[&[b'x'; 2000][..], b"\n"].concat());
            }
        });
        talk.end();

        let (near, far) = connection();
        talk.begin(near);
        let reading = thread::spawn(move || everything_read_by(far));
        talk.send(b"hello\n");
        talk.end();
        assert!(reading.join().unwrap().lines().any(|line| line == "hello"));
    }

    #[test]
    fn exit_ends_hearing_and_lines_after_it_are_not_heard() {
        let (near, mut far) = connection();
        far.write_all(b"  exit \r\nmore\n").unwrap();
        let peer = far.local_addr().unwrap();
        assert_eq!(hear(&near, peer, 2048).unwrap(), Ending::Exit);
    }

    #[test]
    fn a_half_closed_peer_is_told_from_one_that_is_gone() {
        let (near, far) = connection();
        far.shutdown(Shutdown::Write).unwrap();
        assert!(!Talk::of_a_client(near).peer_is_gone());
        let (near, far) = connection();
        drop(far);
        assert!(Talk::of_a_client(near).peer_is_gone());
    }
}
