//! What was said and what was heard: is there anything in it that promise L12 forbids?
//!
//! Pure: the ten-client checks and the soak feed it, its own tests feed it inventions.

use std::collections::HashMap;
use std::fmt;

/// One line that was sent: who sent it, and the how-manieth of that sender it is.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct LineId {
    pub sender: usize,
    pub number: usize,
}

/// Everything that happened among clients that are numbered from 0.
#[derive(Debug, Clone, Default)]
pub struct History {
    /// For each sender, its lines in the order sent: the clients each one is meant for.
    pub sent: Vec<Vec<Vec<usize>>>,
    /// For each client, what it received, in that order.
    pub received: Vec<Vec<LineId>>,
    /// Whether all lines are one conversation, which everybody sees in the same order.
    pub one_order: bool,
}

/// The first thing found that must not be, with the clients and lines that show it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Witness {
    Lost {
        line: LineId,
        receiver: usize,
    },
    Twice {
        line: LineId,
        receiver: usize,
    },
    /// `receiver` got a line that was meant for others, or that nobody sent.
    Stray {
        line: LineId,
        receiver: usize,
    },
    /// `receiver` got `later` before `earlier`, which its sender had sent first.
    Reordered {
        earlier: LineId,
        later: LineId,
        receiver: usize,
    },
    /// One saw `a` before `b`, the other `b` before `a`.
    TwoOrders {
        a: LineId,
        b: LineId,
        receivers: (usize, usize),
    },
}

/// Exactly once, in the order of each sender, in one order for all, and nobody outside.
pub fn check(history: &History) -> Result<(), Witness> {
    for receiver in 0..history.received.len() {
        only_what_was_meant_for(history, receiver)?;
        nothing_lost(history, receiver)?;
        senders_order(history, receiver)?;
    }
    if history.one_order {
        for first in 0..history.received.len() {
            for second in first + 1..history.received.len() {
                same_order(history, first, second)?;
            }
        }
    }
    Ok(())
}

fn only_what_was_meant_for(history: &History, receiver: usize) -> Result<(), Witness> {
    let mut seen = HashMap::new();
    for line in &history.received[receiver] {
        let addressees = history.sent.get(line.sender).and_then(|lines| lines.get(line.number));
        if !addressees.is_some_and(|addressees| addressees.contains(&receiver)) {
            return Err(Witness::Stray { line: *line, receiver });
        }
        if seen.insert(*line, ()).is_some() {
            return Err(Witness::Twice { line: *line, receiver });
        }
    }
    Ok(())
}

fn nothing_lost(history: &History, receiver: usize) -> Result<(), Witness> {
    let received: HashMap<_, _> =
        history.received[receiver].iter().map(|line| (*line, ())).collect();
    for (sender, lines) in history.sent.iter().enumerate() {
        for (number, addressees) in lines.iter().enumerate() {
            let line = LineId { sender, number };
            if addressees.contains(&receiver) && !received.contains_key(&line) {
                return Err(Witness::Lost { line, receiver });
            }
        }
    }
    Ok(())
}

fn senders_order(history: &History, receiver: usize) -> Result<(), Witness> {
    let mut last: HashMap<usize, LineId> = HashMap::new();
    for line in &history.received[receiver] {
        if let Some(later) = last.insert(line.sender, *line)
            && later.number > line.number
        {
            return Err(Witness::Reordered { earlier: *line, later, receiver });
        }
    }
    Ok(())
}

/// Compares the lines that both received: the first place where they part is the witness.
fn same_order(history: &History, first: usize, second: usize) -> Result<(), Witness> {
    let place = |receiver: usize| -> HashMap<LineId, usize> {
        history.received[receiver].iter().enumerate().map(|(at, line)| (*line, at)).collect()
    };
    let (in_first, in_second) = (place(first), place(second));
    let common = |receiver: usize, other: &HashMap<LineId, usize>| -> Vec<LineId> {
        history.received[receiver].iter().filter(|line| other.contains_key(line)).copied().collect()
    };
    let (one, other) = (common(first, &in_second), common(second, &in_first));
    match one.iter().zip(&other).find(|(a, b)| a != b) {
        Some((a, b)) => Err(Witness::TwoOrders { a: *a, b: *b, receivers: (first, second) }),
        None => Ok(()),
    }
}

/// A witness in the words of people with names.
pub struct Told<'a> {
    pub witness: Witness,
    pub name: &'a dyn Fn(usize) -> String,
    pub text: &'a dyn Fn(LineId) -> String,
}

