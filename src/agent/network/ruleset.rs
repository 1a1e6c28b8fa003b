//! An impairment as nftables: per version of IP one table, whose chains look at the rules in their order in every hook where one
//! of them may act.
//!
//! A rule acts in one hook on each way; in the others a packet of its flow passes, so that the first rule decides everywhere.

use super::flow::{
    Alternatives, Way, conditions, is_neighbour_discovery, is_no_reset, is_not_loopback,
    is_question, is_tcp,
};
use super::nft::expr::{
    Expression, IpVersion, Is, Meta, Verdict, compare, counter, mask, meta, reject_with_reset,
    verdict,
};
use super::nft::{Chain, Hook, NAME, Table};
use crate::impairment::{Effect, Impairment, Rule};

/// What the agent has seen already carries a mark with these upper bits.
pub(crate) const MARK: u32 = 0xC4A0_0000;
/// Lower bits of what the agent sends itself.
pub(crate) const SENT: u32 = 0xFFFF;
const MARK_MASK: u32 = 0xFFFF_0000;

/// How a back end has the kernel do what rules cannot do by themselves. Each gives the rules of a chain that ends a packet's way there.
pub(crate) trait Actions {
    /// A worse line for the packets of this rule.
    fn line(&self, rule: usize, way: Way, version: IpVersion) -> Vec<Vec<Expression>>;
    /// A question that may be about one of the rule's names.
    fn question(&self, rule: usize) -> Vec<Vec<Expression>>;
    /// An end of which the sender learns nothing.
    fn silence(&self, way: Way) -> Vec<Expression>;
    /// What meets packets on their way out that carry the agent's mark.
    fn returning(&self) -> Vec<Vec<Expression>>;
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
struct Place {
    name: &'static str,
    way: Way,
    /// Where TCP can be reset and questions be seen, which is nearer to the sockets than where packets are held.
    is_near_sockets: bool,
}

impl Place {
    /// After defragmentation and before everything else on the way in; before everything on the way out of a socket; after
    /// everything on the way out of the container.
    const ALL: [(Self, Hook, i32); 4] = [
        (
            Self::new("prerouting", Way::In, false),
            Hook::Prerouting,
            -350,
        ),
        (Self::new("input", Way::In, true), Hook::Input, -160),
        (Self::new("output", Way::Out, true), Hook::Output, -350),
        (
            Self::new("postrouting", Way::Out, false),
            Hook::Postrouting,
            300,
        ),
    ];

    const fn new(name: &'static str, way: Way, is_near_sockets: bool) -> Self {
        Self {
            name,
            way,
            is_near_sockets,
        }
    }

