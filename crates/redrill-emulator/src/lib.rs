//! A local AWS Backup for restores, over HTTP, for any client of the API.
//!
//! It answers as AWS does and fails as AWS does, so that a client is proven against the service's ways and not against
//! its own idea of them: it depends on nothing of redrill but the format of inventories, and what it refuses comes from recorded answers of AWS
//! (`refusals.yaml`), each with its source. Where AWS says nothing, the behaviour can be switched ([`TokenSemantics`]).
//!
//! The state is a model on its own: an inventory of recovery points, and jobs whose whole course is settled when they are
//! created, so that what a job is at an instant follows from the [`Clock`]. HTTP lies thin on top.
//!
//! ```no_run
//! # async fn example() -> Result<(), Box<dyn std::error::Error>> {
//! use redrill_emulator::{Emulator, Options, Speed};
//!
//! let options = Options { speed: Speed::Max, ..Options::default() };
//! let emulator = Emulator::start(([127, 0, 0, 1], 0).into(), options).await?;
//! // Point AWS_ENDPOINT_URL at emulator.url(), with any credentials.
//! emulator.shutdown().await;
//! # Ok(())
//! # }
//! ```

mod access_points;
mod answer;
mod caller;
mod catalog;
mod clock;
mod cloud_control;
pub mod command;
mod concurrency;
mod conditions;
mod connections;
mod course;
mod deletion;
mod directory;
mod elsewhere;
mod error;
mod estimate;
mod existing;
mod faults;
mod files;
mod form;
#[doc(hidden)]
pub mod fuzzing;
mod grants;
mod handle;
mod iam;
mod incoming;
mod job;
mod json;
mod listing;
mod metadata;
mod names;
mod nested;
mod operation;
mod origin;
mod pages;
mod paging;
mod permissions;
mod point;
mod policy;
mod protocol;
mod query;
mod quotas;
mod refusals;
mod reply;
mod resource_types;
mod role;
mod running;
mod server;
mod service;
mod service_quotas;
mod start_request;
mod stream;
mod sts;
mod template;
mod text;
mod things;
mod timeline;
mod tokens;
mod told;
mod validation;
mod values;
mod view;
mod within;
mod world;
mod xml;

pub use clock::{Clock, Speed, SpeedError};
pub use course::JobFault;
pub use estimate::Estimate;
pub use faults::{Fault, FaultError, FaultKind, Faults};
pub use job::{JobSnapshot, JobStatus};
pub use operation::{Api, Operation};
pub use quotas::{Quotas, QuotasError};
pub use redrill_inventory::{
    AccountInventory, DeniedBy, Deny, Hang, Inventory, InventoryError, RecoveryPoint,
    RecoveryPointStatus, RestoreBehaviour, StorageClass, Vault, VaultType,
};
pub use running::{Emulator, Options, StartError};
pub use tokens::{AfterFinish, Mismatch, TokenSemantics, TokenSemanticsError};
