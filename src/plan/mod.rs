//! A valid plan to steps: dependency order, requests, tokens.

mod repeated;
mod request;
mod token;

pub use crate::validate::MARK;
pub(crate) use request::hex;
pub use request::{Request, TokenedRequest, digest, mark, sha256};
pub use token::{Identity, attempt_marks, token};

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use jiff::SignedDuration;

use crate::diagnostic::{Findings, Span};
use crate::ids::{
    DocumentIndex, IdempotencyToken, Indexed, RestoreName, RunId, StepIndex, TargetIndex,
};
use crate::parse::{Check, ConcurrencyLimits, Document, Objectives, OnFailure, Point};
use crate::render::{
    Fact, Instances, Known, Rendered, Renderer, RequestField, Secrets, Selector, Target, VaultName,
};
use crate::rules::Rules;
use crate::validate::{self, Bounds, Walls};

/// Turns restores into requests; again, with what has become known, while a run goes on.
pub struct Planner {
    renderer: Renderer,
    rules: Arc<Rules>,
    walls: Option<Walls>,
    is_rehearsal: bool,
}

/// A plan that can be compared with what has happened, and executed.
#[derive(Clone, Debug)]
pub struct Plan {
    /// The plan's name.
    pub name: String,
    /// The run.
    pub run_id: RunId,
    /// Targets that restores run in.
    pub targets: Indexed<TargetIndex, Target>,
    /// One a restore, in the plan's order.
    pub steps: Indexed<StepIndex, Step>,
    /// The steps, each behind all it needs.
    pub order: Vec<StepIndex>,
    /// Limits on how much may run at once.
    pub limits: ConcurrencyLimits,
    /// Effect of a failure on the rest.
    pub on_failure: OnFailure,
    /// Objectives of the whole run.
    pub objectives: Objectives,
    /// Purpose of the plan.
    pub description: Option<String>,
    /// Commands that judge the whole, once everything is back.
    pub checks: Arc<Vec<Check>>,
    /// Commands that switch over to what came back.
    pub cutover: Arc<Vec<Check>>,
}

/// One restore of a plan.
#[derive(Clone, Debug)]
pub struct Step {
    /// Its name: with the key, where the restore has a `for_each`.
    pub name: RestoreName,
    /// Index of its restore in the document.
    pub restore: DocumentIndex,
    /// The target that it runs in.
    pub target: TargetIndex,
    /// The steps it waits for; shared by all instances of a restore.
    pub needs: Arc<[StepIndex]>,
    /// Time for which its job is followed.
    pub timeout: Option<SignedDuration>,
    /// Place in the plan file that names it.
    pub span: Span,
    /// Request to be sent, as far as it is known.
    pub draft: Arc<Draft>,
    /// Objectives that it has to meet.
    pub objectives: Objectives,
    /// Commands that judge what came back.
    pub checks: Arc<Vec<Check>>,
    /// True if the plan wants AWS Backup to be told the results of the checks.
    pub publish_validation: bool,
    /// True if the plan says that it may write into something that exists.
    pub into_existing: bool,
}

impl Step {
    /// Returns true if AWS Backup is told: without a check there is nothing to tell.
    #[must_use]
    pub fn publishes(&self) -> bool {
        self.publish_validation && !self.checks.is_empty()
    }
}

/// A request and what it still lacks.
#[derive(Clone, Debug, Default)]
pub struct Draft {
    /// Without its token, which depends on the attempt.
    pub request: Request,
    /// Facts that are known later only; the request holds placeholders until then, and is not sent.
    pub pending: BTreeSet<Fact>,
    /// The same by the metadata key that lacks it; `RecoveryPointArn` is the recovery point.
    pub holes: BTreeMap<RequestField, BTreeSet<Fact>>,
    /// True if AWS documents the key of redrill's mark for this type.
    pub takes_mark: bool,
    /// True if rules of the type ask about the recovery point and were not checked.
    pub lacks_recovery_point: bool,
    /// Expected duration of the restore: an estimate from its type and size, or what it took before.
    pub expected: SignedDuration,
    /// The selector that has to be resolved before anything is sent; few steps have one.
    pub selector: Option<Box<Selector>>,
    /// The vault that the recovery point lies in, where that is known; few steps say.
    pub vault: Option<Box<VaultName>>,
}

impl Draft {
    /// Returns true if the recovery point depends on what another restore makes.
    #[must_use]
    pub fn waits_for_its_point(&self) -> bool {
        self.holes.contains_key(&RequestField::RecoveryPoint)
    }

    /// The request as it is sent with a token.
    #[must_use]
    pub fn sent_with(&self, token: &IdempotencyToken) -> TokenedRequest {
        let request = self.request.clone();
        let request = match self.takes_mark {
            true => request.with_mark(token),
            false => request,
        };
        TokenedRequest::new(request, token)
    }
}

