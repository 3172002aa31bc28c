//! Fault scripts: YAML files, and the short form of the command line.

use std::str::FromStr;

use serde::Deserialize;

use super::super::operation::Operation;
use super::super::text::{item_lines, placed};
use super::kind::Words;
use super::{Fault, FaultKind, Faults};

/// Reason why a text is not a script of faults.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("{0}")]
pub struct FaultError(String);

/// One entry: `{ fault: throttle, operation: StartRestoreJob, after: 3, times: 2 }`.
#[derive(Debug, Default, Deserialize)]
#[serde(deny_unknown_fields, default)]
struct Entry {
    fault: String,
    operation: Option<String>,
    resource_type: Option<String>,
    recovery_point: Option<String>,
    after: u64,
    times: Option<u64>,
    status: Option<u16>,
    code: Option<String>,
    message: Option<String>,
    delay: Option<String>,
    rate: Option<u32>,
    factor: Option<u32>,
}

impl Faults {
    /// Reads the YAML text of a script: a list of faults.
    ///
    /// # Errors
    ///
    /// Where it is none: a line for everything that is wrong, beginning with its place.
    pub fn parse(text: &str) -> Result<Faults, FaultError> {
        let entries: Option<Vec<Entry>> =
            serde_yaml::from_str(text).map_err(|error| FaultError(placed(&error)))?;
        let lines = item_lines(text);
        let (mut faults, mut wrong) = (Vec::new(), Vec::new());
        for (index, entry) in entries.unwrap_or_default().into_iter().enumerate() {
            let line = lines.get(index).copied().unwrap_or(1);
            match fault(entry) {
                Ok(fault) => faults.push(fault),
                Err(error) => wrong.push(format!("{line}:1: fault {}: {error}", index + 1)),
            }
        }
        match wrong.is_empty() {
            true => Ok(Faults(faults)),
            false => Err(FaultError(wrong.join("\n"))),
        }
    }
}

/// The short form: `throttle`, `throttle,operation=StartRestoreJob,after=3,times=2`. A message goes to the end of the text.
impl FromStr for Fault {
    type Err = FaultError;

    fn from_str(text: &str) -> Result<Fault, FaultError> {
        let (name, mut rest) = text.split_once(',').unwrap_or((text, ""));
        let mut entry = Entry {
            fault: name.to_owned(),
            ..Entry::default()
        };
        while !rest.is_empty() {
            let (key, after) = rest
                .split_once('=')
                .ok_or_else(|| FaultError(format!("{rest:?}: write key=value")))?;
            let (value, next) = match key {
                "message" => (after, ""),
                _ => after.split_once(',').unwrap_or((after, "")),
            };
            set(&mut entry, key, value)?;
            rest = next;
        }
        fault(entry).map_err(FaultError)
    }
}

fn set(entry: &mut Entry, key: &str, value: &str) -> Result<(), FaultError> {
    fn number<T: FromStr>(key: &str, value: &str) -> Result<T, FaultError> {
        let error = |_| FaultError(format!("{key}={value}: write a number"));
        value.parse().map_err(error)
    }
    match key {
        "operation" => entry.operation = Some(value.to_owned()),
        "resource_type" => entry.resource_type = Some(value.to_owned()),
        "recovery_point" => entry.recovery_point = Some(value.to_owned()),
        "after" => entry.after = number(key, value)?,
        "times" => entry.times = Some(number(key, value)?),
        "status" => entry.status = Some(number(key, value)?),
        "code" => entry.code = Some(value.to_owned()),
        "message" => entry.message = Some(value.to_owned()),
        "delay" => entry.delay = Some(value.to_owned()),
        "rate" => entry.rate = Some(number(key, value)?),
        "factor" => entry.factor = Some(number(key, value)?),
        _ => {
            return Err(FaultError(format!(
                "there is no {key:?}; there are operation, resource_type, recovery_point, after, times, status, code, \
                 message, delay, rate, factor"
            )));
        }
    }
    Ok(())
}

fn fault(entry: Entry) -> Result<Fault, String> {
    let operation = match &entry.operation {
        None => None,
        Some(name) => Some(
            Operation::parse(name)
                .ok_or_else(|| format!("the emulator serves no operation {name:?}"))?,
        ),
    };
    let words = Words {
        status: entry.status,
        code: entry.code,
        message: entry.message,
        delay: entry.delay,
        rate: entry.rate,
        factor: entry.factor,
    };
    let kind = FaultKind::parse(&entry.fault, words)?;
    let starts = matches!(kind, FaultKind::Job(_) | FaultKind::ForgetToken)
        || entry.resource_type.is_some()
        || entry.recovery_point.is_some();
    let operation = match (starts, operation) {
        // Only this operation says what is restored.
        (true, None) => Some(Operation::StartRestoreJob),
        (true, Some(other)) if other != Operation::StartRestoreJob => {
            return Err(format!("it strikes StartRestoreJob, and never {other}"));
        }
        (_, operation) => operation,
    };
    Ok(Fault {
        operation,
        resource_type: entry.resource_type,
        recovery_point: entry.recovery_point,
        after: entry.after,
        times: entry.times,
        kind,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn both_forms_say_the_same() {
        let yaml = "
- fault: throttle
  operation: StartRestoreJob
  after: 3
  times: 2
- { fault: job-fails, resource_type: EFS, message: 'no, and no' }
- { fault: latency, delay: 200ms }
";
        let short = [
            "throttle,operation=StartRestoreJob,after=3,times=2",
            "job-fails,resource_type=EFS,message=no, and no",
            "latency,delay=200ms",
        ];
        let short: Vec<Fault> = short.iter().map(|text| text.parse().unwrap()).collect();
        assert_eq!(Faults::parse(yaml).unwrap().0, short);
        assert_eq!(Faults::parse("").unwrap(), Faults::default());
        for name in FaultKind::names() {
            name.parse::<Fault>().unwrap();
        }
    }

    #[test]
    fn mistakes_are_named() {
        for (text, words) in [
            ("throtle", "there is no fault"),
            ("throttle,operation=StartJob", "serves no operation"),
            ("throttle,times=x", "write a number"),
            ("throttle,often=1", "there is no \"often\""),
            ("throttle,times", "write key=value"),
            ("latency,delay=soon", "is not a duration"),
            ("error,status=99", "is not an HTTP status"),
            (
                "job-hangs,operation=ListRestoreJobs",
                "never ListRestoreJobs",
            ),
        ] {
            let error = text.parse::<Fault>().unwrap_err().to_string();
            assert!(error.contains(words), "{error}");
        }
        let error = Faults::parse("- fault: throttle\n  often: 1\n").unwrap_err();
        assert!(
            error.to_string().contains("unknown field `often`"),
            "{error}"
        );
        assert!(error.to_string().starts_with("2:3: "), "{error}");
        let error = Faults::parse("- fault: y\n\n- fault: throttle\n- fault: x\n").unwrap_err();
        let lines: Vec<String> = error.to_string().lines().map(str::to_owned).collect();
        assert!(lines[0].starts_with("1:1: fault 1: "), "{error}");
        assert!(lines[1].starts_with("4:1: fault 3: "), "{error}");
    }
}
