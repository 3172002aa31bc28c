//! Recovery points and rules to the text of a plan that is valid as it is written.
//!
//! The metadata begins with what AWS returned and with what the type's `init` notes say. Then the plan's own rules judge
//! it: what they find about a key that AWS returned is why that key is left out, so that a reason stands in one place,
//! with the rule.

mod draft;
mod example;
mod init;
mod mapped;
mod names;
mod text;

pub use example::{ExampleFile, example};

use std::cmp::Reverse;
use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::sync::Arc;

use draft::{DraftSource, Drafter, Proposal};
use mapped::Variables;

use crate::backup::RecoveryPoint;
use crate::diagnostic::{Finding, Findings, Severity, Source};
use crate::diff::Review;
use crate::ids::{AccountId, RegionName, RunId};
use crate::parse::{Document, document};
use crate::plan::Planner;
use crate::render::{Inputs, Known, Renderer, SourceFacts, without_secrets};
use crate::rules::{Composite, Rules, RulesError};

/// Each round leaves out what the one before has found; a few are enough, as leaving out makes little wrong.
const ROUNDS: usize = 6;

/// A recovery point to restore.
#[derive(Clone, Debug)]
pub struct ChosenPoint {
    /// Recovery point as it is listed.
    pub point: RecoveryPoint,
    /// Metadata that GetRecoveryPointRestoreMetadata returned.
    pub metadata: BTreeMap<String, String>,
    /// The recovery points that belong to it.
    pub children: Vec<String>,
    /// Its target, by its index in [`Head::places`].
    pub place: usize,
}

/// An account in a Region.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub struct AccountRegion {
    /// Twelve digits.
    pub account: AccountId,
    /// Such as `us-east-1`.
    pub region: RegionName,
}

/// Facts about the plan as a whole.
#[derive(Clone, Debug)]
pub struct Head {
    /// The plan's name; made fit for one.
    pub plan: String,
    /// The accounts and Regions of the recovery points, which are also the targets.
    pub places: Vec<AccountRegion>,
}

/// A recovery point that no restore is written for, and why.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct UnusedPoint {
    /// Its ARN.
    pub arn: String,
    /// Why.
    pub reason: String,
}

/// One restore of the plan, as far as it is known.
struct DraftedRestore<'a> {
    name: String,
    resource_type: String,
    chosen: &'a ChosenPoint,
    facts: SourceFacts,
    /// Secrets of the source, by name.
    secrets: Vec<String>,
    /// Keys that the rules speak against, with the reason.
    dropped: BTreeMap<String, String>,
    /// Findings of the rules that leaving out does not mend.
    remarks: Vec<String>,
    /// Resource that it writes into, if that exists already.
    into: Option<String>,
}

/// The latest recovery point of each resource that a restore can be started from, and what was passed over.
#[must_use]
pub fn latest(points: Vec<RecoveryPoint>, rules: &Rules) -> (Vec<RecoveryPoint>, Vec<UnusedPoint>) {
    let mut passed = Vec::new();
    let mut pass = |point: &RecoveryPoint, reason: String| {
        passed.push(UnusedPoint {
            arn: point.arn.clone(),
            reason,
        });
    };
    let of_type = |point: &RecoveryPoint| point.resource_type.clone().unwrap_or_default();
    let wholes: HashMap<String, bool> = points
        .iter()
        .filter(|point| rules.composite(&of_type(point)) == Some(Composite::Whole))
        .map(|point| (point.arn.clone(), point.status.is_restorable()))
        .collect();
    let one_by_one: BTreeSet<String> = points
        .iter()
        .filter(|point| rules.composite(&of_type(point)) == Some(Composite::Nested))
        .map(|point| point.arn.clone())
        .collect();
    let mut best: BTreeMap<(String, String), RecoveryPoint> = BTreeMap::new();
    for point in points {
        if !point.status.is_restorable() {
            pass(&point, format!("it is {}", point.status));
            continue;
        }
        if point.deleted_after_copy {
            pass(
                &point,
                "it is deleted as soon as it has been copied".to_owned(),
            );
            continue;
        }
        if point.is_parent && rules.composite(&of_type(&point)) == Some(Composite::Nested) {
            pass(
                &point,
                "a composite one; what belongs to it is restored one by one".to_owned(),
            );
            continue;
        }
        // Of a composite point that is restored one by one, its parts are what there is to restore.
        if let Some(parent) = &point.parent
            && !one_by_one.contains(parent)
        {
            pass(
                &point,
                match wholes.get(parent) {
                    Some(true) => format!("it comes back with {parent}, which it belongs to"),
                    Some(false) => format!(
                        "it belongs to {parent}, which cannot be restored now; name it to restore only this part"
                    ),
                    None => format!(
                        "it belongs to {parent}, which is not among these; name it to restore only this part"
                    ),
                },
            );
            continue;
        }
        let key = (of_type(&point), point.resource_arn.clone());
        match best.remove(&key) {
            None => drop(best.insert(key, point)),
            Some(other) => {
                // Of two of the same time, the one whose ARN comes first, whatever the order of a listing.
                let age = |point: &RecoveryPoint| (point.created_at, Reverse(point.arn.clone()));
                let (newer, older) = match age(&point) > age(&other) {
                    true => (point, other),
                    false => (other, point),
                };
                pass(&older, format!("there is a later one: {}", newer.arn));
                best.insert(key, newer);
            }
        }
    }
    (best.into_values().collect(), passed)
}

