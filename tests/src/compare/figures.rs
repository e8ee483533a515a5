//! The figures that a run gives, and what each means.

use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;

#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Figure {
    Seconds,
    Deliveries,
    DeliveriesPerSecond,
    /// Server, user and kernel, all threads: µs per delivery, or per login.
    Cpu,
    KernelShare,
    ServerBusy,
    GeneratorBusy,
    Median,
    P99,
    P999,
    Max,
    /// How late the generator itself was, p99.
    Lateness,
    Switches,
    SystemCalls,
    SystemCallsInBursts,
    Memory,
    Threads,
    Descriptors,
    IdleCpu,
    Logins,
}

impl Figure {
    pub fn name(self) -> &'static str {
        match self {
            Figure::Seconds => "measured, s",
            Figure::Deliveries => "deliveries",
            Figure::DeliveriesPerSecond => "deliveries/s",
            Figure::Cpu => "CPU, µs",
            Figure::KernelShare => "in the kernel",
            Figure::ServerBusy => "server busy",
            Figure::GeneratorBusy => "generator busy",
            Figure::Median => "p50, ms",
            Figure::P99 => "p99, ms",
            Figure::P999 => "p99.9, ms",
            Figure::Max => "max, ms",
            Figure::Lateness => "late, ms",
            Figure::Switches => "switches",
            Figure::SystemCalls => "calls, alone",
            Figure::SystemCallsInBursts => "in bursts",
            Figure::Memory => "memory, KiB",
            Figure::Threads => "threads",
            Figure::Descriptors => "descriptors",
            Figure::IdleCpu => "idle, ms/s",
            Figure::Logins => "logins/s",
        }
    }
}

impl Figure {
    /// For the middle of a sentence.
    pub fn in_words(self) -> &'static str {
        match self {
            Figure::Cpu => "processor time for each delivery",
            Figure::Memory => "memory for each client",
            Figure::P99 => "the latency that 99 of 100 deliveries keep to",
            other => other.name(),
        }
    }
}

#[derive(Debug, Clone, Default, PartialEq, Serialize, Deserialize)]
#[serde(transparent)]
pub struct Figures(pub BTreeMap<Figure, f64>);

impl Figures {
    pub fn set(&mut self, figure: Figure, value: f64) {
        self.0.insert(figure, value);
    }

    pub fn get(&self, figure: Figure) -> Option<f64> {
        self.0.get(&figure).copied()
    }
}

/// A number as people read it: three digits that count, thousands apart.
pub fn readable(value: f64) -> String {
    let digits = match value.abs() {
        size if size >= 100.0 || size == 0.0 => return thousands(value.round() as i64),
        size if size >= 10.0 => 1,
        size if size >= 1.0 => 2,
        size if size >= 0.1 => 3,
        size if size >= 0.001 => 4,
        _ => return "0.000".to_string(),
    };
    format!("{value:.digits$}")
}

/// A number of things.
pub fn count(value: usize) -> String {
    thousands(value as i64)
}

fn thousands(value: i64) -> String {
    let digits = value.abs().to_string();
    let mut text = String::new();
    for (index, digit) in digits.chars().enumerate() {
        if index > 0 && (digits.len() - index).is_multiple_of(3) {
            text.push(',');
        }
        text.push(digit);
    }
    if value < 0 { format!("-{text}") } else { text }
}

#[cfg(test)]
mod tests {
    use super::readable;

    #[test]
    fn numbers_show_three_digits_that_count() {
        let shown: Vec<_> =
            [1234567.0, 123.4, 12.34, 1.234, 0.1234, 0.01234, 0.0].map(readable).into();
        assert_eq!(shown, ["1,234,567", "123", "12.3", "1.23", "0.123", "0.0123", "0"]);
    }
}
