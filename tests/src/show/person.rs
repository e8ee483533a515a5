//! One person of a scene: a socket, whose every write and read is written down.

use super::log::Log;
use super::recording::{End, What, show_bytes};
use crate::capture::{Capture, Direction, Stream};
use crate::peer::Peer;
use socket2::SockRef;
use std::io::{ErrorKind, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::{Arc, Mutex};
use std::thread;
use std::time::{Duration, Instant};

const READ_BYTES: usize = 16 * 1024;

/// How long one write may block before it is looked at whether anything moves at all.
const WRITE_WAIT: Duration = Duration::from_millis(200);

/// Lines of a flood in one write.
const LINES_PER_WRITE: usize = 8;

#[derive(Debug)]
pub struct Person {
    pub name: String,
    socket: TcpStream,
    log: Arc<Log>,
    heard: Arc<Mutex<Heard>>,
    reads: bool,
    /// Where the packets are written, if anywhere.
    packets: Option<Stream>,
}

/// What has come, as lines.
#[derive(Debug, Default)]
pub struct Heard {
    pub lines: Vec<String>,
    unfinished: Vec<u8>,
    pub ended: bool,
}

impl Person {
    /// Connects. With a receive buffer, it is one whom the kernel cannot help for long.
    pub fn connect(
        name: &str,
        server: SocketAddr,
        receive_buffer: Option<usize>,
        log: &Arc<Log>,
        capture: Option<&Capture>,
    ) -> anyhow::Result<Person> {
        let socket = Peer::connect_with(name, server, receive_buffer)?.socket;
        log.write(What::Connects { who: name.to_string() });
        let here = socket.local_addr()?;
        let packets = capture.map(|file| file.stream(here, server, &format!("{name} connects")));
        let (name, log) = (name.to_string(), Arc::clone(log));
        Ok(Person { name, socket, log, heard: Arc::default(), reads: false, packets })
    }

    pub fn port(&self) -> u16 {
        self.socket.local_addr().map_or(0, |address| address.port())
    }

    /// From here on, whatever comes is read at once.
    pub fn start_reading(&mut self) -> anyhow::Result<()> {
        if !std::mem::replace(&mut self.reads, true) {
            let (socket, name) = (self.socket.try_clone()?, self.name.clone());
            let (log, heard) = (Arc::clone(&self.log), Arc::clone(&self.heard));
            let packets = self.packets.clone();
            thread::spawn(move || read_all(&socket, &name, &log, &heard, packets.as_ref()));
        }
        Ok(())
    }

    pub fn lines(&self) -> usize {
        self.heard().lines.len()
    }

    /// Whether a line behind the first `from` is wanted.
    pub fn has_heard(&self, from: usize, wanted: impl Fn(&str) -> bool) -> bool {
        self.heard().lines.iter().skip(from).any(|line| wanted(line))
    }

    pub fn has_seen_the_end(&self) -> bool {
        self.heard().ended
    }

    fn heard(&self) -> std::sync::MutexGuard<'_, Heard> {
        self.heard.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
    }

    /// In one write; whether the connection took it.
    pub fn send(&mut self, bytes: &[u8]) -> bool {
        self.note_sent(bytes, 1);
        self.write(bytes, Duration::from_secs(10)) == bytes.len()
    }

    /// One line again and again, several in a write, until it has been sent `times_max` times, until
    /// something comes back that is `enough`, or until the server takes nothing for `patience`.
    pub fn flood(
        &mut self,
        line: &[u8],
        times_max: usize,
        enough: impl Fn(&str) -> bool,
        patience: Duration,
    ) {
        let at = self.log.now();
        let before = self.lines();
        let batch = line.repeat(LINES_PER_WRITE);
        let mut sent = 0;
        while sent < line.len() * times_max && !self.has_heard(before, &enough) {
            let taken = self.write(&batch, patience);
            sent += taken;
            if taken < batch.len() {
                break;
            }
        }
        let (who, text, times) = (self.name.clone(), show_bytes(line), sent.div_ceil(line.len()));
        self.log.write_at(at, What::Sends { who, text, bytes: sent, times });
    }

    fn note_sent(&self, bytes: &[u8], times: usize) {
        let (who, text) = (self.name.clone(), show_bytes(bytes));
        self.log.write(What::Sends { who, text, bytes: bytes.len() * times, times });
    }

    /// How many bytes the connection took, before it took none for `patience`.
    fn write(&mut self, bytes: &[u8], patience: Duration) -> usize {
        let _ = self.socket.set_write_timeout(Some(WRITE_WAIT));
        let (mut sent, mut moved) = (0, Instant::now());
        while sent < bytes.len() && moved.elapsed() < patience {
            match self.socket.write(&bytes[sent..]) {
                Ok(count) => {
                    if let Some(packets) = &self.packets {
                        packets.data(Direction::ToServer, &bytes[sent..sent + count], None);
                    }
                    sent += count;
                    moved = Instant::now();
                    self.log.moves(count);
                }
                Err(error) if waits(error.kind()) => {}
                Err(_) => break, // the reader sees how it has ended
            }
        }
        sent
    }

    /// Nothing more will come from here; what comes back is still read.
    pub fn half_close(&self) {
        self.log.write(What::Ends { who: self.name.clone(), how: End::Fin });
        if let Some(packets) = &self.packets {
            packets.fin(Direction::ToServer);
        }
        let _ = self.socket.shutdown(Shutdown::Write); // fails when it has ended already
    }

    /// The end without a word: what is on its way is lost.
    pub fn reset(self) {
        self.log.write(What::Ends { who: self.name.clone(), how: End::Reset });
        if let Some(packets) = &self.packets {
            packets.reset(Direction::ToServer);
        }
        let _ = SockRef::from(&self.socket).set_linger(Some(Duration::ZERO));
        // The reader's copy of the socket would keep it open: a shut down socket ends that read.
        let _ = self.socket.shutdown(Shutdown::Read);
    }
}

