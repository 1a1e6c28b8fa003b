use super::*;

/// `db.shop`, type A.
fn question() -> Vec<u8> {
    let mut message = vec![0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    message.extend(b"\x02Db\x04shop\x00\x00\x01\x00\x01");
    message
}

#[test]
fn a_question_is_read_and_answered() {
    let asked = Question::parse(&question()).unwrap();
    assert_eq!(asked.name(), "db.shop");
    let answer = asked.answered(&Answer::NoSuchName).unwrap();
    assert_eq!(answer[..4], [0xAB, 0xCD, 0x81, 0x83]);
    assert_eq!(answer[12..], question()[12..]);
    assert_eq!(asked.answered(&Answer::Silence), None);
}
