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

mod links;
mod options;
mod qdisc;
mod spread;

use std::collections::BTreeMap;
use std::thread;
use std::time::Duration;

use self::links::Link;
use self::qdisc::{Done, LINES, Present, Root};
use super::netlink::{Failure, Netlink, ROUTE};
use crate::impairment::{Counts, Direction, Effect, Impairment, Line};

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
        let netlink = Netlink::open(ROUTE)?;
        Ok(Self { netlink })
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

    /// Makes the lines of an impairment, into which nothing goes yet, in place of whatever of ours there is.
    ///
    /// # Errors
    /// A sentence; then nothing of ours is there.
    pub(crate) fn prepare(&mut self, impairment: &Impairment) -> Result<Ways, String> {
        let egress = bands(impairment, Direction::Egress)?;
        let ingress = bands(impairment, Direction::Ingress)?;
        self.sweep()?;
        let made = self.make(impairment, &egress, &ingress);
        if made.is_err() {
            self.sweep()?;
        }
        made
    }

    fn make(&mut self, impairment: &Impairment, out: &Bands, r#in: &Bands) -> Result<Ways, String> {
        let links = self.links()?;
        let outward: Vec<_> = links.iter().filter(|link| link.is_outward()).collect();
        let mut ways = Ways {
            egress: classes(out),
            ingress: classes(r#in),
            ..Ways::default()
        };
        if !out.is_empty() {
            self.refuse_foreign(&outward)?;
            for link in &outward {
                let lines = lines(impairment, (Direction::Egress, out), link)?;
                let root = Root::on(link.index, link.queue_length);
                self.furnish(root, &link.name, &lines)?;
            }
        }
        // What comes in keeps the frame of the interface that it came through.
        if let (false, Some(first)) = (r#in.is_empty(), outward.first()) {
            let lines = lines(impairment, (Direction::Ingress, r#in), first)?;
            ways.inward = self.make_inward(&lines)?;
            ways.interfaces = outward.iter().map(|link| link.name.clone()).collect();
        }
        Ok(ways)
    }

    fn refuse_foreign(&mut self, links: &[&Link]) -> Result<(), String> {
        let qdiscs = self.qdiscs()?;
        let foreign = qdiscs.iter().find_map(|qdisc| {
            let link = links.iter().find(|link| link.index == qdisc.interface)?;
            qdisc.is_foreign_root().then_some((qdisc, link))
        });
        match foreign {
            None => Ok(()),
            Some((qdisc, link)) => Err(format!(
                "interface {} has a qdisc that is not chaosrun's and not the kernel's default: {}; nothing was changed: \
                 remove it (`tc qdisc del dev {} root`), or have the packets queued instead",
                link.name,
                qdisc.name(),
                link.name
            )),
        }
    }

    fn make_inward(&mut self, lines: &[(u32, Vec<u8>)]) -> Result<u32, String> {
        let failed = |e: Failure| format!("interface {INWARD} cannot be made: {e}");
        let index = links::create(&mut self.netlink, INWARD, "ifb").map_err(failed)?;
        links::raise(&mut self.netlink, index).map_err(failed)?;
        self.furnish(Root::on(index, 1), INWARD, lines)?;
        Ok(index)
    }

    fn furnish(&mut self, root: Root, name: &str, lines: &[(u32, Vec<u8>)]) -> Result<(), String> {
        root.create(&mut self.netlink)
            .map_err(|e| format!("interface {name} cannot be given a prio qdisc: {e}"))?;
        for (band, options) in lines {
            root.add_netem(&mut self.netlink, *band, options)
                .map_err(|e| format!("interface {name} cannot be given a netem qdisc: {e}"))?;
        }
        Ok(())
    }

    /// Adds what netem tells to what the tables have counted.
    pub(crate) fn count(
        &mut self,
        impairment: &Impairment,
        counts: &mut [Counts],
    ) -> Result<(), String> {
        let companions: Vec<_> = self.links()?;
        let qdiscs = self.qdiscs()?;
        for root in qdiscs.iter().filter_map(Present::our_root) {
            let inward = companions
                .iter()
                .any(|link| link.index == root.interface && link.is_ours());
            let direction = if inward {
                Direction::Ingress
            } else {
                Direction::Egress
            };
            for (rule, band) in bands(impairment, direction)? {
                let done = qdiscs
                    .iter()
                    .filter(|qdisc| qdisc.kind == "netem" && qdisc.band_of(root) == Some(band))
                    .map(|qdisc| qdisc.done);
                let rules = impairment.rules.get(rule).zip(counts.get_mut(rule));
                if let Some((rule, counts)) = rules
                    && let Effect::Line(line) = &rule.effect
                {
                    done.for_each(|done| add(counts, line, done));
                }
            }
        }
        Ok(())
    }

    /// What of ours there is, one line each.
    pub(crate) fn found(&mut self) -> Result<Vec<String>, String> {
        let links = self.links()?;
        let name = |index: u32| {
            let link = links.iter().find(|link| link.index == index);
            link.map_or_else(|| index.to_string(), |link| link.name.clone())
        };
        let ours = links.iter().filter(|link| link.is_ours());
        let mut found: Vec<_> = ours
            .map(|link| format!("interface {}", link.name))
            .collect();
        let qdiscs = self.qdiscs()?;
        for root in qdiscs.iter().filter_map(Present::our_root) {
            let lines = qdiscs
                .iter()
                .filter(|qdisc| qdisc.kind == "netem" && qdisc.band_of(root).is_some())
                .count();
            let name = name(root.interface);
            found.push(format!("qdisc prio on {name} with {lines} of netem"));
        }
        Ok(found)
    }

    /// Takes away all of ours, by whomever it was put there; what waits in it is let go before. Nothing may be classified into it
    /// any more.
    pub(crate) fn sweep(&mut self) -> Result<(), String> {
        let mut qdiscs = self.qdiscs()?;
        let mut left = DRAIN.as_millis() / LOOK.as_millis();
        while waiting(&qdiscs) > 0 && left > 0 {
            thread::sleep(LOOK);
            left -= 1;
            qdiscs = self.qdiscs()?;
        }
        let links = self.links()?;
        let ours: Vec<_> = links.iter().filter(|link| link.is_ours()).collect();
        for root in qdiscs.iter().filter_map(Present::our_root) {
            if ours.iter().any(|link| link.index == root.interface) {
                continue;
            }
            root.delete(&mut self.netlink)
                .map_err(|e| format!("the qdisc prio cannot be removed: {e}"))?;
            if root.had_no_length() {
                links::set_queue_length(&mut self.netlink, root.interface, 0)
                    .map_err(|e| format!("the queue's length cannot be set back to 0: {e}"))?;
            }
        }
        for link in ours {
            links::delete(&mut self.netlink, link.index)
                .map_err(|e| format!("the interface {} cannot be removed: {e}", link.name))?;
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

/// By rule.
type Bands = BTreeMap<usize, u32>;

/// The bands of one direction, from 1 on.
fn bands(impairment: &Impairment, direction: Direction) -> Result<Bands, String> {
    let rules = impairment.rules.iter().enumerate().filter(|(_, rule)| {
        let this_way = [direction, Direction::Both].contains(&rule.flow.direction);
        this_way && matches!(rule.effect, Effect::Line(_))
    });
    let bands: Bands = rules.map(|(at, _)| at).zip(1..).collect();
    if bands.len() > LINES as usize {
        return Err(format!(
            "netem tells {LINES} lines apart in each direction, and {} were asked for",
            bands.len()
        ));
    }
    Ok(bands)
}

fn classes(bands: &Bands) -> BTreeMap<usize, u32> {
    let pairs = bands.iter();
    pairs
        .map(|(rule, band)| (*rule, qdisc::class(*band)))
        .collect()
}

/// The options of each band.
fn lines(
    impairment: &Impairment,
    (direction, bands): (Direction, &Bands),
    link: &Link,
) -> Result<Vec<(u32, Vec<u8>)>, String> {
    let mut lines = Vec::new();
    for (at, band) in bands {
        if let Some(rule) = impairment.rules.get(*at)
            && let Effect::Line(line) = &rule.effect
        {
            let seed = seed(impairment.seed, link.index, direction, *band);
            lines.push((*band, options::options(line, seed, link.framing)?));
        }
    }
    Ok(lines)
}

/// Each line has random numbers of its own.
fn seed(seed: u64, interface: u32, direction: Direction, band: u32) -> u64 {
    const SPREAD: u64 = 0x9e37_79b9_7f4a_7c15;
    let way = u64::from(direction == Direction::Ingress);
    let place = u64::from(interface) << 8 | u64::from(band) << 1 | way;
    // A multiplication by an odd number loses nothing, so no two places get the same.
    seed ^ place.wrapping_mul(SPREAD)
}

fn waiting(qdiscs: &[Present]) -> u64 {
    let ours = qdiscs.iter().filter(|qdisc| qdisc.our_root().is_some());
    ours.map(|qdisc| qdisc.done.waiting).sum()
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

fn missing(what: &str, failure: &Failure) -> String {
    let unknown = failure.is(rustix::io::Errno::NOENT) || failure.is(rustix::io::Errno::OPNOTSUPP);
    if unknown {
        format!(
            "the kernel has no {what} ({failure}): load it (`modprobe {what}`), or install what holds it (Debian and Ubuntu: \
             linux-modules-extra-$(uname -r), Fedora and RHEL: kernel-modules-extra)"
        )
    } else {
        format!("the kernel refuses to try {what}: {failure}")
    }
}

#[cfg(test)]
mod tests;
