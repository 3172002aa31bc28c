//! The forecast and the engine have one scheduler: where each job takes what it takes, they end in the same second.

use std::fmt::Write as _;
use std::sync::Arc;

use jiff::SignedDuration;
use redrill::diff::Wanted;
use redrill::execute::{Course, Played, Policy, RunSimulation};
use redrill::ids::{Indexed, RunId, StepIndex};
use redrill::plan::Plan;
use redrill::render::{Inputs, Known};
use redrill::session;
use redrill::state::{Event, Recorded, RunState};
use redrill_emulator::{Inventory, Options, TokenSemantics};

use crate::harness::{driven, going, run_going};
use crate::support::{emulator, folder};

/// How long the emulator keeps a job PENDING.
const PENDING: i64 = 10;

/// A restore of a random plan.
struct Restore {
    of_type: &'static str,
    needs: Vec<usize>,
    seconds: i64,
    fails: bool,
}

/// A random plan: its restores, and what stands above them.
struct Drill {
    head: String,
    restores: Vec<Restore>,
}

fn drill(seed: u64) -> Drill {
    let mut random = fastrand::Rng::with_seed(seed);
    let count = random.usize(1..=16);
    let mut head = String::from("plan: many\n");
    let mut limits = Vec::new();
    if random.bool() {
        limits.push(format!("concurrent: {}", random.u32(1..12)));
    }
    if random.bool() {
        let of = ["EFS", "EBS"][random.usize(..2)];
        limits.push(format!("by_type: {{ {of}: {} }}", random.u32(1..4)));
    }
    if !limits.is_empty() {
        let _ = writeln!(head, "limits: {{ {} }}", limits.join(", "));
    }
    if random.u32(..8) == 0 {
        head.push_str("on_failure: stop\n");
    }
    let needs = random.usize(..3);
    let restores = (0..count).map(|at| {
        let mut before: Vec<usize> = (0..needs.min(at)).map(|_| random.usize(..at)).collect();
        before.sort_unstable();
        before.dedup();
        Restore {
            of_type: ["EFS", "EBS", "DynamoDB"][random.usize(..3)],
            needs: before,
            // From seconds to most of an hour, most of them short.
            seconds: (10.0 * (random.f64() * 5.5).exp()) as i64,
            fails: random.u32(..20) == 0,
        }
    });
    let restores = restores.collect();
    Drill { head, restores }
}

impl Drill {
    fn point(&self, at: usize) -> String {
        match self.restores[at].of_type {
            "EBS" => format!("arn:aws:ec2:us-west-2::snapshot/snap-{at:017}"),
            _ => crate::support::point(at),
        }
    }

    fn plan(&self) -> String {
        let mut plan = self.head.clone();
        plan.push_str("target:\n  region: us-west-2\n  account: \"123456789012\"\n  iam_role_arn: arn:aws:iam::123456789012:role/restore\nrestores:\n");
        for (at, restore) in self.restores.iter().enumerate() {
            let needs: Vec<String> = restore.needs.iter().map(|of| format!("r{of}")).collect();
            let metadata = match restore.of_type {
                "EBS" => "availabilityZone: us-west-2a, volumeType: gp3",
                "DynamoDB" => "targetTableName: \"orders-{{ restore }}\"",
                _ => {
                    "file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: \"{{ restore }}\""
                }
            };
            let _ = writeln!(
                plan,
                "  r{at}:\n    type: {}\n    needs: [{}]\n    recovery_point: \"{}\"\n    metadata: {{ {metadata} }}",
                restore.of_type,
                needs.join(", "),
                self.point(at),
            );
        }
        plan
    }

