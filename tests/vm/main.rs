//! What needs a stock kernel: Debian's, booted in a virtual machine, with this very executable and chaosrun on board.
#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

mod cpio;
mod kernel;
mod machine;
mod netem;
mod network;
mod programs;

use std::fs;
use std::process::Command;

use machine::inside;

/// Runs the rest of the test inside the machine: what calls this returns at once there.
macro_rules! only_inside {
    ($name:expr) => {
        if !inside() {
            return machine::run($name);
        }
    };
}

#[test]
fn the_stock_kernel_boots_with_what_network_faults_need() {
    only_inside!("the_stock_kernel_boots_with_what_network_faults_need");
    let version = fs::read_to_string("/proc/version").unwrap();
    assert!(version.contains("Debian"), "{version}");
    let modules = fs::read_to_string("/proc/modules").unwrap();
    for module in ["sch_netem", "ifb", "nft_queue", "nft_fwd_netdev"] {
        assert!(modules.contains(module), "{module} is not among {modules}");
    }
    let chaosrun = Command::new(env!("CARGO_BIN_EXE_chaosrun"))
        .arg("--version")
        .output()
        .unwrap();
    assert!(chaosrun.status.success());
}

#[test]
fn a_test_that_fails_inside_fails_outside_with_its_words() {
    let name = "a_test_that_fails_inside_fails_outside_with_its_words";
    if inside() {
        panic!("these are its words");
    }
    let error = machine::boot(name, machine::PATIENCE).unwrap_err();
    assert!(error.contains("these are its words"), "{error}");
    assert!(error.contains("ended with status 101"), "{error}");
}

#[test]
fn a_machine_that_hangs_is_switched_off() {
    let name = "a_machine_that_hangs_is_switched_off";
    if inside() {
        std::thread::park();
    }
    let error = machine::boot(name, std::time::Duration::from_secs(20)).unwrap_err();
    assert!(error.contains("switched off after 20 s"), "{error}");
}

#[test]
fn netem_comes_and_goes_without_a_trace() {
    only_inside!("netem_comes_and_goes_without_a_trace");
    netem::comes_and_goes();
}

#[test]
fn netem_does_nothing_once_its_agent_is_gone() {
    only_inside!("netem_does_nothing_once_its_agent_is_gone");
    netem::does_nothing_once_its_agent_is_gone();
}

#[test]
fn netem_leaves_alone_what_is_not_its_own() {
    only_inside!("netem_leaves_alone_what_is_not_its_own");
    netem::leaves_alone_what_is_not_its_own();
}

#[test]
fn netem_refuses_what_it_cannot_do() {
    only_inside!("netem_refuses_what_it_cannot_do");
    netem::refuses_what_it_cannot_do();
}

#[test]
fn netem_leaves_to_queue_what_it_refuses() {
    only_inside!("netem_leaves_to_queue_what_it_refuses");
    netem::leaves_to_queue_what_it_refuses();
}

#[test]
fn netem_lets_go_what_it_holds() {
    only_inside!("netem_lets_go_what_it_holds");
    netem::lets_go_what_it_holds();
}

/// Where the kernel has both back ends, both do the same; [`netem_comes_and_goes_without_a_trace`] makes sure that it has.
#[test]
fn netem_passes_the_table() {
    machine::run_agents("netem_");
}

#[test]
fn queue_passes_the_table() {
    machine::run_agents("queue_");
}
