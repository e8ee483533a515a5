//! The crowd: all clients of a run, on one thread and one `mio::Poll`, so that the server is
//! what is measured. One read buffer for everybody, one look at the clock for each read, no
//! allocation for what is received.

use super::dialect::{Dialect, Entry, Login};
use super::message::{Format, Message};
use anyhow::Context;
use mio::net::TcpStream;
use mio::{Events, Interest, Poll, Token};
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::SocketAddr;
use std::time::{Duration, Instant};

/// Logins under way at once: below the backlog of 128 with which std listens.
const LOGINS_AT_ONCE: usize = 100;

/// The shared read buffer, in bytes: more than a socket usually holds, so one read empties it.
const READ_BYTES: usize = 256 * 1024;

/// The receive buffer of a client that will not read, in bytes.
const DEAF_RECEIVE_BYTES: usize = 4096;

/// Without a single login for this long, those that are outside stay outside.
const LOGIN_PATIENCE: Duration = Duration::from_secs(5);

const EVENTS_PER_POLL: usize = 1024;

/// What was received: by whom, which message, when (ns since the run began).
pub type Sink<'a> = dyn FnMut(usize, Message, u64) + 'a;

#[derive(Debug)]
pub struct Crowd {
    poll: Poll,
    events: Events,
    address: SocketAddr,
    dialect: Dialect,
    pub format: Format,
    began: Instant,
    clients: Vec<Client>,
    read_buffer: Vec<u8>,
    /// Clients with something to send since the last flush.
    talkative: Vec<usize>,
    /// How many have been let in, and are still there.
    pub inside: usize,
    pub lost: usize,
    /// Why the first one was lost.
    pub first_loss: Option<String>,
    /// The last error line that somebody inside was told.
    pub last_complaint: Option<String>,
}

#[derive(Debug)]
struct Client {
    socket: TcpStream,
    state: State,
    /// Received, without its LF so far.
    unfinished: Vec<u8>,
    unsent: Vec<u8>,
}

#[derive(Debug)]
enum State {
    Connecting(Login),
    Greeting(Login),
    Introducing(Login),
    Inside,
    /// Inside, and reads no more.
    Deaf,
    Gone,
}

impl Crowd {
    pub fn new(address: SocketAddr, dialect: Dialect, format: Format) -> anyhow::Result<Crowd> {
        Ok(Crowd {
            poll: Poll::new().context("cannot ask the kernel for events")?,
            events: Events::with_capacity(EVENTS_PER_POLL),
            address,
            dialect,
            format,
            began: Instant::now(),
            clients: Vec::new(),
            read_buffer: vec![0; READ_BYTES],
            talkative: Vec::new(),
            inside: 0,
            lost: 0,
            first_loss: None,
            last_complaint: None,
        })
    }

    /// The clock of the run, in ns.
    pub fn now(&self) -> u64 {
        self.began.elapsed().as_nanos() as u64
    }

    /// Brings `count` more clients in. How many are inside afterwards is in `inside`.
    pub fn enter(&mut self, count: usize, entry: Entry, limit: Duration) -> anyhow::Result<()> {
        let wanted = self.clients.len() + count;
        let began = Instant::now();
        let mut progress = (self.inside, Instant::now());
        while self.inside + self.lost < wanted {
            while self.clients.len() < wanted && self.under_way() < LOGINS_AT_ONCE {
                self.connect(entry, None)?;
            }
            self.pump(Duration::from_millis(100), &mut |_, _, _| {})?;
            super::check_interrupt()?;
            if self.inside > progress.0 {
                progress = (self.inside, Instant::now());
            } else if progress.1.elapsed() > LOGIN_PATIENCE {
                break;
            }
            if began.elapsed() > limit {
                break;
            }
        }
        let seconds = began.elapsed().as_secs();
        let waited = format!("after {seconds} s the others still waited");
        let why = self.first_loss.as_deref().unwrap_or(&waited);
        anyhow::ensure!(
            self.inside == wanted,
            "only {} of {wanted} clients got in ({why})",
            self.inside
        );
        Ok(())
    }

    /// One more client, who goes deaf as soon as it is inside.
    pub fn enter_deaf(&mut self) -> anyhow::Result<()> {
        let deaf = self.clients.len();
        self.connect(Entry::Room, Some(DEAF_RECEIVE_BYTES))?;
        let began = Instant::now();
        while !matches!(self.clients[deaf].state, State::Inside) {
            self.pump(Duration::from_millis(100), &mut |_, _, _| {})?;
            let waited = began.elapsed() > LOGIN_PATIENCE;
            anyhow::ensure!(!waited, "the client that will not read did not get in");
        }
        self.clients[deaf].state = State::Deaf;
        Ok(())
    }

