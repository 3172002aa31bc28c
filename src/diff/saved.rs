//! A dry run that is kept, to be carried out as it was approved: the requests themselves, and what they were made of.
//!
//! `docs/dry-run.md` describes the format. A secret is never in it, in clear or as a digest of its own, and neither is the
//! token of the request that it is part of, from which it could be guessed: whether it is still the same says a slow hash.

use std::collections::BTreeMap;

use serde::{Deserialize, Serialize};
use serde_json::Value;

use super::{Action, Diff};
use crate::ids::{IdempotencyToken, RestoreName, RunId};
use crate::plan::{Draft, Plan, sha256};
use crate::render::{Fact, Secrets, Target};
use crate::state::JournalPosition;

/// The format that this redrill writes, and the only one that it reads.
const SCHEMA: &str = "redrill.saved-plan/v1";
/// Prefix of every format.
const KIND: &str = "redrill.saved-plan/";

/// A dry run, kept.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Saved {
    schema: String,
    /// The version of redrill that rendered it.
    pub redrill: String,
    /// The plan's name.
    pub plan: String,
    /// The run that it is for.
    pub run_id: RunId,
    /// Accounts and Regions that restores run in.
    pub targets: Vec<Target>,
    /// Inputs that it was made of.
    pub inputs: SavedInputs,
    /// `--only`.
    pub only: Vec<String>,
    /// `--retry-failed`.
    pub retry_failed: bool,
    /// Position that the run had reached.
    pub journal: JournalPosition,
    /// In the plan's order.
    pub restores: Vec<SavedRestore>,
    /// By which it is known whether secrets are still the same; nothing where no request holds one, and in what earlier
    /// versions saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub secrets: Option<SavedSecrets>,
    /// SHA-256 of everything before, as compact JSON: nobody has edited it.
    sha256: String,
}

/// Inputs of a saved plan.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedInputs {
    /// The plan file.
    pub file: Digested,
    /// The endpoint that it was made at and is for; nothing where that is AWS, and in what earlier versions saved.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub endpoint: Option<String>,
    /// The files of variables; their values are in `vars`.
    pub var_files: Vec<String>,
    /// `--var`, those that are no secrets.
    pub given: BTreeMap<String, String>,
    /// SHA-256 of each variable's value as compact JSON; none of a secret.
    pub vars: BTreeMap<String, Option<String>>,
    /// The inventory, where there was one.
    pub inventory: Option<Digested>,
    /// Inventories after the first.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub more_inventories: Vec<Digested>,
    /// The lock file, where there was one.
    pub lock: Option<Digested>,
}

impl SavedInputs {
    /// The inventories, in the order in which they were given.
    pub fn inventories(&self) -> impl Iterator<Item = &Digested> {
        self.inventory.iter().chain(&self.more_inventories)
    }
}

/// A file, and what was in it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Digested {
    /// Path as it was typed.
    pub path: String,
    /// SHA-256 of its bytes, hexadecimal.
    pub sha256: String,
}

/// The secrets of a saved plan, in a form from which guessing them is slow: scrypt of the tokens of all requests that
/// hold one, which say whether they are the same.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedSecrets {
    /// The restores whose requests hold one and are known as a whole, in the plan's order.
    pub restores: Vec<RestoreName>,
    /// With N = 16,384, r = 8, p = 1, in hexadecimal.
    pub scrypt: String,
}

impl SavedSecrets {
    /// Of restores and their tokens; nothing where there are none.
    fn new(tokens: &[(RestoreName, IdempotencyToken)], salt: &str) -> Option<Self> {
        if tokens.is_empty() {
            return None;
        }
        let text: String = tokens
            .iter()
            .map(|(_, token)| format!("{token}\n"))
            .collect();
        let mut out = [0; 32];
        // The costs are constants that scrypt takes, and so is the length.
        let params = scrypt::Params::new(COST, 8, 1).ok()?;
        scrypt::scrypt(text.as_bytes(), salt.as_bytes(), &params, &mut out).ok()?;
        Some(Self {
            restores: tokens.iter().map(|(name, _)| name.clone()).collect(),
            scrypt: crate::plan::hex(&out),
        })
    }
}

/// Of scrypt: a guess takes 16 MiB, and some thirty milliseconds.
const COST: u8 = 14;

/// One request as it will be sent.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct SavedRestore {
    /// Its name.
    pub restore: RestoreName,
    /// Action to take.
    pub action: Action,
    /// The attempt.
    pub attempt: u32,
    /// The name of its target, where the plan has several.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub target: Option<String>,
    /// The token; none while a part of the request is known later only, and where the request holds a secret, which could
    /// be guessed from it.
    pub token: Option<IdempotencyToken>,
    /// The body, without what is a hole. Its mark is in it, its token is.
    pub request: Value,
    /// Parts that are filled in on sending, and nothing else.
    pub holes: Vec<Hole>,
}

