//! Input of the machine: the lanes of each pool, and the execution input that says where they are.

use jiff::SignedDuration;
use serde::Serialize;

use super::names::Names;
use super::pools::{Pool, PooledLane, Pools};
use super::timing;
use crate::ids::{IdempotencyToken, StepIndex};
use crate::plan::{Plan, Request};

/// The files of all pools of a Region, and what is known of them.
pub(super) struct Items {
    pub(super) pools: Vec<PoolFile>,
    /// State transitions if each restore takes as long as is expected.
    pub(super) transitions: u64,
}

/// The lanes of a pool as one file.
pub(super) struct PoolFile {
    pub(super) name: String,
    pub(super) text: String,
    /// Lanes at once.
    pub(super) at_once: usize,
    pub(super) lanes: Vec<LaneMeasure>,
}

/// Measures of a lane that Step Functions limits.
pub(super) struct LaneMeasure {
    /// Its first restore, a step of the plan.
    pub(super) first: StepIndex,
    pub(super) restores: usize,
    pub(super) bytes: usize,
    pub(super) events: u64,
}

#[derive(Serialize)]
struct LaneItem<'p> {
    lane: &'p str,
    levels: Vec<LevelItem<'p>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct LevelItem<'p> {
    at_once: usize,
    restores: Vec<RestoreItem<'p>>,
}

/// A restore. Only its request is sent.
#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct RestoreItem<'p> {
    id: &'p str,
    poll_seconds: u64,
    request: Request,
    role: String,
    start_after: u64,
}

/// The input of an execution.
#[derive(Serialize)]
struct ExecutionInput<'n> {
    pools: Vec<ExecutionPool<'n>>,
}

#[derive(Serialize)]
#[serde(rename_all = "camelCase")]
struct ExecutionPool<'n> {
    bucket: &'n str,
    items_key: String,
    max_concurrency: usize,
}

/// The files of a Region.
pub(super) fn items(plan: &Plan, pools: &Pools, names: &Names) -> Items {
    let mut items = Items {
        pools: Vec::new(),
        transitions: 0,
    };
    let mut place = 0;
    for pool in &pools.pools {
        let file = items.pools.len();
        let name = match file {
            0 => "items.json".to_owned(),
            _ => format!("items-{}.json", file + 1),
        };
        let writing = Writing {
            plan,
            names,
            places: pools.places,
        };
        let (file, transitions) = writing.pool(name, pool, &mut place);
        items.transitions += transitions;
        items.pools.push(file);
    }
    items
}

impl Items {
    /// The input of an execution, as one line: it is an argument of a command.
    pub(super) fn input(&self, names: &Names) -> String {
        let pool = |pool: &PoolFile| ExecutionPool {
            bucket: &names.bucket,
            items_key: names.items_key(&pool.name),
            max_concurrency: pool.at_once,
        };
        let pools = self.pools.iter().map(pool).collect();
        // Strings and numbers: serde_json cannot fail on it.
        serde_json::to_string(&ExecutionInput { pools }).unwrap_or_default() + "\n"
    }
}

/// Context that all lanes of a Region share.
struct Writing<'p> {
    plan: &'p Plan,
    names: &'p Names,
    places: usize,
}

impl<'p> Writing<'p> {
    /// A pool's file. Its first lanes take places, which start one after the other.
    fn pool(&self, name: String, pool: &Pool, place: &mut usize) -> (PoolFile, u64) {
        let mut text = String::from("[\n");
        let (mut lanes, mut transitions) = (Vec::new(), 0);
        for (at, lane) in pool.lanes.iter().enumerate() {
            let first = (at < pool.at_once).then_some(*place);
            let (item, events, of_lane) = self.lane(lane, first);
            if first.is_some() {
                *place += lane.width();
            }
            transitions += of_lane;
            // Strings and numbers: serde_json cannot fail on it.
            let line = serde_json::to_string(&item).unwrap_or_default();
            lanes.push(LaneMeasure {
                first: lane.lane.steps().next().unwrap_or_default(),
                restores: lane.lane.steps().count(),
                bytes: line.len(),
                events,
            });
            if at > 0 {
                text.push_str(",\n");
            }
            text.push_str(&line);
        }
        text.push_str("\n]\n");
        let file = PoolFile {
            name,
            text,
            at_once: pool.at_once,
            lanes,
        };
        (file, transitions)
    }

    /// A lane, the events of its history, and its transitions.
    fn lane(&self, pooled: &PooledLane, first: Option<usize>) -> (LaneItem<'p>, u64, u64) {
        let lane = &pooled.lane;
        let tokens: Vec<IdempotencyToken> = lane
            .steps()
            .map(|at| self.plan.token(at, 1))
            .map(|token| token.unwrap_or_else(|| IdempotencyToken::new("")))
            .collect();
        let mut waits: Vec<(SignedDuration, u64)> = lane
            .steps()
            .zip(&tokens)
            .map(|(at, token)| {
                let expected = self.plan.steps[at].draft.expected;
                (expected, timing::poll_seconds(expected, self.places, token))
            })
            .collect();
        let events = timing::fit(lane.levels.len(), &mut waits);
        let transitions = waits
            .iter()
            .map(|(expected, poll)| timing::transitions(*expected, *poll));
        let transitions = 2 + 3 * lane.levels.len() as u64 + transitions.sum::<u64>();
        let mut prepared = tokens.iter().zip(&waits);
        let mut levels = Vec::with_capacity(lane.levels.len());
        for (depth, (level, at_once)) in lane.levels.iter().zip(&pooled.at_once).enumerate() {
            // Later levels, and lanes that wait for a place, start when something else has ended: not together.
            let from = first.filter(|_| depth == 0).unwrap_or(0);
            let mut restores = Vec::with_capacity(level.len());
            for (position, at) in level.iter().enumerate() {
                let Some((token, (_, poll_seconds))) = prepared.next() else {
                    break;
                };
                let place = match position < *at_once {
                    true => from + position,
                    false => 0,
                };
                restores.push(self.restore(*at, token, *poll_seconds, place));
            }
            levels.push(LevelItem {
                at_once: *at_once,
                restores,
            });
        }
        let name = lane
            .steps()
            .next()
            .map_or("", |at| self.plan.steps[at].name.as_str());
        (LaneItem { lane: name, levels }, events, transitions)
    }

    fn restore(
        &self,
        at: StepIndex,
        token: &IdempotencyToken,
        poll_seconds: u64,
        place: usize,
    ) -> RestoreItem<'p> {
        let step = &self.plan.steps[at];
        RestoreItem {
            id: step.name.as_str(),
            poll_seconds,
            request: step.draft.sent_with(token).into_request(),
            role: self.names.role(self.plan.target_of(step)),
            start_after: timing::start_after(place),
        }
    }
}
