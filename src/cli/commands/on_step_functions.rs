//! `redrill run --on step-functions`: state machines start the restores of a plan, and this run follows them.
//!
//! Nothing here has to be remembered. The restores lie in the bucket of each machine under a name that has the run id, and the
//! execution has the run id as its name: the same command, typed on any machine, finds both and follows on.

use std::collections::BTreeSet;

use jiff::{SignedDuration, Timestamp};
use serde::Deserialize;
use serde_json::Value;
use tokio::sync::watch;

use super::Context;
use super::resume_hint::{ON, STATE_MACHINE, machines_of};
use crate::aws::{
    Bucket, BucketSettings, Execution, ExecutionStart, MachineSettings, StateMachine,
};
use crate::backup::{ApiError, Backoff, Clock as _, SystemClock, Tell};
use crate::cli::exit::Failure;
use crate::execute::StartedElsewhere;
use crate::export::{self, Files, Omission, StepFunctions, Subject};
use crate::ids::{RegionName, RunId};
use crate::journal::{self, ObjectError, Objects as _, Put, RunKey};
use crate::render::Target;
use crate::session::{Loaded, Preview};
use crate::state::History;

/// Backoff between polls of whether an execution still runs.
const POLL: Backoff = Backoff::doubled(SignedDuration::from_secs(1), SignedDuration::from_secs(30));
/// Longest lag of a listing of jobs: it shows by then what a stopped execution had just sent.
const LISTING_LAG: SignedDuration = SignedDuration::from_mins(2);
/// Words for what is waited for while Step Functions does not answer.
const ASKED: &str = "Step Functions to answer";
/// Placeholder for the Region in the name of a bucket, for all Regions.
const REGION: &str = "{region}";

/// The state machines that start the restores of a plan.
pub(super) struct Machines {
    all: Vec<PlanMachine>,
    /// True if AWS's own environment says where S3 is: a bucket is then a part of the path.
    path_style: bool,
    profile: Option<String>,
    empty_endpoint: bool,
}

struct PlanMachine {
    arn: String,
    region: RegionName,
    client: StateMachine,
    /// True if the execution of this run is there.
    has_begun: bool,
    /// The bucket of its items and results, and what their keys begin with.
    bucket: String,
    prefix: String,
}

/// Input of an execution, as an export writes it.
#[derive(Deserialize)]
struct Input {
    pools: Vec<PoolInput>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct PoolInput {
    bucket: String,
    items_key: String,
}

impl Machines {
    /// Connects to the machines that were named, and reads where their items lie.
    pub(super) async fn connect(
        arns: &[String],
        profile: Option<&str>,
        run: &RunKey,
        context: &mut Context<'_>,
    ) -> Result<Self, Failure> {
        context.check_profile(profile)?;
        let empty_endpoint = context.environment.has_empty_endpoint();
        let mut all = Vec::with_capacity(arns.len());
        for arn in arns {
            let region = region_of(arn)?;
            let settings = MachineSettings {
                arn: arn.clone(),
                region: region.clone(),
                profile: profile.map(str::to_owned),
                empty_endpoint,
            };
            let client = StateMachine::connect(&settings)
                .await
                .map_err(Failure::Aws)?;
            let asked = async {
                let definition = client.definition().await?;
                let execution = client
                    .execution(&client.execution_arn(run.run.as_str()))
                    .await?;
                Ok((definition, execution.is_some()))
            };
            let asked = context.output.patiently(ASKED, asked).await;
            let (definition, has_begun) = asked.map_err(|error| not_there(arn, error))?;
            let (bucket, results) = results(&definition).ok_or_else(|| not_ours(arn))?;
            let prefix = results.strip_suffix(&format!("{}/results", run.plan)).ok_or_else(|| {
                Failure::Usage(format!(
                    "{arn} is the state machine of another plan: its results go to {results}, and those of this one to {}/results", run.plan
                ))
            })?;
            all.push(PlanMachine {
                arn: arn.clone(),
                has_begun,
                client,
                prefix: prefix.to_owned(),
                bucket: bucket.replace(region.as_str(), REGION),
                region,
            });
        }
        Ok(Self {
            all,
            path_style: context.environment.names_s3_endpoint,
            profile: profile.map(str::to_owned),
            empty_endpoint,
        })
    }

    /// Returns true if a machine is to start the restores of a Region that has not begun: every job of this run that is
    /// there already would be requested again.
    pub(super) fn is_to_start(&self, region: &RegionName) -> bool {
        let mut machines = self.all.iter();
        machines.any(|machine| machine.region == *region && !machine.has_begun)
    }

