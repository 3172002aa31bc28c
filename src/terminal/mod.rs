//! The screen: a consumer of events that knows nothing else.
//!
//! A run of few restores is told event by event. Of many, what went wrong is told at once, and the rest is counted: in
//! the rows of a terminal, or in a line now and then where there is none.

mod board;
mod counter;
mod display;
mod machine;
mod tally;
mod words;

pub use counter::Counter;
pub use display::Speaker;
pub use machine::{MessageLevel, message_line};

use std::borrow::Cow;
use std::collections::HashMap;
use std::io::Write;
use std::sync::Arc;

use jiff::{SignedDuration, Timestamp};

use crate::backup::{console_job, console_resource};
use crate::diagnostic::{LocalTime, visible};
use crate::execute::Observer;
use crate::ids::{Indexed, RegionName, RestoreName, StepIndex};
use crate::state::{Event, Recorded};
use board::Board;
use display::Display;
pub use tally::Counts;
use tally::Throttle;

/// Up to so many restores, every event has its line.
const FEW: usize = 50;

/// Style in which progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// Current activity at the bottom, with a line above for everything that matters.
    Bar,
    /// A line for everything that matters.
    Lines,
    /// A JSON line for every event, for programs.
    Json,
    /// Nothing.
    None,
}

/// Look of the screen.
#[derive(Clone)]
pub struct Look {
    /// Style in which progress is shown.
    pub style: Style,
    /// Every change of a job's status has its line.
    pub verbose: bool,
    /// Times as people read them.
    pub clock: LocalTime,
    /// Source of the current time.
    pub now: Now,
    /// True if rows have colours.
    pub is_coloured: bool,
    /// True if jobs and resources are links to the AWS console: on a terminal that takes them, for a run at AWS.
    pub is_linked: bool,
    /// Output for others meanwhile.
    pub speaker: Speaker,
}

/// Source of the time while nothing happens.
#[derive(Clone, Copy, Debug)]
pub enum Now {
    /// A clock says so.
    Clock(fn() -> Timestamp),
    /// Time of the last event: time is simulated, and lines show how much of it has passed.
    Simulated,
}

/// A run as it is when the screen begins.
#[derive(Clone, Debug, Default)]
pub struct InitialState {
    /// Time at which this runner began.
    pub at: Timestamp,
    /// Number of restores at each stage.
    pub counts: Counts,
    /// In the plan's order, where they are shown.
    pub restores: Indexed<StepIndex, InitialRestore>,
    /// Their positions, needed ones before those that need them.
    pub order: Vec<StepIndex>,
    /// Number of restores of each lane that run at once.
    pub lanes: Vec<u32>,
    /// Number of all that run at once.
    pub at_once: u32,
    /// Somebody else starts them, and goes on when nobody watches.
    pub is_started_elsewhere: bool,
}

/// A restore as it is when the screen begins.
#[derive(Clone, Debug)]
pub struct InitialRestore {
    /// Its name.
    pub name: RestoreName,
    /// Restores that it waits for.
    pub needs: Arc<[StepIndex]>,
    /// Number of its checks that have not ended.
    pub checks: usize,
    /// Duration that is likely.
    pub expected: SignedDuration,
    /// The Region that it runs in.
    pub region: RegionName,
    /// The limit that it is under.
    pub lane: usize,
    /// Progress of the restore.
    pub stage: Stage,
}

/// Progress of a restore, for display.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing was sent.
    Waiting,
    /// A request was sent that has no answer.
    Sent,
    /// Has a job, since this time.
    Running(Timestamp),
    /// Restored, and its checks have not ended.
    Checking,
    /// Restored, and good.
    Done,
    /// Not good, and will not be in this run of redrill.
    Bad,
}

/// Standard error while a run goes on.
pub struct Screen {
    look: Look,
    is_large: bool,
    tally: Counts,
    pace: Throttle,
    display: Option<Display>,
    has_header: bool,
    began: Timestamp,
    is_started_elsewhere: bool,
    /// Region of each restore, if that makes a link.
    regions: HashMap<RestoreName, RegionName>,
    /// Time of the last line.
    last: Option<Timestamp>,
    out: anstream::AutoStream<std::io::Stderr>,
}

impl Screen {
    /// For a run that has come so far.
    #[must_use]
    pub fn new(look: Look, initial: InitialState) -> Self {
        let tally = initial.counts;
        let (is_large, began) = (tally.total > FEW, initial.at);
        let initial_elsewhere = initial.is_started_elsewhere;
        let restores = initial.restores.iter().filter(|_| look.is_linked);
        let region = |of: &InitialRestore| (of.name.clone(), of.region.clone());
        let regions = restores.map(region).collect();
        let display = (look.style == Style::Bar)
            .then(|| Display::new(Board::new(initial), tally, began, &look));
        Self {
            look,
            is_large,
            tally,
            pace: Throttle::default(),
            display,
            has_header: false,
            began,
            is_started_elsewhere: initial_elsewhere,
            regions,
            last: None,
            out: anstream::stderr(),
        }
    }

    /// Prints whose run this is and where, before AWS is asked anything that may take its time. It is not repeated when
    /// it is recorded.
    pub fn head(&mut self, opened: &Recorded) {
        if let Some(words) = words::words(&opened.event, self.look.verbose) {
            self.line(opened, &words);
            self.has_header = true;
        }
    }

    /// Takes the rows away.
    pub fn finish(&mut self) {
        if let Some(display) = &mut self.display {
            display.finish();
        }
    }

