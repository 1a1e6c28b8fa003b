//! Latencies in constant space: a histogram with three significant digits, whatever the range.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD_NO_PAD;
use hdrhistogram::Histogram;
use hdrhistogram::serialization::{Deserializer as HdrReader, Serializer as _, V2Serializer};
use serde::de::Error as _;
use serde::ser::Error as _;
use serde::{Deserialize, Deserializer, Serialize, Serializer};

use crate::units::Micros;

const DIGITS: u8 = 3;
/// 35 years: more than any latency, and far from where the histogram's arithmetic would overflow.
const HIGHEST: Micros = 1 << 50;
/// Cookie, payload's length, offset, digits (each four bytes), lowest, highest and ratio (each eight).
const HEADER: usize = 40;

/// How long things took, in microseconds. An empty one costs nothing.
#[derive(Debug, Clone, Default)]
pub struct Latencies(Option<Box<Histogram<u64>>>);

impl Latencies {
    pub fn record(&mut self, us: Micros) {
        // It resizes by itself: no value up to the highest is refused.
        let histogram = self.0.get_or_insert_with(|| Box::new(empty()));
        histogram.record(us.min(HIGHEST)).unwrap_or_default();
    }

    pub fn merge(&mut self, other: &Self) {
        let Some(theirs) = &other.0 else { return };
        match &mut self.0 {
            Some(mine) => mine.add(theirs.as_ref()).unwrap_or_default(),
            None => self.0 = Some(theirs.clone()),
        }
    }

    pub fn count(&self) -> u64 {
        self.0.as_ref().map_or(0, |histogram| histogram.len())
    }

    /// The value that a share `q` of all values does not exceed, `q` from 0 to 1; `None` when there are none.
    pub fn quantile(&self, q: f64) -> Option<Micros> {
        let histogram = self.0.as_ref()?;
        Some(histogram.value_at_quantile(q).min(histogram.max()))
    }

    /// `None` when there are none.
    pub fn max(&self) -> Option<Micros> {
        self.0.as_ref().map(|histogram| histogram.max())
    }

    /// How many values are not above `us`, to three digits.
    pub fn count_at_most(&self, us: Micros) -> u64 {
        self.0.as_ref().map_or(0, |histogram| {
            histogram.count_between(0, us.min(histogram.max()))
        })
    }

    fn to_text(&self) -> Result<String, String> {
        let Some(histogram) = &self.0 else {
            return Ok(String::new());
        };
        let mut bytes = Vec::new();
        V2Serializer::new()
            .serialize(histogram, &mut bytes)
            .map_err(|error| error.to_string())?;
        Ok(STANDARD_NO_PAD.encode(bytes))
    }

    fn from_text(text: &str) -> Result<Self, String> {
        if text.is_empty() {
            return Ok(Self::default());
        }
        let bytes = STANDARD_NO_PAD
            .decode(text)
            .map_err(|error| format!("latencies are not base64: {error}"))?;
        vet(&bytes)?;
        let mut histogram: Histogram<u64> = HdrReader::new()
            .deserialize(&mut bytes.as_slice())
            .map_err(|error| format!("latencies are no HdrHistogram: {error}"))?;
        match histogram.len() {
            0 => return Ok(Self::default()),
            1..MANY => histogram.auto(true),
            _ => return Err("latencies hold more values than can be".into()),
        }
        Ok(Self(Some(Box::new(histogram))))
    }
}

/// No run has so many samples; sums of so many still fit.
const MANY: u64 = 1 << 50;

fn empty() -> Histogram<u64> {
    Histogram::new(DIGITS).expect("three digits are allowed")
}

/// Refuses what the reader would answer with a panic or a huge allocation.
fn vet(bytes: &[u8]) -> Result<(), String> {
    let header = bytes.get(..HEADER).ok_or("latencies are cut short")?;
    let four = |at: usize| {
        header[at..at + 4]
            .iter()
            .fold(0, |n, b| n << 8 | u64::from(*b))
    };
    let payload = &bytes[HEADER..];
    if four(4) != payload.len() as u64 {
        return Err("latencies have a wrong length".into());
    }
    let highest = four(24) << 32 | four(28);
    if four(12) != u64::from(DIGITS) || four(16) << 32 | four(20) != 1 || highest > HIGHEST * 2 {
        return Err("latencies have another precision or range than chaosrun's".into());
    }
    // A number of nine bytes: no true count is that large, and the reader overflows on one of them.
    let too_long = |bytes: &[u8]| bytes.iter().all(|byte| byte & 0x80 != 0);
    if payload.windows(8).any(too_long) {
        return Err("latencies hold a count that cannot be".into());
    }
    Ok(())
}

