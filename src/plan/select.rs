//! Which containers a target means.

use crate::inventory::Instance;
use crate::scenario::{Selector, Target};

/// Do all of the target's selectors hold? Whether it may be hit ([`Instance::is_fair_game`]) is another question.
pub fn matches(target: &Target, instance: &Instance) -> bool {
    target
        .select
        .iter()
        .all(|selector| holds(selector, instance))
}

fn holds(selector: &Selector, instance: &Instance) -> bool {
    match selector {
        Selector::Service(name) => instance.service.as_ref() == Some(name),
        Selector::Container(name) => instance.name == *name,
        Selector::Name(regex) => regex.is_match(&instance.name),
        Selector::Label { key, value } => instance
            .labels
            .get(key)
            .is_some_and(|found| value.as_ref().is_none_or(|wanted| wanted == found)),
        Selector::Image(image) => is_image(image, &instance.image),
        Selector::Project(name) => instance.project.as_ref() == Some(name),
    }
}

/// `redis` is any tag or digest of it, `redis:7` that tag (with or without a digest).
fn is_image(wanted: &str, image: &str) -> bool {
    let rest = match image.strip_prefix(wanted) {
        Some(rest) => rest,
        None => return false,
    };
    let tagged = tag_of(wanted).is_some() || wanted.contains('@');
    rest.is_empty() || rest.starts_with('@') || (!tagged && rest.starts_with(':'))
}

/// The part after the last colon, unless that is a registry's port.
fn tag_of(image: &str) -> Option<&str> {
    let (_, tag) = image.rsplit_once(':')?;
    (!tag.contains('/')).then_some(tag)
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::tests::instance;
    use crate::scenario::{OnEmpty, Pick};
    use regex::Regex;

    fn hits(select: Vec<Selector>, instance: &Instance) -> bool {
        let target = Target {
            name: "t".into(),
            select,
            role: None,
            pick: Pick::All,
            on_empty: OnEmpty::Error,
        };
        matches(&target, instance)
    }

    #[test]
    fn every_selector_hits_what_it_names_and_nothing_else() {
        let mut node = instance("node-1");
        node.labels.insert("tier".into(), "back".into());
        let label = |key: &str, value: Option<&str>| Selector::Label {
            key: key.into(),
            value: value.map(Into::into),
        };
        let name = |regex: &str| Selector::Name(Regex::new(regex).unwrap());
        for (hit, miss) in [
            (
                Selector::Service("node".into()),
                Selector::Service("nod".into()),
            ),
            (
                Selector::Container("shop_node_1".into()),
                Selector::Container("shop_node".into()),
            ),
            (name("node_[12]$"), name("^node")),
            (label("tier", None), label("layer", None)),
            (label("tier", Some("back")), label("tier", Some("front"))),
            (
                Selector::Project("shop".into()),
                Selector::Project("other".into()),
            ),
            (
                Selector::Image("node".into()),
                Selector::Image("nod".into()),
            ),
        ] {
            assert!(hits(vec![hit.clone()], &node), "{hit:?}");
            assert!(!hits(vec![miss.clone()], &node), "{miss:?}");
            assert!(
                !hits(vec![hit, miss.clone()], &node),
                "all must hold: {miss:?}"
            );
        }
    }

    #[test]
    fn an_image_without_a_tag_means_every_tag() {
        for (wanted, image, same) in [
            ("redis", "redis", true),
            ("redis", "redis:7", true),
            ("redis", "redis@sha256:ab", true),
            ("redis:7", "redis:7", true),
            ("redis:7", "redis:7@sha256:ab", true),
            ("redis:7", "redis:7.2", false),
            ("redis:7", "redis", false),
            ("redis", "redis-stack:7", false),
            ("redis", "library/redis:7", false),
            ("host:5000/redis", "host:5000/redis:7", true),
            ("host:5000/redis:7", "host:5000/redis:8", false),
        ] {
            assert_eq!(is_image(wanted, image), same, "{wanted} {image}");
        }
    }
}
