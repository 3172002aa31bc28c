//! `redrill cleanup PLAN --run-id ID`: what the run has made is deleted, and proven gone.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::sync::atomic::Ordering;

use super::clients::connected;
use super::deletions::{Confirmation, Touched};
use super::everywhere::Everywhere;
use super::resume_hint::ResumeHint;
use super::world::{World, with_roles};
use super::{Context, check_account, endpoint, everywhere, on_step_functions, turn};
use crate::backup::{Clock, Keeping, Pace, SystemClock};
use crate::cleanup::{Deletions, Disposition, Item, leaves, unlisted};
use crate::cli::exit::{Exit, Failure};
use crate::cli::post_run::CleanupArguments;
use crate::cli::signals::Signals;
use crate::execute::{Ended, Observer, Stopped};
use crate::ids::{PlaceIndex, RunId};
use crate::journal::{self, Journal, RunKey, RunStore as _};
use crate::render::Target;
use crate::report::cleanup_human;
use crate::state::{Append as _, History, JournalError, Places, Recorded, Redacting};
use crate::terminal::{InitialState, Screen, Style};

const NOT_ASKED: &str = "AWS was not asked what was created again since, or which jobs are nested";

pub(super) async fn cleanup(
    arguments: &CleanupArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let loaded = context.load(&arguments.plan, &arguments.inputs)?;
    super::refuse(loaded.findings.clone())?;
    let planner = &loaded.planner;
    let protect: Vec<&str> = planner.protect().collect();
    let name = planner.document().plan.value.clone();
    let run_id = &arguments.inputs.run_id;
    let store = context.store(&arguments.state).await?;
    let run = RunKey::new(&name, run_id);
    let owner = store.holder(&run).await?;
    // Taking the run finds out whether an owner that is silent by now is still alive.
    if let Some(owner) = owner.filter(|owner| !owner.is_silent(SystemClock.now())) {
        // Resources that the owner creates from now on would be left.
        if !arguments.dry_run {
            let owner = Box::new(owner);
            return Err(journal::Error::Held { owner }.into());
        }
        let since = &owner.since;
        context.output.note(&format!(
            "{owner} has worked on this run since {since}; what it creates from now on is not in this list"
        ));
    }
    let mut events = journal::read(&store, &run).await?;
    let known = Places::of(&events);
    let targets = &with_roles(&known.targets, planner);
    if targets.is_empty() {
        return Err(super::no_such_run(&store, &run).await);
    }
    let settings = context.all_settings(&arguments.aws, targets)?;
    let world = World::new(None, settings.clone());
    world.reveal_in(&mut events, planner.secrets()).await;
    let history = History::of(&events).map_err(Stopped::from)?;
    if !arguments.dry_run {
        let profile = arguments.aws.profile.as_deref();
        on_step_functions::check_left(&history, profile, true, context).await?;
    }
    let mut levels = everywhere::plan(&events, &protect, &known)?;
    let is_empty = |levels: &[Vec<Item>]| count(levels, is_deletion) == 0;
    let pace = Pace::of(
        targets.iter().map(Target::place),
        Keeping::Always,
        SystemClock.now(),
    );
    let places = connected(&settings, &pace).await?;
    if is_empty(&levels) && unlisted(&events).is_empty() {
        // Leftovers of another endpoint are not to be deleted by hand here.
        if history.world().is_some() {
            endpoint::check_cleanup(&history, &places, &name, run_id).await?;
        }
        context.output.result(&cleanup_human(&levels))?;
        if !arguments.dry_run {
            context.output.note("nothing to delete");
        }
        return Ok(exit(&levels));
    }
    let here = match endpoint::check_cleanup(&history, &places, &name, run_id).await {
        // The list of deletions can be shown without AWS.
        Err(Failure::Aws(error)) if arguments.dry_run => {
            context.output.result(&cleanup_human(&levels))?;
            context.output.note(&format!("{NOT_ASKED}: {error}"));
            return Ok(exit(&levels));
        }
        here => here?,
    };
    let everywhere = Arc::new(Everywhere {
        places: places.into(),
        targets: targets.clone(),
        pace,
    });
    let looked = everywhere.look(&mut events, &protect, &known).await;
    match looked {
        Ok(looked) => levels = looked,
        Err(error) if arguments.dry_run => {
            context.output.note(&format!("{NOT_ASKED}: {error}"));
        }
        Err(error) => return Err(error),
    }
    if arguments.dry_run || is_empty(&levels) {
        context.output.result(&cleanup_human(&levels))?;
        for line in leaves(&levels) {
            context.output.note(&format!(
                "AWS leaves something behind, or wants something deleted first: {line}"
            ));
        }
        if !arguments.dry_run {
            context.output.note("nothing to delete");
        }
        return Ok(exit(&levels));
    }
    let touched = Touched::of(&levels, targets);
    let production = production(&name, run_id, targets, arguments, &levels);
    let confirmation = Confirmation {
        yes: arguments.yes,
        accounts: &arguments.confirm_account,
        known_by_name: arguments.known_by_name,
        production: production.as_deref(),
        here: &here,
    };
    if !confirmation.is_given(&touched, &levels)? {
        context.output.note("nothing was deleted");
        return Ok(Exit::Unfinished);
    }
    for place in touched.places() {
        check_account(&*everywhere.places[place], &targets[place]).await?;
    }
    if arguments.yes {
        context.output.note(&touched.sentence());
    }
    for line in leaves(&levels) {
        context.output.note(&format!(
            "AWS leaves something behind, or wants something deleted first: {line}"
        ));
    }

    let owner = super::before::owner(context, SystemClock.now());
    let signals = Signals::listen();
    let terminated = signals.terminated();
    // Another cleanup may have worked between the question and the lock.
    let mut events = Vec::new();
    let take = |recorded| {
        events.push(recorded);
        Ok::<(), journal::Error>(())
    };
    turn::wait_out(&store, &run, &owner, false, context).await?;
    let journal = Journal::open(&store, &run, &owner, false, take).await?;
    let (fence, held) = (journal.fence(), journal.held());
    super::run::guard(&everywhere.places, &fence);
    let secrets = planner.secrets();
    let mut journal = Redacting::new(journal, secrets);
    world.reveal_in(&mut events, planner.secrets()).await;
    let had = events.len();
    let known = Places::of(&events);
    let mut levels = everywhere.look(&mut events, &protect, &known).await?;
    if events.len() > had {
        let appended = journal.append(&events[had..]).await;
        appended.map_err(Stopped::from)?;
    }
    let confirmed = touched.places().collect();
    keep_to(&mut levels, &confirmed, confirmation.includes_doubts());
    // A bar counts restores; there are none here.
    let mut look = context.look(&here);
    if look.style == Style::Bar {
        look.style = Style::Lines;
    }
    let mut screen = Screen::new(look, InitialState::default());
    let deletions = Deletions {
        resources: Arc::clone(&everywhere),
        pace: everywhere.pace.clone(),
        journal,
        clock: SystemClock,
        observer: &mut |recorded: &Recorded| screen.observe(&recorded.redacted(secrets)),
        control: signals.control,
    };
    let cleaned = tokio::select! {
        cleaned = deletions.carry_out(&levels) => Some(cleaned),
        () = fence.lost() => None,
    };
    screen.finish();
    held.release().await;
    let cleaned = cleaned.ok_or(Stopped::Journal(JournalError::TakenOver))??;
    let mut text = format!(
        "{name} run {run_id}: {} deleted (verified), {}{} remaining\n",
        cleaned.gone,
        match cleaned.already_gone {
            0 => String::new(),
            n => format!("{n} already gone, "),
        },
        cleaned.left.len()
    );
    for (item, why) in &cleaned.left {
        let arn = item.arn.as_deref().unwrap_or("-");
        let by = item
            .by
            .as_ref()
            .map_or_else(String::new, |by| format!(", of {by}"));
        text.push_str(&format!("left: {}{by}  {arn}  {why}\n", item.restore));
    }
    if cleaned.ended != Ended::Finished {
        let again = ResumeHint::of(context, planner);
        let open = count(&levels, |disposition| {
            matches!(
                disposition,
                Disposition::Delete { .. } | Disposition::Gone | Disposition::Left(_)
            )
        })
        .saturating_sub(cleaned.gone + cleaned.already_gone + cleaned.left.len());
        text.push_str(&format!(
            "stopped: {open} not verified; a deletion that was requested continues at AWS\ncontinue with: {}\n",
            again.command
        ));
        text.push_str(&again.besides().unwrap_or_default());
    }
    context.output.result(&text)?;
    Ok(match cleaned.ended {
        Ended::Interrupted if terminated.load(Ordering::Relaxed) => Exit::Terminated,
        Ended::Interrupted => Exit::Interrupted,
        Ended::Finished if cleaned.left.is_empty() => Exit::Done,
        Ended::Finished | Ended::Detached => Exit::Unfinished,
    })
}

