//! `redrill evidence PLAN -o DIR|ZIP`, and `redrill evidence verify DIR|ZIP`: all of it offline.

use std::path::{Path, PathBuf};

use super::{Context, signing};
use crate::backup::Endpoint;
use crate::cli::arguments::{InputOptions, StateOption};
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::cli::post_run::{Evidence, EvidenceCommand};
use crate::cli::tree::Tree;
use crate::cli::writing::{OutputFile, OutputKind, write_tree};
use crate::controls::{self, OscalBundle};
use crate::evidence::{
    About, BundleFiles, DIRECTORIES, JournalComparison, Parts, STATEMENT, bundle, check, hold,
    is_packed, pack, unpack,
};
use crate::execute::Stopped;
use crate::journal::{self, RunKey};
use crate::plan::sha256;
use crate::render::Secrets;
use crate::report::{RunReport, Verdict, run_report};
use crate::session;
use crate::state::{Recorded, replay};

pub(super) async fn evidence(
    arguments: &Evidence,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    match (&arguments.command, &arguments.plan, &arguments.output) {
        (
            Some(EvidenceCommand::Verify {
                bundle,
                trust,
                signatures,
            }),
            _,
            _,
        ) => verify(bundle, signing::Trust::of(trust), signatures, context),
        (
            Some(EvidenceCommand::Sign {
                bundle,
                key,
                signatures,
            }),
            _,
            _,
        ) => signing::sign(bundle, key, signatures.as_deref(), context),
        (Some(EvidenceCommand::Oscal { bundle, output }), _, _) => {
            oscal(bundle, output.as_deref(), context)
        }
        (None, Some(plan), Some(output)) => make(arguments, plan, output, context).await,
        (None, _, _) => Err(Failure::Usage(
            "write it as `redrill evidence PLAN -o DIR|ZIP`, or `redrill evidence verify DIR|ZIP`"
                .to_owned(),
        )),
    }
}

fn is_zip(path: &Path) -> bool {
    path.extension()
        .is_some_and(|extension| extension.eq_ignore_ascii_case("zip"))
}

/// Names of archives that a bundle is not written as.
const OTHER_ARCHIVES: [&str; 12] = [
    "7z", "bz2", "gz", "jar", "rar", "tar", "tbz2", "tgz", "txz", "xz", "zipx", "zst",
];

/// Refuses the name of another kind of archive: it would become a directory of that name.
fn is_of_a_bundle(path: &Path) -> Result<(), Failure> {
    let extension = path.extension().and_then(|of| of.to_str());
    let extension = extension.map(str::to_lowercase).unwrap_or_default();
    if !OTHER_ARCHIVES.contains(&extension.as_str()) {
        return Ok(());
    }
    let mut zip = path.with_extension("");
    if zip.extension().is_some_and(|of| of == "tar") {
        zip.set_extension("");
    }
    zip.as_mut_os_string().push(".zip");
    Err(Failure::Usage(format!(
        "evidence is a ZIP file or a directory, not a .{extension} file; write it with `-o {}`",
        super::resume_hint::quoted(&zip.to_string_lossy())
    )))
}

async fn make(
    arguments: &Evidence,
    plan: &Path,
    output: &Path,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    is_of_a_bundle(output)?;
    let is_empty = |path: &Path| {
        path.read_dir()
            .is_ok_and(|mut entries| entries.next().is_none())
    };
    if output.exists() && (is_zip(output) || !is_empty(output)) {
        return Err(Failure::Usage(format!(
            "{} already exists; evidence is not overwritten",
            output.display()
        )));
    }
    let MadeBundle {
        name,
        files: bundle,
        report,
        ..
    } = bundled(plan, &arguments.inputs, &arguments.state, context).await?;
    let run_id = &arguments.inputs.run_id;
    if is_zip(output) {
        let bytes = pack(&bundle).map_err(|source| Failure::Io {
            path: output.to_owned(),
            source,
        })?;
        OutputFile::new(output, OutputKind::Evidence).write(bytes)?;
    } else {
        write_tree(output, &bundle)?;
    }
    if report.verdict == Verdict::Unfinished {
        context.output.note(
            "warning: this run is not finished, so its evidence shows only a part of it; finish the run, then write the evidence again under another name",
        );
    }
    context.output.result(&format!(
        "{}: evidence of {name} run {run_id}: {}, {} files\n{}",
        output.display(),
        report.verdict.words(),
        bundle.len(),
        noticed(report.notices.iter().map(|notice| &notice.message))
    ))?;
    Ok(Exit::Done)
}

