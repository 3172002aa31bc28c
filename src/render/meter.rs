//! Budget of what one template may compute. The engine's fuel counts steps; a step can be as large as its operands, so
//! the size of what a template takes out of its scope, and of what its filters and functions make, is counted as well.
//! Operators only put that together, each as often as it is written.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};

use minijinja::value::{Value, ValueKind};
use minijinja::{Error, ErrorKind};

use super::scope::is_charged;

/// Bytes that one template may build and walk through: eight times what a scalar may become.
const BUDGET: usize = 2 << 20;
/// Cost of a value besides its text.
pub(super) const NODE: usize = 32;
/// Lists and maps inside one another.
const DEEPEST: usize = 32;

/// The words of an error that is about size, not about steps.
pub(super) const TOO_LARGE: &str = "the template builds too much";

/// Budget that is left for the current evaluation.
#[derive(Clone, Debug, Default)]
pub(super) struct Meter(Arc<EvaluationBudget>);

#[derive(Debug, Default)]
struct EvaluationBudget {
    left: AtomicUsize,
    /// Number of times that what is charged for may be copied.
    factor: AtomicUsize,
    is_spent: AtomicBool,
}

impl Meter {
    /// Before each evaluation. Each of so many operators may copy all that it is given: what is taken is charged for as
    /// often.
    pub(super) fn refill(&self, copies: usize) {
        self.0.left.store(BUDGET, Ordering::Relaxed);
        self.0.factor.store(1 + copies, Ordering::Relaxed);
        self.0.is_spent.store(false, Ordering::Relaxed);
    }

    /// Returns true if more was asked for than there was, by code that could not report it.
    pub(super) fn is_spent(&self) -> bool {
        self.0.is_spent.load(Ordering::Relaxed)
    }

    /// Takes so many bytes off.
    pub(super) fn charge(&self, bytes: usize) -> Result<(), Error> {
        let bytes = bytes.saturating_mul(self.0.factor.load(Ordering::Relaxed));
        // One evaluation runs at a time: nobody else writes between the two.
        let left = self.0.left.load(Ordering::Relaxed).checked_sub(bytes);
        self.0.left.store(left.unwrap_or(0), Ordering::Relaxed);
        if left.is_none() {
            self.0.is_spent.store(true, Ordering::Relaxed);
            return Err(Error::new(ErrorKind::OutOfFuel, TOO_LARGE));
        }
        Ok(())
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
        // Whoever walks through it is charged then. A look at a name is noted as its use, and weighing is none.
        if is_charged(value) {
            return Ok(());
        }
        match value.kind() {
            ValueKind::Bytes => self.charge(value.as_bytes().map_or(0, <[u8]>::len)),
            ValueKind::Seq | ValueKind::Iterable | ValueKind::Map => {
                let is_map = value.kind() == ValueKind::Map;
                // A value that cannot be walked through has no size.
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