    fn under_way(&self) -> usize {
        self.clients.len() - self.inside - self.lost
    }

    fn connect(&mut self, entry: Entry, receive_bytes: Option<usize>) -> anyhow::Result<()> {
        let number = self.clients.len();
        let socket = self
            .open(receive_bytes)
            .with_context(|| format!("cannot open connection {}", number + 1))?;
        let mut socket = TcpStream::from_std(socket.into());
        let both = Interest::READABLE | Interest::WRITABLE;
        self.poll.registry().register(&mut socket, Token(number), both)?;
        self.clients.push(Client {
            socket,
            state: State::Connecting(self.dialect.login(number, entry)),
            unfinished: Vec::new(),
            unsent: Vec::new(),
        });
        Ok(())
    }

    fn open(&self, receive_bytes: Option<usize>) -> std::io::Result<Socket> {
        let socket = Socket::new(Domain::for_address(self.address), Type::STREAM, None)?;
        socket.set_nonblocking(true)?;
        socket.set_tcp_nodelay(true)?;
        // Closing with a reset leaves no port in TIME_WAIT for the next run to miss.
        socket.set_linger(Some(Duration::ZERO))?;
        if let Some(bytes) = receive_bytes {
            socket.set_recv_buffer_size(bytes)?;
        }
        match socket.connect(&self.address.into()) {
            Err(error) if !is_under_way(&error) => Err(error),
            _ => Ok(socket),
        }
    }

    /// Puts a message to all others into the speaker's hands; `pump` sends it.
    pub fn say_to_all(&mut self, from: usize, message: Message) {
        let (dialect, format) = (self.dialect, self.format);
        dialect.say_to_all(&format, message, self.unsent(from));
    }

    pub fn say_to(&mut self, from: usize, to: usize, message: Message) {
        let (dialect, format) = (self.dialect, self.format);
        dialect.say_to(to, &format, message, self.unsent(from));
    }

    fn unsent(&mut self, from: usize) -> &mut Vec<u8> {
        let unsent = &mut self.clients[from].unsent;
        if unsent.is_empty() {
            self.talkative.push(from);
        }
        unsent
    }

    /// Sends what is to be sent, then waits for events, at most for `timeout`, and hands every
    /// message that came to `sink`.
    pub fn pump(&mut self, timeout: Duration, sink: &mut Sink) -> anyhow::Result<()> {
        for client in std::mem::take(&mut self.talkative) {
            self.send(client);
        }
        let mut events = std::mem::replace(&mut self.events, Events::with_capacity(0));
        match self.poll.poll(&mut events, Some(timeout)) {
            Err(error) if error.kind() != ErrorKind::Interrupted => {
                return Err(error).context("cannot wait for events");
            }
            _ => {}
        }
        for event in &events {
            let client = event.token().0;
            if event.is_writable() {
                self.begin_login(client);
                self.send(client);
            }
            if event.is_readable() || event.is_read_closed() || event.is_error() {
                self.receive(client, sink);
            }
        }
        self.events = events;
        Ok(())
    }

    /// The first writable event of a socket says how its connection attempt went.
    fn begin_login(&mut self, client: usize) {
        let this = &mut self.clients[client];
        if !matches!(this.state, State::Connecting(_)) {
            return;
        }
        match this.socket.take_error() {
            Ok(None) if this.socket.peer_addr().is_ok() => {
                if let State::Connecting(login) = std::mem::replace(&mut this.state, State::Gone) {
                    this.state = State::Greeting(login);
                }
                self.go_on_if(client, "");
            }
            Ok(None) => {} // not connected yet
            Ok(Some(error)) | Err(error) => self.lose(client, &format!("connecting: {error}")),
        }
    }

    /// Takes the next steps of a login whose answer `line` is, or that need no answer.
    fn go_on_if(&mut self, client: usize, line: &str) {
        let this = &mut self.clients[client];
        this.state = match std::mem::replace(&mut this.state, State::Gone) {
            State::Greeting(login) if line.starts_with(login.greeting) => {
                if this.unsent.is_empty() && !login.introduction.is_empty() {
                    self.talkative.push(client);
                }
                this.unsent.extend_from_slice(login.introduction.as_bytes());
                if login.welcome.is_empty() {
                    self.inside += 1;
                    State::Inside
                } else {
                    State::Introducing(login)
                }
            }
            State::Introducing(login) if line.starts_with(login.welcome) => {
                self.inside += 1;
                State::Inside
            }
            State::Greeting(_) | State::Introducing(_) if line.starts_with("! ") => {
                let why = format!("it was told: {line}");
                return self.lose(client, &why);
            }
            other => other,
        };
    }

