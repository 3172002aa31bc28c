//! `redrill rehearse PLAN`: the real engine against the embedded emulator, over real HTTP.

use jiff::SignedDuration;
use redrill_emulator::{Options, Speed};

use super::clients::paced;
use super::emulator::{of_file, refused};
use super::run::{Execution, Hints, LockFile, Reached, execute};
use super::world::World;
use super::{Context, chosen, lock, refuse};
use crate::backup::{Clock, Endpoint, Keeping, Pace, SystemClock};
use crate::cli::arguments::Rehearse;
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::cli::output::SAYS_AFTER;
use crate::diagnostic::Severity;
use crate::diff::Wanted;
use crate::execute::{DuplicatePolicy, Policy};
use crate::journal::LocalStore;
use crate::rehearsal::{NotRehearsed, Rehearsal};
use crate::render::Target;
use crate::session;

pub(super) async fn rehearse(
    arguments: &Rehearse,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let mut loaded = context.load(&arguments.plan, &arguments.inputs)?;
    let mut only = chosen(&loaded.planner, &arguments.only.only)?;
    let mut unknown = session::not_rehearsed(&loaded.planner, &only);
    let mut is_whole = true;
    if only.is_empty() {
        only = session::rehearsed(&loaded.planner);
        if !only.is_empty() {
            // The rest is worth a rehearsal all the same, and does not pass for the whole.
            is_whole = false;
            for finding in unknown.iter_mut() {
                finding.severity = Severity::Warning;
                finding
                    .message
                    .push_str("; it is left out, with what needs it");
            }
            let unknown = std::mem::take(&mut unknown);
            context.show(&loaded, unknown);
        }
    }
    refuse(unknown)?;
    let lock = lock::beside(&arguments.plan, &arguments.inputs, &mut loaded)?;
    let targets = loaded.planner.targets();
    // Says where it is of another account or Region.
    context.inventory(&arguments.inputs, targets)?;
    let inventory = super::emulator::inventory(&arguments.inputs.inventory)?;
    if inventory.is_none() && lock.is_none() && loaded.planner.selects() {
        context.output.note(
            "a selector finds nothing in a rehearsal without recovery points: give some with --inventory",
        );
    }
    let options = Options {
        inventory,
        speed: arguments.speed,
        tokens: arguments.trouble.tokens,
        quotas: arguments.trouble.quotas(files::text).map_err(of_file)?,
        faults: arguments.trouble.faults(files::text).map_err(of_file)?,
        ..Options::default()
    };
    let rehearsal = Rehearsal::start(options, targets)
        .await
        .map_err(|why| match why {
            NotRehearsed::Emulator(why) => refused(why),
            NotRehearsed::Aws(why) => Failure::Aws(why),
        })?;
    // A rehearsal leaves nothing behind, and touches no journal of a run.
    let state = tempfile::tempdir().map_err(|source| Failure::Io {
        path: "the directory for temporary files".into(),
        source,
    })?;
    let execution = Execution {
        file: &arguments.plan,
        run_id: &arguments.inputs.run_id,
        store: LocalStore::new(state.path()).in_passing(),
        runs: Vec::new(),
        wanted: Wanted {
            only,
            retry_failed: false,
            up_to: None,
        },
        report: &arguments.report,
        confirmed: true,
        take_over: false,
        // Without quotas there are no rates to keep.
        policy: Policy {
            no_rate_limit: arguments.trouble.quotas.as_os_str() == "none",
            duplicates: DuplicatePolicy::Ask,
            cutover: arguments.cutover,
            says_after: match arguments.speed {
                // It never waits.
                Speed::Max => None,
                Speed::Times(times) => {
                    let seconds = SAYS_AFTER.as_secs_f64() * times;
                    SignedDuration::try_from_secs_f64(seconds).ok()
                }
            },
            // Nothing exists that it could write into: what `run` would ask about is said.
            into_existing: true,
            ..Policy::default()
        },
        hints: Hints::default(),
        // A check that asks AWS asks the emulator, and cannot ask anybody else.
        environment: [
            ("AWS_ENDPOINT_URL", rehearsal.url().as_str()),
            ("AWS_ACCESS_KEY_ID", targets[0].account.as_str()),
            ("AWS_SECRET_ACCESS_KEY", "no-secret"),
            ("AWS_SESSION_TOKEN", ""),
            ("REDRILL_REHEARSAL", "true"),
        ]
        .map(|(name, value)| (name.to_owned(), Some(value.to_owned())))
        .to_vec(),
        rehearsal: true,
        reached: Reached {
            endpoint: Endpoint::Rehearsal,
            profile: None,
        },
        saved: None,
        has_inventory: !arguments.inputs.inventory.is_empty(),
        lock: LockFile {
            lock,
            // Without an inventory the emulator has no vault that a lock could name.
            is_checked: !arguments.inputs.inventory.is_empty(),
        },
    };
    let pace = Pace::of(
        targets.iter().map(Target::place),
        Keeping::OnceThrottled,
        SystemClock.now(),
    );
    let aws = paced(rehearsal.aws().to_vec(), &pace);
    let exit = execute(
        &mut loaded,
        &World::Aws(aws.clone()),
        &aws,
        &rehearsal.clock(),
        execution,
        context,
    )
    .await;
    if let Some(estimate) = rehearsal.estimate() {
        context.output.note(&estimate.to_string());
    }
    rehearsal.shutdown().await;
    match exit {
        Ok(Exit::Done) if !is_whole => Ok(Exit::Unfinished),
        exit => exit,
    }
}
