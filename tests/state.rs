//! The table of transitions against a plain model: any order of events, and what each leaves.

use jiff::Timestamp;
use proptest::prelude::*;
use redrill::ids::{ClientToken, IdempotencyToken, JobId, RequestDigest, RestoreName};
use redrill::plan::Request;
use redrill::state::{
    CheckStage, CheckVerdict, Deletion, Event, Recorded, RestoreStage, RestoreState, next, replay,
};

/// What a restore can be, without what it holds.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Is {
    Untouched,
    Skipped,
    Withdrawn,
    Intended,
    Running,
    Completed,
    Failed,
}

fn is(past: Option<&RestoreState>) -> Is {
    match past.map(|past| &past.stage) {
        None => Is::Untouched,
        Some(RestoreStage::Skipped) => Is::Skipped,
        Some(RestoreStage::Withdrawn) => Is::Withdrawn,
        Some(RestoreStage::Intended) => Is::Intended,
        Some(RestoreStage::Running { .. }) => Is::Running,
        Some(RestoreStage::Completed { .. }) => Is::Completed,
        Some(RestoreStage::Failed { .. }) => Is::Failed,
    }
}

/// The rules in words: nothing is sent that has a job; an attempt follows a failure alone; an end is an end.
fn model(was: Is, attempt: u32, after: &After, event: &Event) -> Option<(Is, u32)> {
    let not_sent = matches!(was, Is::Untouched | Is::Skipped | Is::Withdrawn);
    let next_attempt = if was == Is::Failed {
        attempt + 1
    } else {
        attempt
    };
    let may_be_sent = not_sent || was == Is::Failed;
    match event {
        // One that somebody has made elsewhere may be any later one.
        Event::Intended {
            attempt: n, adopts, ..
        } => {
            let follows = *n == next_attempt || adopts.is_some() && *n > next_attempt;
            (may_be_sent && follows).then_some((Is::Intended, *n))
        }
        Event::Rejected { attempt: n, .. } => {
            (may_be_sent && *n == next_attempt).then_some((Is::Failed, *n))
        }
        Event::Accepted { .. } | Event::Adopted { .. } => {
            (was == Is::Intended).then_some((Is::Running, attempt))
        }
        Event::Withdrawn { .. } => (was == Is::Intended).then_some((Is::Withdrawn, attempt)),
        Event::Refused { .. } => (was == Is::Intended).then_some((Is::Failed, attempt)),
        Event::Nested { .. } => {
            matches!(was, Is::Running | Is::Completed | Is::Failed).then_some((was, attempt))
        }
        Event::StatusChanged { .. } | Event::Overdue { .. } => {
            (was == Is::Running).then_some((Is::Running, attempt))
        }
        Event::Completed { .. } => (was == Is::Running).then_some((Is::Completed, attempt)),
        Event::Failed { .. } => (was == Is::Running).then_some((Is::Failed, attempt)),
        Event::Skipped { .. } => not_sent.then_some((Is::Skipped, attempt)),
        // What is said of a thing that was made leaves the restore as it is.
        Event::CheckStarted { .. }
        | Event::CheckEnded { .. }
        | Event::Published { .. }
        | Event::Deleting { .. }
        | Event::Deleted { .. }
        | Event::DeletionFailed { .. } => {
            (was == Is::Completed && after.allows(event)).then_some((Is::Completed, attempt))
        }
        _ => None,
    }
}

/// What has been said of the thing that a restore made.
#[derive(Debug, Default)]
struct After {
    /// Starts of the check, whether it is under way, and whether it has passed.
    starts: u32,
    under_way: bool,
    passed: bool,
    /// What the plan wanted of the check when it was last started.
    definition: Option<String>,
    /// Whether its deletion is under way, and whether it is gone.
    deleting: bool,
    gone: bool,
    touched: bool,
}

impl After {
    /// The rules in words: a check that has passed is not run again unless it is known to be another now, ends belong to starts, nothing is judged of what
    /// is being deleted, and what is gone is gone.
    fn allows(&self, event: &Event) -> bool {
        match event {
            Event::CheckStarted {
                nth, definition, ..
            } => {
                let is_another = match (&self.definition, definition) {
                    (Some(was), Some(is)) => was != is,
                    (None, _) | (_, None) => false,
                };
                !self.touched && (!self.passed || is_another) && *nth == self.starts + 1
            }
            Event::CheckEnded { nth, .. } => !self.touched && self.under_way && *nth == self.starts,
            Event::Published { .. } => !self.touched && self.starts > 0,
            Event::Deleting { .. } => !self.gone,
            Event::Deleted { .. } => self.deleting || !self.touched,
            Event::DeletionFailed { .. } => !self.gone,
            _ => false,
        }
    }

