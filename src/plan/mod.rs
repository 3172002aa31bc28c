//! A valid plan to steps: dependency order, requests, tokens.

mod request;
mod token;

pub use request::{MARK, Request, digest, mark};
pub use token::{Identity, token};

use std::collections::{BTreeSet, HashMap};
use std::sync::Arc;

use jiff::SignedDuration;

use crate::diagnostic::Finding;
use crate::parse::{Document, Limits, Objectives, OnFailure};
use crate::render::{Known, Renderer, Secrets, Target};
use crate::validate::{self, Rules};

/// Turns restores into requests; again, with what has become known, while a run goes on.
pub struct Planner {
    renderer: Renderer,
    rules: Arc<Rules>,
}

/// A plan that can be compared with what has happened, and executed.
#[derive(Debug)]
pub struct Plan {
    /// The plan's name.
    pub name: String,
    /// The run.
    pub run_id: String,
    /// Where restores run.
    pub targets: Vec<Target>,
    /// One a restore, in the plan's order.
    pub steps: Vec<Step>,
    /// Indices into `steps`, each behind all it needs.
    pub order: Vec<usize>,
    /// How much may run at once.
    pub limits: Limits,
    /// What a failure does to the rest.
    pub on_failure: OnFailure,
    /// What the whole run has to meet.
    pub objectives: Objectives,
}

/// One restore of a plan.
#[derive(Debug)]
pub struct Step {
    /// Its name in the plan.
    pub name: Arc<str>,
    /// The index of the target that it runs in.
    pub target: usize,
    /// Indices of the steps it waits for.
    pub needs: Vec<usize>,
    /// How long its job is followed.
    pub timeout: Option<SignedDuration>,
    /// What is to be sent, as far as it is known.
    pub draft: Draft,
    /// What it has to meet.
    pub objectives: Objectives,
}

/// A request and what it still lacks.
#[derive(Clone, Debug)]
pub struct Draft {
    /// Without its token, which depends on the attempt.
    pub request: Request,
    /// What is known later only; the request holds placeholders until then, and is not sent.
    pub pending: BTreeSet<String>,
    /// Whether AWS documents the key of redrill's mark for this type.
    pub takes_mark: bool,
    /// Whether rules of the type ask about the recovery point, and were not checked.
    pub lacks_recovery_point: bool,
    /// How long the restore is likely to take: an estimate from its type and size, or what it took before.
    pub expected: SignedDuration,
}

impl Draft {
    /// The request as it is sent with a token.
    #[must_use]
    pub fn sent_with(&self, token: &str) -> Request {
        let request = self.request.clone().with_token(token);
        if self.takes_mark {
            request.with_mark(token)
        } else {
            request
        }
    }
}

impl Planner {
    /// A planner for one document and its inputs.
    #[must_use]
    pub fn new(renderer: Renderer, rules: Arc<Rules>) -> Self {
        Self { renderer, rules }
    }

    /// The plan as it was written.
    #[must_use]
    pub fn document(&self) -> &Arc<Document> {
        self.renderer.document()
    }

    /// The values that must not show.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        self.renderer.secrets()
    }

    /// Where everything runs.
    #[must_use]
    pub fn target(&self) -> &Target {
        self.renderer.target()
    }

    /// Checks everything and drafts every request; `None` where an error stands in the way.
    pub fn plan(&self, known: &Known, findings: &mut Vec<Finding>) -> Option<Plan> {
        let document = self.document();
        findings.extend(validate::plan(
            document,
            self.renderer.target(),
            self.renderer.target_pending(),
            &self.rules,
        ));
        let index: HashMap<&str, usize> = document
            .restores
            .iter()
            .enumerate()
            .map(|(at, restore)| (restore.name.value.as_str(), at))
            .collect();
        let mut steps = Vec::with_capacity(document.restores.len());
        for (at, restore) in document.restores.iter().enumerate() {
            if let Some(draft) = self.draft(at, known, findings) {
                steps.push(Step {
                    name: Arc::from(restore.name.value.as_str()),
                    needs: restore
                        .needs
                        .iter()
                        .filter_map(|need| index.get(need.value.as_str()).copied())
                        .collect(),
                    draft,
                    target: 0,
                    timeout: restore.timeout,
                    objectives: restore.objectives,
                });
            }
        }
        let order = validate::order(document);
        let complete = steps.len() == document.restores.len() && order.len() == steps.len();
        complete.then(|| Plan {
            name: document.plan.value.clone(),
            run_id: self.renderer.run_id().to_owned(),
            targets: vec![self.renderer.target().clone()],
            steps,
            order,
            limits: document.limits.clone(),
            on_failure: document.on_failure,
            objectives: document.objectives,
        })
    }

    /// The request of one restore with what is known now; `None` where an error stands in the way.
    pub fn draft(&self, index: usize, known: &Known, findings: &mut Vec<Finding>) -> Option<Draft> {
        let before = findings.len();
        let rendered = self.renderer.restore(index, known, findings);
        let refused = findings[before..]
            .iter()
            .any(|finding| finding.severity == crate::diagnostic::Severity::Error);
        let target = self.renderer.target();
        let source = rendered
            .recovery_point
            .as_ref()
            .and_then(|arn| known.sources.get(arn));
        let checked = validate::restore(
            self.document(),
            &rendered,
            target,
            source,
            &self.rules,
            findings,
        )?;
        if refused {
            return None;
        }
        Some(Draft {
            request: Request {
                copy_source_tags_to_restored_resource: checked.copy_source_tags,
                iam_role_arn: target.iam_role_arn.clone(),
                idempotency_token: None,
                metadata: checked.metadata,
                recovery_point_arn: checked.recovery_point,
                resource_type: checked.resource_type,
            },
            pending: rendered.pending,
            takes_mark: checked.takes_mark,
            lacks_recovery_point: checked.lacks_recovery_point,
            expected: checked.expected,
        })
    }
}

impl Plan {
    /// The token of a step's request in an attempt; none while a part of it is pending.
    #[must_use]
    pub fn token(&self, step: usize, attempt: u32) -> Option<String> {
        let request = &self.steps[step].draft;
        request
            .pending
            .is_empty()
            .then(|| token(&self.identity(step, attempt), &request.request))
    }

    /// Who asks: everything of a token but the request.
    #[must_use]
    pub fn identity(&self, step: usize, attempt: u32) -> Identity<'_> {
        let step = &self.steps[step];
        Identity {
            plan: &self.name,
            run: &self.run_id,
            restore: &step.name,
            attempt,
            target: &self.targets[step.target],
        }
    }

    /// Account and Region of every target, for people.
    #[must_use]
    pub fn places(&self) -> String {
        let places: Vec<String> = self
            .targets
            .iter()
            .map(|target| format!("{} {}", target.account, target.region))
            .collect();
        places.join(", ")
    }

    /// Where a step runs.
    #[must_use]
    pub fn target_of(&self, step: &Step) -> &Target {
        &self.targets[step.target]
    }
}
