//! Metadata that looks like a secret: AWS Backup calls the map of a restore sensitive, and a file is read by many.
//!
//! Told by the name of a key and by the shape of a value; what only refers to a secret (an ARN, the id of a key) is
//! none.

use std::sync::LazyLock;

use regex::Regex;
use serde_json::Value;

/// Parts of names, without what separates words.
const NAMES: [&str; 12] = [
    "password",
    "passwd",
    "passphrase",
    "secret",
    "credential",
    "privatekey",
    "accesskey",
    "apikey",
    "authtoken",
    "accesstoken",
    "connectionstring",
    // A script that an instance runs, which often holds one.
    "userdata",
];

static SHAPES: LazyLock<Option<Regex>> = LazyLock::new(|| {
    Regex::new(concat!(
        r"\b(AKIA|ASIA)[0-9A-Z]{16}\b",
        r"|-----BEGIN [A-Z ]*PRIVATE KEY-----",
        r"|\beyJ[0-9A-Za-z_-]{8,}\.eyJ[0-9A-Za-z_-]{8,}\.",
        r"|\b(ghp|gho|ghs|github_pat|glpat|xox[abprs])[_-][0-9A-Za-z_-]{16,}",
        r"|[a-z][0-9a-z+.-]*://[^/\s:@]*:[^/\s@]+@",
    ))
    .ok()
});

/// Returns true if a value under this key looks like a secret.
#[must_use]
pub fn is_sensitive(key: &str, value: &str) -> bool {
    let folded: String = key
        .chars()
        .filter(char::is_ascii_alphanumeric)
        .map(|c| c.to_ascii_lowercase())
        .collect();
    let named = NAMES.iter().any(|name| folded.contains(name));
    (named && !refers(&folded, value)) || has_shape(value)
}

/// Returns true if a value says where a secret is, or whether there is one, and not what it is.
fn refers(folded: &str, value: &str) -> bool {
    let value = value.trim();
    value.is_empty()
        || value.starts_with("arn:")
        || value.starts_with("alias/")
        || value.parse::<bool>().is_ok()
        || matches!(value, "TRUE" | "FALSE" | "True" | "False")
        || ["arn", "keyid", "identifier"]
            .iter()
            .any(|end| folded.ends_with(end))
}

fn has_shape(value: &str) -> bool {
    SHAPES.as_ref().is_some_and(|shapes| shapes.is_match(value)) || is_secret_access_key(value)
}

/// A secret access key of AWS has forty characters of all kinds; a hash has not.
fn is_secret_access_key(value: &str) -> bool {
    let value = value.trim();
    value.len() == 40
        && value
            .bytes()
            .all(|b| b.is_ascii_alphanumeric() || matches!(b, b'/' | b'+'))
        && value.bytes().any(|b| b.is_ascii_lowercase())
        && value.bytes().any(|b| b.is_ascii_uppercase())
        && value.bytes().any(|b| b.is_ascii_digit())
}

/// The value of a metadata key without what looks secret in it, and the names of what that was, such as
/// `WindowsConfiguration.Password`; `None` where nothing is left.
#[must_use]
pub fn without_secrets(key: &str, value: &str) -> (Option<String>, Vec<String>) {
    let nested = match serde_json::from_str::<Value>(value) {
        Ok(nested @ (Value::Object(_) | Value::Array(_))) => nested,
        _ if is_sensitive(key, value) => return (None, vec![key.to_owned()]),
        _ => return (Some(value.to_owned()), Vec::new()),
    };
    // A whole map under such a name is one, whatever it is called inside.
    if is_sensitive(key, value) && !has_shape(value) {
        return (None, vec![key.to_owned()]);
    }
    let mut names = Vec::new();
    match strip(key, key, nested, &mut names) {
        _ if names.is_empty() => (Some(value.to_owned()), names),
        Some(stripped) => (Some(stripped.to_string()), names),
        None => (None, names),
    }
}