    fn take(&mut self, event: &Event) {
        match event {
            Event::CheckStarted { definition, .. } => {
                self.starts += 1;
                (self.under_way, self.passed) = (true, false);
                self.definition.clone_from(definition);
            }
            Event::CheckEnded { verdict, .. } => {
                self.under_way = false;
                self.passed = *verdict == CheckVerdict::Passed;
            }
            Event::Deleting { .. } => (self.touched, self.deleting) = (true, true),
            Event::Deleted { .. } => {
                (self.touched, self.deleting, self.gone) = (true, false, true);
            }
            Event::DeletionFailed { .. } => (self.touched, self.deleting) = (true, false),
            _ => {}
        }
    }

    /// Whether the table remembers the same.
    fn agrees(&self, past: &RestoreState) -> bool {
        let check = past.checks.get("c");
        let deletion = past.deletion.as_ref();
        check.map_or(0, |check| check.starts) == self.starts
            && check.is_some_and(|check| check.is == CheckStage::Started) == self.under_way
            && check.is_some_and(|check| check.is == CheckStage::Passed) == self.passed
            && check.and_then(|check| check.definition.clone()) == self.definition
            && (deletion == Some(&Deletion::Asked)) == self.deleting
            && (deletion == Some(&Deletion::Gone)) == self.gone
    }
}

