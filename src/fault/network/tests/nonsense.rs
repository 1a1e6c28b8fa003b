//! Values that make no sense.

use crate::fault::testing::problems;

#[test]
fn what_makes_no_sense() {
    let delay = |more: &str| problems(&format!("delay = {{ target = \"t\", {more} }}"));
    assert_eq!(
        delay("latency = \"10ms\", jitter = \"20ms\""),
        [
            "a `jitter` of 20ms is more than the `latency` of 10ms (no packet can arrive before it was sent: raise `latency`, or lower `jitter`)"
        ]
    );
    assert_eq!(
        delay("latency = \"10ms\", correlation = \"5%\""),
        ["`correlation` without `jitter` says nothing (add `jitter = \"10ms\"`, or remove it)"]
    );
    let loss = |percent: &str| {
        problems(&format!(
            "loss = {{ target = \"t\", percent = \"{percent}\" }}"
        ))
    };
    assert_eq!(
        loss("0.00000001%"),
        [
            "`percent` of 0.00000001% is one packet in 10000000000, which no step lasts long enough to meet [expected at least 0.0001%]"
        ]
    );
    assert_eq!(loss("0.0001%"), Vec::<String>::new());
    assert_eq!(
        delay("latency = \"2m\""),
        [
            "every packet is held up for at least 2m, and this fault lasts 5s [expected packets to come through late before it is taken back] \
             (raise `for`, or lower `latency`; where nothing is to come through, say `fault.blackhole`)",
            "a `latency` of 2m [expected at most 1m]"
        ]
    );
    assert_eq!(
        delay("to = \"x\""),
        ["fault `delay` has no `latency` (add `latency = \"100ms\"`)"]
    );
    assert_eq!(
        delay("latency = \"1ms\", to = []"),
        ["`to` names nothing (without `to`, all are meant)"]
    );
    assert_eq!(
        delay("latency = \"1ms\", to = \"127.0.0.11\""),
        [
            "`127.0.0.11` is loopback, which is never touched (for what a container asks its name server use `fault.dns`)"
        ]
    );
    for wrong in ["10.0.0.300", "10.0.0.0/99", "fd00::/200"] {
        assert_eq!(
            delay(&format!("latency = \"1ms\", to = \"{wrong}\"")),
            [format!(
                "`to` cannot be `{wrong}` [expected an address such as \"10.0.0.3\", a network such as \"10.0.0.0/24\", or a name]"
            )]
        );
    }
    assert_eq!(
        delay("latency = \"1ms\", ports = 80, protocol = \"icmp\""),
        ["ICMP has no ports (remove `ports`, or say `protocol = \"tcp\"`)"]
    );
    for (ports, told) in [
        (
            "0",
            "expected a port from 1 to 65535, or a range such as \"8000-8100\"",
        ),
        (
            "\"70000\"",
            "expected a port from 1 to 65535, or a range such as \"8000-8100\"",
        ),
        ("\"90-80\"", "expected the lower port first: \"80-90\""),
    ] {
        let shown = ports.trim_matches('"');
        assert_eq!(
            delay(&format!("latency = \"1ms\", ports = {ports}")),
            [format!("`ports` cannot be `{shown}` [{told}]")]
        );
    }
}

#[test]
fn a_delay_that_no_packet_outlasts_is_none() {
    let told = |delay: &str, long: &str| {
        problems(&format!("delay = {{ target = \"t\", {delay} }}\n{long}"))
    };
    let of = |least: &str, lasts: &str| {
        format!(
            "every packet is held up for at least {least}, and this fault lasts {lasts} [expected packets to come through late before it is taken back] \
             (raise `for`, or lower `latency`; where nothing is to come through, say `fault.blackhole`)"
        )
    };
    assert_eq!(told("latency = \"5s\"", ""), [of("5s", "5s")]);
    let for_ten = told("latency = \"20s\", jitter = \"5s\"", "for = \"10s\"");
    assert_eq!(for_ten, [format!("10: {}", of("15s", "10s"))]);
    let network = "network = { target = \"t\", latency = \"6s\", reorder = \"5%\" }";
    assert_eq!(problems(network), [""; 0], "some overtake");
    for fine in [
        ("latency = \"4900ms\"", ""),
        ("latency = \"20s\"", "for = \"21s\""),
        ("latency = \"10s\", jitter = \"6s\"", ""),
        (
            "latency = \"10s\", jitter = \"2s\", distribution = \"normal\"",
            "",
        ),
    ] {
        assert!(told(fine.0, fine.1).is_empty(), "{fine:?}");
    }
}

#[test]
fn shares_and_rates_that_make_no_sense() {
    let loss = |more: &str| problems(&format!("loss = {{ target = \"t\", {more} }}"));
    assert_eq!(
        loss("percent = \"0%\""),
        ["`percent` of 0% changes nothing [expected more than 0%]"]
    );
    assert_eq!(
        loss("percent = \"1%\", correlation = \"100%\""),
        [
            "with a `correlation` of 100% every packet fares as the first one did [expected less than 100%]"
        ]
    );
    assert_eq!(
        loss("percent = \"1%\", model = { markov = { p13 = \"1%\" } }"),
        ["a loss has either a `model` or `percent` (keep one of them)"]
    );
    assert_eq!(
        loss(
            "model = { gilbert_elliott = { p = \"1%\", r = \"2%\", bad = \"5%\", good = \"5%\" } }"
        ),
        ["the good state loses as much as the bad one [expected `good` to be less than `bad`]"]
    );
    assert_eq!(
        loss("model = { markov = { p13 = \"60%\", p14 = \"50%\" } }"),
        ["p13 and p14 are 110% together [expected at most 100% for what follows one state]"]
    );
    assert_eq!(
        problems("rate = { target = \"t\", rate = \"8kbit\" }"),
        [
            "a `rate` of 8kbit is less than one packet of 1500 bytes a second [expected at least 12kbit]"
        ]
    );
    assert_eq!(
        problems("rate = { target = \"t\", rate = \"10MB\" }"),
        [
            "`rate` cannot be `10MB` [expected bits per second with their unit, such as \"512kbit\", \"10mbit\" or \"1gbit\"]"
        ]
    );
    assert_eq!(
        problems("reorder = { target = \"t\", percent = \"100%\", latency = \"1ms\" }"),
        [
            "where every packet overtakes, none does [expected less than 100%] (or say `gap = 5`: every fifth packet overtakes)"
        ]
    );
    assert_eq!(
        problems("network = { target = \"t\" }"),
        ["fault `network` does nothing (add `latency = \"100ms\"`, `loss = \"1%\"` or another)"]
    );
    assert_eq!(
        problems("network = { target = \"t\", reorder = \"5%\" }"),
        [
            "`reorder` without `latency` says nothing [what is not delayed cannot be overtaken] (add `latency = \"10ms\"`)"
        ]
    );
    assert_eq!(
        problems("dns = { target = \"t\", names = \"a b\", answer = [\"failure\", \"10.0.0.1\"] }"),
        [
            "`names` cannot be `a b` [expected a name such as \"redis\" or \"example.com\"]",
            "one answer cannot be several things [expected one word, or addresses only]",
        ]
    );
}
