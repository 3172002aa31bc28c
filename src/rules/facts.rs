//! `x-redrill.facts` in schema files: what the stages have to know of a type beside its rules.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use serde::Deserialize;

use super::files;
use super::handlers::HandlerActions;
use super::notes::{RestoreFailure, TypeNotes, top};
use super::points::PointForms;
use super::walls::{DefaultPick, WallKind};
use crate::render::Metadata;

/// Facts about one type, as `schemas/README.md` explains them.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Facts {
    /// The type in a sentence, where its title is long.
    pub(super) called: Option<String>,
    /// The services in whose ARNs its resources stand.
    pub(crate) services: Vec<String>,
    /// Permissions that the role of a restore needs. AWS needs none for SAP HANA.
    #[serde(default)]
    pub(crate) role: Vec<RoleNeed>,
    /// Beginnings of the last part of a recovery point's ARN, by service; AWS Backup's own form applies to every type.
    #[serde(default)]
    pub(crate) points: PointForms,
    /// Forms of the ARN of what a job has made, after `arn:<partition>:`.
    pub(crate) makes: Vec<String>,
    /// Keys whose value has to be a name that nothing has.
    #[serde(default)]
    pub(crate) new_names: Vec<NewName>,
    /// Restores that write into something that exists.
    #[serde(default)]
    pub(crate) existing: Vec<Existing>,
    /// Keys that name what was backed up, and decide nothing.
    #[serde(default)]
    pub(crate) source_keys: Vec<SourceKey>,
    /// Keys that speak of networks or encryption, and change neither.
    #[serde(default)]
    pub(crate) neither: Vec<String>,
    /// Number of its restores that run at once.
    pub(crate) at_once: Option<AtOnce>,
    /// The key that holds the metadata of nested jobs, by recovery point.
    pub(crate) parts: Option<String>,
    /// Recovery points that AWS does not list by resource alone.
    pub(crate) unlisted_copies: Option<UnlistedCopies>,
    /// Part that a restore does not make, and without which nobody can use what came back.
    pub(crate) lacks: Option<Lacks>,
    /// Places and access that AWS picks for what comes back if a request does not say.
    #[serde(default)]
    pub(crate) picks: Vec<DefaultPick>,
    /// Keys that name something that has to be there, beside what `walls` has.
    #[serde(default)]
    pub(crate) reads: Vec<NamedReference>,
    /// Quotas of the service that each restore takes up one of.
    #[serde(default)]
    pub(crate) quotas: Vec<RestoreQuota>,
    /// Actions that the role needs on a KMS key of the request; those of `common.yaml` if left out.
    pub(crate) key_actions: Option<Vec<String>>,
    /// Requirements of a recovery point in cold storage.
    pub(crate) cold: Option<ColdRestore>,
    /// Set if AWS Backup scans its recovery points for malware, where the account has that.
    pub(crate) scanned: Option<Documented>,
    /// Ways to delete what a job has made.
    #[serde(default)]
    pub(crate) deletes: Vec<Deletes>,
}

/// Facts about no type in particular.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CommonFacts {
    /// Date and source of the check against what AWS says.
    pub(crate) checked: CheckedAgainst,
    /// Forms of recovery points of every type.
    pub(crate) points: PointForms,
    /// The order of services in a message.
    pub(super) point_services: Vec<String>,
    /// Services in whose ARNs recovery points have no account.
    pub(crate) without_account: Vec<String>,
    /// Actions that the role needs on a KMS key of the request.
    pub(crate) key_actions: Vec<String>,
    /// Ways to delete what a job of any type has made.
    pub(crate) deletes: Vec<Deletes>,
    /// The kinds of places that a key may name.
    pub(crate) walls: BTreeMap<String, WallKind>,
    /// Permissions that Cloud Control API needs of the caller, by CloudFormation type.
    pub(super) handlers: BTreeMap<String, HandlerActions>,
}

