//! Filters that Jinja does not have and restores need.

use std::fmt::Write as _;

use minijinja::{Environment, Error, ErrorKind, Value};
use sha2::{Digest, Sha256};

use super::meter::Meter;

/// Their names; the documents list them.
pub(super) const NAMES: [&str; 3] = ["json", "slug", "truncate"];

/// Hexadecimal digits that keep a truncated text unlike others.
const DIGITS: usize = 8;

pub(super) fn add(environment: &mut Environment<'static>, meter: &Meter) {
    let of_slug = meter.clone();
    environment.add_filter("slug", move |text: &str| {
        of_slug.charge(text.len())?;
        Ok::<_, Error>(slug(text))
    });
    let of_truncate = meter.clone();
    environment.add_filter("truncate", move |text: &str, limit: usize| {
        of_truncate.charge(text.len())?;
        truncate(text, limit)
    });
    let of_json = meter.clone();
    environment.add_filter("json", move |value: &Value| {
        of_json.weigh(value)?;
        let text = serde_json::to_string(value)
            .map_err(|err| Error::new(ErrorKind::BadSerialization, err.to_string()))?;
        of_json.charge(text.len())?;
        Ok::<_, Error>(text)
    });
}

/// Turns a text into what nearly every AWS name may hold: lower-case letters, digits and single hyphens, a letter or
/// digit at both ends.
fn slug(text: &str) -> String {
    let mut slug = String::with_capacity(text.len());
    for c in text.chars() {
        if c.is_ascii_alphanumeric() {
            slug.push(c.to_ascii_lowercase());
        } else if !slug.is_empty() && !slug.ends_with('-') {
            slug.push('-');
        }
    }
    slug.truncate(slug.trim_end_matches('-').len());
    slug
}

/// The text where it has up to `limit` characters; else its beginning and a hash of the whole, so that two long names that
/// begin alike stay apart.
fn truncate(text: &str, limit: usize) -> Result<String, Error> {
    if limit <= DIGITS + 1 {
        return Err(Error::new(
            ErrorKind::InvalidOperation,
            format!(
                "`truncate` needs {} characters or more: {DIGITS} are a hash",
                DIGITS + 2
            ),
        ));
    }
    if text.chars().count() <= limit {
        return Ok(text.to_owned());
    }
    let mut short: String = text.chars().take(limit - DIGITS - 1).collect();
    short.truncate(short.trim_end_matches(['-', '_', '.']).len());
    short.push('-');
    for byte in Sha256::digest(text).iter().take(DIGITS / 2) {
        let _ = write!(short, "{byte:02x}");
    }
    Ok(short)
}

#[cfg(test)]
mod tests {
    use super::{slug, truncate};

    #[test]
    fn a_slug_is_a_name_that_aws_takes() {
        for (text, expected) in [
            ("Orders DB (prod)", "orders-db-prod"),
            ("files[a]", "files-a"),
            ("--a__b--", "a-b"),
            ("Ärger", "rger"),
            ("…", ""),
        ] {
            assert_eq!(slug(text), expected);
        }
    }

    #[test]
    fn a_truncated_text_keeps_within_the_limit_and_apart_from_others() {
        assert_eq!(truncate("short", 20).unwrap(), "short");
        let long = "orders-database-of-the-eastern-region";
        assert_eq!(truncate(long, 37).unwrap(), long);
        let cut = truncate(long, 20).unwrap();
        assert_eq!(cut.len(), 20);
        assert!(cut.starts_with("orders-data"), "{cut}");
        assert_ne!(cut, truncate(&format!("{long}2"), 20).unwrap());
        assert_eq!(cut, truncate(long, 20).unwrap());
        assert!(
            truncate("ä".repeat(30).as_str(), 10)
                .unwrap()
                .chars()
                .count()
                <= 10
        );
        truncate(long, 9).unwrap_err();
    }
}
