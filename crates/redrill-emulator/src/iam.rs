//! AWS IAM, as far as who checks permissions asks it: GetRole, ListAttachedRolePolicies, SimulatePrincipalPolicy.
//! <https://docs.aws.amazon.com/IAM/latest/APIReference/API_SimulatePrincipalPolicy.html>

use percent_encoding::{NON_ALPHANUMERIC, utf8_percent_encode};
use redrill_inventory::{Arn, PolicyDocument};

use super::answer::Answer;
use super::caller::Caller;
use super::form::Form;
use super::handle::Backend;
use super::operation::{Api, Operation};
use super::permissions::{Ask, authorize};
use super::policy::{
    Context, Identity, Inquiry, Principal, ResourceSide, Rules, Simulated, simulate,
};
use super::protocol;
use super::xml;

/// A refusal: status, code, words.
struct Refusal(u16, &'static str, String);

fn no_role(name: &str) -> Refusal {
    let words = format!("The role with name {name} cannot be found.");
    Refusal(404, "NoSuchEntity", words)
}

fn invalid(words: impl Into<String>) -> Refusal {
    Refusal(400, "InvalidInput", words.into())
}

/// Default size of a page: a simulation can have more results.
const PAGE: usize = 100;

/// Answers one call.
pub(super) fn answer(
    backend: &Backend,
    caller: &Caller,
    operation: Operation,
    form: &Form,
    request_id: &str,
) -> Answer {
    let answered = match operation {
        Operation::GetRole => get_role(backend, caller, form),
        Operation::ListAttachedRolePolicies => attached(backend, caller, form),
        _ => simulated(backend, caller, form),
    };
    match answered {
        Ok(inner) => xml::result(Api::Iam, operation.name(), &inner, request_id),
        Err(Refusal(403, _, words)) => protocol::denied(Api::Iam, &words, request_id),
        Err(Refusal(status, code, words)) => {
            protocol::error(Api::Iam, status, code, &words, request_id)
        }
    }
}

fn allowed(
    backend: &Backend,
    caller: &Caller,
    operation: Operation,
    resource: &str,
) -> Result<(), Refusal> {
    let action = format!("iam:{operation}");
    let ask = Ask {
        action: &action,
        resource,
        side: None,
        // IAM is global, and its endpoint is in us-east-1.
        region: "us-east-1",
        keys: &[],
        now: backend.clock.now(),
    };
    authorize(&backend.catalog, caller, &ask)
        .map_err(|refused| Refusal(403, "AccessDenied", refused.message().to_owned()))
}

fn required<'f>(form: &'f Form, name: &str) -> Result<&'f str, Refusal> {
    form.text(name).ok_or_else(|| {
        let member = format!("{}{}", name[..1].to_lowercase(), &name[1..]);
        Refusal(
            400,
            "ValidationError",
            format!("1 validation error detected: Value null at '{member}' failed to satisfy constraint: Member must not be null"),
        )
    })
}

fn get_role(backend: &Backend, caller: &Caller, form: &Form) -> Result<String, Refusal> {
    let name = required(form, "RoleName")?;
    let account = &caller.account;
    let found = backend.catalog.directory().role(account, name);
    let arn = match &found {
        Some(found) => found.arn.clone(),
        None => format!("arn:aws:iam::{account}:role/{name}"),
    };
    allowed(backend, caller, Operation::GetRole, &arn)?;
    let found = found.ok_or_else(|| no_role(name))?;
    let side = backend.catalog.directory().trust(&found, account, true);
    let trust = side.policy.map(|policy| {
        let text = serde_json::to_string(policy).unwrap_or_default();
        utf8_percent_encode(&text, NON_ALPHANUMERIC).to_string()
    });
    let boundary = found
        .declared
        .and_then(|role| role.permissions_boundary.as_ref());
    let created = backend.started.strftime("%Y-%m-%dT%H:%M:%SZ").to_string();
    let mut out = String::from("    <Role>\n");
    for (name, text) in [
        ("Path", found.path),
        ("RoleName", name),
        ("RoleId", "AROAEMULATEDROLEEXMPL"),
        ("Arn", &arn),
        ("CreateDate", &created),
        (
            "AssumeRolePolicyDocument",
            trust.as_deref().unwrap_or_default(),
        ),
        ("MaxSessionDuration", "3600"),
    ] {
        out.push_str("      ");
        xml::element(&mut out, name, text);
    }
    if boundary.is_some() {
        out.push_str("      <PermissionsBoundary>\n        <PermissionsBoundaryType>Policy</PermissionsBoundaryType>\n        ");
        let arn = format!("arn:aws:iam::{account}:policy/{name}-boundary");
        xml::element(&mut out, "PermissionsBoundaryArn", &arn);
        out.push_str("      </PermissionsBoundary>\n");
    }
    out.push_str("    </Role>\n");
    Ok(out)
}

