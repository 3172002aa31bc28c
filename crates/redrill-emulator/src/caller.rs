//! Caller of a request, and the region it asks.

use std::sync::Arc;

use redrill_inventory::PolicyDocument;

/// Caller of a request, and the region it asks.
#[derive(Clone, Debug, Default)]
pub(super) struct Caller {
    pub(super) account: String,
    /// None when the request is not signed.
    pub(super) region: Option<String>,
    pub(super) who: Who,
}

/// Principal of the account that calls.
#[derive(Clone, Debug, Default)]
pub(super) enum Who {
    /// Principal that the inventory names as the account's caller.
    #[default]
    Default,
    /// The user whose access key it is.
    User(String),
    /// A session that AssumeRole has made.
    Session {
        arn: String,
        policy: Option<Arc<PolicyDocument>>,
    },
}

impl Who {
    pub(super) fn is_default(&self) -> bool {
        matches!(self, Who::Default)
    }
}

/// Prefix of the emulator's session tokens: they hold the session themselves, so that it outlives a restart.
const MARK: &str = "emulated?";

/// The session token of a session.
pub(super) fn session_token(arn: &str, policy: Option<&str>) -> String {
    let mut pairs = form_urlencoded::Serializer::new(String::new());
    pairs.append_pair("session", arn);
    if let Some(policy) = policy {
        pairs.append_pair("policy", policy);
    }
    format!("{MARK}{}", pairs.finish())
}

/// The session that a token holds.
pub(super) fn of_token(token: &str) -> Option<Who> {
    let pairs = form_urlencoded::parse(token.strip_prefix(MARK)?.as_bytes());
    let (mut arn, mut policy) = (None, None);
    for (key, value) in pairs {
        match &*key {
            "session" => arn = Some(value.into_owned()),
            "policy" => policy = PolicyDocument::of_principal(&value).ok().map(Arc::new),
            _ => {}
        }
    }
    Some(Who::Session { arn: arn?, policy })
}
