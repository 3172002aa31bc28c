//! Check of what AWS says that a job has made against what its request asked for. An answer can be that of another job,
//! and a journal can be edited: neither is believed if it names something that the request cannot have made.

use crate::ids::Arn;
use crate::plan::Request;
use crate::render::{Metadata, REDACTED, Target};
use crate::rules::{Facts, SourceKey, title_by_letters, value};

/// Returns true if the resource that AWS names after a request was there before: the restore wrote into it, and made
/// nothing that stands by itself.
#[must_use]
pub fn writes_into_existing(resource_type: &str, metadata: &Metadata) -> bool {
    let facts = Facts::of(title_by_letters(resource_type));
    let mut existing = facts.iter().flat_map(|facts| &facts.existing);
    existing.any(|existing| !existing.makes && existing.condition.holds(metadata))
}

/// Tells why the ARN that AWS gives for what a job has made cannot be that of what its request asked for; none if it
/// can. `source` is what was backed up, if AWS says it.
#[must_use]
pub fn misfit(
    arn: &str,
    source: Option<&str>,
    request: &Request,
    target: &Target,
) -> Option<String> {
    let misfit = misfit_of_part(
        arn,
        &request.resource_type,
        Some(&request.metadata),
        &request.recovery_point_arn,
        target,
    );
    let is_source = || source == Some(arn) && never_comes_back(arn, request, target);
    misfit
        .or_else(|| is_source().then(|| "it is what was backed up, by AWS's own answer".to_owned()))
}

/// Returns true if an ARN has an id that AWS makes, and makes once. A name from the plan can be that of what was lost,
/// and so can the target that a restore writes into.
fn never_comes_back(arn: &str, request: &Request, target: &Target) -> bool {
    let of_type = title_by_letters(&request.resource_type);
    let Some((whole, facts)) = arn.splitn(3, ':').nth(2).zip(Facts::of(of_type)) else {
        return false;
    };
    let metadata = &request.metadata;
    let mut fitting = facts
        .makes
        .iter()
        .filter(|form| fits(form, whole, metadata, target));
    let is_made = fitting
        .next()
        .is_some_and(|form| keys(form).next().is_none());
    is_made && !writes_into_existing(of_type, metadata)
}

/// The same, of a job whose metadata may not be known: a nested one.
#[must_use]
pub fn misfit_of_part(
    arn: &str,
    resource_type: &str,
    metadata: Option<&Metadata>,
    recovery_point_arn: &str,
    target: &Target,
) -> Option<String> {
    if arn.contains(REDACTED) {
        return Some("a secret is in it, which is not kept".to_owned());
    }
    let Some(Arn {
        partition,
        service,
        region,
        account,
        resource,
    }) = Arn::parse(arn)
    else {
        return Some("it is not an ARN".to_owned());
    };
    if arn
        .chars()
        .any(|c| c.is_control() || "*?|\u{2028}\u{2029}".contains(c))
    {
        return Some("it has a character that no ARN of a resource has".to_owned());
    }
    let wanted = Arn::partition_of(recovery_point_arn);
    if partition != wanted {
        return Some(format!(
            "its partition is `{partition}`, and the recovery point's is `{wanted}`"
        ));
    }
    if !region.is_empty() && region != target.region {
        return Some(format!(
            "its Region is `{region}`, and the restore's is `{}`",
            target.region
        ));
    }
    if !account.is_empty() && account != target.account {
        return Some(format!(
            "its account is `{account}`, and the restore's is `{}`",
            target.account
        ));
    }
    if resource.is_empty() {
        return Some("it names no resource".to_owned());
    }
    let of_type = title_by_letters(resource_type);
    let facts = Facts::of(of_type);
    let empty = Metadata::default();
    let metadata = metadata.unwrap_or(&empty);
    if let Some(Facts { makes: forms, .. }) = facts {
        let whole = format!("{service}:{region}:{account}:{resource}");
        let has_all = |form: &&String| keys(form).all(|key| value(metadata, key).is_some());
        let known: Vec<&String> = forms.iter().filter(has_all).collect();
        let known = if known.is_empty() {
            forms.iter().collect()
        } else {
            known
        };
        if !known
            .iter()
            .any(|form| fits(form, &whole, metadata, target))
        {
            let wanted: Vec<String> = known
                .iter()
                .map(|form| format!("`arn:{wanted}:{}`", shown(form, metadata, target)))
                .collect();
            return Some(format!(
                "a restore of {of_type} that was asked for like this makes {}",
                wanted.join(" or ")
            ));
        }
    }
    let id = resource.rsplit(['/', ':']).next().unwrap_or(resource);
    let mut source_keys = facts.iter().flat_map(|facts| &facts.source_keys);
    let source = source_keys.find(|of| of.not_made && value(metadata, &of.key) == Some(id));
    if let Some(SourceKey { key, .. }) = source
        && !writes_into_existing(of_type, metadata)
    {
        return Some(format!(
            "it is what was backed up: `{key}` of the request names it"
        ));
    }
    None
}

