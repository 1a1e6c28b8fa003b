//! How urgently the run is to end. The first signal cancels and undoes; the second no longer waits for the system; the third
//! gives up.

use std::sync::Arc;

use tokio::signal::unix::{SignalKind, signal};
use tokio::sync::watch;
use tokio::task::JoinSet;

/// What has been asked for, and by what.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct Urgency {
    /// How many signals have come.
    pub signals: u8,
    /// The first one: decides the exit code.
    pub first: Option<&'static str>,
}

/// Follows the urgency; clones see the same.
#[derive(Debug, Clone)]
pub struct Stop {
    urgency: watch::Receiver<Urgency>,
    _listeners: Option<Arc<JoinSet<()>>>,
}

impl Stop {
    /// Listens to SIGINT, SIGTERM and SIGHUP for as long as any clone of it lives. A SIGHUP that was ignored from the start
    /// (`nohup`) stays ignored.
    ///
    /// # Errors
    /// The kernel's.
    pub fn on_signals() -> std::io::Result<Self> {
        let (send, urgency) = watch::channel(Urgency::default());
        let send = Arc::new(send);
        let mut listeners = JoinSet::new();
        for (kind, name) in [
            (SignalKind::interrupt(), "SIGINT"),
            (SignalKind::terminate(), "SIGTERM"),
            (SignalKind::hangup(), "SIGHUP"),
        ] {
            if kind == SignalKind::hangup() && is_ignored(kind) {
                continue;
            }
            let mut stream = signal(kind)?;
            let send = Arc::clone(&send);
            listeners.spawn(async move {
                while stream.recv().await.is_some() {
                    send.send_modify(|urgency| urgency.add(name));
                }
            });
        }
        Ok(Self {
            urgency,
            _listeners: Some(Arc::new(listeners)),
        })
    }

    /// Stops when told to through the sender; for tests.
    pub fn on(urgency: watch::Receiver<Urgency>) -> Self {
        Self {
            urgency,
            _listeners: None,
        }
    }

    pub fn now(&self) -> Urgency {
        *self.urgency.borrow()
    }

    /// Returns once at least so many signals have come; never if they never do.
    pub async fn reached(&mut self, signals: u8) -> Urgency {
        match self
            .urgency
            .wait_for(|urgency| urgency.signals >= signals)
            .await
        {
            Ok(urgency) => *urgency,
            Err(_) => std::future::pending().await,
        }
    }
}

/// As it was inherited. Where the kernel does not say, it is not.
fn is_ignored(kind: SignalKind) -> bool {
    std::fs::read_to_string("/proc/self/status").is_ok_and(|status| ignores(&status, kind))
}

fn ignores(status: &str, kind: SignalKind) -> bool {
    let mask = status.lines().find_map(|line| line.strip_prefix("SigIgn:"));
    let mask = mask.and_then(|mask| u64::from_str_radix(mask.trim(), 16).ok());
    mask.is_some_and(|mask| mask >> (kind.as_raw_value() - 1) & 1 == 1)
}

impl Urgency {
    pub fn add(&mut self, signal: &'static str) {
        self.signals = self.signals.saturating_add(1);
        self.first.get_or_insert(signal);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernel_says_what_is_ignored() {
        let status = |mask: &str| format!("Name:\tx\nSigBlk:\t0000000000000001\nSigIgn:\t{mask}\n");
        let hangup = SignalKind::hangup();
        assert!(ignores(&status("0000000000001001"), hangup));
        assert!(!ignores(&status("0000000000001000"), hangup));
        assert!(ignores(
            &status("0000000000000002"),
            SignalKind::interrupt()
        ));
        assert!(!ignores("", hangup));
    }
}
