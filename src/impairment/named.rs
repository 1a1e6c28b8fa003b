//! Peers in words: addresses, and whose they are.

use std::collections::BTreeMap;
use std::net::IpAddr;

use ipnet::IpNet;

use crate::inventory::is_known;

/// Whose addresses these are.
pub type Names = BTreeMap<IpAddr, String>;

/// One for each who is known, `redis-1 (10.0.0.3, fd00::3)`; then each other address and network.
pub(super) fn peers(nets: &[IpNet], names: &Names) -> Vec<String> {
    let mut known: Vec<(&str, Vec<String>)> = Vec::new();
    let mut others = Vec::new();
    for net in nets {
        let address = single(*net);
        let Some(name) = address.and_then(|at| names.get(&at)) else {
            others.push(address.map_or_else(|| net.to_string(), |at| at.to_string()));
            continue;
        };
        if !known.iter().any(|(other, _)| other == name) {
            known.push((name, Vec::new()));
        }
        let at = address.filter(|at| is_known(*at)).map(|at| at.to_string());
        let its = known.iter_mut().filter(|(other, _)| other == name);
        its.for_each(|(_, all)| all.extend(at.clone()));
    }
    let known = known.into_iter().map(|(name, at)| match at.as_slice() {
        [] => name.to_owned(),
        at => format!("{name} ({})", at.join(", ")),
    });
    known.chain(others).collect()
}

fn single(net: IpNet) -> Option<IpAddr> {
    (net.prefix_len() == net.max_prefix_len()).then(|| net.addr())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_have_names_where_they_are_known() {
        let at = |text: &str| text.parse::<IpAddr>().unwrap();
        let names = [
            ("10.0.0.3", "redis-1"),
            ("fd00::3", "redis-1"),
            ("0.0.0.9", "late-1"),
        ];
        let names = Names::from(names.map(|(address, name)| (at(address), name.to_owned())));
        let nets = [
            "0.0.0.9/32",
            "10.0.0.3/32",
            "10.0.0.4/32",
            "10.1.0.0/16",
            "fd00::3/128",
        ];
        let nets = nets.map(|net| net.parse().unwrap());
        assert_eq!(
            peers(&nets, &names),
            [
                "late-1",
                "redis-1 (10.0.0.3, fd00::3)",
                "10.0.0.4",
                "10.1.0.0/16"
            ]
        );
        assert_eq!(
            peers(&nets[1..4], &Names::new()),
            ["10.0.0.3", "10.0.0.4", "10.1.0.0/16"]
        );
    }
}
