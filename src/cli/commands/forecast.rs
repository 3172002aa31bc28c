//! `redrill forecast PLAN`, `redrill forecast backtest` and `redrill history export`.

use std::path::PathBuf;

use super::Context;
use super::forecast_line;
use super::previewed::{PreviewRequest, Previewed};
use super::store::Store;
use super::world::World;
use crate::backup::{Clock as _, SystemClock};
use crate::cli::arguments::{HumanOrJson, On};
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::cli::forecasting::{
    BacktestArguments, ForecastArguments, ForecastCommand, ForecastFormat, HistoryExport,
};
use crate::diff::Action;
use crate::export::{self, Subject};
use crate::forecast::{
    Backtest, ForecastOptions, ForecastSubject, NamedRun, PastRestore, PastRun, PriceTable,
    TypedWhatIf, apply, backtest, forecast, restores_of,
};
use crate::journal::{self, RunKey, RunStore as _};
use crate::report::{
    ForecastReport, backtest_human, backtest_json, forecast_html, forecast_human, forecast_json,
    forecast_markdown,
};
use crate::session::{self, Preview, WantedPoints};

/// The first line of an export.
const HEADER: &str = "{\"schema\":\"redrill.history/v1\"}";

pub(super) async fn run(
    arguments: &ForecastArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    if let Some(ForecastCommand::Backtest(arguments)) = &arguments.command {
        return of_past(arguments, context).await;
    }
    let Some(file) = &arguments.plan else {
        return Err(Failure::Usage("a plan is missing".to_owned()));
    };
    let prices = match &arguments.cost.prices {
        Some(path) => PriceTable::read(&files::text(path)?)
            .map_err(|why| Failure::Usage(format!("{}: {why}", path.display())))?,
        None => PriceTable::built_in().map_err(Failure::System)?,
    };
    let request = PreviewRequest {
        file,
        inputs: &arguments.inputs,
        aws: &arguments.aws,
        state: &arguments.state,
        only: &arguments.only.only,
        retry_failed: false,
    };
    let Previewed {
        loaded,
        world,
        store,
        run: key,
        mut preview,
        ..
    } = context.previewed(&request, |_| ()).await?;
    if preview.diff.count(Action::Start) == 0 {
        return Err(Failure::Usage(
            "nothing of this plan would be started, so there is nothing to forecast: `redrill plan`, with the same options, says why"
                .to_owned(),
        ));
    }
    let now = SystemClock.now();
    sizes(&mut preview, &world, context).await;
    let runs = past_runs(&store, Some(&key), arguments.history.rehearsals, context).await?;
    let past = learned(&runs, &arguments.history.history)?;
    let Preview {
        mut plan,
        history,
        known,
        diff,
        ..
    } = preview;
    // A run starts in this order.
    forecast_line::expect(&mut plan, &known, &past, now);
    let transitions = match arguments.cost.on {
        Some(On::StepFunctions) => {
            let counted = export::state_transitions(&Subject {
                file: &file.to_string_lossy(),
                plan: &plan,
                planner: &loaded.planner,
                known: &known,
            });
            counted.map_err(|findings| Failure::Findings(context.shown(&loaded, findings)))?
        }
        None => Vec::new(),
    };
    let transitions = transitions.into_iter();
    let transitions: Vec<(String, u64)> = transitions
        .map(|(region, count)| (region.to_string(), count))
        .collect();
    let mut subject = ForecastSubject::new(plan, diff, &known, &history.observed, now);
    subject.cutover = arguments.cutover;
    refuse_unknown(&arguments.what_if, &subject)?;
    let options = ForecastOptions {
        samples: arguments.samples,
        seed: arguments.seed,
        keeps_rates: true,
        at: arguments.at,
        what_ifs: &arguments.what_if,
        tries_limits: true,
        counts_back: arguments.format == ForecastFormat::Html,
        prices: Some(&prices),
        stays: arguments.cost.stays.as_secs_f64() / 3600.0,
        transitions: &transitions,
    };
    let found = forecast(&subject, &past, &options);
    let record = (!runs.is_empty()).then(|| backtest(runs));
    let report = ForecastReport {
        file: &file.to_string_lossy(),
        plan: &subject.plan.name,
        run_id: subject.plan.run_id.as_str(),
        forecast: &found,
        record: record.as_ref(),
    };
    match arguments.format {
        ForecastFormat::Human => context.output.result(&forecast_human(&report)),
        ForecastFormat::Json => context.output.document(&forecast_json(&report)),
        ForecastFormat::Markdown => context.output.verbatim(&forecast_markdown(&report)),
        ForecastFormat::Html => context.output.verbatim(&forecast_html(&report)),
    }?;
    Ok(Exit::Done)
}

/// A change that names what is not there is a slip.
fn refuse_unknown(what_ifs: &[TypedWhatIf], subject: &ForecastSubject) -> Result<(), Failure> {
    for typed in what_ifs {
        if apply(&typed.is, &mut subject.clone()).is_none() {
            return Err(Failure::Usage(format!(
                "--what-if {}: the plan has no such restore, type or target, or the size of its backup is not known",
                typed.text
            )));
        }
    }
    Ok(())
}

