//! What a process costs, seen from outside. Linux tells all of it in `/proc`; elsewhere the
//! figures are missing, and the report says so.

use super::figures::{Figure, Figures};
use std::time::{Duration, Instant};

/// What a process has used so far, all its threads together.
#[derive(Debug, Clone, Copy, Default)]
pub struct Usage {
    pub processor_time: Duration,
    /// In ticks of 10 ms: too coarse for anything but their proportion.
    pub user_ticks: u64,
    pub kernel_ticks: u64,
    pub resident_bytes: u64,
    pub threads: u64,
    pub descriptors: u64,
    /// How often one of its threads gave up the processor, or lost it.
    pub context_switches: u64,
}

/// Server and generator over a stretch of time.
#[derive(Debug)]
pub struct Meter {
    server: u32,
    before: Option<Usage>,
    generator: Duration,
    began: Instant,
}

impl Meter {
    pub fn start(server: u32) -> Meter {
        Meter {
            server,
            before: usage(server),
            generator: own_processor_time(),
            began: Instant::now(),
        }
    }

    /// What it took since the start, for `units` deliveries (or logins).
    pub fn stop(self, units: u64, figures: &mut Figures) {
        let seconds = self.began.elapsed().as_secs_f64();
        let generator = (own_processor_time() - self.generator).as_secs_f64();
        figures.set(Figure::Seconds, seconds);
        figures.set(Figure::GeneratorBusy, generator / seconds);
        let (Some(before), Some(after)) = (self.before, usage(self.server)) else {
            return;
        };
        let units = units.max(1) as f64;
        let busy = (after.processor_time.saturating_sub(before.processor_time)).as_secs_f64();
        let user = after.user_ticks.saturating_sub(before.user_ticks) as f64;
        let kernel = after.kernel_ticks.saturating_sub(before.kernel_ticks) as f64;
        let switches = after.context_switches.saturating_sub(before.context_switches);
        figures.set(Figure::ServerBusy, busy / seconds);
        figures.set(Figure::Cpu, busy * 1e6 / units);
        if user + kernel > 0.0 {
            figures.set(Figure::KernelShare, kernel / (user + kernel));
        }
        figures.set(Figure::Switches, switches as f64 / units);
        figures.set(Figure::Threads, after.threads as f64);
        figures.set(Figure::Descriptors, after.descriptors as f64);
    }
}

/// `None`: the process has ended, or this system does not tell.
#[cfg(target_os = "linux")]
pub fn usage(process: u32) -> Option<Usage> {
    use std::fs::{read_dir, read_to_string};

    let folder = format!("/proc/{process}");
    let stat = read_to_string(format!("{folder}/stat")).ok()?;
    // The second field is the program's name in parentheses, which may itself hold blanks.
    let fields: Vec<&str> = stat[stat.rfind(')')? + 2..].split(' ').collect();
    let status = read_to_string(format!("{folder}/status")).ok()?;
    let tasks = read_dir(format!("{folder}/task")).ok()?;
    let switches = tasks.flatten().filter_map(|task| {
        let status = read_to_string(task.path().join("status")).ok()?;
        Some(
            number_after(&status, "\nvoluntary_ctxt_switches:")?
                + number_after(&status, "nonvoluntary_ctxt_switches:")?,
        )
    });
    let context_switches = switches.sum();
    let clock = nix::time::clock_getcpuclockid(nix::unistd::Pid::from_raw(process as i32)).ok()?;
    Some(Usage {
        processor_time: Duration::from(clock.now().ok()?),
        user_ticks: fields.get(11)?.parse().ok()?,
        kernel_ticks: fields.get(12)?.parse().ok()?,
        resident_bytes: number_after(&status, "VmRSS:")? * 1024,
        threads: number_after(&status, "Threads:")?,
        descriptors: read_dir(format!("{folder}/fd")).ok()?.count() as u64,
        context_switches,
    })
}

#[cfg(target_os = "linux")]
fn number_after(text: &str, label: &str) -> Option<u64> {
    let rest = &text[text.find(label)? + label.len()..];
    rest.split_whitespace().next()?.parse().ok()
}

#[cfg(not(target_os = "linux"))]
pub fn usage(_: u32) -> Option<Usage> {
    None
}

#[cfg(unix)]
fn own_processor_time() -> Duration {
    let clock = nix::time::ClockId::CLOCK_PROCESS_CPUTIME_ID;
    clock.now().map(Duration::from).unwrap_or_default()
}

#[cfg(not(unix))]
fn own_processor_time() -> Duration {
    Duration::ZERO
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn our_own_usage_can_be_read() {
        let usage = usage(std::process::id()).unwrap();
        assert!(usage.resident_bytes > 0 && usage.threads > 0 && usage.descriptors > 0);
    }
}
