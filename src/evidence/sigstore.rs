//! Signatures by [cosign](https://docs.sigstore.dev/about/bundle): a Sigstore bundle over the statement of a bundle of ours, by a key.
//!
//! What can be verified offline with a public key is: the signature. A certificate needs Sigstore's roots and the time of its log entry,
//! and an entry in a transparency log the log's key: cosign verifies both.

use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::Deserialize;
use serde_json::Value;

use super::signing::{PAYLOAD_TYPE, SignatureProblem, TrustedKeys, signed_bytes};
use crate::plan::sha256;

/// How the media type of every version begins.
const MEDIA_TYPE: &str = "application/vnd.dev.sigstore.bundle";
/// How it ends, of the versions that are read.
const VERSIONS: [&str; 5] = [
    ".v0.3+json",
    ".v0.2+json",
    "+json;version=0.1",
    "+json;version=0.2",
    "+json;version=0.3",
];

/// A Sigstore bundle that was made with a key.
#[derive(Clone, Debug)]
pub struct SigstoreBundle {
    /// Bytes that are signed.
    signed: Vec<u8>,
    signature: Vec<u8>,
    /// True if it has an entry of a transparency log.
    is_logged: bool,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct SigstoreFile {
    media_type: String,
    verification_material: VerificationMaterial,
    message_signature: Option<MessageSignature>,
    dsse_envelope: Option<DsseEnvelope>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct VerificationMaterial {
    public_key: Option<Value>,
    certificate: Option<Value>,
    x509_certificate_chain: Option<Value>,
    #[serde(default)]
    tlog_entries: Vec<Value>,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct MessageSignature {
    message_digest: MessageDigest,
    signature: String,
}

#[derive(Deserialize)]
struct MessageDigest {
    algorithm: String,
    digest: String,
}

#[derive(Deserialize)]
#[serde(rename_all = "camelCase")]
struct DsseEnvelope {
    payload: String,
    payload_type: String,
    signatures: Vec<DsseSignature>,
}

#[derive(Deserialize)]
struct DsseSignature {
    sig: String,
}

impl SigstoreBundle {
    /// Returns true if a text says that it is one.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        // One that was cut off is told as what it is, too.
        text.contains("\"mediaType\"") || text.contains(MEDIA_TYPE)
    }

    /// Reads the Sigstore bundle of a statement.
    ///
    /// # Errors
    ///
    /// Where it is none, was made with a certificate, or is another statement's.
    pub fn parse(text: &str, statement: &[u8]) -> Result<Self, SignatureProblem> {
        let damaged = |why: &str| SignatureProblem::Damaged(why.to_owned());
        let file: SigstoreFile =
            serde_json::from_str(text).map_err(|err| damaged(&err.to_string()))?;
        let version = file.media_type.strip_prefix(MEDIA_TYPE).unwrap_or_default();
        if !VERSIONS.contains(&version) {
            let why = format!(
                "`{}` is a version that redrill does not read",
                file.media_type
            );
            return Err(damaged(&why));
        }
        let material = file.verification_material;
        if material.certificate.is_some() || material.x509_certificate_chain.is_some() {
            return Err(SignatureProblem::Certificate);
        }
        if material.public_key.is_none() {
            return Err(damaged("it names neither a key nor a certificate"));
        }
        let decoded = |text: &str| {
            STANDARD
                .decode(text)
                .map_err(|err| damaged(&err.to_string()))
        };
        let (signed, signature) = match (file.dsse_envelope, file.message_signature) {
            (Some(envelope), None) => {
                let payload = decoded(&envelope.payload)?;
                if envelope.payload_type != PAYLOAD_TYPE || payload != statement {
                    return Err(SignatureProblem::AnotherStatement);
                }
                let [signature] = envelope.signatures.as_slice() else {
                    return Err(damaged("it does not have one signature"));
                };
                (signed_bytes(&payload), decoded(&signature.sig)?)
            }
            (None, Some(message)) => {
                let digest = STANDARD.decode(&message.message_digest.digest);
                let digest =
                    digest.map(|bytes| bytes.iter().map(|byte| format!("{byte:02x}")).collect());
                let digest: String = digest.unwrap_or_default();
                if message.message_digest.algorithm != "SHA2_256" || digest != sha256(statement) {
                    return Err(SignatureProblem::AnotherStatement);
                }
                (statement.to_vec(), decoded(&message.signature)?)
            }
            _ => {
                return Err(damaged(
                    "it has neither an envelope nor the signature of a file",
                ));
            }
        };
        Ok(Self {
            signed,
            signature,
            is_logged: !material.tlog_entries.is_empty(),
        })
    }

    /// Returns true if it has an entry of a transparency log, which nobody has verified.
    #[must_use]
    pub fn is_logged(&self) -> bool {
        self.is_logged
    }

    /// Returns who has signed.
    ///
    /// # Errors
    ///
    /// Where none of the keys has.
    pub fn signer<'k>(&self, keys: &'k TrustedKeys) -> Result<&'k str, SignatureProblem> {
        let signer = keys.signer(&self.signed, &self.signature);
        signer.ok_or(SignatureProblem::NoKey)
    }
}
