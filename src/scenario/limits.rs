//! `[limits]`: the blast radius.

use super::cursor::Cursor;
use super::entry::Entry;
use super::model::Limits;
use crate::units::Share;

pub(super) fn read(root: &mut Cursor<'_>) -> Limits {
    let Some(mut table) = root
        .get("limits")
        .and_then(|section| section.table("`[limits]`", "[limits]"))
    else {
        return Limits::default();
    };
    let mut count = |key, least| {
        let number = table.get(key)?.number(least..=1_000_000)?;
        usize::try_from(number).ok()
    };
    let max_targets = count("max_targets", 1);
    let keep_running = count("keep_running", 0);
    let max_percent = table.parse("max_percent", |text| match text.parse::<Share>()? {
        Share(share) if share > 0.0 => Ok(share),
        _ => Err("expected more than 0%".into()),
    });
    let never = table.get("never").map(|entry| entry.one_or_more());
    table.finish();
    Limits {
        max_targets,
        max_percent,
        keep_running,
        never: never.iter().flatten().filter_map(Entry::word).collect(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing::{check, problems};

    const PROBE: &str = "[probes.p]\ntcp = { address = \"a:1\" }\n";

    #[test]
    fn reads_every_limit() {
        let text = "[limits]\nmax_targets = 2\nmax_percent = \"50%\"\nkeep_running = 1\nnever = [\"tier=db\", \"gold\"]\n";
        assert_eq!(
            check(&format!("{text}{PROBE}")).limits,
            Limits {
                max_targets: Some(2),
                max_percent: Some(0.5),
                keep_running: Some(1),
                never: vec!["tier=db".into(), "gold".into()],
            }
        );
    }

    #[test]
    fn limits_that_allow_nothing_are_problems() {
        let text = "[limits]\nmax_targets = 0\nmax_percent = \"0%\"\npercent = \"5%\"\n";
        assert_eq!(
            problems(&format!("{text}{PROBE}")),
            [
                "2: `max_targets` cannot be `0` [expected a whole number from 1 to 1000000]",
                "3: `max_percent` cannot be `0%` [expected more than 0%]",
                "4: unknown key `percent` in `[limits]` (did you mean `max_percent`?)",
            ]
        );
    }
}
