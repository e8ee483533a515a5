//! Carries an exercise out: every check, several at a time, causes before what they explain.

use super::checks::basics;
use super::checks::faults::EXIT_ENDS;
use super::checks::framing::JOINED;
use super::checks::select::UNKNOWN;
use super::dialect::CHATS;
use super::evidence;
use super::outcome::{Finding, Outcome, Trouble};
use super::quirks::{self, Quirks};
use super::{Check, Context, Exercise, Protocol, Target, crash, misconception};
use crate::process::live;
use crate::report::{CheckResult, Report, Verdict};
use std::collections::BTreeMap;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Condvar, Mutex, PoisonError};
use std::thread;
use std::time::{Duration, Instant};

/// Checks that run at the same time: most of them wait most of the time.
const WORKERS: usize = 6;

/// Lines of the program's output that a result keeps.
const OUTPUT_LINES: usize = 12;

/// Steps of a check that a result keeps: the last ones.
const STEPS_MAX: usize = 30;

/// What a check says of a server that serves on. One that has ended was taken along by whoever left.
const OF_THOSE_WHO_STAY: &[&str] = &[
    "leave-not-announced",
    "ghost-user",
    "wrong-client-evicted",
    "broadcast-stops-at-the-first-error",
];
const TAKEN_ALONG: &str = "rude-client-kills-server";
const ENDS_WITH_ONE: &str = "ends-with-the-first";

/// What is seen of a client whose thread an exception has ended: without the stack trace, that is
/// what one would think.
const OF_A_DEAD_THREAD: &[&str] = &[
    "silent-error",
    "select-1024",
    "ghost-user",
    "ignores-eof",
    "wrong-client-evicted",
    "parallel-lists-drift",
    "handshake-blocks-accept",
];

/// Lines of standard error in which a stack trace is looked for.
const TRACE_LINES: usize = 200;

/// Begins the message of a check that was left.
pub const NOT_FINISHED: &str = "not finished";

/// How often is looked whether the run has to end early.
const LOOK_AGAIN: Duration = Duration::from_millis(200);

/// Characters of one field of a result that are kept: a flood has megabytes of them.
const FIELD_CHARS_MAX: usize = 2000;

#[derive(Debug, Clone)]
pub struct Options {
    /// The names of the checks to carry out; empty: all.
    pub only: Vec<String>,
    pub seed: u64,
    pub workers: usize,
    /// What only waited too long is tried once more, with more patience.
    pub second_attempts: bool,
    /// After so long what is not finished is left, and what is known is reported.
    pub time_limit: Option<Duration>,
}

impl Default for Options {
    fn default() -> Options {
        Options {
            only: Vec::new(),
            seed: 1,
            workers: WORKERS,
            second_attempts: true,
            time_limit: None,
        }
    }
}

