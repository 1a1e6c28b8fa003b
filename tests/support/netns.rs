//! A container's network as the kernel shows it, read with this machine's own tools. Needs root, `nft`, `tc`, `ip` and `nsenter`.

use std::process::Command;

/// What a command of this machine prints in the network of this process.
///
/// # Panics
/// With its own words, if it fails.
pub(crate) fn inside(pid: &str, command: &[&str]) -> String {
    let output = Command::new("nsenter")
        .args(["-t", pid, "-n"])
        .args(command)
        .output()
        .unwrap();
    let said = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{command:?}: {said}");
    String::from_utf8_lossy(&output.stdout).trim().to_owned()
}

/// Everything that could be left there: rules, queueing disciplines, interfaces.
pub(crate) fn traces(pid: &str) -> String {
    let rules = inside(pid, &["nft", "list", "ruleset"]);
    let queues = inside(pid, &["tc", "qdisc", "show"]);
    let links = inside(pid, &["ip", "-o", "link", "show"]);
    // Their counters differ from call to call, their names do not.
    let names = links.lines().filter_map(|line| line.split(": ").nth(1));
    let names: Vec<_> = names.collect();
    format!("{rules}\n{queues}\n{}", names.join("\n"))
}
