//! Checks that zones, keys and other ARNs in the metadata belong to where the restore runs.
//!
//! The commonest drill copies recovery points to another Region or account and restores them there; what AWS returns of
//! them still names the zones and keys of the source. `x-redrill.place` in `schemas/*.yaml` says which keys hold such a
//! value, and of which kind.

use serde_json::{Map, Value};

use super::arn::{is_account, is_region};
use super::problem::Checker;
use crate::diagnostic::{Finding, Findings, Rule, rule};
use crate::ids::Arn;
use crate::render::Target;
use crate::rules::{PlacedText, ReferenceKind, ReferencePlace};

/// The partition that a Region is in, by `partitions.json` of AWS's SDKs; `None` of one that they do not know.
pub(crate) fn partition(region: &str) -> Option<&'static str> {
    const BY_PREFIX: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("us-isof-", "aws-iso-f"),
        ("eu-isoe-", "aws-iso-e"),
        ("eusc-", "aws-eusc"),
    ];
    let special = BY_PREFIX
        .iter()
        .find(|(prefix, _)| region.starts_with(prefix));
    let has_two_letters = region.find('-') == Some(2);
    match special {
        Some((_, partition)) => Some(partition),
        None if has_two_letters && is_region(region) => Some("aws"),
        None => None,
    }
}

/// The Region of a zone: of `us-west-2a`, the Local Zone `us-west-2-lax-1a` and the Wavelength Zone
/// `us-east-1-wl1-bos-wlz-1`; `None` of what is no name of a zone.
pub(super) fn region_of_zone(zone: &str) -> Option<&str> {
    let digit = zone.find(|c: char| c.is_ascii_digit())?;
    let length = zone[digit..]
        .find(|c: char| !c.is_ascii_digit())
        .unwrap_or(zone.len() - digit);
    let (region, rest) = zone.split_at(digit + length);
    let is_zone = match rest.as_bytes() {
        [letter] => letter.is_ascii_lowercase(),
        [b'-', ..] => true,
        _ => false,
    };
    (is_zone && is_region(region)).then_some(region)
}

/// Objection to a value.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Misfit {
    pub(super) rule: &'static Rule,
    pub(super) message: String,
    pub(super) help: String,
    pub(super) url: &'static str,
}

/// Returns why a value does not fit a Region and an account; what is not known of these is empty.
pub(super) fn misfit(
    kind: ReferenceKind,
    value: &str,
    region: &str,
    account: &str,
) -> Option<Misfit> {
    if kind == ReferenceKind::Zone {
        return zone(value, region);
    }
    let arn = Arn::parse(value)?;
    let home = partition(region);
    let has_region = is_region(region) && is_region(arn.region);
    let has_account = is_account(account) && is_account(arn.account);
    if let Some(home) = home
        && arn.partition != home
    {
        return Some(Misfit {
            rule: rule::PLACE_PARTITION,
            message: format!(
                "this ARN is of the partition `{}`, and {region} is in `{home}`: nothing of one is seen in another",
                arn.partition
            ),
            help: format!("name one of the account in {region}, `arn:{home}:…`"),
            url: "https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html",
        });
    }
    if has_region && arn.region != region {
        let whose = match has_account && arn.account != account {
            true => format!(" and of the account {}", arn.account),
            false => String::new(),
        };
        return Some(match kind {
            ReferenceKind::KmsKey => Misfit {
                rule: rule::PLACE_KEY_REGION,
                message: format!(
                    "this KMS key is of {}{whose}, and the restore runs in {region}: a key is there in its own Region only",
                    arn.region
                ),
                help: format!(
                    "name a key of {region}, by its ARN or as `alias/…`; of a multi-Region key, the replica there"
                ),
                url: "https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-ec2.html",
            },
            _ => Misfit {
                rule: rule::PLACE_REGION,
                message: format!(
                    "this ARN is of {}{whose}, and the restore runs in {region}",
                    arn.region
                ),
                help: format!("name one of {region}"),
                url: "https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-a-backup.html",
            },
        });
    }
    if !has_account || arn.account == account {
        return None;
    }
    Some(match kind {
        ReferenceKind::Role => Misfit {
            rule: rule::PLACE_ROLE_ACCOUNT,
            message: format!(
                "this role is of the account {}, and the restore runs in {account}: a role can be passed in its own account only",
                arn.account
            ),
            help: format!("name a role of {account}"),
            url: "https://docs.aws.amazon.com/IAM/latest/UserGuide/id_roles_use_passrole.html",
        },
        ReferenceKind::KmsKey => Misfit {
            rule: rule::PLACE_KEY_ACCOUNT,
            message: format!(
                "this KMS key is of the account {}; the restore, in {account}, can use it only where the key's policy allows that",
                arn.account
            ),
            help: format!(
                "let its policy allow the restore role of {account}, or name a key of that account"
            ),
            url: "https://docs.aws.amazon.com/kms/latest/developerguide/key-policy-modifying-external-accounts.html",
        },
        _ => Misfit {
            rule: rule::PLACE_ACCOUNT,
            message: format!(
                "this ARN is of the account {}, and the restore runs in {account}",
                arn.account
            ),
            help: format!("check that it is shared with {account}"),
            url: "https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-a-backup.html",
        },
    })
}

