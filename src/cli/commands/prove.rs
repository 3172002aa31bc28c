//! `redrill prove PLAN`, and `run --prove`: what a run has proven, into the ledger.

use std::path::Path;

use super::evidence::{bundled, digest, verified};
use super::signing::Trust;
use super::{Context, signing};
use crate::cli::arguments::HumanOrJson;
use crate::cli::exit::{Exit, Failure};
use crate::cli::ledger_file;
use crate::cli::proving::ProveArguments;
use crate::proof::{Ledger, ProveReport, assess};

/// Report of a run that was proven, and what was written.
pub(super) struct Proved {
    /// For people.
    pub(super) human: String,
    json: String,
    is_whole: bool,
    /// Note for a new ledger.
    note: Option<String>,
}

pub(super) async fn prove(
    arguments: &ProveArguments,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let proved = proved(arguments, context).await?;
    match arguments.format {
        HumanOrJson::Human => context.output.result(&proved.human),
        HumanOrJson::Json => context.output.document(&proved.json),
    }?;
    if let Some(note) = &proved.note {
        context.output.note(note);
    }
    Ok(match proved.is_whole {
        true => Exit::Done,
        false => Exit::NotReady,
    })
}

/// The same after a run, whose result is the result.
pub(super) async fn after_run(
    arguments: &ProveArguments,
    context: &mut Context<'_>,
) -> Result<(), Failure> {
    let proved = proved(arguments, context).await?;
    context.output.note(proved.human.trim_end());
    if let Some(note) = &proved.note {
        context.output.note(note);
    }
    Ok(())
}

async fn proved(arguments: &ProveArguments, context: &mut Context<'_>) -> Result<Proved, Failure> {
    let file = ledger_file::path(arguments.ledger.ledger.as_ref(), &arguments.plan);
    // A ledger that was tampered with is not added to.
    let ledger = ledger_file::read(&file)?;
    let bundle = bundled(
        &arguments.plan,
        &arguments.inputs,
        &arguments.state,
        context,
    )
    .await?;
    // Only what anybody can verify without this machine counts.
    verified(&bundle.files)?;
    let evidence = digest(&bundle.files);
    let mut assessed = assess(&bundle.report, &bundle.events, &evidence);
    let signatures = arguments.signed.signatures.as_slice();
    match (Trust::of(&arguments.signed.trust), signatures) {
        (None, []) => {}
        (Some(trust), [_, ..]) => {
            let signer = signing::signers(signatures, &bundle.files, trust)?;
            for proof in assessed.iter_mut().filter_map(|one| one.proof.as_mut()) {
                proof.signer = Some(signer.clone());
            }
        }
        // A file of settings may name one alone.
        _ => {
            return Err(Failure::Usage(
                "--signatures FILE and --keys DIR go together".to_owned(),
            ));
        }
    }
    let (lines, written) = ledger.additions(&assessed);
    if !lines.is_empty() {
        ledger_file::append(&file, &lines)?;
    }
    let name = file.display().to_string();
    let report = ProveReport {
        plan: &bundle.name,
        run_id: arguments.inputs.run_id.as_str(),
        ledger: &name,
        evidence: &evidence,
        assessed: &assessed,
        written: &written,
        heads: heads(&ledger, &lines),
    };
    let is_new = ledger.lines() == 0 && !lines.is_empty();
    Ok(Proved {
        human: report.human(),
        json: report.json(),
        is_whole: report.is_whole(),
        note: is_new.then(|| attributes(&file)),
    })
}

/// The heads of a ledger once lines were added: those lines follow all that it had.
fn heads(ledger: &Ledger, lines: &str) -> Vec<String> {
    match lines.is_empty() {
        true => ledger.heads(),
        false => Ledger::parse(lines.as_bytes()).heads(),
    }
}

/// Tells what git has to know of a new ledger.
fn attributes(file: &Path) -> String {
    let name = file.file_name().unwrap_or_default().to_string_lossy();
    format!(
        "note: commit this file, and add this line to .gitattributes next to it, so that two branches can both add to it: \
         {name} text eol=lf merge=union"
    )
}
