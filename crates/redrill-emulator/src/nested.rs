//! Composite recovery points: one restore, and a child job for each recovery point nested in it. Amazon EKS alone restores
//! the composite itself, <https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-eks.html>; the children are
//! listed by `parentJobId`.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::caller::Caller;
use super::catalog::Catalog;
use super::course::{self, Order};
use super::error::ApiError;
use super::job::{Job, Outcome};
use super::metadata::Metadata;
use super::point::Point;
use super::refusals;
use super::resource_types;
use super::service::job_id;

/// A nested recovery point and the metadata of its restore.
#[derive(Debug)]
pub(super) struct Part {
    point: Point,
    metadata: BTreeMap<String, String>,
}

/// Returns true if the restore of this recovery point has children.
pub(super) fn is_parent(point: &Point) -> bool {
    point.resource_type() == "EKS" && point.is_composite()
}

/// The recovery points that are restored along: those that `nestedRestoreJobs` names, and those that the inventory has as
/// children; none where only manifests are restored.
pub(super) fn parts(
    catalog: &Catalog,
    caller: &Caller,
    point: &Point,
    metadata: &Metadata<'_>,
) -> Result<Vec<Part>, ApiError> {
    if metadata.get("restoreKubernetesManifestsOnly") == Some("true") {
        return Ok(Vec::new());
    }
    let invalid = |message: String| ApiError::invalid("Metadata", message);
    let wanted: BTreeMap<String, Value> = match metadata.get("nestedRestoreJobs") {
        None => BTreeMap::new(),
        Some(text) => serde_json::from_str(text).map_err(|error| {
            invalid(format!(
                "Invalid restore metadata: nestedRestoreJobs is not a JSON object: {error}"
            ))
        })?,
    };
    let mut points: BTreeMap<String, Point> = catalog
        .children_of(caller, point.arn())
        .into_iter()
        .map(|child| (child.point.arn.clone(), Point::Listed(Arc::clone(child))))
        .collect();
    for arn in wanted.keys() {
        if !points.contains_key(arn) {
            points.insert(arn.clone(), catalog.find(caller, arn, None)?);
        }
    }
    let namespaces = metadata.get("namespaceLevelRestore") == Some("true");
    let parts = points.into_iter().filter_map(|(arn, point)| {
        let metadata = match wanted.get(&arn) {
            // A restore of some namespaces takes the volumes that it names; any other takes all.
            None if namespaces => return None,
            None => BTreeMap::new(),
            Some(Value::String(text)) => serde_json::from_str(text).unwrap_or_default(),
            Some(value) => serde_json::from_value(value.clone()).unwrap_or_default(),
        };
        Some(Part { point, metadata })
    });
    Ok(parts.collect())
}

impl Part {
    /// The child's job, which begins when its parent does.
    pub(super) fn job(self, parent: &Job) -> Job {
        let id = job_id(&[&parent.id.to_string(), self.point.arn()]);
        let home = (&*parent.account, &*parent.region);
        let row = resource_types::find(self.point.resource_type());
        let metadata = Metadata::from(&self.metadata);
        // The part with the cluster's own state comes back as the cluster.
        let is_state = self.point.resource_type() == parent.point.resource_type();
        let created_arn = match &parent.created_arn {
            Some(cluster) if is_state => Some(cluster.to_string()),
            _ => course::created_arn(row, &self.point, home, &metadata, id),
        };
        let judged = refusals::Request {
            resource_type: row.map_or(self.point.resource_type(), |row| &row.name),
            asked_type: None,
            metadata: &metadata,
            copy_tags: false,
            role: None,
            account: &parent.account,
            region: &parent.region,
            point: &self.point,
            around: &|_| None,
            surrounded: false,
            taken: &|| false,
            world: None,
            session: None,
        };
        let end = refusals::end_nested(&judged);
        let body = json!({
            "RecoveryPointArn": self.point.arn(),
            "Metadata": self.metadata,
            "IamRoleArn": parent.iam_role_arn,
        });
        let order = Order {
            id,
            account: Arc::clone(&parent.account),
            region: Arc::clone(&parent.region),
            body: body.to_string().into(),
            iam_role_arn: parent.iam_role_arn.clone(),
            created_arn,
            end,
            fault: None,
            parent: Some(parent.id),
            row,
            point: self.point,
        };
        course::settle(order, parent.created_at, |_| parent.starts_at)
    }
}

/// A parent ends when its last child has. What becomes of it when a child fails is not documented; it completes, with a
/// message that is ours.
pub(super) fn end_with_children(parent: &mut Job, children: &[Job]) {
    let last = children.iter().map(|child| child.ends_at).max();
    parent.ends_at = parent.ends_at.max(last.unwrap_or(parent.ends_at));
    let failed = children
        .iter()
        .filter(|child| matches!(child.outcome, Outcome::Failed(_) | Outcome::Aborted(_)))
        .count();
    if failed > 0 && parent.outcome == Outcome::Completed {
        let message = format!("{failed} of {} nested restore jobs failed.", children.len());
        parent.outcome = Outcome::Issues(message.into());
    }
}
