//! A run as it is now, in rows: totals and the expected end, what runs, what is checked, what waits for what, and what has
//! failed last. It has neither a clock nor a terminal of its own.

use std::collections::{BTreeMap, BTreeSet, HashMap, VecDeque};
use std::sync::Arc;

use anstyle::{AnsiColor, Style};
use jiff::{SignedDuration, Timestamp};

use super::tally::Counts;
use super::{InitialState, Stage};
use crate::diagnostic::{LocalTime, duration, visible};
use crate::ids::{Indexed, RestoreName, StepIndex};
use crate::state::{CheckVerdict, Event, Recorded};

/// Rows for what has failed: the last.
const FAILED: usize = 3;
/// Rows of the terminal that stay free for the lines above.
const ABOVE: usize = 5;
/// Running restores have at least so many rows, however low the terminal is.
const LEAST: usize = 3;
/// Wider rows would break where the terminal is made narrower.
const WIDEST: usize = 79;
/// Cells of the bar.
const BAR: usize = 16;

/// Columns and lines of a terminal.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Size {
    pub(super) width: usize,
    pub(super) height: usize,
}

/// A restore, as far as the rows need it.
#[derive(Debug)]
struct BoardRestore {
    name: RestoreName,
    needs: Arc<[StepIndex]>,
    /// Checks that have not ended.
    checks: usize,
    expected: SignedDuration,
    lane: usize,
    stage: Stage,
    status: Option<String>,
}

/// A run as it is now.
#[derive(Debug)]
pub(super) struct Board {
    restores: Indexed<StepIndex, BoardRestore>,
    index: HashMap<RestoreName, StepIndex>,
    /// Needed restores before those that need them.
    order: Vec<StepIndex>,
    /// Number of restores of each lane that run at once.
    lanes: Vec<u32>,
    /// Number of all that run at once.
    at_once: u32,
    began: Timestamp,
    /// The first to have begun in front.
    running: BTreeSet<(Timestamp, StepIndex)>,
    checks: BTreeMap<(Option<StepIndex>, String), Timestamp>,
    failed: VecDeque<String>,
}

impl Board {
    pub(super) fn new(initial: InitialState) -> Self {
        let restores: Indexed<StepIndex, BoardRestore> = initial
            .restores
            .into_iter()
            .map(|of| BoardRestore {
                name: of.name,
                needs: of.needs,
                checks: of.checks,
                expected: of.expected,
                lane: of.lane,
                stage: of.stage,
                status: None,
            })
            .collect();
        let named = restores.enumerated();
        let started = restores.enumerated().filter_map(|(at, of)| match of.stage {
            Stage::Running(since) => Some((since, at)),
            _ => None,
        });
        Self {
            index: named.map(|(at, of)| (of.name.clone(), at)).collect(),
            running: started.collect(),
            restores,
            order: initial.order,
            lanes: initial.lanes,
            at_once: initial.at_once,
            began: initial.at,
            checks: BTreeMap::new(),
            failed: VecDeque::new(),
        }
    }

    /// Takes in what has happened, and how a line says it.
    pub(super) fn take(&mut self, recorded: &Recorded, words: Option<&str>) {
        let at = recorded.at;
        match &recorded.event {
            Event::Intended { restore, .. } => self.set(restore, Stage::Sent),
            Event::Withdrawn { restore, .. } => self.set(restore, Stage::Waiting),
            Event::Accepted { restore, .. } | Event::Adopted { restore, .. } => {
                self.set(restore, Stage::Running(at));
            }
            Event::StatusChanged { restore, status } => {
                if let Some(of) = self.of(restore) {
                    of.status = Some(status.clone());
                }
            }
            Event::Completed {
                restore, mismatch, ..
            } => {
                let is_checked = self.of(restore).is_some_and(|of| of.checks > 0);
                self.set(
                    restore,
                    match (mismatch, is_checked) {
                        (Some(_), _) => Stage::Bad,
                        (None, true) => Stage::Checking,
                        (None, false) => Stage::Done,
                    },
                );
            }
            Event::Overdue { restore } | Event::Skipped { restore, .. } => {
                self.set(restore, Stage::Bad);
            }
            Event::Failed { restore, .. }
            | Event::Refused { restore, .. }
            | Event::Rejected { restore, .. } => {
                self.set(restore, Stage::Bad);
                self.fail(words);
            }
            Event::CheckStarted { restore, check, .. } => {
                let key = (
                    self.at(restore.as_ref().map(RestoreName::as_str)),
                    check.clone(),
                );
                self.checks.insert(key, at);
            }
            Event::CheckEnded {
                restore,
                check,
                verdict,
                ..
            } => {
                let of = self.at(restore.as_ref().map(RestoreName::as_str));
                self.checks.remove(&(of, check.clone()));
                self.judge(of, *verdict, words);
            }
            _ => {}
        }
    }