/// What happens while it runs, for a progress display.
#[derive(Debug)]
pub enum Event<'a> {
    Started(&'static Check),
    Done(&'a CheckResult),
}

/// Checks `target` and says what was found. Fails only if the lab itself is at fault.
pub fn run(
    exercise: &Exercise,
    target: &Target,
    options: &Options,
    progress: &(dyn Fn(Event) + Sync),
) -> anyhow::Result<Report> {
    let started = Instant::now();
    crate::resources::allow_many_descriptors();
    let mut checks = exercise.checks()?;
    exercise.has(&options.only)?;
    if !options.only.is_empty() {
        checks.retain(|check| options.only.iter().any(|name| name == check.name));
    }
    if let Target::Stage(number) = target {
        crate::stage::Stage::by_number(*number)?.program()?; // builds it once, before the workers ask for it
    }
    let workers = if target.has_process() { options.workers } else { 1 };
    let quirks = way_of_speaking(exercise, target, options, &checks);
    let all = All {
        exercise,
        target,
        options,
        progress,
        checks,
        quirks,
        rules: exercise.rules()?,
        prices: exercise.prices()?,
        deadline: options.time_limit.map(|limit| started + limit),
        state: Mutex::default(),
        changed: Condvar::new(),
    };
    thread::scope(|scope| {
        for _ in 0..workers.max(1) {
            scope.spawn(|| all.work());
        }
        scope.spawn(|| all.end_in_time());
    });
    let state = all.state.into_inner().unwrap_or_else(PoisonError::into_inner);
    let mut checks = in_reading_order(&all.checks, state.done);
    let cause = evidence::put_first(&mut checks);
    say_what_to_mend(&mut checks);
    let output = checks.first().map(|check| check.output.clone()).unwrap_or_default();
    Ok(Report {
        exercise: exercise.name.clone(),
        score: checks.iter().map(|check| check.points).sum(),
        max_score: checks.iter().map(|check| check.max_points).sum(),
        verdict: overall(&checks),
        seed: options.seed,
        command: target.arguments(),
        seconds: started.elapsed().as_secs_f64(),
        checks,
        cause,
        output,
    })
}

/// How the program speaks: needed only where a check stands behind the first conversation.
fn way_of_speaking(
    exercise: &Exercise,
    target: &Target,
    options: &Options,
    checks: &[&'static Check],
) -> Quirks {
    let talks = |check: &&&Check| {
        check.protocols.iter().all(|protocol| CHATS.contains(protocol)) && !check.after.is_empty()
    };
    let is_client = exercise.name == "client";
    if is_client || !checks.iter().any(|check| talks(&check)) {
        return Quirks::default();
    }
    let suffix = if target.has_process() { String::new() } else { unique_suffix() };
    let (protocol, arguments) = (exercise.protocol, &exercise.arguments);
    quirks::learn(&mut Context::new(target, protocol, arguments, options.seed, 0, suffix))
}

/// What failed comes first, and among that the causes before what they explain.
fn in_reading_order(
    checks: &[&'static Check],
    mut done: BTreeMap<&'static str, CheckResult>,
) -> Vec<CheckResult> {
    let mut results: Vec<_> = checks.iter().filter_map(|check| done.remove(check.name)).collect();
    results.sort_by_key(|result| std::cmp::Reverse(result.verdict)); // stable
    results
}

fn overall(checks: &[CheckResult]) -> Verdict {
    let any = |verdict| checks.iter().any(|check| check.verdict == verdict);
    match () {
        _ if any(Verdict::Failed) => Verdict::Failed,
        _ if any(Verdict::Inconclusive) => Verdict::Inconclusive,
        _ if any(Verdict::Passed) => Verdict::Passed,
        _ => Verdict::Inconclusive, // nothing was judged
    }
}

struct All<'a> {
    exercise: &'a Exercise,
    target: &'a Target,
    options: &'a Options,
    progress: &'a (dyn Fn(Event) + Sync),
    checks: Vec<&'static Check>,
    quirks: Quirks,
    /// What the exercise asks for.
    rules: Vec<&'static str>,
    /// What each check is worth.
    prices: BTreeMap<&'static str, f64>,
    deadline: Option<Instant>,
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    taken: Vec<&'static str>,
    done: BTreeMap<&'static str, CheckResult>,
    /// Why the run ends early, if it does.
    stopped: Option<&'static str>,
}

impl All<'_> {
    fn work(&self) {
        while let Some((check, cause)) = self.take() {
            (self.progress)(Event::Started(check));
            let result = match (self.stopped(), cause) {
                (Some(why), _) => self.not_finished(check, why),
                (None, Some(cause)) => self.skip(check, cause),
                (None, None) => self.carry_out(check),
            };
            let result = match self.stopped() {
                Some(why) if result.verdict != Verdict::Passed => self.not_finished(check, why),
                _ => result,
            };
            (self.progress)(Event::Done(&result));
            let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
            state.done.insert(check.name, result);
            self.changed.notify_all();
        }
    }

    /// The next check whose causes are known, with the cause that explains its failure, if any.
    fn take(&self) -> Option<(&'static Check, Option<String>)> {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        loop {
            if state.taken.len() == self.checks.len() {
                return None;
            }
            let ready = self.checks.iter().find(|check| {
                !state.taken.contains(&check.name)
                    && check.after.iter().all(|cause| {
                        state.done.contains_key(cause)
                            || !self.checks.iter().any(|c| c.name == *cause)
                    })
            });
            if let Some(check) = ready {
                state.taken.push(check.name);
                let cause = check
                    .after
                    .iter()
                    .filter(|cause| !self.can_be_lived_with(check, cause))
                    .find_map(|cause| state.done.get(cause)?.explains());
                return Some((check, cause));
            }
            state = self.changed.wait(state).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn has_failed(&self, name: &str) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.done.get(name).is_some_and(|result| result.verdict == Verdict::Failed)
    }

    /// Whether this failure of `cause` is a way of speaking in which `check` can be carried out.
    fn can_be_lived_with(&self, check: &Check, cause: &str) -> bool {
        if cause == EXIT_ENDS {
            return true; // they say no `exit` then
        }
        let basic = basics::CHECKS.iter().any(|check| check.name == cause);
        // Who is still known is asked in the program's own way, one line at a time.
        let asked = check.rule == "L9" && [JOINED, UNKNOWN].contains(&cause);
        (basic || asked) && self.quirks_for(check) != Quirks::default()
    }

    /// The rules of lines, and a check that is about the quirk itself, know no such tolerance.
    fn quirks_for(&self, check: &Check) -> Quirks {
        let about = |name| check.misconceptions.contains(&name);
        let about_lines = ["L1", "L2", "L3", "L4", "L5", "L6"].contains(&check.rule)
            || about("sends-without-boundaries");
        if about_lines && (self.quirks.bare || self.quirks.anonymous) {
            return Quirks::default();
        }
        Quirks {
            anonymous: self.quirks.anonymous
                && !about("anonymous-delivery")
                && !(about("sender-is-claimed") && self.exercise.protocol != Protocol::Select),
            echoes: self.quirks.echoes && !about("echo-to-sender"),
            ..self.quirks
        }
    }

    /// Ends the whole run at Ctrl-C or at the time limit: connections end with their server, and with
    /// them the checks that wait for something.
    fn end_in_time(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        while state.done.len() < self.checks.len() {
            if live::interrupted() {
                state.stopped = Some("the lab was interrupted");
            } else if self.deadline.is_some_and(|deadline| Instant::now() >= deadline) {
                state.stopped = Some("the time limit was reached");
            }
            if state.stopped.is_some() {
                live::kill_all();
            }
            let waited = self.changed.wait_timeout(state, LOOK_AGAIN);
            state = waited.unwrap_or_else(PoisonError::into_inner).0;
        }
    }

    fn stopped(&self) -> Option<&'static str> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner).stopped
    }

    fn not_finished(&self, check: &'static Check, why: &str) -> CheckResult {
        let mut result = self.blank(check, Verdict::Inconclusive);
        result.message = format!("{NOT_FINISHED}: {why}");
        result
    }

    fn skip(&self, check: &'static Check, cause: String) -> CheckResult {
        let mut result = self.blank(check, Verdict::Skipped);
        result.message = format!("not carried out: {cause} has to pass first");
        result
    }

    fn carry_out(&self, check: &'static Check) -> CheckResult {
        if check.needs_process && !self.target.has_process() {
            let mut result = self.blank(check, Verdict::Skipped);
            result.message = "needs the server's process, not only its address".to_string();
            return result;
        }
        let started = Instant::now();
        let mut result = self.attempt(check, 0);
        if let Some(second) = result.1.take() {
            // Only slow, perhaps: once more, with more patience.
            result = self.attempt(check, second);
        }
        let mut result = result.0;
        result.seconds = started.elapsed().as_secs_f64();
        result
    }

    /// The result, and the number of the next attempt if one is called for.
    fn attempt(&self, check: &'static Check, attempt: usize) -> (CheckResult, Option<usize>) {
        let suffix = if self.target.has_process() { String::new() } else { unique_suffix() };
        let mut context = Context::new(
            self.target,
            self.exercise.protocol,
            &self.exercise.arguments,
            self.options.seed,
            attempt,
            suffix,
        );
        context.quirks = self.quirks_for(check);
        context.judged = self.rules.clone();
        if self.has_failed(EXIT_ENDS) {
            context.judged.retain(|rule| *rule != "L11");
        }
        if let Some(words) = context.quirks.in_words() {
            context.step(words);
        }
        let outcome = catch_unwind(AssertUnwindSafe(|| (check.run)(&mut context)));
        let outcome = outcome.unwrap_or_else(|_| {
            Err(Trouble::Inconclusive("this check has a defect: it ended in a panic".to_string()))
        });
        let again = match &outcome {
            _ if attempt > 0 || !self.options.second_attempts => None,
            Err(Trouble::Late(_) | Trouble::Inconclusive(_)) => Some(1),
            _ => None,
        };
        (self.judge(check, outcome, context), again)
    }

    fn judge(&self, check: &'static Check, outcome: Outcome, mut context: Context) -> CheckResult {
        let (verdict, finding) = match outcome {
            Ok(()) => (Verdict::Passed, Finding::default()),
            Err(Trouble::Wrong(finding) | Trouble::Late(finding)) => (Verdict::Failed, *finding),
            Err(Trouble::Inconclusive(why)) => (Verdict::Inconclusive, said(why)),
            Err(Trouble::Skipped(why)) => (Verdict::Skipped, said(why)),
        };
        let mut result = self.blank(check, verdict);
        result.message = finding.message;
        result.expected = bounded(finding.expected);
        result.got = bounded(finding.got);
        let mut name = finding.misconception;
        if verdict != Verdict::Passed {
            let steps = context.log.steps();
            result.output = bounded(context.last_words(OUTPUT_LINES));
            let end = context.how_it_ended();
            let crash = crash::find(&context.stderr(TRACE_LINES));
            if end.is_some() {
                name = name_of_an_end(name, &steps);
            } else if crash.is_some() && name.is_none_or(|name| OF_A_DEAD_THREAD.contains(&name)) {
                name = Some("dead-thread");
            }
            result.message = with_its_end(result.message, crash, end);
            result.steps = last_steps(steps);
        }
        result.misconception = name.map(String::from);
        result.message = bounded(result.message);
        result
    }

    fn blank(&self, check: &'static Check, verdict: Verdict) -> CheckResult {
        let price = self.prices.get(check.name).copied().unwrap_or(check.points);
        CheckResult {
            name: check.name.to_string(),
            rule: check.rule.to_string(),
            verdict,
            points: if verdict == Verdict::Passed { price } else { 0.0 },
            max_points: price,
            misconception: None,
            message: String::new(),
            steps: Vec::new(),
            expected: String::new(),
            got: String::new(),
            output: String::new(),
            chapter: check.chapter.to_string(),
            repeat: format!(
                "cargo lab check {} --seed {} --only {} {}",
                self.exercise.name,
                self.options.seed,
                check.name,
                self.target.arguments()
            ),
            seconds: 0.0,
        }
    }
}

