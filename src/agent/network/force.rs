//! What this agent has in force, from when it was put there until it is taken back.

use std::net::IpAddr;

use ipnet::IpNet;

use super::flow::Way;
use super::kernel::Kernel;
use super::mtu;
use super::netem::tables::without_lines;
use super::netem::{self, Netem, Ways};
use super::nft::{Counted, NAME, Nft, Present, Table};
use super::queue::Queue;
use super::queue::plan::{MOST_RULES, Queues};
use super::ruleset::{self, chain_name};
use super::sockets;
use crate::impairment::{BackEnd, Counts, Direction, Effect, Features, Flow, Impairment, Rule};

/// One impairment at most.
#[derive(Default)]
pub(crate) struct Force {
    kernel: Option<Kernel>,
    nft: Option<Nft>,
    netem: Option<Netem>,
    now: Option<InForce>,
    /// Lines may be there that no table leads into any more.
    is_settled: bool,
    /// Impairments so far.
    turns: usize,
}

struct InForce {
    impairment: Impairment,
    back_end: BackEnd,
    queue: Queue,
    /// Connections that were ended as it began, by rule.
    ended: Vec<(usize, u64)>,
}

impl Force {
    fn kernel(&mut self) -> Result<&Kernel, String> {
        if self.kernel.is_none() {
            self.kernel = Some(Kernel::probe()?);
        }
        self.kernel
            .as_ref()
            .ok_or_else(|| "nothing is known of this kernel".into())
    }

    fn nft(&mut self) -> Result<&mut Nft, String> {
        if self.nft.is_none() {
            let nft = Nft::open().map_err(|e| format!("no socket for nftables: {e}"))?;
            self.nft = Some(nft);
        }
        self.nft
            .as_mut()
            .ok_or_else(|| "no socket for nftables".into())
    }

    fn netem(&mut self) -> Result<&mut Netem, String> {
        if self.netem.is_none() {
            let netem = Netem::open().map_err(|e| format!("no socket for interfaces: {e}"))?;
            self.netem = Some(netem);
        }
        self.netem
            .as_mut()
            .ok_or_else(|| "no socket for interfaces".into())
    }

    pub(crate) fn is_on(&self) -> bool {
        self.now.is_some()
    }

    pub(crate) fn features(&mut self) -> Features {
        match self.kernel() {
            Ok(kernel) => kernel.features(),
            Err(why) => Features {
                back_ends: Vec::new(),
                missing: [("nftables".to_owned(), why)].into(),
            },
        }
    }

    fn tables(&mut self) -> Result<Vec<Present>, String> {
        let tables = self.nft()?.tables();
        tables.map_err(|e| format!("tables cannot be listed: {e}"))
    }

    /// Whatever of chaosrun's is there, one line each.
    pub(crate) fn found(&mut self) -> Result<Vec<String>, String> {
        let mut found = self.our_tables()?;
        found.extend(self.netem()?.found()?);
        Ok(found)
    }

    fn our_tables(&mut self) -> Result<Vec<String>, String> {
        let tables = self.tables()?;
        Ok(tables
            .iter()
            .filter(|table| is_ours(table))
            .map(line)
            .collect())
    }

    pub(crate) fn impair(
        &mut self,
        impairment: Impairment,
        back_end: BackEnd,
    ) -> Result<(), String> {
        check(&impairment)?;
        self.alone()?;
        let (queue, tables) = self.make(&impairment, back_end)?;
        self.turns += 1;
        if let Some(before) = &self.now {
            before.queue.pass();
        }
        self.is_settled = false;
        if let Err(why) = self.nft()?.replace(&tables) {
            return Err(self.refused(&why.to_string()));
        }
        let ended = reset(&impairment);
        self.now = Some(InForce {
            impairment,
            back_end,
            queue,
            ended,
        });
        Ok(())
    }