impl fmt::Display for Told<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let line =
            |line: LineId| format!("`{}` of {}", (self.text)(line), (self.name)(line.sender));
        let name = self.name;
        match self.witness {
            Witness::Lost { line: lost, receiver } => {
                write!(f, "{} never received {}", name(receiver), line(lost))
            }
            Witness::Twice { line: doubled, receiver } => {
                write!(f, "{} received {} twice", name(receiver), line(doubled))
            }
            Witness::Stray { line: stray, receiver } => {
                write!(f, "{} received {}, which was not for {0}", name(receiver), line(stray))
            }
            Witness::Reordered { earlier, later, receiver } => write!(
                f,
                "{} received {} before {}, which was sent first",
                name(receiver),
                line(later),
                line(earlier)
            ),
            Witness::TwoOrders { a, b, receivers } => write!(
                f,
                "{} saw {} before {}, {} saw them the other way round",
                name(receivers.0),
                line(a),
                line(b),
                name(receivers.1)
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    /// Everything that a perfect server delivers: `order` says who speaks, one after the other,
    /// to all others.
    fn perfect(clients: usize, order: &[usize]) -> History {
        let mut history = History {
            sent: vec![Vec::new(); clients],
            received: vec![Vec::new(); clients],
            one_order: true,
        };
        for sender in order {
            let sender = sender % clients;
            let others: Vec<_> = (0..clients).filter(|client| *client != sender).collect();
            let line = LineId { sender, number: history.sent[sender].len() };
            for other in &others {
                history.received[*other].push(line);
            }
            history.sent[sender].push(others);
        }
        history
    }

    fn histories() -> impl Strategy<Value = History> {
        (2..6_usize, prop::collection::vec(0..6_usize, 1..40))
            .prop_map(|(clients, order)| perfect(clients, &order))
    }

    /// A client that received something, and the place of one of its lines.
    fn pick(history: &History, seed: usize) -> (usize, usize) {
        let heard = |client: &usize| !history.received[*client].is_empty();
        let clients: Vec<_> = (0..history.received.len()).filter(heard).collect();
        let client = clients[seed % clients.len()];
        (client, seed % history.received[client].len())
    }

    proptest! {
        #[test]
        fn what_a_perfect_server_does_is_accepted(history in histories()) {
            prop_assert_eq!(check(&history), Ok(()));
        }

        #[test]
        fn a_lost_line_is_found(mut history in histories(), seed: usize) {
            let (receiver, at) = pick(&history, seed);
            let line = history.received[receiver].remove(at);
            prop_assert_eq!(check(&history), Err(Witness::Lost { line, receiver }));
        }

        #[test]
        fn a_doubled_line_is_found(mut history in histories(), seed: usize, elsewhere: usize) {
            let (receiver, at) = pick(&history, seed);
            let line = history.received[receiver][at];
            let place = elsewhere % (history.received[receiver].len() + 1);
            history.received[receiver].insert(place, line);
            prop_assert_eq!(check(&history), Err(Witness::Twice { line, receiver }));
        }

        #[test]
        fn a_line_for_somebody_else_is_found(mut history in histories(), seed: usize) {
            let (receiver, at) = pick(&history, seed);
            let line = history.received[receiver][at];
            history.sent[line.sender][line.number].retain(|client| *client != receiver);
            prop_assert_eq!(check(&history), Err(Witness::Stray { line, receiver }));
        }

        #[test]
        fn two_neighbours_that_change_places_are_found(mut history in histories(), seed: usize) {
            let (receiver, at) = pick(&history, seed);
            prop_assume!(at > 0);
            history.received[receiver].swap(at - 1, at);
            let (a, b) = (history.received[receiver][at - 1], history.received[receiver][at]);
            let found = check(&history);
            if a.sender == b.sender {
                prop_assert_eq!(found, Err(Witness::Reordered { earlier: b, later: a, receiver }));
            } else {
                // Seen only by somebody else who received both.
                let third = history.received.iter().enumerate().any(|(client, lines)| {
                    client != receiver && lines.contains(&a) && lines.contains(&b)
                });
                prop_assert_eq!(found.is_err(), third);
            }
        }
    }

    #[test]
    fn a_witness_is_told_in_names() {
        let line = LineId { sender: 0, number: 2 };
        let told = Told {
            witness: Witness::Lost { line, receiver: 1 },
            name: &|client| ["ann", "bob"][client].to_string(),
            text: &|line| format!("line {}", line.number + 1),
        };
        assert_eq!(told.to_string(), "bob never received `line 3` of ann");
    }
}