/// A form in its parts: text, and places in braces.
fn parts(form: &str) -> impl Iterator<Item = Result<&str, &str>> {
    let mut rest = form;
    std::iter::from_fn(move || {
        if let Some(after) = rest.strip_prefix('{') {
            let (place, after) = after.split_once('}')?;
            rest = after;
            return Some(Err(place));
        }
        let (text, _) = rest.split_once('{').unwrap_or((rest, ""));
        rest = &rest[text.len()..];
        (!text.is_empty()).then_some(Ok(text))
    })
}

/// The metadata keys of a form.
fn keys(form: &str) -> impl Iterator<Item = &str> {
    parts(form).filter_map(|part| {
        let place = part.err()?;
        let is_key = !matches!(place, "region" | "account" | "one" | "any");
        is_key.then(|| place.strip_prefix("lower:").unwrap_or(place))
    })
}

/// Returns true if the part of an ARN after `arn:<partition>:` matches a form.
fn fits(form: &str, text: &str, metadata: &Metadata, target: &Target) -> bool {
    let mut rest = text;
    for part in parts(form) {
        let (wanted, in_any_case) = match part {
            Ok(text) => (text, false),
            Err("region") => (target.region.as_str(), false),
            Err("account") => (target.account.as_str(), false),
            Err("any") => return !rest.is_empty(),
            Err("one") => match after_one(rest) {
                Some(after) => {
                    rest = after;
                    continue;
                }
                None => return false,
            },
            Err(place) => {
                let (key, in_any_case) = match place.strip_prefix("lower:") {
                    Some(key) => (key, true),
                    None => (place, false),
                };
                match value(metadata, key) {
                    Some(value) if !value.contains(REDACTED) => (value, in_any_case),
                    // The value is not known, or was not kept.
                    _ => match after_one(rest) {
                        Some(after) => {
                            rest = after;
                            continue;
                        }
                        None => return false,
                    },
                }
            }
        };
        let Some((start, after)) = rest.split_at_checked(wanted.len()) else {
            return false;
        };
        if start != wanted && !(in_any_case && start.eq_ignore_ascii_case(wanted)) {
            return false;
        }
        rest = after;
    }
    rest.is_empty()
}

/// Returns the text after a name or an id.
fn after_one(text: &str) -> Option<&str> {
    let is_of_name = |c: char| c.is_ascii_alphanumeric() || "-_.".contains(c);
    let end = text.find(|c| !is_of_name(c)).unwrap_or(text.len());
    (end > 0).then(|| &text[end..])
}

