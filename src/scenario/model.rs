//! A scenario after checking: every name in it refers to something, every value has its unit.

use std::collections::BTreeMap;
use std::path::{Path, PathBuf};
use std::time::Duration;

use regex::Regex;
use serde::{Deserialize, Serialize};

use super::template::Template;
use crate::fault::Fault;
use crate::units::Rate;

#[derive(Debug, Clone)]
pub struct Scenario {
    /// The file's stem: names the report's folder.
    pub name: String,
    /// The file as it was given, for messages.
    pub path: PathBuf,
    /// Its text. Secrets are not in it: they come from elsewhere.
    pub source: String,
    /// `[vars]` with the values in use, wherever each came from.
    pub vars: BTreeMap<String, String>,
    pub title: Option<String>,
    pub seed: Option<u64>,
    /// So many runs give one verdict.
    pub repeat: Option<u32>,
    pub system: System,
    pub timing: Timing,
    /// Names of secrets and where each comes from; values are read when the run starts and held nowhere else.
    pub secrets: BTreeMap<String, SecretSource>,
    pub targets: Vec<Target>,
    pub probes: Vec<Probe>,
    pub slos: Vec<Slo>,
    pub guards: Vec<Guard>,
    pub steps: Vec<Step>,
    pub limits: Limits,
}

impl Scenario {
    pub fn target(&self, name: &str) -> Option<&Target> {
        self.targets.iter().find(|target| target.name == name)
    }

    /// A path that the scenario names, as seen from where chaosrun was started.
    pub fn beside(&self, path: &Path) -> PathBuf {
        self.path
            .parent()
            .map_or_else(|| path.into(), |folder| folder.join(path))
    }

    pub fn probe(&self, name: &str) -> Option<&Probe> {
        self.probes.iter().find(|probe| probe.name == name)
    }

    pub fn step(&self, name: &str) -> Option<&Step> {
        self.steps.iter().find(|step| step.name == name)
    }
}

/// What is under test.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum System {
    /// A Compose file, relative to the scenario's own folder: brought up before and, unless kept, taken down after.
    Compose {
        file: PathBuf,
        keep: bool,
        healthy_within: Duration,
    },
    /// A Compose project that runs already.
    Project { name: String },
    /// Every container of the engine.
    Engine,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Timing {
    pub baseline: Duration,
    /// The longest to wait for recovery.
    pub recovery: Duration,
    /// A probe is steady once this long has passed with good samples only.
    pub steady: Duration,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum SecretSource {
    /// An environment variable.
    Env(String),
    /// A file, relative to the scenario's folder; its text without the last line break.
    File(PathBuf),
}

#[derive(Debug, Clone)]
pub struct Target {
    pub name: String,
    /// All of them must hold.
    pub select: Vec<Selector>,
    pub role: Option<Role>,
    pub pick: Pick,
    pub on_empty: OnEmpty,
}

#[derive(Debug, Clone)]
pub enum Selector {
    Service(String),
    /// The engine's name, exactly.
    Container(String),
    Name(Regex),
    Label {
        key: String,
        value: Option<String>,
    },
    /// `redis` matches any tag of it, `redis:7` that one.
    Image(String),
    Project(String),
}

/// Narrows a target to those that answer a question in a certain way, asked when the step starts.
#[derive(Debug, Clone)]
pub struct Role {
    pub ask: Ask,
    /// Compared after trimming white space.
    pub equals: String,
    pub timeout: Duration,
}

#[derive(Debug, Clone)]
pub enum Ask {
    /// `{address}`, `{name}` and `{service}` are the candidate's.
    Http { url: Template },
    /// Inside the candidate; its standard output is the answer.
    Exec { command: Vec<Template> },
}

#[derive(Debug, Clone, Copy, PartialEq)]
pub enum Pick {
    All,
    One,
    Count(usize),
    /// Of the matches, rounded up, from 0 to 1.
    Share(f64),
    /// The largest number that is less than half.
    Minority,
    /// The smallest number that is more than half.
    Majority,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum OnEmpty {
    /// The run is inconclusive.
    Error,
    /// The step is skipped, and the report says so.
    Skip,
}

#[derive(Debug, Clone)]
pub struct Probe {
    pub name: String,
    pub rate: Rate,
    pub timeout: Duration,
    pub kind: ProbeKind,
}

#[derive(Debug, Clone)]
pub enum ProbeKind {
    Http(HttpProbe),
    Tcp(TcpProbe),
    Exec(ExecProbe),
    Container(ContainerProbe),
}

impl ProbeKind {
    /// Its key in a scenario.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Http(_) => "http",
            Self::Tcp(_) => "tcp",
            Self::Exec(_) => "exec",
            Self::Container(_) => "container",
        }
    }
}

