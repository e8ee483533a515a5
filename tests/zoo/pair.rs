//! S1 and S2: one connection at a time. In S2 the server's own user speaks as well.

use crate::Protocol;
use crate::defects::Defect;
use crate::lines::{Line, LineError, Lines};
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
    crate::server::announce(&listener, host, defect)?;
    let user = (protocol == Protocol::Duplex).then(|| Arc::new(User::start(defect)));
    let mut writer: Option<JoinHandle<()>> = None;
    let mut kept = Vec::new();
    for stream in listener.incoming() {
        let stream = Arc::new(stream?);
        let address = match stream.peer_addr() {
            Ok(address) => address,
            Err(error) => {
                after_an_error(&error, defect);
                continue;
            }
        };
        if defect.is("serves-only-one") && !kept.is_empty() {
            kept.push(stream); // accepted, and then forgotten
            continue;
        }
        if writer.is_none() || !defect.is("speaks-to-the-first") {
            // The one before may have ended its half only. Now that somebody waits, it is over.
            if let (Some(user), Some(writer)) = (&user, writer.take()) {
                user.end_with_this_client();
                let _ = writer.join();
            }
            writer = user.clone().map(|user| {
                let stream = Arc::clone(&stream);
                thread::spawn(move || user.write_to(&stream))
            });
        }
        let exit = print_all(&stream, address, defect, user.as_deref());
        if defect.is("drops-output-at-eof") {
            let _ = stream.shutdown(Shutdown::Both);
        }
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
fn print_all(stream: &TcpStream, address: SocketAddr, defect: Defect, user: Option<&User>) -> bool {
    let mut lines = Lines::new(defect);
    let mut bytes = [0; 4096];
    let mut stream = stream;
    loop {
        if let Some(user) = user.filter(|_| defect.is("lockstep")) {
            user.wait_for_turn();
        }
        match stream.read(&mut bytes) {
            Ok(count @ 1..) => {
                if defect.is("echo-to-sender") {
                    let _ = stream.write_all(&bytes[..count]);
                }
                if print(address, defect, lines.push(&bytes[..count])) {
                    return true;
                }
                if let Some(user) = user {
                    user.was_spoken_to();
                }
            }
            Ok(_) => break,
            Err(error) => {
                after_an_error(&error, defect);
                break;
            }
        }
    }
    print(address, defect, lines.end().into_iter().collect());
    while defect.is("spins-after-departure") {
        let _ = stream.read(&mut bytes);
    }
    false
}

/// A correct server goes on with the next client.
fn after_an_error(error: &std::io::Error, defect: Defect) {
    if defect.is("rude-client-kills-server") {
        eprintln!("ConnectionResetError: {error}");
        std::process::exit(1);
    }
}

fn print(address: SocketAddr, defect: Defect, lines: Vec<Line>) -> bool {
    for line in lines {
        match line {
            Ok(text) if text == "exit" && !defect.is("exit-is-a-message") => return true,
            Ok(text) if defect.is("anonymous-delivery") => println!("{text}"),
            Ok(text) => println!("[{}]:{} => {text}", address.ip(), address.port()),
            Err(LineError::NotUtf8) if defect.is("not-utf8-kills") => {
                eprintln!("UnicodeDecodeError: invalid start byte");
                std::process::exit(1);
            }
            Err(error) => eprintln!("{address}: {error:?}"),
        }
    }
    let _ = std::io::stdout().flush();
    false
}

/// What the server's user types goes to whoever is connected.
struct User {
    defect: Defect,
    typed: Mutex<Receiver<Event>>,
    events: Sender<Event>,
    turns: Mutex<Receiver<()>>,
    /// The other side has spoken: for one defect.
    spoken_to: (Sender<()>, Mutex<Receiver<()>>),
    /// Its input has ended: every further client hears so at once.
    ended: AtomicBool,
}

enum Event {
    Line(String),
    EndOfInput,
    ClientGone,
}

impl User {
    fn start(defect: Defect) -> User {
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
        let (speak, spoken_to) = channel();
        User {
            defect,
            typed: Mutex::new(typed),
            events,
            turns: Mutex::new(turns),
            spoken_to: (speak, Mutex::new(spoken_to)),
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
                    self.waits_for_an_answer();
                    let end = if self.defect.is("sends-without-boundaries") { "" } else { "\n" };
                    open = open && stream.write_all(format!("{line}{end}").as_bytes()).is_ok();
                }
                Event::EndOfInput => {
                    let both = self.defect.is("closes-both-directions");
                    let how = if both { Shutdown::Both } else { Shutdown::Write };
                    let _ = stream.shutdown(how);
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

    fn was_spoken_to(&self) {
        let _ = self.spoken_to.0.send(());
    }

    fn waits_for_an_answer(&self) {
        if self.defect.is("takes-turns") {
            let _ = self.spoken_to.1.lock().expect("one writer at a time").recv();
        }
    }

    fn wait_for_turn(&self) {
        let _ = self.turns.lock().expect("one reader at a time").recv();
    }
}