/// Source that the schemas were checked against.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct CheckedAgainst {
    /// The day, as in `2026-11-29`.
    pub(crate) on: String,
    /// The version whose model of AWS Backup's API it was.
    pub(crate) botocore: String,
}

/// A key that names something that has to be there.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NamedReference {
    pub(crate) key: String,
    /// The type, as CloudFormation has it: its primary identifier is the value.
    pub(crate) r#type: String,
    /// Name of the thing in a sentence.
    pub(crate) called: String,
    /// Values that name nothing.
    #[serde(default)]
    pub(crate) except: Vec<String>,
    #[serde(rename = "source")]
    _source: String,
}

/// A quota that a restore takes up one of.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RestoreQuota {
    /// The service, as Service Quotas has it.
    pub(crate) service: String,
    pub(crate) code: String,
    /// The type whose resources take it up, as CloudFormation has it.
    pub(crate) counts: String,
    #[serde(flatten)]
    pub(crate) condition: Condition,
    #[serde(rename = "source")]
    _source: String,
}

/// Requirements of a recovery point in cold storage.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct ColdRestore {
    /// The key that has to be given.
    pub(crate) key: Option<String>,
    /// Sentence about what it takes.
    pub(crate) takes: String,
    #[serde(rename = "source")]
    _source: String,
}

/// Something that a page says.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Documented {
    #[serde(rename = "source")]
    _source: String,
}

/// Permissions that a role needs so that a restore does one thing.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct RoleNeed {
    /// Action of the restore that needs them.
    pub(crate) does: String,
    #[serde(flatten)]
    pub(crate) condition: Condition,
    /// Only of recovery points in whose ARNs this service stands.
    pub(crate) of_points: Option<String>,
    pub(crate) actions: Vec<String>,
    /// `created`, `point`, `*`, or an ARN behind `arn:<partition>:`.
    pub(crate) on: Vec<String>,
    /// The services that roles are passed to, where it is that.
    #[serde(default)]
    pub(crate) passed_to: Vec<String>,
    /// Page that documents it, if not AWS's own policy for restores.
    pub(crate) source: Option<String>,
}

/// A name that has to be new.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct NewName {
    pub(crate) key: String,
    #[serde(flatten)]
    pub(crate) condition: Condition,
    /// Identity that is the same only if the name is: the ARN, mostly.
    pub(crate) is: String,
    /// True if AWS stores it in lower case.
    #[serde(default)]
    pub(crate) lower: bool,
}

/// A restore that writes into something.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Existing {
    #[serde(flatten)]
    pub(crate) condition: Condition,
    /// Into what.
    pub(crate) into: String,
    /// True if what AWS names afterwards is new all the same.
    #[serde(default)]
    pub(crate) makes: bool,
}

/// Condition on a request's metadata.
#[derive(Debug, Default, Deserialize)]
pub(crate) struct Condition {
    /// Each of these keys has one of the values.
    #[serde(default)]
    when: BTreeMap<String, Vec<String>>,
    /// None of these has.
    #[serde(default)]
    unless: BTreeMap<String, Vec<String>>,
    /// Each of these is there.
    #[serde(default)]
    has: Vec<String>,
}

/// A key that names what was backed up.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct SourceKey {
    pub(crate) key: String,
    /// Only where each of these keys has one of the values.
    #[serde(default)]
    pub(crate) when: BTreeMap<String, Vec<String>>,
    /// True if its value is an id that no created resource can have.
    #[serde(default)]
    pub(crate) not_made: bool,
}

/// Number of restores of a type that AWS runs at once.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct AtOnce {
    pub(crate) restores: u32,
    /// Page that documents it; for those who read the file.
    #[serde(rename = "source")]
    _source: String,
}

/// Recovery points that AWS does not list by resource alone.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct UnlistedCopies {
    pub(crate) what: String,
    #[serde(rename = "source")]
    _source: String,
}

