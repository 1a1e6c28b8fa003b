use proptest::prelude::*;

use super::*;

fn question(name: &str, kind: u16) -> Vec<u8> {
    let mut message = vec![0xAB, 0xCD, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0];
    for label in name.split('.') {
        message.push(label.len() as u8);
        message.extend(label.as_bytes());
    }
    message.push(0);
    message.extend(kind.to_be_bytes());
    message.extend([0, 1]);
    message
}

fn asked(name: &str, kind: u16) -> Question {
    Question::parse(&question(name, kind)).unwrap()
}

fn hex(bytes: &[u8]) -> String {
    bytes.iter().map(|byte| format!("{byte:02x}")).collect()
}

fn addresses() -> Answer {
    let all = ["10.0.0.9", "fd00::9", "10.0.0.10"];
    Answer::Addresses(all.map(|ip| ip.parse().unwrap()).to_vec())
}

/// Found by fuzzing: it read as another name, which the question was not for.
#[test]
fn a_dot_within_a_label_is_told_from_one_between_two() {
    let mut message = question("re-io", 1);
    message[HEADER + 3] = b'.';
    let asked = Question::parse(&message).unwrap();
    assert_eq!(asked.name(), "re\\.io");
    assert!(!asked.is_for(&["io".into(), "re.io".into()]));
    assert_eq!(self::asked("re.io", 1).name(), "re.io");
}

#[test]
fn questions_are_found_in_a_segment() {
    let behind_its_length = |message: Vec<u8>| {
        let length = (message.len() as u16).to_be_bytes();
        [length.to_vec(), message].concat()
    };
    let names = |segment: &[u8]| -> Vec<String> {
        let all = Question::in_segment(segment);
        all.iter().map(Question::name).collect()
    };
    let one = behind_its_length(question("db.shop", TYPE_A));
    assert_eq!(names(&one), ["db.shop"]);
    let other = behind_its_length(question("mail", TYPE_AAAA));
    assert_eq!(names(&[one.clone(), other].concat()), ["db.shop", "mail"]);
    // As whoever sends the length by itself goes on.
    assert_eq!(names(&one[2..]), ["db.shop"]);
    for unseen in [
        &one[..one.len() - 1],
        &one[..2],
        &one[5..],
        &[0, 0, 0][..],
        b"GET / HTTP/1.1",
    ] {
        assert!(names(unseen).is_empty(), "{unseen:?}");
    }
}

#[test]
fn answers_are_as_name_servers_write_them() {
    let answered = |kind, answer: &Answer| asked("Db.shop", kind).answered(answer).map(|a| hex(&a));
    let name = "0244620473686f7000";
    let answer = |kind, answer: &Answer| answered(kind, answer).unwrap();
    assert_eq!(answered(TYPE_A, &Answer::Silence), None);
    assert_eq!(
        answer(TYPE_A, &Answer::Failure),
        format!("abcd81820001000000000000{name}00010001")
    );
    assert_eq!(
        answer(TYPE_AAAA, &Answer::NoSuchName),
        format!("abcd81830001000000000000{name}001c0001")
    );
    assert_eq!(
        answer(TYPE_A, &addresses()),
        format!(
            "abcd81800001000200000000{name}00010001c00c000100010000000000040a000009c00c000100010000000000040a00000a"
        )
    );
    assert_eq!(
        answer(TYPE_AAAA, &addresses()),
        format!(
            "abcd81800001000100000000{name}001c0001c00c001c0001000000000010fd000000000000000000000000000009"
        )
    );
    // MX: the name is there, but nothing of that kind.
    assert_eq!(
        answer(15, &addresses()),
        format!("abcd81800001000000000000{name}000f0001")
    );
}