    /// All that it takes, and nothing of it in force.
    fn make(
        &mut self,
        impairment: &Impairment,
        back_end: BackEnd,
    ) -> Result<(Queue, Vec<Table>), String> {
        let kernel = self.kernel()?;
        if !kernel.has(back_end) {
            return Err(kernel.lacks(back_end.name()));
        }
        let versions = kernel.versions.clone();
        let means = kernel.means.ok_or_else(|| kernel.lacks("queue"))?;
        let mtu = mtu::smallest().map_err(|e| format!("interfaces cannot be listed: {e}"))?;
        let queued = match back_end {
            BackEnd::Queue => impairment.clone(),
            BackEnd::Netem => without_lines(impairment),
        };
        let queue = Queue::start(&queued, Queues::new(&queued, means, mtu, self.turns))?;
        let tables = match back_end {
            BackEnd::Queue => {
                self.netem.iter_mut().for_each(Netem::forget);
                ruleset::tables(impairment, &versions, queue.queues())
            }
            BackEnd::Netem => {
                let ways = self.lines(impairment)?;
                netem::tables::tables(impairment, &versions, &ways, queue.queues())
            }
        };
        Ok((queue, tables))
    }

    /// Everything that the first impairment does for the first time takes it as long again: memory that is touched, a thread, hooks.
    /// So it is all done once before, up to where it would be in force.
    pub(crate) fn rehearse(&mut self) -> Result<(), String> {
        if self.is_on() {
            return Ok(());
        }
        self.alone()?;
        let (_queue, tables) = self.make(&nothing_at_all(), BackEnd::Queue)?;
        let would = self.nft()?.would_replace(&tables);
        would.map_err(|e| format!("the kernel refuses these rules: {e}"))
    }

    /// Beside those that are in force, if there is room for both.
    fn lines(&mut self, impairment: &Impairment) -> Result<Ways, String> {
        let netem = self.netem()?;
        let why = match netem.prepare(impairment) {
            Ok(ways) => return Ok(ways),
            Err(why) => why,
        };
        if netem.found()?.is_empty() {
            return Err(why);
        }
        self.withdraw()?;
        self.netem()?.sweep()?;
        self.netem()?.prepare(impairment)
    }

    /// Takes away lines that an impairment before this one had, once nothing waits in them. It may take a moment, which is no
    /// part of the change.
    pub(crate) fn settle(&mut self) {
        if !self.is_settled
            && let Some(netem) = &mut self.netem
        {
            // What is left does nothing, and goes with the next that is taken away.
            netem.settle().ok();
        }
        self.is_settled = true;
    }

    /// Nobody else's table has the name of those that this agent is about to make.
    fn alone(&mut self) -> Result<(), String> {
        if self.now.is_some() {
            return Ok(());
        }
        let tables = self.tables()?;
        let Some(other) = tables.iter().find(|table| table.name == NAME) else {
            return Ok(());
        };
        let whose = match other.owner {
            Some(_) => "another agent is at work in this network",
            None => "it is somebody else's; rename or remove it (`nft delete table`)",
        };
        Err(format!("{} is there already: {whose}", line(other)))
    }

    /// The kernel took nothing of it, and what was in force before would no longer hold packets.
    fn refused(&mut self, why: &str) -> String {
        match self.withdraw() {
            Ok(()) => format!("the kernel refuses these rules: {why}"),
            Err(more) => format!("the kernel refuses these rules: {why}; and {more}"),
        }
    }