/// A part of a request that is not in the file.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
pub struct Hole {
    /// The metadata key; `RecoveryPointArn` is the recovery point.
    pub key: String,
    /// References that it waits for, such as `restores.db.created.resource_arn`; none if it is a secret.
    pub waits_for: Vec<String>,
    /// True if it is filled from the environment or a file of variables, because it holds a secret.
    pub secret: bool,
}

/// Reason why a file is not a saved plan that can be carried out.
#[derive(Debug, thiserror::Error)]
pub enum SavedError {
    /// Another redrill wrote it.
    #[error("its format is `{0}`, and this redrill knows `{SCHEMA}`")]
    Format(String),
    /// Somebody has edited or cut it.
    #[error("it is damaged: {0}")]
    Damaged(String),
}

impl Saved {
    /// Keeps a dry run.
    #[must_use]
    pub fn new(
        plan: &Plan,
        diff: &Diff,
        secrets: &Secrets,
        inputs: SavedInputs,
        journal: JournalPosition,
        (only, retry_failed): (Vec<String>, bool),
    ) -> Self {
        let mut secret = Vec::new();
        let restores = diff
            .changes
            .iter()
            .map(|change| {
                let step = &plan.steps[change.step];
                let is_open = !step.draft.request.holds_secret(secrets);
                if let Some(token) = change.token.as_ref().filter(|_| !is_open) {
                    secret.push((step.name.clone(), token.clone()));
                }
                let token = change.token.clone().filter(|_| is_open);
                let (request, holes) = body(&step.draft, token.as_ref(), secrets);
                SavedRestore {
                    restore: step.name.clone(),
                    action: change.action,
                    attempt: change.attempt,
                    target: plan.target_of(step).name.clone(),
                    token,
                    request,
                    holes,
                }
            })
            .collect();
        let mut saved = Self {
            schema: SCHEMA.to_owned(),
            redrill: env!("CARGO_PKG_VERSION").to_owned(),
            plan: plan.name.clone(),
            run_id: plan.run_id.clone(),
            targets: shown(&plan.targets, secrets),
            secrets: SavedSecrets::new(&secret, &salt(&plan.name, &plan.run_id, &inputs)),
            inputs,
            only,
            retry_failed,
            journal,
            restores,
            sha256: String::new(),
        };
        saved.sha256 = saved.digest();
        saved
    }

    /// The file.
    #[must_use]
    pub fn text(&self) -> String {
        // Strings and numbers: serde_json cannot fail on them.
        let mut text = serde_json::to_string_pretty(self).unwrap_or_default();
        text.push('\n');
        text
    }

    /// Returns true if a text is a saved plan of some format; a plan is YAML, and can be JSON too.
    #[must_use]
    pub fn is_one(text: &str) -> bool {
        text.trim_start().starts_with('{')
            && text
                .get(..text.len().min(200))
                .unwrap_or(text)
                .contains(KIND)
    }

    /// Reads a saved plan.
    ///
    /// # Errors
    ///
    /// Where it has another format, or is not as it was written.
    pub fn parse(text: &str) -> Result<Self, SavedError> {
        let damaged = |err: serde_json::Error| SavedError::Damaged(err.to_string());
        let whole: Value = serde_json::from_str(text).map_err(damaged)?;
        let schema = whole["schema"].as_str().unwrap_or_default();
        if schema != SCHEMA {
            return Err(SavedError::Format(schema.to_owned()));
        }
        let saved: Self = serde_json::from_value(whole).map_err(damaged)?;
        if saved.sha256 != saved.digest() {
            return Err(SavedError::Damaged("it has been edited".to_owned()));
        }
        Ok(saved)
    }

    fn digest(&self) -> String {
        let empty = Self {
            sha256: String::new(),
            ..self.clone()
        };
        sha256(serde_json::to_string(&empty).unwrap_or_default())
    }

    /// By which the journal knows that it was carried out.
    #[must_use]
    pub fn id(&self) -> &str {
        &self.sha256
    }

    /// Returns true if the secrets are those that it was saved with.
    fn has_secrets_of(&self, plan: &Plan, diff: &Diff) -> bool {
        let Some(saved) = &self.secrets else {
            return true;
        };
        let token = |name: &RestoreName| {
            let mut changes = diff.changes.iter();
            let change = changes.find(|change| plan.steps[change.step].name == *name)?;
            Some((name.clone(), change.token.clone()?))
        };
        let tokens: Option<Vec<_>> = saved.restores.iter().map(token).collect();
        let salt = salt(&self.plan, &self.run_id, &self.inputs);
        tokens.is_some_and(|tokens| SavedSecrets::new(&tokens, &salt).as_ref() == Some(saved))
    }

