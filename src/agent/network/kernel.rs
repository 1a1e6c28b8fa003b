//! What this kernel can do, found out by doing it: each thing once, in a table of its own that no packet meets and that is taken back
//! at once.

use std::collections::BTreeMap;

use super::netem::Netem;
use super::netlink::Failure;
use super::nft::expr::{
    Expression, IpVersion, compat_queue, connection_status, copy_to_destination, counter,
    forward_to, queue, reject_with_reset,
};
use super::nft::{Chain, Family, Nft, Table};
use super::queue;
use super::queue::plan::Means;
use crate::impairment::{BackEnd, Features};

/// In a table of this name.
const PROBE: &str = "chaosrun-probe";

/// What works here, and why the rest does not.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Kernel {
    pub(crate) versions: Vec<IpVersion>,
    /// `None`: packets cannot be handed to user space.
    pub(crate) means: Option<Means>,
    has_netem: bool,
    missing: BTreeMap<String, String>,
}

impl Kernel {
    /// # Errors
    /// Not even a table can be made.
    pub(crate) fn probe() -> Result<Self, String> {
        let mut nft = Nft::open().map_err(|e| no_nftables(&e))?;
        let mut missing = BTreeMap::new();
        let mut note = |name: &str, tried: Result<(), Failure>, then: &str, todo: &str| {
            let failed = tried.err();
            if let Some(why) = &failed {
                let words = format!("{then} (the kernel says: {why}); {todo}");
                missing.insert(name.to_owned(), words);
            }
            failed.is_none()
        };
        let v4 = tried(&mut nft, Family::Ip, vec![counter()]);
        v4.map_err(|e| no_nftables(&e))?;
        let mut versions = vec![IpVersion::V4];
        let v6 = tried(&mut nft, Family::Ip6, vec![counter()]);
        if note(
            "ipv6",
            v6,
            "packets of IPv6 are not touched",
            "nf_tables needs CONFIG_NF_TABLES_IPV6",
        ) {
            versions.push(IpVersion::V6);
        }
        let reset = tried(&mut nft, Family::Ip, vec![reject_with_reset()]);
        note(
            "reset",
            reset,
            "connections cannot be reset",
            "load nft_reject_ipv4 and nft_reject_ipv6",
        );
        let has_queue = tried(&mut nft, Family::Ip, vec![queue(0, true)]);
        let older = tried(&mut nft, Family::Ip, vec![compat_queue(0, true)]);
        let listens = queue::probe();
        let mut can_copy = true;
        for version in &versions {
            let copy = copy_to_destination(*version).to_vec();
            can_copy &= note(
                "copy",
                tried(&mut nft, (*version).into(), copy),
                "packets that go out are held in their socket's place, which slows single streams",
                "load nft_dup_ipv4 and nft_dup_ipv6",
            );
        }
        let sees_connections = note(
            "connections",
            tried(&mut nft, Family::Ip, vec![connection_status()]),
            "a firewall in the target may not know connections that begin during the fault",
            "load nft_ct",
        );
        let rules = if has_queue.is_ok() { Ok(()) } else { older };
        let works = note(
            "queue",
            listens.and(rules),
            "packets cannot be handed to user space",
            "load nfnetlink_queue with nft_queue, or with xt_NFQUEUE and nft_compat",
        );
        let means = works.then_some(Means {
            has_queue: has_queue.is_ok(),
            can_copy,
            sees_connections,
        });
        // It needs queues too: for questions to name servers, and for a silence that the sender does not learn of.
        let has_netem = match netem(&mut nft) {
            Ok(()) => works,
            Err(why) => {
                let instead = if works {
                    ", or do without: `queue` does the same"
                } else {
                    ""
                };
                missing.insert("netem".into(), why + instead);
                false
            }
        };
        Ok(Self {
            versions,
            means,
            has_netem,
            missing,
        })
    }

    pub(crate) fn features(&self) -> Features {
        Features {
            back_ends: [BackEnd::Netem, BackEnd::Queue]
                .into_iter()
                .filter(|back_end| self.has(*back_end))
                .collect(),
            missing: self.missing.clone(),
        }
    }

    pub(crate) fn has(&self, back_end: BackEnd) -> bool {
        match back_end {
            BackEnd::Netem => self.has_netem,
            BackEnd::Queue => self.means.is_some(),
        }
    }

    /// Why a back end is not there.
    pub(crate) fn lacks(&self, name: &str) -> String {
        let why = self.missing.get(name);
        why.map_or_else(|| format!("{name} is missing"), Clone::clone)
    }
}

fn no_nftables(why: &Failure) -> String {
    if why.is(rustix::io::Errno::PERM) {
        format!("no table can be made: {why}; the agent needs NET_ADMIN")
    } else {
        format!(
            "no table can be made: {why}; take a kernel with nf_tables (CONFIG_NF_TABLES) of Linux 5.12 or later"
        )
    }
}

/// Both halves of it: the qdiscs, and what leads into them.
fn netem(nft: &mut Nft) -> Result<(), String> {
    let mut netem = Netem::open().map_err(|e| format!("no socket for interfaces: {e}"))?;
    netem.probe()?;
    tried(nft, Family::Netdev, forward_to(1).to_vec()).map_err(|e| {
        format!(
            "what comes in cannot be handed to a qdisc (the kernel says: {e}); load nft_fwd_netdev"
        )
    })
}

fn tried(nft: &mut Nft, family: Family, rule: Vec<Expression>) -> Result<(), Failure> {
    let tried = Chain {
        name: "tried".into(),
        hook: None,
        rules: vec![rule],
    };
    let table = Table {
        family,
        name: PROBE,
        chains: vec![tried],
    };
    nft.replace(&[table])?;
    nft.replace(&[])
}
