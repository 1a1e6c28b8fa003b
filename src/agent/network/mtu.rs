//! How long a packet may be before it leaves in pieces.

use super::netlink::wire::{Attributes, Message, attribute, number32};
use super::netlink::{Failure, Netlink, ROUTE, Reply};

const GET_LINK: u16 = 18;
/// `struct ifinfomsg`, with the flags at their place.
const HEADER: usize = 16;
const FLAGS: usize = 8;
const MTU: u16 = 4;
const UP: u32 = 1;
const LOOPBACK: u32 = 8;
/// Where no interface says.
const USUAL: u32 = 1500;

/// On whichever interface it is shortest.
pub(crate) fn smallest() -> Result<u32, Failure> {
    let question = Message::new(GET_LINK, 0, &[0; HEADER], &Attributes::new());
    let links = Netlink::open(ROUTE)?.list(&question)?;
    Ok(links.iter().filter_map(of).min().unwrap_or(USUAL))
}

fn of(link: &Reply) -> Option<u32> {
    let flags = number32(&link.body, FLAGS)?;
    if flags & UP == 0 || flags & LOOPBACK != 0 {
        return None;
    }
    number32(attribute(link.body.get(HEADER..)?, MTU)?, 0)
}
