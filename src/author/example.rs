//! A plan to try redrill with: the quickstart, and a check of what comes back.

use std::borrow::Cow;

/// A file of the example.
#[derive(Debug)]
pub struct ExampleFile {
    /// Its path, from the plan's folder on.
    pub path: &'static str,
    /// The text of the file.
    pub text: Cow<'static, str>,
    /// True if it is a program.
    pub is_executable: bool,
}

/// A check, which the plan of the repository does without.
const CHECKS: &str = r#"
checks: # once everything is back
  - name: the table has a name
    run: [./checks/has-an-id.sh, "{{ restores.orders.created.resource_arn }}"]
    expect: { output: "^orders-" }
"#;

/// The files of the example; the plan is the first.
#[must_use]
pub fn example() -> [ExampleFile; 2] {
    let plan = include_str!("../../plans/quickstart.yaml");
    // The schema that an editor reads is a file of the repository.
    let (_, plan) = plan.split_once('\n').unwrap_or_default();
    let plan = plan.replace("redrill rehearse plans/", "redrill rehearse ");
    let plan = plan.replace("redrill plan plans/", "redrill plan ");
    let plan = plan.replace("redrill run plans/", "redrill run ");
    [
        ExampleFile {
            path: "quickstart.yaml",
            text: Cow::Owned(plan + CHECKS),
            is_executable: false,
        },
        ExampleFile {
            path: "checks/has-an-id.sh",
            text: Cow::Borrowed(include_str!("../../plans/checks/has-an-id.sh")),
            is_executable: true,
        },
    ]
}
