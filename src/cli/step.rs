//! `--step`: a run steered from standard input, a line a command, at a terminal and through a pipe alike.

use std::sync::Arc;

use indicatif::MultiProgress;
use tokio::io::{AsyncBufReadExt, BufReader, Lines, Stdin, stdin};
use tokio::sync::Mutex;
use tokio::task::JoinSet;

use super::term;
use crate::engine::control::{Command, Controls, Standing};
use crate::report::plain;

const BY: &str = "terminal";

const HELP: &str = "Enter starts the next step, h holds or releases the timeline, r reverts every fault, \
    a REASON aborts, n TEXT notes, ? shows this";

/// Standard input, which the runs of one call follow one after the other.
pub(super) struct Keyboard {
    lines: Arc<Mutex<Lines<BufReader<Stdin>>>>,
}

/// Reads for one run, until dropped.
pub(super) struct Typing {
    _tasks: JoinSet<()>,
}

#[derive(Clone)]
struct Screen(Option<MultiProgress>);

#[derive(Debug, PartialEq, Eq)]
enum Line {
    Order(Command),
    Help,
}

impl Keyboard {
    pub(super) fn new() -> Self {
        Self {
            lines: Arc::new(Mutex::new(BufReader::new(stdin()).lines())),
        }
    }

    /// Steers this run. With `alone`, nobody else does: where the input ends, no step would ever begin.
    pub(super) fn follow(
        &self,
        controls: Controls,
        screen: Option<MultiProgress>,
        alone: bool,
    ) -> Typing {
        let screen = Screen(screen);
        let lines = Arc::clone(&self.lines);
        let mut tasks = JoinSet::new();
        tasks.spawn(prompt(controls.clone(), screen.clone()));
        tasks.spawn(async move {
            let mut lines = lines.lock().await;
            while let Ok(Some(line)) = lines.next_line().await {
                obey(&controls, &screen, &line).await;
            }
            if alone {
                input_ended(&controls).await;
            }
        });
        Typing { _tasks: tasks }
    }
}

/// Says what begins next, whenever that can be started.
async fn prompt(controls: Controls, screen: Screen) {
    screen.say(HELP);
    let mut standing = controls.standing();
    let mut told = None;
    loop {
        let next = prompted(&standing.borrow_and_update());
        if next != told {
            if let Some(text) = &next {
                screen.say(text);
            }
            told = next;
        }
        if standing.changed().await.is_err() {
            return;
        }
    }
}

fn prompted(standing: &Standing) -> Option<String> {
    let next = standing.next.as_ref()?;
    let can_start = standing.held && standing.refused.start.is_none();
    can_start.then(|| {
        format!(
            "next: {} ({} on {}); Enter starts it",
            next.step, next.fault, next.target
        )
    })
}

async fn obey(controls: &Controls, screen: &Screen, line: &str) {
    let standing = controls.standing().borrow().clone();
    let answer = match parse(line, &standing) {
        Ok(Line::Help) => Ok(HELP.into()),
        Ok(Line::Order(command)) => controls.give(BY, command).await,
        Err(why) => Err(why),
    };
    match answer {
        Ok(done) => screen.say(&done),
        Err(why) => screen.say(&format!("not done: {why}")),
    }
}

async fn input_ended(controls: &Controls) {
    let standing = controls.standing().borrow().clone();
    if standing.held && (standing.phase.is_none() || standing.next.is_some()) {
        let why = "standard input ended, and steps were waiting to be started".into();
        // Refused only where the run is ending anyway.
        let _ending = controls.give(BY, Command::Abort { why }).await;
    }
}

fn parse(line: &str, standing: &Standing) -> Result<Line, String> {
    let line = line.trim();
    let (word, rest) = line.split_once(char::is_whitespace).unwrap_or((line, ""));
    Ok(Line::Order(match word {
        "" => Command::Start {
            // What was shown, and not what has become the next one meanwhile.
            step: standing.next.as_ref().map(|next| next.step.clone()),
        },
        "h" if standing.held => Command::Release,
        "h" => Command::Hold,
        "r" => Command::Revert,
        "a" if rest.is_empty() => Command::Abort {
            why: "no reason was given".into(),
        },
        "a" => Command::Abort { why: rest.into() },
        "n" => Command::Note { text: rest.into() },
        "?" => return Ok(Line::Help),
        _ => return Err(format!("{word} is no command: {HELP}")),
    }))
}

impl Screen {
    fn say(&self, text: &str) {
        let text = plain(text);
        match &self.0 {
            // A lost standard error is no reason to stop a run.
            Some(screen) => screen.println(text).unwrap_or_default(),
            None => term::say(&text),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::control::{Refused, Upcoming};

    fn standing(held: bool) -> Standing {
        Standing {
            held,
            next: Some(Upcoming {
                step: "kill".into(),
                fault: "kill".into(),
                target: "primary".into(),
                due: None,
            }),
            ..Standing::default()
        }
    }

    fn order(line: &str, held: bool) -> Command {
        match parse(line, &standing(held)).unwrap() {
            Line::Order(command) => command,
            Line::Help => panic!("{line} asks for help"),
        }
    }

    #[test]
    fn a_line_is_a_command() {
        let step = Some("kill".into());
        assert_eq!(order("", true), Command::Start { step });
        assert_eq!(order("h", true), Command::Release);
        assert_eq!(order(" h ", false), Command::Hold);
        assert_eq!(order("r", false), Command::Revert);
        let why = "too  loud".into();
        assert_eq!(order("a too  loud", false), Command::Abort { why });
        let why = "no reason was given".into();
        assert_eq!(order("a", false), Command::Abort { why });
        let text = "pager rang".into();
        assert_eq!(order("n pager rang", false), Command::Note { text });
        assert_eq!(parse("?", &standing(true)), Ok(Line::Help));
    }

    #[test]
    fn what_is_no_command_is_told() {
        for line in ["x", "hold", "\u{1b}[2J", "nothing to note"] {
            let why = parse(line, &standing(true)).unwrap_err();
            assert!(why.contains("is no command: Enter starts"), "{why}");
        }
    }

    #[test]
    fn only_what_can_be_started_is_announced() {
        let announced = prompted(&standing(true)).unwrap();
        assert_eq!(announced, "next: kill (kill on primary); Enter starts it");
        assert_eq!(prompted(&standing(false)), None);
        let early = Standing {
            refused: Refused {
                start: Some("the baseline comes first".into()),
                ..Refused::default()
            },
            ..standing(true)
        };
        assert_eq!(prompted(&early), None);
    }
}
