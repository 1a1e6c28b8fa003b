//! What the page shows: the run's record folded as it grows, and drawn with the report's own sections.

use std::collections::BTreeMap;
use std::hash::{DefaultHasher, Hash as _, Hasher as _};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};

use serde::Serialize;
use tokio::sync::{Notify, mpsc, watch};
use tokio::time::sleep_until;

use super::standing::{self, Buttons};
use crate::clock::Clock;
use crate::engine::control::{Controls, Standing};
use crate::history::{Entry, Event, Record};
use crate::report::{html, plain};
use crate::units::Micros;
use crate::verdict;

/// Drawing happens once in this time, and takes one part in so many of it at most.
const EVERY: (Micros, u64) = (1_000_000, 20);

/// The same after something that a person has done, or waits for.
const SOON: (Micros, u64) = (100_000, 3);

pub(super) enum News {
    Begin {
        controls: Controls,
        clock: Clock,
        /// Set once something could not be told.
        lost: Arc<AtomicBool>,
    },
    Entry(Box<Entry>),
    Over(Box<Record>),
    GivenUp(String),
}

/// What was drawn last.
#[derive(Debug, Clone, Default)]
struct Drawn {
    /// By the id of its element: its version and its HTML.
    sections: BTreeMap<&'static str, (u64, Arc<str>)>,
    buttons: Buttons,
    /// The run that it is of; another one has other controls.
    controls: Option<Controls>,
}

/// The routes' side.
#[derive(Clone)]
pub(super) struct View {
    drawn: watch::Receiver<Arc<Drawn>>,
    wanted: Arc<Notify>,
}

/// The drawing side.
pub(super) struct Feed {
    drawn: watch::Sender<Arc<Drawn>>,
    wanted: Arc<Notify>,
    /// How long drawing takes is read from it.
    clock: Clock,
    run: Option<Run>,
    /// How the runs before it ended, in sentences.
    earlier: Vec<String>,
    said: Option<String>,
    drawn_at: Micros,
    cost: Micros,
    soon: bool,
}

struct Run {
    controls: Controls,
    standing: watch::Receiver<Standing>,
    clock: Clock,
    record: Record,
    lost: Arc<AtomicBool>,
    over: bool,
}

/// What is sent to a page.
#[derive(Serialize)]
struct Message<'a> {
    sections: BTreeMap<&'static str, &'a str>,
    buttons: &'a Buttons,
}

pub(super) fn channel() -> (View, Feed) {
    let (send, drawn) = watch::channel(Arc::default());
    let wanted = Arc::new(Notify::new());
    let view = View {
        drawn,
        wanted: Arc::clone(&wanted),
    };
    let feed = Feed {
        drawn: send,
        wanted,
        clock: Clock::start(),
        run: None,
        earlier: Vec::new(),
        said: None,
        drawn_at: 0,
        cost: 0,
        soon: true,
    };
    (view, feed)
}

impl View {
    pub(super) fn controls(&self) -> Option<Controls> {
        self.drawn.borrow().controls.clone()
    }

    /// Somebody looks now.
    pub(super) fn wake(&self) {
        self.wanted.notify_one();
    }

    /// Once there is something new; never, if there never will be.
    pub(super) async fn changed(&mut self) {
        if self.drawn.changed().await.is_err() {
            std::future::pending().await
        }
    }

    /// Whatever a page that has these sections does not have yet, as JSON.
    pub(super) fn news_for(&mut self, shown: &mut BTreeMap<&'static str, u64>) -> String {
        let drawn = Arc::clone(&self.drawn.borrow_and_update());
        let mut sections = BTreeMap::new();
        for (id, (version, html)) in &drawn.sections {
            if shown.insert(id, *version) != Some(*version) {
                sections.insert(*id, &**html);
            }
        }
        let buttons = &drawn.buttons;
        // Every key is a string: nothing in it can fail to be written.
        serde_json::to_string(&Message { sections, buttons }).unwrap_or_default()
    }
}

