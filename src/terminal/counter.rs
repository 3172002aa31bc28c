//! Progress of what is counted: a bar on a terminal, a line now and then elsewhere.

use std::io::Write;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::Style;
use super::machine::{MessageLevel, count_line, message_line};
use crate::backup::{Clock as _, SystemClock};
use crate::diagnostic::visible;

/// Things between two lines.
const LINE_EVERY: usize = 1000;

/// Standard error while many things are asked about.
pub struct Counter {
    style: Style,
    what: &'static str,
    bar: ProgressBar,
    done: usize,
    total: usize,
    out: anstream::AutoStream<std::io::Stderr>,
}

impl Counter {
    /// For so many of `what`, once that is known.
    #[must_use]
    pub fn new(style: Style, what: &'static str) -> Self {
        let bar = match style {
            Style::Bar => ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr()),
            _ => ProgressBar::hidden(),
        };
        // A constant that is known to parse; the default style otherwise.
        if let Ok(look) = ProgressStyle::with_template(
            "{bar:32.cyan/blue} {pos}/{len} {msg}  {elapsed}, {eta} to go",
        ) {
            bar.set_style(look);
        }
        bar.set_message(what);
        Self {
            style,
            what,
            bar,
            done: 0,
            total: 0,
            out: anstream::stderr(),
        }
    }

    /// So many more will be done.
    pub fn more(&mut self, count: usize) {
        self.total += count;
        self.bar.set_length(self.total as u64);
        if self.style == Style::Bar {
            self.bar.enable_steady_tick(Duration::from_millis(250));
        }
    }

    /// One is done.
    pub fn one(&mut self) {
        self.done += 1;
        self.bar.inc(1);
        if !self.done.is_multiple_of(LINE_EVERY) {
            return;
        }
        match self.style {
            Style::Lines => self.line(&format!("{} of {} {}", self.done, self.total, self.what)),
            Style::Json => {
                let now = SystemClock.now();
                self.raw(&count_line(now, self.what, self.done, self.total));
            }
            Style::Bar | Style::None => {}
        }
    }

    fn raw(&mut self, line: &str) {
        // Nobody is left to tell where this fails.
        let _ = writeln!(self.out, "{line}");
    }

    /// Something to say meanwhile.
    pub fn line(&mut self, text: &str) {
        let text = visible(text);
        match self.style {
            Style::Bar => self.bar.println(&*text),
            Style::Lines => self.raw(&text),
            Style::Json => self.raw(&message_line(SystemClock.now(), MessageLevel::Note, &text)),
            Style::None => {}
        }
    }

    /// Takes the bar away.
    pub fn finish(&self) {
        self.bar.finish_and_clear();
    }
}
