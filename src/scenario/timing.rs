//! `[timing]`: how long to look before and after.

use std::time::Duration;

use super::cursor::Cursor;
use super::model::Timing;
use crate::units::{format_duration, parse_duration};

const DEFAULT: Timing = Timing {
    baseline: Duration::from_secs(10),
    recovery: Duration::from_secs(20),
    steady: Duration::from_secs(3),
};

pub(super) fn read(root: &mut Cursor<'_>) -> Timing {
    let Some(mut table) = root
        .get("timing")
        .and_then(|section| section.table("`[timing]`", "[timing]"))
    else {
        return DEFAULT;
    };
    let baseline = table.duration("baseline").unwrap_or(DEFAULT.baseline);
    // Zero is a wish that can be granted: not to wait for recovery at all.
    let recovery = table
        .parse("recovery", parse_duration)
        .unwrap_or(DEFAULT.recovery);
    let steady = table.duration("steady");
    if let (Some(steady), Some(entry)) = (steady, table.get("steady"))
        && steady > recovery
    {
        table.report(
            entry
                .problem(format!(
                    "steady for {} cannot be seen within a recovery of {}",
                    format_duration(steady),
                    format_duration(recovery)
                ))
                .hint("raise `recovery`, or lower `steady`"),
        );
    }
    table.finish();
    Timing {
        baseline,
        recovery,
        steady: steady.unwrap_or(DEFAULT.steady.min(recovery)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scenario::testing::{check, problems};

    const PROBE: &str = "[probes.p]\ntcp = { address = \"a:1\" }\n";

    #[test]
    fn defaults_fill_what_is_not_written() {
        assert_eq!(check(PROBE).timing, DEFAULT);
        let timing = check(&format!("[timing]\nrecovery = \"2s\"\n{PROBE}")).timing;
        assert_eq!(timing.baseline, DEFAULT.baseline);
        assert_eq!(timing.steady, Duration::from_secs(2));
    }

    #[test]
    fn impossible_times_are_problems() {
        let text = "[timing]\nbaseline = \"0s\"\nrecovery = \"5\"\nsteady = \"1m\"\n";
        assert_eq!(
            problems(&format!("{text}{PROBE}")),
            [
                "2: `baseline` cannot be `0s` [expected more than zero]",
                "3: `recovery` cannot be `5` [expected a duration with its unit, such as \"250ms\", \"10s\" or \"1h30m\"] (did you mean \"5s\"?)",
                "4: steady for 1m cannot be seen within a recovery of 20s (raise `recovery`, or lower `steady`)",
            ]
        );
    }
}
