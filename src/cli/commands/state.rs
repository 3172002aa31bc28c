//! `redrill state check`, `redrill state copy`

use jiff::SignedDuration;

use super::Context;
use super::store::{Place, Store};
use crate::backup::{Backoff, Clock as _, SystemClock};
use crate::cli::arguments::{StateCheck, StateCopy};
use crate::cli::exit::{Exit, Failure};
use crate::journal::{
    self, Held, Journal, LEASE, ObjectError, Objects, Probe, RunKey, RunStore as _, probe,
};

/// Whether a state can be used, and every run in it read.
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
        let said = |is: Option<bool>, yes: &str, no: &str| match is {
            Some(true) => yes.to_owned(),
            Some(false) => no.to_owned(),
            None => "not known: no permission to look".to_owned(),
        };
        text.push_str(&format!(
            "versioning: {}\nencryption: {}\npublic access: {}\n",
            said(
                traits.versioning,
                "on",
                "off; turn it on, so that nothing that is deleted by mistake is lost"
            ),
            traits
                .encryption
                .as_deref()
                .unwrap_or("not known: no permission to look"),
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
        Ok(Probe::Good) => Ok(()),
        Ok(Probe::Ignores(why)) => Err(Failure::Usage(format!(
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
    if Place::of(&arguments.from)? == Place::of(&arguments.to)? {
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
    context: &Context<'_>,
) -> Result<String, Failure> {
    let owner = super::before::owner(context, SystemClock.now());
    let nothing = |_| Ok::<(), journal::Error>(());
    let source: Journal<Store> = Journal::open(from, run, &owner, false, nothing).await?;
    let source: Held<Store> = source.held();
    let copied = copied(from, to, run, &owner).await;
    source.release().await;
    copied
}

async fn copied(
    from: &Store,
    to: &Store,
    run: &RunKey,
    owner: &journal::Owner,
) -> Result<String, Failure> {
    let segments = journal::segments(from, run).await?;
    let there = journal::segments(to, run).await?;
    let is_same = there
        .iter()
        .zip(&segments)
        .all(|(there, here)| there.1 == here.1);
    if is_same && there.len() > segments.len() {
        return Ok("is there already, and further".to_owned());
    }
    if !is_same {
        return Err(Failure::Conflict(format!(
            "{} run {}: {} has another journal of this run; nothing was copied",
            run.plan,
            run.run,
            to.place()
        )));
    }
    let lease = std::sync::Arc::new(to.lease(run, owner, false).await?);
    let mut written = Ok(());
    for (number, (_, bytes)) in (1..).zip(&segments).skip(there.len()) {
        written = to.create(&lease, run, number, bytes.clone()).await;
        if written.is_err() {
            break;
        }
    }
    to.release(lease).await;
    written.map_err(crate::execute::Stopped::from)?;
    // What was written is read back, and its chain of sums holds from the first record to the last.
    let now = journal::segments(to, run).await?;
    if now != segments {
        return Err(Failure::Mismatch(format!(
            "{} run {}: what was written to {} is not what was read",
            run.plan,
            run.run,
            to.place()
        )));
    }
    Ok(match segments.len() - there.len() {
        0 => "is there already".to_owned(),
        n => format!("{n} of {} segments copied and verified", segments.len()),
    })
}
