//! What people tell a run while it happens, and what it tells them: typed commands in, each answered with a sentence, and where
//! the run stands out. A command is given in the loop that owns the state, so it is carried out whole or refused.

use tokio::sync::{mpsc, oneshot, watch};

use super::run::{Go, Halt, Run};
use crate::history::{Event, Phase, Steering};
use crate::units::Micros;

/// Of a note, or of the reason for an abort, in characters.
pub const LONGEST_TEXT: usize = 1_000;

/// So many commands and notes are carried out in one run; taking faults back and aborting is possible beyond them.
pub const MOST_ORDERS: usize = 400;

/// Commands that wait for the loop; whoever gives more waits, too.
const QUEUE: usize = 16;

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Command {
    /// The next step begins now. With a name only if that is the next one, for it may have begun by itself meanwhile.
    Start { step: Option<String> },
    /// No step begins by itself any more; faults in force end when their time is over.
    Hold,
    /// Takes back a hold: what has not begun is as much later as it lasted.
    Release,
    /// Every fault in force is reverted now, no further step begins, and recovery is watched.
    Revert,
    /// Everything is reverted and the run ends, aborted.
    Abort { why: String },
    /// A remark for the report.
    Note { text: String },
}

/// What was done, or why it was not, as a sentence.
pub type Answer = Result<String, String>;

#[derive(Debug)]
pub(super) struct Order {
    pub(super) command: Command,
    pub(super) by: String,
    answer: oneshot::Sender<Answer>,
}

/// Where a run stands, for whoever steers it.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Standing {
    /// `None`: it is getting ready.
    pub phase: Option<Phase>,
    pub held: bool,
    /// The step that begins next.
    pub next: Option<Upcoming>,
    /// Steps whose fault is in force, or about to be.
    pub in_force: Vec<String>,
    /// What would be refused now, and why.
    pub refused: Refused,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Upcoming {
    pub step: String,
    pub fault: String,
    pub target: String,
    /// `None`: the timeline is held, or it depends on what has not happened yet.
    pub due: Option<Micros>,
}

/// `None`: it would be done.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Refused {
    pub start: Option<String>,
    pub hold: Option<String>,
    pub release: Option<String>,
    pub revert: Option<String>,
    pub abort: Option<String>,
}

/// Gives commands; clones reach the same run.
#[derive(Debug, Clone)]
pub struct Controls {
    orders: mpsc::Sender<Order>,
    standing: watch::Receiver<Standing>,
}

/// The run's end of it.
#[derive(Debug)]
pub struct Orders {
    queue: mpsc::Receiver<Order>,
    standing: watch::Sender<Standing>,
    /// No step begins by itself, from the start.
    pub(super) held: bool,
}

/// Both ends. `held`: the run begins with its timeline held, so that each step waits to be started.
pub fn channel(held: bool) -> (Controls, Orders) {
    let (send, queue) = mpsc::channel(QUEUE);
    let (standing, seen) = watch::channel(Standing {
        held,
        ..Standing::default()
    });
    let controls = Controls {
        orders: send,
        standing: seen,
    };
    let orders = Orders {
        queue,
        standing,
        held,
    };
    (controls, orders)
}

impl Controls {
    /// Gives a command from `by` (`terminal`, `live page`) and waits for the answer.
    ///
    /// # Errors
    /// Why it was refused.
    pub async fn give(&self, by: &str, command: Command) -> Answer {
        let over = || "the run is over".to_owned();
        let (answer, answered) = oneshot::channel();
        let order = Order {
            command,
            by: by.into(),
            answer,
        };
        self.orders.send(order).await.map_err(|_| over())?;
        answered.await.map_err(|_| over())?
    }

    /// Follows where the run stands.
    pub fn standing(&self) -> watch::Receiver<Standing> {
        self.standing.clone()
    }
}

impl Orders {
    /// For a run that nobody steers.
    pub fn none() -> Self {
        channel(false).1
    }

    pub(super) async fn next(&mut self) -> Option<Order> {
        self.queue.recv().await
    }

    pub(super) fn tell(&self, standing: Standing) {
        self.standing.send_if_modified(|told| {
            let news = *told != standing;
            *told = standing;
            news
        });
    }

    /// From now on every command is refused, those that wait included.
    pub(super) fn end(&mut self) {
        self.queue.close();
        while self.queue.try_recv().is_ok() {}
        let over = || Some("the run is over".to_owned());
        self.tell(Standing {
            phase: Some(Phase::Teardown),
            refused: Refused {
                start: over(),
                hold: over(),
                release: over(),
                revert: over(),
                abort: over(),
            },
            ..Standing::default()
        });
    }
}

impl Order {
    /// Whoever gave it may be gone, which changes nothing.
    pub(super) fn answer(self, answer: Answer) {
        let _gone = self.answer.send(answer);
    }
}

impl Run {
    /// Before the timeline begins a run can only be given up, or remarked on.
    pub(super) fn obey_early(&mut self, order: Order) -> Go<()> {
        let command = order.command.clone();
        match command {
            Command::Note { text } => {
                let answer = self.remark(&order.by, &text);
                order.answer(answer);
            }
            Command::Abort { why } => match bounded(&why, "a reason") {
                Ok(why) => {
                    let what = Steering::Abort { why };
                    let by = order.by.clone();
                    self.recorder.note(Event::Steered { by, what });
                    order.answer(Ok("aborting: nothing was injected".into()));
                    return Err(Halt);
                }
                Err(why) => order.answer(Err(why)),
            },
            _ => order.answer(Err("the run is still getting ready".into())),
        }
        Ok(())
    }

    pub(super) fn remark(&mut self, by: &str, text: &str) -> Answer {
        let text = bounded(text, "a note")?;
        let by = Some(by.to_owned());
        self.recorder.note(Event::Note { by, text });
        Ok("noted".into())
    }
}

/// A text as it is recorded.
///
/// # Errors
/// It is empty, or too long.
pub(super) fn bounded(text: &str, what: &str) -> Result<String, String> {
    let text = text.trim();
    match text.chars().count() {
        0 => Err(format!("{what} needs a text")),
        n if n > LONGEST_TEXT => Err(format!(
            "{what} has at most {LONGEST_TEXT} characters, and this has {n}"
        )),
        _ => Ok(text.to_owned()),
    }
}
