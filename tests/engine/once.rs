//! Nothing doubles: refusals that are nobody's, marks that come back changed, clocks hours apart, jobs that cannot be told
//! apart, two machines, old copies of a journal, answers that are about another job.

use std::collections::BTreeSet;
use std::path::Path;

use jiff::SignedDuration;
use redrill::backup::Writer as _;
use redrill::execute::{DuplicatePolicy, Ended, Policy, Stopped};
use redrill::ids::{JobId, RunId};
use redrill::report::{Record, RunReport, Verdict, run_report};
use redrill::state::{Event, Recorded, RestoreStage};
use redrill_emulator::{Fault, FaultKind, Inventory, JobFault, Operation, Options, TokenSemantics};

use super::others::request_of;
use super::{job_of, meanwhile, stage_of, unmarked};
use crate::harness::{
    Death, Going, completed, connect, driven, events, fast, going, run, run_as, run_going,
    run_until, run_watched, sleep,
};
use crate::support::{HEAD, emulator, files, folder, many, point};

fn on_start(kind: FaultKind) -> Fault {
    Fault::new(Operation::StartRestoreJob, kind)
}

fn on_metadata(kind: FaultKind) -> Fault {
    Fault::new(Operation::GetRestoreJobMetadata, kind)
}

fn report(state: &Path) -> RunReport {
    let events = events(state);
    let record: Record = events.iter().collect();
    run_report("many", &RunId::new("main"), record)
}

fn with(duplicates: DuplicatePolicy) -> Policy {
    Policy {
        duplicates,
        ..fast()
    }
}

fn chosen(job: &str) -> Policy {
    Policy {
        chosen: BTreeSet::from([JobId::new(job)]),
        ..with(DuplicatePolicy::Adopt)
    }
}

/// The first attempt to start is carried out, and something in between answers it.
#[tokio::test]
async fn reliability_r1_1_what_a_proxy_answers_is_no_refusal() {
    for status in [200, 302, 400, 401, 403, 404, 407, 409, 429, 451, 502] {
        let emulator = emulator(driven(TokenSemantics::default())).await;
        emulator.inject(on_start(FaultKind::HtmlAfter(status)).times(1));
        let state = folder();
        let ended = run(state.path(), &many(2, 0), &emulator).await;
        assert_eq!(ended.unwrap(), Ended::Finished, "{status}");
        assert_eq!(
            (emulator.jobs().len(), completed(state.path())),
            (2, 2),
            "{status}"
        );
        emulator.shutdown().await;
    }
}

/// It answers all of them: nothing is withdrawn, and what was sent is found before it is sent again.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r1_1_a_job_behind_a_proxy_is_found_before_anything_follows() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    emulator.inject(on_start(FaultKind::HtmlAfter(403)));
    let state = folder();
    let plan = many(1, 0);
    let ended = run(state.path(), &plan, &emulator).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    let calls = emulator.calls();
    assert_eq!(calls[&Operation::StartRestoreJob], 1);
    assert_eq!((emulator.jobs().len(), completed(state.path())), (1, 1));
    emulator.shutdown().await;
}

/// Nothing of what it answers has arrived: that is said after a minute, however well AWS answers the looks in between.
#[tokio::test]
async fn a_proxy_that_lets_no_request_through_ends_the_run() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    emulator.inject(on_start(FaultKind::ResetBefore));
    let state = folder();
    let began = emulator.clock().now();
    let ended = run(state.path(), &many(3, 0), &emulator).await;
    assert!(matches!(ended, Err(Stopped::Aws(_))), "{ended:?}");
    let took = emulator.clock().now().duration_since(began);
    assert!(took < SignedDuration::from_mins(5), "{took:?}");
    assert_eq!(stage_of(state.path(), "r0"), Some(RestoreStage::Intended));
    emulator.clear_faults();
    let ended = run(state.path(), &many(3, 0), &emulator).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!((emulator.jobs().len(), completed(state.path())), (3, 3));
    emulator.shutdown().await;
}

