//! Misspelt fields: unknown fields whose name is close to a known one.

use super::{Fields, choice::alternatives};

impl Fields {
    /// Returns an unknown field whose name is that of this missing one but for case, separators, or one edit.
    /// Call it when all known fields have been read.
    pub fn misspelt(&self, name: &str) -> Option<&str> {
        if self.has(name) {
            return None;
        }
        let unknown = self.values.keys().map(String::as_str).filter(|unknown| !self.read.contains(unknown));
        unknown.filter(|unknown| self.has(unknown)).find(|unknown| is_near(unknown, name))
    }

    /// Records a problem of each unknown field whose name is that of a missing known one but for case,
    /// separators, or one edit. Call it when all known fields have been read.
    pub fn refuse_misspelt(&mut self) {
        let sent: Vec<_> = self.values.keys().filter(|name| self.has(name)).map(String::as_str).collect();
        let known: Vec<_> = self.read.iter().copied().collect();
        let pairs = near_misses(&sent, &known).into_iter();
        let pairs: Vec<_> = pairs.map(|(unknown, name)| (unknown.to_owned(), name)).collect();
        for (unknown, name) in pairs {
            self.wrong(&unknown, &misspelling_of(name));
        }
    }

    /// Records a problem of each field that was not read. Call it when all known fields have been read.
    pub fn refuse_unknown(&mut self) {
        let unknown: Vec<_> =
            self.values.keys().filter(|name| !self.read.contains(name.as_str())).cloned().collect();
        let known: Vec<_> = self.read.iter().copied().collect();
        for name in unknown {
            self.wrong(&name, &format!("is unknown: expected {}", alternatives(&known)));
        }
    }

    /// Returns whether a body has a field, and not `null` in it.
    pub fn has(&self, name: &str) -> bool {
        self.json(name).is_some()
    }
}

/// Returns the sent names that are unknown and near misses of known ones that were not sent, each with the
/// known one.
pub fn near_misses<'s>(sent: &[&'s str], known: &[&'static str]) -> Vec<(&'s str, &'static str)> {
    let missing = known.iter().filter(|name| !sent.contains(name));
    let unknown = || sent.iter().filter(|name| !known.contains(name));
    missing.filter_map(|name| Some((*unknown().find(|unknown| is_near(unknown, name))?, *name))).collect()
}

/// Returns the problem of an unknown field that is a near miss of this one.
pub fn misspelling_of(name: &str) -> String {
    format!("is unknown: {}", did_you_mean(name))
}

pub(super) fn did_you_mean(name: &str) -> String {
    format!("did you mean `{name}`?")
}

/// Returns whether at most one edit (insertion, deletion, substitution, transposition) makes one name the
/// other.
fn is_near(one: &str, other: &str) -> bool {
    let folded = |name: &str| -> Vec<char> {
        name.chars().flat_map(char::to_lowercase).filter(|c| c.is_alphanumeric()).collect()
    };
    let (one, other) = (folded(one), folded(other));
    let (mut one, mut other) = (one.as_slice(), other.as_slice());
    while let ([first, rest @ ..], [begin, others @ ..]) = (one, other)
        && first == begin
    {
        (one, other) = (rest, others);
    }
    while let ([rest @ .., last], [others @ .., end]) = (one, other)
        && last == end
    {
        (one, other) = (rest, others);
    }
    match (one, other) {
        ([] | [_], [] | [_]) => true,
        ([a, b], [c, d]) => a == d && b == c,
        _ => false,
    }
}

#[cfg(test)]
mod tests {
    use super::is_near;

    #[test]
    fn one_edit_is_near_and_two_are_not() {
        for name in [
            "target_user",
            "target_usr",
            "targt_user",
            "traget_user",
            "target_userr",
            "target_uset",
            "targetUser",
            "Target-User",
            "TARGETUSER",
            "target_users",
            "arget_user",
        ] {
            assert!(is_near(name, "target_user"), "{name}");
        }
        for name in
            ["target", "user", "target_user_nr", "taget_usr", "target_type", "", "entity_name", "target_role"]
        {
            assert!(!is_near(name, "target_user"), "{name}");
        }
        // No other field of the contract is a misspelling of one that decides.
        let deciding = ["target_type", "target_user", "entity_type", "entity_id", "tenant_id", "priority"];
        let fields = [
            "source_app",
            "event_type",
            "title",
            "body",
            "idempotency_key",
            "dedup_key",
            "event_action",
            "deliver_at",
            "expires_at",
            "format",
            "url",
            "actions",
            "ack_required",
            "ack",
            "entity_name",
            "entity_url",
            "tags",
            "metadata",
            "on_unknown_user",
            "event_id",
            "tenant",
            "type",
            "user",
            "severity",
            "timestamp",
            "client_id",
        ];
        for name in deciding {
            for field in fields.into_iter().chain(deciding).filter(|field| *field != name) {
                assert!(!is_near(field, name), "{field} {name}");
            }
        }
    }
}