/// Of a server that has ended, what is seen of its clients says nothing more than that: somebody has
/// taken it along, by a reset or by leaving in order.
fn name_of_an_end(name: Option<&'static str>, steps: &[String]) -> Option<&'static str> {
    let any = |what: &str| steps.iter().any(|step| step.contains(what));
    let has_left = any("closes the connection") || any("ends its sending");
    match name {
        Some(name) if !OF_THOSE_WHO_STAY.contains(&name) => Some(name),
        None if !has_left && !any("resets the connection") => None,
        _ if has_left && !any("reset") => Some(ENDS_WITH_ONE),
        _ => Some(TAKEN_ALONG),
    }
}

/// The student's own line stands first: whatever else was seen came of it.
fn with_its_end(message: String, crash: Option<crash::Crash>, end: Option<String>) -> String {
    match (crash, end) {
        (Some(crash), Some(end)) => format!("{end} at {}; {message}", crash.in_words()),
        (Some(crash), None) => {
            format!("an exception has ended a thread or task at {}; {message}", crash.in_words())
        }
        (None, Some(end)) => format!("{end}; {message}"),
        (None, None) => message,
    }
}

/// Whether the page of the exercise says that `check` can name this.
pub fn is_declared(check: &Check, name: &str) -> bool {
    check.misconceptions.contains(&name) || misconception::SEEN_BY_ALL.contains(&name)
}

/// What could not be judged earns nothing where something was found wrong, and says what stands in
/// the way: two mistakes are worth no more than one. Otherwise it was the machine's fault.
fn say_what_to_mend(checks: &mut [CheckResult]) {
    let first = checks.iter().find(|check| check.verdict == Verdict::Failed);
    let first = first.map(|check| check.name.clone());
    for check in checks.iter_mut().filter(|check| check.verdict == Verdict::Inconclusive) {
        match &first {
            Some(first) => check.message += &format!("; mend {first} first"),
            None if check.message.starts_with(NOT_FINISHED) => {}
            None => check.points = check.max_points,
        }
    }
}

fn bounded(mut text: String) -> String {
    if let Some((end, _)) = text.char_indices().nth(FIELD_CHARS_MAX) {
        let all = text.len();
        text.truncate(end);
        text += &format!("... ({all} bytes in all)");
    }
    text
}

fn last_steps(mut steps: Vec<String>) -> Vec<String> {
    let left_out = steps.len().saturating_sub(STEPS_MAX);
    if left_out > 0 {
        steps.drain(..left_out);
        steps.insert(0, format!("({left_out} steps before these)"));
    }
    steps.into_iter().map(bounded).collect()
}

fn said(why: String) -> Finding {
    Finding { message: why, ..Finding::default() }
}

impl CheckResult {
    /// The name of what to repair first, if this result explains the failure of others.
    fn explains(&self) -> Option<String> {
        (self.verdict == Verdict::Failed || self.verdict == Verdict::Skipped)
            .then(|| self.name.clone())
    }
}

/// Short, and different for each check that talks to the same server.
fn unique_suffix() -> String {
    use std::sync::atomic::{AtomicU32, Ordering};
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = std::process::id().wrapping_mul(1000) + NEXT.fetch_add(1, Ordering::Relaxed);
    format!("-{:x}", number & 0xf_ffff)
}

/// How long a process that is about to end may take until that is noticed.
pub const LAST_BREATH: Duration = Duration::from_millis(50);
