//! Text with `{placeholders}`: `[vars]` are filled in while the scenario is checked, the rest when a value is needed.

use std::collections::BTreeMap;

/// A text in pieces.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Template {
    pub parts: Vec<Part>,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Part {
    Text(String),
    /// The request's number, from 0.
    Seq,
    /// A candidate's own facts, in a role's question.
    Address,
    Name,
    Service,
    /// By name; its value is in the [`Secrets`] given when rendering.
    Secret(String),
}

/// Values of `[secrets]`. Its `Debug` shows names only.
#[derive(Clone, Default)]
pub struct Secrets(pub BTreeMap<String, String>);

/// What a rendering can draw on; what is not there renders as nothing.
#[derive(Debug, Clone, Copy, Default)]
pub struct Bindings<'a> {
    pub seq: Option<u64>,
    pub address: &'a str,
    pub name: &'a str,
    pub service: &'a str,
    pub secrets: Option<&'a Secrets>,
}

impl Template {
    /// A template without placeholders.
    pub fn text(text: impl Into<String>) -> Self {
        Self {
            parts: vec![Part::Text(text.into())],
        }
    }

    pub fn render(&self, bindings: &Bindings<'_>) -> String {
        let mut out = String::new();
        for part in &self.parts {
            match part {
                Part::Text(text) => out.push_str(text),
                Part::Seq => out.push_str(&bindings.seq.unwrap_or_default().to_string()),
                Part::Address => out.push_str(bindings.address),
                Part::Name => out.push_str(bindings.name),
                Part::Service => out.push_str(bindings.service),
                Part::Secret(name) => out.push_str(
                    bindings
                        .secrets
                        .and_then(|all| all.0.get(name))
                        .map_or("", String::as_str),
                ),
            }
        }
        out
    }

    /// Does it come out the same for every request?
    pub fn is_constant(&self) -> bool {
        !self.parts.contains(&Part::Seq)
    }
}

impl Secrets {
    /// `text` with every secret's value replaced by its name in stars. Names of hosts are told in lower case.
    pub fn redact(&self, text: &str) -> String {
        let mut longest_first: Vec<_> = self
            .0
            .iter()
            .flat_map(|(name, value)| [(name, value.clone()), (name, value.to_lowercase())])
            .filter(|(_, value)| !value.is_empty())
            .collect();
        // One that is part of another must not leave the rest of it in clear.
        longest_first.sort_by_key(|(_, value)| std::cmp::Reverse(value.len()));
        longest_first
            .into_iter()
            .fold(text.to_owned(), |text, (name, value)| {
                text.replace(value.as_str(), &format!("***{name}***"))
            })
    }
}

impl std::fmt::Debug for Secrets {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_set().entries(self.0.keys()).finish()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_secret_that_begins_another_gives_nothing_of_it_away() {
        let pair = |name: &str, value: &str| (name.to_owned(), value.to_owned());
        let secrets = Secrets(BTreeMap::from([
            pair("a", "tok"),
            pair("b", "token-42"),
            pair("c", ""),
        ]));
        assert_eq!(secrets.redact("tok token-42 none"), "***a*** ***b*** none");
    }

    #[test]
    fn a_secret_in_a_hosts_name_is_hidden_as_well() {
        let secrets = Secrets(BTreeMap::from([("a".into(), "ToKen".into())]));
        let told = secrets.redact("host \"token.test\" of http://ToKen.test");
        assert_eq!(told, "host \"***a***.test\" of http://***a***.test");
    }
}
