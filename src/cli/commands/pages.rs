//! The documentation, in the order of its index: for the day on which there is no network.

macro_rules! pages {
    ($($path:literal)*) => {
        &[$(($path, include_str!(concat!("../../../", $path)))),*]
    };
}

/// Path and text of each page.
pub(super) const PAGES: &[(&str, &str)] = pages! {
    "docs/README.md"
    "docs/installing.md"
    "docs/first-restore.md"
    "docs/commands.md"
    "docs/plan.md"
    "docs/authoring.md"
    "docs/dry-run.md"
    "docs/preflight.md"
    "docs/forecast.md"
    "docs/promise.md"
    "docs/exit-codes.md"
    "docs/configuration.md"
    "docs/iam.md"
    "docs/pull-requests.md"
    "docs/drills.md"
    "docs/proof.md"
    "docs/coverage.md"
    "docs/controls.md"
    "docs/without-redrill.md"
    "docs/state.md"
    "docs/journal.md"
    "docs/tokens.md"
    "docs/emulator.md"
    "docs/rules.md"
    "docs/threat-model.md"
    "docs/performance.md"
    "docs/releasing.md"
    "docs/glossary.md"
    "docs/style.md"
};
