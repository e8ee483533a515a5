//! `lab look`: what a running program uses, on every system: where others say `ps`, `top`, `lsof`.

use anyhow::{Context, ensure};
use clap::Args;
use std::process::ExitCode;
use std::thread;
use std::time::Duration;
use sysinfo::{Pid, Process, ProcessRefreshKind, ProcessesToUpdate, System, UpdateKind};

/// Between the two looks whose difference is the processor time.
const BETWEEN_LOOKS: Duration = Duration::from_secs(1);

/// The share of a core from which on a program that nobody speaks to counts as busy (rule L16).
const BUSY: Duration = Duration::from_millis(50);

/// Shows threads, memory, descriptors and processor time of a running program
#[derive(Debug, Args)]
#[command(after_help = "Examples:
  cargo lab look 4711             the process with this number
  cargo lab look stage4-threads   every process with this in its command line")]
pub struct Arguments {
    /// A process number, or a part of a command line
    what: String,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let mut system = System::new().context("this system does not show its processes")?;
    refresh(&mut system);
    let found: Vec<(Pid, u64)> = system
        .processes()
        .values()
        .filter(|process| is_meant(process, &arguments.what))
        .map(|process| (process.pid(), process.accumulated_cpu_time()))
        .collect();
    ensure!(
        !found.is_empty(),
        "no process has `{}` as its number or in its command line: is it still running?",
        arguments.what
    );
    thread::sleep(BETWEEN_LOOKS);
    refresh(&mut system);
    for (id, before) in found {
        let process = system.process(id).with_context(|| format!("process {id} has ended"))?;
        print(process, children(&system, id), process.accumulated_cpu_time() - before);
    }
    Ok(ExitCode::SUCCESS)
}

fn refresh(system: &mut System) {
    let what = ProcessRefreshKind::nothing()
        .with_cpu()
        .with_memory()
        .with_tasks()
        .with_cmd(UpdateKind::OnlyIfNotSet);
    system.refresh_processes_specifics(ProcessesToUpdate::All, true, what);
}

/// Not the lab itself, nor the Cargo that started it: what is looked for is on their command lines.
fn is_meant(process: &Process, what: &str) -> bool {
    if process.thread_kind().is_some() {
        return false; // Linux lists threads among the processes
    }
    match what.parse::<u32>() {
        Ok(id) => process.pid().as_u32() == id,
        Err(_) => {
            let words = command_line(process);
            words.contains(what) && !words.contains("look ")
        }
    }
}

fn command_line(process: &Process) -> String {
    let words: Vec<_> = process.cmd().iter().map(|word| word.to_string_lossy()).collect();
    words.join(" ")
}

fn children(system: &System, id: Pid) -> usize {
    let processes = system.processes().values();
    processes.filter(|it| it.parent() == Some(id) && it.thread_kind().is_none()).count()
}

fn print(process: &Process, children: usize, used_ms: u64) {
    let unknown = || "this system does not tell".to_string();
    let threads = process.tasks().map_or_else(unknown, |others| (others.len() + 1).to_string());
    let descriptors = process.open_files().map_or_else(unknown, |count| count.to_string());
    let state = if u128::from(used_ms) < BUSY.as_millis() { "at rest" } else { "busy" };
    println!("process {}: {}", process.pid(), command_line(process));
    println!("  threads      {threads}");
    println!("  children     {children}");
    println!("  memory       {} KiB", process.memory() / 1024);
    println!("  descriptors  {descriptors}");
    println!("  processor    {state}: {used_ms} ms in the last second");
}
