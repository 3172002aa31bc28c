//! Signatures of a bundle: a [DSSE](https://github.com/secure-systems-lab/dsse) envelope over its statement, next to it. Keys that sign are
//! Ed25519 keys as `openssl genpkey` makes them, PKCS#8 and SPKI in PEM; keys that are trusted may also be those of cosign, ECDSA P-256.
//!
//! Whoever signs adds to the envelope, offline. Whoever verifies names the keys that they trust, and how many of them have to have signed.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{
    ECDSA_P256_SHA256_ASN1, ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey,
};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::pretty;
use super::sigstore::SigstoreBundle;
use crate::plan::sha256;

/// Type of the payload.
pub(super) const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Prefix of the 32 bytes of an Ed25519 key in SPKI (<https://www.rfc-editor.org/rfc/rfc8410>).
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// Bytes of an Ed25519 key.
const KEY: usize = 32;
/// Prefix of the 65 bytes of a P-256 key in SPKI (<https://www.rfc-editor.org/rfc/rfc5480>).
const SPKI_P256: [u8; 26] = [
    0x30, 0x59, 0x30, 0x13, 0x06, 0x07, 0x2a, 0x86, 0x48, 0xce, 0x3d, 0x02, 0x01, 0x06, 0x08, 0x2a,
    0x86, 0x48, 0xce, 0x3d, 0x03, 0x01, 0x07, 0x03, 0x42, 0x00,
];
/// Bytes of a P-256 key: a point, not compressed.
const KEY_P256: usize = 65;

/// Reason why something was not signed, or does not count as signed.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum SignatureProblem {
    /// A file that is not a key of this kind.
    #[error("{file} is not {wanted}")]
    NotAKey {
        /// The file.
        file: String,
        /// Kind of file that it has to be.
        wanted: &'static str,
    },
    /// One key in two files: its owner would count twice.
    #[error("{first} and {second} hold the same key")]
    KeyTwice {
        /// A file.
        first: String,
        /// Another.
        second: String,
    },
    /// The envelope is not one, or not as it was written.
    #[error("the signatures cannot be read: {0}")]
    Damaged(String),
    /// The envelope of another bundle.
    #[error("the signatures are of another statement, not of this bundle's")]
    AnotherStatement,
    /// A signature by a key that nobody trusts.
    #[error("a signature is by key {0}, which is not among the keys that are trusted")]
    Unknown(String),
    /// A Sigstore bundle by none of the keys that are trusted.
    #[error("none of the keys that are trusted has made the signature")]
    NoKey,
    /// A Sigstore bundle that was made without a key.
    #[error(
        "it was signed with a certificate, which takes Sigstore's roots to verify: `cosign verify-blob` does that"
    )]
    Certificate,
    /// Two signatures by one key.
    #[error("{0} has signed twice")]
    Twice(String),
    /// A signature that is none.
    #[error("the signature of {0} does not verify")]
    Invalid(String),
    /// Fewer signers than asked for.
    #[error("only {signed} of {wanted} signers have signed")]
    TooFew {
        /// Number of keys that have signed.
        signed: usize,
        /// Number of keys that have to sign.
        wanted: usize,
    },
}

/// The bytes in a PEM file of one label.
fn pem(text: &str, label: &str) -> Option<Vec<u8>> {
    let (begin, end) = (
        format!("-----BEGIN {label}-----"),
        format!("-----END {label}-----"),
    );
    let rest = text.trim().strip_prefix(&begin)?;
    let body = rest.strip_suffix(&end)?;
    let body: String = body.split_whitespace().collect();
    STANDARD.decode(body).ok()
}

/// Returns the id of a key: SHA-256 of its SPKI.
fn key_id(key: &[u8]) -> String {
    sha256([&SPKI, key].concat())
}

/// A key that signs.
pub struct SigningKey {
    pair: Ed25519KeyPair,
}

impl SigningKey {
    /// Reads a private key.
    ///
    /// # Errors
    ///
    /// Where the text is not one.
    pub fn from_pem(file: &str, text: &str) -> Result<Self, SignatureProblem> {
        let bytes = pem(text, "PRIVATE KEY");
        let pair = bytes.and_then(|bytes| Ed25519KeyPair::from_pkcs8(&bytes).ok());
        pair.map(|pair| Self { pair })
            .ok_or_else(|| SignatureProblem::NotAKey {
                file: file.to_owned(),
                wanted: "an Ed25519 private key in PEM without a passphrase, as `openssl genpkey -algorithm ed25519` writes it",
            })
    }

