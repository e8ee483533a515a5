//! Rule S5.9: a client may say so many lines per second, and twice that at once; further lines
//! wait. Of that rule's flags the zoo knows this one, and one that it only misunderstands.

use crate::defects::Defect;
use std::io::ErrorKind;
use std::net::TcpStream;
use std::thread;
use std::time::{Duration, Instant};

/// How long a line waits before it is looked at again.
const NAP: Duration = Duration::from_millis(20);

/// The flags of stage 5's server, as they stand in the command.
#[derive(Debug, Clone)]
pub struct Flags(pub Vec<String>);

impl Flags {
    pub fn number(&self, flag: &str) -> Option<usize> {
        let place = self.0.iter().position(|word| word == flag)?;
        self.0.get(place + 1)?.parse().ok()
    }
}

/// What becomes of the next line.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Turn {
    Obey,
    Drop,
    /// Its sender has half-closed; for a defect.
    DropAll,
    /// Its sender has reset.
    Reset,
}

pub struct Pace {
    defect: Defect,
    /// 0: no limit.
    per_second: f64,
    /// Lines that may be obeyed at once.
    budget: f64,
    filled: Instant,
}

impl Pace {
    pub fn new(flags: &Flags, defect: Defect) -> Pace {
        let per_second = flags.number("--lines-per-second").unwrap_or(0) as f64;
        Pace { defect, per_second, budget: 2.0 * per_second, filled: Instant::now() }
    }

    /// Waits until the next line of the client may be obeyed, or need not be any more.
    pub fn next_turn(&mut self, stream: &TcpStream) -> Turn {
        while self.per_second > 0.0 {
            let earned = self.filled.elapsed().as_secs_f64() * self.per_second;
            self.budget = (self.budget + earned).min(2.0 * self.per_second);
            self.filled = Instant::now();
            if self.budget >= 1.0 {
                self.budget -= 1.0;
                break;
            }
            if self.defect.is("flood-is-dropped") {
                return Turn::Drop;
            }
            thread::sleep(NAP);
            match has_ended(stream) {
                Ok(true) if self.defect.is("waiting-lines-dropped") => return Turn::DropAll,
                Err(_) if !self.defect.is("waiting-lines-survive") => return Turn::Reset,
                _ => {}
            }
        }
        Turn::Obey
    }
}

/// Whether the client has half-closed. `Err`: it has reset.
fn has_ended(stream: &TcpStream) -> std::io::Result<bool> {
    stream.set_read_timeout(Some(Duration::from_millis(1)))?;
    let seen = stream.peek(&mut [0]);
    stream.set_read_timeout(None)?;
    match seen {
        Ok(count) => Ok(count == 0),
        Err(error) if matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut) => {
            Ok(false)
        }
        Err(error) => Err(error),
    }
}