fn strip(path: &str, key: &str, value: Value, names: &mut Vec<String>) -> Option<Value> {
    match value {
        Value::Object(map) => {
            // `{"ParameterKey": "Password", "ParameterValue": …}` names its value as well.
            let named = ["ParameterKey", "Key", "Name"]
                .iter()
                .find_map(|name| map.get(*name)?.as_str().map(str::to_owned));
            let stripped = map.into_iter().filter_map(|(member, value)| {
                let name = match &named {
                    Some(named) if member.ends_with("Value") => named,
                    _ => &member,
                };
                let path = format!("{path}.{name}");
                let value = strip(&path, &name.clone(), value, names)?;
                Some((member, value))
            });
            Some(stripped.collect())
        }
        Value::Array(items) => Some(
            items
                .into_iter()
                .filter_map(|item| strip(path, key, item, names))
                .collect(),
        ),
        Value::String(text) if is_sensitive(key, &text) => {
            names.push(path.to_owned());
            None
        }
        other if !other.is_string() && is_sensitive(key, &other.to_string()) => {
            names.push(path.to_owned());
            None
        }
        other => Some(other),
    }
}

#[cfg(test)]
mod tests {
    use super::{is_sensitive, without_secrets};

    #[test]
    fn what_looks_like_a_secret() {
        for (key, value) in [
            ("MasterUserPassword", "hunter2"),
            ("db-password", "1234"),
            ("UserData", "IyEvYmluL3NoCg=="),
            ("anything", "AKIAIOSFODNN7EXAMPLE"),
            ("anything", "wJalrXUtnFEMI/K7MDENG/bPxRfiCYEXAMPLEKE7"),
            ("anything", "-----BEGIN RSA PRIVATE KEY-----\nMII"),
            ("Endpoint", "postgres://admin:hunter2@db.example.com/orders"),
        ] {
            assert!(is_sensitive(key, value), "{key}: {value}");
        }
    }

    #[test]
    fn what_only_refers_to_one() {
        for (key, value) in [
            ("ManageMasterPassword", "true"),
            ("MasterPasswordSecretKmsKeyId", "alias/x"),
            (
                "MasterPasswordSecretKmsKeyId",
                "1234abcd-12ab-34cd-56ef-1234567890ab",
            ),
            (
                "DomainJoinServiceAccountSecret",
                "arn:aws:secretsmanager:us-east-1:123456789012:secret:x",
            ),
            ("CreationToken", "orders-main"),
            ("KmsKeyId", "alias/dr"),
            ("KeyName", "operations"),
            ("hash", "da39a3ee5e6b4b0d3255bfef95601890afd80709"),
            ("password", ""),
        ] {
            assert!(!is_sensitive(key, value), "{key}: {value}");
        }
    }

    #[test]
    fn a_secret_within_json_is_taken_out_alone() {
        let (value, names) = without_secrets(
            "WindowsConfiguration",
            r#"{"ThroughputCapacity":32,"SelfManagedActiveDirectoryConfiguration":{"UserName":"admin","Password":"hunter2"}}"#,
        );
        assert_eq!(
            value.unwrap(),
            r#"{"ThroughputCapacity":32,"SelfManagedActiveDirectoryConfiguration":{"UserName":"admin"}}"#
        );
        assert_eq!(
            names,
            ["WindowsConfiguration.SelfManagedActiveDirectoryConfiguration.Password"]
        );
        let (value, names) = without_secrets("StackParameters", r#"[{"DbPassword":1234}]"#);
        assert_eq!(value.as_deref(), Some("[{}]"));
        assert_eq!(names, ["StackParameters.DbPassword"]);
        let (value, names) = without_secrets(
            "StackParameters",
            r#"[{"ParameterKey":"DbPassword","ParameterValue":"x"}]"#,
        );
        assert_eq!(value.as_deref(), Some(r#"[{"ParameterKey":"DbPassword"}]"#));
        assert_eq!(names, ["StackParameters.DbPassword"]);
        let untouched = r#"{ "a" : 1 }"#;
        assert_eq!(without_secrets("x", untouched).0.unwrap(), untouched);
    }
}
