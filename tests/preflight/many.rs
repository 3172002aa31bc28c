//! A thousand restores in three targets.