    /// By rule; none without an impairment.
    pub(crate) fn counts(&mut self) -> Result<Vec<Counts>, String> {
        let Some(now) = &self.now else {
            return Ok(Vec::new());
        };
        if !now.queue.is_alive() {
            return Err(
                "the thread that decides about packets has ended; packets pass untouched".into(),
            );
        }
        let mut all = now.queue.counts();
        let nft = self.nft.as_mut().ok_or("no socket for nftables")?;
        let counted = nft
            .counters()
            .map_err(|e| format!("counters cannot be read: {e}"))?;
        let lines = match &mut self.netem {
            Some(netem) if now.back_end == BackEnd::Netem => {
                netem.count(&now.impairment, &counted)?
            }
            _ => Vec::new(),
        };
        let overflowed = super::queue::overflows(now.queue.queues());
        for (number, (rule, counts)) in now.impairment.rules.iter().zip(&mut all).enumerate() {
            let seen = of_rule(&counted, number);
            match rule.effect {
                Effect::Drop => {
                    (counts.packets, counts.bytes) = seen;
                    counts.dropped = seen.0;
                }
                Effect::Reset => {
                    let ended = now.ended.iter().find(|(rule, _)| *rule == number);
                    (counts.packets, counts.bytes) = seen;
                    counts.reset = seen.0 + ended.map_or(0, |(_, count)| *count);
                }
                Effect::Line(_) if now.back_end == BackEnd::Netem => {
                    *counts = lines.get(number).copied().unwrap_or_default();
                }
                Effect::Line(_) => {
                    counts.overflowed += overflowed.get(&number).copied().unwrap_or_default();
                }
                Effect::Dns { .. } => {}
            }
        }
        Ok(all)
    }

    /// Takes back all that this agent has in force: packets first, then rules.
    pub(crate) fn withdraw(&mut self) -> Result<(), String> {
        if let Some(now) = &self.now {
            now.queue.pass();
        }
        let removed = match &mut self.nft {
            Some(nft) => nft.replace(&[]),
            None => Ok(()),
        };
        if let Err(why) = removed {
            // They go away with their socket.
            self.nft = None;
            self.now = None;
            let left = self.our_tables()?;
            if !left.is_empty() {
                return Err(format!("{} cannot be removed: {why}", left.join(", ")));
            }
        }
        self.now = None;
        self.is_settled = true;
        self.netem.as_mut().map_or(Ok(()), Netem::sweep)
    }

    /// The same, and whatever an earlier agent left.
    pub(crate) fn relieve(&mut self) -> Result<(), String> {
        self.withdraw()?;
        let left = self.our_tables()?;
        if left.is_empty() {
            return self.netem()?.sweep();
        }
        Err(format!(
            "{} belongs to another agent that is still at work in this network, and goes away with it",
            left.join(", ")
        ))
    }
}

fn check(impairment: &Impairment) -> Result<(), String> {
    if impairment.rules.len() > MOST_RULES {
        return Err(format!(
            "{} rules are more than the {MOST_RULES} that an agent takes",
            impairment.rules.len()
        ));
    }
    Ok(())
}

/// Silence towards a peer that nobody has (RFC 5737).
fn nothing_at_all() -> Impairment {
    let flow = Flow {
        direction: Direction::Both,
        peers: vec![IpNet::from(IpAddr::from([192, 0, 2, 1]))],
        ports: Vec::new(),
        protocol: None,
        at: Vec::new(),
    };
    let effect = Effect::Drop;
    Impairment {
        rules: vec![Rule { flow, effect }],
        seed: 0,
    }
}

/// A table without an owner is nobody of chaosrun's.
fn is_ours(table: &Present) -> bool {
    table.name == NAME && table.owner.is_some()
}

fn line(table: &Present) -> String {
    format!("table {} {}", table.family.name(), table.name)
}

/// Connections that are there already; new ones meet the rules.
fn reset(impairment: &Impairment) -> Vec<(usize, u64)> {
    let rules = impairment.rules.iter().enumerate();
    let flows: Vec<(usize, &Flow)> = rules
        .filter(|(_, rule)| rule.effect == Effect::Reset)
        .map(|(number, rule)| (number, &rule.flow))
        .collect();
    // Where the kernel cannot, they are reset with their next packet.
    sockets::reset(&flows).unwrap_or_default()
}

fn of_rule(counted: &[Counted], rule: usize) -> (u64, u64) {
    let names = Way::BOTH.map(|way| chain_name(rule, way));
    counted
        .iter()
        .filter(|one| names.contains(&one.chain))
        .fold((0, 0), |(packets, bytes), one| {
            (packets + one.packets, bytes + one.bytes)
        })
}