fn zone(value: &str, region: &str) -> Option<Misfit> {
    let of = region_of_zone(value)?;
    if !is_region(region) || of == region {
        return None;
    }
    Some(Misfit {
        rule: rule::PLACE_ZONE,
        message: format!(
            "`{value}` is an Availability Zone of {of}, and the restore runs in {region}: the job fails"
        ),
        help: format!("write a zone of {region}, such as `{region}a`"),
        url: "https://github.com/velero-io/velero/issues/4799",
    })
}

/// Holds every value of the metadata that belongs somewhere against the target.
pub(super) fn check(
    checker: &Checker<'_>,
    metadata: &Map<String, Value>,
    target: &Target,
    findings: &mut Findings,
) {
    for place in &checker.schema.places {
        let Some(value) = metadata.get(&place.key) else {
            continue;
        };
        if checker.unknown.contains(&place.key) {
            continue;
        }
        for found in place.texts(value) {
            let region = region_of(place, &found).unwrap_or(target.region.as_str());
            if let Some(misfit) = misfit(place.kind, found.text, region, target.account.as_str()) {
                findings.push(told(checker, place, &found.segments, misfit));
            }
        }
    }
}

/// The Region that the member beside a value names.
fn region_of<'v>(place: &ReferencePlace, found: &PlacedText<'v>) -> Option<&'v str> {
    let member = place.region_in.as_ref()?;
    found.beside?.get(member)?.as_str()
}

fn told(
    checker: &Checker<'_>,
    place: &ReferencePlace,
    segments: &[String],
    misfit: Misfit,
) -> Finding {
    let source = &checker.document.source;
    let span = checker.value_span(segments);
    Finding::at(source, span, misfit.rule, misfit.message, misfit.help)
        .of_key(&place.key)
        .documented_at(Some(misfit.url))
}

#[cfg(test)]
mod tests {
    use super::{ReferenceKind, misfit, partition, region_of_zone, rule};

    #[test]
    fn zones_of_every_partition_lead_to_their_region() {
        for (zone, region) in [
            ("us-west-2a", "us-west-2"),
            ("us-west-2-lax-1a", "us-west-2"),
            ("us-east-1-wl1-bos-wlz-1", "us-east-1"),
            ("us-gov-west-1b", "us-gov-west-1"),
            ("us-isob-east-1a", "us-isob-east-1"),
            ("eusc-de-east-1a", "eusc-de-east-1"),
            ("cn-north-1a", "cn-north-1"),
        ] {
            assert_eq!(region_of_zone(zone), Some(region));
        }
        for other in [
            "us-west-2",
            "use1-az1",
            "",
            "a",
            "a1",
            "{{ x }}",
            "1a",
            "us-west-2A",
        ] {
            assert_eq!(region_of_zone(other), None, "{other}");
        }
    }

    #[test]
    fn a_region_is_in_the_partition_that_the_sdks_say() {
        for (region, of) in [
            ("us-east-1", Some("aws")),
            ("mx-central-1", Some("aws")),
            ("cn-northwest-1", Some("aws-cn")),
            ("us-gov-east-1", Some("aws-us-gov")),
            ("us-iso-west-1", Some("aws-iso")),
            ("us-isob-east-1", Some("aws-iso-b")),
            ("eu-isoe-west-1", Some("aws-iso-e")),
            ("us-isof-south-1", Some("aws-iso-f")),
            ("eusc-de-east-1", Some("aws-eusc")),
            ("moon-base-1", None),
            ("", None),
        ] {
            assert_eq!(partition(region), of, "{region}");
        }
    }

    #[test]
    fn each_kind_of_misfit_is_told_apart() {
        let rule = |kind, value: &str| {
            misfit(kind, value, "us-west-2", "123456789012").map(|misfit| misfit.rule)
        };
        let key = |place: &str| format!("arn:aws:kms:{place}:key/1");
        assert_eq!(
            rule(ReferenceKind::KmsKey, &key("us-west-2:123456789012")),
            None
        );
        assert_eq!(
            rule(ReferenceKind::KmsKey, &key("us-east-1:123456789012")),
            Some(rule::PLACE_KEY_REGION)
        );
        assert_eq!(
            rule(ReferenceKind::KmsKey, &key("us-west-2:111122223333")),
            Some(rule::PLACE_KEY_ACCOUNT)
        );
        assert_eq!(rule(ReferenceKind::KmsKey, "alias/dr"), None);
        let role = "arn:aws-us-gov:iam::123456789012:role/a";
        assert_eq!(rule(ReferenceKind::Role, role), Some(rule::PLACE_PARTITION));
        let role = "arn:aws:iam::111122223333:role/a";
        assert_eq!(
            rule(ReferenceKind::Role, role),
            Some(rule::PLACE_ROLE_ACCOUNT)
        );
        assert_eq!(
            rule(ReferenceKind::Zone, "us-east-1a"),
            Some(rule::PLACE_ZONE)
        );
        assert_eq!(rule(ReferenceKind::Zone, "us-west-2-lax-1a"), None);
        // Of a target that is not known yet, nothing is said.
        assert_eq!(misfit(ReferenceKind::Zone, "us-east-1a", "", ""), None);
    }
}