    /// A check has ended.
    fn judge(&mut self, of: Option<StepIndex>, verdict: CheckVerdict, words: Option<&str>) {
        if verdict == CheckVerdict::Again {
            return;
        }
        if verdict == CheckVerdict::Failed {
            self.fail(words);
        }
        let Some(restore) = of.and_then(|at| self.restores.get_mut(at)) else {
            return;
        };
        restore.checks = restore.checks.saturating_sub(1);
        match (verdict, restore.stage) {
            (CheckVerdict::Failed, _) => restore.stage = Stage::Bad,
            (_, Stage::Checking) if restore.checks == 0 => restore.stage = Stage::Done,
            _ => {}
        }
    }

    fn fail(&mut self, words: Option<&str>) {
        let Some(words) = words else {
            return;
        };
        if self.failed.len() == FAILED {
            self.failed.pop_front();
        }
        self.failed.push_back(visible(words).into_owned());
    }

    fn at(&self, restore: Option<&str>) -> Option<StepIndex> {
        self.index.get(restore?).copied()
    }

    fn of(&mut self, restore: &RestoreName) -> Option<&mut BoardRestore> {
        let at = self.at(Some(restore.as_str()))?;
        self.restores.get_mut(at)
    }

    fn set(&mut self, restore: &RestoreName, stage: Stage) {
        let Some(at) = self.at(Some(restore.as_str())) else {
            return;
        };
        if let Stage::Running(since) = self.restores[at].stage {
            self.running.remove(&(since, at));
        }
        if let Stage::Running(since) = stage {
            self.running.insert((since, at));
        }
        self.restores[at].stage = stage;
    }

    /// Estimates when everything is restored: the end of the longest chain, or of the work that a limit lets through,
    /// whichever is later. `None` if nothing is left.
    pub(super) fn expected_end(&self, now: Timestamp) -> Option<Timestamp> {
        let mut ends: Indexed<StepIndex, Timestamp> = vec![now; self.restores.len()].into();
        let mut work = vec![SignedDuration::ZERO; self.lanes.len()];
        let mut is_open = false;
        for &at in &self.order {
            let of = &self.restores[at];
            let left = match of.stage {
                Stage::Waiting | Stage::Sent => of.expected,
                Stage::Running(since) => {
                    (of.expected - now.duration_since(since)).max(SignedDuration::ZERO)
                }
                Stage::Checking | Stage::Done | Stage::Bad => continue,
            };
            is_open = true;
            let begins = of.needs.iter().map(|need| ends[*need]).max();
            ends[at] = begins.unwrap_or(now).saturating_add(left).unwrap_or(now);
            work[of.lane] = work[of.lane].saturating_add(left);
        }
        let all = work
            .iter()
            .fold(SignedDuration::ZERO, |all, of| all.saturating_add(*of));
        let lanes = work.iter().zip(&self.lanes).chain([(&all, &self.at_once)]);
        let lanes = lanes.map(|(work, at_once)| {
            let each = *work / i32::try_from(*at_once).unwrap_or(i32::MAX).max(1);
            now.saturating_add(each).unwrap_or(now)
        });
        is_open.then(|| ends.iter().copied().chain(lanes).max().unwrap_or(now))
    }

    /// The rows, none of them wider than the terminal.
    pub(super) fn rows(
        &self,
        counts: &Counts,
        now: Timestamp,
        size: Size,
        clock: Option<&LocalTime>,
        is_coloured: bool,
    ) -> Vec<String> {
        let width = size.width.saturating_sub(1).min(WIDEST);
        let paint = |style: Style, text: &str| match is_coloured {
            true => format!("{style}{text}{style:#}"),
            false => text.to_owned(),
        };
        let mut rows = vec![self.summary(counts, now, width, clock, &paint)];
        let waits = self.waits();
        let fixed = ABOVE + 1 + usize::from(waits.is_some()) + self.failed.len();
        let room = size.height.saturating_sub(fixed).max(LEAST);
        rows.extend(self.doing(now, room, width));
        rows.extend(waits.map(|text| cut(&text, width)));
        let red = Style::new().fg_color(Some(AnsiColor::Red.into()));
        let failed = self.failed.iter();
        rows.extend(failed.map(|text| paint(red, &cut(&format!("  {text}"), width))));
        rows
    }

