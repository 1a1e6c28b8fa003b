//! Host names of probes: containers by every name that they have inside the system, anything else by this host's resolver.

use std::collections::HashMap;
use std::hash::{DefaultHasher, Hash, Hasher};
use std::net::{IpAddr, Ipv4Addr};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, OnceLock, PoisonError};

use tokio::sync::watch;

use super::Context;
use super::resolver::Resolver;
use super::shot::Miss;
use crate::clock::Clock;
use crate::inventory::{Instance, Inventory, State};
use crate::units::Micros;

/// A name that nobody has known for so long, from the first request on, is a mistake in the scenario.
const PATIENCE: Micros = 2_000_000;

/// Where a name leads to.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct Place {
    pub(super) ip: IpAddr,
    /// Another one for every start of the container: a connection to an earlier life is dead, even at the same address.
    pub(super) life: u64,
}

/// One probe's view on names.
pub(super) struct Names {
    clock: Clock,
    world: watch::Receiver<Arc<Inventory>>,
    index: Mutex<Index>,
    resolver: Resolver,
    turn: AtomicUsize,
    known: OnceLock<()>,
    first_miss: OnceLock<Micros>,
}

#[derive(Default)]
struct Index {
    of: Option<Arc<Inventory>>,
    places: Arc<HashMap<String, Vec<Place>>>,
    homes: Homes,
}

/// The network through which a container is reached, by its name: the first one in the order of the alphabet that it had an
/// address in when it was first seen, for as long as the probe lives. Going round a cut through another network would hide it.
type Homes = HashMap<String, String>;

impl Names {
    pub(super) fn new(ctx: &Context) -> Self {
        Self {
            clock: ctx.clock,
            world: ctx.world.clone(),
            index: Mutex::default(),
            resolver: Resolver::new(ctx.clock),
            turn: AtomicUsize::new(0),
            known: OnceLock::new(),
            first_miss: OnceLock::new(),
        }
    }

    /// The places to try, in turn for each request; never empty.
    pub(super) async fn resolve(&self, host: &str) -> Result<Vec<Place>, Miss> {
        if let Ok(ip) = host.parse() {
            return Ok(vec![Place { ip, life: 0 }]);
        }
        let host = host.to_lowercase();
        let found = match self.index().get(&host) {
            Some(places) => places.clone(),
            None => match self.resolver.lookup(&host).await {
                Ok(addresses) => by_family(&addresses),
                Err(said) => return Err(self.unknown(&host, &said)),
            },
        };
        self.known.get_or_init(|| ());
        if found.is_empty() {
            return Err(Miss::bad("name not found"));
        }
        Ok(self.rotate(found))
    }

    /// Each address of the preferred family in turn; the others only after them.
    fn rotate(&self, mut places: Vec<Place>) -> Vec<Place> {
        let preferred = places[0].ip.is_ipv4();
        let same = places
            .iter()
            .take_while(|place| place.ip.is_ipv4() == preferred);
        let same = same.count();
        let turn = self.turn.fetch_add(1, Ordering::Relaxed);
        places[..same].rotate_left(turn % same);
        places
    }

    fn unknown(&self, host: &str, said: &str) -> Miss {
        let reason = "name not found";
        let now = self.clock.now();
        let first = *self.first_miss.get_or_init(|| now);
        if self.known.get().is_some() || now < first + PATIENCE {
            return Miss::bad(reason);
        }
        let why = format!(
            "host \"{host}\": no container of the system has this name, and this host's resolver says: {said}; \
             use a Compose service's name, a container's name, a network alias or a name that resolves on this host"
        );
        Miss::Broken { reason, why }
    }

    fn index(&self) -> Arc<HashMap<String, Vec<Place>>> {
        let now = self.world.borrow();
        let mut index = self.index.lock().unwrap_or_else(PoisonError::into_inner);
        if !index.of.as_ref().is_some_and(|of| Arc::ptr_eq(of, &now)) {
            settle(&mut index.homes, &now);
            index.places = Arc::new(names_of(&now, &index.homes));
            index.of = Some(Arc::clone(&now));
        }
        Arc::clone(&index.places)
    }
}

fn by_family(addresses: &[IpAddr]) -> Vec<Place> {
    let preferred = addresses.first().is_some_and(IpAddr::is_ipv4);
    let (first, then): (Vec<_>, Vec<_>) = addresses
        .iter()
        .map(|ip| Place { ip: *ip, life: 0 })
        .partition(|place| place.ip.is_ipv4() == preferred);
    [first, then].concat()
}

/// Gives a home to every container that has an address and none yet.
fn settle(homes: &mut Homes, world: &Inventory) {
    for instance in &world.instances {
        if let Some((network, _)) = address(instance, None)
            && !homes.contains_key(&instance.name)
        {
            homes.insert(instance.name.clone(), network.clone());
        }
    }
}

