//! Room in subnets: how many addresses their range has, and how many interfaces the plan puts into them at the least. Cloud Control API
//! does not tell how many are free.

use std::collections::BTreeMap;

use super::check::{CheckEvidence, CheckId, CheckList, PreflightVerdict};
use super::memo::Memo;
use super::subject::PreflightSubject;
use crate::ids::TargetIndex;
use crate::plan::Step;
use crate::rules::WallRead;

/// Addresses of a subnet that AWS keeps (<https://docs.aws.amazon.com/vpc/latest/userguide/subnet-sizing.html>).
const KEPT: u64 = 5;

pub(super) fn check(subject: &PreflightSubject<'_>, memo: &Memo, checks: &mut CheckList) {
    let mut wanted: BTreeMap<(TargetIndex, String), Vec<(&Step, String)>> = BTreeMap::new();
    for step in subject.steps() {
        for named in subject.named(step) {
            let reads = WallRead::of(named.kind);
            if reads.is_some_and(|reads| reads.addresses.is_some()) {
                let key = (subject.place(step.target), named.text.clone());
                let of = wanted.entry(key).or_default();
                // One interface of a restore, at the least.
                if of.last().is_none_or(|(last, _)| last.name != step.name) {
                    of.push((step, named.key));
                }
            }
        }
    }
    let Some(reads) = WallRead::of("subnet") else {
        return;
    };
    let Some(property) = reads.addresses.as_deref() else {
        return;
    };
    for ((place, subnet), steps) in wanted {
        let Some(Ok(Some(found))) = memo.resource(place, &reads.r#type, &subnet) else {
            continue;
        };
        let Some(range) = found[property].as_str() else {
            continue;
        };
        let Some(room) = room(range) else {
            continue;
        };
        let count = steps.len() as u64;
        for (step, key) in &steps {
            let on = subject.on_key(CheckId::NetworkAddresses, step, key);
            let asked = format!("cloudformation:GetResource {} {subnet}", reads.r#type);
            let evidence = CheckEvidence::new(asked, range);
            match count > room {
                true => {
                    let message = format!(
                        "the subnet {subnet} ({range}) has {room} addresses, and {count} restores of the plan need one each"
                    );
                    let help = "give some of them another subnet".to_owned();
                    checks.add(on, PreflightVerdict::Fail, (message, help), evidence);
                }
                false => {
                    let message = format!(
                        "the subnet {subnet} has {room} addresses, and {count} restores of the plan need one each; how many are free is not told"
                    );
                    checks.pass(on, message, evidence);
                }
            }
        }
    }
}

/// The addresses of an IPv4 range that can be used.
fn room(range: &str) -> Option<u64> {
    let (_, length) = range.split_once('/')?;
    let length: u32 = length.parse().ok().filter(|length| *length <= 32)?;
    Some((1_u64 << (32 - length)).saturating_sub(KEPT))
}

#[cfg(test)]
mod tests {
    use super::room;

    #[test]
    fn room_of_a_range() {
        assert_eq!(room("10.0.0.0/28"), Some(11));
        assert_eq!(room("10.0.0.0/16"), Some(65_531));
        for text in ["10.0.0.0", "10.0.0.0/33", "10.0.0.0/x"] {
            assert_eq!(room(text), None, "{text}");
        }
    }
}
