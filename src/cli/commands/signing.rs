//! `redrill evidence sign`, and what `evidence verify` says of signatures: all of it offline.

use std::path::{Path, PathBuf};

use super::Context;
use super::evidence::{files_of, verified};
use crate::cli::exit::{Exit, Failure};
use crate::cli::files;
use crate::cli::proving::TrustOptions;
use crate::cli::writing::{OutputFile, OutputKind};
use crate::evidence::{
    BundleFiles, STATEMENT, SignatureFile, SignatureProblem, SignedEnvelope, SigningKey,
    TrustedKeys, counted,
};

/// Signers that somebody trusts.
#[derive(Clone, Copy)]
pub(super) struct Trust<'a> {
    /// The folder with their keys.
    pub(super) keys: &'a Path,
    /// Number of them that must have signed.
    pub(super) threshold: usize,
}

impl<'a> Trust<'a> {
    /// Reads the options; none if nobody is trusted.
    pub(super) fn of(typed: &'a TrustOptions) -> Option<Self> {
        typed.keys.as_deref().map(|keys| Self {
            keys,
            threshold: typed.threshold.into(),
        })
    }
}

/// Returns the path of a bundle's signatures.
fn place(bundle: &Path, named: Option<&Path>) -> PathBuf {
    let own = || {
        // A folder may be typed with a slash at its end.
        let mut own: PathBuf = bundle.components().collect();
        own.as_mut_os_string().push(".dsse.json");
        own
    };
    named.map_or_else(own, Path::to_owned)
}

fn statement(bundle: &BundleFiles) -> &[u8] {
    bundle.get(STATEMENT).map(Vec::as_slice).unwrap_or_default()
}

/// A key that is none is a slip of whoever typed; anything else is somebody's doing.
fn failure(place: &Path, problem: SignatureProblem) -> Failure {
    match problem {
        SignatureProblem::NotAKey { .. } | SignatureProblem::KeyTwice { .. } => {
            Failure::Usage(problem.to_string())
        }
        _ => {
            let help = match &problem {
                SignatureProblem::Unknown(_) | SignatureProblem::NoKey => {
                    "the bundle is good; put the signer's public key into the folder of --keys, or ask somebody whose key is there to sign"
                }
                SignatureProblem::TooFew { .. } => {
                    "the bundle is good; ask more people to sign, with `redrill evidence sign BUNDLE --key FILE`"
                }
                SignatureProblem::Twice(_) => {
                    "the bundle is good; one person counts once: ask another to sign, and name each file of signatures once"
                }
                SignatureProblem::AnotherStatement => {
                    "these are the signatures of another bundle, or the run's journal has grown since they were made, such as by a cleanup: write the evidence again, and sign that"
                }
                SignatureProblem::Certificate => {
                    "ask for a signature by a key, with `cosign sign-blob --key` or `redrill evidence sign`"
                }
                _ => "get the file of signatures again from whoever made it, byte for byte",
            };
            Failure::Signatures {
                message: format!("{}: {problem}", place.display()),
                help: help.to_owned(),
            }
        }
    }
}

/// The envelope of a bundle; none where nobody has signed it.
fn envelope(place: &Path, bundle: &BundleFiles) -> Result<Option<SignedEnvelope>, Failure> {
    if !place.exists() {
        return Ok(None);
    }
    let text = files::text(place)?;
    let envelope = SignedEnvelope::parse(&text, statement(bundle));
    envelope
        .map(Some)
        .map_err(|problem| failure(place, problem))
}

pub(super) fn sign(
    bundle: &Path,
    key: &Path,
    signatures: Option<&Path>,
    context: &mut Context<'_>,
) -> Result<Exit, Failure> {
    let files = files_of(bundle)?;
    let (about, ..) = verified(&files)?;
    let name = key.display().to_string();
    let place = place(bundle, signatures);
    let key = SigningKey::from_pem(&name, &files::text(key)?)
        .map_err(|problem| failure(&place, problem))?;
    let envelope = envelope(&place, &files)?;
    let mut envelope = envelope.unwrap_or_else(|| SignedEnvelope::of(statement(&files)));
    let signed = envelope.sign(statement(&files), &key);
    signed.map_err(|problem| failure(&place, problem))?;
    OutputFile::new(&place, OutputKind::Signatures).write(envelope.text())?;
    context.output.result(&format!(
        "{}: signed the evidence of {} run {} by key {}; {} in all\n",
        place.display(),
        about.plan,
        about.run_id,
        key.id(),
        super::reading::counted(envelope.signatures(), "signature"),
    ))?;
    Ok(Exit::Done)
}