    fn summary(
        &self,
        counts: &Counts,
        now: Timestamp,
        width: usize,
        clock: Option<&LocalTime>,
        paint: &dyn Fn(Style, &str) -> String,
    ) -> String {
        let took = duration(now.duration_since(self.began).as_secs().max(0));
        let mut text = format!("{counts}  {took}");
        if let Some(end) = self.expected_end(now) {
            let end = match clock {
                Some(clock) => format!("  expected end {}", clock.short(end, Some(now))),
                // Of simulated time, only how long it is matters.
                None => format!(
                    "  about {} left",
                    duration(end.duration_since(now).as_secs())
                ),
            };
            if text.chars().count() + end.chars().count() <= width {
                text.push_str(&end);
            }
        }
        if text.chars().count() + BAR + 2 > width {
            return cut(&text, width);
        }
        let total = self.restores.len().max(1);
        let full = (BAR * counts.completed / total).min(BAR);
        let cyan = Style::new().fg_color(Some(AnsiColor::Cyan.into()));
        let bar = paint(cyan, &"█".repeat(full)) + &"░".repeat(BAR - full);
        format!("{bar}  {text}")
    }

    /// Lists running jobs and checks, the first to have begun in front.
    fn doing(&self, now: Timestamp, room: usize, width: usize) -> Vec<String> {
        let since = |at: Timestamp| duration(now.duration_since(at).as_secs().max(0));
        let jobs = self.running.iter().map(|(began, at)| {
            let of = &self.restores[*at];
            let status = of.status.as_deref().unwrap_or("started");
            let left = format!(
                "{} of about {}",
                since(*began),
                duration(of.expected.as_secs())
            );
            (
                visible(of.name.as_str()).into_owned(),
                visible(status).into_owned(),
                left,
            )
        });
        let checks = self.checks.iter().map(|((of, check), began)| {
            let whose = of.map_or("the run", |at| self.restores[at].name.as_str());
            let check = format!("check {check}");
            (
                visible(whose).into_owned(),
                visible(&check).into_owned(),
                since(*began),
            )
        });
        let count = self.running.len() + self.checks.len();
        let shown = if count > room { room - 1 } else { count };
        // Checks first: they are few, and somebody waits for each.
        let cells: Vec<_> = checks.chain(jobs).take(shown).collect();
        let widest = |of: &dyn Fn(&(String, String, String)) -> usize, most: usize| {
            cells.iter().map(of).max().unwrap_or(0).min(most)
        };
        let name = widest(&|cell| cell.0.chars().count(), width / 2);
        let status = widest(&|cell| cell.1.chars().count(), width / 4);
        let mut rows: Vec<String> = cells
            .iter()
            .map(|(of, is, took)| {
                let (of, is) = (cut(of, name), cut(is, status));
                cut(&format!("  {of:<name$}  {is:<status$}  {took}"), width)
            })
            .collect();
        if count > shown {
            rows.push(cut(&format!("  … and {} more", count - shown), width));
        }
        rows
    }

    /// Counts the restores that have not started, by what they wait for.
    fn waits(&self) -> Option<String> {
        let mut waiting = 0;
        let mut ready = 0;
        let mut by_need: BTreeMap<StepIndex, usize> = BTreeMap::new();
        for of in self.restores.iter().filter(|of| of.stage == Stage::Waiting) {
            waiting += 1;
            let is_open = |need: &&StepIndex| self.restores[**need].stage != Stage::Done;
            match of.needs.iter().find(is_open) {
                Some(need) => *by_need.entry(*need).or_default() += 1,
                None => ready += 1,
            }
        }
        if waiting == 0 {
            return None;
        }
        let mut by_need: Vec<(StepIndex, usize)> = by_need.into_iter().collect();
        by_need.sort_by_key(|(need, count)| (std::cmp::Reverse(*count), *need));
        let named = by_need.iter().take(2).map(|(need, count)| {
            format!(
                "{count} for {}",
                visible(self.restores[*need].name.as_str())
            )
        });
        let mut parts: Vec<String> = named.collect();
        let more: usize = by_need.iter().skip(2).map(|(_, count)| count).sum();
        if more > 0 {
            parts.push(format!("{more} for others"));
        }
        if ready > 0 {
            parts.push(format!("{ready} for their turn"));
        }
        Some(format!("  {waiting} waiting: {}", parts.join(", ")))
    }
}

