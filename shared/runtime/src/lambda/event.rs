//! The HTTP events of API Gateway and of Function URLs, with the path as the client wrote it.

use lambda_http::request::LambdaRequest;
use percent_encoding::{AsciiSet, NON_ALPHANUMERIC, utf8_percent_encode};
use serde::{Deserialize, Deserializer, de::Error as _};

/// The error of any other event.
const FOREIGN: &str = "this function answers HTTP requests: invoke it by an HTTP API (payload format 2.0), a \
                       Function URL or a REST API";
/// The characters of a decoded path that are no part of an encoded one (RFC 3986, section 3.3).
const NOT_IN_PATHS: &AsciiSet = &NON_ALPHANUMERIC
    .remove(b'/')
    .remove(b'-')
    .remove(b'.')
    .remove(b'_')
    .remove(b'~')
    .remove(b'!')
    .remove(b'$')
    .remove(b'&')
    .remove(b'\'')
    .remove(b'(')
    .remove(b')')
    .remove(b'*')
    .remove(b'+')
    .remove(b',')
    .remove(b';')
    .remove(b'=')
    .remove(b':')
    .remove(b'@');

/// An HTTP event, in which the path is that of the client's URL, with a stage or a base path in it.
pub(super) struct Event(pub(super) LambdaRequest);

impl<'de> Deserialize<'de> for Event {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let mut request = LambdaRequest::deserialize(deserializer).map_err(|_| D::Error::custom(FOREIGN))?;
        match &mut request {
            LambdaRequest::ApiGatewayV2(event) => {
                // The path has the stage already.
                event.request_context.stage = None;
                let domain = event.request_context.domain_name.as_deref();
                if domain.is_some_and(is_of_http_api) {
                    event.raw_path = event.raw_path.as_deref().map(encoded);
                }
            }
            LambdaRequest::ApiGatewayV1(event) => {
                event.request_context.stage = None;
                // The other path is without the stage at the address that AWS gives, and with a base path else.
                event.path = event.request_context.path.take().or(event.path.take());
            }
            _ => return Err(D::Error::custom(FOREIGN)),
        }
        Ok(Self(request))
    }
}

/// Returns whether this is the domain of an HTTP API, which decodes paths. Function URLs and emulators on this
/// machine pass them on as the client wrote them.
fn is_of_http_api(domain: &str) -> bool {
    domain.contains('.')
        && !domain.contains(".lambda-url.")
        && !domain.starts_with(|c: char| c.is_ascii_digit())
}

/// Returns a decoded path as part of a URL. A slash in a segment is lost: an HTTP API decodes `%2F`, too.
fn encoded(path: &str) -> String {
    utf8_percent_encode(path, NOT_IN_PATHS).to_string()
}
