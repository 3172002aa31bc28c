//! Start of a command: nothing left of an earlier one, and its environment.

use super::Run;
use crate::backup::{Clock, Reader, Writer};
use crate::execute::Observer;
use crate::execute::checking::Of;
use crate::execute::command::Left;
use crate::ids::TargetIndex;
use crate::parse::Check;
use crate::plan::sha256;
use crate::state::{Append, Begins, Begun, CheckStage};

/// Describes an earlier start whose end nobody saw.
pub(super) fn said(left: &Left) -> Option<String> {
    Some(match left {
        Left::Nothing => return None,
        Left::Killed(1) => {
            "a process of its earlier start was still there, and was killed first".to_owned()
        }
        Left::Killed(count) => {
            format!(
                "{count} processes of its earlier start were still there, and were killed first"
            )
        }
        Left::Alive(process) => {
            format!("process {process} of its earlier start is still there and cannot be killed")
        }
        Left::Unknown(why) => format!("its earlier start may still be running: {why}"),
    })
}

impl<A: Reader + Writer + 'static, J: Append + 'static, C: Clock, O: Observer> Run<'_, A, J, C, O> {
    fn key(&self, of: Of, name: &str) -> Begins {
        let restore = match of {
            Of::Restore(step) => Some(self.name(step)),
            Of::Plan | Of::Cutover => None,
        };
        (restore, of == Of::Cutover, name.to_owned())
    }

    /// Kills what is left of a start whose end nobody saw: its runner was killed itself.
    pub(super) fn end_earlier(&self, of: Of, name: &str) -> Left {
        let is_open = self
            .seen(of, name)
            .is_some_and(|seen| seen.is == CheckStage::Started);
        if !is_open {
            return Left::Nothing;
        }
        let commands = self.checking.commands();
        match self.observed.begun.get(&self.key(of, name)) {
            Some(begun) => commands.end(begun),
            None if commands.machine().is_none() => Left::Nothing,
            None => Left::Unknown(
                "the version of redrill that started it did not record its processes".to_owned(),
            ),
        }
    }

    /// Returns the record by which the next start of a command is found again.
    pub(super) fn begins(&self, of: Of, name: &str, nth: u32) -> Option<Begun> {
        let machine = self.checking.commands().machine()?;
        let plan = self.engine.plan;
        let what = (
            &plan.name,
            &plan.run_id,
            self.key(of, name),
            nth,
            &machine,
            std::process::id(),
            self.engine.clock.now(),
        );
        let mut id = sha256(format!("{what:?}").as_bytes());
        id.truncate(32);
        Some(Begun { id, machine })
    }

    /// Returns the environment of a command: `docs/plan.md` lists it.
    pub(super) fn environment(
        &self,
        of: Of,
        check: &Check,
        nth: u32,
        start: Option<String>,
    ) -> Vec<(String, String)> {
        let plan = self.engine.plan;
        let target = match of {
            Of::Restore(step) => &plan.targets[plan.steps[step].target],
            Of::Plan | Of::Cutover => &plan.targets[TargetIndex::FIRST],
        };
        let mut all = vec![
            ("REDRILL_PLAN", plan.name.clone()),
            ("REDRILL_RUN_ID", plan.run_id.to_string()),
            ("REDRILL_CHECK", check.name.value.clone()),
            ("REDRILL_TRY", nth.to_string()),
            ("REDRILL_ACCOUNT", target.account.to_string()),
            ("REDRILL_REGION", target.region.to_string()),
            ("AWS_REGION", target.region.to_string()),
            ("AWS_DEFAULT_REGION", target.region.to_string()),
        ];
        all.extend(start.map(|id| ("REDRILL_START", id)));
        match of {
            Of::Restore(step) => {
                let request = self.flights[step]
                    .draft
                    .as_ref()
                    .map(|draft| &draft.request);
                let request = request.cloned().unwrap_or_default();
                let step = &plan.steps[step];
                let created = self.known.created.get(&step.name);
                let (created, job) = created.map_or_else(Default::default, |created| {
                    (created.resource_arn.clone(), created.job_id.to_string())
                });
                all.extend([
                    ("REDRILL_RESTORE", step.name.to_string()),
                    ("REDRILL_RESOURCE_TYPE", request.resource_type),
                    ("REDRILL_RECOVERY_POINT_ARN", request.recovery_point_arn),
                    ("REDRILL_CREATED_ARN", created),
                    ("REDRILL_JOB_ID", job),
                ]);
            }
            Of::Plan | Of::Cutover => {
                let created: serde_json::Map<String, serde_json::Value> = self
                    .known
                    .created
                    .iter()
                    .map(|(name, created)| (name.to_string(), created.resource_arn.clone().into()))
                    .collect();
                let created = serde_json::Value::Object(created).to_string();
                all.push(("REDRILL_CREATED_ARNS", created));
            }
        }
        all.into_iter()
            .map(|(name, value)| (name.to_owned(), value))
            .collect()
    }
}
