//! Completions of a word, for shells: `redrill completions SHELL` prints what asks for them.

use std::ffi::OsStr;
use std::path::Path;

use clap_complete::engine::{
    ArgValueCompleter, CompletionCandidate, PathCompleter, ValueCompleter,
};
use clap_complete::env::{CompleteEnv, Shells};

use super::environment::Environment;
use super::exit::Failure;
use super::files;
use crate::diagnostic::Findings;
use crate::journal::{LocalStore, RunKey, RunStore as _};
use crate::parse::document;
use crate::rules::Rules;

/// Names the shell that asks.
const ASKED_BY: &str = "COMPLETE";

/// Answers a shell and ends the program, where one has asked.
pub(super) fn answer() {
    CompleteEnv::with_factory(super::command)
        .var(ASKED_BY)
        .complete();
}

/// Returns the script with which a shell asks.
///
/// # Errors
///
/// Where the shell is not one that is known.
pub(super) fn script(shell: &str) -> Result<Vec<u8>, Failure> {
    let shells = Shells::builtins();
    let Some(completer) = shells.completer(shell) else {
        return Err(Failure::Usage(format!("no completions for `{shell}`")));
    };
    let mut script = Vec::new();
    completer
        .write_registration(ASKED_BY, "redrill", "redrill", "redrill", &mut script)
        .map_err(|err| Failure::System(err.to_string()))?;
    Ok(script)
}

/// Runs known here.
fn runs() -> Vec<RunKey> {
    let runtime = tokio::runtime::Builder::new_current_thread().build();
    let state = flag("--state").unwrap_or_else(|| ".redrill".to_owned());
    let runs = runtime.map(|runtime| runtime.block_on(LocalStore::new(Path::new(&state)).runs()));
    runs.ok().and_then(Result::ok).unwrap_or_default()
}

/// The words of the command line that is being typed.
fn typed() -> Vec<String> {
    Environment::read().typed()
}

/// The value of a flag on that line.
fn flag(name: &str) -> Option<String> {
    let typed = typed();
    let mut words = typed.iter();
    words.find(|word| *word == name)?;
    words.next().cloned()
}

fn candidates<T: Into<String>>(
    current: &OsStr,
    all: impl IntoIterator<Item = T>,
) -> Vec<CompletionCandidate> {
    let current = current.to_string_lossy();
    let mut all: Vec<String> = all.into_iter().map(Into::into).collect();
    all.sort_unstable();
    all.dedup();
    all.retain(|word| word.starts_with(&*current));
    all.into_iter().map(CompletionCandidate::new).collect()
}

/// Ids of runs.
pub(super) fn run_ids() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        candidates(current, runs().into_iter().map(|run| run.run.to_string()))
    })
}

/// Frameworks whose controls a report can answer.
pub(super) fn frameworks() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let all = crate::controls::frameworks().into_iter();
        candidates(current, all.map(str::to_owned))
    })
}

/// Plans: files, and the names of those that have runs.
pub(super) fn plans() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let mut all = candidates(current, runs().into_iter().map(|run| run.plan));
        all.extend(PathCompleter::file().complete(current));
        all
    })
}

/// Restores of the plan on the line.
pub(super) fn restores() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let typed = typed();
        let is_plan = |word: &&String| word.ends_with(".yaml") || word.ends_with(".yml");
        let mut plans = typed.iter().filter(is_plan);
        let source = plans.find_map(|path| files::plan(Path::new(path)).ok());
        let document = source.and_then(|source| document(&source, &mut Findings::default()));
        let restores = document
            .map(|document| document.restores)
            .unwrap_or_default();
        candidates(
            current,
            restores
                .into_iter()
                .map(|restore| restore.name.value.to_string()),
        )
    })
}

/// Types, and rules.
pub(super) fn topics() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let rules = Rules::embedded();
        let types: Vec<String> = rules.types().map(str::to_owned).collect();
        candidates(current, types.into_iter().chain(rules.ids()))
    })
}

/// Types, and `plan`.
pub(super) fn schemas() -> ArgValueCompleter {
    ArgValueCompleter::new(|current: &OsStr| {
        let rules = Rules::embedded();
        let types: Vec<String> = rules.types().map(str::to_owned).collect();
        candidates(current, types.into_iter().chain(["plan".to_owned()]))
    })
}
