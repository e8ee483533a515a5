//! S1 and S2: one connection at a time. In S2 the server's own user speaks as well.

use crate::Protocol;
use crate::defects::Defect;
use crate::lines::{Line, Lines};
use std::io::{BufRead, Read, Write};
use std::net::{Shutdown, SocketAddr, TcpStream};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::Duration;

/// How long a client that said `exit` may take to end its side (L11).
const GOODBYE_PATIENCE: Duration = Duration::from_secs(2);

pub fn run(protocol: Protocol, host: &str, port: u16, defect: Defect) -> anyhow::Result<()> {
    let listener = crate::server::listen(host, port, defect)?;
    crate::server::announce(&listener, host)?;
    let user = (protocol == Protocol::Duplex).then(|| Arc::new(User::start()));
    let mut writer: Option<JoinHandle<()>> = None;
    let mut kept = Vec::new();
    for stream in listener.incoming() {
        let stream = Arc::new(stream?);
        let Ok(address) = stream.peer_addr() else {
            continue;
        };
        if defect.is("serves-only-one") && !kept.is_empty() {
            kept.push(stream); // accepted, and then forgotten
            continue;
        }
        // The one before may have ended its half only. Now that somebody waits, it is over.
        if let (Some(user), Some(writer)) = (&user, writer.take()) {
            user.end_with_this_client();
            let _ = writer.join();
        }
        writer = user.clone().map(|user| {
            let stream = Arc::clone(&stream);
            thread::spawn(move || user.write_to(&stream))
        });
        let lockstep = user.as_ref().filter(|_| defect.is("lockstep"));
        let exit = print_all(&stream, address, defect, lockstep.map(Arc::as_ref));
        if exit {
            let _ = stream.shutdown(Shutdown::Write);
            let _ = stream.set_read_timeout(Some(GOODBYE_PATIENCE));
            let mut bytes = [0; 4096];
            while matches!((&*stream).read(&mut bytes), Ok(1..)) {}
        }
        if defect.is("serves-only-one") || defect.is("leaks-descriptors") {
            kept.push(stream);
        }
    }
    Ok(())
}

/// Prints every line as `[IP]:PORT => TEXT`, to the end of the stream. Whether it was `exit`.
fn print_all(
    stream: &TcpStream,
    address: SocketAddr,
    defect: Defect,
    lockstep: Option<&User>,
) -> bool {
    let mut lines = Lines::new(defect);
    let mut bytes = [0; 4096];
    let mut stream = stream;
    loop {
        if let Some(user) = lockstep {
            user.wait_for_turn();
        }
        match stream.read(&mut bytes) {
            Ok(count @ 1..) => {
                if print(address, lines.push(&bytes[..count])) {
                    return true;
                }
            }
            _ => break,
        }
    }
    print(address, lines.end().into_iter().collect());
    while defect.is("spins-after-departure") {
        let _ = stream.read(&mut bytes);
    }
    false
}

fn print(address: SocketAddr, lines: Vec<Line>) -> bool {
    for line in lines {
        match line {
            Ok(text) if text == "exit" => return true,
            Ok(text) => println!("[{}]:{} => {text}", address.ip(), address.port()),
            Err(error) => eprintln!("{address}: {error:?}"),
        }
    }
    let _ = std::io::stdout().flush();
    false
}

/// What the server's user types goes to whoever is connected.
struct User {
    typed: Mutex<Receiver<Event>>,
    events: Sender<Event>,
    turns: Mutex<Receiver<()>>,
    /// Its input has ended: every further client hears so at once.
    ended: AtomicBool,
}

enum Event {
    Line(String),
    EndOfInput,
    ClientGone,
}

impl User {
    fn start() -> User {
        let (events, typed) = channel();
        let (take_turn, turns) = channel();
        let lines = events.clone();
        thread::spawn(move || {
            for line in std::io::stdin().lock().lines().map_while(Result::ok) {
                let _ = take_turn.send(());
                let _ = lines.send(Event::Line(line));
            }
            let _ = lines.send(Event::EndOfInput);
        });
        User {
            typed: Mutex::new(typed),
            events,
            turns: Mutex::new(turns),
            ended: AtomicBool::new(false),
        }
    }

    fn write_to(&self, stream: &TcpStream) {
        let typed = self.typed.lock().expect("one writer at a time");
        let mut stream = stream;
        let mut open = true;
        if self.ended.load(Ordering::SeqCst) {
            let _ = stream.shutdown(Shutdown::Write);
        }
        while let Ok(event) = typed.recv() {
            match event {
                Event::Line(line) => {
                    open = open && stream.write_all(format!("{line}\n").as_bytes()).is_ok();
                }
                Event::EndOfInput => {
                    let _ = stream.shutdown(Shutdown::Write);
                    self.ended.store(true, Ordering::SeqCst);
                }
                Event::ClientGone => {
                    let _ = stream.shutdown(Shutdown::Write);
                    return;
                }
            }
        }
    }

    fn end_with_this_client(&self) {
        let _ = self.events.send(Event::ClientGone);
    }

    fn wait_for_turn(&self) {
        let _ = self.turns.lock().expect("one reader at a time").recv();
    }
}
