//! The back end `netem`: the kernel's own qdiscs make a line worse.
//!
//! Nothing gets into them but what the agent's nftables tables classify, and those go away with the agent. What is left of a dead one
//! does nothing, and goes away with the next that is asked to relieve.
//!
//! - On its way out, a packet's priority says which band of the interface's root it goes to. The root takes the place of the
//!   kernel's default; where there is another, nothing is changed.
//! - On its way in, it is handed to an interface of the kind `ifb`, which has such a root too, and gives it back to where it came in.
//!   There is one for all interfaces, so a rate is that of all together; on the way out each interface has its own.
//!
//! An interface that is put there later is not touched until the next impairment.
//!
//! Of what happens, netem tells how many packets it sent on and how many it dropped, and no more: those that it sent count as
//! `delayed` where there is a delay or a rate; those that it dropped as `dropped` where there is a loss, else as `overflowed`.
//! `corrupted`, `duplicated` and `reordered` stay 0.

mod lanes;
mod links;
mod options;
mod qdisc;
mod spread;
pub(crate) mod tables;

use std::collections::{BTreeMap, BTreeSet};
use std::thread;
use std::time::Duration;

use self::lanes::Lanes;
use self::links::Link;
use self::qdisc::{Present, Root};
use super::flow::Way;
use super::netlink::{Failure, Netlink, ROUTE};
use super::nft::{Counted, Family};
use super::ruleset::chain_name;
use crate::impairment::{Counts, Effect, Impairment, Line};

/// What waits in a line is let go before the line is taken away, but nobody waits longer for it.
const DRAIN: Duration = Duration::from_secs(2);
const LOOK: Duration = Duration::from_millis(2);
/// The interface that is made to find out what the kernel has.
const PROBE: &str = "chaosrun-probe";
/// The interface that takes what comes in.
const INWARD: &str = "chaosrun-in";

/// Over rtnetlink, in the network that the agent is in.
pub(crate) struct Netem {
    netlink: Netlink,
    /// Those that are to stay.
    lanes: Lanes,
}

/// Where tables have to send the packets of each rule that makes a line worse.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Ways {
    /// By rule, the priority of what goes out.
    pub(crate) egress: BTreeMap<usize, u32>,
    /// By rule, the priority of what comes in.
    pub(crate) ingress: BTreeMap<usize, u32>,
    /// Where something comes in.
    pub(crate) interfaces: Vec<String>,
    /// The index of the interface that it is to be handed to.
    pub(crate) inward: u32,
}

impl Netem {
    pub(crate) fn open() -> Result<Self, Failure> {
        Ok(Self {
            netlink: Netlink::open(ROUTE)?,
            lanes: Lanes::default(),
        })
    }

    /// Makes a line on an interface that nothing uses.
    ///
    /// # Errors
    /// What is missing, and what to do.
    pub(crate) fn probe(&mut self) -> Result<(), String> {
        let index = match links::create(&mut self.netlink, PROBE, "ifb") {
            Err(failure) => return Err(missing("ifb", &failure)),
            Ok(index) => index,
        };
        let found = self.try_line(index);
        let gone = links::delete(&mut self.netlink, index);
        found?;
        gone.map_err(|e| format!("the interface {PROBE} cannot be removed: {e}"))
    }

    fn try_line(&mut self, index: u32) -> Result<(), String> {
        let options = options::options(&Line::default(), 0, options::Framing(0))?;
        let root = Root::on(index, 1);
        qdisc::try_netem(&mut self.netlink, index, &options)
            .map_err(|e| missing("sch_netem", &e))?;
        root.create(&mut self.netlink)
            .map_err(|e| missing("sch_prio", &e))?;
        root.add_netem(&mut self.netlink, 1, &options)
            .map_err(|e| missing("sch_netem", &e))
    }

    /// Makes the lines of an impairment, into which nothing goes yet, beside those that are there. [`Self::settle`] takes those away.
    ///
    /// # Errors
    /// A sentence; then what was there is there. Where that is not what it is about, it may do to take it away and try again.
    pub(crate) fn prepare(&mut self, impairment: &Impairment) -> Result<Ways, String> {
        let (links, qdiscs) = (self.links()?, self.qdiscs()?);
        let lanes = Lanes::assign(impairment, |way| used(&qdiscs, &links, way))?;
        let made = self.make(impairment, &lanes, &links, &qdiscs);
        match made {
            Ok(_) => self.lanes = lanes,
            Err(_) => self.settle()?,
        }
        made
    }

