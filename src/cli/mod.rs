//! The command line: one file a command. The only module that prints, and the only one that knows exit codes' numbers apart
//! from the verdict.

mod check;
mod ci;
mod compare;
mod complete;
mod doctor;
mod files;
mod init;
mod live;
mod manual;
mod places;
mod plan;
mod reaper;
mod recover;
mod report;
mod run;
mod schema;
mod series;
mod step;
mod term;
mod wheel;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;
use std::time::Duration;

use clap::{Args, Parser, Subcommand, ValueEnum};

use crate::units::parse_duration;
use crate::verdict::compare::Margin;

/// Exit codes that no verdict gives.
pub mod code {
    pub const OK: u8 = 0;
    pub const FAILED: u8 = 1;
    pub const USAGE: u8 = 2;
    pub const INCONCLUSIVE: u8 = 3;
    pub const DIRTY: u8 = 5;
    pub const BUG: u8 = 70;
}

/// Does this containerised system keep its promises while a named fault is happening?
#[derive(Debug, Parser)]
#[command(
    name = "chaosrun",
    version,
    max_term_width = 100,
    args_conflicts_with_subcommands = true
)]
#[command(after_help = "`chaosrun FILE|DIR…` is `chaosrun run FILE|DIR…`.\n\n\
    Exit codes: 0 passed, 1 failed, 2 wrong usage or scenario, 3 inconclusive, 4 aborted by a guard or a person,\n\
    5 dirty (a revert could not be verified), 70 a bug in chaosrun, 129, 130 and 143 interrupted.")]
struct Cli {
    #[command(subcommand)]
    command: Option<Command>,
    #[command(flatten)]
    run: RunArgs,
}

#[derive(Debug, Subcommand)]
enum Command {
    /// Run scenarios and give a verdict (the default)
    Run(RunArgs),
    /// Parse and check scenarios; asks no engine
    Check {
        /// Scenario files, or folders of them
        #[arg(required = true, value_name = "FILE|DIR")]
        files: Vec<PathBuf>,
        #[command(flatten)]
        vars: VarArgs,
    },
    /// Show what would happen: to which containers, when, and how it is undone
    Plan {
        #[arg(required = true, value_name = "FILE|DIR")]
        files: Vec<PathBuf>,
        /// Decides every random choice, instead of the scenario's own seed
        #[arg(long)]
        seed: Option<u64>,
        #[command(flatten)]
        vars: VarArgs,
    },
    /// Write a first scenario for what is running
    Init {
        /// A Compose project; not needed where only one runs
        #[arg(value_name = "PROJECT", conflicts_with = "all")]
        project: Option<String>,
        /// Look at every container of the engine
        #[arg(long)]
        all: bool,
        /// Where to, instead of PROJECT.toml; `-` is standard output
        #[arg(short, long, value_name = "FILE")]
        output: Option<PathBuf>,
        /// Overwrite a file that is there
        #[arg(long)]
        force: bool,
    },
    /// Try out what this machine and its engine can do; exits with 0 if every kind of scenario would work, else with 3
    Doctor {
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Undo what an earlier run left behind
    Recover {
        /// Only show it
        #[arg(long)]
        list: bool,
    },
    /// Render a run's reports again from its history; exits with 0 if it could, whatever the verdict was
    Report {
        /// The run's folder
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// Hold runs against earlier ones: exit 1 if something got worse
    Compare {
        /// A run's folder, or one that holds runs: before
        #[arg(value_name = "A")]
        before: PathBuf,
        /// The same: after
        #[arg(value_name = "B")]
        after: PathBuf,
        #[command(flatten)]
        margin: MarginArgs,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
    },
    /// List what can be done to a system
    Faults,
    /// List what can be asked of a system
    Probes,
    /// Show the manual page of a fault or a probe
    Explain {
        /// As in a scenario: `kill`, `http`
        #[arg(value_name = "NAME")]
        name: String,
    },
    /// Print a JSON Schema, for editors and readers of reports
    Schema {
        #[arg(value_enum)]
        of: schema::Of,
    },
    /// Print completions for a shell
    Completions {
        #[arg(value_enum)]
        shell: clap_complete::Shell,
    },
    /// Print the man page, or write one a command
    Man {
        /// Where to; one page a command
        #[arg(long, value_name = "DIR")]
        out: Option<PathBuf>,
    },
    #[command(hide = true)]
    Reaper { journal: PathBuf },
    /// The helper next to a target
    #[command(hide = true)]
    Agent { job: std::ffi::OsString },
    /// A node of the built-in demo system
    #[command(hide = true)]
    QuorumNode(crate::demo::Args),
}

#[derive(Debug, Args)]
struct RunArgs {
    /// Scenario files, or folders of them, run one after the other
    #[arg(required = true, value_name = "FILE|DIR")]
    files: Vec<PathBuf>,
    /// Where reports are written
    #[arg(long, value_name = "DIR", default_value = "reports")]
    report_dir: PathBuf,
    /// Decides every random choice, instead of the scenario's own seed
    #[arg(long)]
    seed: Option<u64>,
    /// Run each scenario so often; one verdict over all runs, which have the seeds that follow the first
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=crate::scenario::MAX_REPEAT.into()))]
    repeat: Option<u32>,
    /// Compare with the earlier runs in this folder, too
    #[arg(long, value_name = "DIR")]
    baseline: Option<PathBuf>,
    #[command(flatten)]
    margin: MarginArgs,
    #[command(flatten)]
    vars: VarArgs,
    /// What goes to standard output
    #[arg(long, value_enum, default_value_t = Format::Table)]
    format: Format,
    /// Annotate the scenario on GitHub, and add to the summary of the workflow's step
    #[arg(long)]
    github: bool,
    /// No progress, only problems and the verdict
    #[arg(short, long)]
    quiet: bool,
    /// Also tell what a run is made of, and what went as it should
    #[arg(short, long, conflicts_with = "quiet")]
    verbose: bool,
    /// Wait before each step until it is started from standard input, where a run can also be held, reverted and aborted
    #[arg(long)]
    step: bool,
    /// Show the run on a live page with buttons that steer it; port 0 takes a free one
    #[arg(long, value_name = "ADDR:PORT")]
    serve: Option<SocketAddr>,
    /// Let --serve listen where other machines can reach it, unencrypted
    #[arg(long, requires = "serve")]
    expose: bool,
}

