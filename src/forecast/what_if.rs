//! `--what-if`: the same run with one thing changed.

use jiff::SignedDuration;

use crate::parse::duration;

/// One thing that is changed.
#[derive(Clone, Debug, PartialEq)]
pub enum WhatIf {
    /// So many restores at once in all.
    Concurrent(u32),
    /// So many of a type.
    ByType(String, u32),
    /// So many in a target.
    ByTarget(String, u32),
    /// A restore's backup is so many times as large.
    SizeTimes(String, f64),
    /// A restore's backup has so many bytes.
    Size(String, i64),
    /// A restore is left out.
    Without(String),
    /// Only runs of this long before now count.
    History(SignedDuration),
}

/// A change, as it was typed.
#[derive(Clone, Debug, PartialEq)]
pub struct TypedWhatIf {
    /// The words.
    pub text: String,
    /// Meaning of the words.
    pub is: WhatIf,
}

impl std::str::FromStr for TypedWhatIf {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, Self::Err> {
        let is = read(text).ok_or_else(|| {
            format!(
                "`{text}` is not a what-if: write limits.concurrent=100, limits.by_type.TYPE=4, limits.by_target.dr=10, \
                 restores.db.size=2x, restores.db.size=500GiB, without=db or history=1y"
            )
        })?;
        Ok(Self {
            text: text.to_owned(),
            is,
        })
    }
}

fn read(text: &str) -> Option<WhatIf> {
    let (key, value) = text.split_once('=')?;
    let count = || value.parse().ok().filter(|count: &u32| *count > 0);
    if key == "limits.concurrent" {
        return Some(WhatIf::Concurrent(count()?));
    }
    if let Some(name) = key.strip_prefix("limits.by_type.") {
        return Some(WhatIf::ByType(name.to_owned(), count()?));
    }
    if let Some(name) = key.strip_prefix("limits.by_target.") {
        return Some(WhatIf::ByTarget(name.to_owned(), count()?));
    }
    if let Some(name) = key
        .strip_prefix("restores.")
        .and_then(|rest| rest.strip_suffix(".size"))
    {
        if let Some(times) = value.strip_suffix('x') {
            let times = times
                .parse()
                .ok()
                .filter(|times: &f64| times.is_finite() && *times >= 0.0)?;
            return Some(WhatIf::SizeTimes(name.to_owned(), times));
        }
        return Some(WhatIf::Size(name.to_owned(), bytes(value)?));
    }
    match key {
        "without" if !value.is_empty() => Some(WhatIf::Without(value.to_owned())),
        "history" => Some(WhatIf::History(how_long(value)?)),
        _ => None,
    }
}

/// `500GiB`, `10GB`, `1024`.
fn bytes(text: &str) -> Option<i64> {
    const UNITS: [(&str, f64); 9] = [
        ("TiB", 1024.0 * 1024.0 * 1024.0 * 1024.0),
        ("GiB", 1024.0 * 1024.0 * 1024.0),
        ("MiB", 1024.0 * 1024.0),
        ("KiB", 1024.0),
        ("TB", 1e12),
        ("GB", 1e9),
        ("MB", 1e6),
        ("kB", 1e3),
        ("", 1.0),
    ];
    let (number, unit) = UNITS
        .iter()
        .find_map(|(unit, bytes)| Some((text.strip_suffix(unit)?, bytes)))?;
    let number: f64 = number.trim().parse().ok()?;
    (number.is_finite() && number >= 0.0).then_some((number * unit) as i64)
}

/// A duration of the plan's, or years.
fn how_long(text: &str) -> Option<SignedDuration> {
    if let Some(years) = text.strip_suffix('y') {
        let years: i64 = years
            .parse()
            .ok()
            .filter(|years| (1..=100).contains(years))?;
        return Some(SignedDuration::from_hours(years * 365 * 24));
    }
    duration(text)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_typed_is_read() {
        let is = |text: &str| text.parse::<TypedWhatIf>().map(|typed| typed.is);
        assert_eq!(is("limits.concurrent=100"), Ok(WhatIf::Concurrent(100)));
        assert_eq!(
            is("limits.by_type.EFS=4"),
            Ok(WhatIf::ByType("EFS".to_owned(), 4))
        );
        assert_eq!(
            is("restores.db[a].size=2x"),
            Ok(WhatIf::SizeTimes("db[a]".to_owned(), 2.0))
        );
        assert_eq!(
            is("restores.db.size=1.5GiB"),
            Ok(WhatIf::Size("db".to_owned(), 1_610_612_736))
        );
        assert_eq!(is("without=db"), Ok(WhatIf::Without("db".to_owned())));
        assert_eq!(
            is("history=1y"),
            Ok(WhatIf::History(SignedDuration::from_hours(8760)))
        );
        for wrong in [
            "limits.concurrent=0",
            "size=2",
            "restores.db.size=-1x",
            "history=soon",
            "without=",
        ] {
            assert!(is(wrong).is_err(), "{wrong}");
        }
    }
}
