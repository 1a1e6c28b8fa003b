//! What is said to and by the kernel about queued packets.

use super::super::netlink::wire::{Attributes, Message, attribute, be32};
use super::super::netlink::{ACK, wire};

const SUBSYSTEM: u16 = 3;
const PACKET: u16 = 0;
const VERDICT: u16 = 1;
const CONFIG: u16 = 2;
const BIND: u8 = 1;
const COPY_NOTHING: u8 = 0;
const COPY_PACKET: u8 = 2;
/// `NFQA_CFG_F_GSO`: packets of many segments come and go as one.
const WHOLE: u32 = 4;

const DROP: u32 = 0;
const ACCEPT: u32 = 1;

/// How much of its packets a queue shows.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Show {
    /// No packet gets in: each is lost, and its sender does not learn of it.
    Nothing,
    /// Enough to know what it is; segments that travel together stay together.
    Head,
    /// The same, each segment by itself.
    HeadOfEach,
    /// All of it, each segment by itself and with its checksums complete.
    All,
}

impl Show {
    fn mode(self) -> u8 {
        match self {
            Self::Nothing => COPY_NOTHING,
            _ => COPY_PACKET,
        }
    }

    fn bytes(self) -> u32 {
        match self {
            Self::Nothing => 0,
            Self::Head | Self::HeadOfEach => 64,
            // As much as an attribute holds.
            Self::All => 0xffff - 4,
        }
    }
}

/// Binds a queue to the socket that sends this.
pub(super) fn bind(queue: u16, show: Show, most: u32) -> Vec<Message> {
    let mut parameters = show.bytes().to_be_bytes().to_vec();
    parameters.push(show.mode());
    let bind = Attributes::new().bytes(1, &[BIND, 0, 0, 0]);
    let flags = if show == Show::Head { WHOLE } else { 0 };
    let shape = Attributes::new()
        .bytes(2, &parameters)
        .be32(3, most)
        .be32(4, WHOLE)
        .be32(5, flags);
    [bind, shape]
        .iter()
        .map(|attributes| message(CONFIG, ACK, queue, attributes))
        .collect()
}

/// Lets a packet go on, with other bytes than it came with if there are any.
pub(super) fn accept(queue: u16, id: u32, bytes: Option<&[u8]>) -> Message {
    verdict(ACCEPT, queue, id, bytes)
}

pub(super) fn drop(queue: u16, id: u32) -> Message {
    verdict(DROP, queue, id, None)
}

fn verdict(verdict: u32, queue: u16, id: u32, bytes: Option<&[u8]>) -> Message {
    let mut header = verdict.to_be_bytes().to_vec();
    header.extend(id.to_be_bytes());
    let mut attributes = Attributes::new().bytes(2, &header);
    if let Some(bytes) = bytes {
        attributes = attributes.bytes(10, bytes);
    }
    message(VERDICT, 0, queue, &attributes)
}

fn message(kind: u16, flags: u16, queue: u16, attributes: &Attributes) -> Message {
    let [high, low] = queue.to_be_bytes();
    Message::new(SUBSYSTEM << 8 | kind, flags, &[0, 0, high, low], attributes)
}

/// A packet that waits for its verdict.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Queued<'a> {
    pub(super) queue: u16,
    pub(super) id: u32,
    /// Of the whole packet.
    pub(super) length: usize,
    /// Where it is about to leave; 0: it is not.
    pub(super) interface: u32,
    /// As much as the queue shows.
    pub(super) bytes: &'a [u8],
}

impl<'a> Queued<'a> {
    /// `None`: this is no packet.
    pub(super) fn of(incoming: &wire::Incoming<'a>) -> Option<Self> {
        if incoming.kind != SUBSYSTEM << 8 | PACKET {
            return None;
        }
        let header = incoming.body.get(..4)?;
        let all = incoming.body.get(4..)?;
        let bytes = attribute(all, 10).unwrap_or_default();
        let whole = attribute(all, 13).and_then(be32);
        let length = whole.and_then(|whole| usize::try_from(whole).ok());
        Some(Self {
            queue: u16::from_be_bytes([header[2], header[3]]),
            id: attribute(all, 1).and_then(be32)?,
            length: length.unwrap_or(bytes.len()),
            interface: attribute(all, 6).and_then(be32).unwrap_or_default(),
            bytes,
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn written(message: &Message) -> Vec<u8> {
        let mut bytes = Vec::new();
        message.write(7, 1, &mut bytes);
        bytes
    }

    #[test]
    fn a_packet_is_read_as_the_kernel_writes_it() {
        let attributes = Attributes::new()
            .bytes(1, &[0, 0, 0, 9, 8, 0, 4])
            .be32(6, 3)
            .bytes(10, b"head")
            .be32(13, 1500);
        let bytes = written(&message(PACKET, 0, 0xC401, &attributes));
        let incoming = wire::messages(&bytes).next().unwrap();
        let queued = Queued::of(&incoming).unwrap();
        assert_eq!((queued.queue, queued.id), (0xC401, 9));
        assert_eq!((queued.length, queued.interface), (1500, 3));
        assert_eq!(queued.bytes, b"head");
        let other = written(&accept(1, 2, None));
        assert_eq!(Queued::of(&wire::messages(&other).next().unwrap()), None);
    }

    #[test]
    fn a_verdict_is_written_as_the_kernel_reads_it() {
        let bytes = written(&accept(0xC401, 9, None));
        assert_eq!(&bytes[20..], [12, 0, 2, 0, 0, 0, 0, 1, 0, 0, 0, 9]);
        assert_eq!(&bytes[16..20], [0, 0, 0xC4, 1]);
        let bytes = written(&drop(0xC401, 9));
        assert_eq!(&bytes[20..], [12, 0, 2, 0, 0, 0, 0, 0, 0, 0, 0, 9]);
    }

    proptest! {
        #[test]
        fn whatever_comes_is_read_or_not(body in prop::collection::vec(any::<u8>(), 0..100)) {
            let incoming = wire::Incoming { kind: 0x300, flags: 0, sequence: 0, body: &body };
            let _ = Queued::of(&incoming);
        }
    }
}