/// The managed policies: those whose name in the inventory is an ARN.
fn attached(backend: &Backend, caller: &Caller, form: &Form) -> Result<String, Refusal> {
    let name = required(form, "RoleName")?;
    let found = backend.catalog.directory().role(&caller.account, name);
    let arn = format!("arn:aws:iam::{}:role/{name}", caller.account);
    let arn = found.as_ref().map_or(arn.as_str(), |found| &found.arn);
    allowed(backend, caller, Operation::ListAttachedRolePolicies, arn)?;
    let policies = match &found {
        None => return Err(no_role(name)),
        Some(found) => found.declared.and_then(|role| role.policies.as_ref()),
    };
    let names = policies.into_iter().flat_map(|all| all.keys());
    let names: Vec<&String> = names.filter(|name| name.starts_with("arn:")).collect();
    page(form, names.len(), "AttachedPolicies", |out, index| {
        let arn = names[index];
        let short = arn.rsplit('/').next().unwrap_or(arn);
        xml::element(out, "PolicyName", short);
        xml::element(out, "PolicyArn", arn);
    })
}

/// One page of a list.
fn page(
    form: &Form,
    count: usize,
    list: &str,
    mut member: impl FnMut(&mut String, usize),
) -> Result<String, Refusal> {
    let max = match form.text("MaxItems") {
        None => PAGE,
        Some(text) => match text.parse() {
            Ok(number @ 1..=1000) => number,
            _ => return Err(invalid(format!("MaxItems cannot be {text}."))),
        },
    };
    let from: usize = match form.text("Marker") {
        None => 0,
        Some(text) => text
            .parse()
            .ok()
            .filter(|from| *from <= count)
            .ok_or_else(|| invalid(format!("Invalid Marker: {text}")))?,
    };
    let end = from.saturating_add(max).min(count);
    let mut out = format!("<{list}>\n");
    for index in from..end {
        out.push_str("<member>\n");
        member(&mut out, index);
        out.push_str("</member>\n");
    }
    out.push_str(&format!("</{list}>\n"));
    xml::element(&mut out, "IsTruncated", &(end < count).to_string());
    if end < count {
        xml::element(&mut out, "Marker", &end.to_string());
    }
    Ok(out)
}

/// The user or role that a simulation is of. The ARN of a session is refused in the words of
/// <https://github.com/aws-containers/amazon-ecs-exec-checker/pull/10>.
fn source(arn: &str) -> Result<Principal, Refusal> {
    let unclear = || {
        invalid(format!(
            "Invalid Entity Arn: {arn} does not clearly define entity type and name."
        ))
    };
    let parsed = Arn::parse(arn)
        .filter(|arn| arn.service == "iam")
        .ok_or_else(unclear)?;
    match parsed.resource.split_once('/') {
        Some(("user", _)) => Ok(Principal::User(arn.to_owned())),
        Some(("role", path)) => {
            let name = path.rsplit('/').next().unwrap_or(path);
            Ok(Principal::Session {
                role: arn.to_owned(),
                session: format!(
                    "arn:aws:sts::{}:assumed-role/{name}/simulated",
                    parsed.account
                ),
            })
        }
        _ => Err(unclear()),
    }
}