/// Looks up the sizes of recovery points that are not known yet. A forecast without them is a wide one.
pub(super) async fn sizes(preview: &mut Preview, world: &World, context: &mut Context<'_>) {
    let Preview {
        plan, known, diff, ..
    } = preview;
    let starts = diff.changes.iter();
    let starts = starts.filter(|change| change.action == Action::Start);
    let wanted: WantedPoints = starts
        .map(|change| &plan.steps[change.step])
        .filter(|step| !step.draft.waits_for_its_point())
        .map(session::wanted_point)
        .filter(|(_, arn, _)| !known.sources.contains_key(arn))
        .collect();
    if wanted.is_empty() {
        return;
    }
    if let Err(why) = session::look_up(&world.readers(), &wanted, known).await {
        context.output.note(&format!(
            "the sizes of recovery points are not known, so this forecast is wide: {why}; give --inventory\n"
        ));
    }
}

/// The runs that are known here, the earliest first. One that cannot be read is no reason not to learn from the others.
pub(super) async fn past_runs(
    store: &Store,
    but: Option<&RunKey>,
    rehearsals: bool,
    context: &mut Context<'_>,
) -> Result<Vec<NamedRun>, Failure> {
    let mut runs = Vec::new();
    for key in store.runs().await? {
        if Some(&key) == but {
            continue;
        }
        let mut past = PastRun::default();
        let take = |recorded| {
            past.take(&recorded);
            Ok::<(), journal::Error>(())
        };
        if let Err(why) = journal::each(store, &key, take).await {
            context.output.note(&format!(
                "run {} of {} is left out of the history: {why}",
                key.run, key.plan
            ));
            continue;
        }
        if past.is_at_aws || rehearsals {
            runs.push(NamedRun {
                plan: key.plan,
                run: key.run.to_string(),
                past,
            });
        }
    }
    runs.sort_by(|a, b| (a.past.start, &a.plan, &a.run).cmp(&(b.past.start, &b.plan, &b.run)));
    Ok(runs)
}

/// Number of earlier runs to read if nobody waits for them; reading stops once so many restores are learned from.
const FEW: usize = 5;
const ENOUGH: usize = 5_000;

/// Some runs of the same plan at AWS. Whatever cannot be read is left out.
pub(super) async fn some_runs(store: &Store, but: &RunKey) -> Vec<NamedRun> {
    let all = store.runs().await.unwrap_or_default();
    let same = all
        .into_iter()
        .filter(|key| key.plan == but.plan && key != but);
    let mut runs: Vec<NamedRun> = Vec::new();
    let mut restores = 0;
    for key in same.collect::<Vec<_>>().into_iter().rev().take(FEW) {
        if restores >= ENOUGH {
            break;
        }
        let mut past = PastRun::default();
        let take = |recorded| {
            past.take(&recorded);
            Ok::<(), journal::Error>(())
        };
        let read = journal::each(store, &key, take).await;
        restores += past.restores.len();
        if read.is_ok() && past.is_at_aws {
            runs.push(NamedRun {
                plan: key.plan,
                run: key.run.to_string(),
                past,
            });
        }
    }
    runs
}

/// The restores of runs, and those of exports.
pub(super) fn learned(runs: &[NamedRun], exports: &[PathBuf]) -> Result<Vec<PastRestore>, Failure> {
    let mut past = restores_of(runs.iter().map(|run| &run.past));
    for path in exports {
        let next = past.iter().map(|of| of.run + 1).max().unwrap_or(0);
        let text = files::text(path)?;
        let mut lines = text.lines().enumerate();
        if lines.next().map(|(_, line)| line) != Some(HEADER) {
            return Err(Failure::Usage(format!(
                "{} is not a history: `redrill history export` writes one",
                path.display()
            )));
        }
        for (at, line) in lines {
            let wrong = |why: &dyn std::fmt::Display| {
                Failure::Usage(format!("{}, line {}: {why}", path.display(), at + 1))
            };
            let restore: PastRestore = serde_json::from_str(line).map_err(|why| wrong(&why))?;
            restore.check().map_err(|why| wrong(&why))?;
            past.push(PastRestore {
                run: next.saturating_add(restore.run),
                ..restore
            });
        }
    }
    Ok(past)
}

/// `redrill forecast backtest`
async fn of_past(
    arguments: &BacktestArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let store = context.store(&arguments.state).await?;
    let runs = past_runs(&store, None, arguments.rehearsals, context).await?;
    let backtest: Backtest = backtest(runs);
    match arguments.format {
        HumanOrJson::Human => context.output.result(&backtest_human(&backtest)),
        HumanOrJson::Json => context.output.document(&backtest_json(&backtest)),
    }?;
    Ok(Exit::Done)
}

/// `redrill history export`
pub(super) async fn export(
    arguments: &HistoryExport,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let store = context.store(&arguments.state).await?;
    let runs = past_runs(&store, None, arguments.rehearsals, context).await?;
    let mut text = format!("{HEADER}\n");
    for restore in learned(&runs, &[])? {
        // Numbers and AWS's names: serde_json cannot fail on them.
        text.push_str(&serde_json::to_string(&restore).unwrap_or_default());
        text.push('\n');
    }
    context.output.document(&text)?;
    Ok(Exit::Done)
}