/// Writes the plan.
///
/// # Errors
///
/// Where a note of a schema means nothing: a mistake of ours, found by the tests.
pub fn plan(head: &Head, chosen: &[ChosenPoint], rules: &Arc<Rules>) -> Result<String, RulesError> {
    let mut drafts = drafts(chosen, rules);
    let mut open: BTreeSet<usize> = (0..drafts.len()).collect();
    let author = Author {
        head,
        rules,
        drafters: drafters(&drafts, rules)?,
    };
    for _ in 0..ROUNDS {
        if open.is_empty() {
            break;
        }
        let some: Vec<usize> = open.iter().copied().collect();
        let (text, _) = author.write(&drafts, &some);
        let findings = author.judge(&text, &drafts);
        open = author.leave_out(&findings, &mut drafts);
    }
    let all: Vec<usize> = (0..drafts.len()).collect();
    let text = author.write(&drafts, &all).0;
    let into = author.writes_into(&text, &drafts);
    if !into.is_empty() {
        for draft in &mut drafts {
            draft.into = into.get(&draft.name).cloned();
        }
    }
    let (single, proposals) = author.write(&drafts, &all);
    let groups = groups(&drafts, &proposals, head);
    if groups.is_empty() {
        return Ok(single);
    }
    let grouped = author.laid_out(&drafts, &all, &groups).0;
    // Equal restores share a block, unless a rule rejects it: then each has its own.
    let findings = |text: &str| author.judge(text, &drafts).len();
    match findings(&grouped) <= findings(&single) {
        true => Ok(grouped),
        false => Ok(single),
    }
}

/// So many equal restores become one block.
const EQUAL: usize = 3;