/// An answer is lost, and AWS forgets the token at once: the job is looked for before the request is sent again.
#[tokio::test]
async fn a_lost_answer_and_a_forgotten_token() {
    let unmarked = super::unmarked(2);
    for plan in [many(2, 0), unmarked] {
        for kind in [
            FaultKind::ResetAfter,
            FaultKind::Truncate,
            FaultKind::HtmlAfter(204),
            FaultKind::HtmlAfter(503),
            FaultKind::Garbage,
        ] {
            for no_rate_limit in [true, false] {
                let emulator = emulator(driven(TokenSemantics::default())).await;
                emulator.inject(on_start(FaultKind::ForgetToken));
                emulator.inject(on_start(kind.clone()).times(2));
                let state = folder();
                let policy = Policy {
                    no_rate_limit,
                    ..Policy::default()
                };
                let ended = run_as(policy, state.path(), &plan, &emulator).await;
                assert_eq!(ended.unwrap(), Ended::Finished, "{kind:?}");
                assert_eq!(
                    (emulator.jobs().len(), completed(state.path())),
                    (2, 2),
                    "{kind:?}"
                );
                emulator.shutdown().await;
            }
        }
    }
}

/// Marks and keys in other letters, and more keys than were sent.
#[tokio::test]
async fn reliability_r1_2_marks_in_other_letters_are_the_same_marks() {
    for kept in [false, true] {
        let emulator = emulator(driven(TokenSemantics::recorded())).await;
        let plan = many(3, 0);
        let (state, again) = (folder(), folder());
        if kept {
            // The journal ends after the intents.
            emulator.inject(on_start(FaultKind::ResetAfter).times(3));
            run_until(state.path(), &plan, &emulator, Death::Before(2))
                .await
                .unwrap_err();
        } else {
            run(state.path(), &plan, &emulator).await.unwrap();
        }
        let there = emulator.jobs().len();
        sleep(&emulator, SignedDuration::from_hours(2));
        emulator.inject(on_metadata(FaultKind::MetadataUpper));
        let state = if kept { &state } else { &again };
        let ended = run(state.path(), &plan, &emulator).await;
        assert_eq!(ended.unwrap(), Ended::Finished);
        assert_eq!(
            (there, emulator.jobs().len(), completed(state.path())),
            (3, 3, 3)
        );
        emulator.shutdown().await;
    }
}

/// Marks that do not come back: whoever asks for the same is asked about, and nothing is started.
#[tokio::test]
async fn reliability_r1_2_a_job_without_its_mark_is_asked_about() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    let plan = many(1, 0);
    run(folder().path(), &plan, &emulator).await.unwrap();
    sleep(&emulator, SignedDuration::from_hours(2));
    emulator.inject(on_metadata(FaultKind::MetadataUnmarked));
    let state = folder();
    let asked = run(state.path(), &plan, &emulator).await;
    let Err(Stopped::Duplicate { jobs, .. }) = &asked else {
        panic!("{asked:?}");
    };
    assert_eq!(emulator.jobs().len(), 1);
    let ended = run_as(
        chosen(&jobs[0].as_str().to_uppercase()),
        state.path(),
        &plan,
        &emulator,
    )
    .await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!((emulator.jobs().len(), completed(state.path())), (1, 1));
    emulator.shutdown().await;
}

/// Killed between intent and answer; AWS forgets the token; this machine's clock is hours off, or was, or will be.
#[tokio::test]
async fn reliability_r1_3_clocks_hours_apart_start_nothing_twice() {
    let hours = SignedDuration::from_hours;
    for (then, now) in [
        (2, 2),
        (3, 0),
        (0, 3),
        (-3, 0),
        (0, -3),
        (-2, -2),
        (12, -12),
    ] {
        let emulator = emulator(driven(TokenSemantics::recorded())).await;
        let plan = many(3, 0);
        let state = folder();
        let mut nothing = |_: &Recorded| {};
        let first = Going {
            ahead: hours(then),
            death: Death::Before(2),
            ..going(fast(), &mut nothing)
        };
        run_going(state.path(), &plan, &emulator, first)
            .await
            .unwrap_err();
        let sent = emulator.jobs().len();
        sleep(&emulator, hours(2));
        let mut nothing = |_: &Recorded| {};
        let second = Going {
            ahead: hours(now),
            ..going(fast(), &mut nothing)
        };
        let ended = run_going(state.path(), &plan, &emulator, second).await;
        assert_eq!(ended.unwrap(), Ended::Finished, "{then} {now}");
        assert_eq!((sent, emulator.jobs().len()), (3, 3), "{then} {now}");
        assert_eq!(completed(state.path()), 3);
        emulator.shutdown().await;
    }
}

