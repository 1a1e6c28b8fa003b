//! What leads packets into the lines: priorities on the way out, and on the way in a table of the family `netdev`, which sees them
//! before anybody else does.

use std::iter;

use super::super::flow::{
    Alternatives, Way, conditions, is_neighbour_discovery, is_question, is_tcp,
};
use super::super::nft::expr::{
    Expression, IpVersion, Is, Meta, Verdict, compare, counter, forward_to, meta, set_priority,
    verdict,
};
use super::super::nft::{Chain, Family, Hook, NAME, Table};
use super::super::ruleset::{self, Actions, chain_name, selection};
use super::Ways;
use crate::impairment::{Effect, Impairment, Rule};

/// Lines by netem; all the rest as the others do it.
struct WithLines<'a, A> {
    ways: &'a Ways,
    others: &'a A,
}

impl<A: Actions> Actions for WithLines<'_, A> {
    fn line(&self, rule: usize, way: Way, _version: IpVersion) -> Vec<Vec<Expression>> {
        let mut all = Vec::new();
        // What comes in has been through its line by then.
        if let (Way::Out, Some(class)) = (way, self.ways.egress.get(&rule)) {
            all.extend(set_priority(*class));
        }
        all.push(verdict(&Verdict::Accept));
        vec![all]
    }

    fn question(&self, rule: usize) -> Vec<Vec<Expression>> {
        self.others.question(rule)
    }

    fn silence(&self, way: Way) -> Vec<Expression> {
        self.others.silence(way)
    }

    fn returning(&self) -> Vec<Vec<Expression>> {
        self.others.returning()
    }
}

/// With `others` for what is no line.
pub(crate) fn tables(
    impairment: &Impairment,
    versions: &[IpVersion],
    ways: &Ways,
    others: &impl Actions,
) -> Vec<Table> {
    let mut all = ruleset::tables(impairment, versions, &WithLines { ways, others });
    all.extend(inward(impairment, ways, versions));
    all
}

/// The impairment without what is not for the others: a rule that is a line keeps its place, and needs nothing of theirs.
pub(crate) fn without_lines(impairment: &Impairment) -> Impairment {
    let mut rest = impairment.clone();
    for rule in &mut rest.rules {
        if matches!(rule.effect, Effect::Line(_)) {
            rule.effect = Effect::Drop;
        }
    }
    rest
}

/// For what comes in; `None` where no line is there for it.
fn inward(impairment: &Impairment, ways: &Ways, versions: &[IpVersion]) -> Option<Table> {
    if ways.ingress.is_empty() {
        return None;
    }
    let mut chains = Vec::new();
    for (rule, class) in &ways.ingress {
        let mut line = set_priority(*class).to_vec();
        line.extend(forward_to(ways.inward));
        chains.push(Chain {
            name: chain_name(*rule, Way::In),
            hook: None,
            rules: vec![vec![counter()], line],
        });
    }
    for version in versions {
        let rules = looked_at(impairment, ways, *version, &mut chains);
        chains.push(Chain {
            name: name_of(*version).into(),
            hook: None,
            rules,
        });
    }
    let hooks = ways.interfaces.iter().enumerate();
    chains.extend(hooks.map(|(at, interface)| hook(at, interface, versions)));
    Some(Table {
        family: Family::Netdev,
        name: NAME,
        chains,
    })
}

fn hook(at: usize, interface: &str, versions: &[IpVersion]) -> Chain {
    let rules = versions.iter().map(|version| {
        let kind: u16 = match version {
            IpVersion::V4 => 0x0800,
            IpVersion::V6 => 0x86dd,
        };
        vec![
            meta(Meta::FrameKind),
            compare(Is::Equal, &kind.to_be_bytes()),
            verdict(&Verdict::Goto(name_of(*version).into())),
        ]
    });
    Chain {
        // Names of interfaces may be longer than a chain's, and have other letters.
        name: format!("ingress-{at}"),
        hook: Some((Hook::Ingress(interface.into()), 0)),
        rules: rules.collect(),
    }
}

fn name_of(version: IpVersion) -> &'static str {
    match version {
        IpVersion::V4 => "ip",
        IpVersion::V6 => "ip6",
    }
}

/// The rules in their order: what belongs to one that is no line goes on to the hooks where that one acts.
fn looked_at(
    impairment: &Impairment,
    ways: &Ways,
    version: IpVersion,
    chains: &mut Vec<Chain>,
) -> Vec<Vec<Expression>> {
    let mut all = Vec::new();
    if version == IpVersion::V6 {
        let accept = iter::once(verdict(&Verdict::Accept));
        all.push(is_neighbour_discovery().into_iter().chain(accept).collect());
    }
    for (number, rule) in impairment.rules.iter().enumerate() {
        let Some(conditions) = concerned(rule, version) else {
            continue;
        };
        let end = if ways.ingress.contains_key(&number) {
            Verdict::Goto(chain_name(number, Way::In))
        } else {
            Verdict::Accept
        };
        let prefix = format!("{}-{number}", name_of(version));
        all.extend(selection(&prefix, conditions, &end, chains));
    }
    all
}

fn concerned(rule: &Rule, version: IpVersion) -> Option<Vec<Alternatives>> {
    let mut all = conditions(&rule.flow, Way::In, version)?;
    match rule.effect {
        Effect::Dns { .. } => all.extend(is_question()),
        Effect::Reset => all.push(vec![is_tcp()]),
        Effect::Line(_) | Effect::Drop => {}
    }
    Some(all)
}
