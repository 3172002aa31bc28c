//! Amazon Resource Names: `arn:partition:service:region:account:resource`.

/// A well-formed ARN, taken apart.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Arn<'a> {
    /// `aws`, `aws-us-gov`, …
    pub partition: &'a str,
    /// Service, as in `backup`, `rds`.
    pub service: &'a str,
    /// Empty for global resources (`arn:aws:s3:::bucket`).
    pub region: &'a str,
    /// Empty for images and snapshots (`arn:aws:ec2:us-east-1::image/ami-0abc`).
    pub account: &'a str,
    /// Everything after the account; its form is the service's.
    pub resource: &'a str,
}

impl<'a> Arn<'a> {
    /// The form of <https://docs.aws.amazon.com/IAM/latest/UserGuide/reference-arns.html>.
    pub fn parse(text: &'a str) -> Option<Arn<'a>> {
        let mut parts = text.splitn(6, ':');
        let mut next = || parts.next();
        if next()? != "arn" {
            return None;
        }
        let arn = Arn {
            partition: next()?,
            service: next()?,
            region: next()?,
            account: next()?,
            resource: next()?,
        };
        let word = |text: &str| {
            text.bytes()
                .all(|b| b.is_ascii_lowercase() || b.is_ascii_digit() || b == b'-')
        };
        let well_formed = (arn.partition == "aws" || arn.partition.starts_with("aws-"))
            && word(arn.partition)
            && !arn.service.is_empty()
            && word(arn.service)
            && word(arn.region)
            && (arn.account.is_empty() || arn.account == "aws" || is_account_id(arn.account))
            && !arn.resource.is_empty()
            && !arn
                .resource
                .contains(|c: char| c.is_whitespace() || c.is_control());
        well_formed.then_some(arn)
    }
}

/// Returns true for an account id: 12 digits, the pattern that the AWS Backup API model declares.
pub fn is_account_id(text: &str) -> bool {
    text.len() == 12 && text.bytes().all(|b| b.is_ascii_digit())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn recovery_point_forms() {
        for good in [
            "arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45",
            "arn:aws:backup:us-west-2:123456789012:recovery-point:continuous:bucket-0f51c39b",
            "arn:aws:backup:us-west-2:123456789012:recovery-point:composite:eks/my-cluster-20240115",
            "arn:aws-us-gov:ec2:us-gov-west-1::image/ami-0abc",
            "arn:aws:rds:us-east-1:123456789012:cluster-snapshot:awsbackup:job-1",
            "arn:aws:dynamodb:us-east-1:123456789012:table/T/backup/01489173575360-b308cd7d",
        ] {
            Arn::parse(good).unwrap_or_else(|| panic!("{good}"));
        }
        for bad in [
            "",
            "arn",
            "arn:aws:backup",
            "arn:aws:backup:us-east-1:123456789012:",
            "arn:aws:backup:us-east-1:12345678901:recovery-point:x",
            "arn:gcp:backup:us-east-1:123456789012:recovery-point:x",
            "arn:aws::us-east-1:123456789012:recovery-point:x",
            "arn:aws:backup:US-EAST-1:123456789012:recovery-point:x",
            "arn:aws:backup:us-east-1:123456789012:recovery point",
            "ami-0abc",
        ] {
            assert_eq!(Arn::parse(bad), None, "{bad}");
        }
    }
}
