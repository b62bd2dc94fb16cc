//! Reads environment variables for the development tools.

/// Returns the value of the variable; `None` if it is unset or empty.
#[expect(
    clippy::disallowed_methods,
    reason = "tools do not depend on messenger-runtime; they read variables only here"
)]
pub fn setting(name: &str) -> Option<String> {
    std::env::var(name).ok().filter(|value| !value.is_empty())
}
