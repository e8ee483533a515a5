//! A busy machine, made on purpose: processes that only spin, two for each core, and one that
//! writes to the disk. All of them end with the lab, however it ends: their standard input is a
//! pipe from it, and its end is theirs.

use crate::process::Process;
use anyhow::Context;
use clap::{Args, ValueEnum};
use std::io::{Read, Seek, Write};
use std::process::{Command, ExitCode};
use std::thread;

const SPINNING_PER_CORE: usize = 2;

/// What the writing one writes at once, and how long its file becomes before it starts again.
const BLOCK_BYTES: usize = 1 << 20;
const FILE_BYTES_MAX: usize = 256 << 20;

/// Dropping it ends the processes.
#[derive(Debug)]
pub struct Load {
    processes: Vec<Process>,
}

impl Load {
    pub fn start() -> anyhow::Result<Load> {
        let cores = thread::available_parallelism().map_or(1, usize::from);
        let spinning = std::iter::repeat_n(Work::Spin, SPINNING_PER_CORE * cores);
        let processes = spinning.chain([Work::Write]).map(start);
        Ok(Load { processes: processes.collect::<anyhow::Result<_>>()? })
    }

    /// What it is, for people.
    pub fn in_words(&self) -> String {
        format!("{} processes that spin, one that writes to the disk", self.processes.len() - 1)
    }

    /// The processor time that they have had, where the system tells.
    pub fn processor_seconds(&self) -> Option<f64> {
        let usage = |process: &Process| crate::resources::of_group(process.id());
        let each = self.processes.iter().map(|process| Some(usage(process)?.processor_time));
        let each: Option<Vec<_>> = each.collect();
        Some(each?.iter().map(std::time::Duration::as_secs_f64).sum())
    }
}

fn start(work: Work) -> anyhow::Result<Process> {
    let lab = std::env::current_exe().context("cannot find myself")?;
    let mut command = Command::new(lab);
    let work = work.to_possible_value().context("each kind of work has a name")?;
    command.args(["load", work.get_name()]);
    Process::start("load", command)
}

/// Keeps the machine busy until its input ends (started by selftest --under-load)
#[derive(Debug, Args)]
pub struct Arguments {
    work: Work,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Work {
    Spin,
    Write,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    thread::spawn(|| {
        // Only whoever started us holds the other end: it says nothing, and it ends.
        let _ = std::io::stdin().read(&mut [0]);
        std::process::exit(0);
    });
    match arguments.work {
        Work::Spin => loop {
            std::hint::spin_loop();
        },
        Work::Write => write_for_ever(),
    }
}

/// Into a file without a name: it is gone with the process. Beside the lab, because the folder for
/// temporary files is memory on many systems.
fn write_for_ever() -> anyhow::Result<ExitCode> {
    let lab = std::env::current_exe().context("cannot find myself")?;
    let folder = lab.parent().context("a program is in a folder")?;
    let mut file = tempfile::tempfile_in(folder).context("cannot make a file to write to")?;
    let block = vec![0x5a; BLOCK_BYTES];
    loop {
        file.rewind()?;
        for _ in 0..FILE_BYTES_MAX / BLOCK_BYTES {
            file.write_all(&block).context("cannot write to the disk")?;
        }
        file.sync_data().context("cannot write to the disk")?;
    }
}
