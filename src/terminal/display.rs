//! The rows of a board at the bottom of a terminal, drawn again four times a second.

use std::io::Write as _;
use std::sync::mpsc::{self, RecvTimeoutError};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, Weak};
use std::thread::JoinHandle;
use std::time::Duration;

use indicatif::{ProgressBar, ProgressDrawTarget, ProgressStyle};
use jiff::Timestamp;

use super::board::{Board, Size};
use super::machine::{MessageLevel, message_line};
use super::tally::Counts;
use super::{Look, Now, Style};
use crate::backup::{Clock as _, SystemClock};
use crate::diagnostic::{LocalTime, fold, visible};
use crate::state::Recorded;

/// Interval between redraws of the rows, so that the time goes on while nothing happens.
const TICK: Duration = Duration::from_millis(250);

/// Output above the rows, or on standard error if there are none: for messages that are no event of a run.
#[derive(Clone, Default)]
pub struct Speaker {
    rows: Arc<Mutex<Weak<Mutex<Shown>>>>,
    is_json: bool,
}

impl Speaker {
    /// Output in the style of the progress beside it.
    #[must_use]
    pub fn new(style: Style) -> Self {
        Self {
            is_json: style == Style::Json,
            ..Self::default()
        }
    }

    /// Prints a message.
    pub fn say(&self, text: &str) {
        let mut text = visible(text);
        if self.is_json {
            text = message_line(SystemClock.now(), MessageLevel::Note, &text).into();
        }
        let rows = self.rows.lock().unwrap_or_else(PoisonError::into_inner);
        match rows.upgrade() {
            Some(shown) => lock(&shown).bar.println(&*text),
            None => {
                // Nobody is left to tell where this fails.
                let _ = writeln!(anstream::stderr(), "{text}");
            }
        }
    }
}

/// Rows at the bottom of standard error, until they are taken away.
pub(super) struct Display {
    shown: Arc<Mutex<Shown>>,
    stop: mpsc::Sender<()>,
    ticker: Option<JoinHandle<()>>,
}

pub(super) struct Shown {
    board: Board,
    counts: Counts,
    bar: ProgressBar,
    clock: LocalTime,
    now: Now,
    /// Time of the last event, which is now if time is simulated.
    last: Timestamp,
    is_coloured: bool,
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
            size: size(),
        };
        shown.draw();
        let shown = Arc::new(Mutex::new(shown));
        let speaker = look.speaker.rows.lock();
        *speaker.unwrap_or_else(PoisonError::into_inner) = Arc::downgrade(&shown);
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
        shown.size = size();
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
        self.size = size();
        let (now, clock) = match self.now {
            Now::Clock(now) => (now(), Some(&self.clock)),
            Now::Simulated => (self.last, None),
        };
        let rows = self
            .board
            .rows(&self.counts, now, self.size, clock, self.is_coloured);
        self.bar.set_message(rows.join("\n"));
        self.bar.tick();
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
