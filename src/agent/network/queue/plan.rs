//! Which packets go to which queue, and what is decided about them there.

use super::super::flow::{Way, in_pieces};
use super::super::nft::expr::{
    Expression, IpVersion, Is, Meta, Verdict, compare, compat_queue, connection_status,
    copy_to_destination, mask, meta, queue, set_mark, verdict,
};
use super::super::ruleset::{Actions, MARK};
use super::message::Show;
use crate::impairment::line::Model;
use crate::impairment::{Answer, Effect, Impairment, Line};

/// Queue numbers are the network namespace's. Two blocks, so that an impairment can take the place of the one before while that still
/// lets its packets go.
const BLOCKS: [u16; 2] = [0xC000, 0xD000];
/// Rules of one impairment, at most.
pub(crate) const MOST_RULES: usize = 1000;
const PER_RULE: u16 = 3;

/// What of the kernel's is used.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Means {
    /// nftables' own expression, or else the older filter's.
    pub(crate) has_queue: bool,
    pub(crate) can_copy: bool,
    pub(crate) sees_connections: bool,
}

/// The queues of one impairment.
#[derive(Debug, Clone)]
pub(crate) struct Queues {
    means: Means,
    base: u16,
    /// Longer packets leave in pieces.
    mtu: u32,
    /// Both ways' lines, by rule.
    lines: Vec<(usize, Way)>,
    rules: usize,
}

/// What is done in one queue.
pub(super) enum Work {
    Line { model: Box<Model>, way: Way },
    Dns { names: Vec<String>, answer: Answer },
}

/// One queue to bind.
pub(super) struct Post {
    pub(super) number: u16,
    pub(super) rule: usize,
    pub(super) show: Show,
    pub(super) work: Work,
}

impl Queues {
    /// `turn`: how many impairments there were before.
    pub(crate) fn new(impairment: &Impairment, means: Means, mtu: u32, turn: usize) -> Self {
        let lines = impairment.rules.iter().enumerate().flat_map(|(at, rule)| {
            let is_line = matches!(rule.effect, Effect::Line(_));
            Way::BOTH
                .into_iter()
                .filter(move |way| is_line && way.is_of(rule.flow.direction))
                .map(move |way| (at, way))
        });
        Self {
            means,
            base: BLOCKS[turn % BLOCKS.len()],
            mtu,
            lines: lines.collect(),
            rules: impairment.rules.len(),
        }
    }

    fn number(&self, rule: usize, place: u16) -> u16 {
        let rule = u16::try_from(rule).unwrap_or_default();
        self.base + rule * PER_RULE + place
    }

    fn of_line(&self, rule: usize, way: Way) -> u16 {
        self.number(rule, u16::from(way == Way::In))
    }

    pub(super) fn rule_of_line(&self, number: u64) -> Option<usize> {
        let found = self
            .lines
            .iter()
            .find(|(rule, way)| u64::from(self.of_line(*rule, *way)) == number);
        found.map(|(rule, _)| *rule)
    }

    fn of_questions(&self, rule: usize) -> u16 {
        self.number(rule, 2)
    }

    /// Where packets are lost.
    pub(super) fn sink(&self) -> u16 {
        self.number(self.rules, 0)
    }

    fn to(&self, number: u16, bypass: bool) -> Expression {
        if self.means.has_queue {
            queue(number, bypass)
        } else {
            compat_queue(number, bypass)
        }
    }

    /// What to listen to.
    pub(super) fn posts(&self, impairment: &Impairment) -> Vec<Post> {
        let mut all = Vec::new();
        for (rule, found) in impairment.rules.iter().enumerate() {
            match &found.effect {
                Effect::Line(line) => {
                    for way in Way::BOTH
                        .into_iter()
                        .filter(|way| way.is_of(found.flow.direction))
                    {
                        let direction = way.direction();
                        let model = Model::new(line, impairment.seed, rule, direction);
                        all.push(Post {
                            number: self.of_line(rule, way),
                            rule,
                            show: shown(line),
                            work: Work::Line {
                                model: Box::new(model),
                                way,
                            },
                        });
                    }
                }
                Effect::Dns { names, answer } => all.push(Post {
                    number: self.of_questions(rule),
                    rule,
                    show: Show::All,
                    work: Work::Dns {
                        names: names.clone(),
                        answer: answer.clone(),
                    },
                }),
                Effect::Drop | Effect::Reset => {}
            }
        }
        all
    }
}

/// Segments that travel together share their fate only where it is the same for all.
fn shown(line: &Line) -> Show {
    if line.corrupt.is_some() || line.duplicate.is_some() {
        Show::All
    } else if line.loss.is_some() || line.reorder.is_some() || line.rate.is_some() {
        Show::HeadOfEach
    } else {
        Show::Head
    }
}

impl Actions for Queues {
    /// A packet on its way out still counts against its socket, which then sends no more: a copy is held in its place, that belongs to no
    /// socket. Held itself is only the first packet of a connection, so that the connection tracker learns of it, and a datagram that
    /// leaves in pieces: the kernel counts the pieces of such a copy wrongly, and its receiver then takes none.
    fn line(&self, rule: usize, way: Way, version: IpVersion) -> Vec<Vec<Expression>> {
        /// `IPS_CONFIRMED`.
        const KNOWN: [u8; 4] = 8_u32.to_ne_bytes();
        let number = self.of_line(rule, way);
        let hold = self.to(number, true);
        if way == Way::In || !self.means.can_copy {
            return vec![vec![hold]];
        }
        let mut in_pieces = in_pieces(version, self.mtu);
        in_pieces.push(hold.clone());
        let mut all = vec![in_pieces];
        if self.means.sees_connections {
            let is_new = compare(Is::Equal, &[0; 4]);
            all.push(vec![connection_status(), mask(&KNOWN), is_new, hold]);
        }
        let mut copy = set_mark(MARK | u32::from(number)).to_vec();
        copy.extend(copy_to_destination(version));
        copy.push(self.to(self.sink(), false));
        all.push(copy);
        all
    }

    fn question(&self, rule: usize) -> Vec<Vec<Expression>> {
        vec![vec![self.to(self.of_questions(rule), true)]]
    }

    fn silence(&self, way: Way) -> Vec<Expression> {
        match way {
            Way::Out => vec![self.to(self.sink(), false)],
            Way::In => vec![verdict(&Verdict::Drop)],
        }
    }

    fn returning(&self) -> Vec<Vec<Expression>> {
        if !self.means.can_copy {
            return Vec::new();
        }
        let out = self.lines.iter().filter(|(_, way)| *way == Way::Out);
        out.map(|(rule, way)| {
            let number = self.of_line(*rule, *way);
            let mark = MARK | u32::from(number);
            vec![
                meta(Meta::Mark),
                compare(Is::Equal, &mark.to_ne_bytes()),
                self.to(number, true),
            ]
        })
        .collect()
    }
}
