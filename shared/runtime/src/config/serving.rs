//! The variables `BASE_PATH` and `SSE_MAX_SECONDS`, and the sign of the Lambda runtime.

use std::time::Duration;

use super::Env;

/// The default of `SSE_MAX_SECONDS` on Lambda: after a client is gone, its stream is billed until it ends.
const ON_LAMBDA: u64 = 110;

/// The paths of requests, the duration of streams, and the runtime that serves them.
#[derive(Debug, Clone, Default)]
pub struct ServingConfig {
    /// Whether the Lambda runtime started this process.
    pub is_on_lambda: bool,
    /// `BASE_PATH`: the path below which clients reach the service, such as `/prod`; empty for none.
    pub base_path: String,
    /// `SSE_MAX_SECONDS`: the longest duration of a stream; `None` for no limit.
    pub stream_max: Option<Duration>,
}

impl ServingConfig {
    pub(super) fn read(env: &mut Env<'_>) -> Self {
        let is_on_lambda = env.is_on_lambda();
        let default = if is_on_lambda { ON_LAMBDA } else { 0 };
        let seconds = env.number("SSE_MAX_SECONDS", default, 0, 86_400);
        let stream_max = (seconds > 0).then(|| Duration::from_secs(seconds));
        Self { is_on_lambda, base_path: env.base_path(), stream_max }
    }
}

impl Env<'_> {
    /// Reads `BASE_PATH`, without a slash at its end.
    fn base_path(&mut self) -> String {
        let value = self.text("BASE_PATH", "");
        let path = value.trim_end_matches('/');
        let is_of_segment = |c: char| c.is_ascii_alphanumeric() || "-._~!$&'()*+,;=:@%/".contains(c);
        let is_path = path.starts_with('/') && path.chars().all(is_of_segment) && !path.contains("//");
        if path.is_empty() || is_path {
            return path.to_owned();
        }
        self.problems.push(format!(
            "BASE_PATH is `{value}`, must be a path such as /prod, percent-encoded as in a URL"
        ));
        String::new()
    }
}
