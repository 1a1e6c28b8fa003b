//! Packets of strangers, and the questions to name servers in them: where an agent reads bytes that nobody of chaosrun's has written.
#![no_main]

use chaosrun::impairment::Answer;
use chaosrun::impairment::dns::Question;
use chaosrun::impairment::packet::{
    Layout, complete_checksums, corrupt, udp_answer, udp_payload,
};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|input: (u64, &[u8])| {
    let (random, packet) = input;
    // Most of what is found by chance is no packet, but may be a question.
    if let Some(question) = Question::parse(packet) {
        answer(&question, None);
    }
    if let Some(question) = udp_payload(packet).and_then(Question::parse) {
        answer(&question, Some(packet));
    }
    spoil(packet, random);
    complete(packet);
});

fn answer(question: &Question, packet: Option<&[u8]>) {
    let name = question.name();
    assert!(question.is_for(&[".".to_owned()]));
    if name.bytes().all(|byte| byte.is_ascii_lowercase() || byte == b'.') {
        assert!(question.is_for(&[name]));
    }
    let addresses = ["10.0.0.9", "fd00::9"].map(|text| text.parse().expect("an address"));
    for answer in [
        Answer::Failure,
        Answer::NoSuchName,
        Answer::Addresses(addresses.to_vec()),
        Answer::Addresses(addresses.repeat(100)),
    ] {
        let payload = question.answered(&answer).expect("it is no silence");
        assert!(payload.len() <= 512);
        // What is sent back is an answer: it is never answered itself.
        assert_eq!(Question::parse(&payload), None);
        if let Some(packet) = packet {
            let back = udp_answer(packet, &payload).expect("it came in such a packet");
            assert_eq!(udp_payload(&back), Some(&payload[..]));
        }
    }
    assert_eq!(question.answered(&Answer::Silence), None);
}

fn spoil(packet: &[u8], random: u64) {
    let mut spoilt = packet.to_vec();
    let bits = |(a, b): (&u8, &u8)| (a ^ b).count_ones();
    let done = corrupt(&mut spoilt, random);
    let flipped: u32 = packet.iter().zip(&spoilt).map(bits).sum();
    assert_eq!(flipped, u32::from(done));
}

fn complete(packet: &[u8]) {
    let mut once = packet.to_vec();
    complete_checksums(&mut once);
    let mut twice = once.clone();
    complete_checksums(&mut twice);
    assert_eq!(once, twice);
    assert_eq!(Layout::of(packet), Layout::of(&once));
}