fn count(levels: &[Vec<Item>], is: impl Fn(&Disposition) -> bool) -> usize {
    levels
        .iter()
        .flatten()
        .filter(|item| is(&item.disposition))
        .count()
}

fn is_deletion(disposition: &Disposition) -> bool {
    matches!(disposition, Disposition::Delete { .. })
}

/// Leaves what nobody has agreed to: what has come to be known since the question, in a place that was not in it, and what is
/// known by its name alone where nobody has said that it is the run's.
fn keep_to(levels: &mut [Vec<Item>], confirmed: &BTreeSet<PlaceIndex>, with_doubts: bool) {
    for item in levels.iter_mut().flatten() {
        let Disposition::Delete { named, doubt, .. } = &item.disposition else {
            continue;
        };
        let why = match doubt {
            _ if !confirmed.contains(&named.place) => {
                "it was not part of the confirmation; run the same command again".to_owned()
            }
            Some(doubt) if !with_doubts => {
                format!("{doubt}; check it, then delete it with --known-by-name")
            }
            _ => continue,
        };
        item.disposition = Disposition::Left(why);
    }
}

/// Returns the exit code if nothing is deleted: it tells whether something is there that should not be.
fn exit(levels: &[Vec<Item>]) -> Exit {
    match count(levels, |disposition| {
        matches!(disposition, Disposition::Left(_))
    }) {
        0 => Exit::Done,
        _ => Exit::Unfinished,
    }
}

