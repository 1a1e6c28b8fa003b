use std::time::Duration;

use crate::scenario::testing::{check, problems};
use crate::scenario::{Step, Trigger};

const BASE: &str = "[probes.p]\ntcp = { address = \"a:1\" }\n[targets.t]\nservice = \"s\"\n[[slos]]\nprobe = \"p\"\nsuccess = \">= 1%\"\n";

fn steps(text: &str) -> Vec<Step> {
    check(&format!("{BASE}{text}")).steps
}

fn wrong(text: &str) -> Vec<String> {
    problems(&format!("{BASE}{text}"))
}

#[test]
fn steps_start_at_after_or_when() {
    let steps = steps(
        "[[steps]]\nfault.kill = { target = \"t\" }\n\
         [[steps]]\nname = \"b\"\nafter = \"kill-1\"\nfor = \"2s\"\nfault.pause = { target = \"t\" }\n\
         [[steps]]\nwhen = { probe = \"p\", steady = \"5s\" }\n[steps.fault.stop]\ntarget = \"t\"\n",
    );
    assert_eq!(steps[0].name, "kill-1");
    assert_eq!(steps[0].trigger, Trigger::At(Duration::ZERO));
    assert_eq!(steps[1].trigger, Trigger::After("kill-1".into()));
    assert_eq!(steps[1].hold, Some(Duration::from_secs(2)));
    assert_eq!(steps[2].name, "stop-3");
    assert_eq!(
        steps[2].trigger,
        Trigger::Steady {
            probe: "p".into(),
            steady: Duration::from_secs(5),
            within: Duration::from_secs(30),
        }
    );
}

#[test]
fn a_cycle_is_reported_once_and_waiting_for_oneself_too() {
    assert_eq!(
        wrong(
            "[[steps]]\nname = \"a\"\nafter = \"c\"\nfault.pause = { target = \"t\" }\n\
             [[steps]]\nname = \"b\"\nafter = \"a\"\nfault.pause = { target = \"t\" }\n\
             [[steps]]\nname = \"c\"\nafter = \"b\"\nfault.pause = { target = \"t\" }\n\
             [[steps]]\nname = \"d\"\nafter = \"d\"\nfault.pause = { target = \"t\" }\n\
             [[steps]]\nname = \"e\"\nafter = \"aa\"\nfault.pause = { target = \"t\" }\n"
        ),
        [
            "10: steps wait for each other: `a` after `c` after `b` after `a` (let one of them start `at` a time)",
            "22: step `d` waits for itself (say `at = \"...\"`, or `after` another step)",
            "26: no step named `aa` (known here: `a`, `b`, `c` or `d`)",
        ]
    );
}

#[test]
fn impossible_steps() {
    assert_eq!(
        wrong(
            "[[steps]]\nname = \"all\"\nat = \"1s\"\nafter = \"x\"\nfor = \"1s\"\nfault.restart = { target = \"t\" }\n\
             [[steps]]\nname = \"x\"\nwhen = { probe = \"p\", steady = \"1m\" }\nfault.pause = { target = \"t\" }\n\
             [[steps]]\nname = \"x\"\nfor = \"1s\"\nfault.kill = { target = \"t\", by = \"crash\", restore = \"none\" }\n\
             [[steps]]\nfault.memory = { target = \"t\" }\n\
             [[steps]]\nfault.puase = { target = \"t\" }\n\
             [[steps]]\nat = \"9s\"\nfault.kill = { target = \"t\" }\nfault.stop = { target = \"t\" }\n\
             [[steps]]\nname = \"no-fault\"\n"
        ),
        [
            "9: a step cannot be named `all` [this is a phase's name] (SLOs say `during = \"...\"` with either: take another name)",
            "11: a step starts either `at` or `after` (keep one of them)",
            "12: this `restart` cannot last [it is over as soon as the container runs again] (remove `for`)",
            "16: steady for 1m cannot be seen within 30s (raise `within`, or lower `steady`)",
            "19: two steps are named `x` [a second one] (give one of them another `name`)",
            "20: this `kill` cannot last [chaosrun does not end it] (remove `for`)",
            "23: the fault `memory` is not yet supported [expected `kill`, `stop`, `restart`, `pause`, `disconnect`, `delay`, `loss`, `corrupt`, `duplicate`, `reorder`, `rate`, `network`, `partition`, `blackhole`, `reset` or `dns`]",
            "25: no fault named `puase` (did you mean `pause`?)",
            "29: a step has one fault [a second one] (give each fault a step of its own)",
            "30: this step has no `fault` (add `fault.kill = { target = \"NAME\" }`)",
        ]
    );
}

