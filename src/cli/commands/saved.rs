//! Saved plans: `redrill plan PLAN -o FILE` writes a dry run down, `redrill run FILE` carries it out as it stands there.

use std::collections::BTreeMap;
use std::ops::Deref;
use std::path::{Path, PathBuf};

use jiff::Timestamp;

use super::Context;
use super::resume_hint::{CommandPlace, quoted};
use crate::backup::Endpoint;
use crate::cli::arguments::{DryRunArguments, InputOptions, RunArguments};
use crate::cli::exit::Failure;
use crate::cli::files;
use crate::cli::writing::{OutputFile, OutputKind};
use crate::diff::{Diff, Digested, Saved, SavedError, SavedInputs, Wanted};
use crate::ids::RunId;
use crate::plan::{Plan, Planner, sha256};
use crate::report::minute;
use crate::session::Loaded;
use crate::state::{Event, History, JournalPosition, PositionCounter, Recorded};

/// A saved plan, and where the command that carries it out works.
pub(super) struct SavedPlan {
    plan: Saved,
    place: CommandPlace,
}

impl SavedPlan {
    /// The options that lead there, each with a space before it.
    pub(super) fn place(&self) -> &str {
        &self.place.words
    }
}

impl Deref for SavedPlan {
    type Target = Saved;

    fn deref(&self) -> &Saved {
        &self.plan
    }
}

/// Keeps a dry run in a file. One with conflicts is not worth keeping.
pub(super) fn save(
    path: &Path,
    arguments: &DryRunArguments,
    loaded: &Loaded,
    plan: &Plan,
    diff: &Diff,
    position: JournalPosition,
    endpoint: Option<&Endpoint>,
) -> Result<(), Failure> {
    if diff.has_conflict() {
        return Err(Failure::Conflict(
            "not saved: the plan differs from what this run has already started".to_owned(),
        ));
    }
    if arguments.plan == Path::new("-") {
        return Err(Failure::Usage(
            "-o needs the plan's path, not standard input: `redrill run` looks whether it has changed".to_owned(),
        ));
    }
    let saved = Saved::new(
        plan,
        diff,
        loaded.planner.secrets(),
        SavedInputs {
            endpoint: endpoint.map(ToString::to_string),
            ..inputs(&arguments.plan, &arguments.inputs, &loaded.planner)?
        },
        position,
        (arguments.only.only.clone(), arguments.retry_failed),
    );
    OutputFile::new(path, OutputKind::SavedPlan).write(saved.text())
}

/// Returns the inputs that a plan was made of.
fn inputs(path: &Path, options: &InputOptions, planner: &Planner) -> Result<SavedInputs, Failure> {
    let variables = planner.variables();
    let is_secret = |name: &String| matches!(variables.get(name), Some(None));
    let mut inventories = Vec::with_capacity(options.inventory.len());
    for path in &options.inventory {
        inventories.push(digested(path)?);
    }
    let mut inventories = inventories.into_iter();
    Ok(SavedInputs {
        file: digested(path)?,
        endpoint: None,
        var_files: options.var_files.iter().map(|path| typed(path)).collect(),
        given: options
            .vars
            .iter()
            .filter(|(name, _)| !is_secret(name))
            .cloned()
            .collect(),
        vars: digests(planner),
        inventory: inventories.next(),
        more_inventories: inventories.collect(),
        lock: match super::lock::used(path, options) {
            Some(path) => Some(digested(&path)?),
            None => None,
        },
    })
}

fn typed(path: &Path) -> String {
    path.to_string_lossy().into_owned()
}

fn digested(path: &Path) -> Result<Digested, Failure> {
    Ok(Digested {
        path: typed(path),
        sha256: sha256(files::text(path)?),
    })
}

/// Of the variables' values; none of a secret, which could be guessed from it.
fn digests(planner: &Planner) -> BTreeMap<String, Option<String>> {
    let variables = planner.variables().iter();
    variables
        .map(|(name, value)| {
            (
                name.clone(),
                value.as_ref().map(|value| sha256(value.to_string())),
            )
        })
        .collect()
}

/// The saved plan in a file, where it is one.
pub(super) fn open(path: &Path, context: &Context<'_>) -> Result<Option<SavedPlan>, Failure> {
    if path == Path::new("-") {
        return Ok(None);
    }
    // A file that is no text is reported where plans are read.
    let Ok(text) = files::text(path) else {
        return Ok(None);
    };
    if !Saved::is_one(&text) {
        return Ok(None);
    }
    let name = path.display();
    let saved = Saved::parse(&text).map_err(|err| {
        let help = match err {
            SavedError::Format(_) => "use the redrill that wrote it",
            SavedError::Damaged(_) => "save the plan again",
        };
        Failure::Conflict(format!(
            "{name}: this saved plan cannot be carried out: {err}; {help}"
        ))
    });
    Ok(Some(SavedPlan {
        plan: saved?,
        place: CommandPlace::of(context),
    }))
}