impl Planner {
    /// A planner for one document and its inputs.
    #[must_use]
    pub fn new(renderer: Renderer, rules: Arc<Rules>) -> Self {
        let allow = renderer.document().allow.as_ref();
        let walls = allow.map(|written| Walls::new(written, renderer.allow()));
        Self {
            renderer,
            rules,
            walls,
            is_rehearsal: false,
        }
    }

    /// Returns everything that requests may name; nothing where the plan does not say.
    pub fn allow(&self) -> impl Iterator<Item = &str> {
        let entries = self.renderer.allow().iter();
        entries.map(|entry| entry.value.as_str())
    }

    /// For a rehearsal: nothing of the run is asked of AWS.
    pub fn rehearse(&mut self) {
        self.is_rehearsal = true;
    }

    /// Returns true if the value of a key is compared with `allow`.
    #[must_use]
    pub fn is_walled(&self, resource_type: &str, key: &str) -> bool {
        self.walls.is_some() && self.rules.names_place(resource_type, key)
    }

    /// Returns what the plan lets its restores touch.
    fn bounds<'a>(&'a self, known: &'a Known) -> Bounds<'a> {
        Bounds {
            protect: self.renderer.protect(),
            walls: self.walls.as_ref(),
            created: &known.created,
            secrets: self.renderer.secrets(),
            run_id: self.renderer.run_id(),
            is_rehearsal: self.is_rehearsal,
        }
    }

    /// The plan as it was written.
    #[must_use]
    pub fn document(&self) -> &Arc<Document> {
        self.renderer.document()
    }

    /// The rules of every type.
    #[must_use]
    pub fn rules(&self) -> &Arc<Rules> {
        &self.rules
    }

    /// The values that must not show.
    #[must_use]
    pub fn secrets(&self) -> &Secrets {
        self.renderer.secrets()
    }

    /// Returns what no request may write to and nothing may delete.
    pub fn protect(&self) -> impl Iterator<Item = &str> {
        let entries = self.renderer.protect().iter();
        entries.map(|entry| entry.value.as_str())
    }

    /// Returns the restores one by one: the steps of the plan, in order.
    #[must_use]
    pub fn instances(&self) -> &Instances {
        self.renderer.instances()
    }

    /// Returns true if a selector names any recovery point.
    #[must_use]
    pub fn selects(&self) -> bool {
        let restores = &self.document().restores;
        restores
            .iter()
            .any(|restore| matches!(restore.recovery_point, Some(Point::Selector(_))))
    }

    /// Returns the targets of restores; at least one.
    #[must_use]
    pub fn targets(&self) -> &Indexed<TargetIndex, Target> {
        self.renderer.targets()
    }

    /// The index of the target that a restore of the document runs in.
    #[must_use]
    pub fn target_of(&self, restore: DocumentIndex) -> TargetIndex {
        self.renderer.target_of(restore)
    }

    /// The variables with their values; none of a secret.
    #[must_use]
    pub fn variables(&self) -> &BTreeMap<String, Option<serde_json::Value>> {
        self.renderer.variables()
    }

    /// Checks everything and drafts every request; `None` where an error stands in the way.
    pub fn plan(&self, known: &Known, findings: &mut Findings) -> Option<Plan> {
        let document = self.document();
        let instances = self.renderer.instances();
        findings.extend(validate::plan(
            document,
            self.renderer.targets(),
            self.renderer.targets_pending(),
            self.bounds(known),
            instances,
            &self.rules,
        ));
        let needed = validate::needed(document, instances);
        let mut steps = Vec::with_capacity(instances.all().len());
        let mut said = Findings::default();
        for (at, instance) in instances.all().enumerated() {
            let restore = &document.restores[instance.restore];
            if let Some(draft) = self.draft(at, known, &mut said) {
                steps.push(Step {
                    name: instance.name.clone(),
                    span: document.restores[instance.restore].name.span,
                    restore: instance.restore,
                    needs: Arc::clone(&needed[instance.restore]),
                    draft: Arc::new(draft),
                    target: self.renderer.target_of(instance.restore),
                    timeout: restore.timeout,
                    objectives: restore.objectives,
                    checks: Arc::clone(&restore.checks),
                    publish_validation: restore.publish_validation,
                    into_existing: restore.into_existing,
                });
            }
            for check in restore.checks.iter() {
                self.renderer.words(Some(at), check, known, &mut said);
            }
        }
        for check in document.checks.iter().chain(document.cutover.iter()) {
            self.renderer.words(None, check, known, findings);
        }
        findings.extend(self.once(said));
        let order: Vec<StepIndex> = validate::order(document)
            .into_iter()
            .flat_map(|restore| instances.positions_of(restore))
            .collect();
        let complete = steps.len() == instances.all().len() && order.len() == steps.len();
        let names: BTreeSet<&str> = instances.all().iter().map(|of| of.name.as_str()).collect();
        let of_all = document.checks.iter().map(|check| check.of_all(&names));
        complete.then(|| Plan {
            name: document.plan.value.clone(),
            run_id: self.renderer.run_id().clone(),
            targets: self.renderer.targets().clone(),
            steps: steps.into(),
            order,
            limits: document.limits.clone(),
            on_failure: document.on_failure,
            objectives: document.objectives,
            description: document.description.clone(),
            checks: Arc::new(of_all.collect()),
            cutover: Arc::clone(&document.cutover),
        })
    }

