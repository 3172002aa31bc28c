//! Worlds in which a plan would succeed, and what is broken in each: preflight says it, and the run fails as AWS would.

use std::collections::BTreeMap;
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::time::Duration;

use redrill_emulator::{Fault, Inventory, Options};
use serde::Deserialize;
use serde_json::{Map, Value, json};

use crate::dry_run::outputs::assert_valid;
use crate::support::{at_once, emulator, folder, operations, process, repository_file, write};

/// Calls that change something.
const WRITES: [&str; 4] = [
    "StartRestoreJob",
    "DeleteResource",
    "PutRestoreValidationResult",
    "DeleteRecoveryPoint",
];

#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Worlds {
    base: Base,
    broken: Vec<World>,
    sound: Vec<World>,
}

#[derive(Clone, Deserialize)]
#[serde(deny_unknown_fields)]
struct Base {
    inventory: Value,
    plan: Value,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct World {
    name: String,
    only: Option<String>,
    options: Vec<String>,
    inventory: Value,
    plan: Value,
    files: BTreeMap<String, ScriptFile>,
    account: Option<String>,
    fault: Option<String>,
    fails: Ids,
    warns: Ids,
    unknown: Ids,
    finds: Option<String>,
    names: Option<String>,
    #[serde(rename = "in")]
    member: Option<String>,
    exit: Option<i32>,
    run: Option<Ran>,
}

#[derive(Clone, Debug, Default, Deserialize)]
#[serde(untagged)]
enum Ids {
    #[default]
    None,
    One(String),
    Any(Vec<String>),
}

impl Ids {
    fn has(&self, id: &str) -> bool {
        match self {
            Self::None => false,
            Self::One(one) => one == id,
            Self::Any(any) => any.iter().any(|one| one == id),
        }
    }
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct ScriptFile {
    text: String,
    #[serde(default)]
    executable: bool,
}

#[derive(Clone, Debug, Deserialize)]
#[serde(deny_unknown_fields)]
struct Ran {
    exit: i32,
    says: String,
}

/// RFC 7396.
fn merge(into: &mut Value, patch: &Value) {
    let Value::Object(patch) = patch else {
        if !patch.is_null() {
            *into = patch.clone();
        }
        return;
    };
    if !into.is_object() {
        *into = Value::Object(Map::new());
    }
    let of = into.as_object_mut().unwrap();
    for (key, value) in patch {
        match value {
            Value::Null => {
                of.remove(key);
            }
            value => merge(of.entry(key).or_insert(Value::Null), value),
        }
    }
}

/// An inventory as its format has it: lists where the table has maps.
fn inventory(mut value: Value) -> Inventory {
    for vault in value["vaults"].as_object_mut().unwrap().values_mut() {
        let points = vault["recovery_points"].take();
        let points = points.as_object().into_iter().flatten();
        let points = points.map(|(_, point)| {
            let mut point = point.clone();
            let of = point.as_object_mut().unwrap();
            of.entry("created_at")
                .or_insert(json!("2026-11-30T03:00:00Z"));
            of.entry("size_bytes").or_insert(json!(1_073_741_824));
            point
        });
        vault["recovery_points"] = points.collect();
    }
    let resources = value["resources"].take();
    let resources = resources.as_object().into_iter().flatten();
    let resources = resources.map(|(name, properties)| {
        let (of_type, identifier) = name.split_once(' ').unwrap();
        let mut properties = properties.clone();
        let grants = properties.as_object_mut().unwrap().remove("grants");
        json!({ "type": of_type, "identifier": identifier, "properties": properties, "grants": grants.unwrap_or(json!([])) })
    });
    value["resources"] = resources.collect();
    Inventory::parse(&serde_json::to_string(&value).unwrap()).unwrap()
}

/// The same world for each look at it: what is done in one is not there in the next.
struct Place<'w> {
    base: &'w Base,
    world: &'w World,
}

impl Place<'_> {
    async fn look(&self, words: &[&str], log: Option<&Path>) -> (i32, String, String) {
        let (mut told, mut plan) = (self.base.inventory.clone(), self.base.plan.clone());
        merge(&mut told, &self.world.inventory);
        merge(&mut plan, &self.world.plan);
        let emulator = emulator(Options {
            inventory: Some(inventory(told)),
            log: log.map(Path::to_owned),
            ..at_once()
        })
        .await;
        if let Some(fault) = &self.world.fault {
            emulator.inject(fault.parse::<Fault>().unwrap());
        }
        let folder = folder();
        write(
            folder.path(),
            "plan.yaml",
            &serde_json::to_string_pretty(&plan).unwrap(),
        );
        for (name, file) in &self.world.files {
            let path = write(folder.path(), name, &file.text);
            #[cfg(unix)]
            if file.executable {
                use std::os::unix::fs::PermissionsExt as _;
                let all = std::fs::Permissions::from_mode(0o755);
                std::fs::set_permissions(path, all).unwrap();
            }
        }
        let mut all: Vec<String> = words.iter().map(|word| (*word).to_owned()).collect();
        all.extend(["--endpoint-url".to_owned(), emulator.url()]);
        if let Some(only) = &self.world.only {
            all.push(format!("--only={only}"));
        }
        let account = self.world.account.clone();
        let path = folder.path().to_owned();
        let mut command = tokio::process::Command::from(process(&path));
        command.args(all).kill_on_drop(true);
        if let Some(account) = account {
            command.env("AWS_ACCESS_KEY_ID", account);
            command.env("AWS_SECRET_ACCESS_KEY", "no-secret");
        }
        // A run that does not end is a failure of its own.
        let output = tokio::time::timeout(Duration::from_secs(60), command.output()).await;
        let Ok(output) = output.map(Result::unwrap) else {
            return (-1, String::new(), "it does not end".to_owned());
        };
        emulator.shutdown().await;
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let code = output.status.code().unwrap_or(-1);
        (code, text(&output.stdout), text(&output.stderr))
    }

