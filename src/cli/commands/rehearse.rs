//! `redrill rehearse PLAN`: the real engine against the embedded emulator, over real HTTP.

use std::io::ErrorKind;
use std::path::{Path, PathBuf};

use jiff::SignedDuration;
use redrill_emulator::{Options, Speed, StartError};

use super::before::Before;
use super::clients::paced;
use super::emulator::{of_file, refused};
use super::endpoint::free_run_id;
use super::resume_hint::{ResumeHint, typed_again};
use super::run::{EngineRun, Hints, PlanLock, Reached, execute, policy};
use super::store::{StateLocation, Store};
use super::world::World;
use super::{Context, check_region, chosen, lock, refuse};
use crate::backup::{Clock, Endpoint, Keeping, Pace, SystemClock};
use crate::cli::arguments::Rehearse;
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::diagnostic::Severity;
use crate::diff::Wanted;
use crate::execute::Policy;
use crate::ids::TargetIndex;
use crate::journal::{self, LocalStore, RunKey, RunStore as _};
use crate::rehearsal::{NotRehearsed, Rehearsal};
use crate::render::Known;
use crate::render::Target;
use crate::session::{self, Loaded};

/// After how long, by the clock on the wall, a rehearsal in which nothing happens says what it waits for: somebody looks on.
const LOOKS_ON: SignedDuration = SignedDuration::from_secs(10);

/// File that the emulator keeps, next to the journal of the run.
const EMULATOR: &str = "emulator.jsonl";

