//! How well the scheduler does: random plans under limits, and how much longer a run takes than it must.
//!
//! `cargo bench --bench schedule` prints the table. A plan must take at least as long as its longest chain, and as all
//! work under a limit divided by it; the scheduler fails the bench where its runs take over 1.05 times that in the
//! median of all plans, or over 1.25 times for any. No time is measured: the result is the same on every machine.

#![expect(clippy::print_stdout, reason = "the table is what it is run for")]

use std::collections::BTreeMap;
use std::sync::Arc;

use jiff::SignedDuration;
use redrill::diff::{Action, Change, Diff};
use redrill::execute::expected;
use redrill::ids::{DocumentIndex, Indexed, RestoreName, RunId, StepIndex, TargetIndex};
use redrill::parse::{ConcurrencyLimits, Objectives, OnFailure};
use redrill::plan::{Draft, Plan, Request, Step};
use redrill::render::Target;

const PLANS: u64 = 500;
const TYPES: [&str; 4] = ["EBS", "EFS", "RDS", "S3"];

/// What kind of plan: how many restores, how many of those before it a restore needs at most, what may run at once in
/// all and of each type.
struct Kind {
    name: &'static str,
    restores: std::ops::Range<usize>,
    needs: usize,
    /// How far back they may lie; anywhere where it is left out.
    back: Option<usize>,
    concurrent: std::ops::Range<u32>,
    by_type: Option<std::ops::Range<u32>>,
}

const KINDS: [Kind; 7] = [
    Kind {
        name: "no dependencies, one limit",
        restores: 50..400,
        needs: 0,
        back: None,
        concurrent: 2..30,
        by_type: None,
    },
    Kind {
        name: "sparse dependencies, one limit",
        restores: 50..400,
        needs: 1,
        back: None,
        concurrent: 2..30,
        by_type: None,
    },
    Kind {
        name: "dense dependencies, one limit",
        restores: 50..400,
        needs: 3,
        back: None,
        concurrent: 2..30,
        by_type: None,
    },
    Kind {
        name: "sparse dependencies, limits by type",
        restores: 50..400,
        needs: 1,
        back: None,
        concurrent: 10..40,
        by_type: Some(2..12),
    },
    Kind {
        name: "dense dependencies, limits by type",
        restores: 50..400,
        needs: 3,
        back: None,
        concurrent: 10..40,
        by_type: Some(2..12),
    },
    Kind {
        name: "long chains, one limit",
        restores: 50..400,
        needs: 1,
        back: Some(30),
        concurrent: 2..30,
        by_type: None,
    },
    Kind {
        name: "layers, limits by type",
        restores: 50..400,
        needs: 2,
        back: Some(40),
        concurrent: 10..40,
        by_type: Some(2..12),
    },
];

fn plan(kind: &Kind, random: &mut fastrand::Rng) -> Plan {
    let count = random.usize(kind.restores.clone());
    let steps: Vec<Step> = (0..count)
        .map(|at| {
            let needs = if at == 0 || kind.needs == 0 {
                Vec::new()
            } else {
                let mut needs: Vec<usize> = (0..random.usize(0..=kind.needs))
                    .map(|_| random.usize(at - kind.back.unwrap_or(at).min(at)..at))
                    .collect();
                needs.sort_unstable();
                needs.dedup();
                needs
            };
            step(at, needs, random)
        })
        .collect();
    let by_type = kind.by_type.as_ref().map_or_else(BTreeMap::new, |range| {
        TYPES
            .iter()
            .map(|name| ((*name).to_owned(), random.u32(range.clone())))
            .collect()
    });
    Plan {
        name: "random".to_owned(),
        run_id: RunId::new("main"),
        targets: vec![Target::default()].into(),
        order: (0..steps.len()).map(StepIndex::new).collect(),
        steps: steps.into(),
        limits: ConcurrencyLimits {
            concurrent: Some(random.u32(kind.concurrent.clone())),
            by_type,
            by_target: BTreeMap::new(),
            places: BTreeMap::new(),
        },
        on_failure: OnFailure::Continue,
        objectives: Objectives::default(),
        description: None,
        checks: Arc::default(),
        cutover: Arc::default(),
    }
}

