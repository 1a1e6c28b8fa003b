//! Which lines there are, and in which bands: without touching anything.

use std::collections::{BTreeMap, BTreeSet};

use super::super::flow::Way;
use super::links::Link;
use super::options::options;
use super::qdisc::{Done, LINES, Present, Root, class};
use crate::impairment::{Counts, Effect, Impairment, Line};

/// By rule.
pub(super) type Bands = BTreeMap<usize, u32>;

/// The bands of one impairment.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(super) struct Lanes {
    pub(super) egress: Bands,
    pub(super) ingress: Bands,
}

impl Lanes {
    /// In bands that are free, so that what is in force stays in force until the tables change.
    pub(super) fn assign(
        impairment: &Impairment,
        used: impl Fn(Way) -> BTreeSet<u32>,
    ) -> Result<Self, String> {
        let bands = |way| bands(impairment, way, &used(way));
        Ok(Self {
            egress: bands(Way::Out)?,
            ingress: bands(Way::In)?,
        })
    }

    pub(super) fn of(&self, way: Way) -> &Bands {
        match way {
            Way::Out => &self.egress,
            Way::In => &self.ingress,
        }
    }

    /// By rule, the priority of its packets.
    pub(super) fn classes(&self, way: Way) -> BTreeMap<usize, u32> {
        let bands = self.of(way).iter();
        bands.map(|(rule, band)| (*rule, class(*band))).collect()
    }

    /// The options of each band.
    pub(super) fn lines(
        &self,
        impairment: &Impairment,
        way: Way,
        link: &Link,
    ) -> Result<Vec<(u32, Vec<u8>)>, String> {
        let mut lines = Vec::new();
        for (rule, band) in self.of(way) {
            if let Some(line) = line_of(impairment, *rule) {
                let seed = seed(impairment.seed, link.index, way, *rule);
                lines.push((*band, options(&line.for_netem(), seed, link.framing)?));
            }
        }
        Ok(lines)
    }

    /// Adds what a qdisc in one of the root's bands has done to the counts of the rule whose it is.
    pub(super) fn add(
        &self,
        impairment: &Impairment,
        (root, way): (Root, Way),
        qdisc: &Present,
        counts: &mut [Counts],
    ) {
        let Some(found) = qdisc.netem_in(root) else {
            return;
        };
        for (rule, band) in self.of(way) {
            if *band == found
                && let Some((line, counts)) = line_of(impairment, *rule).zip(counts.get_mut(*rule))
            {
                add(counts, line, qdisc.done);
            }
        }
    }
}

fn line_of(impairment: &Impairment, rule: usize) -> Option<&Line> {
    match &impairment.rules.get(rule)?.effect {
        Effect::Line(line) => Some(line),
        _ => None,
    }
}

fn bands(impairment: &Impairment, way: Way, used: &BTreeSet<u32>) -> Result<Bands, String> {
    let rules = impairment.rules.iter().enumerate().filter(|(_, rule)| {
        way.is_of(rule.flow.direction) && matches!(rule.effect, Effect::Line(_))
    });
    let rules: Vec<usize> = rules.map(|(at, _)| at).collect();
    let free: Vec<u32> = (1..=LINES).filter(|band| !used.contains(band)).collect();
    if rules.len() > free.len() {
        return Err(format!(
            "netem tells {} lines apart in each direction, and {} were asked for",
            free.len(),
            rules.len()
        ));
    }
    Ok(rules.into_iter().zip(free).collect())
}

/// Each line has random numbers of its own.
fn seed(seed: u64, interface: u32, way: Way, rule: usize) -> u64 {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let place = u64::from(interface) << 32 | (rule as u64) << 1 | u64::from(way == Way::In);
    // A multiplication by an odd number loses nothing, so no two places get the same.
    seed ^ place.wrapping_mul(SPREAD)
}

