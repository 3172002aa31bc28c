//! ARNs that a policy names, as exactly as the plan does.

use crate::plan::{Draft, Step};
use crate::render::{Metadata, RequestField, Target};
use crate::rules::{Facts, common, value};
use crate::validate::partition_of;

/// The partition of a target, `aws` where its Region is one that nobody knows.
pub(super) fn partition(target: &Target) -> &'static str {
    partition_of(target.region.as_str()).unwrap_or("aws")
}

/// A form behind `arn:<partition>:`, filled with what is known; what is not stands for anything.
pub(super) fn filled(form: &str, target: &Target, metadata: &Metadata) -> String {
    let mut text = format!("arn:{}:", partition(target));
    let mut rest = form;
    while let Some((before, behind)) = rest.split_once('{') {
        let (place, after) = behind.split_once('}').unwrap_or((behind, ""));
        text.push_str(before);
        match place {
            "region" => text.push_str(target.region.as_str()),
            "account" => text.push_str(target.account.as_str()),
            _ => text.push_str(&named(place, metadata)),
        }
        rest = after;
    }
    text.push_str(rest);
    text
}

/// The value of a key; `*` of what AWS names, of what is not there and of what is made of secrets and late values.
fn named(place: &str, metadata: &Metadata) -> String {
    let (is_lower, key) = match place.strip_prefix("lower:") {
        Some(key) => (true, key),
        None => (false, place),
    };
    let given = value(metadata, key).filter(|text| {
        text.chars()
            .all(|c| c.is_ascii_alphanumeric() || "-_./".contains(c))
    });
    match given {
        Some(text) if is_lower => text.to_lowercase(),
        Some(text) => text.to_owned(),
        None => "*".to_owned(),
    }
}

/// The metadata of a request, as far as it is known: what waits for another restore, or is made of a secret, is left out.
pub(super) fn known(draft: &Draft) -> Metadata {
    let metadata = draft.request.metadata.iter();
    let waits = |key: &str| draft.holes.contains_key(&RequestField::Key(key.to_owned()));
    metadata
        .filter(|(key, _)| !waits(key))
        .map(|(key, value)| (key.clone(), value.clone()))
        .collect()
}

/// Lists the ARNs of what a restore makes.
pub(super) fn created(draft: &Draft, target: &Target) -> Vec<String> {
    let facts = Facts::of(crate::rules::title_by_letters(&draft.request.resource_type));
    let forms = facts.map(|facts| facts.makes.as_slice());
    let forms = forms.unwrap_or_default().iter();
    let metadata = known(draft);
    forms.map(|form| filled(form, target, &metadata)).collect()
}

/// The recovery point of a restore: the one that it names, or whatever a selector can mean.
pub(super) fn points(step: &Step, target: &Target) -> Vec<String> {
    let draft = &step.draft;
    let arn = &draft.request.recovery_point_arn;
    if draft.selector.is_none() && !draft.waits_for_its_point() && !arn.is_empty() {
        return vec![arn.clone()];
    }
    let owner = draft.selector.as_ref();
    let owner = owner.and_then(|selector| selector.vault_account.as_ref());
    let owner = owner.unwrap_or(&target.account);
    let title = crate::rules::title_by_letters(&draft.request.resource_type);
    let own = Facts::of(title).map(|facts| &facts.points);
    let forms = own.into_iter().flatten().chain(&common().points);
    let without_account = &common().without_account;
    forms
        .flat_map(|(service, beginnings)| beginnings.iter().map(move |begin| (service, begin)))
        .map(|(service, begin)| {
            let account = match without_account.contains(service) {
                true => "",
                false => owner.as_str(),
            };
            let (partition, region) = (partition(target), &target.region);
            format!("arn:{partition}:{service}:{region}:{account}:{begin}*")
        })
        .collect()
}
