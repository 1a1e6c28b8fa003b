//! What this agent has in force, from when it was put there until it is taken back.

use super::flow::Way;
use super::kernel::Kernel;
use super::nft::{Counted, NAME, Nft, Present};
use super::queue::Queue;
use super::queue::plan::{MOST_RULES, Queues};
use super::ruleset::{chain_name, tables};
use super::sockets;
use crate::impairment::{BackEnd, Counts, Effect, Features, Flow, Impairment};

/// One impairment at most.
#[derive(Default)]
pub(crate) struct Force {
    kernel: Option<Kernel>,
    nft: Option<Nft>,
    now: Option<InForce>,
    /// Impairments so far.
    turns: usize,
}

struct InForce {
    impairment: Impairment,
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

    /// Whatever of chaosrun's is there, one line each.
    pub(crate) fn found(&mut self) -> Result<Vec<String>, String> {
        let tables = self
            .nft()?
            .tables()
            .map_err(|e| format!("tables cannot be listed: {e}"))?;
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
        if back_end != BackEnd::Queue {
            return Err(format!("this agent has no back end {}", back_end.name()));
        }
        let kernel = self.kernel()?;
        let versions = kernel.versions.clone();
        let means = kernel.means.ok_or_else(|| kernel.lacks("queue"))?;
        let queues = Queues::new(&impairment, means, self.turns);
        let queue = Queue::start(&impairment, queues)?;
        self.turns += 1;
        if let Some(before) = &self.now {
            before.queue.pass();
        }
        let tables = tables(&impairment, &versions, queue.queues());
        if let Err(why) = self.nft()?.replace(&tables) {
            return Err(self.refused(&why.to_string()));
        }
        let ended = reset(&impairment);
        self.now = Some(InForce {
            impairment,
            queue,
            ended,
        });
        Ok(())
    }

    /// The kernel took nothing of it, and what was in force before would no longer hold packets.
    fn refused(&mut self, why: &str) -> String {
        let taken = self.found().unwrap_or_default();
        let had_one = self.now.is_some();
        let back = self.withdraw();
        if let (false, Some(table)) = (had_one, taken.first()) {
            return format!(
                "{table} is there already: another agent is at work in this network, or somebody else's table has this name ({why})"
            );
        }
        match back {
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
            let left = self.found()?;
            if !left.is_empty() {
                return Err(format!("{} cannot be removed: {why}", left.join(", ")));
            }
        }
        self.now = None;
        Ok(())
    }

    /// The same, and whatever an earlier agent left.
    pub(crate) fn relieve(&mut self) -> Result<(), String> {
        self.withdraw()?;
        let left = self.found()?;
        if left.is_empty() {
            return Ok(());
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
