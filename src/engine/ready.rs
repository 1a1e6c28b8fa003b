//! Before the baseline: the system is brought up, what would go wrong is found, what may be hit is locked, what is slow is done.

use std::collections::{BTreeMap, BTreeSet};
use std::path::Path;
use std::sync::Arc;

use super::inject;
use super::journal::{Line, Project};
use super::lock::{self, LockError};
use super::run::{Go, Ready, Run, told};
use crate::action::{Action, Capability, Subject};
use crate::history::{Event, Impediment, Member};
use crate::inventory::{Instance, Inventory};
use crate::plan::select::matches;
use crate::plan::{lower, preview, scene};
use crate::runtime::Scope;
use crate::scenario::{OnEmpty, Step, System};

impl Run {
    pub(super) async fn get_ready(&mut self) -> Go<Ready> {
        let scope = self.bring_up().await?;
        let runtime = Arc::clone(&self.runtime);
        // Watching begins before the first look, so that nothing falls between the two.
        let notices = self.unless_stopped(runtime.watch()).await?;
        let notices = notices.map_err(|error| self.impeded(Impediment::System, told(&error)))?;
        let before = self.unless_stopped(runtime.inventory(&scope)).await?;
        let before = before.map_err(|error| self.impeded(Impediment::System, told(&error)))?;
        let instances = before
            .instances
            .iter()
            .map(|instance| Member {
                subject: Subject::of(instance),
                image: instance.image.clone(),
                image_id: instance.image_id.clone(),
                service: instance.service.clone(),
            })
            .collect();
        self.recorder.note(Event::System {
            facts: before.facts.clone(),
            instances,
        });
        if let (Scope::Project(name), true) = (&scope, before.instances.is_empty()) {
            let why = format!("the Compose project {name} has no containers: is it up?");
            return Err(self.impeded(Impediment::System, why));
        }
        self.rehearse(&before).await?;
        Ok(Ready {
            scope,
            before,
            notices,
        })
    }

    /// Brings the system up, if that is this run's to do.
    async fn bring_up(&mut self) -> Go<Scope> {
        let (file, keep, within) = match &self.scenario.system {
            System::Engine => return Ok(Scope::Engine),
            System::Project { name } => return Ok(Scope::Project(name.clone())),
            System::Compose {
                file,
                keep,
                healthy_within,
            } => (file.clone(), *keep, *healthy_within),
        };
        let file = self.scenario.beside(&file);
        let stack = stack_name(&file);
        let project = if keep {
            stack
        } else {
            format!("{stack}-{}", self.id)
        };
        if !keep {
            self.write_down(&[Line::Project {
                name: project.clone(),
            }])?;
            self.project = Some(Project {
                name: project.clone(),
                up: false,
            });
        }
        let runtime = Arc::clone(&self.runtime);
        self.made = true;
        let up = self
            .unless_stopped(runtime.up(&project, &file, within))
            .await?;
        up.map_err(|error| self.impeded(Impediment::System, told(&error)))?;
        if !keep {
            self.write_down(&[Line::ProjectUp {
                name: project.clone(),
            }])?;
            self.project
                .iter_mut()
                .for_each(|project| project.up = true);
        }
        Ok(Scope::Project(project))
    }

