//! Undos that the engine refuses, and what the world looks like in the end.

use std::path::{Path, PathBuf};
use std::time::Duration;

use chaosrun::engine;
use chaosrun::inventory::{Instance, State};
use chaosrun::runtime::memory::Failure;
use chaosrun::verdict::judge;
use rustix::process::{Pid, Signal, WaitId, WaitIdOptions};

use crate::stage::{BASE, after, pause_a, stage, step, watch_a};

#[tokio::test(start_paused = true)]
async fn an_undo_refused_twice_is_tried_again() {
    let stage = stage();
    stage.refuse("unpause", 2);
    stage.run(&pause_a("3s")).await.passes();
    assert_eq!(
        stage.log(),
        ["pause a", "unpause a", "unpause a", "unpause a"]
    );
}

#[tokio::test(start_paused = true)]
async fn an_undo_refused_for_ever_is_dirty_until_somebody_recovers() {
    let stage = stage();
    stage.refuse("unpause", 1_000);
    let outcome = stage.run(&pause_a("3s")).await;
    outcome.is(5, "the revert of s (pause) on a could not be verified");
    outcome.says("no way");
    assert!(outcome.journal.unwrap().exists());
    let first = stage.recover().await;
    assert!(first[0].failed[0].contains("a, step s:"), "{first:?}");
    assert_eq!(stage.journals(), 1);
    let second = stage.recover().await;
    assert_eq!((second[0].undone.len(), second[0].failed.len()), (1, 0));
    assert_eq!(stage.state("a").await, State::Running);
    assert_eq!(stage.journals(), 0);
    assert!(stage.recover().await.is_empty());
}

/// More harm is not done on top of harm that cannot be undone.
#[tokio::test(start_paused = true)]
async fn no_step_follows_one_that_could_not_be_undone() {
    let stage = stage();
    stage.refuse("unpause", 400);
    let next = "[[steps]]\nname = \"n\"\nafter = \"s\"\nfault.stop = { target = \"b\" }\n";
    let outcome = stage.run(&format!("{}{next}", pause_a("3s"))).await;
    outcome.is(5, "could not be verified");
    assert!(!stage.log().contains(&"stop b".into()));
}

#[tokio::test(start_paused = true)]
async fn a_hung_undo_is_given_up_and_tried_anew() {
    let stage = stage();
    stage.engine.fail("unpause", Failure::Hang);
    let outcome = stage.run(&pause_a("3s")).await;
    outcome.passes();
    assert_eq!(stage.log(), ["pause a", "unpause a", "unpause a"]);
    for _ in 0..3 {
        stage.engine.fail("unpause", Failure::Hang);
    }
    let outcome = stage.run_as("run-2", &format!("{}{}", crate::stage::BASE, pause_a("3s")));
    outcome.await.is(5, "no answer within 14s");
}

#[tokio::test(start_paused = true)]
async fn what_went_with_its_container_is_recovered_by_saying_so() {
    let stage = stage();
    let kill = format!("{}for = \"3s\"\n", step("kill = { target = \"a\" }"));
    let outcome = stage
        .run_while(&kill, async {
            after(5.0).await;
            stage.engine.remove("a-id");
        })
        .await;
    outcome.is(5, "a is gone: it cannot be undone");
    let recovered = stage.recover().await;
    assert!(recovered[0].undone[0].contains("is gone"), "{recovered:?}");
    assert_eq!(stage.journals(), 0);
}

#[tokio::test(start_paused = true)]
async fn a_bystander_that_stays_down_is_the_systems_failure() {
    let stage = stage_with_c();
    let outcome = stage
        .run_while(&pause_a("3s"), async {
            after(5.0).await;
            stage.engine.crash("c-id");
        })
        .await;
    outcome.is(
        1,
        "c was running before and is exited with code 137 now: the system did not come back",
    );
    assert!(!outcome.report.differences[0].touched);
}

#[tokio::test(start_paused = true)]
async fn a_bystander_that_comes_back_in_time_is_fine() {
    let stage = stage_with_c();
    let outcome = stage
        .run_while(&pause_a("3s"), async {
            after(5.0).await;
            stage.engine.crash("c-id");
            after(8.0).await;
            stage
                .engine
                .happen("c-id", "start", |c| c.state = State::Running);
        })
        .await;
    outcome.passes();
}

fn stage_with_c() -> crate::stage::Stage {
    stage_with_c_of(Some("shop"))
}

