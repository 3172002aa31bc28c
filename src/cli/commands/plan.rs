//! `redrill plan PLAN`: the dry run. It is handed what reads, and a journal to read.

use super::base::{Base, PlannedBase, Present, resources};
use super::programs::Programs;
use super::resume_hint::{CommandPlace, ResumeHint, quoted};
use super::world::World;
use super::{Context, chosen, endpoint, forecast_line, lock};
use crate::backup::{Clock, Endpoint, SystemClock};
use crate::cli::against::Against;
use crate::cli::arguments::{DryRunArguments, DryRunFormat};
use crate::cli::exit::{Exit, Failure};
use crate::cli::writing::{OutputFile, OutputKind};
use crate::diagnostic::Severity;
use crate::diff::{Action, Compared, Comparing, Review, Sense, Wanted, compare, compare_sources};
use crate::execute::{Policy, Stopped};
use crate::journal::{self, RunKey};
use crate::report::{
    self, ForecastComparison, dry_run_github, dry_run_human, dry_run_json, dry_run_markdown, minute,
};
use crate::session::{self, Loaded, Lookups, POINTS_FOR_RULES, Preview, WantedPoints};
use crate::state::{History, PositionCounter, due_after};

pub(super) async fn plan(
    arguments: &DryRunArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if let Some(path) = &arguments.output {
        OutputFile::new(path, OutputKind::SavedPlan).check()?;
    }
    let mut loaded = context.load(&arguments.plan, &arguments.inputs)?;
    let lock = lock::beside(&arguments.plan, &arguments.inputs, &mut loaded)?;
    let targets = loaded.planner.targets();
    let inventory = context.inventory(&arguments.inputs, targets)?;
    let settings = context.all_settings(&arguments.aws, targets)?;
    let world = World::new(inventory, settings.clone());
    let name = &loaded.planner.document().plan.value;
    let store = context.store(&arguments.state).await?;
    let run = RunKey::new(name, &arguments.inputs.run_id);
    let mut history = History::default();
    let mut counter = PositionCounter::default();
    let take = |recorded| {
        if arguments.output.is_some() {
            counter.take(&recorded);
        }
        history.take(&recorded).map_err(Stopped::from)?;
        Ok::<(), Failure>(())
    };
    journal::each(&store, &run, take).await?;
    let start = history.start().unwrap_or_else(|| SystemClock.now());
    let here = match history.world() {
        Some(_) => Some(endpoint::of_settings(&settings).await?),
        None => None,
    };
    let is_elsewhere =
        (history.world().zip(here.as_ref())).is_some_and(|(there, here)| there.differs_from(here));
    let mut known = session::known(&history.observed);
    world.reveal(&mut known, loaded.planner.secrets()).await;
    let wanted = Wanted {
        only: chosen(&loaded.planner, &arguments.only.only)?,
        retry_failed: arguments.retry_failed,
        up_to: None,
    };
    let readers = world.readers();
    let lookups = Lookups {
        points: world.points(&readers),
        lock: lock.as_ref(),
        has_inventory: !arguments.inputs.inventory.is_empty(),
        checks_lock: true,
        only: &wanted.only,
        start,
    };
    let settled = loaded.settle(&mut known, &lookups, context.output).await;
    let (plan, findings) = context.drafted(settled.map_err(Failure::Aws)?, &loaded)?;
    let mut said = context.shown(&loaded, findings);
    if !said.is_empty() {
        context.output.findings(&said);
    }
    let found = Programs::beside(&arguments.plan, context.environment.path.as_deref())
        .of_plan(&loaded.planner, &known);
    // `run` would refuse it, here or elsewhere; a preview is not held up.
    let found = context.shown(&loaded, found.weighing(Severity::Warning));
    if !found.is_empty() {
        context.output.findings(&found);
    }
    said.extend(found);
    let mut preview = Preview::new(plan, history, known, wanted);
    let against = arguments.against.clone().unwrap_or(Against::Source);
    let label = against.to_string();
    let (compared, base) = context
        .compared(
            &against,
            arguments,
            &loaded,
            &mut preview,
            lock.is_some(),
            &world,
        )
        .await?;
    let notice = notice(&preview, here.as_ref().filter(|_| is_elsewhere));
    let now = SystemClock.now();
    let (mut forecast, mut before) = (None, None);
    if !is_elsewhere {
        let past = forecast_line::earlier(&store, &run).await;
        let policy = Policy::default();
        forecast = forecast_line::of_preview(&preview, &past, now, &policy, base.is_some());
        if let (Some(base), Some(place), Some(found)) = (base, against.place(), &forecast) {
            before = forecast_line::of_base(base, &preview, &past, now, found)
                .map(|found| (place, found));
        }
    }
    let source = &loaded.planner.document().source;
    let missed = match &forecast {
        Some(found) => forecast_line::missed(&preview, found, source, &store, context).await?,
        None => Vec::new(),
    };
    let is_missed = !missed.is_empty();
    if is_missed {
        context.output.findings(&missed);
        said.extend(missed);
    }
    let Preview {
        plan,
        history,
        known,
        diff,
        ..
    } = &preview;
    let file = arguments.plan.to_string_lossy();
    let asked = match here {
        Some(here) => Some(here),
        None => world.endpoint().await?,
    };
    let run = report::DryRun {
        file: &file,
        plan,
        diff,
        compared: compared.as_ref().map(|compared| (label.as_str(), compared)),
        sources: &known.sources,
        resolved: &known.resolved,
        secrets: loaded.planner.secrets(),
        now: SystemClock.now(),
        full: arguments.full,
        endpoint: asked.as_ref(),
        findings: &said,
        notice: notice.as_deref(),
        forecast: forecast.as_ref().map(|forecast| ForecastComparison {
            forecast,
            before: (before.as_ref()).map(|(place, before)| (place.as_str(), before)),
        }),
    };
    match arguments.format {
        DryRunFormat::Human => context.output.result(&dry_run_human(&run)),
        DryRunFormat::Json => context.output.document(&dry_run_json(&run)),
        DryRunFormat::Markdown => context.output.verbatim(&dry_run_markdown(&run)),
        DryRunFormat::Github => context.output.exact(&dry_run_github(&run)),
    }?;
    if arguments.format == DryRunFormat::Human && !is_elsewhere && diff.count(Action::Start) > 0 {
        let what = (
            arguments.plan.as_path(),
            &arguments.inputs,
            preview.wanted.only.as_slice(),
        );
        let hint = ResumeHint::at_aws("preflight", what, context, &loaded.planner);
        let place = CommandPlace::of(context).words;
        context.output.note(&format!(
            "whether it would succeed: `{}{place}` looks, and only reads",
            hint.command
        ));
    }
    if let Some(path) = arguments.output.as_ref().filter(|_| !is_elsewhere) {
        let starts = diff.count(Action::Start) > 0;
        super::saved::refuse_cleaned_up(history, &plan.run_id, starts)?;
        let position = counter.position();
        // A plan that was previewed at an emulator must not be carried out at AWS by a slip. The other way round it is
        // a rehearsal, and says so.
        let meant = match asked {
            Some(asked) => asked,
            None => endpoint::of_settings(&settings).await?,
        };
        let meant = Some(meant).filter(|meant| *meant != Endpoint::Aws);
        super::saved::save(
            path,
            arguments,
            &loaded,
            plan,
            diff,
            position,
            meant.as_ref(),
        )?;
        // Output to `/dev/null` or through a pipe is no file to name.
        if path.is_file() {
            let place = CommandPlace::of(context).words;
            let path = quoted(&path.to_string_lossy());
            context.output.note(&format!(
                "saved: `redrill run {path}{place}` sends exactly these requests"
            ));
        }
    }
    let changes = match &compared {
        Some(compared) => compared.has_changes(),
        None => preview.has_work() || judges(&preview),
    };
    Ok(if diff.has_conflict() || is_elsewhere {
        Exit::Invalid
    } else if arguments.detailed_exitcode && is_missed {
        Exit::ObjectiveMissed
    } else if arguments.detailed_exitcode && changes {
        Exit::ChangesPresent
    } else {
        Exit::Done
    })
}

