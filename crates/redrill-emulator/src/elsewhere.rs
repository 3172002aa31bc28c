//! Things in a request that are in another Region or partition than the restore: keys, zones, other ARNs.
//!
//! A restore runs in the Region of its recovery point, and uses what is there:
//! <https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-ec2.html> (a key of the destination Region),
//! <https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-eks.html> (a different key over Regions).

use std::sync::LazyLock;

use regex::Regex;
use serde::Deserialize;
use serde_json::Value;

use super::refusals::Request;
use redrill_inventory::Arn;

/// Kind of thing to look for.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Deserialize)]
#[serde(rename_all = "snake_case")]
pub(super) enum Elsewhere {
    /// A KMS key of another Region.
    Key,
    /// An Availability Zone of another Region.
    Zone,
    /// Text in place of an Availability Zone that is the name of none.
    NoZone,
    /// Anything else with an ARN of another Region.
    Other,
    /// Anything with an ARN of another partition.
    Partition,
}

/// The first such thing in the metadata: its key, and what it is. A value may be JSON, and that JSON may hold text that is
/// JSON again, as `nestedRestoreJobs` does. `except` are keys that are not looked into.
pub(super) fn find(
    what: Elsewhere,
    request: &Request<'_>,
    except: &[String],
) -> Option<(String, String)> {
    let mut entries = request.metadata.iter();
    entries.find_map(|(key, value)| {
        let left_out = except.iter().any(|other| other.eq_ignore_ascii_case(key))
            // AWS returns these to be read, and not to be acted on.
            || key.starts_with("InformationalOnly:");
        // Most values are neither, and JSON costs.
        if left_out || !may_hold(what, key, value) {
            return None;
        }
        let found = in_text(what, request, key, value)?;
        Some((key.to_owned(), found))
    })
}

fn may_hold(what: Elsewhere, key: &str, value: &str) -> bool {
    match what {
        Elsewhere::Zone => value.contains('-'),
        Elsewhere::NoZone => is_zone_key(key) || value.contains("vailabilityZone"),
        _ => value.contains("arn:"),
    }
}

fn in_text(what: Elsewhere, request: &Request<'_>, name: &str, text: &str) -> Option<String> {
    if text.trim_start().starts_with(['[', '{'])
        && let Ok(value) = serde_json::from_str::<Value>(text)
    {
        return in_value(what, request, name, &value);
    }
    is_elsewhere(what, request, name, text).then(|| text.to_owned())
}

fn in_value(what: Elsewhere, request: &Request<'_>, name: &str, value: &Value) -> Option<String> {
    match value {
        Value::String(text) => in_text(what, request, name, text),
        Value::Array(items) => {
            let mut items = items.iter();
            items.find_map(|item| in_value(what, request, name, item))
        }
        Value::Object(members) => members.iter().find_map(|(name, value)| {
            let named = is_elsewhere(what, request, "", name).then(|| name.clone());
            named.or_else(|| in_value(what, request, name, value))
        }),
        _ => None,
    }
}

fn is_elsewhere(what: Elsewhere, request: &Request<'_>, name: &str, text: &str) -> bool {
    if what == Elsewhere::NoZone {
        return is_zone_key(name) && !text.is_empty() && !is_zone(text);
    }
    if what == Elsewhere::Zone {
        let is_zone_key = name.to_ascii_lowercase().starts_with("availabilityzone");
        return is_zone_key && is_zone_of_another_region(text, request.region);
    }
    let Some(arn) = Arn::parse(text) else {
        return false;
    };
    match what {
        Elsewhere::Partition => arn.partition != request.partition(),
        _ if arn.region.is_empty() || arn.region == request.region => false,
        Elsewhere::Key => arn.service == "kms",
        _ => arn.service != "kms",
    }
}

/// The keys that hold names of zones; others of that beginning hold ids.
fn is_zone_key(name: &str) -> bool {
    let names = [
        "AvailabilityZone",
        "AvailabilityZones",
        "availabilityZoneName",
    ];
    names.iter().any(|one| one.eq_ignore_ascii_case(name))
}

