//! `TYPE/lacks`: a cluster that comes back without an instance, and the check that makes one.

use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use crate::drill::run;
use crate::support::{folder, repository_file, write};

/// A plan of the repository without its checks.
fn unchecked(name: &str) -> String {
    let plan = repository_file(&format!("plans/{name}.yaml"));
    plan.split("    checks:\n").next().unwrap().to_owned()
}

#[test]
fn first_contact_d_a_cluster_without_an_instance_is_said_once() {
    for (name, of_type, command) in [
        ("aurora", "Aurora", "aws rds create-db-instance"),
        ("documentdb", "DocumentDB", "aws docdb create-db-instance"),
        ("neptune", "Neptune", "aws neptune create-db-instance"),
    ] {
        let folder = folder();
        let plan = unchecked(name);
        write(folder.path(), "plan.yaml", &plan);
        let says = format!(
            "{of_type} comes back without an instance, so nothing can connect to the cluster"
        );
        let rule = format!("note[{of_type}/lacks]");
        for command_line in ["validate", "rehearse"] {
            let (code, out, err) = run(folder.path(), &[command_line, "plan.yaml"]);
            assert_eq!(code, 0, "{out}{err}");
            let said = format!("{out}{err}");
            assert_eq!(said.matches(&says).count(), 1, "{said}");
            assert!(said.contains(&rule) && said.contains(command), "{said}");
        }
        // A check that makes one, by its name or by its command.
        for check in [
            "{ name: make an instance, run: [./any.sh] }",
            "{ name: a, run: [./cluster-instance.sh] }",
        ] {
            let checked = format!("{plan}    checks: [{check}]\n");
            write(folder.path(), "plan.yaml", &checked);
            for script in ["any.sh", "cluster-instance.sh"] {
                let script = write(folder.path(), script, "#!/bin/sh\n");
                std::fs::set_permissions(script, std::fs::Permissions::from_mode(0o755)).unwrap();
            }
            let (code, out, err) = run(folder.path(), &["validate", "plan.yaml"]);
            assert_eq!(code, 0, "{out}{err}");
            assert!(!out.contains("/lacks"), "{out}");
        }
    }
}

#[test]
fn first_contact_d_many_clusters_are_one_note_and_serverless_ones_none() {
    let folder = folder();
    let plan = unchecked("aurora");
    let restore = plan
        .split_once("restores:\n")
        .unwrap()
        .1
        .replace("orders", "more");
    write(folder.path(), "plan.yaml", &format!("{plan}{restore}"));
    let (_, out, _) = run(folder.path(), &["validate", "plan.yaml"]);
    assert_eq!(out.matches("/lacks]").count(), 1, "{out}");
    assert!(out.contains("the cluster (the same for all 2)"), "{out}");
    let serverless = plan.replace(
        "      Engine:",
        "      EngineMode: serverless\n      Engine:",
    );
    write(folder.path(), "plan.yaml", &serverless);
    let (_, out, _) = run(folder.path(), &["validate", "plan.yaml"]);
    assert!(!out.contains("/lacks]"), "{out}");
}

/// The script of docs/drills.md, with an `aws` that writes down what it is asked.
#[test]
fn first_contact_d_the_script_makes_an_instance_once_and_deletes_it() {
    let folder = folder();
    let aws = write(
        folder.path(),
        "aws",
        "#!/bin/sh\necho \"$@\" >> asked\nif [ \"$2\" = describe-db-instances ]; then test -e made || exit 254; fi\nif [ \"$2\" = create-db-instance ]; then touch made; fi\n",
    );
    std::fs::set_permissions(aws, std::fs::Permissions::from_mode(0o755)).unwrap();
    let script = Path::new(env!("CARGO_MANIFEST_DIR")).join("plans/checks/cluster-instance.sh");
    let asked = |words: &[&str]| {
        let path = std::env::var("PATH").unwrap();
        let output = std::process::Command::new(&script)
            .args(words)
            .current_dir(folder.path())
            .env("PATH", format!("{}:{path}", folder.path().display()))
            .output()
            .unwrap();
        assert!(output.status.success(), "{output:?}");
        let asked = std::fs::read_to_string(folder.path().join("asked")).unwrap();
        std::fs::remove_file(folder.path().join("asked")).unwrap();
        asked
    };
    let make = [
        "make",
        "rds",
        "arn:aws:rds:us-west-2:123456789012:cluster:orders-q4",
        "aurora-postgresql",
        "db.r6g.large",
    ];
    assert_eq!(
        asked(&make),
        "rds describe-db-instances --db-instance-identifier orders-q4-1\n\
         rds create-db-instance --db-instance-identifier orders-q4-1 --db-cluster-identifier orders-q4 --engine aurora-postgresql --db-instance-class db.r6g.large\n\
         rds wait db-instance-available --db-instance-identifier orders-q4-1\n"
    );
    assert!(!asked(&make).contains("create"));
    assert_eq!(
        asked(&["delete", "docdb", "orders-q4"]),
        "docdb delete-db-instance --db-instance-identifier orders-q4-1\ndocdb wait db-instance-deleted --db-instance-identifier orders-q4-1\n"
    );
    assert!(asked(&["delete", "rds", "orders-q4"]).contains("orders-q4-1 --skip-final-snapshot"));
}
