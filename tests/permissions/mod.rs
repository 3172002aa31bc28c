//! `redrill iam`: the least policies of a plan.

mod printed;
