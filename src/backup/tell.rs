//! Whoever is told that something takes longer than it should.

use std::sync::Arc;

/// Tells people that a service does not answer, or does again.
pub type Tell = Arc<dyn Fn(&str) + Send + Sync>;
