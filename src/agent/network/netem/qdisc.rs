//! Queueing disciplines of interfaces: which there are, what they have done, and ours.
//!
//! Ours is a `prio` at the root with a handle that nobody else has, whose first band takes everything; the other bands are netem
//! qdiscs, and get what is classified into them by its priority. So a root of ours without an nftables table of ours does nothing.

use super::super::netlink::wire::{Attributes, Message, attribute, number32, text};
use super::super::netlink::{ACK, CREATE, EXCLUSIVE, Failure, Netlink, Reply};

const NEW_QDISC: u16 = 36;
const DELETE_QDISC: u16 = 37;
const GET_QDISC: u16 = 38;

const KIND: u16 = 1;
const OPTIONS: u16 = 2;
const STATISTICS: u16 = 7;
/// Inside [`STATISTICS`].
const BASIC: u16 = 1;
const QUEUE: u16 = 3;

const ROOT: u32 = u32::MAX;
/// How many bands a root of ours has: the most that `prio` can.
const BANDS: u32 = 16;
/// One less on an interface whose queue had no length. Whoever gets a qdisc gets one, and this tells whoever takes the qdisc away,
/// which need not be whoever put it there.
const BANDS_WITHOUT_LENGTH: u32 = 15;
/// So many lines can be told apart in each direction.
pub(super) const LINES: u32 = BANDS_WITHOUT_LENGTH - 1;

/// Our handle's upper half. The kernel gives away those from 0x8000 on by itself, and people take small ones.
const OURS: u32 = 0x7ca0;

/// Ours on an interface.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) struct Root {
    pub(super) interface: u32,
    bands: u32,
}

/// A qdisc that is there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Present {
    pub(super) interface: u32,
    pub(super) kind: String,
    handle: u32,
    parent: u32,
    options: Vec<u8>,
    pub(super) done: Done,
}

/// What became of the packets that it was given.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) struct Done {
    pub(super) sent: u64,
    pub(super) dropped: u64,
    pub(super) waiting: u64,
}

impl Root {
    /// `queue_length`: that of the interface, before it has a qdisc.
    pub(super) fn on(interface: u32, queue_length: u32) -> Self {
        let bands = if queue_length == 0 {
            BANDS_WITHOUT_LENGTH
        } else {
            BANDS
        };
        Self { interface, bands }
    }

    pub(super) fn had_no_length(self) -> bool {
        self.bands == BANDS_WITHOUT_LENGTH
    }

    /// Refused where another root is that is not the kernel's default.
    pub(super) fn create(self, netlink: &mut Netlink) -> Result<(), Failure> {
        let mut options = self.bands.to_ne_bytes().to_vec();
        options.extend([0; 16]);
        let header = header(self.interface, OURS << 16, ROOT);
        create(netlink, &header, "prio", &options)
    }

    pub(super) fn add_netem(
        self,
        netlink: &mut Netlink,
        band: u32,
        options: &[u8],
    ) -> Result<(), Failure> {
        create(
            netlink,
            &header(self.interface, 0, class(band)),
            "netem",
            options,
        )
    }

    /// What goes to the band from then on passes.
    pub(super) fn remove_netem(self, netlink: &mut Netlink, band: u32) -> Result<(), Failure> {
        delete(netlink, &header(self.interface, 0, class(band)))
    }

    /// With all of its bands; what the kernel has by default is there again afterwards.
    pub(super) fn delete(self, netlink: &mut Netlink) -> Result<(), Failure> {
        delete(netlink, &header(self.interface, OURS << 16, ROOT))
    }
}

impl Present {
    /// It is the root that we make, to the last byte.
    pub(super) fn our_root(&self) -> Option<Root> {
        let bands = number32(&self.options, 0)?;
        let ours = self.parent == ROOT
            && self.handle == OURS << 16
            && self.kind == "prio"
            && [BANDS, BANDS_WITHOUT_LENGTH].contains(&bands)
            && self.options.get(4..20) == Some(&[0; 16][..]);
        ours.then_some(Root {
            interface: self.interface,
            bands,
        })
    }

    /// The root of somebody else: the kernel's own defaults have no handle.
    pub(super) fn is_foreign_root(&self) -> bool {
        self.parent == ROOT && self.handle != 0 && self.our_root().is_none()
    }

    /// It is a line of ours: in which of the root's bands.
    pub(super) fn netem_in(&self, root: Root) -> Option<u32> {
        let within = self.interface == root.interface && self.parent >> 16 == OURS;
        (within && self.kind == "netem").then(|| (self.parent & 0xffff).saturating_sub(1))
    }

