//! A new plan never points at what is live, and takes nothing over that belongs to another Region or account.

use super::{account, run};
use crate::support::{folder, write};

fn init(text: &str) -> (tempfile::TempDir, String) {
    let folder = folder();
    write(folder.path(), "account.yaml", text);
    let (plan, _) = run(folder.path(), &["init", "--inventory", "account.yaml"], 0);
    write(folder.path(), "plan.yaml", &plan);
    (folder, plan)
}

/// What a plan has to be as it was written: without a finding, and rehearsed to its end.
fn holds(folder: &std::path::Path) -> String {
    let (checked, _) = run(
        folder,
        &["validate", "plan.yaml", "--inventory", "account.yaml"],
        0,
    );
    assert!(checked.ends_with("0 errors, 0 warnings\n"), "{checked}");
    let (_, said) = run(
        folder,
        &["rehearse", "plan.yaml", "--inventory", "account.yaml"],
        0,
    );
    said
}

#[test]
fn safety_a10_init_never_points_a_restore_at_the_live_cluster() {
    for metadata in [
        "{}",
        "{ clusterName: shop }",
        "{ clusterName: shop, newCluster: 'false', eksClusterVersion: '1.33' }",
    ] {
        let (folder, plan) = init(&format!(
            "account: \"123456789012\"\nregion: eu-west-1\nvaults:\n  v:\n    recovery_points:\n      - {{ arn: 'arn:aws:backup:eu-west-1:123456789012:recovery-point:composite:eks/shop-20261129020000', resource_arn: 'arn:aws:eks:eu-west-1:123456789012:cluster/shop', resource_type: EKS, created_at: 2026-11-29T02:00:00Z, size_bytes: 1024, restore_metadata: {metadata} }}\n"
        ));
        assert!(plan.contains("      newCluster: true\n"), "{plan}");
        assert!(
            !plan.contains("clusterName: shop\n") && !plan.contains("default: shop\n"),
            "{plan}"
        );
        assert!(!plan.contains("It has to exist"), "{plan}");
        assert!(!plan.contains("into_existing"), "{plan}");
        let said = holds(folder.path());
        assert!(!said.contains("writes into"), "{said}");
    }
}

/// Of every type: into new, or a comment that it writes into what exists, and then into nothing that was backed up.
#[test]
fn safety_a10_init_writes_into_new_things_or_says_that_it_does_not() {
    let (folder, plan) = init(&account(1));
    let (dry, _) = run(
        folder.path(),
        &[
            "plan",
            "plan.yaml",
            "--inventory",
            "account.yaml",
            "--format",
            "json",
        ],
        0,
    );
    let dry: serde_json::Value = serde_json::from_str(&dry).unwrap();
    let mut existing = Vec::new();
    for restore in dry["restores"].as_array().unwrap() {
        let of_class = |class: &str| {
            let notes = restore["notes"].as_array().unwrap().iter();
            let of = notes.filter(|note| note["class"] == *class);
            of.map(|note| note["message"].to_string())
                .collect::<Vec<_>>()
        };
        assert!(of_class("collision").is_empty(), "{restore}");
        let into = of_class("existing");
        if into.is_empty() {
            continue;
        }
        existing.push(
            restore["request"]["ResourceType"]
                .as_str()
                .unwrap()
                .to_owned(),
        );
        let name = restore["restore"].as_str().unwrap();
        let of = &plan[plan.find(&format!("\n  {name}:\n")).unwrap()..];
        let of = &of[..of.find("    metadata:").unwrap()];
        assert!(
            of.contains("    # It writes into ") && of.contains("    # into_existing: true\n"),
            "{of}"
        );
        // Nothing that was backed up is named as it is.
        let metadata = restore["request"]["Metadata"].as_object().unwrap();
        let source = restore["recovery_point"]["resource_arn"].as_str().unwrap();
        assert!(metadata.values().all(|value| value != source), "{restore}");
    }
    existing.sort();
    assert_eq!(
        existing,
        ["FSx", "Redshift Serverless", "SAP HANA on Amazon EC2"]
    );
    assert_eq!(plan.matches("# into_existing: true").count(), 3);
}