fn read_all(
    mut socket: &TcpStream,
    name: &str,
    log: &Log,
    heard: &Mutex<Heard>,
    packets: Option<&Stream>,
) {
    let who = || name.to_string();
    let mut buffer = [0; READ_BYTES];
    let how = loop {
        match socket.read(&mut buffer) {
            Ok(0) => break End::Fin,
            Ok(count) => {
                if let Some(packets) = packets {
                    packets.data(Direction::ToClient, &buffer[..count], None);
                }
                lock(heard).add(&buffer[..count]);
                let text = show_bytes(&buffer[..count]);
                log.write(What::Receives { who: who(), text, bytes: count });
            }
            Err(error) if waits(error.kind()) => {}
            Err(_) => break End::Reset,
        }
    };
    match (packets, how) {
        (Some(packets), End::Fin) => packets.fin(Direction::ToClient),
        (Some(packets), End::Reset) => packets.reset(Direction::ToClient),
        (None, _) => {}
    }
    lock(heard).ended = true;
    log.write(What::SeesEnd { who: who(), how });
}

fn lock(heard: &Mutex<Heard>) -> std::sync::MutexGuard<'_, Heard> {
    heard.lock().unwrap_or_else(|poisoned| poisoned.into_inner())
}

fn waits(kind: ErrorKind) -> bool {
    matches!(kind, ErrorKind::WouldBlock | ErrorKind::TimedOut | ErrorKind::Interrupted)
}

impl Heard {
    fn add(&mut self, bytes: &[u8]) {
        self.unfinished.extend_from_slice(bytes);
        while let Some(end) = self.unfinished.iter().position(|byte| *byte == b'\n') {
            let line: Vec<u8> = self.unfinished.drain(..=end).collect();
            let line = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_string();
            self.lines.push(line);
        }
    }
}