fn documents(form: &Form, name: &str) -> Result<Vec<PolicyDocument>, Refusal> {
    let texts = form.list(name).into_iter();
    texts
        .map(|text| {
            PolicyDocument::of_principal(text)
                .map_err(|error| invalid(format!("The policy is malformed: {error}")))
        })
        .collect()
}

/// Reads the request's condition keys, the only ones that the simulation knows.
fn entries(form: &Form) -> Context {
    let mut context = Context::default();
    for n in 1..=form.structures("ContextEntries", "ContextKeyName") {
        let entry = format!("ContextEntries.member.{n}");
        let key = form.text(&format!("{entry}.ContextKeyName"));
        let values = form.list(&format!("{entry}.ContextKeyValues"));
        let values = values.into_iter().map(str::to_owned).collect();
        context.set(key.unwrap_or_default(), values);
    }
    context
}

/// «The simulator now returns a single EvaluationResult per action, regardless of how many resource ARNs are provided», and
/// the most restrictive decision (<https://docs.aws.amazon.com/IAM/latest/APIReference/API_EvaluationResult.html>). It
/// evaluates service control policies with their conditions since July 2026 (<https://github.com/aws/aws-cli/issues/10525>), and
/// takes no notice of trust policies (<https://github.com/aws/aws-cli/issues/10314>).
fn simulated(backend: &Backend, caller: &Caller, form: &Form) -> Result<String, Refusal> {
    let arn = required(form, "PolicySourceArn")?;
    let principal = source(arn)?;
    allowed(backend, caller, Operation::SimulatePrincipalPolicy, arn)?;
    let directory = backend.catalog.directory();
    let account = Arn::parse(arn).map_or("", |arn| arn.account);
    if account != caller.account || !directory.has(&principal) {
        let (kind, name) = match &principal {
            Principal::User(_) => ("user", arn.rsplit('/').next().unwrap_or(arn)),
            _ => ("role", arn.rsplit('/').next().unwrap_or(arn)),
        };
        let words = format!("The {kind} with name {name} cannot be found.");
        return Err(Refusal(404, "NoSuchEntity", words));
    }
    for name in ["ResourcePolicy", "CallerArn"] {
        if form.text(name).is_some() {
            return Err(invalid(format!("The emulator does not simulate {name}.")));
        }
    }
    let actions = form.list("ActionNames");
    if actions.is_empty() {
        required(form, "ActionNames")?;
    }
    if let Some(action) = actions.iter().find(|action| !action.contains(':')) {
        return Err(invalid(format!("Invalid Action Name: {action}")));
    }
    let resources = match form.list("ResourceArns") {
        none if none.is_empty() => vec!["*"],
        some => some,
    };
    let is_arn = |text: &&&str| **text == "*" || text.starts_with("arn:");
    if let Some(other) = resources.iter().find(|text| !is_arn(text)) {
        // Captured in https://github.com/aws-containers/amazon-ecs-exec-checker/issues/35.
        let words = format!("ResourceNames are not in a valid ARN format: {other}.");
        return Err(invalid(words));
    }
    let more = documents(form, "PolicyInputList")?;
    let boundary = documents(form, "PermissionsBoundaryPolicyInputList")?;
    let context = entries(form);
    let rules_for = |resource: &str| {
        let owner = Arn::parse(resource).map(|arn| arn.account);
        let owner = owner.filter(|owner| !owner.is_empty()).unwrap_or(account);
        // Of resources of others their own policies are not asked.
        let side = ResourceSide {
            shared: true,
            ..ResourceSide::plain(if owner == account { account } else { "" })
        };
        let mut rules: Rules<'_> = directory.rules(&principal, None, side);
        if let Identity::Policies(own) = &mut rules.identity {
            own.extend(more.iter().map(|policy| ("PolicyInputList", policy)));
        }
        if let Some(given) = boundary.first() {
            rules.boundary = Some(given);
        }
        rules
    };
    let results: Vec<(&str, Vec<(&str, Simulated)>)> = actions
        .iter()
        .map(|action| {
            let each = resources.iter().map(|resource| {
                let asked = Inquiry {
                    action,
                    resource,
                    context: &context,
                };
                (*resource, simulate(&rules_for(resource), &asked))
            });
            (*action, each.collect())
        })
        .collect();
    let kind = match &principal {
        Principal::User(_) => "user",
        _ => "role",
    };
    let prefix = format!("{kind}_{}", arn.rsplit('/').next().unwrap_or(arn));
    page(form, results.len(), "EvaluationResults", |out, index| {
        let (action, each) = &results[index];
        evaluation(out, action, each, &prefix);
    })
}

