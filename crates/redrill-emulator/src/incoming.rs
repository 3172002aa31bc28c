//! Incoming requests: who asks, and what for; the body.

use std::time::Duration;

use bytes::Bytes;
use http_body_util::{BodyExt, Limited};
use hyper::body::Incoming;
use hyper::header::{AUTHORIZATION, HeaderMap};
use redrill_inventory::is_account_id;

use super::caller::{self, Caller, Who};
use super::directory::Directory;
use super::error::{ApiError, ErrorCode};
use super::operation::{Api, Operation, Route};

/// The longest body: AWS documents 200 KB of metadata (<https://docs.aws.amazon.com/aws-backup/latest/devguide/restoring-efs.html>).
const MAX_BODY: usize = 1 << 20;
/// Time that a client may take for its body.
const MAX_WAIT: Duration = Duration::from_secs(30);

/// Reason why nobody answers.
pub(super) enum Unserved {
    Here(ApiError),
    /// Addressed to a service of the JSON protocols.
    There(Api, String),
}

/// Returns the route that the header of a JSON protocol asks for.
pub(super) fn targeted(api: Api, name: &str) -> Result<Route, Unserved> {
    let operation = Operation::parse(name).filter(|operation| operation.api() == api);
    let operation = operation.ok_or_else(|| {
        Unserved::There(
            api,
            format!("The emulator does not serve {name} of this service."),
        )
    })?;
    let labels = Vec::new();
    Ok(Route { operation, labels })
}

/// The signature is not checked; its credential scope says the region, and an access key id of 12 digits says the
/// account, as emulators of AWS commonly have it. An unsigned request is the default account's, in every region. A key of one
/// of the inventory's users is that user's, and a session token of the emulator's own has its session in it.
pub(super) fn caller_of(headers: &HeaderMap, directory: &Directory, default: &str) -> Caller {
    let text = |name: &str| headers.get(name).and_then(|value| value.to_str().ok());
    let credential = text(AUTHORIZATION.as_str())
        .and_then(|text| text.split_once("Credential="))
        .map(|(_, rest)| rest.split([',', ' ']).next().unwrap_or_default());
    // Key id, date, region, service, aws4_request; a signature for several regions has no region in it.
    let mut parts = credential.unwrap_or_default().split('/');
    let key = parts.next().unwrap_or_default();
    let region = parts.nth(1).filter(|region| !region.is_empty());
    let region = region.filter(|_| parts.by_ref().count() == 2);
    let (account, who) = match directory.user_of(key) {
        Some((account, user)) => (account, Who::User(user.to_owned())),
        None if is_account_id(key) => {
            let session = text("x-amz-security-token").and_then(caller::of_token);
            (key, session.unwrap_or_default())
        }
        None => (default, Who::Default),
    };
    Caller {
        account: account.to_owned(),
        region: region.map(str::to_owned),
        who,
    }
}

/// The whole body of a request.
pub(super) async fn read_body(announced: Option<u64>, body: Incoming) -> Result<Bytes, ApiError> {
    let too_large = || ApiError::new(ErrorCode::TooLarge, "The body is larger than 1 MiB.");
    if announced.is_some_and(|length| length > MAX_BODY as u64) {
        return Err(too_large());
    }
    let whole = Limited::new(body, MAX_BODY).collect();
    match tokio::time::timeout(MAX_WAIT, whole).await {
        Ok(Ok(whole)) => Ok(whole.to_bytes()),
        Ok(Err(error)) if error.is::<http_body_util::LengthLimitError>() => Err(too_large()),
        Ok(Err(_)) => Err(ApiError::new(
            ErrorCode::Serialization,
            "The body ended early.",
        )),
        Err(_) => Err(ApiError::new(
            ErrorCode::Timeout,
            "The body did not arrive in time.",
        )),
    }
}