/// A bundle in memory, and what it was made from.
pub(super) struct MadeBundle {
    /// The plan's name.
    pub(super) name: String,
    /// Its files.
    pub(super) files: BundleFiles,
    /// The journal in it.
    pub(super) events: Vec<Recorded>,
    /// Outcome of the run.
    pub(super) report: RunReport,
}

/// The bundle of a run.
pub(super) async fn bundled(
    plan: &Path,
    inputs_given: &InputOptions,
    state: &StateOption,
    context: &mut Context<'_>,
) -> Result<MadeBundle, Failure> {
    let source = files::plan(plan)?;
    let run_id = &inputs_given.run_id;
    // Secrets that are given here are looked for; none has to be.
    let inputs = context.inputs(Tree::Working, inputs_given)?;
    let planner = session::read(&source, run_id, &inputs.for_checking(), &context.rules)?.planner;
    context.output.hide(planner.secrets());
    let name = planner.document().plan.value.clone();
    let store = context.store(state).await?;
    let run = RunKey::new(&name, run_id);
    let mut segments = journal::segments(&store, &run).await?;
    let parts = segments
        .iter()
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let mut events = journal::parse(parts)?;
    if events.is_empty() {
        return Err(super::no_such_run(&store, &run).await);
    }
    let is_guessable = |recorded: &Recorded| recorded.clone().unguessable() != *recorded;
    if events.iter().any(is_guessable) {
        segments = journal::rewritten(&segments, Recorded::unguessable)?;
        events = events.into_iter().map(Recorded::unguessable).collect();
    }
    replay(&events).map_err(Stopped::from)?;
    let report = run_report(&name, run_id, events.iter().collect());
    let last = report
        .runners
        .iter()
        .rev()
        .find_map(|runner| runner.origin.as_ref());
    let digest = sha256(&source.text);
    if let Some(origin) = last.filter(|origin| origin.plan_sha256 != digest) {
        let commit = origin
            .commit
            .as_ref()
            .map_or_else(String::new, |commit| format!(", commit {commit}"));
        return Err(Failure::Conflict(format!(
            "{} is not the plan that this run was last started with (SHA-256 {}{commit}); check out that version first",
            plan.display(),
            origin.plan_sha256,
        )));
    }
    let secrets = planner.secrets();
    let lock = lock_of(plan)?;
    let bundle = bundle(Parts {
        plan: &secrets.redact(&source.text),
        lock: lock.as_deref().map(|text| secrets.redact(text)).as_deref(),
        events: &events,
        journal: segments.into_iter().collect(),
        report: &report,
    });
    refuse_secrets(&bundle, secrets)?;
    Ok(MadeBundle {
        name,
        files: bundle,
        events,
        report,
    })
}

/// Formats what has to be known of a run, a line each.
fn noticed<'a>(notices: impl IntoIterator<Item = &'a String>) -> String {
    let lines = notices.into_iter().map(|notice| format!("{notice}\n"));
    lines.collect()
}

/// Refuses to hand over a secret. What was redacted before the journal was written stays so.
fn refuse_secrets(files: &BundleFiles, secrets: &Secrets) -> Result<(), Failure> {
    for (name, bytes) in files {
        let text = String::from_utf8_lossy(bytes);
        if matches!(secrets.redact(&text), std::borrow::Cow::Owned(_)) {
            return Err(Failure::Conflict(format!(
                "{name} contains a secret, so nothing was written; change the secret, and do not hand over this run"
            )));
        }
    }
    Ok(())
}

/// The lock file next to a plan, where there is one.
fn lock_of(plan: &Path) -> Result<Option<String>, Failure> {
    match super::lock::path(plan).filter(|lock| lock.exists()) {
        Some(lock) => files::text(&lock).map(Some),
        None => Ok(None),
    }
}

/// Verifies the files of a bundle: what it is of, the records of its journal, and what was compared with that.
pub(super) fn verified(
    files: &BundleFiles,
) -> Result<(About, Vec<Recorded>, JournalComparison), Failure> {
    let mismatch = |why: &dyn std::fmt::Display| Failure::Mismatch(why.to_string());
    let about = check(files).map_err(|err| mismatch(&err))?;
    let segments = files
        .iter()
        .filter(|(name, _)| name.starts_with("journal/"))
        .map(|(name, bytes)| (name.as_str(), bytes.as_slice()));
    let events = journal::parse(segments).map_err(|err| mismatch(&err))?;
    replay(&events).map_err(|err| mismatch(&err))?;
    let held = hold(files, &about, &events).map_err(|err| mismatch(&err))?;
    Ok((about, events, held))
}