fn add(counts: &mut Counts, line: &Line, done: Done) {
    if line.delay.is_some() || line.rate.is_some() {
        counts.delayed += done.sent;
    }
    if line.loss.is_some() {
        counts.dropped += done.dropped;
    } else {
        counts.overflowed += done.dropped;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::impairment::{Chance, Direction, Flow, Loss, Rule};

    fn rule(direction: Direction, effect: Effect) -> Rule {
        let flow = Flow {
            direction,
            peers: Vec::new(),
            ports: Vec::new(),
            protocol: None,
            at: Vec::new(),
        };
        Rule { flow, effect }
    }

    fn line(direction: Direction) -> Rule {
        rule(direction, Effect::Line(Box::default()))
    }

    fn impairment(rules: Vec<Rule>) -> Impairment {
        Impairment { rules, seed: 7 }
    }

    #[test]
    fn each_line_has_a_band_of_its_own_in_each_of_its_directions() {
        let impairment = impairment(vec![
            line(Direction::Egress),
            rule(Direction::Both, Effect::Drop),
            line(Direction::Both),
            line(Direction::Ingress),
        ]);
        let lanes = Lanes::assign(&impairment, |_| BTreeSet::new()).unwrap();
        assert_eq!(lanes.egress, Bands::from([(0, 1), (2, 2)]));
        assert_eq!(lanes.ingress, Bands::from([(2, 1), (3, 2)]));
    }

    #[test]
    fn a_loss_that_remembers_goes_by_a_model_that_keeps_its_share() {
        let loss = Loss::Random(Chance {
            probability: 0.2,
            correlation: 0.5,
        });
        let asked = Line {
            loss: Some(loss),
            ..Line::default()
        };
        let link = Link::any();
        let effect = Effect::Line(Box::new(asked.clone()));
        let impairment = impairment(vec![rule(Direction::Egress, effect)]);
        let lanes = Lanes::assign(&impairment, |_| BTreeSet::new()).unwrap();
        let lines = lanes.lines(&impairment, Way::Out, &link).unwrap();
        let seed = seed(7, link.index, Way::Out, 0);
        let told = options(&asked.for_netem(), seed, link.framing).unwrap();
        assert_eq!(lines, [(1, told)]);
        assert_ne!(asked.for_netem(), asked);
    }

    #[test]
    fn bands_in_which_something_is_are_left_alone() {
        let impairment = impairment(vec![line(Direction::Both), line(Direction::Both)]);
        let used = |way| match way {
            Way::Out => BTreeSet::from([1, 3]),
            Way::In => BTreeSet::new(),
        };
        let lanes = Lanes::assign(&impairment, used).unwrap();
        assert_eq!(lanes.egress, Bands::from([(0, 2), (1, 4)]));
        assert_eq!(lanes.ingress, Bands::from([(0, 1), (1, 2)]));
    }

    #[test]
    fn more_lines_than_there_are_bands_are_refused() {
        let assign = |count| {
            let impairment = impairment(vec![line(Direction::Egress); count]);
            Lanes::assign(&impairment, |_| BTreeSet::new())
        };
        assert!(assign(14).unwrap().ingress.is_empty());
        let error = assign(15).unwrap_err();
        assert!(error.contains("tells 14 lines apart"), "{error}");
        assert!(error.contains("15 were asked for"), "{error}");
    }

    #[test]
    fn no_two_lines_have_the_same_seed() {
        let mut seeds = BTreeSet::new();
        for interface in 0..20 {
            for rule in 0..15 {
                for way in Way::BOTH {
                    assert!(seeds.insert(seed(7, interface, way, rule)));
                }
            }
        }
    }

    #[test]
    fn drops_are_the_losses_asked_for_or_else_an_overflow() {
        let done = Done {
            sent: 10,
            dropped: 2,
            waiting: 3,
        };
        let counted = |line: &Line| {
            let mut counts = Counts::default();
            add(&mut counts, line, done);
            (counts.delayed, counts.dropped, counts.overflowed)
        };
        assert_eq!(counted(&Line::default()), (0, 0, 2));
        let rate = Line {
            rate: Some(8),
            ..Line::default()
        };
        assert_eq!(counted(&rate), (10, 0, 2));
        let loss = Line {
            loss: Some(Loss::Random(Chance {
                probability: 0.5,
                correlation: 0.0,
            })),
            ..Line::default()
        };
        assert_eq!(counted(&loss), (0, 2, 0));
    }
}
