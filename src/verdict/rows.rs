//! The tables of a report, from a record.

use std::collections::BTreeMap;

use super::objective;
use super::recovery::{self, ms};
use super::report::{
    Checked, DifferenceRow, EventRow, GuardRow, ImpedimentRow, InstanceRow, LatencyRow, PacketsRow,
    PhaseRow, ProbePhaseRow, ProbeRow, Proven, RoleRow, SkipRow, StepRow, TextRow,
};
use super::window;
use crate::action::{GONE, Subject};
use crate::history::{
    Kept, Latencies, Packets, Phase, ProbeRecord, Proof, Record, RoleChange, StepRecord,
};
use crate::impairment::BackEnd;
use crate::scenario::Window;
use crate::units::Micros;

pub(super) fn phases(record: &Record) -> Vec<PhaseRow> {
    phase_times(record)
        .map(|(phase, from, to)| PhaseRow {
            name: phase_name(phase).into(),
            start_ms: ms(from),
            end_ms: ms(to),
        })
        .collect()
}

fn phase_times(record: &Record) -> impl Iterator<Item = (Phase, Micros, Micros)> {
    let close = record.ended.unwrap_or(record.last).max(record.end());
    record
        .phases
        .iter()
        .enumerate()
        .map(move |(i, (phase, from))| {
            let next = record.phases.get(i + 1).map_or(close, |(_, at)| *at);
            (*phase, *from, next.max(*from))
        })
}

fn phase_name(phase: Phase) -> &'static str {
    match phase {
        Phase::Baseline => "baseline",
        Phase::Fault => "fault",
        Phase::Recovery => "recovery",
        Phase::Teardown => "teardown",
    }
}

pub(super) fn steps(record: &Record) -> Vec<StepRow> {
    record.steps.iter().map(|one| step(record, one)).collect()
}

fn step(record: &Record, step: &StepRecord) -> StepRow {
    let probes: BTreeMap<_, _> = record
        .probes
        .iter()
        .map(|probe| (probe.name.clone(), recovery::row(record, step, &probe.name)))
        .collect();
    StepRow {
        name: step.name.clone(),
        fault: step.fault.clone(),
        target: step.target.clone(),
        hold_ms: step.hold.as_secs_f64() * 1e3,
        instances: step.instances.iter().map(|hit| hit.name.clone()).collect(),
        injecting_ms: step.injecting.map(ms),
        injected_ms: step.injected.as_ref().map(|(at, _)| ms(*at)),
        reverting_ms: step.reverting.map(ms),
        reverted_ms: step.reverted.as_ref().map(|(at, _)| ms(*at)),
        effect: step.injected.as_ref().map(|(_, proof)| Proven {
            proven: proof.holds && !step.lost && is_met(step),
            evidence: proof.evidence.clone(),
        }),
        reapplied: given_back(step),
        packets: step.counted.iter().map(packets).collect(),
        revert: step.reverted.as_ref().map(|(_, proof)| checked(proof)),
        skipped: step.skipped.as_ref().map(|(why, by_choice)| SkipRow {
            why: why.clone(),
            by_choice: *by_choice,
        }),
        recovery_ms: recovery::slowest(probes.values()),
        probes,
        line: step.line,
    }
}

/// How often somebody got the fault again who had lost it.
fn given_back(step: &StepRecord) -> u64 {
    let holds = step
        .reapplied
        .first
        .iter()
        .filter(|(_, (_, effect))| effect.holds);
    holds.count() as u64 + step.reapplied.dropped
}

/// What no packet met was in force, and had no effect.
fn is_met(step: &StepRecord) -> bool {
    step.counted.is_empty() || step.counted.iter().any(|(.., effect)| effect.holds)
}

fn packets((subject, packets, effect): &(Subject, Option<Packets>, Proof)) -> PacketsRow {
    let counts = packets.map(|packets| packets.counts).unwrap_or_default();
    let tells = packets.is_some_and(|packets| packets.back_end == BackEnd::Queue);
    let told = |count: u64| tells.then_some(count);
    PacketsRow {
        instance: subject.name.clone(),
        back_end: packets.map(|packets| packets.back_end.name().into()),
        packets: counts.packets,
        bytes: counts.bytes,
        delayed: counts.delayed,
        dropped: counts.dropped,
        corrupted: told(counts.corrupted),
        duplicated: told(counts.duplicated),
        reordered: told(counts.reordered),
        reset: counts.reset,
        answered: counts.answered,
        overflowed: counts.overflowed,
        met: effect.holds,
        evidence: effect.evidence.clone(),
    }
}

