//! What holds a run up is named, and what relaxing it gains is what a rehearsal with that limit gains.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::Timestamp;
use redrill::diagnostic::Source;
use redrill::diff::Wanted;
use redrill::execute::Policy;
use redrill::forecast::{
    ForecastOptions, ForecastSubject, PastRestore, PastRun, RunForecast, forecast, restores_of,
};
use redrill::ids::RunId;
use redrill::render::{Inputs, Known};
use redrill::rules::Rules;
use redrill::session;
use redrill::state::{Recorded, RunState};
use redrill_emulator::{Options, TokenSemantics};

use crate::harness::{driven, going, run_going};
use crate::support::{emulator, folder, many};

/// Five hundred restores; of those of one type only one runs at a time.
fn plan(at_once: u32) -> String {
    let rest = many(488, 0);
    let (head, rest) = rest.split_once("target:").unwrap();
    let mut plan = format!("{head}limits: {{ by_type: {{ S3: {at_once} }} }}\ntarget:{rest}");
    for at in 488..500 {
        let _ = write!(
            plan,
            "  r{at}:\n    type: S3\n    into_existing: true\n    recovery_point: {}\n    metadata: {{ DestinationBucketName: \"bucket-{at}\", NewBucket: false, RestoreACLs: false }}\n",
            crate::support::point(at)
        );
    }
    plan
}

/// Rehearses it: how long it took, in seconds, and what its journal has.
async fn rehearsed(at_once: u32) -> (f64, Vec<Recorded>) {
    let emulator = emulator(Options {
        ..driven(TokenSemantics::default())
    })
    .await;
    let state = folder();
    let began = emulator.clock().now();
    let mut records = Vec::new();
    let mut onlooker = |recorded: &Recorded| records.push(recorded.clone());
    let how = going(Policy::default(), &mut onlooker);
    let plan = plan(at_once);
    run_going(state.path(), &plan, &emulator, how)
        .await
        .unwrap();
    emulator.shutdown().await;
    let ends = records
        .iter()
        .filter(|of| matches!(of.event, redrill::state::Event::Completed { .. }));
    let last = ends.map(|of| of.at).max().unwrap();
    (last.duration_since(began).as_secs_f64(), records)
}

fn forecast_of(past: &[PastRestore], what_if: &str) -> RunForecast {
    let source = Source::new("plan.yaml", plan(1));
    let rules = Arc::new(Rules::embedded());
    let loaded = session::read(&source, &RunId::new("main"), &Inputs::default(), &rules).unwrap();
    let plan = loaded.draft(&Known::default()).plan.unwrap();
    let nothing = RunState::default();
    let diff = redrill::diff::diff(&plan, &nothing, &Wanted::default());
    let now: Timestamp = "2026-11-20T03:00:00Z".parse().unwrap();
    let subject = ForecastSubject::new(plan, diff, &Known::default(), &nothing, now);
    let options = ForecastOptions {
        samples: 40,
        what_ifs: &[what_if.parse().unwrap()],
        tries_limits: true,
        ..ForecastOptions::default()
    };
    forecast(&subject, past, &options)
}

#[tokio::test(flavor = "multi_thread")]
async fn the_limit_that_holds_up_five_hundred_restores_is_named() {
    let (one, records) = rehearsed(1).await;
    let (four, _) = rehearsed(4).await;
    let mut run = PastRun::default();
    records.iter().for_each(|recorded| run.take(recorded));
    assert!(run.has_ended && !run.is_at_aws, "{run:?}");
    assert_eq!(run.restores.len(), 500);
    let past = restores_of(&vec![run; 10]);
    let found = forecast_of(&past, "limits.by_type.S3=4");
    let first = &found.limits[0];
    assert_eq!(
        (first.limit.as_str(), first.now),
        ("limits.by_type.S3", Some(1))
    );
    assert!(first.critical > 0.95 && first.gain_seconds > 0, "{first:?}");
    let (gain, rehearsed) = (found.what_ifs[0].gain_seconds as f64, one - four);
    assert!(
        (gain - rehearsed).abs() <= 0.1 * rehearsed,
        "{gain}, a rehearsal gains {rehearsed}: {one} and {four}, {:?} and {:?}, {:?}",
        found.makespan,
        found.what_ifs[0].makespan,
        past.iter()
            .filter(|of| of.resource_type == "S3")
            .map(|of| (of.seconds, of.pending_seconds, of.size_bytes))
            .take(12)
            .collect::<Vec<_>>()
    );
    // Each restore of the type decides when the run ends; those beside it do not.
    let of = |name: &str| {
        let mut all = found.restores.iter();
        all.find(|of| of.restore == name).unwrap().critical
    };
    assert!(
        of("r490") > 0.9 && of("r0") < 0.1,
        "{}, {}",
        of("r490"),
        of("r0")
    );
}
