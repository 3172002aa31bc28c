//! `redrill cleanup PLAN --run-id ID`: what the run has made is deleted, and proven gone.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::Ordering;

use jiff::{SignedDuration, Timestamp};

use super::again::Again;
use super::deletions::{Confirmation, Touched};
use super::world::{World, with_roles};
use super::{Context, check_account, endpoint};
use crate::aws::Aws;
use crate::cleanup::{
    Deletions, Fate, Found, Item, Known, Named, Progress, Resources, by_name,
    cleanup as plan_cleanup, leaves, survey, unlisted,
};
use crate::cli::afterwards::Cleanup;
use crate::cli::exit::{Exit, Failure};
use crate::cli::signals::Signals;
use crate::diff::{ApiError, Fault, Job, JobQuery, Reader};
use crate::execute::{
    Clock, Ended, Event, History, Journal as _, NestedJob, Observer, Places, Recorded, Redacting,
    Stopped, SystemClock, replay,
};
use crate::journal::{self, Journal, Owner};
use crate::render::Target;
use crate::report::cleanup_human;
use crate::terminal::{Screen, Standing, Style};

/// Pages of jobs before it is taken for a listing without an end.
const PAGES: usize = 1000;
/// How often a resource is looked for while AWS only asks for patience.
const TRIES: i64 = 10;

