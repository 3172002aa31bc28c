//! The paths whose cost a user feels: a plan of ten thousand restores, up to the dry run.
//!
//! `cargo bench`; quote ratios, not times: what validation costs on top of reading the YAML.

#![expect(
    clippy::expect_used,
    reason = "a bench of a plan that is not valid measures nothing"
)]

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::Arc;

use divan::{Bencher, black_box};
use redrill::diagnostic::{Findings, Source};
use redrill::diff::{Comparing, Review, Sense, Wanted, compare, diff};
use redrill::ids::RunId;
use redrill::render::{Inputs, Known};
use redrill::report::{DryRun, RequestFormat, dry_run_human, dry_run_json, requests};
use redrill::rules::Rules;
use redrill::session::{self, Loaded};
use redrill::state::RunState;

/// The program's own, for both sides of a ratio.
#[global_allocator]
static ALLOCATOR: mimalloc::MiMalloc = mimalloc::MiMalloc;

const RESTORES: usize = 10_000;

fn main() {
    divan::main();
}

fn plan(restores: usize) -> Arc<Source> {
    let mut text = String::from(
        "plan: many\nvars: { key: alias/dr }\ntarget:\n  region: us-west-2\n  account: \"123456789012\"\n  iam_role_arn: arn:aws:iam::123456789012:role/restore\nrestores:\n",
    );
    for at in 0..restores {
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
    let source = plan(RESTORES);
    bencher.bench(|| serde_yaml::from_str::<serde_yaml::Value>(black_box(&source.text)));
}

/// The same into the tree that knows its places.
#[divan::bench(sample_count = 10)]
fn parse(bencher: Bencher<'_, '_>) {
    let source = plan(RESTORES);
    bencher.bench(|| redrill::parse::document(black_box(&source), &mut Findings::default()));
}

fn loaded(source: &Arc<Source>, rules: &Arc<Rules>) -> Loaded {
    let loaded = session::read(source, &RunId::new("main"), &Inputs::default(), rules);
    loaded.unwrap_or_else(|findings| unreachable!("the plan of the bench is one: {findings:?}"))
}

/// Everything that `validate` does.
#[divan::bench(sample_count = 10)]
fn validate(bencher: Bencher<'_, '_>) {
    let source = plan(RESTORES);
    let rules = Arc::new(Rules::embedded());
    bencher.bench(|| {
        let loaded = session::read(
            black_box(&source),
            &RunId::new("main"),
            &Inputs::default(),
            &rules,
        )
        .ok()?;
        let settled = loaded.draft(&Known::default());
        assert!(settled.findings.is_empty());
        settled.plan
    });
}

/// All of `plan` but reading the file and writing the text: parse, render, validate, tokens, the text. A plan of 5,000.
#[divan::bench(sample_count = 20)]
fn plan_of_5000(bencher: Bencher<'_, '_>) {
    let source = plan(5_000);
    let rules = Arc::new(Rules::embedded());
    bencher.bench(|| {
        let loaded = session::read(
            black_box(&source),
            &RunId::new("main"),
            &Inputs::default(),
            &rules,
        )
        .ok()?;
        let plan = loaded.draft(&Known::default()).plan?;
        let planner = loaded.planner;
        let diff = diff(&plan, &RunState::default(), &Wanted::default());
        let run = DryRun {
            forecast: None,
            file: "many.yaml",
            plan: &plan,
            diff: &diff,
            compared: None,
            sources: &BTreeMap::new(),
            resolved: &BTreeMap::new(),
            secrets: planner.secrets(),
            now: jiff::Timestamp::UNIX_EPOCH,
            full: false,
            endpoint: None,
            findings: &[],
            notice: None,
        };
        let text = dry_run_human(&run);
        // Given back, so that freeing it is not measured, as it is not of the others.
        Some((planner, plan, diff, text))
    });
}

/// Of that, what comes behind parsing and validating: tokens, and the text.
#[divan::bench(sample_count = 20)]
fn tokens_and_text_of_5000(bencher: Bencher<'_, '_>) {
    let source = plan(5_000);
    let rules = Arc::new(Rules::embedded());
    let loaded = loaded(&source, &rules);
    let plan = loaded.draft(&Known::default()).plan;
    let plan = plan.expect("the plan of the bench is valid");
    let planner = &loaded.planner;
    bencher.bench(|| {
        let diff = diff(&plan, &RunState::default(), &Wanted::default());
        let text = dry_run_human(&DryRun {
            forecast: None,
            file: "many.yaml",
            plan: &plan,
            diff: &diff,
            compared: None,
            sources: &BTreeMap::new(),
            resolved: &BTreeMap::new(),
            secrets: planner.secrets(),
            now: jiff::Timestamp::UNIX_EPOCH,
            full: false,
            endpoint: None,
            findings: &[],
            notice: None,
        });
        (diff, text)
    });
}

/// What `plan` of 5,000 is held against: serde_yaml into a value.
#[divan::bench(sample_count = 20)]
fn yaml_of_5000_by_serde(bencher: Bencher<'_, '_>) {
    let source = plan(5_000);
    bencher.bench(|| serde_yaml::from_str::<serde_yaml::Value>(black_box(&source.text)));
}

/// The same into the tree that knows its places.
#[divan::bench(sample_count = 20)]
fn parse_of_5000(bencher: Bencher<'_, '_>) {
    let source = plan(5_000);
    bencher.bench(|| redrill::parse::document(black_box(&source), &mut Findings::default()));
}

/// What holding it against another plan adds: every restore has one key that is other than it was.
#[divan::bench(sample_count = 20)]
fn comparison_of_5000(bencher: Bencher<'_, '_>) {
    let rules = Arc::new(Rules::embedded());
    let source = plan(5_000);
    let before = Source::new("many.yaml", source.text.replace("alias/dr", "alias/old"));
    let (before, loaded) = (loaded(&before, &rules), loaded(&source, &rules));
    let (known, mut findings) = (Known::default(), Findings::default());
    let (entries, _) = session::entries(&before.planner, &known, &mut findings);
    let plan = loaded.draft(&known).plan;
    let plan = plan.expect("the plan of the bench is valid");
    let diff = diff(&plan, &RunState::default(), &Wanted::default());
    let review = Review::embedded(&rules);
    let secrets = loaded.planner.secrets();
    let comparing = Comparing {
        review: &review,
        sense: Sense::Bytes,
        secrets: [secrets, secrets],
    };
    bencher.bench(|| {
        let compared = compare(&plan, &diff, &entries, &[], &comparing);
        compared.noted(&plan, &diff, &BTreeSet::new(), &comparing)
    });
}

/// What `render` and `plan` add to that.
#[divan::bench(sample_count = 10)]
fn render_and_dry_run(bencher: Bencher<'_, '_>) {
    let source = plan(RESTORES);
    let rules = Arc::new(Rules::embedded());
    let loaded = loaded(&source, &rules);
    let plan = loaded.draft(&Known::default()).plan;
    let plan = plan.expect("the plan of the bench is valid");
    let planner = &loaded.planner;
    bencher.bench(|| {
        let lines = requests(&plan, &[], RequestFormat::Lines, planner.secrets());
        let diff = diff(&plan, &RunState::default(), &Wanted::default());
        let run = DryRun {
            forecast: None,
            file: "many.yaml",
            plan: &plan,
            diff: &diff,
            compared: None,
            sources: &BTreeMap::new(),
            resolved: &BTreeMap::new(),
            secrets: planner.secrets(),
            now: jiff::Timestamp::UNIX_EPOCH,
            full: false,
            endpoint: None,
            findings: &[],
            notice: None,
        };
        (lines, dry_run_json(&run))
    });
}

/// Templates that would never end: each has to be refused within a tenth of a second.
#[divan::bench(args = [
    "{% for i in range(10000) %}{{ vars.long }}{% endfor %}",
    "{{ (vars.long ~ vars.long ~ vars.long ~ vars.long ~ vars.long ~ vars.long) == '' }}",
    "{{ (range(9999) + [] + [] + [] + [] + [] + [] + [] + []) | length }}",
    "{{ range(5000) | reverse | reverse | reverse | reverse | reverse | reverse | reverse | reverse | length }}",
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
    let loaded = loaded(&source, &rules);
    bencher.bench(|| {
        let settled = loaded.draft(&Known::default());
        assert!(settled.plan.is_none() && !settled.findings.is_empty());
    });
}
