//! docs/drills.md: the drill on the emulator, as it stands there.

use crate::support::{at_once, emulator, folder, redrill, repository_file, write};

#[tokio::test(flavor = "multi_thread")]
async fn the_drill_of_the_page_goes_through() {
    let page = repository_file("docs/drills.md");
    let lines: Vec<String> = page
        .split("```sh\n")
        .skip(1)
        .filter_map(|rest| rest.split("```").next())
        .flat_map(str::lines)
        .filter_map(|line| line.strip_prefix("redrill "))
        .filter(|line| !line.starts_with("emulator"))
        .map(str::to_owned)
        .collect();
    assert_eq!(lines.len(), 7, "{lines:?}");
    let emulator = emulator(at_once()).await;
    let folder = folder();
    std::fs::create_dir_all(folder.path().join("plans/checks")).unwrap();
    write(
        folder.path(),
        "plans/drill.yaml",
        &repository_file("plans/drill.yaml"),
    );
    let script = concat!(env!("CARGO_MANIFEST_DIR"), "/plans/checks/has-an-id.sh");
    std::fs::copy(script, folder.path().join("plans/checks/has-an-id.sh")).unwrap();
    let (path, url) = (folder.path().to_owned(), emulator.url());
    tokio::task::spawn_blocking(move || {
        for line in lines {
            let output = redrill(&path)
                .env("AWS_ENDPOINT_URL", &url)
                .env("AWS_ACCESS_KEY_ID", "123456789012")
                .env("AWS_SECRET_ACCESS_KEY", "any")
                .args(line.split(' '))
                .output()
                .unwrap();
            assert!(
                output.status.success(),
                "{line}\n{}{}",
                String::from_utf8_lossy(&output.stdout),
                String::from_utf8_lossy(&output.stderr)
            );
        }
        for file in ["drill.html", "drill.xml", "drill.md", "drill-2026-Q4.zip"] {
            assert!(path.join(file).exists(), "{file}");
        }
    })
    .await
    .unwrap();
    assert_eq!(emulator.resources("123456789012"), Vec::<String>::new());
    emulator.shutdown().await;
}

/// The workflow is YAML, and every redrill command in it is one.
#[test]
fn the_workflow_of_the_page_is_sound() {
    let page = repository_file("docs/drills.md");
    let text = page
        .split("```yaml\n")
        .nth(1)
        .unwrap()
        .split("```")
        .next()
        .unwrap();
    let workflow: serde_json::Value = serde_yaml::from_str(text).unwrap();
    let steps = workflow["jobs"]["drill"]["steps"].as_array().unwrap();
    let mut commands = 0;
    for line in steps
        .iter()
        .filter_map(|step| step["run"].as_str())
        .flat_map(str::lines)
    {
        if line.starts_with("redrill ") {
            let words = line
                .split(' ')
                .map(|word| word.trim_matches('"').replace("$RUN_ID", "2026-Q4"));
            redrill::cli::command().try_get_matches_from(words).unwrap();
            commands += 1;
        }
    }
    assert_eq!(commands, 6);
}
