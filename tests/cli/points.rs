//! Which recovery point is meant: never a part of a composite one, and by a lock only where that is said.

use crate::drill::run;
use crate::support::{folder, repository_file, write};

/// A cluster's composite recovery point and its part, made in the same second; and older ones.
fn cluster(days: &[u32], with_composite: bool) -> String {
    let mut text = String::from(
        "account: \"123456789012\"\nregion: eu-west-1\nvaults:\n  shop-eu:\n    recovery_points:\n",
    );
    for day in days {
        let composite = format!(
            "arn:aws:backup:eu-west-1:123456789012:recovery-point:composite:eks/shop-202611{day:02}020000"
        );
        let part = format!(
            "arn:aws:backup:eu-west-1:123456789012:recovery-point:eks/shop-202611{day:02}020000"
        );
        let common = format!(
            "resource_arn: 'arn:aws:eks:eu-west-1:123456789012:cluster/shop', resource_type: EKS, created_at: 2026-11-{day:02}T02:00:00Z, size_bytes: 1024"
        );
        // The part comes last: of two of one moment the ARN decides.
        if with_composite {
            text.push_str(&format!("      - {{ arn: '{composite}', {common} }}\n"));
        }
        text.push_str(&format!(
            "      - {{ arn: '{part}', {common}, parent: '{composite}' }}\n"
        ));
    }
    text
}

const CLUSTER: &str = "plan: shop
target: { region: eu-west-1, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }
restores:
  cluster:
    type: EKS
    recovery_point: { vault: shop-eu, resource: \"arn:aws:eks:eu-west-1:123456789012:cluster/shop\" }
    into_existing: true
    metadata: { clusterName: drill, newCluster: false, restoreKubernetesManifestsOnly: true }
";

#[test]
fn safety_a11_a_selector_never_chooses_a_part_of_a_composite_point() {
    let folder = folder();
    let path = folder.path();
    write(path, "world.yaml", &cluster(&[27, 28, 29], true));
    for pick in ["latest", "earliest", "random"] {
        let text = CLUSTER.replace(
            "cluster/shop\" }",
            &format!("cluster/shop\", pick: {pick} }}"),
        );
        write(path, "plan.yaml", &text);
        let (code, out, said) = run(path, &["render", "plan.yaml", "--inventory", "world.yaml"]);
        assert_eq!(code, 0, "{said}");
        assert!(out.contains(":recovery-point:composite:eks/shop-"), "{out}");
        assert!(!said.contains("EKS/composite"), "{said}");
    }
    // Without a resource the parts do not count as another one either.
    write(
        path,
        "plan.yaml",
        &CLUSTER.replace(
            ", resource: \"arn:aws:eks:eu-west-1:123456789012:cluster/shop\"",
            "",
        ),
    );
    let (code, out, said) = run(path, &["lock", "plan.yaml", "--inventory", "world.yaml"]);
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("composite:eks/shop-20261129020000"), "{out}");
    let (code, out, said) = run(
        path,
        &["rehearse", "plan.yaml", "--inventory", "world.yaml"],
    );
    assert_eq!(code, 0, "{out}{said}");
}

#[test]
fn safety_a11_where_only_parts_fit_the_finding_stands_at_the_selector_and_names_them() {
    let folder = folder();
    let path = folder.path();
    write(path, "world.yaml", &cluster(&[28, 29], false));
    write(path, "plan.yaml", CLUSTER);
    for command in ["lock", "plan", "render", "validate", "rehearse"] {
        let (code, out, said) = run(path, &[command, "plan.yaml", "--inventory", "world.yaml"]);
        let said = out + &said;
        assert_eq!(code, 4, "{command}: {said}");
        for words in [
            "error[selector/nested]: cluster: every recovery point that fits is part of a composite one",
            "recovery-point:eks/shop-20261129020000 is part of arn:aws:backup:eu-west-1:123456789012:recovery-point:composite:eks/shop-20261129020000",
            "plan.yaml:6:21",
            "`recovery_point: arn:aws:backup:eu-west-1:123456789012:recovery-point:composite:eks/shop-20261128020000`",
        ] {
            assert!(said.contains(words), "{command}: no {words}: {said}");
        }
    }
    assert!(!path.join("plan.lock.yaml").exists());
}