/// A text that is at most so wide.
fn cut(text: &str, width: usize) -> String {
    let wide = textwrap::core::display_width;
    if wide(text) <= width {
        return text.to_owned();
    }
    let mut short = String::new();
    let mut used = 1;
    for c in text.chars() {
        used += wide(c.encode_utf8(&mut [0; 4]));
        if used > width {
            break;
        }
        short.push(c);
    }
    short.push('…');
    short
}

#[cfg(test)]
mod tests {
    use jiff::tz::TimeZone;
    use snapbox::{assert_data_eq, str};

    use super::super::InitialRestore;
    use super::*;
    use crate::ids::{JobId, RegionName};

    const BEGAN: Timestamp = Timestamp::UNIX_EPOCH;

    fn later(seconds: i64) -> Timestamp {
        BEGAN + SignedDuration::from_secs(seconds)
    }

    /// Thirty restores of twenty minutes each; every fifth needs the first, which has a check.
    fn thirty() -> InitialState {
        let restore = |at: usize| InitialRestore {
            name: RestoreName::new(format!("table-{at:02}")),
            needs: if at > 0 && at.is_multiple_of(5) {
                [StepIndex::FIRST].into()
            } else {
                [].into()
            },
            checks: usize::from(at == 0),
            expected: SignedDuration::from_mins(20),
            region: RegionName::new("us-west-2"),
            lane: 0,
            stage: Stage::Waiting,
        };
        InitialState {
            at: BEGAN,
            counts: Counts::default(),
            restores: (0..30).map(restore).collect(),
            order: (0..30).map(StepIndex::new).collect(),
            lanes: vec![u32::MAX],
            at_once: u32::MAX,
            is_started_elsewhere: false,
        }
    }

    /// Renders a run after these events, each of which is worded as on its own line.
    fn seen(initial: InitialState, events: &[(i64, Event)], now: i64, size: Size) -> String {
        let mut counts = Counts::default();
        initial.restores.iter().for_each(|of| counts.add(of.stage));
        let mut board = Board::new(initial);
        for (at, event) in events {
            let recorded = Recorded {
                at: later(*at),
                aws_ahead: None,
                event: event.clone(),
            };
            counts.take(event);
            let words = super::super::words::words(event, false);
            board.take(&recorded, words.as_deref());
        }
        let clock = LocalTime::new(TimeZone::UTC);
        let rows = board.rows(&counts, later(now), size, Some(&clock), false);
        let widest = rows
            .iter()
            .map(|row| textwrap::core::display_width(row))
            .max();
        assert!(widest.unwrap() < size.width, "{rows:#?}");
        assert!(rows.len() < size.height, "{rows:#?}");
        rows.join("\n")
    }

    fn accepted(at: usize) -> Event {
        Event::Accepted {
            restore: RestoreName::new(format!("table-{at:02}")),
            job_id: JobId::new(format!("job-{at}")),
            request_id: None,
        }
    }

    fn completed(at: usize) -> Event {
        Event::Completed {
            restore: RestoreName::new(format!("table-{at:02}")),
            created_resource_arn: None,
            started_at: None,
            ended_at: None,
            recovery_point_created_at: None,
            message: None,
            mismatch: None,
            size_bytes: None,
            source_resource_arn: None,
        }
    }

    fn midway() -> Vec<(i64, Event)> {
        let starts = (0..30).filter(|at| *at == 0 || at % 5 != 0);
        let mut events: Vec<(i64, Event)> = starts.map(|at| (0, accepted(at))).collect();
        let check = Event::CheckStarted {
            restore: Some(RestoreName::new("table-00")),
            check: "smoke".to_owned(),
            cutover: false,
            nth: 1,
            run: Vec::new(),
            definition: None,
            begun: None,
            earlier: None,
        };
        let failed = Event::Failed {
            restore: RestoreName::new("table-01"),
            status: "FAILED".to_owned(),
            message: "A resource with the name of this table exists already in the account"
                .to_owned(),
            started_at: None,
            ended_at: None,
            created_resource_arn: None,
            source_resource_arn: None,
        };
        events.extend([
            (600, completed(0)),
            (600, check),
            (610, failed),
            (700, completed(2)),
        ]);
        events
    }

