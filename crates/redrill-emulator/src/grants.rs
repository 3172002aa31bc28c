//! AWS KMS, as far as who checks keys asks it: ListGrants.
//! <https://docs.aws.amazon.com/kms/latest/APIReference/API_ListGrants.html>

use redrill_inventory::DeclaredResource;
use serde::Deserialize;
use serde_json::json;

use super::answer::Answer;
use super::caller::Caller;
use super::handle::Backend;
use super::operation::Api;
use super::permissions::{Ask, authorize};
use super::protocol;

#[derive(Deserialize)]
#[serde(rename_all = "PascalCase")]
struct Asked {
    key_id: Option<String>,
}

/// Answers one call: every grant of a key that the inventory declares, on one page.
pub(super) fn answer(backend: &Backend, caller: &Caller, body: &[u8]) -> Answer {
    let error = |code: &str, words: &str| protocol::error(Api::Kms, 400, code, words, "");
    let asked: Asked = match serde_json::from_slice(body) {
        Ok(asked) => asked,
        Err(err) => return error("SerializationException", &err.to_string()),
    };
    let Some(key) = asked.key_id.filter(|key| !key.is_empty()) else {
        let words = "1 validation error detected: Value null at 'keyId' failed to satisfy constraint: Member must not be null";
        return error("ValidationException", words);
    };
    let id = key.rsplit("key/").next().unwrap_or(&key);
    let region = caller.region.as_deref().unwrap_or(&backend.default_region);
    let arn = format!("arn:aws:kms:{region}:{}:key/{id}", caller.account);
    let ask = Ask {
        action: "kms:ListGrants",
        resource: &arn,
        side: None,
        region,
        keys: &[],
        now: backend.clock.now(),
    };
    if let Err(refused) = authorize(&backend.catalog, caller, &ask) {
        return protocol::denied(Api::Kms, refused.message(), "");
    }
    let is_it = |one: &&DeclaredResource| one.type_name == "AWS::KMS::Key" && one.identifier == id;
    let mut all = backend.catalog.declared(caller).map(|(_, one)| one);
    let Some(found) = all.find(is_it) else {
        // The error is as in the reference of the API; the words were recorded in
        // https://github.com/aws/aws-encryption-sdk-python/issues/67.
        return error("NotFoundException", &format!("Key '{arn}' does not exist"));
    };
    let grants = found.grants.iter().enumerate().map(|(at, grant)| {
        json!({
            "KeyId": arn,
            "GrantId": format!("{at:064x}"),
            "GranteePrincipal": grant.grantee_principal,
            "Operations": grant.operations,
        })
    });
    let grants: Vec<serde_json::Value> = grants.collect();
    Answer {
        content_type: protocol::json_type(Api::Kms),
        ..Answer::json(&json!({ "Grants": grants, "Truncated": false }))
    }
}