/// A form as it is told to people.
fn shown(form: &str, metadata: &Metadata, target: &Target) -> String {
    parts(form)
        .map(|part| match part {
            Ok(text) => text,
            Err("region") => target.region.as_str(),
            Err("account") => target.account.as_str(),
            Err("one" | "any") => "…",
            Err(place) => {
                let key = place.strip_prefix("lower:").unwrap_or(place);
                value(metadata, key).unwrap_or("…")
            }
        })
        .collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::ids::{AccountId, RegionName};
    use crate::rules::Rules;

    const POINT: &str = "arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7";

    /// Tells why an ARN cannot be what was made, given the source that was backed up.
    fn judged(
        arn: &str,
        source: Option<&str>,
        resource_type: &str,
        metadata: &[(&str, &str)],
    ) -> Option<String> {
        let request = Request {
            resource_type: resource_type.to_owned(),
            recovery_point_arn: POINT.to_owned(),
            metadata: metadata
                .iter()
                .map(|(key, value)| ((*key).to_owned(), (*value).to_owned()))
                .collect(),
            ..Request::default()
        };
        let target = Target {
            account: AccountId::new("123456789012"),
            region: RegionName::new("us-west-2"),
            ..Target::default()
        };
        misfit(arn, source, &request, &target)
    }

    fn why(arn: &str, resource_type: &str, metadata: &[(&str, &str)]) -> Option<String> {
        judged(arn, None, resource_type, metadata)
    }

    #[test]
    fn what_was_backed_up_is_not_what_was_made() {
        let of = |resource_type: &str, resource: &str, metadata: &[(&str, &str)]| {
            let arn = format!("arn:aws:{resource}");
            judged(&arn, Some(&arn), resource_type, metadata).is_some()
        };
        const PLACE: &str = "us-west-2:123456789012";
        assert!(of("EBS", &format!("ec2:{PLACE}:volume/vol-0a1b2c3d"), &[]));
        assert!(of("EC2", &format!("ec2:{PLACE}:instance/i-0a1b2c3d"), &[]));
        assert!(of(
            "FSx",
            &format!("fsx:{PLACE}:file-system/fs-0a1b2c3d"),
            &[]
        ));
        let new = [("newFileSystem", "true")];
        let efs = format!("elasticfilesystem:{PLACE}:file-system/fs-0a1b2c3d");
        assert!(of("EFS", &efs, &new));
        // Into what is there, and under the name of what was lost.
        assert!(!of(
            "EFS",
            &efs,
            &[
                ("newFileSystem", "false"),
                ("file-system-id", "fs-0a1b2c3d")
            ]
        ));
        let table = [("targetTableName", "orders")];
        assert!(!of(
            "DynamoDB",
            &format!("dynamodb:{PLACE}:table/orders"),
            &table
        ));
        let instance = [("DBInstanceIdentifier", "orders")];
        assert!(!of("RDS", &format!("rds:{PLACE}:db:orders"), &instance));
        assert!(!of(
            "S3",
            "s3:::orders",
            &[("DestinationBucketName", "orders")]
        ));
    }

    #[test]
    fn every_form_of_a_type_can_be_read() {
        let rules = Rules::embedded();
        for form in rules
            .types()
            .flat_map(|title| &Facts::of(title).unwrap().makes)
        {
            assert!(
                parts(form)
                    .all(|part| part.is_ok_and(|text| !text.contains(['{', '}'])) || part.is_err()),
                "{form}"
            );
        }
        assert_eq!(
            title_by_letters("RedshiftServerless"),
            "Redshift Serverless"
        );
        assert_eq!(title_by_letters("Quantum Ledger"), "Quantum Ledger");
    }

    #[test]
    fn what_was_asked_for_fits() {
        for (arn, of, metadata) in [
            (
                "arn:aws:dynamodb:us-west-2:123456789012:table/orders-main",
                "DynamoDB",
                &[("targettablename", "orders-main")][..],
            ),
            (
                "arn:aws:dynamodb:us-west-2:123456789012:table/orders-x",
                "DynamoDB",
                &[("targetTableName", "orders-«redacted»")],
            ),
            (
                "arn:aws:rds:us-west-2:123456789012:db:orders-1",
                "RDS",
                &[("DBInstanceIdentifier", "Orders-1")],
            ),
            (
                "arn:aws:rds:us-west-2:123456789012:cluster:o",
                "RDS",
                &[("DBClusterIdentifier", "o"), ("DBInstanceIdentifier", "")],
            ),
            (
                "arn:aws:rds:us-west-2:123456789012:cluster:o",
                "Neptune",
                &[],
            ),
            (
                "arn:aws:s3:::b.c",
                "S3",
                &[("DestinationBucketName", "b.c")],
            ),
            ("arn:aws:s3:::b", "EBS", &[("destinationBucketName", "b")]),
            (
                "arn:aws:ec2:us-west-2:123456789012:volume/vol-1",
                "EBS",
                &[("availabilityZone", "us-west-2a")],
            ),
            (
                "arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-2",
                "EFS",
                &[("newFileSystem", "true"), ("file-system-id", "fs-1")],
            ),
            (
                "arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-1",
                "EFS",
                &[("newFileSystem", "false"), ("file-system-id", "fs-1")],
            ),
            (
                "arn:aws:fsx:us-west-2:123456789012:volume/fs-1/fsvol-1",
                "FSx",
                &[],
            ),
            (
                "arn:aws:cloudformation:us-west-2:123456789012:stack/s/0a1b-2c",
                "CloudFormation",
                &[("StackName", "s")],
            ),
            (
                "arn:aws:ssm-sap:us-west-2:123456789012:HANA/myapp/DB/HDB",
                "SAP HANA on Amazon EC2",
                &[],
            ),
            (
                "arn:aws:redshift-serverless:us-west-2:123456789012:namespace/1",
                "RedshiftServerless",
                &[("RestoreType", "NAMESPACE_RESTORE")],
            ),
            (
                "arn:aws:timestream:us-west-2:123456789012:database/d/table/t",
                "Timestream",
                &[("DestinationDatabase", "d"), ("TableName", "t")],
            ),
            (
                "arn:aws:backup-gateway:us-west-2:123456789012:vm/vm-1",
                "VirtualMachine",
                &[("RestoreTo", "VMware")],
            ),
            (
                "arn:aws:elasticache:us-west-2:123456789012:cluster:c",
                "ElastiCache",
                &[],
            ),
        ] {
            assert_eq!(why(arn, of, metadata), None, "{arn}");
        }
    }

    /// ARNs that AWS, or whoever can write the journal, may name, and that the request cannot have made.
    #[test]
    fn reliability_r3_11_what_was_not_asked_for_does_not_fit() {
        let table = &[("targetTableName", "orders")][..];
        for (arn, of, metadata) in [
            (
                "arn:aws:dynamodb:us-west-2:123456789012:table/orders/index/by-day",
                "DynamoDB",
                table,
            ),
            (
                "arn:aws:dynamodb:us-west-2:123456789012:table/prod-orders",
                "DynamoDB",
                table,
            ),
            (
                "arn:aws:dynamodb:us-west-2:123456789012:table/Orders",
                "DynamoDB",
                table,
            ),
            (
                "arn:aws:dynamodb:us-west-2:123456789012:table/",
                "DynamoDB",
                table,
            ),
            (
                "arn:aws:dynamodb:us-west-2:123456789012:",
                "DynamoDB",
                table,
            ),
            (
                "arn:aws:dynamodb:us-west-2::table/orders",
                "DynamoDB",
                table,
            ),
            (
                "arn:aws:dynamodb::123456789012:table/orders",
                "DynamoDB",
                table,
            ),
            (
                "arn:aws:dynamodb:us-west-2:999999999999:table/orders",
                "DynamoDB",
                table,
            ),
            (
                "arn:aws:dynamodb:us-east-1:123456789012:table/orders",
                "DynamoDB",
                table,
            ),
            (
                "arn:aws-cn:dynamodb:us-west-2:123456789012:table/orders",
                "DynamoDB",
                table,
            ),
            (
                "arn:aws:ec2:us-west-2:123456789012:instance/i-0a1b2c3d",
                "DynamoDB",
                table,
            ),
            (
                "arn:aws:dynamodb:us-west-2:123456789012:table/orders|x",
                "DynamoDB",
                table,
            ),
            (
                "arn:aws:dynamodb:us-west-2:123456789012:table/*",
                "DynamoDB",
                &[],
            ),
            (
                "arn:aws:dynamodb:us-west-2:123456789012:table/orders\n",
                "DynamoDB",
                table,
            ),
            (
                "arn:aws:dynamodb:us-west-2:123456789012:table/a b",
                "DynamoDB",
                &[],
            ),
            (
                "arn:aws:dynamodb:us-west-2:123456789012:table/x-«redacted»",
                "DynamoDB",
                table,
            ),
            ("orders", "DynamoDB", table),
            ("", "DynamoDB", table),
            (
                "arn:aws:rds:us-west-2:123456789012:cluster:orders",
                "RDS",
                &[("DBInstanceIdentifier", "orders")],
            ),
            (
                "arn:aws:rds:us-west-2:123456789012:db:orders",
                "Aurora",
                &[("DBClusterIdentifier", "orders")],
            ),
            (
                "arn:aws:s3:::b/key",
                "S3",
                &[("DestinationBucketName", "b")],
            ),
            ("arn:aws:ec2:us-west-2:123456789012:volume/", "EBS", &[]),
            (
                "arn:aws:ec2:us-west-2:123456789012:instance/i-1",
                "EBS",
                &[],
            ),
            // The source itself, under a key that AWS does not read as it is spelled.
            (
                "arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-1",
                "EFS",
                &[("newFilesystem", "true"), ("file-system-id", "fs-1")],
            ),
            (
                "arn:aws:timestream:us-west-2:123456789012:database/d/table/t|u",
                "Timestream",
                &[("DatabaseName", "d")],
            ),
            (
                "arn:aws:elasticache:us-west-2:999999999999:cluster:c",
                "ElastiCache",
                &[],
            ),
        ] {
            assert!(why(arn, of, metadata).is_some(), "{arn}");
        }
        assert_eq!(
            why(
                "arn:aws:dynamodb:us-west-2:123456789012:table/x",
                "DynamoDB",
                table
            )
            .unwrap(),
            "a restore of DynamoDB that was asked for like this makes `arn:aws:dynamodb:us-west-2:123456789012:table/orders`"
        );
    }
}
