//! Consent to what a run would start: the checks before it, and a person's answer.

use std::sync::Arc;

use super::clients::Client;
use super::conflicts::Unsaid;
use super::programs::{Due, Programs};
use super::question::{look_twice, question};
use super::run::EngineRun;
use super::world::World;
use super::{Context, begun_elsewhere};
use crate::cli::confirm::{can_ask, confirm};
use crate::cli::exit::Failure;
use crate::diagnostic::Findings;
use crate::diff::{Action, Review};
use crate::session::{Loaded, Preview};

/// Subject of the question.
pub(super) struct Consent<'a> {
    pub(super) preview: &'a Preview,
    pub(super) world: &'a World,
    pub(super) aws: &'a [Arc<Client>],
    /// ARNs of the callers, where their accounts were looked at already.
    pub(super) callers: Option<Vec<String>>,
}

impl Consent<'_> {
    /// Refuses what cannot go well, and asks about the rest where nobody has confirmed it. Returns the callers' ARNs if the answer
    /// was yes.
    pub(super) async fn ask(
        &mut self,
        loaded: &Loaded,
        execution: &mut EngineRun<'_>,
        context: &mut Context<'_>,
    ) -> Result<Option<Vec<String>>, Failure> {
        let Self { preview, aws, .. } = *self;
        let callers = self.callers.take();
        let Preview { plan, diff, .. } = preview;
        self.check_programs(loaded, execution, context)?;
        let unsaid = Unsaid::of(plan, diff, &context.rules, loaded.planner.secrets());
        unsaid.refuse_or_say(execution, context)?;
        let is_asked = diff.count(Action::Start) > 0 && !execution.confirmed;
        if is_asked {
            can_ask()?;
        }
        let callers = match callers {
            Some(callers) => callers,
            None => {
                let asked = super::callers(aws, &plan.targets);
                let what = "STS to say whose credentials these are";
                context.output.patiently(what, asked).await?
            }
        };
        let looks = preview.history.opened.is_none() || execution.reached.machines.is_some();
        let begun = match looks {
            true => {
                begun_elsewhere::begun_elsewhere(loaded, plan, diff, aws, execution, context)
                    .await?
            }
            false => Vec::new(),
        };
        if execution.confirmed {
            begun.iter().for_each(|line| context.output.note(line));
            self.say_reasons(loaded, context);
        }
        if !is_asked {
            return Ok(Some(callers));
        }
        let review = Review::embedded(&context.rules);
        let resources = super::base::resources(&preview.known, self.world);
        let mut twice = begun;
        twice.extend(look_twice(plan, diff, &review, &resources, loaded));
        let question = question(loaded, preview, execution, &twice);
        let is_confirmed = confirm(&question)? && unsaid.ask(&mut execution.policy)?;
        Ok(is_confirmed.then_some(callers))
    }

    /// Shows the dry run's reasons for a restore that starts, such as that the same was restored under another name.
    fn say_reasons(&self, loaded: &Loaded, context: &mut Context<'_>) {
        const SHOWN: usize = 20;
        let Preview { plan, diff, .. } = self.preview;
        let changes = diff.changes.iter();
        let starting = changes.filter(|change| change.action == Action::Start);
        let reasons: Vec<String> = starting
            .filter_map(|change| {
                let name = &plan.steps[change.step].name;
                change.reason.as_ref().map(|why| format!("{name}: {why}"))
            })
            .collect();
        let secrets = loaded.planner.secrets();
        for reason in reasons.iter().take(SHOWN) {
            context.output.note(&secrets.redact(reason));
        }
        if reasons.len() > SHOWN {
            let more = reasons.len() - SHOWN;
            context.output.note(&format!("and the same of {more} more"));
        }
    }

    /// Commands that cannot be started are found before anything is.
    fn check_programs(
        &self,
        loaded: &Loaded,
        execution: &EngineRun<'_>,
        context: &mut Context<'_>,
    ) -> Result<(), Failure> {
        let due = Due {
            retry_failed: execution.policy.retry_failed,
            cutover: execution.policy.cutover,
            whole: execution.wanted.only.is_empty(),
        };
        let mut programs = Programs::beside(execution.file, context.environment.path.as_deref());
        let found = programs.of_run(loaded, self.preview, &due);
        let found: Findings = context.shown(loaded, found).into_iter().collect();
        super::refuse(found.clone())?;
        context.show(loaded, found);
        Ok(())
    }
}
