//! Programs of checks and of the cutover: those that cannot be started are found before anything is.

use std::collections::BTreeMap;
use std::ffi::OsStr;
use std::path::{Path, PathBuf};

use crate::cli::arguments::AwsOptions;
use crate::diagnostic::{Finding, Findings, Severity, rule};
use crate::diff::Action;
use crate::ids::StepIndex;
use crate::parse::{Check, Kind};
use crate::plan::Planner;
use crate::process::{Obstacle, obstacle};
use crate::render::Known;
use crate::session::{Loaded, Preview};
use crate::state::{CheckStage, RestoreStage};

/// Places where programs are looked for.
pub(super) struct Programs<'a> {
    folder: PathBuf,
    search: Option<&'a OsStr>,
    /// Obstacle, if any, of each program that was asked about: ten thousand restores have few programs.
    seen: BTreeMap<String, Option<Box<Obstacle>>>,
}

impl<'a> Programs<'a> {
    /// Creates the lookup for a plan file: relative programs are looked for beside it.
    pub(super) fn beside(file: &Path, search: Option<&'a OsStr>) -> Self {
        Self {
            folder: file.parent().unwrap_or(Path::new("")).to_owned(),
            search,
            seen: BTreeMap::new(),
        }
    }

    /// Finds what stands in the way of any command of a plan that is not carried out now. A program that may be there
    /// by then, or on the machine that carries it out, is a warning.
    pub(super) fn of_plan(&mut self, planner: &Planner, known: &Known) -> Findings {
        let mut findings = Findings::default();
        for (at, instance) in planner.instances().all().enumerated() {
            for check in planner.document().restores[instance.restore].checks.iter() {
                findings.extend(self.look(planner, Some(at), check, known, false));
            }
        }
        let document = planner.document();
        for check in document.checks.iter().chain(document.cutover.iter()) {
            findings.extend(self.look(planner, None, check, known, false));
        }
        planner.once(findings)
    }

    /// Finds what stands in the way of the commands that a run is about to start. These are warnings while the run has
    /// jobs to follow and nothing to start: news of a job is worth more than a check.
    pub(super) fn of_run(&mut self, loaded: &Loaded, preview: &Preview, due: &Due) -> Findings {
        let Preview { plan, diff, .. } = preview;
        let observed = &preview.history.observed;
        let known = Known::default();
        let planner = &loaded.planner;
        let is_due = |is: Option<CheckStage>| match is {
            Some(CheckStage::Passed) => false,
            Some(CheckStage::Failed | CheckStage::NotRun) => due.retry_failed,
            Some(CheckStage::Started | CheckStage::Again) | None => true,
        };
        let mut findings = Findings::default();
        for change in &diff.changes {
            if !matches!(change.action, Action::Start | Action::Resume) {
                continue;
            }
            let step = &plan.steps[change.step];
            let past = observed.restores.get(&step.name);
            for check in step.checks.iter() {
                let seen = past.and_then(|past| past.checks.get(&check.name.value));
                if is_due(seen.and_then(|seen| seen.under(&check.definition))) {
                    findings.extend(self.look(planner, Some(change.step), check, &known, true));
                }
            }
        }
        let cutover = plan.cutover.iter().filter(|_| due.cutover);
        let whole = plan.checks.iter().map(|check| (check, &observed.checks));
        let whole = whole.chain(cutover.map(|check| (check, &observed.cutover)));
        for (check, seen) in whole.filter(|_| due.whole) {
            let seen = seen.get(&check.name.value);
            if is_due(seen.and_then(|seen| seen.under(&check.definition))) {
                findings.extend(self.look(planner, None, check, &known, true));
            }
        }
        let follows = |change: &crate::diff::Change| {
            let past = observed.restores.get(&plan.steps[change.step].name);
            change.action == Action::Resume
                && !past.is_some_and(|past| matches!(past.stage, RestoreStage::Completed { .. }))
        };
        if diff.count(Action::Start) == 0 && diff.changes.iter().any(follows) {
            findings = findings.weighing(Severity::Warning);
        }
        planner.once(findings)
    }

    /// Looks for the program of a check, unless it is known only later.
    fn look(
        &mut self,
        planner: &Planner,
        restore: Option<StepIndex>,
        check: &Check,
        known: &Known,
        is_now: bool,
    ) -> Option<Finding> {
        let node = check.run.first()?;
        let (program, is_written) = match &node.kind {
            Kind::String(text) if !text.contains("{{") && !text.contains("{%") => {
                (text.to_string(), true)
            }
            _ => {
                let alone = Check {
                    run: vec![node.clone()],
                    ..check.clone()
                };
                let words = planner.words(restore, &alone, known).ok()?;
                (words.into_iter().next()?, false)
            }
        };
        let Self {
            folder,
            search,
            seen,
        } = self;
        let found = seen
            .entry(program.clone())
            .or_insert_with(|| obstacle(folder, *search, &program));
        let obstacle = found.as_ref()?;
        let mut finding = Finding::at(
            &planner.document().source,
            node.span,
            obstacle.rule,
            obstacle.message.clone(),
            obstacle.help.clone(),
        );
        let is_beside = program.contains('/') && !program.starts_with('/');
        let is_of_plan = is_beside && is_written && obstacle.rule != rule::CHECKS_FOLDER;
        if !is_now && !(is_of_plan && (obstacle.in_file || obstacle.rule == rule::CHECKS_NOT_FOUND))
        {
            finding = finding.weighing(Severity::Warning);
        }
        if let Some(at) = restore {
            let name = &planner.instances().all()[at].name;
            finding.restore = Some(name.clone());
        }
        Some(finding)
    }
}

/// Commands that a run may start.
pub(super) struct Due {
    /// True if failed commands are due once more.
    pub(super) retry_failed: bool,
    /// True if the commands of the cutover are due.
    pub(super) cutover: bool,
    /// True if the commands of the plan as a whole are due.
    pub(super) whole: bool,
}

/// Returns the AWS environment of checks, which ask the same AWS as the restores. Variables that their tools would
/// prefer to a profile are removed.
pub(super) fn environment(options: &AwsOptions) -> Vec<(String, Option<String>)> {
    let before_profile = [
        "AWS_ACCESS_KEY_ID",
        "AWS_SECRET_ACCESS_KEY",
        "AWS_SESSION_TOKEN",
        "AWS_WEB_IDENTITY_TOKEN_FILE",
        "AWS_DEFAULT_PROFILE",
    ];
    let given = [
        ("AWS_PROFILE", &options.profile),
        ("AWS_ENDPOINT_URL", &options.endpoint_url),
    ];
    let hidden = before_profile.iter().filter(|_| options.profile.is_some());
    given
        .into_iter()
        .filter_map(|(name, value)| Some((name.to_owned(), Some(value.clone()?))))
        .chain(hidden.map(|name| ((*name).to_owned(), None)))
        .collect()
}
