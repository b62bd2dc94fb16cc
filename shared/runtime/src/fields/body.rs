//! JSON bodies and their encoding (RFC 8259, section 8.1).

use std::{borrow::Cow, collections::BTreeMap};

use axum::{
    body::Bytes,
    extract::{FromRequest, Request},
    response::{IntoResponse as _, Response},
};
use http::{
    HeaderMap, StatusCode,
    header::{CONTENT_ENCODING, CONTENT_TYPE},
};
use messenger_core::{Error, Result, error::Problem, json};
use serde_json::value::RawValue;

use super::Fields;
use crate::ApiError;

/// A JSON object as body.
pub struct JsonBody {
    /// Its fields.
    pub fields: Fields,
}

/// A JSON object as body, which may be left out.
pub struct OptionalJsonBody {
    /// Its fields.
    pub fields: Fields,
}

/// The unparsed members of a JSON object. Of several with one name the last counts.
pub(super) type Members = BTreeMap<String, Box<RawValue>>;

impl<S: Send + Sync> FromRequest<S> for JsonBody {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (bytes, charset) = read(request, state).await?;
        let fields = Fields::from_body(&bytes, charset.as_deref());
        Ok(Self { fields: fields.map_err(|error| ApiError::from(error).into_response())? })
    }
}

impl<S: Send + Sync> FromRequest<S> for OptionalJsonBody {
    type Rejection = Response;

    async fn from_request(request: Request, state: &S) -> Result<Self, Self::Rejection> {
        let (bytes, charset) = read(request, state).await?;
        let bytes: &[u8] = if bytes.trim_ascii().is_empty() { b"{}" } else { &bytes };
        let fields = Fields::from_body(bytes, charset.as_deref());
        Ok(Self { fields: fields.map_err(|error| ApiError::from(error).into_response())? })
    }
}

/// Reads a body in JSON, with the charset that its head names.
async fn read<S: Send + Sync>(request: Request, state: &S) -> Result<(Bytes, Option<String>), Response> {
    let headers = request.headers();
    let content_type = headers.get(CONTENT_TYPE).map(|kind| String::from_utf8_lossy(kind.as_bytes()));
    let content_type = content_type.map(|kind| kind.to_ascii_lowercase());
    if !content_type.as_deref().is_none_or(is_json) {
        return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response());
    }
    check_content_encoding(headers).map_err(|error| ApiError::from(error).into_response())?;
    let bytes =
        Bytes::from_request(request, state).await.map_err(axum::response::IntoResponse::into_response)?;
    let charset = content_type.as_deref().and_then(charset).map(str::to_owned);
    Ok((bytes, charset))
}

/// Fails if a body is compressed: bodies are never decompressed.
pub fn check_content_encoding(headers: &HeaderMap) -> Result<()> {
    let encodings = headers.get_all(CONTENT_ENCODING).into_iter();
    let encodings = encodings.map(|encoding| String::from_utf8_lossy(encoding.as_bytes()));
    let encodings: Vec<_> = encodings.filter(|encoding| !is_identity(encoding)).collect();
    if encodings.is_empty() {
        return Ok(());
    }
    let detail = format!(
        "the body is encoded as `{}`, which is not accepted: send it as it is, without `Content-Encoding`",
        encodings.join(", ")
    );
    Err(Error::Unsupported { code: "unsupported_content_encoding", detail: detail.into() })
}

fn is_identity(encoding: &str) -> bool {
    encoding.split(',').all(|one| matches!(one.trim().to_ascii_lowercase().as_str(), "" | "identity"))
}

fn is_json(content_type: &str) -> bool {
    let essence = content_type.split(';').next().unwrap_or_default().trim();
    essence == "application/json" || essence.ends_with("+json")
}

fn charset(content_type: &str) -> Option<&str> {
    let mut parameters = content_type.split(';').skip(1).filter_map(|parameter| parameter.split_once('='));
    let (_, charset) = parameters.find(|(name, _)| name.trim() == "charset")?;
    Some(charset.trim().trim_matches('"')).filter(|charset| !matches!(*charset, "" | "utf-8" | "utf8"))
}

/// Splits an object into its members. `charset` is that of `Content-Type`: it has no meaning for JSON, and is
/// named in the problem if the body is not UTF-8.
pub(super) fn members(bytes: &[u8], charset: Option<&str>) -> Result<Members> {
    let bytes = bytes.strip_prefix(b"\xef\xbb\xbf").unwrap_or(bytes);
    if let Some(encoding) = wide(bytes) {
        return Err(invalid(vec![(String::new(), format!("the body is {encoding}: JSON is always UTF-8"))]));
    }
    let Ok(text) = std::str::from_utf8(bytes) else { return Err(misencoded(bytes, charset)) };
    if let Ok(members) = json::parse(text) {
        return Ok(members);
    }
    let message = match json::parse::<Box<RawValue>>(text) {
        Ok(_) => "the body must be a JSON object".to_owned(),
        Err(error) => format!("the body is no JSON: {error}"),
    };
    Err(invalid(vec![(String::new(), message)]))
}

/// Detects UTF-16 and UTF-32: by their byte order mark, or by the zero bytes of the first characters, which
/// are ASCII in JSON.
fn wide(bytes: &[u8]) -> Option<&'static str> {
    match bytes {
        [0, 0, 0xfe, 0xff, ..] | [0xff, 0xfe, 0, 0, ..] | [0, 0, 0, _, ..] | [_, 0, 0, 0, ..] => {
            Some("UTF-32")
        }
        [0xfe, 0xff, ..] | [0xff, 0xfe, ..] | [0, _, ..] | [_, 0, ..] => Some("UTF-16"),
        _ => None,
    }
}

/// Returns a problem for each field that is not UTF-8, or for the body if none can be found.
fn misencoded(bytes: &[u8], charset: Option<&str>) -> Error {
    let encoding = charset.map_or_else(
        || "it looks like ISO-8859-1 or Windows-1252".to_owned(),
        |charset| format!("`Content-Type` says `{charset}`"),
    );
    let message = format!("is not UTF-8 ({encoding}): JSON is always UTF-8");
    // Every byte keeps its place, so that the bytes of a member can be found.
    let text: String = bytes.utf8_chunks().fold(String::with_capacity(bytes.len()), |text, chunk| {
        text + chunk.valid() + &"?".repeat(chunk.invalid().len())
    });
    let members: BTreeMap<Cow<'_, str>, &RawValue> = serde_json::from_str(&text).unwrap_or_default();
    let is_wrong = |raw: &RawValue| {
        let start = raw.get().as_ptr().addr() - text.as_ptr().addr();
        bytes.get(start..start + raw.get().len()).is_some_and(|bytes| std::str::from_utf8(bytes).is_err())
    };
    let wrong = members.iter().filter(|(_, raw)| is_wrong(raw));
    let wrong: Vec<_> = wrong.map(|(name, _)| (format!("/{name}"), message.clone())).collect();
    invalid(if wrong.is_empty() { vec![(String::new(), format!("the body {message}"))] } else { wrong })
}

fn invalid(problems: Vec<(String, String)>) -> Error {
    let coded = |(pointer, message)| Problem::new(pointer, message).coded("invalid_json");
    Error::Invalid(problems.into_iter().map(coded).collect())
}
