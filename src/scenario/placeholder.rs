//! `{name}` in a text: variables are filled in here, the rest stays for later. `{{` and `}}` are braces.

use std::collections::{BTreeMap, BTreeSet};

use super::hint::{did_you_mean, quote};
use super::template::{Part, Template};

/// Names that no variable and no secret can have.
pub(crate) const RESERVED: &[&str] = &["seq", "address", "name", "service"];
/// Of a text after its variables are filled in, in bytes.
const MAX_TEXT: usize = 64 * 1024;

/// What a placeholder may stand for in a certain place, beside variables.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Scope {
    /// Nothing else.
    Fixed,
    /// `{seq}` and secrets.
    Request,
    /// `{address}`, `{name}`, `{service}` and secrets.
    Candidate,
}

impl Scope {
    fn places(self) -> &'static [(&'static str, Part)] {
        match self {
            Self::Fixed => &[],
            Self::Request => &[("seq", Part::Seq)],
            Self::Candidate => &[
                ("address", Part::Address),
                ("name", Part::Name),
                ("service", Part::Service),
            ],
        }
    }
}

/// Everything that a placeholder can stand for.
#[derive(Debug, Default)]
pub(crate) struct Names {
    pub(crate) vars: BTreeMap<String, String>,
    pub(crate) secrets: BTreeSet<String>,
}

/// What is wrong with one placeholder.
#[derive(Debug, PartialEq, Eq)]
pub(crate) struct Misfit {
    /// As it stands in the text; empty when it is about all of it.
    pub(crate) text: String,
    pub(crate) message: String,
    pub(crate) hint: String,
}

impl Misfit {
    fn new(text: &str, message: impl Into<String>, hint: impl Into<String>) -> Self {
        Self {
            text: text.into(),
            message: message.into(),
            hint: hint.into(),
        }
    }
}

/// May this be the name of a variable or a secret?
pub(crate) fn is_name(text: &str) -> bool {
    text.starts_with(|c: char| c.is_ascii_alphabetic() || c == '_')
        && text.len() <= 100
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || c == '_' || c == '-')
}

pub(crate) fn expand(text: &str, scope: Scope, names: &Names) -> Result<Template, Vec<Misfit>> {
    const ESCAPE: &str = "write `{{` and `}}` for braces that are no placeholder";
    let mut out = Builder::default();
    let mut misfits = Vec::new();
    let mut rest = text;
    while let Some(at) = rest.find(['{', '}']) {
        out.text(&rest[..at]);
        rest = &rest[at..];
        if let Some(after) = rest.strip_prefix("{{") {
            out.text("{");
            rest = after;
        } else if let Some(after) = rest.strip_prefix("}}") {
            out.text("}");
            rest = after;
        } else if rest.starts_with('}') {
            misfits.push(Misfit::new("}", "a lone `}`", ESCAPE));
            rest = &rest[1..];
        } else if let Some(name) = rest[1..].find('}').map(|end| &rest[1..=end])
            && is_name(name)
        {
            match resolve(name, scope, names) {
                Ok(Part::Text(value)) => out.text(&value),
                Ok(part) => out.0.parts.push(part),
                Err(misfit) => misfits.push(misfit),
            }
            rest = &rest[name.len() + 2..];
        } else {
            misfits.push(Misfit::new("{", "`{` that begins no placeholder", ESCAPE));
            rest = &rest[1..];
        }
        if out.1 > MAX_TEXT || misfits.len() > 20 {
            break;
        }
    }
    out.text(rest);
    if out.1 > MAX_TEXT {
        misfits.push(Misfit::new("", "a text of more than 64 KiB", "shorten it"));
    }
    if misfits.is_empty() {
        Ok(out.0)
    } else {
        Err(misfits)
    }
}

fn resolve(name: &str, scope: Scope, names: &Names) -> Result<Part, Misfit> {
    let written = format!("{{{name}}}");
    if let Some(value) = names.vars.get(name) {
        return Ok(Part::Text(value.clone()));
    }
    if let Some((_, part)) = scope.places().iter().find(|(known, _)| *known == name) {
        return Ok(part.clone());
    }
    if names.secrets.contains(name) {
        if scope != Scope::Fixed {
            return Ok(Part::Secret(name.into()));
        }
        return Err(Misfit::new(
            &written,
            format!("the secret `{name}` cannot be used here"),
            "secrets are filled in only in what a probe sends or expects and in a role's question",
        ));
    }
    match name {
        "seq" => Err(Misfit::new(
            &written,
            "`{seq}` has no value here",
            "it is a request's number: only what a probe sends or expects can hold it",
        )),
        "address" | "name" | "service" => Err(Misfit::new(
            &written,
            format!("`{written}` has no value here"),
            "it is a fact about one container: only a role's question can hold it",
        )),
        _ => Err(unknown(name, &written, scope, names)),
    }
}

