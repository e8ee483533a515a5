//! All that a comparison has found: what the tables, the page and the JSON file show.

use super::figures::Figure;
use super::plan::{Cell, Plan};
use super::scenario::{Outcome, Scenario};
use super::statistics::Spread;
use serde::Serialize;

#[derive(Debug, Serialize)]
pub struct Comparison {
    /// When it began, and the command that makes such a comparison again.
    pub date: String,
    pub command: String,
    pub machine: Vec<(String, String)>,
    pub seed: u64,
    pub plan: Plan,
    pub contestants: Vec<Entrant>,
    pub results: Vec<Results>,
    /// What a reader has to know about how it was made.
    pub notes: Vec<String>,
    pub interrupted: bool,
    pub seconds: f64,
    pub predictions: Vec<super::predict::Prediction>,
}

/// A contestant, as the report names it.
#[derive(Debug, Clone, Serialize)]
pub struct Entrant {
    pub name: String,
    pub idea: String,
    pub stage: Option<u8>,
    pub command: String,
    /// It has no lines to everyone: its speakers send one line to each receiver.
    pub line_for_each_receiver: bool,
}

/// All runs of one scenario with one number of clients against one contestant.
#[derive(Debug, Serialize)]
pub struct Results {
    pub contestant: usize,
    pub scenario: Scenario,
    pub clients: usize,
    pub runs: Vec<Outcome>,
}

impl Results {
    pub fn spread(&self, figure: Figure) -> Option<Spread> {
        let good = self.runs.iter().filter(|run| run.failure.is_none());
        Spread::of(good.filter_map(|run| run.figures.get(figure)))
    }

    pub fn failure(&self) -> Option<&str> {
        self.runs.iter().find_map(|run| run.failure.as_deref())
    }
}

impl Comparison {
    pub fn find(&self, contestant: usize, scenario: Scenario, clients: usize) -> Option<&Results> {
        self.results.iter().find(|results| {
            results.contestant == contestant
                && results.scenario == scenario
                && results.clients == clients
        })
    }

    pub fn spread(
        &self,
        contestant: usize,
        scenario: Scenario,
        clients: usize,
        figure: Figure,
    ) -> Option<Spread> {
        self.find(contestant, scenario, clients)?.spread(figure)
    }

    /// Adds a run where it belongs.
    pub fn note(&mut self, cell: Cell, contestant: usize, outcome: Outcome) {
        let (scenario, clients) = (cell.scenario, cell.clients);
        let place = self.results.iter_mut().find(|results| {
            results.contestant == contestant
                && results.scenario == scenario
                && results.clients == clients
        });
        match place {
            Some(results) => results.runs.push(outcome),
            None => {
                self.results.push(Results { contestant, scenario, clients, runs: vec![outcome] })
            }
        }
    }

    /// The numbers of clients with which a scenario was run, ascending.
    pub fn sizes(&self, scenario: Scenario) -> Vec<usize> {
        let mine = self.results.iter().filter(|r| r.scenario == scenario);
        let mut sizes: Vec<usize> = mine.map(|results| results.clients).collect();
        sizes.sort_unstable();
        sizes.dedup();
        sizes
    }

    /// The contestants' figures with one number of clients, for ranking.
    pub fn figures(
        &self,
        scenario: Scenario,
        clients: usize,
        figure: Figure,
    ) -> Vec<(usize, Spread)> {
        let all = 0..self.contestants.len();
        let figure =
            |contestant| Some((contestant, self.spread(contestant, scenario, clients, figure)?));
        all.filter_map(figure).collect()
    }

    pub fn name(&self, contestant: usize) -> &str {
        &self.contestants[contestant].name
    }
}
