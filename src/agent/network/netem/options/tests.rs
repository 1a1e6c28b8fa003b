use std::time::Duration;

use super::super::super::netlink::wire::{attribute, attributes};
use super::*;
use crate::impairment::{Distribution, Reorder};

const PLAIN: Framing = Framing(0);

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

/// The fixed part, then each attribute but the seed; a correlation of nothing is left out, as `tc` leaves it out.
fn shown(line: &Line) -> Vec<String> {
    let bytes = options(line, 7, PLAIN).unwrap();
    let (fixed, rest) = bytes.split_at(24);
    assert_eq!(attribute(rest, SEED), Some(&7_u64.to_ne_bytes()[..]));
    let mut all = vec![hex(fixed)];
    all.extend(
        attributes(rest)
            .filter(|(kind, value)| *kind != SEED && (*kind, *value) != (1, &[0; 12][..]))
            .map(|(kind, value)| format!("{kind} {}", hex(value))),
    );
    all
}

fn percent(probability: f64, correlation: f64) -> Chance {
    Chance {
        probability: probability / 100.0,
        correlation: correlation / 100.0,
    }
}

fn delay(latency: u64, jitter: u64) -> Delay {
    Delay {
        latency: Duration::from_millis(latency),
        jitter: Duration::from_millis(jitter),
        correlation: 0.0,
        distribution: Distribution::Uniform,
    }
}

// What is expected below is what `tc` of iproute2 6.1 was seen to send, with a limit of 50 000, little endian.

#[test]
fn losses_are_what_tc_sends() {
    let lost = |loss| {
        shown(&Line {
            loss: Some(loss),
            ..Line::default()
        })
    };
    // loss 1% 25%
    assert_eq!(
        lost(Loss::Random(percent(1.0, 25.0))),
        [
            "0000000050c30000295c8f02000000000000000000000000",
            "1 000000000000004000000000"
        ]
    );
    // loss gemodel 1% 10% 70% 0.1%
    assert_eq!(
        lost(Loss::GilbertElliott {
            p: 0.01,
            r: 0.1,
            bad: 0.7,
            good: 0.001
        }),
        [
            "0000000050c3000000000000000000000000000000000000",
            "5 14000200295c8f029a999919cdcccc4c37894100"
        ]
    );
    // loss state 1% 10% 20% 30% 2%
    assert_eq!(
        lost(Loss::Markov {
            p13: 0.01,
            p31: 0.1,
            p32: 0.2,
            p23: 0.3,
            p14: 0.02
        }),
        [
            "0000000050c3000000000000000000000000000000000000",
            "5 18000100295c8f029a9999193333333352b81e05cdcccc4c"
        ]
    );
}

#[test]
fn what_leaves_one_state_never_adds_up_to_more_than_all() {
    let inner = model(&Loss::Markov {
        p13: 0.5,
        p31: 0.5,
        p32: 0.5,
        p23: 1.0,
        p14: 0.5,
    });
    let inner = inner.unwrap();
    let numbers: Vec<_> = attribute(inner.as_bytes(), MARKOV)
        .unwrap()
        .chunks(4)
        .map(|word| u32::from_ne_bytes(word.try_into().unwrap()))
        .collect();
    assert!(numbers[0].checked_add(numbers[3]).is_some(), "{numbers:?}");
    assert!(numbers[1].checked_add(numbers[2]).is_some(), "{numbers:?}");
}

#[test]
fn what_is_changed_doubled_and_reordered_is_what_tc_sends() {
    // corrupt 0.1% 10%
    let line = Line {
        corrupt: Some(percent(0.1, 10.0)),
        ..Line::default()
    };
    assert_eq!(
        shown(&line),
        [
            "0000000050c3000000000000000000000000000000000000",
            "4 378941009a999919"
        ]
    );
    // duplicate 1% 5%, but for the correlation, which that `tc` forgets to send.
    let line = Line {
        duplicate: Some(percent(1.0, 5.0)),
        ..Line::default()
    };
    assert_eq!(
        shown(&line),
        [
            "0000000050c300000000000000000000295c8f0200000000",
            "1 0000000000000000cdcccc0c"
        ]
    );
    // reorder 25% 50% gap 5
    let reorder = |gap| Line {
        delay: Some(delay(10, 0)),
        reorder: Some(Reorder {
            chance: percent(25.0, 50.0),
            gap,
        }),
        ..Line::default()
    };
    let [fixed, .., last] = &shown(&reorder(5))[..] else {
        panic!("nothing");
    };
    assert_eq!(fixed, "0000000050c3000000000000050000000000000000000000");
    assert_eq!(last, "3 0000004000000080");
    // Without a gap, `tc` says 1.
    for gap in [0, 1] {
        let fixed = &shown(&reorder(gap))[0];
        assert_eq!(fixed, "0000000050c3000000000000010000000000000000000000");
    }
}

#[test]
fn delays_are_said_in_nanoseconds() {
    let mut asked = delay(100, 10);
    asked.correlation = 0.25;
    let line = |delay: &Delay| Line {
        delay: Some(delay.clone()),
        ..Line::default()
    };
    assert_eq!(
        shown(&line(&asked)),
        [
            "0000000050c3000000000000000000000000000000000000",
            "1 000000400000000000000000",
            "10 00e1f50500000000",
            "11 8096980000000000"
        ]
    );
    asked.distribution = Distribution::Normal;
    let bytes = options(&line(&asked), 7, PLAIN).unwrap();
    let table = attribute(&bytes[24..], DISTRIBUTION).unwrap();
    assert_eq!(table.len(), 2 * 4096);
    // Without jitter there is nothing to spread.
    asked.jitter = Duration::ZERO;
    let bytes = options(&line(&asked), 7, PLAIN).unwrap();
    assert_eq!(attribute(&bytes[24..], DISTRIBUTION), None);
}

#[test]
fn rates_are_of_whole_ip_packets() {
    let line = |rate| Line {
        rate: Some(rate),
        ..Line::default()
    };
    let sent = |rate, framing| {
        let bytes = options(&line(rate), 7, Framing(framing)).unwrap();
        hex(attribute(&bytes[24..], RATE).unwrap())
    };
    // rate 1mbit -14
    assert_eq!(sent(1_000_000, 14), "48e80100f2ffffff0000000000000000");
    assert_eq!(sent(1_000_000, 0), "48e80100000000000000000000000000");
    // rate 40gbit
    assert_eq!(
        shown(&line(40_000_000_000))[1..],
        ["8 00f2052a01000000", "6 ffffffff000000000000000000000000"]
    );
}

#[test]
fn what_netem_cannot_do_is_refused_with_a_reason() {
    let refused = |line: Line| options(&line, 7, PLAIN).unwrap_err();
    let rate = refused(Line {
        rate: Some(7),
        ..Line::default()
    });
    assert!(rate.contains("begins at 8 bits"), "{rate}");
    let jitter = refused(Line {
        delay: Some(delay(3000, 2148)),
        ..Line::default()
    });
    assert!(jitter.contains("jitter ends at 2.1s"), "{jitter}");
    let latency = refused(Line {
        delay: Some(delay(u64::MAX, 0)),
        ..Line::default()
    });
    assert!(latency.contains("latency ends before"), "{latency}");
}
