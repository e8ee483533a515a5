//! One run: a fresh server, its clients, and the work of one scenario.

use super::counted;
use super::dialect::{Dialect, Entry};
use super::figures::{Figure, Figures};
use super::generator::Crowd;
use super::ledger::{Audience, Ledger, latencies};
use super::measure::{Meter, usage};
use super::message::{Format, LONG_TEXT_BYTES, Message, TEXT_BYTES};
use super::plan::Cell;
use super::scenario::{
    Outcome, SPEAKERS_MAX, STALLED_RATE, STEADY_DELIVERIES, Scenario, Times, WINDOW,
};
use super::subject::{Contestant, Subject};
use crate::patience::Patience;
use anyhow::{Context, bail, ensure};
use hdrhistogram::Histogram;
use std::time::{Duration, Instant};

/// Messages of the steady stream that may be on their way before the books lose sight of them.
const STEADY_IN_FLIGHT: usize = 64 * 1024;

/// Nothing was delivered for this long although something was owed: the server has stopped.
const STANDSTILL: Duration = Duration::from_secs(5);

/// How long logging everybody in may take.
const LOGIN_LIMIT: Duration = Duration::from_secs(20);

/// How long we listen after the last delivery for what should not come.
const LISTEN_ON: Duration = Duration::from_millis(30);

const MILLISECOND: u64 = 1_000_000; // ns

/// One run of one scenario against a fresh server.
pub fn run(cell: &Cell, contestant: &Contestant, times: &Times, seed: u64) -> Outcome {
    let mut outcome = Outcome::default();
    let subject = match contestant.start() {
        Ok(subject) => subject,
        Err(error) => {
            outcome.failure = Some(format!("{error:#}"));
            return outcome;
        }
    };
    let result = Run::new(cell.scenario, cell.clients, contestant, &subject, seed)
        .and_then(|mut run| run.measure(times, &mut outcome));
    if let Err(error) = result {
        outcome.failure = Some(format!("{error:#}"));
        outcome.last_words = subject.last_words(8);
    }
    outcome
}

pub struct Run<'a> {
    scenario: Scenario,
    clients: usize,
    dialect: Dialect,
    pub subject: &'a Subject,
    crowd: Crowd,
    pub ledger: Ledger,
}

