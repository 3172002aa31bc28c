//! The rows of a board at the bottom of a terminal, drawn again four times a second.

use std::io::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::board::{Board, Size};
use super::tally::Counts;
use super::{Look, Now};
use crate::diagnostic::{LocalTime, fold};
use crate::state::Recorded;

/// How often the rows are drawn: so that the time goes on while nothing happens.
const TICK: Duration = Duration::from_millis(250);

/// Rows at the bottom of standard error, until they are taken away.
pub(super) struct Display {
    shown: Arc<Mutex<Shown>>,
    stop: mpsc::Sender<()>,
    ticker: Option<JoinHandle<()>>,
}

struct Shown {
    board: Board,
    counts: Counts,
    bar: ProgressBar,
    clock: LocalTime,
    now: Now,
    /// When something last happened, which is now where time is simulated.
    last: Timestamp,
    is_coloured: bool,
    /// How wide each drawn row is.
    drawn: Vec<usize>,
    size: Size,
}

impl Display {
    pub(super) fn new(board: Board, counts: Counts, last: Timestamp, look: &Look) -> Self {
        let bar = ProgressBar::with_draw_target(None, ProgressDrawTarget::stderr());
        // A constant that is known to parse; the default style otherwise.
        if let Ok(style) = ProgressStyle::with_template("{msg}") {
            bar.set_style(style);
        }
        let mut shown = Shown {
            board,
            counts,
            bar,
            clock: look.clock.clone(),
            now: look.now,
            last,
            is_coloured: look.is_coloured,
            drawn: Vec::new(),
            size: size(),
        };
        shown.draw();
        let shown = Arc::new(Mutex::new(shown));
        let (stop, stopped) = mpsc::channel();
        let ticking = Arc::clone(&shown);
        let ticker = std::thread::spawn(move || {
            while stopped.recv_timeout(TICK) == Err(RecvTimeoutError::Timeout) {
                lock(&ticking).draw();
            }
        });
        Self {
            shown,
            stop,
            ticker: Some(ticker),
        }
    }

    /// A line above the rows, which stays.
    pub(super) fn line(&self, text: &str, hang: usize) {
        let mut shown = lock(&self.shown);
        shown.fit();
        shown.bar.println(fold(text, shown.size.width, hang));
    }

    pub(super) fn take(&self, recorded: &Recorded, words: Option<&str>, counts: Counts) {
        let mut shown = lock(&self.shown);
        shown.counts = counts;
        shown.board.take(recorded, words);
        shown.last = recorded.at;
    }

    /// Takes the rows away.
    pub(super) fn finish(&mut self) {
        // The ticker has ended where nobody listens.
        let _ = self.stop.send(());
        if let Some(ticker) = self.ticker.take() {
            let _ = ticker.join();
            lock(&self.shown).bar.finish_and_clear();
        }
    }
}

impl Drop for Display {
    fn drop(&mut self) {
        self.finish();
    }
}

impl Shown {
    fn draw(&mut self) {
        self.fit();
        let (now, clock) = match self.now {
            Now::Clock(now) => (now(), Some(&self.clock)),
            Now::Simulated => (self.last, None),
        };
        let rows = self
            .board
            .rows(&self.counts, now, self.size, clock, self.is_coloured);
        let wide = rows.iter().map(|row| textwrap::core::display_width(row));
        self.drawn = wide.collect();
        self.bar.set_message(rows.join("\n"));
        self.bar.tick();
    }

    /// Sees how large the terminal is now.
    fn fit(&mut self) {
        let size = size();
        if size.width < self.size.width {
            self.gather(size.width);
            self.drawn.clear();
        }
        self.size = size;
    }

    /// A terminal that was made narrower has broken rows in two: what would be left of them is taken away.
    fn gather(&self, width: usize) {
        let rows = |wide: &usize| wide.div_ceil(width.max(1)).max(1) - 1;
        let extra: usize = self.drawn.iter().map(rows).sum();
        if extra == 0 {
            return;
        }
        self.bar.suspend(|| {
            let mut out = std::io::stderr();
            // Nobody is left to tell where this fails.
            let _ = write!(out, "\x1b[{extra}A\r\x1b[J").and_then(|()| out.flush());
        });
    }
}

fn lock(shown: &Mutex<Shown>) -> MutexGuard<'_, Shown> {
    // Rows that a panic has left half made are drawn again.
    shown.lock().unwrap_or_else(PoisonError::into_inner)
}

/// The terminal's size; 80 by 24 where it does not say.
fn size() -> Size {
    let size = terminal_size::terminal_size_of(std::io::stderr());
    size.map_or(
        Size {
            width: 80,
            height: 24,
        },
        |(width, height)| Size {
            width: usize::from(width.0),
            height: usize::from(height.0),
        },
    )
}
