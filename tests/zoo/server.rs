//! Accepts, reads, and hands lines to the world. Two threads for each client: one reads, one
//! writes.

use crate::Protocol;
use crate::defects::Defect;
use crate::lines::{Line, LineError, Lines};
use crate::outbox::Outbox;
use crate::pace::{Flags, Pace, Turn};
use crate::world::{Id, Next, World};
use anyhow::Context;
use socket2::{Domain, Socket, Type};
use std::io::{ErrorKind, Read, Write};
use std::net::{IpAddr, Ipv4Addr, SocketAddr, TcpListener, TcpStream};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard};
use std::thread;
use std::time::{Duration, Instant};

/// How long `accept` rests when there are no descriptors left (L14).
const REST: Duration = Duration::from_millis(100);

/// How long a client that said `exit` may take to end its side (L11).
const GOODBYE_PATIENCE: Duration = Duration::from_secs(5);

/// How long one defect takes from looking for a name to taking it.
const A_MOMENT: Duration = Duration::from_millis(100);

/// Two threads for each of a thousand clients: they need little.
const STACK_BYTES: usize = 128 * 1024;

struct Server {
    defect: Defect,
    flags: Flags,
    world: Mutex<World>,
    connected: AtomicUsize,
}

pub fn run(
    protocol: Protocol,
    host: &str,
    port: u16,
    defect: Defect,
    flags: Flags,
) -> anyhow::Result<()> {
    let listener = listen(host, port, defect)?;
    announce(&listener, host, defect)?;
    let mut world = World::new(protocol, defect);
    world.topic_bytes = flags.number("--topic-bytes").filter(|_| defect.is("zero-is-zero"));
    let server = Arc::new(Server {
        defect,
        flags,
        world: Mutex::new(world),
        connected: AtomicUsize::new(0),
    });
    server.accept_all(&listener)
}

/// Says where it listens, or where it was told to.
pub fn announce(listener: &TcpListener, host: &str, defect: Defect) -> anyhow::Result<()> {
    if defect.is("first-line-missing") {
        return Ok(());
    }
    println!("listening on {host}:{}", listener.local_addr()?.port());
    Ok(std::io::stdout().flush()?)
}

/// A socket that listens on this address alone, and at once after a restart (L15).
pub fn listen(host: &str, port: u16, defect: Defect) -> anyhow::Result<TcpListener> {
    let ip: IpAddr = host.parse().with_context(|| format!("{host} is no IP address"))?;
    let ip = if defect.is("binds-every-address") { IpAddr::V4(Ipv4Addr::UNSPECIFIED) } else { ip };
    let address = SocketAddr::new(ip, port);
    let socket = Socket::new(Domain::for_address(address), Type::STREAM, None)?;
    if cfg!(unix) && !defect.is("no-reuseaddr") {
        socket.set_reuse_address(true)?;
    }
    let hint = "is another server running? try another PORT";
    let bound = socket.bind(&address.into());
    bound.with_context(|| format!("cannot listen on {address}; {hint}"))?;
    socket.listen(1024)?;
    Ok(socket.into())
}

impl Server {
    fn accept_all(self: Arc<Server>, listener: &TcpListener) -> anyhow::Result<()> {
        listener.set_nonblocking(self.defect.is("busy-poll"))?;
        let mut next_id = 0;
        let mut resting = false;
        loop {
            match listener.accept() {
                Ok((stream, address)) => {
                    resting = false;
                    next_id += 1;
                    self.admit(next_id, stream, address)?;
                }
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                Err(error) if self.defect.is("fd-limit-is-fatal") => return Err(error.into()),
                Err(error) => {
                    if !std::mem::replace(&mut resting, true) {
                        eprintln!("cannot accept: {error}; trying again");
                    }
                    thread::sleep(REST);
                }
            }
        }
    }

    fn admit(
        self: &Arc<Server>,
        id: Id,
        stream: TcpStream,
        address: SocketAddr,
    ) -> anyhow::Result<()> {
        stream.set_nonblocking(false)?;
        let _ = stream.set_nodelay(true); // fails only if the client is gone already
        self.count_descriptors(&stream);
        if self.defect.is("backlog-is-a-user-limit") && self.connected.load(Ordering::SeqCst) >= 5 {
            return Ok(()); // dropped, so closed
        }
        self.connected.fetch_add(1, Ordering::SeqCst);
        if self.defect.is("a-buffer-for-each") {
            Box::leak(vec![1_u8; 512 * 1024].into_boxed_slice());
        }
        let outbox = Outbox::new(stream, self.defect);
        let writer = Arc::clone(&outbox);
        thread::Builder::new().stack_size(STACK_BYTES).spawn(move || writer.run())?;
        self.world().enter(id, address, Arc::clone(&outbox));
        let server = Arc::clone(self);
        let mut lines = Lines::new(self.defect);
        if self.defect.is("handshake-blocks-accept") {
            self.read_name(id, &outbox.stream, &mut lines);
        }
        thread::Builder::new()
            .stack_size(STACK_BYTES)
            .spawn(move || server.serve(id, &outbox, lines))?;
        Ok(())
    }

