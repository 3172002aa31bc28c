//! AWS STS GetCallerIdentity and AssumeRole, so that a client that checks its account first, or works in several, can use
//! one endpoint for both services.
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_GetCallerIdentity.html>,
//! <https://docs.aws.amazon.com/STS/latest/APIReference/API_AssumeRole.html>

use super::answer::Answer;
use super::query::Query;

const NAMESPACE: &str = "https://sts.amazonaws.com/doc/2011-06-15/";

/// Answers the query protocol: the action stands in the query or in the form that is the body.
pub(super) fn answer(query: &Query, body: &[u8], account: &str, request_id: &str) -> Answer {
    let form = Query::parse(std::str::from_utf8(body).ok());
    let action = form.text("Action").or_else(|| query.text("Action"));
    match action {
        Some("GetCallerIdentity") => Answer::xml(
            200,
            format!(
                "<GetCallerIdentityResponse xmlns=\"{NAMESPACE}\">\n  <GetCallerIdentityResult>\n    \
                 <Arn>arn:aws:iam::{account}:user/emulated</Arn>\n    \
                 <UserId>AIDAEMULATEDUSEREXMPL</UserId>\n    <Account>{account}</Account>\n  \
                 </GetCallerIdentityResult>\n  <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  \
                 </ResponseMetadata>\n</GetCallerIdentityResponse>\n"
            ),
        ),
        Some("AssumeRole") => assume_role(&form, query, request_id),
        _ => error(
            400,
            "InvalidAction",
            "The emulator serves no action of this kind but GetCallerIdentity and AssumeRole.",
            request_id,
        ),
    }
}

/// Credentials whose access key id is the role's account, which is how the emulator knows a caller's account.
fn assume_role(form: &Query, query: &Query, request_id: &str) -> Answer {
    let of = |name: &str| form.text(name).or_else(|| query.text(name));
    let (Some(role), Some(session)) = (of("RoleArn"), of("RoleSessionName")) else {
        return error(
            400,
            "ValidationError",
            "RoleArn and RoleSessionName must not be null",
            request_id,
        );
    };
    let parts: Vec<&str> = role.splitn(6, ':').collect();
    let (Some(account), Some(name)) = (
        parts.get(4).filter(|account| account.len() == 12),
        parts
            .get(5)
            .and_then(|resource| resource.strip_prefix("role/")),
    ) else {
        return error(
            400,
            "ValidationError",
            &format!("{role} is invalid"),
            request_id,
        );
    };
    let arn = format!("arn:aws:sts::{account}:assumed-role/{name}/{session}");
    Answer::xml(
        200,
        format!(
            "<AssumeRoleResponse xmlns=\"{NAMESPACE}\">\n  <AssumeRoleResult>\n    <AssumedRoleUser>\n      \
             <Arn>{}</Arn>\n      <AssumedRoleId>AROAEMULATEDROLEEXMPL:{}</AssumedRoleId>\n    \
             </AssumedRoleUser>\n    <Credentials>\n      <AccessKeyId>{account}</AccessKeyId>\n      \
             <SecretAccessKey>emulated</SecretAccessKey>\n      <SessionToken>emulated</SessionToken>\n      \
             <Expiration>2099-01-01T00:00:00Z</Expiration>\n    </Credentials>\n  </AssumeRoleResult>\n  \
             <ResponseMetadata>\n    <RequestId>{request_id}</RequestId>\n  </ResponseMetadata>\n\
             </AssumeRoleResponse>\n",
            escape(&arn),
            escape(session),
        ),
    )
}

/// An error of the query protocol.
pub(super) fn error(status: u16, code: &str, message: &str, request_id: &str) -> Answer {
    let sender = if status < 500 { "Sender" } else { "Receiver" };
    let (code, message) = (escape(code), escape(message));
    Answer::xml(
        status,
        format!(
            "<ErrorResponse xmlns=\"{NAMESPACE}\">\n  <Error>\n    <Type>{sender}</Type>\n    \
             <Code>{code}</Code>\n    <Message>{message}</Message>\n  </Error>\n  \
             <RequestId>{request_id}</RequestId>\n</ErrorResponse>\n"
        ),
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;")
        .replace('<', "&lt;")
        .replace('>', "&gt;")
}
