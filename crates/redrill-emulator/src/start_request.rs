//! The body of StartRestoreJob.

use std::borrow::Cow;
use std::fmt;

use serde::de::{Deserialize, Deserializer, IgnoredAny, MapAccess, SeqAccess, Visitor};

use super::error::{ApiError, ErrorCode};
use super::metadata::Metadata;
use super::query::is_resource_type;

/// <https://docs.aws.amazon.com/aws-backup/latest/devguide/API_StartRestoreJob.html>
#[derive(Debug)]
pub(super) struct StartRequest<'a> {
    pub(super) asks: Asks<'a>,
    pub(super) token: Option<Cow<'a, str>>,
    /// Body as it came.
    pub(super) body: &'a str,
}

/// All of it but the token: what tells it from another request.
#[derive(Debug, PartialEq, Eq)]
pub(super) struct Asks<'a> {
    pub(super) recovery_point_arn: Cow<'a, str>,
    pub(super) metadata: Metadata<'a>,
    pub(super) iam_role_arn: Option<Cow<'a, str>>,
    pub(super) resource_type: Option<Cow<'a, str>>,
    pub(super) copy_tags: bool,
}

impl<'a> StartRequest<'a> {
    /// Null is absent, everywhere. Unknown members are ignored, as AWS's parsers do.
    pub(super) fn parse(body: &'a [u8]) -> Result<StartRequest<'a>, ApiError> {
        let body = utf8(body)?;
        let mut members = Members::default();
        read(body, |name, value| {
            let place = match name {
                "RecoveryPointArn" => &mut members.recovery_point_arn,
                "Metadata" => &mut members.metadata,
                "IamRoleArn" => &mut members.iam_role_arn,
                "ResourceType" => &mut members.resource_type,
                "CopySourceTagsToRestoredResource" => &mut members.copy_tags,
                "IdempotencyToken" => &mut members.token,
                _ => return,
            };
            *place = value;
        })?;
        let recovery_point_arn = text("RecoveryPointArn", members.recovery_point_arn)?
            .ok_or_else(|| ApiError::missing("RecoveryPointArn"))?;
        let metadata = match members.metadata {
            Member::Absent => return Err(ApiError::missing("Metadata")),
            Member::Map(entries) => Metadata::new(strings(entries)?),
            _ => return Err(serialization("Metadata is not a map.")),
        };
        let copy_tags = match members.copy_tags {
            Member::Absent => false,
            Member::Bool(copy) => copy,
            _ => {
                return Err(serialization(
                    "CopySourceTagsToRestoredResource is not a boolean.",
                ));
            }
        };
        let iam_role_arn = text("IamRoleArn", members.iam_role_arn)?;
        let resource_type = text("ResourceType", members.resource_type)?;
        if let Some(name) = resource_type
            .as_deref()
            .filter(|name| !is_resource_type(name))
        {
            return Err(ApiError::invalid(
                "ResourceType",
                format!("ResourceType is {name:?}; that is not a resource type."),
            ));
        }
        Ok(StartRequest {
            token: text("IdempotencyToken", members.token)?,
            asks: Asks {
                recovery_point_arn,
                metadata,
                iam_role_arn,
                resource_type,
                copy_tags,
            },
            body,
        })
    }
}

/// The members of the body, as far as it has them.
#[derive(Default)]
struct Members<'a> {
    recovery_point_arn: Member<'a>,
    metadata: Member<'a>,
    iam_role_arn: Member<'a>,
    resource_type: Member<'a>,
    copy_tags: Member<'a>,
    token: Member<'a>,
}

/// A JSON value, as deep as bodies here go.
#[derive(Default)]
pub(super) enum Member<'a> {
    /// Or null.
    #[default]
    Absent,
    Text(Cow<'a, str>),
    Bool(bool),
    Map(Vec<(Cow<'a, str>, Member<'a>)>),
    Other,
}

/// Hands on the members of a body, one after the other: of those that are there twice the last one counts.
pub(super) fn read<'a>(
    body: &'a str,
    member: impl FnMut(&str, Member<'a>),
) -> Result<(), ApiError> {
    struct Body<F>(F);
    impl<'a, F: FnMut(&str, Member<'a>)> Visitor<'a> for Body<F> {
        type Value = ();

        fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
            f.write_str("a map")
        }

        fn visit_map<A: MapAccess<'a>>(mut self, mut map: A) -> Result<(), A::Error> {
            while let Some(Key(name)) = map.next_key()? {
                self.0(&name, map.next_value()?);
            }
            Ok(())
        }
    }
    let mut json = serde_json::Deserializer::from_str(body);
    let whole = json.deserialize_map(Body(member)).and_then(|()| json.end());
    whole.map_err(|error| serialization(&format!("The body is not a JSON object: {error}")))
}

pub(super) fn utf8(body: &[u8]) -> Result<&str, ApiError> {
    std::str::from_utf8(body).map_err(|_| serialization("The body is not UTF-8."))
}

/// The text that a member has to be, if it is there.
pub(super) fn text<'a>(name: &str, member: Member<'a>) -> Result<Option<Cow<'a, str>>, ApiError> {
    match member {
        Member::Absent => Ok(None),
        Member::Text(text) => Ok(Some(text)),
        _ => Err(serialization(&format!("{name} is not a string."))),
    }
}

type Entries<'a> = Vec<(Cow<'a, str>, Option<Cow<'a, str>>)>;

