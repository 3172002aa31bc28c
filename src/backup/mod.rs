//! Model of AWS Backup: its recovery points, vaults and jobs, its errors, its published rates, the traits that read and
//! write them, and the clock by which that is timed. Reading and writing are two traits: a reader cannot start
//! anything.

mod backoff;
mod clock;
mod console;
mod denial;
mod endpoint;
mod gate;
mod operation;
mod pace;
mod pages;
mod points;
mod questions;
mod rates;
mod reader;
mod tell;
mod vaults;
mod writer;

pub use backoff::{Backoff, Interval, Retry};
#[cfg(test)]
pub(crate) use clock::FastClock;
pub use clock::{Clock, SystemClock};
pub use console::{console_job, console_resource};
pub use denial::denied_action;
pub(crate) use denial::{deletion_remedy, remedy};
pub use endpoint::Endpoint;
pub use gate::Gate;
pub use operation::{Operation, Service};
pub use pace::{Keeping, Pace};
pub use pages::{Listed, Page, Pages, each_page};
pub use points::{PointQuery, PointStatus, RecoveryPoint, Vault, all_points, all_tags, all_vaults};
pub use questions::ask_all;
pub use rates::Rates;
pub use reader::{
    ApiError, CallerIdentity, ClaimedResource, Fault, Job, JobQuery, JobStatus, Reader, Sources,
    all_protected, each_job_page,
};
pub use tell::Tell;
pub use vaults::Vaults;
pub use writer::{Started, Writer};
