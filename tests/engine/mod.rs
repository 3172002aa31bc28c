//! What the engine does about a world that is late, forgetful or ambiguous.

mod calls;
mod others;
mod patience;
mod second_job;
mod world;

use std::fmt::Write as _;
use std::path::Path;

use jiff::{SignedDuration, Timestamp};
use redrill::diff::Stage;
use redrill::emulator::{Emulator, Operation};
use redrill::execute::{Ended, History, Policy, Recorded, Stopped, Writer};
use redrill::journal;
use redrill::plan::Request;

use crate::harness::{Death, Going, connect, run};

pub(crate) const HEAD: &str = "plan: many\ntarget:\n  region: us-west-2\n  account: \"123456789012\"\n  iam_role_arn: arn:aws:iam::123456789012:role/restore\n";

pub(crate) fn point(at: usize) -> String {
    format!("arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-{at:012}")
}

/// Restores of a type that redrill has no rules of, so that there is no mark; all ask for the very same.
pub(crate) fn unmarked(count: usize) -> String {
    let mut plan = format!("{HEAD}restores:\n");
    for at in 0..count {
        let _ = write!(
            plan,
            "  r{at}:\n    type: Mystery\n    recovery_point: {}\n    metadata: {{ size: \"5\" }}\n",
            point(0)
        );
    }
    plan
}

pub(crate) fn going<'a>(policy: Policy, onlooker: &'a mut dyn FnMut(&Recorded)) -> Going<'a> {
    Going {
        death: Death::Never,
        policy,
        onlooker,
    }
}

/// Does something else, to its end, while an onlooker keeps the engine waiting.
pub(crate) fn meanwhile<T: Send>(future: impl Future<Output = T> + Send) -> T {
    let other = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(future)
    };
    std::thread::scope(|scope| scope.spawn(other).join().unwrap())
}

/// Runs the same plan from another machine, to its end, while this one waits.
pub(crate) fn elsewhere_now(
    state: &Path,
    plan: &str,
    emulator: &Emulator,
) -> Result<Ended, Stopped> {
    let other = || {
        let runtime = tokio::runtime::Runtime::new().unwrap();
        runtime.block_on(run(state, plan, emulator))
    };
    std::thread::scope(|scope| scope.spawn(other).join().unwrap())
}

pub(crate) fn job_of(state: &Path, name: &str) -> Option<String> {
    let events = journal::read(&journal::directory(state, "many", "main")).unwrap();
    let history = History::of(&events).unwrap();
    let past = history.observed.restores.get(name)?;
    past.stage.job_id().map(str::to_owned)
}

pub(crate) fn at(emulator: &Emulator, from: Timestamp, minutes: i64) {
    emulator
        .clock()
        .advance_to(from + SignedDuration::from_mins(minutes));
}

pub(crate) async fn stranger(
    emulator: &Emulator,
    token: &str,
    resource_type: &str,
    metadata: &[(&str, &str)],
) {
    let aws = connect(emulator).await;
    let request = Request {
        copy_source_tags_to_restored_resource: None,
        iam_role_arn: Some("arn:aws:iam::123456789012:role/restore".to_owned()),
        idempotency_token: Some(token.to_owned()),
        metadata: metadata
            .iter()
            .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
            .collect(),
        recovery_point_arn: point(0),
        resource_type: resource_type.to_owned(),
    };
    aws.start(&request).await.unwrap();
}

pub(crate) fn stage_of(state: &Path, name: &str) -> Stage {
    let events = journal::read(&journal::directory(state, "many", "main")).unwrap();
    let history = History::of(&events).unwrap();
    history.observed.restores[name].stage.clone()
}

/// File systems that all come from one recovery point.
pub(crate) fn one_point(count: usize) -> String {
    let mut plan = format!("{HEAD}restores:\n");
    for at in 0..count {
        let _ = write!(
            plan,
            "  r{at}:\n    type: EFS\n    recovery_point: {}\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      newFileSystem: true\n      Encrypted: true\n      CreationToken: \"{{{{ restore }}}}-{{{{ run.id }}}}\"\n",
            point(0)
        );
    }
    plan
}

pub(crate) fn counted(emulator: &Emulator, operation: Operation) -> u64 {
    emulator
        .calls()
        .get(&operation)
        .copied()
        .unwrap_or_default()
}
