//! Progress for programs: JSON lines on standard error, so that nobody has to read the journal to follow a run.

use jiff::Timestamp;
use serde::Serialize;

use super::Counts;
use crate::state::Recorded;

/// Format of the lines.
const FORMAT: &str = "redrill.event/v1";

/// Importance of a message.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "lowercase")]
pub enum MessageLevel {
    /// Stopped the command.
    Error,
    /// Worth a look.
    Warning,
    /// Says what happens.
    Note,
    /// Says what to do about the error before it.
    Help,
}

/// Event of a run, as the journal has it, and the numbers that the screen counts.
#[derive(Serialize)]
struct EventLine<'a> {
    schema: &'static str,
    #[serde(flatten)]
    recorded: &'a Recorded,
    counts: Counts,
}

/// Message that is no event of a run.
#[derive(Serialize)]
struct MessageLine<'a> {
    schema: &'static str,
    at: Timestamp,
    event: &'static str,
    level: MessageLevel,
    text: &'a str,
}

/// Progress of what is counted and is no event of a run.
#[derive(Serialize)]
struct CountLine<'a> {
    schema: &'static str,
    at: Timestamp,
    event: &'static str,
    what: &'a str,
    done: usize,
    total: usize,
}

/// Returns the line of an event of a run.
pub(super) fn event_line(recorded: &Recorded, counts: Counts) -> String {
    line(&EventLine {
        schema: FORMAT,
        recorded,
        counts,
    })
}

/// Returns the line of a message.
#[must_use]
pub fn message_line(at: Timestamp, level: MessageLevel, text: &str) -> String {
    line(&MessageLine {
        schema: FORMAT,
        at,
        event: "message",
        level,
        text,
    })
}

/// Returns the line that says how much is done.
pub(super) fn count_line(at: Timestamp, what: &str, done: usize, total: usize) -> String {
    line(&CountLine {
        schema: FORMAT,
        at,
        event: "counted",
        what,
        done,
        total,
    })
}

/// Strings and numbers: serde_json cannot fail on them.
fn line(of: &impl Serialize) -> String {
    serde_json::to_string(of).unwrap_or_default()
}
