//! Permissions of a Region's machine, and of the roles that it assumes: for the templates, and for `redrill iam`.

use std::collections::BTreeSet;

use super::names::Names;
use super::{StepFunctions, regions_of};
use crate::ids::{AccountId, StepIndex};
use crate::permissions::{PolicyStatement, Principal, PrincipalPolicy, TrustedPrincipal};
use crate::plan::{Plan, Step};

const ASSUME: &str = "https://docs.aws.amazon.com/step-functions/latest/dg/concepts-access-cross-acct-resources.html";
const MAP: &str =
    "https://docs.aws.amazon.com/step-functions/latest/dg/iam-policies-eg-dist-map.html";
const LOGS: &str = "https://docs.aws.amazon.com/step-functions/latest/dg/cw-logs.html";
const BACKUP: &str =
    "https://docs.aws.amazon.com/service-authorization/latest/reference/list_awsbackup.html";
const PASS_ROLE: &str =
    "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html";
/// The service that assumes the machine's role.
const STATES: &str = "states.amazonaws.com";

/// The policies of everything that the machines of a plan do.
#[must_use]
pub fn machine_policies(plan: &Plan, bucket: &str, prefix: &str) -> Vec<PrincipalPolicy> {
    let options = StepFunctions {
        bucket: bucket.to_owned(),
        prefix: prefix.to_owned(),
        without: BTreeSet::new(),
        is_followed: false,
    };
    let all: Vec<StepIndex> = plan.steps.positions().collect();
    let mut policies = Vec::new();
    for region in regions_of(plan, &all) {
        let of_region = |at: &StepIndex| plan.target_of(&plan.steps[*at]).region == region;
        let members: Vec<StepIndex> = all.iter().copied().filter(of_region).collect();
        let names = Names::new(plan, &options, &region, &members);
        policies.push(PrincipalPolicy {
            principal: Principal::MachineRole {
                arn: names.machine_role_arn(),
            },
            account: Some(names.home.clone()),
            trusts: Some(TrustedPrincipal::Service(STATES)),
            statements: of_machine(plan, &names, &members),
        });
        let targets = members.iter().map(|at| plan.target_of(&plan.steps[*at]));
        let assumed: BTreeSet<(String, &AccountId)> = targets
            .map(|target| (names.role(target), &target.account))
            .collect();
        policies.extend(assumed.into_iter().map(|(arn, account)| {
            let is_used = |step: &Step| names.role(plan.target_of(step)) == arn;
            let statements = of_assumed(plan, &members, is_used);
            PrincipalPolicy {
                principal: Principal::MachineTargetRole { arn },
                account: Some(account.clone()),
                trusts: Some(TrustedPrincipal::Role(names.machine_role_arn())),
                statements,
            }
        }));
    }
    policies
}

/// Returns what the machine does itself.
pub(super) fn of_machine(
    plan: &Plan,
    names: &Names,
    members: &[StepIndex],
) -> Vec<PolicyStatement> {
    let steps = members.iter().map(|at| &plan.steps[*at]);
    let assumes: BTreeSet<String> = steps.map(|step| names.role(plan.target_of(step))).collect();
    let objects = |key: &str| names.arn("s3", "", "", &format!("{}/{key}/*", names.bucket));
    let here = |rest: String| names.here("states", &rest);
    let machine = &names.machine;
    vec![
        PolicyStatement::new(
            "CallBackup",
            ["sts:AssumeRole"],
            assumes,
            "calls AWS Backup in the accounts of the plan",
            ASSUME,
        ),
        PolicyStatement::new(
            "ReadItems",
            ["s3:GetObject"],
            [objects(&format!("{}/runs", names.keys))],
            "reads what is to be restored",
            MAP,
        ),
        PolicyStatement::new(
            "WriteResults",
            [
                "s3:PutObject",
                "s3:GetObject",
                "s3:ListMultipartUploadParts",
                "s3:AbortMultipartUpload",
            ],
            [objects(&names.results())],
            "writes what has become of it",
            MAP,
        ),
        PolicyStatement::new(
            "RunLanes",
            ["states:StartExecution"],
            [names.machine_arn()],
            "runs each lane as an execution of its own",
            MAP,
        ),
        PolicyStatement::new(
            "FollowLanes",
            ["states:DescribeExecution", "states:StopExecution"],
            [
                here(format!("execution:{machine}:*")),
                here(format!("execution:{machine}/*")),
            ],
            "follows the lanes",
            MAP,
        ),
        PolicyStatement::new(
            "CountLanes",
            ["states:DescribeMapRun"],
            [here(format!("mapRun:{machine}/*"))],
            "counts what has ended",
            MAP,
        ),
        PolicyStatement::new(
            "Log",
            [
                "logs:CreateLogDelivery",
                "logs:DeleteLogDelivery",
                "logs:DescribeLogGroups",
                "logs:DescribeResourcePolicies",
                "logs:GetLogDelivery",
                "logs:ListLogDeliveries",
                "logs:PutResourcePolicy",
                "logs:UpdateLogDelivery",
            ],
            ["*".to_owned()],
            "writes its log; these actions have no resource",
            LOGS,
        ),
    ]
}

/// Returns what a role does that the machine assumes for some of its restores.
pub(super) fn of_assumed(
    plan: &Plan,
    members: &[StepIndex],
    is_used: impl Fn(&Step) -> bool,
) -> Vec<PolicyStatement> {
    let steps = members.iter().map(|at| &plan.steps[*at]);
    let requests = steps.filter(|step| is_used(step));
    let requests = requests.map(|step| &step.draft.request);
    let points = requests.clone();
    let points = points.map(|request| kind_of_point(&request.recovery_point_arn));
    let passes: BTreeSet<String> = requests.filter_map(|of| of.iam_role_arn.clone()).collect();
    let mut all = vec![
        PolicyStatement::new(
            "Start",
            ["backup:StartRestoreJob"],
            points,
            "starts the restore jobs",
            BACKUP,
        ),
        PolicyStatement::new(
            "Follow",
            ["backup:DescribeRestoreJob"],
            ["*".to_owned()],
            "follows them; the action has no resource",
            BACKUP,
        ),
    ];
    if !passes.is_empty() {
        let why = "gives AWS Backup the roles that restore";
        let pass = PolicyStatement::new("Pass", ["iam:PassRole"], passes, why, PASS_ROLE);
        all.push(pass.only_if(
            "StringEquals",
            "iam:PassedToService",
            ["backup.amazonaws.com".to_owned()],
        ));
    }
    all
}

/// All recovery points of the same kind and place: a policy holds 10,240 characters, and would change with each backup.
fn kind_of_point(arn: &str) -> String {
    let resource = arn.splitn(6, ':').last().unwrap_or_default();
    let kind = resource.find([':', '/']).map_or(0, |at| at + 1);
    let before = arn.len() - resource.len() + kind;
    format!("{}*", &arn[..before])
}
