//! Raw IP packets, of both versions: where things are in them, how one is spoilt, and how a question is answered or cut off.

/// A UDP header.
const UDP: usize = 8;
/// A TCP header without options.
const TCP: usize = 20;
const FLAG_SYN: u8 = 2;
const FLAG_RESET: u8 = 4;
const FLAG_ACK: u8 = 16;
const PROTOCOL_TCP: u8 = 6;
const PROTOCOL_UDP: u8 = 17;
const PROTOCOL_ICMP: u8 = 1;
const PROTOCOL_ICMP_V6: u8 = 58;
/// Hops that an answer may take.
const TIME_TO_LIVE: u8 = 64;

/// Where the parts of one packet are.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Layout {
    pub is_v6: bool,
    /// Of what is transported: TCP is 6.
    pub protocol: u8,
    /// Where what is transported begins; in a first or only fragment with the header of its protocol.
    pub transport: usize,
    /// Where the packet ends, which is not behind the bytes there are.
    pub end: usize,
    /// A later fragment: its bytes are in the middle of something.
    pub is_later_fragment: bool,
    /// A fragment, of which its checksum covers more than is here.
    pub is_fragment: bool,
}

impl Layout {
    /// `None`: this is no whole IP packet.
    pub fn of(packet: &[u8]) -> Option<Self> {
        match packet.first()? >> 4 {
            4 => Self::of_v4(packet),
            6 => Self::of_v6(packet),
            _ => None,
        }
    }

    fn of_v4(packet: &[u8]) -> Option<Self> {
        let transport = usize::from(packet[0] & 0x0F) * 4;
        let end = usize::from(number(packet, 2)?);
        if transport < 20 || end < transport || end > packet.len() {
            return None;
        }
        let fragment = number(packet, 6)?;
        Some(Self {
            is_v6: false,
            protocol: packet[9],
            transport,
            end,
            is_later_fragment: fragment & 0x1FFF != 0,
            is_fragment: fragment & 0x3FFF != 0,
        })
    }

    fn of_v6(packet: &[u8]) -> Option<Self> {
        let end = 40 + usize::from(number(packet, 4)?);
        let mut layout = Self {
            is_v6: true,
            protocol: *packet.get(6)?,
            transport: 40,
            end,
            is_later_fragment: false,
            is_fragment: false,
        };
        if end > packet.len() {
            return None;
        }
        // Hop-by-hop options, routing, fragment, destination options: what stands before the transported.
        while matches!(layout.protocol, 0 | 43 | 44 | 60) && !layout.is_later_fragment {
            let header = packet.get(layout.transport..end)?;
            let (next, words) = (*header.first()?, *header.get(1)?);
            let length = if layout.protocol == 44 {
                let fragment = number(header, 2)?;
                layout.is_later_fragment = fragment & 0xFFF8 != 0;
                layout.is_fragment = fragment & 0xFFF9 != 0;
                8
            } else {
                (usize::from(words) + 1) * 8
            };
            layout.protocol = next;
            layout.transport += length;
        }
        (layout.transport <= end).then_some(layout)
    }

    fn addresses(&self) -> std::ops::Range<usize> {
        if self.is_v6 { 8..40 } else { 12..20 }
    }
}

/// Flips one bit of what is transported: the packet finds its way, and whoever gets it sees by its checksum that it is spoilt.
/// False where there is no such bit.
pub fn corrupt(packet: &mut [u8], random: u64) -> bool {
    let Some(layout) = Layout::of(packet) else {
        return false;
    };
    let mut from = layout.transport;
    // A UDP checksum that became 0 would ask not to be looked at.
    let has_payload = layout.end - from > UDP;
    if layout.protocol == PROTOCOL_UDP && !layout.is_later_fragment && has_payload {
        from += UDP;
    }
    let bits = (layout.end - from) as u64 * 8;
    if bits == 0 {
        return false;
    }
    let bit = random % bits;
    packet[from + (bit / 8) as usize] ^= 1 << (bit % 8);
    true
}

/// What a whole UDP packet carries.
pub fn udp_payload(packet: &[u8]) -> Option<&[u8]> {
    let layout = udp(packet)?;
    let length = usize::from(number(packet, layout.transport + 4)?);
    let end = layout.transport + length;
    if end > layout.end {
        return None;
    }
    packet.get(layout.transport + UDP..end)
}

/// What a whole TCP segment carries; of some that travel together all of it.
pub fn tcp_payload(packet: &[u8]) -> Option<&[u8]> {
    let (layout, header) = tcp(packet)?;
    packet.get(layout.transport + header..layout.end)
}

/// What ends a connection for whoever sent this segment, as if the other end had reset it. `None`: that is none.
pub fn tcp_reset(segment: &[u8]) -> Option<Vec<u8>> {
    let (layout, header) = tcp(segment)?;
    let sent = segment.get(layout.transport..)?;
    let word = |at: usize| Some(u32::from_be_bytes(sent.get(at..at + 4)?.try_into().ok()?));
    let flags = sent[13];
    // Where nothing is acknowledged, the connection is only about to begin.
    let next = if flags & FLAG_ACK == 0 { 0 } else { word(8)? };
    let taken = layout.end - layout.transport - header + usize::from(flags & FLAG_SYN != 0);
    let seen = word(4)?.wrapping_add(u32::try_from(taken).ok()?);
    let mut packet = header_back(segment, &layout, PROTOCOL_TCP, u16::try_from(TCP).ok()?)?;
    packet.extend(next.to_be_bytes());
    packet.extend(seen.to_be_bytes());
    packet.extend([(TCP as u8 / 4) << 4, FLAG_RESET | FLAG_ACK]);
    // Window, checksum and urgent pointer.
    packet.extend([0; 6]);
    complete_checksums(&mut packet).then_some(packet)
}

