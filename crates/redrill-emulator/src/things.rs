//! Texts of `refusals.yaml` with the request's own values in them, and the things around it that they name.

use super::refusals::Request;

/// A text with the request's own values in place of names: {role}, {account}, {region}, {arn}, {asked_type}, and metadata keys. A list
/// gives one text for each of its items; a value that the request has not, none.
pub(super) fn things(template: &str, request: &Request<'_>) -> Vec<String> {
    let mut texts = vec![String::new()];
    let mut rest = template;
    while let Some((before, after)) = rest.split_once('{') {
        let Some((name, after)) = after.split_once('}') else {
            break;
        };
        let value = match name {
            "role" => request.role,
            "account" => Some(request.account),
            "region" => Some(request.region),
            "arn" => Some(request.point.arn()),
            "asked_type" => request.asked_type,
            "session" => request.session.as_deref(),
            key => request.metadata.get(key),
        };
        let Some(value) = value else {
            return Vec::new();
        };
        let items = serde_json::from_str::<Vec<String>>(value);
        let items = items.unwrap_or_else(|_| vec![value.to_owned()]);
        texts = texts
            .iter()
            .flat_map(|text| {
                items
                    .iter()
                    .map(move |item| format!("{text}{before}{item}"))
            })
            .collect();
        rest = after;
    }
    for text in &mut texts {
        text.push_str(rest);
    }
    texts
}

/// Returns what the inventory says of the things that a text names: of the first it knows.
pub(super) fn around<'a>(template: &str, request: &Request<'a>) -> Option<&'a str> {
    let things = things(template, request);
    things.iter().find_map(|thing| (request.around)(thing))
}
