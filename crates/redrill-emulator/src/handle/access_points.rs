//! Backup access points, and what scans for malware have found in a continuous backup.

use std::collections::BTreeMap;

use jiff::Timestamp;
use serde::Serialize;

use super::super::access_points::{AccessPoint, AccessPoints, Source, Wanted, check_arn};
use super::super::answer::Answer;
use super::super::caller::Caller;
use super::super::catalog::malformed;
use super::super::error::{ApiError, ErrorCode};
use super::super::files::Record;
use super::super::job::Epoch;
use super::super::point::Point;
use super::{Backend, Call};
use redrill_inventory::Arn;

/// The answer of DescribeBackupAccessPoint, and an item of the lists.
#[derive(Serialize)]
#[serde(rename_all = "PascalCase")]
struct Shown {
    access_point_arn: String,
    access_point_metadata: BTreeMap<String, String>,
    backup_vault_arn: String,
    backup_vault_name: String,
    creation_time: Epoch,
    name: String,
    recovery_point_arn: String,
    resource_arn: String,
    resource_type: String,
    status: &'static str,
    status_message: Option<String>,
}

fn shown(one: &AccessPoint, now: Timestamp) -> Shown {
    let source = &one.source;
    Shown {
        access_point_arn: one.arn.clone(),
        access_point_metadata: one.metadata(now),
        backup_vault_arn: source.vault_arn.clone(),
        backup_vault_name: source.vault.clone(),
        creation_time: Epoch(one.created_at),
        name: one.name.clone(),
        recovery_point_arn: source.recovery_point_arn.clone(),
        resource_arn: source.resource_arn.clone(),
        resource_type: source.resource_type.clone(),
        status: one.status(now),
        status_message: one.status_message(now).map(str::to_owned),
    }
}