    /// In the thread that accepts: everybody else waits at the door.
    fn read_name(&self, id: Id, stream: &TcpStream, lines: &mut Lines) {
        let mut bytes = [0; 2048];
        let mut stream = stream;
        while self.world().name(id).is_none() {
            match stream.read(&mut bytes) {
                Ok(count @ 1..) => self.obey(id, lines.push(&bytes[..count])),
                _ => return,
            };
        }
    }

    /// The reading thread of one client.
    fn serve(&self, id: Id, outbox: &Arc<Outbox>, mut lines: Lines) {
        let mut bytes = [0; 4096];
        let mut pace = Pace::new(&self.flags, self.defect);
        let was_reset = loop {
            match (&outbox.stream).read(&mut bytes) {
                Ok(0) => {
                    self.obey(id, lines.end().into_iter().collect());
                    break false;
                }
                Ok(count) => match self.in_turn(id, outbox, &mut pace, lines.push(&bytes[..count]))
                {
                    Some(Next::Stay) => {}
                    Some(Next::WasReset) => break true,
                    Some(Next::Exit) => return self.goodbye(id, outbox),
                    None => return, // as a thread that an exception has ended
                },
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                Err(_) => break true,
            }
        };
        if was_reset {
            self.after_reset(id, outbox);
        } else if self.defect.is("ignores-eof") {
            self.world().leave(id, false, None);
            thread::sleep(Duration::from_secs(3600)); // the socket stays open as long
        } else {
            self.world().leave(id, false, None);
            outbox.finish();
        }
        self.connected.fetch_sub(1, Ordering::SeqCst);
        while self.defect.is("spins-after-departure") {
            let _ = (&outbox.stream).read(&mut bytes);
        }
    }

    fn after_reset(&self, id: Id, outbox: &Arc<Outbox>) {
        if self.defect.is("rude-client-kills-server") && self.world().name(id).is_none() {
            eprintln!("ConnectionResetError: [Errno 104] Connection reset by peer");
            std::process::exit(1);
        }
        outbox.give_up();
        self.world().leave(id, true, None);
    }

    /// As `obey`, each line when it may be.
    fn in_turn(&self, id: Id, outbox: &Outbox, pace: &mut Pace, lines: Vec<Line>) -> Option<Next> {
        let has_name = self.world().name(id).is_some();
        for line in lines {
            match pace.next_turn(&outbox.stream) {
                Turn::Obey => {}
                Turn::Drop => continue,
                Turn::DropAll => break,
                Turn::Reset => return Some(Next::WasReset),
            }
            let next = self.obey(id, vec![line]);
            if next != Some(Next::Stay) {
                return next;
            }
            let has_it_now = !has_name && self.world().name(id).is_some();
            if has_it_now && self.defect.is("rest-after-name-lost") {
                break;
            }
        }
        Some(Next::Stay)
    }

    /// `None`: this connection's thread has come to grief.
    fn obey(&self, id: Id, lines: Vec<Line>) -> Option<Next> {
        for line in lines {
            if self.defect.is("check-then-insert") {
                self.look_for_the_name(id, &line);
            }
            let mut world = self.world();
            let next = match line {
                Ok(line) => world.obey(id, &line),
                Err(LineError::NotUtf8) if self.defect.is("not-utf8-kills") => {
                    return None;
                }
                Err(error) => {
                    world.refuse_line(id, error);
                    Next::Stay
                }
            };
            let after_unlocking = world.after_unlocking.take();
            drop(world);
            if let Some(write) = after_unlocking {
                write();
            }
            if next == Next::Exit {
                return Some(Next::Exit);
            }
        }
        Some(Next::Stay)
    }

    /// Others look for the same name before it is taken.
    fn look_for_the_name(&self, id: Id, line: &Line) {
        let Ok(line) = line else {
            return;
        };
        if self.world().name(id).is_none() {
            let free = self.world().find(line.trim_start_matches('#')).is_none();
            thread::sleep(A_MOMENT);
            self.world().was_free = free;
        }
    }

    /// After `exit`: reads on, so that no reset destroys what is on its way, and ignores it.
    fn goodbye(&self, id: Id, outbox: &Arc<Outbox>) {
        self.world().leave(id, false, None);
        outbox.finish();
        self.connected.fetch_sub(1, Ordering::SeqCst);
        if self.defect.is("ends-with-a-reset") {
            return;
        }
        let deadline = Instant::now() + GOODBYE_PATIENCE;
        let _ = outbox.stream.set_read_timeout(Some(GOODBYE_PATIENCE));
        let mut bytes = [0; 4096];
        while Instant::now() < deadline
            && matches!((&outbox.stream).read(&mut bytes), Ok(count) if count > 0)
        {}
    }

    #[cfg(unix)]
    fn count_descriptors(&self, stream: &TcpStream) {
        use std::os::fd::AsRawFd;
        if self.defect.is("select-1024") && stream.as_raw_fd() >= 1024 {
            eprintln!("ValueError: filedescriptor out of range in select()");
            std::process::exit(1);
        }
    }

    #[cfg(not(unix))]
    fn count_descriptors(&self, _: &TcpStream) {}

    fn world(&self) -> MutexGuard<'_, World> {
        let world = self.world.lock();
        world.expect("no code panics while it holds the world")
    }
}
