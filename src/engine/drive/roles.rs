//! Who has which role while the run goes on, for the record alone: nothing that is decided depends on it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use tokio::sync::{mpsc, watch};
use tokio::task::JoinSet;
use tokio::time::{MissedTickBehavior, interval};

use crate::action::Subject;
use crate::engine::role::Asker;
use crate::engine::run::Run;
use crate::history::RoleChange;
use crate::inventory::{Instance, Inventory, State};
use crate::plan::select::matches;
use crate::runtime::Runtime;
use crate::scenario::{Ask, Role, Secrets, Target};

/// Often enough for the eye.
const EVERY: Duration = Duration::from_secs(1);
/// A command in a container costs the system more than a request.
const COMMANDS_EVERY: Duration = Duration::from_secs(5);
/// Of a target with more instances only so many are asked.
const MOST_ASKED: usize = 20;

/// What has changed, as it becomes known.
pub(super) struct Roles {
    changes: mpsc::Receiver<RoleChange>,
    /// They end with this.
    _watchers: JoinSet<()>,
}

impl Roles {
    /// Asks those who may have a role that some target of the scenario wants.
    pub(super) fn watch(run: &Run, world: watch::Receiver<Arc<Inventory>>) -> Self {
        let (send, changes) = mpsc::channel(64);
        let mut watchers = JoinSet::new();
        let hit: BTreeSet<_> = run
            .scenario
            .steps
            .iter()
            .flat_map(|s| s.fault.peers().into_iter().chain([s.fault.target()]))
            .collect();
        let targets = run.scenario.targets.iter();
        for target in targets.filter(|target| hit.contains(target.name.as_str())) {
            let Some(role) = target.role.clone() else {
                continue;
            };
            let watcher = Watcher {
                runtime: Arc::clone(&run.runtime),
                secrets: Arc::clone(&run.secrets),
                world: world.clone(),
                target: target.clone(),
                role,
                held: BTreeMap::new(),
            };
            watchers.spawn(watcher.watch(send.clone()));
        }
        Self {
            changes,
            _watchers: watchers,
        }
    }

    /// `None`: there is nothing to watch, or nothing any more.
    pub(super) async fn next(&mut self) -> Option<RoleChange> {
        self.changes.recv().await
    }
}

struct Watcher {
    runtime: Arc<dyn Runtime>,
    secrets: Arc<Secrets>,
    world: watch::Receiver<Arc<Inventory>>,
    target: Target,
    role: Role,
    /// Who has it, by id.
    held: BTreeMap<String, Subject>,
}

impl Watcher {
    async fn watch(mut self, changes: mpsc::Sender<RoleChange>) {
        let (runtime, secrets) = (Arc::clone(&self.runtime), Arc::clone(&self.secrets));
        let asker = Asker::new(&*runtime, &secrets);
        let mut tick = interval(match self.role.ask {
            Ask::Http { .. } => EVERY,
            Ask::Exec { .. } => COMMANDS_EVERY,
        });
        tick.set_missed_tick_behavior(MissedTickBehavior::Delay);
        loop {
            tick.tick().await;
            let world = Arc::clone(&self.world.borrow());
            let meant = world.instances.iter().filter(|one| self.is_meant(one));
            let meant: Vec<&Instance> = meant.take(MOST_ASKED).collect();
            let answers = join_all(meant.iter().map(|one| has(&asker, &self.role, one))).await;
            let gone = self.held.values().filter(|s| world.by_id(&s.id).is_none());
            let gone = gone.map(|subject| (subject.clone(), Some(false)));
            let seen = meant.iter().map(|one| Subject::of(one)).zip(answers);
            let seen: Vec<_> = gone.chain(seen).collect();
            for (subject, answer) in seen {
                let Some(change) = answer.and_then(|held| self.take(subject, held)) else {
                    continue;
                };
                if changes.send(change).await.is_err() {
                    return;
                }
            }
        }
    }

    fn is_meant(&self, instance: &Instance) -> bool {
        matches(&self.target, instance) && instance.is_fair_game()
    }

    /// What is new about that.
    fn take(&mut self, subject: Subject, held: bool) -> Option<RoleChange> {
        let changed = match held {
            true => self
                .held
                .insert(subject.id.clone(), subject.clone())
                .is_none(),
            false => self.held.remove(&subject.id).is_some(),
        };
        changed.then(|| RoleChange {
            target: self.target.name.clone(),
            role: self.role.equals.clone(),
            subject,
            held,
        })
    }
}

/// Who does not answer may have it still, unless it does not run.
async fn has(asker: &Asker<'_>, role: &Role, instance: &Instance) -> Option<bool> {
    match instance.state {
        State::Running => {}
        State::Paused | State::Restarting => return None,
        _ => return Some(false),
    }
    let answer = asker.ask(role, instance).await.ok()?;
    Some(answer == role.equals)
}
