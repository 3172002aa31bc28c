//! The principal that IAM simulates.

use crate::ids::Arn;

/// The user or role that IAM simulates for whoever calls: of a session, its role. STS does not tell the path of a role.
pub(super) fn principal(caller: &str) -> Option<String> {
    let arn = Arn::parse(caller)?;
    match (arn.service, arn.resource.split_once('/')) {
        ("iam", Some(("user" | "role", _))) => Some(caller.to_owned()),
        ("sts", Some(("assumed-role", session))) => {
            let role = session.split('/').next()?;
            Some(format!(
                "arn:{}:iam::{}:role/{role}",
                arn.partition, arn.account
            ))
        }
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn who_is_simulated() {
        for (caller, of) in [
            (
                "arn:aws:iam::123456789012:user/ops",
                Some("arn:aws:iam::123456789012:user/ops"),
            ),
            (
                "arn:aws-cn:sts::123456789012:assumed-role/dr/me",
                Some("arn:aws-cn:iam::123456789012:role/dr"),
            ),
            ("arn:aws:iam::123456789012:root", None),
            ("arn:aws:sts::123456789012:federated-user/me", None),
            ("me", None),
        ] {
            assert_eq!(principal(caller).as_deref(), of, "{caller}");
        }
    }
}
