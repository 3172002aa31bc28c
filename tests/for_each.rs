//! One restore of each item: names, tokens, needs, and what is said of it.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt::Write as _;
use std::sync::{Arc, LazyLock};

use redrill::diagnostic::{Finding, Severity, Source};
use redrill::ids::{JobId, RestoreName, RunId, StepIndex};
use redrill::plan::{Plan, Planner};
use redrill::render::{Created, Inputs, Known};
use redrill::rules::Rules;
use redrill::session;

static RULES: LazyLock<Arc<Rules>> = LazyLock::new(|| Arc::new(Rules::embedded()));

const HEAD: &str = "plan: many\ntarget: { region: us-west-2, account: \"123456789012\", iam_role_arn: \"arn:aws:iam::123456789012:role/restore\" }\n";

fn read(text: &str, known: &Known) -> (Option<Planner>, Option<Plan>, Vec<Finding>) {
    let source = Source::new("plan.yaml", format!("{HEAD}{text}"));
    match session::read(&source, &RunId::new("main"), &Inputs::default(), &RULES) {
        Ok(loaded) => {
            let settled = loaded.draft(known);
            let findings = settled.findings.into_sorted();
            (Some(loaded.planner), settled.plan, findings)
        }
        Err(findings) => (None, None, findings.into_sorted()),
    }
}

fn plan(text: &str) -> Plan {
    let (_, plan, findings) = read(text, &Known::default());
    assert!(findings.is_empty(), "{findings:?}");
    plan.unwrap()
}

/// What is said, as `line:column rule restore: message`.
fn said(text: &str) -> Vec<String> {
    let (_, _, findings) = read(text, &Known::default());
    findings
        .iter()
        .map(|finding| {
            format!(
                "{}:{} {} {}: {}",
                finding.span.start.line - 2,
                finding.span.start.column,
                finding.rule,
                finding
                    .restore
                    .as_ref()
                    .map(RestoreName::as_str)
                    .unwrap_or_default(),
                finding.message
            )
        })
        .collect()
}

/// Tables of a list, in this order.
fn tables(names: &[String]) -> String {
    format!(
        "restores:\n  tables:\n    type: DynamoDB\n    for_each: [{}]\n    recovery_point: arn:aws:dynamodb:us-west-2:123456789012:table/{{{{ each.key }}}}/backup/01489173575360-b308cd7d\n    metadata:\n      targetTableName: \"{{{{ each.value }}}}-{{{{ run.id }}}}\"\n",
        names.join(", ")
    )
}

fn tokens(plan: &Plan) -> BTreeMap<String, String> {
    plan.steps
        .enumerated()
        .map(|(at, step)| {
            (
                step.name.to_string(),
                plan.token(at, 1).unwrap().to_string(),
            )
        })
        .collect()
}

#[test]
fn two_hundred_tables_are_two_hundred_requests_with_tokens_of_their_own() {
    let mut names: Vec<String> = (0..200).map(|at| format!("table-{at:03}")).collect();
    let before = plan(&tables(&names));
    assert_eq!(before.steps.len(), 200);
    let tokens_before = tokens(&before);
    let distinct: BTreeSet<&String> = tokens_before.values().collect();
    assert_eq!(distinct.len(), 200);
    assert_eq!(
        before.steps.as_slice()[7].name.as_str(),
        "tables[table-007]"
    );
    assert_eq!(
        before.steps.as_slice()[7].draft.request.metadata[&"targetTableName".to_owned()],
        "table-007-main"
    );

    // The order of the list changes no token.
    fastrand::Rng::with_seed(4).shuffle(&mut names);
    assert_eq!(tokens(&plan(&tables(&names))), tokens_before);

    // Another key changes its own.
    let renamed = names.iter().position(|name| name == "table-007").unwrap();
    names[renamed] = "other".to_owned();
    let mut after = tokens(&plan(&tables(&names)));
    let own = after.remove("tables[other]").unwrap();
    let mut rest = tokens_before.clone();
    assert_ne!(rest.remove("tables[table-007]").unwrap(), own);
    assert_eq!(after, rest);
}

const MAP: &str = "vars:\n  tables:\n    default: { a: { point: \"1\", name: first }, b: { point: \"2\", name: second } }\nrestores:\n  tables:\n    type: DynamoDB\n    for_each: \"{{ vars.tables }}\"\n    recovery_point: arn:aws:dynamodb:us-west-2:123456789012:table/t/backup/{{ each.value.point }}\n    metadata:\n      targetTableName: \"{{ each.key }}-{{ each.value.name }}\"\n";

