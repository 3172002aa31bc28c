//! The directory of a kit: the same bytes each time, and nothing else is touched.

use super::{export, exported, said};
use crate::support::{files, folder, many, repository_file, write};

#[test]
fn the_same_plan_gives_the_same_bytes() {
    let (one, other) = (folder(), folder());
    let plan = repository_file("plans/quickstart.yaml");
    let (first, second) = (
        exported(one.path(), &plan, &[]),
        exported(other.path(), &plan, &[]),
    );
    let below = |kit: &std::path::Path| -> Vec<_> {
        let files = files(kit).into_iter();
        files
            .map(|(path, bytes)| (path.strip_prefix(kit).unwrap().to_owned(), bytes))
            .collect()
    };
    assert_eq!(below(&first), below(&second));
    for (path, bytes) in below(&first) {
        let text = String::from_utf8(bytes).unwrap();
        let place = one.path().to_string_lossy().into_owned();
        assert!(!text.contains(&place), "{}", path.display());
    }
    let kit: serde_json::Value =
        serde_json::from_slice(&std::fs::read(first.join("kit.json")).unwrap()).unwrap();
    crate::dry_run::outputs::assert_valid("kit", &kit);
    let sums = std::process::Command::new("sha256sum")
        .args(["-c", "--quiet", "SHA256SUMS"])
        .current_dir(&first)
        .output();
    if let Ok(output) = sums {
        assert!(output.status.success(), "{}", said(&output));
    }
}

#[test]
fn an_earlier_export_is_replaced_whole_and_state_stays() {
    let folder = folder();
    let kit = exported(folder.path(), &many(3, 0), &[]);
    std::fs::create_dir(kit.join("state")).unwrap();
    write(&kit.join("state"), "kit", "many\nmain\nAWS\n");
    exported(folder.path(), &many(2, 0), &[]);
    assert!(!kit.join("requests/r2.json").exists());
    assert!(kit.join("requests/r1.json").exists());
    assert!(kit.join("state/kit").exists());
    // Something was started with it.
    let output = export(folder.path(), &["-o", "kit", "--run-id", "other"]);
    assert_eq!(output.status.code(), Some(64), "{}", said(&output));
    assert!(
        said(&output).contains("has the kit of run `main`"),
        "{}",
        said(&output)
    );
}

#[test]
fn what_is_not_of_the_export_is_never_overwritten() {
    let folder = folder();
    let kit = exported(folder.path(), &many(2, 0), &[]);
    let refused = |says: &str| {
        let output = export(folder.path(), &["-o", "kit"]);
        assert_eq!(output.status.code(), Some(64), "{}", said(&output));
        assert!(said(&output).contains(says), "{}", said(&output));
    };
    let runbook = kit.join("RUNBOOK.md");
    let whole = std::fs::read(&runbook).unwrap();
    std::fs::write(&runbook, "a note of mine").unwrap();
    refused("RUNBOOK.md");
    assert_eq!(std::fs::read(&runbook).unwrap(), b"a note of mine");
    std::fs::write(&runbook, whole).unwrap();
    // Without the list nobody knows what was edited: each command says the same, and what to do.
    let listed = std::fs::read(kit.join("SHA256SUMS")).unwrap();
    std::fs::remove_file(kit.join("SHA256SUMS")).unwrap();
    refused("SHA256SUMS is missing");
    let output = export(folder.path(), &["--check", "kit"]);
    assert!(
        said(&output).contains("SHA256SUMS is missing"),
        "{}",
        said(&output)
    );
    std::fs::write(kit.join("SHA256SUMS"), listed).unwrap();
    // A list of sums leads nowhere else.
    let sums = kit.join("SHA256SUMS");
    let listed = std::fs::read_to_string(&sums).unwrap();
    write(folder.path(), "mine", "mine");
    std::fs::write(&sums, format!("{listed}{}  ../mine\n", "0".repeat(64))).unwrap();
    let output = export(folder.path(), &["-o", "kit"]);
    assert!(output.status.success(), "{}", said(&output));
    assert!(folder.path().join("mine").exists());
    write(
        folder.path(),
        "plan.yaml",
        &many(2, 0).replace("plan: many", "plan: another"),
    );
    refused("has the kit of plan `many`");
    std::fs::create_dir(folder.path().join("full")).unwrap();
    write(&folder.path().join("full"), "a", "a");
    let output = export(folder.path(), &["-o", "full"]);
    assert!(said(&output).contains("is not empty"), "{}", said(&output));
    let output = export(folder.path(), &["-o", "mine"]);
    assert!(
        said(&output).contains("is not a directory"),
        "{}",
        said(&output)
    );
}
