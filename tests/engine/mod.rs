//! What the engine does about a world that is late, forgetful or ambiguous.

mod calls;
mod elsewhere;
mod endless;
mod once;
pub(crate) mod others;
mod patience;
mod second_job;
mod unmarked;
mod world;

use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use redrill::backup::Writer as _;
use redrill::execute::{Ended, Stopped};
use redrill::ids::IdempotencyToken;
use redrill::plan::{Request, TokenedRequest};
use redrill::state::RestoreStage;
use redrill_emulator::{Emulator, Fault, FaultKind, Operation};

use crate::harness::{connect, observed, run};
use crate::support::{HEAD, many, point};

/// What `r0` of the plan asks for.
pub(crate) const SAME: [(&str, &str); 4] = [
    ("file-system-id", "fs-0a1b2c3d"),
    ("newFileSystem", "true"),
    ("Encrypted", "true"),
    ("CreationToken", "r0-main"),
];
/// What none of its restores asks for.
pub(crate) const OTHER: [(&str, &str); 2] = [
    ("file-system-id", "fs-0a1b2c3d"),
    ("newFileSystem", "false"),
];

/// Somebody starts a restore of a recovery point by hand.
pub(crate) async fn stranger(
    emulator: &Emulator,
    token: &str,
    at: usize,
    metadata: &[(&str, &str)],
) {
    let pairs = metadata.iter();
    let request = Request {
        copy_source_tags_to_restored_resource: None,
        iam_role_arn: Some("arn:aws:iam::123456789012:role/restore".to_owned()),
        idempotency_token: None,
        metadata: pairs
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        recovery_point_arn: point(at),
        resource_type: "EFS".to_owned(),
    };
    connect(emulator)
        .await
        .start(&TokenedRequest::new(request, &IdempotencyToken::new(token)))
        .await
        .unwrap();
}

/// So many minutes after a time.
fn later(emulator: &Emulator, than: Timestamp, minutes: i64) {
    let clock = emulator.clock();
    clock.advance_to(than + SignedDuration::from_mins(minutes));
}

/// Does something else, to its end, while an onlooker keeps the engine waiting.
fn meanwhile<T: Send, F: Future<Output = T>>(what: impl FnOnce() -> F + Send) -> T {
    let other = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(what())
    };
    std::thread::scope(|scope| scope.spawn(other).join().unwrap())
}

/// Runs the same plan from another machine, to its end, while this one waits.
fn elsewhere_now(state: &Path, plan: &str, emulator: &Emulator) -> Result<Ended, Stopped> {
    meanwhile(|| run(state, plan, emulator))
}

fn job_of(state: &Path, name: &str) -> Option<String> {
    let observed = observed(state);
    let past = observed.restores.get(name)?;
    past.stage.job_id().map(ToString::to_string)
}

fn stage_of(state: &Path, name: &str) -> Option<RestoreStage> {
    let mut observed = observed(state);
    observed.restores.remove(name).map(|past| past.stage)
}

/// A file system, and one whose recovery point hangs on what that has made.
fn one_after_the_other() -> String {
    many(1, 0)
        + "  late:\n    type: EFS\n    needs: [r0]\n    recovery_point: \"arn:aws:backup:us-west-2:123456789012:recovery-point:{{ restores.r0.created.job_id }}\"\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      newFileSystem: true\n      Encrypted: true\n      CreationToken: late\n"
}

/// Restores of a type that redrill has no rules of, so that there is no mark; all ask for the very same.
fn unmarked(count: usize) -> String {
    let restore = |at| {
        let point = point(0);
        format!(
            "  r{at}:\n    type: Mystery\n    recovery_point: {point}\n    metadata: {{ size: \"5\" }}\n"
        )
    };
    HEAD.to_owned() + &(0..count).map(restore).collect::<String>()
}

/// AWS refuses a request.
fn refused() -> FaultKind {
    FaultKind::Error {
        status: 400,
        code: "InvalidParameterValueException".to_owned(),
        message: "It exists already.".to_owned(),
    }
}

/// One listing does not show what was started in the last minute.
fn lagging() -> Fault {
    let lag = FaultKind::ListLag(SignedDuration::from_secs(60));
    Fault::new(Operation::ListRestoreJobs, lag).times(1)
}
