//! AWS STS GetCallerIdentity and AssumeRole, so that a client that checks its account first, or works in several, can use
//! one endpoint for both services.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use redrill_inventory::{Arn, PolicyDocument};

use super::answer::Answer;
use super::caller::{Caller, session_token};
use super::form::Form;
use super::handle::Backend;
use super::operation::{Api, Operation};
use super::permissions::{Ask, authorize};
use super::policy::Principal;
use super::protocol;
use super::xml;

/// Answers one call.
pub(super) fn answer(
    backend: &Backend,
    caller: &Caller,
    operation: Operation,
    form: &Form,
    request_id: &str,
) -> Answer {
    match operation {
        Operation::AssumeRole => assume_role(backend, caller, form, request_id),
        // GetCallerIdentity needs no permission, and no policy can deny it.
        _ => identity(backend, caller, request_id),
    }
}

fn identity(backend: &Backend, caller: &Caller, request_id: &str) -> Answer {
    let principal = backend.catalog.directory().principal(caller);
    let id = match &principal {
        Principal::Session { session, .. } => {
            let name = session.rsplit('/').next().unwrap_or_default();
            format!("AROAEMULATEDROLEEXMPL:{name}")
        }
        _ => "AIDAEMULATEDUSEREXMPL".to_owned(),
    };
    let mut inner = String::new();
    for (name, text) in [
        ("Arn", principal.arn()),
        ("UserId", &id),
        ("Account", &caller.account),
    ] {
        inner.push_str("    ");
        xml::element(&mut inner, name, text);
    }
    xml::result(Api::Sts, "GetCallerIdentity", &inner, request_id)
}

/// Credentials whose access key id is the role's account, which is how the emulator knows a caller's account, and whose
/// session token holds the session.
fn assume_role(backend: &Backend, caller: &Caller, form: &Form, request_id: &str) -> Answer {
    let invalid =
        |message: &str| protocol::error(Api::Sts, 400, "ValidationError", message, request_id);
    let (Some(role), Some(session)) = (form.text("RoleArn"), form.text("RoleSessionName")) else {
        return invalid("RoleArn and RoleSessionName must not be null");
    };
    let parsed = Arn::parse(role).filter(|arn| arn.account.len() == 12);
    let named = parsed.and_then(|arn| Some((arn.account, arn.resource.strip_prefix("role/")?)));
    let Some((account, path)) = named else {
        return invalid(&format!("{role} is invalid"));
    };
    let policy = form.text("Policy");
    if let Some(Err(error)) = policy.map(PolicyDocument::of_principal) {
        let message = format!("The specified policy is malformed: {error}");
        return protocol::error(
            Api::Sts,
            400,
            "MalformedPolicyDocument",
            &message,
            request_id,
        );
    }
    let directory = backend.catalog.directory();
    let found = directory.role_of(role);
    let side = found
        .as_ref()
        .map(|found| directory.trust(found, account, false));
    let region = caller.region.as_deref().unwrap_or(&backend.default_region);
    let external = form.text("ExternalId").map(|id| ("sts:ExternalId", id));
    let keys: Vec<(&str, &str)> = [("sts:RoleSessionName", session)]
        .into_iter()
        .chain(external)
        .collect();
    let ask = Ask {
        action: "sts:AssumeRole",
        resource: role,
        side,
        region,
        keys: &keys,
        now: backend.clock.now(),
    };
    let refused = match &found {
        // A role that does not exist is refused as one that may not be assumed.
        None => {
            let user = directory.principal(caller);
            Some(format!(
                "User: {} is not authorized to perform: sts:AssumeRole on resource: {role}",
                user.arn()
            ))
        }
        Some(_) => {
            let refused = authorize(&backend.catalog, caller, &ask).err();
            refused.map(|refused| refused.message().to_owned())
        }
    };
    if let Some(message) = refused {
        return protocol::denied(Api::Sts, &message, request_id);
    }
    let name = path.rsplit('/').next().unwrap_or(path);
    let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
    let token = session_token(&arn, policy);
    let mut inner = String::from("    <AssumedRoleUser>\n      ");
    xml::element(&mut inner, "Arn", &arn);
    inner.push_str("      ");
    let id = format!("AROAEMULATEDROLEEXMPL:{session}");
    xml::element(&mut inner, "AssumedRoleId", &id);
    inner.push_str("    </AssumedRoleUser>\n    <Credentials>\n");
    for (name, text) in [
        ("AccessKeyId", account),
        ("SecretAccessKey", "emulated"),
        ("SessionToken", &token),
        ("Expiration", "2099-01-01T00:00:00Z"),
    ] {
        inner.push_str("      ");
        xml::element(&mut inner, name, text);
    }
    inner.push_str("    </Credentials>\n");
    xml::result(Api::Sts, "AssumeRole", &inner, request_id)
}
