//! `POST /messages/upload`: the form is read once, its parts in any order.
//!
//! The file goes to the disk of this process first, and from there to the homeserver piece by piece: Synapse
//! refuses an upload without `Content-Length`, and a multipart form does not state the size of its parts. A
//! file that is too large, or whose room does not exist, never reaches the homeserver.

use axum::{
    Json,
    extract::{DefaultBodyLimit, FromRequest, Multipart, RawQuery, Request, State, multipart::Field},
    http::{StatusCode, header::CONTENT_LENGTH},
    response::{IntoResponse as _, Response},
};
use messenger_core::{
    Error, Result,
    error::Problem,
    id::RoomId,
    media::{Upload, clean},
    message::Message,
    user::Caller,
};
use messenger_runtime::{
    ApiError, App,
    caller::{Authenticated, Sending},
    fields::{check_content_encoding, misspelling_of, near_misses, query_value},
};
use percent_encoding::percent_decode_str;

use tracing::instrument;

use crate::{
    request::{BODY_MAX, ID_MAX},
    response,
    spool::{Spool, refused},
};

/// Most bytes that a form may have beside its file.
const FORM_MAX: u64 = 256 << 10;
/// Most parts of a form; four of them have a meaning.
const PARTS_MAX: usize = 16;
/// Most bytes of a text field.
const TEXT_MAX: u64 = 4 * BODY_MAX as u64;
/// The text fields, with the most characters of each.
pub(crate) const TEXTS: [(&str, usize); 3] = [("room_id", ID_MAX), ("body", BODY_MAX), ("txn_id", ID_MAX)];

/// The parts that are read.
const KNOWN: [&str; 4] = [TEXTS[0].0, TEXTS[1].0, TEXTS[2].0, "file"];

/// A form whose body fails when it is longer than the largest file and [`FORM_MAX`].
pub(crate) struct LimitedForm(Multipart);

/// The fields of a form.
#[derive(Default)]
struct Form {
    room: Option<String>,
    body: Option<String>,
    transaction: Option<String>,
    file: Option<(String, Spool)>,
    seen: Vec<String>,
}

impl FromRequest<App> for LimitedForm {
    type Rejection = Response;

    async fn from_request(mut request: Request, app: &App) -> Result<Self, Response> {
        check_content_encoding(request.headers()).map_err(|error| ApiError::from(error).into_response())?;
        let most = app.config.max_upload_bytes;
        let length = request.headers().get(CONTENT_LENGTH);
        let length = length.and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
        if length.is_some_and(|length| length > most + FORM_MAX) {
            return Err(ApiError::from(Error::TooLarge { most }).into_response());
        }
        let whole = usize::try_from(most + FORM_MAX).unwrap_or(usize::MAX);
        DefaultBodyLimit::max(whole).apply(&mut request);
        match Multipart::from_request(request, app).await {
            Ok(parts) => Ok(Self(parts)),
            Err(_) => Err(StatusCode::UNSUPPORTED_MEDIA_TYPE.into_response()),
        }
    }
}

#[instrument(level = "debug", skip_all, fields(user = %caller.user.id()))]
pub(crate) async fn upload(
    State(app): State<App>,
    Sending(Authenticated(caller)): Sending<Authenticated>,
    RawQuery(query): RawQuery,
    LimitedForm(parts): LimitedForm,
) -> Result<Json<response::Message>, ApiError> {
    Ok(Json(send_file(&app, &caller, query.as_deref(), parts).await?.into()))
}

/// Reads the form, uploads its file and sends the message. Checks a room that is known by then before it
/// reads the file.
async fn send_file(app: &App, caller: &Caller, query: Option<&str>, mut parts: Multipart) -> Result<Message> {
    let most = app.config.max_upload_bytes;
    let in_query = query_value(query, "room_id");
    let mut form = Form::default();
    while let Some(part) = parts.next_field().await.map_err(|error| refused(&error, most))? {
        let name = part.name().unwrap_or_default().to_owned();
        form.expect(&name)?;
        if name == "file" {
            if let Some(room) = form.room.as_ref().or(in_query.as_ref()) {
                app.messenger.authorization().check_may_write(caller, &room_id(room)?).await?;
            }
            let filename = file_name(&part);
            form.file = Some((filename, Spool::fill(part, most).await?));
        } else {
            form.read_text(&name, part, most).await?;
        }
    }
    let (room, upload) = form.check(in_query)?;
    let (caption, transaction) = (form.body, form.transaction);
    app.messenger.media().upload(caller, &room, upload, caption, transaction.as_deref()).await
}

