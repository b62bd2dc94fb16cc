//! Recognises a database that was created by another schema version.

/// Parts of refinery's messages about applied migrations that differ from those of the program, or are
/// missing.
const DIFFERENCES: [&str; 2] = ["is different than filesystem one", "is missing from the filesystem"];

/// Returns advice if the output of `messenger-worker setup` reports migrations of another schema version;
/// else `None`.
pub(super) fn advice(output: &str, is_own_database: bool) -> Option<&'static str> {
    if !DIFFERENCES.iter().any(|difference| output.contains(difference)) {
        return None;
    }
    Some(if is_own_database {
        "the database was created by another schema version; run `cargo xtask up --fresh` to start with an empty one"
    } else {
        "the database of DATABASE_URL was created by another schema version; set DATABASE_URL to an empty database"
    })
}

#[cfg(test)]
mod tests {
    use refinery::Migration;
    use refinery::error::Kind;

    use super::*;

    #[test]
    fn other_and_missing_migrations_are_recognised_by_refinerys_messages() {
        let migration = |sql| Migration::unapplied("V1__first", sql).unwrap();
        let differences = [
            Kind::DivergentVersion(migration("select 1"), migration("select 2")),
            Kind::MissingVersion(migration("select 1")),
        ];
        for difference in differences {
            let output = format!("INFO migrated\nERROR migrating the database: {difference}");
            assert!(advice(&output, true).unwrap().contains("run `cargo xtask up --fresh`"), "{output}");
            assert!(advice(&output, false).unwrap().contains("DATABASE_URL"), "{output}");
        }
    }

    #[test]
    fn other_failures_get_no_advice() {
        assert_eq!(advice("ERROR migrating the database: connection refused", true), None);
    }
}
