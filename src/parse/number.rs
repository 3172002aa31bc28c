//! Meaning of a plain scalar: YAML's core schema, with the caution that plans need.

use super::Kind;

/// A number and how it was written.
///
/// The text is kept because AWS wants text: `EngineVersion: 5.10` must not reach it as `5.1`.
#[derive(Clone, Debug, PartialEq)]
pub struct Number {
    /// Text as written.
    pub text: String,
    /// Value as a number.
    pub value: serde_json::Number,
}

/// The value of a plain scalar.
///
/// A leading zero keeps digits a string (as in serde_yaml), so that an account id such as `012345678901` survives.
pub(super) fn plain(text: &str) -> Kind {
    match text {
        "" | "~" | "null" | "Null" | "NULL" => return Kind::Null,
        "true" | "True" | "TRUE" => return Kind::Bool(true),
        "false" | "False" | "FALSE" => return Kind::Bool(false),
        _ => {}
    }
    let starts_like_a_number = matches!(text.as_bytes()[0], b'0'..=b'9' | b'+' | b'-' | b'.');
    match starts_like_a_number.then(|| number(text)).flatten() {
        Some(value) => Kind::Number(Box::new(Number {
            text: text.to_owned(),
            value,
        })),
        None => Kind::String(text.to_owned()),
    }
}

fn number(text: &str) -> Option<serde_json::Number> {
    if let Some(digits) = text.strip_prefix("0x") {
        return u64::from_str_radix(digits, 16).ok().map(Into::into);
    }
    if let Some(digits) = text.strip_prefix("0o") {
        return u64::from_str_radix(digits, 8).ok().map(Into::into);
    }
    let unsigned = text.strip_prefix(['+', '-']).unwrap_or(text);
    let bytes = unsigned.as_bytes();
    if !bytes
        .iter()
        .all(|b| b.is_ascii_digit() || matches!(b, b'.' | b'e' | b'E' | b'+' | b'-'))
        || !bytes.iter().any(u8::is_ascii_digit)
    {
        return None;
    }
    if bytes.len() > 1 && bytes[0] == b'0' && bytes[1].is_ascii_digit() {
        return None;
    }
    if let Ok(integer) = text.parse::<i64>() {
        return Some(integer.into());
    }
    if let Ok(integer) = text.parse::<u64>() {
        return Some(integer.into());
    }
    serde_json::Number::from_f64(text.parse().ok()?)
}

impl Number {
    /// The text that AWS is sent: as written where that is a decimal number, else in decimal.
    #[must_use]
    pub fn wire(&self) -> String {
        let decimal = self
            .text
            .starts_with(|c: char| c.is_ascii_digit() || c == '-')
            && !self.text.starts_with("0x")
            && !self.text.starts_with("0o");
        if decimal {
            self.text.clone()
        } else {
            self.value.to_string()
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn kind(text: &str) -> String {
        match plain(text) {
            Kind::Number(n) => format!("number {} wire {}", n.value, n.wire()),
            Kind::String(s) => format!("string {s}"),
            Kind::Bool(b) => format!("bool {b}"),
            Kind::Null => "null".to_owned(),
            other => format!("{other:?}"),
        }
    }

    #[test]
    fn a_plain_scalar_means_what_the_core_schema_says_and_no_more() {
        for (text, meaning) in [
            ("5432", "number 5432 wire 5432"),
            ("5.10", "number 5.1 wire 5.10"),
            ("-1", "number -1 wire -1"),
            ("+1", "number 1 wire 1"),
            ("0x1F", "number 31 wire 31"),
            ("0o17", "number 15 wire 15"),
            ("1e3", "number 1000.0 wire 1e3"),
            (".5", "number 0.5 wire 0.5"),
            ("0", "number 0 wire 0"),
            ("123456789012", "number 123456789012 wire 123456789012"),
            ("012345678901", "string 012345678901"),
            (
                "18446744073709551615",
                "number 18446744073709551615 wire 18446744073709551615",
            ),
            ("5.6.10a", "string 5.6.10a"),
            ("1_000", "string 1_000"),
            ("2026-11-20", "string 2026-11-20"),
            ("yes", "string yes"),
            ("on", "string on"),
            ("-", "string -"),
            ("+", "string +"),
            (".", "string ."),
            ("1e999", "string 1e999"),
            ("True", "bool true"),
            ("~", "null"),
            ("", "null"),
        ] {
            assert_eq!(kind(text), meaning, "{text:?}");
        }
    }
}
