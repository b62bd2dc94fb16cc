//! Pages of lists, and the cursor of the next one.

use axum::{
    Json,
    response::{IntoResponse, Response},
};
use serde::Serialize;

/// The header of the cursor of the next page.
pub(crate) const NEXT_CURSOR: &str = "X-Next-Cursor";

/// Returns the last item of a page that has as many as its limit: another page may follow.
pub(crate) fn last_if_full<T>(items: &[T], limit: i64) -> Option<&T> {
    let is_full = i64::try_from(items.len()).is_ok_and(|length| length == limit);
    items.last().filter(|_| is_full)
}

/// Returns a page as a JSON array, with the cursor of the next page in a header.
pub(crate) fn answer<T: Serialize>(items: &[T], next: Option<String>) -> Response {
    match next {
        Some(next) => ([(NEXT_CURSOR, next)], Json(items)).into_response(),
        None => Json(items).into_response(),
    }
}
