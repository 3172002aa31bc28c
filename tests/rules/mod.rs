//! The rules of every resource type against what is known of AWS: samples, refusals, and cases of our own.

mod complete;
pub(crate) mod corpus;
mod editor;
mod evidence;
mod explain;
mod field;
pub(crate) mod files;
mod marks;
mod minimum;
mod places;
mod plans;
mod registry;

use std::collections::BTreeSet;
use std::path::{Path, PathBuf};
use std::sync::{Arc, LazyLock};

use redrill::diagnostic::{Finding, Severity, Source};
use redrill::ids::RunId;
use redrill::inventory::RecordedInventory;
use redrill::render::{Inputs, Known};
use redrill::rules::Rules;
use redrill::session;
use serde_json::Value;

/// What stands below every fixture, which holds `restores` alone so that its lines are its own.
const AROUND: &str = "
plan: fixture
target:
  region: us-west-2
  account: \"123456789012\"
  iam_role_arn: arn:aws:iam::123456789012:role/restore
";

/// Compiled once for every test of a process.
static RULES: LazyLock<Arc<Rules>> = LazyLock::new(|| Arc::new(Rules::embedded()));

/// The recovery points that are at hand.
static INVENTORY: LazyLock<RecordedInventory> =
    LazyLock::new(|| RecordedInventory::parse(include_str!("inventory.yaml")).unwrap());

fn root() -> PathBuf {
    PathBuf::from(env!("CARGO_MANIFEST_DIR"))
}

fn read(path: impl AsRef<Path>) -> String {
    let path = root().join(path);
    std::fs::read_to_string(&path).unwrap_or_else(|err| panic!("{}: {err}", path.display()))
}

/// The files of a directory with an extension, by name.
fn files(directory: &str, extension: &str) -> Vec<PathBuf> {
    let mut files: Vec<PathBuf> = std::fs::read_dir(root().join(directory))
        .unwrap_or_else(|err| panic!("{directory}: {err}"))
        .map(|entry| entry.unwrap().path())
        .filter(|path| path.extension().is_some_and(|e| e == extension))
        .collect();
    files.sort();
    files
}

/// Everything that is said of a plan, in its order.
fn check(name: &str, text: &str) -> Vec<Finding> {
    let source = Source::new(name, text);
    let known = Known {
        sources: INVENTORY.all(),
        ..Known::default()
    };
    let findings = match session::read(&source, &RunId::new("main"), &Inputs::default(), &RULES) {
        Ok(loaded) => loaded.draft(&known).findings,
        Err(findings) => findings,
    };
    findings.into_sorted()
}

/// Everything that is said of one restore, where everything around it is right.
fn check_metadata(resource_type: &str, recovery_point: &str, metadata: &Value) -> Vec<Finding> {
    let restores = serde_json::json!({
        "restores": {
            "it": { "type": resource_type, "recovery_point": recovery_point, "metadata": metadata },
        },
    });
    // JSON is YAML; the rest of the plan has to be at the top as well.
    let json = restores.to_string();
    let plan = format!(
        "{{ \"plan\": \"case\", \"target\": {{ \"region\": \"{}\", \"account\": \"123456789012\", \"iam_role_arn\": \"arn:{}:iam::123456789012:role/restore\" }}, {}",
        recovery_point.split(':').nth(3).unwrap_or("us-west-2"),
        recovery_point.split(':').nth(1).unwrap_or("aws"),
        &json[1..],
    );
    check("case", &plan)
}

fn errors(findings: &[Finding]) -> Vec<&Finding> {
    findings
        .iter()
        .filter(|f| f.severity == Severity::Error)
        .collect()
}

fn told(finding: &Finding) -> String {
    let severity = match finding.severity {
        Severity::Error => "error",
        Severity::Warning => "warning",
        Severity::Note => "note",
    };
    format!("{severity}[{}]: {}", finding.rule, finding.message)
}

/// A recovery point of a type, in AWS's form.
fn recovery_point(resource_type: &str) -> &'static str {
    match resource_type {
        "Aurora" | "DocumentDB" | "Neptune" => {
            "arn:aws:rds:us-west-2:123456789012:cluster-snapshot:awsbackup:job-1eb3b5e7-9eb0-435a-a80b-108b488b0d45"
        }
        "RDS" => {
            "arn:aws:rds:us-west-2:123456789012:snapshot:awsbackup:job-1eb3b5e7-9eb0-435a-a80b-108b488b0d45"
        }
        "EBS" | "Storage Gateway" => "arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60718",
        "EC2" => "arn:aws:ec2:us-west-2::image/ami-0a1b2c3d4e5f60718",
        "EKS" => {
            "arn:aws:backup:us-west-2:123456789012:recovery-point:composite:eks/orders-20261120030000"
        }
        "FSx" => "arn:aws:fsx:us-west-2:123456789012:backup/backup-0a1b2c3d4e5f60718",
        "Redshift" => {
            "arn:aws:redshift:us-west-2:123456789012:snapshot:orders/awsbackup:job-1eb3b5e7-9eb0-435a-a80b-108b488b0d45"
        }
        "Redshift Serverless" => {
            "arn:aws:redshift-serverless:us-west-2:123456789012:snapshot:orders/awsbackup:job-1eb3b5e7"
        }
        _ => {
            "arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45"
        }
    }
}

/// AWS's names of all types that have rules.
fn types() -> Vec<String> {
    Rules::embedded().types().map(str::to_owned).collect()
}

fn slug(resource_type: &str) -> String {
    resource_type.to_lowercase().replace(' ', "-")
}

/// The ids of every rule that a schema names.
fn rule_ids(schema: &Value, ids: &mut BTreeSet<String>) {
    match schema {
        Value::Array(items) => items.iter().for_each(|item| rule_ids(item, ids)),
        Value::Object(map) => {
            if let Some(rule) = schema["x-redrill"]["rule"].as_str() {
                ids.insert(rule.to_owned());
            }
            map.values().for_each(|value| rule_ids(value, ids));
        }
        _ => {}
    }
}
