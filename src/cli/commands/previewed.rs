//! A plan next to what its run has done so far: how every command begins that says what `run` would do.

use std::path::Path;

use super::store::Store;
use super::world::World;
use super::{Context, chosen, lock};
use crate::aws::ConnectionSettings;
use crate::backup::{Clock as _, SystemClock};
use crate::cli::arguments::{AwsOptions, InputOptions, StateOption};
use crate::cli::exit::Failure;
use crate::diagnostic::Finding;
use crate::diff::Wanted;
use crate::execute::Stopped;
use crate::journal::{self, RunKey};
use crate::session::{self, Loaded, Lookups, Preview};
use crate::state::{History, Recorded};

/// Plan and run that a command previews.
pub(super) struct PreviewRequest<'a> {
    pub(super) file: &'a Path,
    pub(super) inputs: &'a InputOptions,
    pub(super) aws: &'a AwsOptions,
    pub(super) state: &'a StateOption,
    pub(super) only: &'a [String],
    pub(super) retry_failed: bool,
}

/// A plan, settled with whatever is at hand, and what `run` would do of it.
pub(super) struct Previewed {
    pub(super) loaded: Loaded,
    pub(super) has_lock: bool,
    pub(super) settings: Vec<ConnectionSettings>,
    pub(super) world: World,
    pub(super) store: Store,
    pub(super) run: RunKey,
    pub(super) preview: Preview,
    /// Findings of the plan that are no errors; they have been shown.
    pub(super) said: Vec<Finding>,
}

impl Context<'_> {
    /// Reads plan and journal, each once, and settles the plan; its errors end the command. `witness` sees every record.
    pub(super) async fn previewed(
        &mut self,
        of: &PreviewRequest<'_>,
        mut witness: impl FnMut(&Recorded),
    ) -> Result<Previewed, Failure> {
        let mut loaded = self.load(of.file, of.inputs)?;
        let lock = lock::beside(of.file, of.inputs, &mut loaded)?;
        let targets = loaded.planner.targets();
        let inventory = self.inventory(of.inputs, targets)?;
        let settings = self.all_settings(of.aws, targets)?;
        let world = World::new(inventory, settings.clone());
        let store = self.store(of.state).await?;
        let run = RunKey::new(&loaded.planner.document().plan.value, &of.inputs.run_id);
        let mut history = History::default();
        let take = |recorded| {
            witness(&recorded);
            history.take(&recorded).map_err(Stopped::from)?;
            Ok::<(), Failure>(())
        };
        journal::each(&store, &run, take).await?;
        let mut known = session::known(&history.observed);
        world.reveal(&mut known, loaded.planner.secrets()).await;
        let wanted = Wanted {
            only: chosen(&loaded.planner, of.only)?,
            retry_failed: of.retry_failed,
            up_to: None,
        };
        let readers = world.readers();
        let lookups = Lookups {
            points: world.points(&readers),
            lock: lock.as_ref(),
            has_inventory: !of.inputs.inventory.is_empty(),
            checks_lock: true,
            only: &wanted.only,
            start: history.start().unwrap_or_else(|| SystemClock.now()),
        };
        let settled = loaded.settle(&mut known, &lookups, self.output).await;
        let (plan, findings) = self.drafted(settled.map_err(Failure::Aws)?, &loaded)?;
        let said = self.shown(&loaded, findings);
        if !said.is_empty() {
            self.output.findings(&said);
        }
        let has_lock = lock.is_some();
        Ok(Previewed {
            preview: Preview::new(plan, history, known, wanted),
            loaded,
            has_lock,
            settings,
            world,
            store,
            run,
            said,
        })
    }
}
