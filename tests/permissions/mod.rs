//! `redrill iam`: the least policies of a plan.

mod enough;
mod printed;
mod refused;