/// A part that is named is the author's own choice; what a rule says of it stands where it is named.
#[test]
fn safety_a11_findings_about_the_recovery_point_stand_where_it_is_named() {
    let folder = folder();
    let path = folder.path();
    let part = "arn:aws:backup:eu-west-1:123456789012:recovery-point:eks/shop-20261129020000";
    let text = CLUSTER.replace(
        "{ vault: shop-eu, resource: \"arn:aws:eks:eu-west-1:123456789012:cluster/shop\" }",
        part,
    );
    write(path, "plan.yaml", &text);
    let (code, out, _) = run(path, &["validate", "plan.yaml"]);
    assert_eq!(code, 0, "{out}");
    assert!(out.contains("warning[EKS/composite]"), "{out}");
    assert!(out.contains("plan.yaml:6:21"), "{out}");
}

#[test]
fn field_a9_a_selector_of_ebs_without_a_vault_says_which_copies_aws_does_not_list() {
    let folder = folder();
    let path = folder.path();
    let volume = "arn:aws:ec2:us-west-2:123456789012:volume/vol-0a1b2c3d";
    write(
        path,
        "world.yaml",
        &format!(
            "account: \"123456789012\"\nregion: us-west-2\nvaults:\n  dr:\n    recovery_points:\n      - {{ arn: 'arn:aws:ec2:us-west-2::snapshot/snap-0a1b2c3d4e5f60718', resource_arn: '{volume}', resource_type: EBS, created_at: 2026-11-20T03:00:00Z, size_bytes: 1024 }}\n"
        ),
    );
    let plan = |vault: &str| {
        format!(
            "plan: data\ntarget: {{ region: us-west-2, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }}\nrestores:\n  data:\n    type: EBS\n    recovery_point: {{ {vault}resource: \"{volume}\" }}\n    metadata: {{ availabilityZone: us-west-2a, volumeType: gp3 }}\n"
        )
    };
    write(path, "plan.yaml", &plan(""));
    let (code, _, said) = run(path, &["plan", "plan.yaml", "--inventory", "world.yaml"]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("note[selector/ebs-copies]") && said.contains("plan.yaml:6:21"),
        "{said}"
    );
    write(path, "plan.yaml", &plan("vault: dr, "));
    let (code, _, said) = run(path, &["plan", "plan.yaml", "--inventory", "world.yaml"]);
    assert_eq!(code, 0, "{said}");
    assert!(!said.contains("ebs-copies"), "{said}");
}

/// The plan of the repository, locked while the backups of the 20th were the latest; then one of the 28th appears.
fn outdated() -> tempfile::TempDir {
    let folder = folder();
    let path = folder.path();
    write(path, "tables.yaml", &repository_file("plans/tables.yaml"));
    let world = repository_file("inventories/tables.yaml");
    write(path, "world.yaml", &world);
    let (code, _, said) = run(path, &["lock", "tables.yaml", "--inventory", "world.yaml"]);
    assert_eq!(code, 0, "{said}");
    let newer = world
        .replace("backup/01489173575361-", "backup/01489173575363-")
        .replace("created_at: 2026-11-19", "created_at: 2026-11-28");
    write(path, "newer.yaml", &newer);
    folder
}

