//! The bodies and queries of requests, parsed into domain values.

use messenger_core::{
    Result,
    admin::{UserCursor, UserRecordQuery},
    error::Problem,
    name::{self, DISPLAY_NAME_MAX},
    user::{Account, Role},
};
use messenger_runtime::fields::Fields;

/// Longest search text, in characters.
const QUERY_MAX: usize = 255;
/// Longest cursor, in characters: that of a name whose characters all fold to many.
const CURSOR_MAX: usize = 24_000;
const ROLES: [&str; 3] = ["admin", "user", "viewer"];
/// The states of a Matrix account, as requests and answers name them.
pub(super) const ACCOUNTS: [(&str, Account); 3] =
    [("pending", Account::Pending), ("ours", Account::Ours), ("foreign", Account::Foreign)];
/// Between the parts of a cursor. No name or id has it.
const SEPARATOR: char = '\0';

/// Parses the query of the list.
pub(super) fn list(mut fields: Fields) -> Result<UserRecordQuery> {
    let text = fields.optional_text("q", QUERY_MAX).unwrap_or_default();
    let role = fields.one_of("role", &ROLES, Problem::INVALID).map(Role::from_hub);
    let account = fields.one_of("account", &ACCOUNTS.map(|(name, _)| name), Problem::INVALID);
    let account = ACCOUNTS.into_iter().find(|(name, _)| Some(*name) == account).map(|(_, state)| state);
    let external = fields.optional_flag("external");
    let cursor = fields.optional_text("cursor", CURSOR_MAX).filter(|cursor| !cursor.is_empty());
    let after = cursor.as_deref().map(user_cursor);
    if after == Some(None) {
        fields.wrong("cursor", "must be the `X-Next-Cursor` of the page before");
    }
    let limit = fields.number("limit", 100, 1, 500);
    fields.finish()?;
    Ok(UserRecordQuery { text, role, account, external, after: after.flatten(), limit })
}

/// Parses `PATCH`. Returns `None` if the user gets the name of the Hub.
pub(super) fn name(mut fields: Fields) -> Result<Option<String>> {
    const FIELD: &str = "display_name";
    let name = fields.text_or_null(FIELD, DISPLAY_NAME_MAX).map(|text| name::display_name(&text));
    if let Some(Err(problem)) = &name {
        fields.wrong(FIELD, problem);
    }
    fields.finish()?;
    Ok(name.and_then(Result::ok))
}

/// Parses the body of `external-access`.
pub(super) fn enabled(mut fields: Fields) -> Result<bool> {
    let enabled = fields.required_flag("enabled");
    fields.finish()?;
    Ok(enabled)
}

/// Returns a cursor in the form of the header.
pub(super) fn cursor(cursor: &UserCursor) -> String {
    hex::encode(format!("{}{SEPARATOR}{}", cursor.name, cursor.id))
}

fn user_cursor(text: &str) -> Option<UserCursor> {
    let text = String::from_utf8(hex::decode(text).ok()?).ok()?;
    let (name, id) = text.split_once(SEPARATOR).filter(|(_, id)| !id.contains(SEPARATOR))?;
    Some(UserCursor { name: name.to_owned(), id: id.to_owned() })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_cursor_is_read_as_it_was_written() {
        for (name, id) in [("", "a"), ("müller 🏭", "Mül\u{202e}ler"), ("a,b", "\"1\"")] {
            let one = UserCursor { name: name.to_owned(), id: id.to_owned() };
            assert_eq!(user_cursor(&cursor(&one)), Some(one));
        }
        for other in ["x", "00ff", "61", "610062006300"] {
            assert_eq!(user_cursor(other), None, "{other}");
        }
    }
}
