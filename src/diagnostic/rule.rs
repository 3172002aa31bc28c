//! The rules that are code: one row each. Rules of resource types are data, in `schemas/*.yaml`.
//!
//! What a rule means, why it matters and what to write is told once, in `docs/rules.md`, which `redrill explain` reads aloud.

use super::Severity;

/// The page that explains every rule: a heading of its id, then its severity and title, then the rest.
const PAGE: &str = include_str!("../../docs/rules.md");

/// A rule that redrill itself holds a plan to.
#[derive(Debug, PartialEq, Eq)]
pub struct Rule {
    /// Name in findings and reports, for ever: `yaml/duplicate-key`.
    pub id: &'static str,
    /// Severity, unless a finding says otherwise.
    pub severity: Severity,
    /// Summary of the fault, wherever it fires: a sentence without a full stop.
    pub title: &'static str,
}

impl Rule {
    /// Its id among the rules of a resource type, where every type has it.
    #[must_use]
    pub fn id_of(&self, resource_type: &str) -> String {
        let name = self.id.strip_prefix(OF_TYPE).unwrap_or(self.id);
        format!("{resource_type}/{name}")
    }

    /// Explains what it means, why it matters and what to write, in a few sentences.
    #[must_use]
    pub fn explanation(&self) -> &'static str {
        let heading = format!("\n### {}\n", self.id);
        let section = PAGE.split_once(&heading).map_or("", |(_, rest)| rest);
        let end = section.find("\n#").unwrap_or(section.len());
        let section = section[..end].trim();
        // The first paragraph is the severity and the title.
        section.split_once("\n\n").map_or("", |(_, rest)| rest)
    }
}

/// A rule as it is told, of redrill's own or of a resource type.
#[derive(Clone, Debug)]
pub struct Described {
    /// Its id.
    pub id: String,
    /// Severity, unless a finding says otherwise.
    pub severity: Severity,
    /// Summary of the fault, wherever it fires: a sentence without a full stop.
    pub title: String,
    /// Meaning, and what to write.
    pub explanation: String,
    /// The sentence of a page, or the recorded refusal, that it stands on.
    pub evidence: Option<String>,
    /// The page that says so.
    pub url: Option<String>,
}

impl From<&Rule> for Described {
    fn from(rule: &Rule) -> Self {
        Self {
            id: rule.id.to_owned(),
            severity: rule.severity,
            title: rule.title.to_owned(),
            explanation: rule.explanation().to_owned(),
            evidence: None,
            url: None,
        }
    }
}

/// Prefix of the id of a rule that every resource type has: `TYPE/unknown-key` is `EFS/unknown-key` for EFS.
const OF_TYPE: &str = "TYPE/";

/// The rule of an id, in any case; of a resource type, the one that every type has.
#[must_use]
pub fn find(id: &str) -> Option<&'static Rule> {
    let of_every_type = id
        .split_once('/')
        .map(|(_, name)| format!("{OF_TYPE}{name}"));
    let named = |id: &str| ALL.iter().find(|rule| rule.id.eq_ignore_ascii_case(id));
    let found = named(id).or_else(|| named(&of_every_type?));
    found.copied()
}

