//! `chaosrun plan FILE…`: what would happen, to whom, when, and how it is undone.

use std::collections::BTreeMap;
use std::path::PathBuf;

use comfy_table::{ColumnConstraint, ContentArrangement, Table, presets};

use super::{code, files, term};
use crate::plan::preview::{Claim, Preview, StepPreview, preview};
use crate::report::plain;
use crate::runtime::docker::Docker;
use crate::scenario::{Scenario, System};
use crate::units::format_duration;
use crate::verdict::{during, name, phrase};

pub(super) async fn main(
    named: &[PathBuf],
    seed: Option<u64>,
    vars: BTreeMap<String, String>,
) -> u8 {
    let Some(scenarios) = files::load(named, &vars) else {
        return code::USAGE;
    };
    let docker = match Docker::connect().await {
        Ok(docker) => docker,
        Err(error) => {
            term::error(&error.to_string(), error.hint());
            return code::INCONCLUSIVE;
        }
    };
    let mut worst = code::OK;
    for scenario in scenarios {
        match docker.foresee(&scenario).await {
            Ok(inventory) => {
                let seed = seed.or(scenario.seed);
                let preview = preview(&scenario, &inventory, seed.unwrap_or_default());
                term::data(&render(&scenario, &preview, seed, term::width()));
                if !preview.problems.is_empty() {
                    worst = code::INCONCLUSIVE;
                }
            }
            Err(error) => {
                term::error(
                    &format!("{}: {error}", scenario.path.display()),
                    error.hint(),
                );
                worst = code::INCONCLUSIVE;
            }
        }
    }
    worst
}

fn render(scenario: &Scenario, preview: &Preview, seed: Option<u64>, width: usize) -> String {
    let system = match &scenario.system {
        System::Compose { file, keep, .. } => {
            format!(
                "{} brought up{}",
                file.display(),
                if *keep {
                    " and kept"
                } else {
                    ", taken down after"
                }
            )
        }
        System::Project { name } => format!("the running Compose project {name}"),
        System::Engine => "every container of the engine".into(),
    };
    let mut out = vec![
        format!(
            "{}: {}",
            scenario.name,
            scenario.title.as_deref().unwrap_or("no title")
        ),
        format!("system    {system}"),
        format!(
            "seed      {}",
            seed.map_or("drawn when it runs".into(), |seed| seed.to_string())
        ),
        format!(
            "runs      {}",
            match scenario.repeat {
                Some(count) => format!("{count}, with the seeds from that one on; one verdict"),
                None => "1".into(),
            }
        ),
        format!(
            "timing    {} baseline, then the steps, then up to {} of recovery",
            format_duration(scenario.timing.baseline),
            format_duration(scenario.timing.recovery)
        ),
        String::new(),
        steps_table(&preview.steps, width),
        String::new(),
        claims_table(&preview.claims, width),
    ];
    for step in &preview.steps {
        for told in &step.passed_over {
            out.push(format!("note: step {}: {told}", step.name));
        }
    }
    for problem in &preview.problems {
        out.push(format!("problem: {problem}"));
    }
    // Text from outside is made harmless a line at a time: the tables' own line breaks stay.
    let text = out.join("\n");
    text.lines().map(plain).collect::<Vec<_>>().join("\n")
}

/// As a table, or, where that would have columns of a few letters, a list a row.
fn grid(head: &[&str], rows: Vec<Vec<String>>, width: usize) -> String {
    const LEAST: usize = 90;
    let table = || {
        let mut table = Table::new();
        table
            .set_content_arrangement(ContentArrangement::Dynamic)
            .set_width(width.try_into().unwrap_or(u16::MAX));
        table
    };
    if width >= LEAST {
        let mut whole = table();
        whole
            .load_style(presets::UTF8_HORIZONTAL_ONLY)
            .set_header(head)
            .add_rows(rows);
        return whole.to_string();
    }
    let lists = rows.into_iter().map(|row| {
        let mut list = table();
        list.load_style(presets::NOTHING);
        let labels = head.iter().map(|label| (*label).to_owned());
        list.add_rows(labels.zip(row).map(|(label, cell)| [label, cell]));
        // The labels are short: it is the text that breaks.
        if let Some(labels) = list.column_mut(0) {
            labels.set_constraint(ColumnConstraint::ContentWidth);
        }
        list.trim_fmt()
    });
    lists.collect::<Vec<_>>().join("\n\n")
}

fn steps_table(steps: &[StepPreview], width: usize) -> String {
    let head = [
        "step",
        "when",
        "lasts",
        "hits",
        "does",
        "proven when",
        "undone by",
    ];
    let mut rows = Vec::new();
    for step in steps {
        let whom = step.candidates.join(", ");
        let hits = if step.decided {
            whom
        } else {
            format!("{} of {whom}, by role", step.hits)
        };
        let share = 100.0 * step.hits as f64 / step.of.max(1) as f64;
        let column = |i: usize| {
            step.actions
                .iter()
                .map(|a| a[i].clone())
                .collect::<Vec<_>>()
                .join("\n")
        };
        rows.push(vec![
            step.name.clone(),
            step.when.clone(),
            step.hold.clone(),
            format!(
                "{hits}\n({} of {} containers, {share:.0}%)",
                step.hits, step.of
            ),
            column(0),
            column(1),
            column(2),
        ]);
    }
    grid(&head, rows, width)
}

fn claims_table(claims: &[Claim], width: usize) -> String {
    let head = [
        "objective",
        "during",
        "good needed",
        "planned",
        "time needed",
    ];
    let mut rows = Vec::new();
    for claim in claims {
        let (least, most) = claim.planned;
        let planned = if least == most {
            most.to_string()
        } else {
            format!("{least} to {most}")
        };
        rows.push(vec![
            format!(
                "{} {} {}",
                claim.slo.probe,
                name(claim.slo.objective.metric),
                phrase(&claim.slo.objective)
            ),
            during(&claim.slo.during).to_owned(),
            claim.needed.map_or("–".into(), |needed| needed.to_string()),
            planned,
            claim.long_enough.map_or("–".into(), format_duration),
        ]);
    }
    grid(&head, rows, width)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_narrow_terminal_gets_lists_and_a_wide_one_a_table() {
        let head = ["step", "when", "does", "undone by"];
        let row = || {
            let cells = [
                "kill",
                "10s after the baseline",
                "send SIGKILL through the engine",
                "start",
            ];
            vec![cells.map(str::to_owned).to_vec()]
        };
        for width in [40, 60] {
            let text = grid(&head, row(), width);
            assert!(
                text.lines().all(|line| line.chars().count() <= width),
                "{text}"
            );
            assert!(text.contains("10s after the baseline"), "{text}");
        }
        assert_eq!(grid(&head, row(), 60).lines().count(), 4);
        let wide = grid(&head, row(), 100);
        let first = wide.lines().find(|line| line.contains("step"));
        assert!(
            first.is_some_and(|line| line.contains("undone by")),
            "{wide}"
        );
    }
}
