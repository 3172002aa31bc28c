//! How long a forecast takes, and how much memory: samples of runs of a thousand and of ten thousand restores.
//!
//! `cargo bench --bench forecast` prints the table. It fails where a thousand samples of ten thousand restores take over 10
//! seconds or 300 MB, or where ten times the restores, or ten times the samples, take over eleven times as long.

#![expect(clippy::print_stdout, reason = "the table is what it is run for")]
#![expect(
    clippy::disallowed_methods,
    reason = "time is what it measures, and memory is in a file of Linux"
)]

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Instant;

use jiff::{SignedDuration, Timestamp};
use redrill::diff::{Action, Change, Diff};
use redrill::forecast::{ForecastOptions, ForecastSubject, forecast};
use redrill::ids::{DocumentIndex, RestoreName, RunId, StepIndex, TargetIndex};
use redrill::parse::{ConcurrencyLimits, Objectives, OnFailure};
use redrill::plan::{Draft, Plan, Request, Step};
use redrill::render::{Known, Target};
use redrill::state::RunState;

const TYPES: [&str; 4] = ["EBS", "EFS", "RDS", "S3"];

fn subject(count: usize) -> ForecastSubject {
    let step = |at: usize| Step {
        span: redrill::diagnostic::Span::default(),
        name: RestoreName::new(format!("r{at}")),
        restore: DocumentIndex::new(at),
        target: TargetIndex::FIRST,
        needs: match at % 10 {
            0 if at > 0 => Arc::from([StepIndex::new(at - 1)]),
            _ => Arc::from([]),
        },
        timeout: None,
        draft: Arc::new(Draft {
            request: Request {
                resource_type: TYPES[at % TYPES.len()].to_owned(),
                recovery_point_arn: format!("point-{at}"),
                ..Request::default()
            },
            expected: SignedDuration::from_mins(10),
            ..Draft::default()
        }),
        objectives: Objectives::default(),
        checks: Arc::default(),
        publish_validation: false,
        into_existing: false,
    };
    let plan = Plan {
        name: "large".to_owned(),
        run_id: RunId::new("main"),
        targets: vec![Target::default()].into(),
        order: (0..count).map(StepIndex::new).collect(),
        steps: (0..count).map(step).collect(),
        limits: ConcurrencyLimits {
            concurrent: Some(500),
            by_type: BTreeMap::from([("EFS".to_owned(), 100)]),
            by_target: BTreeMap::new(),
            places: BTreeMap::new(),
        },
        on_failure: OnFailure::Continue,
        objectives: Objectives::default(),
        description: None,
        checks: Arc::default(),
        cutover: Arc::default(),
    };
    let changes = (0..count).map(|step| Change {
        step: StepIndex::new(step),
        action: Action::Start,
        attempt: 1,
        token: None,
        reason: None,
    });
    let diff = Diff {
        changes: changes.collect(),
        lost: Vec::new(),
    };
    let nothing = RunState::default();
    ForecastSubject::new(
        plan,
        diff,
        &Known::default(),
        &nothing,
        Timestamp::UNIX_EPOCH,
    )
}

/// The least of three, in seconds.
fn took(restores: usize, samples: u32) -> f64 {
    let subject = subject(restores);
    let options = ForecastOptions {
        samples,
        ..ForecastOptions::default()
    };
    let once = || {
        let began = Instant::now();
        let found = forecast(&subject, &[], &options);
        assert!(found.makespan.p50 > 0);
        began.elapsed().as_secs_f64()
    };
    let least = (0..3).map(|_| once()).fold(f64::INFINITY, f64::min);
    println!("{restores:8} restores {samples:6} samples {least:8.3} s");
    least
}

/// The most memory that this process had, MB.
fn memory() -> Option<f64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find(|line| line.starts_with("VmHWM:"))?;
    let kilobytes: f64 = line.split_whitespace().nth(1)?.parse().ok()?;
    Some(kilobytes / 1000.0)
}

fn main() {
    took(5_000, 8);
    let few = took(1_000, 100);
    let some = took(1_000, 1_000);
    let many = took(10_000, 1_000);
    let memory = memory();
    println!("memory at the most: {memory:?} MB");
    assert!(many <= 10.0, "{many} s");
    assert!(memory.is_none_or(|memory| memory <= 300.0), "{memory:?} MB");
    assert!(some <= few * 11.0, "samples: {few} s to {some} s");
    assert!(many <= some * 11.0, "restores: {some} s to {many} s");
}
