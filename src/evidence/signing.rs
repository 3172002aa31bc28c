//! Signatures of a bundle: a [DSSE](https://github.com/secure-systems-lab/dsse) envelope over its statement, next to it. Keys are Ed25519
//! keys as `openssl genpkey` makes them: PKCS#8 and SPKI in PEM.
//!
//! Whoever signs adds to the envelope, offline. Whoever verifies names the keys that they trust, and how many of them have to have signed.

use std::collections::BTreeMap;

use aws_lc_rs::signature::{ED25519, Ed25519KeyPair, KeyPair as _, UnparsedPublicKey};
use base64::Engine as _;
use base64::engine::general_purpose::STANDARD;
use serde::{Deserialize, Serialize};

use super::pretty;
use crate::plan::sha256;

/// Type of the payload.
const PAYLOAD_TYPE: &str = "application/vnd.in-toto+json";
/// Prefix of the 32 bytes of an Ed25519 key in SPKI (<https://www.rfc-editor.org/rfc/rfc8410>).
const SPKI: [u8; 12] = [
    0x30, 0x2a, 0x30, 0x05, 0x06, 0x03, 0x2b, 0x65, 0x70, 0x03, 0x21, 0x00,
];
/// Bytes of a key.
const KEY: usize = 32;

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
    /// Two signatures by one key.
    #[error("{0} has signed twice")]
    Twice(String),
    /// A signature that is none.
    #[error("the signature of {0} does not verify")]
    Invalid(String),
    /// Fewer signers than asked for.
    #[error("{signed} signed, and {wanted} are asked for")]
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
    keys: BTreeMap<String, (String, Vec<u8>)>,
}

impl TrustedKeys {
    /// Adds a public key under the name of its owner.
    ///
    /// # Errors
    ///
    /// Where the text is not one, or the key is there already.
    pub fn add(&mut self, name: &str, text: &str) -> Result<(), SignatureProblem> {
        let bytes = pem(text, "PUBLIC KEY");
        let key = bytes.and_then(|bytes| Some(bytes.strip_prefix(&SPKI)?.to_vec()));
        let Some(key) = key.filter(|key| key.len() == KEY) else {
            return Err(SignatureProblem::NotAKey {
                file: name.to_owned(),
                wanted: "an Ed25519 public key in PEM, as `openssl pkey -pubout` writes it",
            });
        };
        let id = key_id(&key);
        match self.keys.get(&id) {
            Some((first, _)) => Err(SignatureProblem::KeyTwice {
                first: first.clone(),
                second: name.to_owned(),
            }),
            None => {
                self.keys.insert(id, (name.to_owned(), key));
                Ok(())
            }
        }
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

    /// Returns the bytes to sign: type and payload with their lengths
    /// (<https://github.com/secure-systems-lab/dsse/blob/master/protocol.md>).
    fn signed_bytes(statement: &[u8]) -> Vec<u8> {
        let kind = PAYLOAD_TYPE;
        let head = format!("DSSEv1 {} {kind} {} ", kind.len(), statement.len());
        [head.as_bytes(), statement].concat()
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
        let signature = key.pair.sign(&Self::signed_bytes(statement));
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
    /// The first signature that is not one of a trusted key, that does not verify or that is a second one of its key; or too few.
    pub fn signers<'k>(
        &self,
        statement: &[u8],
        keys: &'k TrustedKeys,
        threshold: usize,
    ) -> Result<Vec<&'k str>, SignatureProblem> {
        let signed = Self::signed_bytes(statement);
        let mut names: Vec<&str> = Vec::new();
        for signature in &self.signatures {
            let known = keys.keys.get(&signature.keyid);
            let (name, key) =
                known.ok_or_else(|| SignatureProblem::Unknown(signature.keyid.clone()))?;
            if names.contains(&name.as_str()) {
                return Err(SignatureProblem::Twice(name.clone()));
            }
            let bytes = STANDARD.decode(&signature.sig).unwrap_or_default();
            let key = UnparsedPublicKey::new(&ED25519, key);
            if key.verify(&signed, &bytes).is_err() {
                return Err(SignatureProblem::Invalid(name.clone()));
            }
            names.push(name);
        }
        match names.len() >= threshold {
            true => Ok(names),
            false => Err(SignatureProblem::TooFew {
                signed: names.len(),
                wanted: threshold,
            }),
        }
    }
}
