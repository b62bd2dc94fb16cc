//! Notifications as CSV (RFC 4180), for spreadsheets.

use axum::{
    http::{
        HeaderMap, HeaderValue,
        header::{CONTENT_DISPOSITION, CONTENT_TYPE},
    },
    response::{IntoResponse as _, Response},
};
use csv::{Terminator, WriterBuilder};
use jiff::Timestamp;
use messenger_core::{
    Error, Result,
    admin::notifications::{NotificationPage, NotificationRecord},
    id::{EventId, RoomId},
    notification::Target,
    time::Rfc3339,
};

use crate::page::NEXT_CURSOR;

const CSV: HeaderValue = HeaderValue::from_static("text/csv; charset=utf-8");
const ATTACHMENT: HeaderValue = HeaderValue::from_static("attachment; filename=\"notifications.csv\"");
/// Excel reads a file as UTF-8 by it.
const BYTE_ORDER_MARK: &[u8] = b"\xef\xbb\xbf";

const HEADER: [&str; 19] = [
    "id",
    "created_at",
    "status",
    "reason",
    "priority",
    "source_app",
    "event_type",
    "title",
    "body",
    "target_type",
    "target",
    "attempts",
    "next_attempt_at",
    "sent_at",
    "expires_at",
    "matrix_room_id",
    "matrix_event_id",
    "request_id",
    "is_test",
];

/// Returns a page as CSV.
pub(crate) fn response(page: &NotificationPage) -> Result<Response> {
    let mut headers = HeaderMap::new();
    headers.insert(CONTENT_TYPE, CSV);
    headers.insert(CONTENT_DISPOSITION, ATTACHMENT);
    if let Some(next) = page.next {
        headers.insert(NEXT_CURSOR, HeaderValue::from(next.0));
    }
    let text = write(&page.notifications).map_err(|error| Error::internal("writing CSV", error))?;
    Ok((headers, text).into_response())
}

fn write(records: &[NotificationRecord]) -> Result<Vec<u8>, csv::Error> {
    let mut writer = WriterBuilder::new().terminator(Terminator::CRLF).from_writer(BYTE_ORDER_MARK.to_vec());
    writer.write_record(HEADER)?;
    for record in records {
        writer.write_record(cells(record).map(harmless))?;
    }
    writer.into_inner().map_err(|error| error.into_error().into())
}

fn cells(record: &NotificationRecord) -> [String; HEADER.len()] {
    let NotificationRecord { notification, announced_at: _, sent_at } = record;
    let draft = &notification.draft;
    let time = |time: Option<Timestamp>| time.map(|time| Rfc3339(time).to_string()).unwrap_or_default();
    let target = match &draft.target {
        Target::Dm(user) => user.to_string(),
        Target::Entity { entity_type, entity_id } => format!("{entity_type}:{}", entity_id.canonical()),
        Target::General | Target::Service => String::new(),
    };
    [
        notification.id.to_string(),
        time(Some(notification.created_at)),
        notification.status.as_str().to_owned(),
        notification.reason.clone().unwrap_or_default(),
        draft.priority.as_str().to_owned(),
        draft.source_app.clone(),
        draft.event_type.clone(),
        draft.shown_title(),
        draft.shown_body().unwrap_or_default(),
        draft.target_type().to_owned(),
        target,
        notification.attempts.to_string(),
        time(notification.next_attempt_at),
        time(*sent_at),
        time(notification.expires_at),
        notification.room.as_ref().map(RoomId::to_string).unwrap_or_default(),
        notification.event.as_ref().map(EventId::to_string).unwrap_or_default(),
        notification.origin.request_id.as_ref().map(ToString::to_string).unwrap_or_default(),
        draft.is_test().to_string(),
    ]
}

/// Returns a cell that no spreadsheet takes for a formula
/// ([OWASP, CSV Injection](https://owasp.org/www-community/attacks/CSV_Injection)).
fn harmless(cell: String) -> String {
    if cell.starts_with(['=', '+', '-', '@', '\t', '\r']) { format!("'{cell}") } else { cell }
}