/// Every name in the system, in lower case. A name whose containers are all down leads nowhere: it is known all the same.
fn names_of(world: &Inventory, homes: &Homes) -> HashMap<String, Vec<Place>> {
    let mut names: HashMap<String, Vec<Place>> = HashMap::new();
    let mut add = |name: &str, place: Option<Place>| {
        let places = names.entry(name.to_lowercase()).or_default();
        places.extend(place.filter(|place| !places.contains(place)));
    };
    for instance in &world.instances {
        let anywhere = place_of(world, instance, homes, None);
        let own = [instance.name.clone(), instance.identity()];
        for name in own.iter().chain(&instance.service) {
            add(name, anywhere);
        }
        for (network, endpoint) in &instance.networks {
            for alias in &endpoint.aliases {
                if !own.contains(alias) && instance.service.as_ref() != Some(alias) {
                    add(alias, place_of(world, instance, homes, Some(network)));
                }
            }
        }
    }
    names
}

/// One address for each container, however many networks it is in: its replicas are what requests take turns between.
fn place_of(
    world: &Inventory,
    instance: &Instance,
    homes: &Homes,
    network: Option<&String>,
) -> Option<Place> {
    let at = |one: &Instance, network: Option<&String>| {
        let network = network.or_else(|| homes.get(&one.name));
        address(one, network).map(|(_, ip)| ip)
    };
    if !matches!(instance.state, State::Running | State::Paused) {
        return None;
    }
    let ip = match instance.network_mode.strip_prefix("container:") {
        Some(owner) => {
            let owner = world.by_id(owner).filter(|owner| owner.id != instance.id)?;
            // One step only: the engine does not let a shared network be shared on.
            at(owner, None)?
        }
        None if instance.network_mode == "host" => Ipv4Addr::LOCALHOST.into(),
        None => at(instance, network)?,
    };
    let mut life = DefaultHasher::new();
    (&instance.id, &instance.started_at).hash(&mut life);
    Some(Place {
        ip,
        life: life.finish(),
    })
}