/// A UDP packet from where `question` goes to where it comes from. `None`: that is none, or the payload is too long.
pub fn udp_answer(question: &[u8], payload: &[u8]) -> Option<Vec<u8>> {
    let asked = udp(question)?;
    let length = u16::try_from(UDP + payload.len()).ok()?;
    let mut packet = header_back(question, &asked, PROTOCOL_UDP, length)?;
    packet.extend(length.to_be_bytes());
    packet.extend([0, 0]);
    packet.extend(payload);
    complete_checksums(&mut packet).then_some(packet)
}

/// The IP header and the ports of a packet the other way, which carries so many bytes of this protocol.
fn header_back(packet: &[u8], asked: &Layout, protocol: u8, length: u16) -> Option<Vec<u8>> {
    let mut header = if asked.is_v6 {
        let mut header = vec![0x60, 0, 0, 0, 0, 0, protocol, TIME_TO_LIVE];
        header[4..6].copy_from_slice(&length.to_be_bytes());
        header
    } else {
        let total = length.checked_add(20)?;
        let mut header = vec![0x45, 0, 0, 0, 0, 0, 0x40, 0, TIME_TO_LIVE, protocol, 0, 0];
        header[2..4].copy_from_slice(&total.to_be_bytes());
        header
    };
    let addresses = &packet[asked.addresses()];
    let (source, destination) = addresses.split_at(addresses.len() / 2);
    header.extend([destination, source].concat());
    let ports = packet.get(asked.transport..asked.transport + 4)?;
    header.extend([ports[2], ports[3], ports[0], ports[1]]);
    Some(header)
}

/// Computes the checksums of a whole packet anew; a packet on its way through its own machine may not have them yet. False where
/// it has none that could be computed: another protocol, a fragment.
pub fn complete_checksums(packet: &mut [u8]) -> bool {
    let Some(layout) = Layout::of(packet) else {
        return false;
    };
    if !layout.is_v6 {
        packet[10..12].fill(0);
        let sum = folded(sum(&packet[..layout.transport]));
        packet[10..12].copy_from_slice(&sum.to_be_bytes());
    }
    let Some((field, has_pseudo_header)) = checksum_field(&layout) else {
        return false;
    };
    let at = layout.transport + field;
    if at + 2 > layout.end {
        return false;
    }
    packet[at..at + 2].fill(0);
    let mut total = sum(&packet[layout.transport..layout.end]);
    if has_pseudo_header {
        total += sum(&packet[layout.addresses()]);
        total += u64::from(layout.protocol) + (layout.end - layout.transport) as u64;
    }
    let sum = match folded(total) {
        0 if layout.protocol == PROTOCOL_UDP => 0xFFFF,
        sum => sum,
    };
    packet[at..at + 2].copy_from_slice(&sum.to_be_bytes());
    true
}

/// Where in what is transported its checksum is, and whether that covers the addresses.
fn checksum_field(layout: &Layout) -> Option<(usize, bool)> {
    match layout.protocol {
        _ if layout.is_fragment => None,
        PROTOCOL_TCP => Some((16, true)),
        PROTOCOL_UDP => Some((6, true)),
        PROTOCOL_ICMP => Some((2, false)),
        PROTOCOL_ICMP_V6 => Some((2, true)),
        _ => None,
    }
}

fn udp(packet: &[u8]) -> Option<Layout> {
    let layout = Layout::of(packet)?;
    let is_whole = layout.protocol == PROTOCOL_UDP && !layout.is_fragment;
    (is_whole && layout.end - layout.transport >= UDP).then_some(layout)
}

/// With the length of its own header.
fn tcp(packet: &[u8]) -> Option<(Layout, usize)> {
    let layout = Layout::of(packet)?;
    let offset = packet.get(layout.transport + 12)? >> 4;
    let header = usize::from(offset) * 4;
    let is_whole = layout.protocol == PROTOCOL_TCP && !layout.is_fragment;
    let fits = header >= TCP && layout.transport + header <= layout.end;
    (is_whole && fits).then_some((layout, header))
}

fn number(bytes: &[u8], at: usize) -> Option<u16> {
    let pair = bytes.get(at..at + 2)?;
    Some(u16::from_be_bytes([pair[0], pair[1]]))
}

/// Of 16-bit words; an odd last byte is a word's first.
fn sum(bytes: &[u8]) -> u64 {
    bytes
        .chunks(2)
        .map(|pair| u64::from(pair[0]) << 8 | pair.get(1).map_or(0, |low| u64::from(*low)))
        .sum()
}

/// The one's complement of the one's complement sum.
fn folded(mut sum: u64) -> u16 {
    while sum > 0xFFFF {
        sum = (sum & 0xFFFF) + (sum >> 16);
    }
    !(sum as u16)
}

#[cfg(test)]
mod tests;