/// Many jobs are followed by listing what has ended, by AWS's clock.
#[tokio::test]
async fn reliability_r1_3_jobs_are_followed_with_clocks_apart() {
    for ahead in [-2, 2] {
        let emulator = emulator(driven(TokenSemantics::recorded())).await;
        let state = folder();
        let mut nothing = |_: &Recorded| {};
        let going = Going {
            ahead: SignedDuration::from_hours(ahead),
            ..going(fast(), &mut nothing)
        };
        let began = emulator.clock().now();
        run_going(state.path(), &many(20, 0), &emulator, going)
            .await
            .unwrap();
        assert_eq!((emulator.jobs().len(), completed(state.path())), (20, 20));
        let took = emulator.clock().now().duration_since(began);
        assert!(took < SignedDuration::from_mins(10), "{took:?}");
        emulator.shutdown().await;
    }
}

/// AWS answers the second request with the first one's job.
#[tokio::test]
async fn reliability_r1_4_one_job_is_not_two_restores() {
    let plan = many(2, 0).replace("restores:", "limits: { concurrent: 1 }\nrestores:");
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let state = folder();
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Accepted {
            restore, job_id, ..
        } = &recorded.event
            && restore == "r0"
        {
            emulator.inject(on_start(FaultKind::NamesJob(job_id.to_string())).times(1));
        }
    };
    let ended = run_watched(state.path(), &plan, &emulator, &mut onlooker).await;
    // Its own was made, and has its mark.
    assert_eq!(ended.unwrap(), Ended::Finished);
    let jobs: BTreeSet<_> = ["r0", "r1"].map(|name| job_of(state.path(), name)).into();
    assert_eq!(
        (jobs.len(), emulator.jobs().len(), completed(state.path())),
        (2, 2, 2)
    );
    emulator.shutdown().await;
}

/// The same where no job of its own was made: both names are said, and nothing passes.
#[tokio::test]
async fn reliability_r1_4_one_job_for_two_requests_is_said_with_both_names() {
    let plan = many(2, 0).replace("restores:", "limits: { concurrent: 1 }\nrestores:");
    let emulator = emulator(driven(TokenSemantics::default())).await;
    let state = folder();
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Accepted {
            restore, job_id, ..
        } = &recorded.event
            && restore == "r0"
        {
            // What it has made does not show.
            emulator.inject(on_start(FaultKind::NamesJob(job_id.to_string())).times(1));
            let lag = FaultKind::ListLag(SignedDuration::from_hours(1));
            emulator.inject(Fault::new(Operation::ListRestoreJobs, lag));
        }
    };
    let ended = run_watched(state.path(), &plan, &emulator, &mut onlooker).await;
    let Some(RestoreStage::Failed { message, .. }) = stage_of(state.path(), "r1") else {
        panic!("{ended:?}: {:?}", stage_of(state.path(), "r1"));
    };
    assert!(
        message.contains("`r1`") && message.contains("`r0`"),
        "{message}"
    );
    assert_eq!(report(state.path()).verdict, Verdict::Failed);
    emulator.shutdown().await;
}

/// Without marks: another run's job from before this one's request is not taken for its own, and one from after it is not
/// said to be this run's.
#[tokio::test]
async fn reliability_r1_4_another_runs_job_is_not_this_runs() {
    let plan = unmarked(1);
    for before in [true, false] {
        let emulator = emulator(driven(TokenSemantics::recorded())).await;
        let state = folder();
        let other = || async {
            let request = request_of(&plan.replace("plan: many", "plan: other"), 0);
            connect(&emulator).await.start(&request).await.unwrap();
        };
        if before {
            other().await;
            sleep(&emulator, SignedDuration::from_mins(30));
        }
        emulator.inject(on_start(FaultKind::ResetBefore));
        run_until(state.path(), &plan, &emulator, Death::After(1))
            .await
            .unwrap_err();
        emulator.clear_faults();
        sleep(&emulator, SignedDuration::from_hours(2));
        if !before {
            other().await;
            sleep(&emulator, SignedDuration::from_hours(2));
        }
        let ended = run(state.path(), &plan, &emulator).await;
        assert_eq!(emulator.jobs().len(), 1);
        if before {
            assert!(
                matches!(&ended, Err(Stopped::Duplicate { .. })),
                "{ended:?}"
            );
            let ended = run_as(
                with(DuplicatePolicy::StartAnyway),
                state.path(),
                &plan,
                &emulator,
            )
            .await;
            assert_eq!(ended.unwrap(), Ended::Finished);
            assert_eq!(emulator.jobs().len(), 2);
        } else {
            assert_eq!(ended.unwrap(), Ended::Finished);
            let is_ours =
                events(state.path())
                    .into_iter()
                    .find_map(|recorded| match recorded.event {
                        Event::Adopted { ours, .. } => Some(ours),
                        _ => None,
                    });
            assert_eq!(is_ours, Some(Some(false)));
        }
        emulator.shutdown().await;
    }
}