pub(super) async fn rehearse(
    arguments: &Rehearse,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if arguments.unused.prove || arguments.unused.ledger.is_some() {
        context
            .output
            .note("note: a rehearsal proves nothing, so nothing is written to the ledger");
    }
    let mut loaded = context.load(&arguments.plan, &arguments.inputs)?;
    loaded.planner.rehearse();
    if let (Some(region), [target]) = (
        &arguments.unused.region,
        loaded.planner.targets().as_slice(),
    ) {
        check_region(region, target)?;
    }
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
    // The call tells if the inventory is of another account or Region.
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
    let name = loaded.planner.document().plan.value.clone();
    let run = RunKey::new(&name, &arguments.inputs.run_id);
    let kept = RehearsalStore::open(arguments.state.as_deref(), &run, arguments).await?;
    let options = Options {
        state: kept.emulator.clone(),
        ..options
    };
    let rehearsal = match Rehearsal::start(options, targets).await {
        Ok(rehearsal) => rehearsal,
        Err(NotRehearsed::Emulator(why)) => {
            // An account that is none: the plan's findings say where it is.
            let mut findings = std::mem::take(&mut loaded.findings);
            loaded.planner.plan(&Known::default(), &mut findings);
            refuse(findings)?;
            // Whoever rehearses the same run has its emulator's file and its lease.
            let holder = kept.store.holder(&run).await?.filter(|_| is_busy(&why));
            return Err(holder.map_or_else(
                || refused(why),
                |owner| {
                    Failure::Journal(journal::Error::Held {
                        owner: Box::new(owner),
                    })
                },
            ));
        }
        Err(NotRehearsed::Aws(why)) => return Err(Failure::Aws(why)),
    };
    let mut runs = kept.store.runs().await.unwrap_or_default();
    let execution = EngineRun {
        file: &arguments.plan,
        run_id: &arguments.inputs.run_id,
        runs: runs.clone(),
        store: Store::Local(kept.store),
        wanted: Wanted {
            only: only.clone(),
            retry_failed: arguments.how.retry_failed,
            up_to: None,
        },
        report: &arguments.report,
        // A rehearsal starts nothing at AWS that somebody would have to be asked about.
        confirmed: true,
        take_over: arguments.how.take_over,
        // Without quotas there are no rates to keep.
        policy: Policy {
            no_rate_limit: arguments.trouble.quotas.as_os_str() == "none"
                || arguments.how.no_rate_limit,
            cutover: arguments.cutover,
            says_after: match arguments.speed {
                // Full speed never waits: a day passes in a second.
                Speed::Max => Some(SignedDuration::from_hours(24)),
                Speed::Times(times) => {
                    let seconds = LOOKS_ON.as_secs_f64() * times;
                    SignedDuration::try_from_secs_f64(seconds).ok()
                }
            },
            // Nothing exists that it could write into: what `run` would ask about is said.
            into_existing: true,
            ..policy(&arguments.how)
        },
        hints: Hints {
            again: match arguments.state {
                Some(_) => ResumeHint::of(context, &loaded.planner),
                // The same command begins again.
                None => ResumeHint::of(context, &loaded.planner).for_the_whole(),
            },
            once_ended: None,
            new_run: ResumeHint::anew(context, &loaded.planner),
            options: typed_again(&arguments.inputs, None, &loaded.planner),
        },
        // A check that asks AWS asks the emulator, and cannot ask anybody else.
        environment: [
            ("AWS_ENDPOINT_URL", rehearsal.url().as_str()),
            (
                "AWS_ACCESS_KEY_ID",
                targets[TargetIndex::FIRST].account.as_str(),
            ),
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
            has_inventory: !arguments.inputs.inventory.is_empty(),
            preflight: None,
            machines: None,
        },
        saved: None,
        lock: PlanLock {
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
    rehearsal.shutdown().await;
    if matches!(exit, Ok(Exit::Done | Exit::ObjectiveMissed)) {
        let chosen = if is_whole {
            &arguments.only.only[..]
        } else {
            &only
        };
        runs.push(run);
        next(arguments, chosen, &loaded, &runs, context);
    }
    match exit {
        Ok(Exit::Done) if !is_whole => Ok(Exit::Unfinished),
        exit => exit,
    }
}

/// Returns true if another emulator has the file.
fn is_busy(error: &StartError) -> bool {
    matches!(error, StartError::File { source, .. } if source.kind() == ErrorKind::ResourceBusy)
}

/// Store that records a rehearsal.
struct RehearsalStore {
    store: LocalStore,
    /// File in which the emulator keeps its jobs, tokens and time; none for a rehearsal that nobody continues.
    emulator: Option<PathBuf>,
    /// Holds the directory of a rehearsal that leaves nothing behind.
    _passing: Option<tempfile::TempDir>,
}

impl RehearsalStore {
    /// The directory that was named, or one that is gone afterwards.
    async fn open(
        state: Option<&Path>,
        run: &RunKey,
        arguments: &Rehearse,
    ) -> Result<Self, Failure> {
        let Some(state) = state else {
            // An empty root has no directory for temporary files.
            let passing = tempfile::tempdir()
                .or_else(|source| tempfile::tempdir_in(".").map_err(|_| source))
                .map_err(|source| Failure::Io {
                    path: "the directory for temporary files".into(),
                    source,
                })?;
            return Ok(Self {
                store: LocalStore::new(passing.path()).in_passing(),
                emulator: None,
                _passing: Some(passing),
            });
        };
        if let StateLocation::Bucket { .. } = StateLocation::of(state)? {
            return Err(Failure::Usage(
                "a rehearsal is kept in a directory: give one to --state".to_owned(),
            ));
        }
        let store = LocalStore::new(state);
        let emulator = state.join(&run.plan).join(run.run.as_str()).join(EMULATOR);
        let mut kept = Self {
            store,
            emulator: None,
            _passing: None,
        };
        if kept.store.runs().await?.contains(run) && !emulator.exists() {
            let mut before = Before::new(None);
            journal::each(&kept.store, run, |recorded| before.take(&recorded)).await?;
            if before.history.world() == Some(&Endpoint::Rehearsal) {
                return Err(Failure::Usage(format!(
                    "{} is gone, so the emulator has forgotten the jobs of run {}: rehearse with another --run-id, or another --state",
                    emulator.display(),
                    arguments.inputs.run_id
                )));
            }
            // A run that was made elsewhere is refused, and gets no file of an emulator.
            return Ok(kept);
        }
        let folder = emulator.parent().unwrap_or(state);
        std::fs::create_dir_all(folder).map_err(|source| Failure::Io {
            path: folder.to_owned(),
            source,
        })?;
        kept.emulator = Some(emulator);
        Ok(kept)
    }
}

/// Returns true if a rehearsal is kept where `run` keeps its runs by default.
fn is_state_of_runs(state: Option<&Path>, context: &Context<'_>) -> bool {
    let Some(state) = state.and_then(|state| state.canonicalize().ok()) else {
        return false;
    };
    let of_runs = context
        .environment
        .flags
        .get("STATE")
        .map_or(".redrill", String::as_str);
    match Path::new(of_runs).canonicalize() {
        Ok(of_runs) => of_runs == state,
        Err(_) => state.file_name().is_some_and(|name| name == of_runs),
    }
}

/// Tells what to type after a rehearsal that went well.
fn next(
    arguments: &Rehearse,
    only: &[String],
    loaded: &Loaded,
    runs: &[RunKey],
    context: &mut Context<'_>,
) {
    let mut inputs = arguments.inputs.clone();
    let plan = &loaded.planner.document().plan.value;
    if is_state_of_runs(arguments.state.as_deref(), context) {
        // There this run id is the rehearsal's.
        inputs.run_id = free_run_id(runs, plan, &inputs.run_id, SystemClock.now());
    }
    let inputs = (&*arguments.plan, &inputs, only);
    let command = |name| ResumeHint::at_aws(name, inputs, context, &loaded.planner);
    let (plan, run) = (command("plan"), command("run"));
    let besides = run.besides().unwrap_or_default();
    let text = format!(
        "next, see what AWS would be sent (only reads): {}\nthen start it at AWS (asks first): {}\n{besides}",
        plan.command, run.command
    );
    context.output.note(text.trim_end());
}
