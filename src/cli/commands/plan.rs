//! `redrill plan PLAN`: the dry run. It is handed what reads, and a journal to read.

use super::base::{Base, PlannedBase, Present, resources};
use super::plan_files::PlanFiles;
use super::previewed::{PreviewRequest, Previewed};
use super::programs::Programs;
use super::resume_hint::{CommandPlace, ResumeHint, quoted};
use super::world::World;
use super::{Context, endpoint, forecast_line};
use crate::backup::{Clock, Endpoint, SystemClock};
use crate::cli::against::Against;
use crate::cli::arguments::{DryRunArguments, DryRunFormat};
use crate::cli::exit::{Exit, Failure};
use crate::cli::writing::{OutputFile, OutputKind};
use crate::diagnostic::Severity;
use crate::diff::{Action, Compared, Comparing, Review, Sense, compare, compare_sources};
use crate::execute::Policy;
use crate::report::{
    self, ForecastComparison, dry_run_github, dry_run_human, dry_run_json, dry_run_markdown, minute,
};
use crate::session::{self, Loaded, POINTS_FOR_RULES, Preview, WantedPoints};
use crate::state::{PositionCounter, Recorded, due_after};

pub(super) async fn plan(
    arguments: &DryRunArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    match arguments.plan.is_dir() {
        true => folder(arguments, context).await,
        false => one(arguments, context).await,
    }
}

/// Each plan of a folder, one after the other; one that cannot be shown keeps nobody from the rest.
async fn folder(arguments: &DryRunArguments, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let mut files = PlanFiles::find(std::slice::from_ref(&arguments.plan))?;
    let (count, folder) = (files.plans.len(), arguments.plan.display());
    let of_one = match (&arguments.output, arguments.format) {
        (Some(_), _) => Some("a saved plan is of one plan"),
        (None, DryRunFormat::Json) if count > 1 => Some("a JSON document is of one plan"),
        _ => None,
    };
    if let Some(why) = of_one {
        return Err(Failure::Usage(format!(
            "{why}, and {folder} is a folder of {count}; name the file"
        )));
    }
    let mut worst = Exit::Done;
    let mut failures = std::mem::take(&mut files.unread);
    for (at, (path, _)) in files.plans.iter().enumerate() {
        if at > 0
            && matches!(
                arguments.format,
                DryRunFormat::Human | DryRunFormat::Markdown
            )
        {
            context.output.exact("\n")?;
        }
        let mut of_one = arguments.clone();
        of_one.plan.clone_from(path);
        match one(&of_one, context).await {
            Ok(exit) if weight(exit) > weight(worst) => worst = exit,
            Ok(_) => {}
            Err(failure @ Failure::Findings(_)) => {
                context.output.failure(&failure);
                worst = failure.exit();
            }
            Err(failure) => failures.push(failure),
        }
    }
    if let Some(skipped) = files.skipped() {
        context.output.note(&format!("note: {skipped}"));
    }
    let last = failures.pop();
    for failure in &failures {
        context.output.failure(failure);
    }
    match last {
        Some(last) if worst != Exit::Invalid => Err(last),
        Some(last) => {
            context.output.failure(&last);
            Ok(worst)
        }
        None => Ok(worst),
    }
}

/// Which exit code of several is that of all.
fn weight(exit: Exit) -> u8 {
    match exit {
        Exit::Done => 0,
        Exit::ChangesPresent => 1,
        Exit::ObjectiveMissed => 2,
        _ => 3,
    }
}

pub(super) async fn one(
    arguments: &DryRunArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if let Some(path) = &arguments.output {
        OutputFile::new(path, OutputKind::SavedPlan).check()?;
    }
    let mut counter = PositionCounter::default();
    let request = PreviewRequest {
        file: &arguments.plan,
        inputs: &arguments.inputs,
        aws: &arguments.aws,
        state: &arguments.state,
        only: &arguments.only.only,
        retry_failed: arguments.retry_failed,
    };
    let count = |recorded: &Recorded| {
        if arguments.output.is_some() {
            counter.take(recorded);
        }
    };
    let Previewed {
        loaded,
        has_lock,
        settings,
        world,
        store,
        run,
        mut preview,
        mut said,
        ..
    } = context.previewed(&request, count).await?;
    let made_at = preview.history.world();
    let here = match made_at {
        Some(_) => Some(endpoint::of_settings(&settings).await?),
        None => None,
    };
    let is_elsewhere =
        (made_at.zip(here.as_ref())).is_some_and(|(there, here)| there.differs_from(here));
    let found = Programs::beside(&arguments.plan, context.environment.path.as_deref())
        .of_plan(&loaded.planner, &preview.known);
    // `run` would refuse it, here or elsewhere; a preview is not held up.
    let found = context.shown(&loaded, found.weighing(Severity::Warning));
    if !found.is_empty() {
        context.output.findings(&found);
    }
    said.extend(found);
    let against = arguments.against.clone().unwrap_or(Against::Source);
    let label = against.to_string();
    let (compared, base) = context
        .compared(&against, arguments, &loaded, &mut preview, has_lock, &world)
        .await?;
    let notice = notice(&preview, here.as_ref().filter(|_| is_elsewhere));
    let now = SystemClock.now();
    let (mut forecast, mut before) = (None, None);
    if !is_elsewhere {
        // Compared with other files, the plan's recovery points were not looked up: AWS is not asked for it, a file is.
        if base.is_some() && matches!(world, World::Inventory(_)) {
            super::forecast::sizes(&mut preview, &world, context).await;
        }
        let past = forecast_line::earlier(&store, &run).await;
        let policy = Policy::default();
        forecast = forecast_line::of_preview(&preview, &past, now, &policy, base.is_some());
        if let (Some(mut base), Some(place), Some(found)) = (base, against.place(), &forecast) {
            for (arn, facts) in &preview.known.sources {
                let known = &mut base.known.sources;
                known.entry(arn.clone()).or_insert_with(|| facts.clone());
            }
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