/// The first name that has production in it.
fn production(
    plan: &str,
    run_id: &RunId,
    targets: &[Target],
    arguments: &CleanupArguments,
    levels: &[Vec<Item>],
) -> Option<String> {
    let arns = levels
        .iter()
        .flatten()
        .filter(|item| is_deletion(&item.disposition))
        .filter_map(|item| item.arn.as_deref());
    let names = [
        Some(plan),
        Some(run_id.as_str()),
        arguments.aws.profile.as_deref(),
    ];
    let roles = targets
        .iter()
        .filter_map(|target| target.iam_role_arn.as_deref());
    names
        .into_iter()
        .flatten()
        .chain(roles)
        .chain(arns)
        .find(|name| looks_like_production(name))
        .map(str::to_owned)
}

fn looks_like_production(name: &str) -> bool {
    let name = name.to_lowercase();
    name.split(|c: char| !c.is_ascii_alphabetic())
        .any(|word| matches!(word, "prod" | "prd" | "production" | "live"))
}

#[cfg(test)]
mod tests {
    use super::looks_like_production;

    #[test]
    fn production_is_a_word() {
        for (name, is) in [
            ("orders-prod", true),
            ("arn:aws:iam::1:role/PRODUCTION/x", true),
            ("prod1", true),
            ("products", false),
            ("reproduce", false),
            ("alive", false),
        ] {
            assert_eq!(looks_like_production(name), is, "{name}");
        }
    }
}