/// Returns true if a text may be the name of an Availability Zone, Local Zone or Wavelength Zone: «its Region code
/// followed by a letter identifier». The letters that an account sees are its own, and none is past the highest number
/// of the Region's zones: six in us-east-1, four at most elsewhere
/// (<https://docs.aws.amazon.com/global-infrastructure/latest/regions/aws-availability-zones.html>).
fn is_zone(text: &str) -> bool {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "a pattern of ours")]
        Regex::new("^([a-z]+(?:-[a-z]+)+-[0-9]+)(?:([a-z])|(?:-[a-z0-9]+)+-[0-9]+[a-z]?)$")
            .expect("it is one")
    });
    NAME.captures(text).is_some_and(|found| {
        let last = if &found[1] == "us-east-1" { "f" } else { "d" };
        found.get(2).is_none_or(|letter| letter.as_str() <= last)
    })
}

/// Returns true if a text is the name of an Availability Zone or Local Zone, or of a Region itself, other than the
/// given one's. A text that is no such name, such as the id of a zone, is not judged.
fn is_zone_of_another_region(text: &str, region: &str) -> bool {
    static NAME: LazyLock<Regex> = LazyLock::new(|| {
        #[expect(clippy::expect_used, reason = "a pattern of ours")]
        Regex::new("^([a-z]+(?:-[a-z]+)+-[0-9]+)(?:[a-z]|-[a-z0-9-]+)?$").expect("it is one")
    });
    let found = NAME.captures(text).and_then(|found| found.get(1));
    found.is_some_and(|found| found.as_str() != region)
}

/// The partition of a Region, by <https://github.com/boto/botocore/blob/develop/botocore/data/partitions.json>.
pub(super) fn partition_of(region: &str) -> &'static str {
    const OTHERS: [(&str, &str); 7] = [
        ("cn-", "aws-cn"),
        ("us-gov-", "aws-us-gov"),
        ("eusc-", "aws-eusc"),
        ("us-iso-", "aws-iso"),
        ("us-isob-", "aws-iso-b"),
        ("eu-isoe-", "aws-iso-e"),
        ("us-isof-", "aws-iso-f"),
    ];
    let found = OTHERS.iter().find(|(prefix, _)| region.starts_with(prefix));
    found.map_or("aws", |(_, partition)| partition)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn zones() {
        for (zone, region, elsewhere) in [
            ("us-east-1a", "us-east-1", false),
            ("us-east-1a", "us-west-2", true),
            ("us-west-2-lax-1a", "us-west-2", false),
            ("us-east-1-wl1-bos-wlz-1", "us-east-1", false),
            ("us-west-2-lax-1a", "us-east-1", true),
            ("eusc-de-east-1a", "eusc-de-east-1", false),
            ("us-gov-west-1a", "us-gov-east-1", true),
            // AWS's own sample of EFS.
            ("ap-northeast-3", "ap-northeast-3", false),
            ("use1-az1", "us-west-2", false),
            ("anything", "us-west-2", false),
        ] {
            let found = is_zone_of_another_region(zone, region);
            assert_eq!(found, elsewhere, "{zone} in {region}");
        }
    }

    #[test]
    fn names_of_zones() {
        for zone in [
            "us-east-1a",
            "us-east-1f",
            "us-west-2d",
            "ca-central-1d",
            "us-gov-west-1c",
            "eusc-de-east-1a",
            "us-west-2-lax-1a",
            "us-east-1-wl1-bos-wlz-1",
        ] {
            assert!(is_zone(zone), "{zone}");
        }
        for other in [
            "nope",
            "us-east-1",
            "us-east-1g",
            "us-west-2e",
            "use1-az1",
            "us-east-1aa",
            "",
            "US-EAST-1a",
        ] {
            assert!(!is_zone(other), "{other}");
        }
    }

    #[test]
    fn partitions() {
        for (region, partition) in [
            ("us-east-1", "aws"),
            ("us-gov-west-1", "aws-us-gov"),
            ("us-iso-east-1", "aws-iso"),
            ("us-isob-east-1", "aws-iso-b"),
            ("eusc-de-east-1", "aws-eusc"),
            ("cn-north-1", "aws-cn"),
        ] {
            assert_eq!(partition_of(region), partition);
        }
    }
}