#[test]
fn a_map_from_a_variable_gives_keys_and_values() {
    let plan = plan(MAP);
    let sent: Vec<(&str, &str, &str)> = plan
        .steps
        .iter()
        .map(|step| {
            let request = &step.draft.request;
            let target = request.metadata[&"targetTableName".to_owned()].as_str();
            (
                step.name.as_str(),
                request.recovery_point_arn.as_str(),
                target,
            )
        })
        .collect();
    let arn = "arn:aws:dynamodb:us-west-2:123456789012:table/t/backup/";
    assert_eq!(
        sent,
        [
            ("tables[a]", format!("{arn}1").as_str(), "a-first"),
            ("tables[b]", format!("{arn}2").as_str(), "b-second"),
        ]
    );
}

fn needing(needs: &str, template: &str) -> String {
    format!(
        "{MAP}  app:\n    type: DynamoDB\n    needs: {needs}\n    recovery_point: arn:aws:dynamodb:us-west-2:123456789012:table/t/backup/3\n    metadata:\n      targetTableName: \"{template}\"\n"
    )
}

#[test]
fn needs_means_all_of_it_or_one() {
    for (needs, waits) in [
        ("[tables]", &[0, 1][..]),
        ("tables", &[0, 1]),
        ("[\"tables[b]\"]", &[1]),
        ("[\"tables[b]\", \"tables[a]\"]", &[0, 1]),
    ] {
        let plan = plan(&needing(needs, "app"));
        let waits: Vec<StepIndex> = waits.iter().copied().map(StepIndex::new).collect();
        assert_eq!(*plan.steps.as_slice()[2].needs, *waits, "{needs}");
        assert!(plan.steps.positions().eq(plan.order));
    }
    let twice = said(&needing("[tables, \"tables[a]\"]", "app"));
    assert_eq!(twice.len(), 1, "{twice:?}");
    assert!(twice[0].contains("needs/twice"), "{twice:?}");
    for (needs, message) in [
        ("[\"tables[c]\"]", "`for_each` of `tables` has no `c`"),
        ("[\"table[a]\"]", "unknown restore `table[a]`"),
        ("[\"app[a]\"]", "a restore cannot wait for itself"),
    ] {
        let said = said(&needing(needs, "app"));
        assert!(said.len() == 1 && said[0].contains(message), "{said:?}");
        assert!(said[0].starts_with("13:13 needs/"), "{said:?}");
    }
}

#[test]
fn a_template_names_the_instance_whose_result_it_uses() {
    let text = needing("[tables]", "{{ restores.tables['b'].created.job_id }}");
    let waiting = plan(&text);
    let pending: Vec<&str> = waiting.steps.as_slice()[2]
        .draft
        .pending
        .iter()
        .map(redrill::render::Fact::as_str)
        .collect();
    assert_eq!(pending, ["restores.tables['b'].created.job_id"]);
    let created = Created {
        job_id: JobId::new("job-of-b"),
        resource_arn: "arn:aws:dynamodb:us-west-2:123456789012:table/b".to_owned(),
    };
    let known = Known {
        created: Arc::new(BTreeMap::from([(RestoreName::new("tables[b]"), created)])),
        ..Known::default()
    };
    let (_, plan, findings) = read(&text, &known);
    assert!(findings.is_empty(), "{findings:?}");
    let plan = plan.unwrap();
    let request = &plan.steps.as_slice()[2].draft.request;
    assert_eq!(request.metadata[&"targetTableName".to_owned()], "job-of-b");

    for (needs, template, message) in [
        (
            "[tables]",
            "{{ restores.tables['c'].created.job_id }}",
            "`restores.tables['c']` is not defined",
        ),
        (
            "[tables]",
            "{{ restores.tables.created.job_id }}",
            "`tables` has a `for_each`: there are 2 of it",
        ),
        (
            "[\"tables[a]\"]",
            "{{ restores.tables['b'].created.job_id }}",
            "`restores.tables['b']` is not needed",
        ),
        (
            "[]",
            "{{ restores.tables['b'].created.job_id }}",
            "`restores.tables` is not needed",
        ),
        ("[]", "{{ each.key }}", "`each` is not defined"),
    ] {
        let said = said(&needing(needs, template));
        assert!(said.len() == 1 && said[0].contains(message), "{said:?}");
    }
    // All of them, whatever they are called.
    let all = "{{ restores.tables | items | map(attribute='1.created.job_id') | join('.') }}";
    let (_, plan, findings) = read(&needing("[tables]", all), &Known::default());
    assert!(findings.is_empty(), "{findings:?}");
    assert_eq!(plan.unwrap().steps.as_slice()[2].draft.pending.len(), 2);
}

