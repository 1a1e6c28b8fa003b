//! The fold of a history: what verdict and reports are made from. Its size depends on the scenario, not on the run's length.

use super::bucket::{Bucket, Span, Tally};
use super::course::ProbeRecord;
use super::event::{
    Difference, Entry, Event, Header, Impediment, Member, Phase, Proof, RoleChange, Steering,
    VERSION,
};
use super::kept::{Kept, MAX_KEPT};
use super::step::StepRecord;
use crate::action::Subject;
use crate::inventory::EngineFacts;
use crate::scenario::Guard;
use crate::units::Micros;

#[derive(Debug, Clone, Default)]
pub struct Record {
    pub header: Option<Box<Header>>,
    pub facts: Option<EngineFacts>,
    pub members: Vec<Member>,
    /// In the order in which they began.
    pub phases: Vec<(Phase, Micros)>,
    /// In the scenario's order.
    pub steps: Vec<StepRecord>,
    pub probes: Vec<ProbeRecord>,
    pub trips: Kept<(Guard, f64)>,
    pub interruptions: Kept<String>,
    pub impediments: Kept<(Impediment, String)>,
    /// `None`: the world after the run was not compared with the one before.
    pub world: Option<Vec<Difference>>,
    pub events: Kept<(Subject, String)>,
    pub roles: Kept<RoleChange>,
    /// What the run had brought up itself: is it gone again?
    pub torn_down: Option<Proof>,
    /// By whom, and what.
    pub notes: Kept<(Option<String>, String)>,
    /// What people made the run do, and from where.
    pub steering: Kept<(String, Steering)>,
    /// When the scenario's clock stood still: from, and to if that is over.
    pub stood: Vec<(Micros, Option<Micros>)>,
    pub ended: Option<Micros>,
    /// The latest time on any entry.
    pub last: Micros,
    /// The history's last line was cut off.
    pub torn: bool,
    /// What should not be so in any history, as sentences.
    pub irregular: Kept<String>,
    /// Where segments begin, sorted.
    boundaries: Vec<Micros>,
}

impl Record {
    pub fn apply(&mut self, entry: &Entry) {
        let at = entry.at;
        if self.ended.is_some() {
            self.odd(at, "something is recorded after the run's end".into());
        }
        if self.header.is_none() && !matches!(entry.event, Event::Started(_)) {
            self.odd(at, "something is recorded before the run's start".into());
        }
        self.last = self.last.max(at);
        match &entry.event {
            Event::Started(header) => self.start(at, header),
            Event::System { facts, instances } => {
                self.facts = Some(facts.clone());
                self.members.clone_from(instances);
            }
            Event::Phase { phase } => self.phase(at, *phase),
            Event::Bucket { probe, bucket } => self.bucket(at, probe, bucket),
            Event::Container { subject, what } => {
                self.events.push(at, (subject.clone(), what.clone()));
            }
            Event::Role(change) => self.roles.push(at, change.clone()),
            Event::Tripped { guard, measured } => self.trips.push(at, (guard.clone(), *measured)),
            Event::Interrupted { by } => self.interruptions.push(at, by.clone()),
            Event::Impeded { what, why } => self.impediments.push(at, (*what, why.clone())),
            Event::World { differences } => self
                .world
                .get_or_insert_default()
                .extend_from_slice(differences),
            Event::TornDown { proof } => self.tear_down(proof),
            Event::Note { by, text } => self.notes.push(at, (by.clone(), text.clone())),
            Event::Steered { by, what } => self.steering.push(at, (by.clone(), what.clone())),
            Event::Timeline { stands } => self.timeline(at, *stands),
            Event::Ended => self.ended = Some(at),
            Event::Injecting { .. }
            | Event::Injected { .. }
            | Event::Reapplied { .. }
            | Event::Counted { .. }
            | Event::Reverting { .. }
            | Event::Reverted { .. }
            | Event::Skipped { .. } => self.step(at, &entry.event),
        }
    }

    /// What a probe saw in the segments that begin in `[from, to)`.
    pub fn tally(&self, probe: &str, from: Micros, to: Micros) -> Tally {
        self.tally_but(probe, (from, to), &[])
    }

    /// The same, but for what lies in these stretches between two boundaries.
    pub fn tally_but(
        &self,
        probe: &str,
        (from, to): (Micros, Micros),
        but: &[(Micros, Micros)],
    ) -> Tally {
        self.probe(probe)
            .map_or_else(Tally::default, |probe| probe.tally_but(from, to, but))
    }

    pub fn span(&self, probe: &str, from: Micros, to: Micros) -> Span {
        self.probe(probe)
            .map_or_else(Span::default, |probe| probe.span(from, to))
    }