impl<'a> Run<'a> {
    pub fn new(
        scenario: Scenario,
        clients: usize,
        contestant: &Contestant,
        subject: &'a Subject,
        seed: u64,
    ) -> anyhow::Result<Run<'a>> {
        let text_bytes = match scenario {
            Scenario::AllRead | Scenario::OneStalls => LONG_TEXT_BYTES,
            _ => TEXT_BYTES,
        };
        let format = Format::new(seed as u16, text_bytes);
        Ok(Run {
            scenario,
            clients,
            dialect: contestant.dialect,
            subject,
            crowd: Crowd::new(subject.address, contestant.dialect, format)?,
            ledger: ledger(scenario, clients, seed),
        })
    }

    fn measure(&mut self, times: &Times, outcome: &mut Outcome) -> anyhow::Result<()> {
        let figures = &mut outcome.figures;
        match self.scenario {
            Scenario::OneSpeaks | Scenario::AllSpeak | Scenario::Pairs => {
                self.talk(times.talk, figures)
            }
            Scenario::Steady => {
                self.enter_and_be_heard(Entry::Room)?;
                let rate = STEADY_DELIVERIES / self.ledger.receivers() as f64;
                self.speak_steadily(rate, times.steady, figures)
            }
            Scenario::AllRead | Scenario::OneStalls => {
                self.enter_and_be_heard(Entry::Room)?;
                if self.scenario == Scenario::OneStalls {
                    self.crowd.enter_deaf()?;
                }
                let result = self.speak_steadily(STALLED_RATE, times.stalled, figures);
                if self.scenario == Scenario::OneStalls {
                    outcome.ending = Some(self.ending());
                }
                result
            }
            Scenario::Idle => self.idle(times.idle, figures),
            Scenario::Counted => counted::count_calls(self, outcome),
        }
    }

    pub fn enter_and_be_heard(&mut self, entry: Entry) -> anyhow::Result<()> {
        self.crowd.enter(self.clients, entry, LOGIN_LIMIT)?;
        match entry {
            Entry::Room => self.wait_until_all_hear(),
            Entry::Quiet => Ok(()),
        }
    }

    /// Client 0 speaks until everybody else is known to hear it: from then on nobody may miss
    /// anything, and the notices of the arrivals are behind us.
    fn wait_until_all_hear(&mut self) -> anyhow::Result<()> {
        const ATTEMPT: Duration = Duration::from_millis(500);
        let probe = Message { speaker: u32::MAX, number: 0, due: 0 };
        let mut heard = vec![false; self.clients];
        heard[0] = true;
        let began = Instant::now();
        while heard.contains(&false) {
            let deaf = heard.iter().filter(|heard| !**heard).count();
            let late = began.elapsed() > LOGIN_LIMIT;
            ensure!(!late, "{deaf} of {} clients hear nothing", self.clients);
            self.crowd.say_to_all(0, probe);
            let attempt = Instant::now();
            while heard.contains(&false) && attempt.elapsed() < ATTEMPT {
                self.crowd.pump(Duration::from_millis(50), &mut |client, message, _| {
                    heard[client] |= message == probe;
                })?;
                super::check_interrupt()?;
            }
        }
        // A probe too many may still be on its way: nobody counts it.
        self.listen_for(LISTEN_ON)
    }

    fn listen_for(&mut self, time: Duration) -> anyhow::Result<()> {
        let began = Instant::now();
        while began.elapsed() < time {
            self.pump(Duration::from_millis(10))?;
        }
        Ok(())
    }

    fn pump(&mut self, timeout: Duration) -> anyhow::Result<()> {
        let ledger = &mut self.ledger;
        self.crowd.pump(timeout, &mut |client, message, now| {
            if message.speaker != u32::MAX {
                ledger.deliver(client, message, now);
            }
        })
    }

    fn say(&mut self, speaker: u32, due: u64) {
        let client = self.ledger.speakers[speaker as usize];
        let message = self.ledger.say(speaker, due);
        match self.scenario {
            Scenario::Pairs => self.crowd.say_to(client, client ^ 1, message),
            _ => self.crowd.say_to_all(client, message),
        }
    }

    /// Closed loop: every speaker keeps a number of messages on their way. The first tenth warms
    /// everything up.
    fn talk(&mut self, time: Duration, figures: &mut Figures) -> anyhow::Result<()> {
        let pairs_apart = self.scenario == Scenario::Pairs && self.dialect.has_direct_messages();
        self.enter_and_be_heard(if pairs_apart { Entry::Quiet } else { Entry::Room })?;
        self.keep_talking(time / 10)?;
        self.ledger.forget_figures();
        let meter = Meter::start(self.subject.id());
        let result = self.keep_talking(time);
        meter.stop(self.ledger.deliveries, figures);
        self.conclude(figures);
        result?;
        self.listen_for(LISTEN_ON)?;
        self.check()
    }

    fn keep_talking(&mut self, time: Duration) -> anyhow::Result<()> {
        let end = self.crowd.now() + time.as_nanos() as u64;
        let window = window(self.scenario);
        let mut ready: Vec<u32> =
            (0..window).flat_map(|_| 0..self.ledger.speakers.len() as u32).collect();
        let mut on_their_way = 0;
        let mut watch = Watch::new(self.subject);
        loop {
            let now = self.crowd.now();
            for speaker in ready.drain(..) {
                if now < end {
                    self.say(speaker, now);
                    on_their_way += 1;
                }
            }
            if on_their_way == 0 {
                return Ok(());
            }
            self.pump(Duration::from_millis(100))?;
            std::mem::swap(&mut ready, &mut self.ledger.heard_by_all);
            on_their_way -= ready.len();
            watch.look(&self.crowd, &self.ledger)?;
        }
    }

    /// Open loop: messages leave by the clock, whatever the server does, and their latency
    /// counts from when they were due. A server that stands still for a second makes all that
    /// was due in that second late; in a closed loop it would delay one message and hide the rest.
    fn speak_steadily(
        &mut self,
        rate: f64,
        time: Duration,
        figures: &mut Figures,
    ) -> anyhow::Result<()> {
        let mut lateness = latencies();
        let warm_up = self.keep_to_the_clock(rate, time / 10, &mut lateness);
        warm_up?;
        self.ledger.forget_figures();
        lateness.clear();
        let meter = Meter::start(self.subject.id());
        let result = self.keep_to_the_clock(rate, time, &mut lateness);
        meter.stop(self.ledger.deliveries, figures);
        self.conclude(figures);
        let late = lateness.value_at_quantile(0.99) as f64;
        figures.set(Figure::Lateness, late / MILLISECOND as f64);
        result?;
        self.listen_for(LISTEN_ON)?;
        self.check()
    }

    fn keep_to_the_clock(
        &mut self,
        rate: f64,
        time: Duration,
        lateness: &mut Histogram<u64>,
    ) -> anyhow::Result<()> {
        let messages = (rate * time.as_secs_f64()).ceil() as u64;
        let began = self.crowd.now() + MILLISECOND;
        let due = |message: u64| began + (message as f64 * 1e9 / rate) as u64;
        let all = self.ledger.deliveries + messages * self.ledger.receivers();
        let mut said = 0;
        let mut watch = Watch::new(self.subject);
        while said < messages || self.ledger.deliveries + self.ledger.lost() < all {
            let now = self.crowd.now();
            while said < messages && due(said) <= now {
                lateness.saturating_record(now - due(said));
                let speaker = said % self.ledger.speakers.len() as u64;
                self.say(speaker as u32, due(said));
                said += 1;
            }
            self.ledger.heard_by_all.clear();
            let ahead = match said < messages {
                true => due(said).saturating_sub(self.crowd.now()),
                false => 100 * MILLISECOND,
            };
            // The kernel's wait is no finer than a millisecond: the last one we spin.
            let wait = Duration::from_millis((ahead / MILLISECOND).saturating_sub(1));
            self.pump(wait)?;
            watch.look(&self.crowd, &self.ledger)?;
        }
        Ok(())
    }

    /// The first speaker says `lines` messages in one piece, and waits until all have heard them.
    pub fn say_and_wait(&mut self, lines: usize) -> anyhow::Result<()> {
        for _ in 0..lines {
            self.say(0, self.crowd.now());
        }
        let mut watch = Watch::new(self.subject);
        while self.ledger.owed_now() > 0 {
            self.pump(Duration::from_millis(100))?;
            watch.look(&self.crowd, &self.ledger)?;
        }
        Ok(())
    }

    fn conclude(&self, figures: &mut Figures) {
        let latency =
            |quantile| self.ledger.latency.value_at_quantile(quantile) as f64 / MILLISECOND as f64;
        let seconds = figures.get(Figure::Seconds).unwrap_or(f64::NAN);
        let deliveries = self.ledger.deliveries as f64;
        figures.set(Figure::Deliveries, deliveries);
        figures.set(Figure::DeliveriesPerSecond, deliveries / seconds);
        figures.set(Figure::Median, latency(0.5));
        figures.set(Figure::P99, latency(0.99));
        figures.set(Figure::P999, latency(0.999));
        figures.set(Figure::Max, self.ledger.latency.max() as f64 / MILLISECOND as f64);
    }

    /// Whether every receiver has got what it should, and nobody was lost.
    pub fn check(&self) -> anyhow::Result<()> {
        let (lost, faults) = (self.ledger.lost(), self.ledger.faults);
        ensure!(
            lost == 0 && faults == Default::default(),
            "{lost} deliveries lost, {} repeated, {} out of order, {} to the wrong client",
            faults.repeated,
            faults.out_of_order,
            faults.stray
        );
        match &self.crowd.first_loss {
            Some(loss) => bail!("lost {} of its clients ({loss})", self.crowd.lost),
            None => Ok(()),
        }
    }

    /// What the server did with the client that does not read.
    fn ending(&mut self) -> String {
        const PATIENCE: Duration = Duration::from_millis(500);
        let left = self.crowd.read_late(self.clients, PATIENCE);
        let word = match &left.last_word {
            Some(word) => format!("and told it `{word}`"),
            None => "without a last word of why".to_string(),
        };
        let kilobytes = left.bytes / 1000;
        match left.end {
            Some(end) => format!("{end} its connection {word} ({kilobytes} kB were left to read)"),
            None => format!("keeps it: {kilobytes} kB were left to read, and more may come"),
        }
    }

    /// Everybody comes; then nobody does anything.
    fn idle(&mut self, hold: Duration, figures: &mut Figures) -> anyhow::Result<()> {
        let before = usage(self.subject.id());
        let meter = Meter::start(self.subject.id());
        let result = self.crowd.enter(self.clients, Entry::Quiet, LOGIN_LIMIT);
        let inside = self.crowd.inside;
        meter.stop(inside as u64, figures);
        let seconds = figures.get(Figure::Seconds).unwrap_or(f64::NAN);
        figures.set(Figure::Logins, inside as f64 / seconds);
        self.listen_for(LISTEN_ON * 10)?; // what the logins set off has to settle
        let mut holding = Figures::default();
        let meter = Meter::start(self.subject.id());
        self.listen_for(hold)?;
        meter.stop(1, &mut holding);
        if let Some(busy) = holding.get(Figure::ServerBusy) {
            figures.set(Figure::IdleCpu, busy * 1000.0);
        }
        if let (Some(before), Some(after)) = (before, usage(self.subject.id())) {
            let grown = after.resident_bytes.saturating_sub(before.resident_bytes);
            figures.set(Figure::Memory, grown as f64 / 1024.0 / inside.max(1) as f64);
            figures.set(Figure::Threads, after.threads as f64);
            figures.set(Figure::Descriptors, after.descriptors as f64);
        }
        result?;
        self.check()
    }
}

