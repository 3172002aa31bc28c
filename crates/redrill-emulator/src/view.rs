//! Display of jobs: DescribeRestoreJob and the items of ListRestoreJobs have the same members.

use jiff::Timestamp;

use super::faults::FaultKind;
use super::job::{Job, JobStatus};
use super::json::{flag, number, text, time, uuid};
use super::validation::ValidationResult;

/// About as long as a job is in JSON.
pub(super) const USUAL_LENGTH: usize = 960;

impl Job {
    /// Writes what DescribeRestoreJob answers. Absent members are null, as the live service was captured writing them,
    /// <https://github.com/boto/boto3/issues/2260>.
    pub(super) fn show(&self, out: &mut Vec<u8>, now: Timestamp, fault: Option<&FaultKind>) {
        let (status, point) = (self.status(now), &self.point);
        let sparse = matches!(fault, Some(FaultKind::Sparse));
        let member = |out: &mut Vec<u8>, name: &[u8]| out.extend_from_slice(name);
        member(out, b"{\"AccountId\":");
        text(out, Some(&self.account));
        member(out, b",\"RestoreJobId\":");
        uuid(out, Some(self.id));
        member(out, b",\"RecoveryPointArn\":");
        text(out, Some(point.arn()));
        member(out, b",\"SourceResourceArn\":");
        text(out, Some(point.resource_arn()));
        member(out, b",\"BackupVaultArn\":");
        text(out, Some(point.vault_arn()));
        member(out, b",\"CreationDate\":");
        time(out, Some(self.created_at));
        member(out, b",\"CompletionDate\":");
        time(out, self.ended_at(now));
        member(out, b",\"Status\":");
        let name = match fault {
            // A name of our own: whatever AWS adds to the model next.
            Some(FaultKind::UnknownStatus) => "SUSPENDED",
            _ => status.name(),
        };
        text(out, Some(name));
        member(out, b",\"StatusMessage\":");
        text(out, self.status_message(now));
        member(out, b",\"PercentDone\":");
        // The two values that captures of restore jobs show; it is no sign of progress. Backup jobs write "100.0".
        let percent = match status {
            JobStatus::Completed => "100.00%",
            _ => "0.00%",
        };
        match fault {
            Some(FaultKind::PercentNumber) => member(out, b"0"),
            _ => text(out, Some(percent).filter(|_| !sparse)),
        }
        member(out, b",\"BackupSizeInBytes\":");
        match status {
            _ if sparse => member(out, b"null"),
            // 0 in the one public capture of a running job.
            JobStatus::Pending | JobStatus::Running => member(out, b"0"),
            _ => number(out, point.size_bytes()),
        }
        member(out, b",\"IamRoleArn\":");
        text(out, self.iam_role_arn.as_deref());
        member(
            out,
            b",\"ExpectedCompletionTimeMinutes\":null,\"CreatedResourceArn\":",
        );
        text(out, self.created_arn(now).filter(|_| !sparse));
        member(out, b",\"ResourceType\":");
        text(out, Some(point.resource_type()));
        member(out, b",\"RecoveryPointCreationDate\":");
        time(out, Some(point.created_at()));
        member(out, b",\"CreatedBy\":null");
        self.show_validation(out);
        member(
            out,
            b",\"DeletionStatus\":null,\"DeletionStatusMessage\":null,\"IsParent\":",
        );
        flag(out, self.is_parent);
        member(out, b",\"ParentJobId\":");
        uuid(out, self.parent);
        out.push(b'}');
    }

    fn show_validation(&self, out: &mut Vec<u8>) {
        let Some(ValidationResult { status, message }) = self.validation.as_deref() else {
            return out
                .extend_from_slice(b",\"ValidationStatus\":null,\"ValidationStatusMessage\":null");
        };
        out.extend_from_slice(b",\"ValidationStatus\":");
        text(out, Some(status.name()));
        out.extend_from_slice(b",\"ValidationStatusMessage\":");
        text(out, message.as_deref());
    }
}
