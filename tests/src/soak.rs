//! `lab soak`: ten clients chat for a long time while visitors misbehave, and every delivery is
//! checked.
//!
//! `plan.rs` chooses a round from a seed; `steady.rs`, `visitors.rs`, `names.rs` and `flood.rs` carry it
//! out on real connections; `record.rs` and `upkeep.rs` judge it; `tally.rs` shows what has happened.

mod flood;
mod names;
pub mod plan;
mod progress;
pub mod record;
pub mod run;
mod steady;
pub mod tally;
pub mod upkeep;
pub mod verdict;
mod visitors;

use crate::check::context::PATIENCE;
use crate::check::{Protocol, Target};
use crate::process::live;
use clap::ValueEnum;
use progress::Bar;
use run::{Limit, Options};
use std::fmt::Write;
use std::process::ExitCode;
use std::time::Duration;
use verdict::{Soaked, Verdict};

const EXAMPLE: &str = "Examples:
  cargo lab soak --minutes 5
  cargo lab soak --stage 4 --seed 7 --rounds 1
  cargo lab soak --protocol threads -- python3 my_server.py {host} {port}

Exit status: 0 nothing was lost, doubled or reordered, 1 something was,
2 the command line is wrong, 3 inconclusive, or the lab itself failed.";

/// Lets ten clients chat for long while others misbehave, and checks every delivery
#[derive(Debug, clap::Args)]
#[command(after_help = EXAMPLE)]
pub struct Arguments {
    /// The kit's own stages, one after the other
    #[arg(long = "stage", value_name = "N,...", value_delimiter = ',', default_value = "3,4,5", value_parser = clap::value_parser!(u8).range(3..=5))]
    stages: Vec<u8>,
    /// How long, for each server
    #[arg(long, default_value_t = 30)]
    minutes: u64,
    /// So many rounds instead of minutes
    #[arg(long, conflicts_with = "minutes")]
    rounds: Option<u64>,
    /// The seed of the first round; each further round has the next one
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// So many visitors in one storm of those who connect and reset [default: 8 to 31]
    #[arg(long, value_name = "VISITORS")]
    storm: Option<usize>,
    /// What the server of COMMAND speaks
    #[arg(long, value_enum, requires = "command")]
    protocol: Option<Spoken>,
    /// The command that starts another server; {host}, {port} and (rooms) {flags} are replaced
    #[arg(last = true, value_name = "COMMAND", requires = "protocol", conflicts_with = "stages")]
    command: Vec<String>,
}

#[derive(Debug, Clone, Copy, ValueEnum)]
enum Spoken {
    Select,
    Threads,
    Rooms,
}

pub fn run(arguments: &Arguments) -> anyhow::Result<ExitCode> {
    let limit = match arguments.rounds {
        Some(rounds) => Limit::Rounds(rounds),
        None => Limit::Time(Duration::from_secs(60 * arguments.minutes)),
    };
    let (seed, storm) = (arguments.seed, arguments.storm);
    let options = Options { limit, seed, storm, patience: PATIENCE[1] };
    crate::resources::allow_many_descriptors();
    live::report_when_interrupted();
    let mut all = Vec::new();
    for (name, target, protocol) in servers(arguments) {
        if live::interrupted() {
            break;
        }
        let bar = Bar::new(&name, limit);
        let soaked = run::run(&target, protocol, &options, &|tally| bar.show(tally));
        bar.finish();
        all.push((name, target.arguments(), soaked?));
    }
    print!("{}", report(&all, arguments));
    Ok(exit_code(&all))
}

fn servers(arguments: &Arguments) -> Vec<(String, Target, Protocol)> {
    if let Some(spoken) = arguments.protocol {
        let protocol = match spoken {
            Spoken::Select => Protocol::Select,
            Spoken::Threads => Protocol::Threads,
            Spoken::Rooms => Protocol::Rooms,
        };
        let target = Target::Command(arguments.command.clone());
        return vec![("your server".to_string(), target, protocol)];
    }
    let stage = |number: &u8| {
        (format!("stage {number}"), Target::Stage(*number), Protocol::of_stage(*number))
    };
    arguments.stages.iter().map(stage).collect()
}

fn exit_code(all: &[(String, String, Soaked)]) -> ExitCode {
    let any = |wanted: fn(&Verdict) -> bool| all.iter().any(|(.., it)| wanted(&it.verdict));
    if any(|verdict| matches!(verdict, Verdict::Broken(_))) {
        ExitCode::from(1)
    } else if live::interrupted() {
        ExitCode::from(130) // 128 + SIGINT, as shells report it
    } else if any(|verdict| matches!(verdict, Verdict::Inconclusive(_))) {
        ExitCode::from(3)
    } else {
        ExitCode::SUCCESS
    }
}

fn report(all: &[(String, String, Soaked)], arguments: &Arguments) -> String {
    let mut text = String::new();
    let columns: Vec<_> =
        all.iter().map(|(name, _, it)| (name.as_str(), &it.tally, &it.looks)).collect();
    if columns.iter().any(|(_, tally, _)| tally.faults() > 0) {
        let _ = writeln!(text, "{}", tally::table(&columns));
    }
    for (name, server, soaked) in all {
        let _ = match &soaked.verdict {
            Verdict::Held => {
                writeln!(text, "✓ {name}: nothing lost, nothing twice, nothing out of order")
            }
            Verdict::Inconclusive(why) => writeln!(text, "? {name}: inconclusive: {why}"),
            Verdict::Interrupted => {
                writeln!(text, "– {name}: interrupted; nothing was wrong until then")
            }
            Verdict::Broken(broken) => {
                let repeat = repeat(arguments, broken.seed, server);
                writeln!(text, "✗ {name}, {}  {:<9} {repeat}", broken.told(), "repeat")
            }
        };
    }
    text
}

/// The command that carries out exactly this round.
fn repeat(arguments: &Arguments, seed: u64, server: &str) -> String {
    let mut command = String::from("cargo lab soak");
    if let Some(value) = arguments.protocol.and_then(|spoken| spoken.to_possible_value()) {
        let _ = write!(command, " --protocol {}", value.get_name());
    }
    if let Some(visitors) = arguments.storm {
        let _ = write!(command, " --storm {visitors}");
    }
    format!("{command} --seed {seed} --rounds 1 {server}")
}
