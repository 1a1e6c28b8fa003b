//! A line in the kernel's own words: the options of one netem qdisc.
//!
//! What netem cannot do is refused with a reason, and then is for the other back end. Where it does otherwise than that one does: its delays
//! hardly remember, whatever it is told; and a packet that was put together for one large transfer (GSO) is lost, late
//! or doubled as a whole.

use super::super::netlink::wire::Attributes;
use super::spread;
use crate::impairment::{Chance, Delay, Line, Loss};
use crate::units::format_duration;

const CORRELATIONS: u16 = 1;
const DISTRIBUTION: u16 = 2;
const REORDER: u16 = 3;
const CORRUPT: u16 = 4;
const LOSS: u16 = 5;
const RATE: u16 = 6;
const RATE_64: u16 = 8;
const LATENCY_64: u16 = 10;
const JITTER_64: u16 = 11;
const SEED: u16 = 14;

/// Inside [`LOSS`].
const MARKOV: u16 = 1;
const GILBERT_ELLIOTT: u16 = 2;

/// How many packets wait at most; those beyond it are dropped. At 1 Gbit/s in full packets that is more than half a second.
const LIMIT: u32 = 50_000;

/// What a packet's frame adds to it on this kind of interface: netem's rate counts it, and ours does not.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Framing(pub(super) u32);

/// The value of `TCA_OPTIONS`. Kernels that know no seed pass over it.
pub(super) fn options(line: &Line, seed: u64, framing: Framing) -> Result<Vec<u8>, String> {
    let loss = match line.loss {
        Some(Loss::Random(chance)) => chance,
        _ => NEVER,
    };
    let duplicate = line.duplicate.unwrap_or(NEVER);
    let gap = line.reorder.map_or(0, |reorder| reorder.gap.max(1));
    let correlation = line.delay.as_ref().map_or(0.0, |delay| delay.correlation);

    // Latency and jitter in the clock ticks of old: what says them in nanoseconds follows.
    let mut bytes = Vec::new();
    for number in [
        0,
        LIMIT,
        share(loss.probability),
        gap,
        share(duplicate.probability),
        0,
    ] {
        bytes.extend(number.to_ne_bytes());
    }
    let correlations = [correlation, loss.correlation, duplicate.correlation];
    let mut attributes = Attributes::new().bytes(CORRELATIONS, &words(&correlations.map(share)));
    if let Some(delay) = &line.delay {
        attributes = delayed(attributes, delay)?;
    }
    if let Some(reorder) = line.reorder {
        attributes = attributes.bytes(REORDER, &chance(reorder.chance));
    }
    if let Some(corrupt) = line.corrupt {
        attributes = attributes.bytes(CORRUPT, &chance(corrupt));
    }
    if let Some(inner) = line.loss.as_ref().and_then(model) {
        attributes = attributes.nest(LOSS, &inner);
    }
    if let Some(bits) = line.rate {
        attributes = limited(attributes, bits, framing)?;
    }
    bytes.extend(attributes.bytes(SEED, &seed.to_ne_bytes()).as_bytes());
    Ok(bytes)
}

const NEVER: Chance = Chance {
    probability: 0.0,
    correlation: 0.0,
};

fn delayed(attributes: Attributes, delay: &Delay) -> Result<Attributes, String> {
    let nanos = |duration: std::time::Duration| i64::try_from(duration.as_nanos());
    // The kernel cuts a longer one off without a word.
    let jitter = i32::try_from(delay.jitter.as_nanos()).map_err(|_| {
        format!(
            "netem's jitter ends at 2.1s, and {} was asked for",
            format_duration(delay.jitter)
        )
    })?;
    let latency = nanos(delay.latency).map_err(|_| {
        let latency = format_duration(delay.latency);
        format!("netem's latency ends before {latency}")
    })?;
    let attributes = attributes
        .bytes(LATENCY_64, &latency.to_ne_bytes())
        .bytes(JITTER_64, &i64::from(jitter).to_ne_bytes());
    Ok(match spread::table(delay.distribution) {
        Some(table) if jitter > 0 => {
            let bytes: Vec<u8> = table.iter().flat_map(|entry| entry.to_ne_bytes()).collect();
            attributes.bytes(DISTRIBUTION, &bytes)
        }
        _ => attributes,
    })
}

fn limited(attributes: Attributes, bits: u64, framing: Framing) -> Result<Attributes, String> {
    let bytes = bits / 8;
    if bytes == 0 {
        return Err(format!(
            "netem's rate begins at 8 bits per second, and {bits} were asked for"
        ));
    }
    let narrow = u32::try_from(bytes).unwrap_or(u32::MAX);
    let attributes = if bytes > u64::from(u32::MAX) {
        attributes.bytes(RATE_64, &bytes.to_ne_bytes())
    } else {
        attributes
    };
    Ok(attributes.bytes(RATE, &words(&[narrow, framing.0.wrapping_neg(), 0, 0])))
}

fn model(loss: &Loss) -> Option<Attributes> {
    match *loss {
        Loss::Random(_) => None,
        // The kernel takes the share that passes while the line is bad.
        Loss::GilbertElliott { p, r, bad, good } => {
            let numbers = [p, r, 1.0 - bad, good].map(share);
            Some(Attributes::new().bytes(GILBERT_ELLIOTT, &words(&numbers)))
        }
        Loss::Markov {
            p13,
            p31,
            p32,
            p23,
            p14,
        } => {
            // It adds up those that leave one state, and the sum must not begin again at 0.
            let (p13, p31) = (share(p13), share(p31));
            let (p14, p32) = (share(p14).min(!p13), share(p32).min(!p31));
            let numbers = [p13, p31, p32, p14, share(p23)];
            Some(Attributes::new().bytes(MARKOV, &words(&numbers)))
        }
    }
}

fn chance(chance: Chance) -> Vec<u8> {
    words(&[share(chance.probability), share(chance.correlation)])
}

/// All of the numbers from 0 to the largest, as netem counts.
#[expect(
    clippy::cast_possible_truncation,
    clippy::cast_sign_loss,
    reason = "between 0 and the largest"
)]
fn share(share: f64) -> u32 {
    (share.clamp(0.0, 1.0) * f64::from(u32::MAX)).round() as u32
}

fn words(numbers: &[u32]) -> Vec<u8> {
    numbers.iter().flat_map(|n| n.to_ne_bytes()).collect()
}

#[cfg(test)]
mod tests;
