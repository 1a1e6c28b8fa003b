use proptest::prelude::*;

use super::*;

/// Made by another program, with their checksums.
const UDP_V4: &str = "4500002100004000401126ca0a0000020a00000100351234000d9a8d7468657265";
const UDP_V6: &str = "60000000000d1140fd000000000000000000000000000002fd00000000000000000000000000000100351234000db48b7468657265";
const TCP_V4: &str =
    "4500002b00074000400626c40a0000010a0000029c40005000000001000000005002faf03ff80000616263";
/// An echo behind options that every hop looks at.
const ICMP_V6: &str = "6000000000140040fd000000000000000000000000000001fd0000000000000000000000000000023a000104000000008000a6dd0005000170696e67";

const ALL: [&str; 4] = [UDP_V4, UDP_V6, TCP_V4, ICMP_V6];

fn bytes(hex: &str) -> Vec<u8> {
    let byte = |at| u8::from_str_radix(&hex[at..at + 2], 16).unwrap();
    (0..hex.len()).step_by(2).map(byte).collect()
}

/// Would whoever gets it take it for whole?
fn is_whole(packet: &[u8]) -> bool {
    let mut again = packet.to_vec();
    complete_checksums(&mut again) && again == packet
}

#[test]
fn checksums_are_those_that_others_compute() {
    for packet in ALL.map(bytes) {
        assert!(is_whole(&packet));
        let mut bare = packet.clone();
        let layout = Layout::of(&packet).unwrap();
        let (field, _) = checksum_field(&layout).unwrap();
        bare[layout.transport + field..][..2].fill(0xAB);
        assert!(!is_whole(&bare));
        assert!(complete_checksums(&mut bare));
        assert_eq!(bare, packet);
    }
}

#[test]
fn the_parts_of_a_packet_are_found() {
    let parts = |hex| {
        let layout = Layout::of(&bytes(hex)).unwrap();
        (layout.is_v6, layout.protocol, layout.transport, layout.end)
    };
    assert_eq!(parts(UDP_V4), (false, 17, 20, 33));
    assert_eq!(parts(UDP_V6), (true, 17, 40, 53));
    assert_eq!(parts(TCP_V4), (false, 6, 20, 43));
    assert_eq!(parts(ICMP_V6), (true, 58, 48, 60));
    assert_eq!(udp_payload(&bytes(UDP_V6)), Some(&b"there"[..]));
    assert_eq!(udp_payload(&bytes(TCP_V4)), None);
}

#[test]
fn whoever_sends_a_segment_can_be_told_that_its_connection_is_reset() {
    assert_eq!(tcp_payload(&bytes(TCP_V4)), Some(&b"abc"[..]));
    assert_eq!(tcp_payload(&bytes(UDP_V4)), None);
    let reset = tcp_reset(&bytes(TCP_V4)).unwrap();
    assert!(is_whole(&reset));
    // From 10.0.0.2 port 80 to 10.0.0.1 port 40000; a SYN counts as one byte, as do the three that it carries.
    assert_eq!(reset[12..20], [10, 0, 0, 2, 10, 0, 0, 1]);
    assert_eq!(reset[20..24], [0, 80, 0x9c, 0x40]);
    assert_eq!(reset[24..34], [0, 0, 0, 0, 0, 0, 0, 5, 0x50, 0x14]);
    let mut established = bytes(TCP_V4);
    established[28..32].copy_from_slice(&[9, 8, 7, 6]);
    established[33] = FLAG_ACK;
    let reset = tcp_reset(&established).unwrap();
    assert_eq!(reset[24..32], [9, 8, 7, 6, 0, 0, 0, 4]);
    assert_eq!(tcp_reset(&bytes(UDP_V6)), None);
    let mut short = bytes(TCP_V4);
    short[32] = 0xF0;
    assert_eq!((tcp_payload(&short), tcp_reset(&short)), (None, None));
}

#[test]
fn an_answer_goes_back_to_where_the_question_came_from() {
    for hex in [UDP_V4, UDP_V6] {
        let answer = bytes(hex);
        let question = udp_answer(&answer, b"any").unwrap();
        assert_eq!(udp_payload(&question), Some(&b"any"[..]));
        assert_eq!(udp_answer(&question, b"there"), Some(answer));
    }
    assert_eq!(udp_answer(&bytes(TCP_V4), b"there"), None);
    assert_eq!(udp_answer(&bytes(UDP_V4), &[0; 65_508]), None);
    assert!(udp_answer(&bytes(UDP_V4), &[0; 65_507]).is_some());
}

#[test]
fn a_piece_of_a_packet_is_left_as_it_is() {
    let mut piece = bytes(UDP_V4);
    piece[6..8].copy_from_slice(&[0, 3]);
    let layout = Layout::of(&piece).unwrap();
    assert!(layout.is_later_fragment && layout.is_fragment);
    assert_eq!(udp_payload(&piece), None);
    assert!(!complete_checksums(&mut piece));
    piece[6..8].copy_from_slice(&[0x20, 0]);
    let layout = Layout::of(&piece).unwrap();
    assert!(!layout.is_later_fragment && layout.is_fragment);
}

#[test]
fn where_there_is_nothing_to_spoil_nothing_is() {
    let mut header = bytes(TCP_V4)[..20].to_vec();
    header[3] = 20;
    assert!(!corrupt(&mut header, 7));
    assert!(!corrupt(&mut [], 7));
    assert!(!corrupt(&mut bytes(TCP_V4)[..30], 7));
}

proptest! {
    #[test]
    fn a_spoilt_packet_finds_its_way_and_is_seen_to_be_spoilt(which in 0..ALL.len(), random: u64) {
        let whole = bytes(ALL[which]);
        let transport = Layout::of(&whole).unwrap().transport;
        let mut spoilt = whole.clone();
        prop_assert!(corrupt(&mut spoilt, random));
        prop_assert_eq!(&spoilt[..transport], &whole[..transport]);
        let flipped: u32 = whole.iter().zip(&spoilt).map(|(a, b)| (a ^ b).count_ones()).sum();
        prop_assert_eq!(flipped, 1);
        prop_assert!(!is_whole(&spoilt));
    }

    #[test]
    fn any_bytes_are_taken(mut any in prop::collection::vec(any::<u8>(), 0..120), random: u64, version in 0..3_u8) {
        if let Some(first) = any.first_mut() {
            *first = [*first, 0x40 | *first & 0xF, 0x60][usize::from(version)];
        }
        // Mostly of a length that fits, so that more than its first check is met.
        let length = any.len();
        match (version, length) {
            (1, 20..) => any[2..4].copy_from_slice(&(length as u16).to_be_bytes()),
            (2, 40..) => any[4..6].copy_from_slice(&(length as u16 - 40).to_be_bytes()),
            _ => {}
        }
        let _ = udp_payload(&any);
        let answer = udp_answer(&any, b"x");
        prop_assert!(answer.is_none_or(|answer| is_whole(&answer)));
        let _ = tcp_payload(&any);
        let reset = tcp_reset(&any);
        prop_assert!(reset.is_none_or(|reset| is_whole(&reset)));
        corrupt(&mut any, random);
        complete_checksums(&mut any);
        prop_assert_eq!(any.len(), length);
    }
}
