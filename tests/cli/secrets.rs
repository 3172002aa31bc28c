//! A secret is sent to AWS and shown nowhere.

use crate::support::{at_once, emulator, folder, many, redrill, write};

const CANARY: &str = "cnry-\"7f3a'91";

fn contains(folder: &std::path::Path, needle: &[u8]) -> Option<std::path::PathBuf> {
    for entry in std::fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            if let Some(found) = contains(&path, needle) {
                return Some(found);
            }
        } else if crate::support::bytes(&path)
            .windows(needle.len())
            .any(|w| w == needle)
        {
            return Some(path);
        }
    }
    None
}

#[tokio::test(flavor = "multi_thread")]
async fn a_secret_is_in_no_output_and_no_file() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    let plan = many(1, 0)
        .replace("restores:", "vars: { password: { secret: true, pattern: '^c' } }\nrestores:")
        .replace("{{ restore }}", "x{{ vars.password }}")
        .replace("      Encrypted: true\n", "      Encrypted: true\n      ItemsToRestore: [\"/{{ vars.password }}\"]\n      KmsKeyId: \"{{ vars.password }}\"\n");
    let good = plan.replace("      KmsKeyId: \"{{ vars.password }}\"\n", "");
    write(folder.path(), "good.yaml", &good);
    write(folder.path(), "bad.yaml", &plan);
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        let escaped = serde_json::to_string(CANARY).unwrap();
        let needles = [
            CANARY.to_owned(),
            escaped[1..escaped.len() - 1].to_owned(),
            "7f3a".to_owned(),
        ];
        for arguments in [
            &["validate", "bad.yaml"][..],
            &["validate", "bad.yaml", "--format", "json"],
            &["render", "bad.yaml"],
            &["render", "good.yaml"],
            &[
                "render",
                "good.yaml",
                "--format",
                "cli-json",
                "--only",
                "r0",
            ],
            &["plan", "good.yaml"],
            &["plan", "good.yaml", "--format", "json"],
            &[
                "run",
                "good.yaml",
                "--yes",
                "-v",
                "--report",
                "json=report.json",
                "--format",
                "json",
                "--endpoint-url",
                &url,
            ],
            &["run", "good.yaml", "--yes", "--endpoint-url", &url],
            &["status", "--format", "json"],
        ] {
            let output = redrill(&path)
                .env("REDRILL_VAR_PASSWORD", CANARY)
                .args(arguments)
                .output()
                .unwrap();
            for needle in &needles {
                for bytes in [&output.stdout, &output.stderr] {
                    let text = String::from_utf8_lossy(bytes);
                    assert!(!text.contains(needle), "{arguments:?} shows it: {text}");
                }
            }
        }
        assert_eq!(contains(&path, b"7f3a"), None);
    })
    .await
    .unwrap();
    let jobs = emulator.jobs();
    assert_eq!(jobs.len(), 1);
    assert_eq!(
        jobs[0].request["Metadata"]["CreationToken"],
        format!("x{CANARY}-main")
    );
    emulator.shutdown().await;
}
