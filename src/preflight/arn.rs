//! ARNs, as far as checks take them apart.

/// The parts of an ARN.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct ArnParts<'a> {
    pub(super) partition: &'a str,
    pub(super) service: &'a str,
    pub(super) region: &'a str,
    pub(super) account: &'a str,
    pub(super) resource: &'a str,
}

impl<'a> ArnParts<'a> {
    /// Of a text that is one.
    pub(super) fn of(text: &'a str) -> Option<Self> {
        let mut parts = text.splitn(6, ':');
        (parts.next()? == "arn").then_some(())?;
        Some(Self {
            partition: parts.next()?,
            service: parts.next()?,
            region: parts.next()?,
            account: parts.next()?,
            resource: parts.next().filter(|rest| !rest.is_empty())?,
        })
    }

    /// The name at its end: of a role behind its path.
    pub(super) fn name(&self) -> &'a str {
        self.resource.rsplit('/').next().unwrap_or_default()
    }
}

/// The user or role that IAM simulates for whoever calls: of a session, its role. STS does not tell the path of a role.
pub(super) fn principal(caller: &str) -> Option<String> {
    let arn = ArnParts::of(caller)?;
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