/// An id that is none, or that AWS does not know.
#[tokio::test]
async fn reliability_r1_4_an_id_that_is_none_does_not_end_a_run() {
    for id in ["", " ", "a\nb", "00000000-0000-4000-8000-000000000000"] {
        let emulator = emulator(driven(TokenSemantics::default())).await;
        emulator.inject(on_start(FaultKind::NamesJob(id.to_owned())).times(1));
        let state = folder();
        let ended = run(state.path(), &many(1, 0), &emulator).await;
        assert_eq!(ended.unwrap(), Ended::Finished, "{id:?}");
        assert_eq!(
            (emulator.jobs().len(), completed(state.path())),
            (1, 1),
            "{id:?}"
        );
        emulator.shutdown().await;
    }
}

/// The same without a mark to find it by: a person chooses, or says that it is gone.
#[tokio::test]
async fn reliability_r1_4_another_job_is_chosen_for_one_that_aws_does_not_know() {
    for is_chosen in [true, false] {
        let emulator = emulator(driven(TokenSemantics::recorded())).await;
        let unknown = "00000000-0000-4000-8000-000000000000";
        emulator.inject(on_start(FaultKind::NamesJob(unknown.to_owned())).times(1));
        let (state, plan) = (folder(), unmarked(1));
        let ended = run(state.path(), &plan, &emulator).await;
        let Err(Stopped::NoSuchJob { job, .. }) = &ended else {
            panic!("{ended:?}");
        };
        assert_eq!(job, unknown);
        let made = emulator.jobs()[0].id.clone();
        if is_chosen {
            let ended = run_as(chosen(&made), state.path(), &plan, &emulator).await;
            assert_eq!(ended.unwrap(), Ended::Finished);
            assert_eq!(job_of(state.path(), "r0"), Some(made));
            assert_eq!(completed(state.path()), 1);
        } else {
            run_as(
                with(DuplicatePolicy::StartAnyway),
                state.path(),
                &plan,
                &emulator,
            )
            .await
            .unwrap();
            assert!(matches!(
                stage_of(state.path(), "r0"),
                Some(RestoreStage::Failed { .. })
            ));
        }
        assert_eq!(emulator.jobs().len(), 1);
        emulator.shutdown().await;
    }
}

/// Another runner of the same run, with AWS's tokens forgotten at once: its job for a restore that this one has started is
/// found within a minute, and nothing more is started.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r1_5_a_second_job_is_said_at_once() {
    let plan = many(5, 1).replace("restores:", "limits: { concurrent: 1 }\nrestores:");
    let emulator = emulator(driven(TokenSemantics::default())).await;
    emulator.inject(on_start(FaultKind::ForgetToken));
    let request = request_of(&plan, 0);
    let state = folder();
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Accepted { restore, .. } = &recorded.event
            && restore == "r0"
        {
            meanwhile(|| async { connect(&emulator).await.start(&request).await.unwrap() });
        }
    };
    let ended = run_watched(state.path(), &plan, &emulator, &mut onlooker).await;
    let Err(Stopped::SecondJob {
        restore,
        job,
        beside,
    }) = &ended
    else {
        panic!("{ended:?}");
    };
    assert_eq!(restore, "r0");
    assert_eq!(job_of(state.path(), "r0"), Some(beside.to_string()));
    let report = report(state.path());
    assert_eq!(report.restores[0].second_jobs, std::slice::from_ref(job));
    assert!(emulator.jobs().len() < 6, "it goes on starting");
    let said = report.to_string();
    assert!(
        said.contains(job.as_str()) && said.contains(beside.as_str()),
        "{said}"
    );
    for text in [
        redrill::report::run_markdown(&report),
        redrill::report::run_junit(&report),
        redrill::report::run_html(&report),
    ] {
        assert!(text.contains(job.as_str()), "{text}");
    }
    emulator.shutdown().await;
}

