//! An action in a plan's words: what it does to whom, and what will show its effect.

use std::time::Duration;

use super::way::{Way, ways};
use crate::action::{Action, Change};
use crate::fault::Scene;
use crate::impairment::Impairment;
use crate::impairment::expect::{Expectation, Trip, round_trips};
use crate::impairment::met::wanted;
use crate::impairment::named::Names;
use crate::inventory::{Instance, Inventory};
use crate::units::format_duration;

/// With the names of those whom it is about. `all`: everything that the step does.
pub(super) fn change(action: &Action, all: &[Action], world: &Inventory) -> String {
    let Some(impairment) = impairment(&action.change) else {
        return action.change.phrase();
    };
    let text = impairment.phrase_with(&names(world));
    match all.iter().all(|other| other.subject == action.subject) {
        true => text,
        false => format!(
            "{text}; so for {}, and alike for the others",
            action.subject.name
        ),
    }
}

fn names(world: &Inventory) -> Names {
    let of_one = |one: &Instance| -> Vec<_> {
        let all = one.networks.values().flat_map(|at| at.addresses());
        all.map(|at| (at, one.identity())).collect()
    };
    world.instances.iter().flat_map(of_one).collect()
}

/// `all`: everything that the step does.
pub(super) fn proof(action: &Action, all: &[Action], scene: &Scene) -> String {
    let told = action.effect.phrase();
    let Some(impairment) = impairment(&action.change) else {
        return told;
    };
    let counted = format!("{told}, and counts {}", wanted(impairment));
    let instance = scene.world.by_id(&action.subject.id);
    let possible = instance.map(|one| ways(impairment, one, &scene.world));
    let mut shown = possible.into_iter().flatten();
    match shown.find_map(|way| by_round_trips(&way, impairment, all)) {
        Some(shown) => format!("{counted}; {shown}"),
        None => counted,
    }
}

/// `None`: they show nothing of it.
fn by_round_trips(way: &Way, near: &Impairment, all: &[Action]) -> Option<String> {
    let at_peer = |peer: &crate::action::Subject| {
        let theirs = all.iter().filter(|action| action.subject.id == peer.id);
        theirs.map(|action| &action.change).find_map(impairment)
    };
    let trip = Trip {
        near: Some(near),
        far: way.whose.as_ref().and_then(at_peer),
        from: Some(way.from),
        peer: way.peer,
        port: way.port,
    };
    let peer = way.whose.as_ref();
    let peer = peer.map_or_else(|| way.peer.to_string(), |peer| peer.name.clone());
    match round_trips(&trip, &[Some(Duration::ZERO)]) {
        Expectation::Rise {
            at_least, at_most, ..
        } => {
            let least = format_duration(at_least);
            let more = match at_most {
                None => format!("at least {least}"),
                Some(most) => format!("{least} to {}", format_duration(most)),
            };
            Some(format!(
                "round trips to {peer} take {more} more, where it answers"
            ))
        }
        Expectation::Silence => Some(format!("{peer} no longer answers, where it did before")),
        Expectation::Unchanged | Expectation::Unknown { .. } => None,
    }
}

