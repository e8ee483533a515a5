//! All that a comparison has found: what the tables, the page and the JSON file show.

use super::figures::Figure;
use super::plan::{Cell, Plan};
use super::scenario::{Outcome, Scenario};
use super::statistics::Spread;
use serde::Serialize;

#[derive(Debug, Default, Serialize)]
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
#[derive(Debug, Clone, Default, Serialize)]
pub struct Entrant {
    pub name: String,
    pub idea: String,
    pub command: String,
    /// It has no line to everyone: only what is said to one is measured.
    pub to_one_only: bool,
    /// The same server as that one, to find out what the machine alone makes of a difference.
    pub control_of: Option<usize>,
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

    pub fn median(&self, figure: Figure) -> Option<f64> {
        Some(self.spread(figure)?.median())
    }

    pub fn failure(&self) -> Option<&str> {
        self.runs.iter().find_map(|run| run.failure.as_deref())
    }
}

impl Comparison {
    fn position(&self, contestant: usize, scenario: Scenario, clients: usize) -> Option<usize> {
        self.results.iter().position(|results| {
            (results.contestant, results.scenario, results.clients)
                == (contestant, scenario, clients)
        })
    }

    pub fn find(&self, contestant: usize, scenario: Scenario, clients: usize) -> Option<&Results> {
        Some(&self.results[self.position(contestant, scenario, clients)?])
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
        let Cell { scenario, clients, .. } = cell;
        match self.position(contestant, scenario, clients) {
            Some(at) => self.results[at].runs.push(outcome),
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

    /// All but the control.
    pub fn servers(&self) -> impl Iterator<Item = usize> + use<> {
        let servers: Vec<usize> = (0..self.contestants.len())
            .filter(|one| self.contestants[*one].control_of.is_none())
            .collect();
        servers.into_iter()
    }

    /// Which server the control is once more, and the control.
    pub fn control(&self) -> Option<(usize, usize)> {
        let all = self.contestants.iter().enumerate();
        all.filter_map(|(control, entrant)| Some((entrant.control_of?, control))).next()
    }

    /// The servers' figures with one number of clients, for ranking.
    pub fn entries(&self, scenario: Scenario, clients: usize) -> Vec<(usize, Spread)> {
        let entry = |contestant| {
            Some((contestant, self.spread(contestant, scenario, clients, scenario.figure()?)?))
        };
        self.servers().filter_map(entry).collect()
    }

    pub fn name(&self, contestant: usize) -> &str {
        &self.contestants[contestant].name
    }
}
