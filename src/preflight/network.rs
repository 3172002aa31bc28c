//! Subnets, security groups, subnet groups and VPCs of requests, and what else a request names by a name.

use std::collections::BTreeMap;

use serde_json::Value;

use super::check::{CheckEvidence, CheckId, CheckList, PreflightVerdict};
use super::memo::Memo;
use super::subject::PreflightSubject;
use super::unknown;
use crate::backup::ApiError;
use crate::ids::{Arn, TargetIndex};
use crate::plan::Step;
use crate::rules::{Facts, Wall, WallRead, value};
use crate::validate::NamedValue;

/// The group that RDS makes itself, with the default VPC.
const DEFAULT: &str = "default";

/// Value that a request names, and the VPC that it is in.
struct OfVpc {
    text: String,
    key: String,
    vpc: String,
}

pub(super) fn check(subject: &PreflightSubject<'_>, memo: &Memo, checks: &mut CheckList) {
    for step in subject.steps() {
        let mut of_vpc = Vec::new();
        for named in subject.named(step) {
            let wall = Wall::named(named.kind);
            let reads = wall.and_then(|wall| Some((wall, wall.kind.reads.as_ref()?)));
            if let Some((wall, reads)) = reads.filter(|(_, reads)| reads.network) {
                of_value(
                    subject,
                    memo,
                    step,
                    &named,
                    (wall.kind.called.as_str(), reads),
                    &mut of_vpc,
                    checks,
                );
            }
        }
        one_vpc(subject, step, &of_vpc, checks);
        references(subject, memo, step, checks);
    }
}

/// The id or name in a value, as Cloud Control API takes it.
pub(super) fn identifier(text: &str, reads: &WallRead) -> String {
    let bare = Arn::parse(text).map_or(text, |arn| {
        let name = arn.resource.split_once(['/', ':']);
        name.map_or(arn.resource, |(_, name)| name)
    });
    match reads.lower {
        true => bare.to_lowercase(),
        false => bare.to_owned(),
    }
}