/// Part that a restore does not make.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Lacks {
    #[serde(flatten)]
    pub(crate) condition: Condition,
    /// What: `instance`. A check that has the word in its name or its command makes one.
    pub(crate) what: String,
    /// Consequence of that.
    pub(crate) so: String,
    /// A command that makes one.
    pub(crate) make: String,
    #[serde(rename = "source")]
    _source: String,
}

/// Deletion through Cloud Control API of what a job has made.
#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(crate) struct Deletes {
    /// Beginning of the ARN after `arn:<partition>:`, without Region and account.
    pub(crate) arn: String,
    /// The type, as CloudFormation has it.
    pub(crate) r#type: String,
    #[serde(default)]
    pub(crate) identifier: Identifier,
    /// True if the identifier is a name, which can be given again.
    #[serde(default)]
    pub(crate) name: bool,
    /// The keys, and their values, with which a restore creates a new resource.
    #[serde(default)]
    pub(crate) new: BTreeMap<String, String>,
    /// Resources that AWS documents to stay behind, or to stand in the way.
    pub(crate) leaves: Option<String>,
    pub(crate) documented: Option<String>,
    #[serde(rename = "source")]
    _source: String,
}

/// Form of the primary identifier in an ARN.
#[derive(Debug, Default, Deserialize)]
#[serde(rename_all = "lowercase")]
pub(crate) enum Identifier {
    /// Everything after the beginning.
    #[default]
    Rest,
    /// Two parts, with `/table/` between.
    Pair,
}

/// Facts of `common.yaml`.
static COMMON: LazyLock<CommonFacts> =
    // Embedded, and read by a test.
    LazyLock::new(|| read_common().unwrap_or_default());

impl Facts {
    /// Returns the facts of a type, by AWS's name; `None` if there is no such type.
    pub(crate) fn of(resource_type: &str) -> Option<&'static Self> {
        Some(&TypeNotes::of(resource_type)?.facts)
    }

    /// Every type, by AWS's name.
    pub(crate) fn types() -> impl Iterator<Item = &'static str> {
        TypeNotes::all().map(|(name, _)| name)
    }
}

impl NamedReference {
    /// Returns true if a value names something that is not AWS's own.
    pub(crate) fn names(&self, value: &str) -> bool {
        !value.starts_with("default") && !self.except.iter().any(|of| of == value)
    }
}

impl Deletes {
    /// Lists what can be deleted of the resources that jobs of a type make.
    pub(crate) fn of(resource_type: &str) -> impl Iterator<Item = &'static Self> {
        let own = Facts::of(files::title_of(resource_type)).into_iter();
        let own = own.flat_map(|facts| &facts.deletes);
        common().deletes.iter().chain(own)
    }

    /// All that can be deleted. Every file is looked into.
    pub(crate) fn all() -> impl Iterator<Item = &'static Self> {
        let of_types = TypeNotes::all().flat_map(|(_, notes)| &notes.facts.deletes);
        common().deletes.iter().chain(of_types)
    }
}

impl Condition {
    /// The keys that it asks about.
    pub(crate) fn keys(&self) -> impl Iterator<Item = &str> {
        let keys = self.when.keys().chain(self.unless.keys());
        keys.chain(&self.has).map(String::as_str)
    }

    /// Returns true if a request's metadata meets the condition; keys in any case, as redrill takes them.
    pub(crate) fn holds(&self, metadata: &Metadata) -> bool {
        let is_one_of = |(key, values): (&String, &Vec<String>)| {
            let value = value(metadata, key);
            value.is_some_and(|value| values.iter().any(|v| v.eq_ignore_ascii_case(value)))
        };
        self.when.iter().all(is_one_of)
            && !self.unless.iter().any(is_one_of)
            && self.has.iter().all(|key| value(metadata, key).is_some())
    }
}

/// A metadata value, by its key in any case; none where it is empty.
pub(crate) fn value<'a>(metadata: &'a Metadata, key: &str) -> Option<&'a str> {
    let mut entries = metadata.iter();
    let found = entries.find(|(name, _)| name.eq_ignore_ascii_case(key))?;
    Some(found.1.as_str()).filter(|value| !value.is_empty())
}