    /// As `tc` shows it: `htb 1:`.
    pub(super) fn name(&self) -> String {
        format!("{} {:x}:", self.kind, self.handle >> 16)
    }
}

/// The priority that a packet gets to go to this band; 0 is the untouched one.
pub(super) fn class(band: u32) -> u32 {
    OURS << 16 | (band + 1)
}

/// On an interface that nothing uses.
pub(super) fn try_netem(
    netlink: &mut Netlink,
    interface: u32,
    options: &[u8],
) -> Result<(), Failure> {
    create(netlink, &header(interface, 0, ROOT), "netem", options)?;
    delete(netlink, &header(interface, 0, ROOT))
}

fn create(netlink: &mut Netlink, header: &[u8], kind: &str, options: &[u8]) -> Result<(), Failure> {
    let attributes = Attributes::new().text(KIND, kind).bytes(OPTIONS, options);
    let flags = CREATE | EXCLUSIVE | ACK;
    netlink.tell(&[Message::new(NEW_QDISC, flags, header, &attributes)])
}

fn delete(netlink: &mut Netlink, header: &[u8]) -> Result<(), Failure> {
    netlink.tell(&[Message::new(DELETE_QDISC, ACK, header, &Attributes::new())])
}

pub(super) fn list(netlink: &mut Netlink) -> Result<Vec<Present>, Failure> {
    let question = Message::new(GET_QDISC, 0, &header(0, 0, 0), &Attributes::new());
    Ok(netlink
        .list(&question)?
        .iter()
        .filter_map(present)
        .collect())
}

fn header(interface: u32, handle: u32, parent: u32) -> Vec<u8> {
    [0, interface, handle, parent, 0]
        .iter()
        .flat_map(|number| number.to_ne_bytes())
        .collect()
}

fn present(reply: &Reply) -> Option<Present> {
    let (header, rest) = reply.body.split_at_checked(20)?;
    Some(Present {
        interface: number32(header, 4)?,
        handle: number32(header, 8)?,
        parent: number32(header, 12)?,
        kind: text(attribute(rest, KIND)?),
        options: attribute(rest, OPTIONS).unwrap_or_default().to_vec(),
        done: attribute(rest, STATISTICS).map(done).unwrap_or_default(),
    })
}

fn done(statistics: &[u8]) -> Done {
    let number = |kind, at| {
        let found = attribute(statistics, kind).and_then(|value| number32(value, at));
        u64::from(found.unwrap_or_default())
    };
    Done {
        sent: number(BASIC, 8),
        waiting: number(QUEUE, 0),
        dropped: number(QUEUE, 8),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn prio(handle: u32, bands: u32, band: u8) -> Present {
        let mut options = bands.to_ne_bytes().to_vec();
        options.extend([band; 16]);
        Present {
            interface: 2,
            kind: "prio".into(),
            handle: handle << 16,
            parent: ROOT,
            options,
            done: Done::default(),
        }
    }

    #[test]
    fn only_what_we_would_make_is_ours() {
        let ours = prio(OURS, BANDS, 0);
        assert_eq!(ours.our_root(), Some(Root::on(2, 1000)));
        assert!(!ours.is_foreign_root());
        let without = prio(OURS, BANDS_WITHOUT_LENGTH, 0).our_root();
        assert_eq!(without, Some(Root::on(2, 0)));
        assert!(without.unwrap().had_no_length());
        for other in [
            prio(1, BANDS, 0),
            prio(OURS, 3, 0),
            prio(OURS, BANDS, 1),
            Present {
                kind: "htb".into(),
                ..prio(OURS, BANDS, 0)
            },
        ] {
            assert_eq!(other.our_root(), None, "{other:?}");
            assert!(other.is_foreign_root());
        }
        assert_eq!(prio(1, BANDS, 0).name(), "prio 1:");
    }

    #[test]
    fn what_the_kernel_puts_there_by_itself_is_nobodys() {
        assert!(!prio(0, 3, 0).is_foreign_root());
        let child = Present {
            parent: 1 << 16 | 2,
            ..prio(1, BANDS, 0)
        };
        assert!(!child.is_foreign_root());
    }

    #[test]
    fn bands_have_classes_and_are_found_by_them() {
        let root = Root::on(2, 1000);
        assert_eq!(class(1), 0x7ca0_0002);
        let child = Present {
            kind: "netem".into(),
            parent: class(3),
            ..prio(0x8001, 0, 0)
        };
        assert_eq!(child.netem_in(root), Some(3));
        assert_eq!(child.netem_in(Root::on(3, 1000)), None);
    }
}