    fn inventory(&self) -> Inventory {
        let mut text = String::from(
            "account: \"123456789012\"\nregion: us-west-2\nvaults:\n  v:\n    recovery_points:\n",
        );
        for (at, restore) in self.restores.iter().enumerate() {
            let resource = match restore.of_type {
                "EBS" => "ec2:us-west-2:123456789012:volume/vol-0a1b2c3d4e5f60718",
                "DynamoDB" => "dynamodb:us-west-2:123456789012:table/orders",
                _ => "elasticfilesystem:us-west-2:123456789012:file-system/fs-0a1b2c3d",
            };
            let fails = if restore.fails { ", fails: broken" } else { "" };
            let _ = writeln!(
                text,
                "      - {{ arn: \"{}\", resource_arn: \"arn:aws:{resource}\", resource_type: {}, created_at: 2026-01-01T00:00:00Z, restore: {{ duration: {}s{fails} }} }}",
                self.point(at),
                restore.of_type,
                restore.seconds
            );
        }
        Inventory::parse(&text).unwrap()
    }

    fn forecast(&self, plan: &Plan) -> Played {
        let diff = redrill::diff::diff(plan, &RunState::default(), &Wanted::default());
        let course = self.restores.iter().map(|restore| Course {
            job: (PENDING + restore.seconds) * 1000,
            fails: restore.fails,
            ..Course::default()
        });
        let mut played = Played::default();
        let course: Indexed<StepIndex, Course> = course.collect();
        let run = RunSimulation::new(plan, &diff, true);
        let mut skipped = Played::default();
        run.play(&course, &mut skipped);
        run.exactly().play(&course, &mut played);
        // What is not counted where samples are played is a look that is just missed, at the most one for each in a row.
        let off = (played.end - skipped.end).abs();
        assert!(off <= 31_000 * self.restores.len() as i64, "{off} ms");
        played
    }
}

/// Jobs end at AWS, and redrill sees it at its next look: both are compared, from the beginning of the run on.
async fn compare(seeds: std::ops::Range<u64>) {
    let rules = Arc::new(redrill::rules::Rules::embedded());
    let mut differ = Vec::new();
    for seed in seeds {
        let drill = drill(seed);
        let text = drill.plan();
        let source = redrill::diagnostic::Source::new("plan.yaml", text.clone());
        let loaded =
            session::read(&source, &RunId::new("main"), &Inputs::default(), &rules).unwrap();
        let plan = loaded.draft(&Known::default()).plan.unwrap();
        let played = drill.forecast(&plan);

        let emulator = emulator(Options {
            inventory: Some(drill.inventory()),
            ..driven(TokenSemantics::default())
        })
        .await;
        let state = folder();
        let began = emulator.clock().now();
        let (mut at_aws, mut seen) = (began, began);
        let mut onlooker = |recorded: &Recorded| {
            if let Event::Completed { ended_at, .. } | Event::Failed { ended_at, .. } =
                &recorded.event
            {
                at_aws = at_aws.max(ended_at.unwrap());
                seen = seen.max(recorded.at);
            }
        };
        let how = going(Policy::default(), &mut onlooker);
        run_going(state.path(), &text, &emulator, how)
            .await
            .unwrap();
        emulator.shutdown().await;

        let ran = played.steps.iter().filter(|step| step.started.is_some());
        let last_job = ran.map(|step| step.job_ended).max().unwrap();
        let engine = [at_aws, seen].map(|at| at.duration_since(began));
        let forecast = [last_job, played.end].map(SignedDuration::from_millis);
        if engine.map(|of| of.as_secs()) != forecast.map(|of| of.as_secs()) {
            differ.push(format!("{seed}: {engine:?}, forecast {forecast:?}"));
        }
    }
    assert!(differ.is_empty(), "{}: {differ:#?}", differ.len());
}

#[tokio::test(flavor = "multi_thread")]
async fn forecast_and_engine_end_in_the_same_second() {
    compare(0..50).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forecast_and_engine_end_in_the_same_second_of_fifty_more_plans() {
    compare(50..100).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forecast_and_engine_end_in_the_same_second_of_a_third_fifty() {
    compare(100..150).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn forecast_and_engine_end_in_the_same_second_of_a_fourth_fifty() {
    compare(150..200).await;
}