/// Returns the facts about no type in particular.
pub(crate) fn common() -> &'static CommonFacts {
    &COMMON
}

pub(super) fn read_common() -> Result<CommonFacts, String> {
    #[derive(Deserialize)]
    #[serde(deny_unknown_fields)]
    struct CommonFile {
        /// Reasons why a value of another type is an error, for those who read the file.
        #[serde(rename = "types")]
        _types: BTreeMap<String, String>,
        /// Messages from AWS when a restore of any type fails.
        #[serde(rename = "failures")]
        _failures: Vec<RestoreFailure>,
        facts: CommonFacts,
    }
    let top: Result<CommonFile, _> = serde_json::from_value(top(files::common())?.into());
    top.map(|top| top.facts).map_err(|err| err.to_string())
}

/// The types that are restored without a role, by AWS's pages, as a sentence names them.
pub(crate) fn without_role() -> impl Iterator<Item = &'static str> {
    let all = TypeNotes::all().filter(|(_, notes)| notes.no_role.is_some());
    all.map(|(title, notes)| notes.called(title))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rules::Rules;

    /// The keys that a text with places in braces names.
    fn braced(text: &str) -> impl Iterator<Item = &str> {
        let places = text
            .split('{')
            .skip(1)
            .filter_map(|part| part.split_once('}'));
        let keys = places.map(|(place, _)| place.trim_start_matches("lower:"));
        keys.filter(|key| !["account", "region", "partition", "one", "any"].contains(key))
    }

    #[test]
    fn what_is_so_of_a_type_names_keys_of_it() {
        let rules = Rules::embedded();
        for title in rules.types() {
            let facts = Facts::of(title).unwrap();
            let conditions = facts.existing.iter().map(|existing| &existing.condition);
            let conditions = conditions.chain(facts.new_names.iter().map(|name| &name.condition));
            let conditions = conditions.chain(facts.picks.iter().map(|pick| &pick.condition));
            let conditions = conditions.flat_map(Condition::keys);
            let names = facts.new_names.iter();
            let names = names.flat_map(|name| braced(&name.is).chain([name.key.as_str()]));
            let sources = facts.source_keys.iter();
            let sources = sources.flat_map(|of| of.when.keys().chain([&of.key]));
            let keys = conditions
                .chain(names)
                .chain(
                    facts
                        .existing
                        .iter()
                        .flat_map(|existing| braced(&existing.into)),
                )
                .chain(sources.map(String::as_str))
                .chain(facts.picks.iter().map(|pick| pick.key.as_str()));
            for key in keys {
                let known = &rules.schema(title).unwrap()["properties"];
                assert!(known.get(key).is_some(), "{title} has no key {key}");
            }
            // Keys that a job's ARN is checked against are met in any case.
            for key in facts.makes.iter().flat_map(|form| braced(form)) {
                let spelled = rules.spelling(title, key);
                assert!(
                    rules.of(title).unwrap().properties.contains_key(spelled),
                    "{title} has no key {key}"
                );
            }
        }
    }

    #[test]
    fn what_types_share_can_be_read() {
        read_common().unwrap();
    }

    #[test]
    fn what_a_deletion_leaves_is_documented() {
        assert!(Deletes::all().count() > 10);
        for deletes in Deletes::all() {
            let (leaves, documented) = (&deletes.leaves, &deletes.documented);
            assert_eq!(leaves.is_some(), documented.is_some(), "{}", deletes.r#type);
        }
    }

    #[test]
    fn parts_are_in_the_key_that_holds_metadata() {
        let rules = Rules::embedded();
        for title in rules.types() {
            let properties = &rules.of(title).unwrap().properties;
            let holds = properties.iter().find(|(_, of)| of.holds_metadata);
            let parts = &Facts::of(title).unwrap().parts;
            assert_eq!(parts.as_ref(), holds.map(|(key, _)| key), "{title}");
        }
    }
}
