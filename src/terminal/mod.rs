//! The screen: a consumer of events that knows nothing else.

mod counter;
mod words;

pub use counter::Counter;

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use crate::execute::{Event, Observer, Recorded};

/// How progress is shown.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Style {
    /// A bar, with a line above it for everything that matters.
    Bar,
    /// A line for everything that matters.
    Lines,
    /// Nothing.
    None,
}

/// Standard error while a run goes on.
pub struct Screen {
    style: Style,
    verbose: bool,
    bar: ProgressBar,
    running: usize,
    completed: usize,
    failed: usize,
    out: anstream::AutoStream<std::io::Stderr>,
}

impl Screen {
    /// For a run of `total` restores, of which `completed` have been before.
    #[must_use]
    pub fn new(style: Style, verbose: bool, total: usize, completed: usize) -> Self {
        let bar = ProgressBar::with_draw_target(
            Some(total as u64),
            if style == Style::Bar {
                ProgressDrawTarget::stderr()
            } else {
                ProgressDrawTarget::hidden()
            },
        );
        // A constant that is known to parse; the default style otherwise.
        if let Ok(look) = ProgressStyle::with_template(
            "{bar:32.cyan/blue} {pos}/{len} restored  {msg}  {elapsed}",
        ) {
            bar.set_style(look);
        }
        bar.set_position(completed as u64);
        if style == Style::Bar {
            // So that the time goes on while nothing happens.
            bar.enable_steady_tick(Duration::from_millis(250));
        }
        Self {
            style,
            verbose,
            bar,
            running: 0,
            completed,
            failed: 0,
            out: anstream::stderr(),
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }

    fn line(&mut self, text: &str) {
        match self.style {
            Style::Bar => self.bar.println(text),
            Style::Lines => {
                // Nobody is left to tell where this fails.
                let _ = writeln!(self.out, "{text}");
            }
            Style::None => {}
        }
    }
}

impl Observer for Screen {
    fn observe(&mut self, recorded: &Recorded) {
        match &recorded.event {
            Event::Accepted { .. } | Event::Adopted { .. } => self.running += 1,
            Event::Completed { .. } => {
                self.running = self.running.saturating_sub(1);
                self.completed += 1;
            }
            Event::Failed { .. } => {
                self.running = self.running.saturating_sub(1);
                self.failed += 1;
            }
            Event::Refused { .. } | Event::Rejected { .. } => self.failed += 1,
            _ => {}
        }
        self.bar.set_position(self.completed as u64);
        let failed = match self.failed {
            0 => String::new(),
            failed => format!(", {failed} failed"),
        };
        self.bar
            .set_message(format!("{} running{failed}", self.running));
        if let Some(words) = words::words(&recorded.event, self.verbose) {
            let time = recorded.at.strftime("%H:%M:%S");
            self.line(&format!("{time}  {words}"));
        }
    }
}
