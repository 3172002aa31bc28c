//! Turns of machines that share the record of a run.

use std::sync::Arc;

use jiff::SignedDuration;

use super::Context;
use super::store::Store;
use crate::backup::{Clock as _, SystemClock};
use crate::cli::exit::Failure;
use crate::journal::{self, Owner, RunKey, RunStore as _};
use crate::report::minute;

/// Waits for whoever holds the run in a bucket, until they are heard of, or count as gone: their records are read once
/// they can record and send nothing more.
///
/// # Errors
///
/// Where they are heard of.
pub(super) async fn wait_out(
    store: &Store,
    run: &RunKey,
    owner: &Owner,
    take_over: bool,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let holder = store.holder(run).await?;
    let Some(holder) = holder.filter(|holder| holder.beat_at.is_some()) else {
        return Ok(());
    };
    let since = minute(holder.since);
    context.output.note(&match take_over {
        true => format!(
            "taking run {} over from {holder}, who has it since {since}: waiting until they can send nothing more",
            run.run
        ),
        false => format!(
            "{holder} has run {} since {since}: waiting to see whether it is still alive",
            run.run
        ),
    });
    taken(store, run, owner, take_over).await
}

/// Waits until nobody works on a run, and says for whom.
///
/// # Errors
///
/// Where the store does not answer.
pub(super) async fn stand_by(
    store: &Store,
    run: &RunKey,
    owner: &Owner,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let mut holder = store.holder(run).await?;
    let mut is_said = false;
    loop {
        if let Some(holder) = holder.take().filter(|_| !is_said) {
            context.output.note(&format!(
                "standing by: {holder} has run {} of {} since {}; this runner takes over when it falls silent or leaves",
                run.run,
                run.plan,
                minute(holder.since)
            ));
            is_said = true;
        }
        match taken(store, run, owner, false).await {
            Err(Failure::Journal(journal::Error::Held { owner })) => {
                holder = Some(*owner);
                let next = SystemClock.now() + SignedDuration::from_secs(1);
                SystemClock.sleep_until(next).await;
            }
            Err(error) => return Err(error),
            Ok(()) if is_said => {
                context.output.note(&format!(
                    "standing by: nobody works on run {} of {} any more; taking it over",
                    run.run, run.plan
                ));
                return Ok(());
            }
            Ok(()) => return Ok(()),
        }
    }
}

/// Takes a run and gives it back: nobody held it in between.
async fn taken(store: &Store, run: &RunKey, owner: &Owner, take_over: bool) -> Result<(), Failure> {
    let lease = store.lease(run, owner, take_over).await?;
    store.release(Arc::new(lease)).await;
    Ok(())
}
