//! The calendar of drills: which is next, which is due, and which was missed.

use std::collections::BTreeSet;

use jiff::civil::Date;
use jiff::{Timestamp, ToSpan as _};
use serde::Serialize;

use super::CoveragePolicy;
use super::policy::{DrillRule, day_begins};
use crate::proof::{Ledger, ProofResult};

/// More windows than this say nothing that fewer would not.
const WINDOWS: i64 = 10_000;

/// State of a window.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum DrillState {
    /// A drill was held in it.
    Held,
    /// None was, and one was held later.
    MadeUp,
    /// None was, and none since.
    Missed,
    /// Open, with none held yet.
    Due,
    /// Not begun yet.
    Next,
}

impl DrillState {
    /// Returns the word that people read.
    #[must_use]
    pub fn word(self) -> &'static str {
        match self {
            Self::Held => "held",
            Self::MadeUp => "made up",
            Self::Missed => "missed",
            Self::Due => "due",
            Self::Next => "next",
        }
    }
}

/// A window of a drill.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DrillWindow {
    /// Its first day.
    pub from: Date,
    /// Its last day.
    pub to: Date,
    /// State of the window.
    pub state: DrillState,
    /// Time when a drill was held for it.
    pub held: Option<Timestamp>,
}

/// A drill, and how it stands.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct DrillStanding {
    /// The plan's name.
    pub plan: String,
    /// Holder of the drill.
    pub owner: String,
    /// Most urgent state: `missed` before `due` before `next`.
    pub state: DrillState,
    /// Time when it was last held.
    pub last: Option<Timestamp>,
    /// The window that is open, or that comes next.
    pub next: Option<DrillWindow>,
    /// Every window that has begun, first to last.
    pub windows: Vec<DrillWindow>,
}

/// Every drill at a date.
#[derive(Clone, Debug)]
pub struct Drills {
    /// The date.
    pub at: Timestamp,
    /// In the order of the file.
    pub drills: Vec<DrillStanding>,
}

impl Drills {
    /// Judges every drill of a policy at a date.
    #[must_use]
    pub fn at(at: Timestamp, ledger: &Ledger, policy: &CoveragePolicy) -> Self {
        let drills = policy.drills.iter().map(|rule| standing(rule, at, ledger));
        Self {
            at,
            drills: drills.collect(),
        }
    }

    /// Returns true if one was missed, and not made up.
    #[must_use]
    pub fn has_missed(&self) -> bool {
        let mut drills = self.drills.iter();
        drills.any(|drill| drill.state == DrillState::Missed)
    }

    /// The windows that were missed, and not made up.
    pub fn missed(&self) -> impl Iterator<Item = (&DrillStanding, &DrillWindow)> {
        self.drills.iter().flat_map(|drill| {
            let missed = drill.windows.iter();
            let missed = missed.filter(|window| window.state == DrillState::Missed);
            missed.map(move |window| (drill, window))
        })
    }
}

fn standing(rule: &DrillRule, at: Timestamp, ledger: &Ledger) -> DrillStanding {
    // A drill that has proven nothing was not held.
    let held: BTreeSet<Timestamp> = ledger
        .entries()
        .iter()
        .filter(|entry| *entry.plan == *rule.plan && entry.result == ProofResult::Proven)
        .map(|entry| entry.at)
        .filter(|held| *held <= at)
        .collect();
    let mut windows = Vec::new();
    let mut next = None;
    for nth in 0..WINDOWS {
        let Some((from, end)) = window(rule, nth) else {
            break;
        };
        let (opens, closes) = (day_begins(from), day_begins(end));
        let in_time = held.range(opens..closes).next().copied();
        let late = held.range(closes..).next().copied();
        let state = match (in_time, late) {
            _ if at < opens => DrillState::Next,
            (Some(_), _) => DrillState::Held,
            (None, _) if at < closes => DrillState::Due,
            (None, Some(_)) => DrillState::MadeUp,
            (None, None) => DrillState::Missed,
        };
        let window = DrillWindow {
            from,
            to: end.yesterday().unwrap_or(end),
            state,
            held: in_time.or(late).filter(|_| state != DrillState::Next),
        };
        match state {
            DrillState::Next => {
                next.get_or_insert(window);
                break;
            }
            DrillState::Due => next = Some(window.clone()),
            _ => {}
        }
        windows.push(window);
    }
    let any = |state| windows.iter().any(|window| window.state == state);
    let state = match (any(DrillState::Missed), any(DrillState::Due)) {
        (true, _) => DrillState::Missed,
        (false, true) => DrillState::Due,
        (false, false) => DrillState::Next,
    };
    DrillStanding {
        plan: rule.plan.clone(),
        owner: rule.owner.clone(),
        state,
        last: held.last().copied(),
        next,
        windows,
    }
}

/// The first day of a window, and the first after it. Counted from the first one, so that the end of a short month moves none.
fn window(rule: &DrillRule, nth: i64) -> Option<(Date, Date)> {
    let from = rule
        .from
        .checked_add(rule.every.checked_mul(nth).ok()?)
        .ok()?;
    let end = from.checked_add(rule.window).ok()?;
    // Less than a day is a day.
    Some((from, end.max(from.checked_add(1.days()).ok()?)))
}