    pub fn probe(&self, name: &str) -> Option<&ProbeRecord> {
        self.probes.iter().find(|probe| probe.name == name)
    }

    /// When probing ended, or the record if nothing was probed.
    pub fn end(&self) -> Micros {
        let covered = self.probes.iter().map(|probe| probe.covered).max();
        match (
            covered.filter(|end| *end > 0),
            self.phase_start(Phase::Teardown),
        ) {
            // The last answers may have been waited for before the teardown was recorded, but no longer than that.
            (Some(covered), Some(stop)) if covered.saturating_add(self.patience()) < stop => stop,
            (Some(covered), Some(stop)) => covered.min(stop),
            (Some(covered), None) => covered,
            (None, Some(stop)) => stop,
            (None, None) => self.ended.unwrap_or(self.last),
        }
    }

    pub fn phase_start(&self, phase: Phase) -> Option<Micros> {
        let found = self.phases.iter().find(|(known, _)| *known == phase);
        found.map(|(_, at)| *at)
    }

    /// The longest that a prober may take to hand over what it saw last.
    fn patience(&self) -> Micros {
        let longest = self.probes.iter().map(|probe| probe.timeout).max();
        (longest.unwrap_or_default().as_micros() as Micros).saturating_add(1_000_000)
    }

    fn odd(&mut self, at: Micros, what: String) {
        if !self.irregular.first.iter().any(|(_, known)| *known == what) {
            self.irregular.push(at, what);
        }
    }

    fn start(&mut self, at: Micros, header: &Header) {
        if self.header.is_some() {
            return self.odd(at, "the run starts twice".into());
        }
        if header.version != VERSION {
            self.odd(at, format!("the history is of version {}", header.version));
        }
        self.probes = header.probes.iter().map(ProbeRecord::from).collect();
        self.steps = header.steps.iter().map(StepRecord::from).collect();
        self.header = Some(Box::new(header.clone()));
    }

    /// Several parts may be torn down: one that is still there decides.
    fn tear_down(&mut self, proof: &Proof) {
        if self.torn_down.as_ref().is_none_or(|known| known.holds) {
            self.torn_down = Some(proof.clone());
        }
    }

    fn phase(&mut self, at: Micros, phase: Phase) {
        if self.phases.iter().any(|(known, _)| *known >= phase) {
            return self.odd(at, "phases do not follow one another".into());
        }
        self.phases.push((phase, at));
        self.boundary(at);
    }

    fn timeline(&mut self, at: Micros, stands: bool) {
        let room = self.stood.len() < MAX_KEPT;
        match self.stood.last_mut().filter(|(_, to)| to.is_none()) {
            None if stands && room => self.stood.push((at, None)),
            Some((_, to)) if !stands => *to = Some(at),
            _ => return self.odd(at, "the timeline stops or goes on twice".into()),
        }
        self.boundary(at);
    }

    fn step(&mut self, at: Micros, event: &Event) {
        let (Event::Injecting { step: name, .. }
        | Event::Injected { step: name, .. }
        | Event::Reapplied { step: name, .. }
        | Event::Counted { step: name, .. }
        | Event::Reverting { step: name }
        | Event::Reverted { step: name, .. }
        | Event::Skipped { step: name, .. }) = event
        else {
            return;
        };
        let index = match self.steps.iter().position(|step| step.name == *name) {
            Some(index) => index,
            None => {
                self.odd(at, format!("step {name} is not in the scenario"));
                self.steps.push(StepRecord {
                    name: name.clone(),
                    ..StepRecord::default()
                });
                self.steps.len() - 1
            }
        };
        if !self.steps[index].apply(at, event) {
            self.odd(at, format!("the same happens twice to step {name}"));
        }
        if matches!(event, Event::Injecting { .. } | Event::Reverted { .. }) {
            self.boundary(at);
        }
    }

    fn boundary(&mut self, at: Micros) {
        let place = self.boundaries.partition_point(|known| *known < at);
        if self.boundaries.get(place) == Some(&at) {
            return;
        }
        self.boundaries.insert(place, at);
        if self.probes.iter().any(|probe| probe.is_past(at)) {
            self.odd(
                at,
                "a boundary was recorded after the samples it divides".into(),
            );
        }
    }