/// All has been started, and ended, before a minute is over: the last look sees it.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r1_5_a_run_does_not_pass_with_a_second_job() {
    let inventory = format!(
        "account: \"123456789012\"\nregion: us-west-2\nvaults:\n  v:\n    recovery_points:\n      - {{ arn: \"{}\", resource_arn: \"arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-0a1b2c3d\", resource_type: EFS, created_at: 2026-01-01T00:00:00Z, restore: {{ duration: 10s }} }}\n",
        point(0)
    );
    let emulator = emulator(Options {
        inventory: Some(Inventory::parse(&inventory).unwrap()),
        ..driven(TokenSemantics::default())
    })
    .await;
    let plan = many(1, 0);
    emulator.inject(on_start(FaultKind::ForgetToken));
    let request = request_of(&plan, 0);
    let state = folder();
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Accepted { .. } = &recorded.event {
            meanwhile(|| async { connect(&emulator).await.start(&request).await.unwrap() });
        }
    };
    let began = emulator.clock().now();
    let ended = run_watched(state.path(), &plan, &emulator, &mut onlooker).await;
    assert!(matches!(ended, Err(Stopped::SecondJob { .. })), "{ended:?}");
    let took = emulator.clock().now().duration_since(began);
    assert!(took < SignedDuration::from_mins(1), "{took:?}");
    let report = report(state.path());
    assert_eq!(
        (report.verdict, report.restores[0].second_jobs.len()),
        (Verdict::Failed, 1)
    );
    emulator.shutdown().await;
}

/// What another runner starts while this one is under way is taken up when its turn comes.
#[tokio::test(flavor = "multi_thread")]
async fn reliability_r1_5_what_another_runner_starts_meanwhile_is_not_started_again() {
    let plan = many(4, 1).replace("restores:", "limits: { concurrent: 1 }\nrestores:");
    let emulator = emulator(driven(TokenSemantics::default())).await;
    emulator.inject(on_start(FaultKind::ForgetToken));
    let request = request_of(&plan, 3);
    let state = folder();
    let mut onlooker = |recorded: &Recorded| {
        if let Event::Accepted { restore, .. } = &recorded.event
            && restore == "r0"
        {
            meanwhile(|| async { connect(&emulator).await.start(&request).await.unwrap() });
            sleep(&emulator, SignedDuration::from_mins(2));
        }
    };
    let ended = run_watched(state.path(), &plan, &emulator, &mut onlooker).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!((emulator.jobs().len(), completed(state.path())), (4, 4));
    emulator.shutdown().await;
}

/// A request without an answer from before what AWS lists: that nothing is found says nothing.
#[tokio::test]
async fn reliability_r1_6_what_is_older_than_a_listing_is_asked_about() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    let (state, plan) = (folder(), many(1, 0));
    run_until(state.path(), &plan, &emulator, Death::After(1))
        .await
        .unwrap_err();
    assert_eq!(emulator.jobs().len(), 0);
    sleep(&emulator, SignedDuration::from_hours(31 * 24));
    let asked = run(state.path(), &plan, &emulator).await;
    assert!(
        matches!(&asked, Err(Stopped::TooLongAgo { .. })),
        "{asked:?}"
    );
    assert_eq!(emulator.jobs().len(), 0);
    let ended = run_as(
        with(DuplicatePolicy::StartAnyway),
        state.path(),
        &plan,
        &emulator,
    )
    .await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!(emulator.jobs().len(), 1);
    emulator.shutdown().await;
}

