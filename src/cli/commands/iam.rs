//! `redrill iam PLAN`

use clap::ValueEnum as _;

use super::on_step_functions::check_places;
use super::store::StateLocation;
use super::{Context, lock};
use crate::backup::{Clock as _, SystemClock};
use crate::cli::arguments::{IamArguments, PolicyFor, PolicyFormat};
use crate::cli::exit::{Exit, Failure};
use crate::export::machine_policies;
use crate::permissions::{BucketPlace, PolicySetting, PrincipalPolicy, Purpose, policies};
use crate::render::Known;
use crate::report::{policies_cloudformation, policies_json, policies_terraform};
use crate::session::{Lookups, Points};

/// Size limit of a managed policy in characters, without blanks
/// (<https://docs.aws.amazon.com/IAM/latest/UserGuide/reference_iam-quotas.html>).
const MOST_CHARACTERS: usize = 6_144;

pub(super) async fn iam(
    arguments: &IamArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let setting = PolicySetting {
        state: match StateLocation::of(&arguments.state.state)? {
            StateLocation::Directory(_) => None,
            StateLocation::Bucket { bucket, prefix } => Some(BucketPlace {
                bucket,
                prefix: match prefix.is_empty() {
                    true => prefix,
                    false => format!("{prefix}/"),
                },
            }),
        },
        has_inventory: !arguments.inputs.inventory.is_empty(),
        machines: arguments.state_machine.clone(),
    };
    let wants_machine = arguments.purposes.contains(&PolicyFor::StepFunctions);
    if wants_machine == setting.machines.is_empty() {
        return Err(Failure::Usage(match wants_machine {
            true => "--for step-functions needs --state-machine ARN".to_owned(),
            false => "--state-machine needs --for step-functions".to_owned(),
        }));
    }
    let wants_roles = arguments.purposes.contains(&PolicyFor::StateMachine);
    if wants_roles == arguments.bucket.is_none() {
        return Err(Failure::Usage(match wants_roles {
            true => "--for state-machine needs --bucket NAME, as the export has it".to_owned(),
            false => "--bucket needs --for state-machine".to_owned(),
        }));
    }
    // Values made of a secret are in no policy.
    let mut loaded = context.load_without_secrets(&arguments.plan, &arguments.inputs)?;
    // Renewing a lock looks up again what is in it.
    let lock = match arguments.purposes.contains(&PolicyFor::Lock) {
        true => None,
        false => lock::beside(&arguments.plan, &arguments.inputs, &mut loaded)?,
    };
    let targets = loaded.planner.targets();
    check_places(&arguments.state_machine, targets)?;
    let inventory = context.inventory(&arguments.inputs, targets)?;
    let lookups = Lookups {
        points: match &inventory {
            Some(recorded) => Points::Recorded(recorded.as_slice()),
            None => Points::NotAtHand,
        },
        lock: lock.as_ref(),
        has_inventory: !arguments.inputs.inventory.is_empty(),
        checks_lock: false,
        only: &[],
        start: SystemClock.now(),
    };
    let settled = loaded
        .settle(&mut Known::default(), &lookups, context.output)
        .await;
    // Warnings are for `validate`.
    let (plan, _) = context.drafted(settled.map_err(Failure::Aws)?, &loaded)?;
    let purposes = arguments.purposes.iter().filter_map(|of| purpose(*of));
    let mut policies = policies(&plan, &context.rules, &purposes.collect(), &setting);
    if let Some(bucket) = arguments.bucket.as_deref().filter(|_| wants_roles) {
        let prefix = arguments.prefix.as_deref().unwrap_or_default();
        policies.extend(machine_policies(&plan, bucket, prefix));
    }
    for policy in policies
        .iter()
        .filter(|policy| length(policy) > MOST_CHARACTERS)
    {
        context.output.note(&format!(
            "a policy has {} characters, and IAM takes {MOST_CHARACTERS} in a managed policy: give each command its own with --for, or \
             summarise the recovery points with `*`",
            length(policy)
        ));
    }
    let text = match arguments.format {
        PolicyFormat::Json => {
            let names: Vec<String> = arguments.purposes.iter().map(|of| typed(*of)).collect();
            let names: Vec<&str> = names.iter().map(String::as_str).collect();
            policies_json(&plan, &names, &policies)
        }
        PolicyFormat::Terraform => policies_terraform(&plan, &policies),
        PolicyFormat::CloudFormation => policies_cloudformation(&plan, &policies),
    };
    context.output.document(&text)?;
    Ok(Exit::Done)
}

/// About as many characters as IAM counts.
fn length(policy: &PrincipalPolicy) -> usize {
    let of = policy.statements.iter().map(|statement| {
        let texts = statement.actions.iter().chain(&statement.resources);
        60 + statement.sid.len() + texts.map(|text| text.len() + 3).sum::<usize>()
    });
    40 + of.sum::<usize>()
}

/// None of what the export knows.
fn purpose(of: PolicyFor) -> Option<Purpose> {
    Some(match of {
        PolicyFor::Plan => Purpose::Plan,
        PolicyFor::Lock => Purpose::Lock,
        PolicyFor::Run => Purpose::Run,
        PolicyFor::StepFunctions => Purpose::StepFunctions,
        PolicyFor::Status => Purpose::Status,
        PolicyFor::Cleanup => Purpose::Cleanup,
        PolicyFor::Preflight => Purpose::Preflight,
        PolicyFor::Kit => Purpose::Kit,
        PolicyFor::RestoreRole => Purpose::RestoreRole,
        PolicyFor::StateMachine => return None,
    })
}

/// Returns the purpose as it is typed.
fn typed(of: PolicyFor) -> String {
    let value = of.to_possible_value();
    value.map_or_else(String::new, |value| value.get_name().to_owned())
}