#[test]
fn only_means_all_of_it_or_one() {
    let (planner, ..) = read(&needing("[tables]", "app"), &Known::default());
    let planner = planner.unwrap();
    let chosen = |only: &[&str]| {
        let only: Vec<String> = only.iter().map(|name| (*name).to_owned()).collect();
        session::chosen(&planner, &only)
    };
    assert_eq!(chosen(&[]).unwrap(), Vec::<String>::new());
    assert_eq!(chosen(&["tables"]).unwrap(), ["tables[a]", "tables[b]"]);
    assert_eq!(chosen(&["app", "tables[b]"]).unwrap(), ["app", "tables[b]"]);
    let (name, help) = chosen(&["tables[x]"]).unwrap_err();
    assert_eq!(
        (name.as_str(), help.as_str()),
        ("tables[x]", "did you mean `tables[a]`?")
    );
    chosen(&["app[a]"]).unwrap_err();
    chosen(&["nothing"]).unwrap_err();
}

#[test]
fn what_is_the_same_for_all_is_said_once() {
    let text = tables(&["a".to_owned(), "b".to_owned(), "c".to_owned()])
        .replace("targetTableName:", "targetTableNam:");
    assert_eq!(
        said(&text),
        [
            "6:5 DynamoDB/targetTableName tables: `targetTableName` is missing (the same for all 3)",
            "7:7 DynamoDB/unknown-key tables: `targetTableNam` is not a metadata key of DynamoDB; AWS's page does not list it (the same for all 3)",
        ]
    );
    // One of three, and two of three.
    let text = tables(&["good".to_owned(), "x!".to_owned(), "y!".to_owned()]);
    let said = said(&text);
    assert_eq!(said.len(), 2, "{said:?}");
    assert!(said[0].contains("tables[x!]: "), "{said:?}");
    assert!(said[1].contains("tables[y!]: "), "{said:?}");
}

#[test]
fn a_plan_of_many_instances_shares_what_they_have_in_common() {
    let mut text = String::from("restores:\n  all:\n    type: DynamoDB\n    for_each:\n");
    for at in 0..5_000 {
        let _ = writeln!(text, "      - t{at}");
    }
    text.push_str("    recovery_point: arn:aws:dynamodb:us-west-2:123456789012:table/t/backup/1\n    metadata: { targetTableName: \"{{ each.key }}-main\" }\n");
    let behind = text
        .replace("restores:\n  all:", "  behind:\n    needs: [all]")
        .replace("-main", "-behind");
    let plan = plan(&format!("{text}{behind}"));
    assert_eq!(plan.steps.len(), 10_000);
    assert_eq!(plan.steps.as_slice()[9_999].needs.len(), 5_000);
    // 25 million needs would be 200 MB: they are one list.
    assert!(Arc::ptr_eq(
        &plan.steps.as_slice()[5_000].needs,
        &plan.steps.as_slice()[9_999].needs
    ));
}

