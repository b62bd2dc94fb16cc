//! `GET /messages/media/…`: a file of a message, for the members of its room. Homeservers do not support
//! `Range`, so the bytes before a range are read and dropped.

use std::{fmt::Write as _, io};

use axum::{
    body::Body,
    extract::{RawQuery, State},
    http::{
        HeaderMap, HeaderValue, StatusCode,
        header::{
            ACCEPT_RANGES, CACHE_CONTROL, CONTENT_DISPOSITION, CONTENT_LENGTH, CONTENT_RANGE,
            CONTENT_SECURITY_POLICY, CONTENT_TYPE, IF_RANGE, RANGE, VARY,
        },
    },
    response::{IntoResponse, Response},
};
use bytes::Bytes;
use futures::{Stream, TryStreamExt as _, stream};
use messenger_core::{
    Error, Messenger,
    media::{Bytestream, Mxc, Posted},
};
use messenger_runtime::{
    ApiError,
    caller::AuthenticatedByUrl,
    fields::{Path, query_value},
};
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use tracing::instrument;

/// Media types that browsers show without running scripts of them. Files of any other type are saved, never
/// opened.
const INLINE: &[&str] = TYPES.split_at(11).0;
/// A media type that no browser opens.
const OPAQUE: &str = TYPES[11];
/// The media types of answers: those that browsers show, then the one that no browser opens.
pub(crate) const TYPES: [&str; 12] = [
    "image/png",
    "image/jpeg",
    "image/gif",
    "image/webp",
    "image/avif",
    "video/mp4",
    "audio/mp4",
    "video/webm",
    "audio/webm",
    "video/ogg",
    "audio/ogg",
    "application/octet-stream",
];
/// The policy for a browser that opens a file nevertheless: a sandbox.
const POLICY: &str =
    "sandbox; default-src 'none'; img-src 'self'; media-src 'self'; style-src 'unsafe-inline'";
/// The characters that stand unescaped in `filename*` (RFC 8187, `attr-char`).
const ATTRIBUTE: &AsciiSet = &NON_ALPHANUMERIC.remove(b'-').remove(b'.').remove(b'_').remove(b'~');

/// A part of a file.
#[derive(Debug, PartialEq, Eq)]
struct Part {
    start: u64,
    length: u64,
}

/// The result of `Range`.
#[derive(Debug, PartialEq, Eq)]
enum Wanted {
    Whole,
    Part(Part),
    /// The range begins behind the end of the file.
    Unsatisfiable,
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id(), server, id))]
pub(crate) async fn download(
    State(messenger): State<Messenger>,
    AuthenticatedByUrl(caller): AuthenticatedByUrl,
    Path((server, id)): Path<(String, String)>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
) -> Result<Response, ApiError> {
    let mxc = Mxc::new(&server, &id).ok_or(Error::NotFound("file"))?;
    let (posted, download) = messenger.media().download(&caller, &mxc).await?;
    let wanted = match download.size {
        Some(size) if !headers.contains_key(IF_RANGE) => wanted(headers.get(RANGE), size),
        _ => Wanted::Whole,
    };
    let mut response = match (wanted, download.size) {
        (Wanted::Unsatisfiable, size) => {
            let range = format!("bytes */{}", size.unwrap_or_default());
            return Ok((StatusCode::RANGE_NOT_SATISFIABLE, [(CONTENT_RANGE, range)]).into_response());
        }
        (Wanted::Part(part), Some(size)) => {
            let last = part.start + part.length - 1;
            let range = format!("bytes {}-{last}/{size}", part.start);
            let length = part.length;
            let body = Body::from_stream(cut(download.bytes, part));
            let headers = [(CONTENT_RANGE, range), (CONTENT_LENGTH, length.to_string())];
            (StatusCode::PARTIAL_CONTENT, headers, body).into_response()
        }
        (_, Some(size)) => {
            ([(CONTENT_LENGTH, size.to_string())], Body::from_stream(download.bytes)).into_response()
        }
        (_, None) => Body::from_stream(download.bytes).into_response(),
    };
    let has_token = query_value(query.as_deref(), "token").is_some();
    describe(response.headers_mut(), &posted, has_token);
    if download.size.is_some() {
        response.headers_mut().insert(ACCEPT_RANGES, HeaderValue::from_static("bytes"));
    }
    Ok(response)
}

