//! Have packets met the impairment, and has it done to them what it should? From what the agent counted.

use super::{BackEnd, Counts, Effect, Impairment, Line, Rule};
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
    let told = format!("{}: {}", back_end.name(), total.phrase());
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

/// netem says of its packets only how many it dropped, and how many passed.
fn in_line(line: &Line, counts: &Counts, back_end: BackEnd) -> Option<String> {
    let tells = back_end == BackEnd::Queue;
    let share = |chance: &super::Chance| Share(chance.probability);
    let parts = [
        (line.delay.is_some(), counts.delayed, "delayed", None),
        (line.loss.is_some(), counts.dropped, "lost", None),
        (
            line.corrupt.is_some() && tells,
            counts.corrupted,
            "corrupted",
            line.corrupt.as_ref().map(share),
        ),
        (
            line.duplicate.is_some() && tells,
            counts.duplicated,
            "duplicated",
            line.duplicate.as_ref().map(share),
        ),
        (
            line.reorder.is_some() && tells,
            counts.reordered,
            "let past others",
            line.reorder.as_ref().map(|reorder| share(&reorder.chance)),
        ),
    ];
    let lack = parts
        .into_iter()
        .find(|(asked, count, ..)| *asked && *count == 0);
    lack.map(|(_, _, what, share)| match share {
        Some(share) => format!("none of them was {what}, where {share} should be"),
        None => format!("none of them was {what}"),
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impairment::{Answer, Chance, Delay, Direction, Distribution, Flow, Loss};
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
        assert!(met(&corrupt, &[passed], BackEnd::Netem).is_ok());
        let all = counts(|c| (c.packets, c.delayed, c.dropped, c.corrupted) = (50, 50, 1, 1));
        for impairment in [&delay, &loss, &corrupt] {
            assert!(met(impairment, &[all], BackEnd::Queue).is_ok());
        }
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
