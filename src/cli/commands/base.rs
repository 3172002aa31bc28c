//! Base that a plan is compared with: another state of its own files, another file, or what a run has sent.

use std::collections::{BTreeMap, BTreeSet};
use std::path::{Path, PathBuf};
use std::sync::Arc;

use super::store::Store;
use super::world::World;
use super::{Context, lock, redact};
use crate::backup::{Clock, Sources, SystemClock};
use crate::cli::against::Against;
use crate::cli::arguments::{DryRunArguments, InputOptions};
use crate::cli::exit::Failure;
use crate::cli::git::Revision;
use crate::cli::tree::Tree;
use crate::diagnostic::{Finding, Findings, rule};
use crate::diff::{BaseRestore, RestoreKeys};
use crate::ids::{RestoreName, RunId};
use crate::inventory;
use crate::journal::{self, RunKey, RunStore as _};
use crate::plan::{Identity, MARK, Plan, mark, token};
use crate::render::{Known, Lock, Resolved, Secrets, Target};
use crate::session::{self, Loaded};
use crate::state::{Event, Recorded};

/// Inputs that this side was made with.
pub(super) struct Present<'a> {
    pub(super) loaded: &'a Loaded,
    /// Facts known by now, with what this side's selectors mean.
    pub(super) known: &'a Known,
    /// Selections that the run has settled itself, and keeps even if the plan changes.
    pub(super) settled: &'a BTreeMap<RestoreName, Arc<Resolved>>,
    pub(super) is_locked: bool,
    pub(super) world: &'a World,
}

/// The other side of a comparison.
#[derive(Default)]
pub(super) struct Base {
    pub(super) entries: Vec<BaseRestore>,
    /// Secrets of it that must not be shown.
    pub(super) secrets: Secrets,
    /// Reason why it is less than it should be.
    pub(super) trouble: Option<String>,
    /// The plan of it, where it is a whole one.
    pub(super) planned: Option<PlannedBase>,
}

/// The plan of a base.
pub(super) struct PlannedBase {
    pub(super) plan: Plan,
    /// Facts known of its recovery points.
    pub(super) known: Known,
}

impl Base {
    fn empty(trouble: String) -> Self {
        Self {
            trouble: Some(trouble),
            ..Self::default()
        }
    }
}

