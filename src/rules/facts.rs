//! `x-redrill.facts` in schema files: what the stages have to know of a type beside its rules.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::files;
use super::notes::{TypeNotes, top};

/// What is so of one type, as `schemas/README.md` explains it.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    /// The type in a sentence, where its title is long.
    pub(super) called: Option<String>,
    /// The services in whose ARNs its resources stand.
    pub(crate) services: Vec<String>,
    /// How the last part of a recovery point's ARN begins, by service; AWS Backup's own form is that of every type.
    #[serde(default)]
    pub(crate) points: Points,
    /// Keys that name what was backed up, and decide nothing.
    #[serde(default)]
    pub(crate) source_keys: Vec<SourceKey>,
}

/// What is so of no type in particular.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommonFacts {
    /// How recovery points of every type read.
    pub(crate) points: Points,
    /// The order of services in a message.
    point_services: Vec<String>,
    /// Services in whose ARNs recovery points have no account.
    pub(crate) without_account: Vec<String>,
}

/// Forms of recovery points, by service: how the last part of the ARN begins, in which `*` stands for a name.
pub(crate) type Points = BTreeMap<String, Vec<String>>;

/// A key that names what was backed up.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceKey {
    pub(crate) key: String,
    /// Only where each of these keys has one of the values.
    #[serde(default)]
    pub(crate) when: BTreeMap<String, Vec<String>>,
    /// Whether its value is an id that nothing made can have.
    #[serde(default)]
    pub(crate) not_made: bool,
}

/// What `common.yaml` says.
static COMMON: LazyLock<CommonFacts> =
    // Embedded, and read by a test.
    LazyLock::new(|| read_common().unwrap_or_default());

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

impl Facts {
    /// Those of a type, by AWS's name; `None` where there is no such type.
    pub(crate) fn of(resource_type: &str) -> Option<&'static Self> {
        Some(&TypeNotes::of(resource_type)?.facts)
    }
}

/// What is so of no type in particular.
pub(crate) fn common() -> &'static CommonFacts {
    &COMMON
}

pub(super) fn read_common() -> Result<CommonFacts, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct Top {
        /// Why a value of another type is an error, for those who read the file.
        #[serde(rename = "types")]
        _types: BTreeMap<String, String>,
        facts: CommonFacts,
    }
    let top: Result<Top, _> = serde_json::from_value(top(files::common())?.into());
    top.map(|top| top.facts).map_err(|err| err.to_string())
}

/// How recovery points of all types read, by service, in the order in which a message lists them. Every file is looked into:
/// what is of a form of its own type need not ask.
pub(crate) fn points() -> &'static [(&'static str, Vec<&'static str>)] {
    &POINTS
}

/// The types that are restored without a role, by AWS's pages, as a sentence names them.
pub(crate) fn without_role() -> impl Iterator<Item = &'static str> {
    let all = TypeNotes::all().filter(|(_, notes)| notes.no_role.is_some());
    all.map(|(title, notes)| notes.called(title))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_types_share_can_be_read() {
        read_common().unwrap();
    }

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