fn unknown(name: &str, written: &str, scope: Scope, names: &Names) -> Misfit {
    let places = scope.places().iter().map(|(name, _)| *name);
    let vars = names.vars.keys().map(String::as_str);
    let secrets = names.secrets.iter().map(String::as_str);
    let hint = did_you_mean(name, vars.chain(secrets).chain(places)).unwrap_or_else(|| {
        format!("define it: `[vars]` with `{name} = \"...\"`, or write `{{{{` for a brace")
    });
    Misfit::new(
        written,
        format!("no variable or secret named {}", quote(name)),
        hint,
    )
}

/// The template so far, and the length of its text.
#[derive(Default)]
struct Builder(Template, usize);

impl Builder {
    fn text(&mut self, text: &str) {
        self.1 += text.len();
        if text.is_empty() || self.1 > MAX_TEXT {
            return;
        }
        match self.0.parts.last_mut() {
            Some(Part::Text(last)) => last.push_str(text),
            _ => self.0.parts.push(Part::Text(text.into())),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn names() -> Names {
        Names {
            vars: [("host".into(), "node".into())].into(),
            secrets: ["token".into()].into(),
        }
    }

    fn misfits(text: &str, scope: Scope) -> Vec<String> {
        expand(text, scope, &names())
            .unwrap_err()
            .into_iter()
            .map(|misfit| format!("{}: {}", misfit.text, misfit.message))
            .collect()
    }

    #[test]
    fn variables_become_text_and_the_rest_stays() {
        let template = expand("http://{host}/{seq}?{{{token}}}", Scope::Request, &names()).unwrap();
        assert_eq!(
            template.parts,
            [
                Part::Text("http://node/".into()),
                Part::Seq,
                Part::Text("?{".into()),
                Part::Secret("token".into()),
                Part::Text("}".into()),
            ]
        );
    }

    #[test]
    fn every_misfit_of_a_text_is_named() {
        assert_eq!(
            misfits("{hots} } {seq} {token} {1}", Scope::Fixed),
            [
                "{hots}: no variable or secret named `hots`",
                "}: a lone `}`",
                "{seq}: `{seq}` has no value here",
                "{token}: the secret `token` cannot be used here",
                "{: `{` that begins no placeholder",
                "}: a lone `}`",
            ]
        );
        let hots = expand("{hots}", Scope::Fixed, &names()).unwrap_err();
        assert_eq!(hots[0].hint, "did you mean `host`?");
    }

    #[test]
    fn a_candidates_facts_are_for_roles_only() {
        assert!(expand("{address}", Scope::Candidate, &names()).is_ok());
        assert_eq!(
            misfits("{address}", Scope::Request),
            ["{address}: `{address}` has no value here"]
        );
    }

    #[test]
    fn a_value_is_taken_as_it_stands() {
        let names = Names {
            vars: [("a".into(), "{b} }".into())].into(),
            ..Names::default()
        };
        assert_eq!(
            expand("{a}", Scope::Fixed, &names).unwrap(),
            Template::text("{b} }")
        );
    }

    #[test]
    fn a_text_cannot_blow_up() {
        let names = Names {
            vars: [("a".into(), "x".repeat(4096))].into(),
            ..Names::default()
        };
        let misfits = expand(&"{a}".repeat(100_000), Scope::Fixed, &names).unwrap_err();
        assert_eq!(misfits[0].message, "a text of more than 64 KiB");
    }

    proptest::proptest! {
        #[test]
        fn any_text_survives_when_its_braces_are_doubled(text in "(?s).{0,40}") {
            let doubled = text.replace('{', "{{").replace('}', "}}");
            let out = expand(&doubled, Scope::Fixed, &Names::default()).unwrap();
            proptest::prop_assert_eq!(out.render(&Default::default()), text);
        }
    }
}