/// `a`, which is hit, belongs to a Compose project; does `c`?
fn stage_with_c_of(project: Option<&str>) -> crate::stage::Stage {
    crate::stage::stage_of(["a", "b", "c"].map(|name| Instance {
        project: if name == "c" {
            project.map(Into::into)
        } else {
            Some("shop".into())
        },
        ..chaosrun::runtime::memory::instance(name)
    }))
}

#[tokio::test(start_paused = true)]
async fn what_has_no_part_in_the_system_may_go() {
    let stage = stage_with_c_of(None);
    let outcome = stage
        .run_while(&pause_a("3s"), async {
            after(5.0).await;
            stage.engine.crash("c-id");
        })
        .await;
    outcome.passes();
}

#[tokio::test(start_paused = true)]
async fn an_slo_breached_during_the_fault_alone_fails_the_run() {
    let stage = stage();
    let promise = watch_a("fault", "success = \">= 90%\"");
    let outcome = stage.run(&format!("{promise}{}", pause_a("3s"))).await;
    outcome.is(1, "success");
    let lenient = watch_a("recovery", "success = \">= 70%\"");
    let setup = format!("{}{lenient}{}", crate::stage::BASE, pause_a("3s"));
    stage.run_as("run-2", &setup).await.passes();
}

/// The reaper of a run with this journal, as the kernel lists it.
fn reaper(journal: &Path) -> Option<Pid> {
    let of_journal = |dir: &PathBuf| {
        let line = std::fs::read(dir.join("cmdline")).unwrap_or_default();
        String::from_utf8_lossy(&line).contains(&*journal.to_string_lossy())
    };
    let all = std::fs::read_dir("/proc").unwrap();
    let found = all.map(|entry| entry.unwrap().path()).find(of_journal)?;
    Pid::from_raw(found.file_name()?.to_str()?.parse().ok()?)
}

/// The same, once it has its command line: a child begins with none.
fn started_reaper(journal: &Path) -> Pid {
    let mut looks = (0..1_000).map(|_| {
        std::thread::sleep(Duration::from_millis(10));
        reaper(journal)
    });
    looks.find_map(|found| found).unwrap()
}

/// Kills it, and is back once its parent can be told so: that is when the last of its threads has ended.
fn kill_reaper(journal: &Path) {
    let pid = started_reaper(journal);
    rustix::process::kill_process(pid, Signal::KILL).unwrap();
    let told = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
    rustix::process::waitid(WaitId::Pid(pid), told).unwrap();
}

#[tokio::test(start_paused = true)]
async fn a_reaper_that_ends_is_replaced_and_without_one_nothing_goes_on() {
    let stage = stage();
    let program = stage.dir.path().join("program");
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_chaosrun"), &program).unwrap();
    let journal = |run: &str| stage.state_dir().join(format!("{run}.journal"));
    let with_reaper = |run: &'static str, steps: &str| {
        let mut setup = stage.setup(run, &format!("{BASE}{steps}"));
        setup.executable = Some(program.clone());
        async { judge(&engine::run(setup).await.unwrap().record) }
    };
    let (report, ()) = tokio::join!(with_reaper("run-1", &pause_a("3s")), async {
        after(2.0).await;
        kill_reaper(&journal("run-1"));
        after(1.0).await;
        started_reaper(&journal("run-1"));
    });
    assert_eq!(report.exit_code, 0, "{:?}", report.reasons);
    assert_eq!(reaper(&journal("run-1")), None);
    let history = std::fs::read_to_string(stage.dir.path().join("run-1/history.jsonl")).unwrap();
    let note = "the reaper had ended (signal: 9 (SIGKILL)): another was started";
    assert!(history.contains(note), "{history}");

    let (report, ()) = tokio::join!(with_reaper("run-2", &pause_a("60s")), async {
        after(6.0).await;
        assert_eq!(stage.state("a").await, State::Paused);
        std::fs::remove_file(&program).unwrap();
        kill_reaper(&journal("run-2"));
        after(1.0).await;
        assert_eq!(stage.state("a").await, State::Running);
    });
    assert_eq!(report.exit_code, 3, "{:?}", report.reasons);
    let why = "the reaper has ended (signal: 9 (SIGKILL)), and another cannot be started: No such";
    assert!(report.reasons[0].starts_with(why), "{:?}", report.reasons);
}