#[test]
fn what_was_asked_with_is_echoed() {
    let mut message = question("db", TYPE_A);
    message[2] = 0;
    let answer = Question::parse(&message)
        .unwrap()
        .answered(&Answer::Failure)
        .unwrap();
    assert_eq!(answer[2], 0x80, "no recursion was desired");
    // An OPT record behind the question, as most resolvers send it.
    message[11] = 1;
    message.extend([0, 0, 41, 16, 0, 0, 0, 0, 0, 0, 0]);
    let answer = Question::parse(&message)
        .unwrap()
        .answered(&Answer::Failure)
        .unwrap();
    assert_eq!(answer.len(), HEADER + 4 + 4);
    assert_eq!(answer[10..12], [0, 0]);
}

#[test]
fn a_name_stands_for_itself_and_all_under_it() {
    let is_for = |asked_for: &str, names: &[&str]| {
        let names: Vec<_> = names.iter().map(|name| (*name).to_owned()).collect();
        asked(asked_for, TYPE_A).is_for(&names)
    };
    assert!(is_for("db.shop", &["db.shop"]));
    assert!(is_for("DB.shop", &["other", "db.SHOP."]));
    assert!(is_for("a.db.shop", &["db.shop"]));
    assert!(is_for("anything", &["."]));
    assert!(!is_for("xdb.shop", &["db.shop"]));
    assert!(!is_for("shop", &["db.shop"]));
    assert!(!is_for("db", &["db.shop"]));
    assert!(!is_for("db.shop.example", &["db.shop"]));
    assert!(!is_for("db", &[]));
}

#[test]
fn what_is_no_plain_question_is_not_ours() {
    let with = |at: usize, byte: u8| {
        let mut message = question("db", TYPE_A);
        message[at] = byte;
        Question::parse(&message)
    };
    assert!(with(2, 1).is_some());
    assert_eq!(with(2, 0x81), None, "an answer");
    assert_eq!(with(2, 0x29), None, "an update");
    assert_eq!(with(5, 2), None, "two questions");
    assert_eq!(with(5, 0), None, "no question");
    assert_eq!(with(7, 1), None, "with an answer");
    assert_eq!(with(12, 0xC0), None, "a name elsewhere");
    assert_eq!(with(12, 60), None, "a name beyond the end");
    assert_eq!(Question::parse(&question("db", 1)[..17]), None);
    let long = vec!["a".repeat(63); 4].join(".");
    assert_eq!(Question::parse(&question(&long, 1)), None);
    assert!(Question::parse(&question(&long[2..], 1)).is_some());
}

#[test]
fn many_addresses_are_cut_to_what_everybody_takes() {
    let many = Answer::Addresses(vec!["10.0.0.9".parse().unwrap(); 200]);
    let answer = asked("db", TYPE_A).answered(&many).unwrap();
    assert!(answer.len() <= LONGEST && answer.len() > LONGEST - 16);
    assert_eq!(answer[7], 30);
}

proptest! {
    #[test]
    fn any_bytes_are_taken(any in prop::collection::vec(any::<u8>(), 0..600)) {
        takes(&any)?;
    }

    #[test]
    fn any_bytes_in_a_question_are_taken(at in 0..40_usize, byte: u8, cut in 0..40_usize, kind: u16) {
        let mut message = question("some.name.of.a.service", kind);
        if let Some(place) = message.get_mut(at) {
            *place = byte;
        }
        message.truncate(message.len() - cut.min(30));
        takes(&message)?;
    }
}

fn takes(message: &[u8]) -> Result<(), TestCaseError> {
    let _ = Question::in_segment(message);
    let Some(question) = Question::parse(message) else {
        return Ok(());
    };
    let _ = question.is_for(&[question.name(), "a.b".into(), "..".into()]);
    for answer in [Answer::Failure, Answer::NoSuchName, addresses()] {
        let said = question.answered(&answer).unwrap();
        prop_assert!(said.len() <= LONGEST);
        prop_assert_eq!(&said[..2], &message[..2]);
        let asked = &question.asked;
        prop_assert_eq!(&said[HEADER..HEADER + asked.len()], &asked[..]);
        // An answer is no question.
        prop_assert_eq!(Question::parse(&said), None);
    }
    Ok(())
}
