use super::*;

/// 10.0.0.1:4660 → 10.0.0.2:53 with `hi`.
fn question_v4() -> Vec<u8> {
    let mut packet = vec![
        0x45, 0, 0, 30, 0, 0, 0, 0, 64, 17, 0, 0, 10, 0, 0, 1, 10, 0, 0, 2,
    ];
    packet.extend([0x12, 0x34, 0, 53, 0, 10, 0, 0]);
    packet.extend(b"hi");
    packet
}

#[test]
fn an_answer_goes_back_to_where_the_question_came_from() {
    assert_eq!(udp_payload(&question_v4()), Some(&b"hi"[..]));
    let answer = udp_answer(&question_v4(), b"there").unwrap();
    assert_eq!(
        answer[12..24],
        [10, 0, 0, 2, 10, 0, 0, 1, 0, 53, 0x12, 0x34]
    );
    assert_eq!(udp_payload(&answer), Some(&b"there"[..]));
}