    /// Returns the id of its public key.
    #[must_use]
    pub fn id(&self) -> String {
        key_id(self.pair.public_key().as_ref())
    }
}

/// The keys that somebody trusts, by id, each with the name of its owner.
#[derive(Clone, Debug, Default)]
pub struct TrustedKeys {
    keys: BTreeMap<String, TrustedKey>,
}

#[derive(Clone, Debug)]
struct TrustedKey {
    /// Name of its owner.
    name: String,
    kind: KeyKind,
    bytes: Vec<u8>,
}

#[derive(Clone, Copy, Debug)]
enum KeyKind {
    Ed25519,
    P256,
}

impl TrustedKey {
    /// Reads a key in SPKI.
    fn parse(name: &str, spki: &[u8]) -> Option<Self> {
        let kinds = [
            (KeyKind::Ed25519, &SPKI[..], KEY),
            (KeyKind::P256, &SPKI_P256[..], KEY_P256),
        ];
        kinds.into_iter().find_map(|(kind, prefix, length)| {
            let bytes = spki.strip_prefix(prefix)?;
            (bytes.len() == length).then(|| Self {
                name: name.to_owned(),
                kind,
                bytes: bytes.to_vec(),
            })
        })
    }

    fn verifies(&self, message: &[u8], signature: &[u8]) -> bool {
        let verified = match self.kind {
            KeyKind::Ed25519 => {
                UnparsedPublicKey::new(&ED25519, &self.bytes).verify(message, signature)
            }
            KeyKind::P256 => UnparsedPublicKey::new(&ECDSA_P256_SHA256_ASN1, &self.bytes)
                .verify(message, signature),
        };
        verified.is_ok()
    }
}

impl TrustedKeys {
    /// Adds a public key under the name of its owner.
    ///
    /// # Errors
    ///
    /// Where the text is not one, or the key is there already.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), SignatureProblem> {
        let bytes = pem(text, "PUBLIC KEY");
        let spki = bytes.unwrap_or_default();
        let Some(key) = TrustedKey::parse(name, &spki) else {
            return Err(SignatureProblem::NotAKey {
                file: name.to_owned(),
                wanted: "an Ed25519 or ECDSA P-256 public key in PEM, as `openssl pkey -pubout` and cosign write it",
            });
        };
        let id = sha256(spki);
        match self.keys.get(&id) {
            Some(first) => Err(SignatureProblem::KeyTwice {
                first: first.name.clone(),
                second: name.to_owned(),
            }),
            None => {
                self.keys.insert(id, key);
                Ok(())
            }
        }
    }

    /// Finds the owner of the key that has signed a message; none if no key has.
    pub(super) fn signer(&self, message: &[u8], signature: &[u8]) -> Option<&str> {
        let mut keys = self.keys.values();
        let signer = keys.find(|key| key.verifies(message, signature));
        signer.map(|key| key.name.as_str())
    }
}

/// The signatures of a statement.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct SignedEnvelope {
    /// The statement, in base64.
    payload: String,
    /// Type of the payload.
    payload_type: String,
    /// In the order in which they were made.
    signatures: Vec<EnvelopeSignature>,
}

#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct EnvelopeSignature {
    keyid: String,
    sig: String,
}

impl SignedEnvelope {
    /// An envelope that nobody has signed.
    #[must_use]
    pub fn of(statement: &[u8]) -> Self {
        Self {
            payload: STANDARD.encode(statement),
            payload_type: PAYLOAD_TYPE.to_owned(),
            signatures: Vec::new(),
        }
    }

    /// Reads the envelope of a statement, which has to be in its one form.
    ///
    /// # Errors
    ///
    /// Where it is none, was changed, or is another statement's.
    pub fn parse(text: &str, statement: &[u8]) -> Result<Self, SignatureProblem> {
        let envelope: Self =
            serde_json::from_str(text).map_err(|err| SignatureProblem::Damaged(err.to_string()))?;
        if envelope.text() != text {
            let why = "redrill would have written them differently".to_owned();
            return Err(SignatureProblem::Damaged(why));
        }
        if envelope.payload_type != PAYLOAD_TYPE || envelope.payload != STANDARD.encode(statement) {
            return Err(SignatureProblem::AnotherStatement);
        }
        Ok(envelope)
    }

