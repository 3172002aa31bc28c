//! Files of an export: the machine's, the templates that deploy it, and the page that says how.

use std::collections::BTreeSet;
use std::path::Path;

use minijinja::Environment;
use minijinja::value::Serde;
use serde_json::{Value, json};

use super::items::{Items, PoolFile};
use super::names::Names;
use super::notes::Notes;
use super::{Files, Omission, StepFunctions, Subject, machine, roles};
use crate::ids::{AccountId, StepIndex};
use crate::parse::{Check, OnFailure};
use crate::permissions::PolicyStatement;
use crate::plan::{Plan, Step};

/// Names that end in `.yaml` quote what goes into them.
const TEMPLATES: [(&str, &str); 5] = [
    ("template.yaml", include_str!("template.yaml.j2")),
    ("target-role.yaml", include_str!("target-role.yaml.j2")),
    ("backup-role.yaml", include_str!("backup-role.yaml.j2")),
    ("statement.yaml", include_str!("statement.yaml.j2")),
    ("README.md", include_str!("README.md.j2")),
];

/// Export of one Region.
pub(super) struct Region<'a> {
    pub(super) names: &'a Names,
    pub(super) items: &'a Items,
    /// Folder of its files: nothing, or a folder with its `/`.
    pub(super) folder: &'a str,
}

fn rendered(name: &str, values: &Value) -> String {
    let mut environment = Environment::new();
    let added = TEMPLATES
        .iter()
        .try_for_each(|(name, text)| environment.add_template(name, text));
    let rendered = added
        .and_then(|()| environment.get_template(name))
        .and_then(|template| template.render(Serde(values)));
    // The templates are ours and tests render them: they do not fail.
    rendered
        .unwrap_or_else(|err| err.to_string())
        .trim_end()
        .to_owned()
        + "\n"
}

/// Adds the files of a Region.
pub(super) fn add(files: &mut Files, plan: &Plan, region: &Region<'_>, members: &[StepIndex]) {
    let (names, folder) = (region.names, region.folder);
    let definition = machine::definition(names);
    for pool in &region.items.pools {
        files.add(&format!("{folder}{}", pool.name), pool.text.as_str());
    }
    files.add(&format!("{folder}input.json"), region.items.input(names));
    let mut values = template(plan, names, members);
    let lines = definition.lines().map(|line| format!("        {line}"));
    values["definition"] = lines.collect::<Vec<_>>().join("\n").into();
    files.add(
        &format!("{folder}template.yaml"),
        rendered("template.yaml", &values),
    );
    let others = region.others(plan, members);
    if !others.is_empty() {
        values["role"] = role(plan, names, members, &others);
        values["accounts"] = json!(others);
        values["description"] = format!(
            "redrill: role of the plan {} in {}",
            plan.name, names.region
        )
        .into();
        files.add(
            &format!("{folder}target-role.yaml"),
            rendered("target-role.yaml", &values),
        );
    }
    files.add(&format!("{folder}state-machine.asl.json"), definition);
}

/// Returns the values that the stack's template is made of.
fn template(plan: &Plan, names: &Names, members: &[StepIndex]) -> Value {
    let home = BTreeSet::from([&names.home]);
    let is_home = names.accounts(plan, members).contains(&names.home);
    json!({
        "plan": plan.name,
        "region": names.region,
        "home": names.home,
        "description": format!("redrill: state machine of the plan {} in {}", plan.name, names.region),
        "machine": names.machine,
        "log_group": format!("/aws/vendedlogs/states/{}", names.machine),
        "alarm": format!("A run of the plan {} did not bring everything back", plan.name),
        "machine_role": names.machine_role,
        "machine_role_arn": names.machine_role_arn(),
        "statements": statements(&roles::of_machine(plan, names, members)),
        "role": is_home.then(|| role(plan, names, members, &home)),
    })
}

/// Statements as the templates write them.
fn statements(all: &[PolicyStatement]) -> Value {
    let conditions = |of: &PolicyStatement| -> Vec<Value> {
        let all = of.conditions.iter();
        all.map(|((operator, key), values)| json!({ "operator": operator, "key": key, "values": values }))
            .collect()
    };
    let statement = |of: &PolicyStatement| {
        json!({
            "sid": of.sid,
            "actions": of.actions,
            "resources": of.resources,
            "conditions": conditions(of),
            "why": of.why,
            "source": of.source,
        })
    };
    all.iter().map(statement).collect()
}

/// The role that is assumed in some accounts: what is restored there from, and which roles are passed.
fn role(
    plan: &Plan,
    names: &Names,
    members: &[StepIndex],
    accounts: &BTreeSet<&AccountId>,
) -> Value {
    let is_used = |step: &Step| {
        let target = plan.target_of(step);
        target.assume_role_arn.is_none() && accounts.contains(&target.account)
    };
    let all = roles::of_assumed(plan, members, is_used);
    json!({ "name": names.backup_role, "statements": statements(&all) })
}

