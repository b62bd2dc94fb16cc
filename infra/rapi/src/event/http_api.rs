//! Events of payload format 2.0: those of HTTP APIs and of Function URLs.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::{ACCOUNT, API, Address, CLIENT, REGION, Request, USER_AGENT, decoded};
use crate::runtime_api::now;

/// Returns the event of an HTTP API, or without an address that of a Function URL.
pub(super) fn event(request: &Request, address: Option<&Address>) -> Value {
    let url_domain = format!("{API}.lambda-url.{REGION}.on.aws");
    let domain = address.map_or(url_domain, Address::domain);
    let path = address.map_or_else(|| request.path.clone(), |api| api.external(&decoded(&request.path)));
    let stage = address.map_or("$default", |api| api.stage.as_str());
    let account = if address.is_some() { ACCOUNT } else { "anonymous" };
    let time = now();
    let context = json!({
        "accountId": account,
        "apiId": API,
        "domainName": domain,
        "domainPrefix": domain.split('.').next(),
        "http": {
            "method": request.method,
            "path": path,
            "protocol": "HTTP/1.1",
            "sourceIp": CLIENT,
            "userAgent": USER_AGENT,
        },
        "requestId": "JKJaXmPLvHcESHA=",
        "routeKey": "$default",
        "stage": stage,
        "time": time.strftime("%d/%b/%Y:%H:%M:%S +0000").to_string(),
        "timeEpoch": time.as_millisecond(),
    });
    let mut event = json!({
        "version": "2.0",
        "routeKey": "$default",
        "rawPath": path,
        "rawQueryString": request.query,
        "headers": headers(request, &domain),
        "requestContext": context,
        "isBase64Encoded": false,
    });
    if let Some(event) = event.as_object_mut() {
        add_optional(event, request);
    }
    event
}

/// Adds the fields that are absent instead of empty.
fn add_optional(event: &mut Map<String, Value>, request: &Request) {
    let cookies = request.cookies();
    if !cookies.is_empty() {
        event.insert("cookies".to_owned(), json!(cookies));
    }
    let parameters = joined(request.parameters());
    if !parameters.is_empty() {
        event.insert("queryStringParameters".to_owned(), json!(parameters));
    }
    if request.body.is_empty() {
        return;
    }
    let is_text = request.headers.iter().any(|(name, value)| {
        name.eq_ignore_ascii_case("content-type")
            && (value.starts_with("text/") || value.starts_with("application/json"))
    });
    let text = if is_text { String::from_utf8(request.body.clone()).ok() } else { None };
    event.insert("isBase64Encoded".to_owned(), json!(text.is_none()));
    event.insert("body".to_owned(), json!(text.unwrap_or_else(|| request.encoded_body())));
}

/// Returns the headers with names in lower case and all values of a name as one, without cookies.
fn headers(request: &Request, domain: &str) -> BTreeMap<String, String> {
    let headers = request.headers(domain).into_iter();
    let headers = headers.map(|(name, value)| (name.to_ascii_lowercase(), value));
    joined(headers.filter(|(name, _)| name != "cookie").collect())
}

/// Joins the values of a name with commas.
fn joined(pairs: Vec<(String, String)>) -> BTreeMap<String, String> {
    let mut joined: BTreeMap<String, String> = BTreeMap::new();
    for (name, value) in pairs {
        joined.entry(name).and_modify(|all| *all = format!("{all},{value}")).or_insert(value);
    }
    joined
}