    fn bucket(&mut self, at: Micros, name: &str, bucket: &Bucket) {
        let known = self.probes.iter_mut().find(|probe| probe.name == name);
        let applied = known.map_or_else(
            || Err(format!("probe {name} is not in the scenario")),
            |probe| probe.apply(bucket, &self.boundaries),
        );
        if let Err(wrong) = applied {
            self.odd(at, wrong);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::history::{SLACK, Sample};

    fn entry(at: Micros, event: Event) -> Entry {
        Entry { at, event }
    }

    fn started() -> Record {
        let header = r#"{"version":1,"run":"r","scenario":"s","title":null,"source":"","seed":1,"chaosrun":"0.1.0","began":"","vars":{},
            "timing":{"baseline":{"secs":1,"nanos":0},"recovery":{"secs":1,"nanos":0},"steady":{"secs":1,"nanos":0}},
            "probes":[{"name":"write","kind":"http","rate":1.0,"timeout":{"secs":1,"nanos":0}}],"slos":[],"guards":[],
            "steps":[{"name":"kill","fault":"kill","target":"t","hold":{"secs":1,"nanos":0}}]}"#;
        let mut record = Record::default();
        let header = serde_json::from_str(header).unwrap();
        record.apply(&entry(0, Event::Started(header)));
        record
    }

    fn second(k: u64) -> Event {
        let (from, to) = (k * 1_000_000, (k + 1) * 1_000_000);
        let mut tally = Tally::default();
        tally.record(&Sample {
            due: from,
            sent: Some(from + 10),
            done: from + 1_000 + k % 900,
            fault: None,
        });
        Event::Bucket {
            probe: "write".into(),
            bucket: Bucket { from, to, tally },
        }
    }

    fn phase(at: Micros, phase: Phase) -> Entry {
        entry(at, Event::Phase { phase })
    }

    #[test]
    fn a_day_takes_no_more_room_than_an_hour() {
        let size = |seconds: u64| {
            let mut record = started();
            record.apply(&phase(0, Phase::Baseline));
            for k in 0..seconds {
                record.apply(&entry((k + 2) * 1_000_000, second(k)));
                let subject = Subject {
                    id: "1".into(),
                    name: "node-1".into(),
                };
                let what = "health_status".into();
                record.apply(&entry(k, Event::Container { subject, what }));
            }
            assert!(record.irregular.is_empty(), "{:?}", record.irregular);
            assert_eq!(record.tally("write", 0, Micros::MAX).planned, seconds);
            format!("{record:?}").len()
        };
        assert!(size(86_400) < size(3_600) * 2);
    }

    #[test]
    fn a_bucket_belongs_to_where_it_lies_whenever_it_comes() {
        let mut record = started();
        record.apply(&phase(0, Phase::Baseline));
        record.apply(&phase(1_000_000, Phase::Fault));
        record.apply(&phase(2_000_000, Phase::Recovery));
        for k in 0..3 {
            record.apply(&entry(2_900_000, second(k)));
        }
        assert!(record.irregular.is_empty());
        assert_eq!(record.tally("write", 0, 1_000_000).span.first_good, Some(0));
        let fault = record.tally("write", 1_000_000, 2_000_000).span;
        assert_eq!(fault.first_good, Some(1_000_000));
    }

    #[test]
    fn a_boundary_may_be_heard_of_a_moment_late_and_no_later() {
        let late = |at| {
            let mut record = started();
            record.apply(&phase(0, Phase::Baseline));
            record.apply(&entry(1_000_100, second(0)));
            record.apply(&phase(at, Phase::Fault));
            record.irregular.first.len()
        };
        assert_eq!(late(1_000_000 - SLACK), 0);
        assert_eq!(late(1_000_000 - SLACK - 1), 1);
    }

    #[test]
    fn probing_ends_with_its_last_bucket_unless_the_probes_died() {
        let mut record = started();
        record.apply(&phase(0, Phase::Baseline));
        record.apply(&entry(1_100_000, second(0)));
        assert_eq!(record.end(), 1_000_000);
        let mut stopped = record.clone();
        stopped.apply(&phase(1_500_000, Phase::Teardown));
        assert_eq!(stopped.end(), 1_000_000, "the last answers were waited for");
        record.apply(&phase(60_000_000, Phase::Teardown));
        assert_eq!(record.end(), 60_000_000);
    }

    #[test]
    fn a_second_injection_makes_the_first_revert_worthless() {
        let mut record = started();
        let step = || "kill".to_owned();
        let instances = Vec::new;
        let revert = Proof {
            holds: true,
            evidence: String::new(),
        };
        let injecting = || Event::Injecting {
            step: step(),
            instances: instances(),
        };
        record.apply(&entry(1, injecting()));
        record.apply(&entry(
            2,
            Event::Reverted {
                step: step(),
                revert,
            },
        ));
        assert!(record.steps[0].is_undone());
        record.apply(&entry(3, injecting()));
        assert!(!record.steps[0].is_undone());
        assert!(!record.irregular.is_empty());
    }
}
