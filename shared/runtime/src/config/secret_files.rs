//! Secrets from the environment or from files: each secret `NAME` can be given as `NAME_FILE`, the path of a
//! file with its value.

use std::fs;

use super::Env;

impl Env<'_> {
    /// Reads a secret from its variable, or from the file that `NAME_FILE` names. Returns `None` if neither
    /// is set.
    ///
    /// One line end at the end of the file is dropped. If both variables are set, or if the file cannot be
    /// read or is empty, the problem is added and the secret is an empty text.
    pub(super) fn secret(&mut self, name: &str) -> Option<String> {
        let of_file = format!("{name}_FILE");
        match (self.optional(name), self.optional(&of_file)) {
            (value, None) => value,
            (Some(_), Some(_)) => {
                self.problems.push(format!("{name} and {of_file} are both set: leave one of them out"));
                Some(String::new())
            }
            (None, Some(path)) => Some(content(&path).unwrap_or_else(|problem| {
                self.problems.push(format!("{of_file} names `{path}`, which {problem}"));
                String::new()
            })),
        }
    }
}

/// Returns the secret in a file, or a sentence part that says what is wrong with the file.
fn content(path: &str) -> Result<String, String> {
    let text = fs::read_to_string(path).map_err(|error| format!("cannot be read: {error}"))?;
    let secret = text.strip_suffix('\n').unwrap_or(&text);
    let secret = secret.strip_suffix('\r').unwrap_or(secret);
    if secret.trim().is_empty() {
        return Err("is empty: write the secret into it".to_owned());
    }
    Ok(secret.to_owned())
}