    /// Lists what has changed since the plan was saved: nothing of it would be sent as approved.
    #[must_use]
    pub fn differs(&self, plan: &Plan, diff: &Diff, secrets: &Secrets) -> Vec<String> {
        let mut reasons = Vec::new();
        let mut told = |is_same: bool, what: &str| {
            if !is_same {
                reasons.push(format!("{what} has changed"));
            }
        };
        told(self.plan == plan.name, "the plan's name");
        told(self.run_id == plan.run_id, "the run");
        told(
            self.targets == shown(&plan.targets, secrets),
            "where it runs",
        );
        if !self.has_secrets_of(plan, diff) {
            let held = self.secrets.iter().flat_map(|saved| &saved.restores);
            let held: Vec<String> = held.map(|name| format!("`{name}`")).collect();
            reasons.push(format!("a secret has changed, of {}", held.join(", ")));
        }
        let by_name: BTreeMap<&str, &SavedRestore> = self
            .restores
            .iter()
            .map(|saved| (saved.restore.as_str(), saved))
            .collect();
        for change in &diff.changes {
            let step = &plan.steps[change.step];
            let Some(saved) = by_name.get(step.name.as_str()) else {
                reasons.push(format!("`{}` is not in it", step.name));
                continue;
            };
            if saved.target != plan.target_of(step).name {
                reasons.push(format!("`{}`: its target has changed", step.name));
            }
            if let Some(reason) = saved.differs(&step.draft, change.token.as_ref(), secrets) {
                reasons.push(format!("`{}`: {reason}", step.name));
            }
            if change.action == Action::Start
                && (saved.action != Action::Start || saved.attempt != change.attempt)
            {
                reasons.push(format!(
                    "`{}`: attempt {} would be started, and it has {} of attempt {}",
                    step.name,
                    change.attempt,
                    saved.action.name(),
                    saved.attempt
                ));
            }
        }
        for saved in &self.restores {
            if !diff
                .changes
                .iter()
                .any(|c| plan.steps[c.step].name == saved.restore.as_str())
            {
                reasons.push(format!("`{}` is not in the plan", saved.restore));
            }
        }
        reasons
    }
}

impl SavedRestore {
    /// Tells why the request that would be sent now is not this one.
    fn differs(
        &self,
        draft: &Draft,
        token: Option<&IdempotencyToken>,
        secrets: &Secrets,
    ) -> Option<String> {
        // A token is new where what was waited for has come; that of an earlier start stands in the journal.
        if let (Some(was), Some(is)) = (&self.token, token)
            && was != is
        {
            return Some("its token has changed".to_owned());
        }
        let token = token.filter(|_| !draft.request.holds_secret(secrets));
        let (mut now, _) = body(draft, token, secrets);
        let mut was = self.request.clone();
        let follows = self.token.is_none();
        for request in [&mut now, &mut was] {
            if follows {
                remove(request, "IdempotencyToken");
                remove(request, crate::plan::MARK);
            }
            self.holes
                .iter()
                .for_each(|hole| remove(request, &hole.key));
        }
        (now != was).then(|| "its request has changed".to_owned())
    }
}

/// Other plans and runs have another, so that no table of guesses serves for two.
fn salt(plan: &str, run: &RunId, inputs: &SavedInputs) -> String {
    format!("redrill\n{plan}\n{run}\n{}", inputs.file.sha256)
}

/// Targets as they are kept.
fn shown(targets: &[Target], secrets: &Secrets) -> Vec<Target> {
    targets
        .iter()
        .map(|target| target.redacted(secrets))
        .collect()
}

/// Returns what is sent, as far as it is known and may be shown, and its missing parts.
fn body(draft: &Draft, token: Option<&IdempotencyToken>, secrets: &Secrets) -> (Value, Vec<Hole>) {
    let whole = match token {
        Some(token) => draft.sent_with(token).into_request(),
        None => draft.request.clone(),
    };
    let shown = whole.redacted(secrets);
    let mut holes: Vec<Hole> = draft
        .holes
        .iter()
        .map(|(key, waits)| Hole {
            key: key.to_string(),
            waits_for: waits.iter().map(Fact::to_string).collect(),
            secret: false,
        })
        .collect();
    let secret = whole
        .metadata
        .iter()
        .filter(|(key, value)| shown.metadata.get(*key) != Some(*value))
        .map(|(key, _)| key.as_str());
    let point =
        (whole.recovery_point_arn != shown.recovery_point_arn).then_some("RecoveryPointArn");
    for key in secret.chain(point) {
        match holes.iter_mut().find(|hole| hole.key == key) {
            Some(hole) => hole.secret = true,
            None => holes.push(Hole {
                key: key.to_owned(),
                waits_for: Vec::new(),
                secret: true,
            }),
        }
    }
    // A struct of strings: serde_json cannot fail on it.
    let mut request = serde_json::to_value(&shown).unwrap_or_default();
    holes
        .iter()
        .for_each(|hole| remove(&mut request, &hole.key));
    (request, holes)
}

fn remove(request: &mut Value, key: &str) {
    let beside = ["RecoveryPointArn", "IdempotencyToken"];
    let place = if beside.contains(&key) {
        Some(request)
    } else {
        request.get_mut("Metadata")
    };
    if let Some(map) = place.and_then(Value::as_object_mut) {
        map.shift_remove(key);
    }
}