    /// Finds what would go wrong later, locks what may be hit, and makes ready what is slow.
    async fn rehearse(&mut self, before: &Inventory) -> Go<()> {
        let mut needs = Vec::new();
        let mut may_hit = BTreeMap::new();
        let mut ever = BTreeSet::new();
        for (index, step) in self.scenario.steps.clone().into_iter().enumerate() {
            let candidates = match self.candidates((index, &step), before, &mut ever) {
                Ok(candidates) => candidates,
                Err(None) => continue,
                Err(Some(why)) => {
                    let held = self.held(&step, before);
                    return Err(match held {
                        None => self.impeded(Impediment::Target, why),
                        Some(held) => self.impeded(Impediment::Locked, format!("{why}: {held}")),
                    });
                }
            };
            let lowered: Vec<Result<Vec<Action>, String>> = candidates
                .iter()
                .map(|one| {
                    let turn = (self.seed, index);
                    let scene = scene::foresee_one(&self.scenario, before, turn, &candidates, one);
                    lower::one(&step, one, &scene)
                })
                .collect();
            let scene = scene::foresee(&self.scenario, before, (self.seed, index), &candidates);
            if let Some(why) = lower::why_nobody(&step, &scene, &lowered) {
                let why = format!("step {}: {why}", step.name);
                return Err(self.impeded(Impediment::Fault, why));
            }
            lowered
                .iter()
                .flatten()
                .for_each(|actions| needs.extend(inject::needs(actions)));
            if step.fault.is_of_network() {
                // Who has a part in it is known later.
                let able = candidates
                    .iter()
                    .zip(&lowered)
                    .filter(|(_, lowered)| lowered.is_ok());
                needs.extend(able.map(|(one, _)| (Subject::of(one), Capability::Network)));
            }
            may_hit.extend(
                candidates
                    .iter()
                    .map(|one| (one.id.clone(), Subject::of(one))),
            );
        }
        let taken = self.lock(may_hit.values());
        taken.map_err(|why| self.impeded(Impediment::Locked, why))?;
        if needs.is_empty() {
            return Ok(());
        }
        needs.sort();
        needs.dedup();
        let runtime = Arc::clone(&self.runtime);
        self.made = true;
        let ready = self.unless_stopped(runtime.prepare(&needs)).await?;
        ready.map_err(|error| self.impeded(Impediment::Fault, told(&error)))
    }

    /// Takes these containers for this run, as far as it does not have them yet.
    pub(super) fn lock<'a>(
        &mut self,
        subjects: impl IntoIterator<Item = &'a Subject>,
    ) -> Result<(), String> {
        for subject in subjects {
            if self.locks.contains_key(&subject.id) {
                continue;
            }
            let taken = lock::take(&self.lock_dir, subject, &self.id);
            let lock = taken.map_err(|error| error.to_string())?;
            self.locks.insert(subject.id.clone(), lock);
        }
        Ok(())
    }

    /// A target that is not as it should be because another run is at it.
    fn held(&self, step: &Step, inventory: &Inventory) -> Option<LockError> {
        let target = self.scenario.target(step.fault.target())?;
        let matching = inventory.instances.iter().filter(|i| matches(target, i));
        matching
            .filter(|one| !self.locks.contains_key(&one.id))
            .filter_map(|one| lock::take(&self.lock_dir, &Subject::of(one), &self.id).err())
            .find(|error| matches!(error, LockError::Taken { .. }))
    }

    /// Whom a step may hit; `None` if there is nobody and that is fine.
    fn candidates(
        &self,
        (index, step): (usize, &Step),
        inventory: &Inventory,
        ever: &mut BTreeSet<String>,
    ) -> Result<Vec<Instance>, Option<String>> {
        let Some(target) = self.scenario.target(step.fault.target()) else {
            return Err(Some(format!(
                "step {}: there is no target {}",
                step.name,
                step.fault.target()
            )));
        };
        let named = |why: String| format!("step {}: {why}", step.name);
        let found = preview::candidates(target, inventory, &self.scenario.limits, &BTreeMap::new());
        let found = found.map_err(|why| match target.on_empty {
            OnEmpty::Skip => None,
            OnEmpty::Error => Some(named(why)),
        })?;
        let turn = (self.seed, index);
        preview::foresee(&self.scenario, inventory, target, turn, &found, ever)
            .map_err(|why| Some(named(why)))?;
        Ok(found)
    }
}

/// Of a Compose file, after its folder, in the characters that a project's name may have.
fn stack_name(file: &Path) -> String {
    let folder = file.parent().and_then(|folder| folder.file_name());
    let name: String = folder
        .map(|name| name.to_string_lossy().to_lowercase())
        .unwrap_or_default()
        .chars()
        .filter(|c| c.is_ascii_alphanumeric() || *c == '-' || *c == '_')
        .collect();
    if name.starts_with(|c: char| c.is_ascii_alphanumeric()) {
        name
    } else {
        format!("stack{name}")
    }
}