#[test]
fn the_same_fault_hits_the_same_target_once_at_a_time() {
    let two = |second: &str| {
        format!(
            "[[steps]]\nname = \"a\"\nat = \"1s\"\nfor = \"4s\"\nfault.pause = {{ target = \"t\" }}\n[[steps]]\n{second}\n"
        )
    };
    assert_eq!(
        wrong(&two("at = \"4s\"\nfault.pause = { target = \"t\" }")),
        [
            "15: target `t` would be hit by two `pause` at the same time [the second one] (start it `after = \"a\"`)"
        ]
    );
    for fine in [
        "at = \"5s\"\nfault.pause = { target = \"t\" }",
        "after = \"a\"\nfault.pause = { target = \"t\" }",
        "at = \"5s\"\nfault.stop = { target = \"t\" }",
    ] {
        assert_eq!(steps(&two(fine)).len(), 2);
    }
}

#[test]
fn what_is_certainly_paused_or_down_cannot_be_hit() {
    const MORE: &str = "[targets.c]\ncontainer = \"c\"\n[targets.same]\ncontainer = \"c\"\n\
        [targets.all]\nservice = \"s\"\npick = \"all\"\n[targets.some]\nservice = \"s\"\npick = \"one\"\n[targets.skip]\ncontainer = \"c\"\non_empty = \"skip\"\n";
    let two = |first: &str, second: &str| {
        format!(
            "{MORE}[[steps]]\nname = \"a\"\nat = \"1s\"\n{first}\n[[steps]]\nname = \"b\"\n{second}\n"
        )
    };
    let pause = "for = \"4s\"\nfault.pause = { target = \"c\" }";
    let stop = "at = \"4s\"\nfault.stop = { target = \"same\" }";
    let why = |state: &str, target: &str, hint: &str| {
        format!(
            "target `{target}` is {state} by step `a` when step `b` starts [a fault needs a container that runs] ({hint})"
        )
    };
    let later = "start it `after = \"a\"`";
    for (first, second, expected) in [
        (pause, stop, why("paused", "same", later)),
        (
            "fault.stop = { target = \"all\" }",
            "at = \"3s\"\nfault.disconnect = { target = \"all\" }",
            why("taken down", "all", later),
        ),
        (
            "fault.kill = { target = \"c\", restore = \"none\" }",
            "at = \"1m\"\nfault.pause = { target = \"c\" }",
            why(
                "taken down",
                "c",
                "nothing brings it back: start it before `a`",
            ),
        ),
    ] {
        let found = wrong(&two(first, second));
        assert_eq!(found.len(), 1, "{found:?}");
        assert!(found[0].ends_with(&expected), "{found:?}");
    }
    for (first, second) in [
        (pause, "at = \"5s\"\nfault.stop = { target = \"same\" }"),
        (pause, "at = \"4s\"\nfault.stop = { target = \"skip\" }"),
        (pause, "at = \"4s\"\nfault.stop = { target = \"all\" }"),
        ("fault.disconnect = { target = \"c\" }", stop),
        (
            "fault.kill = { target = \"c\", by = \"crash\" }",
            "at = \"3s\"\nfault.pause = { target = \"c\" }",
        ),
        (
            "fault.pause = { target = \"some\" }",
            "at = \"3s\"\nfault.stop = { target = \"some\" }",
        ),
    ] {
        assert_eq!(steps(&two(first, second)).len(), 2);
    }
}

#[test]
fn a_target_has_one_network_fault_at_a_time() {
    let two = |second: &str| {
        wrong(&format!(
            "[[steps]]\nname = \"slow\"\nfault.delay = {{ target = \"t\", latency = \"1ms\" }}\n\
             [[steps]]\n{second}\nfault.loss = {{ target = \"t\", percent = \"1%\" }}\n"
        ))
    };
    assert_eq!(
        two("at = \"2s\""),
        [
            "13: target `t` would be hit by two faults of the network at the same time [the second one] \
             (start it `after = \"slow\"`, or put both into one `fault.network`)"
        ]
    );
    assert!(two("after = \"slow\"").is_empty());
    assert!(two("at = \"6s\"").is_empty());
}
