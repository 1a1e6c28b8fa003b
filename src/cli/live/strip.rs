//! The last minutes at a glance: a block a second for each probe's success, and beneath them where faults were in force.

use std::collections::VecDeque;

use crate::history::Tally;
use crate::units::Micros;

const BLOCKS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
const SECOND: Micros = 1_000_000;
/// Seconds; more do not fit on any terminal.
const MOST: usize = 300;

/// A probe's samples by the second in which they came in.
#[derive(Default)]
pub(super) struct Strip {
    seconds: VecDeque<(Micros, u64, u64)>,
}

impl Strip {
    /// What came in by then.
    pub(super) fn add(&mut self, at: Micros, tally: &Tally) {
        let second = at.saturating_sub(1) / SECOND;
        match self.seconds.back_mut() {
            Some((last, planned, good)) if *last >= second => {
                *planned += tally.planned;
                *good += tally.good;
            }
            _ => self.seconds.push_back((second, tally.planned, tally.good)),
        }
        if self.seconds.len() > MOST {
            self.seconds.pop_front();
        }
    }

    /// So many columns, the last of which is now. Only a second without a bad sample gets the whole block.
    pub(super) fn draw(&self, now: Micros, width: usize) -> String {
        columns(now, width)
            .map(|second| {
                let found = self
                    .seconds
                    .iter()
                    .find(|(known, ..)| Some(*known) == second);
                match found {
                    Some((_, planned @ 1.., good)) => {
                        let level = *good as f64 / *planned as f64 * (BLOCKS.len() - 1) as f64;
                        BLOCKS[(level as usize).min(BLOCKS.len() - 1)]
                    }
                    _ => ' ',
                }
            })
            .collect()
    }
}

/// The seconds that columns stand for; `None` before the run began.
fn columns(now: Micros, width: usize) -> impl Iterator<Item = Option<Micros>> {
    let last = now.saturating_sub(1) / SECOND;
    (0..width as u64)
        .rev()
        .map(move |back| last.checked_sub(back))
}

/// Stretches of time in which something was in force; one without an end still is.
#[derive(Default)]
pub(super) struct Bands(Vec<(Micros, Option<Micros>)>);

impl Bands {
    pub(super) fn begin(&mut self, at: Micros) {
        self.0.push((at, None));
    }

    /// The first that has not ended yet: they only matter in sum.
    pub(super) fn end(&mut self, at: Micros) {
        if let Some((_, end)) = self.0.iter_mut().find(|(_, end)| end.is_none()) {
            *end = Some(at);
        }
    }

    /// `None`: there is none to be seen.
    pub(super) fn draw(&self, now: Micros, width: usize) -> Option<String> {
        let hit = |second: Micros| {
            let (from, to) = (second * SECOND, (second + 1) * SECOND);
            self.0
                .iter()
                .any(|(begun, ended)| *begun < to && ended.is_none_or(|ended| ended > from))
        };
        let band: String = columns(now, width)
            .map(|second| if second.is_some_and(hit) { '▒' } else { ' ' })
            .collect();
        band.contains('▒').then_some(band)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn tally(planned: u64, good: u64) -> Tally {
        Tally {
            planned,
            good,
            ..Tally::default()
        }
    }

    #[test]
    fn a_block_a_second_and_the_fault_beneath() {
        let mut strip = Strip::default();
        for (second, good) in [(0, 10), (1, 10), (2, 0), (3, 5), (5, 9)] {
            for fifth in 1..=5 {
                let at = second * SECOND + fifth * 200_000;
                let share = if fifth == 1 { good } else { 0 };
                strip.add(at, &tally(if fifth == 1 { 10 } else { 0 }, share));
            }
        }
        let now = 6 * SECOND;
        assert_eq!(strip.draw(now, 8), "  ██▁▄ ▇");
        assert_eq!(strip.draw(now, 2), " ▇");
        assert_eq!(strip.draw(now, 0), "");
        let mut bands = Bands::default();
        assert_eq!(bands.draw(now, 8), None);
        bands.begin(2 * SECOND + 1);
        assert_eq!(bands.draw(now, 8).unwrap(), "    ▒▒▒▒");
        bands.end(3 * SECOND);
        assert_eq!(bands.draw(now, 8).unwrap(), "    ▒   ");
        assert_eq!(bands.draw(now, 2), None);
    }

    #[test]
    fn it_does_not_grow_for_ever() {
        let mut strip = Strip::default();
        (0..1000).for_each(|second| strip.add(second * SECOND + 1, &tally(1, 1)));
        assert_eq!(strip.seconds.len(), MOST);
    }
}