impl Backend {
    pub(super) fn create_backup_access_point(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Created<'a> {
            access_point_arn: &'a str,
            status: &'static str,
        }
        let wanted = Wanted::parse(call.body)?;
        let arn = wanted.recovery_point_arn.clone();
        let action = "backup:CreateBackupAccessPoint";
        let vault = self.catalog.vault_of(call.caller, &arn);
        let vault = vault
            .as_ref()
            .map(|(owner, name)| (owner.as_str(), &**name));
        self.may(call.caller, action, &arn, vault, &[])?;
        let (source, region) = self.readable(call.caller, &arn)?;
        let thing = format!("access point {}", wanted.name);
        let becomes = self.catalog.surrounding(call.caller, &thing);
        let mut service = self.service();
        let now = self.clock.now();
        let home = (&*call.caller.account, &*region);
        let points = &mut service.access_points;
        let created = points.create(home, wanted, source, becomes, now)?;
        let answer = Answer::created(&Created {
            access_point_arn: &created.arn,
            status: created.status(now),
        });
        self.record(&Record::AccessPointCreated {
            at: now,
            account: call.caller.account.clone(),
            region,
            body: String::from_utf8_lossy(call.body).into_owned(),
        })?;
        Ok(answer)
    }

    /// Does it again, as an earlier emulator recorded it.
    pub(super) fn create_access_point_again(
        &self,
        points: &mut AccessPoints,
        caller: &Caller,
        body: &str,
        at: Timestamp,
    ) -> Result<(), ApiError> {
        let wanted = Wanted::parse(body.as_bytes())?;
        let (source, region) = self.readable(caller, &wanted.recovery_point_arn)?;
        let thing = format!("access point {}", wanted.name);
        let becomes = self.catalog.surrounding(caller, &thing);
        points.create((&caller.account, &region), wanted, source, becomes, at)?;
        Ok(())
    }

    /// The recovery point of an access point, which has to be of Amazon S3, and the Region that it is made in.
    fn readable(&self, caller: &Caller, arn: &str) -> Result<(Source, String), ApiError> {
        let parsed = Arn::parse(arn).ok_or_else(|| malformed(arn))?;
        let region = caller.region.as_deref().unwrap_or(parsed.region).to_owned();
        let point = self.catalog.find(caller, arn, None)?;
        let (vault, resource_type) = match &point {
            Point::Listed(located) => (located.vault.to_string(), point.resource_type()),
            // An ARN of AWS Backup's own does not say its type.
            Point::Free(_) if parsed.service == "backup" => ("Default".to_owned(), "S3"),
            Point::Free(_) => ("Default".to_owned(), point.resource_type()),
        };
        if resource_type != "S3" {
            return Err(ApiError::new(
                ErrorCode::InvalidRequest,
                format!(
                    "Backup access points are for recovery points of S3, not of {resource_type}."
                ),
            ));
        }
        let source = Source {
            recovery_point_arn: arn.to_owned(),
            resource_arn: point.resource_arn().to_owned(),
            resource_type: resource_type.to_owned(),
            vault,
            vault_arn: point.vault_arn().to_owned(),
            status: point.status(),
        };
        Ok((source, region))
    }

    pub(super) fn delete_backup_access_point(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let arn = call.label(0);
        check_arn(arn)?;
        let mut service = self.service();
        let at = self.clock.now();
        let account = call.caller.account.clone();
        service.access_points.delete(&account, arn, at)?;
        let arn = arn.to_owned();
        self.record(&Record::AccessPointDeleted { at, account, arn })?;
        Ok(Answer::no_content())
    }

    pub(super) fn describe_backup_access_point(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        let arn = call.label(0);
        check_arn(arn)?;
        let now = self.clock.now();
        let (answer, next_event) = {
            let service = self.service();
            let one = service.access_points.get(&call.caller.account, arn, now)?;
            (Answer::json(&shown(one, now)), one.next_event(now))
        };
        self.looked_at(next_event);
        Ok(answer)
    }

    pub(super) fn list_backup_access_points(&self, call: &Call<'_>) -> Result<Answer, ApiError> {
        self.access_points_page(call, |_| true)
    }

    pub(super) fn list_backup_access_points_by_recovery_point(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer, ApiError> {
        let arn = call.label(0);
        if Arn::parse(arn).is_none() {
            return Err(malformed(arn));
        }
        self.access_points_page(call, |one| one.source.recovery_point_arn == arn)
    }

    pub(super) fn list_backup_access_points_by_resource(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer, ApiError> {
        let arn = call.label(0);
        if Arn::parse(arn).is_none() {
            let words = format!("Invalid resource ARN: {arn}");
            return Err(ApiError::invalid("ResourceArn", words));
        }
        self.access_points_page(call, |one| one.source.resource_arn == arn)
    }

    fn access_points_page(
        &self,
        call: &Call<'_>,
        fits: impl Fn(&AccessPoint) -> bool,
    ) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Page {
            backup_access_points: Vec<Shown>,
            next_token: Option<String>,
        }
        let now = self.clock.now();
        let caller = call.caller;
        let (found, next_event) = {
            let service = self.service();
            let own = service.access_points.all(now).filter(|one| {
                one.account == caller.account
                    && caller.region.as_ref().is_none_or(|r| *r == one.region)
                    && fits(one)
            });
            let own: Vec<&AccessPoint> = own.collect();
            let next = own.iter().filter_map(|one| one.next_event(now)).max();
            let found = own.into_iter().map(|one| shown(one, now));
            (found.collect::<Vec<Shown>>(), next)
        };
        let (backup_access_points, next_token) = self.page_of(call, super::LARGE, 100, found)?;
        if next_token.is_none() {
            self.looked_at(next_event);
        }
        Ok(Answer::json(&Page {
            backup_access_points,
            next_token,
        }))
    }

    /// Returns what the surroundings say of malware in a recovery point; of one that was not scanned nothing is known.
    pub(super) fn get_pitr_malware_scan_results(
        &self,
        call: &Call<'_>,
    ) -> Result<Answer, ApiError> {
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct Found {
            scan_end_time: Epoch,
            scan_result: ScanResult,
            last_scan_job_time: Option<Epoch>,
            scan_id: Option<String>,
            scan_mode: Option<&'static str>,
        }
        #[derive(Serialize)]
        #[serde(rename_all = "PascalCase")]
        struct ScanResult {
            scan_result_status: &'static str,
        }
        let query = call.query;
        let required = |name: &str| query.text(name).ok_or_else(|| ApiError::missing(name));
        let arn = required("RecoveryPointArn")?;
        let vault = required("BackupVaultName")?;
        let at = query.time("ScanEndTime")?;
        let at = at.ok_or_else(|| ApiError::missing("ScanEndTime"))?;
        required("MalwareScanner")?;
        query.one_of("MalwareScanner", |text| (text == "GUARDDUTY").then_some(()))?;
        self.catalog.find_in(call.caller, vault, arn)?;
        let said = self
            .catalog
            .surrounding(call.caller, &format!("malware {arn}"));
        let scan_result_status = match said {
            None => "UNKNOWN",
            Some("none") => "NO_THREATS_FOUND",
            Some(since) => match since.parse::<Timestamp>() {
                Ok(since) if at >= since => "THREATS_FOUND",
                Ok(_) => "NO_THREATS_FOUND",
                Err(_) => "UNKNOWN",
            },
        };
        let scanned = scan_result_status != "UNKNOWN";
        Ok(Answer::json(&Found {
            scan_end_time: Epoch(at),
            scan_result: ScanResult { scan_result_status },
            last_scan_job_time: scanned.then_some(Epoch(self.started)),
            scan_id: scanned.then(|| {
                uuid::Uuid::new_v5(&uuid::Uuid::NAMESPACE_URL, arn.as_bytes()).to_string()
            }),
            scan_mode: scanned.then_some("FULL_SCAN"),
        }))
    }
}