fn decision(simulated: &Simulated) -> &'static str {
    match &simulated.denial {
        None => "allowed",
        Some(denial) if denial.explicit => "explicitDeny",
        Some(_) => "implicitDeny",
    }
}

/// The result of one action: the most restrictive of its resources, and each of them.
fn evaluation(out: &mut String, action: &str, each: &[(&str, Simulated)], prefix: &str) {
    let strictness = |(_, one): &&(&str, Simulated)| match decision(one) {
        "explicitDeny" => 2,
        "implicitDeny" => 1,
        _ => 0,
    };
    // Of equals the first.
    let Some((resource, strictest)) = each.iter().rev().max_by_key(strictness) else {
        return;
    };
    xml::element(out, "EvalActionName", action);
    xml::element(out, "EvalResourceName", resource);
    xml::element(out, "EvalDecision", decision(strictest));
    details(out, strictest, prefix);
    if let Some(allowed) = strictest.allowed_by_organizations {
        out.push_str("<OrganizationsDecisionDetail>\n");
        xml::element(out, "AllowedByOrganizations", &allowed.to_string());
        out.push_str("</OrganizationsDecisionDetail>\n");
    }
    if each.iter().any(|(resource, _)| *resource != "*") {
        out.push_str("<ResourceSpecificResults>\n");
        for (resource, one) in each {
            out.push_str("<member>\n");
            xml::element(out, "EvalResourceName", resource);
            xml::element(out, "EvalResourceDecision", decision(one));
            details(out, one, prefix);
            out.push_str("</member>\n");
        }
        out.push_str("</ResourceSpecificResults>\n");
    }
}

fn details(out: &mut String, one: &Simulated, prefix: &str) {
    out.push_str("<MatchedStatements>\n");
    for name in &one.matched {
        // The name of a managed policy, and where an inline one is: as the Terraform provider's tests of the live service have it,
        // https://registry.terraform.io/providers/hashicorp/aws/latest/docs/data-sources/iam_principal_policy_simulation
        let id = match name.strip_prefix("arn:") {
            Some(arn) => arn.rsplit('/').next().unwrap_or(arn).to_owned(),
            None if name == "PolicyInputList" => format!("{name}.1"),
            None => format!("{prefix}_{name}"),
        };
        out.push_str("<member>\n");
        xml::element(out, "SourcePolicyId", &id);
        xml::element(out, "SourcePolicyType", "IAM Policy");
        out.push_str("</member>\n");
    }
    out.push_str("</MatchedStatements>\n<MissingContextValues>\n");
    for key in &one.missing {
        xml::element(out, "member", key);
    }
    out.push_str("</MissingContextValues>\n");
    if let Some(allowed) = one.allowed_by_boundary {
        out.push_str("<PermissionsBoundaryDecisionDetail>\n");
        xml::element(out, "AllowedByPermissionsBoundary", &allowed.to_string());
        out.push_str("</PermissionsBoundaryDecisionDetail>\n");
    }
}
