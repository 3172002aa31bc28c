//! How the ARNs of recovery points read: `points` in schema files.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::facts::common;
use super::notes::TypeNotes;

/// Forms of recovery points, by service: how the last part of the ARN begins, in which `*` stands for a name.
pub(crate) type Points = BTreeMap<String, Vec<String>>;

/// The forms of all types.
static POINTS: LazyLock<Vec<(&str, Vec<&str>)>> = LazyLock::new(|| {
    let mut by_service: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let of_types = TypeNotes::all().map(|(_, notes)| &notes.facts.points);
    for (service, forms) in std::iter::once(&common().points).chain(of_types).flatten() {
        let known = by_service.entry(service).or_default();
        for form in forms {
            if !known.contains(&form.as_str()) {
                known.push(form);
            }
        }
        // What is short is what people mean first.
        known.sort_by_key(|form| form.len());
    }
    let mut all: Vec<_> = by_service.into_iter().collect();
    let order = &common().point_services;
    all.sort_by_key(|(service, _)| {
        order
            .iter()
            .position(|of| of == service)
            .unwrap_or(usize::MAX)
    });
    all
});

/// How recovery points of all types read, by service, in the order in which a message lists them. Every file is looked into:
/// what is of a form of its own type need not ask.
pub(crate) fn points() -> &'static [(&'static str, Vec<&'static str>)] {
    &POINTS
}

/// How the last part of an ARN of a form begins.
pub(crate) fn beginning(form: &str) -> &str {
    form.split('*').next().unwrap_or(form)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn services_are_listed_in_their_order_and_forms_by_their_length() {
        let all: Vec<String> = points()
            .iter()
            .map(|(service, forms)| format!("{service} {}", forms.join(" ")))
            .collect();
        assert_eq!(
            all,
            [
                "backup recovery-point:",
                "ec2 image/ami- snapshot/snap-",
                "rds snapshot: cluster-snapshot:",
                "fsx backup/",
                "dynamodb table/*/backup/",
                "redshift snapshot:",
                "redshift-serverless snapshot: snapshot/",
                "dsql cluster/*/backup/",
            ]
        );
    }
}