/// `--retry-failed` from a copy of the journal that knows of one attempt, when there were two.
#[tokio::test]
async fn reliability_r1_7_an_old_copy_of_a_journal_retries_nothing_twice() {
    for (plan, is_marked) in [(many(1, 0), true), (unmarked(1), false)] {
        let emulator = emulator(driven(TokenSemantics::recorded())).await;
        let (state, copy) = (folder(), folder());
        let fails = FaultKind::Job(JobFault::Fails("No.".to_owned()));
        emulator.inject(on_start(fails).times(1));
        run(state.path(), &plan, &emulator).await.unwrap();
        for (path, content) in files(state.path()) {
            let to = copy.path().join(path.strip_prefix(state.path()).unwrap());
            std::fs::create_dir_all(to.parent().unwrap()).unwrap();
            std::fs::write(to, content).unwrap();
        }
        let retry = || Policy {
            retry_failed: true,
            ..fast()
        };
        run_as(retry(), state.path(), &plan, &emulator)
            .await
            .unwrap();
        assert_eq!((emulator.jobs().len(), completed(state.path())), (2, 1));
        sleep(&emulator, SignedDuration::from_hours(2));
        let ended = run_as(retry(), copy.path(), &plan, &emulator).await;
        assert_eq!(emulator.jobs().len(), 2, "{ended:?}");
        if is_marked {
            assert_eq!(
                (ended.unwrap(), completed(copy.path())),
                (Ended::Finished, 1)
            );
        } else {
            let Err(Stopped::Duplicate { jobs, .. }) = &ended else {
                panic!("{ended:?}");
            };
            assert_eq!(jobs.len(), 1, "the first attempt's is known");
        }
        emulator.shutdown().await;
    }
}

/// Answers about jobs have the data of others: none is believed, and each restore has its own at the end.
#[tokio::test]
async fn reliability_r3_10_an_answer_about_another_job_is_not_believed() {
    for (count, operation) in [
        (2, Operation::DescribeRestoreJob),
        (9, Operation::ListRestoreJobs),
    ] {
        let emulator = emulator(driven(TokenSemantics::default())).await;
        emulator.inject(Fault::new(operation, FaultKind::Mixed).after(1).times(4));
        let state = folder();
        let ended = run(state.path(), &many(count, 0), &emulator).await;
        assert_eq!(ended.unwrap(), Ended::Finished);
        assert_eq!(
            (emulator.jobs().len(), completed(state.path())),
            (count, count)
        );
        let jobs = emulator.jobs();
        for recorded in events(state.path()) {
            if let Event::Completed {
                restore,
                created_resource_arn,
                mismatch,
                ..
            } = recorded.event
            {
                let id = job_of(state.path(), restore.as_str()).unwrap();
                let own = jobs.iter().find(|job| job.id == id).unwrap();
                assert_eq!(created_resource_arn, own.created_resource_arn, "{restore}");
                assert_eq!(mismatch, None);
            }
        }
        emulator.shutdown().await;
    }
}

/// The same recovery point, and another job's table: it is recorded as what it is, and nothing is built on it.
#[tokio::test]
async fn reliability_r3_10_what_was_not_asked_for_is_recorded_as_such() {
    let table = |name: &str| {
        format!(
            "  {name}:\n    type: DynamoDB\n    recovery_point: {}\n    metadata: {{ targetTableName: {name}-copy, encryptionType: Default }}\n",
            point(0)
        )
    };
    let plan = HEAD.to_owned()
        + &table("t0")
        + &table("t1")
        + &table("next").replace("type: DynamoDB", "type: DynamoDB\n    needs: [t0, t1]");
    let emulator = emulator(driven(TokenSemantics::default())).await;
    emulator.inject(Fault::new(Operation::DescribeRestoreJob, FaultKind::Mixed));
    let state = folder();
    run(state.path(), &plan, &emulator).await.unwrap();
    assert_eq!(completed(state.path()), 0);
    let report = report(state.path());
    assert_eq!(report.verdict, Verdict::Failed);
    for name in ["t0", "t1"] {
        let restore = report
            .restores
            .iter()
            .find(|of| of.restore == name)
            .unwrap();
        let why = restore.mismatch.as_deref().unwrap();
        assert!(
            why.contains("table/") && why.contains(&format!("table/{name}")),
            "{why}"
        );
        assert_eq!(
            restore.message.as_deref(),
            Some(&*format!("COMPLETED, but {why}"))
        );
    }
    assert_eq!(emulator.jobs().len(), 2, "nothing follows from it");
    emulator.shutdown().await;
}

/// A network that repeats requests.
#[tokio::test]
async fn a_request_that_arrives_twice_is_one_job() {
    let emulator = emulator(driven(TokenSemantics::recorded())).await;
    emulator.inject(on_start(FaultKind::Twice));
    let state = folder();
    let ended = run(state.path(), &many(5, 2), &emulator).await;
    assert_eq!(ended.unwrap(), Ended::Finished);
    assert_eq!((emulator.jobs().len(), completed(state.path())), (5, 5));
    emulator.shutdown().await;
}
