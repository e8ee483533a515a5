//! Which runs are made, in which order, and how long they may take.

use super::scenario::{COUNTED_CLIENTS, STALLED_CLIENTS, Scenario, Times, Topic};
use super::statistics::rounds_needed;
use serde::Serialize;
use std::time::Duration;

/// Rooms with more clients than this are measured once: letting 10,000 people into one room
/// costs the server 50 million notices before the measurement can begin.
const ROOM_OFTEN_MAX: usize = 1000;

/// Fewer silent clients than this tell nothing about the memory of one.
const IDLE_CLIENTS_MIN: usize = 100;

/// `--quick` shows how far runs lie apart, and is too short for more.
const ROUNDS_QUICK: usize = 2;

const BUDGET_QUICK: Duration = Duration::from_secs(55);
const BUDGET_PER_ROUND: Duration = Duration::from_secs(120);

/// Each scenario is ranked where all could do it, and where at least two could.
const RANKINGS_PER_SCENARIO: usize = 2;

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, Serialize)]
pub struct Cell {
    pub scenario: Scenario,
    pub clients: usize,
    /// Measured in the first round only.
    pub once: bool,
}

#[derive(Debug, Clone, Default, Serialize)]
pub struct Plan {
    pub cells: Vec<Cell>,
    pub rounds: usize,
    /// How many differences the report looks for: the more, the less each of them may be chance.
    pub comparisons: usize,
    pub times: Times,
    /// No measurement is begun later than this.
    pub budget: Duration,
}

impl Plan {
    /// `sizes`: numbers of clients, ascending. `reach`: as many as the machine allows, for the
    /// one attempt to find out how many a design bears. `only`: all, if it is empty.
    pub fn new(sizes: &[usize], reach: Option<usize>, quick: bool, only: &[Topic]) -> Plan {
        let mut cells = Vec::new();
        let mut add = |scenario: Scenario, clients, once| {
            if only.is_empty() || only.contains(&scenario.topic()) {
                cells.push(Cell { scenario, clients, once });
            }
        };
        let rooms = sizes.partition_point(|clients| *clients <= ROOM_OFTEN_MAX);
        let (rooms, large_rooms) = sizes.split_at(rooms);
        // First what must not be missing when the time is too short for all of it.
        add(Scenario::AllRead, STALLED_CLIENTS, false);
        add(Scenario::OneStalls, STALLED_CLIENTS, false);
        for clients in rooms {
            add(Scenario::OneSpeaks, *clients, false);
            add(Scenario::AllSpeak, *clients, false);
            if !quick || *clients == 100 {
                add(Scenario::Steady, *clients, false);
            }
        }
        add(Scenario::Pairs, 2, false);
        let worth_it = |size: &&usize| !quick || **size == sizes[sizes.len() - 1];
        for clients in sizes.iter().filter(worth_it) {
            add(Scenario::Pairs, *clients, false);
        }
        let many = sizes.iter().filter(|size| **size >= IDLE_CLIENTS_MIN);
        for clients in many.filter(worth_it) {
            add(Scenario::Idle, *clients, false);
        }
        add(Scenario::Counted, COUNTED_CLIENTS, true);
        if let Some(reach) = reach {
            add(Scenario::Idle, reach, true);
        }
        for clients in large_rooms {
            add(Scenario::OneSpeaks, *clients, true);
        }
        let milliseconds = Duration::from_millis;
        let (talk, steady, stalled, idle) = match quick {
            true => (100, 800, 2000, 200),
            false => (500, 1500, 2000, 500),
        };
        Plan {
            cells,
            rounds: ROUNDS_QUICK,
            comparisons: 0,
            times: Times {
                talk: milliseconds(talk),
                steady: milliseconds(steady),
                stalled: milliseconds(stalled),
                idle: milliseconds(idle),
            },
            budget: BUDGET_QUICK,
        }
    }

    /// As many rounds as it takes to rank anything in a report on so many servers, or `asked`.
    pub fn repeat(&mut self, servers: usize, quick: bool, asked: Option<usize>) {
        let pairs = servers * servers.saturating_sub(1) / 2 + 1; // one is that of the control
        let is_planned = |scenario: &&Scenario| self.cells.iter().any(|c| c.scenario == **scenario);
        let planned = || Scenario::ALL.iter().filter(is_planned);
        let ranked = planned().filter(|scenario| scenario.figure().is_some()).count();
        let stalled = planned().any(|scenario| *scenario == Scenario::OneStalls);
        self.comparisons =
            ranked * RANKINGS_PER_SCENARIO * pairs + usize::from(stalled) * (servers + 2);
        if !quick {
            self.rounds = asked.unwrap_or_else(|| rounds_needed(self.comparisons));
            self.budget = BUDGET_PER_ROUND * self.rounds as u32;
        }
    }

    /// What is to be measured in a round, which are counted from 0.
    pub fn cells_of(&self, round: usize) -> Vec<Cell> {
        let cells = self.cells.iter().copied();
        cells.filter(|cell| round == 0 || !cell.once).collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn large_rooms_are_measured_once_and_small_ones_often() {
        let plan = Plan::new(&[10, 10_000], None, false, &[]);
        let rooms = plan.cells.iter();
        let rooms = rooms.filter(|cell| cell.scenario == Scenario::OneSpeaks);
        let once: Vec<bool> = rooms.map(|cell| cell.once).collect();
        assert_eq!(once, [false, true]);
    }

    #[test]
    fn there_are_as_many_rounds_as_a_ranking_needs() {
        let rounds = |servers, quick, only: &[Topic]| {
            let mut plan = Plan::new(&[10, 100], None, quick, only);
            plan.repeat(servers, quick, None);
            plan.rounds
        };
        assert_eq!(rounds(3, false, &[]), 8);
        assert_eq!(rounds(3, false, &[Topic::Stalled]), 7);
        assert_eq!(rounds(3, true, &[]), 2);
    }
}
