//! The live page of a run, for game days: what the report will show, drawn from the record as it grows, and buttons that steer
//! the run.
//!
//! It has a thread and an async runtime of its own, and hears of the run through a bounded channel that nobody waits for: a slow
//! browser, a flood of requests, or a bug in here takes nothing from the run, and no fault's revert hangs on it. Whatever it
//! makes the run do goes through [`Controls`], as from the terminal.

mod feed;
mod gate;
mod listen;
mod page;
mod routes;
mod standing;

use std::net::{SocketAddr, TcpListener};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread;
use std::time::Duration;

use tokio::sync::{mpsc, oneshot};
use tokio::time::timeout;

use crate::clock::Clock;
use crate::engine::Observer;
use crate::engine::control::Controls;
use crate::history::{Entry, Record};
use crate::probe::Pulse;
use feed::News;
use gate::Gate;

/// Entries that the page has not taken in yet. With more, the live view is given up until the run's end.
const BACKLOG: usize = 8_192;

/// What a browser is given before chaosrun ends.
const FAREWELL: Duration = Duration::from_millis(2_500);

/// Each unguessable, and different from the other.
pub struct Keys {
    /// In the address; buys a session once.
    pub token: String,
    /// What a browser keeps as a cookie.
    pub session: String,
}

/// A page that is being served.
pub struct Server {
    url: String,
    news: mpsc::Sender<News>,
    end: oneshot::Sender<()>,
    ended: oneshot::Receiver<()>,
}

/// Tells the page of one run.
pub struct Spectator {
    news: mpsc::Sender<News>,
    /// Something could not be told: what comes after it means nothing.
    lost: Arc<AtomicBool>,
}

impl Server {
    /// Serves on this listener until told to end.
    ///
    /// # Errors
    /// The kernel's: no thread, or no such listener.
    pub fn start(listener: TcpListener, keys: &Keys) -> std::io::Result<Self> {
        let address = listener.local_addr()?;
        listener.set_nonblocking(true)?;
        let url = format!("http://{}/?token={}", reachable(address), keys.token);
        let gate = Arc::new(Gate::new(address, keys));
        let (news, heard) = mpsc::channel(BACKLOG);
        let (end, told) = oneshot::channel();
        let (done, ended) = oneshot::channel();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()?;
        thread::Builder::new()
            .name("live page".into())
            .spawn(move || {
                runtime.block_on(listen::serve(listener, gate, heard, told));
                // Whoever waits may have stopped doing so.
                let _gone = done.send(());
            })?;
        Ok(Self {
            url,
            news,
            end,
            ended,
        })
    }

    /// With the token in it: whoever opens it first has the page.
    pub fn url(&self) -> &str {
        &self.url
    }

    /// The page shows this run from now on.
    pub fn follow(&self, controls: Controls, clock: Clock) -> Spectator {
        let lost = Arc::new(AtomicBool::new(false));
        let spectator = Spectator {
            news: self.news.clone(),
            lost: Arc::clone(&lost),
        };
        spectator.tell(News::Begin {
            controls,
            clock,
            lost,
        });
        spectator
    }

    /// The run is over: the page shows its verdict.
    pub fn conclude(&self, record: &Record) {
        // A page that hears of nothing any more keeps what it shows.
        let _deaf = self.news.try_send(News::Over(Box::new(record.clone())));
    }

    /// The run could not even begin.
    pub fn give_up(&self, why: &str) {
        let _deaf = self.news.try_send(News::GivenUp(why.into()));
    }

    /// Tells the browsers that chaosrun ends, and does not wait for them for long.
    pub async fn end(self) {
        let Self {
            news, end, ended, ..
        } = self;
        // What has been told is drawn before the end is.
        drop(news);
        let _gone = end.send(());
        let _late = timeout(FAREWELL, ended).await;
    }
}

impl Spectator {
    fn tell(&self, news: News) {
        if !self.lost.load(Ordering::Relaxed) && self.news.try_send(news).is_err() {
            self.lost.store(true, Ordering::Relaxed);
        }
    }
}

impl Observer for Spectator {
    fn entry(&mut self, entry: &Entry) {
        self.tell(News::Entry(Box::new(entry.clone())));
    }

    fn pulse(&mut self, _probe: &str, _pulse: &Pulse) {}
}

/// Where it listens on every address, this machine can reach it on its own.
fn reachable(address: SocketAddr) -> SocketAddr {
    let mut address = address;
    if address.ip().is_unspecified() {
        address.set_ip(match address {
            SocketAddr::V4(_) => std::net::Ipv4Addr::LOCALHOST.into(),
            SocketAddr::V6(_) => std::net::Ipv6Addr::LOCALHOST.into(),
        });
    }
    address
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::Event;

    fn ended() -> Entry {
        Entry {
            at: 1,
            event: Event::Ended,
        }
    }

    #[test]
    fn a_page_that_cannot_keep_up_is_told_no_more_and_nobody_waits() {
        let (news, mut heard) = mpsc::channel(2);
        let lost = Arc::new(AtomicBool::new(false));
        let mut spectator = Spectator {
            news,
            lost: Arc::clone(&lost),
        };
        spectator.entry(&ended());
        spectator.entry(&ended());
        assert!(!lost.load(Ordering::Relaxed));
        spectator.entry(&ended());
        assert!(lost.load(Ordering::Relaxed));
        // Even where there is room again: something is missing before it.
        assert!(heard.try_recv().is_ok() && heard.try_recv().is_ok());
        spectator.entry(&ended());
        assert!(heard.try_recv().is_err());
    }

    #[test]
    fn an_address_that_means_all_of_them_is_named_by_one() {
        let name = |address: &str| reachable(address.parse().unwrap()).to_string();
        assert_eq!(name("0.0.0.0:9"), "127.0.0.1:9");
        assert_eq!(name("[::]:9"), "[::1]:9");
        assert_eq!(name("10.0.0.1:9"), "10.0.0.1:9");
    }
}
