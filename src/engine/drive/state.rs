//! How far the steps have come, and what tasks report of them.

use std::collections::{BTreeMap, BTreeSet};

use tokio::task::AbortHandle;

use super::foresee::Foresight;
use crate::action::{Action, Subject};
use crate::engine::inject::{Effect, Miss};
use crate::engine::tally::Counted;
use crate::engine::trip::{Before, Check};
use crate::engine::undo::Undone;
use crate::fault::Scene;
use crate::history::Proof;
use crate::inventory::{Instance, Inventory};
use crate::units::Micros;

/// How far a step has come.
#[derive(Default)]
pub(super) struct Progress {
    pub(super) state: State,
    pub(super) foresight: Foresight,
    pub(super) actions: Vec<Action>,
    /// What they were lowered on.
    pub(super) scene: Scene,
    pub(super) ids: Vec<u64>,
    /// By which round trips it shows.
    pub(super) checks: Vec<Check>,
    /// What the agents had counted when it was shown to be in force.
    pub(super) counted: Counted,
    /// When it was reverted or skipped.
    pub(super) over: Option<Micros>,
    /// Was its effect shown?
    pub(super) proven: bool,
    /// Targets that lost the fault and are being given it back, by id.
    pub(super) reapplying: BTreeMap<String, Subject>,
    /// Targets that are no more, and are known to have lost the fault, by id.
    pub(super) gone: BTreeSet<String>,
    /// Tasks that change its targets: none of them may go on while the step is undone.
    pub(super) hands: Vec<AbortHandle>,
}

#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub(super) enum State {
    #[default]
    Waiting,
    Resolving,
    Injecting,
    Active {
        until: Micros,
    },
    /// `patient`: the system is given its time to do it by itself.
    Reverting {
        patient: bool,
    },
    Over,
}

/// What a task reports back.
pub(super) enum Done {
    /// Whom a step will hit, as it was seen at this state of the world.
    Foreseen {
        step: usize,
        turn: usize,
        answer: Result<Scene, Miss>,
    },
    Resolved {
        step: usize,
        answer: Result<Scene, Miss>,
    },
    Applied {
        step: usize,
        outcome: Result<Effect, String>,
    },
    Reverted {
        steps: Vec<(usize, Vec<Undone>)>,
        /// Targets that were found without their fault when its time was over, and what was seen.
        lost: Vec<(usize, Subject, String)>,
        /// What the agents had counted before it was undone.
        counted: Counted,
    },
    Reapplied {
        step: usize,
        subject: Subject,
        /// `None`: it had not lost its fault after all.
        effect: Option<Proof>,
    },
    /// Round trips, and how many times a step had begun or ended before.
    Measured { before: Before, stirs: usize },
    Looked {
        seen: Vec<(String, Option<Instance>)>,
        whole: Option<Inventory>,
        /// The engine did not say.
        unseen: Vec<String>,
    },
}

/// What the loop does next.
pub(super) enum Next {
    WaitUntil(Micros),
    End,
}
