//! A run writes down what its selectors mean, and keeps to it.

use redrill::state::Event;
use redrill_emulator::{Inventory, Options};

use crate::support::{at_once, emulator, folder, process, records, redrill, write};

/// The recovery points of two file systems, those of `days` in November.
fn inventory(days: &[u32]) -> String {
    let mut text = String::from(
        "account: \"123456789012\"\nregion: us-west-2\nvaults:\n  dr:\n    recovery_points:\n",
    );
    for of in ["a", "b"] {
        for day in days {
            text.push_str(&format!(
                "      - arn: arn:aws:backup:us-west-2:123456789012:recovery-point:{of}-{day:02}\n        resource_arn: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-{of}\n        resource_type: EFS\n        created_at: 2026-11-{day:02}T03:00:00Z\n        size_bytes: 1024\n        restore_metadata: {{ file-system-id: fs-{of} }}\n"
            ));
        }
    }
    text
}

const PLAN: &str = "plan: files
target:
  region: us-west-2
  account: \"123456789012\"
  iam_role_arn: arn:aws:iam::123456789012:role/restore
restores:
  files:
    type: EFS
    for_each: [a, b]
    recovery_point:
      resource: arn:aws:elasticfilesystem:us-west-2:123456789012:file-system/fs-{{ each.key }}
      max_age: 10000d
    metadata:
      file-system-id: \"{{ source.metadata['file-system-id'] }}\"
      newFileSystem: true
      Encrypted: true
      PerformanceMode: generalPurpose
      CreationToken: \"{{ restore | replace('[', '-') | replace(']', '') }}-{{ source.created_at }}\"
";

fn resolved(folder: &std::path::Path) -> Vec<(String, String)> {
    let events = records(&folder.join(".redrill"), "files", "main");
    events
        .unwrap()
        .into_iter()
        .filter_map(|recorded| match recorded.event {
            Event::Resolved { restore, point, .. } => {
                Some((restore.to_string(), point.recovery_point))
            }
            _ => None,
        })
        .collect()
}

fn point(of: &str) -> String {
    format!("arn:aws:backup:us-west-2:123456789012:recovery-point:{of}")
}

#[tokio::test(flavor = "multi_thread")]
async fn what_was_resolved_once_stays_what_it_was() {
    let every = inventory(&[20, 21, 22]);
    let emulator = emulator(Options {
        inventory: Some(Inventory::parse(&every).unwrap()),
        ..at_once()
    })
    .await;
    let folder = folder();
    let path = folder.path().to_owned();
    write(&path, "plan.yaml", PLAN);
    write(&path, "monday.yaml", &inventory(&[20, 21]));
    write(&path, "tuesday.yaml", &every);
    let url = emulator.url();
    tokio::task::spawn_blocking(move || {
        let run = |arguments: &[&str]| {
            let output = redrill(&path)
                .args(["run", "plan.yaml", "--yes", "--endpoint-url", &url])
                .args(arguments)
                .output()
                .unwrap();
            let text = String::from_utf8_lossy(&output.stderr).into_owned()
                + &String::from_utf8_lossy(&output.stdout);
            (output.status.code(), text)
        };
        // One of the two, with what there is on Monday.
        let (code, text) = run(&["--inventory", "monday.yaml", "--only", "files[a]"]);
        assert_eq!(code, Some(0), "{text}");
        assert!(
            text.contains("recovery-point:a-21, made 2026-11-21T03:00:00Z"),
            "{text}"
        );
        assert_eq!(resolved(&path), [("files[a]".to_owned(), point("a-21"))]);

        // On Tuesday there are newer ones: the first stays, the second takes the newer.
        let (code, text) = run(&["--inventory", "tuesday.yaml"]);
        assert_eq!(code, Some(0), "{text}");
        let both = [
            ("files[a]".to_owned(), point("a-21")),
            ("files[b]".to_owned(), point("b-22")),
        ];
        assert_eq!(resolved(&path), both);
        let again = redrill(&path)
            .args([
                "plan",
                "plan.yaml",
                "--inventory",
                "tuesday.yaml",
                "--format",
                "json",
            ])
            .output()
            .unwrap();
        let diff: serde_json::Value = serde_json::from_slice(&again.stdout).unwrap();
        for (restore, (_, arn)) in diff["restores"].as_array().unwrap().iter().zip(&both) {
            assert_eq!(restore["action"], "done");
            assert_eq!(restore["request"]["RecoveryPointArn"], **arn);
        }
        // Another run is another day.
        let (code, text) = run(&["--inventory", "tuesday.yaml", "--run-id", "again"]);
        assert_eq!(code, Some(0), "{text}");
        assert!(text.contains("recovery-point:a-22"), "{text}");
    })
    .await
    .unwrap();
    let mut restored: Vec<String> = emulator
        .jobs()
        .iter()
        .map(|job| job.request["RecoveryPointArn"].as_str().unwrap().to_owned())
        .collect();
    restored.sort();
    let expected = ["a-21", "a-22", "b-22", "b-22"].map(point);
    assert_eq!(restored, expected);
    emulator.shutdown().await;
}

/// Ages are measured from the start of the run: what was young enough then does not grow too old while a run is taken up
/// again, and what a later part of it asks for is measured by the same.
#[tokio::test(flavor = "multi_thread")]
async fn ages_are_measured_from_the_start_of_the_run() {
    let world = inventory(&[20, 21]);
    let emulator = emulator(Options {
        inventory: Some(Inventory::parse(&world).unwrap()),
        ..at_once()
    })
    .await;
    let folder = folder();
    let path = folder.path().to_owned();
    write(&path, "plan.yaml", PLAN);
    write(&path, "world.yaml", &world);
    let url = emulator.url();
    tokio::task::spawn_blocking(move || {
        let status = process(&path)
            .args([
                "run",
                "plan.yaml",
                "--yes",
                "--endpoint-url",
                &url,
                "--only",
                "files[b]",
            ])
            .args(["--inventory", "world.yaml", "-q"])
            .stdout(std::process::Stdio::null())
            .status()
            .unwrap();
        assert!(status.success());
        let events = records(&path.join(".redrill"), "files", "main").unwrap();
        let opened = events[0].at;
        let resolved = events
            .iter()
            .position(|recorded| matches!(recorded.event, Event::Resolved { .. }))
            .unwrap();
        let Event::Resolved { measured_from, .. } = &events[resolved].event else {
            panic!("{:?}", events[resolved]);
        };
        // The question came a moment before the run was opened.
        let apart = opened.duration_since(*measured_from);
        assert!(!apart.is_negative() && apart.as_secs() < 60, "{apart}");
        let intended = events
            .iter()
            .position(|recorded| matches!(recorded.event, Event::Intended { .. }));
        assert_eq!(intended, Some(resolved + 1));
    })
    .await
    .unwrap();
    emulator.shutdown().await;
}
