//! `redrill preflight PLAN`, and `run --preflight`: what stands in the way, before anything is sent.

use std::cell::OnceCell;
use std::path::Path;
use std::sync::Arc;

use super::Context;
use super::clients::{Client, connected, pace};
use super::previewed::{PreviewRequest, Previewed};
use super::programs::Programs;
use crate::aws::Reads;
use crate::backup::{Clock, SystemClock};
use crate::cli::arguments::{PreflightArguments, PreflightFormat};
use crate::cli::exit::{Exit, Failure};
use crate::diff::{Action, Diff, Review};
use crate::execute::expected;
use crate::plan::Plan;
use crate::preflight::{
    self, AskProgress, Looks, PreflightCheck, PreflightOptions, PreflightSubject, PreflightVerdict,
};
use crate::render::Known;
use crate::report::{
    PreflightReport, preflight_human, preflight_json, preflight_junit, preflight_markdown,
};
use crate::session::Loaded;
use crate::terminal::Counter;

pub(super) async fn preflight(
    arguments: &PreflightArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let request = PreviewRequest {
        file: &arguments.plan,
        inputs: &arguments.inputs,
        aws: &arguments.aws,
        state: &arguments.state,
        only: &arguments.only.only,
        retry_failed: arguments.retry_failed,
    };
    let Previewed {
        loaded,
        settings,
        preview,
        ..
    } = context.previewed(&request, |_| ()).await?;
    let clients: Vec<Arc<Client<Reads>>> = connected(&settings, &pace(&settings, false)).await?;
    let options = PreflightOptions {
        allow_unscanned: arguments.allow_unscanned,
    };
    let looked = PreflightLook {
        file: &arguments.plan,
        loaded: &loaded,
        plan: &preview.plan,
        diff: &preview.diff,
        known: &preview.known,
        options,
    };
    let checks = looked.checks(&clients, context).await?;
    let file = arguments.plan.to_string_lossy();
    let report = looked.report(&file, &checks, context);
    match arguments.format {
        PreflightFormat::Human => context.output.styled(&preflight_human(&report)),
        PreflightFormat::Json => context.output.document(&preflight_json(&report)),
        PreflightFormat::Markdown => context.output.verbatim(&preflight_markdown(&report)),
        PreflightFormat::Junit => context.output.document(&preflight_junit(&report)),
    }?;
    Ok(exit(&checks))
}

/// Returns the exit code for the checks.
pub(super) fn exit(checks: &[PreflightCheck]) -> Exit {
    match checks
        .iter()
        .any(|check| check.verdict == PreflightVerdict::Fail)
    {
        true => Exit::NotReady,
        false => Exit::Done,
    }
}

/// A plan that is looked at.
pub(super) struct PreflightLook<'a> {
    pub(super) file: &'a Path,
    pub(super) loaded: &'a Loaded,
    pub(super) plan: &'a Plan,
    pub(super) diff: &'a Diff,
    pub(super) known: &'a Known,
    pub(super) options: PreflightOptions,
}

impl PreflightLook<'_> {
    /// Returns true if something stands in the way of a run, and shows it.
    pub(super) async fn stops<L: Looks>(
        &self,
        places: &[Arc<L>],
        context: &mut Context<'_>,
    ) -> Result<bool, Failure> {
        let checks = self.checks(places, context).await?;
        let file = self.file.to_string_lossy();
        let report = self.report(&file, &checks, context);
        context.output.styled_note(&preflight_human(&report));
        let stops = exit(&checks) == Exit::NotReady;
        if stops {
            context.output.note("nothing was sent");
        }
        Ok(stops)
    }

    fn report<'r>(
        &'r self,
        file: &'r str,
        checks: &'r [PreflightCheck],
        context: &Context<'_>,
    ) -> PreflightReport<'r> {
        PreflightReport {
            file,
            plan: self.plan,
            checks,
            secrets: self.loaded.planner.secrets(),
            verbose: context.display.verbose,
        }
    }

    /// Asks about everything, and says how far it is.
    pub(super) async fn checks<L: Looks>(
        &self,
        places: &[Arc<L>],
        context: &mut Context<'_>,
    ) -> Result<Vec<PreflightCheck>, Failure> {
        let planner = &self.loaded.planner;
        let programs = Programs::beside(self.file, context.environment.path.as_deref())
            .of_plan(planner, self.known);
        let review = Review::embedded(planner.rules());
        let starts = self
            .diff
            .changes
            .iter()
            .filter(|change| change.action == Action::Start);
        let subject = PreflightSubject {
            document: planner.document(),
            plan: self.plan,
            steps: starts.map(|change| change.step).collect(),
            known: self.known,
            rules: planner.rules(),
            review: &review,
            takes: expected(self.plan, self.diff),
            now: SystemClock.now(),
            programs: &programs,
            options: self.options,
            policies: OnceCell::new(),
        };
        let mut counter = Counted(context.counter("questions answered"));
        let asked = preflight::preflight(places, &subject, &mut counter);
        let checks = context
            .output
            .patiently("AWS to answer what preflight asks", asked)
            .await;
        counter.0.finish();
        checks.map_err(Failure::Aws)
    }
}

struct Counted(Counter);

impl AskProgress for Counted {
    fn more(&mut self, count: usize) {
        self.0.more(count);
    }

    fn one(&mut self) {
        self.0.one();
    }
}