/// From a minute to some hours, most of them short.
fn step(at: usize, needs: Vec<usize>, random: &mut fastrand::Rng) -> Step {
    let minutes = 1.0 + 10.0 * (-random.f64().max(1e-9).ln()).powf(1.5);
    Step {
        span: redrill::diagnostic::Span::default(),
        name: RestoreName::new(format!("r{at}")),
        restore: DocumentIndex::new(at),
        target: TargetIndex::FIRST,
        needs: needs.into_iter().map(StepIndex::new).collect(),
        timeout: None,
        draft: Arc::new(Draft {
            holes: std::collections::BTreeMap::new(),
            request: Request {
                copy_source_tags_to_restored_resource: None,
                iam_role_arn: None,
                idempotency_token: None,
                metadata: redrill::render::Metadata::new(),
                recovery_point_arn: String::new(),
                resource_type: TYPES[random.usize(..TYPES.len())].to_owned(),
            },
            pending: std::collections::BTreeSet::new(),
            takes_mark: false,
            lacks_recovery_point: false,
            selector: None,
            vault: None,
            expected: SignedDuration::from_secs((minutes * 60.0) as i64),
        }),
        objectives: Objectives::default(),
        checks: Arc::default(),
        publish_validation: false,
        into_existing: false,
    }
}

/// No run can be shorter: the longest chain, and for each limit the work under it, spread evenly.
fn at_least(plan: &Plan) -> f64 {
    let seconds = |step: &Step| step.draft.expected.as_secs_f64();
    let mut ends: Indexed<StepIndex, f64> = vec![0.0; plan.steps.len()].into();
    for at in &plan.order {
        let step = &plan.steps[*at];
        let begins = step
            .needs
            .iter()
            .map(|need| ends[*need])
            .fold(0.0, f64::max);
        ends[*at] = begins + seconds(step);
    }
    let chain = ends.iter().copied().fold(0.0, f64::max);
    let work = |of: Option<&str>| -> f64 {
        plan.steps
            .iter()
            .filter(|step| of.is_none_or(|name| step.draft.request.resource_type == name))
            .map(seconds)
            .sum()
    };
    let all = work(None) / f64::from(plan.limits.concurrent.unwrap_or(u32::MAX));
    let of_types = plan
        .limits
        .by_type
        .iter()
        .map(|(name, limit)| work(Some(name)) / f64::from(*limit));
    of_types.fold(chain.max(all), f64::max)
}

fn everything(plan: &Plan) -> Diff {
    let changes = plan.steps.positions().map(|step| Change {
        step,
        action: Action::Start,
        attempt: 1,
        token: None,
        reason: None,
    });
    Diff {
        changes: changes.collect(),
        lost: Vec::new(),
    }
}

fn row(name: &str, ratios: &mut [f64]) {
    ratios.sort_by(f64::total_cmp);
    let at = |part: f64| ratios[((ratios.len() - 1) as f64 * part) as usize];
    println!(
        "{name:38} {:5} {:7.3} {:7.3} {:7.3}",
        ratios.len(),
        at(0.5),
        at(0.95),
        at(1.0)
    );
}

fn main() {
    let mut by_kind: BTreeMap<usize, Vec<f64>> = BTreeMap::new();
    for seed in 0..PLANS {
        let mut random = fastrand::Rng::with_seed(seed);
        let kind = seed as usize % KINDS.len();
        let plan = plan(&KINDS[kind], &mut random);
        let took = expected(&plan, &everything(&plan)).as_secs_f64();
        by_kind
            .entry(kind)
            .or_default()
            .push(took / at_least(&plan));
    }
    println!("times the least a run can take         plans  median     95%    most");
    let mut all: Vec<f64> = by_kind.values().flatten().copied().collect();
    for (kind, ratios) in &mut by_kind {
        row(KINDS[*kind].name, ratios);
    }
    row("all", &mut all);
    let (median, most) = (all[(all.len() - 1) / 2], all[all.len() - 1]);
    assert!(median <= 1.05, "the median is {median:.3}");
    assert!(most <= 1.25, "the most is {most:.3}");
}
