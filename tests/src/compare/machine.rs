//! On what it was measured.

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
    chrono::Utc::now().format("%F").to_string()
}
