//! Permissions that the caller of a command needs, by the calls that the command makes.

use std::collections::{BTreeMap, BTreeSet};

use super::resources::{filled, partition, points};
use super::statement::{PolicyStatement, PolicyStatements};
use super::{PolicySetting, Principal, PrincipalPolicy, Purpose, deletions, looks};
use crate::backup::Operation;
use crate::ids::AccountId;
use crate::plan::{Plan, Step};
use crate::render::{Metadata, Target};
use crate::rules::Rules;

const BACKUP: &str =
    "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbackup.html";
const PASS_ROLE: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html";
const STEP_FUNCTIONS: &str =
    "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsstepfunctions.html";
const S3: &str =
    "https://docs.aws.amazon.com/service-authorization/latest/reference/list_amazons3.html";
const STS: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_permissions-to-switch.html";

/// A bucket, and what keys in it begin with.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct BucketPlace {
    /// Its name.
    pub bucket: String,
    /// Nothing, or a text that ends with `/`.
    pub prefix: String,
}

/// The caller's policy, and those of the roles that the caller assumes.
pub(super) fn policies(
    plan: &Plan,
    rules: &Rules,
    purposes: &BTreeSet<Purpose>,
    setting: &PolicySetting,
) -> Vec<PrincipalPolicy> {
    let mut caller = PolicyStatements::default();
    let mut assumed: BTreeMap<(&str, &AccountId), PolicyStatements> = BTreeMap::new();
    for step in &plan.steps {
        let target = plan.target_of(step);
        let statements = match &target.assume_role_arn {
            Some(role) => {
                let sources = [role.clone()];
                let why = "works in the accounts of the plan's targets";
                if purposes.iter().any(|purpose| purpose.calls_backup()) {
                    caller.add(PolicyStatement::new(
                        "AssumeTargetRoles",
                        ["sts:AssumeRole"],
                        sources,
                        why,
                        STS,
                    ));
                }
                assumed.entry((role, &target.account)).or_default()
            }
            None => &mut caller,
        };
        for purpose in purposes {
            purpose.add(statements, (step, target), rules, setting);
        }
    }
    add_buckets(&mut caller, plan, purposes, setting);
    let accounts: BTreeSet<&AccountId> = plan.targets.iter().map(|of| &of.account).collect();
    let own = accounts
        .first()
        .filter(|_| accounts.len() == 1 && assumed.is_empty());
    let mut all = vec![PrincipalPolicy {
        principal: Principal::Caller,
        account: own.map(|account| (*account).clone()),
        trusts: None,
        statements: caller.into_list(),
    }];
    all.extend(
        assumed
            .into_iter()
            .map(|((arn, account), statements)| PrincipalPolicy {
                principal: Principal::TargetRole {
                    arn: arn.to_owned(),
                },
                account: Some(account.clone()),
                trusts: None,
                statements: statements.into_list(),
            }),
    );
    all
}

impl Purpose {
    fn calls_backup(self) -> bool {
        self != Self::RestoreRole
    }

    /// Adds what a restore needs.
    fn add(
        self,
        statements: &mut PolicyStatements,
        (step, target): (&Step, &Target),
        rules: &Rules,
        setting: &PolicySetting,
    ) {
        let draft = &step.draft;
        let asks = !setting.has_inventory;
        let finds = asks && draft.selector.is_some();
        let reads = finds || asks && draft.lacks_recovery_point;
        match self {
            Self::Plan if asks => {
                read(statements, step, target);
                if finds {
                    find(statements, step, target);
                }
            }
            Self::Lock if finds => {
                find_vaults(statements, step);
                find(statements, step, target);
            }
            Self::Plan | Self::Lock | Self::RestoreRole => {}
            Self::Run => {
                // Rules that ask about the recovery point, and selectors; nothing else is looked up before a run.
                if finds {
                    find(statements, step, target);
                }
                if reads {
                    read(statements, step, target);
                }
                start(statements, step, target);
                follow(statements);
                if step.publishes() {
                    publish(statements);
                }
            }
            Self::Kit => {
                start(statements, step, target);
                follow(statements);
            }
            Self::StepFunctions => {
                if finds {
                    find(statements, step, target);
                }
                if reads {
                    read(statements, step, target);
                }
                follow(statements);
                if step.publishes() {
                    publish(statements);
                }
            }
            Self::Status => follow(statements),
            Self::Preflight => {
                if finds {
                    find(statements, step, target);
                }
                read(statements, step, target);
                looks::add(statements, step, target, rules);
            }
            Self::Cleanup => {
                follow(statements);
                deletions::add(statements, step, target);
            }
        }
    }
}

pub(super) fn actions(operations: &[Operation]) -> Vec<String> {
    operations.iter().map(|of| of.iam_action()).collect()
}

pub(super) fn anything() -> [String; 1] {
    ["*".to_owned()]
}

/// Reads the recovery point, and first of all the vaults, one of which has it.
fn read(statements: &mut PolicyStatements, step: &Step, target: &Target) {
    let operations = [
        Operation::DescribeRecoveryPoint,
        Operation::GetRecoveryPointRestoreMetadata,
    ];
    let why = "reads the recovery points, and what they were made of";
    let on = points(step, target);
    statements.add(PolicyStatement::new(
        "ReadRecoveryPoints",
        actions(&operations),
        on,
        why,
        BACKUP,
    ));
    find_vaults(statements, step);
}

