//! Round after round on one server, until something is wrong or the time is over.

use super::plan::Plan;
use super::record::Record;
use super::steady::Steady;
use super::tally::{Looks, Tally};
use super::upkeep;
use super::verdict::{Broken, Soaked, Verdict};
use super::visitors::Round;
use crate::check::outcome::{Finding, Outcome, Trouble, wrong};
use crate::check::person::Log;
use crate::check::target::StartOptions;
use crate::check::{Context, Exercise, Protocol, Target};
use crate::process::live;
use std::time::{Duration, Instant};

/// Lines of the server's output that are kept from one round to the next.
const OUTPUT_LINES_KEPT: usize = 100;

/// Steps of a round, and lines of the server's output, that a report shows.
const STEPS_SHOWN: usize = 6;
const OUTPUT_LINES_SHOWN: usize = 5;

#[derive(Debug, Clone, Copy)]
pub enum Limit {
    Rounds(u64),
    Time(Duration),
}

#[derive(Debug, Clone, Copy)]
pub struct Options {
    pub limit: Limit,
    /// Of the first round. Each further round has the next one.
    pub seed: u64,
    /// Visitors who reset, in one act: `None` for a few.
    pub storm: Option<usize>,
    /// How long nothing may come until what is owed counts as lost.
    pub patience: Duration,
}

/// Starts the server and lets it soak. `progress` is called after each act.
pub fn run(
    target: &Target,
    protocol: Protocol,
    options: &Options,
    progress: &dyn Fn(&Tally),
) -> anyhow::Result<Soaked> {
    // What the stage's exercise switches off (the limits of S5.9) is switched off here as well.
    let arguments = Exercise::by_name(&format!("stage{}", protocol.stage()))?.arguments;
    let mut ctx = Context::new(target, protocol, &arguments, options.seed, 0, String::new());
    ctx.patience = options.patience;
    ctx.end = None; // it lasts as long as somebody wants
    let mut soak = Soak { ctx, tally: Tally::default(), looks: Looks::default(), names: 0 };
    let verdict = match soak.rounds(options, progress) {
        Err(_) if live::interrupted() => Verdict::Interrupted,
        Err(Trouble::Wrong(finding) | Trouble::Late(finding)) => soak.broken(options, *finding),
        Err(Trouble::Inconclusive(why) | Trouble::Skipped(why)) => Verdict::Inconclusive(why),
        Ok(()) => soak.all_faults_happened(),
    };
    Ok(Soaked { tally: soak.tally, looks: soak.looks, verdict })
}

struct Soak<'a> {
    ctx: Context<'a>,
    tally: Tally,
    looks: Looks,
    names: u64,
}

impl Soak<'_> {
    fn rounds(&mut self, options: &Options, progress: &dyn Fn(&Tally)) -> Outcome {
        let began = Instant::now();
        let environment = upkeep::ENVIRONMENT;
        self.ctx.start(StartOptions { environment, ..StartOptions::default() })?;
        let mut steady = Steady::join(&mut self.ctx)?;
        self.looks.before = upkeep::look(&mut self.ctx);
        loop {
            let over = match options.limit {
                Limit::Rounds(rounds) => self.tally.rounds >= rounds,
                Limit::Time(time) => began.elapsed() >= time,
            };
            if over {
                return Ok(());
            }
            let plan = Plan::of(options.seed.wrapping_add(self.tally.rounds), options.storm);
            self.round(&mut steady, &plan, progress)?;
            upkeep::check(&mut self.ctx, &mut self.looks, self.tally.rounds + 1)?;
            self.tally.rounds += 1;
            self.forget_old_output()?;
            progress(&self.tally);
        }
    }

    fn round(&mut self, steady: &mut Steady, plan: &Plan, progress: &dyn Fn(&Tally)) -> Outcome {
        self.ctx.log = Log::default();
        steady.returns(&mut self.ctx, plan.returns, &mut self.tally)?;
        let mut record = Record::new(self.ctx.protocol, plan.seed);
        let (ctx, names) = (&mut self.ctx, &mut self.names);
        steady
            .talk(plan, &mut record, &mut self.tally, |drains, record, tally, turns| {
                let mut round = Round { ctx, drains, record, tally, names };
                for act in &plan.acts {
                    for turn in turns {
                        let _ = turn.send(()); // a speaker that cannot speak any more has gone
                    }
                    round.carry_out(act)?;
                    crate::compare::check_interrupt()?;
                    progress(round.tally);
                }
                Ok(())
            })
            .map_err(|trouble| match record.judge_so_far(&steady.take_heard()) {
                // A lost line says more than what came of it.
                Err(witness) => wrong(witness),
                Ok(()) => trouble,
            })?;
        steady.hear_all(&record, self.ctx.patience)?;
        steady.close(&mut record)?;
        steady.hear_all(&record, self.ctx.patience)?;
        let deliveries = record.judge(&steady.take_heard()).map_err(wrong)?;
        self.tally.lines += record.lines();
        self.tally.deliveries += deliveries;
        Ok(())
    }

    /// A console says every line: half an hour of that is much to keep.
    fn forget_old_output(&mut self) -> Outcome {
        if self.ctx.target.has_process() {
            let process = self.ctx.process()?;
            for screen in [&process.stdout, &process.stderr] {
                let mut state = screen.lock();
                let old = state.lines.len().saturating_sub(OUTPUT_LINES_KEPT);
                state.lines.drain(..old);
            }
        }
        Ok(())
    }

    fn broken(&mut self, options: &Options, mut finding: Finding) -> Verdict {
        if let Some(how) = self.ctx.how_it_ended() {
            finding.message = format!("{how}: {}", finding.message);
        }
        let mut steps = self.ctx.log.steps();
        steps.drain(..steps.len().saturating_sub(STEPS_SHOWN));
        Verdict::Broken(Box::new(Broken {
            round: self.tally.rounds + 1,
            seed: options.seed.wrapping_add(self.tally.rounds),
            finding,
            steps,
            output: self.ctx.last_words(OUTPUT_LINES_SHOWN),
        }))
    }

    fn all_faults_happened(&self) -> Verdict {
        let missing: Vec<_> = self.tally.missing().iter().map(|fault| fault.words()).collect();
        match missing[..] {
            [] => Verdict::Held,
            _ => Verdict::Inconclusive(format!("these never happened: {}", missing.join(", "))),
        }
    }
}
