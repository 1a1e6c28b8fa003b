//! Asks this host's resolver for names that the system does not know.

use std::collections::HashMap;
use std::net::{IpAddr, ToSocketAddrs};
use std::sync::{Mutex, PoisonError};

use tokio::sync::watch;

use crate::clock::Clock;
use crate::units::Micros;

/// How long an answer is used.
const FRESH: Micros = 1_000_000;
/// Different names kept.
const MOST_NAMES: usize = 64;

type Answer = Result<Vec<IpAddr>, String>;

/// One question a second and name at most, however many requests wait for its answer.
pub(super) struct Resolver {
    clock: Clock,
    slots: Mutex<HashMap<String, Slot>>,
}

struct Slot {
    asked: Micros,
    answer: watch::Receiver<Option<Answer>>,
}

impl Resolver {
    pub(super) fn new(clock: Clock) -> Self {
        Self {
            clock,
            slots: Mutex::default(),
        }
    }

    /// In the resolver's order of preference; an error in its own words.
    pub(super) async fn lookup(&self, host: &str) -> Answer {
        let mut answer = self.question(host);
        let answer = answer.wait_for(Option::is_some).await;
        match answer.as_deref() {
            Ok(Some(answer)) => answer.clone(),
            _ => Err("the resolver could not be started".into()),
        }
    }

    fn question(&self, host: &str) -> watch::Receiver<Option<Answer>> {
        let now = self.clock.now();
        let mut slots = self.slots.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(slot) = slots.get(host) {
            let answered = slot.answer.borrow().is_some() || slot.answer.has_changed().is_err();
            if !answered || now < slot.asked + FRESH {
                return slot.answer.clone();
            }
        }
        if slots.len() >= MOST_NAMES {
            slots.clear();
        }
        let answer = ask(host.to_owned());
        let slot = Slot {
            asked: now,
            answer: answer.clone(),
        };
        slots.insert(host.to_owned(), slot);
        answer
    }
}

/// On a thread of its own: it may take half a minute, cannot be cancelled, and must not hold up the program's end.
fn ask(host: String) -> watch::Receiver<Option<Answer>> {
    let (sender, receiver) = watch::channel(None);
    let thread = std::thread::Builder::new().name("resolver".into());
    // Without a thread the sender is dropped, which is an answer too.
    drop(thread.spawn(move || {
        let found = (host.as_str(), 0).to_socket_addrs();
        let answer = found.map_err(|error| error.to_string()).map(|places| {
            let mut addresses: Vec<IpAddr> = Vec::new();
            for place in places {
                if !addresses.contains(&place.ip()) {
                    addresses.push(place.ip());
                }
            }
            addresses
        });
        sender.send_replace(Some(answer));
    }));
    receiver
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn finds_this_host_and_not_what_is_not_there() {
        let resolver = Resolver::new(Clock::start());
        let here = resolver.lookup("localhost").await.unwrap();
        assert!(here.iter().all(IpAddr::is_loopback) && !here.is_empty());
        assert!(resolver.lookup("no-such-host.invalid").await.is_err());
    }

    #[tokio::test]
    async fn asks_once_a_second() {
        let resolver = Resolver::new(Clock::start());
        let first = resolver.question("localhost");
        assert!(first.same_channel(&resolver.question("localhost")));
        assert!(!first.same_channel(&resolver.question("localhost.")));
    }
}
