//! Pages of the AWS console: of a restore job, and of a resource by its ARN. Only of what is at AWS itself.

use std::fmt::Write as _;

use crate::ids::{JobId, RegionName};

/// The console's domain of a partition; none where nobody has told us its address.
fn domain(partition: &str) -> Option<&'static str> {
    match partition {
        "aws" => Some("console.aws.amazon.com"),
        "aws-us-gov" => Some("console.amazonaws-us-gov.com"),
        "aws-cn" => Some("console.amazonaws.cn"),
        _ => None,
    }
}

/// The partition of a Region, by its name.
fn partition(region: &str) -> &'static str {
    let first = region.split('-').next().unwrap_or_default();
    match first {
        "cn" => "aws-cn",
        _ if region.starts_with("us-gov-") => "aws-us-gov",
        // Sovereign and secret partitions.
        _ if region.starts_with("us-iso") || region.starts_with("eu-iso") => "aws-iso",
        "eusc" => "aws-eusc",
        _ => "aws",
    }
}

fn is_plain(text: &str) -> bool {
    !text.is_empty()
        && text
            .chars()
            .all(|c| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.'))
}

/// The page of a restore job.
#[must_use]
pub fn console_job(region: &RegionName, job_id: &JobId) -> Option<String> {
    let domain = domain(partition(region.as_str()))?;
    // Neither is ours: what is not a name makes no address.
    (is_plain(region.as_str()) && is_plain(job_id.as_str())).then(|| {
        format!(
            "https://{region}.{domain}/backup/home?region={region}#/jobs/restore/details/{job_id}"
        )
    })
}

/// The page of a resource, which the console finds by its ARN.
#[must_use]
pub fn console_resource(arn: &str) -> Option<String> {
    let domain = domain(arn.strip_prefix("arn:")?.split(':').next()?)?;
    let mut url = format!("https://{domain}/go/view?arn=");
    for byte in arn.bytes() {
        match byte {
            b'a'..=b'z' | b'A'..=b'Z' | b'0'..=b'9' | b'-' | b'_' | b'.' | b'~' | b':' | b'/' => {
                url.push(char::from(byte));
            }
            _ => {
                let _ = write!(url, "%{byte:02X}");
            }
        }
    }
    Some(url)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn pages_are_those_of_the_partition() {
        let job = JobId::new("4A-1");
        for (region, page) in [
            (
                "us-west-2",
                Some(
                    "https://us-west-2.console.aws.amazon.com/backup/home?region=us-west-2#/jobs/restore/details/4A-1",
                ),
            ),
            (
                "us-gov-west-1",
                Some(
                    "https://us-gov-west-1.console.amazonaws-us-gov.com/backup/home?region=us-gov-west-1#/jobs/restore/details/4A-1",
                ),
            ),
            (
                "cn-north-1",
                Some(
                    "https://cn-north-1.console.amazonaws.cn/backup/home?region=cn-north-1#/jobs/restore/details/4A-1",
                ),
            ),
            ("us-iso-east-1", None),
            ("eusc-de-east-1", None),
            ("evil.example/", None),
            ("", None),
        ] {
            let found = console_job(&RegionName::new(region), &job);
            assert_eq!(found.as_deref(), page, "{region}");
        }
        let region = RegionName::new("us-west-2");
        assert_eq!(console_job(&region, &JobId::new("a\"><b")), None);
        assert_eq!(
            console_resource("arn:aws:dynamodb:us-west-2:123456789012:table/a b&c").as_deref(),
            Some(
                "https://console.aws.amazon.com/go/view?arn=arn:aws:dynamodb:us-west-2:123456789012:table/a%20b%26c"
            )
        );
        assert_eq!(
            console_resource("arn:aws-cn:s3:::b").as_deref(),
            Some("https://console.amazonaws.cn/go/view?arn=arn:aws-cn:s3:::b")
        );
        for none in ["", "arn:", "arn:aws-iso:s3:::b", "vol-1"] {
            assert_eq!(console_resource(none), None, "{none}");
        }
    }
}
