//! The one place of the development tools that reads environment variables.

/// The variable's value; `None` when it is unset or empty.
#[expect(
    clippy::disallowed_methods,
    reason = "tools have no messenger-runtime::config; this is their one door"
)]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
