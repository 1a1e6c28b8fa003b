//! Which packets are lost.

use super::dice::{Coin, Dice};
use crate::impairment::Loss;

#[derive(Debug, Clone)]
pub(super) enum Losses {
    Never,
    Random(Coin),
    GilbertElliott {
        p: f64,
        r: f64,
        /// The loss while good, and while bad.
        loss: [f64; 2],
        is_bad: bool,
    },
    Markov {
        p13: f64,
        p31: f64,
        p32: f64,
        p23: f64,
        p14: f64,
        state: State,
    },
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum State {
    Good,
    GoodInBurst,
    LostInBurst,
    LostAlone,
}

impl Losses {
    pub(super) fn new(loss: Option<&Loss>) -> Self {
        match loss {
            None => Self::Never,
            Some(Loss::Random(chance)) => Self::Random(Coin::new(*chance)),
            Some(&Loss::GilbertElliott { p, r, bad, good }) => Self::GilbertElliott {
                p,
                r,
                loss: [good, bad],
                is_bad: false,
            },
            Some(&Loss::Markov {
                p13,
                p31,
                p32,
                p23,
                p14,
            }) => Self::Markov {
                p13,
                p31,
                p32,
                p23,
                p14,
                state: State::Good,
            },
        }
    }

    /// Is this one?
    pub(super) fn next(&mut self, dice: &mut Dice) -> bool {
        match self {
            Self::Never => false,
            Self::Random(coin) => coin.toss(dice),
            Self::GilbertElliott { p, r, loss, is_bad } => {
                // The state that it finds decides about a packet; the one that it leaves is the next one's.
                let loss = loss[usize::from(*is_bad)];
                let leave = if *is_bad { *r } else { *p };
                if dice.share() < leave {
                    *is_bad = !*is_bad;
                }
                dice.share() < loss
            }
            Self::Markov {
                p13,
                p31,
                p32,
                p23,
                p14,
                state,
            } => {
                let number = dice.share();
                *state = match state {
                    State::Good if number < *p14 => State::LostAlone,
                    State::Good if number < *p14 + *p13 => State::LostInBurst,
                    State::Good | State::LostAlone => State::Good,
                    State::GoodInBurst if number < *p23 => State::LostInBurst,
                    State::GoodInBurst => State::GoodInBurst,
                    State::LostInBurst if number < *p32 => State::GoodInBurst,
                    State::LostInBurst if number < *p32 + *p31 => State::Good,
                    State::LostInBurst => State::LostInBurst,
                };
                matches!(state, State::LostInBurst | State::LostAlone)
            }
        }
    }
}