/// Returns true if a run would run checks of the plan as a whole, even if it restores nothing.
fn judges(preview: &Preview) -> bool {
    due_after(&preview.plan, &preview.history.observed, false, false)
}

/// Describes the run so far, if a run of it would do nothing or be refused.
fn notice(preview: &Preview, elsewhere: Option<&Endpoint>) -> Option<String> {
    let history = &preview.history;
    let opened = history.opened.as_ref()?;
    let run = &opened.run;
    if let (Some(there), Some(here)) = (&opened.world, elsewhere) {
        return Some(format!(
            "Run {run} was made at {there}, and this command works at {here}: `redrill run` refuses to take it up here. Give \
             another --run-id, or go where it was made: {}",
            endpoint::way_to(there)
        ));
    }
    let ended = history.ended.map(|at| format!(" ended {}", minute(at)));
    let deleted = history.deleted();
    match (history.cleaned_up.filter(|_| deleted > 0), ended) {
        (Some(cleaned), ended) => Some(format!(
            "Run {run}{}was cleaned up, last {}: {}. A new restore needs another --run-id.",
            ended.map_or_else(|| " ".to_owned(), |ended| format!("{ended} and ")),
            minute(cleaned),
            history.deletions()
        )),
        (None, Some(ended)) if !preview.has_work() && judges(preview) => Some(format!(
            "Run {run}{ended}. Checks of the plan as a whole are still to be run: `redrill run` takes it up for them."
        )),
        (None, Some(ended)) if !preview.has_work() => Some(format!(
            "Run {run}{ended}. A new restore needs another --run-id."
        )),
        (None, _) => None,
    }
}