#[test]
fn safety_a6_who_uses_a_lock_says_so_and_that_newer_points_exist() {
    let folder = outdated();
    let path = folder.path();
    let lock = std::fs::read_to_string(path.join("tables.lock.yaml")).unwrap();
    assert_eq!(lock.matches("    locked_at: ").count(), 4, "{lock}");
    assert!(!lock.contains("lock: "), "{lock}");
    for command in ["plan", "rehearse"] {
        let (code, out, said) = run(path, &[command, "tables.yaml", "--inventory", "newer.yaml"]);
        assert_eq!(code, 0, "{command}: {out}{said}");
        for words in [
            "warning[lock/newer]: tables[orders]: by tables.lock.yaml, locked 20",
            "a newer recovery point exists: arn:aws:dynamodb:us-east-1:123456789012:table/orders/backup/01489173575363-b308cd7d, made 2026-11-28T03:00:00Z",
            "redrill lock tables.yaml --update='tables[customers],tables[invoices],tables[orders]'",
        ] {
            assert!(said.contains(words), "{command}: no {words}: {said}");
        }
        assert!(!said.contains("the latest of"), "{command}: {said}");
        let all = out + &said;
        assert!(
            all.contains("by tables.lock.yaml, locked 20"),
            "{command}: {all}"
        );
        // Nothing newer is there of the file system.
        assert!(
            !all.contains("files: by tables.lock.yaml, locked 20") || command == "rehearse",
            "{all}"
        );
    }
    let (code, out, said) = run(
        path,
        &[
            "rehearse",
            "tables.yaml",
            "--inventory",
            "newer.yaml",
            "--no-lock",
        ],
    );
    assert_eq!(code, 0, "{out}{said}");
    assert!(said.contains("tables[orders]: the latest of"), "{said}");
    assert!(said.contains("01489173575363-b308cd7d"), "{said}");
    assert!(!said.contains("tables.lock.yaml"), "{said}");
    // Where nothing is newer nothing is warned of, and the lock is named all the same.
    let (code, out, said) = run(path, &["plan", "tables.yaml", "--inventory", "world.yaml"]);
    assert_eq!(code, 0, "{said}");
    assert!(out.contains("by tables.lock.yaml, locked 20"), "{out}");
    assert!(!said.contains("lock/newer"), "{said}");
}

/// A lock file of an earlier version does not say when it was made.
#[test]
fn safety_a6_a_lock_without_its_date_is_read() {
    let folder = outdated();
    let path = folder.path();
    let lock = std::fs::read_to_string(path.join("tables.lock.yaml")).unwrap();
    let old: String = lock
        .lines()
        .filter(|line| !line.contains("locked_at"))
        .map(|line| format!("{line}\n"))
        .collect();
    write(path, "tables.lock.yaml", &old);
    let (code, _, said) = run(path, &["plan", "tables.yaml", "--inventory", "newer.yaml"]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("by tables.lock.yaml, it is arn:aws:dynamodb"),
        "{said}"
    );
}

#[test]
fn safety_a6_a_locked_point_that_is_older_than_the_selector_allows_is_said() {
    let folder = folder();
    let path = folder.path();
    let plan = repository_file("plans/tables.yaml").replace(
        "created_after: 2026-11-01          # or max_age: 24h",
        "max_age: 2000d",
    );
    write(path, "tables.yaml", &plan);
    write(
        path,
        "world.yaml",
        &repository_file("inventories/tables.yaml"),
    );
    let (code, _, said) = run(path, &["lock", "tables.yaml", "--inventory", "world.yaml"]);
    assert_eq!(code, 0, "{said}");
    let old = |file: &str, from: &str, to: &str| {
        let text = std::fs::read_to_string(path.join(file)).unwrap();
        assert!(text.contains(from), "{file}: {text}");
        write(path, file, &text.replace(from, to));
    };
    old(
        "tables.lock.yaml",
        "created_at: 2026-11-20",
        "created_at: 2016-11-20",
    );
    let (code, _, said) = run(path, &["plan", "tables.yaml", "--inventory", "world.yaml"]);
    assert_eq!(code, 0, "{said}");
    assert!(
        said.contains("warning[lock/too-old]: tables[orders]: the locked recovery point was made ")
            && said.contains("the selector asks for `max_age: 2000d`"),
        "{said}"
    );
}