    /// Returns the envelope as it is written.
    #[must_use]
    pub fn text(&self) -> String {
        pretty(self)
    }

    /// Counts its signatures.
    #[must_use]
    pub fn signatures(&self) -> usize {
        self.signatures.len()
    }

    /// Adds a signature.
    ///
    /// # Errors
    ///
    /// Where this key has signed already.
    pub fn sign(&mut self, statement: &[u8], key: &SigningKey) -> Result<(), SignatureProblem> {
        let id = key.id();
        if self.signatures.iter().any(|of| of.keyid == id) {
            return Err(SignatureProblem::Twice(format!("key {id}")));
        }
        let signature = key.pair.sign(&signed_bytes(statement));
        self.signatures.push(EnvelopeSignature {
            keyid: id,
            sig: STANDARD.encode(signature.as_ref()),
        });
        Ok(())
    }

    /// The names of those who have signed, in the order of their signatures.
    ///
    /// # Errors
    ///
    /// The first signature that is not one of a trusted key, or that does not verify.
    pub fn signers<'k>(
        &self,
        statement: &[u8],
        keys: &'k TrustedKeys,
    ) -> Result<Vec<&'k str>, SignatureProblem> {
        let signed = signed_bytes(statement);
        let mut names: Vec<&str> = Vec::new();
        for signature in &self.signatures {
            let known = keys.keys.get(&signature.keyid);
            let key = known.ok_or_else(|| SignatureProblem::Unknown(signature.keyid.clone()))?;
            let bytes = STANDARD.decode(&signature.sig).unwrap_or_default();
            if !key.verifies(&signed, &bytes) {
                return Err(SignatureProblem::Invalid(key.name.clone()));
            }
            names.push(&key.name);
        }
        Ok(names)
    }
}

/// Returns the bytes to sign: type and payload with their lengths
/// (<https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>).
pub(super) fn signed_bytes(statement: &[u8]) -> Vec<u8> {
    let kind = PAYLOAD_TYPE;
    let head = format!("DSSEv1 {} {kind} {} ", kind.len(), statement.len());
    [head.as_bytes(), statement].concat()
}

/// Signatures of a bundle, in one of the forms that somebody may hand over.
#[derive(Clone, Debug)]
pub enum SignatureFile {
    /// By `redrill evidence sign`.
    Envelope(SignedEnvelope),
    /// By cosign.
    Sigstore(SigstoreBundle),
}

impl SignatureFile {
    /// Reads the signatures of a statement.
    ///
    /// # Errors
    ///
    /// Where they are none, were changed, or are another statement's.
    pub fn parse(text: &str, statement: &[u8]) -> Result<Self, SignatureProblem> {
        match SigstoreBundle::is_one(text) {
            true => SigstoreBundle::parse(text, statement).map(Self::Sigstore),
            false => SignedEnvelope::parse(text, statement).map(Self::Envelope),
        }
    }

    /// Counts its signatures.
    #[must_use]
    pub fn signatures(&self) -> usize {
        match self {
            Self::Envelope(envelope) => envelope.signatures(),
            Self::Sigstore(_) => 1,
        }
    }

    /// Returns who has signed.
    ///
    /// # Errors
    ///
    /// The first signature that is not one of a trusted key.
    pub fn signers<'k>(
        &self,
        statement: &[u8],
        keys: &'k TrustedKeys,
    ) -> Result<Vec<&'k str>, SignatureProblem> {
        match self {
            Self::Envelope(envelope) => envelope.signers(statement, keys),
            Self::Sigstore(bundle) => Ok(vec![bundle.signer(keys)?]),
        }
    }
}

/// Returns these signers, who have to be so many and different.
///
/// # Errors
///
/// One who signed twice, or too few.
pub fn counted(signers: Vec<&str>, threshold: usize) -> Result<Vec<&str>, SignatureProblem> {
    for (at, name) in signers.iter().enumerate() {
        if signers[..at].contains(name) {
            return Err(SignatureProblem::Twice((*name).to_owned()));
        }
    }
    match signers.len() >= threshold {
        true => Ok(signers),
        false => Err(SignatureProblem::TooFew {
            signed: signers.len(),
            wanted: threshold,
        }),
    }
}
