//! JSON by hand, for what lists have a thousand of.

use std::io::Write as _;

use jiff::Timestamp;
use uuid::Uuid;

/// A string, or null.
pub(super) fn text(out: &mut Vec<u8>, text: Option<&str>) {
    let Some(text) = text else {
        return out.extend_from_slice(b"null");
    };
    if is_plain(text.as_bytes()) {
        out.push(b'"');
        out.extend_from_slice(text.as_bytes());
        out.push(b'"');
    } else {
        // Writing to memory does not fail, and neither does text.
        let _ = serde_json::to_writer(out, text);
    }
}

/// Returns true if nothing in it has to be escaped: nearly always. Sixteen bytes at a time, the last ones twice.
fn is_plain(text: &[u8]) -> bool {
    fn escapes(bytes: &[u8]) -> bool {
        // Without a way out of the loop, so that it is one step of the machine.
        let escape = |found, byte: &u8| found | (*byte < b' ') | (*byte == b'"') | (*byte == b'\\');
        bytes.iter().fold(false, escape)
    }
    let (blocks, rest) = text.as_chunks::<16>();
    let found = blocks
        .iter()
        .fold(false, |found, block| found | escapes(block));
    !found
        && !match text.last_chunk::<16>() {
            Some(last) => escapes(last),
            None => escapes(rest),
        }
}

/// The id of a job, or null.
pub(super) fn uuid(out: &mut Vec<u8>, id: Option<Uuid>) {
    let Some(id) = id else {
        return out.extend_from_slice(b"null");
    };
    let mut buffer = Uuid::encode_buffer();
    let id = id.hyphenated().encode_lower(&mut buffer);
    out.push(b'"');
    out.extend_from_slice(id.as_bytes());
    out.push(b'"');
}

/// A time as the API writes it, or null.
pub(super) fn time(out: &mut Vec<u8>, at: Option<Timestamp>) {
    match at {
        Some(at) => thousandths(out, at.as_millisecond()),
        None => out.extend_from_slice(b"null"),
    }
}

/// So many thousandths with an exponent, `1.578560834253E9`: so the live service was captured writing its times,
/// <https://github.com/boto/boto3/issues/2260>. As Rust writes the double of that value.
pub(super) fn thousandths(out: &mut Vec<u8>, count: i64) {
    if count == 0 {
        return out.extend_from_slice(b"0E0");
    }
    if count < 0 {
        out.push(b'-');
    }
    let mut digits = [b'0'; 24];
    let mut at = digits.len();
    let mut rest = count.unsigned_abs();
    // Four at a time: they do not wait for each other as one after the other would.
    while rest > 0 {
        at -= 4;
        let four = (rest % 10_000) as u16;
        let (high, low) = (four / 100, four % 100);
        for (place, digit) in [high / 10, high % 10, low / 10, low % 10]
            .into_iter()
            .enumerate()
        {
            digits[at + place] += digit as u8;
        }
        rest /= 10_000;
    }
    at += digits[at..]
        .iter()
        .take_while(|digit| **digit == b'0')
        .count();
    let all = &digits[at..];
    let zeros = all.iter().rev().take_while(|digit| **digit == b'0').count();
    let (first, others) = all[..all.len() - zeros].split_at(1);
    out.extend_from_slice(first);
    if !others.is_empty() {
        out.push(b'.');
        out.extend_from_slice(others);
    }
    match all.len() {
        // From the year 2001 to 2286.
        13 => out.extend_from_slice(b"E9"),
        // Writing to memory does not fail.
        length => drop(write!(out, "E{}", length as i64 - 4)),
    }
}

/// True or false.
pub(super) fn flag(out: &mut Vec<u8>, flag: bool) {
    out.extend_from_slice(if flag { b"true" } else { b"false" });
}

/// A number.
pub(super) fn number(out: &mut Vec<u8>, number: u64) {
    match number {
        0 => out.push(b'0'),
        _ => drop(write!(out, "{number}")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn written(write: impl FnOnce(&mut Vec<u8>)) -> String {
        let mut out = Vec::new();
        write(&mut out);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn times_are_those_of_the_double() {
        let mut dice = fastrand::Rng::with_seed(3);
        let some = [
            0,
            1,
            -1,
            10,
            999,
            1000,
            -1500,
            1_578_560_834_253,
            2_000_000_000_000,
        ];
        let more = (0..10_000).map(|n| dice.i64(-(10_i64.pow(n % 15 + 1))..10_i64.pow(n % 15 + 1)));
        for millis in some.into_iter().chain(more) {
            let double = format!("{:E}", millis as f64 / 1000.0);
            assert_eq!(written(|out| thousandths(out, millis)), double, "{millis}");
        }
    }

    #[test]
    fn text_is_escaped() {
        for text in [
            "",
            "arn:aws",
            "a\"b",
            "a\\b",
            "a\nb",
            "\u{1}",
            "é\u{7f}\u{2028}",
        ] {
            let json = serde_json::to_string(text).unwrap();
            assert_eq!(written(|out| super::text(out, Some(text))), json);
        }
        assert_eq!(written(|out| super::text(out, None)), "null");
        assert_eq!(written(|out| uuid(out, Some(Uuid::nil()))).len(), 38);
        assert_eq!(written(|out| number(out, u64::MAX)), u64::MAX.to_string());
    }
}