#[derive(Debug, Args)]
struct VarArgs {
    /// Sets a variable of the scenario's [vars]
    #[arg(long = "var", value_name = "NAME=VALUE", value_parser = pair)]
    vars: Vec<(String, String)>,
}

impl RunArgs {
    fn volume(&self) -> live::Volume {
        match (self.quiet, self.verbose) {
            (true, _) => live::Volume::Quiet,
            (_, true) => live::Volume::Verbose,
            _ => live::Volume::Usual,
        }
    }
}

#[derive(Debug, Args)]
struct MarginArgs {
    /// In a comparison: how much worse is still no regression
    #[arg(long, value_name = "SHARE", default_value = "20%", value_parser = more_than_whole)]
    max_regression: f64,
    /// In a comparison: times that differ by no more are the same
    #[arg(long, value_name = "TIME", default_value = "10ms", value_parser = parse_duration)]
    min_difference: Duration,
}

impl MarginArgs {
    fn margin(&self) -> Margin {
        Margin {
            share: self.max_regression,
            least_ms: self.min_difference.as_secs_f64() * 1e3,
        }
    }
}

/// A percentage that may be beyond 100 %.
fn more_than_whole(text: &str) -> Result<f64, String> {
    let number = text.trim().strip_suffix('%').unwrap_or_default();
    match number.trim().parse::<f64>() {
        Ok(percent) if percent >= 0.0 && percent.is_finite() => Ok(percent / 100.0),
        _ => Err("expected a percentage, such as \"20%\"".into()),
    }
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, ValueEnum)]
enum Format {
    Table,
    Json,
}

impl VarArgs {
    fn to_map(&self) -> BTreeMap<String, String> {
        self.vars.iter().cloned().collect()
    }
}

fn pair(text: &str) -> Result<(String, String), String> {
    let (name, value) = text.split_once('=').ok_or("expected NAME=VALUE")?;
    Ok((name.into(), value.into()))
}

/// Runs the command line; answers with the exit code.
pub fn main() -> ExitCode {
    let cli = match Cli::try_parse() {
        Ok(cli) => cli,
        Err(error) => {
            // Help and version are no errors; where even printing fails there is nobody to tell.
            let _unread = error.print();
            return ExitCode::from(if error.use_stderr() {
                code::USAGE
            } else {
                code::OK
            });
        }
    };
    if let Some(Command::Agent { job }) = cli.command {
        return crate::agent::main([job]);
    }
    let code = std::panic::catch_unwind(|| dispatch(cli)).unwrap_or_else(|_| after_a_panic());
    ExitCode::from(if code == code::OK && term::lost_data() {
        code::INCONCLUSIVE
    } else {
        code
    })
}

fn dispatch(cli: Cli) -> u8 {
    let command = cli.command.unwrap_or(Command::Run(cli.run));
    let runtime = match tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        Ok(runtime) => runtime,
        Err(error) => {
            term::error(&format!("starting the async runtime: {error}"), "");
            return code::BUG;
        }
    };
    let code = runtime.block_on(async {
        match command {
            Command::Run(args) => run::main(args).await,
            Command::Check { files, vars } => check::main(&files, vars.to_map()),
            Command::Plan { files, seed, vars } => plan::main(&files, seed, vars.to_map()).await,
            Command::Init {
                project,
                all,
                output,
                force,
            } => init::main(project, all, output, force).await,
            Command::Doctor { format } => doctor::main(format).await,
            Command::Recover { list } => recover::main(list).await,
            Command::Report { dir, format } => report::main(&dir, format),
            Command::Compare {
                before,
                after,
                margin,
                format,
            } => compare::main(&before, &after, &margin, format),
            Command::Faults => manual::list_faults(),
            Command::Probes => manual::list_probes(),
            Command::Explain { name } => manual::explain(&name),
            Command::Schema { of } => schema::main(of),
            Command::Completions { shell } => complete::completions(shell),
            Command::Man { out } => complete::man(out.as_deref()),
            Command::Agent { .. } => code::USAGE,
            Command::Reaper { journal } => reaper::main(&journal).await,
            Command::QuorumNode(args) => match crate::demo::run(args).await {
                Ok(()) => code::OK,
                Err(why) => {
                    term::error(&why, "");
                    code::FAILED
                }
            },
        }
    });
    // A blocking read of standard input or a lookup that hangs must not hold up the end.
    runtime.shutdown_background();
    code
}

/// The default hook has told what happened. What was done to a system is undone even so.
fn after_a_panic() -> u8 {
    term::error(
        "this is a bug in chaosrun; undoing what it did",
        "please report it with the message above",
    );
    if let Ok(runtime) = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
    {
        runtime.block_on(recover::own());
    }
    code::BUG
}