/// Sets the headers that describe a file, so that no browser guesses another type. `has_token` states
/// whether a token stands in the URL.
fn describe(headers: &mut HeaderMap, posted: &Posted, has_token: bool) {
    let stated = posted.mimetype.as_deref().unwrap_or_default();
    let essence = stated.split(';').next().unwrap_or_default().trim().to_ascii_lowercase();
    let inline = INLINE.iter().find(|known| **known == essence);
    let disposition = disposition(if inline.is_some() { "inline" } else { "attachment" }, &posted.filename);
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(inline.unwrap_or(&OPAQUE)));
    headers.insert(CONTENT_SECURITY_POLICY, HeaderValue::from_static(POLICY));
    headers.insert(CACHE_CONTROL, HeaderValue::from_static("private, max-age=3600"));
    // A browser must not show its stored copy to the next user who signs in.
    headers.insert(VARY, HeaderValue::from_static("Authorization, Cookie"));
    // Pages of satellites on other hosts embed files by a URL with a token in it. The session cookie opens
    // files to pages of this service only.
    let policy = if has_token { "cross-origin" } else { "same-origin" };
    headers.insert("cross-origin-resource-policy", HeaderValue::from_static(policy));
    let disposition = HeaderValue::from_str(&disposition);
    headers.insert(CONTENT_DISPOSITION, disposition.unwrap_or(HeaderValue::from_static("attachment")));
}

/// Returns `Content-Disposition` (RFC 6266): the name in ASCII for old clients, and the full name.
fn disposition(kind: &str, name: &str) -> String {
    let plain: String = name
        .chars()
        .map(|c| if c.is_ascii_graphic() && !matches!(c, '"' | '\\' | '%') || c == ' ' { c } else { '_' })
        .collect();
    let mut text = format!("{kind}; filename=\"{plain}\"");
    // Writing to a String cannot fail.
    let _ = write!(text, "; filename*=UTF-8''{}", utf8_percent_encode(name, ATTRIBUTE));
    text
}

/// Parses `Range` (RFC 9110, section 14). Several ranges, other units and unreadable ones mean the whole
/// file.
fn wanted(range: Option<&HeaderValue>, size: u64) -> Wanted {
    let text = range.and_then(|range| range.to_str().ok()?.trim().strip_prefix("bytes="));
    let Some((first, last)) = text.and_then(|text| text.split_once('-')) else { return Wanted::Whole };
    let (first, last) = (first.trim(), last.trim());
    let (start, end) = match (first.parse::<u64>(), last.parse::<u64>()) {
        (Ok(start), Ok(last)) if last >= start => (start, last.saturating_add(1).min(size)),
        (Ok(start), Err(_)) if last.is_empty() => (start, size),
        (Err(_), Ok(suffix)) if first.is_empty() => (size.saturating_sub(suffix), size),
        _ => return Wanted::Whole,
    };
    if start < end { Wanted::Part(Part { start, length: end - start }) } else { Wanted::Unsatisfiable }
}

/// Returns the bytes of a part. Reads no further than its end.
fn cut(bytes: Bytestream, part: Part) -> impl Stream<Item = io::Result<Bytes>> {
    stream::try_unfold((bytes, part), |(mut bytes, mut part)| async move {
        while part.length > 0 {
            let Some(mut piece) = bytes.try_next().await? else { return Ok(None) };
            let before = usize::try_from(part.start).unwrap_or(usize::MAX).min(piece.len());
            let mut piece = piece.split_off(before);
            part.start -= before as u64;
            piece.truncate(usize::try_from(part.length).unwrap_or(usize::MAX));
            part.length -= piece.len() as u64;
            if !piece.is_empty() {
                return Ok(Some((piece, (bytes, part))));
            }
        }
        Ok(None)
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn range(text: &str) -> Wanted {
        wanted(Some(&HeaderValue::from_str(text).unwrap()), 100)
    }

    fn part(start: u64, length: u64) -> Wanted {
        Wanted::Part(Part { start, length })
    }

    #[test]
    fn one_range_is_served_and_any_other_header_means_the_whole_file() {
        assert_eq!(range("bytes=0-9"), part(0, 10));
        assert_eq!(range("bytes=90-"), part(90, 10));
        assert_eq!(range("bytes=90-1000"), part(90, 10));
        assert_eq!(range("bytes=-5"), part(95, 5));
        assert_eq!(range("bytes=-500"), part(0, 100));
        assert_eq!(range("bytes=100-"), Wanted::Unsatisfiable);
        assert_eq!(range("bytes=-0"), Wanted::Unsatisfiable);
        for whole in ["bytes=5-4", "bytes=0-1,5-6", "lines=1-2", "bytes=", "bytes=-", "bytes=a-b"] {
            assert_eq!(range(whole), Wanted::Whole, "{whole}");
        }
    }

    #[test]
    fn a_disposition_has_the_name_in_ascii_and_in_full() {
        assert_eq!(
            disposition("attachment", "Übersicht \"Ä\"\r\n.pdf"),
            "attachment; filename=\"_bersicht _____.pdf\"; \
             filename*=UTF-8''%C3%9Cbersicht%20%22%C3%84%22%0D%0A.pdf"
        );
    }
}
