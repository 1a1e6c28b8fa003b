//! Packets that wait until they are due, with a limit on what they weigh together.

use std::cmp::Reverse;
use std::collections::BinaryHeap;
use std::time::Duration;

/// What is due at the same moment goes in the order in which it came.
#[derive(Debug)]
pub struct Held<T> {
    waiting: BinaryHeap<Reverse<Entry<T>>>,
    came: u64,
    bytes: usize,
    most: usize,
}

#[derive(Debug)]
struct Entry<T> {
    due: Duration,
    came: u64,
    bytes: usize,
    packet: T,
}

impl<T> Held<T> {
    /// Never more than `most` bytes at once.
    pub fn new(most: usize) -> Self {
        Self {
            waiting: BinaryHeap::new(),
            came: 0,
            bytes: 0,
            most,
        }
    }

    /// # Errors
    /// The packet comes back where it would be too much.
    pub fn push(&mut self, due: Duration, bytes: usize, packet: T) -> Result<(), T> {
        let weighs = self.bytes.saturating_add(bytes);
        if weighs > self.most {
            return Err(packet);
        }
        self.bytes = weighs;
        self.waiting.push(Reverse(Entry {
            due,
            came: self.came,
            bytes,
            packet,
        }));
        self.came += 1;
        Ok(())
    }

    /// When the first one is.
    pub fn next_due(&self) -> Option<Duration> {
        self.waiting.peek().map(|entry| entry.0.due)
    }

    /// The first one, if it is due.
    pub fn pop(&mut self, now: Duration) -> Option<T> {
        if self.next_due()? > now {
            return None;
        }
        let Reverse(entry) = self.waiting.pop()?;
        self.bytes -= entry.bytes;
        Some(entry.packet)
    }

    pub fn len(&self) -> usize {
        self.waiting.len()
    }

    pub fn is_empty(&self) -> bool {
        self.waiting.is_empty()
    }

    pub fn bytes(&self) -> usize {
        self.bytes
    }
}

impl<T> PartialEq for Entry<T> {
    fn eq(&self, other: &Self) -> bool {
        self.cmp(other).is_eq()
    }
}

impl<T> Eq for Entry<T> {}

impl<T> PartialOrd for Entry<T> {
    fn partial_cmp(&self, other: &Self) -> Option<std::cmp::Ordering> {
        Some(self.cmp(other))
    }
}

impl<T> Ord for Entry<T> {
    fn cmp(&self, other: &Self) -> std::cmp::Ordering {
        (self.due, self.came).cmp(&(other.due, other.came))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const fn ms(ms: u64) -> Duration {
        Duration::from_millis(ms)
    }

    #[test]
    fn what_is_due_first_goes_first_and_equals_stay_in_order() {
        let mut held = Held::new(1000);
        for (packet, due) in [(0, 5), (1, 3), (2, 5), (3, 3), (4, 1)] {
            held.push(ms(due), 10, packet).unwrap();
        }
        assert_eq!(held.next_due(), Some(ms(1)));
        let order: Vec<_> = std::iter::from_fn(|| held.pop(ms(4))).collect();
        assert_eq!(order, [4, 1, 3]);
        assert_eq!((held.len(), held.bytes()), (2, 20));
        let order: Vec<_> = std::iter::from_fn(|| held.pop(ms(5))).collect();
        assert_eq!(order, [0, 2]);
        assert!(held.is_empty() && held.next_due().is_none());
    }

    #[test]
    fn what_would_be_too_much_comes_back() {
        let mut held = Held::new(15);
        assert_eq!(held.push(ms(0), 15, 'a'), Ok(()));
        assert_eq!(held.push(ms(0), 1, 'b'), Err('b'));
        assert_eq!(held.push(ms(0), usize::MAX, 'c'), Err('c'));
        assert_eq!(held.pop(ms(0)), Some('a'));
        assert_eq!(held.push(ms(0), 15, 'd'), Ok(()));
    }
}