fn strings<'a>(entries: Vec<(Cow<'a, str>, Member<'a>)>) -> Result<Entries<'a>, ApiError> {
    let mut found = Vec::with_capacity(entries.len());
    for (key, value) in entries {
        let value = match value {
            Member::Absent => None,
            Member::Text(text) => Some(text),
            _ => {
                return Err(serialization(&format!(
                    "The value of {key} in Metadata is not a string."
                )));
            }
        };
        found.push((key, value));
    }
    Ok(found)
}

fn serialization(message: &str) -> ApiError {
    ApiError::new(ErrorCode::Serialization, message)
}

/// A key, borrowed where it has no escapes.
struct Key<'a>(Cow<'a, str>);

impl<'a> Deserialize<'a> for Key<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Key<'a>, D::Error> {
        struct Text;
        impl<'a> Visitor<'a> for Text {
            type Value = Key<'a>;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("a string")
            }

            fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Key<'a>, E> {
                Ok(Key(Cow::Borrowed(text)))
            }

            fn visit_str<E>(self, text: &str) -> Result<Key<'a>, E> {
                Ok(Key(Cow::Owned(text.to_owned())))
            }
        }
        deserializer.deserialize_str(Text)
    }
}

impl<'a> Deserialize<'a> for Member<'a> {
    fn deserialize<D: Deserializer<'a>>(deserializer: D) -> Result<Member<'a>, D::Error> {
        deserializer.deserialize_any(AnyMember)
    }
}

struct AnyMember;

impl<'a> Visitor<'a> for AnyMember {
    type Value = Member<'a>;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("a JSON value")
    }

    fn visit_unit<E>(self) -> Result<Member<'a>, E> {
        Ok(Member::Absent)
    }

    fn visit_borrowed_str<E>(self, text: &'a str) -> Result<Member<'a>, E> {
        Ok(Member::Text(Cow::Borrowed(text)))
    }

    fn visit_str<E>(self, text: &str) -> Result<Member<'a>, E> {
        Ok(Member::Text(Cow::Owned(text.to_owned())))
    }

    fn visit_bool<E>(self, value: bool) -> Result<Member<'a>, E> {
        Ok(Member::Bool(value))
    }

    fn visit_u64<E>(self, _: u64) -> Result<Member<'a>, E> {
        Ok(Member::Other)
    }

    fn visit_i64<E>(self, _: i64) -> Result<Member<'a>, E> {
        Ok(Member::Other)
    }

    fn visit_f64<E>(self, _: f64) -> Result<Member<'a>, E> {
        Ok(Member::Other)
    }

    fn visit_seq<A: SeqAccess<'a>>(self, mut items: A) -> Result<Member<'a>, A::Error> {
        while items.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Member::Other)
    }

    fn visit_map<A: MapAccess<'a>>(self, mut map: A) -> Result<Member<'a>, A::Error> {
        let mut entries = Vec::with_capacity(8);
        while let Some(Key(key)) = map.next_key()? {
            entries.push((key, map.next_value()?));
        }
        Ok(Member::Map(entries))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn null_is_absent_and_the_last_of_two_counts() {
        let body = r#"{"Metadata":{"a":"b","a":"c","d":null,"e\n":"f\u00e9"},"IamRoleArn":null,
            "RecoveryPointArn":"x","RecoveryPointArn":"y","Unknown":[{"a":[1,-2,3.5,true,null]}]}"#;
        let request = StartRequest::parse(body.as_bytes()).unwrap();
        assert_eq!(request.asks.recovery_point_arn, "y");
        assert_eq!(request.asks.iam_role_arn, None);
        let entries: Vec<_> = request.asks.metadata.iter().collect();
        assert_eq!(entries, [("a", "c"), ("e\n", "f\u{e9}")]);
    }

    #[test]
    fn what_is_no_request() {
        for (body, words) in [
            (&b"\xff"[..], "The body is not UTF-8."),
            (b"", "The body is not a JSON object: EOF"),
            (b"[]", "The body is not a JSON object: invalid type: sequence"),
            (b"{} {}", "The body is not a JSON object: trailing characters"),
            (b"{\"a\":", "The body is not a JSON object: EOF"),
            (b"{}", "Required parameter RecoveryPointArn is missing."),
            (b"{\"RecoveryPointArn\":1}", "RecoveryPointArn is not a string."),
            (b"{\"RecoveryPointArn\":\"x\"}", "Required parameter Metadata is missing."),
            (b"{\"RecoveryPointArn\":\"x\",\"Metadata\":[]}", "Metadata is not a map."),
            (
                b"{\"RecoveryPointArn\":\"x\",\"Metadata\":{\"k\":{}}}",
                "The value of k in Metadata is not a string.",
            ),
            (
                b"{\"RecoveryPointArn\":\"x\",\"Metadata\":{},\"CopySourceTagsToRestoredResource\":\"true\"}",
                "CopySourceTagsToRestoredResource is not a boolean.",
            ),
            (
                b"{\"RecoveryPointArn\":\"x\",\"Metadata\":{},\"ResourceType\":\"a b\"}",
                "ResourceType is \"a b\"; that is not a resource type.",
            ),
            (
                b"{\"RecoveryPointArn\":\"x\",\"Metadata\":{},\"IdempotencyToken\":{}}",
                "IdempotencyToken is not a string.",
            ),
        ] {
            let error = StartRequest::parse(body).unwrap_err();
            assert!(error.message.starts_with(words), "{}", error.message);
        }
    }
}
