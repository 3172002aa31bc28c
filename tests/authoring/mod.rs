//! `inventory` and `init`: from an account to a plan that is valid and rehearses, for every type.

mod first_contact;
mod init;
mod inventory;
mod places;

use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;
use std::sync::LazyLock;

use redrill_emulator::{Emulator, Inventory, Options};
use serde::Deserialize;

use crate::support::{at_once, redrill};

/// A recovery point that there can be any number of.
#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
pub(super) struct Returned {
    #[serde(rename = "type")]
    pub(super) resource_type: String,
    #[serde(default)]
    pub(super) variant: Option<String>,
    #[serde(default)]
    storage_class: Option<String>,
    /// Whether it belongs to the composite one of its number.
    #[serde(default)]
    child: bool,
    arn: String,
    resource: String,
    metadata: BTreeMap<String, String>,
}

/// Every kind of recovery point that AWS is known to return something of.
pub(super) fn returned() -> Vec<Returned> {
    serde_yaml::from_str(include_str!("returned.yaml")).unwrap()
}

/// An inventory of `count` recovery points of each kind, over three vaults, and an older one of each second.
pub(super) fn account(count: usize) -> String {
    let mut vaults: BTreeMap<String, String> = BTreeMap::new();
    let composite = |n: usize| {
        filled(
            "arn:aws:backup:us-east-1:123456789012:recovery-point:composite:eks/prod-{n}-20261120",
            n,
        )
    };
    for (kind, returned) in returned().iter().enumerate() {
        for n in 1..=count {
            let vault = format!("vault-{}", (kind + n) % 3);
            let text = vaults.entry(vault).or_default();
            let points = [
                ("2026-11-20T03:00:00Z", ""),
                ("2026-11-13T03:00:00Z", "older-"),
            ];
            let older = n % 2 == 0 && !returned.child && returned.resource_type != "EKS";
            for (at, age) in points.iter().take(if older { 2 } else { 1 }) {
                let arn = filled(&returned.arn, n);
                let arn = match age.is_empty() {
                    true => arn,
                    false => format!("{arn}{}", age.trim_end_matches('-')),
                };
                let _ = write!(
                    text,
                    "      - arn: '{arn}'\n        resource_arn: '{}'\n        resource_type: '{}'\n        created_at: {at}\n        size_bytes: 107374182400\n        restore_metadata: {}\n",
                    filled(&returned.resource, n),
                    returned.resource_type,
                    filled(&serde_json::to_string(&returned.metadata).unwrap(), n),
                );
                if let Some(class) = &returned.storage_class {
                    let _ = writeln!(text, "        storage_class: {class}");
                }
                if returned.child {
                    let _ = writeln!(text, "        parent: '{}'", composite(n));
                }
            }
        }
    }
    let mut text = String::from("account: \"123456789012\"\nregion: us-east-1\nvaults:\n");
    for (name, points) in vaults {
        let _ = write!(text, "  {name}:\n    recovery_points:\n{points}");
    }
    text
}

fn filled(text: &str, n: usize) -> String {
    text.replace("{n}", &n.to_string())
        .replace("{h}", &format!("{n:08x}"))
}

pub(super) async fn serving(text: &str, options: Options) -> Emulator {
    crate::support::emulator(Options {
        inventory: Some(Inventory::parse(text).unwrap()),
        ..options
    })
    .await
}

/// Runs a command to its end, and gives what it printed.
pub(super) fn run(folder: &Path, arguments: &[&str], code: i32) -> (String, String) {
    let assert = redrill(folder).args(arguments).assert().code(code);
    let output = assert.get_output();
    (
        String::from_utf8(output.stdout.clone()).unwrap(),
        String::from_utf8(output.stderr.clone()).unwrap(),
    )
}

/// Recovery points of each kind that go the whole way in the suite. `REDRILL_AUTHORING=130 cargo test --release authoring`
/// goes it with five thousand.
static EACH: LazyLock<usize> = LazyLock::new(|| {
    let asked = std::env::var("REDRILL_AUTHORING").ok();
    asked.and_then(|count| count.parse().ok()).unwrap_or(4)
});

/// The whole way, as one goes it: an account to a file, the file to a plan, the plan checked and rehearsed.
#[tokio::test(flavor = "multi_thread")]
async fn from_an_account_to_a_rehearsal() {
    let folder = crate::support::folder();
    let text = account(*EACH);
    let emulator = serving(&text, at_once()).await;
    let url = emulator.url();
    let path = folder.path().to_owned();
    tokio::task::spawn_blocking(move || way(&path, &url))
        .await
        .unwrap();
    emulator.shutdown().await;
}

fn way(folder: &Path, url: &str) {
    let (_, said) = run(
        folder,
        &[
            "inventory",
            "--region",
            "us-east-1",
            "--endpoint-url",
            url,
            "-o",
            "account.yaml",
        ],
        0,
    );
    let points = Inventory::parse(&account(*EACH))
        .unwrap()
        .recovery_points()
        .count();
    assert!(
        said.contains(&format!("{points} recovery points in 3 vaults")),
        "{said}"
    );
    run(
        folder,
        &["init", "--inventory", "account.yaml", "-o", "plan.yaml"],
        0,
    );
    let (checked, _) = run(
        folder,
        &[
            "validate",
            "plan.yaml",
            "--inventory",
            "account.yaml",
            "--format",
            "json",
        ],
        0,
    );
    let checked: serde_json::Value = serde_json::from_str(&checked).unwrap();
    let found: Vec<String> = checked["findings"]
        .as_array()
        .unwrap()
        .iter()
        .filter(|finding| finding["severity"] != "note")
        .map(|finding| format!("{} {}", finding["rule"], finding["message"]))
        .collect();
    assert!(found.is_empty(), "{found:#?}");
    // Names keep within their limits, whatever the run is called.
    let long = format!("Incident_4711.{}", "x".repeat(50));
    let (checked, _) = run(
        folder,
        &[
            "validate",
            "plan.yaml",
            "--inventory",
            "account.yaml",
            "--run-id",
            &long,
        ],
        0,
    );
    assert!(checked.ends_with("0 errors, 0 warnings\n"), "{checked}");
    let (report, _) = run(
        folder,
        &[
            "rehearse",
            "plan.yaml",
            "--inventory",
            "account.yaml",
            "--format",
            "json",
            "-q",
        ],
        0,
    );
    let report: serde_json::Value = serde_json::from_str(&report).unwrap();
    let restores = report["restores"].as_array().unwrap();
    // Two kinds of the fixture belong to another, and come back with it.
    assert_eq!(restores.len(), (returned().len() - 2) * *EACH);
    assert!(
        restores
            .iter()
            .all(|restore| restore["status"] == "COMPLETED")
    );
}
