//! Vaults that another account shares: read with the owner's account, and without it not at all.

use redrill_emulator::{Inventory, Options};

use crate::support::{at_once, emulator, folder, ran, requests, write};

const OWNER: &str = "123456789012";
const CALLER: &str = "210987654321";
const SYSTEM: &str =
    "arn:aws:elasticfilesystem:us-east-1:123456789012:file-system/fs-0123456789abcdef0";
const POINT: &str =
    "arn:aws:backup:us-east-1:123456789012:recovery-point:1EB3B5E7-9EB0-435A-A80B-108B488B0D45";

/// The recovery account, and the owner's vault that is shared with it; a second one is not.
fn world() -> String {
    let point = |arn: &str| {
        format!(
            "      - {{ arn: '{arn}', resource_arn: '{SYSTEM}', resource_type: EFS, created_at: 2026-11-20T03:00:00Z, size_bytes: 1024, restore_metadata: {{ file-system-id: fs-0123456789abcdef0, Encrypted: 'true' }} }}\n"
        )
    };
    format!(
        "account: \"{CALLER}\"\nregion: us-east-1\nvaults:\n  own: {{}}\n---\naccount: \"{OWNER}\"\nregion: us-east-1\nvaults:\n  shared-lag:\n    type: LOGICALLY_AIR_GAPPED_BACKUP_VAULT\n    shared_with: [\"{CALLER}\"]\n    recovery_points:\n{}  private:\n    recovery_points:\n{}",
        point(POINT),
        point(&POINT.replace("1EB3", "2EB3")),
    )
}

