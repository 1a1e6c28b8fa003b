//! The blast radius: what a run may hit at most, checked before anything is done.

use std::collections::BTreeSet;

use crate::inventory::{Instance, Inventory};
use crate::scenario::Limits;

/// Is this one never to be touched, by `[limits] never` or by its own label?
pub fn is_off_limits(instance: &Instance, limits: &Limits) -> bool {
    !instance.is_fair_game()
        || limits
            .never
            .iter()
            .any(|label| match label.split_once('=') {
                Some((key, value)) => instance.labels.get(key).is_some_and(|is| is == value),
                None => instance.labels.contains_key(label),
            })
}

/// Ids of containers that a run has to do with, before it hits more.
#[derive(Debug, Clone, Copy)]
pub struct Hit<'a> {
    /// Hit at any time so far.
    pub ever: &'a BTreeSet<String>,
    /// Hit, and not reverted yet.
    pub now: &'a BTreeSet<String>,
}

/// May these be hit as well?
///
/// # Errors
/// A sentence naming the limit, with its numbers.
pub fn check(
    limits: &Limits,
    inventory: &Inventory,
    so_far: Hit<'_>,
    next: &[Instance],
) -> Result<(), String> {
    let with_next = |ids: &'_ BTreeSet<String>| -> BTreeSet<String> {
        let next = next.iter().map(|instance| instance.id.clone());
        ids.iter().cloned().chain(next).collect()
    };
    let hit = with_next(so_far.ever);
    if let Some(max) = limits.max_targets.filter(|max| hit.len() > *max) {
        return Err(format!(
            "{} would be hit, and [limits] max_targets allows {max}",
            containers(hit.len())
        ));
    }
    let all = inventory
        .instances
        .iter()
        .filter(|i| i.is_fair_game())
        .count()
        .max(1);
    let share = hit.len() as f64 / all as f64;
    if let Some(max) = limits.max_percent.filter(|max| share > *max + 1e-9) {
        return Err(format!(
            "{} of {all} would be hit, and [limits] max_percent allows {}",
            containers(hit.len()),
            crate::units::Share(max)
        ));
    }
    match limits.keep_running {
        Some(keep) => keeps_running(keep, inventory, &with_next(so_far.now), next),
        None => Ok(()),
    }
}

fn keeps_running(
    keep: usize,
    inventory: &Inventory,
    hit: &BTreeSet<String>,
    next: &[Instance],
) -> Result<(), String> {
    for service in next.iter().map(group).collect::<BTreeSet<_>>() {
        let left = inventory
            .instances
            .iter()
            .filter(|i| group(i) == service && i.is_running() && !hit.contains(&i.id))
            .count();
        if left < keep {
            return Err(format!(
                "{left} running of {service} would be left, and [limits] keep_running asks for {keep}"
            ));
        }
    }
    Ok(())
}

/// Replicas of one thing: a Compose service, else containers of one image.
fn group(instance: &Instance) -> &str {
    instance.service.as_deref().unwrap_or(&instance.image)
}

fn containers(n: usize) -> String {
    format!("{n} container{}", if n == 1 { "" } else { "s" })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::{instance, inventory};

    fn limits(set: impl Fn(&mut Limits)) -> Limits {
        let mut limits = Limits::default();
        set(&mut limits);
        limits
    }

    fn check(
        limits: &Limits,
        world: &Inventory,
        hit: &BTreeSet<String>,
        next: &[Instance],
    ) -> Result<(), String> {
        super::check(
            limits,
            world,
            Hit {
                ever: hit,
                now: hit,
            },
            next,
        )
    }

    #[test]
    fn max_targets_counts_what_was_hit_before() {
        let world = inventory(&["node-1", "node-2", "node-3"]);
        let limits = limits(|l| l.max_targets = Some(1));
        let next = [instance("node-2")];
        assert_eq!(check(&limits, &world, &BTreeSet::new(), &next), Ok(()));
        let same = BTreeSet::from([next[0].id.clone()]);
        assert_eq!(check(&limits, &world, &same, &next), Ok(()));
        let already = BTreeSet::from([instance("node-1").id]);
        assert_eq!(
            check(&limits, &world, &already, &next).unwrap_err(),
            "2 containers would be hit, and [limits] max_targets allows 1"
        );
    }

    #[test]
    fn max_percent_is_of_the_whole_system() {
        let world = inventory(&["a-1", "a-2", "b-1", "b-2"]);
        let limits = limits(|l| l.max_percent = Some(0.25));
        assert!(check(&limits, &world, &BTreeSet::new(), &[instance("a-1")]).is_ok());
        let two = [instance("a-1"), instance("b-1")];
        assert!(
            check(&limits, &world, &BTreeSet::new(), &two)
                .unwrap_err()
                .contains("25%")
        );
    }

    #[test]
    fn keep_running_is_by_service() {
        let world = inventory(&["node-1", "node-2", "cache-1"]);
        let limits = limits(|l| l.keep_running = Some(1));
        assert!(check(&limits, &world, &BTreeSet::new(), &[instance("node-1")]).is_ok());
        let error = check(&limits, &world, &BTreeSet::new(), &[instance("cache-1")]).unwrap_err();
        assert_eq!(
            error,
            "0 running of cache would be left, and [limits] keep_running asks for 1"
        );
    }

    #[test]
    fn what_was_reverted_is_left_running_again() {
        let world = inventory(&["node-1", "node-2"]);
        let limits = limits(|l| l.keep_running = Some(1));
        let ever = BTreeSet::from([instance("node-1").id]);
        let next = [instance("node-2")];
        let hit = |now| super::check(&limits, &world, Hit { ever: &ever, now }, &next);
        let nobody = BTreeSet::new();
        assert_eq!(hit(&nobody), Ok(()));
        assert!(hit(&ever).is_err());
    }

    #[test]
    fn never_takes_a_label_with_or_without_its_value() {
        let mut one = instance("node-1");
        one.labels.insert("tier".into(), "data".into());
        let never = |label: &str| limits(|l| l.never = vec![label.into()]);
        assert!(is_off_limits(&one, &never("tier")));
        assert!(is_off_limits(&one, &never("tier=data")));
        assert!(!is_off_limits(&one, &never("tier=web")));
        one.labels.insert("chaosrun.protect".into(), String::new());
        assert!(is_off_limits(&one, &Limits::default()));
    }
}
