//! Live progress on standard error: a few lines that are redrawn on a terminal, one line an event elsewhere, and only
//! problems when quiet.

mod lines;
mod strip;
mod view;

use std::io::{IsTerminal, Write, stderr};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::engine::Observer;
use crate::history::{Entry, Event};
use crate::probe::Pulse;
use crate::report::plain;
use lines::{Line, Tone};
use view::View;

/// Events of containers beyond these are in the history only.
const MOST_CONTAINER_EVENTS: usize = 100;

/// How much is told.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) enum Volume {
    /// Problems only.
    Quiet,
    Usual,
    /// Also what a run is made of, and what went as it should.
    Verbose,
}

pub(super) struct Live {
    view: View,
    /// Only heeded on a terminal.
    color: bool,
    volume: Volume,
    /// In columns.
    width: usize,
    container_events: usize,
    out: Out,
}

enum Out {
    Lines(Box<dyn Write + Send>),
    Redrawn {
        screen: MultiProgress,
        bars: Vec<ProgressBar>,
    },
}

impl Live {
    /// On standard error, whatever that is.
    pub(super) fn new(color: bool, volume: Volume, width: usize) -> Self {
        let out = if stderr().is_terminal() && volume != Volume::Quiet {
            let target = ProgressDrawTarget::stderr_with_hz(10);
            Out::Redrawn {
                screen: MultiProgress::with_draw_target(target),
                bars: Vec::new(),
            }
        } else {
            Out::Lines(Box::new(stderr()))
        };
        Self::to(out, color, volume, width)
    }

    /// Where others may print while this is redrawn.
    pub(super) fn screen(&self) -> Option<MultiProgress> {
        match &self.out {
            Out::Lines(_) => None,
            Out::Redrawn { screen, .. } => Some(screen.clone()),
        }
    }

    fn to(out: Out, color: bool, volume: Volume, width: usize) -> Self {
        Self {
            view: View::default(),
            color,
            volume,
            width,
            container_events: 0,
            out,
        }
    }

    /// Leaves the lines and takes away what is redrawn.
    fn finish(&mut self) {
        if let Out::Redrawn { screen, bars } = &mut self.out {
            bars.drain(..).for_each(|bar| bar.finish_and_clear());
            screen.clear().unwrap_or_default();
        }
    }

    fn is_crowded(&mut self, event: &Event) -> bool {
        let counts = matches!(event, Event::Container { .. } | Event::Role(_));
        self.container_events += usize::from(counts);
        counts && self.container_events > MOST_CONTAINER_EVENTS
    }

    /// A lost standard error is no reason to stop a run.
    fn print(&mut self, at: u64, line: &Line) {
        let time = crate::units::format_duration(Duration::from_millis(at / 1_000));
        let text = format!("{:>9}  {}", format!("+{time}"), plain(&line.text));
        match &mut self.out {
            Out::Lines(writer) => writeln!(writer, "{text}").unwrap_or_default(),
            Out::Redrawn { screen, .. } => {
                let text = line
                    .tone
                    .paint(&lines::wrapped(&text, self.width), self.color);
                screen.println(text).unwrap_or_default();
            }
        }
    }

    fn redraw(&mut self) {
        let Out::Redrawn { screen, bars } = &mut self.out else {
            return;
        };
        let lines = self.view.lines(self.width, self.color);
        while bars.len() < lines.len() {
            let style = ProgressStyle::with_template("{msg}")
                .unwrap_or_else(|_| ProgressStyle::default_spinner());
            bars.push(screen.add(ProgressBar::new_spinner().with_style(style)));
        }
        for (bar, line) in bars.iter().zip(lines) {
            bar.set_message(line);
        }
    }
}

impl Observer for Live {
    fn entry(&mut self, entry: &Entry) {
        self.view.entry(entry);
        let crowded = self.is_crowded(&entry.event);
        let mut told = lines::of(&entry.event, self.view.timing());
        if self.volume == Volume::Verbose {
            told.extend(lines::more(&entry.event));
        }
        for line in told {
            if !crowded && (self.volume != Volume::Quiet || line.tone == Tone::Problem) {
                self.print(entry.at, &line);
            }
        }
        self.redraw();
    }

    fn pulse(&mut self, probe: &str, pulse: &Pulse) {
        self.view.pulse(probe, pulse);
        self.redraw();
    }
}

impl Drop for Live {
    fn drop(&mut self) {
        self.finish();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::{Arc, Mutex};

    use super::*;
    use crate::action::Subject;
    use crate::history::{Impediment, Phase};

    #[derive(Clone, Default)]
    struct Shared(Arc<Mutex<Vec<u8>>>);

    impl Write for Shared {
        fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
            self.0.lock().unwrap().extend_from_slice(bytes);
            Ok(bytes.len())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }

    fn shown(volume: Volume, events: &[(u64, Event)]) -> String {
        let written = Shared::default();
        let out = Out::Lines(Box::new(written.clone()));
        let mut live = Live::to(out, true, volume, 80);
        let start = Event::Started(Box::new(view::tests::header()));
        live.entry(&Entry {
            at: 0,
            event: start,
        });
        for (at, event) in events {
            live.entry(&Entry {
                at: *at,
                event: event.clone(),
            });
        }
        drop(live);
        let bytes = written.0.lock().unwrap().clone();
        String::from_utf8(bytes).unwrap()
    }

    fn some_events() -> Vec<(u64, Event)> {
        vec![
            (
                2_000,
                Event::Phase {
                    phase: Phase::Baseline,
                },
            ),
            (
                10_003_000,
                Event::Injecting {
                    step: "kill".into(),
                    instances: vec![subject("node\u{1b}[2J-2")],
                },
            ),
            (
                11_000_000,
                Event::Impeded {
                    what: Impediment::Fault,
                    why: "no such container".into(),
                },
            ),
        ]
    }

    fn subject(name: &str) -> Subject {
        Subject {
            id: "1".into(),
            name: name.into(),
        }
    }

    #[test]
    fn without_a_terminal_there_is_a_line_an_event_and_no_escape() {
        assert_eq!(
            shown(Volume::Usual, &some_events()),
            "      +0s  kill-primary, seed 42, run r\n     +2ms  baseline (10s)\n +10.003s  kill: injecting into node\\u{1b}[2J-2\n     +11s  no such container\n"
        );
    }

    #[test]
    fn quiet_is_about_problems() {
        assert_eq!(
            shown(Volume::Quiet, &some_events()),
            "     +11s  no such container\n"
        );
    }

    #[test]
    fn verbose_tells_what_the_run_is_made_of_and_what_went_well() {
        let undoing = Event::Reverting {
            step: "kill".into(),
        };
        let gone = Event::TornDown {
            proof: crate::history::Proof {
                holds: true,
                evidence: "3 containers are gone".into(),
            },
        };
        let events = [(11_000_000, undoing), (12_000_000, gone)];
        assert_eq!(
            shown(Volume::Verbose, &events),
            "      +0s  kill-primary, seed 42, run r\n      +0s  probe write: http, 50/s, given up after 1s\n      +0s  step kill: kill on primary, for 5s\n     +11s  kill: undoing\n     +12s  taken down: 3 containers are gone\n"
        );
        assert_eq!(shown(Volume::Usual, &events).lines().count(), 1);
    }

    #[test]
    fn a_crowd_of_container_events_is_cut() {
        let event = Event::Container {
            subject: subject("node-2"),
            what: "die".into(),
        };
        let events = vec![(1_000, event); 300];
        let lines = shown(Volume::Usual, &events).lines().count();
        assert_eq!(lines, 1 + MOST_CONTAINER_EVENTS);
    }
}
