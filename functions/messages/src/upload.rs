//! `POST /messages/upload`: the form is read once. The file goes to the disk of this process and from there to the
//! homeserver, piece by piece: Synapse wants to know its size beforehand (an upload without `Content-Length` is refused),
//! and a multipart form does not say it. What is too large or has no room never reaches the homeserver.

use axum::{
    Json,
    extract::{
        Multipart, RawQuery, State,
        multipart::{Field, MultipartError, MultipartRejection},
    },
    http::{HeaderMap, StatusCode, header::CONTENT_LENGTH},
    response::{IntoResponse as _, Response},
};
use messenger_core::{
    Error, Result,
    error::Problem,
    id::RoomId,
    media::{Upload, clean},
    message::Message,
};
use messenger_runtime::{
    App, Failed,
    caller::{Caller, Sending},
    fields::{check_content_encoding, query_value},
};
use percent_encoding::percent_decode_str;

use crate::{BODY_MAX, ID_MAX, spool::Spool};

/// What a form may need beside its file.
const FORM_MAX: u64 = 256 << 10;
/// Most bytes of a text field.
const TEXT_MAX: u64 = 4 * BODY_MAX as u64;

/// What a form says.
#[derive(Default)]
struct Form {
    room: Option<String>,
    body: Option<String>,
    transaction: Option<String>,
    file: Option<(String, Spool)>,
}

pub(crate) async fn upload(
    State(app): State<App>,
    Sending(Caller(caller)): Sending<Caller>,
    RawQuery(query): RawQuery,
    headers: HeaderMap,
    parts: Result<Multipart, MultipartRejection>,
) -> Result<Json<Message>, Response> {
    let parts = parts.map_err(|_| StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response())?;
    check_content_encoding(&headers).map_err(|error| Failed::from(error).into_response())?;
    let message = taken(&app, &caller, query.as_deref(), &headers, parts).await;
    message.map(Json).map_err(|error| Failed::from(error).into_response())
}

async fn taken(
    app: &App,
    caller: &messenger_core::user::Caller,
    query: Option<&str>,
    headers: &HeaderMap,
    mut parts: Multipart,
) -> Result<Message> {
    let most = app.config.max_upload_bytes;
    let said = headers.get(CONTENT_LENGTH).and_then(|size| size.to_str().ok()?.parse::<u64>().ok());
    if said.is_some_and(|said| said > most + FORM_MAX) {
        return Err(Error::TooLarge { most });
    }
    let mut form = Form { room: query_value(query, "room_id"), ..Form::default() };
    while let Some(part) = parts.next_part(most).await? {
        if part.name() == Some("file") {
            // Who may not write is told so before the file is read.
            let room = form.room.clone().ok_or_else(room_first)?;
            let room = RoomId::parse(room).ok_or(Error::NotFound("room"))?;
            app.hub.check_may_write(caller, &room).await?;
            let name = file_name(&part);
            form.file = Some((name, Spool::fill(part, most).await?));
        } else {
            form.take(part, most).await?;
        }
    }
    let (room, upload) = form.check()?;
    let (caption, transaction) = (form.body, form.transaction);
    app.hub.upload(caller, &room, upload, caption, transaction.as_deref()).await
}

/// The next part of a form.
trait Parts {
    async fn next_part(&mut self, most: u64) -> Result<Option<Field<'_>>>;
}

impl Parts for Multipart {
    async fn next_part(&mut self, most: u64) -> Result<Option<Field<'_>>> {
        self.next_field().await.map_err(|error| refused(&error, most))
    }
}

impl Form {
    async fn take(&mut self, mut part: Field<'_>, most: u64) -> Result<()> {
        let name = part.name().unwrap_or_default().to_owned();
        let (is_known, mut passed) = (matches!(name.as_str(), "room_id" | "body" | "txn_id"), 0);
        let mut bytes = Vec::new();
        while let Some(piece) = part.chunk().await.map_err(|error| refused(&error, most))? {
            passed += piece.len() as u64;
            match is_known {
                true if passed > TEXT_MAX => {
                    return Err(Error::invalid(format!("/{name}"), "is too long"));
                }
                true => bytes.extend_from_slice(&piece),
                // What nobody asked for is passed over, whatever it is.
                false if passed > most => return Err(Error::TooLarge { most }),
                false => {}
            }
        }
        let text =
            String::from_utf8(bytes).map_err(|_| Error::invalid(format!("/{name}"), "must be UTF-8"))?;
        let text = Some(text.replace('\0', "")).filter(|text| !text.trim().is_empty());
        match name.as_str() {
            "room_id" => self.room = text,
            "body" => self.body = text,
            "txn_id" => self.transaction = text,
            _ => {}
        }
        Ok(())
    }

    fn check(&mut self) -> Result<(RoomId, Upload)> {
        let mut problems = Vec::new();
        let lengths = [
            ("room_id", &self.room, ID_MAX),
            ("body", &self.body, BODY_MAX),
            ("txn_id", &self.transaction, ID_MAX),
        ];
        for (name, value, most) in lengths {
            if value.as_ref().is_some_and(|value| value.chars().count() > most) {
                problems
                    .push(Problem::new(format!("/{name}"), format!("must have at most {most} characters")));
            }
        }
        if self.room.is_none() {
            problems.push(Problem::new("/room_id", "is required"));
        }
        match (self.file.take(), self.room.take()) {
            (Some((filename, spool)), Some(room)) if problems.is_empty() => {
                Ok((RoomId::new(room), spool.upload(filename)))
            }
            (file, _) => {
                if file.is_none() {
                    problems.push(Problem::new("/file", "is required: a part of the form with a file name"));
                }
                Err(Error::Invalid(problems))
            }
        }
    }
}

/// What the form itself lacks.
pub(crate) fn refused(error: &MultipartError, most: u64) -> Error {
    if error.status() == StatusCode::PAYLOAD_TOO_LARGE {
        return Error::TooLarge { most };
    }
    Error::Invalid(vec![Problem::new("", format!("the form cannot be read: {}", error.body_text()))])
}

fn room_first() -> Error {
    Error::invalid(
        "/room_id",
        "must come before the file: put it first in the form, or into the query as ?room_id=",
    )
}

/// `filename*` (RFC 8187), which says more, or `filename`.
fn file_name(part: &Field<'_>) -> String {
    let disposition = part.headers().get("content-disposition");
    let disposition = disposition.map(|value| String::from_utf8_lossy(value.as_bytes()).into_owned());
    let extended = disposition.as_deref().and_then(|text| {
        let (_, rest) = text.split_once("filename*=")?;
        let value = rest.split(';').next()?.trim().trim_matches('"');
        let (charset, value) = value.split_once('\'')?;
        let (_, value) = value.split_once('\'')?;
        let is_utf8 = charset.eq_ignore_ascii_case("utf-8");
        is_utf8.then(|| percent_decode_str(value).decode_utf8_lossy().into_owned())
    });
    clean(&extended.or_else(|| part.file_name().map(str::to_owned)).unwrap_or_default())
}