/// The command that a saved plan stands for. Everything that decides about requests is in it, except secrets.
pub(super) fn command(saved: &SavedPlan, typed: &RunArguments) -> Result<RunArguments, Failure> {
    let inputs = &typed.inputs;
    let is_secret = |name: &String| matches!(saved.inputs.vars.get(name), Some(None));
    let mut refused: Vec<String> = Vec::new();
    for (name, _) in inputs.vars.iter().filter(|(name, _)| !is_secret(name)) {
        refused.push(format!("--var {name}"));
    }
    let asked = [
        (!inputs.var_files.is_empty(), "--var-file"),
        (!inputs.inventory.is_empty(), "--inventory"),
        (inputs.no_lock && saved.inputs.lock.is_some(), "--no-lock"),
        (
            inputs.run_id != "main" && inputs.run_id != saved.run_id,
            "--run-id",
        ),
        (!typed.only.only.is_empty(), "--only"),
        (
            typed.how.retry_failed && !saved.retry_failed,
            "--retry-failed",
        ),
        (typed.dry_run, "--dry-run"),
    ];
    refused.extend(
        asked
            .into_iter()
            .filter(|(is, _)| *is)
            .map(|(_, name)| name.to_owned()),
    );
    if !refused.is_empty() {
        return Err(Failure::Usage(format!(
            "{}: a saved plan is carried out as it was saved; save another one instead",
            refused.join(", ")
        )));
    }
    let mut command = typed.clone();
    command.plan = PathBuf::from(&saved.inputs.file.path);
    command.inputs.run_id.clone_from(&saved.run_id);
    command.inputs.var_files = saved.inputs.var_files.iter().map(PathBuf::from).collect();
    let inventories = saved.inputs.inventories();
    command.inputs.inventory = inventories.map(|of| PathBuf::from(&of.path)).collect();
    // A lock file that was not there then decides nothing now.
    command.inputs.no_lock = saved.inputs.lock.is_none();
    command.inputs.vars.extend(saved.inputs.given.clone());
    command.only.only.clone_from(&saved.only);
    command.how.retry_failed = saved.retry_failed;
    Ok(command)
}

impl Context<'_> {
    /// Checks that everything is still what the plan was made of, as far as that can be told before it is read.
    pub(super) fn check_files(&self, saved: &SavedPlan) -> Result<(), Failure> {
        let mut reasons = Vec::new();
        let version = env!("CARGO_PKG_VERSION");
        if saved.redrill != version {
            reasons.push(format!(
                "it was saved by redrill {}, and this is redrill {version}",
                saved.redrill
            ));
        }
        let files = [&saved.inputs.file].into_iter();
        let files = files
            .chain(saved.inputs.inventories())
            .chain(saved.inputs.lock.as_ref());
        for file in files {
            match files::text(Path::new(&file.path)) {
                Ok(text) if sha256(&text) == file.sha256 => {}
                Ok(_) => reasons.push(format!("{} has changed", file.path)),
                Err(failure) => reasons.push(failure.to_string()),
            }
        }
        for path in &saved.inputs.var_files {
            if let Err(failure) = files::text(Path::new(path)) {
                reasons.push(failure.to_string());
            }
        }
        refuse(saved, reasons)
    }
}

/// Checks that the variables have the values that they had.
pub(super) fn check_variables(saved: &SavedPlan, planner: &Planner) -> Result<(), Failure> {
    let now = digests(planner);
    let reasons = saved
        .inputs
        .vars
        .iter()
        // One that is missing is told as such.
        .filter(|(name, was)| now.get(*name).is_some_and(|is| is != *was))
        .map(|(name, _)| format!("the value of `vars.{name}` has changed"))
        .collect();
    refuse(saved, reasons)
}

/// Changes of a run since a plan of it was saved.
pub(super) struct SavedPlanReplay<'a> {
    saved: &'a SavedPlan,
    counter: PositionCounter,
    /// Set once the saved plan has been taken up.
    moved_on: bool,
    /// Time at which the run was first taken up without it.
    without: Option<Timestamp>,
}

impl<'a> SavedPlanReplay<'a> {
    pub(super) fn of(saved: &'a SavedPlan) -> Self {
        Self {
            saved,
            counter: PositionCounter::default(),
            moved_on: false,
            without: None,
        }
    }

    /// Takes one event in; they come in the journal's order.
    pub(super) fn take(&mut self, recorded: &Recorded) {
        if self.counter.records() < self.saved.journal.records {
            self.counter.take(recorded);
            return;
        }
        self.moved_on = true;
        if let Event::RunOpened { saved_plan, .. } | Event::RunResumed { saved_plan, .. } =
            &recorded.event
            && saved_plan.as_deref() != Some(self.saved.id())
        {
            self.without.get_or_insert(recorded.at);
        }
    }

