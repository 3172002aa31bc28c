//! A run to lines of the ledger: which resources it has proven to be restorable, and what it has not proven, with the reason.
//!
//! [`assess()`] says what counts, from the journal of a run alone. [`Proof`] is a line of the ledger, and [`Ledger`] reads all of
//! them and finds what was changed, removed, moved or doubled. The format is in `docs/proof.md`.

mod assess;
mod doubt;
mod facts;
mod ledger;
mod line;
mod show;

pub use assess::{Assessed, assess, looks_at_nothing};
pub use doubt::Doubt;
pub use ledger::{Ledger, LedgerDamage, LedgerEntry};
pub use line::{LEDGER, Proof, ProofResult, RTO_IS};
pub use show::ProveReport;