/// Lists the vaults, one of which has the recovery point. A selector looks into the vault that it names; of several, vaults that
/// are listed once save calls.
fn find_vaults(statements: &mut PolicyStatements, step: &Step) {
    if step.draft.vault.is_some() && step.draft.selector.is_none() {
        return;
    }
    let why = "finds the vault of a recovery point";
    let list = actions(&[Operation::ListBackupVaults]);
    statements.add(PolicyStatement::new(
        "FindVaults",
        list,
        anything(),
        why,
        BACKUP,
    ));
}

/// Lists what a selector can mean.
fn find(statements: &mut PolicyStatements, step: &Step, target: &Target) {
    let Some(selector) = &step.draft.selector else {
        return;
    };
    match &selector.vault {
        // One that names no vault is looked for in all of them.
        Some(vault) => {
            let owner = selector.vault_account.as_ref().unwrap_or(&target.account);
            let (partition, region) = (partition(target), &target.region);
            let on = [format!(
                "arn:{partition}:backup:{region}:{owner}:backup-vault:{vault}"
            )];
            let why = "lists the recovery points that a selector can mean";
            let list = actions(&[Operation::ListRecoveryPointsByBackupVault]);
            statements.add(PolicyStatement::new(
                "ListRecoveryPoints",
                list,
                on,
                why,
                BACKUP,
            ));
        }
        None => {
            let why = "lists the recovery points that a selector can mean";
            let list = actions(&[
                Operation::ListRecoveryPointsByResource,
                Operation::ListRecoveryPointsByBackupVault,
            ]);
            statements.add(PolicyStatement::new(
                "ListRecoveryPoints",
                list,
                anything(),
                why,
                BACKUP,
            ));
        }
    }
}

/// Starts the restore, and gives AWS Backup the role for it.
fn start(statements: &mut PolicyStatements, step: &Step, target: &Target) {
    let why = "starts the restore jobs";
    let start = actions(&[Operation::StartRestoreJob]);
    statements.add(PolicyStatement::new(
        "StartRestoreJobs",
        start,
        points(step, target),
        why,
        BACKUP,
    ));
    if let Some(role) = &step.draft.request.iam_role_arn {
        let why = "gives AWS Backup the role that restores";
        let pass = PolicyStatement::new(
            "PassRestoreRoles",
            ["iam:PassRole"],
            [role.clone()],
            why,
            PASS_ROLE,
        );
        statements.add(pass.only_if(
            "StringEquals",
            "iam:PassedToService",
            ["backup.amazonaws.com".to_owned()],
        ));
    }
}

/// Follows jobs, and compares those that are there already. None of these calls takes a resource.
fn follow(statements: &mut PolicyStatements) {
    let operations = [
        Operation::DescribeRestoreJob,
        Operation::ListRestoreJobs,
        Operation::GetRestoreJobMetadata,
    ];
    let why = "follows the restore jobs, and recognises those that are there already";
    statements.add(PolicyStatement::new(
        "FollowRestoreJobs",
        actions(&operations),
        anything(),
        why,
        BACKUP,
    ));
}

fn publish(statements: &mut PolicyStatements) {
    let why = "tells AWS Backup what the checks found";
    let put = actions(&[Operation::PutRestoreValidationResult]);
    statements.add(PolicyStatement::new(
        "PublishValidation",
        put,
        anything(),
        why,
        BACKUP,
    ));
}

/// Records in a bucket, and what a state machine reads and writes.
fn add_buckets(
    caller: &mut PolicyStatements,
    plan: &Plan,
    purposes: &BTreeSet<Purpose>,
    setting: &PolicySetting,
) {
    let Some(first) = plan.targets.first() else {
        return;
    };
    let bucket = |name: &str| filled(&format!("s3:::{name}"), first, &Metadata::default());
    let keeps = purposes
        .iter()
        .any(|purpose| purpose.calls_backup() && *purpose != Purpose::Kit);
    if let Some(state) = setting.state.as_ref().filter(|_| keeps) {
        let arn = bucket(&state.bucket);
        let on = [format!("{arn}/{}*", state.prefix)];
        let why = "keeps the record of a run in the bucket";
        caller.add(PolicyStatement::new(
            "KeepRecords",
            ["s3:GetObject", "s3:PutObject"],
            on,
            why,
            S3,
        ));
        let why = "finds the records of runs in the bucket";
        caller.add(PolicyStatement::new(
            "FindRecords",
            ["s3:ListBucket"],
            [arn],
            why,
            S3,
        ));
    }
    if !purposes.contains(&Purpose::StepFunctions) {
        return;
    }
    let operations = [Operation::DescribeStateMachine, Operation::StartExecution];
    let why = "starts the state machine";
    caller.add(PolicyStatement::new(
        "StartStateMachine",
        actions(&operations),
        setting.machines.clone(),
        why,
        STEP_FUNCTIONS,
    ));
    let executions = setting.machines.iter();
    let executions =
        executions.map(|arn| format!("{}:*", arn.replace(":stateMachine:", ":execution:")));
    let why = "asks whether the state machine still runs";
    let describe = actions(&[Operation::DescribeExecution]);
    caller.add(PolicyStatement::new(
        "FollowStateMachine",
        describe,
        executions,
        why,
        STEP_FUNCTIONS,
    ));
}