impl Region<'_> {
    /// The accounts but the machine's own in which a role of ours is needed.
    fn others<'p>(&self, plan: &'p Plan, members: &[StepIndex]) -> BTreeSet<&'p AccountId> {
        let mut accounts = self.names.accounts(plan, members);
        accounts.remove(&self.names.home);
        accounts
    }

    /// Returns what the README says of it.
    pub(super) fn page(&self, plan: &Plan, members: &[StepIndex]) -> Value {
        let names = self.names;
        let targets = members.iter().map(|at| plan.target_of(&plan.steps[*at]));
        let given: BTreeSet<&String> = targets
            .filter_map(|of| of.assume_role_arn.as_ref())
            .collect();
        let pool =
            |pool: &PoolFile| json!({ "file": pool.name, "key": names.items_key(&pool.name) });
        let lanes: usize = self.items.pools.iter().map(|pool| pool.lanes.len()).sum();
        json!({
            "region": names.region,
            "home": names.home,
            "folder": self.folder,
            "stack": names.stack(),
            "others": self.others(plan, members),
            "given": given,
            "machine": names.machine_arn(),
            "machine_role": names.machine_role_arn(),
            "execution": names.here("states", &format!("execution:{}:{}", names.machine, plan.run_id)),
            "bucket": names.bucket,
            "results": names.results(),
            "pools": self.items.pools.iter().map(pool).collect::<Vec<_>>(),
            "lanes": lanes,
            "restores": members.len(),
            "transitions": self.items.transitions,
        })
    }
}

/// The page that says how to deploy, start, watch and stop, and what the export does not do.
pub(super) fn readme(
    subject: &Subject<'_>,
    options: &StepFunctions,
    notes: &Notes,
    regions: Vec<Value>,
) -> String {
    let plan = subject.plan;
    let sum = |key: &str| {
        regions
            .iter()
            .filter_map(|of| of[key].as_u64())
            .sum::<u64>()
    };
    let transitions = sum("transitions");
    // The folder that the plan lies in on this machine is no part of what it means.
    let file = Path::new(subject.file).file_name().unwrap_or_default();
    let file = file.to_string_lossy();
    let mut check = format!(
        "redrill export step-functions {file} --run-id {} --bucket '{}'",
        plan.run_id, options.bucket
    );
    if !options.prefix.is_empty() {
        check.push_str(&format!(" --prefix {}", options.prefix));
    }
    if !options.without.is_empty() {
        let without: Vec<&str> = options.without.iter().map(|of| of.as_str()).collect();
        check.push_str(&format!(" --allow-without {}", without.join(",")));
    }
    let values = json!({
        "plan": plan.name,
        "run": plan.run_id,
        "file": file,
        "check": check,
        "restores": sum("restores"),
        "lanes": sum("lanes"),
        "transitions": transitions,
        // 25 dollars a million, in cents.
        "dollars": format!("{:.2}", transitions as f64 * 25.0 / 1_000_000.0),
        "selects": subject.planner.selects(),
        "left": left_out(subject, options),
        "notes": notes.iter().map(|(note, said)| {
            let said = said.iter().map(|(what, restores)| {
                let names: Vec<String> = restores.iter().map(|name| format!("`{name}`")).collect();
                json!({ "what": what, "restores": names.join(", ") })
            });
            json!({ "means": note.means(), "said": said.collect::<Vec<_>>() })
        }).collect::<Vec<_>>(),
        "regions": regions,
    });
    rendered("README.md", &values)
}

/// Lists what is left out of the plan as a whole.
fn left_out(subject: &Subject<'_>, options: &StepFunctions) -> Vec<String> {
    let names = |of: &[Check]| {
        let names: Vec<String> = of.iter().map(|of| format!("`{}`", of.name.value)).collect();
        names.join(", ")
    };
    let plan = subject.plan;
    let mut left = Vec::new();
    if options.without.contains(&Omission::Checks) && !plan.checks.is_empty() {
        left.push(format!(
            "The checks of the plan are not run: {}.",
            names(&plan.checks)
        ));
    }
    if options.without.contains(&Omission::Cutover) && !plan.cutover.is_empty() {
        left.push(format!(
            "The cutover is not carried out: {}.",
            names(&plan.cutover)
        ));
    }
    if options.without.contains(&Omission::Stop) && plan.on_failure == OnFailure::Stop {
        left.push(
            "`on_failure: stop` is not kept: other lanes continue after a failure.".to_owned(),
        );
    }
    left
}