    fn make(
        &mut self,
        impairment: &Impairment,
        lanes: &Lanes,
        links: &[Link],
        qdiscs: &[Present],
    ) -> Result<Ways, String> {
        let outward: Vec<_> = links.iter().filter(|link| link.is_outward()).collect();
        let mut ways = Ways {
            egress: lanes.classes(Way::Out),
            ingress: lanes.classes(Way::In),
            ..Ways::default()
        };
        if !lanes.egress.is_empty() {
            refuse_foreign(&outward, qdiscs)?;
            for link in &outward {
                let lines = lanes.lines(impairment, Way::Out, link)?;
                self.furnish(link, &lines, qdiscs)?;
            }
        }
        if let (false, Some(first)) = (lanes.ingress.is_empty(), outward.first()) {
            // What comes in keeps the frame of the interface that it came through.
            let lines = lanes.lines(impairment, Way::In, first)?;
            let inward = self.inward(links)?;
            self.furnish(&inward, &lines, qdiscs)?;
            ways.inward = inward.index;
            ways.interfaces = outward.iter().map(|link| link.name.clone()).collect();
        }
        Ok(ways)
    }

    fn inward(&mut self, links: &[Link]) -> Result<Link, String> {
        if let Some(there) = links.iter().find(|link| link.name == INWARD) {
            return Ok(there.clone());
        }
        let failed = |e: Failure| format!("interface {INWARD} cannot be made: {e}");
        let index = links::create(&mut self.netlink, INWARD, "ifb").map_err(failed)?;
        links::raise(&mut self.netlink, index).map_err(failed)?;
        let made = self.links()?.into_iter().find(|link| link.index == index);
        made.ok_or_else(|| format!("interface {INWARD} is gone again"))
    }

    fn furnish(
        &mut self,
        link: &Link,
        lines: &[(u32, Vec<u8>)],
        qdiscs: &[Present],
    ) -> Result<(), String> {
        let there = qdiscs
            .iter()
            .filter_map(Present::our_root)
            .find(|root| root.interface == link.index);
        let root = there.unwrap_or(Root::on(link.index, link.queue_length));
        let name = &link.name;
        if there.is_none() {
            root.create(&mut self.netlink)
                .map_err(|e| format!("interface {name} cannot be given a prio qdisc: {e}"))?;
        }
        for (band, options) in lines {
            root.add_netem(&mut self.netlink, *band, options)
                .map_err(|e| format!("interface {name} cannot be given a netem qdisc: {e}"))?;
        }
        Ok(())
    }

    /// What became of the packets of each line, with what the tables have counted; the other rules have nothing here.
    pub(crate) fn count(
        &mut self,
        impairment: &Impairment,
        counted: &[Counted],
    ) -> Result<Vec<Counts>, String> {
        let mut counts = vec![Counts::default(); impairment.rules.len()];
        for (at, counts) in counts.iter_mut().enumerate() {
            if matches!(impairment.rules.get(at), Some(rule) if matches!(rule.effect, Effect::Line(_)))
            {
                entered(at, counted, counts);
            }
        }
        let (links, qdiscs) = (self.links()?, self.qdiscs()?);
        for root in qdiscs.iter().filter_map(Present::our_root) {
            let way = way_of(root, &links);
            for qdisc in &qdiscs {
                self.lanes.add(impairment, (root, way), qdisc, &mut counts);
            }
        }
        Ok(counts)
    }

    /// None of its lines is to stay.
    pub(crate) fn forget(&mut self) {
        self.lanes = Lanes::default();
    }

    /// What of ours there is, one line each.
    pub(crate) fn found(&mut self) -> Result<Vec<String>, String> {
        let (links, qdiscs) = (self.links()?, self.qdiscs()?);
        let ours = links.iter().filter(|link| link.is_ours());
        let mut found: Vec<_> = ours
            .map(|link| format!("interface {}", link.name))
            .collect();
        for root in qdiscs.iter().filter_map(Present::our_root) {
            let link = links.iter().find(|link| link.index == root.interface);
            let name = link.map_or("?", |link| &link.name);
            found.push(format!("qdisc prio on {name}"));
            let lines = qdiscs.iter().filter(|qdisc| qdisc.netem_in(root).is_some());
            found.extend(lines.map(|_| format!("qdisc netem on {name}")));
        }
        Ok(found)
    }

    /// Takes away all of ours, by whomever it was put there. Nothing may be classified into it any more.
    pub(crate) fn sweep(&mut self) -> Result<(), String> {
        self.forget();
        self.settle()
    }

    /// Takes away what is not of the impairment that was prepared last, by whomever it was put there; what waits in it is let go
    /// before. Nothing may be classified into it any more.
    pub(crate) fn settle(&mut self) -> Result<(), String> {
        let links = self.links()?;
        let mut qdiscs = self.qdiscs()?;
        let mut left = DRAIN.as_millis() / LOOK.as_millis();
        while left > 0 && self.is_draining(&links, &qdiscs) {
            thread::sleep(LOOK);
            left -= 1;
            qdiscs = self.qdiscs()?;
        }
        for root in qdiscs.iter().filter_map(Present::our_root) {
            let way = way_of(root, &links);
            if !self.lanes.of(way).is_empty() {
                self.remove_lines(root, way, &qdiscs)?;
            } else if way == Way::Out {
                self.remove_root(root)?;
            }
        }
        for link in links.iter().filter(|link| link.is_ours()) {
            if self.lanes.ingress.is_empty() || link.name != INWARD {
                links::delete(&mut self.netlink, link.index)
                    .map_err(|e| format!("the interface {} cannot be removed: {e}", link.name))?;
            }
        }
        Ok(())
    }

