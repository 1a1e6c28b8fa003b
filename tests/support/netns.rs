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

/// Everything that could be left there: rules, queueing disciplines, interfaces. Without what differs from start to start and from
/// packet to packet: the ports of the engine's name server, counters, and the other ends of interfaces.
///
/// # Panics
/// Where the tools are missing.
pub(crate) fn traces(pid: &str) -> String {
    let rules = inside(pid, &["nft", "list", "ruleset"]);
    let queues = inside(pid, &["tc", "qdisc", "show"]);
    let links = inside(pid, &["ip", "-o", "link", "show"]);
    let names = links.lines().filter_map(|line| line.split(": ").nth(1));
    let names: Vec<_> = names.filter_map(|name| name.split('@').next()).collect();
    let rules: Vec<_> = rules.lines().map(steady).collect();
    format!("{}\n{queues}\n{}", rules.join("\n"), names.join("\n"))
}

fn steady(line: &str) -> String {
    let mut before = "";
    let words = line.split(' ').map(|word| {
        let varies =
            matches!(before, "packets" | "bytes" | "sport") || word.starts_with("127.0.0.11:");
        before = word;
        if varies { "…" } else { word }
    });
    words.collect::<Vec<_>>().join(" ")
}
