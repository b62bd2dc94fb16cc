//! The last event id of a request, from which its stream resumes: in the header, or in the URL under one of
//! several names.

use axum::http::HeaderMap;
use messenger_runtime::fields::query_value_where;

/// Returns the last event id of a request; `None` if it has none, so that the stream begins now.
///
/// The header counts before the URL: an `EventSource` that reconnects adds it to the URL that it was made
/// with.
pub(crate) fn last_event_id(headers: &HeaderMap, query: Option<&str>) -> Option<String> {
    let in_headers = headers.get_all("last-event-id").into_iter();
    let mut in_headers = in_headers.map(|id| String::from_utf8_lossy(id.as_bytes()).trim().to_owned());
    in_headers.rfind(|id| !id.is_empty()).or_else(|| query_value_where(query, is_last_event_id))
}

/// Returns whether a parameter has one of the names in use: `last_event_id` (ours), `lastEventId`
/// (event-source-polyfill), `lastEventID` and `Last-Event-ID` (Mercure).
fn is_last_event_id(name: &str) -> bool {
    name.chars().filter(|c| !matches!(c, '-' | '_')).map(|c| c.to_ascii_lowercase()).eq("lasteventid".chars())
}

#[cfg(test)]
mod tests {
    use axum::http::{HeaderValue, header::HeaderName};

    use super::*;

    fn last_id(headers: &[&'static str], query: &str) -> Option<String> {
        let name = HeaderName::from_static("last-event-id");
        let headers = headers.iter().map(|id| (name.clone(), HeaderValue::from_static(id)));
        last_event_id(&headers.collect(), Some(query))
    }

    #[test]
    fn each_name_in_use_is_read() {
        for name in [
            "last_event_id",
            "lastEventId",
            "lastEventID",
            "Last-Event-ID",
            "last-event-id",
            "last%5Fevent_id",
        ] {
            assert_eq!(last_id(&[], &format!("token=x&{name}=17")).as_deref(), Some("17"), "{name}");
        }
        for name in ["event_id", "last_event", "last_event_ids", "lasteventid2", "id"] {
            assert_eq!(last_id(&[], &format!("{name}=17")), None, "{name}");
        }
    }

    #[test]
    fn the_last_of_several_ids_counts_and_an_empty_one_does_not() {
        assert_eq!(
            last_id(&[], "last_event_id=1&lastEventId=2&token=x&last_event_id=3").as_deref(),
            Some("3")
        );
        assert_eq!(last_id(&[], "last_event_id=3&lastEventID=2").as_deref(), Some("2"));
        assert_eq!(last_id(&[], "last_event_id=3&lastEventId=").as_deref(), Some("3"));
        assert_eq!(last_id(&[], "last_event_id=&lastEventId="), None);
        assert_eq!(last_id(&[], "last_event_id"), None);
        assert_eq!(last_id(&["4", "5"], "").as_deref(), Some("5"));
    }

    #[test]
    fn the_header_counts_before_the_url_unless_it_is_empty() {
        assert_eq!(last_id(&["9"], "last_event_id=3").as_deref(), Some("9"));
        assert_eq!(last_id(&[""], "last_event_id=3").as_deref(), Some("3"));
        assert_eq!(last_id(&["  "], ""), None);
    }
}
