//! Places of a run's restores. A plan may get other targets while a run goes on, or lose a restore.

use std::collections::HashMap;

use super::{Event, Recorded};
use crate::ids::{Indexed, PlaceIndex, RestoreName, TargetIndex};
use crate::render::Target;

/// The targets of a run, and which of them each restore was planned for last.
#[derive(Debug, Default)]
pub struct Places {
    /// All that there ever were.
    pub targets: Indexed<PlaceIndex, Target>,
    /// Targets of the plan as it was taken up last, by their places among all.
    current: Indexed<TargetIndex, PlaceIndex>,
    by_restore: HashMap<RestoreName, PlaceIndex>,
}

impl Places {
    /// Collects the places of a journal.
    #[must_use]
    pub fn of(events: &[Recorded]) -> Self {
        let mut places = Self::default();
        for recorded in events {
            places.take(&recorded.event);
        }
        places
    }

    /// Takes one event in; they come in the journal's order.
    pub fn take(&mut self, event: &Event) {
        match event {
            Event::RunOpened { target, others, .. } => {
                self.set(std::iter::once(target).chain(others));
            }
            Event::Planned { outline } => {
                if !outline.targets.is_empty() {
                    self.set(&outline.targets);
                }
                for restore in &outline.restores {
                    if let Some(place) = self.current.get(TargetIndex::new(restore.target)) {
                        self.by_restore.insert(restore.name.clone(), *place);
                    }
                }
            }
            _ => {}
        }
    }

    fn set<'a>(&mut self, targets: impl IntoIterator<Item = &'a Target>) {
        self.current = Indexed::default();
        for target in targets {
            let known = self.targets.position(|known| known == target);
            let place = known.unwrap_or_else(|| self.targets.push(target.clone()));
            self.current.push(place);
        }
    }

    /// A restore's target; the first where nothing was said of it.
    #[must_use]
    pub fn place(&self, restore: &RestoreName) -> PlaceIndex {
        self.by_restore
            .get(restore)
            .copied()
            .unwrap_or(PlaceIndex::FIRST)
    }
}