    /// Refuses a run that has started restores by itself: the machine starts every restore of the plan, and AWS Backup does not say for
    /// how long it knows a token.
    pub(super) fn check_run(&self, preview: &Preview) -> Result<(), Failure> {
        let plan = &preview.plan;
        let begun = plan.steps.iter().filter(|step| {
            let past = preview.history.observed.restores.get(&step.name);
            past.is_some_and(|past| past.stage.was_sent())
                && self.is_to_start(&plan.target_of(step).region)
        });
        let begun: Vec<&str> = begun.map(|step| step.name.as_str()).collect();
        refuse_begun(&plan.run_id, &begun)
    }

    /// Starts an execution in each machine, or finds the one that was started, and says when all have ended.
    pub(super) async fn start(
        &self,
        loaded: &Loaded,
        subject: &Subject<'_>,
        context: &mut Context<'_>,
    ) -> Result<StartedElsewhere, Failure> {
        let files = self.exported(loaded, subject, context)?;
        let mut executions = Vec::with_capacity(self.all.len());
        for machine in &self.all {
            let (folder, input) = self.input(machine, &files, subject)?;
            self.put_items(machine, &folder, &input, &files, subject)
                .await?;
            let execution = machine.execution(&subject.plan.run_id, &input).await?;
            context.output.note(&format!(
                "{}: {}",
                execution.arn,
                execution.status.to_lowercase()
            ));
            executions.push((machine.client.clone(), execution));
        }
        let began = executions.iter().filter_map(|(_, of)| of.started_at).min();
        let (end, has_ended) = watch::channel(false);
        tokio::spawn(watch_until_ended(executions, end, context.tell()));
        Ok(StartedElsewhere {
            since: began.unwrap_or(Timestamp::UNIX_EPOCH),
            has_ended,
        })
    }

    /// The plan as the machines take it; checks and the cutover are run from here.
    fn exported(
        &self,
        loaded: &Loaded,
        subject: &Subject<'_>,
        context: &mut Context<'_>,
    ) -> Result<Files, Failure> {
        let first = &self.all[0];
        if let Some(other) = self
            .all
            .iter()
            .find(|of| (&of.bucket, &of.prefix) != (&first.bucket, &first.prefix))
        {
            return Err(Failure::Usage(format!(
                "{} and {} were not deployed from one export: their buckets or prefixes differ",
                first.arn, other.arn
            )));
        }
        let options = StepFunctions {
            bucket: first.bucket.clone(),
            prefix: first.prefix.clone(),
            without: [Omission::Checks, Omission::Cutover].into(),
            is_followed: true,
        };
        let (files, findings) = export::step_functions(subject, &options)
            .map_err(|findings| Failure::Findings(context.shown(loaded, findings)))?;
        context.show(loaded, findings);
        Ok(files)
    }

    /// The input of a machine's execution, and the folder of its Region.
    fn input(
        &self,
        machine: &PlanMachine,
        files: &Files,
        subject: &Subject<'_>,
    ) -> Result<(String, String), Failure> {
        let mut regions = subject.plan.targets.iter().map(|of| &of.region);
        let lacks = regions.find(|region| {
            let mut machines = self.all.iter();
            !machines.any(|machine| machine.region == **region)
        });
        if let Some(region) = lacks {
            return Err(Failure::Usage(format!(
                "the plan restores in {region}, and no --state-machine is there"
            )));
        }
        let folders = [String::new(), format!("{}/", machine.region)];
        let found = folders.into_iter().find_map(|folder| {
            let input = files.get(&format!("{folder}input.json"))?;
            Some((folder, String::from_utf8_lossy(input).trim_end().to_owned()))
        });
        found.ok_or_else(|| {
            Failure::Usage(format!(
                "{}: the plan restores nothing in {}",
                machine.arn, machine.region
            ))
        })
    }

