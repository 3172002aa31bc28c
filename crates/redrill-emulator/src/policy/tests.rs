//! The table of `tests/policies.yaml`: each case from AWS's own rules.

use std::collections::{BTreeMap, BTreeSet};

use redrill_inventory::PolicyDocument;
use serde::Deserialize;
use serde_yaml::Value;

use super::*;

#[derive(Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Case {
    name: String,
    #[serde(default = "operator")]
    principal: String,
    /// Of a session.
    role: Option<String>,
    identity: Option<Vec<Value>>,
    boundary: Option<Vec<Value>>,
    session: Option<Vec<Value>>,
    #[serde(default)]
    scps: Vec<Vec<Value>>,
    #[serde(default)]
    resource_policy: Option<Vec<Value>>,
    #[serde(default = "account")]
    resource_account: String,
    #[serde(default)]
    must_allow: bool,
    /// True if the documents are of the version of 2012.
    #[serde(default = "yes")]
    variables: bool,
    #[serde(default = "action")]
    action: String,
    #[serde(default = "everything")]
    on: String,
    #[serde(default)]
    context: BTreeMap<String, Value>,
    expect: String,
    source: String,
}

fn operator() -> String {
    "arn:aws:iam::123456789012:user/operator".to_owned()
}

fn account() -> String {
    "123456789012".to_owned()
}

fn action() -> String {
    "backup:StartRestoreJob".to_owned()
}

fn everything() -> String {
    "*".to_owned()
}

fn yes() -> bool {
    true
}

fn text(statements: &[Value], variables: bool) -> String {
    let version = if variables {
        "2012-10-17"
    } else {
        "2008-10-17"
    };
    let document = serde_json::json!({ "Version": version, "Statement": statements });
    document.to_string()
}

fn judged(case: &Case) -> String {
    let of_principal = |statements: &Vec<Value>| {
        PolicyDocument::of_principal(&text(statements, case.variables))
            .unwrap_or_else(|error| panic!("{}: {error}", case.name))
    };
    let identity = case.identity.as_ref().map(of_principal);
    let boundary = case.boundary.as_ref().map(of_principal);
    let session = case.session.as_ref().map(of_principal);
    let scps: Vec<PolicyDocument> = case.scps.iter().map(of_principal).collect();
    let resource = case.resource_policy.as_ref().map(|statements| {
        PolicyDocument::of_resource(&text(statements, case.variables))
            .unwrap_or_else(|error| panic!("{}: {error}", case.name))
    });
    let principal = match &case.role {
        Some(role) => Principal::Session {
            role: role.clone(),
            session: case.principal.clone(),
        },
        None if case.principal.ends_with(".amazonaws.com") => {
            Principal::Service(case.principal.clone())
        }
        None => Principal::User(case.principal.clone()),
    };
    let mut context = Context::default()
        .with("aws:PrincipalArn", principal.entity())
        .with("aws:PrincipalAccount", account())
        .with("aws:RequestedRegion", "us-east-1");
    for (key, value) in &case.context {
        let one = |value: &Value| match value {
            Value::String(text) => text.clone(),
            other => serde_json::to_string(other).unwrap(),
        };
        let values = match value {
            Value::Sequence(all) => all.iter().map(one).collect(),
            other => vec![one(other)],
        };
        context.set(key, values);
    }
    let rules = Rules {
        principal: &principal,
        identity: match &identity {
            None => Identity::Unlimited,
            Some(policy) => Identity::Policies(vec![("p", policy)]),
        },
        boundary: boundary.as_ref(),
        session: session.as_ref(),
        scps: scps.iter().map(|policy| vec![("scp", policy)]).collect(),
        resource: ResourceSide {
            policy: resource.as_ref(),
            must_allow: case.must_allow,
            ..ResourceSide::plain(&case.resource_account)
        },
    };
    let asked = Inquiry {
        action: &case.action,
        resource: &case.on,
        context: &context,
    };
    match decide(&rules, &asked) {
        Ok(()) => "allowed".to_owned(),
        Err(denial) => {
            let action = &case.action;
            denial.because(action).replace(&format!("{action} "), "")
        }
    }
}

#[test]
fn every_case_of_the_table() {
    let cases: Vec<Case> = serde_yaml::from_str(include_str!("../../tests/policies.yaml")).unwrap();
    assert!(cases.len() >= 60, "{}", cases.len());
    let mut names = BTreeSet::new();
    let mut wrong = String::new();
    for case in &cases {
        assert!(names.insert(&case.name), "{} twice", case.name);
        assert!(case.source.starts_with("https://"), "{}", case.name);
        let judged = judged(case);
        if judged != case.expect {
            wrong.push_str(&format!("{}: {judged}, not {}\n", case.name, case.expect));
        }
    }
    assert!(wrong.is_empty(), "{wrong}");
}

#[test]
fn a_simulation_says_which_policy_decides() {
    let operator = Principal::User(operator());
    let start = PolicyDocument::of_principal(
        "{Version: 2012-10-17, Statement: {Effect: Allow, Action: 'backup:*', Resource: '*', Condition: {StringEquals: {aws:RequestedRegion: us-east-1}}}}",
    );
    let start = start.unwrap();
    let boundary = PolicyDocument::of_principal(
        "{Statement: {Effect: Allow, Action: 'backup:Describe*', Resource: '*'}}",
    );
    let boundary = boundary.unwrap();
    let rules = Rules {
        principal: &operator,
        identity: Identity::Policies(vec![("start", &start)]),
        boundary: None,
        session: None,
        scps: Vec::new(),
        resource: ResourceSide::plain("123456789012"),
    };
    let here = Context::default().with("AWS:RequestedRegion", "us-east-1");
    let nowhere = Context::default();
    let ask = |context| Inquiry {
        action: "backup:StartRestoreJob",
        resource: "*",
        context,
    };
    let allowed = simulate(&rules, &ask(&here));
    assert_eq!(allowed.matched, ["start"]);
    assert_eq!((allowed.denial, allowed.allowed_by_boundary), (None, None));
    let denied = simulate(&rules, &ask(&nowhere));
    assert_eq!(denied.missing, ["aws:RequestedRegion"]);
    assert_eq!(denied.denial.map(|denial| denial.explicit), Some(false));
    let rules = Rules {
        boundary: Some(&boundary),
        scps: vec![vec![("scp", &boundary)]],
        ..rules
    };
    let bounded = simulate(&rules, &ask(&here));
    assert_eq!(bounded.allowed_by_boundary, Some(false));
    assert_eq!(bounded.allowed_by_organizations, Some(false));
}