    fn is_draining(&self, links: &[Link], qdiscs: &[Present]) -> bool {
        let mut roots = qdiscs.iter().filter_map(Present::our_root);
        roots.any(|root| {
            let leaving = self.leaving(root, way_of(root, links), qdiscs);
            leaving.into_iter().any(|(_, waiting)| waiting > 0)
        })
    }

    /// The bands of the root that are not to stay, and how many packets wait in each.
    fn leaving(&self, root: Root, way: Way, qdiscs: &[Present]) -> Vec<(u32, u64)> {
        let stays = |band| self.lanes.of(way).values().any(|stays| *stays == band);
        qdiscs
            .iter()
            .filter_map(|qdisc| Some((qdisc.netem_in(root)?, qdisc.done.waiting)))
            .filter(|(band, _)| !stays(*band))
            .collect()
    }

    fn remove_lines(&mut self, root: Root, way: Way, qdiscs: &[Present]) -> Result<(), String> {
        for (band, _) in self.leaving(root, way, qdiscs) {
            root.remove_netem(&mut self.netlink, band)
                .map_err(|e| format!("a netem qdisc cannot be removed: {e}"))?;
        }
        Ok(())
    }

    fn remove_root(&mut self, root: Root) -> Result<(), String> {
        root.delete(&mut self.netlink)
            .map_err(|e| format!("a prio qdisc cannot be removed: {e}"))?;
        if root.had_no_length() {
            links::set_queue_length(&mut self.netlink, root.interface, 0)
                .map_err(|e| format!("a queue's length cannot be set back to 0: {e}"))?;
        }
        Ok(())
    }

    fn links(&mut self) -> Result<Vec<Link>, String> {
        links::list(&mut self.netlink).map_err(|e| format!("interfaces cannot be listed: {e}"))
    }

    fn qdiscs(&mut self) -> Result<Vec<Present>, String> {
        qdisc::list(&mut self.netlink).map_err(|e| format!("qdiscs cannot be listed: {e}"))
    }
}

/// Packets go through a root on an interface of ours on their way in.
fn way_of(root: Root, links: &[Link]) -> Way {
    let ours = links.iter().filter(|link| link.is_ours());
    if ours.into_iter().any(|link| link.index == root.interface) {
        Way::In
    } else {
        Way::Out
    }
}

/// The bands in which there is a line.
fn used(qdiscs: &[Present], links: &[Link], way: Way) -> BTreeSet<u32> {
    let roots = qdiscs.iter().filter_map(Present::our_root);
    roots
        .filter(|root| way_of(*root, links) == way)
        .flat_map(|root| qdiscs.iter().filter_map(move |qdisc| qdisc.netem_in(root)))
        .collect()
}

fn refuse_foreign(links: &[&Link], qdiscs: &[Present]) -> Result<(), String> {
    let foreign = qdiscs.iter().find_map(|qdisc| {
        let link = links.iter().find(|link| link.index == qdisc.interface)?;
        qdisc
            .is_foreign_root()
            .then_some((qdisc.name(), &link.name))
    });
    match foreign {
        None => Ok(()),
        Some((qdisc, name)) => Err(format!(
            "interface {name} has a qdisc that is not chaosrun's and not the kernel's default: {qdisc}; nothing was changed: \
             remove it (`tc qdisc del dev {name} root`), or have the packets queued instead"
        )),
    }
}

/// How many packets came to a line. Those that come in are counted before it, by the table that leads into it.
fn entered(rule: usize, counted: &[Counted], counts: &mut Counts) {
    for found in counted {
        let before = match found.family {
            Family::Netdev => Way::In,
            _ => Way::Out,
        };
        if found.chain == chain_name(rule, before) {
            counts.packets += found.packets;
            counts.bytes += found.bytes;
        }
    }
}

fn missing(what: &str, failure: &Failure) -> String {
    let unknown = failure.is(rustix::io::Errno::NOENT) || failure.is(rustix::io::Errno::OPNOTSUPP);
    if unknown {
        format!(
            "the kernel has no {what} ({failure}); load it (`modprobe {what}`), or install what holds it (Debian: linux-image-amd64, \
             Ubuntu: linux-modules-extra-$(uname -r), Fedora and RHEL: kernel-modules-extra)"
        )
    } else {
        format!("the kernel refuses to try {what}: {failure}")
    }
}
