//! `redrill state check`, `redrill state copy`

use std::sync::Arc;

use jiff::SignedDuration;

use super::store::{StateLocation, Store};
use super::{Context, turn};
use crate::backup::{Backoff, Clock as _, SystemClock, ask_all};
use crate::cli::arguments::{StateCheck, StateCopy};
use crate::cli::exit::{Exit, Failure};
use crate::execute::Stopped;
use crate::journal::{
    self, Held, Journal, LEASE, ObjectError, Objects, ProbeVerdict, RunKey, RunStore as _, probe,
};

/// Checks that a state can be used, and every run in it read.
pub(super) async fn check(
    arguments: &StateCheck,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let state = arguments.place.as_ref().unwrap_or(&arguments.state.state);
    let profile = arguments.state.state_profile.as_deref();
    let store = context.store_at(state, profile, LEASE).await?;
    let mut text = format!("{}\n", store.place());
    if let Store::Bucket(of) = &store {
        probed(of.objects()).await?;
        text.push_str("conditional writes: kept; two runners cannot both work on a run\n");
        let traits = of.objects().traits().await;
        let unknown = |why| format!("not known: {why}");
        let said = |is: Result<bool, String>, yes: &str, no: &str| match is {
            Ok(true) => yes.to_owned(),
            Ok(false) => no.to_owned(),
            Err(why) => unknown(why),
        };
        text.push_str(&format!(
            "versioning: {}\nencryption: {}\npublic access: {}\n",
            said(
                traits.versioning,
                "on",
                "off; turn it on, so that nothing that is deleted by mistake is lost"
            ),
            traits.encryption.map_or_else(unknown, |by| by
                .unwrap_or_else(|| "the store's own; the bucket has no default".to_owned())),
            said(
                traits.blocks_public,
                "blocked",
                "NOT blocked: block it; journals name accounts and resources"
            ),
        ));
    }
    let runs = store.runs().await?;
    let (mut damaged, mut empty) = (0, 0);
    for run in &runs {
        let mut records = 0;
        let read = journal::each(&store, run, |_| {
            records += 1;
            Ok::<(), journal::Error>(())
        });
        let line = match read.await {
            // Nobody has worked on it, or it is something else.
            Ok(()) if records == 0 => {
                empty += 1;
                format!("{}/{}: no journal of a run\n", run.plan, run.run)
            }
            Ok(()) => {
                let held = match store.holder(run).await? {
                    Some(owner) => format!(", held by {owner}"),
                    None => String::new(),
                };
                format!(
                    "{} run {}: {records} records, whole{held}\n",
                    run.plan, run.run
                )
            }
            Err(error @ (journal::Error::Damaged { .. } | journal::Error::Newer { .. })) => {
                damaged += 1;
                format!("{} run {}: {error}\n", run.plan, run.run)
            }
            Err(error) => return Err(error.into()),
        };
        text.push_str(&line);
    }
    text.push_str(&match (runs.len() - empty, damaged) {
        (0, _) => "no runs\n".to_owned(),
        (1, 0) => "1 run, whole\n".to_owned(),
        (runs, 0) => format!("{runs} runs, all whole\n"),
        (runs, damaged) => format!("{damaged} of {runs} runs cannot be read\n"),
    });
    context.output.result(&text)?;
    Ok(match damaged {
        0 => Exit::Done,
        _ => Exit::Failed,
    })
}

/// Refuses a bucket in which two runners could both hold a run.
pub(super) async fn probed(objects: &impl Objects) -> Result<(), Failure> {
    const PATIENCE: Backoff = Backoff::doubled(
        SignedDuration::from_millis(200),
        SignedDuration::from_secs(2),
    );
    const TRIES: u32 = 5;
    let place = || objects.place().into();
    let mut tried = 0;
    let probed = loop {
        match probe(objects).await {
            Err(ObjectError::Unavailable(_)) if tried < TRIES => {
                let next = SystemClock.now() + PATIENCE.wait(tried);
                SystemClock.sleep_until(next).await;
                tried += 1;
            }
            probed => break probed,
        }
    };
    match probed {
        Ok(ProbeVerdict::Good) => Ok(()),
        Ok(ProbeVerdict::Ignores(why)) => Err(Failure::Usage(format!(
            "{} cannot keep runs: {why}, so two runners could both work on a run; use a bucket at AWS",
            objects.place()
        ))),
        Err(ObjectError::Unavailable(message) | ObjectError::Denied(message)) => {
            Err(journal::Error::Store {
                path: place(),
                message,
            }
            .into())
        }
    }
}

