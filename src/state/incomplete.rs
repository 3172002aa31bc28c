//! Shortfalls of COMPLETED jobs: AWS says in the message if a job has not brought back what was asked for. The messages
//! are in `incomplete.yaml`, each with its source.

use std::sync::LazyLock;

use serde::Deserialize;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Shortfall {
    says: String,
    means: String,
    #[serde(rename = "source")]
    _source: String,
}

static LINES: LazyLock<Vec<Shortfall>> = LazyLock::new(|| {
    #[expect(clippy::expect_used, reason = "embedded data, read by a test")]
    serde_yaml::from_str(include_str!("incomplete.yaml")).expect("incomplete.yaml")
});

/// Finds what is missing, if AWS's message to a COMPLETED job says that something is.
#[must_use]
pub fn incomplete(message: Option<&str>) -> Option<&'static str> {
    let message = message?.to_lowercase();
    let line = LINES.iter().find(|line| message.contains(&line.says));
    line.map(|line| line.means.as_str())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_line_is_in_small_letters_and_has_a_source() {
        for line in LINES.iter() {
            assert_eq!(line.says, line.says.to_lowercase());
            assert!(
                !line.means.is_empty() && line._source.len() > 20,
                "{line:?}"
            );
        }
    }

    #[test]
    fn what_aws_writes() {
        for message in [
            "One or more objects failed to be restored from arn:aws:backup:… to bucket. To get notified of these failures, enable SNS event notifications.",
            "There are no objects that match the restore request for arn:aws:backup:….",
            "One or more Kubernetes objects failed to restore. To get notified of these failures, enable SNS event notifications.",
            "1 of 2 nested restore jobs failed.",
        ] {
            assert!(incomplete(Some(message)).is_some(), "{message}");
        }
        for message in [
            "",
            "Restored.",
            "Some objects were skipped because they exist.",
        ] {
            assert_eq!(incomplete(Some(message)), None, "{message}");
        }
        assert_eq!(incomplete(None), None);
    }
}
