//! Selectors and locks to recovery points: which one is meant, of those that there are.

pub mod lock;
mod lookup;
mod select;

pub use lookup::PointCache;
pub use select::{PassedOver, Selection, Unselected, select};
