//! What one template may compute. The engine's fuel counts steps; a step can be as large as its operands, so that the size of
//! everything that a template builds or walks through is counted as well.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};

use super::scope::Named;

/// Bytes that one template may build and walk through: eight times what a scalar may become.
const BUDGET: usize = 2 << 20;
/// What a value counts besides its text.
const NODE: usize = 32;
/// Lists and maps inside one another.
const DEEPEST: usize = 32;

/// The words of an error that is about size, not about steps.
pub(super) const TOO_LARGE: &str = "the template builds too much";

/// What is left for the evaluation that is going on.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<Counts>);

#[derive(Debug, Default)]
struct Counts {
    left: AtomicUsize,
    computes: AtomicBool,
}

impl Meter {
    /// Before each evaluation.
    pub(super) fn refill(&self) {
        self.0.left.store(BUDGET, Ordering::Relaxed);
        self.0.computes.store(false, Ordering::Relaxed);
    }

    /// An operator or a filter makes something else of what it is given.
    pub(super) fn computes(&self) {
        self.0.computes.store(true, Ordering::Relaxed);
    }

    /// Whether anything was made of what was looked up, or it stands as it was.
    pub(super) fn has_computed(&self) -> bool {
        self.0.computes.load(Ordering::Relaxed)
    }

    /// Takes so many bytes off.
    pub(super) fn charge(&self, bytes: usize) -> Result<(), Error> {
        // One evaluation runs at a time: nobody else writes between the two.
        let left = self.0.left.load(Ordering::Relaxed).checked_sub(bytes);
        self.0.left.store(left.unwrap_or(0), Ordering::Relaxed);
        match left {
            Some(_) => Ok(()),
            None => Err(too_large()),
        }
    }

    /// Takes off what a value holds, walking no further than is left.
    pub(super) fn weigh(&self, value: &Value) -> Result<(), Error> {
        self.weigh_at(value, 0)
    }

    fn weigh_at(&self, value: &Value, depth: usize) -> Result<(), Error> {
        if depth > DEEPEST {
            return Err(Error::new(
                ErrorKind::OutOfFuel,
                format!("more than {DEEPEST} lists and maps inside one another"),
            ));
        }
        self.charge(NODE)?;
        if let Some(text) = value.as_str() {
            return self.charge(text.len());
        }
        // A look at a name is noted as its use, and weighing is none.
        if let Some(names) = value.downcast_object_ref::<Named>() {
            return names
                .values()
                .try_for_each(|value| self.weigh_at(value, depth + 1));
        }
        match value.kind() {
            ValueKind::Bytes => self.charge(value.as_bytes().map_or(0, <[u8]>::len)),
            ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
                let is_map = value.kind() == ValueKind::Map;
                // What cannot be walked through has no size.
                for item in value.try_iter().into_iter().flatten() {
                    if is_map && let Ok(inner) = value.get_item(&item) {
                        self.weigh_at(&inner, depth + 1)?;
                    }
                    self.weigh_at(&item, depth + 1)?;
                }
                Ok(())
            }
            _ => Ok(()),
        }
    }
}

pub(super) fn too_large() -> Error {
    Error::new(ErrorKind::OutOfFuel, TOO_LARGE)
}