fn plan(point: &str) -> String {
    format!(
        "plan: shared
target: {{ region: us-east-1, account: \"{CALLER}\", iam_role_arn: \"arn:aws:iam::{CALLER}:role/restore\" }}
restores:
  files:
    type: EFS
    recovery_point: {point}
    metadata:
      file-system-id: \"{{{{ source.metadata['file-system-id'] }}}}\"
      newFileSystem: true
      Encrypted: true
      PerformanceMode: generalPurpose
      CreationToken: \"{{{{ restore }}}}-{{{{ run.id }}}}\"
"
    )
}

fn by(vault: &str, account: &str) -> String {
    format!("{{ vault: {vault}, {account}resource: \"{SYSTEM}\" }}")
}

#[tokio::test(flavor = "multi_thread")]
async fn field_g_a_shared_vault_is_read_with_its_owners_account() {
    let folder = folder();
    let path = folder.path();
    let log = path.join("requests.jsonl");
    let emulator = emulator(Options {
        inventory: Some(Inventory::parse(&world()).unwrap()),
        account: Some(CALLER.to_owned()),
        log: Some(log.clone()),
        ..at_once()
    })
    .await;
    write(path, "world.yaml", &world());
    let account = format!("vault_account: \"{OWNER}\", ");
    for (point, run_id) in [
        (by("shared-lag", &account), "selector"),
        (
            format!("{{ arn: \"{POINT}\", vault: shared-lag, vault_account: \"{OWNER}\" }}"),
            "placed",
        ),
    ] {
        write(path, "plan.yaml", &plan(&point));
        for command in [
            &["plan", "plan.yaml"][..],
            &["plan", "plan.yaml", "--inventory", "world.yaml"],
            &["run", "plan.yaml", "--yes", "--run-id", run_id],
        ] {
            let (code, out, said) = ran(path, &emulator, command).await;
            assert_eq!(code, 0, "{command:?}: {out}{said}");
            assert!(!said.contains("arn/other-account"), "{said}");
        }
    }
    assert_eq!(emulator.jobs().len(), 2);
    // The calls of a shared vault say whose it is.
    let asked: Vec<String> = requests(&log)
        .iter()
        .filter(|line| {
            [
                "DescribeRecoveryPoint",
                "GetRecoveryPointRestoreMetadata",
                "ListRecoveryPointsByBackupVault",
            ]
            .contains(&line["operation"].as_str().unwrap_or_default())
        })
        .map(|line| line.to_string())
        .collect();
    assert!(asked.len() > 4, "{asked:?}");
    for line in &asked {
        assert!(!line.contains("\"status\":4"), "{line}");
    }
    emulator.shutdown().await;
}

#[tokio::test(flavor = "multi_thread")]
async fn field_g_without_the_owners_account_aws_refuses_and_the_finding_says_what_to_write() {
    let folder = folder();
    let path = folder.path();
    let emulator = emulator(Options {
        inventory: Some(Inventory::parse(&world()).unwrap()),
        account: Some(CALLER.to_owned()),
        ..at_once()
    })
    .await;
    write(path, "world.yaml", &world());
    let other = format!("vault_account: \"{OWNER}\", ");
    for (point, words) in [
        (
            by("shared-lag", ""),
            "a vault that another account shares is named with `vault_account`",
        ),
        // It is there, and shared with nobody.
        (
            by("private", &other),
            "whether the vault is shared with this account",
        ),
        (
            by("nowhere", &other),
            "whether the vault is shared with this account",
        ),
    ] {
        write(path, "plan.yaml", &plan(&point));
        for command in [
            &["plan", "plan.yaml"][..],
            &["plan", "plan.yaml", "--inventory", "world.yaml"],
        ] {
            let (code, out, said) = ran(path, &emulator, command).await;
            assert_eq!(code, 4, "{point}: {out}{said}");
            assert!(
                said.contains("selector/refused") && said.contains(words),
                "{said}"
            );
        }
    }
    // A literal of another account can be restored from a shared vault alone, which is said.
    write(
        path,
        "plan.yaml",
        &plan(POINT).replace(
            "{{ source.metadata['file-system-id'] }}",
            "fs-0123456789abcdef0",
        ),
    );
    let (code, out, said) = ran(path, &emulator, &["plan", "plan.yaml"]).await;
    assert_eq!(code, 0, "{out}{said}");
    assert!(
        said.contains("note[arn/other-account]") && said.contains("plan.yaml:6:21"),
        "{said}"
    );
    for (point, rule) in [
        (
            format!("{{ vault_account: \"{OWNER}\", resource: \"{SYSTEM}\" }}"),
            "selector/vault-account",
        ),
        (
            format!("{{ vault: v, vault_account: mine, resource: \"{SYSTEM}\" }}"),
            "selector/vault-account",
        ),
        (
            format!("{{ arn: \"{POINT}\", vault: v, vault_account: mine }}"),
            "selector/vault-account",
        ),
        (format!("{{ arn: \"{POINT}\" }}"), "plan/missing-key"),
        (
            format!("{{ arn: \"{POINT}\", vault: v, pick: latest }}"),
            "plan/unknown-key",
        ),
    ] {
        write(path, "plan.yaml", &plan(&point));
        let (code, out, _) = crate::drill::run(path, &["validate", "plan.yaml"]);
        assert_eq!(code, 4, "{point}: {out}");
        assert!(out.contains(&format!("error[{rule}]")), "{point}: {out}");
    }
    emulator.shutdown().await;
}

/// A lock remembers whose the vault is; what it names is looked for there.
#[tokio::test(flavor = "multi_thread")]
async fn field_g_a_lock_and_a_rehearsal_know_whose_the_vault_is() {
    let folder = folder();
    let path = folder.path();
    write(path, "world.yaml", &world());
    let account = format!("vault_account: \"{OWNER}\", ");
    write(path, "plan.yaml", &plan(&by("shared-lag", &account)));
    let with = |command: &[&str]| {
        let all: Vec<&str> = command
            .iter()
            .copied()
            .chain(["--inventory", "world.yaml"])
            .collect();
        crate::drill::run(path, &all)
    };
    let (code, out, said) = with(&["lock", "plan.yaml"]);
    assert_eq!(code, 0, "{out}{said}");
    let lock = std::fs::read_to_string(path.join("plan.lock.yaml")).unwrap();
    assert!(
        lock.contains(&format!("vault_account: '{OWNER}'")),
        "{lock}"
    );
    for command in [&["plan", "plan.yaml"][..], &["rehearse", "plan.yaml"]] {
        let (code, out, said) = with(command);
        assert_eq!(code, 0, "{out}{said}");
        assert!(!said.contains("lock/gone"), "{said}");
    }
    write(
        path,
        "world.yaml",
        &world()
            .replace("shared_with", "tags_of")
            .replace(&format!("tags_of: [\"{CALLER}\"]"), "locked: true"),
    );
    let (code, out, said) = with(&["plan", "plan.yaml"]);
    assert_eq!(code, 4, "{out}{said}");
    assert!(said.contains("lock/gone"), "{said}");
}

/// An inventory of the recovery account has the shared vault as its owner's, and `init` writes where it lies.
#[tokio::test(flavor = "multi_thread")]
async fn field_g_inventory_records_a_shared_vault_and_init_writes_a_plan_from_it() {
    let folder = folder();
    let path = folder.path();
    let emulator = emulator(Options {
        inventory: Some(Inventory::parse(&world()).unwrap()),
        account: Some(CALLER.to_owned()),
        ..at_once()
    })
    .await;
    let shared = format!("{OWNER}/shared-lag");
    let record = [
        "inventory",
        "--region",
        "us-east-1",
        "--shared-vault",
        &shared,
        "-o",
        "account.yaml",
    ];
    let (code, _, said) = ran(path, &emulator, &record).await;
    assert_eq!(code, 0, "{said}");
    let recorded =
        Inventory::parse(&std::fs::read_to_string(path.join("account.yaml")).unwrap()).unwrap();
    assert_eq!(recorded.accounts.len(), 2);
    let vault = &recorded.accounts[1].vaults["shared-lag"];
    assert_eq!(
        (
            recorded.accounts[1].account.as_str(),
            vault.recovery_points.len()
        ),
        (OWNER, 1)
    );
    assert_eq!(vault.shared_with, [CALLER]);
    assert!(!vault.recovery_points[0].restore_metadata.is_empty());
    let (code, out, said) = crate::drill::run(
        path,
        &[
            "init",
            "--inventory",
            "account.yaml",
            "--shared-vault",
            &shared,
            "-o",
            "plan.yaml",
        ],
    );
    assert_eq!(code, 0, "{out}{said}");
    let written = std::fs::read_to_string(path.join("plan.yaml")).unwrap();
    assert!(
        written.contains("      vault: shared-lag\n")
            && written.contains(&format!("vault_account: '{OWNER}'")),
        "{written}"
    );
    assert!(
        written.contains(&format!("account: '{CALLER}'")),
        "{written}"
    );
    let (code, out, said) = crate::drill::run(
        path,
        &["rehearse", "plan.yaml", "--inventory", "account.yaml"],
    );
    assert_eq!(code, 0, "{out}{said}");
    for wrong in ["shared-lag", "12345/x", "123456789012/"] {
        let (code, _, said) = crate::drill::run(path, &["inventory", "--shared-vault", wrong]);
        assert_eq!(code, 64, "{said}");
    }
    emulator.shutdown().await;
}
