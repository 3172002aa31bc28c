//! A run belongs to its endpoint: one that was made at an emulator is not taken up at AWS, nor the other way round.

use std::sync::Arc;

use jiff::Timestamp;

use super::clients::Client;
use super::run::EngineRun;
use crate::aws::{Aws, ConnectionSettings, Reads};
use crate::backup::{Endpoint, Fault, Reader};
use crate::cli::exit::Failure;
use crate::ids::RunId;
use crate::journal::RunKey;
use crate::state::{History, Witness};

/// The endpoint of the clients of all targets.
pub(super) async fn of_all<H>(clients: &[Arc<Client<H>>]) -> Result<Endpoint, Failure> {
    let mut all = Vec::with_capacity(clients.len());
    for aws in clients {
        all.push(aws.reader().endpoint().await.map_err(Failure::Aws)?);
    }
    one(all)
}

/// Returns the endpoint of clients with some settings, which are not connected.
pub(super) async fn of_settings(settings: &[ConnectionSettings]) -> Result<Endpoint, Failure> {
    let mut all = Vec::with_capacity(settings.len());
    for settings in settings {
        let aws = Aws::<Reads>::connect(settings)
            .await
            .map_err(Failure::Aws)?;
        all.push(aws.endpoint().await.map_err(Failure::Aws)?);
    }
    one(all)
}

/// Returns the endpoint of several clients, which differ only in their Region.
pub(super) fn one(all: Vec<Endpoint>) -> Result<Endpoint, Failure> {
    let mut all = all.into_iter();
    let first = all.next().unwrap_or(Endpoint::Aws);
    match all.find(|other| other.differs_from(&first)) {
        None => Ok(first),
        Some(other) => Err(Failure::Usage(format!(
            "the targets of the plan are at several endpoints, {first} and {other}: a run belongs to one; nothing was started"
        ))),
    }
}

/// Checks that the run was made where this command works; if an earlier version has not recorded that, one of its jobs
/// is looked for.
pub(super) async fn check(
    history: &History,
    aws: &[Arc<Client>],
    plan: &str,
    execution: &EngineRun<'_>,
) -> Result<(), Failure> {
    check_recorded(history, plan, execution)?;
    let Some(witness) = history
        .witness
        .as_ref()
        .filter(|_| history.world().is_none())
    else {
        return Ok(());
    };
    match stranger(aws, witness, &execution.reached.endpoint).await? {
        None => Ok(()),
        Some(why) => Err(Failure::Conflict(format!(
            "run {} of {plan} was not made at {}, as far as can be told: {why}. Nothing was started.\n{}\n\
             or run it where it was made",
            execution.run_id,
            execution.reached.endpoint,
            another_run(plan, execution),
        ))),
    }
}

/// The same as far as the journal says it.
pub(super) fn check_recorded(
    history: &History,
    plan: &str,
    execution: &EngineRun<'_>,
) -> Result<(), Failure> {
    let here = &execution.reached.endpoint;
    let Some(there) = history.world().filter(|there| there.differs_from(here)) else {
        return Ok(());
    };
    Err(Failure::Conflict(format!(
        "run {} of {plan} was made at {there}, and this command works at {here}: what it has made is not here. Nothing was \
         started.\n{}\nor continue where it was made: {}",
        execution.run_id,
        another_run(plan, execution),
        way_to(there),
    )))
}

/// The first way on.
fn another_run(plan: &str, execution: &EngineRun<'_>) -> String {
    format!(
        "restore here under another run id: {}",
        execution.again_anew(plan)
    )
}

/// Tells how to reach the endpoint of a run.
pub(super) fn way_to(endpoint: &Endpoint) -> String {
    match endpoint {
        Endpoint::Aws => "leave out --endpoint-url, and unset AWS_ENDPOINT_URL, AWS_ENDPOINT_URL_BACKUP and `endpoint_url` in \
                          AWS's configuration"
            .to_owned(),
        Endpoint::Other { url } => format!("--endpoint-url {url}"),
        Endpoint::Rehearsal => "`redrill rehearse` with the same --state; a rehearsal has made nothing at AWS".to_owned(),
    }
}

/// Returns why a job of a run whose journal does not name its endpoint is not one of this endpoint's.
pub(super) async fn stranger(
    clients: &[Arc<Client>],
    witness: &Witness,
    here: &Endpoint,
) -> Result<Option<String>, Failure> {
    let job_id = &witness.job_id;
    for aws in clients {
        match aws.job(job_id).await {
            Ok(job) => {
                let other = job
                    .recovery_point_arn
                    .filter(|arn| *arn != witness.recovery_point_arn);
                return Ok(other.map(|other| {
                    format!(
                        "its journal does not say where; job {job_id} is one of {} in it, and of {other} here",
                        witness.recovery_point_arn
                    )
                }));
            }
            Err(error) if error.fault == Fault::Refused => {}
            Err(error) => return Err(Failure::Aws(error)),
        }
    }
    Ok(Some(format!(
        "its journal, by an earlier redrill, does not say where, and its job {job_id} is not known at {here}"
    )))
}

/// Checks that a run's resources are deleted where they were made: at one endpoint of AWS Backup and Cloud Control API.
pub(super) async fn check_cleanup(
    history: &History,
    aws: &[Arc<Client>],
    plan: &str,
    run_id: &RunId,
) -> Result<Endpoint, Failure> {
    let here = of_all(aws).await?;
    let refused = |why: String| {
        Err(Failure::Conflict(format!(
            "{why}. Nothing was deleted: what has the same name here is not what the run made"
        )))
    };
    if let Some(there) = history.world().filter(|there| there.differs_from(&here)) {
        return refused(format!(
            "run {run_id} of {plan} was made at {there}, and this command works at {here}; clean it up where it was made ({}), \
             or give the --run-id of a run that was made here",
            way_to(there)
        ));
    }
    let witness = history
        .witness
        .as_ref()
        .filter(|_| history.world().is_none());
    if let Some(witness) = witness
        && let Some(why) = stranger(aws, witness, &here).await?
    {
        return refused(format!(
            "run {run_id} of {plan} was not made at {here}, as far as can be told: {why}; clean it up where it was made, or give the \
             --run-id of a run that was made here"
        ));
    }
    for client in aws {
        let deletes = client.reader().endpoint_of_resources().await;
        let deletes = deletes.map_err(Failure::Aws)?;
        if deletes.differs_from(&here) {
            return refused(format!(
                "AWS Backup is called at {here}, and Cloud Control API, which deletes, at {deletes}; \
                 set AWS_ENDPOINT_URL_CLOUDCONTROL, or --endpoint-url for both"
            ));
        }
    }
    Ok(here)
}

/// A run id that nobody has used here yet.
pub(super) fn free_run_id(runs: &[RunKey], plan: &str, run_id: &RunId, now: Timestamp) -> RunId {
    const LONGEST: usize = 64;
    let date = now.strftime("-%Y-%m-%d").to_string();
    let run = run_id.as_str();
    let base = run.strip_suffix(&date).unwrap_or(run);
    (1_u32..)
        .map(|nth| {
            let end = if nth == 1 {
                date.clone()
            } else {
                format!("{date}-{nth}")
            };
            // ASCII: the command line takes nothing else.
            let length = base.len().min(LONGEST - end.len());
            RunId::new(format!("{}{end}", &base[..length]))
        })
        .find(|id| id != run_id && !runs.contains(&RunKey::new(plan, id)))
        .unwrap_or_else(|| run_id.clone())
}
