//! `redrill export …`

use std::path::Path;

use super::world::World;
use super::{Context, lock};
use crate::backup::{Clock as _, SystemClock};
use crate::cli::exit::{Exit, Failure};
use crate::cli::export_folder::{self, ExportFolder};
use crate::cli::exporting::{ExportKit, ExportOptions, ExportStepFunctions};
use crate::diagnostic::Findings;
use crate::export::{self, Files, Subject};
use crate::render::Known;
use crate::session::{Loaded, Lookups};

pub(super) async fn kit(arguments: &ExportKit, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let of = &arguments.of;
    let loaded = context.load_without_secrets(&of.plan, &of.inputs)?;
    let kit = |subject: &Subject<'_>| Ok((export::kit(subject)?, Findings::default()));
    let files = exported(loaded, of, context, kit).await?;
    match (&of.check, &of.output) {
        (Some(folder), _) => {
            let read = read(folder)?;
            checked(&export::kit_drift(&files, read), context)
        }
        (None, Some(folder)) => {
            let folder = ExportFolder::new(folder, "state", export::is_same_kit);
            let exit = written(&files, &folder, "RUNBOOK.md", context)?;
            let requests = files
                .iter()
                .filter(|(path, _)| path.starts_with("requests/"));
            let restores = requests.count();
            if restores > export::MOST_PAGES {
                context.output.note(&format!(
                    "{restores} restores: the runbook has no page for each above {}, and the script makes one call after another, \
                     a second or more for each restore and each look; for so many prefer `redrill run`, or `redrill export step-functions`",
                    export::MOST_PAGES
                ));
            }
            Ok(exit)
        }
        (None, None) => Err(no_place()),
    }
}

pub(super) async fn step_functions(
    arguments: &ExportStepFunctions,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let of = arguments.of();
    let loaded = context.load(&of.plan, &of.inputs)?;
    let options = arguments.options();
    let make = |subject: &Subject<'_>| export::step_functions(subject, &options);
    let files = exported(loaded, of, context, make).await?;
    match (&of.check, &of.output) {
        (Some(folder), _) => {
            let read = read(folder)?;
            checked(&export::step_functions_drift(&files, read), context)
        }
        (None, Some(folder)) => {
            let folder = ExportFolder::new(folder, "", export::is_for_step_functions);
            written(&files, &folder, "README.md", context)
        }
        (None, None) => Err(no_place()),
    }
}

/// Settles a plan, and gives what is made of it; what cannot be carried ends the command.
async fn exported(
    mut loaded: Loaded,
    options: &ExportOptions,
    context: &mut Context<'_>,
    make: impl FnOnce(&Subject<'_>) -> Result<(Files, Findings), Findings>,
) -> Result<Files, Failure> {
    let lock = lock::beside(&options.plan, &options.inputs, &mut loaded)?;
    let targets = loaded.planner.targets();
    let inventory = context.inventory(&options.inputs, targets)?;
    let settings = context.all_settings(&options.aws, targets)?;
    let world = World::new(inventory, settings);
    let readers = world.readers();
    let lookups = Lookups {
        points: world.points(&readers),
        lock: lock.as_ref(),
        has_inventory: !options.inputs.inventory.is_empty(),
        checks_lock: true,
        only: &[],
        start: SystemClock.now(),
    };
    let mut known = Known::default();
    let plan = context.settled(&loaded, &mut known, &lookups).await?;
    let made = make(&Subject {
        file: &options.plan.to_string_lossy(),
        plan: &plan,
        planner: &loaded.planner,
        known: &known,
    });
    let (files, findings) =
        made.map_err(|findings| Failure::Findings(context.shown(&loaded, findings)))?;
    context.show(&loaded, findings);
    Ok(files)
}

fn no_place() -> Failure {
    Failure::Usage("give -o DIR or --check DIR".to_owned())
}

/// The files of an export that is there.
fn read(folder: &Path) -> Result<impl Fn(&str) -> Option<Vec<u8>>, Failure> {
    if !folder.join(Files::SUMS).exists() {
        if let Some(lost) = export_folder::without_sums(folder) {
            return Err(Failure::Usage(lost));
        }
        return Err(Failure::Usage(format!(
            "{} has no export; write one with -o {}",
            folder.display(),
            folder.display()
        )));
    }
    Ok(export_folder::reader(folder))
}

/// Reports what has drifted.
fn checked(drift: &[String], context: &mut Context<'_>) -> Result<Exit, Failure> {
    let text: String = drift.iter().map(|line| format!("{line}\n")).collect();
    context.output.result(&text)?;
    Ok(match drift.is_empty() {
        true => Exit::Done,
        false => Exit::ChangesPresent,
    })
}

fn written(
    files: &Files,
    folder: &ExportFolder<'_>,
    first: &str,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    folder.write(files)?;
    context.output.note(&format!(
        "{} files written to {}; start with {}",
        files.iter().count(),
        folder.path().display(),
        folder.path().join(first).display()
    ));
    Ok(Exit::Done)
}