#[derive(Debug, Clone)]
pub struct HttpProbe {
    /// Upper case.
    pub method: String,
    pub url: Template,
    pub headers: Vec<(String, Template)>,
    pub body: Option<Template>,
    pub expect: HttpExpect,
}

#[derive(Debug, Clone, Default)]
pub struct HttpExpect {
    /// Empty: any 2xx.
    pub status: Vec<u16>,
    /// The body holds this text.
    pub body: Option<Template>,
    /// JSON pointer (RFC 6901) → the value found there, written as JSON or as a bare string.
    pub json: Vec<(String, String)>,
    /// Header name in lower case → exact value.
    pub header: Vec<(String, Template)>,
}

#[derive(Debug, Clone)]
pub struct TcpProbe {
    /// `host:port`.
    pub address: Template,
    pub send: Option<Template>,
    /// The answer starts with these bytes; without it a connection is enough.
    pub expect: Option<Template>,
}

#[derive(Debug, Clone)]
pub struct ExecProbe {
    pub command: Vec<Template>,
    /// The target in which it runs (any one running instance); without it, this host.
    pub within: Option<String>,
    pub exit: i64,
    /// Standard output holds this text.
    pub stdout: Option<Template>,
}

/// The state of a target's containers, as the engine says it.
#[derive(Debug, Clone)]
pub struct ContainerProbe {
    pub target: String,
    pub state: Option<ExpectedState>,
    pub health: Option<ExpectedHealth>,
    /// At least so many are as expected; without it, all of them.
    pub replicas: Option<usize>,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedState {
    Running,
    Paused,
    Exited,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ExpectedHealth {
    Healthy,
    Unhealthy,
}

/// A promise: recorded whole in the history, so that a verdict can be given again from it alone.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Slo {
    pub probe: String,
    pub during: Window,
    pub objective: Objective,
    /// Where it stands in the scenario, from 1.
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Window {
    Baseline,
    /// From the first injection to the last revert.
    Fault,
    Recovery,
    /// From the start of the baseline to the end of the recovery.
    All,
    /// From a step's injection until the next step that starts after its revert, or the end of the run.
    Step(String),
}

/// `>= 95%` of the metric `success`. One `[[slos]]` table with several metrics becomes several of these.
#[derive(Debug, Clone, Copy, PartialEq, Serialize, Deserialize)]
pub struct Objective {
    pub metric: Metric,
    pub relation: Relation,
    /// In the metric's unit, see [`Metric`].
    pub value: f64,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Metric {
    /// Share of good samples, 0 to 1.
    Success,
    /// Latency percentiles and maximum, in milliseconds from the due time, over every sample, good or bad (see
    /// `verdict::percentile` for what bad ones mean for a limit).
    P50,
    P90,
    P95,
    P99,
    P999,
    Max,
    /// Good samples per second.
    Throughput,
    /// The longest unbroken bad stretch, in milliseconds.
    Outage,
    /// From the injection until the probe stays good, in milliseconds. In a window of several steps: the slowest of them.
    Recovery,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq, Serialize, Deserialize)]
pub enum Relation {
    #[serde(rename = ">=")]
    AtLeast,
    #[serde(rename = ">")]
    MoreThan,
    #[serde(rename = "<=")]
    AtMost,
    #[serde(rename = "<")]
    LessThan,
}

/// Stops the run when its objective *holds* (`success = "< 20%"`) over the last `over`.
#[derive(Debug, Clone, PartialEq, Serialize, Deserialize)]
pub struct Guard {
    pub probe: String,
    /// `success`, a percentile, `max` or `throughput`.
    pub trips: Objective,
    pub over: Duration,
}

#[derive(Debug, Clone)]
pub struct Step {
    pub name: String,
    pub trigger: Trigger,
    /// How long the fault lasts; `None`: the fault's own default ([`Fault::default_hold`]).
    pub hold: Option<Duration>,
    pub fault: Fault,
    /// Of its name, for annotations.
    pub line: usize,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Trigger {
    /// After the end of the baseline.
    At(Duration),
    /// As soon as that step is reverted.
    After(String),
    /// Once a probe has been steady so long, or the run is inconclusive.
    Steady {
        probe: String,
        steady: Duration,
        within: Duration,
    },
}

/// The blast radius: exceeding it stops the run before anything is done.
#[derive(Debug, Clone, Default, PartialEq)]
pub struct Limits {
    /// So many containers at most are hit by the whole run.
    pub max_targets: Option<usize>,
    /// So large a share of the system's containers at most is hit by the whole run, from 0 to 1.
    pub max_percent: Option<f64>,
    /// So many running containers of each service must be left untouched at any time.
    pub keep_running: Option<usize>,
    /// Labels (`key` or `key=value`) that are never touched.
    pub never: Vec<String>,
}
