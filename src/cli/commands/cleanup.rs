//! `redrill cleanup PLAN --run-id ID`: what the run has made is deleted, and proven gone.

use std::sync::atomic::Ordering;

use super::again::again;
use super::{Context, check_account, endpoint};
use crate::aws::Aws;
use crate::cleanup::{Deletions, Fate, Item, Named, Progress, Resources, cleanup as plan_cleanup};
use crate::cli::afterwards::Cleanup;
use crate::cli::confirm::typed;
use crate::cli::exit::{Exit, Failure};
use crate::cli::output::Output;
use crate::cli::signals::Signals;
use crate::diff::{ApiError, Fault};
use crate::execute::{
    Clock, Ended, Endpoint, History, Observer, Places, Recorded, Stopped, SystemClock, replay,
};
use crate::journal::{self, Journal, Owner};
use crate::render::Target;
use crate::report::cleanup_human;
use crate::terminal::{Screen, Standing, Style};

pub(super) async fn cleanup(
    arguments: &Cleanup,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let loaded = context.load(&arguments.plan, &arguments.inputs)?;
    super::refuse(loaded.findings.clone())?;
    let planner = &loaded.planner;
    let protect: Vec<&str> = planner.protect().collect();
    let name = planner.document().plan.value.clone();
    let run_id = arguments.inputs.run_id.as_str();
    let directory = journal::directory(&arguments.state.state, &name, run_id);
    let events = journal::read(&directory)?;
    let known = Places::of(&events);
    let targets = &known.targets;
    if targets.is_empty() {
        return Err(super::no_such_run(&arguments.state.state, &name, run_id));
    }
    let history = History::of(&events).map_err(Stopped::from)?;
    let levels = plan(&events, &protect, &known)?;
    let deletions = count(&levels, |fate| matches!(fate, Fate::Delete { .. }));
    if arguments.dry_run {
        context.output.result(&cleanup_human(&levels))?;
        return Ok(exit(&levels));
    }
    if deletions == 0 {
        context.output.result(&cleanup_human(&levels))?;
        context.output.note("nothing to delete");
        return Ok(exit(&levels));
    }
    let mut places = Vec::with_capacity(targets.len());
    for settings in context.all_settings(&arguments.aws, targets)? {
        places.push(Aws::connect(&settings).await.map_err(Failure::Aws)?);
    }
    let here = endpoint::check_cleanup(&history, &places, &name, run_id).await?;
    let production = production(&name, run_id, targets, arguments, &levels);
    if !confirmed(
        arguments,
        targets,
        production.as_deref(),
        &levels,
        deletions,
        &here,
    )? {
        context.output.note("nothing was deleted");
        return Ok(Exit::Unfinished);
    }
    for (aws, target) in places.iter().zip(targets) {
        check_account(aws, target).await?;
    }

    let owner = Owner {
        pid: std::process::id(),
        host: gethostname::gethostname().to_string_lossy().into_owned(),
        user: context.environment.user.clone(),
        since: SystemClock.now(),
    };
    let signals = Signals::listen();
    let terminated = signals.terminated();
    // Another cleanup may have worked between the question and the lock.
    let mut events = Vec::new();
    let journal = Journal::open(&directory, &owner, false, |recorded| {
        events.push(recorded);
        Ok::<(), journal::Error>(())
    })?;
    let levels = plan(&events, &protect, &Places::of(&events))?;
    // A bar counts restores; there are none here.
    let style = match context.style() {
        Style::None => Style::None,
        Style::Bar | Style::Lines => Style::Lines,
    };
    let standing = Standing {
        total: 0,
        completed: 0,
        running: Vec::new(),
    };
    let mut screen = Screen::new(style, context.display.verbose, &standing);
    let cleaned = Deletions {
        resources: &Everywhere(places),
        journal,
        clock: &SystemClock,
        observer: &mut |recorded: &Recorded| screen.observe(recorded),
        control: signals.control,
    }
    .carry_out(&levels)
    .await;
    screen.finish();
    let cleaned = cleaned?;
    let mut text = format!(
        "{name} run {run_id}: {} deleted and not found any more, {} left\n",
        cleaned.gone,
        cleaned.left.len()
    );
    for (item, why) in &cleaned.left {
        let arn = item.arn.as_deref().unwrap_or("-");
        text.push_str(&format!("left: {}  {arn}  {why}\n", item.restore));
    }
    if cleaned.ended != Ended::Finished {
        let open = count(&levels, |fate| {
            matches!(fate, Fate::Delete { .. } | Fate::Gone | Fate::Left(_))
        })
        .saturating_sub(cleaned.gone + cleaned.left.len());
        text.push_str(&format!(
            "stopped: {open} not looked at to the end; a deletion that was asked for goes on at AWS\ngo on with: {}\n",
            again(context, planner.secrets())
        ));
    }
    context.output.result(&text)?;
    Ok(match cleaned.ended {
        Ended::Interrupted if terminated.load(Ordering::Relaxed) => Exit::Terminated,
        Ended::Interrupted => Exit::Interrupted,
        Ended::Finished if cleaned.left.is_empty() => Exit::Done,
        Ended::Finished | Ended::Detached => Exit::Unfinished,
    })
}

