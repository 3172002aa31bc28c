//! `redrill lock PLAN`, and the lock file as other commands use it.

use std::path::{Path, PathBuf};
use std::sync::Arc;

use jiff::Timestamp;

use super::resume_hint::quoted;
use super::world::World;
use super::{Context, unknown};
use crate::backup::{Clock, SystemClock};
use crate::cli::arguments::{InputOptions, LockArguments};
use crate::cli::exit::{Exit, Failure};
use crate::cli::tree::Tree;
use crate::cli::writing::{OutputFile, OutputKind};
use crate::diagnostic::{Finding, Findings, rule};
use crate::parse::lock_file;
use crate::render::{Known, Lock, Resolved, locked};
use crate::report::{lock_human, lock_text};
use crate::resolve::lock;
use crate::session::{self, Loaded};

pub(super) async fn lock(
    arguments: &LockArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let Some(path) = path(&arguments.plan) else {
        return Err(Failure::Usage(
            "a plan from standard input has no place for a lock file next to it".to_owned(),
        ));
    };
    let loaded = context.load(&arguments.plan, &arguments.inputs)?;
    let planner = &loaded.planner;
    let targets = planner.targets();
    let inventory = context.inventory(&arguments.inputs, targets)?;
    let settings = context.all_settings(&arguments.aws, targets)?;
    let world = World::new(inventory, settings);
    let readers = world.readers();
    let renewal = match arguments.update.as_deref() {
        None => Renewal::New,
        Some([]) => Renewal::All,
        Some(names) => Renewal::These(
            session::chosen(planner, names)
                .map_err(|(name, known)| unknown("--update", &name, &known))?,
        ),
    };
    let mut findings = loaded.findings.clone();
    let mut of_file = Findings::default();
    let mut old = read(Tree::Working, &path, &loaded, &mut of_file)?;
    if let Renewal::All = renewal {
        // A file that is broken is mended by being written again; one of a later redrill is not written over.
        old = None;
        of_file.retain(|finding| finding.is(rule::LOCK_NEWER));
    }
    findings.extend(of_file);
    let mut known = Known::default();
    let plan = context
        .drafted(loaded.draft_after(&known, &findings), &loaded)?
        .0;
    let mut kept = 0;
    if let Some(old) = &old {
        for (step, selector) in session::unresolved(&plan, &[]) {
            let fits = old.restores.get(&step.name).filter(|locked| {
                locked.resolved.selector == *selector && !renewal.holds(step.name.as_str())
            });
            if let Some(locked) = fits {
                kept += 1;
                let resolved = Arc::clone(&locked.resolved);
                known.resolved.insert(step.name.clone(), resolved);
            }
        }
        let names: Vec<_> = known.resolved.keys().cloned().collect();
        let entries = lock::entries(old, &plan, &names);
        let looked = lock::look(&readers, old, &entries, SystemClock.now()).await;
        findings.extend(looked.map_err(Failure::Aws)?);
    }
    let plan = context
        .drafted(loaded.draft_after(&known, &findings), &loaded)?
        .0;
    let start = SystemClock.now();
    let resolve = session::resolve(&readers, planner, &plan, &[], start, &mut known);
    let what = "AWS to list the recovery points that selectors choose from";
    let resolved = context.output.patiently(what, resolve).await;
    findings.extend(resolved.map_err(Failure::Aws)?);
    let (_, findings) = context.drafted(loaded.draft_after(&known, &findings), &loaded)?;
    context.show(&loaded, findings);
    // Seconds are enough for people, and fewer digits change in a file that is committed.
    let locked_at = Timestamp::from_second(start.as_second()).ok();
    let fresh = known.resolved.values_mut();
    for resolved in fresh.filter(|resolved| resolved.lock.is_none()) {
        Arc::make_mut(resolved).locked_at = locked_at;
    }

    let restores = || {
        let resolved = known.resolved.iter();
        resolved.map(|(name, resolved)| (name.as_str(), Resolved::clone(resolved)))
    };
    let count = restores().count();
    if count == 0 && !path.exists() {
        context
            .output
            .note("the plan has no selectors: there is nothing to lock");
        return Ok(Exit::Done);
    }
    let all: Vec<(&str, Resolved)> = restores().collect();
    let pairs = || all.iter().map(|(name, resolved)| (*name, resolved));
    OutputFile::new(&path, OutputKind::Lock).write(lock_text(&plan.name, pairs()))?;
    let total = format!(
        "{}: {count} locked, {} of them looked up now\n",
        path.display(),
        count - kept
    );
    context.output.result(&(lock_human(pairs()) + &total))?;
    Ok(Exit::Done)
}

/// Entries that are looked up although they are locked.
enum Renewal {
    New,
    These(Vec<String>),
    All,
}

impl Renewal {
    fn holds(&self, name: &str) -> bool {
        match self {
            Self::New => false,
            Self::These(names) => names.iter().any(|known| known == name),
            Self::All => true,
        }
    }
}

/// `orders.lock.yaml` beside `orders.yaml`.
pub(super) fn path(plan: &Path) -> Option<PathBuf> {
    (plan != Path::new("-")).then(|| plan.with_extension("lock.yaml"))
}

/// The lock file of a plan; what is wrong with it is a finding.
fn read(
    tree: Tree<'_>,
    path: &Path,
    loaded: &Loaded,
    findings: &mut Findings,
) -> Result<Option<Lock>, Failure> {
    let Some(source) = tree.source_if_there(path)? else {
        return Ok(None);
    };
    let Some(file) = lock_file(&source, findings) else {
        return Ok(None);
    };
    let plan = &loaded.planner.document().plan.value;
    let name = quoted(&loaded.planner.document().source.name);
    if file.plan.value != *plan {
        findings.push(Finding::at(
            &file.source,
            file.plan.span,
            rule::LOCK_PLAN,
            format!(
                "this is the lock of the plan `{}`, not of `{plan}`",
                file.plan.value
            ),
            format!("run `redrill lock {name} --update`, or remove the file"),
        ));
    }
    let mut lock = locked(&file, findings);
    lock.plan = name;
    Ok(Some(lock))
}

/// The lock file beside a plan, unless it is not wanted.
pub(super) fn beside(
    plan: &Path,
    inputs: &InputOptions,
    loaded: &mut Loaded,
) -> Result<Option<Lock>, Failure> {
    let mut findings = Findings::default();
    let lock = beside_in(Tree::Working, plan, inputs, loaded, &mut findings)?;
    loaded.findings.extend(findings);
    Ok(lock)
}

/// The same as it is, or was, in a state of the files; what is wrong with it is kept apart.
pub(super) fn beside_in(
    tree: Tree<'_>,
    plan: &Path,
    inputs: &InputOptions,
    loaded: &Loaded,
    findings: &mut Findings,
) -> Result<Option<Lock>, Failure> {
    match path(plan).filter(|_| !inputs.no_lock) {
        Some(path) => read(tree, &path, loaded, findings),
        None => Ok(None),
    }
}

/// The lock file that a plan is read with, where there is one.
pub(super) fn used(plan: &Path, inputs: &InputOptions) -> Option<PathBuf> {
    path(plan).filter(|path| !inputs.no_lock && path.exists())
}
