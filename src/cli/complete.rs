//! `chaosrun completions SHELL` and `chaosrun man`: both from what the command line is.

use std::path::Path;

use clap::CommandFactory as _;
use clap_complete::Shell;
use clap_mangen::Man;

use super::{Cli, code, term};

/// When what the man pages say was last changed by more than a word.
const REVISED: &str = "2026-11-26";

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
    Ok(neat("chaosrun", &String::from_utf8_lossy(&out)))
}

/// Without what readers of man pages complain of: a heading without a date, letters beyond ASCII, breaks without text.
fn neat(name: &str, page: &str) -> String {
    let mut out = String::with_capacity(page.len());
    for line in page.lines() {
        if line.starts_with(".TH ") {
            let version = env!("CARGO_PKG_VERSION");
            out += &format!(".TH {name} 1 {REVISED} \"chaosrun {version}\"");
        } else if line == ".br" && (out.ends_with(".sp\n") || out.ends_with(".br\n\n")) {
            continue;
        } else {
            for c in line.chars() {
                match c.is_ascii() {
                    true => out.push(c),
                    false => out += &format!("\\[u{:04X}]", u32::from(c)),
                }
            }
        }
        out.push('\n');
    }
    out
}

/// `chaosrun.1`, and `chaosrun-run.1` for each command.
fn write(dir: &Path) -> std::io::Result<()> {
    std::fs::create_dir_all(dir)?;
    clap_mangen::generate_to(visible(), dir)?;
    for name in names() {
        let file = dir.join(format!("{name}.1"));
        let neat = neat(&name, &std::fs::read_to_string(&file)?);
        std::fs::write(&file, neat)?;
    }
    Ok(())
}

fn names() -> Vec<String> {
    let all = visible();
    let commands = all.get_subcommands().map(|command| {
        let name = command.get_name();
        format!("chaosrun-{name}")
    });
    std::iter::once("chaosrun".into()).chain(commands).collect()
}
