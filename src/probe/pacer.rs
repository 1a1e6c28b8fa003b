//! Wakes up on time. Tokio's own timer counts in milliseconds; at 2 000 requests a second that is two requests.

use std::time::Duration;

use crate::clock::Clock;
use crate::units::Micros;

pub(super) struct Pacer {
    precise: Option<precise::Timer>,
}

impl Pacer {
    pub(super) fn new() -> Self {
        Self {
            precise: precise::Timer::new(),
        }
    }

    /// Returns at `at`, never before. Cancel-safe.
    pub(super) async fn until(&mut self, clock: Clock, at: Micros) {
        loop {
            let left = at.saturating_sub(clock.now());
            if left == 0 {
                return;
            }
            // Tokio's timer runs as well: where there is no other, and where the clock is a test's.
            let coarse = tokio::time::sleep_until(clock.instant(at));
            match &mut self.precise {
                Some(timer) => tokio::select! {
                    () = timer.after(Duration::from_micros(left)) => {}
                    () = coarse => {}
                },
                None => coarse.await,
            }
        }
    }
}

#[cfg(target_os = "linux")]
mod precise {
    use std::os::fd::OwnedFd;
    use std::time::Duration;

    use rustix::time::{
        Itimerspec, TimerfdClockId, TimerfdFlags, TimerfdTimerFlags, Timespec, timerfd_create,
        timerfd_settime,
    };
    use tokio::io::Interest;
    use tokio::io::unix::AsyncFd;

    /// The kernel's high-resolution timer.
    pub(super) struct Timer(AsyncFd<OwnedFd>);

    impl Timer {
        #[expect(
            deprecated,
            reason = "its successor is unsafe, for types that lend their descriptor out; an OwnedFd does not"
        )]
        pub(super) fn new() -> Option<Self> {
            let flags = TimerfdFlags::NONBLOCK | TimerfdFlags::CLOEXEC;
            let fd = timerfd_create(TimerfdClockId::Monotonic, flags).ok()?;
            AsyncFd::with_interest(fd, Interest::READABLE)
                .ok()
                .map(Self)
        }

        /// May return early, for a wake-up that was set before; and for good when the timer cannot be set.
        pub(super) async fn after(&mut self, left: Duration) {
            let once = Itimerspec {
                it_interval: Timespec::default(),
                it_value: Timespec {
                    tv_sec: left.as_secs() as _,
                    tv_nsec: left.subsec_nanos() as _,
                },
            };
            if timerfd_settime(self.0.get_ref(), TimerfdTimerFlags::empty(), &once).is_err() {
                return std::future::pending().await;
            }
            match self.0.readable().await {
                // Setting it again also takes back what was not read.
                Ok(mut ready) => ready.clear_ready(),
                Err(_) => std::future::pending().await,
            }
        }
    }
}

#[cfg(not(target_os = "linux"))]
mod precise {
    use std::time::Duration;

    pub(super) enum Timer {}

    impl Timer {
        pub(super) fn new() -> Option<Self> {
            None
        }

        pub(super) async fn after(&mut self, _left: Duration) {
            match *self {}
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn never_wakes_early() {
        let clock = Clock::start();
        let mut pacer = Pacer::new();
        for turn in 1..=200 {
            pacer.until(clock, turn * 700).await;
            assert!(clock.now() >= turn * 700);
        }
    }

    #[tokio::test(start_paused = true)]
    async fn follows_a_paused_clock() {
        let clock = Clock::start();
        let mut pacer = Pacer::new();
        let really = crate::clock::wall();
        pacer.until(clock, 3_600_000_000).await;
        assert!(clock.now() >= 3_600_000_000);
        let took = crate::clock::wall().duration_since(really);
        assert!(took.as_secs() < 10, "waited {took} for a clock that jumps");
    }
}
