//! What one request comes to.

use std::borrow::Cow;
use std::io;

/// A kind of request. The scheduler decides when, the kind decides how.
pub(super) trait Shot: Send + Sync + 'static {
    /// Sends request `seq` and waits for its result. May be dropped at any moment, and then leaves nothing behind.
    fn shoot(&self, seq: u64) -> impl Future<Output = Result<(), Miss>> + Send;
}

/// Why a request is not good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) enum Miss {
    /// The system's fault, in a few words that repeat.
    Bad(Cow<'static, str>),
    /// The prober's own fault: this machine has no more sockets.
    Unsent,
    /// It cannot work, whatever the system does.
    Broken {
        reason: &'static str,
        /// For the person who wrote the scenario.
        why: String,
    },
}

pub(super) const TIMED_OUT: Miss = Miss::Bad(Cow::Borrowed("timed out"));
pub(super) const UNSENT: &str = "unsent";
pub(super) const UNANSWERED: &str = "no answer before the end";

impl Miss {
    pub(super) fn bad(reason: impl Into<Cow<'static, str>>) -> Self {
        Self::Bad(reason.into())
    }
}

impl From<&io::Error> for Miss {
    fn from(error: &io::Error) -> Self {
        use io::ErrorKind as Kind;
        let out_of_files = [rustix::io::Errno::MFILE, rustix::io::Errno::NFILE]
            .map(|errno| Some(errno.raw_os_error()))
            .contains(&error.raw_os_error());
        match error.kind() {
            _ if out_of_files => Self::Unsent,
            // No free port is left on this side.
            Kind::AddrNotAvailable => Self::Unsent,
            Kind::ConnectionRefused => Self::bad("connection refused"),
            Kind::ConnectionReset | Kind::ConnectionAborted | Kind::BrokenPipe => {
                Self::bad("connection reset")
            }
            Kind::HostUnreachable => Self::bad("no route to host"),
            Kind::NetworkUnreachable => Self::bad("network unreachable"),
            Kind::TimedOut => TIMED_OUT,
            Kind::UnexpectedEof => Self::bad("connection closed"),
            other => Self::bad(other.to_string()),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_kernels_errors_become_few_words() {
        let words = |errno: rustix::io::Errno| {
            Miss::from(&io::Error::from_raw_os_error(errno.raw_os_error()))
        };
        use rustix::io::Errno;
        assert_eq!(words(Errno::CONNREFUSED), Miss::bad("connection refused"));
        assert_eq!(words(Errno::CONNRESET), Miss::bad("connection reset"));
        assert_eq!(words(Errno::PIPE), Miss::bad("connection reset"));
        assert_eq!(words(Errno::HOSTUNREACH), Miss::bad("no route to host"));
        assert_eq!(words(Errno::MFILE), Miss::Unsent);
        assert_eq!(words(Errno::ADDRNOTAVAIL), Miss::Unsent);
    }
}
