//! `EVENT_STORE`, and the variables of a copy of the event log on DynamoDB.

use std::time::Duration;

use messenger_core::FeedCopySettings;

use super::Env;

impl Env<'_> {
    /// Reads the settings of a copy on DynamoDB; `None` if events are read from PostgreSQL.
    pub(super) fn feed_copy(
        &mut self,
        retention: Duration,
        installation: String,
    ) -> Option<FeedCopySettings> {
        let (table, region) = (self.optional("FEED_TABLE"), self.optional("AWS_REGION"));
        let endpoint = self.optional("AWS_ENDPOINT_URL_DYNAMODB");
        if self.choice("EVENT_STORE", &["postgres", "dynamodb"]) != "dynamodb" {
            return None;
        }
        if !table.as_deref().is_some_and(is_table_name) {
            self.problems.push(
                "FEED_TABLE must be the name of a table of DynamoDB: 3 to 255 of a-z, A-Z, 0-9, _ - ."
                    .to_owned(),
            );
        }
        if region.is_none() {
            self.problems.push("AWS_REGION is missing: the region of FEED_TABLE, as eu-central-1".to_owned());
        }
        Some(FeedCopySettings {
            table: table.unwrap_or_default(),
            region: region.unwrap_or_default(),
            endpoint: endpoint.map(|_| self.url("AWS_ENDPOINT_URL_DYNAMODB", "")),
            retention,
            installation,
        })
    }
}

/// Returns whether DynamoDB allows this name ("Naming rules").
fn is_table_name(name: &str) -> bool {
    (3..=255).contains(&name.len())
        && name.chars().all(|one| one.is_ascii_alphanumeric() || "_-.".contains(one))
}