    /// Puts the restores where the machine reads them. They are created once: those of another plan, or of an earlier version
    /// of this one, stay.
    async fn put_items(
        &self,
        machine: &PlanMachine,
        folder: &str,
        input: &str,
        files: &Files,
        subject: &Subject<'_>,
    ) -> Result<(), Failure> {
        let input: Input = serde_json::from_str(input).map_err(|err| {
            Failure::System(format!(
                "the input of {} cannot be read: {err}",
                machine.arn
            ))
        })?;
        for pool in &input.pools {
            let settings = BucketSettings {
                bucket: pool.bucket.clone(),
                prefix: String::new(),
                profile: self.profile.clone(),
                path_style: self.path_style,
                empty_endpoint: self.empty_endpoint,
            };
            let bucket = Bucket::connect(&settings).await.map_err(Failure::Aws)?;
            let name = pool.items_key.rsplit('/').next().unwrap_or_default();
            let items = files.get(&format!("{folder}{name}")).unwrap_or_default();
            let place = format!("{}/{}", bucket.place(), pool.items_key);
            let failed = |error: ObjectError| {
                let path = place.clone().into();
                let message = error.to_string();
                Failure::Journal(journal::Error::Store { path, message })
            };
            let put = bucket
                .create(&pool.items_key, items.to_vec(), "redrill")
                .await;
            if put.map_err(failed)? == Put::Refused {
                let there = bucket.get(&pool.items_key).await.map_err(failed)?;
                if there.is_none_or(|there| there.bytes != items) {
                    return Err(Failure::Conflict(format!(
                        "{place} has other restores than the plan asks for now, so run {} was started with another version of it. Nothing was \
                         started. Go back to that version, or give another --run-id",
                        subject.plan.run_id
                    )));
                }
            }
        }
        Ok(())
    }
}

impl PlanMachine {
    /// The execution of a run, which is started where it is not there yet.
    async fn execution(&self, run: &RunId, input: &str) -> Result<Execution, Failure> {
        let started = self
            .client
            .start(run.as_str(), input)
            .await
            .map_err(Failure::Aws)?;
        let arn = match started {
            ExecutionStart::Started(arn) => arn,
            ExecutionStart::NameIsUsed => self.client.execution_arn(run.as_str()),
        };
        let execution = self.client.execution(&arn).await.map_err(Failure::Aws)?;
        let execution = execution.ok_or_else(|| {
            Failure::System(format!(
                "Step Functions does not know {arn}, which it has just started"
            ))
        })?;
        // A line may end differently where somebody has started it by hand.
        match execution.input.trim_end() == input {
            true => Ok(execution),
            false => Err(Failure::Conflict(format!(
                "{arn} was started with another input than the plan has now. Nothing was started. Go back to the version of the plan that it was \
                 started with, or give another --run-id"
            ))),
        }
    }
}

/// A run that followed a state machine, and not to its end, is neither continued without it nor cleaned up while the execution may
/// run: both would ask for the same restores, or more would be there after the cleanup.
///
/// # Errors
///
/// Where it runs, or that cannot be found out; with `--take-over` only where it runs.
pub(super) async fn check_left(
    history: &History,
    profile: Option<&str>,
    take_over: bool,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let Some(opened) = history.opened.as_ref().filter(|_| history.ended.is_none()) else {
        return Ok(());
    };
    for arn in machines_of(&opened.options) {
        let settings = MachineSettings {
            arn: arn.to_owned(),
            region: region_of(arn)?,
            profile: profile.map(str::to_owned),
            empty_endpoint: context.environment.has_empty_endpoint(),
        };
        let found = async {
            let machine = StateMachine::connect(&settings).await?;
            machine
                .execution(&machine.execution_arn(opened.run.as_str()))
                .await
        };
        let why = match context.output.patiently(ASKED, found).await {
            Ok(Some(there)) if there.is_running => format!(
                "{} runs, and starts the restores of this run. Follow it with {ON} step-functions {STATE_MACHINE} {arn}; or stop it first: \
                 aws stepfunctions stop-execution --region {} --execution-arn {}",
                there.arn, settings.region, there.arn
            ),
            Ok(_) => continue,
            Err(error) if take_over => {
                context.output.note(&format!(
                    "{arn}: whether its execution runs is not known: {error}"
                ));
                continue;
            }
            Err(error) => format!(
                "the state machine {arn} was started for this run, and whether it still runs is not known: {error}. Where it is stopped or \
                 lost, add --take-over"
            ),
        };
        return Err(Failure::Conflict(format!("{why}. Nothing was done")));
    }
    Ok(())
}

/// Asks until none runs any more. AWS that does not answer is asked again: the jobs are seen at AWS Backup all the same.
async fn watch_until_ended(
    executions: Vec<(StateMachine, Execution)>,
    end: watch::Sender<bool>,
    tell: Option<Tell>,
) {
    let mut was_stopped = false;
    for (machine, mut execution) in executions {
        let mut polls = 0;
        while execution.is_running {
            let next = SystemClock.now() + POLL.wait(polls);
            SystemClock.sleep_until(next).await;
            polls += 1;
            match (machine.execution(&execution.arn).await, &tell) {
                (Ok(Some(now)), _) => execution = now,
                // Step Functions forgets an execution 90 days after its end.
                (Ok(None), _) => execution.is_running = false,
                (Err(error), Some(tell)) => tell(&format!("{error}; asking again")),
                (Err(_), None) => {}
            }
        }
        if let Some(tell) = &tell {
            tell(&format!(
                "{}: {}",
                execution.arn,
                execution.status.to_lowercase()
            ));
        }
        was_stopped |= execution.was_stopped;
    }
    if was_stopped {
        SystemClock
            .sleep_until(SystemClock.now() + LISTING_LAG)
            .await;
    }
    end.send_replace(true);
}

/// Refuses restores of a run that has begun without the machine.
pub(super) fn refuse_begun(run: &RunId, restores: &[&str]) -> Result<(), Failure> {
    let Some(first) = restores.first() else {
        return Ok(());
    };
    let more = match restores.len() {
        1 => String::new(),
        n => format!(" and {} more", n - 1),
    };
    Err(Failure::Conflict(format!(
        "run {run} has begun without the state machine, with `{first}`{more}, and the machine would ask for that again. Nothing was started. \
         Continue without --on, or give another --run-id"
    )))
}

/// Refuses machines that are not where the plan restores, before anybody is asked.
pub(super) fn check_places(arns: &[String], targets: &[Target]) -> Result<(), Failure> {
    let known = |of: fn(&Target) -> &str| -> Vec<&str> {
        let all: BTreeSet<&str> = targets.iter().map(of).collect();
        all.into_iter().collect()
    };
    for arn in arns {
        let (region, account) = place_of(arn)?;
        let (regions, accounts) = (
            known(|of| of.region.as_str()),
            known(|of| of.account.as_str()),
        );
        let other = match () {
            () if !regions.contains(&region) => {
                format!(
                    "is in {region}, and the plan restores in {}",
                    regions.join(", ")
                )
            }
            () if !accounts.contains(&account) => {
                format!(
                    "is in the account {account}, and the plan restores in {}",
                    accounts.join(", ")
                )
            }
            () => continue,
        };
        return Err(Failure::Usage(format!(
            "{arn} {other}; nothing was started"
        )));
    }
    Ok(())
}

/// A machine that is not there is most often one that was not deployed.
fn not_there(arn: &str, error: ApiError) -> Failure {
    match error.code.as_deref() {
        Some("StateMachineDoesNotExist") => Failure::Usage(format!(
            "Step Functions has no state machine {arn}: deploy the stack of `redrill export step-functions` first, or check the name and --profile. \
             Nothing was started"
        )),
        _ => Failure::Aws(error),
    }
}

/// The Region of a state machine's ARN.
fn region_of(arn: &str) -> Result<RegionName, Failure> {
    place_of(arn).map(|(region, _)| RegionName::new(region))
}

/// Region and account of a state machine's ARN.
fn place_of(arn: &str) -> Result<(&str, &str), Failure> {
    let parts: Vec<&str> = arn.split(':').collect();
    match parts[..] {
        ["arn", _, "states", region, account, "stateMachine", name]
            if !region.is_empty() && !name.is_empty() =>
        {
            Ok((region, account))
        }
        _ => Err(Failure::Usage(format!(
            "`{arn}` is not the ARN of a state machine: arn:aws:states:REGION:ACCOUNT:stateMachine:NAME; the stack of `redrill export \
             step-functions` has it as its output MachineArn"
        ))),
    }
}

/// Bucket and prefix of the results in a definition, wherever its map stands.
fn results(definition: &str) -> Option<(String, String)> {
    fn writer(value: &Value) -> Option<&Value> {
        match value {
            Value::Object(fields) => fields
                .get("ResultWriter")
                .or_else(|| fields.values().find_map(writer)),
            Value::Array(items) => items.iter().find_map(writer),
            _ => None,
        }
    }
    let definition: Value = serde_json::from_str(definition).ok()?;
    let parameters = &writer(&definition)?["Parameters"];
    let text = |key: &str| parameters[key].as_str().map(str::to_owned);
    Some((text("Bucket")?, text("Prefix")?))
}

fn not_ours(arn: &str) -> Failure {
    Failure::Usage(format!(
        "{arn} was not deployed from `redrill export step-functions`: its definition has no place for results"
    ))
}