impl Context<'_> {
    /// The restores of another plan file, or of this one as it was; none for what is no plan.
    pub(super) async fn base(
        &self,
        against: &Against,
        arguments: &DryRunArguments,
        present: &Present<'_>,
    ) -> Result<Option<Base>, Failure> {
        let inputs = &arguments.inputs;
        Ok(Some(match against {
            Against::Source => return Ok(None),
            Against::Run(id) => {
                let name = &present.loaded.planner.document().plan.value;
                let store = self.store(&arguments.state).await?;
                let current = RunKey::new(name, &inputs.run_id);
                self.run_base(&store, &current, id.as_ref()).await?
            }
            Against::File(path) => self.plan_base(Tree::Working, path, inputs, present).await?,
            Against::Git(name) => {
                if arguments.plan == Path::new("-") {
                    return Err(Failure::Usage(
                        "--against git:REV needs the plan's path, not standard input".to_owned(),
                    ));
                }
                let revision = Revision::of(name, &arguments.plan)?;
                let tree = Tree::Revision(&revision);
                self.plan_base(tree, &arguments.plan, inputs, present)
                    .await?
            }
        }))
    }

    /// Returns what a run has sent, by its journal.
    async fn run_base(
        &self,
        store: &Store,
        current: &RunKey,
        id: Option<&RunId>,
    ) -> Result<Base, Failure> {
        let (plan, run) = (&current.plan, id.unwrap_or(&current.run));
        let events = journal::read(store, &RunKey::new(plan, run)).await?;
        if events.is_empty() && id.is_none() {
            let trouble = format!("run {run} has sent nothing yet, so everything is new");
            return Ok(Base::empty(trouble));
        }
        if events.is_empty() {
            let known: Vec<RunId> = store
                .runs()
                .await?
                .into_iter()
                .filter(|of| of.plan == *plan)
                .map(|of| of.run)
                .collect();
            return Err(Failure::Usage(format!(
                "--against run:{run}: {} has no such run of {plan}; {}",
                store.place(),
                crate::diagnostic::suggest(run.as_str(), known.iter().map(RunId::as_str))
            )));
        }
        Ok(Base {
            entries: sent(&events),
            ..Base::default()
        })
    }

    async fn plan_base(
        &self,
        tree: Tree<'_>,
        path: &Path,
        options: &InputOptions,
        present: &Present<'_>,
    ) -> Result<Base, Failure> {
        let source = match tree.source(path) {
            Ok(Some(source)) => source,
            Ok(None) => {
                let path = path.display();
                let trouble = format!("{path} is not in that revision, so everything is new");
                return Ok(Base::empty(trouble));
            }
            Err(Failure::Findings(findings)) => return Ok(Base::empty(invalid(&findings))),
            Err(failure) => return Err(failure),
        };
        let inputs = match self.inputs(tree, options) {
            Ok(inputs) => inputs.for_checking(),
            Err(Failure::Findings(findings)) => return Ok(Base::empty(invalid(&findings))),
            Err(failure) => return Err(failure),
        };
        let mut loaded = match session::read(&source, &options.run_id, &inputs, &self.rules) {
            Ok(loaded) => loaded,
            Err(findings) => return Ok(Base::empty(invalid(&findings))),
        };
        let mut findings = std::mem::take(&mut loaded.findings);
        // A variable that is new is given, and was not declared then.
        findings.retain(|finding| !finding.is(rule::VARS_UNDECLARED));
        let mut of_lock = Findings::default();
        let lock = match lock::beside_in(tree, path, options, &loaded, &mut of_lock) {
            Err(Failure::Findings(findings)) => return Ok(Base::empty(invalid(&findings))),
            lock => lock?,
        };
        let planner = &loaded.planner;
        let mut known = present.known.clone();
        let then = match (tree, present.world) {
            // Recovery points as they were recorded then.
            (Tree::Revision(_), World::Inventory(_)) => recorded(tree, &options.inventory)?,
            _ => None,
        };
        let then = then.map(|recorded| {
            let targets = planner.targets().iter();
            targets
                .map(|target| recorded.clone().seen_from(&target.account, &target.region))
                .collect::<Vec<_>>()
        });
        // This side's lock and inventory settled what selectors mean here; that holds there only if neither is another.
        if then.is_some() || lock.is_some() || present.is_locked {
            known.resolved.clone_from(present.settled);
        }
        if let Some(lock) = &lock {
            take(lock, &loaded, &mut known, &mut of_lock);
        }
        let refused = match refused(&of_lock) {
            Some(refused) => refused,
            None => return Ok(Base::empty(invalid(&of_lock))),
        };
        match &then {
            Some(then) => {
                known.sources.clear();
                look_up(then, &loaded, &mut known).await?;
            }
            None => look_up(&present.world.readers(), &loaded, &mut known).await?,
        }
        let (mut entries, _) = session::entries(planner, &known, &mut findings);
        for entry in &mut entries {
            if refused.contains(entry.name.as_str()) {
                entry.subject = None;
            }
        }
        findings.extend(of_lock);
        let lacking = entries
            .iter()
            .filter(|entry| entry.subject.is_none())
            .count();
        redact(planner, findings.iter_mut());
        let plan = loaded.draft(&known).plan.filter(|_| lacking == 0);
        Ok(Base {
            planned: plan.map(|plan| PlannedBase { plan, known }),
            trouble: (lacking > 0 || entries.is_empty()).then(|| invalid(&findings)),
            secrets: planner.secrets().clone(),
            entries,
        })
    }
}

/// Takes what the other side's lock says of its selectors.
fn take(lock: &Lock, loaded: &Loaded, known: &mut Known, findings: &mut Findings) {
    if let Some(plan) = loaded.draft(known).plan {
        crate::resolve::lock::take(lock, &plan, &[], known, findings);
    }
}

