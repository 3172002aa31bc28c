//! The pages: each stands alone, and nothing in a plan becomes a tag.

use super::exported;
use crate::support::{folder, repository_file};

#[test]
fn there_is_a_page_for_each_restore_with_all_that_it_needs() {
    let folder = folder();
    let kit = exported(
        folder.path(),
        &repository_file("plans/quickstart.yaml"),
        &[],
    );
    let read = |name: &str| std::fs::read_to_string(kit.join(name)).unwrap();
    // A slash is escaped as well.
    let html = read("runbook.html").replace("&#x2f;", "/");
    let markdown = read("RUNBOOK.md");
    assert_eq!(html.matches("<section class=\"restore\">").count(), 3);
    let pages: Vec<&str> = html.split("<section class=\"restore\">").skip(1).collect();
    let sections: Vec<&str> = markdown
        .split("\n## ")
        .filter(|part| part.starts_with(['1', '2', '3']))
        .collect();
    assert_eq!(sections.len(), 3);
    for page in pages.iter().chain(&sections) {
        for part in [
            "recovery-point:",
            "123456789012, us-west-2",
            "./restore.sh --only ",
            "describe-restore-job",
            "IAM Role cannot be assumed by AWS Backup",
            "What it does not bring back",
            "https://docs.aws.amazon.com/",
        ] {
            assert!(page.contains(part), "{part}: {page}");
        }
    }
    assert!(pages[2].contains("Do not send"), "{}", pages[2]);
    // Nothing is fetched, and no template is left.
    for text in [&markdown, &html] {
        for never in ["<script", "<img", "<link", "{%", "}}", "undefined"] {
            assert!(!text.contains(never), "{never}");
        }
    }
}

#[test]
fn text_of_a_plan_starts_no_tag_and_ends_no_quote() {
    let folder = folder();
    let plan = "plan: p\ndescription: \"<script>alert(1)</script> | [a](b)\"\ntarget:\n  region: us-west-2\n  account: \"123456789012\"\n  iam_role_arn: arn:aws:iam::123456789012:role/restore\nrestores:\n  files:\n    for_each: [\"<i>'; touch made; '\", \"$(touch made)\"]\n    type: EFS\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:files\n    metadata: { file-system-id: fs-0a1b2c3d, newFileSystem: true, Encrypted: true, CreationToken: \"<u>|`{{ each.value }}\" }\n    checks: [{ name: \"<s>\", run: [./a.sh, \"<s> 'x'\"] }]\n";
    let kit = exported(folder.path(), plan, &[]);
    let html = std::fs::read_to_string(kit.join("runbook.html")).unwrap();
    for tag in ["<script", "<b>", "<i>", "<u>", "<s>"] {
        assert!(!html.contains(tag), "{tag}");
    }
    let list = super::script(&kit, "http://127.0.0.1:9")
        .arg("--list")
        .current_dir(folder.path())
        .output()
        .unwrap();
    assert!(list.status.success(), "{}", super::said(&list));
    assert!(super::said(&list).contains("$(touch made)"));
    assert!(!folder.path().join("made").exists());
}
