//! `redrill export …`

#![expect(
    clippy::disallowed_methods,
    reason = "an export is files, which this command reads and writes"
)]

use std::io;
use std::path::Path;

use super::world::World;
use super::{Context, lock};
use crate::backup::{Clock as _, SystemClock};
use crate::cli::exit::{Exit, Failure};
use crate::cli::exporting::{ExportKit, ExportOptions, ExportStepFunctions};
use crate::diagnostic::Findings;
use crate::export::{self, Drift, Files, Subject};
use crate::render::Known;
use crate::session::Lookups;

pub(super) async fn kit(arguments: &ExportKit, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let make = |subject: &Subject<'_>| Ok((export::kit(subject), Findings::default()));
    exported(&arguments.of, context, make).await
}

pub(super) async fn step_functions(
    arguments: &ExportStepFunctions,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let options = arguments.options();
    let make = |subject: &Subject<'_>| export::step_functions(subject, &options);
    exported(arguments.of(), context, make).await
}

/// Settles a plan, and writes what is made of it, or compares that with what is there.
async fn exported(
    options: &ExportOptions,
    context: &mut Context<'_>,
    make: impl FnOnce(&Subject<'_>) -> Result<(Files, Findings), Findings>,
) -> Result<Exit, Failure> {
    let mut loaded = context.load(&options.plan, &options.inputs)?;
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
    match (&options.check, &options.output) {
        (Some(folder), _) => check(&files, folder, context),
        (None, Some(folder)) => write(&files, folder, context),
        (None, None) => Err(Failure::Usage("give -o DIR or --check DIR".to_owned())),
    }
}

fn check(files: &Files, folder: &Path, context: &mut Context<'_>) -> Result<Exit, Failure> {
    if !folder.join(Files::SUMS).exists() {
        return Err(Failure::Usage(format!(
            "{}: there is no export here; write one with -o {}",
            folder.display(),
            folder.display()
        )));
    }
    let drift = files.drift(|path| std::fs::read(folder.join(path)).ok());
    let line = |drift: &Drift| match drift {
        Drift::Missing(path) => format!("missing: {path}\n"),
        Drift::Changed(path) => format!("changed: {path}\n"),
        Drift::Left(path) => format!("no longer part of it: {path}\n"),
    };
    let text: String = drift.iter().map(line).collect();
    context.output.result(&text)?;
    Ok(match drift.is_empty() {
        true => Exit::Done,
        false => Exit::ChangesPresent,
    })
}

/// Writes an export into a directory that is empty, new, or has an earlier one; the list of sums comes last.
fn write(files: &Files, folder: &Path, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let fail = |path: &Path| {
        let path = path.to_owned();
        move |source: io::Error| Failure::Io { path, source }
    };
    let sums = folder.join(Files::SUMS);
    let old = match std::fs::read_to_string(&sums) {
        Ok(old) => Files::listed(&old),
        Err(_) => Default::default(),
    };
    let is_empty = std::fs::read_dir(folder).map_or(true, |mut entries| entries.next().is_none());
    if old.is_empty() && !is_empty {
        return Err(Failure::Usage(format!(
            "{} is not empty and has no earlier export; give another directory",
            folder.display()
        )));
    }
    for path in &old {
        let path = folder.join(path);
        std::fs::remove_file(&path)
            .or_else(|err| match err.kind() {
                io::ErrorKind::NotFound => Ok(()),
                _ => Err(err),
            })
            .map_err(fail(&path))?;
    }
    let (last, others): (Vec<_>, Vec<_>) = files.iter().partition(|(path, _)| *path == Files::SUMS);
    for (path, file) in others.into_iter().chain(last) {
        let path = folder.join(path);
        if let Some(parent) = path.parent() {
            std::fs::create_dir_all(parent).map_err(fail(parent))?;
        }
        std::fs::write(&path, &file.bytes).map_err(fail(&path))?;
        #[cfg(unix)]
        if file.is_executable {
            use std::os::unix::fs::PermissionsExt;
            let mode = std::fs::Permissions::from_mode(0o755);
            std::fs::set_permissions(&path, mode).map_err(fail(&path))?;
        }
    }
    context.output.note(&format!(
        "{} files written to {}",
        files.iter().count(),
        folder.display()
    ));
    Ok(Exit::Done)
}
