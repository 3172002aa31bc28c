//! Values that name something of another Region or account than the target's. What a schema says of keys and zones is a rule of
//! its own, and an error; this finds the rest, wherever it is.

use super::check::{CheckEvidence, CheckId, CheckList, PreflightVerdict};
use super::subject::PreflightSubject;
use crate::ids::Arn;
use crate::rules::Facts;

pub(super) fn check(subject: &PreflightSubject<'_>, checks: &mut CheckList) {
    for step in subject.steps() {
        let draft = &step.draft;
        let target = subject.target(step.target);
        let facts = Facts::of(subject.rules.title(&draft.request.resource_type));
        let parts = facts.and_then(|facts| facts.parts.as_deref());
        let mut is_clean = true;
        for (key, value) in draft.request.metadata.iter() {
            let mut sources = facts.iter().flat_map(|facts| &facts.source_keys);
            let is_of_source = sources.any(|of| of.key.eq_ignore_ascii_case(key));
            if is_of_source || Some(key.as_str()) == parts || draft.holes.contains_key(key.as_str())
            {
                continue;
            }
            let words = value.split(|c: char| c.is_whitespace() || ",;|\"'()[]{}<>=".contains(c));
            for word in words {
                let Some(why) = elsewhere(word, target.region.as_str(), target.account.as_str())
                else {
                    continue;
                };
                is_clean = false;
                let on = subject.on_key(CheckId::RegionValue, step, key);
                let message = format!("`{key}` names {word}, which is of {why}");
                let help = format!(
                    "give one of {} {}, if the restore needs it there",
                    target.account, target.region
                );
                let evidence = CheckEvidence::new("the values of the request", word);
                checks.add(on, PreflightVerdict::Warn, (message, help), evidence);
            }
        }
        if is_clean {
            let on = subject.on_step(CheckId::RegionValue, step);
            let message = "no value names something of another Region or account";
            checks.pass(
                on,
                message,
                CheckEvidence::new("the values of the request", "none"),
            );
        }
    }
}

/// Prefixes of Regions, from `partitions.json` of AWS's SDKs: another word with a number at its end is a name.
const AREAS: [&str; 11] = [
    "af-", "ap-", "ca-", "cn-", "eu-", "eusc-", "il-", "me-", "mx-", "sa-", "us-",
];

/// Returns the place of what a word names, if the restore is elsewhere.
fn elsewhere(word: &str, region: &str, account: &str) -> Option<String> {
    if let Some(arn) = Arn::parse(word) {
        return match () {
            () if !arn.region.is_empty() && arn.region != "*" && arn.region != region => {
                Some(format!("Region {}", arn.region))
            }
            // Policies and parameter groups of AWS's own have `aws` for an account.
            () if arn.account.len() == 12 && arn.account != account && arn.service != "kms" => {
                Some(format!("account {}", arn.account))
            }
            () => None,
        };
    }
    let (of, zone) = (
        word.trim_end_matches(|c: char| c.is_ascii_lowercase()),
        word,
    );
    let is_zone = zone.len() == of.len() + 1
        && AREAS.iter().any(|area| of.starts_with(area))
        && crate::validate::partition_of(of).is_some()
        && of.split('-').count() == 3;
    (is_zone && of != region).then(|| format!("Region {of}"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_elsewhere() {
        let of = |word| elsewhere(word, "us-west-2", "123456789012");
        for (word, why) in [
            (
                "arn:aws:sns:us-east-1:123456789012:t",
                Some("Region us-east-1"),
            ),
            (
                "arn:aws:sns:us-west-2:999999999999:t",
                Some("account 999999999999"),
            ),
            ("arn:aws:sns:us-west-2:123456789012:t", None),
            ("arn:aws:kms:us-west-2:999999999999:key/1", None),
            ("arn:aws:iam::aws:policy/x", None),
            ("arn:aws:s3:::bucket", None),
            ("us-east-1a", Some("Region us-east-1")),
            ("us-west-2a", None),
            ("db-small-1a", None),
            ("orders", None),
        ] {
            assert_eq!(of(word).as_deref(), why, "{word}");
        }
    }
}