/// The inventories as a revision has them; nothing where it lacks one of them, or one cannot be read.
fn recorded(
    tree: Tree<'_>,
    paths: &[PathBuf],
) -> Result<Option<inventory::RecordedInventory>, Failure> {
    let mut sources = Vec::with_capacity(paths.len());
    for path in paths {
        match tree.source(path)? {
            Some(source) => sources.push(source),
            None => return Ok(None),
        }
    }
    let files = sources.iter().map(|source| (&*source.name, &*source.text));
    let inventory = redrill_inventory::Inventory::of_files(files);
    Ok(inventory.ok().map(inventory::RecordedInventory::new))
}

/// The restores that a lock is wrong about; nothing where it is wrong as a whole.
fn refused(findings: &Findings) -> Option<BTreeSet<RestoreName>> {
    findings
        .iter()
        .filter(|finding| finding.is_error())
        .map(|finding| finding.restore.clone())
        .collect()
}

/// Looks up what selectors and templates of the other side ask for and is not known yet.
async fn look_up<R: Sources>(
    readers: &[R],
    loaded: &Loaded,
    known: &mut Known,
) -> Result<(), Failure> {
    let planner = &loaded.planner;
    if let Some(plan) = loaded.draft(known).plan {
        let start = SystemClock.now();
        session::resolve(readers, planner, &plan, &[], start, known)
            .await
            .map_err(Failure::Aws)?;
    }
    let (_, mut asked) = session::entries(planner, known, &mut Findings::default());
    // A plan that had other targets then is looked up in those that it has now.
    asked.retain(|(target, arn, _)| {
        target.get() < readers.len() && !known.sources.contains_key(arn)
    });
    session::look_up(readers, &asked, known)
        .await
        .map_err(Failure::Aws)
}

fn invalid<'f>(findings: impl IntoIterator<Item = &'f Finding>) -> String {
    let first = findings.into_iter().find(|finding| finding.is_error());
    let why = first.map_or(String::new(), |finding| {
        format!(
            " ({}:{}: {})",
            finding.source.name, finding.span.start.line, finding.message
        )
    });
    format!("what it is compared with is invalid{why}, so all of that shows as new")
}

/// The latest request of each restore that a run has sent.
fn sent(events: &[Recorded]) -> Vec<BaseRestore> {
    let opened = events.iter().find_map(|recorded| match &recorded.event {
        Event::RunOpened {
            plan,
            run,
            target,
            others,
            ..
        } => Some((plan, run, std::iter::once(target).chain(others))),
        _ => None,
    });
    let Some((plan, run, targets)) = opened else {
        return Vec::new();
    };
    let targets: Vec<&Target> = targets.collect();
    let mut latest = BTreeMap::new();
    for recorded in events {
        if let Event::Intended {
            restore,
            attempt,
            digest,
            request,
            ..
        } = &recorded.event
        {
            latest.insert(restore.clone(), (*attempt, digest.clone(), request));
        }
    }
    latest
        .into_iter()
        .map(|(name, (attempt, digest, request))| {
            // The journal does not say in which of several targets it was; the token does, which is made of it.
            let is_of = |target: &&&Target| {
                let mut request = request.clone();
                let sent = request.idempotency_token.take();
                let marked = sent.as_ref().map(mark);
                if marked.is_some() && request.metadata.get(MARK) == marked.as_ref() {
                    request.metadata.remove(MARK);
                }
                let identity = Identity {
                    plan,
                    run,
                    restore: &name,
                    attempt,
                    target,
                };
                Some(token(&identity, &request)) == sent
            };
            let target = match targets.as_slice() {
                [one] => one,
                several => several.iter().find(is_of).unwrap_or(&several[0]),
            };
            BaseRestore {
                subject: Some(RestoreKeys::of_request(request, target)),
                name,
                digest: Some(digest),
            }
        })
        .collect()
}

/// The resources that are known to exist, or to have existed: what recovery points were made of.
pub(super) fn resources(known: &Known, world: &World) -> BTreeSet<String> {
    let looked_up = known
        .sources
        .values()
        .map(|facts| facts.resource_arn.clone());
    let mut resources: BTreeSet<String> = looked_up.collect();
    if let World::Inventory(inventory) = world {
        resources.extend(
            inventory
                .iter()
                .flat_map(|of| of.all().into_values())
                .map(|facts| facts.resource_arn),
        );
    }
    resources
}