    /// Returns true if anything goes on at AWS, or may: jobs, and requests without an answer.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.tally.goes_on()
    }

    fn is_simulated(&self) -> bool {
        matches!(self.look.now, Now::Simulated)
    }

    fn line(&mut self, recorded: &Recorded, words: &str) {
        let at = recorded.at;
        let time = match self.look.now {
            Now::Clock(_) => self.look.clock.second(at, self.last),
            Now::Simulated => passed(at.duration_since(self.began)),
        };
        self.last = Some(at);
        let text = format!("{time}  {}", self.linked(visible(words), &recorded.event));
        match (&self.display, self.look.style) {
            (Some(display), _) => display.line(&text, time.len() + 2),
            (None, Style::Lines) => {
                // Nobody is left to tell where this fails.
                let _ = writeln!(self.out, "{text}");
            }
            (None, _) => {}
        }
    }
}

impl Screen {
    /// The same with the job, or what it made, as a link to its page.
    fn linked<'t>(&self, text: Cow<'t, str>, event: &Event) -> Cow<'t, str> {
        let (name, url) = match event {
            Event::Accepted {
                restore, job_id, ..
            }
            | Event::Adopted {
                restore, job_id, ..
            } => {
                let region = self.regions.get(restore.as_str());
                (
                    job_id.as_str(),
                    region.and_then(|region| console_job(region, job_id)),
                )
            }
            Event::Completed {
                created_resource_arn: Some(arn),
                ..
            } if self.look.is_linked => (arn.as_str(), console_resource(arn)),
            _ => return text,
        };
        match url {
            Some(url) if text.contains(name) => {
                let link = format!("\x1b]8;;{url}\x1b\\{name}\x1b]8;;\x1b\\");
                Cow::Owned(text.replacen(name, &link, 1))
            }
            _ => text,
        }
    }
}

impl Observer for Screen {
    fn observe(&mut self, recorded: &Recorded) {
        let event = &recorded.event;
        self.tally.take(event);
        if self.look.style == Style::Json {
            // Nobody is left to tell where this fails.
            let _ = writeln!(self.out, "{}", machine::event_line(recorded, self.tally));
            return;
        }
        let counted = self.is_large && !self.look.verbose && is_usual(event);
        let is_said = self.has_header && matches!(event, Event::RunOpened { .. });
        let words = match event {
            Event::Draining if self.is_started_elsewhere => Some(words::FOLLOWED.to_owned()),
            Event::Draining if !self.tally.goes_on() => Some(words::IDLE.to_owned()),
            Event::Draining if self.is_simulated() => Some(words::REHEARSED.to_owned()),
            // The end says what is kept.
            Event::Detached if self.is_simulated() => Some("stopped".to_owned()),
            _ if counted || is_said => None,
            _ => words::words(event, self.look.verbose),
        };
        if let Some(display) = &self.display {
            display.take(recorded, words.as_deref(), self.tally);
        }
        if let Some(words) = words {
            self.line(recorded, &words);
        }
        let ends = matches!(event, Event::Detached | Event::RunEnded);
        if self.is_large && self.look.style == Style::Lines && self.pace.is_time(recorded.at, ends)
        {
            let words = self.tally.to_string();
            self.line(recorded, &words);
        }
    }
}

/// Simulated time since the beginning: `+1:02:03`.
fn passed(since: SignedDuration) -> String {
    let seconds = since.as_secs().max(0);
    format!(
        "+{}:{:02}:{:02}",
        seconds / 3600,
        seconds / 60 % 60,
        seconds % 60
    )
}

/// Returns true if an event is expected of every restore of a run.
fn is_usual(event: &Event) -> bool {
    matches!(
        event,
        Event::Accepted { .. } | Event::Completed { message: None, .. } | Event::Skipped { .. }
    ) || matches!(event, Event::StatusChanged { status, .. } if words::is_known(status))
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;

    use super::*;
    use crate::ids::JobId;

    fn screen(is_linked: bool) -> Screen {
        let look = Look {
            style: Style::None,
            verbose: false,
            clock: LocalTime::new(TimeZone::UTC),
            now: Now::Simulated,
            is_coloured: false,
            is_linked,
            speaker: Speaker::default(),
        };
        let restore = InitialRestore {
            name: RestoreName::new("files"),
            needs: [].into(),
            checks: 0,
            expected: SignedDuration::ZERO,
            region: RegionName::new("us-west-2"),
            lane: 0,
            stage: Stage::Waiting,
        };
        let initial = InitialState {
            restores: vec![restore].into(),
            ..InitialState::default()
        };
        Screen::new(look, initial)
    }

    #[test]
    fn a_job_is_a_link_where_the_terminal_takes_one() {
        let event = Event::Accepted {
            restore: RestoreName::new("files"),
            job_id: JobId::new("A-1"),
            request_id: None,
        };
        let text = "files: started, job A-1";
        let linked = screen(true).linked(text.into(), &event).into_owned();
        let url = "https://us-west-2.console.aws.amazon.com/backup/home?region=us-west-2#/jobs/restore/details/A-1";
        let wanted = format!("files: started, job \x1b]8;;{url}\x1b\\A-1\x1b]8;;\x1b\\");
        assert_eq!(linked, wanted);
        // The text is as wide as without the link.
        assert_eq!(textwrap::core::display_width(&linked), text.len());
        assert_eq!(screen(false).linked(text.into(), &event), text);
    }
}
