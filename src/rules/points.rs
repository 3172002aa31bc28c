//! Forms of the ARNs of recovery points: `points` in schema files.

use std::collections::BTreeMap;
use std::sync::LazyLock;

use super::facts::common;
use super::notes::TypeNotes;
use crate::ids::Arn;

/// Forms of recovery points, by service: how the last part of the ARN begins, in which `*` stands for a name.
pub(crate) type PointForms = BTreeMap<String, Vec<String>>;

/// The forms of all types.
static POINTS: LazyLock<Vec<(&str, Vec<&str>)>> = LazyLock::new(|| {
    let mut by_service: BTreeMap<&str, Vec<&str>> = BTreeMap::new();
    let of_types = TypeNotes::all().map(|(_, notes)| &notes.facts.points);
    for (service, forms) in std::iter::once(&common().points).chain(of_types).flatten() {
        let known = by_service.entry(service).or_default();
        for form in forms {
            if !known.contains(&form.as_str()) {
                known.push(form);
            }
        }
        // Short forms are the ones that people mean first.
        known.sort_by_key(|form| form.len());
    }
    let mut all: Vec<_> = by_service.into_iter().collect();
    let order = &common().point_services;
    all.sort_by_key(|(service, _)| {
        order
            .iter()
            .position(|of| of == service)
            .unwrap_or(usize::MAX)
    });
    all
});

/// Returns the forms of recovery points of all types, by service, in the order in which a message lists them. Every
/// file is looked into: a recovery point of a form of its own type need not ask.
pub(crate) fn points() -> &'static [(&'static str, Vec<&'static str>)] {
    &POINTS
}

/// Returns the beginning of the last part of an ARN of a form.
pub(crate) fn beginning(form: &str) -> &str {
    form.split('*').next().unwrap_or(form)
}

/// Returns true if an ARN is that of a recovery point. Its service does not count: AWS has types that redrill does not
/// know, whose points look like those of others.
pub(crate) fn is_point(arn: &str) -> bool {
    let Some(Arn { resource, .. }) = Arn::parse(arn) else {
        return false;
    };
    let mut forms = points().iter().flat_map(|(_, forms)| forms);
    forms.any(|form| match form.split_once('*') {
        Some((start, end)) => {
            let rest = resource.strip_prefix(start);
            rest.is_some_and(|rest| rest.contains(end))
        }
        None => resource.starts_with(form),
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_recovery_point_is_told_from_what_was_backed_up() {
        for (rest, is) in [
            (
                "backup:us-west-2:123456789012:recovery-point:1EB3B5E7",
                true,
            ),
            ("ec2:us-west-2::snapshot/snap-0a1b2c3d", true),
            ("ec2:us-west-2::image/ami-0a1b2c3d", true),
            (
                "rds:us-west-2:123456789012:cluster-snapshot:awsbackup:job-1",
                true,
            ),
            ("rds:us-west-2:123456789012:snapshot:awsbackup:job-1", true),
            ("fsx:us-west-2:123456789012:backup/backup-1", true),
            (
                "dynamodb:us-west-2:123456789012:table/orders/backup/01",
                true,
            ),
            ("dsql:us-west-2:123456789012:cluster/a/backup/01", true),
            (
                "redshift:us-west-2:123456789012:snapshot:orders/awsbackup:1",
                true,
            ),
            (
                "redshift-serverless:us-west-2:123456789012:snapshot/1",
                true,
            ),
            // A type that redrill does not know.
            ("elasticache:us-west-2:123456789012:snapshot:s", true),
            ("dynamodb:us-west-2:123456789012:table/backup", false),
            ("dsql:us-west-2:123456789012:cluster/a", false),
            ("ec2:us-west-2:123456789012:volume/vol-1", false),
            ("rds:us-west-2:123456789012:cluster:orders", false),
            ("s3:::snapshots", false),
        ] {
            assert_eq!(is_point(&format!("arn:aws:{rest}")), is, "{rest}");
        }
        assert!(!is_point("snapshot:a"));
    }

    #[test]
    fn services_are_listed_in_their_order_and_forms_by_their_length() {
        let services = points().iter().map(|(service, _)| *service);
        let order = &common().point_services;
        assert_eq!(services.take(order.len()).collect::<Vec<_>>(), *order);
        let forms = |of: &str| points().iter().find(|(service, _)| *service == of);
        assert_eq!(forms("ec2").unwrap().1, ["image/ami-", "snapshot/snap-"]);
        assert_eq!(forms("rds").unwrap().1, ["snapshot:", "cluster-snapshot:"]);
    }
}