/// Returns the name of a bundle in the ledger: the digest of its statement, which has those of all its files.
pub(super) fn digest(files: &BundleFiles) -> String {
    files.get(STATEMENT).map(sha256).unwrap_or_default()
}

/// The files of a bundle, which have yet to be verified.
pub(super) fn files_of(path: &Path) -> Result<BundleFiles, Failure> {
    let name = path.display().to_string();
    let mismatch = |why: &dyn std::fmt::Display| Failure::Mismatch(why.to_string());
    if path.is_dir() {
        let (files, directories) = files::tree(path)?;
        let is_its = |directory: &str| DIRECTORIES.contains(&directory);
        if let Some(other) = directories.iter().find(|directory| !is_its(directory)) {
            return Err(mismatch(&format!(
                "{other}: it is not a directory of a bundle"
            )));
        }
        return Ok(files);
    }
    let bytes = files::bytes(path)?;
    let files = unpack(&name, &bytes).map_err(|err| mismatch(&err))?;
    // A fault inside says more than where the archive differs.
    check(&files).map_err(|err| mismatch(&err))?;
    is_packed(&name, &bytes, &files).map_err(|err| mismatch(&err))?;
    Ok(files)
}

/// Writes what a bundle shows in OSCAL.
fn oscal(path: &Path, output: Option<&Path>, context: &mut Context<'_>) -> Result<Exit, Failure> {
    let files = files_of(path)?;
    let (about, events, _) = verified(&files)?;
    let report = run_report(&about.plan, &about.run_id, events.iter().collect());
    let name = path.file_name().unwrap_or_default().to_string_lossy();
    let archive_sha256 = match path.is_dir() {
        true => None,
        false => Some(sha256(files::bytes(path)?)),
    };
    let bundle = OscalBundle {
        files: &files,
        name: &name,
        archive_sha256: archive_sha256.as_deref(),
    };
    let results = match controls::oscal(bundle, &report, &events) {
        Ok(results) => results,
        Err(why) => {
            let note = format!("{}: {why} Nothing was written.", path.display());
            context.output.note(&note);
            return Ok(Exit::NotReady);
        }
    };
    let text = format!("{results:#}\n");
    match output {
        Some(output) => OutputFile::new(output, OutputKind::Oscal).write(text)?,
        None => context.output.document(&text)?,
    }
    Ok(Exit::Done)
}

fn verify(
    path: &Path,
    trust: Option<signing::Trust<'_>>,
    signatures: &[PathBuf],
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let name = path.display().to_string();
    let files = files_of(path)?;
    let (about, events, held) = verified(&files)?;
    let world = match &about.world {
        Some(Endpoint::Aws) => "at AWS".to_owned(),
        Some(Endpoint::Other { url }) => format!("not at AWS, but at {url}: it proves nothing"),
        Some(Endpoint::Rehearsal) => "in a rehearsal: it proves nothing".to_owned(),
        None => "at an endpoint that was not recorded".to_owned(),
    };
    let mut text = format!(
        "{name}: evidence of {} run {}: {}, {world}\n\
         OK: {} files match the statement (redrill {})\n\
         OK: the journal of {} records is complete, and yields {}\n",
        about.plan,
        about.run_id,
        about.verdict,
        files.len(),
        about.redrill,
        events.len(),
        held.files.join(", ")
    );
    for (name, why) in &held.not {
        text.push_str(&format!("not compared: {name}: {why}\n"));
    }
    text.push_str(&format!("SHA-256 of the statement: {}\n", digest(&files)));
    text.push_str(&signing::said(path, &files, trust, signatures)?);
    text.push_str(match trust {
        Some(_) => {
            "This shows that the files belong together, and who has signed them. It does\n\
             not show when: keep bundle and signatures in a store that locks objects.\n"
        }
        None => {
            "This shows that the files belong together. It does not show who made them or\n\
             when, that no records are missing at the journal's end, or that AWS said what\n\
             is in it: verify a signature for that.\n"
        }
    });
    text.push_str(&noticed(&about.notices));
    context.output.result(&text)?;
    Ok(Exit::Done)
}
