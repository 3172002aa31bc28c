//! What is sent is what was shown, byte for byte.

use serde_json::Value;

use crate::support::{at_once, emulator, folder, redrill, repository_file, write};

#[tokio::test(flavor = "multi_thread")]
async fn the_body_on_the_wire_is_what_render_printed() {
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    let rendered = redrill(folder.path())
        .args(["render", "plan.yaml"])
        .output()
        .unwrap();
    assert!(rendered.status.success());
    let url = emulator.url();
    let path = folder.path().to_owned();
    let run = tokio::task::spawn_blocking(move || {
        redrill(&path)
            .args(["run", "plan.yaml", "--yes", "--endpoint-url", &url])
            .output()
            .unwrap()
    })
    .await
    .unwrap();
    assert!(
        run.status.success(),
        "{}",
        String::from_utf8_lossy(&run.stderr)
    );
    let jobs = emulator.jobs();
    assert_eq!(jobs.len(), 3);
    let mut compared = 0;
    for line in String::from_utf8(rendered.stdout).unwrap().lines() {
        let line: Value = serde_json::from_str(line).unwrap();
        let token = &line["request"]["IdempotencyToken"];
        if line["pending"].as_array().unwrap().is_empty() {
            let job = jobs
                .iter()
                .find(|job| job.request["IdempotencyToken"] == *token)
                .unwrap_or_else(|| panic!("no job has the token {token}"));
            assert_eq!(canonical(&job.request), canonical(&line["request"]));
            compared += 1;
        } else {
            assert!(
                token.is_null(),
                "a request that is not complete has no token yet"
            );
        }
    }
    assert_eq!(compared, 2);
    emulator.shutdown().await;
}

/// Compact, keys sorted.
pub(crate) fn canonical(value: &Value) -> String {
    match value {
        Value::Object(map) => {
            let mut entries: Vec<_> = map.iter().collect();
            entries.sort_by_key(|(key, _)| key.as_str());
            let inner: Vec<String> = entries
                .into_iter()
                .map(|(key, value)| format!("{}:{}", Value::from(key.as_str()), canonical(value)))
                .collect();
            format!("{{{}}}", inner.join(","))
        }
        other => other.to_string(),
    }
}

/// `render --format cli-json` is what the AWS CLI takes, and AWS recognises it as the request that redrill sent.
#[tokio::test(flavor = "multi_thread")]
async fn the_aws_cli_sends_what_render_printed_and_gets_the_same_job() {
    let Some(venv) = crate::python::venv("aws", crate::python::AWS_TOOLS) else {
        return;
    };
    let emulator = emulator(at_once()).await;
    let folder = folder();
    write(
        folder.path(),
        "plan.yaml",
        &repository_file("plans/quickstart.yaml"),
    );
    let (path, url) = (folder.path().to_owned(), emulator.url());
    let answers = tokio::task::spawn_blocking(move || {
        redrill(&path)
            .args([
                "run",
                "plan.yaml",
                "--yes",
                "-q",
                "--only",
                "files,orders",
                "--endpoint-url",
                &url,
            ])
            .assert()
            .success();
        ["files", "orders"].map(|name| {
            let request = redrill(&path)
                .args([
                    "render",
                    "plan.yaml",
                    "-q",
                    "--format",
                    "cli-json",
                    "--only",
                    name,
                ])
                .output()
                .unwrap();
            assert!(request.status.success());
            let answer = std::process::Command::new(venv.join("bin/aws"))
                .args([
                    "backup",
                    "start-restore-job",
                    "--output",
                    "json",
                    "--cli-input-json",
                ])
                .arg(String::from_utf8(request.stdout).unwrap())
                .args(["--endpoint-url", &url, "--region", "us-west-2"])
                .env("AWS_ACCESS_KEY_ID", "123456789012")
                .env("AWS_SECRET_ACCESS_KEY", "x")
                .output()
                .unwrap();
            assert!(
                answer.status.success(),
                "{}",
                String::from_utf8_lossy(&answer.stderr)
            );
            let answer: Value = serde_json::from_slice(&answer.stdout).unwrap();
            answer["RestoreJobId"].as_str().unwrap().to_owned()
        })
    })
    .await
    .unwrap();
    let jobs = emulator.jobs();
    assert_eq!(jobs.len(), 2, "the AWS CLI started another job");
    for id in answers {
        assert!(jobs.iter().any(|job| job.id == id));
    }
    emulator.shutdown().await;
}
