//! The scenario's own clock. It runs with the run's, stands still while a person holds it, and jumps ahead where a person starts
//! a step before its time.

use crate::units::Micros;

#[derive(Debug, Default)]
pub(super) struct Pace {
    held: bool,
    /// Since when it stands still.
    stands: Option<Micros>,
    /// When it stood still before.
    stood: Vec<(Micros, Micros)>,
    /// How far it has jumped in all.
    ahead: Micros,
}

impl Pace {
    pub(super) fn new(held: bool) -> Self {
        Self {
            held,
            ..Self::default()
        }
    }

    pub(super) fn is_held(&self) -> bool {
        self.held
    }

    pub(super) fn hold(&mut self, held: bool) {
        self.held = held;
    }

    pub(super) fn stands(&self) -> bool {
        self.stands.is_some()
    }

    pub(super) fn stand(&mut self, at: Micros) {
        self.stands.get_or_insert(at);
    }

    pub(super) fn go_on(&mut self, at: Micros) {
        self.stood
            .extend(self.stands.take().map(|from| (from, at.max(from))));
    }

    /// When that which the scenario puts at `at` is due; while it stands, that is as much later every moment.
    pub(super) fn due(&self, at: Micros, now: Micros) -> Micros {
        (at + self.stood_since(0, now)).saturating_sub(self.ahead)
    }

    /// What is due then is due now.
    pub(super) fn jump(&mut self, due: Micros, now: Micros) {
        self.ahead += due.saturating_sub(now);
    }

    /// For how long it has stood still between the two.
    pub(super) fn stood_since(&self, since: Micros, now: Micros) -> Micros {
        let open = self.stands.map(|from| (from, now));
        self.stood
            .iter()
            .copied()
            .chain(open)
            .map(|(from, to)| to.saturating_sub(from.max(since)))
            .sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_due_moves_by_as_long_as_it_stood() {
        let mut pace = Pace::default();
        assert_eq!(pace.due(100, 10), 100);
        pace.stand(20);
        assert_eq!(pace.due(100, 20), 100);
        assert_eq!(pace.due(100, 50), 130);
        pace.go_on(60);
        assert_eq!(pace.due(100, 90), 140);
        assert_eq!(pace.stood_since(30, 90), 30);
        assert_eq!(pace.stood_since(60, 90), 0);
    }

    #[test]
    fn a_jump_takes_all_that_follows_with_it() {
        let mut pace = Pace::default();
        pace.jump(pace.due(100, 40), 40);
        assert_eq!((pace.due(100, 40), pace.due(150, 40)), (40, 90));
        pace.stand(50);
        pace.jump(pace.due(150, 70), 70);
        assert_eq!((pace.due(150, 70), pace.due(200, 75)), (70, 125));
        pace.jump(10, 80);
        assert_eq!(pace.due(200, 75), 125, "what is past moves nothing");
    }
}