/// In this network, or in the first that has one; the older family is preferred.
fn address<'a>(instance: &'a Instance, network: Option<&String>) -> Option<(&'a String, IpAddr)> {
    let endpoints = || {
        let all = instance.networks.iter();
        all.filter(|(name, _)| network.is_none_or(|wanted| wanted == *name))
    };
    let v4 = endpoints().find_map(|(name, at)| Some((name, at.address.parse().ok()?)));
    v4.or_else(|| endpoints().find_map(|(name, at)| Some((name, at.address_v6.parse().ok()?))))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::inventory::Endpoint;
    use crate::probe::testing::{context, instance_at};

    fn world(instances: Vec<Instance>) -> Inventory {
        Inventory {
            instances,
            ..Inventory::default()
        }
    }

    fn names_of(world: &Inventory) -> HashMap<String, Vec<Place>> {
        let mut homes = Homes::new();
        settle(&mut homes, world);
        super::names_of(world, &homes)
    }

    fn ips(names: &HashMap<String, Vec<Place>>, name: &str) -> Vec<String> {
        names[name]
            .iter()
            .map(|place| place.ip.to_string())
            .collect()
    }

    #[test]
    fn a_container_is_found_by_every_name_it_has() {
        let mut second = instance_at("node-2", "10.0.0.2");
        let endpoint = second.networks.values_mut().next().unwrap();
        endpoint.aliases = vec!["Replica".into(), "node".into()];
        let names = names_of(&world(vec![instance_at("node-1", "10.0.0.1"), second]));
        assert_eq!(ips(&names, "node"), ["10.0.0.1", "10.0.0.2"]);
        assert_eq!(ips(&names, "node-2"), ["10.0.0.2"]);
        assert_eq!(ips(&names, "shop_node_1"), ["10.0.0.1"]);
        assert_eq!(ips(&names, "replica"), ["10.0.0.2"]);
        assert!(!names.contains_key("node-3"));
    }

    #[test]
    fn paused_containers_keep_their_name_and_stopped_ones_lead_nowhere() {
        let mut paused = instance_at("node-1", "10.0.0.1");
        paused.state = State::Paused;
        let mut stopped = instance_at("node-2", "10.0.0.2");
        stopped.state = State::Exited { code: 0 };
        let names = names_of(&world(vec![paused, stopped]));
        assert_eq!(ips(&names, "node"), ["10.0.0.1"]);
        assert!(names["node-2"].is_empty());
    }

    #[test]
    fn networks_ipv6_shared_and_host_networking() {
        let mut many = instance_at("many-1", "10.0.0.1");
        let back = Endpoint {
            address: "10.1.0.1".into(),
            aliases: vec!["backdoor".into()],
            ..Endpoint::default()
        };
        many.networks.insert("z-back".into(), back);
        let mut six = instance_at("six-1", "");
        six.networks.values_mut().next().unwrap().address_v6 = "fd00::6".into();
        let mut sidecar = instance_at("sidecar-1", "");
        sidecar.network_mode = format!("container:{}", many.id);
        let mut host = instance_at("host-1", "");
        host.network_mode = "host".into();
        let names = names_of(&world(vec![many, six, sidecar, host]));
        assert_eq!(ips(&names, "many"), ["10.0.0.1"]);
        assert_eq!(ips(&names, "backdoor"), ["10.1.0.1"]);
        assert_eq!(ips(&names, "six"), ["fd00::6"]);
        assert_eq!(ips(&names, "sidecar"), ["10.0.0.1"]);
        assert_eq!(ips(&names, "host"), ["127.0.0.1"]);
    }

    #[test]
    fn a_container_that_leaves_its_network_is_not_reached_through_another() {
        let mut node = instance_at("node-1", "10.0.0.1");
        let back = Endpoint {
            address: "10.1.0.1".into(),
            aliases: vec!["backdoor".into()],
            ..Endpoint::default()
        };
        node.networks.insert("z-back".into(), back);
        let mut sidecar = instance_at("sidecar-1", "");
        sidecar.network_mode = format!("container:{}", node.id);
        let mut parted = node.clone();
        parted.networks.remove("shop_default");
        let mut homes = Homes::new();
        for (node, home) in [
            (&node, &["10.0.0.1"][..]),
            (&parted, &[]),
            (&node, &["10.0.0.1"]),
        ] {
            let now = world(vec![node.clone(), sidecar.clone()]);
            settle(&mut homes, &now);
            let names = super::names_of(&now, &homes);
            for name in ["node", "node-1", "shop_node_1", "sidecar"] {
                assert_eq!(ips(&names, name), home, "{name}");
            }
            assert_eq!(ips(&names, "backdoor"), ["10.1.0.1"]);
        }
    }

    #[test]
    fn another_start_is_another_place_at_the_same_address() {
        let first = instance_at("node-1", "10.0.0.1");
        let mut again = first.clone();
        again.started_at = "2026-01-01T00:01:00Z".into();
        let [one, two] = [first, again].map(|it| names_of(&world(vec![it]))["node"][0]);
        assert_eq!(one.ip, two.ip);
        assert_ne!(one, two);
    }

    #[tokio::test]
    async fn replicas_take_turns_and_changes_are_followed() {
        let ten = |n: u8| instance_at(&format!("node-{n}"), &format!("10.0.0.{n}"));
        let (ctx, world_of, _readings) = context(vec![ten(1), ten(2), ten(3)]);
        let names = Names::new(&ctx);
        let mut first = Vec::new();
        for _ in 0..4 {
            let places = names.resolve("NODE").await.unwrap();
            assert_eq!(places.len(), 3);
            first.push(places[0].ip.to_string());
        }
        assert_eq!(first, ["10.0.0.1", "10.0.0.2", "10.0.0.3", "10.0.0.1"]);
        world_of.send_replace(Arc::new(world(vec![instance_at("node-1", "10.0.0.9")])));
        assert_eq!(
            names.resolve("node").await.unwrap()[0].ip.to_string(),
            "10.0.0.9"
        );
        world_of.send_replace(Arc::default());
        assert_eq!(
            names.resolve("10.1.1.1").await.unwrap()[0].ip.to_string(),
            "10.1.1.1"
        );
    }

    #[tokio::test]
    async fn other_names_are_this_hosts_business() {
        let (ctx, _world, _readings) = context(vec![]);
        let names = Names::new(&ctx);
        let here = names.resolve("localhost").await.unwrap();
        assert!(here.iter().all(|place| place.ip.is_loopback()));
        assert_eq!(
            names.resolve("no-such-host.invalid").await,
            Err(Miss::bad("name not found"))
        );
    }

    #[tokio::test]
    async fn a_name_that_nobody_ever_knew_breaks_the_probe_after_a_while() {
        let (ctx, _world, _readings) = context(vec![]);
        let names = Names::new(&ctx);
        names.first_miss.get_or_init(|| 0);
        let early = names.unknown("nowhere", "not known");
        assert_eq!(early, Miss::bad("name not found"));
        tokio::time::pause();
        tokio::time::advance(std::time::Duration::from_secs(3)).await;
        let Miss::Broken { why, .. } = names.unknown("nowhere", "not known") else {
            panic!("three seconds are enough");
        };
        assert!(why.contains("\"nowhere\"") && why.contains("not known"));
        names.known.get_or_init(|| ());
        assert_eq!(
            names.unknown("nowhere", "not known"),
            Miss::bad("name not found")
        );
    }
}
