//! Have packets met the impairment, and has it done to them what it should? From what the agent counted.

use super::{BackEnd, Chance, Counts, Effect, Impairment, Line, Reorder, Rule};
use crate::units::Share;

/// `counts` are those by rule, from the moment in which it was shown to be in force.
///
/// # Errors
/// What did not happen to any packet, with the numbers.
pub fn met(
    impairment: &Impairment,
    counts: &[Counts],
    back_end: BackEnd,
) -> Result<String, String> {
    let total = counts.iter().copied().fold(Counts::default(), Counts::and);
    let name = back_end.name();
    let told = match uncounted(impairment, back_end) {
        None => format!("{name}: {}", total.phrase()),
        Some(what) => format!(
            "{name}: {} (how many were {what} is not counted by {name})",
            total.phrase()
        ),
    };
    let lacks: Vec<String> = impairment
        .rules
        .iter()
        .zip(counts)
        .map(|(rule, counts)| lack(rule, counts, back_end).unwrap_or_default())
        .collect();
    // One side of a flow may well be silent.
    match lacks.iter().find(|lack| !lack.is_empty()) {
        Some(lack) if lacks.iter().all(|lack| !lack.is_empty()) => Err(format!("{told}: {lack}")),
        _ if lacks.is_empty() => Err(told),
        _ => Ok(told),
    }
}

/// What has to be counted at one of its targets at least, to show that it had an effect: `packets that were delayed`.
pub fn wanted(impairment: &Impairment) -> String {
    let mut all: Vec<String> = Vec::new();
    for rule in &impairment.rules {
        let one = match &rule.effect {
            Effect::Dns { .. } => "questions for these names".into(),
            Effect::Reset => "connections that were reset or refused".into(),
            Effect::Drop => "packets that it dropped".into(),
            Effect::Line(line) => of_line(line),
        };
        if !all.contains(&one) {
            all.push(one);
        }
    }
    all.join(", ")
}

fn of_line(line: &Line) -> String {
    let parts = parts(line, &Counts::default());
    let what: Vec<&str> = parts.iter().map(|part| part.what).collect();
    match what.as_slice() {
        [] => "packets that met it".into(),
        what => format!("packets that were {}", what.join(" and ")),
    }
}

fn lack(rule: &Rule, counts: &Counts, back_end: BackEnd) -> Option<String> {
    match &rule.effect {
        Effect::Dns { .. } if counts.answered == 0 && counts.reset == 0 => {
            Some("nobody asked for these names".to_owned())
        }
        Effect::Dns { .. } => None,
        // A connection that is ended as it begins need not send anything any more.
        Effect::Reset if counts.reset == 0 => Some("no connection was reset or refused".into()),
        Effect::Reset => None,
        _ if counts.packets == 0 => Some("no packet has met it".into()),
        Effect::Line(line) => in_line(line, counts, back_end),
        Effect::Drop => None,
    }
}

/// One thing that a line does to its packets.
struct Part {
    /// Done to them.
    what: &'static str,
    count: u64,
    /// Of all packets, where that is what was asked for.
    share: Option<f64>,
    /// netem says of its packets only how many it dropped, and how many passed.
    by_netem: bool,
}

impl Part {
    fn is_counted(&self, back_end: BackEnd) -> bool {
        self.by_netem || back_end == BackEnd::Queue
    }
}

/// Those that were asked for.
fn parts(line: &Line, counts: &Counts) -> Vec<Part> {
    let part = |what, count| Part {
        what,
        count,
        share: None,
        by_netem: true,
    };
    let of_all = |what, count, share| Part {
        what,
        count,
        share: Some(share),
        by_netem: false,
    };
    let chance = |what, count, asked: Chance| of_all(what, count, asked.probability);
    let overtaking = |reorder: Reorder| {
        let share = reorder.chance.probability / f64::from(reorder.gap.max(1));
        of_all("let past others", counts.reordered, share)
    };
    let all = [
        line.delay.as_ref().map(|_| part("delayed", counts.delayed)),
        line.loss.as_ref().map(|_| part("lost", counts.dropped)),
        line.corrupt
            .map(|asked| chance("corrupted", counts.corrupted, asked)),
        line.duplicate
            .map(|asked| chance("duplicated", counts.duplicated, asked)),
        line.reorder.map(overtaking),
    ];
    all.into_iter().flatten().collect()
}

fn in_line(line: &Line, counts: &Counts, back_end: BackEnd) -> Option<String> {
    parts(line, counts).iter().find_map(|part| {
        let what = part.what;
        match part.share {
            Some(share) if !part.is_counted(back_end) => {
                let few = format!("they are too few to be sure that one was {what}");
                may_be_none(share, counts.packets).then(|| instead(&few, share))
            }
            _ if part.count > 0 => None,
            Some(share) => Some(instead(&format!("none of them was {what}"), share)),
            None => Some(format!("none of them was {what}")),
        }
    })
}

fn instead(told: &str, share: f64) -> String {
    format!("{told}, where {} should be", Share(share))
}

/// Is it at all likely that chance took none of so many packets?
fn may_be_none(share: f64, packets: u64) -> bool {
    const UNLIKELY: f64 = 0.05;
    (1.0 - share.clamp(0.0, 1.0)).powf(packets as f64) > UNLIKELY
}