/// What is wrong with the items is said at the item.
#[test]
fn items_that_make_no_name_are_refused() {
    let of = |items: &str| {
        format!(
            "vars: {{ list: {{ default: [a, a, 1] }}, map: {{ default: {{ k: [] }} }}, text: words, none: {{ default: [] }}, s: {{ secret: true, default: [hush] }} }}\nrestores:\n  t:\n    type: DynamoDB\n    for_each: {items}\n    recovery_point: arn:aws:dynamodb:us-west-2:123456789012:table/t/backup/1\n    metadata: {{ targetTableName: \"ttt-{{{{ each.key | length }}}}{{{{ each.key | slug }}}}\" }}\n"
        )
    };
    for (items, expected) in [
        (
            "[a, b, a]",
            &["5:22 for_each/duplicate t: `a` is there a second time; the first is in line 7"][..],
        ),
        (
            "[a, 1, true, {k: v}]",
            &[
                "5:19 for_each/key t: the items of this list name the restores that are made of them, and this is a number",
                "5:22 for_each/key t: the items of this list name the restores that are made of them, and this is a boolean",
                "5:28 for_each/key t: the items of this list name the restores that are made of them, and this is a map",
            ],
        ),
        (
            "{1: a, \"2\": b}",
            &["5:16 for_each/key t: the keys of this map are names, and this is a number"],
        ),
        (
            "{a: 1, a: 2}",
            &["5:22 yaml/duplicate-key : `a` is used a second time; the first is in line 7"],
        ),
        (
            "[\"\"]",
            &["5:16 for_each/key t: `` is not a valid name for a restore"],
        ),
        (
            "[\"a[b]\"]",
            &["5:16 for_each/key t: `a[b]` is not a valid name for a restore"],
        ),
        (
            "some text",
            &["5:15 for_each/type t: `for_each` is a string, not a list or a map"],
        ),
        (
            "3",
            &["5:15 for_each/type t: `for_each` is a number, not a list or a map"],
        ),
        (
            "\"{{ vars.text }}\"",
            &["5:15 for_each/type t: `for_each` comes out as a string, not a list or a map"],
        ),
        (
            "\"{{ vars.none }}\"",
            &["5:15 for_each/empty t: there is nothing in `for_each`, so nothing is restored"],
        ),
        (
            "[]",
            &["5:15 for_each/empty t: there is nothing in `for_each`, so nothing is restored"],
        ),
        (
            "\"{{ vars.list }}\"",
            &[
                "5:15 for_each/duplicate t: `a` is there a second time",
                "5:15 for_each/key t: the items of a list name the restores that are made of them, and item 3 is a number",
            ],
        ),
        (
            "\"{{ vars.lists }}\"",
            &["5:19 template/undefined t: `vars.lists` is not defined"],
        ),
        (
            "\"{{ restores.x.created }}\"",
            &[
                "5:19 for_each/later t: what is restored has to be known before anything starts: `restores` is not defined",
            ],
        ),
        (
            "\"{{ source.metadata }}\"",
            &[
                "5:19 for_each/later t: what is restored has to be known before anything starts: `source` is not defined",
            ],
        ),
    ] {
        let said: Vec<String> = said(&of(items))
            .into_iter()
            .filter(|line| !line.contains("vars/secret-default") && !line.contains("vars/unused"))
            .collect();
        assert_eq!(said, expected, "{items}");
    }
    let secret = said(&of("\"{{ vars.s }}\""));
    assert!(
        secret
            .iter()
            .any(|line| line.starts_with("5:15 for_each/secret t: ")),
        "{secret:?}"
    );
    assert!(
        secret.iter().all(|line| !line.contains("hush")),
        "{secret:?}"
    );
}

/// A list that is not given yet leaves the restore checked as far as it can be.
#[test]
fn a_list_without_a_value_is_tried_with_a_placeholder() {
    let text = format!(
        "{HEAD}vars: {{ tables: {{ description: names }} }}\nrestores:\n  t:\n    type: DynamoDB\n    for_each: \"{{{{ vars.tables }}}}\"\n    recovery_point: arn:aws:dynamodb:us-west-2:123456789012:table/{{{{ each.key }}}}/backup/1\n    metadata: {{ targetTableNam: \"{{{{ each.value.name }}}}\" }}\n  u:\n    type: DynamoDB\n    needs: [\"t[a]\"]\n    recovery_point: arn:aws:dynamodb:us-west-2:123456789012:table/t/backup/1\n    metadata: {{ targetTableName: \"{{{{ restores.t['a'].created.job_id }}}}\" }}\n"
    );
    let source = Source::new("plan.yaml", text);
    let inputs = Inputs::default().for_checking();
    let loaded = session::read(&source, &RunId::new("main"), &inputs, &RULES).unwrap();
    let findings = loaded.draft(&Known::default()).findings;
    let errors: Vec<&str> = findings
        .iter()
        .filter(|finding| finding.severity == Severity::Error)
        .map(|finding| finding.rule.as_str())
        .collect();
    assert_eq!(errors, ["DynamoDB/targetTableName"], "{findings:?}");
}

/// One line for what is wrong with every one of them.
#[test]
fn issue_14_what_is_found_of_every_instance_is_told_once() {
    let names: Vec<String> = (0..2000).map(|at| format!("t{at}")).collect();
    let text = tables(&names).replace("{{ each.value }}-{{ run.id }}", "no: {{ each.value }}");
    let said = said(&text);
    assert_eq!(said.len(), 1, "{said:?}");
    assert!(
        said[0].contains("; the same of 1999 other instances"),
        "{said:?}"
    );
    // Of a few each is named.
    let text = tables(&names[..3]).replace("{{ each.value }}-{{ run.id }}", "no: {{ each.value }}");
    assert_eq!(self::said(&text).len(), 3);
}