/// The commonest case of all: copied to a vault of another Region and account, and drilled there.
#[test]
fn field_e_init_leaves_out_what_belongs_to_another_region_or_account() {
    let point = |of: &str, arn: &str, resource: &str, metadata: &str| {
        format!(
            "      - {{ arn: '{arn}', resource_arn: '{resource}', resource_type: {of}, created_at: 2026-11-20T03:00:00Z, size_bytes: 1024, restore_metadata: {metadata} }}\n"
        )
    };
    let key = "arn:aws:kms:us-east-1:111122223333:key/1234abcd-12ab-34cd-56ef-1234567890ab";
    let text = [
        "account: \"123456789012\"\nregion: us-west-2\nvaults:\n  dr:\n    recovery_points:\n",
        &point("Aurora", "arn:aws:rds:us-west-2:123456789012:cluster-snapshot:awsbackup:copyjob-1a1b2c3d-0000-4000-8000-000000000000", "arn:aws:rds:us-east-1:111122223333:cluster:orders",
            &format!("{{ Engine: aurora-postgresql, EngineVersion: '16.4', AvailabilityZones: '[\"us-east-1a\",\"us-east-1b\"]', KmsKeyId: '{key}', DBSubnetGroupName: prod-subnets, VpcSecurityGroupIds: '[\"sg-0a1b2c3d4e5f60718\"]' }}")),
        &point("EBS", "arn:aws:ec2:us-west-2::snapshot/snap-0123456789abcdef0", "arn:aws:ec2:us-east-1:111122223333:volume/vol-0123456789abcdef0",
            &format!("{{ availabilityZone: us-east-1a, kmsKeyId: '{key}', volumeType: gp3 }}")),
        &point("EFS", "arn:aws:backup:us-west-2:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45", "arn:aws:elasticfilesystem:us-east-1:111122223333:file-system/fs-0123456789abcdef0",
            &format!("{{ file-system-id: fs-0123456789abcdef0, Encrypted: 'true', KmsKeyId: '{key}' }}")),
        &point("EC2", "arn:aws:ec2:us-west-2::image/ami-0123456789abcdef0", "arn:aws:ec2:us-east-1:111122223333:instance/i-0123456789abcdef0",
            "{ InstanceType: m6i.large, SubnetId: subnet-0a1b2c3d4e5f60718, SecurityGroupIds: '[\"sg-0a1b2c3d4e5f60718\"]' }"),
        &point("RDS", "arn:aws:rds:us-west-2:123456789012:snapshot:awsbackup:copyjob-1a1b2c3d-0000-4000-8000-000000000001", "arn:aws:rds:us-east-1:111122223333:db:crm",
            &format!("{{ DBInstanceClass: db.r6g.large, Engine: postgres, AvailabilityZone: us-east-1a, DBSubnetGroupName: prod-subnets, OptionGroupName: prod-options, DBParameterGroupName: prod-parameters, KmsKeyId: '{key}', VpcSecurityGroupIds: '[\"sg-0a1b2c3d4e5f60718\"]' }}")),
        &point("S3", "arn:aws:backup:us-west-2:123456789012:recovery-point:invoices-20261120000000-0a1b2c3d", "arn:aws:s3:::invoices", "{ BackupACLs: enabled }"),
    ]
    .concat();
    let (folder, plan) = init(&text);
    let body: String = plan
        .lines()
        .filter(|line| !line.trim_start().starts_with('#'))
        .map(|line| format!("{line}\n"))
        .collect();
    for foreign in [
        "us-east-1",
        "111122223333",
        "prod-subnets",
        "prod-options",
        "prod-parameters",
        "sg-0a1b2c3d4e5f60718",
        "subnet-0a1b2c3d4e5f60718",
    ] {
        assert!(!body.contains(foreign), "{foreign}: {body}");
    }
    let unfolded = plan.replace("\n      #   ", " ");
    for left_out in [
        "AvailabilityZones",
        "KmsKeyId",
        "DBSubnetGroupName",
        "VpcSecurityGroupIds",
        "OptionGroupName",
        "SubnetId",
    ] {
        let words = format!(
            "# - {left_out}: it is of us-east-1 and account 111122223333, and this plan restores into us-west-2 of account 123456789012"
        );
        assert!(unfolded.contains(&words), "{left_out}: {plan}");
    }
    holds(folder.path());
    // Of its own Region and account everything is taken over as it was.
    let (_, own) = init(
        &text
            .replace("us-east-1", "us-west-2")
            .replace("111122223333", "123456789012"),
    );
    for kept in [
        "prod-subnets",
        "us-west-2b",
        "sg-0a1b2c3d4e5f60718",
        "key/1234abcd-12ab-34cd-56ef-1234567890ab",
    ] {
        assert!(own.contains(kept), "{kept}: {own}");
    }
    assert!(!own.contains("and this plan restores into"), "{own}");
}

/// A part whose composite point cannot be restored is no cluster.
#[test]
fn safety_a11_init_takes_no_part_for_the_whole() {
    let point = |arn: &str, more: &str| {
        format!(
            "      - {{ arn: '{arn}', resource_arn: 'arn:aws:eks:eu-west-1:123456789012:cluster/shop', resource_type: EKS, created_at: 2026-11-29T02:00:00Z{more} }}\n"
        )
    };
    let composite =
        "arn:aws:backup:eu-west-1:123456789012:recovery-point:composite:eks/shop-20261129020000";
    let part = "arn:aws:backup:eu-west-1:123456789012:recovery-point:eks/shop-20261129020000";
    let head =
        "account: \"123456789012\"\nregion: eu-west-1\nvaults:\n  v:\n    recovery_points:\n";
    let nested = point(part, &format!(", parent: '{composite}'"));
    let folder = folder();
    for (text, reason) in [
        (
            format!("{head}{}{nested}", point(composite, ", status: PARTIAL")),
            "which cannot be restored now",
        ),
        (format!("{head}{nested}"), "which is not among these"),
    ] {
        write(folder.path(), "account.yaml", &text);
        let (_, said) = run(folder.path(), &["init", "--inventory", "account.yaml"], 64);
        assert!(said.contains(reason), "{said}");
        // Who names it gets it.
        let (plan, _) = run(
            folder.path(),
            &["init", "--inventory", "account.yaml", "--resource", part],
            0,
        );
        assert!(
            plan.contains(&format!("recovery_point: {part}\n")),
            "{plan}"
        );
    }
}
