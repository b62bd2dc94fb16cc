//! Lists of origins, and the variables `ALLOWED_ORIGINS` and `PUBLIC_URL`.

use http::Uri;

use super::Env;

impl Env<'_> {
    /// Reads `ALLOWED_ORIGINS`. Without it, development allows all pages, and production none.
    pub(super) fn origins(&mut self, production: bool) -> Option<Vec<String>> {
        let list = match self.optional("ALLOWED_ORIGINS") {
            None => return production.then(Vec::new),
            Some(all) if all == "*" => return None,
            Some(list) => list,
        };
        Some(self.origin_list("ALLOWED_ORIGINS", &list, ", or be `*`"))
    }

    /// Parses origins with commas between them, and reports those that are none.
    pub(super) fn origin_list(&mut self, name: &str, list: &str, alternative: &str) -> Vec<String> {
        let origins: Vec<_> = list.split(',').map(|origin| origin.trim().to_owned()).collect();
        for wrong in origins.iter().filter(|origin| !is_origin(origin)) {
            self.problems.push(format!(
                "{name} has `{wrong}`, must have origins like https://host:8085 (no path){alternative}"
            ));
        }
        origins
    }

    /// Reads `PUBLIC_URL`. Returns its origin, as browsers write it.
    pub(super) fn public_origin(&mut self) -> Option<String> {
        self.optional("PUBLIC_URL")?;
        let url = self.url("PUBLIC_URL", "");
        url.parse().ok().as_ref().and_then(origin)
    }
}

/// Returns the origin of a URL (RFC 6454, section 6.2), in lower case and without the default port.
fn origin(url: &Uri) -> Option<String> {
    let (scheme, host) = (url.scheme_str()?, url.host()?);
    let default = if scheme == "https" { 443 } else { 80 };
    let port = url.port_u16().filter(|port| *port != default);
    let port = port.map(|port| format!(":{port}")).unwrap_or_default();
    Some(format!("{scheme}://{host}{port}").to_ascii_lowercase())
}

/// Returns whether a text is an origin (RFC 6454, section 6.2): scheme and host, nothing else.
fn is_origin(text: &str) -> bool {
    let Ok(uri) = text.parse::<Uri>() else { return false };
    let (Some(scheme), Some(authority)) = (uri.scheme_str(), uri.authority()) else { return false };
    matches!(scheme, "http" | "https") && text == format!("{scheme}://{authority}")
}