    fn acts(self, effect: &Effect) -> bool {
        match effect {
            Effect::Line(_) | Effect::Drop => !self.is_near_sockets,
            Effect::Reset => self.is_near_sockets,
            Effect::Dns { .. } => self.is_near_sockets && self.way == Way::Out,
        }
    }
}

/// The chain in which a rule acts and counts.
pub(crate) fn chain_name(rule: usize, way: Way) -> String {
    format!("rule-{rule}-{}", way.name())
}

pub(crate) fn tables(
    impairment: &Impairment,
    versions: &[IpVersion],
    actions: &impl Actions,
) -> Vec<Table> {
    versions
        .iter()
        .map(|version| table(impairment, *version, actions))
        .filter(|table| !table.chains.is_empty())
        .collect()
}

fn table(impairment: &Impairment, version: IpVersion, actions: &impl Actions) -> Table {
    let mut chains = Vec::new();
    for (place, hook, priority) in Place::ALL {
        if !impairment.rules.iter().any(|rule| place.acts(&rule.effect)) {
            continue;
        }
        let mut rules = preamble(place, version, actions, &mut chains);
        for (number, rule) in impairment.rules.iter().enumerate() {
            rules.extend(looked_at(
                place,
                (number, rule),
                version,
                actions,
                &mut chains,
            ));
        }
        chains.push(Chain {
            name: place.name.into(),
            hook: Some((hook, priority)),
            rules,
        });
    }
    Table {
        family: version.into(),
        name: NAME,
        chains,
    }
}

fn preamble(
    place: Place,
    version: IpVersion,
    actions: &impl Actions,
    chains: &mut Vec<Chain>,
) -> Vec<Vec<Expression>> {
    let accept = verdict(&Verdict::Accept);
    let mut marked = vec![
        meta(Meta::Mark),
        mask(&MARK_MASK.to_ne_bytes()),
        compare(Is::Equal, &MARK.to_ne_bytes()),
    ];
    let mut rules = actions.returning();
    if place.name == "postrouting" && !rules.is_empty() {
        rules.push(vec![accept.clone()]);
        chains.push(Chain {
            name: "returning".into(),
            hook: None,
            rules,
        });
        marked.push(verdict(&Verdict::Goto("returning".into())));
    } else {
        marked.push(accept.clone());
    }
    let mut all = vec![marked];
    if version == IpVersion::V6 {
        let mut spared = is_neighbour_discovery();
        spared.push(accept);
        all.push(spared);
    }
    all
}

/// One rule in one hook: what the hook's own chain holds of it. Chains that it needs beside are added.
fn looked_at(
    place: Place,
    (number, rule): (usize, &Rule),
    version: IpVersion,
    actions: &impl Actions,
    chains: &mut Vec<Chain>,
) -> Vec<Vec<Expression>> {
    let Some(mut all) = conditions(&rule.flow, place.way, version) else {
        return Vec::new();
    };
    match rule.effect {
        // Also on loopback, where the embedded name server is.
        Effect::Dns { .. } => all.extend(is_question()),
        _ => all.push(vec![is_not_loopback(place.way)]),
    }
    let end = if place.acts(&rule.effect) {
        let name = chain_name(number, place.way);
        chains.push(Chain {
            name: name.clone(),
            hook: None,
            rules: action((number, rule), place.way, version, actions),
        });
        Verdict::Goto(name)
    } else {
        Verdict::Accept
    };
    let prefix = format!("{}-{number}", place.name);
    selection(&prefix, all, &end, chains)
}

fn action(
    (number, rule): (usize, &Rule),
    way: Way,
    version: IpVersion,
    actions: &impl Actions,
) -> Vec<Vec<Expression>> {
    let mut rules = match rule.effect {
        Effect::Reset => {
            let mut reset = is_tcp();
            reset.extend(is_no_reset());
            reset.extend([counter(), reject_with_reset()]);
            return vec![reset, vec![verdict(&Verdict::Accept)]];
        }
        Effect::Line(_) => actions.line(number, way, version),
        Effect::Drop => vec![actions.silence(way)],
        Effect::Dns { .. } => actions.question(number),
    };
    rules.insert(0, vec![counter()]);
    rules
}

/// Conditions with one alternative stand in one rule; each other one is a chain of its own, whose rules go on to the next.
pub(super) fn selection(
    prefix: &str,
    conditions: Vec<Alternatives>,
    end: &Verdict,
    chains: &mut Vec<Chain>,
) -> Vec<Vec<Expression>> {
    let (single, several): (Vec<_>, Vec<_>) = conditions
        .into_iter()
        .partition(|alternatives| alternatives.len() == 1);
    let mut first: Vec<Expression> = single.into_iter().flatten().flatten().collect();
    let name = |at: usize| format!("{prefix}-{at}");
    let count = several.len();
    for (at, alternatives) in several.into_iter().enumerate() {
        let next = if at + 1 < count {
            Verdict::Goto(name(at + 1))
        } else {
            end.clone()
        };
        let rules = alternatives.into_iter().map(|mut rule| {
            rule.push(verdict(&next));
            rule
        });
        chains.push(Chain {
            name: name(at),
            hook: None,
            rules: rules.collect(),
        });
    }
    first.push(verdict(&if count == 0 {
        end.clone()
    } else {
        Verdict::Jump(name(0))
    }));
    vec![first]
}
