//! What people see when a scenario is wrong.

use std::path::Path;

use chaosrun::scenario::{Inputs, check};
use insta::assert_snapshot;

const PROBE: &str = "[probes.write]\nhttp = { url = \"http://node:8080/\" }\n";
const STEP: &str =
    "[targets.primary]\nservice = \"node\"\n[[steps]]\nfault.pause = { target = \"primary\" }\n";
const SLO: &str = "[[slos]]\nprobe = \"write\"\nsuccess = \">= 99%\"\n";

fn shown(source: &str) -> String {
    check(Path::new("bad.toml"), source, &Inputs::default())
        .expect_err("it has problems")
        .render(false, 100)
}

#[test]
fn unknown_key() {
    assert_snapshot!(shown("[probes.write]\ntimeuot = \"1s\"\nhttp = { url = \"http://node:8080/\" }\n"), @r#"
    error: unknown key `timeuot` in probe `write`
     --> bad.toml:2:1
      |
    2 | timeuot = "1s"
      | ^^^^^^^
      |
      = hint: did you mean `timeout`?
    "#);
}

#[test]
fn wrong_unit() {
    assert_snapshot!(shown("[probes.write]\nrate = \"50\"\ntimeout = 5\nhttp = { url = \"http://node:8080/\" }\n"), @r#"
    error: `rate` cannot be `50`
     --> bad.toml:2:8
      |
    2 | rate = "50"
      |        ^^^^ expected a rate above zero with its period, such as "50/s" or "30/m"
      |
      = hint: did you mean "50/s"?

    error: `timeout` cannot be `5`
     --> bad.toml:3:11
      |
    3 | timeout = 5
      |           ^ expected a duration with its unit, such as "250ms", "10s" or "1h30m"
      |
      = hint: did you mean "5s"?
    "#);
}

#[test]
fn dangling_names() {
    let text = "[targets.primary]\nservice = \"node\"\n\
        [[steps]]\nafter = \"kil\"\nfault.kill = { target = \"primry\" }\n\
        [[slos]]\nprobe = \"wirte\"\nduring = \"kill-2\"\nsuccess = \">= 99%\"\n";
    assert_snapshot!(shown(&format!("{PROBE}{text}")), @r#"
    error: no step named `kil`
     --> bad.toml:6:9
      |
    6 | after = "kil"
      |         ^^^^^
      |
      = hint: there is no other step: say `at = "..."`

    error: no target named `primry`
     --> bad.toml:7:25
      |
    7 | fault.kill = { target = "primry" }
      |                         ^^^^^^^^
      |
      = hint: did you mean `primary`?

    error: no probe named `wirte`
     --> bad.toml:9:9
      |
    9 | probe = "wirte"
      |         ^^^^^^^
      |
      = hint: did you mean `write`?

    error: no step or phase named `kill-2`
      --> bad.toml:10:10
       |
    10 | during = "kill-2"
       |          ^^^^^^^^
       |
       = hint: did you mean `kill-1`?
    "#);
}

#[test]
fn two_kinds() {
    assert_snapshot!(shown("[probes.write]\nhttp = { url = \"http://node:8080/\" }\ntcp = { address = \"node:8080\" }\n"), @r#"
    error: probe `write` has more than one kind of probe
     --> bad.toml:3:1
      |
    2 | http = { url = "http://node:8080/" }
      | ---- the first one
    3 | tcp = { address = "node:8080" }
      | ^^^ a second one
      |
      = hint: keep one of them
    "#);
}

#[test]
fn a_cycle() {
    let text = "[targets.t]\nservice = \"node\"\n\
        [[steps]]\nname = \"a\"\nafter = \"b\"\nfault.pause = { target = \"t\" }\n\
        [[steps]]\nname = \"b\"\nafter = \"a\"\nfault.stop = { target = \"t\" }\n";
    assert_snapshot!(shown(&format!("{PROBE}{SLO}{text}")), @r#"
    error: steps wait for each other: `a` after `b` after `a`
      --> bad.toml:10:9
       |
    10 | after = "b"
       |         ^^^
       |
       = hint: let one of them start `at` a time
    "#);
}

#[test]
fn nonsense_promises() {
    let text =
        "[[slos]]\nprobe = \"write\"\nsuccess = \"<= 50%\"\np99 = \">= 1s\"\nmax = \"<= 30s\"\n";
    assert_snapshot!(shown(&format!("{PROBE}{STEP}{text}")), @r#"
    error: `success` `<= 50%` is no promise
     --> bad.toml:9:11
      |
    9 | success = "<= 50%"
      |           ^^^^^^^^ it gets better upwards
      |
      = hint: did you mean ">= 50%"?

    error: `p99` `>= 1s` is no promise
      --> bad.toml:10:7
       |
    10 | p99 = ">= 1s"
       |       ^^^^^^^ it gets better downwards
       |
       = hint: did you mean "<= 1s"?

    error: this holds whatever the system does
      --> bad.toml:11:7
       |
    11 | max = "<= 30s"
       |       ^^^^^^^^ requests of probe `write` are given up after 1s
       |
       = hint: raise the `timeout` of probe `write` above 30s
    "#);
}

#[test]
fn invalid_regex() {
    assert_snapshot!(shown(&format!("[targets.t]\nname = \"node-[0-9\"\n{PROBE}")), @r#"
    error: `name` is not a regular expression
     --> bad.toml:2:8
      |
    2 | name = "node-[0-9"
      |        ^^^^^^^^^^^ unclosed character class
      |
      = hint: `name` is a pattern; for one exact name use `container`
    "#);
}

#[test]
fn two_syntax_errors() {
    assert_snapshot!(shown("title = kill the primary\n[timing]\nbaseline = \"10s\nrecovery = \"5s\"\n"), @r#"
    error: not TOML: string values must be quoted, expected literal string
     --> bad.toml:1:9
      |
    1 | title = kill the primary
      |         ^^^^^^^^^^^^^^^^

    error: not TOML: invalid basic string, expected `"`
     --> bad.toml:3:16
      |
    3 | baseline = "10s
      |                ^
    "#);
}

#[test]
fn a_name_given_twice() {
    assert_snapshot!(shown(&format!("{PROBE}{PROBE}")), @r#"
    error: `write` is defined twice
     --> bad.toml:3:9
      |
    1 | [probes.write]
      |         ----- the first one
    2 | http = { url = "http://node:8080/" }
    3 | [probes.write]
      |         ^^^^^
      |
      = hint: a name can be given once: rename or remove one of them
    "#);
}

#[test]
fn a_placeholder_that_stands_for_nothing() {
    let text = "[vars]\nhost = \"node\"\n[probes.write]\nrate = \"{seq}/s\"\nhttp = { url = \"http://{hots}:8080/\", body = '{\"n\": 1}' }\n";
    assert_snapshot!(shown(text), @r#"
    error: `{seq}` has no value here
     --> bad.toml:4:9
      |
    4 | rate = "{seq}/s"
      |         ^^^^^
      |
      = hint: it is a request's number: only what a probe sends or expects can hold it

    error: no variable or secret named `hots`
     --> bad.toml:5:24
      |
    5 | http = { url = "http://{hots}:8080/", body = '{"n": 1}' }
      |                        ^^^^^^
      |
      = hint: did you mean `host`?

    error: `{` that begins no placeholder
     --> bad.toml:5:47
      |
    5 | http = { url = "http://{hots}:8080/", body = '{"n": 1}' }
      |                                               ^
      |
      = hint: write `{{` and `}}` for braces that are no placeholder

    error: a lone `}`
     --> bad.toml:5:54
      |
    5 | http = { url = "http://{hots}:8080/", body = '{"n": 1}' }
      |                                                      ^
      |
      = hint: write `{{` and `}}` for braces that are no placeholder
    "#);
}

#[test]
fn everything_at_once() {
    let text = r#"
titel = "x"
seed = -1

[system]
engine = "kubernetes"
compose = "compose.yaml"
project = "shop"

[targets.primary]
servce = "node"

[probes.write]
rate = "50 per second"
http = { url = "node:8080" }
expect = { status = "OK" }

[[slos]]
probe = "read"
succes = ">= 99%"

[[guards]]
probe = "write"
success = "> 20%"

[[steps]]
at = 5
fault.kill = { target = "primary", restore = "policy" }

[[steps]]
fault.clock = { target = "primary" }

[limits]
max_targets = "some"
"#;
    assert_snapshot!(shown(text), @r#"
    error: unknown key `titel` in a scenario
     --> bad.toml:2:1
      |
    2 | titel = "x"
      | ^^^^^
      |
      = hint: did you mean `title`?

    error: `seed` cannot be `-1`
     --> bad.toml:3:8
      |
    3 | seed = -1
      |        ^^ expected a whole number from 0 to 18446744073709551615

    error: the engine "kubernetes" is not yet supported
     --> bad.toml:6:10
      |
    6 | engine = "kubernetes"
      |          ^^^^^^^^^^^^ expected "docker"

    error: a system has either `compose` or `project`
     --> bad.toml:8:1
      |
    7 | compose = "compose.yaml"
      | ------- brings a stack up
    8 | project = "shop"
      | ^^^^^^^ attaches to what runs already
      |
      = hint: remove one of them

    error: unknown key `servce` in target `primary`
      --> bad.toml:11:1
       |
    11 | servce = "node"
       | ^^^^^^
       |
       = hint: did you mean `service`?

    error: `rate` cannot be `50 per second`
      --> bad.toml:14:8
       |
    14 | rate = "50 per second"
       |        ^^^^^^^^^^^^^^^ expected a rate above zero with its period, such as "50/s" or "30/m"

    error: `url` is not a URL
      --> bad.toml:15:16
       |
    15 | http = { url = "node:8080" }
       |                ^^^^^^^^^^^ expected "http://..." or "https://..."

    error: `status` cannot be `OK`
      --> bad.toml:16:21
       |
    16 | expect = { status = "OK" }
       |                     ^^^^ expected a whole number from 100 to 599

    error: no probe named `read`
      --> bad.toml:19:9
       |
    19 | probe = "read"
       |         ^^^^^^
       |
       = hint: known here: `write`

    error: unknown key `succes` in this SLO
      --> bad.toml:20:1
       |
    20 | succes = ">= 99%"
       | ^^^^^^
       |
       = hint: did you mean `success`?

    error: `success` `> 20%` would stop a healthy run
      --> bad.toml:24:11
       |
    24 | success = "> 20%"
       |           ^^^^^^^ a guard stops the run when this holds
       |
       = hint: did you mean "< 20%"?

    error: `at` cannot be `5`
      --> bad.toml:27:6
       |
    27 | at = 5
       |      ^ expected a duration with its unit, such as "250ms", "10s" or "1h30m"
       |
       = hint: did you mean "5s"?

    error: the engine holds the restart policy back after its own kill
      --> bad.toml:28:46
       |
    28 | fault.kill = { target = "primary", restore = "policy" }
       |                                              ^^^^^^^^ nothing would bring the container back
       |
       = hint: say `by = "crash"`

    error: the fault `clock` is not yet supported
      --> bad.toml:31:7
       |
    31 | fault.clock = { target = "primary" }
       |       ^^^^^ expected `kill`, `stop`, `restart`, `pause`, `disconnect`, `delay`, `loss`, `corrupt`, `duplicate`, `reorder`, `rate`, `network`, `partition`, `blackhole`, `reset` or `dns`

    error: `max_targets` cannot be `some`
      --> bad.toml:34:15
       |
    34 | max_targets = "some"
       |               ^^^^^^ expected a whole number from 1 to 1000000
    "#);
}

#[test]
fn an_unknown_var_on_the_command_line() {
    let inputs = Inputs {
        vars: [("rte".to_owned(), "5/s".to_owned())].into(),
        ..Inputs::default()
    };
    let source = format!("[vars]\nrate = \"1/s\"\n{PROBE}");
    let problems = check(Path::new("bad.toml"), &source, &inputs).unwrap_err();
    assert_snapshot!(problems.render(false, 100), @r#"
    error: `--var` gives `rte`, which no variable is named
     --> bad.toml:1:2
      |
    1 | [vars]
      |  ^^^^
      |
      = hint: did you mean `rate`?
    "#);
}

#[test]
fn colour_is_asked_for() {
    let source = "x = 1";
    let problems = check(Path::new("bad.toml"), source, &Inputs::default()).unwrap_err();
    assert!(problems.render(true, 100).contains('\u{1b}'));
    assert!(!problems.render(false, 100).contains('\u{1b}'));
}