fn of_value(
    subject: &PreflightSubject<'_>,
    memo: &Memo,
    step: &Step,
    named: &NamedValue,
    (called, reads): (&str, &WallRead),
    of_vpc: &mut Vec<OfVpc>,
    checks: &mut CheckList,
) {
    let id = identifier(&named.text, reads);
    if reads.lower && id == DEFAULT {
        return;
    }
    let place = subject.place(step.target);
    let on = subject.on_key(CheckId::NetworkExists, step, &named.key);
    let asked = format!("cloudformation:GetResource {} {id}", reads.r#type);
    let thing = called.trim_start_matches("a ").trim_start_matches("an ");
    match memo.resource(place, &reads.r#type, &id) {
        None => {}
        Some(Err(error)) => {
            unknown(checks, on, &format!("the {thing} {id}"), &asked, error);
        }
        Some(Ok(None)) => {
            let target = subject.target(step.target);
            let message = format!(
                "the {thing} {id} does not exist in {} {}",
                target.account, target.region
            );
            let help = format!(
                "give `{}` of the account and Region that is restored into",
                named.key
            );
            let evidence = CheckEvidence::new(asked, "ResourceNotFoundException");
            checks.add(on, PreflightVerdict::Fail, (message, help), evidence);
        }
        Some(Ok(Some(found))) => {
            checks.pass(
                on,
                format!("the {thing} {id} exists"),
                CheckEvidence::new(asked, &id),
            );
            match vpc_of(memo, place, found, reads) {
                Ok(vpc) => of_vpc.extend(vpc.map(|vpc| OfVpc {
                    text: format!("the {thing} {id}"),
                    key: named.key.clone(),
                    vpc,
                })),
                Err((subnet, error)) => {
                    let on = subject.on_key(CheckId::NetworkVpc, step, &named.key);
                    let asked = format!("cloudformation:GetResource {subnet}");
                    unknown(
                        checks,
                        on,
                        &format!("the VPC of the {thing} {id}"),
                        &asked,
                        error,
                    );
                }
            }
        }
    }
}

/// The VPC of what was found: its own, or that of its first subnet; none where it is not known yet, or not told.
///
/// # Errors
///
/// The subnet that could not be looked at, and why.
fn vpc_of<'m>(
    memo: &'m Memo,
    place: TargetIndex,
    found: &Value,
    reads: &WallRead,
) -> Result<Option<String>, (String, &'m ApiError)> {
    let text = |of: &Value, key: &str| of[key].as_str().map(str::to_owned);
    if let Some(vpc) = &reads.vpc {
        return Ok(text(found, vpc));
    }
    let subnets = reads.subnets.as_deref().map(|key| &found[key]);
    let first = subnets.and_then(|subnets| subnets.as_str().or_else(|| subnets[0].as_str()));
    let subnet = WallRead::of("subnet");
    let (Some(first), Some(subnet)) = (first, subnet) else {
        return Ok(None);
    };
    match memo.resource(place, &subnet.r#type, first) {
        Some(Ok(Some(found))) => Ok(subnet.vpc.as_deref().and_then(|key| text(found, key))),
        Some(Err(error)) => Err((format!("{} {first}", subnet.r#type), error)),
        Some(Ok(None)) | None => Ok(None),
    }
}

/// Checks that all a request names is in one VPC: an interface, a cluster and a file system are each in one.
fn one_vpc(subject: &PreflightSubject<'_>, step: &Step, of_vpc: &[OfVpc], checks: &mut CheckList) {
    let mut by_vpc: BTreeMap<&str, &OfVpc> = BTreeMap::new();
    for of in of_vpc {
        by_vpc.entry(&of.vpc).or_insert(of);
    }
    let Some(first) = of_vpc.first() else {
        return;
    };
    let evidence = CheckEvidence::new(
        "cloudformation:GetResource",
        of_vpc
            .iter()
            .map(|of| format!("{}: {}", of.text, of.vpc))
            .collect::<Vec<_>>()
            .join(", "),
    );
    match of_vpc.iter().find(|of| of.vpc != first.vpc) {
        None if of_vpc.len() > 1 => {
            let on = subject.on_key(CheckId::NetworkVpc, step, &first.key);
            let message = format!("what the request names of the network is of {}", first.vpc);
            checks.pass(on, message, evidence);
        }
        None => {}
        Some(other) => {
            let on = subject.on_key(CheckId::NetworkVpc, step, &other.key);
            let message = format!(
                "{} is of {}, and {} is of {}",
                first.text, first.vpc, other.text, other.vpc
            );
            let help = format!(
                "give `{}` of {}, or `{}` of {}",
                other.key, first.vpc, first.key, other.vpc
            );
            checks.add(on, PreflightVerdict::Fail, (message, help), evidence);
        }
    }
}

/// Option groups, key pairs and the like.
fn references(subject: &PreflightSubject<'_>, memo: &Memo, step: &Step, checks: &mut CheckList) {
    let request = &step.draft.request;
    let facts = Facts::of(subject.rules.title(&request.resource_type));
    for reads in facts.into_iter().flat_map(|facts| &facts.reads) {
        let Some(name) = value(&request.metadata, &reads.key) else {
            continue;
        };
        let is_pending = step.draft.holes.contains_key(reads.key.as_str());
        if is_pending || !reads.names(name) {
            continue;
        }
        let on = subject.on_key(CheckId::ReferenceExists, step, &reads.key);
        let asked = format!("cloudformation:GetResource {} {name}", reads.r#type);
        let thing = reads
            .called
            .trim_start_matches("an ")
            .trim_start_matches("a ");
        match memo.resource(subject.place(step.target), &reads.r#type, name) {
            None => {}
            Some(Err(error)) => unknown(checks, on, &format!("the {thing} {name}"), &asked, error),
            Some(Ok(Some(_))) => {
                checks.pass(
                    on,
                    format!("the {thing} {name} exists"),
                    CheckEvidence::new(asked, name),
                );
            }
            Some(Ok(None)) => {
                let target = subject.target(step.target);
                let message = format!(
                    "the {thing} {name} does not exist in {} {}",
                    target.account, target.region
                );
                let help = format!("make it there, or give another `{}`", reads.key);
                let evidence = CheckEvidence::new(asked, "ResourceNotFoundException");
                checks.add(on, PreflightVerdict::Fail, (message, help), evidence);
            }
        }
    }
}
