//! Network namespaces with several containers in them: who is in one with a target loses the network with it.

use super::list;
use crate::action::{Action, Condition};
use crate::fault::Scene;
use crate::inventory::{AGENT_LABEL, Instance, Inventory, State};
use crate::scenario::Step;

/// Does nobody lose the network who is not hit as well?
///
/// # Errors
/// A sentence naming whose network it is, who would lose it, and what to do.
pub fn check(inventory: &Inventory, hit: &[Instance], actions: &[Action]) -> Result<(), String> {
    for owner in hit {
        let mut of_owner = actions.iter().filter(|a| a.subject.id == owner.id);
        let Some(loss) = of_owner.find_map(loss) else {
            continue;
        };
        let is_hit = |one: &Instance| hit.iter().any(|other| other.id == one.id);
        let left: Vec<String> = sharers(inventory, owner)
            .filter(|one| !is_hit(one))
            .map(Instance::identity)
            .collect();
        if !left.is_empty() {
            let (name, left) = (owner.identity(), list(left.into_iter()));
            return Err(match loss {
                Loss::Network => format!(
                    "{name}: its network is shared by {left}, which would lose it too without being a target; \
                     hit them all in the same step, or pause {name} instead, which leaves the network alone"
                ),
                Loss::Packets => format!(
                    "{name}: its network is shared by {left}, whose packets would be hit too without being a target's; \
                     take a container that has a network of its own"
                ),
            });
        }
    }
    Ok(())
}

/// [`check`] before the step's time: these are hit, perhaps with others in the scene. What cannot be hit at all is another's business.
///
/// # Errors
/// As [`check`].
pub fn foresee(step: &Step, scene: &Scene, hit: &[Instance]) -> Result<(), String> {
    let lowered = hit
        .iter()
        .filter_map(|one| step.fault.lower(one, scene).ok());
    check(
        &scene.world,
        &scene.hit,
        &lowered.flatten().collect::<Vec<_>>(),
    )
}

/// What those lose who live in a target's network.
enum Loss {
    Network,
    Packets,
}

/// A namespace ends with its owner's process, and leaving a network empties it.
fn loss(action: &Action) -> Option<Loss> {
    match action.effect {
        Condition::Down | Condition::Ended { .. } | Condition::Disconnected { .. } => {
            Some(Loss::Network)
        }
        Condition::Impaired { .. } => Some(Loss::Packets),
        _ => None,
    }
}

/// Those that live now in the network namespace of `owner`, chaosrun's own helpers apart.
fn sharers<'a>(
    inventory: &'a Inventory,
    owner: &'a Instance,
) -> impl Iterator<Item = &'a Instance> {
    inventory.instances.iter().filter(|one| {
        one.id != owner.id
            && matches!(one.state, State::Running | State::Paused)
            && !one.labels.contains_key(AGENT_LABEL)
            && inventory
                .owner_of_network(one)
                .is_some_and(|of| of.id == owner.id)
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::scene;
    use crate::plan::tests::inventory;
    use crate::scenario::{self, Inputs};

    fn told(fault: &str, hit: &[usize], change: impl Fn(&mut Inventory)) -> Result<(), String> {
        let mut world = inventory(&["node-1", "side-1", "other-1"]);
        world.instances[1].network_mode = "container:id-node-1".into();
        world.instances[1].networks.clear();
        world.instances[0]
            .networks
            .insert("net".into(), crate::inventory::Endpoint::default());
        change(&mut world);
        let text = format!(
            "[targets.t]\nservice = \"node\"\n[probes.p]\nrate = \"1/s\"\nexec = {{ command = [\"ok\"] }}\n\
             [[slos]]\nprobe = \"p\"\nsuccess = \">= 10%\"\n[[steps]]\nfault.{fault}\n"
        );
        let path = std::path::Path::new("t.toml");
        let scenario = scenario::check(path, &text, &Inputs::default()).unwrap();
        let hit: Vec<Instance> = hit.iter().map(|n| world.instances[*n].clone()).collect();
        let scene = scene::foresee(&scenario, &world, (1, 0), &hit);
        let lower = |one| scenario.steps[0].fault.lower(one, &scene).unwrap();
        let actions: Vec<Action> = hit.iter().flat_map(lower).collect();
        check(&world, &hit, &actions)
    }

    #[test]
    fn what_takes_a_neighbours_network_away_is_refused() {
        for fault in [
            "kill = { target = \"t\" }",
            "stop = { target = \"t\" }",
            "restart = { target = \"t\" }",
            "disconnect = { target = \"t\" }",
        ] {
            let why = told(fault, &[0], |_| {}).unwrap_err();
            let start = "node-1: its network is shared by side-1, which would lose it too";
            assert!(why.starts_with(start), "{why}");
            assert_eq!(
                told(fault, &[2], |w| {
                    let net = w.instances[0].networks.clone();
                    w.instances[2].networks = net;
                }),
                Ok(())
            );
        }
        assert_eq!(told("pause = { target = \"t\" }", &[0], |_| {}), Ok(()));
    }

    #[test]
    fn what_is_done_to_a_neighbours_packets_is_refused() {
        let why = told("blackhole = { target = \"t\" }", &[0], |_| {}).unwrap_err();
        let start = "node-1: its network is shared by side-1, whose packets would be hit too";
        assert!(why.starts_with(start), "{why}");
        let alone = |world: &mut Inventory| world.instances[1].network_mode = "net".into();
        assert_eq!(told("blackhole = { target = \"t\" }", &[0], alone), Ok(()));
    }

    #[test]
    fn a_neighbour_that_is_hit_too_or_does_not_run_loses_nothing_more() {
        let stop = "stop = { target = \"t\" }";
        assert_eq!(told(stop, &[0, 1], |_| {}), Ok(()));
        assert_eq!(told(stop, &[1], |_| {}), Ok(()));
        let exited = |w: &mut Inventory| w.instances[1].state = State::Exited { code: 0 };
        assert_eq!(told(stop, &[0], exited), Ok(()));
        let agent = |w: &mut Inventory| {
            let labels = &mut w.instances[1].labels;
            labels.insert(AGENT_LABEL.into(), String::new());
        };
        assert_eq!(told(stop, &[0], agent), Ok(()));
    }

    #[test]
    fn an_owner_is_named_by_id_by_name_or_by_its_service() {
        let stop = "stop = { target = \"t\" }";
        for (mode, shared) in [
            ("container:id-node-1", true),
            ("container:shop_node_1", true),
            ("service:node", true),
            ("service:other", false),
            ("container:id-other-1", false),
            ("host", false),
        ] {
            let world = |w: &mut Inventory| w.instances[1].network_mode = mode.into();
            assert_eq!(told(stop, &[0], world).is_err(), shared, "{mode}");
        }
    }
}