pub(super) fn checked(proof: &Proof) -> Checked {
    Checked {
        gone: proof.evidence.contains(GONE),
        verified: proof.holds,
        evidence: proof.evidence.clone(),
    }
}

pub(super) fn probes(record: &Record) -> Vec<ProbeRow> {
    record.probes.iter().map(|one| probe(record, one)).collect()
}

fn probe(record: &Record, probe: &ProbeRecord) -> ProbeRow {
    let all = window::range(record, &Window::All);
    let tally = all.map_or_else(
        || probe.tally(0, Micros::MAX),
        |all| probe.tally(all.from, all.to),
    );
    ProbeRow {
        name: probe.name.clone(),
        kind: probe.kind.clone(),
        rate: probe.rate,
        planned: tally.planned,
        sent: tally.sent,
        good: tally.good,
        latency_ms: latency(&tally.latency),
        lateness_p99_ms: tally.lateness.quantile(0.99).map(ms),
        reasons: tally.reasons,
        phases: phase_times(record)
            .filter(|(phase, ..)| *phase != Phase::Teardown)
            .map(|(phase, from, to)| {
                let tally = probe.tally(from, to);
                ProbePhaseRow {
                    phase: phase_name(phase).into(),
                    planned: tally.planned,
                    sent: tally.sent,
                    good: tally.good,
                    latency_ms: latency(&tally.latency),
                }
            })
            .collect(),
    }
}

fn latency(all: &Latencies) -> Option<LatencyRow> {
    let quantile = |q| all.quantile(q).map(ms);
    Some(LatencyRow {
        p50: quantile(0.5)?,
        p90: quantile(0.9)?,
        p95: quantile(0.95)?,
        p99: quantile(0.99)?,
        p999: quantile(0.999)?,
        max: all.max().map(ms)?,
    })
}

pub(super) fn instances(record: &Record) -> Vec<InstanceRow> {
    record
        .members
        .iter()
        .map(|member| InstanceRow {
            name: member.subject.name.clone(),
            id: member.subject.id.clone(),
            image: member.image.clone(),
            image_id: member.image_id.clone(),
            service: member.service.clone(),
        })
        .collect()
}

pub(super) fn guards(record: &Record) -> Vec<GuardRow> {
    let guards = record
        .header
        .as_ref()
        .map_or(&[][..], |header| &header.guards);
    let trip = |guard| {
        record
            .trips
            .first
            .iter()
            .find(move |(_, (known, _))| known == guard)
    };
    guards
        .iter()
        .map(|guard| GuardRow {
            probe: guard.probe.clone(),
            metric: objective::name(guard.trips.metric).into(),
            trips: objective::phrase(&guard.trips),
            over_ms: guard.over.as_secs_f64() * 1e3,
            tripped_ms: trip(guard).map(|(at, _)| ms(*at)),
            measured: trip(guard).map(|(_, (_, measured))| *measured),
        })
        .collect()
}

pub(super) fn differences(record: &Record) -> Vec<DifferenceRow> {
    record
        .world
        .iter()
        .flatten()
        .map(|difference| DifferenceRow {
            instance: difference.subject.name.clone(),
            id: difference.subject.id.clone(),
            touched: difference.touched,
            what: difference.what.clone(),
        })
        .collect()
}

pub(super) fn events(record: &Record) -> Vec<EventRow> {
    record
        .events
        .first
        .iter()
        .map(|(at, (subject, what))| EventRow {
            at_ms: ms(*at),
            instance: subject.name.clone(),
            id: subject.id.clone(),
            what: what.clone(),
        })
        .collect()
}

pub(super) fn roles(record: &Record) -> Vec<RoleRow> {
    let row = |(at, change): &(Micros, RoleChange)| RoleRow {
        at_ms: ms(*at),
        target: change.target.clone(),
        role: change.role.clone(),
        instance: change.subject.name.clone(),
        id: change.subject.id.clone(),
        held: change.held,
    };
    record.roles.first.iter().map(row).collect()
}

pub(super) fn texts(kept: &Kept<String>) -> Vec<TextRow> {
    let row = |(at, text): &(Micros, String)| TextRow {
        at_ms: ms(*at),
        text: text.clone(),
    };
    kept.first.iter().map(row).collect()
}

pub(super) fn impediments(record: &Record) -> Vec<ImpedimentRow> {
    record
        .impediments
        .first
        .iter()
        .map(|(at, (what, why))| ImpedimentRow {
            at_ms: ms(*at),
            what: *what,
            why: why.clone(),
        })
        .collect()
}