/// Tells who has signed a bundle, in lines.
///
/// # Errors
///
/// Where somebody is trusted, and not enough of them have; or where a signature is not what it says.
pub(super) fn said(
    bundle: &Path,
    files: &BundleFiles,
    trust: Option<Trust<'_>>,
    signatures: &[PathBuf],
) -> Result<String, Failure> {
    let own = place(bundle, None);
    let files_of_them = match signatures {
        [] if own.exists() => std::slice::from_ref(&own),
        named => named,
    };
    if files_of_them.is_empty() && trust.is_some() {
        return Err(Failure::Signatures {
            message: format!("nobody has signed: there is no {}", own.display()),
            help: "name the file of signatures with --signatures, or sign with `redrill evidence sign BUNDLE --key FILE`".to_owned(),
        });
    }
    let found = read(files_of_them, files)?;
    let mut text = String::new();
    let Some(trust) = trust else {
        for (place, found) in &found {
            text.push_str(&format!(
                "not compared: {}: {}; --keys DIR says whose\n",
                place.display(),
                super::reading::counted(found.signatures(), "signature")
            ));
        }
        return Ok(text);
    };
    let signers = trusted(&own, &found, files, trust)?;
    text.push_str(&format!(
        "OK: signed by {} ({} asked for)\n",
        signers.join(", "),
        trust.threshold
    ));
    for (place, found) in &found {
        if let SignatureFile::Sigstore(bundle) = found
            && bundle.is_logged()
        {
            text.push_str(&format!(
                "not compared: {}: its entry in a transparency log; `cosign verify-blob` does that\n",
                place.display()
            ));
        }
    }
    Ok(text)
}

/// Returns who has signed a bundle, with commas between.
///
/// # Errors
///
/// Too few trusted signers, or a signature that is not what it says.
pub(super) fn signers(
    signatures: &[PathBuf],
    files: &BundleFiles,
    trust: Trust<'_>,
) -> Result<String, Failure> {
    let found = read(signatures, files)?;
    let place = signatures.first().map_or(Path::new(""), PathBuf::as_path);
    trusted(place, &found, files, trust).map(|signers| signers.join(", "))
}

/// Reads files of signatures of a bundle.
fn read<'p>(
    places: &'p [PathBuf],
    files: &BundleFiles,
) -> Result<Vec<(&'p Path, SignatureFile)>, Failure> {
    let read = |place: &'p PathBuf| {
        let found = SignatureFile::parse(&files::text(place)?, statement(files));
        let found = found.map_err(|problem| failure(place, problem))?;
        Ok((place.as_path(), found))
    };
    places.iter().map(read).collect()
}

/// Returns those who have signed; `own` is where their signatures should be.
fn trusted(
    own: &Path,
    found: &[(&Path, SignatureFile)],
    files: &BundleFiles,
    trust: Trust<'_>,
) -> Result<Vec<String>, Failure> {
    let keys = keys(trust.keys).map_err(|why| match why {
        KeyProblem::Unread(failure) => failure,
        KeyProblem::Key(problem) => failure(own, problem),
    })?;
    let mut signers = Vec::new();
    for (place, found) in found {
        let of_file = found.signers(statement(files), &keys);
        signers.extend(of_file.map_err(|problem| failure(place, problem))?);
    }
    let place = found.last().map_or(own, |(place, _)| place);
    let signers = counted(signers, trust.threshold).map_err(|problem| failure(place, problem))?;
    Ok(signers.into_iter().map(str::to_owned).collect())
}

/// Reason why keys could not be read.
enum KeyProblem {
    Unread(Failure),
    Key(SignatureProblem),
}

/// Every key of a folder, by the name of its file.
fn keys(folder: &Path) -> Result<TrustedKeys, KeyProblem> {
    let (all, _) = files::tree(folder).map_err(KeyProblem::Unread)?;
    if all.keys().all(|name| !name.ends_with(".pem")) {
        let message = format!(
            "{} has no key: NAME.pem is the public key of NAME",
            folder.display()
        );
        return Err(KeyProblem::Unread(Failure::Usage(message)));
    }
    let mut keys = TrustedKeys::default();
    for (name, bytes) in all {
        let Some(owner) = name.strip_suffix(".pem") else {
            continue;
        };
        // The ledger has the names of several signers with commas between.
        if owner.contains(|c: char| c == ',' || c.is_control()) {
            let message = format!(
                "{}: a signer's name has no comma and no control character",
                name.escape_debug()
            );
            return Err(KeyProblem::Unread(Failure::Usage(message)));
        }
        let text = String::from_utf8_lossy(&bytes);
        keys.add(owner, &text).map_err(KeyProblem::Key)?;
    }
    Ok(keys)
}
