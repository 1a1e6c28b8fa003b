//! Whoever steers a run besides its scenario: a person at standard input (`--step`), and one at the live page (`--serve`).

use std::net::{SocketAddr, TcpListener};

use super::live::Live;
use super::step::{Keyboard, Typing};
use super::{RunArgs, code, places, term};
use crate::clock::Clock;
use crate::engine::Observer;
use crate::engine::control::{self, Orders};
use crate::history::{Entry, Record};
use crate::probe::Pulse;
use crate::serve::{Keys, Server, Spectator};

/// For all runs of one call.
pub(super) struct Wheel {
    step: bool,
    keyboard: Option<Keyboard>,
    page: Option<Server>,
}

/// For one run.
pub(super) struct Hands {
    pub(super) orders: Orders,
    pub(super) observer: Box<dyn Observer>,
    /// Reads until dropped.
    pub(super) typing: Option<Typing>,
}

impl Wheel {
    /// Serves the page and says where, if that is wanted.
    ///
    /// # Errors
    /// The exit code; why has been said.
    pub(super) fn take(args: &RunArgs) -> Result<Self, u8> {
        let page = args.serve.map(|address| serve(address, args.expose));
        Ok(Self {
            step: args.step,
            keyboard: args.step.then(Keyboard::new),
            page: page.transpose()?,
        })
    }

    /// Everybody follows this run from now on.
    pub(super) fn follow(&self, live: Live, clock: Clock) -> Hands {
        let (controls, orders) = control::channel(self.step);
        let alone = self.page.is_none();
        let typing = self.keyboard.as_ref();
        let typing = typing.map(|keys| keys.follow(controls.clone(), live.screen(), alone));
        let page = self.page.as_ref();
        let page = page.map(|page| page.follow(controls, clock));
        Hands {
            orders,
            observer: Box::new(Both { live, page }),
            typing,
        }
    }

    pub(super) fn conclude(&self, record: &Record) {
        if let Some(page) = &self.page {
            page.conclude(record);
        }
    }

    pub(super) fn give_up(&self, why: &str) {
        if let Some(page) = &self.page {
            page.give_up(why);
        }
    }

    pub(super) async fn let_go(self) {
        if let Some(page) = self.page {
            page.end().await;
        }
    }
}

fn serve(address: SocketAddr, expose: bool) -> Result<Server, u8> {
    if !address.ip().is_loopback() && !expose {
        term::error(
            &format!("--serve {address} could be reached from other machines"),
            "add --expose if that is meant; what goes over the network is not encrypted",
        );
        return Err(code::USAGE);
    }
    let keys = Keys {
        token: places::key(),
        session: places::key(),
    };
    let served = TcpListener::bind(address).and_then(|listener| Server::start(listener, &keys));
    match served {
        Ok(page) => {
            term::say(&format!(
                "live page, for the first browser that opens it: {}",
                page.url()
            ));
            Ok(page)
        }
        Err(error) => {
            term::error(
                &format!("serving the live page on {address}: {error}"),
                "port 0 takes one that is free",
            );
            Err(code::USAGE)
        }
    }
}

struct Both {
    live: Live,
    page: Option<Spectator>,
}

impl Observer for Both {
    fn entry(&mut self, entry: &Entry) {
        self.live.entry(entry);
        if let Some(page) = &mut self.page {
            page.entry(entry);
        }
    }

    fn pulse(&mut self, probe: &str, pulse: &Pulse) {
        self.live.pulse(probe, pulse);
        if let Some(page) = &mut self.page {
            page.pulse(probe, pulse);
        }
    }
}
