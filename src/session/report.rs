//! Report of a run, by its journal.

use crate::journal::{self, RunKey, RunStore};
use crate::report::{Record, RunReport, run_report};

/// The report of a run so far.
///
/// # Errors
///
/// Where the store does not answer, or the journal is damaged.
pub async fn report(store: &impl RunStore, run: &RunKey) -> Result<RunReport, journal::Error> {
    let mut record = Record::default();
    let take = |recorded| {
        record.take(&recorded);
        Ok::<(), journal::Error>(())
    };
    journal::each(store, run, take).await?;
    Ok(run_report(&run.plan, &run.run, record))
}