fn event() -> impl Strategy<Value = Event> {
    let restore = || RestoreName::new("r");
    let text = || "x".to_owned();
    prop_oneof![
        4 => (1u32..4, proptest::option::of(Just(JobId::new("x")))).prop_map(move |(attempt, adopts)| Event::Intended {
            restore: restore(),
            attempt,
            token: IdempotencyToken::new("x"),
            digest: RequestDigest::new("x"),
            request: Request {
                copy_source_tags_to_restored_resource: None,
                iam_role_arn: None,
                idempotency_token: None,
                metadata: redrill::render::Metadata::new(),
                recovery_point_arn: text(),
                resource_type: text(),
            },
            aws_at: None,
            adopts,
        }),
        3 => Just(Event::Accepted { restore: restore(), job_id: JobId::new("x"), request_id: None }),
        1 => Just(Event::Adopted { restore: restore(), job_id: JobId::new("x"), because: text(), ours: None, ended_at: None, former: Vec::new() }),
        1 => Just(Event::Withdrawn { restore: restore(), message: text() }),
        1 => Just(Event::Refused { restore: restore(), code: None, request_id: None, message: text() }),
        1 => (1u32..4).prop_map(move |attempt| Event::Rejected { restore: restore(), attempt, message: text() }),
        1 => Just(Event::StatusChanged { restore: restore(), status: text() }),
        2 => Just(Event::Completed {
            restore: restore(),
            created_resource_arn: None,
            started_at: None,
            ended_at: None,
            recovery_point_created_at: None,
            message: None,
            mismatch: None,
            size_bytes: None,
            source_resource_arn: None,
        }),
        3 => Just(Event::Failed {
            restore: restore(),
            status: text(),
            message: text(),
            started_at: None,
            ended_at: None,
            created_resource_arn: None,
            source_resource_arn: None,
        }),
        1 => Just(Event::Nested { restore: restore(), job_id: JobId::new("x"), jobs: Vec::new() }),
        1 => Just(Event::Overdue { restore: restore() }),
        1 => Just(Event::Skipped { restore: restore(), because: text() }),
        6 => (1u32..4, 0usize..3).prop_map(move |(nth, definition)| Event::CheckStarted {
            restore: Some(restore()),
            check: "c".to_owned(),
            cutover: false,
            nth,
            run: Vec::new(),
            definition: [None, Some("one"), Some("other")][definition].map(str::to_owned),
            begun: None,
            earlier: None,
        }),
        6 => (1u32..4, 0usize..3).prop_map(move |(nth, verdict)| Event::CheckEnded {
            restore: Some(restore()),
            check: "c".to_owned(),
            cutover: false,
            nth,
            verdict: [CheckVerdict::Passed, CheckVerdict::Again, CheckVerdict::Failed][verdict],
            exit: None,
            message: None,
            output: String::new(),
        }),
        1 => Just(Event::Published { restore: restore(), status: text() }),
        2 => Just(Event::Deleting { restore: restore(), arn: text(), token: ClientToken::new("x") }),
        2 => Just(Event::Deleted { restore: restore(), arn: text() }),
        1 => Just(Event::DeletionFailed { restore: restore(), arn: text(), message: text() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(1000))]
    #[test]
    fn any_order_of_events_goes_as_the_model_says(
        // Few orders come as far as the checks by themselves.
        before in prop_oneof![Just(Vec::new()), Just(completed_restore())],
        events in prop::collection::vec(event(), 1..40),
    ) {
        let mut past: Option<RestoreState> = None;
        let mut after = After::default();
        for event in before.into_iter().chain(events) {
            let was = is(past.as_ref());
            let attempt = past.as_ref().map_or(1, |past| past.attempt);
            let expected = model(was, attempt, &after, &event);
            let recorded = Recorded { at: Timestamp::UNIX_EPOCH, aws_ahead: None, event };
            match (next(past.clone(), &recorded), expected) {
                (Ok(is_now), Some((stage, attempt))) => {
                    prop_assert_eq!(is(Some(&is_now)), stage);
                    prop_assert_eq!(is_now.attempt, attempt);
                    if was == Is::Completed {
                        after.take(&recorded.event);
                    }
                    prop_assert!(after.agrees(&is_now), "{after:?} and {is_now:?}");
                    past = Some(is_now);
                }
                (Err(_), None) => {}
                (got, expected) => prop_assert!(false, "{was:?} and {recorded:?}: {got:?}, not {expected:?}"),
            }
        }
    }
}

/// A selector means what it was resolved to from the first request on; before that, and for another attempt, it may be
/// resolved anew.
#[test]
fn a_selector_is_resolved_before_its_request_and_not_after() {
    let resolved = || Event::Resolved {
        restore: RestoreName::new("r"),
        measured_from: Timestamp::UNIX_EPOCH,
        point: serde_json::from_value(serde_json::json!({
            "selector": { "vault": "dr" }, "recovery_point": "arn", "vault": "dr",
        }))
        .unwrap(),
    };
    let intended = |attempt| Event::Intended {
        restore: RestoreName::new("r"),
        attempt,
        token: IdempotencyToken::new(""),
        digest: RequestDigest::new(""),
        request: Request {
            copy_source_tags_to_restored_resource: None,
            iam_role_arn: None,
            idempotency_token: None,
            metadata: redrill::render::Metadata::new(),
            recovery_point_arn: String::new(),
            resource_type: String::new(),
        },
        aws_at: None,
        adopts: None,
    };
    let refused = || Event::Refused {
        restore: RestoreName::new("r"),
        code: None,
        request_id: None,
        message: String::new(),
    };
    let skipped = || Event::Skipped {
        restore: RestoreName::new("r"),
        because: String::new(),
    };
    for (events, legal) in [
        (vec![resolved(), resolved(), intended(1)], true),
        (vec![skipped(), resolved(), intended(1)], true),
        (
            vec![resolved(), intended(1), refused(), resolved(), intended(2)],
            true,
        ),
        (vec![resolved(), intended(1), resolved()], false),
        (vec![intended(1), resolved()], false),
    ] {
        let recorded: Vec<Recorded> = events
            .into_iter()
            .map(|event| Recorded {
                aws_ahead: None,
                at: Timestamp::UNIX_EPOCH,
                event,
            })
            .collect();
        let observed = replay(&recorded);
        assert_eq!(observed.is_ok(), legal, "{observed:?}");
        // It is a part of the run, and no step in the life of a restore.
        if let Ok(observed) = replay(&recorded[..1]) {
            assert!(observed.restores.is_empty() || recorded[0].event.restore().is_some());
        }
    }
}

/// Of a restore, of the plan, and a step of the cutover: what has passed is over unless the plan has it otherwise since, and
/// what has not may be started again.
#[test]
fn reliability_r9_30_what_has_passed_is_never_started_again() {
    let begin =
        |restore: Option<&str>, cutover, nth, definition: Option<&str>| Event::CheckStarted {
            restore: restore.map(RestoreName::new),
            check: "c".to_owned(),
            cutover,
            nth,
            run: Vec::new(),
            definition: definition.map(str::to_owned),
            begun: None,
            earlier: None,
        };
    let end = |restore: Option<&str>, cutover, nth, verdict| Event::CheckEnded {
        restore: restore.map(RestoreName::new),
        check: "c".to_owned(),
        cutover,
        nth,
        verdict,
        exit: None,
        message: None,
        output: String::new(),
    };
    let completed = [
        Event::Intended {
            restore: RestoreName::new("r"),
            attempt: 1,
            token: IdempotencyToken::new("t"),
            digest: RequestDigest::new("d"),
            request: Request {
                copy_source_tags_to_restored_resource: None,
                iam_role_arn: None,
                idempotency_token: None,
                metadata: redrill::render::Metadata::new(),
                recovery_point_arn: "a".to_owned(),
                resource_type: "EFS".to_owned(),
            },
            aws_at: None,
            adopts: None,
        },
        Event::Accepted {
            restore: RestoreName::new("r"),
            job_id: JobId::new("j"),
            request_id: None,
        },
        Event::Completed {
            restore: RestoreName::new("r"),
            created_resource_arn: None,
            started_at: None,
            ended_at: None,
            recovery_point_created_at: None,
            message: None,
            mismatch: None,
            size_bytes: None,
            source_resource_arn: None,
        },
    ];
    for (restore, cutover) in [(Some("r"), false), (None, false), (None, true)] {
        let (one, other) = (Some("one"), Some("other"));
        for (verdict, was, is, may_follow) in [
            (CheckVerdict::Passed, None, None, false),
            (CheckVerdict::Passed, None, one, false),
            (CheckVerdict::Passed, one, None, false),
            (CheckVerdict::Passed, one, one, false),
            // What was switched over is not switched again.
            (CheckVerdict::Passed, one, other, !cutover),
            (CheckVerdict::Again, one, one, true),
            (CheckVerdict::Failed, None, None, true),
            (CheckVerdict::Failed, one, other, true),
        ] {
            let checked = [
                begin(restore, cutover, 1, was),
                end(restore, cutover, 1, verdict),
                begin(restore, cutover, 2, is),
            ];
            let events: Vec<Recorded> = completed
                .iter()
                .cloned()
                .chain(checked)
                .map(|event| Recorded {
                    aws_ahead: None,
                    at: jiff::Timestamp::UNIX_EPOCH,
                    event,
                })
                .collect();
            assert!(redrill::state::replay(&events[..events.len() - 1]).is_ok());
            assert_eq!(
                redrill::state::replay(&events).is_ok(),
                may_follow,
                "{restore:?} {cutover} {verdict:?} {was:?} {is:?}"
            );
        }
    }
}

/// What is said of a second job, and of a job that takes the place of one that AWS does not know, and of a thing that was not
/// asked for.
#[test]
fn a_second_job_changes_nothing_and_a_mismatch_is_a_failure() {
    let second = Event::SecondJob {
        restore: RestoreName::new("r"),
        job_id: JobId::new("second"),
        beside: JobId::new("first"),
        because: String::new(),
    };
    let mut events = completed_restore();
    let before = replayed(&events).unwrap();
    events.push(second.clone());
    assert_eq!(replayed(&events).unwrap().restores, before.restores);
    assert!(!is_legal(
        &events[..1]
            .iter()
            .cloned()
            .chain([second])
            .collect::<Vec<_>>()
    ));

    let adopted = |job_id: &str| Event::Adopted {
        restore: RestoreName::new("r"),
        job_id: JobId::new(job_id),
        because: String::new(),
        ours: None,
        ended_at: None,
        former: Vec::new(),
    };
    let mut running = completed_restore();
    let completed = running.pop().unwrap();
    running.push(adopted("another"));
    let observed = replayed(&running).unwrap();
    assert_eq!(
        observed.restores["r"].stage.job_id(),
        Some(&JobId::new("another"))
    );
    running.push(adopted("another"));
    assert!(!is_legal(&running), "the same job takes its own place");

    running.pop();
    let Event::Completed { mut mismatch, .. } = completed else {
        panic!("{completed:?}");
    };
    mismatch = mismatch.or(Some("it is a stranger's".to_owned()));
    running.push(Event::Completed {
        restore: RestoreName::new("r"),
        created_resource_arn: Some("arn".to_owned()),
        started_at: None,
        ended_at: None,
        recovery_point_created_at: None,
        message: None,
        mismatch,
        size_bytes: None,
        source_resource_arn: None,
    });
    let observed = replayed(&running).unwrap();
    let past = &observed.restores["r"];
    assert!(
        matches!(&past.stage, RestoreStage::Failed { job_id: Some(id), .. } if id == "another")
    );
    // Another attempt knows the jobs of those before it.
    running.push(intended(2));
    let observed = replayed(&running).unwrap();
    assert_eq!(observed.restores["r"].former, ["another"]);
}

fn intended(attempt: u32) -> Event {
    Event::Intended {
        restore: RestoreName::new("r"),
        attempt,
        token: IdempotencyToken::new(""),
        digest: RequestDigest::new(""),
        request: Request {
            recovery_point_arn: String::new(),
            resource_type: String::new(),
            ..Request::default()
        },
        aws_at: None,
        adopts: None,
    }
}

fn completed_restore() -> Vec<Event> {
    vec![
        intended(1),
        Event::Accepted {
            restore: RestoreName::new("r"),
            job_id: JobId::new("first"),
            request_id: None,
        },
        Event::Completed {
            restore: RestoreName::new("r"),
            created_resource_arn: None,
            started_at: None,
            ended_at: None,
            recovery_point_created_at: None,
            message: None,
            mismatch: None,
            size_bytes: None,
            source_resource_arn: None,
        },
    ]
}

fn replayed(events: &[Event]) -> Result<redrill::state::RunState, redrill::state::Illegal> {
    let recorded: Vec<Recorded> = events
        .iter()
        .map(|event| Recorded {
            aws_ahead: None,
            at: Timestamp::UNIX_EPOCH,
            event: event.clone(),
        })
        .collect();
    redrill::state::replay(&recorded)
}

fn is_legal(events: &[Event]) -> bool {
    replayed(events).is_ok()
}

/// What a failed job has made is deleted as a thing of its own, and made anew by the next attempt that fails.
#[test]
fn reliability_r3_13_what_failed_attempts_have_made_is_remembered() {
    let restore = || RestoreName::new("r");
    let arn = || "arn:aws:rds:us-west-2:123456789012:db:r".to_owned();
    let failed = || Event::Failed {
        restore: restore(),
        status: "FAILED".to_owned(),
        message: String::new(),
        started_at: None,
        ended_at: None,
        created_resource_arn: Some(arn()),
        source_resource_arn: None,
    };
    let deleting = || Event::Deleting {
        restore: restore(),
        arn: arn(),
        token: ClientToken::new(""),
    };
    let deleted = || Event::Deleted {
        restore: restore(),
        arn: arn(),
    };
    let sent = |attempt| {
        let request = Request {
            resource_type: "RDS".to_owned(),
            ..Request::default()
        };
        [
            Event::Intended {
                restore: restore(),
                attempt,
                token: IdempotencyToken::new(""),
                digest: RequestDigest::new(""),
                request,
                aws_at: None,
                adopts: None,
            },
            Event::Accepted {
                restore: restore(),
                job_id: JobId::new(format!("job-{attempt}")),
                request_id: None,
            },
        ]
    };
    let mut past = None;
    let mut go = |event: Event| {
        let recorded: Recorded = serde_json::from_value(
            serde_json::json!({ "at": "2026-11-29T08:20:00Z", "event": "run_ended" }),
        )
        .unwrap();
        let recorded = Recorded { event, ..recorded };
        past = Some(next(past.take(), &recorded)?);
        Ok::<_, redrill::state::Illegal>(past.as_ref().unwrap().others.get(&arn()).cloned())
    };
    for event in sent(1) {
        go(event).unwrap();
    }
    assert_eq!(go(failed()).unwrap(), Some(None));
    assert_eq!(go(deleting()).unwrap(), Some(Some(Deletion::Asked)));
    assert_eq!(go(deleted()).unwrap(), Some(Some(Deletion::Gone)));
    for event in sent(2) {
        assert_eq!(go(event).unwrap(), Some(Some(Deletion::Gone)));
    }
    assert_eq!(go(failed()).unwrap(), Some(None));
    assert_eq!(go(deleting()).unwrap(), Some(Some(Deletion::Asked)));
    // What AWS names and nobody has asked for is said to be left.
    for event in sent(3) {
        go(event).unwrap();
    }
    let completed = Event::Completed {
        restore: restore(),
        created_resource_arn: Some(arn()),
        started_at: None,
        ended_at: None,
        recovery_point_created_at: None,
        message: None,
        mismatch: Some("it is another".to_owned()),
        size_bytes: None,
        source_resource_arn: None,
    };
    assert_eq!(go(completed).unwrap(), Some(None));
    let left = Event::DeletionFailed {
        restore: restore(),
        arn: arn(),
        message: String::new(),
    };
    assert_eq!(go(left).unwrap(), Some(Some(Deletion::Left)));
}