impl PartialEq for Latencies {
    /// The same values to three digits, whatever range each has room for.
    fn eq(&self, other: &Self) -> bool {
        let values = |all: &Self| {
            all.0.as_ref().map(|histogram| {
                histogram
                    .iter_recorded()
                    .map(|step| (step.value_iterated_to(), step.count_at_value()))
                    .collect::<Vec<_>>()
            })
        };
        self.count() == other.count() && values(self) == values(other)
    }
}

impl Serialize for Latencies {
    fn serialize<S: Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.serialize_str(&self.to_text().map_err(S::Error::custom)?)
    }
}

impl<'de> Deserialize<'de> for Latencies {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let text = String::deserialize(deserializer)?;
        Self::from_text(&text).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn of(values: &[Micros]) -> Latencies {
        let mut all = Latencies::default();
        values.iter().for_each(|us| all.record(*us));
        all
    }

    #[test]
    fn empty_is_nothing() {
        let none = Latencies::default();
        assert_eq!(
            (none.count(), none.quantile(0.5), none.max()),
            (0, None, None)
        );
        assert_eq!(none.count_at_most(1_000), 0);
        assert_eq!(serde_json::to_string(&none).unwrap(), "\"\"");
        assert_eq!(
            size_of::<Latencies>(),
            size_of::<usize>(),
            "nothing but a pointer"
        );
    }

    #[test]
    fn quantiles_are_right_to_three_digits() {
        let all = of(&(1..=100_000).collect::<Vec<_>>());
        for (q, exact) in [(0.5, 50_000.0), (0.95, 95_000.0), (0.99, 99_000.0)] {
            let seen = all.quantile(q).unwrap() as f64;
            assert!((seen / exact - 1.0).abs() < 1e-3, "{q}: {seen}");
        }
        assert!(all.max().unwrap() >= 100_000);
        assert_eq!(all.count_at_most(1_000), 1_000);
        assert_eq!(all.count_at_most(u64::MAX), 100_000);
    }

    #[test]
    fn a_day_of_values_takes_no_more_text_than_an_hour() {
        let text = |n: u64| {
            of(&(0..n).map(|i| 200 + i * 7919 % 3_000).collect::<Vec<_>>())
                .to_text()
                .unwrap()
                .len()
        };
        assert!(
            text(864_000) < 3 * text(36_000),
            "{} {}",
            text(864_000),
            text(36_000)
        );
    }

    #[test]
    fn garbage_is_an_error() {
        let good = of(&[5, 7_000, 60_000_000]).to_text().unwrap();
        assert_eq!(
            Latencies::from_text(&good).unwrap(),
            of(&[5, 7_000, 60_000_000])
        );
        for bad in ["?", "AAAA", &good[..good.len() / 2], &format!("{good}AAAA")] {
            assert!(Latencies::from_text(bad).is_err(), "{bad}");
        }
    }

    proptest! {
        #[test]
        fn text_reads_back(values: Vec<u64>) {
            let all = of(&values);
            let json = serde_json::to_string(&all).unwrap();
            prop_assert_eq!(serde_json::from_str::<Latencies>(&json).unwrap(), all);
        }

        #[test]
        fn merging_is_recording_both(a in prop::collection::vec(0..u64::MAX, 0..20), b in prop::collection::vec(0..10_000_000_u64, 0..20)) {
            let mut merged = of(&a);
            merged.merge(&of(&b));
            prop_assert_eq!(merged, of(&[a, b].concat()));
        }

        #[test]
        fn broken_bytes_never_panic(at in 0..200_usize, tail in prop::collection::vec(any::<u8>(), 0..40), right_length: bool) {
            let mut bytes = STANDARD_NO_PAD.decode(of(&[1, 2, 3_000_000]).to_text().unwrap()).unwrap();
            bytes.truncate(at);
            bytes.extend(tail);
            if right_length && bytes.len() > HEADER {
                let length = (bytes.len() - HEADER) as u32;
                bytes[4..8].copy_from_slice(&length.to_be_bytes());
            }
            if let Ok(read) = Latencies::from_text(&STANDARD_NO_PAD.encode(bytes)) {
                let mut twice = read.clone();
                twice.merge(&read);
                prop_assert_eq!(twice.count(), read.count() * 2);
            }
        }
    }
}
