//! Answers in a name server's place: as much of DNS as a question and its answer take.

use std::net::IpAddr;

use super::Answer;

/// Most that every asking side takes over UDP.
const LONGEST: usize = 512;
const HEADER: usize = 12;
/// A name's length on the wire, at most, and that of one of its labels.
const LONGEST_NAME: usize = 255;
const LONGEST_LABEL: usize = 63;
/// Where the question's name is, from the answers.
const POINTER: [u8; 2] = [0xC0, HEADER as u8];

const TYPE_A: u16 = 1;
const TYPE_AAAA: u16 = 28;
const CLASS_IN: u16 = 1;

const SERVER_FAILURE: u8 = 2;
const NO_SUCH_NAME: u8 = 3;

/// One question, as a client asks it.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Question {
    id: [u8; 2],
    recursion_desired: bool,
    /// From the first to the last label, in small letters.
    labels: Vec<Vec<u8>>,
    kind: u16,
    class: u16,
    /// Name, type and class as they were asked, whatever the case of their letters.
    asked: Vec<u8>,
}

impl Question {
    /// A whole message, as a UDP packet carries one. `None`: this is no plain question for one name, and not for us to answer.
    pub fn parse(payload: &[u8]) -> Option<Self> {
        let (header, body) = payload.split_at_checked(HEADER)?;
        let is_plain_question = header[2] & 0b1111_1010 == 0;
        if !is_plain_question || header[4..6] != [0, 1] || header[6..8] != [0, 0] {
            return None;
        }
        let (labels, length) = name(body)?;
        let asked = body.get(..length + 4)?;
        let number = |at: usize| u16::from_be_bytes([asked[at], asked[at + 1]]);
        Some(Self {
            id: [header[0], header[1]],
            recursion_desired: header[2] & 1 == 1,
            labels,
            kind: number(length),
            class: number(length + 2),
            asked: asked.to_vec(),
        })
    }

    /// The questions in a TCP segment, each behind its length. One whose length was sent by itself stands without it; one that is cut
    /// in two is not seen.
    pub fn in_segment(payload: &[u8]) -> Vec<Self> {
        let mut all: Vec<Self> = Self::parse(payload).into_iter().collect();
        let mut rest = payload;
        while let Some((length, behind)) = rest.split_first_chunk() {
            let length = usize::from(u16::from_be_bytes(*length));
            let Some((message, next)) = behind.split_at_checked(length) else {
                break;
            };
            all.extend(Self::parse(message));
            rest = next;
        }
        all
    }

    /// Is it for one of these names, or one under them? `.` is every name.
    pub fn is_for(&self, names: &[String]) -> bool {
        names.iter().any(|name| self.is_under(name))
    }

    fn is_under(&self, name: &str) -> bool {
        let name = name.strip_suffix('.').unwrap_or(name).to_ascii_lowercase();
        let wanted: Vec<_> = name.split('.').filter(|label| !label.is_empty()).collect();
        let Some(above) = self.labels.len().checked_sub(wanted.len()) else {
            return false;
        };
        let ours = &self.labels[above..];
        ours.iter().zip(wanted).all(|(a, b)| a == b.as_bytes())
    }

    /// As people write it.
    pub fn name(&self) -> String {
        let labels = self.labels.iter().map(|label| label.escape_ascii());
        let labels: Vec<_> = labels
            .map(|label| label.to_string().replace('.', "\\."))
            .collect();
        labels.join(".")
    }

    /// The payload to send back; `None` is silence.
    pub fn answered(&self, answer: &Answer) -> Option<Vec<u8>> {
        match answer {
            Answer::Silence => None,
            Answer::Failure => Some(self.response(SERVER_FAILURE, &[])),
            Answer::NoSuchName => Some(self.response(NO_SUCH_NAME, &[])),
            Answer::Addresses(addresses) => {
                let fitting: Vec<_> = addresses.iter().filter_map(|ip| self.data(*ip)).collect();
                Some(self.response(0, &fitting))
            }
        }
    }

    /// The address on the wire, if it is of the kind that is asked for.
    fn data(&self, address: IpAddr) -> Option<Vec<u8>> {
        match (address, self.kind) {
            _ if self.class != CLASS_IN => None,
            (IpAddr::V4(ip), TYPE_A) => Some(ip.octets().to_vec()),
            (IpAddr::V6(ip), TYPE_AAAA) => Some(ip.octets().to_vec()),
            _ => None,
        }
    }

    fn response(&self, code: u8, answers: &[Vec<u8>]) -> Vec<u8> {
        let each = answers
            .first()
            .map_or(1, |data| record(self.kind, data).len());
        let room = (LONGEST - HEADER - self.asked.len()) / each;
        let answers = &answers[..answers.len().min(room)];
        let mut message = Vec::with_capacity(LONGEST);
        message.extend(self.id);
        let is_response = 0x80;
        let recursion_available = 0x80;
        message.push(is_response | u8::from(self.recursion_desired));
        message.push(recursion_available | code);
        for count in [1, answers.len() as u16, 0, 0] {
            message.extend(count.to_be_bytes());
        }
        message.extend(&self.asked);
        for data in answers {
            message.extend(record(self.kind, data));
        }
        message
    }
}

fn record(kind: u16, data: &[u8]) -> Vec<u8> {
    // Nobody keeps it, so that nothing of it is left after the fault.
    let time_to_live = 0_u32;
    let mut record = POINTER.to_vec();
    record.extend(kind.to_be_bytes());
    record.extend(CLASS_IN.to_be_bytes());
    record.extend(time_to_live.to_be_bytes());
    record.extend((data.len() as u16).to_be_bytes());
    record.extend(data);
    record
}

/// The labels in small letters, and how many bytes they took. A question has nothing before it that its name could point to.
fn name(body: &[u8]) -> Option<(Vec<Vec<u8>>, usize)> {
    let mut labels = Vec::new();
    let mut at = 0;
    loop {
        let length = usize::from(*body.get(at)?);
        at += 1;
        if length == 0 {
            return (at <= LONGEST_NAME).then_some((labels, at));
        }
        if length > LONGEST_LABEL || at + length >= LONGEST_NAME {
            return None;
        }
        labels.push(body.get(at..at + length)?.to_ascii_lowercase());
        at += length;
    }
}

#[cfg(test)]
mod tests;
