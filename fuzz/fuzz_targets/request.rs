//! What an agent reads from its control stream, and what it works out from a request before anything is done.
#![no_main]

use std::time::Duration;

use chaosrun::agent::protocol::Request;
use chaosrun::impairment::line::Model;
use chaosrun::impairment::{Direction, Effect, Impairment};
use libfuzzer_sys::fuzz_target;

fuzz_target!(|line: &[u8]| {
    let text = String::from_utf8_lossy(line);
    let Ok(request) = Request::from_line(text.trim()) else {
        return;
    };
    let again = request.to_line();
    assert!(again.ends_with('\n') && again.matches('\n').count() == 1);
    let read = Request::from_line(&again).expect("what is written can be read");
    // A number may lose its last digit on the way, and then no more.
    assert_eq!(Request::from_line(&read.to_line()).as_ref(), Ok(&read));
    if let Request::Impair { impairment, .. } = request {
        decide(&impairment);
    }
});

fn decide(impairment: &Impairment) {
    assert_eq!(impairment.digest().len(), 16);
    assert!(impairment.rules.is_empty() || !impairment.phrase().is_empty());
    for (number, rule) in impairment.rules.iter().enumerate() {
        let Effect::Line(line) = &rule.effect else {
            continue;
        };
        let mut model = Model::new(line, impairment.seed, number, Direction::Egress);
        for packet in 0..8_u32 {
            let now = Duration::from_millis(10) * packet;
            let fate = model.decide(now, 1500);
            assert!(fate.passages().all(|passage| passage.due >= now));
        }
    }
}