macro_rules! rules {
    ($($name:ident $severity:ident $id:literal $title:literal)*) => {
        $(#[doc = $title] pub const $name: &Rule = &Rule { id: $id, severity: Severity::$severity, title: $title };)*
        /// Every rule that is code, in the order of the page.
        pub const ALL: &[&Rule] = &[$($name),*];
    };
}

rules! {
    YAML_ENCODING Error "yaml/encoding" "The file is not UTF-8"
    YAML_SYNTAX Error "yaml/syntax" "The file is not YAML"
    YAML_EMPTY Error "yaml/empty" "The file holds nothing"
    YAML_DOCUMENTS Error "yaml/documents" "The file holds more than one document"
    YAML_DUPLICATE_KEY Error "yaml/duplicate-key" "A map has the same key twice"
    YAML_KEY Error "yaml/key" "A list or a map is used as a key"
    YAML_TAG Error "yaml/tag" "A YAML tag means nothing in a plan"
    YAML_MERGE Error "yaml/merge" "`<<` merges something that is not a map"
    YAML_ALIAS Error "yaml/alias" "An alias is used inside the value that it names"
    YAML_ALIAS_EXPLOSION Error "yaml/alias-explosion" "The aliases stand for too many values"
    YAML_DEPTH Error "yaml/depth" "Lists and maps are nested too deeply"
    YAML_SIZE Error "yaml/size" "The file holds too many values"

    PLAN_NOT_A_PLAN Error "plan/not-a-plan" "The file is not a plan"
    PLAN_TYPE Error "plan/type" "A value has another type than its key takes"
    PLAN_NAME Error "plan/name" "A name cannot be used as one"
    PLAN_EMPTY Error "plan/empty" "The plan has no restore, or no target"
    PLAN_MISSING_KEY Error "plan/missing-key" "A key that has to be there is missing"
    PLAN_UNKNOWN_KEY Error "plan/unknown-key" "A key that redrill does not know"
    PLAN_DURATION Error "plan/duration" "A value is not a duration"
    PLAN_ON_FAILURE Error "plan/on-failure" "`on_failure` is neither `continue` nor `stop`"
    PLAN_SAME_NAME Error "plan/same-name" "Several restores would make a resource of the same name"

    TARGET_UNKNOWN Error "target/unknown" "A restore names a target that the plan does not have"
    TARGET_UNNAMED Error "target/unnamed" "A restore does not say which of several targets it runs in"
    TARGET_REGION Error "target/region" "The target's Region is not a Region"
    TARGET_ACCOUNT Error "target/account" "The target's account is not an account id"
    TARGET_ROLE Error "target/role" "A role of the target is not the ARN of an IAM role"
    TARGET_ROLE_PARTITION Error "target/role-partition" "The role is of another partition than the target"
    TARGET_ROLE_ACCOUNT Warning "target/role-account" "The role is of another account than the target"
    TARGET_NO_ROLE Warning "target/no-role" "The target has no role, and restores in it need one"
    TARGET_ROLE_NOT_USED Note "target/role-not-used" "A role is sent with a restore that AWS documents without one"
    TARGET_SECRET Error "target/secret" "A part of the plan that is always shown is made of a secret"

    TYPE_CASE Error "type/case" "The resource type is written in another case than AWS's"
    TYPE_UNKNOWN Warning "type/unknown" "redrill has no rules for this resource type"
    TYPE_NOT_REHEARSED Error "type/not-rehearsed" "A rehearsal can show nothing of this resource type"
    OBJECTIVES_FORECAST Warning "objectives/forecast" "An objective is forecast to be met less often than the plan wants"
    LIMITS_UNUSED Warning "limits/unused" "A limit names a target or a type that no restore has"

    NEEDS_UNKNOWN Error "needs/unknown" "`needs` names a restore that there is not"
    NEEDS_ITSELF Error "needs/itself" "A restore needs itself"
    NEEDS_TWICE Warning "needs/twice" "A restore is needed twice"
    NEEDS_CYCLE Error "needs/cycle" "Restores wait for one another"

    FOR_EACH_TYPE Error "for_each/type" "`for_each` is neither a list nor a map"
    FOR_EACH_KEY Error "for_each/key" "A key of `for_each` cannot name a restore"
    FOR_EACH_DUPLICATE Error "for_each/duplicate" "`for_each` has the same key twice"
    FOR_EACH_EMPTY Warning "for_each/empty" "`for_each` has no items, so nothing is restored"
    FOR_EACH_LATER Error "for_each/later" "`for_each` depends on what is known only after a restore"
    FOR_EACH_SECRET Error "for_each/secret" "A key of `for_each` holds a secret"

    VARS_MISSING Error "vars/missing" "A variable has no value"
    VARS_UNDECLARED Error "vars/undeclared" "A value is given for a variable that the plan does not declare"
    VARS_UNUSED Warning "vars/unused" "A variable is declared and never used"
    VARS_TYPE Error "vars/type" "A variable's type is unknown, or its value has another one"
    VARS_PATTERN Error "vars/pattern" "A variable's value does not match its pattern, or the pattern is invalid"
    VARS_NUMBER Error "vars/number" "A number would be sent differently from how it is written"
    VARS_TEMPLATE Error "vars/template" "The value of a variable holds a template"
    VARS_SIZE Error "vars/size" "A variable holds too many values"
    VARS_SECRET_DEFAULT Error "vars/secret-default" "The plan holds the value of a secret"
    VARS_SECRET_EMPTY Error "vars/secret-empty" "A secret is empty"
    VARS_SECRET_SHORT Error "vars/secret-short" "A secret is too short, or too common, to be hidden"
    VARS_REDACTED Error "vars/redacted" "A variable's value holds the mark that stands for a secret"

    TEMPLATE_SYNTAX Error "template/syntax" "A template cannot be read"
    TEMPLATE_STATEMENT Error "template/statement" "A template holds a statement that is not `if`"
    TEMPLATE_UNDEFINED Error "template/undefined" "A template uses a name that is not defined"
    TEMPLATE_UNKNOWN Error "template/unknown" "A template uses a filter, function or test that there is not"
    TEMPLATE_ERROR Error "template/error" "A template fails when it is evaluated"
    TEMPLATE_KEY Error "template/key" "A key holds a template"
    TEMPLATE_SIZE Error "template/size" "A template becomes too long"
    TEMPLATE_FUEL Error "template/fuel" "A template asks for too much at once"

    SELECTOR_EMPTY Error "selector/empty" "A selector names neither a vault nor a resource"
    SELECTOR_VAULT Error "selector/vault" "The vault of a selector is not the name of a vault"
    SELECTOR_VAULT_ACCOUNT Error "selector/vault-account" "The account of a vault is not an account id, or is given without a vault"
    SELECTOR_RESOURCE Error "selector/resource" "The resource of a selector is not the ARN of what was backed up"
    SELECTOR_PICK Error "selector/pick" "`pick` is neither `latest`, `earliest` nor `random`"
    SELECTOR_TIME Error "selector/time" "A time of a selector is not a time"
    SELECTOR_MAX_AGE Error "selector/max-age" "`max_age` is not a duration"
    SELECTOR_WINDOW Error "selector/window" "No time lies between `created_after` and `created_before`"
    SELECTOR_LATER Error "selector/later" "A selector depends on what is known only after a restore"
    SELECTOR_SECRET Error "selector/secret" "A selector holds a secret"
    SELECTOR_NOTHING_FITS Error "selector/nothing-fits" "No recovery point is what the selector asks for"
    SELECTOR_NESTED Error "selector/nested" "All that fits the selector belongs to a composite recovery point"
    SELECTOR_SEVERAL_RESOURCES Error "selector/several-resources" "The selector fits recovery points of several resources"
    SELECTOR_REFUSED Error "selector/refused" "AWS refuses to list what the selector asks for"
    SELECTOR_EBS_COPIES Note "selector/ebs-copies" "AWS does not list every copied EBS snapshot by its resource"
    SELECTOR_UNRESOLVED Note "selector/unresolved" "Selectors were not resolved"
    SOURCE_NOT_FOUND Error "source/not-found" "A template asks about a recovery point that no vault has"
    SOURCE_UNCHECKED Note "source/unchecked" "Templates that ask about recovery points were not checked"
    RECOVERY_POINT_REDACTED Error "recovery_point/redacted" "A recovery point holds the mark that stands for a secret"

    ARN_FORM Error "arn/form" "The recovery point is not an ARN"
    ARN_PARTITION Error "arn/partition" "The recovery point's partition is not one of AWS's"
    ARN_SERVICE Error "arn/service" "The recovery point is an ARN of a service that has none"
    ARN_RESOURCE Error "arn/resource" "The last part of the ARN does not name a recovery point"
    ARN_REGION Error "arn/region" "The recovery point's Region is not a Region"
    ARN_ACCOUNT Error "arn/account" "The recovery point's account is not an account id"
    ARN_OTHER_PARTITION Error "arn/other-partition" "The recovery point is in another partition than the target"
    ARN_OTHER_REGION Warning "arn/other-region" "The recovery point is in another Region than the target"
    ARN_OTHER_ACCOUNT Note "arn/other-account" "The recovery point is of another account than the target"

    PLACE_PARTITION Error "place/partition" "A value is an ARN of another partition than the target"
    PLACE_ZONE Error "place/zone" "An Availability Zone is of another Region than the target"
    PLACE_KEY_REGION Error "place/key-region" "A KMS key is of another Region than the target"
    PLACE_REGION Warning "place/region" "A value is an ARN of another Region than the target"
    PLACE_ROLE_ACCOUNT Warning "place/role-account" "A role in the metadata is of another account than the target"
    PLACE_KEY_ACCOUNT Note "place/key-account" "A KMS key is of another account than the target"
    PLACE_ACCOUNT Note "place/account" "A value is an ARN of another account than the target"

    METADATA_NULL Error "metadata/null" "A metadata key has no value"
    METADATA_EMPTY Warning "metadata/empty" "A metadata value is empty, which counts as not given"
    METADATA_KEY_CASE Error "metadata/key-case" "Two metadata keys differ by case only"
    METADATA_BOOLEAN_CASE Warning "metadata/boolean-case" "A boolean is written in another case than AWS's"
    METADATA_BROKEN_JSON Error "metadata/broken-json" "A metadata value begins like JSON and is not JSON"
    METADATA_COMMA_LIST Error "metadata/comma-list" "A list is written as one text with commas"
    METADATA_BARE_ITEM Error "metadata/bare-item" "A list of one item is written as a single text"
    METADATA_REDACTED Error "metadata/redacted" "A metadata value holds the mark that stands for a secret"

    OF_TYPE_KEY Error "TYPE/KEY" "The value of a key is not what AWS takes, or the key is missing"
    OF_TYPE_UNKNOWN_KEY Warning "TYPE/unknown-key" "AWS documents no such metadata key of this type"
    OF_TYPE_UNKNOWN_MEMBER Warning "TYPE/unknown-member" "AWS documents no such member of this key"
    OF_TYPE_KEY_CASE Warning "TYPE/key-case" "A metadata key is written in another case than AWS's"
    OF_TYPE_SIZE Error "TYPE/size" "The metadata is longer than AWS takes"
    OF_TYPE_RECOVERY_POINT Error "TYPE/recovery-point" "The ARN is not that of a recovery point of this type"
    OF_TYPE_RECOVERY_POINT_UNCHECKED Note "TYPE/recovery-point-unchecked" "Rules that need the recovery point itself were not checked"
    OF_TYPE_LACKS Note "TYPE/lacks" "What comes back cannot be used until something more is made"

    PROTECT_WRITTEN Error "protect/written" "A restore would write to something that the plan protects"
    PROTECT_EVERYTHING Error "protect/everything" "An entry of `protect` protects everything"
    PROTECT_PATTERN Error "protect/pattern" "An entry of `protect` uses signs that mean nothing there"

    ALLOW_OUTSIDE Error "allow/outside" "A restore names a place that the plan does not allow"
    ALLOW_DEFAULT Error "allow/default" "AWS would pick a place, and the plan allows only some"
    ALLOW_OPEN Error "allow/open" "Nothing holds a restore within what the plan allows"
    ALLOW_EVERYTHING Error "allow/everything" "An entry of `allow` allows everything"
    ALLOW_PATTERN Error "allow/pattern" "An entry of `allow` can match nothing"
    ALLOW_REPEATED Warning "allow/repeated" "An entry of `allow` is there twice"
    ALLOW_DRILL Error "allow/drill" "A drill has no `allow`"

    CHECKS_DUPLICATE_NAME Error "checks/duplicate-name" "Two commands have the same name"
    CHECKS_SHELL Error "checks/shell" "`run` is one text, and no shell takes it apart"
    CHECKS_EMPTY Error "checks/empty" "`run` names no program"
    CHECKS_PATTERN Error "checks/pattern" "The output that a check expects is not a regular expression"
    CHECKS_FOLDER Error "checks/folder" "The folder that a command would run in is not there"
    CHECKS_NOT_FOUND Error "checks/not-found" "The program of a command is not there"
    CHECKS_NOT_EXECUTABLE Error "checks/not-executable" "The program of a command cannot be executed"
    CHECKS_INTERPRETER Error "checks/interpreter" "The interpreter of a script cannot be started"
    CHECK_REDACTED Error "check/redacted" "A command holds the mark that stands for a secret"

    LOCK_EMPTY Error "lock/empty" "The lock file is empty"
    LOCK_VERSION Error "lock/version" "The lock file has no version that redrill knows"
    LOCK_NEWER Warning "lock/newer" "There is something newer than the lock file, or than this redrill"
    LOCK_ENTRY Error "lock/entry" "An entry of the lock file cannot be read"
    LOCK_PLAN Error "lock/plan" "The lock file is that of another plan"
    LOCK_SELECTOR Error "lock/selector" "The lock was made for another selector"
    LOCK_MISSING Warning "lock/missing" "The lock file does not have every selector of the plan"
    LOCK_UNUSED Warning "lock/unused" "The lock file has an entry that the plan does not use"
    LOCK_GONE Error "lock/gone" "A locked recovery point can no longer be restored"
    LOCK_EXPIRES Warning "lock/expires" "A locked recovery point is about to be deleted by AWS Backup"
    LOCK_TOO_OLD Warning "lock/too-old" "A locked recovery point is older than its selector allows"
    LOCK_RUN Note "lock/run" "The run keeps to a recovery point that it resolved before the lock"
    LOCK_UNCHECKED Note "lock/unchecked" "The locked recovery points were not looked up"

    STEP_FUNCTIONS_COMMAND Error "step-functions/command" "A state machine cannot run a command of yours"
    STEP_FUNCTIONS_ON_FAILURE Error "step-functions/on-failure" "A state machine cannot stop after a failure"
    STEP_FUNCTIONS_SECRET Error "step-functions/secret" "A request to be exported holds a secret"
    STEP_FUNCTIONS_PENDING Error "step-functions/pending" "A request to be exported waits for another restore"
    STEP_FUNCTIONS_TYPE Error "step-functions/type" "A resource type to be exported is unknown"
    STEP_FUNCTIONS_REGION Error "step-functions/region" "A restore to be exported needs one of another Region"
    STEP_FUNCTIONS_BUCKET Error "step-functions/bucket" "Several Regions are to share one bucket"
    STEP_FUNCTIONS_NOTHING Error "step-functions/nothing" "Nothing is left to export"
    STEP_FUNCTIONS_LIMIT Error "step-functions/limit" "A limit cannot be divided among state machines"
    STEP_FUNCTIONS_SIZE Error "step-functions/size" "A lane is larger than Step Functions takes"
    STEP_FUNCTIONS_WAITS Warning "step-functions/waits" "A restore would wait for one that it does not need"

    KIT_EXPRESSION Error "kit/expression" "A value is computed from something that the script of a kit learns only later"
    KIT_SECRET Error "kit/secret" "A secret is used where the script of a kit cannot ask for it"
    KIT_EXISTING Error "kit/into-existing" "A restore would write into something that exists"
}