    /// What is wrong with what preflight says; nothing where it is right.
    async fn preflight(&self) -> Result<(), String> {
        let world = self.world;
        let folder = folder();
        let log = folder.path().join("log");
        let options = world.options.iter().map(String::as_str);
        let words: Vec<&str> = ["preflight", "plan.yaml", "--format", "json"]
            .into_iter()
            .chain(options)
            .collect();
        let (code, stdout, stderr) = self.look(&words, Some(&log)).await;
        let told = serde_json::from_str::<Value>(&stdout).ok();
        let told = told.as_ref().and_then(|told| told["checks"].as_array());
        let told = told.map_or_else(|| stdout.clone(), |checks| problems(checks));
        let said = format!("exit {code}{told}\n{stderr}");
        let breaks = !matches!(world.fails, Ids::None);
        let wanted = world.exit.unwrap_or(if breaks { 8 } else { 0 });
        if code != wanted {
            return Err(format!("exit {code}, not {wanted}: {said}"));
        }
        if let Some(wrote) = operations(&log)
            .iter()
            .find(|name| WRITES.contains(&name.as_str()))
        {
            return Err(format!("preflight called {wrote}"));
        }
        if let Some(rule) = &world.finds {
            let names = world.names.as_deref().unwrap_or_default();
            return match stderr.contains(rule.as_str()) && stderr.contains(names) {
                true => Ok(()),
                false => Err(said),
            };
        }
        let document: Value =
            serde_json::from_str(&stdout).map_err(|err| format!("{err}: {said}"))?;
        assert_valid("preflight", &document);
        let checks = document["checks"].as_array().unwrap();
        let member = world.member.as_deref().unwrap_or("message");
        let names = world.names.as_deref().unwrap_or_default();
        for (ids, verdict) in [
            (&world.fails, "fail"),
            (&world.warns, "warn"),
            (&world.unknown, "unknown"),
        ] {
            let of = |check: &&Value| check["verdict"] == verdict;
            let is_it = |check: &Value| {
                let id = check["id"].as_str().unwrap();
                ids.has(id) && check[member].as_str().unwrap_or_default().contains(names)
            };
            let found = checks.iter().filter(of).any(is_it);
            if !matches!(ids, Ids::None) && !found {
                return Err(format!(
                    "no {verdict} of {ids:?} that names {names}: {}",
                    problems(checks)
                ));
            }
            let other = |check: &&Value| !ids.has(check["id"].as_str().unwrap());
            // What is unscanned, or cannot be looked at because of what is broken, is no surprise.
            if verdict == "fail" && checks.iter().filter(of).any(|check| other(&check)) {
                return Err(format!(
                    "another failure than {ids:?}: {}",
                    problems(checks)
                ));
            }
        }
        Ok(())
    }

    async fn run(&self) -> Result<(), String> {
        let Some(wanted) = &self.world.run else {
            return Ok(());
        };
        let words = ["run", "plan.yaml", "--yes", "--no-rate-limit"];
        let (code, stdout, stderr) = self.look(&words, None).await;
        match code == wanted.exit && format!("{stdout}{stderr}").contains(&wanted.says) {
            true => Ok(()),
            false => Err(format!("the run: exit {code}\n{stdout}{stderr}")),
        }
    }
}

fn problems(checks: &[Value]) -> String {
    let problems = checks.iter().filter(|check| check["verdict"] != "pass");
    problems
        .map(|check| {
            format!(
                "\n  {} {}: {}",
                check["verdict"], check["id"], check["message"]
            )
        })
        .collect()
}

fn table() -> Worlds {
    serde_yaml::from_str(&repository_file("tests/preflight/worlds.yaml")).unwrap()
}

/// Looks at many worlds, some at once.
async fn each(worlds: Vec<World>, base: Base, runs: bool) {
    let worlds = Arc::new(worlds);
    let (next, base) = (Arc::new(AtomicUsize::new(0)), Arc::new(base));
    let mut tasks = tokio::task::JoinSet::new();
    for _ in 0..4 {
        let (worlds, next, base) = (Arc::clone(&worlds), Arc::clone(&next), Arc::clone(&base));
        tasks.spawn(async move {
            let mut wrong = Vec::new();
            while let Some(world) = worlds.get(next.fetch_add(1, Ordering::Relaxed)) {
                let place = Place { base: &base, world };
                let judged = match runs {
                    true => place.run().await,
                    false => place.preflight().await,
                };
                if let Err(why) = judged {
                    wrong.push(format!("{}: {why}", world.name));
                }
            }
            wrong
        });
    }
    let wrong: Vec<String> = tasks.join_all().await.into_iter().flatten().collect();
    assert!(
        wrong.is_empty(),
        "{} of {}:\n{}",
        wrong.len(),
        worlds.len(),
        wrong.join("\n\n")
    );
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn each_broken_world_is_told_of() {
    let table = table();
    assert!(table.broken.len() >= 60, "{}", table.broken.len());
    each(table.broken, table.base, false).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn no_sound_world_fails() {
    let table = table();
    assert!(table.sound.len() >= 60, "{}", table.sound.len());
    each(table.sound, table.base, false).await;
}

/// The emulator lets a run fail as AWS would, where it knows how, and what it says leads to the same thing.
#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn without_preflight_the_run_fails() {
    let table = table();
    let worlds: Vec<World> = table
        .broken
        .into_iter()
        .filter(|world| world.run.is_some())
        .collect();
    assert!(worlds.len() >= 45, "{}", worlds.len());
    each(worlds, table.base, true).await;
}