fn ledger(scenario: Scenario, clients: usize, seed: u64) -> Ledger {
    let mut order: Vec<usize> = (0..clients).collect();
    if scenario == Scenario::Pairs {
        return Ledger::new(Audience::Partner, clients, order, WINDOW);
    }
    fastrand::Rng::with_seed(seed).shuffle(&mut order);
    let (speakers, in_flight) = match scenario {
        Scenario::OneSpeaks | Scenario::Counted => (1, WINDOW),
        Scenario::AllSpeak => (SPEAKERS_MAX, 1),
        Scenario::Idle => (0, 1),
        _ => (SPEAKERS_MAX, STEADY_IN_FLIGHT / SPEAKERS_MAX),
    };
    order.truncate(speakers);
    Ledger::new(Audience::Everyone, clients, order, in_flight)
}

fn window(scenario: Scenario) -> usize {
    match scenario {
        Scenario::AllSpeak => 1,
        _ => WINDOW,
    }
}

/// Notices when nothing goes on any more.
struct Watch {
    deliveries: u64,
    patience: Patience,
    /// When the look that is being had ends. Whoever keeps to a clock looks much more often.
    until: Instant,
}

impl Watch {
    fn new(subject: &Subject) -> Watch {
        let patience = Patience::new(subject.worker(), STANDSTILL);
        Watch { deliveries: 0, patience, until: Instant::now() }
    }

    fn look(&mut self, crowd: &Crowd, ledger: &Ledger) -> anyhow::Result<()> {
        super::check_interrupt()?;
        if let Some(loss) = &crowd.first_loss {
            bail!("lost {} of its clients ({loss})", crowd.lost);
        }
        if ledger.deliveries != self.deliveries {
            self.deliveries = ledger.deliveries;
            self.patience.moved();
        }
        if Instant::now() < self.until {
            return Ok(());
        }
        self.until = self.patience.look().with_context(|| {
            format!(
                "delivered nothing for {} s with {} of {} deliveries still owed",
                STANDSTILL.as_secs(),
                ledger.owed_now(),
                ledger.promised()
            )
        })?;
        Ok(())
    }
}