fn impairment(change: &Change) -> Option<&Impairment> {
    match change {
        Change::Impair { impairment } => Some(impairment),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use std::path::Path;

    use crate::inventory::{Inventory, to_come};
    use crate::plan::preview::{Preview, preview};
    use crate::plan::tests::inventory;
    use crate::scenario::{self, Inputs};

    fn world() -> Inventory {
        let mut world = inventory(&["node-1", "node-2", "redis-1", "lone-1"]);
        for (one, number) in world.instances.iter_mut().zip(1..) {
            let net = if number == 4 { "other" } else { "net" };
            let at = crate::inventory::Endpoint {
                network_id: net.into(),
                address: format!("10.0.0.{number}"),
                ..Default::default()
            };
            one.networks.insert(net.into(), at);
        }
        world
    }

    fn planned(fault: &str, world: &Inventory) -> Preview {
        let text = format!(
            "[targets.t]\nservice = \"node\"\n[probes.p]\nrate = \"1/s\"\nexec = {{ command = [\"ok\"] }}\n\
             [[slos]]\nprobe = \"p\"\nsuccess = \">= 10%\"\n[[steps]]\nname = \"s\"\nfault.{fault}\n"
        );
        let scenario = scenario::check(Path::new("t.toml"), &text, &Inputs::default());
        preview(&scenario.unwrap(), world, 1)
    }

    #[test]
    fn peers_have_names_and_what_will_show_it_is_said() {
        let delay = "delay = { target = \"t\", latency = \"50ms\", to = \"redis\" }";
        let plan = planned(delay, &world());
        let [does, proven, undone] = &plan.steps[0].actions[0];
        assert_eq!(
            does,
            "delay by 50ms to redis-1 (10.0.0.3) (egress); so for node-1, and alike for the others"
        );
        assert_eq!(
            proven,
            "its agent has that in force, and counts packets that were delayed; \
             round trips to redis-1 take 40ms to 75ms more, where it answers"
        );
        assert_eq!(undone, "relieve its network");
        assert!(plan.steps[0].passed_over.is_empty() && plan.problems.is_empty());
        let cut = planned(
            "partition = { target = \"t\", shape = \"halves\" }",
            &world(),
        );
        let [does, proven, _] = &cut.steps[0].actions[0];
        assert_eq!(
            does,
            "drop all packets to and from node-2 (10.0.0.2) (both ways); so for node-1, and alike for the others"
        );
        assert!(
            proven.ends_with("that it dropped; node-2 no longer answers, where it did before"),
            "{proven}"
        );
        let lossy = planned("loss = { target = \"t\", percent = \"1%\" }", &world());
        let [_, proven, _] = &lossy.steps[0].actions[0];
        assert_eq!(
            proven,
            "its agent has that in force, and counts packets that were lost"
        );
    }

    /// A stack that is yet to be brought up has no addresses to show.
    #[test]
    fn who_has_no_address_yet_is_named_alone() {
        let mut world = world();
        for (one, number) in world.instances.iter_mut().zip(1..) {
            let at = to_come(number).to_string();
            one.networks
                .values_mut()
                .for_each(|end| end.address.clone_from(&at));
        }
        let cut = "blackhole = { target = \"t\", to = \"redis\", network = \"net\" }";
        let plan = planned(cut, &world);
        assert_eq!(plan.problems, Vec::<String>::new());
        let [does, ..] = &plan.steps[0].actions[0];
        assert!(
            does.starts_with("drop all packets to and from redis-1 (both ways)"),
            "{does}"
        );
    }

    #[test]
    fn who_is_passed_over_is_said() {
        let plan = planned(
            "blackhole = { target = \"t\", to = [\"redis\", \"lone\"] }",
            &world(),
        );
        assert_eq!(
            plan.steps[0].passed_over,
            [
                "node-1: lone-1 is in no network with it, so nothing is done between them",
                "node-2: lone-1 is in no network with it, so nothing is done between them",
            ]
        );
        let plan = planned("blackhole = { target = \"t\", to = \"node-2\" }", &world());
        assert_eq!(
            plan.steps[0].passed_over,
            [
                "node-2: nothing is done to it: it is the only peer that is named, and none of its own"
            ]
        );
        let [does, ..] = &plan.steps[0].actions[0];
        assert_eq!(
            does,
            "drop all packets to and from node-2 (10.0.0.2) (both ways)"
        );
    }

    #[test]
    fn a_step_in_which_nobody_has_a_part_is_a_problem() {
        let alone =
            |world: &mut Inventory| world.instances.retain(|one| one.identity() != "node-2");
        let mut world = world();
        alone(&mut world);
        let plan = planned("blackhole = { target = \"t\", to = \"node-1\" }", &world);
        assert_eq!(
            plan.problems,
            ["step s: nobody whom it hits has a part in its `blackhole` \
                 (node-1: nothing is done to it: it is the only peer that is named, and none of its own)"]
        );
        let plan = planned("partition = { target = \"t\", shape = \"halves\" }", &world);
        assert!(
            plan.problems[0].contains("needs at least 2 members"),
            "{:?}",
            plan.problems
        );
        // A cut between others, in which the target stands on neither side.
        let groups = "partition = { target = \"t\", from = \"redis\", to = \"lone\" }";
        let plan = planned(groups, &world);
        assert_eq!(
            plan.problems,
            ["step s: nobody whom it hits has a part in its `partition` \
                 (node-1: nothing is done to it: it is cut off from nobody)"]
        );
    }
}