/// Restores that differ in nothing but their recovery points, by their numbers: the name of their block, by the first of them.
fn groups(
    drafts: &[DraftedRestore<'_>],
    proposals: &[Proposal],
    head: &Head,
) -> BTreeMap<usize, (String, Vec<usize>)> {
    let mut equal: BTreeMap<String, Vec<usize>> = BTreeMap::new();
    for (at, (draft, proposal)) in drafts.iter().zip(proposals).enumerate() {
        let is_plain = draft.into.is_none()
            && draft.remarks.is_empty()
            && draft.chosen.point.vault_account.is_none()
            && draft.chosen.children.is_empty();
        if is_plain {
            let key = format!(
                "{} {} {:?} {:?}",
                draft.resource_type, draft.chosen.place, proposal.entries, proposal.left_out
            );
            equal.entry(key).or_default().push(at);
        }
    }
    let mut taken: BTreeSet<String> = drafts.iter().map(|draft| draft.name.clone()).collect();
    let mut blocks: Vec<Vec<usize>> = equal
        .into_values()
        .filter(|all| all.len() >= EQUAL)
        .collect();
    blocks.sort();
    blocks
        .into_iter()
        .map(|all| {
            let draft = &drafts[all[0]];
            let mut name = names::slug(&draft.resource_type);
            if head.places.len() > 1 {
                name = format!("{name}-{}", head.places[draft.chosen.place].region);
            }
            let base = name.clone();
            let mut nth = 1;
            while !taken.insert(name.clone()) {
                nth += 1;
                name = format!("{base}-{nth}");
            }
            (all[0], (name, all))
        })
        .collect()
}

fn drafts<'a>(chosen: &'a [ChosenPoint], rules: &Rules) -> Vec<DraftedRestore<'a>> {
    let of_type = |chosen: &ChosenPoint| chosen.point.resource_type.clone().unwrap_or_default();
    let mut sorted: Vec<&ChosenPoint> = chosen.iter().collect();
    sorted.sort_by_cached_key(|chosen| {
        let point = &chosen.point;
        (
            of_type(chosen),
            chosen.place,
            point.resource_arn.clone(),
            point.arn.clone(),
        )
    });
    let types: Vec<String> = sorted.iter().map(|chosen| of_type(chosen)).collect();
    let resources: Vec<names::Resource<'_>> = sorted
        .iter()
        .zip(&types)
        .map(|(chosen, of_type)| names::Resource {
            of_type,
            arn: &chosen.point.resource_arn,
            name: rules.resource_name(of_type, &chosen.point.resource_arn),
        })
        .collect();
    let names = names::names(&resources);
    sorted
        .into_iter()
        .zip(names)
        .map(|(chosen, name)| {
            let point = &chosen.point;
            let mut metadata = BTreeMap::new();
            let mut secrets = Vec::new();
            for (key, value) in &chosen.metadata {
                let (value, names) = without_secrets(key, value);
                secrets.extend(names);
                if let Some(value) = value {
                    metadata.insert(key.clone(), value);
                }
            }
            DraftedRestore {
                name,
                resource_type: of_type(chosen),
                chosen,
                facts: SourceFacts {
                    resource_type: point.resource_type.clone(),
                    expires_at: point.expires_at.map(|at| at.to_string()),
                    created_at: point
                        .created_at
                        .map(|at| at.to_string())
                        .unwrap_or_default(),
                    resource_arn: point.resource_arn.clone(),
                    size_bytes: point.size_bytes.unwrap_or_default(),
                    metadata,
                    storage_class: point.storage_class.clone(),
                    is_parent: point.is_parent,
                },
                secrets,
                dropped: BTreeMap::new(),
                remarks: Vec::new(),
                into: None,
            }
        })
        .collect()
}

fn drafters<'r>(
    drafts: &[DraftedRestore<'_>],
    rules: &'r Rules,
) -> Result<BTreeMap<String, Drafter<'r>>, RulesError> {
    let types: BTreeSet<&String> = drafts.iter().map(|draft| &draft.resource_type).collect();
    types
        .into_iter()
        .map(|name| Ok((name.clone(), Drafter::new(rules, name)?)))
        .collect()
}

struct Author<'a> {
    head: &'a Head,
    rules: &'a Arc<Rules>,
    drafters: BTreeMap<String, Drafter<'a>>,
}

