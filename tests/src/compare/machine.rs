//! On what it was measured.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

pub fn facts() -> Vec<(String, String)> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    let mut facts = vec![
        ("system".to_string(), system()),
        ("processor".to_string(), format!("{} cores{}", cores, processor())),
    ];
    if let Some(memory) = line_of("/proc/meminfo", "MemTotal:") {
        facts.push(("memory".to_string(), memory));
    }
    if let Ok(load) = std::fs::read_to_string("/proc/loadavg") {
        let load = load.split(' ').next().unwrap_or_default().to_string();
        facts.push(("load before it began".to_string(), load));
    }
    facts
}

fn system() -> String {
    let release = std::fs::read_to_string("/proc/sys/kernel/osrelease").unwrap_or_default();
    let (os, arch) = (std::env::consts::OS, std::env::consts::ARCH);
    format!("{os} {} {arch}", release.trim())
}

fn processor() -> String {
    let model = line_of("/proc/cpuinfo", "model name");
    model.map_or(String::new(), |model| format!(", {model}"))
}

fn line_of(path: &str, label: &str) -> Option<String> {
    let text = std::fs::read_to_string(path).ok()?;
    let line = text.lines().find_map(|line| line.strip_prefix(label))?;
    Some(line.trim_start_matches([' ', '\t', ':']).to_string())
}

/// The day in UTC, as `2026-11-20`.
pub fn today() -> String {
    let since = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or(Duration::ZERO);
    let (year, month, day) = date_of_day((since.as_secs() / 86_400) as i64);
    format!("{year}-{month:02}-{day:02}")
}

/// The civil date of a day counted from 1970-01-01: years are counted from March, so that the
/// leap day is the last of its year (Howard Hinnant, "chrono-compatible low-level date algorithms").
fn date_of_day(day: i64) -> (i64, i64, i64) {
    let day = day + 719_468; // from 0000-03-01
    let (era, day) = (day.div_euclid(146_097), day.rem_euclid(146_097));
    let year = (day - day / 1460 + day / 36_524 - day / 146_096) / 365;
    let day = day - (365 * year + year / 4 - year / 100);
    let month = (5 * day + 2) / 153;
    let date = day - (153 * month + 2) / 5 + 1;
    let calendar_month = if month < 10 { month + 3 } else { month - 9 };
    let january_or_february = i64::from(calendar_month <= 2);
    (era * 400 + year + january_or_february, calendar_month, date)
}

#[cfg(test)]
mod tests {
    use super::date_of_day;

    #[test]
    fn days_have_dates() {
        assert_eq!(date_of_day(0), (1970, 1, 1));
        assert_eq!(date_of_day(11_016), (2000, 2, 29));
        assert_eq!(date_of_day(20_777), (2026, 11, 20));
    }
}