impl Form {
    /// Fails if the form has too many parts, or this one for the second time.
    fn expect(&mut self, name: &str) -> Result<()> {
        if self.seen.len() == PARTS_MAX {
            return Err(Error::invalid(
                "",
                format!("the form has too many parts: at most {PARTS_MAX} are read"),
            ));
        }
        if is_known(name) && self.seen.iter().any(|seen| seen == name) {
            return Err(Error::invalid(
                format!("/{name}"),
                "is there twice: a message has one; send another message for more",
            ));
        }
        self.seen.push(name.to_owned());
        Ok(())
    }

    /// Reads a text field. Skips the content of an unknown field.
    async fn read_text(&mut self, name: &str, mut part: Field<'_>, most: u64) -> Result<()> {
        let (is_known, mut length) = (is_known(name), 0);
        let mut bytes = Vec::new();
        while let Some(piece) = part.chunk().await.map_err(|error| refused(&error, most))? {
            length += piece.len() as u64;
            if is_known && length > TEXT_MAX {
                return Err(Error::invalid(format!("/{name}"), "is too long"));
            } else if is_known {
                bytes.extend_from_slice(&piece);
            }
        }
        let text =
            String::from_utf8(bytes).map_err(|_| Error::invalid(format!("/{name}"), "must be UTF-8"))?;
        let text = Some(text.replace('\0', "")).filter(|text| !text.trim().is_empty());
        match name {
            "room_id" => self.room = text,
            "body" => self.body = text,
            "txn_id" => self.transaction = text,
            _ => {}
        }
        Ok(())
    }

    /// Returns the room and the file. `in_query` is the room that the query names.
    fn check(&mut self, in_query: Option<String>) -> Result<(RoomId, Upload)> {
        let sent: Vec<_> = self.seen.iter().map(String::as_str).collect();
        let misspelt = near_misses(&sent, &KNOWN).into_iter();
        let misspelt =
            misspelt.map(|(unknown, name)| Problem::new(format!("/{unknown}"), misspelling_of(name)));
        let mut problems: Vec<_> = misspelt.collect();
        let values = [&self.room, &self.body, &self.transaction];
        for ((name, most), value) in TEXTS.into_iter().zip(values) {
            if value.as_ref().is_some_and(|value| value.chars().count() > most) {
                problems
                    .push(Problem::new(format!("/{name}"), format!("must have at most {most} characters")));
            }
        }
        let room = match (self.room.take(), in_query) {
            (Some(room), Some(other)) if room != other => {
                problems.push(Problem::new("/room_id", "is another room than that of the query"));
                None
            }
            (None, None) => {
                problems.push(Problem::new("/room_id", "is required"));
                None
            }
            (in_form, in_query) => in_form.or(in_query),
        };
        if self.file.is_none() {
            problems.push(Problem::new("/file", "is required: a part of the form with a file name"));
        }
        match (self.file.take(), room) {
            (Some((filename, spool)), Some(room)) if problems.is_empty() => {
                Ok((room_id(&room)?, spool.upload(filename)))
            }
            _ => Err(Error::Invalid(problems)),
        }
    }
}

/// Returns whether a part of this name is read.
fn is_known(name: &str) -> bool {
    KNOWN.contains(&name)
}

fn room_id(text: &str) -> Result<RoomId> {
    RoomId::parse(text.to_owned()).ok_or(Error::NotFound("room"))
}

/// Returns the file name: `filename*` (RFC 8187) if there is one, otherwise `filename`.
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