const NOT_ASKED: &str = "AWS was not asked what was made again since, and which jobs are nested";

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
    let mut events = journal::read(&directory)?;
    let known = Places::of(&events);
    let targets = &with_roles(&known.targets, planner);
    if targets.is_empty() {
        return Err(super::no_such_run(&arguments.state.state, &name, run_id));
    }
    let settings = context.all_settings(&arguments.aws, targets)?;
    let world = World::new(None, settings);
    world.reveal_in(&mut events).await;
    let history = History::of(&events).map_err(Stopped::from)?;
    let mut levels = plan(&events, &protect, &known)?;
    let is_empty = |levels: &[Vec<Item>]| count(levels, is_deletion) == 0;
    let mut places = Vec::with_capacity(targets.len());
    for settings in context.all_settings(&arguments.aws, targets)? {
        places.push(Aws::connect(&settings).await.map_err(Failure::Aws)?);
    }
    if is_empty(&levels) && unlisted(&events).is_empty() {
        // What is left there is not to be deleted by hand here.
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
        // What would be deleted can be shown without AWS.
        Err(Failure::Aws(error)) if arguments.dry_run => {
            context.output.result(&cleanup_human(&levels))?;
            context.output.note(&format!("{NOT_ASKED}: {error}"));
            return Ok(exit(&levels));
        }
        here => here?,
    };
    let everywhere = Everywhere { places, targets };
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
            context
                .output
                .note(&format!("AWS leaves behind, or wants gone first: {line}"));
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
        check_account(&everywhere.places[place], &targets[place]).await?;
    }
    if arguments.yes {
        context.output.note(&touched.sentence());
    }
    for line in leaves(&levels) {
        context
            .output
            .note(&format!("AWS leaves behind, or wants gone first: {line}"));
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
    let secrets = planner.secrets();
    let mut journal = Redacting::new(journal, secrets);
    world.reveal_in(&mut events).await;
    let had = events.len();
    let known = Places::of(&events);
    let mut levels = everywhere.look(&mut events, &protect, &known).await?;
    if events.len() > had {
        journal.append(&events[had..]).map_err(Stopped::from)?;
    }
    let confirmed = touched.places().collect();
    keep_to(&mut levels, &confirmed, confirmation.includes_doubts());
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
        resources: &everywhere,
        journal,
        clock: &SystemClock,
        observer: &mut |recorded: &Recorded| screen.observe(&recorded.redacted(secrets)),
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
        let by = item
            .by
            .as_ref()
            .map_or_else(String::new, |by| format!(", of {by}"));
        text.push_str(&format!("left: {}{by}  {arn}  {why}\n", item.restore));
    }
    if cleaned.ended != Ended::Finished {
        let again = Again::of(context, planner);
        let open = count(&levels, |fate| {
            matches!(fate, Fate::Delete { .. } | Fate::Gone | Fate::Left(_))
        })
        .saturating_sub(cleaned.gone + cleaned.left.len());
        text.push_str(&format!(
            "stopped: {open} not looked at to the end; a deletion that was asked for goes on at AWS\ngo on with: {}\n",
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

fn is_deletion(fate: &Fate) -> bool {
    matches!(fate, Fate::Delete { .. })
}

/// Leaves what nobody has agreed to: what has come to be known since the question, in a place that was not in it, and what is
/// known by its name alone where nobody has said that it is the run's.
fn keep_to(levels: &mut [Vec<Item>], confirmed: &BTreeSet<usize>, with_doubts: bool) {
    for item in levels.iter_mut().flatten() {
        let Fate::Delete { named, doubt, .. } = &item.fate else {
            continue;
        };
        let why = match doubt {
            _ if !confirmed.contains(&named.place) => {
                "it was not in the question; the same command asks again".to_owned()
            }
            Some(doubt) if !with_doubts => {
                format!("{doubt}; look at it, and give --known-by-name to delete it")
            }
            _ => continue,
        };
        item.fate = Fate::Left(why);
    }
}

/// What is said without deleting anything: whether something is there that should not be.
fn exit(levels: &[Vec<Item>]) -> Exit {
    match count(levels, |fate| matches!(fate, Fate::Left(_))) {
        0 => Exit::Done,
        _ => Exit::Unfinished,
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
        .filter(|item| is_deletion(&item.fate))
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
struct Everywhere<'a> {
    places: Vec<Aws>,
    targets: &'a [Target],
}

impl Everywhere<'_> {
    /// What is to be done, with what AWS says of it: nested jobs that nobody has listed are added to the events, and names
    /// that were given again are left out.
    async fn look(
        &self,
        events: &mut Vec<Recorded>,
        protect: &[&str],
        places: &Places,
    ) -> Result<Vec<Vec<Item>>, Failure> {
        for (restore, job_id, place) in unlisted(events) {
            let Some(target) = self.targets.get(place) else {
                continue;
            };
            let query = JobQuery {
                account: target.account.clone(),
                parent: Some(job_id.clone()),
                ..JobQuery::default()
            };
            let jobs = self.jobs(place, &query).await.map_err(Failure::Aws)?;
            let own = jobs.into_iter().filter(|job| job.is_nested_in(&job_id));
            let jobs: Vec<NestedJob> = own.map(NestedJob::from).collect();
            let event = Event::Nested {
                restore,
                job_id,
                jobs,
            };
            let at = SystemClock.now();
            let aws_ahead = None;
            events.push(Recorded {
                at,
                aws_ahead,
                event,
            });
        }
        let mut levels = plan(events, protect, places)?;
        let mut known = Known::default();
        let mut since: BTreeMap<usize, Timestamp> = BTreeMap::new();
        for (named, ended_at) in by_name(&levels) {
            match self.find_patiently(named).await {
                Ok(found) => {
                    known.found.insert(Known::key(named), found);
                }
                // The deletion will be refused likewise, and say so of this one.
                Err(error) if matches!(error.fault, Fault::Refused | Fault::Denied) => {}
                Err(error) => return Err(Failure::Aws(error)),
            }
            if let Some(at) = ended_at {
                let since = since.entry(named.place).or_insert(at);
                *since = (*since).min(at);
            }
        }
        for (place, at) in since {
            let query = JobQuery {
                account: self.targets[place].account.clone(),
                created_after: Some(at),
                ..JobQuery::default()
            };
            match self.jobs(place, &query).await {
                Ok(jobs) => {
                    known.later.insert(place, jobs);
                }
                Err(error) if matches!(error.fault, Fault::Refused | Fault::Denied) => {}
                Err(error) => return Err(Failure::Aws(error)),
            }
        }
        survey(&mut levels, events, &known, SystemClock.now());
        Ok(levels)
    }

    /// What is there, however busy AWS is.
    async fn find_patiently(&self, named: &Named) -> Result<Option<Found>, ApiError> {
        let mut tries = 0;
        loop {
            match self.find(named).await {
                Err(error) if error.fault == Fault::Throttled && tries < TRIES => {
                    tries += 1;
                    let at = SystemClock.now() + SignedDuration::from_secs(tries);
                    SystemClock.sleep_until(at).await;
                }
                answer => return answer,
            }
        }
    }

    /// All jobs that a query is about.
    async fn jobs(&self, place: usize, query: &JobQuery) -> Result<Vec<Job>, ApiError> {
        let mut jobs = Vec::new();
        let mut token = None;
        for _ in 0..PAGES {
            let (page, next) = self.places[place].jobs_page(query, token).await?;
            jobs.extend(page);
            token = next;
            if token.is_none() {
                return Ok(jobs);
            }
        }
        Err(ApiError {
            operation: "ListRestoreJobs",
            fault: Fault::Service,
            code: None,
            message: format!("{PAGES} pages, and no end of them"),
        })
    }

    fn at(&self, named: &Named) -> Result<&Aws, ApiError> {
        self.places.get(named.place).ok_or_else(|| ApiError {
            operation: "DeleteResource",
            fault: Fault::Refused,
            code: None,
            message: "it is in no target of the run".to_owned(),
        })
    }
}

impl Resources for Everywhere<'_> {
    async fn find(&self, named: &Named) -> Result<Option<Found>, ApiError> {
        self.at(named)?.find(named).await
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
