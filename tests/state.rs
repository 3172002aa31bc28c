//! The table of transitions against a plain model: any order of events, and what each leaves.

use jiff::Timestamp;
use proptest::prelude::*;
use redrill::diff::{Past, Stage};
use redrill::execute::{Event, Recorded, next, replay};
use redrill::plan::Request;

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

fn is(past: Option<&Past>) -> Is {
    match past.map(|past| &past.stage) {
        None => Is::Untouched,
        Some(Stage::Skipped) => Is::Skipped,
        Some(Stage::Withdrawn) => Is::Withdrawn,
        Some(Stage::Intended) => Is::Intended,
        Some(Stage::Running { .. }) => Is::Running,
        Some(Stage::Completed { .. }) => Is::Completed,
        Some(Stage::Failed { .. }) => Is::Failed,
    }
}

/// The rules in words: nothing is sent that has a job; an attempt follows a failure alone; an end is an end.
fn model(was: Is, attempt: u32, event: &Event) -> Option<(Is, u32)> {
    let not_sent = matches!(was, Is::Untouched | Is::Skipped | Is::Withdrawn);
    let next_attempt = if was == Is::Failed {
        attempt + 1
    } else {
        attempt
    };
    let may_be_sent = not_sent || was == Is::Failed;
    match event {
        Event::Intended { attempt: n, .. } => {
            (may_be_sent && *n == next_attempt).then_some((Is::Intended, *n))
        }
        Event::Rejected { attempt: n, .. } => {
            (may_be_sent && *n == next_attempt).then_some((Is::Failed, *n))
        }
        Event::Accepted { .. } | Event::Adopted { .. } => {
            (was == Is::Intended).then_some((Is::Running, attempt))
        }
        Event::Withdrawn { .. } => (was == Is::Intended).then_some((Is::Withdrawn, attempt)),
        Event::Refused { .. } => (was == Is::Intended).then_some((Is::Failed, attempt)),
        Event::Seen { .. } | Event::Overdue { .. } => {
            (was == Is::Running).then_some((Is::Running, attempt))
        }
        Event::Completed { .. } => (was == Is::Running).then_some((Is::Completed, attempt)),
        Event::Failed { .. } => (was == Is::Running).then_some((Is::Failed, attempt)),
        Event::Skipped { .. } => not_sent.then_some((Is::Skipped, attempt)),
        _ => None,
    }
}

fn event() -> impl Strategy<Value = Event> {
    let restore = || "r".to_owned();
    let text = || "x".to_owned();
    prop_oneof![
        4 => (1u32..4).prop_map(move |attempt| Event::Intended {
            restore: restore(),
            attempt,
            token: text(),
            digest: text(),
            request: Request {
                copy_source_tags_to_restored_resource: None,
                iam_role_arn: None,
                idempotency_token: None,
                metadata: std::collections::BTreeMap::new(),
                recovery_point_arn: text(),
                resource_type: text(),
            },
        }),
        3 => Just(Event::Accepted { restore: restore(), job_id: text() }),
        1 => Just(Event::Adopted { restore: restore(), job_id: text(), because: text() }),
        1 => Just(Event::Withdrawn { restore: restore(), message: text() }),
        1 => Just(Event::Refused { restore: restore(), code: None, message: text() }),
        1 => (1u32..4).prop_map(move |attempt| Event::Rejected { restore: restore(), attempt, message: text() }),
        1 => Just(Event::Seen { restore: restore(), status: text() }),
        2 => Just(Event::Completed {
            restore: restore(),
            created_resource_arn: None,
            started_at: None,
            ended_at: None,
            recovery_point_created_at: None,
            message: None,
        }),
        3 => Just(Event::Failed {
            restore: restore(),
            status: text(),
            message: text(),
            started_at: None,
            ended_at: None,
        }),
        1 => Just(Event::Overdue { restore: restore() }),
        1 => Just(Event::Skipped { restore: restore(), because: text() }),
    ]
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(2000))]
    #[test]
    fn any_order_of_events_goes_as_the_model_says(events in prop::collection::vec(event(), 1..40)) {
        let mut past: Option<Past> = None;
        for event in events {
            let was = is(past.as_ref());
            let attempt = past.as_ref().map_or(1, |past| past.attempt);
            let expected = model(was, attempt, &event);
            let recorded = Recorded { at: Timestamp::UNIX_EPOCH, event };
            match (next(past.clone(), &recorded), expected) {
                (Ok(after), Some((stage, attempt))) => {
                    prop_assert_eq!(is(Some(&after)), stage);
                    prop_assert_eq!(after.attempt, attempt);
                    past = Some(after);
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
        restore: "r".to_owned(),
        measured_from: Timestamp::UNIX_EPOCH,
        point: serde_json::from_value(serde_json::json!({
            "selector": { "vault": "dr" }, "recovery_point": "arn", "vault": "dr",
        }))
        .unwrap(),
    };
    let intended = |attempt| Event::Intended {
        restore: "r".to_owned(),
        attempt,
        token: String::new(),
        digest: String::new(),
        request: Request {
            copy_source_tags_to_restored_resource: None,
            iam_role_arn: None,
            idempotency_token: None,
            metadata: std::collections::BTreeMap::new(),
            recovery_point_arn: String::new(),
            resource_type: String::new(),
        },
    };
    let refused = || Event::Refused {
        restore: "r".to_owned(),
        code: None,
        message: String::new(),
    };
    let skipped = || Event::Skipped {
        restore: "r".to_owned(),
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