/// What was asked for that this back end does not count: `corrupted and duplicated`.
fn uncounted(impairment: &Impairment, back_end: BackEnd) -> Option<String> {
    let mut all: Vec<&str> = Vec::new();
    for rule in &impairment.rules {
        if let Effect::Line(line) = &rule.effect {
            let parts = parts(line, &Counts::default());
            let uncounted = parts.iter().filter(|part| !part.is_counted(back_end));
            for part in uncounted {
                if !all.contains(&part.what) {
                    all.push(part.what);
                }
            }
        }
    }
    (!all.is_empty()).then(|| all.join(" and "))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impairment::{Answer, Delay, Direction, Distribution, Flow, Loss};
    use std::time::Duration;

    fn of(effects: Vec<Effect>) -> Impairment {
        let flow = Flow {
            direction: Direction::Egress,
            peers: Vec::new(),
            ports: Vec::new(),
            protocol: None,
            at: Vec::new(),
        };
        let rule = |effect| Rule {
            flow: flow.clone(),
            effect,
        };
        Impairment {
            rules: effects.into_iter().map(rule).collect(),
            seed: 0,
        }
    }

    fn line(set: impl Fn(&mut Line)) -> Vec<Effect> {
        let mut line = Line::default();
        set(&mut line);
        vec![Effect::Line(Box::new(line))]
    }

    fn counts(set: impl Fn(&mut Counts)) -> Counts {
        let mut counts = Counts::default();
        set(&mut counts);
        counts
    }

    #[test]
    fn what_no_packet_met_had_no_effect() {
        let drop = of(vec![Effect::Drop]);
        let told = met(&drop, &[Counts::default()], BackEnd::Netem).unwrap_err();
        assert_eq!(told, "netem: 0 packets: no packet has met it");
        let some = counts(|c| c.packets = 3);
        assert_eq!(
            met(&drop, &[some], BackEnd::Netem).unwrap(),
            "netem: 3 packets"
        );
        let two = of(vec![Effect::Drop, Effect::Drop]);
        assert!(met(&two, &[Counts::default(), some], BackEnd::Queue).is_ok());
        assert!(met(&of(Vec::new()), &[], BackEnd::Queue).is_err());
    }

    #[test]
    fn a_reset_is_met_by_connections_and_not_by_packets() {
        let reset = of(vec![Effect::Reset]);
        let met = |counts| met(&reset, &[counts], BackEnd::Queue);
        let at_once = counts(|c| c.reset = 1);
        assert_eq!(met(at_once).unwrap(), "queue: 0 packets, 1 reset");
        let none = met(Counts::default()).unwrap_err();
        assert_eq!(none, "queue: 0 packets: no connection was reset or refused");
    }

    #[test]
    fn each_part_of_a_line_must_have_done_something() {
        let chance = Chance {
            probability: 0.01,
            correlation: 0.0,
        };
        let delay = of(line(|line| {
            line.delay = Some(Delay {
                latency: Duration::from_millis(5),
                jitter: Duration::ZERO,
                correlation: 0.0,
                distribution: Distribution::Uniform,
            });
        }));
        let loss = of(line(|line| line.loss = Some(Loss::Random(chance))));
        let corrupt = of(line(|line| line.corrupt = Some(chance)));
        let passed = counts(|c| c.packets = 50);
        for impairment in [&delay, &loss, &corrupt] {
            assert!(met(impairment, &[passed], BackEnd::Queue).is_err());
        }
        assert_eq!(
            met(&corrupt, &[passed], BackEnd::Queue).unwrap_err(),
            "queue: 50 packets: none of them was corrupted, where 1% should be"
        );
        // Of 50 in a hundred chances none may be hit; of 500, hardly.
        assert_eq!(
            met(&corrupt, &[passed], BackEnd::Netem).unwrap_err(),
            "netem: 50 packets (how many were corrupted is not counted by netem): \
             they are too few to be sure that one was corrupted, where 1% should be"
        );
        let many = counts(|c| c.packets = 500);
        assert_eq!(
            met(&corrupt, &[many], BackEnd::Netem).unwrap(),
            "netem: 500 packets (how many were corrupted is not counted by netem)"
        );
        let all = counts(|c| (c.packets, c.delayed, c.dropped, c.corrupted) = (50, 50, 1, 1));
        for impairment in [&delay, &loss, &corrupt] {
            assert!(met(impairment, &[all], BackEnd::Queue).is_ok());
        }
    }

    #[test]
    fn what_is_wanted_is_said_beforehand() {
        let chance = Chance {
            probability: 0.01,
            correlation: 0.0,
        };
        let spoilt = of(line(|line| {
            line.loss = Some(Loss::Random(chance));
            line.corrupt = Some(chance);
        }));
        assert_eq!(wanted(&spoilt), "packets that were lost and corrupted");
        let rate = of(line(|line| line.rate = Some(8_000)));
        assert_eq!(wanted(&rate), "packets that met it");
        let cut = of(vec![Effect::Drop, Effect::Drop]);
        assert_eq!(wanted(&cut), "packets that it dropped");
    }

    #[test]
    fn questions_count_by_their_answers() {
        let dns = of(vec![Effect::Dns {
            names: vec!["redis".into()],
            answer: Answer::Failure,
        }]);
        assert!(met(&dns, &[counts(|c| c.packets = 9)], BackEnd::Queue).is_err());
        assert!(met(&dns, &[counts(|c| c.answered = 1)], BackEnd::Queue).is_ok());
        let over_tcp = met(
            &dns,
            &[counts(|c| (c.packets, c.reset) = (1, 1))],
            BackEnd::Queue,
        );
        assert_eq!(over_tcp.unwrap(), "queue: 1 packet, 1 reset");
    }
}
