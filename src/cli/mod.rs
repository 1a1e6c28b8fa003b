//! The command line: one file a command. The only module that prints, and the only one that knows exit codes' numbers apart
//! from the verdict.

mod check;
mod ci;
mod files;
mod live;
mod places;
mod plan;
mod reaper;
mod recover;
mod report;
mod run;
mod step;
mod term;
mod wheel;

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::path::PathBuf;
use std::process::ExitCode;

use clap::{Args, Parser, Subcommand, ValueEnum};

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
    Exit codes: 0 passed, 1 failed, 2 wrong usage or scenario, 3 inconclusive, 4 aborted by a guard or a person,
\
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
    /// Undo what an earlier run left behind
    Recover {
        /// Only show it
        #[arg(long)]
        list: bool,
    },
    /// Render a run's reports again from its history
    Report {
        /// The run's folder
        #[arg(value_name = "DIR")]
        dir: PathBuf,
        #[arg(long, value_enum, default_value_t = Format::Table)]
        format: Format,
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
            Command::Recover { list } => recover::main(list).await,
            Command::Report { dir, format } => report::main(&dir, format),
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