    /// Checks that the run is where it was, or returns true if only this plan has brought it further; sets the restores
    /// that it may still bring further.
    pub(super) fn check(&self, wanted: &mut Wanted) -> Result<bool, Failure> {
        let run = &self.saved.run_id;
        if self.counter.position() != self.saved.journal {
            return Err(refusal(
                self.saved,
                vec![format!(
                    "run {run} is not the one that it was saved of: its journal begins otherwise, or is elsewhere"
                )],
            ));
        }
        if let Some(at) = self.without {
            return Err(refusal(
                self.saved,
                vec![format!(
                    "run {run} has moved on since: it was taken up without this saved plan at {at}"
                )],
            ));
        }
        let attempts = self
            .saved
            .restores
            .iter()
            .map(|of| (of.restore.clone(), of.attempt));
        wanted.up_to = Some(attempts.collect());
        Ok(self.moved_on)
    }
}

/// Checks that the requests are those in the file, byte for byte.
pub(super) fn check_requests(
    saved: &SavedPlan,
    loaded: &Loaded,
    plan: &Plan,
    diff: &Diff,
) -> Result<(), Failure> {
    refuse(saved, saved.differs(plan, diff, loaded.planner.secrets()))
}

/// A saved plan is for the endpoint that it was made at.
pub(super) fn check_endpoint(saved: &SavedPlan, here: &Endpoint) -> Result<(), Failure> {
    match &saved.inputs.endpoint {
        Some(there) if *there != here.to_string() => Err(Failure::Conflict(format!(
            "this saved plan was made at {there}, and this command works at {here}: nothing was sent. RunArguments it where it was made, \
             with --endpoint-url {}, or save another one here",
            address(there)
        ))),
        _ => Ok(()),
    }
}

/// Nothing is left of a saved plan that was carried out before.
pub(super) fn consumed(saved: &SavedPlan, history: &History) -> Failure {
    let ended = history
        .ended
        .map_or_else(String::new, |at| format!(", which ended {}", minute(at)));
    let cleaned = match (history.deleted(), history.cleaned_up) {
        (1.., Some(at)) => format!(" and was cleaned up, last {}", minute(at)),
        _ => String::new(),
    };
    Failure::Conflict(format!(
        "this saved plan has been carried out already, by run {}{ended}{cleaned}; `redrill status` shows what came of it",
        saved.run_id
    ))
}

/// A run that has been cleaned up takes nothing up again: a dry run of it is not worth keeping.
pub(super) fn refuse_cleaned_up(
    history: &History,
    run: &RunId,
    starts: bool,
) -> Result<(), Failure> {
    let Some(at) = history.cleaned_up.filter(|_| history.deleted() > 0) else {
        return Ok(());
    };
    let would = match starts {
        true => "would be refused",
        false => "would start nothing",
    };
    Err(Failure::Conflict(format!(
        "not saved: run {run} was cleaned up, last {}, and `redrill run` {would}. A new restore needs another --run-id",
        minute(at)
    )))
}

fn refuse(saved: &SavedPlan, reasons: Vec<String>) -> Result<(), Failure> {
    if reasons.is_empty() {
        return Ok(());
    }
    Err(refusal(saved, reasons))
}

/// The dry run that makes such a saved plan again, as far as it is known what was typed.
fn save_again(saved: &SavedPlan) -> String {
    let inputs = &saved.inputs;
    let mut words = vec![
        "redrill".to_owned(),
        "plan".to_owned(),
        inputs.file.path.clone(),
    ];
    let mut add = |option: &str, value: &str| words.extend([option.to_owned(), value.to_owned()]);
    if saved.run_id != "main" {
        add("--run-id", saved.run_id.as_str());
    }
    for file in &inputs.var_files {
        add("--var-file", file);
    }
    for (name, value) in &inputs.given {
        add("--var", &format!("{name}={value}"));
    }
    for inventory in inputs.inventories() {
        add("--inventory", &inventory.path);
    }
    let endpoint = inputs.endpoint.as_ref();
    if let Some(endpoint) = endpoint.filter(|_| !saved.place.names_endpoint) {
        add("--endpoint-url", address(endpoint));
    }
    for name in &saved.only {
        words.push(format!("--only={name}"));
    }
    if saved.retry_failed {
        words.push("--retry-failed".to_owned());
    }
    let words: Vec<String> = words.iter().map(|word| quoted(word)).collect();
    format!("{}{} -o FILE", words.join(" "), saved.place.words)
}

/// The address in an endpoint's words: `http://127.0.0.1:4566 (not AWS)`.
fn address(endpoint: &str) -> &str {
    endpoint.split_whitespace().next().unwrap_or(endpoint)
}

fn refusal(saved: &SavedPlan, reasons: Vec<String>) -> Failure {
    Failure::Conflict(format!(
        "this saved plan is not what would be sent now; nothing was sent\n\n{}\n\nlook at it and save it again: {}",
        super::listed(&reasons, 20, "  ").join("\n"),
        save_again(saved)
    ))
}