    /// The words of a check with what is known now, of a restore or of the plan as a whole.
    ///
    /// # Errors
    ///
    /// What stands in the way, in words.
    pub fn words(
        &self,
        restore: Option<StepIndex>,
        check: &Check,
        known: &Known,
    ) -> Result<Vec<String>, String> {
        let mut findings = Findings::default();
        let words = self.renderer.words(restore, check, known, &mut findings);
        match (findings.first_error(), words) {
            (Some(finding), _) => Err(format!("{} ({})", finding.message, finding.rule)),
            (None, Some(words)) if words.pending.is_empty() => Ok(words.words),
            (None, Some(words)) => {
                let names: Vec<&str> = words.pending.iter().map(Fact::as_str).collect();
                Err(format!("AWS has not said what {} is", names.join(", ")))
            }
            (None, None) => Err("the command could not be completed".to_owned()),
        }
    }

    /// Findings of steps, those that are the same for several instances of a restore as one with a count.
    #[must_use]
    pub fn once(&self, findings: Findings) -> Findings {
        repeated::once(findings, self.document(), self.instances())
    }

    /// Lets go of what was written of all that a plan has rendered to its end: a run of many restores needs it no more.
    /// Commands are rendered when their restore has ended.
    pub fn release(&mut self, plan: &Plan) {
        let has_commands =
            !self.document().checks.is_empty() || !self.document().cutover.is_empty();
        let all = self.document().restores.len();
        let mut wanted: Indexed<DocumentIndex, bool> = vec![has_commands; all].into();
        for step in &plan.steps {
            wanted[step.restore] |= !step.draft.pending.is_empty() || !step.checks.is_empty();
        }
        self.renderer.release(|restore| !wanted[restore]);
    }

    /// Renders one step with what is known, before any rule judges it; `None` where that is not possible.
    #[must_use]
    pub fn rendered(&self, index: StepIndex, known: &Known) -> Option<Rendered> {
        let mut findings = Findings::default();
        let rendered = self.renderer.restore(index, known, &mut findings);
        (!findings.has_errors()).then_some(rendered)
    }

    /// The request of one step with what is known now; `None` where an error stands in the way.
    pub fn draft(&self, index: StepIndex, known: &Known, findings: &mut Findings) -> Option<Draft> {
        let mut own = Findings::default();
        let mut rendered = self.renderer.restore(index, known, &mut own);
        let refused = own.has_errors();
        findings.extend(own);
        let restore = self.renderer.instances().all()[index].restore;
        let target = &self.renderer.targets()[self.renderer.target_of(restore)];
        let source = rendered
            .recovery_point
            .as_ref()
            .and_then(|arn| known.sources.get(arn));
        let checked = validate::restore(
            self.document(),
            &mut rendered,
            target,
            source,
            self.bounds(known),
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
            holes: checked.holes,
            takes_mark: checked.takes_mark,
            lacks_recovery_point: checked.lacks_recovery_point,
            expected: checked.expected,
            selector: rendered.selector.map(Box::new),
            vault: rendered.vault,
        })
    }
}

impl Plan {
    /// Takes the drafts out of the steps: whoever executes them keeps each for as long as it is needed.
    #[must_use]
    pub fn take_drafts(&mut self) -> Indexed<StepIndex, Arc<Draft>> {
        let none = Arc::new(Draft::default());
        let steps = self.steps.iter_mut();
        steps
            .map(|step| std::mem::replace(&mut step.draft, Arc::clone(&none)))
            .collect()
    }

    /// The token of a step's request in an attempt; none while a part of it is pending.
    #[must_use]
    pub fn token(&self, step: StepIndex, attempt: u32) -> Option<IdempotencyToken> {
        let request = &self.steps[step].draft;
        request
            .pending
            .is_empty()
            .then(|| token(&self.identity(step, attempt), &request.request))
    }

    /// Returns the identity of the requester: everything of a token but the request.
    #[must_use]
    pub fn identity(&self, step: StepIndex, attempt: u32) -> Identity<'_> {
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

    /// Returns the target of a step.
    #[must_use]
    pub fn target_of(&self, step: &Step) -> &Target {
        &self.targets[step.target]
    }
}