/// Copies runs from one state to another.
pub(super) async fn copy(
    arguments: &StateCopy,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if StateLocation::of(&arguments.from)? == StateLocation::of(&arguments.to)? {
        return Err(Failure::Usage("FROM and TO are the same state".to_owned()));
    }
    let from = context
        .store_at(&arguments.from, arguments.from_profile.as_deref(), LEASE)
        .await?;
    let to = context
        .store_at(&arguments.to, arguments.to_profile.as_deref(), LEASE)
        .await?;
    if let Store::Bucket(of) = &to {
        probed(of.objects()).await?;
    }
    let plan = match &arguments.plan {
        Some(plan) if plan.exists() => Some(super::plan_name(plan)?),
        Some(plan) => Some(plan.to_string_lossy().into_owned()),
        None => None,
    };
    let runs = from.runs().await?;
    let is_wanted = |run: &&RunKey| {
        plan.as_ref().is_none_or(|plan| *plan == run.plan)
            && arguments.run_id.as_ref().is_none_or(|id| *id == run.run)
    };
    let wanted: Vec<&RunKey> = runs.iter().filter(is_wanted).collect();
    if wanted.is_empty() {
        let known: Vec<String> = (runs.iter().take(5))
            .map(|run| format!("{} run {}", run.plan, run.run))
            .collect();
        let known = match known.is_empty() {
            true => "it has no runs".to_owned(),
            false => format!("it has {}", known.join(", ")),
        };
        return Err(Failure::Usage(format!(
            "nothing to copy from {}: {known}",
            from.place()
        )));
    }
    let mut text = String::new();
    for run in &wanted {
        let line = copy_run(&from, &to, run, context).await?;
        text.push_str(&format!("{} run {}: {line}\n", run.plan, run.run));
    }
    text.push_str(&format!(
        "{} of {} now in {}\n",
        match wanted.len() {
            1 => "1 run".to_owned(),
            n => format!("{n} runs"),
        },
        from.place(),
        to.place()
    ));
    context.output.result(&text)?;
    Ok(Exit::Done)
}

/// Copies what the other side does not have of a run. Both are held meanwhile, so that nobody works on either.
async fn copy_run(
    from: &Store,
    to: &Store,
    run: &RunKey,
    context: &mut Context<'_>,
) -> Result<String, Failure> {
    let owner = super::before::owner(context, SystemClock.now());
    let nothing = |_| Ok::<(), journal::Error>(());
    turn::wait_out(from, run, &owner, false, context).await?;
    let source: Journal<Store> = Journal::open(from, run, &owner, false, nothing).await?;
    let source: Held<Store> = source.held();
    let copied = copied(from, to, run, &owner, context).await;
    source.release().await;
    copied
}

async fn copied(
    from: &Store,
    to: &Store,
    run: &RunKey,
    owner: &journal::Owner,
    context: &mut Context<'_>,
) -> Result<String, Failure> {
    let segments: Vec<Vec<u8>> = journal::segments(from, run)
        .await?
        .into_iter()
        .map(|(_, bytes)| bytes)
        .collect();
    let last = u32::try_from(segments.len()).unwrap_or(u32::MAX);
    turn::wait_out(to, run, owner, false, context).await?;
    let lease = Arc::new(to.lease(run, owner, false).await?);
    let written = written(to, &lease, run, &segments).await;
    to.release(lease).await;
    let written = written?;
    // The copy is read back: its chain of sums holds from the first record to the last.
    let now = journal::segments(to, run).await?;
    let is_same = (now.iter().zip(&segments)).all(|((_, now), here)| now == here);
    if now.len() < segments.len() || !is_same {
        return Err(Failure::Mismatch(format!(
            "{} run {}: what was written to {} is not what was read",
            run.plan,
            run.run,
            to.place()
        )));
    }
    Ok(match written {
        0 if now.len() > segments.len() => "is there already, and further".to_owned(),
        0 => "is there already".to_owned(),
        n => format!("{n} of {last} segments copied and verified"),
    })
}

/// Writes the segments that are not there yet, and says how many. The first of them comes last: a run that was copied in part
/// has a gap, which nobody reads past, and is never taken for a shorter run.
async fn written(
    to: &Store,
    lease: &Arc<super::store::Lease>,
    run: &RunKey,
    segments: &[Vec<u8>],
) -> Result<usize, Failure> {
    let there = (1..).zip(segments).map(async |(number, here)| {
        let there = to.read(run, number).await?;
        Ok::<_, journal::Error>((number, here, there))
    });
    let (mut missing, mut partial, mut is_other) = (Vec::new(), Vec::new(), false);
    ask_all(there, |(number, here, there)| match there {
        None => missing.push((number, here)),
        Some(there) if there == *here => {}
        Some(there) if here.starts_with(&there) => partial.push((number, here)),
        Some(_) => is_other = true,
    })
    .await?;
    // Records that continue behind a segment that was broken off are the other side's own.
    let last = u32::try_from(segments.len()).unwrap_or(u32::MAX);
    if is_other || (!partial.is_empty() && to.is_followed(run, last).await?) {
        return Err(Failure::Conflict(format!(
            "{} run {}: {} has another journal of this run; nothing was copied",
            run.plan,
            run.run,
            to.place()
        )));
    }
    let write =
        async |(number, bytes): (u32, &Vec<u8>)| to.create(lease, run, number, bytes.clone()).await;
    let count = missing.len() + partial.len();
    for (number, bytes) in partial {
        to.complete(run, number, bytes).await?;
    }
    let mut missing = missing.into_iter();
    let first = missing.next();
    let later = ask_all(missing.map(&write), |()| {}).await;
    later.map_err(Stopped::from)?;
    if let Some(first) = first {
        write(first).await.map_err(Stopped::from)?;
    }
    Ok(count)
}