    fn send(&mut self, client: usize) {
        let this = &mut self.clients[client];
        if matches!(this.state, State::Connecting(_) | State::Gone) {
            return;
        }
        while !this.unsent.is_empty() {
            match this.socket.write(&this.unsent) {
                Ok(count) if count == this.unsent.len() => this.unsent.clear(),
                Ok(count) => drop(this.unsent.drain(..count)),
                Err(error) if error.kind() == ErrorKind::WouldBlock => return,
                Err(error) => return self.lose(client, &format!("writing: {error}")),
            }
        }
    }

    fn receive(&mut self, client: usize, sink: &mut Sink) {
        let mut buffer = std::mem::take(&mut self.read_buffer);
        loop {
            let this = &mut self.clients[client];
            if matches!(this.state, State::Connecting(_) | State::Deaf | State::Gone) {
                break;
            }
            let kept = this.unfinished.len();
            buffer[..kept].copy_from_slice(&this.unfinished);
            match this.socket.read(&mut buffer[kept..]) {
                Ok(0) => self.lose(client, "the server closed the connection"),
                Ok(count) => {
                    self.take_lines(client, &buffer[..kept + count], sink);
                    if kept + count < buffer.len() {
                        break; // the socket is empty: an event will tell of more
                    }
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => break,
                Err(error) => self.lose(client, &format!("reading: {error}")),
            }
        }
        self.read_buffer = buffer;
    }

    fn take_lines(&mut self, client: usize, bytes: &[u8], sink: &mut Sink) {
        let now = self.now();
        let mut start = 0;
        for end in memchr::memchr_iter(b'\n', bytes) {
            let line = &bytes[start..end];
            start = end + 1;
            match self.clients[client].state {
                State::Inside => {
                    if let Some(message) = self.format.read(line) {
                        sink(client, message, now);
                    } else if line.starts_with(b"! ") {
                        self.last_complaint = Some(String::from_utf8_lossy(line).into_owned());
                    }
                }
                _ => self.go_on_if(client, &String::from_utf8_lossy(line)),
            }
        }
        let this = &mut self.clients[client];
        this.unfinished.clear();
        this.unfinished.extend_from_slice(&bytes[start..]);
        if this.unfinished.len() > READ_BYTES / 2 {
            self.lose(client, "the server sends a line without an end");
        }
    }

    fn lose(&mut self, client: usize, why: &str) {
        let this = &mut self.clients[client];
        match this.state {
            State::Gone => return,
            State::Inside | State::Deaf => self.inside -= 1,
            _ => {}
        }
        this.state = State::Gone;
        let _ = self.poll.registry().deregister(&mut this.socket); // it is lost either way
        self.lost += 1;
        let told = self.last_complaint.as_deref().unwrap_or("nothing");
        self.first_loss
            .get_or_insert_with(|| format!("client {client}: {why}; last it was told: {told}"));
    }

    /// What the server had for a client that did not read: all that is left in its stream.
    pub fn read_late(&mut self, client: usize, patience: Duration) -> Leftovers {
        let mut left = Leftovers::default();
        let deadline = Instant::now() + patience;
        let mut tail = Vec::new();
        while Instant::now() < deadline && left.end.is_none() {
            match self.clients[client].socket.read(&mut self.read_buffer) {
                Ok(0) => left.end = Some("closed"),
                Ok(count) => {
                    left.bytes += count;
                    tail.extend_from_slice(&self.read_buffer[..count]);
                    tail.drain(..tail.len().saturating_sub(READ_BYTES));
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {
                    std::thread::sleep(Duration::from_millis(5));
                }
                Err(_) => left.end = Some("reset"),
            }
        }
        let tail = String::from_utf8_lossy(&tail);
        let last = tail.lines().last();
        left.last_word = last.filter(|line| line.starts_with("! ")).map(str::to_string);
        left
    }
}

/// What a client that did not read finds when it reads at last.
#[derive(Debug, Default)]
pub struct Leftovers {
    pub bytes: usize,
    /// How the stream ended; `None`: it goes on.
    pub end: Option<&'static str>,
    /// The server's last line, if it was an error.
    pub last_word: Option<String>,
}

/// A connection attempt that goes on while we do something else.
fn is_under_way(error: &std::io::Error) -> bool {
    #[cfg(unix)]
    if error.raw_os_error() == Some(nix::libc::EINPROGRESS) {
        return true;
    }
    error.kind() == ErrorKind::WouldBlock
}
