//! The rows at the bottom of a terminal: how many are back, the first that run, the last that failed.

use std::collections::{BTreeMap, HashSet, VecDeque};
use std::time::Duration;

use indicatif::{MultiProgress, ProgressBar, ProgressDrawTarget, ProgressStyle};

use super::tally::Counts;
use crate::diagnostic::visible;
use crate::state::Event;

/// Rows for what runs: the first to have begun, which are those to worry about.
const RUNNING: usize = 8;
/// Rows for what has failed: the last.
const FAILED: usize = 3;

pub(super) struct ProgressView {
    rows: MultiProgress,
    summary: ProgressBar,
    /// Those that run and have a row.
    shown: BTreeMap<String, ProgressBar>,
    /// Those that run and have none, the first to have begun in front, and when that was on the summary's watch.
    waiting: VecDeque<(String, Duration)>,
    /// Those among them that have ended meanwhile: taken out when it would be their turn, as there may be thousands.
    ended: HashSet<String>,
    failed: VecDeque<ProgressBar>,
}

impl ProgressView {
    pub(super) fn new(total: usize) -> Self {
        let rows = MultiProgress::with_draw_target(ProgressDrawTarget::stderr());
        let summary = rows.add(ProgressBar::new(total as u64));
        summary.set_style(style(
            "{bar:24.cyan/blue} {pos}/{len} restored  {elapsed}  {wide_msg}",
        ));
        // So that the time goes on while nothing happens.
        summary.enable_steady_tick(Duration::from_millis(250));
        Self {
            rows,
            summary,
            shown: BTreeMap::new(),
            waiting: VecDeque::new(),
            ended: HashSet::new(),
            failed: VecDeque::new(),
        }
    }

    pub(super) fn finish(&self) {
        for row in self.shown.values().chain(&self.failed) {
            row.finish_and_clear();
        }
        self.summary.finish_and_clear();
    }

    /// A line above the rows, which stays.
    pub(super) fn line(&self, text: &str) {
        // Nobody is left to tell where this fails.
        let _ = self.rows.println(text);
    }

    pub(super) fn count(&self, tally: &Counts) {
        self.summary.set_position(tally.completed as u64);
        self.summary
            .set_message(match self.waiting.len() - self.ended.len() {
                0 => tally.rest(),
                more => format!("{} ({more} not shown)", tally.rest()),
            });
    }

    pub(super) fn take(&mut self, event: &Event, verbose: bool) {
        match event {
            Event::Accepted { restore, .. } | Event::Adopted { restore, .. } => self.start(restore),
            Event::Completed { restore, .. } | Event::Overdue { restore } => self.end(restore),
            Event::Failed { restore, .. } => {
                self.end(restore);
                self.fail(event, verbose);
            }
            Event::Refused { .. } | Event::Rejected { .. } => self.fail(event, verbose),
            Event::StatusChanged { restore, status } => {
                if let Some(row) = self.shown.get(restore) {
                    row.set_message(visible(&format!("{restore}  {status}")).into_owned());
                }
            }
            _ => {}
        }
    }

    pub(super) fn start(&mut self, restore: &str) {
        let now = self.summary.elapsed();
        if self.shown.len() < RUNNING {
            self.show(restore, Duration::ZERO);
        } else {
            self.waiting.push_back((restore.to_owned(), now));
        }
    }

    fn show(&mut self, restore: &str, since: Duration) {
        let below = self.rows.insert(
            1 + self.shown.len(),
            ProgressBar::no_length().with_elapsed(since),
        );
        below.set_style(style("  {elapsed_precise}  {wide_msg}"));
        below.set_message(visible(restore).into_owned());
        below.enable_steady_tick(Duration::from_secs(1));
        self.shown.insert(restore.to_owned(), below);
    }

    fn end(&mut self, restore: &str) {
        let Some(row) = self.shown.remove(restore) else {
            self.ended.insert(restore.to_owned());
            return;
        };
        row.finish_and_clear();
        self.rows.remove(&row);
        while let Some((next, began)) = self.waiting.pop_front() {
            if self.ended.remove(&next) {
                continue;
            }
            let now = self.summary.elapsed();
            self.show(&next, now.saturating_sub(began));
            return;
        }
    }

    fn fail(&mut self, event: &Event, verbose: bool) {
        let Some(words) = super::words::words(event, verbose) else {
            return;
        };
        if self.failed.len() == FAILED
            && let Some(oldest) = self.failed.pop_front()
        {
            oldest.finish_and_clear();
            self.rows.remove(&oldest);
        }
        let row = self.rows.add(ProgressBar::no_length());
        row.set_style(style("  {wide_msg:.red}"));
        row.set_message(visible(&words).into_owned());
        self.failed.push_back(row);
    }
}

/// A constant that is known to parse; the default look otherwise.
fn style(template: &str) -> ProgressStyle {
    ProgressStyle::with_template(template).unwrap_or_else(|_| ProgressStyle::default_spinner())
}
