//! Disks that are full.

use std::fs::File;
use std::io::Write as _;
use std::path::{Path, PathBuf};
use std::process::Command;

use crate::stage::{Stage, until};
use crate::{PAUSE, with};

/// A very small file system, unmounted whatever becomes of the test.
struct Disk(PathBuf);

impl Disk {
    fn mount(at: PathBuf, size: &str) -> Self {
        std::fs::create_dir_all(&at).unwrap();
        let status = Command::new("mount")
            .args(["-t", "tmpfs", "-o", &format!("size={size}"), "misfortune"])
            .arg(&at)
            .status();
        assert!(status.unwrap().success(), "mounting a tmpfs needs root");
        Self(at)
    }

    fn fill(&self) {
        // To the last byte: writes until the file system refuses.
        use std::io::Write as _;
        let mut file = std::fs::File::create(self.0.join("ballast")).unwrap();
        for chunk in [4096, 1] {
            while file.write_all(&vec![0; chunk]).is_ok() {}
        }
    }

    fn path(&self) -> &Path {
        &self.0
    }
}

impl Drop for Disk {
    fn drop(&mut self) {
        Command::new("umount").arg("-l").arg(&self.0).status().ok();
    }
}

#[test]
fn no_room_for_the_report_means_no_fault() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let before = stage.life(&web);
    let disk = Disk::mount(stage.reports(), "64k");
    disk.fill();
    stage
        .play(&with(PAUSE))
        .expect(3)
        .says("No space left on device");
    assert_eq!(stage.life(&web), before);
    assert!(stage.journals().is_empty());
}

#[test]
fn a_report_disk_that_fills_up_ends_the_run_and_reverts() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let disk = Disk::mount(stage.reports(), "256k");
    let mut run = stage.start(&with("for = \"60s\"\nfault.pause = { target = \"web\" }"));
    run.await_event("injected", "", "");
    assert_eq!(stage.status(&web), "paused");
    disk.fill();
    until("it is no longer paused", || stage.status(&web) == "running");
    run.end().expect(3).says("No space left on device");
    assert!(stage.journals().is_empty());
}

#[test]
fn without_a_journal_nothing_is_done() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let before = stage.life(&web);
    let disk = Disk::mount(stage.state(), "64k");
    disk.fill();
    let played = stage
        .play(&with(PAUSE))
        .expect(3)
        .says("No space left on device");
    assert!(!played.injected());
    assert_eq!(stage.life(&web), before);
}

#[test]
fn a_state_folder_that_is_none_means_no_fault() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let before = stage.life(&web);
    std::fs::write(stage.state(), "").unwrap();
    let played = stage
        .play(&with(PAUSE))
        .expect(3)
        .says("set CHAOSRUN_STATE to a folder");
    assert!(played.dir.is_none());
    assert_eq!(stage.life(&web), before);
}

/// A log that is cut off while the fault is in force, and a terminal that is gone before anything is done.
#[test]
fn nobody_listening_changes_no_verdict() {
    let stage = Stage::set();
    let web = stage.web("web", &[]);
    let (reader, writer) = std::io::pipe().unwrap();
    let mut run = stage.start_with(&with(PAUSE), &stage.reports(), |command| {
        command.stderr(writer);
    });
    run.await_event("injected", "", "");
    drop(reader);
    run.end().expect(0);
    assert_eq!(stage.status(&web), "running");
    let closed = || std::io::pipe().unwrap().1;
    let mut run = stage.start_with(&with(PAUSE), &stage.reports(), |command| {
        command.stdout(closed()).stderr(closed());
    });
    run.await_event("injected", "", "");
    run.end().expect(0);
    assert_eq!(stage.status(&web), "running");
}

/// Else what is left of it may do for a receipt.
fn fill_last_page(journal: &Path) {
    let mut file = File::options().append(true).open(journal).unwrap();
    let over = file.metadata().unwrap().len() as usize % 4096;
    file.write_all("\n".repeat(4096 - over).as_bytes()).unwrap();
}

const PART: &str = "for = \"2s\"\nfault.disconnect = { target = \"web\" }";

/// Puts the container into the stage's network under a name of so many letters, which its intent in the journal holds.
fn connect(stage: &Stage, web: &str, letters: usize) {
    let alias = "a".repeat(letters);
    stage.try_docker(["network", "disconnect", &stage.name, web]);
    stage.docker(["network", "connect", "--alias", &alias, &stage.name, web]);
}

#[test]
fn a_journal_disk_that_fills_up_before_the_fault_keeps_it_from_happening() {
    let stage = Stage::set();
    let network = stage.network();
    let web = stage.web("web", &["--network", &network]);
    // Longer than what is left of the journal's page.
    connect(&stage, &web, 5000);
    let before = stage.life(&web);
    let disk = Disk::mount(stage.state(), "64k");
    let mut run = stage.start(&with(PART));
    run.await_event("phase", "phase", "baseline");
    disk.fill();
    let played = run.end().expect(3).says("No space left on device");
    assert!(!played.injected());
    assert_eq!(stage.life(&web), before);
    assert!(stage.journals().is_empty());
}

#[test]
fn a_journal_disk_that_fills_up_during_the_fault_does_not_keep_it_from_being_undone() {
    let stage = Stage::set();
    let network = stage.network();
    let web = stage.web("web", &["--network", &network]);
    let networks = || stage.field(&web, "{{len .NetworkSettings.Networks}}");
    let disk = Disk::mount(stage.state(), "64k");
    let mut run = stage.start(&with(PART));
    run.await_event("injected", "", "");
    fill_last_page(&stage.journals()[0]);
    disk.fill();
    assert_eq!(networks(), "0");
    let played = run.end().expect(5).says("chaosrun recover");
    assert_eq!(played.report()["steps"][0]["revert"]["verified"], true);
    assert_eq!(networks(), "1");
    assert_eq!(stage.journals().len(), 1);
    // With room again, it is found to be undone.
    std::fs::remove_file(disk.path().join("ballast")).unwrap();
    let (code, said) = stage.recover(&[]);
    assert_eq!(code, Some(0), "{said}");
    assert!(stage.journals().is_empty());
    assert_eq!(networks(), "1");
}
