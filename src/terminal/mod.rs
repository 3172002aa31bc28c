//! The screen: a consumer of events that knows nothing else.
//!
//! A run of few restores is told event by event. Of many, what went wrong is told at once, and the rest is counted: in
//! the rows of a terminal, or in a line now and then where there is none.

mod board;
mod counter;
mod tally;
mod words;

pub use counter::Counter;

use std::io::Write;

use crate::diagnostic::visible;
use crate::execute::Observer;
use crate::state::{Event, Recorded};
use board::ProgressView;
use tally::{Counts, Throttle};

/// Up to so many restores, every event has its line.
const FEW: usize = 50;

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A bar and what runs, with a line above for everything that matters.
    Bar,
    /// A line for everything that matters.
    Lines,
    /// Nothing.
    None,
}

/// A run as it stands when the screen begins.
#[derive(Clone, Debug, Default)]
pub struct InitialState {
    /// How many restores the run has.
    pub total: usize,
    /// How many of them have been completed before.
    pub completed: usize,
    /// The names of those that an earlier runner started.
    pub running: Vec<String>,
    /// How many requests an earlier runner sent without seeing the answer.
    pub unanswered: usize,
}

/// Standard error while a run goes on.
pub struct Screen {
    style: Style,
    verbose: bool,
    is_large: bool,
    tally: Counts,
    pace: Throttle,
    board: Option<ProgressView>,
    has_header: bool,
    out: anstream::AutoStream<std::io::Stderr>,
}

impl Screen {
    /// For a run that stands somewhere.
    #[must_use]
    pub fn new(style: Style, verbose: bool, standing: &InitialState) -> Self {
        let tally = Counts::new(standing);
        let mut board = (style == Style::Bar).then(|| ProgressView::new(standing.total));
        if let Some(board) = &mut board {
            for name in &standing.running {
                board.start(name);
            }
            board.count(&tally);
        }
        Self {
            style,
            verbose,
            is_large: standing.total > FEW,
            tally,
            pace: Throttle::default(),
            board,
            has_header: false,
            out: anstream::stderr(),
        }
    }

    /// Says whose run this is and where, before AWS is asked anything that may take its time. It is not said again when it is
    /// recorded.
    pub fn head(&mut self, opened: &Recorded) {
        if let Some(words) = words::words(&opened.event, self.verbose) {
            self.line(opened, &words);
            self.has_header = true;
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        if let Some(board) = &self.board {
            board.finish();
        }
    }

    /// Whether anything goes on at AWS, or may: jobs, and requests without an answer.
    #[must_use]
    pub fn goes_on(&self) -> bool {
        self.tally.goes_on()
    }

    fn line(&mut self, recorded: &Recorded, words: &str) {
        let text = format!("{}  {}", recorded.at.strftime("%H:%M:%S"), visible(words));
        match (&self.board, self.style) {
            (Some(board), _) => board.line(&text),
            (None, Style::Lines) => {
                // Nobody is left to tell where this fails.
                let _ = writeln!(self.out, "{text}");
            }
            (None, _) => {}
        }
    }
}

impl Observer for Screen {
    fn observe(&mut self, recorded: &Recorded) {
        let event = &recorded.event;
        self.tally.take(event);
        if let Some(board) = &mut self.board {
            board.take(event, self.verbose);
            board.count(&self.tally);
        }
        let counted = self.is_large && !self.verbose && is_usual(event);
        let is_said = self.has_header && matches!(event, Event::RunOpened { .. });
        let words = match event {
            Event::Draining if !self.tally.goes_on() => Some(words::IDLE.to_owned()),
            _ => words::words(event, self.verbose),
        };
        if !counted
            && !is_said
            && let Some(words) = words
        {
            self.line(recorded, &words);
        }
        let ends = matches!(event, Event::Detached | Event::RunEnded);
        if self.is_large && self.style == Style::Lines && self.pace.is_time(recorded.at, ends) {
            let words = self.tally.to_string();
            self.line(recorded, &words);
        }
    }
}

/// What is expected of a run, restore by restore.
fn is_usual(event: &Event) -> bool {
    matches!(
        event,
        Event::Accepted { .. } | Event::Completed { message: None, .. } | Event::Skipped { .. }
    ) || matches!(event, Event::StatusChanged { status, .. } if words::is_known(status))
}
