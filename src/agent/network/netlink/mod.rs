//! A conversation with the kernel over netlink, in its own words where it refuses.

pub(crate) mod wire;

use std::fmt;
use std::io;
use std::os::fd::{AsFd, BorrowedFd};

use netlink_sys::Socket;
use rustix::net::{RecvFlags, SendFlags, recv, send};

use self::wire::{Incoming, Message, attribute, messages, number32, text};
use crate::units::kernel_words;

pub(crate) const ROUTE: isize = netlink_sys::constants::NETLINK_ROUTE;
pub(crate) const NETFILTER: isize = netlink_sys::constants::NETLINK_NETFILTER;
pub(crate) const SOCK_DIAG: isize = netlink_sys::constants::NETLINK_SOCK_DIAG;

pub(crate) const REQUEST: u16 = 0x1;
pub(crate) const ACK: u16 = 0x4;
/// `NLM_F_ROOT | NLM_F_MATCH`.
pub(crate) const DUMP: u16 = 0x300;
pub(crate) const EXCLUSIVE: u16 = 0x200;
pub(crate) const CREATE: u16 = 0x400;
pub(crate) const APPEND: u16 = 0x800;

const ERROR: u16 = 2;
const DONE: u16 = 3;
/// Larger than any message that the kernel makes of a dump.
const BUFFER: usize = 128 * 1024;

/// What the kernel said, in its own words.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Failure {
    /// Its error number; 0 where it was none.
    pub(crate) number: i32,
    words: String,
}

impl Failure {
    fn new(number: i32, more: Option<String>) -> Self {
        // Where it says what is the matter, its number only says so again.
        let words = more.filter(|more| !more.is_empty());
        let words = words.unwrap_or_else(|| kernel_words(&io::Error::from_raw_os_error(number)));
        Self { number, words }
    }

    pub(crate) fn is(&self, errno: rustix::io::Errno) -> bool {
        self.number == errno.raw_os_error()
    }
}

impl fmt::Display for Failure {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.words)
    }
}

impl From<io::Error> for Failure {
    fn from(error: io::Error) -> Self {
        Self::new(error.raw_os_error().unwrap_or_default(), None)
    }
}

impl From<rustix::io::Errno> for Failure {
    fn from(errno: rustix::io::Errno) -> Self {
        Self::new(errno.raw_os_error(), None)
    }
}

/// A message that came as the answer to a question.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Reply {
    pub(crate) kind: u16,
    pub(crate) body: Vec<u8>,
}

/// One netlink socket. The kernel handles what it is sent before the sending returns, so that every answer is there by then.
pub(crate) struct Netlink {
    socket: Socket,
    sequence: u32,
    buffer: Vec<u8>,
}

impl Netlink {
    pub(crate) fn open(protocol: isize) -> Result<Self, Failure> {
        let mut socket = Socket::new(protocol)?;
        socket.bind_auto()?;
        // Its own words and no echo of the request; kernels without the two say less.
        socket.set_ext_ack(true).ok();
        socket.set_cap_ack(true).ok();
        Ok(Self {
            socket,
            sequence: 0,
            buffer: vec![0; BUFFER],
        })
    }

    /// Sends these in one go; the first refusal is the answer.
    pub(crate) fn tell(&mut self, messages: &[Message]) -> Result<(), Failure> {
        let mut bytes = Vec::new();
        let mut failed = None;
        for message in messages {
            self.sequence = self.sequence.wrapping_add(1);
            message.write(self.sequence, REQUEST, &mut bytes);
        }
        send(&self.socket, &bytes, SendFlags::empty())?;
        while let Some(read) = self.read(RecvFlags::DONTWAIT)? {
            for incoming in wire::messages(self.buffer.get(..read).unwrap_or_default()) {
                if incoming.kind == ERROR && failed.is_none() {
                    failed = refusal(&incoming);
                }
            }
        }
        failed.map_or(Ok(()), Err)
    }

    /// Asks for a list.
    pub(crate) fn list(&mut self, question: &Message) -> Result<Vec<Reply>, Failure> {
        self.sequence = self.sequence.wrapping_add(1);
        let mut bytes = Vec::new();
        question.write(self.sequence, REQUEST | DUMP, &mut bytes);
        send(&self.socket, &bytes, SendFlags::empty())?;
        let mut found = Vec::new();
        while let Some(read) = self.read(RecvFlags::empty())? {
            for incoming in messages(self.buffer.get(..read).unwrap_or_default()) {
                if incoming.sequence != self.sequence {
                    continue;
                }
                match incoming.kind {
                    DONE => return Ok(found),
                    ERROR => return refusal(&incoming).map_or(Ok(found), Err),
                    kind => found.push(Reply {
                        kind,
                        body: incoming.body.to_vec(),
                    }),
                }
            }
        }
        Ok(found)
    }

    /// `None`: nothing there.
    fn read(&mut self, flags: RecvFlags) -> Result<Option<usize>, Failure> {
        loop {
            match recv(&self.socket, &mut self.buffer, flags) {
                Ok((read, _)) => return Ok(Some(read)),
                Err(rustix::io::Errno::AGAIN) => return Ok(None),
                Err(rustix::io::Errno::INTR) => {}
                Err(errno) => return Err(errno.into()),
            }
        }
    }
}

impl AsFd for Netlink {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}

/// `None`: it is an acknowledgement.
fn refusal(incoming: &Incoming<'_>) -> Option<Failure> {
    /// `NLM_F_ACK_TLVS`.
    const TOLD_MORE: u16 = 0x200;
    /// Behind the error number and the header of what was asked.
    const MORE: usize = 20;
    const WORDS: u16 = 1;
    let number = number32(incoming.body, 0)?.cast_signed();
    if number == 0 {
        return None;
    }
    let more = (incoming.flags & TOLD_MORE != 0)
        .then(|| incoming.body.get(MORE..))
        .flatten()
        .and_then(|more| attribute(more, WORDS))
        .map(text);
    Some(Failure::new(-number, more))
}