impl Author<'_> {
    /// The plan of some of the restores, and the proposals that it was written from.
    fn write(&self, drafts: &[DraftedRestore<'_>], some: &[usize]) -> (String, Vec<Proposal>) {
        self.laid_out(drafts, some, &BTreeMap::new())
    }

    /// The same, with equal restores merged into blocks.
    fn laid_out(
        &self,
        drafts: &[DraftedRestore<'_>],
        some: &[usize],
        groups: &BTreeMap<usize, (String, Vec<usize>)>,
    ) -> (String, Vec<Proposal>) {
        let mut variables = Variables::default();
        let proposals: Vec<Proposal> = some
            .iter()
            .map(|at| self.propose(&drafts[*at], &mut variables))
            .collect();
        let restores: Vec<text::RestoreText<'_>> = some
            .iter()
            .zip(&proposals)
            .map(|(at, proposal)| {
                let draft = &drafts[*at];
                text::RestoreText {
                    name: &draft.name,
                    resource_type: &draft.resource_type,
                    schema: self.rules.schema(&draft.resource_type),
                    chosen: draft.chosen,
                    proposal,
                    remarks: &draft.remarks,
                    into: draft.into.as_deref(),
                }
            })
            .collect();
        let text = text::plan(self.head, &variables, &restores, groups);
        (text, proposals)
    }

    fn propose(&self, draft: &DraftedRestore<'_>, variables: &mut Variables) -> Proposal {
        let place = &self.head.places[draft.chosen.place];
        let origin = DraftSource {
            arn: &draft.chosen.point.arn,
            facts: &draft.facts,
            children: &draft.chosen.children,
            account: &place.account,
            region: &place.region,
            dropped: &draft.dropped,
        };
        let Some(drafter) = self.drafters.get(&draft.resource_type) else {
            return Proposal::default();
        };
        let mut proposal = drafter.propose(&origin, variables);
        for name in &draft.secrets {
            proposal.left_out.push((
                name.clone(),
                "it looks like a secret; give it as a variable with `secret: true` where it is needed"
                    .to_owned(),
            ));
        }
        proposal.left_out.sort();
        proposal
    }

    /// The plan as it would be read, and what is known of its recovery points.
    fn planned(
        &self,
        text: &str,
        drafts: &[DraftedRestore<'_>],
        findings: &mut Findings,
    ) -> Option<(Planner, Known)> {
        let source = Source::new("plan", text);
        let document = Arc::new(document(&source, findings)?);
        let inputs = Inputs::default();
        let renderer = Renderer::new(&document, &RunId::new("main"), &inputs, findings);
        let known = Known {
            sources: drafts
                .iter()
                .map(|draft| (draft.chosen.point.arn.clone(), draft.facts.clone()))
                .collect(),
            ..Known::default()
        };
        Some((Planner::new(renderer, Arc::clone(self.rules)), known))
    }

    /// Finds what restores write into, if that exists already: by the name of the restore.
    fn writes_into(&self, text: &str, drafts: &[DraftedRestore<'_>]) -> BTreeMap<String, String> {
        let mut findings = Findings::default();
        let Some((planner, known)) = self.planned(text, drafts, &mut findings) else {
            return BTreeMap::new();
        };
        let review = Review::embedded(self.rules);
        let places: BTreeMap<&str, &AccountRegion> = drafts
            .iter()
            .map(|draft| (&*draft.name, &self.head.places[draft.chosen.place]))
            .collect();
        let instances = planner.instances().all().enumerated();
        instances
            .filter_map(|(at, instance)| {
                let place = places.get(instance.name.as_str())?;
                let mut targets = planner.targets().iter();
                let target =
                    targets.find(|of| of.account == place.account && of.region == place.region)?;
                let draft = planner.draft(at, &known, &mut findings)?;
                let into = review.writes_into(&draft, target)?;
                Some((instance.name.to_string(), into))
            })
            .collect()
    }

    /// Returns the findings of the rules about the plan.
    fn judge(&self, text: &str, drafts: &[DraftedRestore<'_>]) -> Vec<(Option<String>, Finding)> {
        let mut findings = Findings::default();
        let Some((planner, known)) = self.planned(text, drafts, &mut findings) else {
            return Vec::new();
        };
        let document = Arc::clone(planner.document());
        let _ = planner.plan(&known, &mut findings);
        findings
            .into_iter()
            .filter(|finding| finding.severity != Severity::Note)
            .map(|finding| (key_of(&document, &finding), finding))
            .collect()
    }

    /// Leaves out the keys that AWS returned and the rules speak against; says of which restores there was one.
    fn leave_out(
        &self,
        findings: &[(Option<String>, Finding)],
        drafts: &mut [DraftedRestore<'_>],
    ) -> BTreeSet<usize> {
        let by_name: HashMap<String, usize> = drafts
            .iter()
            .enumerate()
            .map(|(at, draft)| (draft.name.clone(), at))
            .collect();
        let mut changed = BTreeSet::new();
        for (written, finding) in findings {
            let Some(at) = finding
                .restore
                .as_ref()
                .and_then(|name| by_name.get(name.as_str()))
            else {
                continue;
            };
            let proposal = self.propose(&drafts[*at], &mut Variables::default());
            let returned = |key: &&String| {
                proposal
                    .entries
                    .iter()
                    .any(|entry| entry.key == **key && entry.expendable)
            };
            // A rule points at the key that has to go; what it is about may be another.
            let key = written.as_ref().filter(returned);
            let key = key.or(finding.key.as_ref().filter(returned));
            let draft = &mut drafts[*at];
            match key {
                Some(key) => {
                    draft.dropped.insert(key.clone(), finding.message.clone());
                    changed.insert(*at);
                }
                None => {
                    let remark = format!("{}; {}", finding.message, finding.help);
                    if !draft.remarks.contains(&remark) {
                        draft.remarks.push(remark);
                    }
                }
            }
        }
        changed
    }
}

/// The metadata key that a finding stands at.
fn key_of(document: &Document, finding: &Finding) -> Option<String> {
    let name = finding.restore.as_ref()?;
    let restore = document
        .restores
        .iter()
        .find(|r| r.name.value == name.as_str())?;
    let at = finding.span.start;
    let entry = restore
        .metadata
        .iter()
        .rfind(|entry| entry.key.span.start <= at && at <= entry.value.span.end)?;
    Some(entry.key.value.clone())
}
