//! Idempotency tokens: a pure function of what is asked for, by whom, in which attempt.
//!
//! `docs/tokens.md` derives one by hand, and its test vectors are checked below.

use serde::Serialize;
use sha2::{Digest, Sha256};

use super::request::{hex, without_token};
use super::{MARK, Request, TokenedRequest, mark};
use crate::ids::{IdempotencyToken, RestoreName, RunId};
use crate::render::Target;

/// The version of the derivation, at the front of every token.
const PREFIX: &str = "rd1-";
/// Hexadecimal digits of the hash: 160 bits. The token is 44 characters long; other creator ids of AWS Backup take 50.
const DIGITS: usize = 40;

/// The marks of so many attempts are looked for: nobody is known to have retried a restore more often in one run.
const ATTEMPTS: u32 = 20;

/// Bytes of what is hashed, of most restores.
const PREIMAGE: usize = 1024;

/// Everything of a token but the request.
#[derive(Clone, Copy, Debug)]
pub struct Identity<'a> {
    /// The plan's name.
    pub plan: &'a str,
    /// The run id.
    pub run: &'a RunId,
    /// The restore's name.
    pub restore: &'a RestoreName,
    /// From 1; a deliberate retry of a failed restore is the next.
    pub attempt: u32,
    /// Target of the restore.
    pub target: &'a Target,
}

/// Input of the hash. The keys are in the order of their names: this is its canonical form.
#[derive(Serialize)]
struct Preimage<'a> {
    attempt: u32,
    plan: &'a str,
    request: &'a Request,
    restore: &'a RestoreName,
    run: &'a RunId,
    target: TokenTarget<'a>,
}

/// Target of the restore, without how redrill gets there or what the plan calls it.
#[derive(Serialize)]
struct TokenTarget<'a> {
    account: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    iam_role_arn: Option<&'a str>,
    region: &'a str,
}

/// The token of a request in an attempt: 44 characters of `[a-z0-9-]`.
#[must_use]
pub fn token(identity: &Identity<'_>, request: &Request) -> IdempotencyToken {
    let request = without_token(request);
    let preimage = Preimage {
        attempt: identity.attempt,
        plan: identity.plan,
        request: &request,
        restore: identity.restore,
        run: identity.run,
        target: TokenTarget {
            account: identity.target.account.as_str(),
            iam_role_arn: identity.target.iam_role_arn.as_deref(),
            region: identity.target.region.as_str(),
        },
    };
    let mut text = Vec::with_capacity(PREIMAGE);
    // Strings and a number: serde_json cannot fail on it.
    let _ = serde_json::to_writer(&mut text, &preimage);
    let mut token = String::from(PREFIX);
    token.push_str(&hex(&Sha256::digest(text))[..DIGITS]);
    IdempotencyToken::new(token)
}

/// The marks that the first attempts of a request would have, that of the first attempt first. A job with one of them is
/// this restore's: somebody has retried it, perhaps from another machine.
#[must_use]
pub fn attempt_marks(identity: &Identity<'_>, request: &TokenedRequest) -> Vec<String> {
    let mut plain = without_token(request).into_owned();
    if request.has_mark() {
        plain.metadata.remove(MARK);
    }
    let of = |attempt| {
        mark(&token(
            &Identity {
                attempt,
                ..*identity
            },
            &plain,
        ))
    };
    (1..=ATTEMPTS).map(of).collect()
}