impl Context<'_> {
    /// The plan held against its base, with the plan of that; nothing where the base was not asked for and is not at hand.
    async fn compared(
        &mut self,
        against: &Against,
        arguments: &DryRunArguments,
        loaded: &Loaded,
        preview: &mut Preview,
        is_locked: bool,
        world: &World,
    ) -> Result<(Option<Compared>, Option<PlannedBase>), Failure> {
        let present = Present {
            loaded,
            known: &preview.known,
            settled: &preview.history.observed.resolved,
            is_locked,
            world,
        };
        let base = self.base(against, arguments, &present).await?;
        if base.is_none() {
            let insists = arguments.against.is_some();
            if let Err(why) = self.points(preview, world, insists).await {
                // Whoever names a profile that is not there is told so, and not shown half of it.
                if insists || matches!(why.exit(), Exit::Usage) {
                    return Err(why);
                }
                self.output.note(&format!(
                    "not compared with what was backed up: {why}; give --inventory, or another base with --against\n"
                ));
                return Ok((None, None));
            }
        }
        let review = Review::embedded(&self.rules);
        let nothing = Base::default();
        let of = base.as_ref().unwrap_or(&nothing);
        if let Some(trouble) = &of.trouble {
            self.output.note(&format!("{trouble}\n"));
        }
        let comparing = Comparing {
            review: &review,
            sense: match base {
                Some(_) => Sense::Bytes,
                None => Sense::Meaning,
            },
            secrets: [&of.secrets, loaded.planner.secrets()],
        };
        let Preview {
            plan,
            known,
            wanted,
            diff,
            ..
        } = &*preview;
        let compared = match &base {
            Some(base) => compare(plan, diff, &base.entries, &wanted.only, &comparing),
            None => compare_sources(plan, diff, &known.sources, &comparing),
        };
        let resources = resources(known, world);
        let compared = compared.noted(plan, diff, &resources, &comparing);
        Ok((Some(compared), base.and_then(|base| base.planned)))
    }

    /// Looks up what would be restored and is not known yet. Unless somebody insists, AWS is asked where that is few calls.
    async fn points(
        &self,
        preview: &mut Preview,
        world: &World,
        insists: bool,
    ) -> Result<(), Failure> {
        let Preview {
            plan, known, diff, ..
        } = preview;
        let wanted = diff
            .changes
            .iter()
            .filter(|change| change.action != Action::Done)
            .map(|change| &plan.steps[change.step])
            .filter(|step| !step.draft.waits_for_its_point())
            .map(session::wanted_point)
            .filter(|(_, arn, _)| !known.sources.contains_key(arn))
            .collect::<WantedPoints>();
        let few = wanted.len() <= POINTS_FOR_RULES;
        if !insists && !few && !matches!(world, World::Inventory(_)) {
            return Err(Failure::Usage(format!(
                "{} recovery points are many calls to AWS, which `--against source` makes",
                wanted.len()
            )));
        }
        session::look_up(&world.readers(), &wanted, known)
            .await
            .map_err(Failure::Aws)
    }
}
