//! A run to a bundle that can be checked without it.
