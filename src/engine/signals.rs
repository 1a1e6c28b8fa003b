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
    /// Listens to SIGINT, SIGTERM and SIGHUP for as long as any clone of it lives.
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

impl Urgency {
    pub fn add(&mut self, signal: &'static str) {
        self.signals = self.signals.saturating_add(1);
        self.first.get_or_insert(signal);
    }
}
