//! Reading an inventory: values checked while the reader is at their place, keys that stand once.

use std::collections::BTreeMap;
use std::fmt;

use jiff::SignedDuration;
use serde::de::{DeserializeSeed, Deserializer, MapAccess, Visitor};
use serde::{Deserialize, Serializer};

use super::InventoryError;
use super::arn::{Arn, is_account_id};

pub(super) fn located(error: &serde_yaml::Error) -> InventoryError {
    let (line, column) = error
        .location()
        .map_or((1, 1), |place| (place.line(), place.column()));
    // The place is said once, in the fields.
    let message = error.to_string();
    let message = match message.rfind(" at line ") {
        Some(end) => message[..end].to_owned(),
        None => message,
    };
    InventoryError {
        line,
        column,
        message,
    }
}

/// A duplicate is found after parsing, when places are gone: look for the second `arn:` with that value.
pub(super) fn second_place(text: &str, arn: &str) -> InventoryError {
    let line = text
        .lines()
        .enumerate()
        .filter(|(_, line)| {
            let value = line.trim_start_matches(['-', ' ', '{']).trim_end();
            value.starts_with("arn:") && value.trim_matches(['"', '\'', '}', ' ']).ends_with(arn)
        })
        .nth(1)
        .map_or(1, |(index, _)| index + 1);
    InventoryError {
        line,
        column: 1,
        message: format!("recovery point {arn} is in this account and region twice"),
    }
}

pub(super) fn arn<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, |text| match Arn::parse(text) {
        Some(_) => Ok(text.to_owned()),
        None => Err(format!(
            "{text:?} is not an ARN: arn:partition:service:region:account:resource"
        )),
    })
}

pub(super) fn account_id<'de, D: Deserializer<'de>>(deserializer: D) -> Result<String, D::Error> {
    checked(deserializer, |text| match is_account_id(text) {
        true => Ok(text.to_owned()),
        false => Err(format!(
            "{text:?} is not an account id: 12 digits, in quotes"
        )),
    })
}

pub(super) fn duration<'de, D: Deserializer<'de>>(
    deserializer: D,
) -> Result<Option<SignedDuration>, D::Error> {
    checked(deserializer, |text| match text.parse::<SignedDuration>() {
        Ok(duration) if !duration.is_negative() => Ok(Some(duration)),
        _ => Err(format!(
            "{text:?} is not a duration: write 45s, 45m or 1h 30m"
        )),
    })
}

/// Reads a text and checks it while the reader is still at its place: an error has the place of the text then, and that
/// of the whole map around it otherwise.
pub(super) fn checked<'de, D: Deserializer<'de>, T>(
    deserializer: D,
    check: impl FnOnce(&str) -> Result<T, String>,
) -> Result<T, D::Error> {
    struct Checked<F>(F);
    impl<T, F: FnOnce(&str) -> Result<T, String>> Visitor<'_> for Checked<F> {
        type Value = T;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a text")
        }

        fn visit_str<E: serde::de::Error>(self, text: &str) -> Result<T, E> {
            (self.0)(text).map_err(E::custom)
        }
    }
    deserializer.deserialize_str(Checked(check))
}

pub(super) fn duration_text<S: Serializer>(
    duration: &Option<SignedDuration>,
    serializer: S,
) -> Result<S::Ok, S::Error> {
    match duration {
        Some(duration) => serializer.collect_str(&format_args!("{duration:#}")),
        None => serializer.serialize_none(),
    }
}

/// A key that the map has not yet.
struct NewKey<'a, V>(&'a BTreeMap<String, V>);

impl<'de, V> DeserializeSeed<'de> for NewKey<'_, V> {
    type Value = String;

    fn deserialize<D: Deserializer<'de>>(self, deserializer: D) -> Result<String, D::Error> {
        checked(deserializer, |key| match self.0.contains_key(key) {
            false => Ok(key.to_owned()),
            true => Err(format!("duplicate key {key:?}")),
        })
    }
}

/// A map in which each key stands once: serde would let the last one win.
pub(super) fn unique_keys<'de, D, V>(deserializer: D) -> Result<BTreeMap<String, V>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    struct Unique<V>(std::marker::PhantomData<V>);
    impl<'de, V: Deserialize<'de>> Visitor<'de> for Unique<V> {
        type Value = BTreeMap<String, V>;

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'de>>(self, mut access: A) -> Result<Self::Value, A::Error> {
            let mut map = BTreeMap::new();
            while let Some(key) = access.next_key_seed(NewKey(&map))? {
                map.insert(key, access.next_value()?);
            }
            Ok(map)
        }
    }
    deserializer.deserialize_map(Unique(std::marker::PhantomData))
}

/// The same, where no map is something else than an empty one.
pub(super) fn optional_keys<'de, D, V>(
    deserializer: D,
) -> Result<Option<BTreeMap<String, V>>, D::Error>
where
    D: Deserializer<'de>,
    V: Deserialize<'de>,
{
    unique_keys(deserializer).map(Some)
}