fn plan(events: &[Recorded], protect: &[&str], places: &Places) -> Result<Vec<Vec<Item>>, Failure> {
    let observed = replay(events).map_err(Stopped::from)?;
    Ok(plan_cleanup(events, &observed, protect, places))
}

fn count(levels: &[Vec<Item>], is: impl Fn(&Fate) -> bool) -> usize {
    levels
        .iter()
        .flatten()
        .filter(|item| is(&item.fate))
        .count()
}

/// What is said without deleting anything: whether something is there that should not be.
fn exit(levels: &[Vec<Item>]) -> Exit {
    match count(levels, |fate| matches!(fate, Fate::Left(_))) {
        0 => Exit::Done,
        _ => Exit::Unfinished,
    }
}

fn confirmed(
    arguments: &Cleanup,
    targets: &[Target],
    production: Option<&str>,
    levels: &[Vec<Item>],
    deletions: usize,
    here: &Endpoint,
) -> Result<bool, Failure> {
    let account = targets.first().map_or("", |target| target.account.as_str());
    match (&arguments.confirm_account, production) {
        (Some(typed), _) if typed != account => {
            return Err(Failure::Usage(format!(
                "--confirm-account says {typed}, and the run's account is {account}; nothing was deleted"
            )));
        }
        (Some(_), _) if arguments.yes => return Ok(true),
        (_, None) if arguments.yes => return Ok(true),
        _ => {}
    }
    if !Output::is_interactive() {
        let how = match production {
            Some(name) => format!(
                "`{name}` looks like production: look at --dry-run, then give --yes --confirm-account {account}"
            ),
            None => "there is no terminal to ask on; look at --dry-run, then give --yes".to_owned(),
        };
        return Err(Failure::Usage(format!("nothing was deleted: {how}")));
    }
    let question = format!(
        "{}This deletes {deletions} resource{} in account {account}, at {here}. It cannot be undone.",
        cleanup_human(levels),
        if deletions == 1 { "" } else { "s" }
    );
    match production {
        Some(name) => {
            let question = format!("{question}\n`{name}` looks like production.");
            typed(&question, account, "delete")
        }
        None => typed(&question, "yes", "delete"),
    }
}

/// The first name that has production in it.
fn production(
    plan: &str,
    run_id: &str,
    targets: &[Target],
    arguments: &Cleanup,
    levels: &[Vec<Item>],
) -> Option<String> {
    let arns = levels
        .iter()
        .flatten()
        .filter_map(|item| item.arn.as_deref());
    let names = [Some(plan), Some(run_id), arguments.aws.profile.as_deref()];
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

/// A client for each target of the run.
struct Everywhere(Vec<Aws>);

impl Everywhere {
    fn at(&self, named: &Named) -> Result<&Aws, ApiError> {
        self.0.get(named.place).ok_or_else(|| ApiError {
            operation: "DeleteResource",
            fault: Fault::Refused,
            code: None,
            message: "it is in no target of the run".to_owned(),
        })
    }
}

impl Resources for Everywhere {
    async fn exists(&self, named: &Named) -> Result<bool, ApiError> {
        self.at(named)?.exists(named).await
    }

    async fn delete(&self, named: &Named, token: &str) -> Result<Option<String>, ApiError> {
        self.at(named)?.delete(named, token).await
    }

    async fn progress(&self, named: &Named, request: &str) -> Result<Progress, ApiError> {
        self.at(named)?.progress(named, request).await
    }
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
