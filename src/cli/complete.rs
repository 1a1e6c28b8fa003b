//! `chaosrun completions SHELL` and `chaosrun man`: both from what the command line is.

use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, code, term};

pub(super) fn completions(shell: Shell) -> u8 {
    let mut out = Vec::new();
    clap_complete::generate(shell, &mut visible(), "chaosrun", &mut out);
    term::data(&String::from_utf8_lossy(&out));
    code::OK
}

/// The commands that people start.
fn visible() -> clap::Command {
    let all = Cli::command();
    let seen: Vec<clap::Command> = all
        .get_subcommands()
        .filter(|command| !command.is_hide_set())
        .cloned()
        .collect();
    let mut bare = clap::Command::new("chaosrun").subcommands(seen);
    for arg in all.get_arguments() {
        bare = bare.arg(arg.clone());
    }
    let text = |text: Option<&clap::builder::StyledStr>| text.cloned().unwrap_or_default();
    bare.version(env!("CARGO_PKG_VERSION"))
        .about(text(all.get_about()))
        .after_help(text(all.get_after_help()))
        .args_conflicts_with_subcommands(true)
}

pub(super) fn man(dir: Option<&Path>) -> u8 {
    let written = match dir {
        None => page(&Man::new(visible())).map(|page| term::data(&page)),
        Some(dir) => write(dir),
    };
    match written {
        Ok(()) => code::OK,
        Err(error) => {
            let place = dir.map(|dir| format!(" to {}", dir.display()));
            let place = place.unwrap_or_default();
            term::error(&format!("writing the man pages{place}: {error}"), "");
            code::FAILED
        }
    }
}

fn page(man: &Man) -> std::io::Result<String> {
    let mut out = Vec::new();
    man.render(&mut out)?;
    Ok(String::from_utf8_lossy(&out).into_owned())
}

/// `chaosrun.1`, and `chaosrun-run.1` for each command.
fn write(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(visible(), dir)
}
