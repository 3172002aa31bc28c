//! The paths whose cost a user feels: a plan of ten thousand restores, up to the dry run.
//!
//! `cargo bench`; quote ratios, not times: what validation costs on top of reading the YAML.

#![expect(
    clippy::expect_used,
    reason = "a bench of a plan that is not valid measures nothing"
)]

use std::fmt::Write as _;
use std::sync::Arc;

use divan::{Bencher, black_box};
use redrill::diagnostic::Source;
use redrill::diff::{Observed, Wanted};
use redrill::pipeline;
use redrill::render::{Inputs, Known};
use redrill::report::{RequestFormat, dry_run_json, requests};
use redrill::validate::Rules;

const RESTORES: usize = 10_000;

fn main() {
    divan::main();
}

fn plan() -> Arc<Source> {
    let mut text = String::from(
        "plan: many\nvars: { key: alias/dr }\ntarget:\n  region: us-west-2\n  account: \"123456789012\"\n  iam_role_arn: arn:aws:iam::123456789012:role/restore\nrestores:\n",
    );
    for at in 0..RESTORES {
        let _ = write!(
            text,
            "  r{at}:\n    type: EFS\n    recovery_point: arn:aws:backup:us-west-2:123456789012:recovery-point:00000000-0000-0000-0000-{at:012}\n    metadata:\n      file-system-id: fs-0a1b2c3d\n      newFileSystem: true\n      Encrypted: true\n      KmsKeyId: \"{{{{ vars.key }}}}\"\n      PerformanceMode: generalPurpose\n      CreationToken: \"{{{{ plan }}}}-{{{{ restore }}}}-{{{{ run.id }}}}\"\n      ItemsToRestore: [/srv/orders, /srv/invoices]\n"
        );
    }
    Source::new("many.yaml", text)
}

/// serde_yaml into a value: what reading this much YAML costs anybody.
#[divan::bench(sample_count = 10)]
fn yaml_by_serde(bencher: Bencher<'_, '_>) {
    let source = plan();
    bencher.bench(|| serde_yaml::from_str::<serde_yaml::Value>(black_box(&source.text)));
}

/// The same into the tree that knows its places.
#[divan::bench(sample_count = 10)]
fn parse(bencher: Bencher<'_, '_>) {
    let source = plan();
    bencher.bench(|| redrill::parse::document(black_box(&source), &mut Vec::new()));
}

/// Everything that `validate` does.
#[divan::bench(sample_count = 10)]
fn validate(bencher: Bencher<'_, '_>) {
    let source = plan();
    let rules = Arc::new(Rules::embedded());
    bencher.bench(|| {
        let front = pipeline::read(black_box(&source), "main", &Inputs::default(), &rules);
        let mut findings = front.findings;
        let plan = pipeline::requests(&front.planner?, &Known::default(), &mut findings);
        assert!(findings.is_empty());
        plan
    });
}

/// What `render` and `plan` add to that.
#[divan::bench(sample_count = 10)]
fn render_and_dry_run(bencher: Bencher<'_, '_>) {
    let source = plan();
    let rules = Arc::new(Rules::embedded());
    let front = pipeline::read(&source, "main", &Inputs::default(), &rules);
    let planner = front.planner.expect("the plan of the bench is one");
    let plan = pipeline::requests(&planner, &Known::default(), &mut Vec::new());
    let plan = plan.expect("the plan of the bench is valid");
    bencher.bench(|| {
        let lines = requests(&plan, &[], RequestFormat::Lines, planner.secrets());
        let diff = pipeline::changes(&plan, &Observed::default(), &Wanted::default());
        (lines, dry_run_json(&plan, &diff, planner.secrets()))
    });
}

/// Templates that would never end: each has to be refused within a tenth of a second.
#[divan::bench(args = [
    "{% for i in range(10000) %}{% for j in range(10000) %}{{ i }}{% endfor %}{% endfor %}",
    "{% for i in range(5000) %}{% set a = vars.long | json %}{% endfor %}",
    "{% for i in range(5000) %}{% set a = vars.long[1:] %}{% endfor %}",
    "{% set n = namespace(a='x') %}{% for i in range(99) %}{% set n.a = n.a ~ n.a %}{% endfor %}",
    "{{ vars.long | replace('x', vars.long) }}",
    "{{ range(5000) | select('in', range(9000)) | list }}",
], sample_count = 10)]
fn refuse_a_template(bencher: Bencher<'_, '_>, template: &str) {
    let plan = serde_json::json!({
        "plan": "p",
        "vars": { "long": "x".repeat(100_000) },
        "target": { "region": "us-west-2", "account": "123456789012" },
        "restores": { "r": {
            "type": "Unknown",
            "recovery_point": "arn:aws:backup:us-west-2:123456789012:recovery-point:1",
            "metadata": { "value": template },
        } },
    });
    let source = Source::new("plan.yaml", plan.to_string());
    let rules = Arc::new(Rules::embedded());
    let front = pipeline::read(&source, "main", &Inputs::default(), &rules);
    let planner = front.planner.expect("the plan of the bench is one");
    bencher.bench(|| {
        let mut findings = Vec::new();
        let plan = pipeline::requests(&planner, &Known::default(), &mut findings);
        assert!(plan.is_none() && !findings.is_empty());
    });
}