impl Run {
    /// For those that come after it.
    fn ended(self) -> String {
        let report = verdict::judge(&self.record);
        plain(&format!(
            "{}, seed {}: {}",
            report.scenario, report.seed, report.summary
        ))
    }
}

impl Feed {
    /// Until chaosrun ends.
    pub(super) async fn run(mut self, mut news: mpsc::Receiver<News>) {
        loop {
            let wanted = Arc::clone(&self.wanted);
            let (every, share) = if self.soon { SOON } else { EVERY };
            let due = self.drawn_at + every.max(self.cost * share);
            tokio::select! {
                biased;
                heard = news.recv() => match heard {
                    Some(heard) => self.soon |= self.hear(heard),
                    None => return self.draw(),
                },
                () = stands_elsewhere(&mut self.run) => self.draw_standing(),
                () = wanted.notified() => self.soon = true,
                () = sleep_until(self.clock.instant(due)) => self.draw(),
            }
        }
    }

    /// Is this to be seen soon?
    fn hear(&mut self, news: News) -> bool {
        match news {
            News::Begin {
                controls,
                clock,
                lost,
            } => {
                self.said = None;
                self.earlier.extend(self.run.take().map(Run::ended));
                self.run = Some(Run {
                    standing: controls.standing(),
                    controls,
                    clock,
                    record: Record::default(),
                    lost,
                    over: false,
                });
                true
            }
            News::Entry(entry) => {
                if let Some(run) = &mut self.run {
                    run.record.apply(&entry);
                }
                matches!(
                    entry.event,
                    Event::Note { .. } | Event::Steered { .. } | Event::Phase { .. }
                )
            }
            News::Over(record) => {
                if let Some(run) = &mut self.run {
                    run.record = *record;
                    run.over = true;
                }
                true
            }
            News::GivenUp(why) => {
                self.said = Some(why);
                self.run = None;
                true
            }
        }
    }

    /// Everything.
    fn draw(&mut self) {
        let began = self.clock.now();
        // Nobody is looking: not worth the time that the run could use.
        let watched = self.drawn.receiver_count() > 1;
        let drawn = |run: &&Run| run.record.header.is_some() && (watched || run.over);
        if let Some(run) = self.run.as_ref().filter(drawn) {
            let report = verdict::judge(&run.record);
            let [slos, timeline, steps, record] = html::sections(&run.record, &report);
            let head = standing::head(&run.record, run.over.then_some(&report), &self.earlier);
            self.publish([("head", head), slos, timeline, steps, record]);
        }
        self.draw_standing();
        self.drawn_at = self.clock.now();
        self.cost = self.drawn_at - began;
        self.soon = false;
    }

    /// What changes from moment to moment.
    fn draw_standing(&mut self) {
        let (buttons, now) = match &mut self.run {
            None => standing::none(self.said.as_deref()),
            Some(run) => {
                let standing = run.standing.borrow_and_update().clone();
                let buttons = Buttons::of(&standing, run.over);
                let at = run.clock.now();
                let lost = run.lost.load(Ordering::Relaxed) && !run.over;
                let now = standing::now(&run.record, &standing, at, run.over, lost);
                (buttons, now)
            }
        };
        let controls = self.run.as_ref().map(|run| run.controls.clone());
        self.publish([("now", now)]);
        self.drawn.send_modify(|drawn| {
            let drawn = Arc::make_mut(drawn);
            drawn.buttons = buttons;
            drawn.controls = controls;
        });
    }

    fn publish<const N: usize>(&self, sections: [(&'static str, String); N]) {
        self.drawn.send_if_modified(|drawn| {
            let drawn = Arc::make_mut(drawn);
            for (id, html) in sections {
                let mut hasher = DefaultHasher::new();
                html.hash(&mut hasher);
                drawn.sections.insert(id, (hasher.finish(), html.into()));
            }
            false
        });
    }
}

async fn stands_elsewhere(run: &mut Option<Run>) {
    let news = match run {
        None => None,
        Some(run) => run.standing.changed().await.ok(),
    };
    if news.is_none() {
        std::future::pending().await
    }
}