    #[test]
    fn a_low_terminal_of_eighty_columns() {
        let size = Size {
            width: 80,
            height: 24,
        };
        assert_data_eq!(
            seen(thirty(), &midway(), 720, size),
            str![[r#"
2 of 30 restored, 22 running, 1 failed  12m 00s  expected end 00:32
  table-00  check smoke  2m 00s
  table-03  started      12m 00s of about 20m 00s
  table-04  started      12m 00s of about 20m 00s
  table-06  started      12m 00s of about 20m 00s
  table-07  started      12m 00s of about 20m 00s
  table-08  started      12m 00s of about 20m 00s
  table-09  started      12m 00s of about 20m 00s
  table-11  started      12m 00s of about 20m 00s
  table-12  started      12m 00s of about 20m 00s
  table-13  started      12m 00s of about 20m 00s
  table-14  started      12m 00s of about 20m 00s
  table-16  started      12m 00s of about 20m 00s
  table-17  started      12m 00s of about 20m 00s
  table-18  started      12m 00s of about 20m 00s
  table-19  started      12m 00s of about 20m 00s
  … and 8 more
  5 waiting: 5 for table-00
  table-01: FAILED: A resource with the name of this table exists already in t…
"#]]
        );
    }

    #[test]
    fn a_high_and_wide_terminal_shows_all_that_runs() {
        let size = Size {
            width: 200,
            height: 50,
        };
        assert_data_eq!(
            seen(thirty(), &midway(), 720, size),
            str![[r#"
2 of 30 restored, 22 running, 1 failed  12m 00s  expected end 00:32
  table-00  check smoke  2m 00s
  table-03  started      12m 00s of about 20m 00s
  table-04  started      12m 00s of about 20m 00s
  table-06  started      12m 00s of about 20m 00s
  table-07  started      12m 00s of about 20m 00s
  table-08  started      12m 00s of about 20m 00s
  table-09  started      12m 00s of about 20m 00s
  table-11  started      12m 00s of about 20m 00s
  table-12  started      12m 00s of about 20m 00s
  table-13  started      12m 00s of about 20m 00s
  table-14  started      12m 00s of about 20m 00s
  table-16  started      12m 00s of about 20m 00s
  table-17  started      12m 00s of about 20m 00s
  table-18  started      12m 00s of about 20m 00s
  table-19  started      12m 00s of about 20m 00s
  table-21  started      12m 00s of about 20m 00s
  table-22  started      12m 00s of about 20m 00s
  table-23  started      12m 00s of about 20m 00s
  table-24  started      12m 00s of about 20m 00s
  table-26  started      12m 00s of about 20m 00s
  table-27  started      12m 00s of about 20m 00s
  table-28  started      12m 00s of about 20m 00s
  table-29  started      12m 00s of about 20m 00s
  5 waiting: 5 for table-00
  table-01: FAILED: A resource with the name of this table exists already in t…
"#]]
        );
    }

    #[test]
    fn a_small_terminal_shows_what_fits() {
        let size = Size {
            width: 44,
            height: 12,
        };
        assert_data_eq!(
            seen(thirty(), &midway(), 720, size),
            str![[r#"
2 of 30 restored, 22 running, 1 failed  12…
  table-00  check smo…  2m 00s
  table-03  started     12m 00s of about 2…
  table-04  started     12m 00s of about 2…
  … and 20 more
  5 waiting: 5 for table-00
  table-01: FAILED: A resource with the na…
"#]]
        );
    }

    #[test]
    fn the_end_is_that_of_the_longest_chain_or_of_what_a_limit_lets_through() {
        let mut initial = thirty();
        assert_eq!(
            Board::new(initial.clone()).expected_end(BEGAN),
            Some(later(2400))
        );
        initial.lanes = vec![2];
        assert_eq!(
            Board::new(initial.clone()).expected_end(BEGAN),
            Some(later(18_000))
        );
        initial.at_once = 1;
        let mut board = Board::new(initial.clone());
        assert_eq!(board.expected_end(BEGAN), Some(later(36_000)));
        // Restores that have taken longer than expected end now.
        for at in 0..30 {
            let event = if at == 7 { accepted(at) } else { completed(at) };
            board.take(
                &Recorded {
                    at: BEGAN,
                    aws_ahead: None,
                    event,
                },
                None,
            );
        }
        assert_eq!(board.expected_end(later(9000)), Some(later(9000)));
        let nothing = Board::new(InitialState::default());
        assert_eq!(nothing.expected_end(BEGAN), None);
    }

    #[test]
    fn names_of_any_length_are_cut_and_say_so() {
        let mut initial = thirty();
        initial.restores = initial.restores.into_iter().take(1).collect();
        initial.order.truncate(1);
        let restore = &mut initial.restores[StepIndex::FIRST];
        restore.name = RestoreName::new("größter-Tisch-".repeat(20));
        restore.stage = Stage::Running(BEGAN);
        let shown = seen(
            initial,
            &[],
            60,
            Size {
                width: 40,
                height: 10,
            },
        );
        assert!(shown.contains('…'), "{shown}");
    }
}
